"""`ll.compare`: every rule on every device, as the command does it; the result as rows, text and picture."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import types
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import _compare, _core
from ._progress import watched
from ._settings import flatten
from .device import address_of
from .errors import Busy, DeviceError, Error, InvalidParameter, LinkError, Timeout, WaitTimeout
from .run import Run, load_run
from .training import _arrays, _datasets, _table

FAULTS = (Busy, DeviceError, LinkError, Timeout, WaitTimeout)  # those of exit code 3 of the command


class _Cell(_compare.Cell):
    """A run by `ll.train` in a process of its own."""

    for_one = 'only={{"{rule}": {{"rule.{setting}": ...}}}}'

    @staticmethod
    def defaults() -> dict[str, dict[str, Any]]:
        return {rule.name: {param.name: param.default for param in rule.params} for rule in _core.rules()}

    def prepare(self) -> None:
        options = self.options
        own = flatten(options.only.get(self.rule))
        place = self.device if self.way == "device" else "digital"
        asked = {**options.table, **own, "seed": self.seed}
        if self.way != "map" and not self.maps(options):
            kept = {key: value for key, value in asked.items() if key.removeprefix("train.") not in _compare.OF_MAPS}
            self.left_out, asked = len(kept) < len(asked), kept
        if self.way != "device":
            asked[self.way] = self.device
        self.table = _table(options.dataset, self.rule, place, None, asked)
        self.words = ["ll.train", *(f"{key}={value}" for key, value in self.table.items()), *options.print]

    @staticmethod
    def maps(options: Any) -> bool:
        return "map" in options.table or "train.map" in options.table

    @staticmethod
    def shared(options: Any, rule: str) -> Any:
        return types.SimpleNamespace(**{**vars(options), "only": {}}) if options.only.get(rule) else None

    @staticmethod
    def bare(options: Any) -> Any:
        return types.SimpleNamespace(**{**vars(options), "only": {}, "table": {}, "dataset": "digits", "data": None})

    def plan(self) -> Any:
        kept: list[Any] = []
        try:
            _core.train(self.table, data=self.options.data, on_plan=lambda plan: kept.append(plan))
        except FAULTS as error:
            return None, _compare.Fault(error)
        except Error as error:
            return None, str(error)
        return {name: getattr(kept[0], name) for name in _compare.DEVICE_COSTS}, None

    def start(self, run_file: Path, threads: int) -> Any:
        settings = {**self.table, "train.threads": threads, "train.yes": True, "train.out": str(run_file)}
        if run_file.exists():
            settings["train.resume"] = "true"
        asked = {"dataset": self.options.dataset, "rule": self.rule, "device": settings.pop("train.device"), "settings": settings,
                 "data": str(self.options.arrays) if self.options.arrays else ""}  # fmt: skip
        home = str(Path(__file__).parents[1])
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        words = [sys.executable, "-m", "lightloop._compare_run"]
        return _compare.children.run(words, json.dumps(asked, default=str), env={**os.environ, "PYTHONPATH": path})

    @staticmethod
    def complete(run_file: Path) -> bool | None:
        try:
            return bool(load_run(run_file).facts["complete"])
        except Error:
            return None


@dataclass(repr=False)
class Comparison:
    """What `ll.compare` found. `print(it)` is a table; `pandas.DataFrame(it.rows)` another.

    rows : a dictionary for each pair that could be run: rule, device, way ("device": it projects the error; "layers"; "map": in
        front of every layer), seeds, test_accuracy (mean), spread (standard deviation of the sample; None for one seed), device_frames,
        device_seconds, device_joules, train_seconds (means of one run), map: what stands in front of the layers, or "". On real
        targets test_accuracy is None, and the row has test_loss (mean; lower is better), whose spread it is then.
    left_out : {(rule, device): reason} of the pairs that could not.
    failed : {(rule, device, seed): reason} of the runs that began and failed; rows are of the others.
    folder : where the run files are; None when nothing was kept.
    """

    rules: list[str]
    devices: list[str]
    seeds: list[int]
    rows: list[dict[str, Any]]
    left_out: dict[tuple[str, str], str]
    title: str
    folder: Path | None = None
    failed: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def row(self, rule: str, device: str = "digital") -> dict[str, Any]:
        """The row of a pair; InvalidParameter, with the reason, where there is none."""
        for row in self.rows:
            if (row["rule"], row["device"]) == (rule, device):
                return row
        failed = [why for (one, at, _), why in self.failed.items() if (one, at) == (rule, device)]
        raise InvalidParameter("row", f"{rule} on {device}", self.left_out.get((rule, device), *failed[:1] or ["not compared"]))

    def run(self, rule: str, device: str = "digital", seed: int | None = None) -> Run:
        """A run itself, from its file in `folder`."""
        if self.folder is None:
            raise InvalidParameter("run", "nothing was kept", "", "Give compare(out=...) a folder.")
        self.row(rule, device)
        name = _compare.file_name(rule, device, self.seeds[0] if seed is None else seed)
        return load_run(self.folder / (name + ".h5"))

    def markdown(self) -> str:
        """The table of compare.md: accuracies or test losses, costs on the devices, and why cells are empty."""
        return _compare.markdown(self.rules, self.devices, self.rows, self.left_out, self.failed)

    def plot(self, out: Any = None) -> Any:
        """Bars of accuracy, or of test loss on real targets, a group for each rule; writes `out` if given, returns the matplotlib Figure."""
        figure = _compare.picture(self.rules, self.devices, self.rows, self.title)
        if out is not None:
            figure.savefig(out, dpi=150)
        return figure

    def __str__(self) -> str:
        table = _compare.plain(self.rules, self.devices, self.rows)
        return "\n".join([table, *_compare.notes_on(self.rows, self.left_out, self.failed)])

    def __repr__(self) -> str:
        return f"<lightloop.Comparison of {len(self.rules)} rules on {len(self.devices)} devices, {len(self.rows)} pairs run>"

    def _repr_markdown_(self) -> str:
        return self.markdown()


def compare(
    dataset: Any = "digits",
    rules: Iterable[str] = ("dfa", "bp"),
    devices: Iterable[Any] = ("digital",),
    seeds: Iterable[int] = (1,),
    *,
    out: Any = None,
    jobs: int = 0,
    threads: int = 0,
    force: bool = False,
    only: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Comparison:
    """Trains with every rule on every device: `ll.compare("fashion", ["dfa", "ff"], ["digital", "sim:opu"], epochs=5)`.

    The same runs, table and picture as `lightloop compare`, each run a process of its own, `jobs` at a time (0: one per
    processor). A device carries the error where the rule projects one and the device can, the layers where it holds weights, and stands
    in front of every layer otherwise (`way` of the rows). A pair that `train` refuses is left out, with the reason.

    dataset, settings, options : as for `ll.train`, for all runs. only : further settings for one rule,
        {"tdfa": {"rule.dead_zone": 0.2}}.
    threads : of each run; 0: the processors shared among the jobs.
    out : a folder that keeps run files, compare.md and compare.png: the same call again takes up what is done there and resumes
        what was stopped, and does anew what an earlier version made with other defaults of a rule, and what is complete without
        its result or cannot be read; a file that another call has made is an InvalidParameter, unless `force`. None keeps nothing.

    Runs on one instrument (`remote:`, `plugin:`, `python:`) take turns.

    Throws InvalidParameter when no pair can be run, before the first run for a name that is no rule, a device string that names
    nothing, and settings in `only` that alone keep their rule out; Error when every run fails. A run that fails beside others, or whose
    instrument is in use or out of reach, is a RuntimeWarning and stands in `failed`. Ctrl-C is KeyboardInterrupt.
    """
    asked = types.SimpleNamespace(cell=_Cell, jobs=jobs, threads=threads, force=force, only=dict(only or {}), data=None, arrays=None, print=[])
    asked.rules = [rules] if isinstance(rules, str) else list(rules)
    asked.devices = [address_of(d) for d in ([devices] if isinstance(devices, (str, type)) else devices)]
    asked.seeds = [seeds] if isinstance(seeds, int) else list(seeds)
    for name in ("rules", "devices", "seeds"):
        given = getattr(asked, name)
        if not given or len(set(given)) != len(given):
            raise InvalidParameter(name, str(given), "each once, and at least one")
    unknown = set(asked.only) - set(asked.rules)
    if unknown:
        raise InvalidParameter("only", ", ".join(sorted(unknown)), "rules of this comparison")
    if jobs < 0:
        raise InvalidParameter("jobs", str(jobs), "0 (all processors) or more")
    if threads < 0:
        raise InvalidParameter("threads", str(threads), "0 (shared among the jobs) or more")
    asked.table = flatten(settings, **options)
    for name in ("seed", "threads", "resume", "baseline", "record", "out", "layers", "force", "dry_run"):
        if name in asked.table or f"train.{name}" in asked.table:
            raise InvalidParameter(name, "given", "compare sets it itself")
    asked.quiet = not (watched() if progress is None else progress)
    with tempfile.TemporaryDirectory(prefix="lightloop-") as scratch:
        asked.out = Path(scratch if out is None else out)
        asked.dataset = dataset
        if not (isinstance(dataset, str) or hasattr(dataset, "__fspath__")):
            _keep_arrays(asked, dataset, Path(scratch))
        try:
            rows, left_out, failed = _compare.compare(asked)
        except _compare.Stopped:
            raise KeyboardInterrupt from None
        except ValueError as error:
            raise error if isinstance(error, Error) else InvalidParameter("compare", str(error)) from None
        except RuntimeError as error:
            raise error if isinstance(error, Error) else Error("every run of compare failed", str(error)) from None
    title = f"{asked.dataset}, {len(asked.seeds)} seed(s)"
    made = Comparison(asked.rules, asked.devices, asked.seeds, rows, left_out, title, None if out is None else asked.out, failed)
    for line in _compare.failed_lines(failed):
        warnings.warn(line, RuntimeWarning, stacklevel=2)
    if made.folder is not None:
        (made.folder / "compare.md").write_text(made.markdown())
        try:
            made.plot(made.folder / "compare.png")
        except ImportError:  # no matplotlib
            pass
    return made


def _keep_arrays(asked: Any, dataset: Any, scratch: Path) -> None:
    """Arrays go to the processes in a file; a run that is taken up was made with the same ones."""
    arrays = _arrays(dataset)
    asked.data = _datasets(**arrays)
    asked.dataset, asked.arrays = "arrays", scratch / "data.npz"
    np.savez(asked.arrays, **arrays)
    digest = hashlib.sha256()
    for a in arrays.values():
        digest.update(f"{a.dtype}{a.shape}".encode() + a.tobytes())
    asked.print = [f"data={digest.hexdigest()[:16]}"]
