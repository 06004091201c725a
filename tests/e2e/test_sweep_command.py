"""lightloop sweep: without Python, killed and continued, on an instrument, and the same numbers as ll.sweep."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from e2e import BUILD, COMMAND

DEVICE = "sim:delay_vcsel,input.size=10,feedback.delay_s=0.22 ns"
LENGTH = 300  # of an input: a point then takes long enough to be killed within the sweep
GRID = """
device = "sim:delay_vcsel,input.size=10"
seed = 3
[settings]
feedback.delay_s = "0.22 ns"
[over]
"device.laser.pump" = { from = 0.9, to = 1.2, points = 3 }
"device.injection.detuning[GHz]" = [-10, 0.5]
"""
MEASURES = [
    "consistency",
    {"name": "consistency_capacity", "length": 200},
    {"name": "dimensionality", "length": 200, "repeats": 3, "ratio": 1.5},
    {"name": "memory_capacity", "length": 300, "washout": 20},
    {"name": "information_processing_capacity", "length": 400, "delays": [5, 3]},
    "kernel_rank",
    {"name": "generalisation_rank", "common": 5, "streams": 8},
    {"task": "channel", "washout": 20, "train": 200, "test": 100},
]


def inline(value):
    """As TOML writes it within a line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def write_sweep(folder, measure, head="", tail=""):
    (folder / "map.toml").write_text(f"measure = {inline(measure)}\n{head}{GRID}{tail}")


@contextlib.contextmanager
def running(folder):
    """The sweep of map.toml as a process that does not outlive the test."""
    child = subprocess.Popen([COMMAND, "sweep", "map.toml"], cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def wait_for(child, happened, seconds=30):
    deadline = time.monotonic() + seconds
    while not happened():
        assert child.poll() is None, f"the sweep ended before: {child.stderr.read()}"
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.002)


def test_a_sweep_needs_no_python(lightloop, tmp_path):
    write_sweep(tmp_path, ["kernel_rank", {"name": "memory_capacity", "length": 200}], "repeats = 2\n")
    done = lightloop("sweep", "map.toml", environment={"PATH": "", "LIGHTLOOP_PYTHON": "/nowhere/python3"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("map.h5: 3 laser.pump × 2 injection.detuning × 2 repeat, ")
    assert done.stdout.splitlines()[1].startswith("  kernel_rank: mean ")
    assert sorted(p.name for p in tmp_path.glob("map*")) == ["map.h5", "map.toml"]
    again = json.loads(lightloop("sweep", "map.toml", "--json", environment={"PATH": ""}).stdout)  # read back
    assert again["measures"]["memory_capacity"]["shape"] == [3, 2, 2] and again["measures"]["kernel_rank"]["max"] <= 10
    assert again["axes"]["device.injection.detuning"] == {"units": "GHz", "values": [-10.0, 0.5]}
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with xarray.open_dataset(tmp_path / "map.h5", engine="h5netcdf") as data:
        assert data.memory_capacity.dims == ("device.laser.pump", "device.injection.detuning", "repeat")
        assert data.memory_capacity.attrs["long_name"].startswith("MC = sum of r^2")
        assert data["device.laser.pump"].values.tolist() == [0.9, 1.05, 1.2] and data.attrs["seed"] == 3


def test_a_python_function_as_measure_says_that_it_needs_python(lightloop, tmp_path):
    write_sweep(tmp_path, "own.py:power")
    told = lightloop("sweep", "map.toml", environment={"PATH": "", "LIGHTLOOP_PYTHON": "/nowhere/python3"})
    assert told.returncode == 2 and len(told.stderr.splitlines()) == 1
    assert "own.py:power" in told.stderr and "python3-xarray" in told.stderr


def test_the_command_and_python_give_the_same_bits(lightloop, tmp_path):
    """Python's own generator draws masks and inputs there, ours here; a sweep begun by one is complete for the other."""
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    write_sweep(tmp_path, MEASURES)
    done = lightloop("sweep", "map.toml", "--quiet")
    assert done.returncode == 0, done.stderr
    script = f"""
import functools, sys
import lightloop as ll
measures = []
for asked in {MEASURES!r}:
    if isinstance(asked, str):
        measures.append(getattr(ll.metrics, asked))
    elif "task" in asked:
        measures.append(ll.tasks.measure(asked.pop("task"), **asked))
    else:
        measures.append(functools.partial(getattr(ll.metrics, asked.pop("name")), **asked))
over = {{"device.laser.pump": [0.9, 1.05, 1.2], "device.injection.detuning[GHz]": [-10, 0.5]}}
device = 'sim:delay_vcsel,input.size=10,feedback.delay_s="0.22 ns"'
ll.sweep(device, over, measures, seed=3, out="python.h5")
ll.sweep(device, over, measures, seed=3, out="map.h5")  # accepted as complete: the same sweep
"""
    environment = {**os.environ, "PYTHONPATH": str(BUILD / "python")}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    ours, theirs = (xarray.open_dataset(tmp_path / n, engine="h5netcdf").load() for n in ("map.h5", "python.h5"))
    assert set(ours.data_vars) == set(theirs.data_vars) and len(ours.data_vars) == 8
    for name in ours.variables:
        xarray.testing.assert_equal(ours[name], theirs[name])


@pytest.mark.parametrize("in_python", [False, True])
def test_a_killed_sweep_goes_on_where_it_was(lightloop, tmp_path, in_python):
    if in_python:
        pytest.importorskip("h5netcdf")
    write_sweep(tmp_path, {"name": "consistency", "length": LENGTH}, 'repeats = 8\nengine = "alone"\n')
    parts = tmp_path / "map.h5.parts"
    with running(tmp_path) as child:
        wait_for(child, lambda: parts.exists() and parts.stat().st_size > 2000)
        child.kill()
    assert not (tmp_path / "map.h5").exists() and parts.stat().st_size > 2000
    if in_python:
        script = f"""
import functools, lightloop as ll
over = {{"device.laser.pump": [0.9, 1.05, 1.2], "device.injection.detuning[GHz]": [-10, 0.5]}}
device = 'sim:delay_vcsel,input.size=10,feedback.delay_s="0.22 ns"'
fresh = []
def consistency(session, rng, length):
    fresh.append(1)
    return ll.metrics.consistency(session, rng, length=length)
ll.sweep(device, over, functools.partial(consistency, length={LENGTH}), repeats=8, seed=3, out="map.h5", engine="alone")
assert 0 < len(fresh) < 48, fresh
"""
        environment = {**os.environ, "PYTHONPATH": str(BUILD / "python")}
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    rest = lightloop("sweep", "map.toml", "--json")
    assert rest.returncode == 0 and not parts.exists()
    resumed = json.loads(rest.stdout)["resumed"]
    assert resumed == 0 if in_python else 0 < resumed < 48  # in Python it is complete by now
    whole = lightloop("sweep", "map.toml", "-o", "whole.h5", "--json")
    assert json.loads(rest.stdout)["measures"] == json.loads(whole.stdout)["measures"]


def test_an_interrupted_sweep_says_how_to_go_on(lightloop, tmp_path):
    write_sweep(tmp_path, {"name": "consistency", "length": 100000})
    with running(tmp_path) as child:
        members = pathlib.Path(f"/proc/{child.pid}/task")  # six, a thread for each
        wait_for(child, lambda: (tmp_path / "map.h5.parts").exists() and len(list(members.iterdir())) > 6)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 130 and "map.h5.parts" in said and len(said.splitlines()) == 1


def test_on_a_bench_lines_are_passed_both_ways_and_drift_is_looked_for(lightloop, tmp_path):
    bench = 'order = "random"\nhysteresis = "both"\nreference_every = 3\nsettle = 0.001\n'
    write_sweep(tmp_path, {"name": "consistency", "length": 20}, bench, "[reference]\ndevice.laser.pump = 1.0\n")
    told = json.loads(lightloop("sweep", "map.toml", "--json").stdout)["measures"]
    assert told["consistency"]["dims"][-1] == "direction" and told["consistency"]["shape"] == [3, 2, 1, 2]
    assert told["consistency_reference"]["shape"] == [5]  # before the first, after every third, at the end
    assert {"consistency_corrected", "elapsed"} <= set(told)
    write_sweep(tmp_path, {"name": "consistency", "length": 20}, bench, "[abort]\nconsistency = [-inf, -2]\n")
    stopped = lightloop("sweep", "map.toml", "--force")
    assert stopped.returncode == 4 and "sweep stopped: consistency" in stopped.stderr


@pytest.mark.parametrize(
    "head, tail, says",
    [
        ("repeets = 2\n", "", "Did you mean repeats"),
        ("seed = 1.5\n", "", "map.toml:"),
        ("", '"device.laser.bios[mA]" = [1]\n', "device.laser.bias_a"),
        ("", '"device.laser.alpha[mA]" = [1]\n', "mA"),
        ("", '"device.dac.bits" = { from = 1, to = 2 }\n', "from = 1"),
        ("order = 'any'\n", "", "grid or random"),
        ("hysteresis = 'sideways'\n", "", "up, down or both"),
        ("settle = -1\n", "", "not negative"),
        ("engine = 'threads'\nhysteresis = 'up'\n", "", "one at a time"),
        ("", "[abort]\nconsistency = 3\n", "[lowest, highest]"),
        ("", "[over\n", "map.toml:"),
    ],
)
def test_mistakes_in_the_file_are_one_line(lightloop, tmp_path, head, tail, says):
    write_sweep(tmp_path, "consistency", head, tail)
    if "seed" in head:
        (tmp_path / "map.toml").write_text((tmp_path / "map.toml").read_text().replace("seed = 3\n", ""))
    told = lightloop("sweep", "map.toml")
    assert told.returncode == 2 and says in told.stderr and len(told.stderr.splitlines()) == 1, told.stderr
    assert not (tmp_path / "map.h5").exists()


@pytest.mark.parametrize(
    "measure, says",
    [
        ("consistancy", "Did you mean consistency"),
        ({"name": "consistency", "lenght": 5}, "length"),
        ({"task": "chanel"}, "channel"),
        (["consistency", "consistency"], "its own name"),
        ({"nome": "consistency"}, "name or task"),
    ],
)
def test_mistakes_in_a_measure_are_one_line(lightloop, tmp_path, measure, says):
    write_sweep(tmp_path, measure)
    told = lightloop("sweep", "map.toml")
    assert told.returncode == 2 and says in told.stderr and len(told.stderr.splitlines()) == 1, told.stderr
