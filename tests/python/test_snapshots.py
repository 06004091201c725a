"""Snapshots of programmable devices hold what was programmed; what does not fit is refused."""

import subprocess
import sys

import numpy as np
import pytest

import lightloop as ll

SMALL = ",input.size=6,output.size=5"
DEVICES = [
    "sim:crossbar,preset=pcm" + SMALL,
    "sim:crossbar,preset=reram" + SMALL,
    "sim:crossbar,cell.kind=soft_bounds" + SMALL,
    "sim:mzi_mesh" + SMALL,
    "sim:ring_bank" + SMALL,
    "sim:tt_rfnn" + SMALL,
    "sim:homodyne" + SMALL,
    "sim:pendula",
]


def programme(session, seed):
    shape = session.info.program
    codes = np.random.default_rng(seed).integers(0, 2**shape.bits, shape.shape)
    return codes.astype(np.uint8 if shape.bits <= 8 else np.uint16)


@pytest.mark.parametrize("device", DEVICES)
def test_a_snapshot_brings_the_programme_back_here_and_in_a_fresh_session(device):
    with ll.open(device) as session:
        rng = np.random.default_rng(3)
        x = rng.integers(0, 2**session.info.input.bits, (4, session.info.input.size)).astype(
            np.uint8 if session.info.input.bits <= 8 else np.uint16
        )
        session.program(programme(session, 1))
        state = session.snapshot()
        before = session.run(x)
        session.program(programme(session, 2))
        assert not np.array_equal(session.run(x), before)
        session.restore(state)
        assert np.array_equal(session.run(x), before)
    with ll.open(device) as session:
        session.restore(state)
        assert np.array_equal(session.run(x), before)


def test_the_clock_that_was_restored_is_shown_and_does_not_go_back():
    for device in ("sim:crossbar,preset=pcm" + SMALL, "sim:ring_bank" + SMALL):
        with ll.open(device) as session:
            state = session.snapshot()
            session.configure(clock_s="1 d")
            with pytest.raises(ll.OutOfRange, match=r"clock_s: 3600 s .*86400 s.*restore"):
                session.configure(clock_s="1 h")
            session.restore(state)
            assert session.get_settings()["clock_s"] == 0
            session.configure(clock_s="1 h")


def test_a_refused_time_is_told_in_all_its_digits():
    with ll.open("sim:crossbar,preset=pcm" + SMALL) as session:
        session.configure(clock_s=1000.001)
        with pytest.raises(ll.OutOfRange, match=r"clock_s: 1000\.0001 s .*present time, 1000\.001 s"):
            session.configure(clock_s=1000.0001)


def test_a_damaged_snapshot_is_refused_by_name():
    with ll.open("sim:crossbar,preset=pcm" + SMALL) as session:
        state = session.snapshot()
        for at in range(0, len(state), 7):
            with pytest.raises(ll.InvalidParameter, match="snapshot"):
                session.restore(state[:at] + bytes([state[at] ^ 0xFF]) + state[at + 1 :])
        earlier = b"\x03" + state[1:-64]  # without a digest; its texts may be anything
        session.restore(earlier)
        name = earlier.index(b"cell.kind")
        with pytest.raises(ll.InvalidParameter, match="snapshot"):
            session.restore(earlier[:name] + b"\x9c" + earlier[name + 1 :])


def test_a_reopened_device_has_the_clock_that_was_set():
    with ll.open("sim:crossbar,preset=pcm" + SMALL) as session:
        session.program(programme(session, 1))
        session.configure(clock_s="1 d")
        session.reopen()
        assert session.get_settings()["clock_s"] == 86400
        assert session.monitors()["clock"] == (86400, "s")


def test_a_layer_takes_no_calibration_of_other_weights_and_keeps_its_own_when_told():
    rng = np.random.default_rng(1)
    w, other = (rng.uniform(-1, 1, (5, 6)).astype(np.float32) for _ in range(2))
    x = rng.uniform(-1, 1, (50, 6)).astype(np.float32)
    with ll.Layer("sim:mzi_mesh", w) as layer:
        layer.calibrate()
        state, device = layer.snapshot(), layer.device.snapshot()
        before = layer(x)
        layer.program(other)
        with pytest.raises(ll.InvalidParameter, match="other weights"):
            layer.restore(state)
        layer.program(w)
        assert not layer.calibration.done
        layer.device.restore(device)
        layer.restore(state)
        assert np.array_equal(layer(x), before)
        gain = layer.calibration.gain
        layer.program(other, keep_calibration=True)
        assert layer.calibration.done and layer.calibration.gain == gain
        error = layer(x) - x @ other.T
        assert np.linalg.norm(error) < 0.1 * np.linalg.norm(x @ other.T)


@pytest.mark.parametrize(
    "device, words",
    [
        ("sim:crossbar,preset=pcm,input.size=16384,output.size=16384", "crossbar cells"),
        ("sim:tt_rfnn,input.size=4096,output.size=4096,tt.cores=1", "channels of core 1 of 1: 4096"),
        ("sim:tt_rfnn,input.size=4096,output.size=4096,tt.cores=2,tt.rank=256", "channels of core 1 of 2: 16384"),
    ],
)
def test_what_is_larger_than_memory_is_refused_before_it_is_made(device, words):
    limited = "import resource, lightloop as ll; resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
    told = subprocess.run(
        [sys.executable, "-c", limited + f"try: ll.open({device!r})\nexcept ll.OutOfRange as e: print(e)"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert words in told.stdout, told
    assert "at most" in told.stdout or "GiB of memory" in told.stdout
