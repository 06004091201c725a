"""PyTorch modules: signals and weights of few values (`Sign`, `Binarise`, `Quantise`, `Stochastic`, `BinaryLinear`,
`BinaryConv2d`), noise and levels around a layer (`Noise`, `Precision`, `Norm`), and modules on devices: `dfa` (direct feedback
alignment), `OPU` (random features), `Physical` (devices trained by their own programme), and matrix products on analog devices:
`AnalogLinear`, `AnalogConv2d`, `convert`. For these:

Forward passes go through the device, noise and converters included. Backward passes take the way of `layer.backward`: the
digital weights (straight-through: gradients of input, weight and bias are those of `torch.nn.Linear`), the device's twin at
what the device was shown, or the device itself in its transposed pass. Weights are written into the device whenever they have
changed since the last forward pass, or with `layer.update=pulses` changed in pulses from where they are; gains found by the
calibration of the first stay in use while a module trains. `state_dict` is that of the digital module; with
`layer.noise_management=learned` it has `input_range` and `input_range_known` beside, with `layer.output_range=learned` an
`output_factor` (of the ADC range that calibration measured).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from . import _core
from ._torch_dfa import DFA, dfa
from ._torch_neurons import (
    Binarise,
    BinaryConv2d,
    BinaryLinear,
    Quantise,
    Sign,
    Stochastic,
    begin_range,
    biper,
    note_known,
    reinforce,
    sign,
)
from ._torch_noise import Noise, Norm, Precision, noise_std
from ._torch_opu import OPU
from ._torch_physical import Physical
from .analog import below, open_devices, split
from .errors import InvalidParameter, ShapeMismatch, Unsupported

__all__ = [
    "DFA",
    "OPU",
    "Physical",
    "AnalogConv2d",
    "AnalogLinear",
    "Binarise",
    "BinaryConv2d",
    "BinaryLinear",
    "Noise",
    "Norm",
    "Precision",
    "Quantise",
    "Sign",
    "Stochastic",
    "biper",
    "convert",
    "convert_to_analog",
    "dfa",
    "noise_std",
    "reinforce",
    "report",
    "sign",
]


class _Product(torch.autograd.Function):
    """x W^T by the device; gradients by the way that layer.backward names."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, input_range: Any, output_factor: Any, layer: Any, way: str) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.layer, ctx.way, ctx.learned = layer, way, input_range is not None
        y = torch.from_numpy(layer.forward(_rows(x)))
        return y.reshape(*x.shape[:-1], y.shape[-1]).to(x)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        x, weight = ctx.saved_tensors
        rows, columns = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
        grad_x = grad_w = grad_r = grad_f = None
        if ctx.needs_input_grad[0] and ctx.way != "weights":
            grad_x = torch.from_numpy(ctx.layer.backward(_rows(x), _rows(grad))).reshape(x.shape).to(x)
        elif ctx.needs_input_grad[0]:
            grad_x = (rows @ weight).reshape(x.shape)
            if ctx.learned:
                grad_x = grad_x * (x.abs() <= ctx.layer.input_range)
        if ctx.needs_input_grad[1]:
            grad_w = rows.t() @ columns
        if ctx.needs_input_grad[2]:
            grad_r = x.new_tensor(ctx.layer.range_gradient(_rows(x), _rows(grad)))
        if ctx.needs_input_grad[3]:
            grad_f = x.new_tensor(ctx.layer.output_factor_gradient(_rows(x), _rows(grad)))
        return grad_x, grad_w, grad_r, grad_f, None, None


def _rows(x: Any) -> np.ndarray:
    return np.ascontiguousarray(x.detach().cpu().numpy().reshape(-1, x.shape[-1]), dtype=np.float32)


class _OnDevice:
    """What the modules share: devices that are opened when they are first needed."""

    weight: Any
    training: bool

    def _place(self, device: str, settings: Mapping[str, Any], devices: Any = None) -> None:
        self.analog_device = device
        self.analog_settings = dict(settings)
        self._devices, self._layer, self._written, self._sent = devices, None, None, None
        if self.analog_settings.get("layer.update") == "programme":
            raise Unsupported("layer.update", "programme", "write or pulses: the weights of a module are no phases",
                              "ll.torch.Physical has the phases of a device as its parameters.")  # fmt: skip
        if self.analog_settings.get("layer.noise_management") == "learned" and "input_range" not in self._parameters:
            start = float(self.analog_settings.get("layer.input_range", 0.0))  # 0: the first batch brings it
            self.register_parameter("input_range", torch.nn.Parameter(torch.tensor(start)))
            self.register_buffer("input_range_known", torch.tensor(start > 0))
        if self.analog_settings.get("layer.output_range") == "learned" and "output_factor" not in self._parameters:
            self.register_parameter("output_factor", torch.nn.Parameter(torch.tensor(1.0)))

    def _load_from_state_dict(self, state: Any, prefix: str, *more: Any) -> None:
        note_known(state, prefix + "input_range")
        super()._load_from_state_dict(state, prefix, *more)

    def _matrix(self) -> Any:
        return self.weight.detach().reshape(self.weight.shape[0], -1)

    def _product(self, x: Any) -> Any:
        matrix = self._matrix()
        n_out, n_in = matrix.shape
        if self._layer is None:
            if self._devices is None:
                self._devices = open_devices(self.analog_device, self.analog_settings, n_in, n_out)
            self._layer = _core.TiledLayer(self._devices, n_in, n_out, below(self.analog_settings, "layer"), {})
        learned = self._parameters.get("input_range")
        if learned is not None:
            begin_range(type(self).__name__, learned, self.input_range_known, x)
            self._layer.input_range = learned.item()
        state = (self.weight.data_ptr(), self.weight._version)
        if self._written != state:
            self._write(np.array(matrix.cpu().numpy(), dtype=np.float32, order="C"))
            self._written = state
        factor = self._parameters.get("output_factor")
        if factor is not None:
            self._layer.output_factor = factor.item()
        way = self.analog_settings.get("layer.backward", "weights")
        return _Product.apply(x, self.weight.reshape(n_out, n_in), learned, factor, self._layer, way)

    def _write(self, weights: np.ndarray) -> None:
        pulses = self.analog_settings.get("layer.update") == "pulses"
        if pulses and self._sent is not None:
            self._layer.update(weights - self._sent)
        else:
            if pulses and not self.analog_settings.get("layer.weight_limit"):
                raise InvalidParameter("layer.weight_limit", "not given", "the weight at full range, for layer.update=pulses",
                                       "Give layer.weight_limit=0.5, for example.")  # fmt: skip
            keep = self._written is not None and self.training
            self._layer.program(weights, keep)
            if not keep and self.analog_settings.get("layer.calibrate", True):
                self._layer.calibrate()
        self._sent = weights

    @property
    def report(self) -> Any:
        """Frames, seconds, joules and energy by component so far; None before the first forward pass."""
        return None if self._layer is None else self._layer.report

    def __deepcopy__(self, memo: Any) -> Any:
        made = self.__class__.__new__(self.__class__)
        memo[id(self)] = made
        for key, value in self.__dict__.items():  # a copy opens devices of its own
            made.__dict__[key] = None if key in ("_devices", "_layer", "_written", "_sent") else copy.deepcopy(value, memo)
        return made

    def __getstate__(self) -> Any:
        return {**self.__dict__, "_devices": None, "_layer": None, "_written": None, "_sent": None}


class AnalogLinear(_OnDevice, torch.nn.Linear):
    """`torch.nn.Linear` with the product x W^T on a device of kind "layer"; the bias is added digitally.

    Settings without a prefix are the device's: `AnalogLinear(784, 10, device="sim:crossbar", **{"adc.bits": 6})`.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: str = "sim:crossbar",
                 settings: Mapping[str, Any] | None = None, **options: Any) -> None:  # fmt: skip
        torch.nn.Linear.__init__(self, in_features, out_features, bias)
        self._place(device, split(settings, options))

    def forward(self, input: Any) -> Any:
        y = self._product(input)
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        return f"{torch.nn.Linear.extra_repr(self)}, device={self.analog_device!r}"


def _check_convolution(what: str, made: Any) -> None:
    if made.groups != 1 or made.padding_mode != "zeros" or isinstance(made.padding, str):
        raise Unsupported(what, f"Conv2d({torch.nn.Conv2d.extra_repr(made)})", "only one group and zero padding in numbers",
                          "Replace it (padding=1, for example), or convert the parts of the model that can be.")  # fmt: skip


class AnalogConv2d(_OnDevice, torch.nn.Conv2d):
    """`torch.nn.Conv2d` (one group, zero padding) as a matrix of (outputs, inputs x kernel) that is shown every patch."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", *,
                 device: str = "sim:crossbar", settings: Mapping[str, Any] | None = None, **options: Any) -> None:  # fmt: skip
        torch.nn.Conv2d.__init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)
        _check_convolution("AnalogConv2d", self)
        self._place(device, split(settings, options))

    def forward(self, input: Any) -> Any:
        if input.dim() == 3:  # one image, as torch.nn.Conv2d takes it
            return self.forward(input[None])[0]
        if input.dim() != 4:
            raise ShapeMismatch("input of AnalogConv2d", str(tuple(input.shape)), f"([images,] {self.in_channels}, height, width)")
        patches = torch.nn.functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)
        y = self._product(patches.transpose(1, 2)).transpose(1, 2)
        size = [
            (input.shape[2 + i] + 2 * self.padding[i] - self.dilation[i] * (self.kernel_size[i] - 1) - 1)
            // self.stride[i] + 1
            for i in range(2)
        ]  # fmt: skip
        y = y.reshape(input.shape[0], self.out_channels, *size)
        return y if self.bias is None else y + self.bias[:, None, None]

    def extra_repr(self) -> str:
        return f"{torch.nn.Conv2d.extra_repr(self)}, device={self.analog_device!r}"


def _largest(modules: list[Any]) -> tuple[int, int]:
    shapes = [m.weight.reshape(m.weight.shape[0], -1).shape for m in modules]
    return max(s[1] for s in shapes), max(s[0] for s in shapes)


def convert(model: Any, device: str = "sim:crossbar", settings: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """A copy of `model` with every Linear and Conv2d on devices of one string; the model itself stays as it is.

    Weights, buffers, training mode and the keys of `state_dict` are kept. Refuses grouped, non-zero-padded or "same"
    convolutions by name.
    """
    made = copy.deepcopy(model)
    wanted = split(settings, options)
    if isinstance(made, (torch.nn.Linear, torch.nn.Conv2d)):
        made = torch.nn.Sequential(made)
        return convert(made, device, settings, **options)[0]
    converted: list[Any] = []
    for name, module in made.named_modules():
        for child, old in list(module.named_children()):
            if type(old) is torch.nn.Linear:
                kind: Any = AnalogLinear
            elif type(old) is torch.nn.Conv2d:
                kind = AnalogConv2d
                _check_convolution(f"convert: {name}.{child}".replace(" .", " "), old)
            else:
                continue
            new = kind.__new__(kind)
            new.__dict__.update(old.__dict__)
            new._place(device, wanted)
            setattr(module, child, new)
            converted.append(new)
    if not converted:
        raise InvalidParameter("convert", type(made).__name__, "no Linear and no Conv2d in it", "Give a model that has some.")
    devices = open_devices(device, wanted, *_largest(converted))
    for new in converted:
        new._devices = devices
    return made


convert_to_analog = convert


def report(model: Any) -> dict[str, Any]:
    """What the converted modules of a model have cost: device_s, device_j, energy by component, and each module's report."""
    modules = {name: m.report for name, m in model.named_modules() if isinstance(m, _OnDevice) and m.report is not None}
    energy: dict[str, float] = {}
    for one in modules.values():
        for part, joules in one.energy.items():
            energy[part] = energy.get(part, 0.0) + joules
    return {
        "device_s": sum(one.device_s for one in modules.values()),
        "device_j": sum(one.device_j for one in modules.values()),
        "energy": energy,
        "modules": modules,
    }


def layers_of(model: Any) -> tuple[list[tuple[Any, Any]], str]:
    """([(W, b), ...], activation) of a Sequential of Linear layers with one kind of non-linearity between them."""
    names = {torch.nn.Tanh: "tanh", torch.nn.ReLU: "relu", torch.nn.Sigmoid: "sigmoid", torch.nn.Identity: "identity",
             torch.nn.ELU: "elu"}  # fmt: skip
    weights: list[tuple[Any, Any]] = []
    between: list[str] = []
    for module in model if isinstance(model, torch.nn.Sequential) else [model]:
        if isinstance(module, torch.nn.Flatten):
            continue
        if isinstance(module, torch.nn.Linear):
            if len(between) < len(weights):
                between.append("identity")
            bias = module.bias if module.bias is not None else torch.zeros(module.out_features)
            weights.append((module.weight.detach().cpu().numpy(), bias.detach().cpu().numpy()))
        elif type(module) in names and getattr(module, "alpha", 1.0) == 1.0 and len(between) + 1 == len(weights):
            between.append(names[type(module)])
        else:
            raise InvalidParameter("deploy", str(module), "Linear layers, and Tanh, ReLU, ELU (alpha 1) or Sigmoid behind one",
                              "ll.torch.convert takes models of any modules.")  # fmt: skip
    if len(between) >= len(weights) or len(set(between)) > 1:
        raise InvalidParameter("deploy", str(model), "one kind of non-linearity between linear layers, the last of them linear",
                          "ll.torch.convert takes models of any modules.")  # fmt: skip
    return weights, between[0] if between else "identity"
