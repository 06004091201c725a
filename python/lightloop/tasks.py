"""Benchmark tasks with frozen conventions: `task = ll.tasks.santa_fe()`, `ll.tasks.evaluate(task, reservoir)`.

`names()` lists them. A task has `inputs`, `targets`, the counts `washout`, `train`, `test`, and its `convention`; every score
comes with that of a linear baseline, a tapped delay line with the same read-out. Data sets are looked for in `data_dir` and
$LIGHTLOOP_DATA.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _core
from .metrics import Metric, _wrap, draw_from
from .session import Catalogue


class Score(Metric):
    """A Metric with the score of the linear baseline in `baseline`."""

    baseline: float = float("nan")

    def __repr__(self) -> str:
        return f"{self.name} = {float(self):.4g} (linear baseline {float(self.baseline):.4g})  [{self.convention}]"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return _score, (float(self), self.name, self.convention, self.detail, self.baseline)


def _score(value: float, name: str, convention: str, detail: dict[str, Any], baseline: float) -> Score:
    made = Score.__new__(Score, value, name, convention, detail)
    made.baseline = baseline
    return made


def names() -> list[str]:
    """Names of all tasks."""
    return [record.name for record in _core.tasks()]


def catalogue() -> Catalogue:
    """The records: name, summary, source, params."""
    return Catalogue(_core.tasks())


def make(name: str, **params: Any) -> _core.Task:
    """A task by name; `params` as its record lists them."""
    return _core.make_task(name, params)


def linear_baseline(task: _core.Task) -> Metric:
    """The score of the last `task.baseline_taps` inputs with the same read-out."""
    return _wrap(_core.linear_baseline(task))


def states(task: _core.Task, reservoir: Any, scale: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """One state per row of the task's inputs, the reservoir given scale * u + offset and reset where the task says.

    reservoir : ll.ESN, ll.Reservoir (their own scaling is used), or anything with `inputs`, `nodes`, `reset()`, `run(u)`.
    """
    if hasattr(reservoir, "bound_to"):  # an estimator: it scales by the range of what it is to learn from
        reservoir = reservoir.bound_to(task.inputs[: task.washout + task.train])
    return _core.task_states(reservoir, task, scale, offset)


def evaluate(task: _core.Task, reservoir: Any, *, ridges: Sequence[float] | None = None) -> Score:
    """Trains the read-out, the ridge chosen on the last fifth of the training rows, and scores the test rows.

    reservoir : as in `states`, or the states themselves, (time, nodes).
    """
    x = reservoir if isinstance(reservoir, np.ndarray) else states(task, reservoir)
    found = _core.evaluate(task, x, *([list(ridges)] if ridges is not None else []))
    name = f"{task.name} {found.name}"
    return _score(found.value, name, found.convention, found.detail, _core.linear_baseline(task).value)


def measure(name: str, **params: Any) -> Callable[[Any, np.random.Generator], float]:
    """The task `name` as a measure for `ll.sweep`: its score on an open device of kind reservoir, a node per drive sample.

    Inputs are brought to [-1, 1] by their range in training and meet a uniform random mask drawn from the sweep's generator.
    """
    made = functools.partial(_score_on, task=name, **params)
    make(name, **params)  # a mistake is told before the sweep begins
    made.__name__ = name  # type: ignore[attr-defined]  # a partial takes any attribute; its stub does not say so
    return made


@functools.lru_cache(maxsize=8)
def _made(name: str, params: tuple[tuple[str, Any], ...]) -> _core.Task:
    return make(name, **dict(params))


def _score_on(session: Any, rng: np.random.Generator, *, task: str, **params: Any) -> Metric:
    return _wrap(_core.score_task(session, draw_from(rng), _made(task, tuple(sorted(params.items())))))


def _machine(reservoir: Any, series: Any) -> Any:
    return reservoir.bound_to(series) if hasattr(reservoir, "bound_to") else reservoir


def train_closed_loop(reservoir: Any, series: Any, **options: Any) -> _core.LinearReadout:
    """The read-out that predicts the next row of `series` (time, channels) from the state after this one.

    reservoir : as in `states`; an estimator is given the range of `series` (pass `reservoir.bound_to(series)` to `free_run`
        then). options: washout=200, forcing=1 (below 1: generalised teacher forcing, with rounds=5), scale=1, offset=0,
        ridge=1e-6, squares=False (every second state squared as a feature, too).
    """
    return _core.train_closed_loop(_machine(reservoir, series), series, **options)


def free_run(reservoir: Any, readout: _core.LinearReadout, start: Any, steps: int, **options: Any) -> np.ndarray:
    """(steps, channels): driven by `start` first, then fed its own predictions. options: scale, offset, squares as in
    `train_closed_loop`.
    """
    return _core.free_run(_machine(reservoir, start), readout, start, steps, **options)


def __getattr__(name: str) -> Callable[..., _core.Task]:
    if name in names():

        def maker(**params: Any) -> _core.Task:
            return make(name, **params)

        maker.__name__ = name
        maker.__doc__ = next(r.summary for r in _core.tasks() if r.name == name)
        return maker
    raise AttributeError(f"no task {name!r}; there are {', '.join(names())}")


def __dir__() -> list[str]:
    return sorted([*globals(), *names()])
