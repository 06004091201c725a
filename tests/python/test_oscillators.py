"""The networks of coupled oscillators in examples/papers, a device with a twin: its gradient, and the contract."""

import importlib.util
import pathlib

import numpy as np
import pytest

import lightloop as ll
from lightloop.device import address_of

FILE = pathlib.Path(__file__).parents[2] / "examples" / "papers" / "coupled_oscillators" / "oscillators.py"
spec = importlib.util.spec_from_file_location("oscillators", FILE)
oscillators = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oscillators)
SMALL = {"networks": 2, "size": 5}
PERFECT = {"detuning": 0.0, "coupling_error_s2": 0.0, "input_noise_rad": 0.0}


def codes(seed, *shape):
    return np.rint(oscillators.MIDDLE * (1 + np.random.default_rng(seed).uniform(-0.5, 0.5, shape))).astype(np.float32)


def test_without_its_errors_the_apparatus_is_its_twin_and_the_gradient_is_that_of_differences():
    x, theta, g = codes(1, 3, 10), codes(2, 1, 30), np.random.default_rng(3).normal(size=(3, 10)).astype(np.float32)
    with ll.open(oscillators.Oscillators, **SMALL, **PERFECT) as device:
        twin = ll.Twin(device)
        twin.program(theta)
        device.program(theta.reshape(2, 15).astype(np.uint16))
        answer = device.run(x.astype(np.uint16).reshape(3, 2, 5)).reshape(3, 10)
        assert np.abs(answer - twin.forward(x)).max() < 0.6
    by_x, by_theta = twin.vjp(x, g)

    def loss(x, theta):
        twin.program(theta)
        return float((g.astype(float) * twin.forward(x)).sum())

    for at, slopes, f in ((x, by_x, lambda a: loss(a, theta)), (theta, by_theta, lambda a: loss(x, a))):
        for place in np.ndindex(at.shape):
            up, down = at.copy(), at.copy()
            up[place] += 2000
            down[place] -= 2000
            assert slopes[place] == pytest.approx((f(up) - f(down)) / 4000, abs=2e-3 * np.abs(slopes).max())


def test_a_pair_exchanges_its_swings_and_the_middle_of_both_is_free_of_the_coupling():
    """J (sin q_2 - sin q_1) pulls both by the opposite: from opposite angles they stay opposite, from equal ones they never feel it."""
    settings = {"networks": 1, "size": 2, **PERFECT}
    with ll.open(oscillators.Oscillators, **settings) as device:
        middle = oscillators.MIDDLE
        device.program(np.array([[60000, middle, middle]], np.uint16))
        coupled = device.run(np.array([[[middle + 9000, middle + 9000]], [[middle + 9000, middle - 9000]]], np.uint16)).astype(int)
        device.program(np.array([[middle, middle, middle]], np.uint16))
        free = device.run(np.array([[[middle + 9000, middle + 9000]]], np.uint16)).astype(int)
    assert np.array_equal(coupled[0], free[0])
    assert abs(coupled[1].sum() - 2 * middle) <= 1 and coupled[1, 0, 0] < coupled[0, 0, 0]


def test_it_keeps_the_contract():
    assert [claim for claim in ll.check(address_of(oscillators.Oscillators), SMALL) if claim[1] == "failed"] == []
