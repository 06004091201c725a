"""Reservoirs, their measures and tasks, from Python."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

import lightloop as ll

QUIET = "sim:delay_vcsel,preset=noiseless,adc.bits=16,dac.bits=16,adc.range=0.5"


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize("estimator", [ll.ESN(units=30), ll.Reservoir(units=30, device="sim:delay_vcsel,preset=noiseless")])
def test_estimators_keep_the_rules_of_scikit_learn(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # inputs with ten features leave the drive's range at times
        check_estimator(estimator)


@pytest.mark.parametrize("estimator", [ll.ESN(units=60, bias=0.5), ll.Reservoir(units=60, device=QUIET)])
def test_a_reservoir_remembers_and_multiplies(estimator, rng):
    u = rng.uniform(-1, 1, (1200, 1))
    y = np.concatenate([[0], u[1:, 0] * u[:-1, 0]]) + 0.5 * u[:, 0]
    model = clone(estimator).set_params(warmup=50, ridge=[1e-9, 1e-7, 1e-5]).fit(u[:900], y[:900])
    p = model.predict(u[900:])
    linear = ll.metrics.nmse(y[901:], 0.5 * u[901:, 0])  # all that no memory and no product could explain
    assert ll.metrics.nmse(y[920:], p[20:]) < 0.3 * linear
    assert np.allclose(pickle.loads(pickle.dumps(model)).predict(u[900:]), p)


def test_runs_cut_in_two_are_one_run():
    model = ll.Reservoir(units=20, device=QUIET)
    u = np.sin(np.arange(40.0))
    whole = model.run(u)
    assert np.array_equal(np.concatenate([model.run(u[:15]), model.run(u[15:], reset=False)]), whole)
    assert whole.shape == (40, 20)


def test_repeats_share_the_drive_and_not_the_noise():
    model = ll.Reservoir(units=20, warmup=10)
    states = model.responses(np.sin(np.arange(60.0)), repeats=3)
    assert states.shape == (3, 50, 20)
    assert not np.array_equal(states[0], states[1])
    assert 0.5 < ll.metrics.consistency(states) < 1


def test_a_mask_longer_than_the_delay_is_refused():
    with pytest.raises(ll.InvalidParameter, match="mask longer than the delay"):
        ll.Reservoir(units=100, device="sim:delay_vcsel,feedback.delay_s=1 ns").run(np.zeros(3))


def test_clipped_drive_is_warned_of():
    with pytest.warns(RuntimeWarning, match="drive codes were clipped"):
        ll.Reservoir(units=20, input_scaling=3.0).run(np.sin(np.arange(50.0)))


def test_measures_are_floats_that_say_their_convention(rng):
    x = rng.normal(size=(2, 500, 5))
    x[1] = x[0]
    theta = ll.metrics.consistency_capacity(x)
    assert isinstance(theta, float) and theta == pytest.approx(5)
    assert "Theta" in repr(theta) and theta.detail["spectrum"].shape == (5,)
    assert pickle.loads(pickle.dumps(theta)).convention == theta.convention
    assert f"{theta:.1f}" == "5.0"
    u = rng.uniform(-1, 1, 3000)
    line = np.stack([np.roll(u, k) for k in range(1, 9)], axis=1)
    assert ll.metrics.memory_capacity(line[20:], u[20:]) == pytest.approx(8, abs=0.05)
    with pytest.raises(ll.ShapeMismatch):
        ll.metrics.consistency(x[0])


@pytest.mark.parametrize(
    "measure",
    [ll.metrics.consistency, ll.metrics.consistency_capacity, ll.metrics.dimensionality, ll.metrics.memory_capacity,
     ll.metrics.kernel_rank, ll.metrics.generalisation_rank],
)  # fmt: skip
def test_a_measure_drives_a_device_by_itself(measure):
    with ll.open("sim:delay_vcsel", {"input.size": 20}) as device:
        value = measure(device, np.random.default_rng(1))
        assert np.isfinite(value) and 0 < value <= 20
    with ll.open("sim:delay_vcsel", {"input.size": 20}) as device:
        assert measure(device, np.random.default_rng(1)) == value


def test_tasks_carry_conventions_and_baselines():
    assert {"narma10", "santa_fe", "lorenz63", "xor", "channel"} <= set(ll.tasks.names())
    task = ll.tasks.narma10(train=2000, test=500, seed=3)
    score = ll.tasks.evaluate(task, ll.ESN(units=100, bias=0.5, sr=0.8, input_scaling=0.1))
    assert score < score.baseline < 1
    assert "linear baseline" in repr(score) and "u ~ U(0, 0.5)" in repr(score)
    with pytest.raises(ll.UnknownName):
        ll.tasks.make("narma")
    with pytest.raises(AttributeError, match="narma10"):
        ll.tasks.narma


def test_a_closed_loop_of_a_device_is_one_input_per_frame():
    series = np.sin(0.2 * np.arange(700))[:, None]
    bound = ll.Reservoir(units=40, device=QUIET).bound_to(series)
    readout = ll.tasks.train_closed_loop(bound, series[:600], washout=100, ridge=1e-7)
    run = ll.tasks.free_run(bound, readout, series[:600], 20)
    assert ll.metrics.valid_prediction_time(series[600:620], run) > 5
