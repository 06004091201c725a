"""Read-outs that are masks of mirrors, as a scikit-learn regressor. `ll.learn_mask` is what they are learned with."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import _core


def _line(s: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Least squares y = gain s + offset: (gain, offset, mean square error)."""
    ds, dy = s - s.mean(), y - y.mean()
    power, across = float(ds @ ds), float(ds @ dy)
    gain = across / power if power > 0 else 0.0
    return gain, float(y.mean()) - gain * float(s.mean()), float(dy @ dy - gain * across) / len(y)


class MaskReadout(RegressorMixin, BaseEstimator):
    """y = gain (X mask) + offset with a mask of values 0, 1 or -1, 0, 1, learned by trial: what a read-out of mirrors and one
    detector can do. X are states (samples, nodes), of a reservoir for example; every output has a mask of its own.

    Parameters
    ----------
    ternary : values -1, 0, 1 (two masks whose signals are subtracted) instead of 0, 1.
    flips : values changed at once in the first trial, falling to 1 over the first half of them; 1 is greedy.
    trials : changes tried; 0: ten for every value.
    bias : how strongly values that were not tried for long are preferred.
    seed : int, RandomState or None.

    After fit: masks_ (outputs, nodes), gain_, offset_ (outputs,), losses_ (outputs, trials): mean square error of the mask kept.
    """

    def __init__(self, *, ternary: bool = True, flips: int = 1, trials: int = 0, bias: float = 1.0, seed: Any = 1) -> None:
        self.ternary, self.flips, self.trials, self.bias, self.seed = ternary, flips, trials, bias, seed

    def fit(self, X: Any, y: Any) -> MaskReadout:
        """Learns y (samples,) or (samples, outputs) from X (samples, nodes)."""
        X, y = self._validate_data(X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        self._flat = y.ndim == 1
        targets = np.asarray(y, np.float64).reshape(len(X), -1).T
        seed = int(self.seed) if isinstance(self.seed, (int, np.integer)) else int(check_random_state(self.seed).randint(2**31 - 1))
        found = [
            _core.learn_mask(X.shape[1], lambda mask, want=want: _line(X @ mask, want)[2], ternary=self.ternary,
                             flips=self.flips, trials=self.trials, bias=self.bias, seed=seed + i)
            for i, want in enumerate(targets)
        ]  # fmt: skip
        self.masks_ = np.array([one.mask for one in found])
        self.losses_ = np.array([one.losses for one in found])
        lines = [_line(X @ mask, want) for mask, want in zip(self.masks_, targets)]
        self.gain_, self.offset_ = np.array([line[0] for line in lines]), np.array([line[1] for line in lines])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(samples,) or (samples, outputs)."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float64, reset=False)
        p = X @ self.masks_.T * self.gain_ + self.offset_
        return p[:, 0] if self._flat else p

    def _more_tags(self) -> dict[str, Any]:
        return {"multioutput": True, "poor_score": True}
