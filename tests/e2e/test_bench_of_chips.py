"""Several instruments behind one server, one for each tile: what keeps its weights learns there as at home."""

import json
import signal
import subprocess
import time

import pytest
from e2e import COMMAND
from served import Serve, has_remote

pytestmark = pytest.mark.skipif(not has_remote(), reason="built without gRPC")

MESH = "sim:mzi_mesh,input.size=16,output.size=16,correction=none,phase.law=linear"
PROGRAMME = ["--set", "layer.update=programme", "--set", "layer.weight_limit=8"]
# 36-24-24-10: twelve tiles on meshes, three on cells
CELLS = "sim:crossbar,input.size=36,output.size=24,cell.kind=soft_bounds,pulse.step=0.002"
PULSES = ["--set", "layer.update=pulses", "--set", "layer.weight_limit=1"]


def bench(folder, device, chips=3):
    """Chips m0, m1, ... that differ by their seeds, from 1 on."""
    words = [word for i in range(chips) for word in ("--device", f"m{i}={device},seed={i + 1}")]
    return Serve(folder, *words)


def told(lightloop, *words):
    done = lightloop(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("device, learns, chips", [(MESH, PROGRAMME, 12), (CELLS, PULSES, 3)], ids=["programme", "pulses"])
def test_what_learns_in_place_learns_on_a_bench_as_at_home(lightloop, small, tmp_path, device, learns, chips):
    words = ["train", *small, "--samples", "320", "--epochs", "1", "--rule", "bp", *learns, "--quiet"]
    here = told(lightloop, *words, "--layers", device, "--out", "here.h5")
    listed = told(lightloop, *words, "--layers", ",".join(f"{device},seed={i}" for i in range(1, chips + 1)), "--out", "listed.h5")
    with bench(tmp_path, device, chips) as server:
        there = told(lightloop, *words, "--layers", f"remote:{server.address}/m{{0..{chips - 1}}}", "--out", "there.h5")
        scored = told(lightloop, "eval", "there.h5")
    for run in (listed, there):
        assert run["weights_sha256"] == here["weights_sha256"]
        assert (run["test_accuracy"], run["device_frames"]) == (here["test_accuracy"], here["device_frames"])
    home = told(lightloop, "eval", "here.h5")
    assert (scored["test_accuracy"], scored["loss"]) == (home["test_accuracy"], home["loss"])


def test_a_bench_ages_as_devices_here_do(lightloop, small, tmp_path):
    device = "sim:crossbar,preset=pcm,input.size=36,output.size=24"
    told(lightloop, "train", *small, "--epochs", "1", "--rule", "bp", "--out", "run.h5", "--quiet")
    words = ["eval", "run.h5", "--age", "30 d"]
    here = told(lightloop, *words, "--device", f"{device},seed=1")
    with bench(tmp_path, device) as server:
        there = told(lightloop, *words, "--device", f"remote:{server.address}/m{{0..2}}")
    assert {**there, "device": ""} == {**here, "device": ""}


def test_too_few_chips_and_one_chip_for_all_are_refused_before_the_first_frame(lightloop, small, tmp_path):
    with bench(tmp_path, MESH) as server:
        chip = f"remote:{server.address}/m"
        words = ["train", *small, "--rule", "bp", *PROGRAMME]
        for layers, more, parts in [
            (chip + "{0..1}", [], ["2 are named", "12 are needed", "16 inputs and 16 outputs", "m{0..11}"]),
            (chip + "0", [], ["12 tiles", "m{0..11}"]),
            (chip + "0", ["--set", "layer.devices=each"], ["m0", "in use", "opened twice", "m{0..11}"]),
            (f"{chip}0,{chip}0,{chip}1", [], ["m0", "opened twice"]),
            (chip + "{0..12}", [], ["m3"]),
        ]:
            done = lightloop(*words, "--layers", layers, *more)
            assert done.returncode != 0 and all(part in done.stderr for part in parts), (layers, done.stderr)
    assert not (tmp_path / "run.h5").exists()


def test_a_bench_is_recorded_and_asked_again_at_home(lightloop, small, tmp_path):
    device = "sim:crossbar,preset=pcm,input.size=36,output.size=24"
    told(lightloop, "train", *small, "--epochs", "1", "--rule", "bp", "--out", "run.h5", "--quiet")
    words = ["eval", "run.h5", "--age", "30 d", "--recalibrate"]
    with bench(tmp_path, device) as server:
        there = [*words, "--device", f"remote:{server.address}/m{{0..2}}", "--record", "chip-{0..2}.h5"]
        answered = told(lightloop, *there)
        again = lightloop(*there)
        assert again.returncode == 2 and "chip-0.h5" in again.stderr and "--force" in again.stderr
        few = lightloop(*there[:-1], "chips.h5")
        assert few.returncode == 2 and "chips-{0..2}.h5" in few.stderr
        many = lightloop(*there[:-1], "chips-{0..5}.h5")
        assert many.returncode == 2 and "6 files" in many.stderr and "Number them: chips-{0..2}.h5." in many.stderr
    replayed = told(lightloop, *words, "--device", "replay:chip-{0..2}.h5")
    assert {**replayed, "device": ""} == {**answered, "device": ""}
    other = lightloop("eval", "run.h5", "--age", "20 d", "--device", "replay:chip-{0..2}.h5")
    assert other.returncode != 0 and "replay:chip-0.h5" in other.stderr and "clock_s" in other.stderr
    left = lightloop("eval", "run.h5", "--record", "x.h5")
    assert left.returncode == 2 and "--device" in left.stderr


def test_what_a_killed_run_has_recorded_can_be_read(lightloop, small, tmp_path):
    words = ["train", *small, "--epochs", "50", "--rule", "bp", "--layers", "sim:crossbar", "--record", "f{0..2}.h5", "--out", "run.h5"]
    run = subprocess.Popen([COMMAND, *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = [tmp_path / f"f{i}.h5" for i in range(3)]
    end = time.monotonic() + 60
    while time.monotonic() < end and not all(file.exists() and file.stat().st_size > 200_000 for file in files):
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    asked = lightloop("train", *words[1:-4], "--out", "again.h5", "--layers", "replay:f{0..2}.h5")
    assert asked.returncode == 2 and ("nothing more" in asked.stderr or "the recording ends" in asked.stderr)
