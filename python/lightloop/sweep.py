"""Sweeps: measure anything at every point of a grid of device settings; the answer is an xarray Dataset.

The engine is `training/sweep` in C++, that of the command; here measures are Python functions.
"""

from __future__ import annotations

import functools
import io
import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _core, _sweep_work
from ._progress import bar
from ._settings import flatten, without_prefix
from ._sweep_work import by_dask, identity_of, measure_at, name_of
from .errors import InvalidParameter
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
    progress: bool | Callable[[int, int, str], object] | None = None,
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
    out : file to write: valid netCDF-4, whole or not at all. Finished points wait in `out`.parts until then, and
        asking again after an interruption goes on from them. A complete file of the same sweep is returned as it is;
        one of another sweep is refused unless `overwrite`.
    engine : None: up to 64 points at once as one vectorised ensemble where the device offers that and the measures do
        alike things (any other point is measured alone); "alone"; "threads"; or a dask.distributed Client. The bits are
        the same.
    errors : "nan": a point whose device or mathematics breaks down becomes NaN and is told in the attribute `failures`;
        not for an instrument that stays open.

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

    progress : whether a bar is shown (None: where somebody watches), or a function of finished points, all points, and the
        point just finished; it is called first with what was finished before and "".

    Returns an xarray.Dataset with dimensions (*over, "repeat") and units on variables and coordinates.
    """
    try:
        import h5netcdf  # noqa: F401  (only to see whether it is there)
        import xarray
    except ImportError as error:
        raise ImportError("ll.sweep needs xarray: apt-get install python3-xarray python3-h5netcdf") from error
    measures = [measure] if callable(measure) else list(measure)
    if errors not in ("raise", "nan"):
        raise InvalidParameter("errors", repr(errors), "raise or nan")
    if not 0 <= seed < 2**63:
        raise InvalidParameter("seed", str(seed), "0 to 2^63 - 1")
    shown = None if callable(progress) else _Shown(progress)
    options = {
        "repeats": repeats,
        "seed": seed,
        "out": os.fspath(out) if out is not None else "",
        "overwrite": overwrite,
        "engine": _engine(engine, device, measures, seed, errors == "nan"),
        "errors": errors,
        "order": order,
        "settle": float(settle),
        "hysteresis": hysteresis or "",
        "reference_every": reference_every,
        "reference": without_prefix(flatten(reference), "device"),
        "abort": {name: _limits(name, limits) for name, limits in (abort or {}).items()},
        "attached": attached,
        "creator": f"numpy {np.__version__}, Python {platform.python_version()}",
        "clock": lambda: _sweep_work.now(),
        "progress": shown or progress,
    }
    names = [(name_of(m), identity_of(m)) for m in measures]
    try:
        file = _core.sweep(device, {k: list(v) for k, v in over.items()}, names,
                           functools.partial(measure_at, measures, seed), options)  # fmt: skip
    finally:
        if shown is not None:
            shown.close()
    with xarray.open_dataset(io.BytesIO(file), engine="h5netcdf") as data:
        return data.load()


def _engine(engine: Any, device: str, measures: Sequence[Measure], seed: int, nan: bool) -> Any:
    if engine is None or engine == "ensemble":
        return None
    if engine in ("alone", "threads"):
        return engine
    if hasattr(engine, "submit") and hasattr(engine, "scheduler"):
        return by_dask(engine, device, measures, seed, nan)
    raise InvalidParameter("engine", repr(engine), "None, 'alone', 'threads' or a dask.distributed Client")


def _limits(name: str, limits: Any) -> tuple[float, float]:
    if not isinstance(limits, Sequence) or len(limits) != 2:
        raise InvalidParameter(f"abort[{name!r}]", repr(limits), "(lowest, highest); None where there is no limit")
    low, high = limits
    return (-np.inf if low is None else float(low), np.inf if high is None else float(high))


class _Shown:
    """The progress bar; called first with what was done before."""

    def __init__(self, show: bool | None) -> None:
        self._show: bool | None = show
        self._bar: Any = None

    def __call__(self, done: int, total: int, where: str) -> None:
        if not where:
            self._bar = bar(total, "sweep", self._show, initial=done)
        elif self._bar is not None:
            self._bar.set_postfix_str(where, refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
