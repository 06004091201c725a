"""`ll.torch.AnalogLinear` and `AnalogConv2d`: matrix products of PyTorch modules on analog devices."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import _core
from ._torch_checks import check_product
from ._torch_neurons import BinaryConv2d, BinaryLinear, begin_range, note_known
from ._torch_noise import without_noise
from ._torch_projection import rows_of
from .analog import below, open_devices, split
from .errors import InvalidParameter, ShapeMismatch, Unsupported


class _Held:
    """An open layer, and the weights it was sent last; None while nobody knows what it holds."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.sent: np.ndarray | None = None

    def snapshot(self, what: str) -> bytes:
        """The weights as they were sent, then what came of them; empty, with a warning, where a device does not tell."""
        if self.sent is None:
            return b""
        try:
            return self.sent.tobytes() + bytes(self.layer.snapshot())
        except Unsupported as error:
            warnings.warn(f"{what}: what its devices hold is not kept, weights will be written and calibrated anew: {error}",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
            return b""

    def restore(self, state: bytes, what: str) -> None:
        """Goes on from a snapshot; with a warning, where it is of another device, stays as it was."""
        size = 4 * self.layer.n_out * self.layer.n_in
        try:
            self.layer.restore(state[size:])
        except (InvalidParameter, Unsupported) as error:
            warnings.warn(f"{what}: what the devices held is not taken over, weights are written and calibrated anew: {error}",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
            self.sent = None
            return
        self.sent = np.frombuffer(state[:size], np.float32).reshape(self.layer.n_out, self.layer.n_in)


class Devices:
    """Devices of one string for the layers that share them, opened when they are needed.

    Chips are numbered in the order in which layers are first used. A copy, or what comes out of a pickle, opens devices of
    its own in the order of the first, so that every layer has a chip of the number it had, and goes on from what that held.
    """

    def __init__(self, device: Any, settings: Mapping[str, Any]) -> None:
        self.device, self.settings = device, dict(settings)
        self.sizes: list[tuple[int, int]] = []  # (inputs, outputs) of every layer
        self.used: list[int] = []  # layers, in the order of their first use
        self._open: Any = None
        self._held: dict[int, _Held] = {}
        self._kept: dict[int, bytes] = {}  # snapshots of layers, to go on from once they are open

    def join(self, n_in: int, n_out: int) -> int:
        """The number of a new layer."""
        self.sizes.append((n_in, n_out))
        return len(self.sizes) - 1

    def open(self) -> Any:
        if self._open is None:
            self._open = open_devices(self.device, self.settings, self.sizes)
        return self._open

    def layer(self, number: int) -> _Held:
        if number not in self.used:
            self.used.append(number)
        first = self.used[: self.used.index(number) + 1]
        if self._kept and self.open().shared:
            first = list(dict.fromkeys([*self.used, *sorted(self._kept)]))  # states of one device are of one time
        for one in first:
            if one not in self._held:
                of_layer = below(self.settings, "layer")
                self._held[one] = _Held(_core.TiledLayer(self.open(), *self.sizes[one], of_layer, {}))
                if one in self._kept:
                    self._held[one].restore(self._kept.pop(one), self._named(one))
        return self._held[number]

    def _named(self, number: int) -> str:
        n_in, n_out = self.sizes[number]
        return f"layer {n_in} -> {n_out} on {self.device}"

    def snapshot(self, number: int) -> bytes:
        """Of one layer and its devices; empty before it was written."""
        if number in self._held:
            return self._held[number].snapshot(self._named(number))
        return self._kept.get(number, b"")

    def restore(self, number: int, state: bytes) -> None:
        """At once where the layer is open, else when it is opened."""
        if number in self._held:
            self._held[number].restore(state, self._named(number))
        else:
            self._kept[number] = state

    def written(self) -> list[Any]:
        """The layers that hold weights, opened where a copy has not yet."""
        for number in [*self.used, *sorted(self._kept)]:
            self.layer(number)
        return [held.layer for _, held in sorted(self._held.items()) if held.sent is not None]

    def report(self, numbers: Sequence[int]) -> Any:
        """Of these layers together; None until they were written."""
        reports = [self._held[number].layer.report for number in numbers if number in self._held]
        return reduce(add, reports) if reports and reports[0].programs else None

    def __getstate__(self) -> dict[str, Any]:
        kept = {number: self.snapshot(number) for number in range(len(self.sizes))}
        return {**self.__dict__, "_open": None, "_held": {}, "_kept": {number: state for number, state in kept.items() if state}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"_kept": {}, **state})  # pickles of earlier versions have none


class _Product(torch.autograd.Function):
    """x W^T by the device; gradients by the way that layer.backward names, digital products in float32 at least.

    Inputs count as far as the range of their row in this pass reaches: dL/dW is that of what was seen of them, and what
    was cut off gets no gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, input_range: Any, output_factor: Any, layer: Any, way: str, managed: str) -> Any:
        ctx.save_for_backward(x, weight, input_range, output_factor)  # which tells of changes in place until backward()
        ctx.layer, ctx.way, ctx.clips = layer, way, layer.clips
        ctx.ranges = layer.input_ranges if managed in ("running", "learned") else None
        y = torch.from_numpy(layer.forward(rows_of(x)))
        return y.reshape(*x.shape[:-1], y.shape[-1]).to(x)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, weight, _, _ = ctx.saved_tensors
        kind = torch.promote_types(weight.dtype, torch.float32)
        rows, columns = grad.reshape(-1, grad.shape[-1]).to(kind), x.reshape(-1, x.shape[-1]).to(kind)
        inside = None
        if ctx.clips and (ctx.needs_input_grad[0] or ctx.needs_input_grad[1]):
            shown = rows_of(x)
            seen = ctx.layer.clip(shown, ctx.ranges)
            inside = torch.from_numpy(seen == shown).to(x.device)
            columns = torch.where(inside, columns, torch.from_numpy(seen).to(columns))
        grad_x = grad_w = grad_r = grad_f = None
        if ctx.needs_input_grad[0] and ctx.way != "weights":
            grad_x = torch.from_numpy(ctx.layer.backward(rows_of(x), rows_of(grad), ctx.ranges)).reshape(x.shape).to(x)
        elif ctx.needs_input_grad[0]:
            grad_x = rows @ weight.to(kind)
            grad_x = (grad_x if inside is None else grad_x * inside).reshape(x.shape).to(x)
        if ctx.needs_input_grad[1]:
            grad_w = (rows.t() @ columns).to(weight)
        if ctx.needs_input_grad[2]:
            grad_r = x.new_tensor(ctx.layer.range_gradient(rows_of(x), rows_of(grad), ctx.ranges))
        if ctx.needs_input_grad[3]:
            grad_f = x.new_tensor(ctx.layer.output_factor_gradient(rows_of(x), rows_of(grad), ctx.ranges))
        return grad_x, grad_w, grad_r, grad_f, None, None, None


class _ProductOnce(_Product):
    """The same where gradients come from outside PyTorch, which cannot differentiate them again: it says so."""

    backward = staticmethod(once_differentiable(_Product.backward))


class OnDevice:
    """What the modules share: a layer of some devices, or one for each group of a convolution, and the weights in them."""

    weight: Any
    training: bool
    groups: int = 1  # a convolution has its own

    def _place(self, device: Any, settings: Mapping[str, Any], devices: Devices | None = None) -> None:
        """Takes a place among `devices`, or on devices of its own."""
        self.analog_device = device
        self.analog_settings = dict(settings)
        if self.analog_settings.get("layer.update") == "programme":
            raise Unsupported("layer.update", "programme", "write or pulses: the weights of a module are no phases",
                              "ll.torch.Physical has the phases of a device as its parameters.")  # fmt: skip
        if self._managed() == "learned" and "input_range" not in self._parameters:
            start = float(self.analog_settings.get("layer.input_range", 0.0))  # 0: the first batch brings it
            self.register_parameter("input_range", torch.nn.Parameter(torch.tensor(start)))
            self.register_buffer("input_range_known", torch.tensor(start > 0))
        if self._managed() == "running" and "running_range" not in self._buffers:  # of no tile yet
            self.register_buffer("running_range", torch.zeros(0, dtype=torch.float64))
        if self.analog_settings.get("layer.output_range") == "learned" and "output_factor" not in self._parameters:
            self.register_parameter("output_factor", torch.nn.Parameter(torch.tensor(1.0)))
        n_out, n_in = self.weight.flatten(1).shape
        self._devices = Devices(device, settings) if devices is None else devices
        self._numbers = [self._devices.join(n_in, n_out // self.groups) for _ in range(self.groups)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_number" in state:  # pickles of earlier versions: one layer
            state = {**state, "_numbers": [state["_number"]]}
        super().__setstate__(state)  # type: ignore[misc]

    def _load_from_state_dict(self, state: Any, prefix: str, *more: Any) -> None:
        note_known(state, prefix + "input_range")
        if "running_range" in self._buffers:  # as many as the tiles; older versions had none
            held = state.setdefault(prefix + "running_range", torch.zeros(0, dtype=torch.float64))
            self.running_range = self.running_range.new_zeros(held.shape)
        super()._load_from_state_dict(state, prefix, *more)
        missing = more[2]
        if prefix + "_extra_state" in missing:  # of a digital module
            missing.remove(prefix + "_extra_state")

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if not len(destination[prefix + "_extra_state"]):  # nothing was written yet: the keys are those of a digital module
            del destination[prefix + "_extra_state"]

    def get_extra_state(self) -> Any:
        """What the devices hold, as bytes: `TiledLayer.snapshot` behind the weights sent last; of groups, each behind its size."""
        held = [self._devices.snapshot(number) for number in self._numbers]
        if len(held) > 1:
            held = [len(one).to_bytes(8, "little") + one for one in held] if all(held) else []
        return torch.from_numpy(np.frombuffer(b"".join(held), np.uint8).copy())

    def set_extra_state(self, state: Any) -> None:
        """Goes on from there, or, on other devices, warns and writes the weights anew."""
        held = state.cpu().numpy().tobytes()
        for number in self._numbers:
            size = len(held)
            if len(self._numbers) > 1:
                size, held = int.from_bytes(held[:8], "little"), held[8:]
            self._devices.restore(number, held[:size])
            held = held[size:]

    def _used(self) -> Any:
        """The weights that the device holds."""
        return self.weight

    def _managed(self) -> str:
        return str(self.analog_settings.get("layer.noise_management", "abs_max"))

    def _go_on(self, layer: Any, held: Any) -> None:
        """Running ranges are those of the module's state, if it has any; else the layer begins anew."""
        if not len(self.running_range):
            windows = int(self.analog_settings.get("layer.range_rows", 0)) > 0  # they begin without a range
            start = [0.0, 0.0, 0.0] if windows else [float(self.analog_settings.get("layer.input_range", 1.0))]
            layer.input_ranges = start * layer.tiles
        elif not torch.equal(held, held.new_tensor(layer.input_ranges)):
            layer.input_ranges = held.tolist()

    def _product(self, x: Any) -> Any:
        with without_noise(self):
            weight = self._used().flatten(1)  # asked for once: a parametrisation may draw another every time
        check_product(type(self).__name__, x, weight)
        learned, factor = self._parameters.get("input_range"), self._parameters.get("output_factor")
        if learned is not None:
            begin_range(type(self).__name__, learned, self.input_range_known, x)
        way, managed = self.analog_settings.get("layer.backward", "weights"), self._managed()
        product = _Product if way == "weights" and learned is None and factor is None else _ProductOnce
        held = [self._devices.layer(number) for number in self._numbers]
        began = self.running_range if managed == "running" else None
        answers, ranges = [], []
        for one, seen, w in zip(held, x.chunk(self.groups, -1), weight.chunk(self.groups)):
            if learned is not None:
                one.layer.input_range = learned.item()
            self._write(one, w.detach().to("cpu", torch.float32).numpy())
            if factor is not None:
                one.layer.output_factor = factor.item()
            if managed == "running":
                mine = len(began) if one is held[-1] else len(one.layer.input_ranges)
                self._go_on(one.layer, began[:mine])
                began = began[mine:]
            one.layer.hold_ranges(not self.training)
            answers.append(product.apply(seen, w, learned, factor, one.layer, way, managed))
            if managed == "running":
                ranges += one.layer.input_ranges
        if managed == "running":
            self.running_range = self.running_range.new_tensor(ranges)
        return answers[0] if len(answers) == 1 else torch.cat(answers, -1)

    def _write(self, held: _Held, weights: np.ndarray) -> None:
        """Sends the weights unless they are those that were sent last, by their values: a pointer and a version of PyTorch
        do not tell what was written past autograd."""
        sent = held.sent
        if sent is not None and np.array_equal(weights, sent):
            return
        weights = np.array(weights, order="C")
        held.sent = None
        pulses = self.analog_settings.get("layer.update") == "pulses"
        if pulses and sent is not None:
            held.layer.update(weights - sent)
        else:
            if pulses and not self.analog_settings.get("layer.weight_limit"):
                raise InvalidParameter("layer.weight_limit", "not given", "the weight at full range, for layer.update=pulses",
                                       "Give layer.weight_limit=0.5, for example.")  # fmt: skip
            keep = sent is not None and self.training
            held.layer.program(weights, keep)
            if not keep and self.analog_settings.get("layer.calibrate", True):
                held.layer.calibrate()
        held.sent = weights

    def _latency(self) -> dict[str, float]:
        """Of one row: groups, equal all, work at the same time, or one after the other on one device."""
        times = self._numbers if self._devices.open().shared else self._numbers[:1]
        parts: dict[str, float] = {}
        for number in times:
            for part, took in self._devices.layer(number).layer.latency.items():
                parts[part] = parts.get(part, 0.0) + took
        return parts

    @property
    def report(self) -> Any:
        """Frames, seconds, joules and energy by component so far; None before the first forward pass."""
        return self._devices.report(self._numbers)


class AnalogLinear(OnDevice, torch.nn.Linear):
    """`torch.nn.Linear` with the product x W^T on a device of kind "layer"; the bias is added digitally.

    Settings without a prefix are the device's: `AnalogLinear(784, 10, device="sim:crossbar", **{"adc.bits": 6})`. Input and
    weight have one floating dtype, but for autocast; the answer has the input's. Raises InvalidParameter for others, Unsupported
    for complex ones.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: str = "sim:crossbar",
                 settings: Mapping[str, Any] | None = None, **options: Any) -> None:  # fmt: skip
        torch.nn.Linear.__init__(self, in_features, out_features, bias)
        self._place(device, split(settings, options))

    def forward(self, input: Any) -> Any:
        y = self._product(input)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def extra_repr(self) -> str:
        return f"{torch.nn.Linear.extra_repr(self)}, device={self.analog_device!r}"


class AnalogConv2d(OnDevice, torch.nn.Conv2d):
    """`torch.nn.Conv2d` as a matrix of (outputs, inputs x kernel) that is shown every patch, or in groups as one for each, on
    devices of its own (depthwise: outputs / inputs x kernel, a device for every channel); dtypes as in `AnalogLinear`. Learned ranges
    are one for all groups, running ones each group's own."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", *,
                 device: str = "sim:crossbar", settings: Mapping[str, Any] | None = None, **options: Any) -> None:  # fmt: skip
        torch.nn.Conv2d.__init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)
        self._place(device, split(settings, options))

    def forward(self, input: Any) -> Any:
        if input.dim() == 3:  # one image, as torch.nn.Conv2d takes it
            return self.forward(input[None])[0]
        if input.dim() != 4:
            raise ShapeMismatch("input of AnalogConv2d", str(tuple(input.shape)), f"([images,] {self.in_channels}, height, width)")
        if input.shape[1] != self.in_channels:
            raise ShapeMismatch("input of AnalogConv2d", f"{input.shape[1]} channels of {tuple(input.shape)}", f"{self.in_channels} channels")
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        padded = torch.nn.functional.pad(input, self._reversed_padding_repeated_twice, mode)  # "same" differs left and right
        patches = torch.nn.functional.unfold(padded, self.kernel_size, self.dilation, 0, self.stride)
        y = self._product(patches.transpose(1, 2)).transpose(1, 2)
        size = [(n - d * (k - 1) - 1) // s + 1
                for n, k, d, s in zip(padded.shape[2:], self.kernel_size, self.dilation, self.stride)]  # fmt: skip
        y = y.reshape(input.shape[0], self.out_channels, *size)
        return y if self.bias is None else y + self.bias[:, None, None].to(y.dtype)

    def extra_repr(self) -> str:
        return f"{torch.nn.Conv2d.extra_repr(self)}, device={self.analog_device!r}"


class AnalogBinaryLinear(AnalogLinear, BinaryLinear):
    """`BinaryLinear` whose device holds the two-valued weights; made by `convert`."""

    def _used(self) -> Any:
        return self._two_valued()


class AnalogBinaryConv2d(AnalogConv2d, BinaryConv2d):
    """`BinaryConv2d` whose device holds the two-valued weights; made by `convert`."""

    def _used(self) -> Any:
        return self._two_valued()
