"""PyTorch modules as networks of layers (docs/networks.md), for `ll.deploy`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from . import _core
from ._torch_analog import AnalogConv2d, AnalogLinear
from ._torch_checks import check_finite, check_real
from ._torch_neurons import Binarise, BinaryConv2d, BinaryLinear, Sign
from ._torch_noise import without_noise
from .errors import InvalidParameter, ShapeMismatch

nn = torch.nn
KNOWN = ("Linear, Conv2d, BinaryLinear, BinaryConv2d, BatchNorm, LayerNorm, pools, Flatten, Dropout, Tanh, ReLU, ELU (alpha 1), "
         "Sigmoid, GELU, Sign and Binarise")  # fmt: skip
REMEDY = "ll.torch.convert takes models of any modules."
EPSILON = 1e-5  # of our norms


def _as_written(module: Any, *kinds: Any) -> bool:
    """Its forward pass is that of one of these classes, whatever its own class is."""
    return getattr(module.forward, "__func__", None) in [kind.forward for kind in kinds]


def _parts(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The modules of nested Sequentials in order, by their names; those that do nothing when a network answers left out."""
    if _as_written(module, nn.Sequential):
        for key, part in module._modules.items():
            yield from _parts(part, f"{name}.{key}" if name else key)
    elif type(module) not in (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout):
        yield name, module


def _pair(size: Any) -> tuple[int, int]:
    """For height and width."""
    return (size, size) if isinstance(size, int) else tuple(size)


def _one(size: Any) -> int | None:
    """A number that is written twice, for height and width."""
    height, width = _pair(size)
    return height if height == width else None


def _axes(pair: Sequence[int]) -> str:
    return f"{pair[0]}x{pair[1]}"


class _Words:
    """The architecture so far: words, parameters and statistics of layers, and the shape of a sample in PyTorch's order."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = self.sample = shape
        self.words: list[str] = []
        self.parameters: list[np.ndarray] = []
        self.state: list[np.ndarray] = []
        self.flattened: tuple[int, ...] | None = None  # the image that was flattened, whose order the next weights are in

    def take(self, where: str, module: Any) -> None:
        for name, values in module.named_parameters(recurse=False):
            check_real(f"{where}: {name}", values)
            check_finite(f"{where}: {name}", values)
        if _as_written(module, nn.Linear, AnalogLinear, BinaryLinear):
            self._dense(where, module)
        elif _as_written(module, nn.Conv2d, AnalogConv2d, BinaryConv2d):
            self._convolution(where, module)
        elif "forward" in vars(module):
            raise self._refuse(where, module)
        elif type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
            self._flatten()
        elif type(module) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm):
            self._norm(where, module)
        elif type(module) in (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d):
            self._pool(where, module)
        else:
            self.words.append(self._point(where, module))

    def _refuse(self, where: str, module: Any, limit: str = KNOWN) -> InvalidParameter:
        return InvalidParameter(where, str(module), limit, REMEDY)

    def _image(self, where: str, module: Any) -> tuple[int, int, int]:
        if self.shape is None or len(self.shape) != 3:
            found = "the shape of its images is not known" if self.shape is None else str(self.shape)
            raise ShapeMismatch(where, found, "(channels, height, width)", "Give that of a sample: ll.deploy(model, device, sample=(1, 28, 28)).")
        return self.shape

    def _weights(self, module: Any) -> np.ndarray:
        with without_noise(module):
            used = module._two_valued() if hasattr(module, "_two_valued") else module.weight
        return used.detach().to("cpu", torch.float32).numpy()

    def _given(self, values: Any, otherwise: float, n: int) -> np.ndarray:
        return np.full(n, otherwise, np.float32) if values is None else values.detach().to("cpu", torch.float32).numpy()

    def _dense(self, where: str, module: Any) -> None:
        if self.shape is None:
            self.shape = self.sample = (module.in_features,)
        if self.shape != (module.in_features,):
            raise ShapeMismatch(where, f"samples of {self.shape}", f"({module.in_features},)", "Flatten images before a Linear.")
        w = self._weights(module)
        if self.flattened:  # ours are flattened with the channels last
            w = w.reshape(-1, *self.flattened).transpose(0, 2, 3, 1)
        self.flattened = None
        self.words.append(f"dense {module.out_features}")
        self.parameters += [w, self._given(module.bias, 0, module.out_features)]
        self.shape = (module.out_features,)

    def _convolution(self, where: str, module: Any) -> None:
        channels, height, width = self._image(where, module)
        left, right, top, bottom = module._reversed_padding_repeated_twice  # of "same" and "valid" too
        stride, padding, window = module.stride, (top, left), module.kernel_size
        if ((top, left) != (bottom, right) or _one(module.dilation) != 1 or module.padding_mode != "zeros"
                or any(p >= k for p, k in zip(padding, window))):  # fmt: skip
            raise self._refuse(where, module, "zero padding below the window, alike on both sides; no dilation")
        if channels != module.in_channels:
            raise ShapeMismatch(where, f"{channels} channels", f"{module.in_channels}")
        self.words.append(f"conv {module.out_channels} {_axes(window)} stride={_axes(stride)} pad={_axes(padding)} "
                          f"groups={module.groups} bias={'false' if module.bias is None else 'true'}")  # fmt: skip
        self.parameters.append(self._weights(module).transpose(0, 2, 3, 1))
        if module.bias is not None:
            self.parameters.append(self._given(module.bias, 0, module.out_channels))
        sides = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip((height, width), window, stride, padding)]
        self.shape = (module.out_channels, *sides)

    def _flatten(self) -> None:
        if self.shape is not None and len(self.shape) == 3:
            self.words.append("flatten")
            self.flattened, self.shape = self.shape, (math.prod(self.shape),)

    def _norm(self, where: str, module: Any) -> None:
        images = isinstance(module, nn.BatchNorm2d)
        shape = self._image(where, module) if images else self.shape
        n = module.num_features if hasattr(module, "num_features") else module.normalized_shape[-1]
        if shape is None:
            self.shape = self.sample = shape = (n,)
        if shape[0] != n or (not images and shape != (n,)):
            raise ShapeMismatch(where, f"samples of {shape}", f"{n} features")
        if self.flattened:
            raise self._refuse(where, module, "a norm before Flatten, or behind a Linear")
        if isinstance(module, nn.LayerNorm):
            if module.eps != EPSILON or len(module.normalized_shape) != 1:
                raise self._refuse(where, module, f"one axis and eps {EPSILON:g}")
            self.words.append("layer_norm")
            gain = self._given(module.weight, 1, n)
        elif module.running_var is None:
            raise self._refuse(where, module, "running statistics")
        else:
            self.words.append("batch_norm")
            variance = module.running_var.detach().to("cpu", torch.float64).numpy()
            gain = self._given(module.weight, 1, n) * np.sqrt((variance + EPSILON) / (variance + module.eps))
            self.state += [self._given(module.running_mean, 0, n), variance]
        self.parameters += [gain, self._given(module.bias, 0, n)]

    def _pool(self, where: str, module: Any) -> None:
        channels, height, width = self._image(where, module)
        if isinstance(module, nn.AdaptiveAvgPool2d):
            if _one(module.output_size) != 1:
                raise self._refuse(where, module, "one output for each channel")
            self.words.append("global_pool")
            self.shape = (channels, 1, 1)
            return
        window, stride = _pair(module.kernel_size), _pair(module.stride)
        plain = _one(module.padding) == 0 and not module.ceil_mode and _one(getattr(module, "dilation", 1)) == 1
        if not plain or getattr(module, "divisor_override", None) is not None or getattr(module, "return_indices", False):
            raise self._refuse(where, module, "no padding, dilation or ceil_mode")
        name = "max_pool" if isinstance(module, nn.MaxPool2d) else "avg_pool"
        self.words.append(f"{name} {_axes(window)} stride={_axes(stride)}")
        self.shape = (channels, *((n - k) // s + 1 for n, k, s in zip((height, width), window, stride)))

    def _point(self, where: str, module: Any) -> str:
        words = {nn.Tanh: "tanh", nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.ELU: "elu", nn.GELU: "gelu", Sign: "sign",
                 Binarise: "binarise"}  # fmt: skip
        if type(module) not in words or getattr(module, "alpha", 1.0) != 1.0:
            raise self._refuse(where, module)
        return "gelu exact" if getattr(module, "approximate", "") == "none" else words[type(module)]


def network_of(model: Any, sample: Sequence[int] | None = None) -> tuple[Any, tuple[int, ...] | None]:
    """A Sequential (of Sequentials) as it answers in eval mode, and the shape of its images (channels, height, width) if it is
    shown some; weights as the layers use them, parametrised or of two values.

    `sample` is the shape of one in PyTorch's order, without which models cannot begin with images. Throws InvalidParameter with
    the name of a module that has no equal, or a forward pass of its own, ShapeMismatch where one does not fit the next,
    Unsupported for complex weights.
    """
    made = _Words(None if sample is None else tuple(int(n) for n in sample))
    for name, module in _parts(model, ""):
        made.take(f"deploy: {name}" if name else "deploy", module)
    if made.sample is None or not made.parameters:
        raise InvalidParameter("deploy", str(model), KNOWN, REMEDY)
    image = made.sample if len(made.sample) == 3 else None
    plain = _fully_connected(made)
    if plain is not None:
        return plain, image
    ours = (*made.sample[1:], made.sample[0])
    text = f"{'x'.join(map(str, ours))} | {', '.join(made.words)}"
    return _core.make_model(text, _joined(made.parameters), _joined(made.state)), image


def _joined(values: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(v) for v in values] or [np.zeros(0)]).astype(np.float32)


def _fully_connected(made: _Words) -> Any:
    """Dense layers with one kind of non-linearity, or nothing, between them, and nothing behind the last; None for others."""
    words = made.words[made.words[:1] == ["flatten"] :]
    kinds = {"tanh", "relu", "sigmoid", "elu"}
    if not words or not words[-1].startswith("dense"):
        return None
    between: list[str] = []
    behind = False  # a dense layer that nothing followed yet
    for word in words:
        if word.startswith("dense"):
            between += ["identity"] * behind
            behind = True
        elif word in kinds and behind:
            between.append(word)
            behind = False
        else:
            return None
    if len(set(between)) > 1:
        return None
    layers = [(np.ascontiguousarray(w.reshape(len(w), -1), np.float32), b) for w, b in zip(made.parameters[::2], made.parameters[1::2])]
    return _core.make_network(layers, between[0] if between else "identity")
