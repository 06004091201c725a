"""A scikit-learn transformer that computes random features on an optical processing unit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import _core
from ._encoding import levels
from ._settings import flatten
from .errors import InvalidParameter
from .session import open_sized


@lru_cache(maxsize=64)
def _is_noisy(address: str) -> bool:
    with open_sized(address, {}, 1, 1) as device:
        return not device.info.deterministic


class OPU(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Random features |Hx|^2 of an optical processing unit, with H complex Gaussian, E|H|^2 = 1.

    A mirror is on or off, so numbers are encoded first, feature by feature, on the range seen by `fit`:
    "threshold" turns one mirror on above the middle of the range; "thermometer:N" gives a feature N mirrors, the k-th on
    above (k - 1/2)/N of the range, so that nearby values share most of their mirrors. A sample costs one frame either way.

    Parameters
    ----------
    n_components : number of features to make (camera pixels).
    device : device string, "sim:opu,preset=ideal" or "lab.toml"; opened by `fit` with fitting sizes.
    random_state : int, RandomState or None; becomes the device's `seed` unless the string says one.
    encoding : "threshold" or "thermometer:N".
    linear_encoding : how `linear_transform` encodes; "bitplanes:N", "ternary" or "threshold" (see projection_params()).
    projection : further settings of the projection, {"readout": "phase4"}.

    Attributes
    ----------
    device_ : the open Session.
    low_, high_ : (n_features,) range of each feature in `fit`.
    """

    def __init__(
        self,
        n_components: int = 100,
        *,
        device: str = "sim:opu",
        random_state: Any = 0,
        encoding: str = "thermometer:4",
        linear_encoding: str = "bitplanes:6",
        projection: Mapping[str, Any] | None = None,
    ) -> None:
        self.n_components = n_components
        self.device = device
        self.random_state = random_state
        self.encoding = encoding
        self.linear_encoding = linear_encoding
        self.projection = projection

    def fit(self, X: Any, y: Any = None) -> OPU:
        """Learns the range of each feature, opens the device and calibrates it."""
        X = self._validate_data(X, dtype=[np.float64, np.float32])
        if self.n_components < 1:
            raise InvalidParameter("n_components", str(self.n_components), "at least 1")
        self._levels = levels(self.encoding)
        self.low_, self.high_ = X.min(axis=0), X.max(axis=0)
        # exposure is set for the fullest pattern seen here
        self._fill = float(np.clip(self._encode(X).mean(axis=1).max(), 0.01, 1))
        self._linear_fill = float(np.clip(np.maximum((X > 0).mean(axis=1), (X < 0).mean(axis=1)).max(), 0.01, 1))
        self._n_features_out = int(self.n_components)
        self._seed = self._device_seed()
        self._open()
        self._intensity.calibrate()
        return self

    def transform(self, X: Any) -> np.ndarray:
        """|Hx|^2 of the encoded samples: (n_samples, n_components), float32."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=[np.float64, np.float32], reset=False)
        self._open()
        return self._intensity.intensity(self._encode(X))

    def linear_transform(self, X: Any) -> np.ndarray:
        """B x with B real Gaussian, E[B^2] = 1: (n_samples, n_components), float32; costs several frames per sample."""
        check_is_fitted(self)
        X = self._validate_data(X, dtype=np.float32, order="C", reset=False)
        self._open()
        if self._linear is None:
            self._linear = _core.Projection(self.device_, X.shape[1], self._n_features_out, self._linear_settings())
        return self._linear.linear(X)

    def _encode(self, X: np.ndarray) -> np.ndarray:
        steps = (np.arange(self._levels) + 0.5) / self._levels
        borders = self.low_[:, None] + steps * (self.high_ - self.low_)[:, None]
        return (X[:, :, None] > borders).reshape(len(X), -1).astype(np.float32)

    def _device_seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _linear_settings(self) -> dict[str, Any]:
        return {"encoding": self.linear_encoding, "fill": self._linear_fill, **flatten(self.projection or {})}

    def _open(self) -> None:
        """Opens the device unless it is open; a pickled transformer does so again, in the state it was pickled in."""
        opened_for = (self.device, self._seed, self.n_features_in_, self._n_features_out, self._levels, self._fill)
        if getattr(self, "_opened_for", None) == opened_for:
            return
        n_in = self.n_features_in_ * self._levels
        linear = _core.projection_sizes(self._linear_settings(), self.n_features_in_, self._n_features_out)
        extra = {} if "seed" in _core.parse_address(self.device)[2] else {"seed": self._seed}
        self.device_ = open_sized(self.device, extra, max(n_in, linear[0]), max(self._n_features_out, linear[1]))
        self._intensity = _core.Projection(
            self.device_, n_in, self._n_features_out, {"readout": "intensity", "fill": self._fill}
        )
        self._linear = None
        self._opened_for = opened_for
        states = self.__dict__.pop("_states", None)
        if states is not None:
            self.device_.restore(states["device"])
            self._intensity.restore(states["intensity"])
            if states["linear"] is not None:
                self._linear = _core.Projection(
                    self.device_, self.n_features_in_, self._n_features_out, self._linear_settings()
                )
                self._linear.restore(states["linear"])

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if state.pop("_opened_for", None) is not None:
            linear = state.pop("_linear")
            state["_states"] = {
                "device": state.pop("device_").snapshot(),
                "intensity": state.pop("_intensity").snapshot(),
                "linear": None if linear is None else linear.snapshot(),
            }
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "low_")

    def _more_tags(self) -> dict[str, Any]:
        return {"preserves_dtype": [np.float32], "non_deterministic": _is_noisy(self.device)}
