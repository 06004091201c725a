"""What makes a device a random projection: the same code for a simulator and for the bench."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import _core
from ._html import table
from ._settings import flatten, without_prefix
from .session import Session


class Projection(_core.Projection):
    """A random map from n_in to n_out numbers, evaluated by a device.

    `device` is an open Session, or a device string: then the device is opened with fitting sizes and closed with the
    projection. Settings (`readout="anchor"`, `encoding="ternary"`, `dead_zone=0.1`, ...) are those of
    `projection_params()`. With an open session n_in and n_out default to all that the device has.

    `linear(x)` is B x with E[B^2] = 1, `intensity(x)` is |H x|^2 of the pattern x > 0 with E[|H|^2] = 1; both take
    float32 (rows, n_in) without a copy and return float32 (rows, n_out).
    """

    def __init__(
        self,
        device: _core.Session | str,
        n_in: int | None = None,
        n_out: int | None = None,
        settings: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        wanted = without_prefix(flatten(settings, **more), "projection")
        self._owned = isinstance(device, str)
        if isinstance(device, str):
            if n_in is None or n_out is None:
                raise TypeError("Projection: n_in and n_out are wanted with a device string")
            device = _core.open_sized(device, {}, wanted, n_in, n_out)
        self.device = device
        n_in = device.info.input.size if n_in is None else n_in
        n_out = device.info.output.size if n_out is None else n_out
        super().__init__(device, n_in, n_out, wanted)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Present settings of the projection."""
        return MappingProxyType(self.get_settings())

    def close(self) -> None:
        """Closes the device if the projection opened it."""
        if self._owned:
            self.device.close()

    def __enter__(self) -> Projection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<lightloop.Projection {self.n_in} -> {self.n_out} on {self.device.address}>"

    def _repr_html_(self) -> str:
        return table(repr(self).strip("<>"), self.settings.items())
