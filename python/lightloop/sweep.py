"""Sweeps: measure anything at every point of a grid of device settings; the answer is an xarray Dataset.

Every finished point is kept in a folder beside `out` until the sweep is complete, so a killed sweep goes on where it
was. Points are known by what was asked (device, settings, measures, seed, repeat), not by where or when they are done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from ._progress import bar
from ._sweep_bench import Bench, Run, add_times_and_drift, check_abort, lines, with_directions
from ._sweep_grid import (
    Axis,
    Point,
    bind_axes,
    device_seed,
    digest,
    fixed_settings,
    identity_of,
    make_points,
    name_of,
    offers_members,
)
from ._sweep_store import FORMAT_VERSION, Alike, Record, dataset, open_existing, provenance, write_whole
from ._sweep_work import results
from .errors import FileError, InvalidParameter
from .session import Session

Measure = Callable[[Session, np.random.Generator], Any]


def sweep(
    device: str,
    over: Mapping[str, Iterable[Any]],
    measure: Measure | Sequence[Measure],
    *,
    repeats: int = 1,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    engine: Any = None,
    errors: str = "raise",
    order: str = "grid",
    settle: float = 0.0,
    hysteresis: str | None = None,
    reference_every: int = 0,
    reference: Mapping[str, Any] | None = None,
    abort: Mapping[str, tuple[float | None, float | None]] | None = None,
    attached: bool | None = None,
    progress: bool | None = None,
    overwrite: bool = False,
) -> Any:
    """Measures at every point of a grid.

    over : {"device.camera.bits": [4, 6, 8], "device.injection.detuning[GHz]": [-10, 0, 10]}. Keys that begin with
        "device." are settings of the device, with the unit of the values in brackets (the unit at the end of a setting's
        name may be left out, and what stands before its last word where that is enough to know it); any other key is left
        to the measure, which finds it in `session.point`.
    measure : one callable or several, f(session, rng) -> number | array | xarray.DataArray | dict of these; each makes a
        variable named by its __name__ (a dict: name.key). Attributes `units` and `dims` of the callable become the
        variable's. functools.partial gives one its arguments.
    repeats, seed : repeat r of a point gets a numpy Generator seeded from (seed, point, r). The device is opened fresh
        each time, with a `seed` made from (seed, r): the same device at every point, another one in every repeat. A
        `seed` in the device string or in `over` is left alone. Where the device offers ensembles each point is another
        `instance`, with noise of its own.
    out : file to write: valid netCDF-4, whole or not at all. Finished points wait in the folder `out`.parts until then,
        and asking again after an interruption goes on from them. A complete file of the same sweep is returned as it is;
        one of another sweep is refused unless `overwrite`.
    engine : None: up to 64 points at once as one vectorised ensemble where the device offers that and the measures do
        alike things (any other point is measured alone); "alone"; "threads"; or a dask.distributed Client. The bits are
        the same.
    errors : "nan": a point whose device or mathematics breaks down becomes NaN and is told in the attribute `failures`.

    For an attached instrument, which stays open and is only configured from point to point (`attached`; any of these, or
    a device that is not simulated, implies it):
    order : "grid", or "random" (shuffled by `seed`), so that drift does not look like an effect of the axes.
    settle : seconds between a new setting and the measurement.
    hysteresis : "up", "down" or "both": the last axis is passed in that direction without a stop, and "direction" becomes
        a dimension. A line that was interrupted is measured again as a whole.
    reference_every, reference : back to these settings (default: those at opening) before the first point, after every n
        and at the end. Variables NAME_reference over `visit` and NAME_corrected (raw minus the drift of the reference,
        linear in time between visits) are added; NAME stays raw.
    abort : {"monitor.temperature": (None, 310.0), "mean_power": (0, 1e-3)}: limits on monitors (before each measurement)
        and on variables; beyond them Refused is raised, the device closed, and what was measured kept.

    Returns an xarray.Dataset with dimensions (*over, "repeat") and units on variables and coordinates.
    """
    try:
        import xarray  # noqa: F401  (only to see whether it is there)
    except ImportError as error:
        raise ImportError("ll.sweep needs xarray: apt-get install python3-xarray python3-h5netcdf") from error
    measures = [measure] if callable(measure) else list(measure)
    axes = [Axis(key, values) for key, values in over.items()]
    names = [name_of(m) for m in measures]
    if not measures or len(set(names)) != len(names):
        raise InvalidParameter("measure", str(names), "at least one callable, each with its own __name__")
    if not axes:
        raise InvalidParameter("over", "empty", "at least one axis")
    if len({a.name for a in axes}) != len(axes):
        raise InvalidParameter("over", str([a.key for a in axes]), "axes that differ")
    if repeats < 1:
        raise InvalidParameter("repeats", str(repeats), "at least 1")
    if errors not in ("raise", "nan"):
        raise InvalidParameter("errors", repr(errors), "raise or nan")
    bench = Bench(order, settle, hysteresis, reference_every, reference, abort)
    check_abort(bench)
    bind_axes(device, axes)
    if attached is None:
        attached = bench.asked() or _core.parse_address(device)[0] != "sim"
    if attached and (engine is not None or any(a.needs_reopen for a in axes)):
        moved = [a.name for a in axes if a.needs_reopen]
        raise InvalidParameter("a device that stays open", f"engine={engine!r}, {moved}", "one at a time, nothing that needs a re-open")

    identity = [FORMAT_VERSION, device, seed, [identity_of(m) for m in measures], [settle, hysteresis, reference_every,
                str(reference)] if attached else []]  # fmt: skip
    spec = digest(*identity, [(a.name, a.unit, a.values) for a in axes], repeats, order)
    path = Path(out) if out is not None else None
    if path is not None and path.exists() and not overwrite:
        found = open_existing(path)
        if found.attrs.get("sweep") != spec:
            raise FileError(str(path), "holds another sweep", "", "Choose another `out`, or pass overwrite=True.")
        return found
    parts = path.with_name(path.name + ".parts") if path is not None else None
    if parts is not None:
        if overwrite:
            shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True, exist_ok=True)

    members = not attached and offers_members(device, axes)
    points = make_points(device, axes, repeats, seed, identity, members)
    extra: dict[str, list[Any]] = {"repeat": list(range(repeats))}
    if attached and bench.directions():
        points = with_directions(points, bench.directions(), identity)
        extra["direction"] = bench.directions()
    records: dict[str, Record] = {}
    for point in points if parts is not None else []:
        found = Record.read(parts / f"{point.key[:32]}.npz")
        if found is not None:
            records[point.key] = found

    visits: list[Record] = []
    if attached:
        plan = lines(points, axes, bench, seed)
        open_lines = [line for line in plan if any(p.key not in records for p in line)]
        missing = [p for line in open_lines for p in line]
        with _opened(device, seed) as session:
            run = Run(session, bench, measures, seed, parts)
            about = _about(session, axes)
            _take(run.walk(open_lines), points, missing, records, parts, progress)
            visits = run.visits
    else:
        missing = [p for p in points if p.key not in records]
        with Session(device, points[0].settings) as session:
            about = _about(session, axes)
        _take(results(engine, device, missing, axes, measures, seed, errors, members), points, missing, records, parts, progress)

    ordered = [records[p.key] for p in points]
    data = dataset(axes, extra, points, ordered, provenance(device, seed, names, spec, about))
    if attached:
        data.attrs["sweep_dims"] = [*(a.name for a in axes), *extra]
        data = add_times_and_drift(data, points, ordered, visits)
    if path is not None:
        write_whole(path, lambda temporary: data.to_netcdf(temporary, engine="h5netcdf"))
        shutil.rmtree(parts, ignore_errors=True)
    return data


def _opened(device: str, seed: int) -> Session:
    backend, _, given = _core.parse_address(device)
    takes_seed = backend == "sim" and "seed" not in given
    return Session(device, {"seed": device_seed(seed, 0)} if takes_seed else {})


def _about(session: Session, axes: Sequence[Axis]) -> dict[str, Any]:
    info = session.info
    return {"device_model": info.model, "device_serial": info.serial, "device_version": info.version,
            "calibration_id": info.calibration_id, "settings": dict(fixed_settings(session, axes))}  # fmt: skip


def _take(done: Iterator[tuple[Point, Record]], points: Sequence[Point], missing: Sequence[Point],
          records: dict[str, Record], parts: Path | None, progress: bool | None) -> None:  # fmt: skip
    """Keeps each record as it comes, and shows how much is left."""
    alike = Alike()
    to_do = {p.key for p in missing}
    for point in points:
        if point.key in records and point.key not in to_do:
            alike.check(records[point.key], point.where)
    shown = bar(len(points), "sweep", progress, initial=len(points) - len(missing))
    try:
        for point, record in done:
            alike.check(record, point.where)
            if parts is not None:
                record.save(parts / f"{point.key[:32]}.npz")
            records[point.key] = record
            if shown is not None:
                shown.set_postfix_str(point.where, refresh=False)
                shown.update()
    finally:
        if shown is not None:
            shown.close()
        getattr(done, "close", lambda: None)()
