"""Measures of reservoirs. Each answer is a float that carries its convention: print it.

States are (time, nodes); where repeats count they are (repeats, time, nodes): the same input shown several times. Measures of
a device alone (`consistency`, `dimensionality`, `memory_capacity`, ...) also take an open Session in place of states, and
then drive it themselves; that form, `measure(session, rng)`, is what `ll.sweep` calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _core
from .errors import ShapeMismatch

__all__ = [
    "Metric",
    "conditional_lyapunov",
    "consistency",
    "consistency_capacity",
    "dimensionality",
    "generalisation_rank",
    "information_processing_capacity",
    "kernel_rank",
    "largest_lyapunov",
    "memory_capacity",
    "nmse",
    "nrmse",
    "power_spectrum_distance",
    "responses",
    "separability",
    "series_lyapunov",
    "state_space_divergence",
    "symbol_error_rate",
    "valid_prediction_time",
]


class Metric(float):
    """A number with `name`, `convention` (one line) and `detail` (arrays by name)."""

    name: str
    convention: str
    detail: dict[str, np.ndarray]

    def __new__(cls, value: float, name: str = "", convention: str = "", detail: dict[str, Any] | None = None) -> Metric:
        made = super().__new__(cls, value)
        made.name, made.convention, made.detail = name, convention, dict(detail or {})
        return made

    def __repr__(self) -> str:
        return f"{self.name} = {float(self):.6g}  [{self.convention}]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(float(self), spec)

    def __reduce__(self) -> Any:
        return Metric, (float(self), self.name, self.convention, self.detail)


def _wrap(found: _core.Metric) -> Metric:
    return Metric(found.value, found.name, found.convention, found.detail)


def draw_from(rng: np.random.Generator) -> Callable[[int], np.ndarray]:
    """What the measures of an open device take their mask and their input from."""
    return lambda count: rng.uniform(-1, 1, count)


def responses(
    session: _core.Session, rng: np.random.Generator, *, repeats: int = 4, length: int = 1000, washout: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Drives a device of kind reservoir with one random input: (input (length,), states (repeats, length, nodes)).

    Input uniform on [-1, 1], random mask over the whole frame, one node per drive sample; the device is reset before each
    repeat and its noise is fresh. Mask and input are drawn from `rng`.
    """
    return _core.responses(session, draw_from(rng), repeats, length, washout)


def _on_device(name: str, session: _core.Session, rng: np.random.Generator, settings: dict[str, Any]) -> Metric:
    """The measure of that name as sweep files know it: it drives the device itself."""
    plain = {k: ",".join(map(str, v)) if isinstance(v, (list, tuple)) else v for k, v in settings.items()}
    return _wrap(_core.measure(name, session, draw_from(rng), plain))


def _repeated(states: Any, drive: dict[str, Any]) -> np.ndarray:
    if drive:
        raise TypeError(f"{', '.join(drive)}: only with a Session")
    return np.asarray(states, np.float64)


def _driven(states: Any, u: Any, drive: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    if u is None:
        raise ShapeMismatch("u", "None", "the input of the states, (time,)")
    return _repeated(states, drive), np.asarray(u, np.float64)


def consistency(states: Any, rng: Any = None, **drive: Any) -> Metric:
    """Correlation of the responses of two presentations of one input, mean over pairs and nodes. Nearly blind to noise
    that already spoils a computation; look at `consistency_capacity`.

    states : (repeats, time, nodes), or a Session (then `rng`, and `repeats`, `length`, `washout` of `responses`).
    """
    if isinstance(states, _core.Session):
        return _on_device("consistency", states, rng, drive)
    return _wrap(_core.consistency(_repeated(states, drive)))


def consistency_capacity(states: Any, rng: Any = None, *, noise_variance: float = 0.0, **drive: Any) -> Metric:
    """Theta, the number of consistent directions: 0 to nodes. Arguments as `consistency`."""
    if isinstance(states, _core.Session):
        return _on_device("consistency_capacity", states, rng, {"noise_variance": noise_variance, **drive})
    return _wrap(_core.consistency_capacity(_repeated(states, drive), noise_variance))


def dimensionality(states: Any, rng: Any = None, *, ratio: float = 2.0, **drive: Any) -> Metric:
    """Directions of the mean response that stand above its noise. Arguments as `consistency`."""
    if isinstance(states, _core.Session):
        return _on_device("dimensionality", states, rng, {"ratio": ratio, **drive})
    return _wrap(_core.dimensionality(_repeated(states, drive), ratio))


def separability(states: Any, labels: Any) -> Metric:
    """Distance of class means over the noise within classes; `detail["accuracy"]` of a linear read-out with the last
    repeat held out. states (repeats, samples, nodes) or (samples, nodes), labels (samples,).
    """
    states = np.asarray(states, np.float64)
    return _wrap(_core.separability(states[None] if states.ndim == 2 else states, np.asarray(labels)))


def memory_capacity(states: Any, u: Any = None, *, first_delay: int = 1, last_delay: int = 0,
                    train_fraction: float = 0.5, ridge: float = 1e-9, **drive: Any) -> Metric:  # fmt: skip
    """Sum over delays of how well the input of that long ago can be read from the state; `detail["profile"]`.

    states (time, nodes) and the input u (time,) of the same rows; or a Session and a numpy Generator.
    """
    settings = {"first_delay": first_delay, "last_delay": last_delay, "train_fraction": train_fraction, "ridge": ridge}
    if isinstance(states, _core.Session):
        return _on_device("memory_capacity", states, u, {**settings, **drive})
    states, u = _driven(states, u, drive)
    return _wrap(_core.memory_capacity(states, u, **settings))


def information_processing_capacity(states: Any, u: Any = None, *, delays: Sequence[int] = (100, 50, 15, 8, 6),
                                    significance: float = 1e-4, tolerance: float = 1e-8, **drive: Any) -> Metric:  # fmt: skip
    """Thresholded information-processing capacity for input uniform on [-1, 1]; `detail` holds the profile over degree
    and delay, rank, threshold, the unthresholded sum and its bias. Arguments as `memory_capacity`; `delays[d - 1]` is the
    window of products of degree d.
    """
    settings = {"delays": list(delays), "significance": significance, "tolerance": tolerance}
    if isinstance(states, _core.Session):
        return _on_device("information_processing_capacity", states, u, {**settings, **drive})
    states, u = _driven(states, u, drive)
    return _wrap(_core.information_processing_capacity(states, u, **settings))


def kernel_rank(states: Any, rng: Any = None, *, threshold: float = 1e-3, streams: int = 0, length: int = 50) -> Metric:
    """Rank of the last states (streams, nodes) of streams that differ everywhere; or a Session and a numpy Generator,
    then `streams` (0: as many as nodes) of `length` inputs are shown.
    """
    if isinstance(states, _core.Session):
        return _on_device("kernel_rank", states, rng, {"threshold": threshold, "streams": streams, "length": length})
    return _wrap(_core.kernel_rank(np.asarray(states, np.float64), threshold))


def generalisation_rank(states: Any, rng: Any = None, *, threshold: float = 1e-3, streams: int = 0, length: int = 50,
                        common: int = 10) -> Metric:  # fmt: skip
    """The same for streams whose last `common` inputs are equal: what a reservoir should not tell apart."""
    if isinstance(states, _core.Session):
        settings = {"threshold": threshold, "streams": streams, "length": length, "common": common}
        return _on_device("generalisation_rank", states, rng, settings)
    return _wrap(_core.generalisation_rank(np.asarray(states, np.float64), threshold))


def largest_lyapunov(flow: Callable[[np.ndarray, int], Any], state: Any, *, step: float = 1.0, transient: int = 1000,
                     steps: int = 10000, every: int = 10, distance: float = 1e-8) -> Metric:  # fmt: skip
    """Largest exponent of flow(state, n) -> next state, by two copies; conditional where the flow is driven by n."""
    return _wrap(_core.largest_lyapunov(flow, np.ravel(state).tolist(), step=step, transient=transient, steps=steps,
                                        every=every, distance=distance))  # fmt: skip


def conditional_lyapunov(first: Any, second: Any, *, step: float = 1.0, floor: float = 1e-3) -> Metric:
    """Rate at which two responses (time, nodes) to one input, from different initial states, come together."""
    return _wrap(_core.conditional_lyapunov(first, second, step, floor))


def series_lyapunov(series: Any, *, step: float = 1.0, theiler: int = 10, fit: int = 10) -> Metric:
    """Largest exponent of a recorded series (time, dimensions), coarse: compare with that of the true series."""
    return _wrap(_core.series_lyapunov(series, step, theiler, fit))


def nmse(target: Any, prediction: Any) -> Metric:
    """Mean square error over the variance of the target."""
    return _wrap(_core.nmse(target, prediction))


def nrmse(target: Any, prediction: Any) -> Metric:
    """Root mean square error over the standard deviation of the target (not its variance, not its range)."""
    return _wrap(_core.nrmse(target, prediction))


def symbol_error_rate(target: Any, prediction: Any, alphabet: Sequence[float] = ()) -> Metric:
    """Fraction of wrong decisions: nearest symbol of `alphabet`, or the largest of several outputs."""
    return _wrap(_core.symbol_error_rate(target, prediction, list(alphabet)))


def valid_prediction_time(truth: Any, prediction: Any, *, step: float = 1.0, exponent: float = 0.0,
                          threshold: float = 0.4) -> Metric:  # fmt: skip
    """How long a free run follows the truth; in Lyapunov times where `exponent` is given."""
    return _wrap(_core.valid_prediction_time(truth, prediction, step=step, exponent=exponent, threshold=threshold))


def state_space_divergence(truth: Any, generated: Any, bins: int = 30) -> Metric:
    """Kullback-Leibler divergence of the states visited."""
    return _wrap(_core.state_space_divergence(truth, generated, bins))


def power_spectrum_distance(truth: Any, generated: Any, smoothing: float = 20.0) -> Metric:
    """Hellinger distance of smoothed power spectra, 0 to 1."""
    return _wrap(_core.power_spectrum_distance(truth, generated, smoothing))
