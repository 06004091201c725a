"""`ll.torch.OPU`: random features of an optical processing unit as a PyTorch module without parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import _core
from ._encoding import levels
from ._torch_checks import as_floats, check_finite
from ._torch_projection import FEEDBACK_MATRIX, OnDevice, rows_of
from .errors import InvalidParameter, OutOfRange, ShapeMismatch, Unsupported

TRANSMISSION_MATRIX = 1  # Purpose::transmission_matrix in core/random.hpp


class _Shown(torch.autograd.Function):
    """What the device gave for x; backwards the gradient of a matrix that is known, or an exception."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, matrix: Any) -> Any:
        ctx.save_for_backward(x)
        ctx.matrix = matrix
        return y.view_as(y)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Any) -> Any:
        if ctx.matrix is None:
            raise Unsupported("OPU", "a gradient to its input", "the matrix of the device is not known",
                              "Freeze what lies before it, train that with ll.torch.dfa, or give the module a matrix "
                              "(module.measure(), matrix=...).")  # fmt: skip
        (x,) = ctx.saved_tensors
        return _vjp(x, grad, ctx.matrix), None, None


def _vjp(x: Any, grad: Any, matrix: Any) -> Any:
    if not matrix.is_complex():
        return grad @ matrix.to(grad)
    real, imaginary = matrix.real.to(grad), matrix.imag.to(grad)
    return 2 * ((grad * (x @ real.t())) @ real + (grad * (x @ imaginary.t())) @ imaginary)


class OPU(torch.nn.Module):
    """Random features (..., in_features) -> (..., out_features) of a device; fixed, so there is nothing to train in it.

    mode "intensity": scale |H c(x)|^2, H complex Gaussian, E|H|^2 = 1. mode "linear": scale B c(x), B real Gaussian, E[B^2] = 1.
    c(x) is how a mirror array shows x: for intensity `encoding`="threshold" (one mirror per feature, on above the middle of
    [low, high]) or "thermometer:N" (N mirrors); for linear "bitplanes:N", "ternary" or "threshold" (`ll.projection_params()`).
    device "digital" evaluates the same in floats, without an encoding: c(x) = x.

    Inputs are floats, or masks (torch.bool) taken as 0 and 1; other integers are refused: a byte may stand for itself or for a 255th.

    scale : by default 1 / n for intensity and 1 / sqrt(n) for linear, n the inputs of the matrix (in_features, times N for a
        thermometer): features of order one. 1 gives those of `ll.OPU`.
    seed : of the device (unless its string or settings have one), or of the digital matrix.
    settings : of the device, and "projection." ones.

    **No gradient** goes to the input of a device: `backward()` raises Unsupported if one is asked for, because a silent zero
    would look like robustness. Modules before it are frozen or trained by `ll.torch.dfa`, whose signals need none. Where
    the matrix is known the gradient is that of the formula at c(x) = x (straight through the encoding): "digital";
    `measure()` in mode "linear"; `matrix=` (out_features, in_features), real for linear and complex for intensity. Such a
    twin has the device's matrix, not its noise.

    `state_dict()` holds one entry, how the module was made (device string, seed, mode, encoding, scale): `load_state_dict` takes these
    over and opens the device anew when it is next used; `module.to_device("lab.toml")` moves it. Copies and pickles of an open module
    go on from the state of its device. Randomness: of the device, keyed by its frame ids.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        device: str = "sim:opu",
        *,
        mode: str = "intensity",
        encoding: str | None = None,
        low: float = 0.0,
        high: float = 1.0,
        scale: float | None = None,
        seed: int = 0,
        matrix: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1:
            raise OutOfRange("OPU", f"{in_features} -> {out_features}", "at least 1 -> 1")
        if mode not in ("intensity", "linear"):
            raise InvalidParameter("mode", repr(mode), "intensity or linear")
        if not high > low:
            raise OutOfRange("high", str(high), f"above low = {low}")
        if encoding is None and device != "digital":
            encoding = "threshold" if mode == "intensity" else "bitplanes:6"
        if device == "digital" and (encoding is not None or matrix is not None):
            raise InvalidParameter("encoding" if encoding else "matrix", "given", "not for the digital formula")
        self.in_features, self.out_features = in_features, out_features
        self.made = {"device": device, "mode": mode, "encoding": encoding, "low": low, "high": high, "scale": scale,
                     "seed": seed, "settings": dict(settings or {})}  # fmt: skip
        self._begin()
        if matrix is not None:
            self._set_matrix(torch.as_tensor(matrix))

    def _begin(self) -> None:
        made = self.made
        self._levels = levels(made["encoding"]) if made["mode"] == "intensity" and made["encoding"] else 1
        self._matrix: Any = None
        self._own: OnDevice | None = None
        if made["device"] != "digital":
            coding = {"encoding": made["encoding"]} if made["mode"] == "linear" else {"readout": "intensity"}
            self._own = OnDevice(made["device"], made["settings"], made["seed"], **coding)

    @property
    def scale(self) -> float:
        inputs = self.in_features * self._levels
        if self.made["scale"] is not None:
            return float(self.made["scale"])
        return 1.0 / inputs if self.made["mode"] == "intensity" else inputs**-0.5

    @property
    def session(self) -> Any:
        """The open Session of the device (`.meter`); None for "digital" and before the first forward pass."""
        return None if self._own is None or self._own.projection is None else self._own.projection.device

    def to_device(self, device: str, settings: Mapping[str, Any] | None = None) -> OPU:
        """Moves the module to another device string; a matrix known so far is forgotten. Returns the module."""
        if "digital" in (device, self.made["device"]) and device != self.made["device"]:
            raise InvalidParameter("device", device, f"the module is on {self.made['device']}, which has another encoding",
                                   "Make a new module.")  # fmt: skip
        self.close()
        self.made = {**self.made, "device": device, "settings": dict(settings or {})}
        self._begin()
        return self

    def close(self) -> None:
        """Closes the device; the next forward pass opens it again, from its beginning."""
        if self._own is not None:
            self._own.close()

    def measure(self) -> Any:
        """Measures B of mode "linear" (unit vectors, one projection each) and uses it for gradients from now on. Returns B,
        (out_features, in_features), with the device's noise in it."""
        if self._own is None or self.made["mode"] != "linear":
            raise Unsupported("measure", f"mode {self.made['mode']} on {self.made['device']}", "mode linear on a device")
        if self.made["encoding"] == "ternary" and self._own.of_projection.get("dead_zone", 0) >= 1:
            raise InvalidParameter("projection.dead_zone", "1", "below 1 to measure a matrix")
        projection = self._own.open(self.in_features, self.out_features)
        self._set_matrix(torch.from_numpy(projection.linear(np.eye(self.in_features, dtype=np.float32)).T.copy()))
        return self._matrix

    def _set_matrix(self, matrix: Any) -> None:
        if tuple(matrix.shape) != (self.out_features, self.in_features):
            raise ShapeMismatch("matrix", str(tuple(matrix.shape)), f"({self.out_features}, {self.in_features})")
        if matrix.is_complex() != (self.made["mode"] == "intensity"):
            raise InvalidParameter("matrix", str(matrix.dtype), "real for linear, complex for intensity")
        if self._levels > 1:
            raise Unsupported("matrix", f"with {self.made['encoding']}", "one mirror per feature")
        self._matrix = matrix.detach().clone()

    def _digital(self) -> Any:
        if self._matrix is None:
            n, complex_ = self.in_features, self.made["mode"] == "intensity"
            stream = _core.Stream(self.made["seed"], 0, TRANSMISSION_MATRIX if complex_ else FEEDBACK_MATRIX)
            rows = [stream.normal(i, 2 * n if complex_ else n) for i in range(self.out_features)]
            drawn = torch.from_numpy(np.stack(rows))
            self._matrix = torch.complex(drawn[:, :n], drawn[:, n:]) / 2**0.5 if complex_ else drawn
        return self._matrix

    def _encoded(self, rows: np.ndarray) -> np.ndarray:
        low, high = self.made["low"], self.made["high"]
        borders = low + (np.arange(self._levels) + 0.5) / self._levels * (high - low)
        return (rows[:, :, None] > borders).astype(np.float32).reshape(-1, rows.shape[1] * self._levels)

    def forward(self, input: Any) -> Any:
        if input.shape[-1] != self.in_features:
            raise ShapeMismatch("input of OPU", str(tuple(input.shape)), f"(..., {self.in_features})")
        input = as_floats("input of OPU", input)
        linear = self.made["mode"] == "linear"
        if self._own is None:
            matrix = self._digital()
            if linear:
                return self.scale * (input @ matrix.to(input).t())
            real, imaginary = matrix.real.to(input), matrix.imag.to(input)
            return self.scale * ((input @ real.t()) ** 2 + (input @ imaginary.t()) ** 2)
        check_finite("input of OPU", input)
        rows = rows_of(input)
        projection = self._own.open(self.in_features * self._levels, self.out_features)
        shown = projection.linear(rows) if linear else projection.intensity(self._encoded(rows))
        y = torch.from_numpy(np.array(shown)).reshape(*input.shape[:-1], self.out_features).to(input)
        return self.scale * _Shown.apply(input, y, self._matrix)

    def get_extra_state(self) -> dict[str, Any]:
        return {**copy.deepcopy(self.made), "in_features": self.in_features, "out_features": self.out_features}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        made = dict(state)
        sizes = (made.pop("in_features"), made.pop("out_features"))
        if sizes != (self.in_features, self.out_features):
            raise ShapeMismatch("OPU", f"{sizes[0]} -> {sizes[1]}", f"{self.in_features} -> {self.out_features}")
        if made == self.made:
            return  # an open device, and what is known of it, stay
        self.close()
        self.made = made
        self._begin()

    def extra_repr(self) -> str:
        made = self.made
        return f"{self.in_features} -> {self.out_features}, {made['mode']}, device={made['device']!r}, seed={made['seed']}"
