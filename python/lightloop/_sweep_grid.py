"""The grid of a sweep: its axes, checked against what the device knows, and its points."""

from __future__ import annotations

import difflib
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _core
from .errors import InvalidParameter, OutOfRange, UnknownName
from .session import Session

_UNIT_TAIL = re.compile(r"(_rad)?(_per)?_(a|v|w|s|m|k|j|hz|rad)$")  # what parameter names end with


class Axis:
    """One swept setting: "device.camera.exposure[us]" is a name, and the unit of its values."""

    def __init__(self, key: str, values: Iterable[Any]) -> None:
        self.key = key
        self.name, bracket, unit = key.partition("[")
        self.unit = unit.rstrip("]") if bracket else ""
        self.values = [v.item() if isinstance(v, np.generic) else v for v in values]
        self.setting_name = ""  # of the device
        self.needs_reopen = False
        if not self.values:
            raise InvalidParameter(f"over[{key!r}]", "empty", "at least one value")
        if len(set(map(repr, self.values))) != len(self.values):
            raise InvalidParameter(f"over[{key!r}]", str(self.values), "values that differ")

    def setting(self, value: Any) -> Any:
        return f"{value!r} {self.unit}" if self.unit else value

    @property
    def of_device(self) -> bool:
        return self.name.startswith("device.")

    def bind(self, params: Sequence[_core.Param]) -> None:
        """Finds the parameter and checks unit, range and choice of every value."""
        wanted = self.name[len("device.") :]
        found = [p for p in params if p.name == wanted]
        found = found or [p for p in params if _UNIT_TAIL.sub("", p.name) == wanted]
        found = found or [p for p in params if _UNIT_TAIL.sub("", p.name).rpartition(".")[2] == wanted]
        if len(found) != 1:
            names = [p.name for p in found or params]
            near = names if found else difflib.get_close_matches(wanted, names, 3, 0.5)
            hint = f"Did you mean {' or '.join('device.' + n for n in near)}?" if near else ""
            raise UnknownName("over", repr(self.key), "several settings end so" if found else "not a setting", hint)
        self.setting_name, self.needs_reopen = found[0].name, found[0].needs_reopen
        if not self.unit:
            self.unit_shown = found[0].unit
        for value in self.values:
            self._check(found[0], value)

    unit_shown = ""

    def _check(self, param: _core.Param, value: Any) -> None:
        if param.choices and value not in param.choices:
            raise UnknownName(f"over[{self.key!r}]", repr(value), f"one of {', '.join(param.choices)}")
        factor = _core.unit_factor(self.unit, param.unit, f"over[{self.key!r}]") if self.unit else 1.0
        if isinstance(value, (int, float)) and not isinstance(value, bool) and param.min < param.max:
            if not param.min * (1 - 1e-12) <= value * factor <= param.max * (1 + 1e-12):
                low, high = (_core.format_quantity(v, param.unit) for v in (param.min, param.max))
                raise OutOfRange(f"over[{self.key!r}]", str(self.setting(value)), f"{low} to {high}")


def bind_axes(device: str, axes: Sequence[Axis]) -> None:
    """Refuses what the device does not know, before anything runs."""
    if not any(a.of_device for a in axes):
        return
    backend, target, _ = _core.parse_address(device)
    params = _core.open_params(f"{backend}:{target}")
    if not params:  # an instrument tells only when it is open
        with Session(device) as session:
            params = session.params
    for axis in axes:
        if axis.of_device:
            axis.bind(params)


def name_of(measure: Any) -> str:
    name = getattr(measure, "__name__", None) or getattr(getattr(measure, "func", None), "__name__", None)
    return name or type(measure).__name__


def identity_of(measure: Any) -> Any:
    """A measure is known by its name and by the arguments it was given in advance."""
    if isinstance(measure, functools.partial):
        return [name_of(measure), [repr(a) for a in measure.args], {k: repr(v) for k, v in measure.keywords.items()}]
    return name_of(measure)


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def device_seed(seed: int, repeat: int) -> int:
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0] >> 1)


class Point:
    """One run of all measures: a place in the grid and a repeat. `settings` are the device's."""

    def __init__(self, place: tuple[int, ...], point: dict[str, Any], settings: dict[str, Any], identity: Any) -> None:
        self.place, self.point, self.settings = place, point, settings
        self.where = ", ".join(f"{k}={v}" for k, v in point.items())
        self.repeat: int = point["repeat"]
        self.key = digest(*identity, point, {k: v for k, v in settings.items() if k == "instance"})

    def rng(self, seed: int) -> np.random.Generator:
        words = [int(self.key[i : i + 8], 16) for i in range(0, 32, 8)]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *words])))


def make_points(device: str, axes: Sequence[Axis], repeats: int, seed: int, identity: Any, members: bool) -> list[Point]:
    """All points, those that differ only in settings an ensemble can take side by side, one after the other.

    members : the device offers ensembles; each point is then another instance, with noise of its own, so that it gets
        the same bits alone and in a batch.
    """
    order = sorted(range(len(axes)), key=lambda i: not axes[i].needs_reopen)
    backend, _, given = _core.parse_address(device)
    takes_seed = backend == "sim" and "seed" not in given and not any(a.setting_name == "seed" for a in axes)
    points = []
    for repeat in range(repeats):
        for instance, mixed in enumerate(itertools.product(*(range(len(axes[i].values)) for i in order))):
            place = tuple(mixed[order.index(i)] for i in range(len(axes)))
            values = {a.name: a.setting(a.values[i]) for a, i in zip(axes, place)}
            settings = {a.setting_name: values[a.name] for a in axes if a.of_device}
            if takes_seed:
                settings["seed"] = device_seed(seed, repeat)
            if members:
                settings["instance"] = instance
            points.append(Point((*place, repeat), {**values, "repeat": repeat}, settings, identity))
    return points


def offers_members(device: str, axes: Sequence[Axis]) -> bool:
    backend, target, given = _core.parse_address(device)
    if backend != "sim" or "instance" in given or any(a.setting_name == "instance" for a in axes):
        return False
    if "instance" not in {p.name for p in _core.open_params(device)}:
        return False
    try:
        _core.Members(device, {a.setting_name: a.setting(a.values[0]) for a in axes if a.needs_reopen}, [{}]).stop()
    except NotImplementedError:
        return False
    return True


def fixed_settings(session: Any, axes: Sequence[Axis]) -> Mapping[str, Any]:
    moved = {a.setting_name for a in axes} | {"seed", "instance"}
    return {k: v for k, v in session.settings.items() if k not in moved}
