"""What makes a device a matrix layer: the same code for a simulator and for the bench."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from ._html import table
from ._settings import flatten, without_prefix
from .session import open_sized


class Layer(_core.Layer):
    """y = x W^T evaluated by a device that holds W.

    `device` is an open Session, or a device string: then the device is opened with fitting sizes and closed with the
    layer. Settings (`cells="differential"`, `bound_management="none"`, ...) are those of `layer_params()`. Give
    `weights`, a float32 array (n_out, n_in), or its sizes and call `program` later.

    `layer(x)` takes float32 (rows, n_in) without a copy and returns float32 (rows, n_out); `layer.report` counts frames,
    device seconds and joules.
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
            weights = np.ascontiguousarray(weights, dtype=np.float32)
            if weights.ndim != 2:
                raise TypeError(f"Layer: weights of shape (n_out, n_in) are wanted, not {weights.shape}")
            n_out, n_in = weights.shape
        self._owned = isinstance(device, str)
        if isinstance(device, str):
            if n_in is None or n_out is None:
                raise TypeError("Layer: weights, or n_in and n_out, are wanted with a device string")
            device = open_sized(device, {}, *_core.layer_sizes(wanted, n_in, n_out))
        self.device = device
        if n_in is None:
            n_in = device.info.input.size
        if n_out is None:
            n_out = device.info.output.size
        super().__init__(device, n_in, n_out, wanted)
        if weights is not None:
            self.program(weights)

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

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
