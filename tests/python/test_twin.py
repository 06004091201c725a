"""Twins: differentiable models of devices."""

import numpy as np
import pytest

import lightloop as ll

IDEAL = "sim:pendula,preset=ideal,input.size=5,adc.bits=16"


def test_a_twin_says_what_its_device_answers_and_how_that_changes():
    twin = ll.Twin(IDEAL)
    assert (twin.inputs, twin.outputs, twin.parameters) == (5, 5, 15)
    rng = np.random.default_rng(1)
    x = rng.integers(500, 3500, (6, 5)).astype(np.float32)
    theta = rng.integers(500, 3500, (1, 15)).astype(np.float32)
    twin.program(theta)
    y = twin.forward(x)
    with ll.open(IDEAL) as session:
        session.program(theta.astype(np.uint16).reshape(3, 5))
        assert np.abs(session.run(x.astype(np.uint16)) - y).max() <= 0.51  # rounding to a code
    g = rng.normal(size=y.shape).astype(np.float32)
    grad_x, grad_theta = twin.vjp(x, g)
    for along, grad in ((x, grad_x), (theta, grad_theta)):
        step = rng.normal(size=along.shape).astype(np.float32)
        ends = []
        for sign in (1, -1):
            moved = along + sign * step
            if along is theta:
                twin.program(moved)
            ends.append(float((g * twin.forward(x if along is theta else moved)).sum(dtype=np.float64)))
        twin.program(theta)
        assert (ends[0] - ends[1]) / 2 == pytest.approx(float((grad * step).sum()), rel=2e-2)  # float32, steps of a code


def test_the_twin_of_an_open_device_has_its_settings():
    with ll.open("sim:crossbar,input.size=3,output.size=2,session.retries=2") as device:
        device.configure({"adc.range": 5.0})
        twin = ll.Twin(device)
        named = ll.Twin(device.address.partition(",session")[0], {"adc.range": 5.0})
        codes = np.full((1, 6), 200, np.float32)
        x = np.array([[10, 70, 120]], np.float32)
        for one in (twin, named):
            one.program(codes)
        assert np.array_equal(twin.forward(x), named.forward(x))


def test_what_does_not_fit_a_twin_is_refused():
    with pytest.raises(ll.Unsupported):
        ll.Twin("sim:delay_vcsel")
    twin = ll.Twin(IDEAL)
    with pytest.raises(ll.ShapeMismatch):
        twin.vjp(np.zeros((3, 5), np.float32), np.zeros((2, 5), np.float32))
    with pytest.raises(ll.ShapeMismatch):
        twin.forward(np.zeros((3, 4), np.float32))
    with pytest.raises(ll.Unsupported, match="programme"):  # its answer is no matrix product
        ll.Layer("sim:pendula", np.eye(12, dtype=np.float32))
