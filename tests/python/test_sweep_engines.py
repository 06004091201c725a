"""Sweeps: the same bits one by one, side by side, in threads and by dask; breakdowns; named dimensions; the command."""

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll

xarray = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

LASER = "sim:delay_vcsel,input.size=10,feedback.delay_s=0.22 ns"
MAP = {"device.laser.bias[mA]": [4.5, 5.0, 5.5], "device.injection.detuning[GHz]": [-10.0, 0.0, 10.0]}


def answer(session, rng):
    drive = rng.integers(0, 256, (6, session.info.input.size), dtype=np.uint8)
    first = session.run(drive)
    session.reset()
    second = session.run(drive[:3])
    return {"first": first, "second": second, "power": first.mean(), "bits": session.info.output.bits}


def response(session, rng):
    return answer(session, rng)


def same(a, b):
    xarray.testing.assert_identical(a.assign_attrs(created=""), b.assign_attrs(created=""))


def test_an_ensemble_and_threads_give_the_bits_of_one_device_after_the_other():
    opened = []

    def response(session, rng):
        opened.append(session.address)
        return answer(session, rng)

    alone = ll.sweep(LASER, MAP, response, repeats=2, seed=3, engine="alone")
    assert set(opened) == {LASER}
    opened.clear()
    together = ll.sweep(LASER, MAP, response, repeats=2, seed=3)
    assert sorted(opened) == sorted(2 * [f"member {m}" for m in range(9)])
    same(alone, together)
    same(alone, ll.sweep(LASER, MAP, response, repeats=2, seed=3, engine="threads"))
    assert len(np.unique(alone["response.power"])) == 18


def test_measures_that_do_different_things_are_measured_alone():
    def fickle(session, rng):
        return session.run(np.zeros((int(rng.integers(1, 9)), 10), np.uint8)).mean()

    same(ll.sweep(LASER, MAP, fickle), ll.sweep(LASER, MAP, fickle, engine="alone"))


def test_monitors_in_a_measure_are_those_of_its_own_device():
    def intensity(session, rng):
        session.run(np.zeros((2, 10), np.uint8))
        return session.monitors()["intensity"][0]

    same(ll.sweep(LASER, MAP, intensity), ll.sweep(LASER, MAP, intensity, engine="alone"))


def test_axes_that_need_a_reopen_are_split_into_batches():
    over = {"device.injection.detuning[GHz]": [0, 5], "device.adc.bits": [6, 8], "device.laser.pump": [0.9, 1.0]}
    one = ll.sweep(LASER, over, response)
    same(one, ll.sweep(LASER, over, response, engine="alone"))
    assert (one["response.bits"].sel({"device.adc.bits": 6}) == 6).all()


def test_wavelength_and_detuning_are_two_words_for_one_thing():
    def codes(session, rng):
        return session.run(np.full((4, 10), 200, np.uint8))

    c, own = 299792458.0, 980e-9
    by_length = ll.sweep(LASER, {"device.injection.wavelength[nm]": [980.01, 979.99]}, codes, engine="alone")
    hz = [c / (nm * 1e-9) - c / own for nm in (980.01, 979.99)]
    by_detuning = ll.sweep(LASER, {"device.injection.detuning[Hz]": hz}, codes, engine="alone")
    assert by_length["device.injection.wavelength"].attrs["units"] == "nm"
    # the two ways round differently in the last bits of a frequency; a code may flip by one
    assert np.abs(by_length["codes"].values.astype(int) - by_detuning["codes"].values.astype(int)).max() <= 1


def test_a_point_that_breaks_down_is_named_and_the_others_go_on():
    device = "sim:delay_vcsel,input.size=10,feedback.delay_s=0.3 ns,step_s=10 ps"
    over = {"device.injection.rate_per_s": [20e9, 1e12, 30e9]}
    with pytest.raises(ll.OutOfRange, match="diverged"):
        ll.sweep(device, over, response)
    data = ll.sweep(device, over, response, errors="nan")
    assert np.isnan(data["response.power"].values.ravel()).tolist() == [False, True, False]
    ((where, why),) = json.loads(data.attrs["failures"]).items()
    assert "rate_per_s=1000000000000.0" in where and "diverged" in why and "step_s = 1e-11" in why
    same(data, ll.sweep(device, over, response, errors="nan", engine="alone"))


@pytest.mark.parametrize(
    "device, over",
    [
        (LASER + ",injection.detuning_hz=100 GHz", {"device.step_s[ps]": [10, 0.5], "device.laser.pump": [0.9, 1.0]}),
        ("sim:opu,output.size=8", {"device.input.size": [2000000, 16]}),
    ],
)
def test_the_first_point_may_be_the_one_whose_device_does_not_open(device, over):
    def power(session, rng):
        return session.run(np.ones((2, session.info.input.size), np.uint8)).mean()

    with pytest.raises(ll.OutOfRange):
        ll.sweep(device, over, power)
    data = ll.sweep(device, over, power, errors="nan")
    good = ~np.isnan(data["power"].values.reshape(2, -1))
    assert not good[0].any() and good[1].all() and len(json.loads(data.attrs["failures"])) == good[0].size
    assert data.attrs["device_model"]
    same(data, ll.sweep(device, over, power, errors="nan", engine="alone"))


def test_a_measure_may_name_its_dimensions():
    def spectrum(session, rng):
        return xarray.DataArray(np.arange(3.0), dims="line", coords={"line": [1, 2, 3]}, attrs={"units": "W"})

    def noise(session, rng):
        return np.zeros(4)

    noise.dims, noise.units = ("node",), "V"
    data = ll.sweep(LASER, {"k": [1, 2]}, [spectrum, noise])
    assert data["spectrum"].dims == ("k", "repeat", "line") and data["spectrum"].attrs["units"] == "W"
    assert data["line"].values.tolist() == [1, 2, 3]
    assert data["noise"].dims == ("k", "repeat", "node") and data["noise"].attrs["units"] == "V"


def test_provenance_says_device_settings_and_versions():
    data = ll.sweep(LASER, MAP, response, seed=4)
    settings = json.loads(data.attrs["settings"])
    assert settings["input.size"] == 10 and "laser.bias_a" not in settings
    assert data.attrs["device"] == LASER and data.attrs["seed"] == 4 and data.attrs["created"].startswith("20")
    assert data.attrs["device_model"] == "sim:delay_vcsel" and ll.__version__ in data.attrs["creator"]


@pytest.mark.parametrize(
    "over, match",
    [
        ({"device.injection.detunning[GHz]": [1]}, "Did you mean device.injection.detuning_hz"),
        ({"device.bits": [4]}, "several settings end so.*device.dac.bits or device.adc.bits"),
        ({"device.injection.detuning[kg]": [1]}, "kg"),
        ({"device.laser.pump": [1, 1e9]}, "0 to 100"),
        ({"device.drive.kind": ["light"]}, "injection, current"),
        ({}, "at least one axis"),
    ],
)
def test_what_the_device_does_not_know_is_refused_before_anything_runs(over, match):
    calls = []

    def counted(session, rng):
        calls.append(1)
        return 0

    with pytest.raises(ll.InvalidParameter, match=match):
        ll.sweep(LASER, over, counted)
    assert not calls


def test_another_shape_is_refused_at_once_and_named():
    calls = []

    def growing(session, rng):
        calls.append(1)
        return np.zeros(session.point["k"])

    with pytest.raises(ll.ShapeMismatch, match=r"growing: \(2,\) \(\(1,\) elsewhere\).*k=2"):
        ll.sweep(LASER, {"k": [1, 2, 3, 4]}, growing, engine="alone")
    assert len(calls) == 2


@pytest.mark.slow
def test_a_dask_worker_that_dies_changes_nothing(tmp_path):
    distributed = pytest.importorskip("distributed")

    def deadly(session, rng):
        mark = tmp_path / "died"
        if session.point["k"] == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"codes": session.run(np.zeros((2, 10), np.uint8)), "draw": rng.random()}

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster, distributed.Client(cluster) as client:
        data = ll.sweep(LASER, {"k": list(range(6))}, deadly, seed=1, engine=client)
    assert (tmp_path / "died").exists()
    same(data, ll.sweep(LASER, {"k": list(range(6))}, deadly, seed=1, engine="alone"))


MEASURE = '''
import numpy as np
def power(session, rng, frames=2):
    return session.run(np.zeros((frames, session.info.input.size), np.uint8)).mean()
power.units = "mW"
'''
TOML = '''
device = "sim:delay_vcsel,input.size=10"
repeats = 2
measure = ["power.py:power"]
[settings]
feedback.delay = "0.22 ns"
[over]
"device.laser.bias[mA]" = { from = 4.5, to = 5.5, points = 3 }
"device.injection.detuning[GHz]" = [-10, -5, 0, 5, 10]
'''


def test_a_toml_file_asks_for_the_same(tmp_path, capsys):
    from lightloop._sweep_file import main

    (tmp_path / "power.py").write_text(MEASURE)
    (tmp_path / "map.toml").write_text(TOML.replace("feedback.delay ", "feedback.delay_s "))
    assert main([str(tmp_path / "map.toml"), "-o", str(tmp_path / "map.h5"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["resumed"] == 0 and told["measures"]["power"]["shape"] == [3, 5, 2] and told["measures"]["power"]["units"] == "mW"
    pytest.importorskip("matplotlib")
    figure = ll.plot(tmp_path / "map.h5", tmp_path / "map.png")
    assert figure.axes[0].get_xlabel() == "laser.bias (mA)" and figure.axes[0].get_ylabel() == "injection.detuning (GHz)"
    assert figure.axes[1].get_ylabel() == "power (mW)" and (tmp_path / "map.png").stat().st_size > 4000


@pytest.mark.parametrize(
    "change, match",
    [
        (("repeats = 2", "repeets = 2"), "Did you mean repeats"),
        (("power.py:power", "power.py:energy"), "energy"),
        (("power.py:power", "nothing"), "nothing"),
        (("power.py:power", "nrmse"), "kernel_rank"),  # of lightloop.metrics, but it measures no device
        (("points = 3", "points = 3, steps = 2"), "from = 1"),
        (('device = "sim:delay_vcsel,input.size=10"', ""), "no device"),
        (("[over]", "[over"), "map.toml:"),
    ],
)
def test_mistakes_in_the_file_are_one_line(tmp_path, capsys, change, match):
    from lightloop._sweep_file import main

    (tmp_path / "power.py").write_text(MEASURE)
    (tmp_path / "map.toml").write_text(TOML.replace("feedback.delay ", "feedback.delay_s ").replace(*change))
    assert main([str(tmp_path / "map.toml"), "-o", str(tmp_path / "map.h5")]) == 2
    said = capsys.readouterr().err
    assert match in said and len(said.splitlines()) == 1 and not (tmp_path / "map.h5").exists()


def test_a_measure_with_arguments_is_another_measure(tmp_path):
    def power(session, rng, frames=1):
        return session.run(np.zeros((frames, 10), np.uint8)).mean()

    out = tmp_path / "s.h5"
    ll.sweep(LASER, {"k": [1]}, functools.partial(power, frames=2), out=out)
    with pytest.raises(ll.FileError, match="another sweep"):
        ll.sweep(LASER, {"k": [1]}, functools.partial(power, frames=3), out=out)


def test_a_task_is_a_measure_in_python_and_in_the_file(tmp_path):
    task = {"washout": 20, "train": 200, "test": 100}
    over = {"device.laser.pump": [1.0, 1.2]}
    data = ll.sweep(LASER, over, ll.tasks.measure("channel", **task), seed=3)
    (tmp_path / "map.toml").write_text(
        f'device = "{LASER}"\nseed = 3\nmeasure = {{ task = "channel", washout = 20, train = 200, test = 100 }}\n'
        "[over]\n'device.laser.pump' = [1.0, 1.2]\n"
    )
    from lightloop._sweep_file import run_file

    same = run_file(tmp_path / "map.toml", tmp_path / "map.h5")
    np.testing.assert_array_equal(data.channel, same.channel)
    assert ((data.channel > 0) & (data.channel < 0.75)).all()  # 0.75: guessing one of four symbols
    with pytest.raises(ll.UnknownName, match="channel"):
        ll.tasks.measure("chanel")


def test_the_command_sweeps_and_stops_politely(tmp_path):
    command = Path(ll.__file__).parents[2] / "bin" / "lightloop"
    if not command.exists():
        command = Path(sys.modules["lightloop"]._core.__file__).parents[2] / "bin" / "lightloop"
    if not command.exists():
        pytest.skip("the command is not built")
    (tmp_path / "power.py").write_text(MEASURE)
    (tmp_path / "map.toml").write_text(TOML.replace("feedback.delay ", "feedback.delay_s "))
    done = subprocess.run([command, "sweep", "map.toml", "--quiet"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("map.h5: 3 laser.bias × 5 injection.detuning × 2 repeat") and "power: mean" in done.stdout
    gone = subprocess.run([command, "sweep", "none.toml"], cwd=tmp_path, capture_output=True, text=True)
    assert gone.returncode == 2 and "not found" in gone.stderr
