"""Sweeps of a device that stays open: order, hysteresis, drift, limits."""

import itertools

import numpy as np
import pytest

import lightloop as ll
import lightloop._sweep_work as work

xarray = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

LASER = "sim:delay_vcsel,input.size=10,feedback.delay_s=0.22 ns"
PUMP = {"device.laser.pump": [0.8, 0.9, 1.0, 1.1]}


def visits(log):
    def order(session, rng):
        log.append(session.settings["laser.pump"])
        return float(len(log))

    return order


def test_one_device_stays_open_and_is_configured():
    seen = []

    def clock(session, rng):
        seen.append(session.next_frame_id)
        session.run(np.zeros((1, 10), np.uint8))
        return session.settings["laser.pump"]

    data = ll.sweep(LASER, PUMP, clock, attached=True)
    assert seen == [0, 1, 2, 3]
    assert data["clock"].values.ravel().tolist() == PUMP["device.laser.pump"]


def test_a_random_order_is_that_of_the_seed():
    one, two, other = [], [], []
    a = ll.sweep(LASER, PUMP, visits(one), repeats=2, order="random", seed=1)
    ll.sweep(LASER, PUMP, visits(two), repeats=2, order="random", seed=1)
    ll.sweep(LASER, PUMP, visits(other), repeats=2, order="random", seed=2)
    assert one == two != other and sorted(one) == sorted(2 * PUMP["device.laser.pump"]) and one != sorted(one)
    at = {"device.laser.pump": 0.9, "repeat": 0}
    assert one[int(a["order"].sel(at)) - 1] == 0.9


def test_hysteresis_goes_up_and_comes_down():
    log = []
    data = ll.sweep(LASER, {"k": [1, 2], **PUMP}, visits(log), hysteresis="both")
    up = PUMP["device.laser.pump"]
    assert log == 2 * (up + up[::-1])
    assert data["order"].dims == ("k", "device.laser.pump", "repeat", "direction")
    assert data["direction"].values.tolist() == ["up", "down"]
    assert data["order"].sel(k=1, direction="down").values.ravel().tolist() == [8, 7, 6, 5]


def test_an_interrupted_line_is_measured_again_as_a_whole(tmp_path):
    log = []

    def fragile(session, rng):
        log.append(session.point["k"])
        if len(log) == 7:
            raise RuntimeError("the power failed")
        return float(len(log))

    options = {"hysteresis": "up", "out": tmp_path / "s.h5"}
    over = {"device.laser.alpha": [2, 3], "k": [1, 2, 3, 4]}
    with pytest.raises(RuntimeError):
        ll.sweep(LASER, over, fragile, **options)
    ll.sweep(LASER, over, fragile, **options)
    assert log == [1, 2, 3, 4, 1, 2, 3] + [1, 2, 3, 4]


def test_drift_is_seen_at_the_reference_and_taken_off(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(work, "now", lambda: float(next(clock)))
    count = itertools.count()

    def power(session, rng):
        return session.settings["laser.pump"] + 0.01 * next(count)  # a drift of 0.01 per measurement

    power.units = "W"
    data = ll.sweep(LASER, PUMP, power, reference_every=2, reference={"laser.pump": 1.0})
    raw, corrected = (data[n].values.ravel() for n in ("power", "power_corrected"))
    assert np.allclose(raw - PUMP["device.laser.pump"], [0.01, 0.02, 0.04, 0.05])
    assert np.allclose(corrected, PUMP["device.laser.pump"])
    assert np.allclose(data["power_reference"], [1.0, 1.03, 1.06]) and data["power_corrected"].attrs["units"] == "W"
    assert data["visit"].values.tolist() == [0, 3, 6] and data["elapsed"].values.ravel().tolist() == [1, 2, 4, 5]


def test_every_visit_to_the_reference_draws_the_same_mask_and_input():
    """Else their scatter would be taken off as drift."""

    def draw(session, rng):
        return rng.random()

    data = ll.sweep(LASER, PUMP, draw, reference_every=1)
    assert data["visit"].size == 5 and len(np.unique(data["draw_reference"])) == 1
    assert (data["draw_corrected"] == data["draw"]).all() and len(np.unique(data["draw"])) == 4


def fails_at(call, log):
    def fragile(session, rng):
        log.append(dict(session.point))
        if len(log) == call:
            raise RuntimeError("the power failed")
        return 1.0

    return fragile


def test_an_edited_sweep_takes_no_visits_over_from_another_reference(tmp_path):
    fragile = fails_at(4, log := [])
    options = {"reference_every": 2, "out": tmp_path / "s.h5"}
    with pytest.raises(RuntimeError):
        ll.sweep(LASER, PUMP, fragile, reference={"laser.pump": 1.0}, **options)
    data = ll.sweep(LASER, PUMP, fragile, reference={"laser.pump": 0.9}, **options)
    assert data["visit"].size == 3 and len(log) == 4 + 4 + 3


def test_a_point_reached_through_other_values_is_measured_again(tmp_path):
    fragile = fails_at(3, log := [])
    options = {"hysteresis": "up", "out": tmp_path / "s.h5"}
    with pytest.raises(RuntimeError):
        ll.sweep(LASER, {"k": [0, 1], "device.laser.pump": [0.8, 0.9]}, fragile, **options)
    ll.sweep(LASER, {"k": [0, 1], "device.laser.pump": [0.9]}, fragile, **options)
    assert len(log) == 3 + 2


def test_a_limit_on_what_no_measure_answers_is_refused_at_the_first_point():
    with pytest.raises(ll.UnknownName, match="pover.*one of power"):

        def power(session, rng):
            return 1.0

        ll.sweep(LASER, PUMP, power, abort={"pover": (0, 2)})


def test_beyond_a_limit_the_sweep_stops_and_can_go_on(tmp_path):
    def power(session, rng):
        return session.settings["laser.pump"]

    out = tmp_path / "s.h5"
    with pytest.raises(ll.Refused, match="power: 1 .limits none to 0.95"):
        ll.sweep(LASER, PUMP, power, abort={"power": (None, 0.95)}, out=out)
    assert (tmp_path / "s.h5.parts").read_bytes().count(b"power") == 2 and not out.exists()
    data = ll.sweep(LASER, PUMP, power, abort={"power": (None, 2.0)}, out=out)
    assert data["power"].size == 4
    with pytest.raises(ll.Refused, match="monitor.carriers"):
        ll.sweep(LASER, PUMP, power, abort={"monitor.carriers": (1e9, None)})
    with pytest.raises(ll.UnknownName, match="monitor.temperature"):
        ll.sweep(LASER, PUMP, power, abort={"monitor.temperature": (0, 1)})


def test_nan_is_beyond_every_limit():
    with pytest.raises(ll.Refused):
        ll.sweep(LASER, PUMP, lambda session, rng: float("nan"), abort={"<lambda>": (0, 1)})


@pytest.mark.parametrize(
    "options, match",
    [
        ({"order": "any"}, "grid or random"),
        ({"hysteresis": "sideways"}, "up, down or both"),
        ({"settle": -1.0}, "not negative"),
        ({"abort": {"power": 3}}, "lowest, highest"),
        ({"order": "random", "engine": "threads"}, "one at a time"),
        ({"order": "random", "errors": "nan"}, "errors"),
    ],
)
def test_mistakes_are_named(options, match):
    with pytest.raises(ll.InvalidParameter, match=match):
        ll.sweep(LASER, PUMP, visits([]), **options)


def test_what_needs_a_reopen_cannot_be_swept_on_an_open_device():
    with pytest.raises(ll.InvalidParameter, match="adc.bits"):
        ll.sweep(LASER, {"device.adc.bits": [6, 8]}, visits([]), order="random")
