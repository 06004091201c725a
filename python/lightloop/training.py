"""Training: the settings of the command as keywords, the run as an object."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from . import _core
from ._progress import bar
from ._settings import flatten
from .analog import array_of, samples_of
from .device import address_of
from .errors import InvalidParameter
from .run import Run
from .session import Catalogue


def rules() -> Catalogue:
    """The record of every learning rule of this build."""
    return Catalogue(_core.rules())


def load_dataset(name: str, data_dir: str | os.PathLike[str] = "", seed: int = 1, *, validation: bool = False) -> tuple[Any, ...]:
    """(train, test) of a known name ("digits", "cora", "shakespeare:32", ...) or of a CSV, HDF5 or text file; with
    `validation` (train, test, validation), the last of them None where the data have no such part. `seed` draws the samples
    of "digits", "clicks" and "picture" and the split of "vowels", as that of `train` does: with a run's seed these are its data.

    `.x` (samples, features) and `.y` (samples,) are read-only views; `.features()` gives float32. The parts of a graph all
    have all its nodes; `.counts` says of which the labels are meant. `.y` of a text is (samples, tokens), real targets are
    (samples, outputs); `.yardstick` says what a score is to be compared with.
    """
    parts = _core.load_dataset(name, os.fspath(data_dir), seed)
    return parts if validation else parts[:2]


class _Watch:
    """Turns what the trainer reports into a progress bar."""

    def __init__(self, show: bool | None) -> None:
        self.show, self.bar = show, None
        self.accuracy = ""

    def plan(self, plan: Any) -> bool:
        self.bar = bar(int(plan.steps), f"{plan.rule} on {plan.device}", self.show)
        return True

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        if self.bar is not None:
            if step % 16 == 0:
                self.bar.set_postfix_str(f"loss {loss:.3f} {self.accuracy}", refresh=False)
            self.bar.update()

    def epoch(self, result: Any) -> None:
        real = np.isnan(result.test_accuracy)
        self.accuracy = f"test loss {result.test_loss:.4g}" if real else f"accuracy {100 * result.test_accuracy:.2f} %"

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def plan(dataset: Any = "digits", rule: str = "dfa", device: str = "digital", **options: Any) -> _core.TrainPlan:
    """What `train` with the same arguments would ask of the device: frames, seconds, joules. Shows no frame."""
    kept: list[Any] = []

    def keep(found: Any) -> bool:
        kept.append(found)
        return False

    name, data = _named(dataset)
    _core.train(_table(name, rule, device, options.pop("settings", None), options), data=data, on_plan=keep)
    return kept[0]


def _table(dataset: Any, rule: str, device: str, settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Any:
    named = {"dataset": dataset, "rule": rule, "device": address_of(device), **options}
    if not isinstance(named.get("baseline", ""), str):
        named["baseline"] = ",".join(named["baseline"])
    table = flatten(settings)
    for key, value in flatten({k: v for k, v in named.items() if not isinstance(v, Mapping)}).items():
        table[key if "." in key else f"train.{key}"] = value
    table.update(flatten({k: v for k, v in named.items() if isinstance(v, Mapping)}))
    return table


def train(
    dataset: Any = "digits",
    rule: str = "dfa",
    device: str = "digital",
    *,
    settings: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Run:
    """Trains a network: `ll.train("mnist", rule="tdfa", device="sim:opu", net="784-1024-10", epochs=10, seed=1)`.

    dataset : a name or file as for `load_dataset`, what that returns, or ((x, y), (x_test, y_test)), arrays, tensors or lists, with
        x (samples, features) or images (samples, height, width[, channels]), bytes or real numbers, which are taken as float32, and
        y whole numbers from 0; y of whole numbers (samples, tokens) is a label per token, y of floats (samples, outputs) real
        targets (with loss="mse").
    options : every `train.` setting by its own name (`lr=1e-3`; see `train_params()`), the others by their table
        (`projection={"readout": "anchor"}`, `**{"rule.dead_zone": 0.2}`). `settings` is laid under them.

    baseline : "bp,dfa" or ["bp", "dfa"]: rules to train the same network with afterwards, without the device. Their runs
        are in `run.baselines`; with `out="run.h5"` their files are run-bp.h5, run-dfa.h5.

    The interpreter is free meanwhile. Ctrl-C saves a checkpoint where the run has a file, and raises KeyboardInterrupt.
    Returns the Run; with `out="run.h5"` it is also in that file. Without `out` nothing is written.
    """
    name, data = _named(dataset)
    table = _table(name, rule, device, settings, options)
    runs = []
    for asked, done in _core.parts_of(table):
        if done is None:
            done = _watched(asked, data, progress)
        runs.append(Run.from_result(done, asked))
    runs[0].baselines = runs[1:]
    return runs[0]


def _watched(table: Mapping[str, Any], data: Any, progress: bool | None) -> Any:
    watch = _Watch(progress)
    try:
        return _core.train(table, data=data, on_plan=watch.plan, on_step=watch.step, on_epoch=watch.epoch)
    finally:
        watch.close()


def _named(dataset: Any) -> tuple[Any, Any]:
    """(name, None) of a known data set or a file, ("arrays", data) of arrays."""
    if isinstance(dataset, str) or hasattr(dataset, "__fspath__"):
        return dataset, None
    if isinstance(dataset, (tuple, list)) and len(dataset) in (2, 3):
        kinds = (_core.Dataset, _core.Dataset, (_core.Dataset, type(None)))
        if all(isinstance(part, kind) for part, kind in zip(dataset, kinds)):
            return "arrays", tuple(dataset)  # as load_dataset() gives them
    return "arrays", _datasets(**_arrays(dataset))


def _arrays(dataset: Any) -> dict[str, np.ndarray[Any, Any]]:
    """What ((x, y), (x_test, y_test)) hold, which may be tensors or lists."""
    whole = not isinstance(dataset, Iterable) or isinstance(dataset, Mapping)
    parts = [dataset] if whole else list(dataset)
    if len(parts) != 2 or any(not isinstance(part, (tuple, list)) or len(part) != 2 for part in parts):
        found = type(dataset).__name__ if whole else f"{len(parts)} x {type(parts[0]).__name__ if parts else 'nothing'}"
        raise InvalidParameter("dataset", found, "a name, a file or ((x, y), (x_test, y_test))",
                               "Give samples to test with beside those to train with.")  # fmt: skip
    (x, y), (x_test, y_test) = parts
    return {"x": samples_of(x), "y": _targets(y), "x_test": samples_of(x_test), "y_test": _targets(y_test)}


def _targets(y: Any) -> np.ndarray[Any, Any]:
    """Labels as they are, real targets (samples, outputs) as float32."""
    y = np.ascontiguousarray(array_of(y))
    return samples_of(y) if _real(y) else y


def _real(y: Any) -> bool:
    return y.ndim == 2 and y.dtype.kind == "f"


def _datasets(x: Any, y: Any, x_test: Any, y_test: Any) -> Any:
    classes = 1 if _real(y) else _classes(y, y_test)
    return _core.make_dataset(x, y, classes), _core.make_dataset(x_test, y_test, classes)


def _classes(*labels: Any) -> int:
    """One more than the largest label; of labels that are no numbers of classes, the first is told."""
    top = 0
    for y in labels:
        if y.dtype.kind not in "biufO":
            raise InvalidParameter("y", f"of {y.dtype}", "whole numbers from 0", "Labels count the classes.")
        if y.dtype.kind == "f":
            wrong = np.flatnonzero(~(np.abs(y) < 2**31))
            if wrong.size:
                place = int(wrong[0])
                raise InvalidParameter(f"y[{place}]", str(y.flat[place]), "whole numbers from 0", "Labels count the classes.")
        top = max(top, int(y.max(initial=0)))
    return min(top, 2**31) + 1  # more than there may be is refused by its number
