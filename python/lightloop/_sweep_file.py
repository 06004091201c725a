"""`lightloop sweep FILE.toml` with a measure that is a Python function. The command runs this file itself."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def function_of(given: str, folder: Path) -> Any:
    """"file.py:function", the file beside the sweep's."""
    from lightloop import FileError, UnknownName

    file, _, function = given.rpartition(":")
    path = folder / file
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileError(str(path), "not found", "", f"measure = {given!r} names a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    if not callable(getattr(module, function, None)):
        raise UnknownName("measure", repr(given), "not there")
    return getattr(module, function)


def measure_of(name: str, task: bool, arguments: dict[str, Any] | None, folder: Path) -> Any:
    """A measure by its name, "file.py:function", or a task, with its arguments."""
    import lightloop
    from lightloop import UnknownName, _core

    if task:
        return lightloop.tasks.measure(name, **(arguments or {}))
    if ":" not in name and name not in _core.measures():
        raise UnknownName("measure", repr(name), f"one of {', '.join(_core.measures())}")
    found = function_of(name, folder) if ":" in name else getattr(lightloop.metrics, name)
    return found if arguments is None else functools.partial(found, **arguments)


def run_file(path: Path, out: Path | None, *, force: bool = False, progress: Any = False) -> Any:
    """The Dataset of a sweep file; `progress` as in `lightloop.sweep`."""
    import lightloop
    from lightloop import _core

    asked = _core.read_sweep(str(path))
    measures = [measure_of(*m, path.parent) for m in asked["measure"]]
    return lightloop.sweep(asked["device"], asked["over"], measures, out=out, overwrite=force,
                           progress=progress, **asked["options"])  # fmt: skip


def main(words: list[str]) -> int:
    import lightloop as ll

    parser = argparse.ArgumentParser(prog="lightloop sweep")
    parser.add_argument("file", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    for flag in ("--force", "--json", "--quiet"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args(words)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    resumed = [0]

    def count(done: int, total: int, where: str) -> None:
        if not where:
            resumed[0] = done

    try:
        run_file(options.file, options.out, force=options.force, progress=count if options.json else False if options.quiet else None)
        seconds, out = time.monotonic() - start, str(options.out)
        print(ll._core.sweep_summary_json(out, seconds, resumed[0]) if options.json else ll._core.sweep_summary(out, seconds).rstrip())
        return 0
    except KeyboardInterrupt:
        print(f"lightloop: stopped; what is done is kept in {options.out}.parts, the same line goes on from there", file=sys.stderr)
        return 130
    except Exception as error:  # every one becomes a line and an exit code, as in the command
        print(f"lightloop: {error}", file=sys.stderr)
        if isinstance(error, (ll.Timeout, ll.DeviceError)) or (isinstance(error, ll.LinkError)):
            return 3
        if isinstance(error, ll.Refused):
            return 4
        return 2 if isinstance(error, (ll.Error, OSError)) and not isinstance(error, ll.InternalError) else 1


def _find_package() -> None:
    """The package beside the command (a build tree) is taken before an installed one."""
    command = os.environ.get("LIGHTLOOP", "")
    beside = Path(command).parent.parent / "python"
    if command and (beside / "lightloop").is_dir():
        sys.path.insert(0, str(beside))


if __name__ == "__main__":
    _find_package()
    try:
        import lightloop  # noqa: F401  (only to see whether it is there)
    except ImportError as missing:
        print(f"lightloop: sweep needs the Python package lightloop ({missing}); pip install it", file=sys.stderr)
        sys.exit(1)
    sys.exit(main(sys.argv[1:]))
