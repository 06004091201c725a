"""What makes a device a matrix layer: the same code for a simulator and for the bench."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from ._html import table
from ._settings import flatten, without_prefix
from .errors import InvalidParameter, OutOfRange
from .session import open_sized


def _single(values: Any, what: str) -> Any:
    """Real numbers of a numpy array as float32; OutOfRange for one beyond it. Rows of float32 are not copied."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub" or values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):  # what is beyond float32 is refused by its place
        single = np.ascontiguousarray(values, dtype=np.float32)
    beyond = np.argwhere(np.isinf(single) & np.isfinite(values))
    if len(beyond):
        where = tuple(beyond[0])
        raise OutOfRange(f"Layer: {what.removesuffix('s')} {[int(i) for i in where]}", str(values[where]), "at most 3.4e38, as float32 holds it")
    return single


class Layer(_core.Layer):
    """y = x W^T evaluated by a device that holds W.

    `device` is an open Session, or a device string: then the device is opened with fitting sizes and closed with the
    layer. Settings (`cells="differential"`, `bound_management="none"`, ...) are those of `layer_params()`. Give
    `weights`, a float32 array (n_out, n_in), or its sizes and call `program` later.

    A device holds one matrix: on a Session that another Layer, `program` or `restore` has written since, `layer(x)` raises Error
    until `program` is called again.

    `layer(x)` takes float32 (rows, n_in) without a copy, other real numbers with one, and returns float32 (rows, n_out); `layer.report` counts frames,
    device seconds and joules.

    On a device whose fields are complex (`sim:mzi_mesh,field.kind=complex`) weights, inputs and answers are complex:
    y = x W^T, `transposed(x)` = x W, and `backward` gives the gradient by real part plus i times that by imaginary part.
    """

    def __init__(
        self,
        device: _core.Session | str,
        weights: Any = None,
        n_in: int | None = None,
        n_out: int | None = None,
        settings: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        wanted = without_prefix(flatten(settings, **more), "layer")
        if weights is not None:
            weights = np.asarray(weights)
            if weights.ndim != 2:
                raise TypeError(f"Layer: weights of shape (n_out, n_in) are wanted, not {weights.shape}")
            n_out, n_in = weights.shape
        self._owned = isinstance(device, str)
        if isinstance(device, str):
            if n_in is None or n_out is None:
                raise TypeError("Layer: weights, or n_in and n_out, are wanted with a device string")
            device = open_sized(device, {}, *_core.layer_sizes(wanted, n_in, n_out))
        self.device = device
        self._parts = 2 if device.get_settings().get("field.kind") == "complex" else 1
        if n_in is None:
            n_in = device.info.input.size // self._parts
        if n_out is None:
            n_out = device.info.output.size // self._parts
        super().__init__(device, self._parts * n_in, self._parts * n_out, wanted)
        if weights is not None:
            self.program(weights)

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    @property
    def n_in(self) -> int:
        return super().n_in // self._parts

    @property
    def n_out(self) -> int:
        return super().n_out // self._parts

    def _real(self, values: Any, what: str) -> Any:
        """Numbers as the device takes them: of complex ones the real parts, then the imaginary parts."""
        if self._parts == 2:
            values = np.asarray(values)
            return _single(np.concatenate([values.real, values.imag], axis=-1), what)
        if isinstance(values, np.ndarray) and np.iscomplexobj(values):
            raise InvalidParameter(f"Layer: {what}", "complex", f"the fields of {self.device.info.model} are real",
                                   "Open a device with field.kind=complex (sim:mzi_mesh), or give real numbers.")  # fmt: skip
        return _single(values, what)

    def _complex(self, values: Any) -> Any:
        if self._parts == 1:
            return values
        half = values.shape[-1] // 2
        return values[..., :half] + 1j * values[..., half:]

    def program(self, weights: Any, keep_calibration: bool = False) -> None:
        """Writes weights (n_out, n_in) into the device.

        What `calibrate()` found is forgotten (`calibration.done` becomes False: calibrate again) unless it is kept, which
        is right where gains are the device's own (losses of a mesh) and wrong where cells had drifted: newly written ones
        have not.
        """
        real = self._real(np.asarray(weights), "weights")
        if self._parts == 2:
            n = real.shape[-1] // 2
            real = np.block([[real[:, :n], -real[:, n:]], [real[:, n:], real[:, :n]]])
        super().program(np.ascontiguousarray(real, dtype=np.float32), keep_calibration)

    @property
    def programmed(self) -> Any:
        """The weights as the codes can hold them (a copy)."""
        held = super().programmed
        return held if self._parts == 1 else held[: self.n_out, : self.n_in] + 1j * held[self.n_out :, : self.n_in]

    def forward(self, x: Any) -> Any:
        """y = x W^T: (rows, n_in) -> (rows, n_out)."""
        return self._complex(super().forward(self._real(x, "x")))

    def transposed(self, x: Any) -> Any:
        """y = x W: (rows, n_out) -> (rows, n_in), where the device works backwards."""
        if self._parts == 1:
            return super().transposed(self._real(x, "x"))
        return np.conj(self._complex(super().transposed(self._real(np.conj(x), "x"))))

    def backward(self, x: Any, grad_y: Any) -> Any:
        """Gradient of the inputs x for grad_y (rows, n_out), by the way that the setting backward names."""
        return self._complex(super().backward(self._real(x, "x"), self._real(grad_y, "grad_y")))

    def range_gradient(self, x: Any, grad_y: Any) -> float:
        """Gradient of the input range, summed over rows."""
        return super().range_gradient(self._real(x, "x"), self._real(grad_y, "grad_y"))

    def output_factor_gradient(self, x: Any, grad_y: Any) -> float:
        """Gradient of the output factor, summed over rows."""
        return super().output_factor_gradient(self._real(x, "x"), self._real(grad_y, "grad_y"))

    def update(self, dw: Any) -> None:
        """Adds (n_out, n_in) to the weights in the device, in pulses."""
        super().update(_single(dw, "dw"))

    def learn_programme(self, x: Any, grad_y: Any, lr: float) -> None:
        """Moves the device's programme (phases) one step of Adam against the gradient that its twin has at what x makes the
        device see; lr in units of a code's whole range. With update='programme'."""
        super().learn_programme(self._real(x, "x"), self._real(grad_y, "grad_y"), lr)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Present settings of the layer."""
        return MappingProxyType(self.get_settings())

    def close(self) -> None:
        """Closes the device if the layer opened it."""
        if self._owned:
            self.device.close()

    def __enter__(self) -> Layer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<lightloop.Layer {self.n_in} -> {self.n_out} on {self.device.address}>"

    def _repr_html_(self) -> str:
        return table(repr(self).strip("<>"), self.settings.items())
