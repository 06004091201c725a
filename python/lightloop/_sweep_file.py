"""`lightloop sweep FILE.toml`: what the file asks of `ll.sweep`. The command runs this file itself."""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = ("repeats", "seed", "engine", "errors", "order", "settle", "hysteresis", "reference_every", "reference", "abort",
           "attached")  # fmt: skip
KEYS = ("device", "over", "measure", "settings", *OPTIONS)


def read_toml(path: Path) -> dict[str, Any]:
    from lightloop import FileError

    try:
        import tomllib
    except ImportError:  # Python before 3.11
        try:
            import tomli as tomllib
        except ImportError as error:
            raise ImportError("sweep files need Python 3.11, or the package tomli") from error
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FileError(str(path), "not a sweep file", str(error)) from error


def values_of(key: str, given: Any) -> list[Any]:
    """A list, or {from, to, points} with log = true for equal ratios."""
    from lightloop import InvalidParameter

    if isinstance(given, list):
        return given
    if not isinstance(given, Mapping) or not {"from", "to", "points"} <= set(given) or set(given) - {"from", "to", "points", "log"}:
        raise InvalidParameter(f"over.{key}", str(given), "a list, or { from = 1, to = 2, points = 5 }")
    space = np.geomspace if given.get("log") else np.linspace
    return [float(f"{v:.12g}") for v in space(given["from"], given["to"], given["points"])]


def measure_of(given: Any, folder: Path) -> Any:
    """A name of lightloop.metrics, "file.py:function", or a table with `name` or `task` and its arguments."""
    import lightloop
    from lightloop import FileError, UnknownName

    if isinstance(given, Mapping):
        if "task" in given:
            return lightloop.tasks.measure(given["task"], **{k: v for k, v in given.items() if k != "task"})
        arguments = {k: v for k, v in given.items() if k != "name"}
        return functools.partial(measure_of(given.get("name", ""), folder), **arguments)
    file, colon, function = str(given).rpartition(":")
    if colon:
        path = folder / file
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if not path.is_file() or spec is None or spec.loader is None:
            raise FileError(str(path), "not found", "", f"measure = {given!r} names a Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
        known: Any = module
    else:
        known = getattr(lightloop, "metrics", None)
    if not callable(getattr(known, function, None)):
        names = [n for n in getattr(known, "__all__", []) if n[:1].islower()]
        raise UnknownName("measure", repr(given), f"one of {', '.join(names)}" if names else "not there")
    return getattr(known, function)


def run_file(path: Path, out: Path, *, force: bool = False, quiet: bool = True) -> Any:
    """The Dataset of a sweep file."""
    import difflib

    import lightloop
    from lightloop import InvalidParameter, UnknownName

    asked = read_toml(path)
    for key in asked:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            raise UnknownName(str(path), key, f"known: {', '.join(KEYS)}", f"Did you mean {near[0]}?" if near else "")
    for key in ("device", "over", "measure"):
        if key not in asked:
            raise InvalidParameter(str(path), f"no {key}", "device, measure and the table [over] are wanted")
    device = asked["device"]
    if asked.get("settings"):
        from lightloop._settings import flatten

        device += "".join(f",{k}={json.dumps(v) if isinstance(v, str) else str(v).lower() if isinstance(v, bool) else repr(v)}"
                          for k, v in flatten(asked["settings"]).items())  # fmt: skip
    wanted = asked["measure"] if isinstance(asked["measure"], list) else [asked["measure"]]
    return lightloop.sweep(
        device,
        {k: values_of(k, v) for k, v in asked["over"].items()},
        [measure_of(m, path.parent) for m in wanted],
        out=out,
        overwrite=force,
        progress=False if quiet else None,
        **{k: asked[k] for k in OPTIONS if k in asked},
    )


def summary(data: Any, out: Path, seconds: float) -> dict[str, Any]:
    measures = {n: {"dims": list(v.dims), "shape": list(v.shape), "units": v.attrs.get("units", "1"), "mean": float(v.mean()),
                    "min": float(v.min()), "max": float(v.max())}
                for n, v in data.data_vars.items() if v.dtype.kind in "biuf"}  # fmt: skip
    axes = {str(n): {"units": data.coords[n].attrs.get("units", "1"), "values": data.coords[n].values.tolist()}
            for n in data.sizes if n in data.coords}  # fmt: skip
    return {"out": str(out), "seconds": round(seconds, 3), "axes": axes, "measures": measures}


def tell(told: dict[str, Any]) -> None:
    sizes = " × ".join(f"{len(a['values'])} {n.removeprefix('device.')}" for n, a in told["axes"].items())
    print(f"{told['out']}: {sizes}, {told['seconds']:.1f} s")
    for name, measure in told["measures"].items():
        unit = "" if measure["units"] == "1" else f" {measure['units']}"
        print(f"  {name}: mean {measure['mean']:.4g}{unit}, {measure['min']:.4g} to {measure['max']:.4g}")


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
    try:
        data = run_file(options.file, options.out, force=options.force, quiet=options.quiet or options.json)
        told = summary(data, options.out, time.monotonic() - start)
        if options.json:
            print(json.dumps(told))
        else:
            tell(told)
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
