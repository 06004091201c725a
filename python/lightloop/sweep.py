"""Sweeps: measure anything at every point of a grid of device settings; the answer is an xarray Dataset.

Every finished point is kept in a folder beside `out` until the sweep is complete, so a killed sweep goes on where it
was. Points are known by what was asked (device, settings, measure names, seed, repeat): a grid made larger reuses the
points already measured.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from ._progress import bar
from .errors import FileError, InvalidParameter, ShapeMismatch
from .session import Session

FORMAT_VERSION = 1
Measure = Callable[[Session, np.random.Generator], Any]


class Axis:
    """One swept setting: "device.medium.drift_time[s]" is a name, and the unit of its values."""

    def __init__(self, key: str, values: Iterable[Any]) -> None:
        self.name, bracket, unit = key.partition("[")
        self.unit = unit.rstrip("]") if bracket else ""
        self.values = [v.item() if isinstance(v, np.generic) else v for v in values]
        if not self.values:
            raise InvalidParameter(f"over[{key!r}]", "empty", "at least one value")
        if len(set(map(repr, self.values))) != len(self.values):
            raise InvalidParameter(f"over[{key!r}]", str(self.values), "values that differ")

    def setting(self, value: Any) -> Any:
        return f"{value!r} {self.unit}" if self.unit else value


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _device_seed(seed: int, repeat: int) -> int:
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0] >> 1)


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class _Point:
    """One run of all measures: a place in the grid and a repeat."""

    def __init__(self, place: tuple[int, ...], point: dict[str, Any], repeat: int, identity: Sequence[Any]) -> None:
        self.place, self.point, self.repeat = place, point, repeat
        self.where = ", ".join(f"{k}={v}" for k, v in point.items()) + f", repeat {repeat}"
        self.key = _hash(*identity, point, repeat)

    def rng(self, seed: int) -> np.random.Generator:
        words = [int(self.key[i : i + 8], 16) for i in range(0, 32, 8)]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


def _evaluate(measures: Sequence[Measure], session: Session, rng: np.random.Generator) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for measure in measures:
        answer = measure(session, rng)
        parts = answer.items() if isinstance(answer, Mapping) else [(None, answer)]
        for part, value in parts:
            name = measure.__name__ if part is None else f"{measure.__name__}.{part}"
            values[name] = np.asarray(value)
            if values[name].dtype.kind not in "biufc":
                raise InvalidParameter(name, type(value).__name__, "a number, an array of numbers or a dict of these")
    return values


def _read_part(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as part:
            return dict(part)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise FileError(str(path), "unreadable", str(error), "Remove it to measure that point again.") from error


def _dataset(axes: Sequence[Axis], repeats: int, points: Sequence[_Point], results: Sequence[dict[str, np.ndarray]],
             measures: Sequence[Measure], attributes: dict[str, Any]) -> Any:  # fmt: skip
    import xarray

    shape = (*(len(a.values) for a in axes), repeats)
    dims = (*(a.name for a in axes), "repeat")
    units = {m.__name__: m.units for m in measures if hasattr(m, "units")}
    variables = {}
    for name, first in results[0].items():
        block = np.zeros(shape + first.shape, first.dtype)
        for point, result in zip(points, results):
            if name not in result or result[name].shape != first.shape:
                raise ShapeMismatch(name, str(getattr(result.get(name), "shape", "absent")), f"{first.shape} elsewhere",
                                    f"A measure answers alike at every point; this was at {point.where}.")  # fmt: skip
            block[(*point.place, point.repeat)] = result[name]
        unit = units.get(name.partition(".")[0], "1")
        own = tuple(f"{name}_dim{i}" for i in range(first.ndim))
        variables[name] = (dims + own, block, {"units": unit})
    known = {f"device.{p.name}": p for model in _core.models() for p in model.params}
    coordinates: dict[str, Any] = {"repeat": np.arange(repeats)}
    for axis in axes:
        unit = axis.unit or (known[axis.name].unit if axis.name in known else "1") or "1"
        coordinates[axis.name] = (axis.name, axis.values, {"units": unit})
    return xarray.Dataset(variables, coordinates, attributes)


def _open_existing(path: Path) -> Any:
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf") as found:
            return found.load()
    except (OSError, ValueError) as error:
        raise FileError(str(path), "not a sweep file", "", "Choose another `out`, or remove it.") from error


def sweep(
    device: str,
    over: Mapping[str, Iterable[Any]],
    measure: Measure | Sequence[Measure],
    *,
    repeats: int = 1,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    overwrite: bool = False,
) -> Any:
    """Measures at every point of a grid.

    over : {"device.camera.bits": [4, 6, 8], "device.medium.drift_time[s]": [0.1, 1]}. Keys that begin with "device." are
        settings of the device, with the unit of the values in brackets; any other key is left to the measure, which
        finds it in `session.point`.
    measure : one callable or several, f(session, rng) -> number | array | dict of these; each makes a variable named by
        its __name__ (a dict: name.key). An attribute `units` of the callable becomes the variable's.
    repeats, seed : repeat r of a point gets a numpy Generator seeded from (seed, point, r). The device is opened fresh
        each time, with a `seed` made from (seed, r): the same device at every point, another one in every repeat. A
        `seed` in the device string or in `over` is left alone.
    out : file to write: valid netCDF-4, whole or not at all. Finished points wait in the folder `out`.parts until then,
        and asking again after an interruption goes on from them. A complete file of the same sweep is returned as it is;
        one of another sweep is refused unless `overwrite`.

    Returns an xarray.Dataset with dimensions (*over, "repeat") and units on variables and coordinates.
    """
    try:
        import xarray  # noqa: F401
    except ImportError as error:
        raise ImportError("ll.sweep needs xarray: apt-get install python3-xarray python3-h5netcdf") from error
    measures = [measure] if callable(measure) else list(measure)
    axes = [Axis(key, values) for key, values in over.items()]
    names = [m.__name__ for m in measures]
    if not measures or len(set(names)) != len(names):
        raise InvalidParameter("measure", str(names), "at least one callable, each with its own __name__")
    if repeats < 1:
        raise InvalidParameter("repeats", str(repeats), "at least 1")

    identity = [FORMAT_VERSION, device, seed, names]
    spec = _hash(*identity, [(a.name, a.unit, a.values) for a in axes], repeats)
    path = Path(out) if out is not None else None
    if path is not None and path.exists() and not overwrite:
        found = _open_existing(path)
        if found.attrs.get("sweep") != spec:
            raise FileError(str(path), "holds another sweep", "", "Choose another `out`, or pass overwrite=True.")
        return found
    parts = path.with_name(path.name + ".parts") if path is not None else None
    if parts is not None:
        if overwrite:
            shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir(parents=True, exist_ok=True)

    points = [
        _Point(tuple(i for i, _ in place), {a.name: a.setting(v) for a, (_, v) in zip(axes, place)}, r, identity)
        for place in itertools.product(*(list(enumerate(a.values)) for a in axes))
        for r in range(repeats)
    ]
    results = [_read_part(parts / f"{p.key[:32]}.npz") if parts is not None else None for p in points]
    _measure_missing(device, points, results, measures, seed, parts, progress)

    attributes = {
        "kind": "sweep",
        "format_version": FORMAT_VERSION,
        "creator": f"lightloop {_core.__version__}",
        "device": device,
        "seed": seed,
        "measures": ",".join(names),
        "sweep": spec,
    }
    dataset = _dataset(axes, repeats, points, results, measures, attributes)
    if path is not None:
        _write_whole(path, lambda temporary: dataset.to_netcdf(temporary, engine="h5netcdf"))
        shutil.rmtree(parts, ignore_errors=True)
    return dataset


def _measure_missing(device: str, points: Sequence[_Point], results: list[Any], measures: Sequence[Measure], seed: int,
                     parts: Path | None, progress: bool | None) -> None:  # fmt: skip
    done = sum(r is not None for r in results)
    shown = bar(len(points), "sweep", progress, initial=done)
    backend, model, settings = _core.parse_address(device)
    takes_seed = backend == "sim" and "seed" not in settings
    try:
        for i, point in enumerate(points):
            if results[i] is not None:
                continue
            wanted = {k[len("device.") :]: v for k, v in point.point.items() if k.startswith("device.")}
            if takes_seed and "seed" not in wanted:
                wanted["seed"] = _device_seed(seed, point.repeat)
            with Session(device, wanted) as session:
                session.point = MappingProxyType({**point.point, "repeat": point.repeat})
                result = _evaluate(measures, session, point.rng(seed))
            if parts is not None:
                _write_whole(parts / f"{point.key[:32]}.npz", lambda temporary, r=result: _save(temporary, r))
            results[i] = result
            if shown is not None:
                shown.set_postfix_str(point.where, refresh=False)
                shown.update()
    finally:
        if shown is not None:
            shown.close()


def _save(path: Path, values: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as file:
        np.savez(file, **values)
