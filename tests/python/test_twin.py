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


MESH = "sim:mzi_mesh,input.size=4,output.size=4,vacuum_noise=false,phase_error=0"


class Instrument(ll.Device):
    """A mesh behind a class of its own: an instrument, which brings no twin."""

    params = [ll.Param(name, value, choices=[value]) for name, value in (("mesh.layout", "clements"), ("phase.law", "linear"))] + [
        ll.Param("phase.range_rad", 2 * np.pi, min=0.0, max=7.0), ll.Param("adc.range", 1.0, min=0.01, max=100.0)]  # fmt: skip

    def __init__(self):
        s = self.settings
        self.chip = ll.open(MESH, **{"adc.range": s["adc.range"], "phase.law": s["phase.law"], "mesh.layout": s["mesh.layout"]})

    def describe(self):
        info = self.chip.info
        return {"kind": "layer", "input": (4, info.input.bits), "output": (4, info.output.bits), "deterministic": True,
                "program": (info.program.size, info.program.bits), "frame_s": 1e-6, "power_w": 1.0}  # fmt: skip

    def configure(self, changes):
        self.chip.configure({"adc.range": self.settings["adc.range"]})

    def program(self, codes):
        self.chip.program(codes)

    def run(self, frames, first_frame_id):
        return self.chip.run(frames, first_frame_id=first_frame_id)

    def close(self):
        self.chip.close()


def test_an_instrument_in_python_has_the_twin_of_another_device_string():
    w = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    way_back = {"layer.backward": "twin", "layer.devices": "one"}
    with pytest.raises(ll.Unsupported, match="layer.twin"):
        ll.deploy([(w, np.zeros(4, np.float32))], Instrument, way_back).scores(x)
    named = ll.deploy([(w, np.zeros(4, np.float32))], Instrument, {**way_back, "layer.twin": MESH})
    own = ll.deploy([(w, np.zeros(4, np.float32))], MESH + ",phase.law=linear,adc.range=1", way_back)
    assert (named.scores(x) == own.scores(x)).all()
    with pytest.raises(ll.ShapeMismatch, match="of 5 bits"):
        ll.deploy([(w, np.zeros(4, np.float32))], Instrument, {**way_back, "layer.twin": MESH + ",adc.bits=5"}).scores(x)
    with ll.open(Instrument) as session:
        twin, its = ll.Twin(session, MESH), ll.Twin(MESH + ",phase.law=linear", {"adc.range": 1.0})
        for one in (twin, its):
            one.program(np.full((1, session.info.program.size), 100, np.float32))
        assert (twin.forward(x) == its.forward(x)).all()
        with pytest.raises(ll.ShapeMismatch, match="4 codes"):
            ll.Twin(session, "sim:mzi_mesh,input.size=8,output.size=4")
