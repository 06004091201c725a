"""What a sweep measures, written in Python: calls of the measures at one point, in this process or on a dask cluster."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from . import _core
from .errors import InvalidParameter, ShapeMismatch
from .session import Session

now = time.time  # when a point was measured on a bench is written down, and drift is taken off by it


def name_of(measure: Any) -> str:
    name = getattr(measure, "__name__", None) or getattr(getattr(measure, "func", None), "__name__", None)
    return name or type(measure).__name__


def identity_of(measure: Any) -> str:
    """A measure is known by its name and by the arguments it was given in advance; JSON."""
    known: Any = name_of(measure)
    if isinstance(measure, functools.partial):
        known = [known, [repr(a) for a in measure.args], {k: repr(v) for k, v in measure.keywords.items()}]
    return json.dumps(known, sort_keys=True)


def rng_of(seed: int, key: str) -> np.random.Generator:
    """The generator of a point; training/sweep/generator.hpp is the same in C++."""
    words = [int(key[i : i + 8], 16) for i in range(0, 32, 8)]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


def measure_at(measures: Sequence[Any], seed: int, opened: _core.Opened, key: str, point: dict[str, Any]) -> list[Any]:
    """Calls the measures, in order; each answer as (name, units, long name, dims, coordinates, array)."""
    session = Session.__new__(Session)
    _core.Session.__init__(session, opened)
    session.point = MappingProxyType(point)
    rng = rng_of(seed, key)
    said = []
    for measure in measures:
        name = name_of(measure)
        answer = measure(session, rng)
        parts = {f"{name}.{k}": v for k, v in answer.items()} if isinstance(answer, Mapping) else {name: answer}
        said += [_variable(measure, name, part, value) for part, value in parts.items()]
    return said


def _variable(measure: Any, name: str, part: str, value: Any) -> tuple[str, str, str, list[str], dict[str, Any], np.ndarray]:
    units = getattr(measure, "units", "1")
    dims = getattr(measure, "dims", None)
    coordinates: dict[str, Any] = {}
    if isinstance(dims, Mapping):
        dims = dims.get(part[len(name) + 1 :])
    if hasattr(value, "dims") and hasattr(value, "coords"):  # an xarray.DataArray says all itself
        dims = value.dims
        coordinates = {str(d): value.coords[d].values.tolist() for d in value.dims if d in value.coords}
        units = value.attrs.get("units", units)
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise InvalidParameter(part, type(value).__name__, "a number, an array of real numbers or a dict of these")
    if dims is not None and len(dims) != array.ndim:
        raise ShapeMismatch(part, f"dims {tuple(dims)}", f"an array of {array.ndim} dimensions")
    named = [str(d) for d in dims] if dims is not None else [f"{part}_dim{i}" for i in range(array.ndim)]
    return part, units, getattr(value, "convention", ""), named, coordinates, array


def work(device: str, task: tuple[str, dict[str, Any], dict[str, Any]], measures: Sequence[Any], seed: int, nan: bool) -> bytes:
    """One point on a device opened for it: nothing else decides the answer, so it may be done anywhere, and twice."""
    key, point, settings = task
    return _core.sweep_point(device, key, point, settings, functools.partial(measure_at, measures, seed), nan)


def by_dask(client: Any, device: str, measures: Sequence[Any], seed: int, nan: bool) -> Callable[..., None]:
    """Hands points to a cluster, as tasks named by their key."""

    def elsewhere(tasks: Sequence[Any], done: Callable[[int, bytes], None]) -> None:
        from distributed import as_completed

        futures = [client.submit(work, device, t, list(measures), seed, nan, key=f"lightloop-{t[0]}", pure=True) for t in tasks]
        place = {f.key: i for i, f in enumerate(futures)}
        try:
            for future in as_completed(futures):
                done(place[future.key], future.result())
        finally:
            client.cancel(futures)

    return elsewhere
