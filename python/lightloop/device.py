"""Devices of your own: a camera, a modulator, a whole bench, written in Python.

    class MyBench(ll.Device):
        def describe(self):
            return {"kind": "projection", "input": (64, 1, "mirror state"), "output": (100, 8, "camera code"), ...}

        def run(self, frames):
            return codes

`lightloop check python:mybench.py:MyBench` says whether it keeps the contract; wherever a device string is taken, this
one is too. docs/your_device.md walks through it.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from . import _core
from ._core import Param
from .errors import FileError, InvalidParameter, UnknownName

_DESCRIPTION = (
    *("kind", "input", "output", "model", "serial", "version", "aux_inputs", "program", "stateful", "deterministic"),
    *("repeatable", "transposed", "max_batch", "frame_s", "batch_s", "program_s", "power_w", "program_j"),
    *("calibration_id", "pairing", "parts"),
)
_own: dict[str, type] = {}  # classes handed over as objects, by the target of their address
_files: dict[Path, tuple[int, ModuleType]] = {}  # modules of device files, by path, with the time of the file


class Device:
    """Base of a device of your own. `describe` and `run` are needed; what else is defined can be used.

    `params`: a list of `Param`; what can be set in the device string, with `--set device.NAME=...`, or by `configure`.
    `settings`: the present values, in SI units; there before `__init__` runs, and never of another kind or out of range.

    `describe()` -> `DeviceInfo`, or a dict of its arguments. Asked once after `__init__` and after every change and programme.
    `parts` in it names the components that take the energy: {"laser": joules a frame, "heaters": {"frame_j": ..., "program_j": ...,
    "frame_events": ..., "program_events": ..., "latency_s": ...}}. Reports count them as frames are shown and programmes written.
    `run(frames)` -> codes. `frames` is (count, *input.shape), a copy, unless the class says `borrows = True`: then it is
    the caller's memory, read-only, and may not be kept. The codes are (count, *output.shape), uint8 up to 8 bits, else
    uint16. It may return (codes, {"saturated": ..., "device_s": ..., "device_j": ..., "parts": {"laser": joules, "adc":
    {"events": ..., "joules": ...}}}), what this call of run() took, in all and by component (device_j left out: their sum);
    otherwise codes at full scale count as saturated, and the cost is that of the description. It may take any of these by name: `first_frame_id` (noise of frame i is keyed by it + i in a repeatable device), `aux`
    (count, auxiliary inputs), `transposed`, `deadline_s` (seconds left, or None), `out` (to be filled and not kept; return None then),
    `numbers` (with pairing="counted": to be filled with the hardware's number of each exposure).

    Optional: `configure(changes)`; `program(codes)`; `reset()`, `snapshot()` -> bytes and `restore(bytes)` for a device
    with state (what was programmed is state, too); `self_test()` -> (passed, one line); `monitors()` -> {name: (value, unit)}; `close()`.

    A class with `forward_model(x)` and `vjp(x, grad_y)` brings a twin for training by gradients: the answer without noise and
    without rounding, in code units, y (rows, *output.shape) float of x (rows, *input.shape) float32; and grad_x = (dy/dx)^T
    grad_y. Where there is a programme both take `theta` (*program.shape) float32 by name, and vjp returns (grad_x, grad_theta),
    grad_theta (*program.shape) being the sum over the rows. They are asked of an object of its own, whose hardware is never
    opened: `open_model()`, if there is one, is called in the place of `__init__`, and describe() must do with that.

    An exception reaches the caller as DeviceError with its type, text and line; raise lightloop.LinkError, FrameError,
    Timeout or Busy to say more, and the run may be repeated as the session allows. Calls come one at a time, but not
    always from the same thread.
    """

    params: Sequence[Param] = ()
    settings: Mapping[str, Any] = MappingProxyType({})
    borrows: bool = False

    def __new__(cls, *_: Any, **__: Any) -> Any:
        self = super().__new__(cls)
        self.settings = MappingProxyType({p.name: p.default for p in cls.params})
        return self

    def describe(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no describe()")

    def run(self, frames: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no run()")


def check(
    device: str | type[Device],
    settings: Mapping[str, Any] | None = None,
    record: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
) -> list[tuple[str, str, str]]:
    """The conformance suite on a device string or a class: (claim, "passed" | "failed" | "skipped", detail) of each.

    `record` names a file for every question and answer: `check("replay:FILE")` asks the file. An existing one is a
    FileError, unless `force` lets it be replaced.
    """
    if record is not None and not force and os.path.exists(record):
        raise FileError(os.fspath(record), "exists already", "", "Name another file, or replace it with force=True.")
    return _core.check_device(address_of(device), dict(settings or {}), os.fspath(record or ""))


def check_physics(device: str, settings: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """What a simulated device measures on itself, beside the formulas: `lightloop check DEVICE --physics`.

    A dict of name, formula, unit, expected, measured, tolerance, detail (operating point, or why it was skipped), skipped
    and agrees for each law. Raises Unsupported for a device that measures none.
    """
    return _core.check_physics(device, dict(settings or {}))


def discover(limit_s: float = 3.0) -> list[tuple[str, str, str]]:
    """(address, summary, problem) of what is there beside simulated models: plugins, and devices listed in
    LIGHTLOOP_DEVICES; what cannot be opened has a problem. Nothing waits longer than `limit_s`."""
    return _core.discover(limit_s)


def address_of(device: str | type[Device]) -> str:
    """The device string of a class in this program; a string is one already."""
    if isinstance(device, str):
        return device
    if not (isinstance(device, type) and issubclass(device, Device)):
        raise InvalidParameter("device", repr(device), "a device string or a class derived from lightloop.Device")
    target = f"{device.__module__}:{device.__qualname__}"
    _own[target] = device
    return "python:" + target


# --- called by the extension module


def _load(target: str) -> type[Device]:
    """The class of "FILE.py:CLASS", "FILE.py" with one class only, or "MODULE:CLASS"."""
    if target in _own:
        return _own[target]
    where, name = (target, "") if target.endswith(".py") else target.rpartition(":")[::2]
    if not where:
        raise InvalidParameter("python device", target, "FILE.py:CLASS or MODULE:CLASS", "Write python:mybench.py:MyBench.")
    module = _module_of(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Device) and value is not Device
    }
    if name in found:
        return found[name]
    if not name:
        found = {key: value for key, value in found.items() if value.__module__ == module.__name__}
        if len(found) == 1:
            return next(iter(found.values()))
    names = ", ".join(found) or "no class derived from lightloop.Device"
    near = difflib.get_close_matches(name, found, 1)
    raise UnknownName(f"class in {where}", name or "none named", f"it has {names}", f"Did you mean {near[0]}?" if near else "")


def _module_of(file: Path) -> ModuleType:
    path = file.resolve()
    if not path.is_file():
        raise FileError(str(file), "no such file", "", "Name the Python file of the device.")
    changed = path.stat().st_mtime_ns
    if path in _files and _files[path][0] == changed:
        return _files[path][1]
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # it may import its neighbours
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules.setdefault(path.stem, module)  # dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            sys.modules.pop(path.stem, None)
        raise
    _files[path] = (changed, module)
    return module


def _make(cls: type[Device], settings: Mapping[str, Any]) -> Device:
    device = cls.__new__(cls)
    _show_settings(device, settings)
    device.__init__()  # type: ignore[misc]  # called late: its settings are there first
    return device


def _make_model(cls: type[Device], settings: Mapping[str, Any]) -> Device:
    """An object that serves as a twin: __init__, which opens the hardware, is not called."""
    model = cls.__new__(cls)
    _show_settings(model, settings)
    if (prepare := getattr(model, "open_model", None)) is not None:
        prepare()
    return model


def _show_settings(device: Device, settings: Mapping[str, Any]) -> None:
    device.settings = MappingProxyType(dict(settings))


def _describe(device: Device) -> _core.DeviceInfo:
    said = device.describe()
    if isinstance(said, _core.DeviceInfo):
        return said
    if isinstance(said, Mapping):
        for key in said:
            if key not in _DESCRIPTION:
                near = difflib.get_close_matches(str(key), _DESCRIPTION, 1)
                raise UnknownName("key of describe()", str(key), "", f"Did you mean {near[0]}?" if near else "")
        for key in ("kind", "input", "output"):
            if key not in said:
                raise InvalidParameter("describe()", f"says nothing about {key}", "kind, input and output are needed")
        return _core.DeviceInfo(**said)
    raise TypeError(f"describe() returned {type(said).__name__}; a lightloop.DeviceInfo or a dict is wanted")


def _extras(run: Any) -> set[str]:
    """What run() takes by name beside the frames."""
    known = {"first_frame_id", "aux", "transposed", "deadline_s", "out", "numbers"}
    taken = inspect.signature(run).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in taken):
        return known - {"out"}
    return known & {p.name for p in taken}


def _file_of(cls: type) -> str:
    try:
        return inspect.getfile(cls)
    except (TypeError, OSError):  # typed into a notebook
        return ""


def _place_of(device: Device, method: str) -> str:
    code = getattr(getattr(getattr(device, method, None), "__func__", None), "__code__", None)
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno}" if code else f"in {type(device).__name__}.{method}"
