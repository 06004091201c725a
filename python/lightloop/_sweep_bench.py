"""The points of a sweep on one device that stays open, as an instrument does: order, waiting, drift, limits."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._sweep_grid import Axis, Point
from ._sweep_store import Record
from ._sweep_work import measure_at
from .errors import InvalidParameter, Refused, UnknownName
from .session import Session

now = time.time  # when a point was measured is written down, and drift is taken off by it


@dataclasses.dataclass
class Bench:
    """How an attached device is taken through the grid; see `ll.sweep`."""

    order: str = "grid"
    settle: float = 0.0
    hysteresis: str | None = None
    reference_every: int = 0
    reference: Mapping[str, Any] | None = None
    abort: Mapping[str, tuple[float | None, float | None]] | None = None

    def __post_init__(self) -> None:
        if self.order not in ("grid", "random"):
            raise UnknownName("order", repr(self.order), "grid or random")
        if self.hysteresis not in (None, "up", "down", "both"):
            raise UnknownName("hysteresis", repr(self.hysteresis), "up, down or both")
        if self.settle < 0 or self.reference_every < 0:
            raise InvalidParameter("settle, reference_every", f"{self.settle}, {self.reference_every}", "not negative")

    def directions(self) -> list[str]:
        return {"up": ["up"], "down": ["down"], "both": ["up", "down"]}.get(self.hysteresis or "", [])

    def asked(self) -> bool:
        return self != Bench()


def with_directions(points: Sequence[Point], directions: Sequence[str], identity: Any) -> list[Point]:
    """Every point once in each direction; the direction is the last dimension."""
    return [Point((*p.place, i), {**p.point, "direction": d}, p.settings, identity)
            for p in points for i, d in enumerate(directions)]  # fmt: skip


def lines(points: Sequence[Point], axes: Sequence[Axis], bench: Bench, seed: int) -> list[list[Point]]:
    """The points in the order of measurement. A line is measured whole: with hysteresis its history is part of it."""
    if bench.hysteresis:
        last = len(axes) - 1
        kept: dict[Any, list[Point]] = {}
        for p in points:
            kept.setdefault((*p.place[:last], p.repeat), []).append(p)
        values = axes[last].values
        groups = []
        for line in kept.values():
            up = sorted((p for p in line if p.point["direction"] == "up"), key=lambda p: values[p.place[last]])
            down = sorted((p for p in line if p.point["direction"] == "down"), key=lambda p: values[p.place[last]])
            groups.append(up + down[::-1])
    else:
        groups = [[p] for p in points]
    if bench.order == "random":
        return [groups[i] for i in np.random.default_rng([seed, 0x5EED]).permutation(len(groups))]
    return groups


class Run:
    """One open device taken from point to point."""

    def __init__(self, session: Session, bench: Bench, measures: Sequence[Any], seed: int, references: Path | None) -> None:
        self.session, self.bench, self.measures, self.seed, self.kept = session, bench, measures, seed, references
        self.home = dict(session.settings)
        self.visits: list[Record] = []
        if references is not None:
            self.visits = [r for f in sorted(references.glob("reference-*.npz")) if (r := Record.read(f))]
        self.since = bench.reference_every  # the first thing measured is the reference

    def measured(self, point: Point, settings: Mapping[str, Any]) -> Record:
        wanted = {k: v for k, v in settings.items() if k not in ("seed", "instance")}
        if wanted:
            self.session.set_settings(wanted)
        if self.bench.settle:
            time.sleep(self.bench.settle)
        self._check(self._monitors(), point)
        record = measure_at(self.session, point, self.measures, self.seed)
        record.about["!time"] = now()
        self._check({n: v for n, v in record.values.items() if v.dtype.kind in "iuf" and v.size}, point)
        return record

    def visit(self, like: Point) -> None:
        """Back to the reference, which ought to give the same each time."""
        moved = {k: self.home[k] for k in like.settings if k in self.home}
        n = len(self.visits)
        point = Point((), {"repeat": 0, "reference": n}, {}, ["reference"])
        record = self.measured(point, {**moved, **(self.bench.reference or {})})
        self.visits.append(record)
        if self.kept is not None:
            record.save(self.kept / f"reference-{n:06d}.npz")
        self.since = 0

    def walk(self, order: Sequence[Sequence[Point]]) -> Iterator[tuple[Point, Record]]:
        every = self.bench.reference_every
        for line in order:
            for point in line:
                if every and self.since >= every:
                    self.visit(point)
                yield point, self.measured(point, point.settings)
                self.since += 1
        if every and order and self.since:
            self.visit(order[-1][-1])

    def _monitors(self) -> dict[str, Any]:
        limits = self.bench.abort or {}
        if not any(name.startswith("monitor.") for name in limits):
            return {}
        found = {f"monitor.{name}": np.asarray(value) for name, (value, _) in self.session.monitors().items()}
        for name in limits:
            if name.startswith("monitor.") and name not in found:
                raise UnknownName("abort", repr(name), f"one of {', '.join(found) or 'none: the device has no monitors'}")
        return found

    def _check(self, values: Mapping[str, Any], point: Point) -> None:
        for name, (low, high) in (self.bench.abort or {}).items():
            if name not in values:
                continue
            least, most = float(np.min(values[name])), float(np.max(values[name]))
            outside = least if low is not None and not least >= low else most if high is not None and not most <= high else None
            if outside is not None:
                raise Refused(f"sweep stopped: {name}", f"{outside:.6g}", f"limits {low} to {high}",
                              f"At {point.where}. What was measured before is kept: the same call goes on from there.")  # fmt: skip


def check_abort(bench: Bench) -> None:
    for name, limits in (bench.abort or {}).items():
        if not isinstance(limits, Sequence) or len(limits) != 2:
            raise InvalidParameter(f"abort[{name!r}]", repr(limits), "(lowest, highest); None where there is no limit")


def add_times_and_drift(data: Any, points: Sequence[Point], records: Sequence[Record], visits: Sequence[Record]) -> Any:
    """Adds `elapsed`; and where there are visits to the reference `NAME_reference` and `NAME_corrected`, for floats:
    raw minus how far the reference had moved by then since the first visit, linear between visits.
    """
    times = np.array([r.about["!time"] for r in records])
    seen = np.array([r.about["!time"] for r in visits])
    start = min(times.min(), seen.min()) if len(seen) else times.min()
    dims = tuple(data.attrs.pop("sweep_dims"))
    shape = tuple(data.sizes[d] for d in dims)

    def spread(values: Sequence[Any], like: np.ndarray) -> np.ndarray:
        block = np.zeros(shape + like.shape, like.dtype)
        for point, value in zip(points, values):
            block[point.place] = value
        return block

    raw = {n: v for n, v in data.data_vars.items() if n in records[0].values}
    data["elapsed"] = (dims, spread(times - start, np.asarray(0.0)), {"units": "s"})
    if not len(seen):
        return data
    data = data.assign_coords(visit=("visit", seen - start, {"units": "s"}))
    for name, variable in raw.items():
        if variable.dtype.kind != "f":
            continue
        history = np.stack([v.values[name] for v in visits]).astype(float)
        flat = (history - history[0]).reshape(len(visits), -1)
        drift = np.stack([np.interp(times, seen, column) for column in flat.T], axis=-1).reshape(len(times), *history.shape[1:])
        own = variable.dims[len(dims) :]
        data[f"{name}_reference"] = (("visit", *own), history, variable.attrs)
        data[f"{name}_corrected"] = (variable.dims, variable.values - spread(drift, history[0]), variable.attrs)
    return data
