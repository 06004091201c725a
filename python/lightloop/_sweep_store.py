"""What a sweep keeps: one small file per finished point while it runs, one netCDF-4 file in the end."""

from __future__ import annotations

import datetime
import json
import os
import pickle
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _core
from ._sweep_grid import Axis, Point, name_of
from .errors import FileError, InvalidParameter, ShapeMismatch

FORMAT_VERSION = 2


class Record:
    """What the measures said at one point: arrays by name, and about each its dims, units, coordinates."""

    def __init__(self, values: dict[str, np.ndarray], about: dict[str, Any], failure: str = "") -> None:
        self.values, self.about, self.failure = values, about, failure

    def save(self, path: Path) -> None:
        note = json.dumps({"about": self.about, "failure": self.failure})
        write_whole(path, lambda temporary: _savez(temporary, {**self.values, "!note": np.asarray(note)}))

    @classmethod
    def read(cls, path: Path) -> Record | None:
        try:
            with np.load(path, allow_pickle=False) as part:
                values = dict(part)
            note = json.loads(str(values.pop("!note")))
            return cls(values, note["about"], note["failure"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise FileError(str(path), "unreadable", str(error), "Remove it to measure that point again.") from error


def _savez(path: Path, values: Mapping[str, Any]) -> None:
    with open(path, "wb") as file:
        np.savez(file, **values)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def record_of(measures: Sequence[Any], session: Any, rng: np.random.Generator) -> Record:
    """Calls the measures, in order."""
    record = Record({}, {})
    for measure in measures:
        name = name_of(measure)
        answer = measure(session, rng)
        parts = {f"{name}.{k}": v for k, v in answer.items()} if isinstance(answer, Mapping) else {name: answer}
        for part, value in parts.items():
            _add(record, measure, name, part, value)
    return record


def _add(record: Record, measure: Any, name: str, part: str, value: Any) -> None:
    about: dict[str, Any] = {"units": getattr(measure, "units", "1")}
    dims = getattr(measure, "dims", None)
    if isinstance(dims, Mapping):
        dims = dims.get(part[len(name) + 1 :])
    if hasattr(value, "dims") and hasattr(value, "coords"):  # an xarray.DataArray says all itself
        dims = value.dims
        about["coords"] = {str(d): value.coords[d].values.tolist() for d in value.dims if d in value.coords}
        about["units"] = value.attrs.get("units", about["units"])
    if getattr(value, "convention", ""):
        about["long_name"] = value.convention
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise InvalidParameter(part, type(value).__name__, "a number, an array of numbers or a dict of these")
    if dims is not None and len(dims) != array.ndim:
        raise ShapeMismatch(part, f"dims {tuple(dims)}", f"an array of {array.ndim} dimensions")
    about["dims"] = [str(d) for d in dims] if dims is not None else [f"{part}_dim{i}" for i in range(array.ndim)]
    record.values[part], record.about[part] = array, about


class Alike:
    """Refuses a measure that answers with another shape than before, as soon as it does."""

    def __init__(self) -> None:
        self.shapes: dict[str, Any] | None = None

    def check(self, record: Record, where: str) -> None:
        if record.failure:
            return
        shapes = {name: (v.shape, v.dtype.kind == "c") for name, v in record.values.items()}
        self.shapes = self.shapes or shapes
        for name in {**self.shapes, **shapes}:
            if shapes.get(name) != self.shapes.get(name):
                found, usual = (str(s[name][0]) if name in s else "absent" for s in (shapes, self.shapes))
                raise ShapeMismatch(f"measure {name}", found, f"{usual} elsewhere",
                                    f"A measure answers alike at every point; this was at {where}.")  # fmt: skip


def dataset(axes: Sequence[Axis], extra: dict[str, list[Any]], points: Sequence[Point], records: Sequence[Record],
            attributes: dict[str, Any]) -> Any:  # fmt: skip
    """The xarray.Dataset: dimensions are the axes, those of `extra`, then the measure's own."""
    import xarray

    sizes = {**{a.name: len(a.values) for a in axes}, **{k: len(v) for k, v in extra.items()}}
    first = next((r for r in records if not r.failure), None)
    if first is None:
        raise InvalidParameter("measure", f"failed at all {len(points)} points", "", records[0].failure)
    failures = {p.where: r.failure for p, r in zip(points, records) if r.failure}
    coordinates: dict[str, Any] = {k: (k, v) for k, v in extra.items()}
    variables = {}
    for name, example in first.values.items():
        dtype = np.result_type(*(r.values[name].dtype for r in records if not r.failure))
        if failures and dtype.kind != "c":
            dtype = np.result_type(dtype, np.float32) if dtype.kind == "f" else np.dtype(np.float64)
        block = np.full(tuple(sizes.values()) + example.shape, np.nan if failures else 0, dtype)
        for point, record in zip(points, records):
            if not record.failure:
                block[point.place] = record.values[name]
        about = first.about[name]
        coordinates.update({d: (d, v) for d, v in about.get("coords", {}).items()})
        notes = {k: about[k] for k in ("units", "long_name") if k in about}
        variables[name] = (tuple(sizes) + tuple(about["dims"]), block, notes)
    for axis in axes:
        coordinates[axis.name] = (axis.name, axis.values, {"units": axis.unit or axis.unit_shown or "1"})
    if failures:
        attributes = {**attributes, "failures": json.dumps(failures)}
    return xarray.Dataset(variables, coordinates, attributes)


def provenance(device: str, seed: int, names: Sequence[str], spec: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """`about`: what the open device said of itself. The date is a note: nothing is drawn from it."""
    return {
        "kind": "sweep",
        "format_version": FORMAT_VERSION,
        "creator": f"lightloop {_core.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "device": device,
        "seed": seed,
        "measures": ",".join(names),
        "sweep": spec,
        **{k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()},
    }


def open_existing(path: Path) -> Any:
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf") as found:
            return found.load()
    except (OSError, ValueError) as error:
        raise FileError(str(path), "not a sweep file", "", "Choose another `out`, or remove it.") from error
