"""Devices: open one by its string, show it codes, get codes back."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any

from . import _core
from ._html import table
from ._settings import flatten, without_prefix
from .device import Device, address_of


class Ticket:
    """Frames that were submitted and will be answered: `ticket.result(timeout)`, or `await ticket`."""

    def __init__(self, ticket: _core.Ticket) -> None:
        self._ticket = ticket

    def ready(self) -> bool:
        """`result()` would not wait."""
        return self._ticket.ready()

    def result(self, timeout: float | None = None) -> Any:
        """The codes, read-only. WaitTimeout when `timeout` seconds were not enough: wait again, or cancel."""
        return self._ticket.result(timeout)

    def cancel(self) -> bool:
        """True when the frames will not be shown at all; False when they are under way or done."""
        return self._ticket.cancel()

    @property
    def first_frame_id(self) -> int:
        return self._ticket.first_frame_id

    @property
    def provenance(self) -> _core.Provenance:
        """Where the result is from: device, settings, frame ids, repeats. Waits for it."""
        return self._ticket.provenance

    def __await__(self) -> Generator[Any, None, Any]:
        if self.ready():
            return self.result()
        return (yield from asyncio.get_running_loop().run_in_executor(None, self.result).__await__())


class Session(_core.Session):
    """One open device. Close it, or use it in a `with` statement.

    `run(codes)` takes and returns numpy arrays of codes, (frames, size) or (frames, *info.input.shape); see `info` for
    the formats. The interpreter is free while the device works, and several threads may share a session.
    Deadlines, repeats and reopening are settings of the session: `open("sim:opu", session={"retries": 3})`, see `policy`.
    """

    point: Mapping[str, Any] = MappingProxyType({})  #: the point of the sweep this session was opened for

    def __init__(self, address: str, settings: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        super().__init__(address, without_prefix(flatten(settings, **more), "device"))
        self._opened = True

    def submit(
        self, codes: Any, *, aux: Any = None, timeout: float | None = None, transposed: bool = False
    ) -> Ticket:
        """`run` without waiting. The codes are copied; frame ids are given out now, in order.

        `timeout` is the deadline of the job in seconds from now. Busy when `session.queue` jobs are under way.
        """
        return Ticket(self.submit_codes(codes, aux=aux, timeout=timeout, transposed=transposed))

    @property
    def settings(self) -> Mapping[str, Any]:
        """Present values of everything settable, in SI units; change them with `configure`."""
        return MappingProxyType(self.get_settings())

    def configure(self, changes: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Changes settings: `configure(camera={"exposure": "400 us"})` or `configure({"camera.exposure": 4e-4})`.

        All changes are checked before any is made; on an exception nothing has changed.
        """
        self.set_settings(without_prefix(flatten(changes, **more), "device"))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if "_opened" not in self.__dict__:  # shown in the traceback of a failed opening
            return "<lightloop.Session, not open>"
        info = self.info
        return f"<lightloop.Session {self.address}: {info.input} -> {info.output}>"

    def _repr_html_(self) -> str:
        info, meter = self.info, self.meter
        rows: list[tuple[Any, Any]] = [
            ("kind", info.kind),
            ("input", info.input),
            ("output", info.output),
            ("frame time", _core.format_quantity(info.cost.frame_s, "s")),
            ("frames so far", meter.frames),
            ("saturated codes", f"{100 * meter.saturation:.3g} %"),
        ]
        rows += [(name, value) for name, value in self.settings.items()]
        return table(f"{self.address}", rows)


class Catalogue(list):
    """A list of records that shows itself as a table in a notebook."""

    def _repr_html_(self) -> str:
        return table("Lightloop", [(r.name, r.summary, len(r.params)) for r in self], ("name", "summary", "settings"))

    def __getitem__(self, key: Any) -> Any:
        """By position, or by name."""
        if isinstance(key, str):
            for record in self:
                if record.name == key:
                    return record
            raise KeyError(f"{key}: one of {', '.join(r.name for r in self)} is wanted")
        return super().__getitem__(key)


def open_device(address: str | type[Device], settings: Mapping[str, Any] | None = None, /, **more: Any) -> Session:
    """Opens a device by its string, "sim:opu,seed=1,camera.bits=8" or "lab.toml", or a class of your own (`Device`).

    `settings` are laid over those written in the string; values may carry a unit ("400 us").
    """
    return Session(address_of(address), settings, **more)


def open_sized(address: str, settings: Mapping[str, Any], inputs: int, outputs: int) -> Session:
    """Opens a device large enough, where its sizes can be chosen and its string leaves them open."""
    return Session(address, {**_core.size_settings(address, inputs, outputs), **settings})


def devices() -> Catalogue:
    """The record of every device model of this build: name, kind, summary, source, settings, presets."""
    return Catalogue(_core.models())
