"""Reservoir computers as scikit-learn regressors: a time-multiplexed device, and the echo-state network to compare it with.

Rows of X are consecutive times. The names follow ReservoirPy where they mean the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import _core
from .errors import InvalidParameter
from .session import Session


class _Bound:
    """A reservoir that takes inputs in their own units."""

    def __init__(self, machine: Any, scale: np.ndarray, offset: np.ndarray) -> None:
        self.machine, self.scale, self.offset = machine, scale, offset
        self.inputs, self.nodes = machine.inputs, machine.nodes

    def reset(self) -> None:
        self.machine.reset()

    def run(self, u: Any) -> np.ndarray:
        u = np.asarray(u, np.float64)
        return self.machine.run((u[:, None] if u.ndim == 1 else u) * self.scale + self.offset)


class _Temporal(RegressorMixin, BaseEstimator):
    """What both have in common: scaling by the range of the training input, washout, ridge read-out."""

    def _machine(self, n_inputs: int) -> Any:
        raise NotImplementedError

    def bound_to(self, X: Any) -> _Bound:
        """The reservoir, opened for inputs like X (time, features): `run(u)`, `reset()`, `inputs`, `nodes`."""
        X = np.asarray(X, np.float64)
        X = X[:, None] if X.ndim == 1 else X
        low, high = X.min(axis=0), X.max(axis=0)
        scale = np.where(high > low, 2 / np.where(high > low, high - low, 1), 0.0)
        return _Bound(self._machine(X.shape[1]), scale, -1 - low * scale)

    def _seed(self) -> int:
        if isinstance(self.seed, (int, np.integer)):
            return int(self.seed)
        return int(check_random_state(self.seed).randint(2**31 - 1))

    def _ridges(self) -> list[float]:
        return [float(self.ridge)] if np.isscalar(self.ridge) else [float(r) for r in self.ridge]

    def fit(self, X: Any, y: Any) -> Any:
        """Drives X (time, features) once and learns y (time,) or (time, outputs) from the states after `warmup`."""
        X, y = self._validate_data(X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        if not 0 <= self.warmup < len(X):
            raise InvalidParameter("warmup", str(self.warmup), f"0 to {len(X) - 1}", "Give more times than the warm-up takes.")
        self._flat = y.ndim == 1
        y = np.asarray(y, np.float64)
        self._bound = self.bound_to(X)
        states = self.run(X)[self.warmup :]
        targets = (y[:, None] if self._flat else y)[self.warmup :]
        ridges = self._ridges()
        learnt = len(states) if len(ridges) == 1 else len(states) - max(2, len(states) // 5)
        if learnt < 2:
            raise ValueError(f"n_samples={len(X)}: too few times after the warm-up of {self.warmup} to learn from")
        trainer = _core.RidgeTrainer(states.shape[1], targets.shape[1])
        trainer.add(states[:learnt], targets[:learnt])
        if learnt < len(states):
            trainer.add_validation(states[learnt:], targets[learnt:])
        found = trainer.solve(ridges)
        self.ridge_, self.coef_ = found.ridge, found.weights
        self.intercept_ = np.asarray(found.offset) - np.asarray(found.mean) @ found.weights
        return self

    def run(self, X: Any, reset: bool = True) -> np.ndarray:
        """States (time, nodes) while X is shown; `reset=False` goes on from the last call."""
        if not hasattr(self, "_bound"):
            self._bound = self.bound_to(X)
        if reset:
            self._bound.reset()
        return self._bound.run(X)

    def predict(self, X: Any, reset: bool = True) -> np.ndarray:
        """(time,) or (time, outputs); the first rows after a reset are a transient of about `warmup`."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float64, reset=False)
        p = self.run(X, reset) @ self.coef_ + self.intercept_
        return p[:, 0] if self._flat else p

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_bound" in state:
            state["_scaling"] = (self._bound.scale, self._bound.offset)
            del state["_bound"]
        state.pop("device_", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        scaling = self.__dict__.pop("_scaling", None)
        if scaling is not None:
            self._bound = _Bound(self._machine(len(scaling[0])), *scaling)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def _more_tags(self) -> dict[str, Any]:
        order = "rows are consecutive times: a prediction depends on the rows before it"
        return {
            "multioutput": True,
            "poor_score": True,
            "_xfail_checks": {"check_methods_sample_order_invariance": order, "check_methods_subset_invariance": order},
        }


class ESN(_Temporal):
    """Echo-state network, x' = (1 - lr) x + lr tanh(W x + W_in u + b), with a ridge read-out: the digital baseline.

    Parameters
    ----------
    units : nodes.
    lr : leak rate, in (0, 1].
    sr : spectral radius of W.
    input_scaling : W_in is uniform on [-input_scaling, input_scaling]; each input is brought to [-1, 1] first, by its range
        in `fit`.
    bias : b is uniform on [-bias, bias].
    rc_connectivity : share of the nodes that feed a node.
    ridge : relative to the variance of a state; several: the best on the last fifth of the training times.
    warmup : times of `fit` that are not learnt from.
    seed : int, RandomState or None.
    """

    def __init__(self, units: int = 100, *, lr: float = 1.0, sr: float = 0.9, input_scaling: float = 1.0, bias: float = 0.0,
                 rc_connectivity: float = 0.1, ridge: float | Sequence[float] = 1e-6, warmup: int = 0,
                 seed: Any = 1) -> None:  # fmt: skip
        self.units, self.lr, self.sr, self.input_scaling, self.bias = units, lr, sr, input_scaling, bias
        self.rc_connectivity, self.ridge, self.warmup, self.seed = rc_connectivity, ridge, warmup, seed

    def _machine(self, n_inputs: int) -> Any:
        return _core.EchoState(self.units, n_inputs, spectral_radius=self.sr, input_scaling=self.input_scaling,
                               bias_scaling=self.bias, leak=self.lr, connectivity=self.rc_connectivity,
                               seed=self._seed())  # fmt: skip


@lru_cache(maxsize=64)
def _is_noisy(address: str) -> bool:
    with Session(address) as device:
        return not device.info.deterministic


def sized_settings(address: str, samples: int) -> dict[str, Any]:
    """Settings that fit a simulated device to masks of so many samples, where its string leaves them open: frames of one
    mask, and a loop one sample longer, which couples neighbouring nodes.
    """
    backend, target, given = _core.parse_address(address)
    model = next((m for m in _core.models() if m.name == target), None) if backend == "sim" else None
    if model is None:
        return {}
    params = {p.name for p in model.params}
    given = {**model.presets.get(given.get("preset", "none"), {}), **given}
    settings: dict[str, Any] = {}
    if "input.size" in params and "input.size" not in given:
        settings["input.size"] = samples
    if {"feedback.delay_s", "sample_s"} <= params and not any(k.startswith("feedback.delay_s") for k in given):
        with Session(address) as device:
            settings["feedback.delay_s"] = (samples + 1) * device.settings["sample_s"]
    return settings


class Reservoir(_Temporal):
    """A time-multiplexed reservoir: a device of kind "reservoir" behind an input mask, with a ridge read-out.

    Each row of X becomes `units` * `samples_per_node` drive samples; see `ll.devices()` for the devices.

    Parameters
    ----------
    units : virtual nodes.
    device : device string, "sim:delay_vcsel" or "lab.toml", or an open Session. A simulated one is opened with frames of one
        mask and a loop one sample longer, unless its string says otherwise.
    mask : "random", "binary", "piecewise", "chirp", or an array (units, features).
    input_scaling, bias : drive = input_scaling * (mask @ u) / sqrt(features) + bias, on [-1, 1] of the converter; u is X
        brought to [-1, 1] by its range in `fit`. What leaves the range is clipped, counted and warned of.
    samples_per_node : drive samples that a node is held for; its state is their mean.
    ridge : relative to the variance of a state; several: the best on the last fifth of the training times.
    warmup : times of `fit` that are not learnt from.
    seed : int, RandomState or None: of the mask, and of the device unless its string says one.

    Attributes
    ----------
    device_ : the open Session.
    """

    def __init__(self, units: int = 100, *, device: Any = "sim:delay_vcsel", mask: Any = "random", input_scaling: float = 1.0,
                 bias: float = 0.0, samples_per_node: int = 1, ridge: float | Sequence[float] = 1e-6, warmup: int = 0,
                 seed: Any = 1) -> None:  # fmt: skip
        self.units, self.device, self.mask, self.input_scaling, self.bias = units, device, mask, input_scaling, bias
        self.samples_per_node, self.ridge, self.warmup, self.seed = samples_per_node, ridge, warmup, seed

    def _machine(self, n_inputs: int) -> Any:
        seed = self._seed()
        if isinstance(self.device, _core.Session):
            self.device_ = self.device
        else:
            settings = sized_settings(self.device, self.units * self.samples_per_node)
            backend, _, given = _core.parse_address(self.device)
            if backend == "sim" and "seed" not in given:
                settings["seed"] = seed
            self.device_ = Session(self.device, settings)
        mask = _core.make_mask(self.units, n_inputs, self.mask, seed=seed) if isinstance(self.mask, str) else self.mask
        return _core.DelayReservoir(self.device_, np.asarray(mask, np.float32), samples_per_node=self.samples_per_node,
                                    gain=self.input_scaling / np.sqrt(n_inputs), bias=self.bias)  # fmt: skip

    def run(self, X: Any, reset: bool = True) -> np.ndarray:
        """States (time, nodes) while X is shown, as fractions of the converter's range; `reset=False` goes on from the
        last call. Each call draws fresh noise.
        """
        before = dict(self._bound.machine.counts) if hasattr(self, "_bound") else {}
        states = super().run(X, reset)
        counts = self._bound.machine.counts
        for kind in ("drive", "detected"):
            shown = counts[kind] - before.get(kind, 0)
            clipped = counts[f"{kind}_clipped"] - before.get(f"{kind}_clipped", 0)
            if clipped > 0.01 * shown:
                what = "input_scaling or bias" if kind == "drive" else "the converter's range (adc.range)"
                warnings.warn(f"{clipped} of {shown} {kind} codes were clipped; change {what}", RuntimeWarning, stacklevel=2)
        return states

    def responses(self, X: Any, repeats: int = 4) -> np.ndarray:
        """(repeats, time, nodes): X shown several times from the same initial state, with fresh noise, `warmup` taken off.
        What `ll.metrics.consistency` and its relatives want.
        """
        return np.stack([self.run(X)[self.warmup :] for _ in range(repeats)])

    def _more_tags(self) -> dict[str, Any]:
        noisy = isinstance(self.device, _core.Session) or _is_noisy(self.device)
        return {**super()._more_tags(), "non_deterministic": noisy}
