"""What makes a device a random projection: the same code for a simulator and for the bench."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from . import _core
from ._html import table
from ._settings import flatten, without_prefix
from .session import Session, open_sized


def _largest(limit: int, needed: Callable[[int], int]) -> int:
    """The largest n with needed(n) <= limit (at least 1); `needed` rises with n."""
    return max(1, bisect_right(range(1, 2 * limit + 1), limit, key=needed))


class Projection(_core.Projection):
    """A random map from n_in to n_out numbers, evaluated by a device.

    `device` is an open Session, or a device string: then the device is opened with fitting sizes and closed with the
    projection. Settings (`readout="anchor"`, `encoding="ternary"`, `dead_zone=0.1`, ...) are those of
    `projection_params()`. With an open session n_in and n_out default to all that fits the device: inputs and pixels, less those that the read-out takes for itself.

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
            device = open_sized(device, {}, *_core.projection_sizes(wanted, n_in, n_out))
        self.device = device
        if n_in is None:
            n_in = _largest(device.info.input.size, lambda n: _core.projection_sizes(wanted, n, 1)[0])
        if n_out is None:
            n_out = _largest(device.info.output.size, lambda n: _core.projection_sizes(wanted, 1, n)[1])
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
