"""Where runs are written: nothing is replaced unasked, nobody writes to the same file, and stopping loses no baseline."""

import json
import os
import signal
import subprocess

import h5py
import pytest
from e2e import OPTICAL
from test_train import start, trained, wait_for


def test_a_finished_run_is_not_replaced_without_force(lightloop, small, tmp_path):
    trained(lightloop, *small, "--out", "run.h5")
    before = (tmp_path / "run.h5").read_bytes()
    done = lightloop("train", *small, "--seed", 2, "--out", "run.h5")
    assert done.returncode == 2 and "--force" in done.stderr and done.stderr.count("\n") == 1
    assert (tmp_path / "run.h5").read_bytes() == before
    assert trained(lightloop, *small, "--seed", 2, "--out", "run.h5", "--force")["seed"] == 2


def test_a_baseline_file_in_the_way_is_found_before_anything_runs(lightloop, small, tmp_path):
    (tmp_path / "run-bp.h5").write_text("mine")
    done = lightloop("train", *small, "--baseline", "dfa,bp", "--out", "run.h5")
    assert done.returncode == 2 and "run-bp.h5" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run-bp.h5"]


def test_without_out_every_run_gets_a_file_of_its_own(lightloop, small, tmp_path):
    assert [trained(lightloop, *small)["out"] for _ in range(3)] == ["run.h5", "run-2.h5", "run-3.h5"]
    assert trained(lightloop, *small, "--force")["out"] == "run.h5"


LONG = ["--epochs", "20000", "--checkpoint-every", "40"]  # nobody waits for its end


def test_a_second_run_to_the_same_file_is_refused_and_a_killed_one_is_not_in_the_way(lightloop, small, tmp_path):
    process = start(tmp_path, *small, *LONG, "--out", "run.h5")
    wait_for(tmp_path / "run.h5", process)
    for words in (["--out", "run.h5", "--force"], ["--resume", "run.h5"]):
        second = lightloop("train", *(small if "--out" in words else []), *words)
        assert second.returncode == 2 and f"process {process.pid}" in second.stderr
    process.kill()
    process.communicate(timeout=60)
    stopped = lightloop("train", *small, "--out", "run.h5")
    assert stopped.returncode == 2 and "--resume run.h5" in stopped.stderr
    assert trained(lightloop, *small, "--out", "run.h5", "--force")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.h5"]


def test_a_recording_is_not_replaced_without_force(lightloop, small, tmp_path):
    (tmp_path / "rec.h5").write_text("light of a day that is over")
    words = [*small, *OPTICAL, "--epochs", "1", "--record", "rec.h5", "--out", "run.h5"]
    done = lightloop("train", *words)
    assert done.returncode == 2 and "rec.h5" in done.stderr and "--force" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["rec.h5"]
    assert lightloop("train", *words, "--force").returncode == 0


def test_a_pipe_or_a_loop_of_links_as_run_file_is_refused_at_once(lightloop, small, tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "a.h5").symlink_to("b.h5")
    (tmp_path / "b.h5").symlink_to("a.h5")
    for name in ("pipe.h5", "a.h5"):
        done = lightloop("train", *small, "--out", name, timeout=20)
        assert done.returncode == 2 and name in done.stderr


def test_a_reader_of_the_progress_that_goes_away_stops_nothing(small, tmp_path):
    process = start(tmp_path, *small, "--epochs", "20", "--out", "run.h5")
    process.stderr.close()
    assert process.stdout.read().startswith("  rule") and process.wait(60) == 0


def test_a_lost_terminal_saves_a_checkpoint_unless_nohup(lightloop, small, tmp_path):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests themselves run under nohup
    process = start(tmp_path, *small, *LONG, "--out", "run.h5")
    wait_for(tmp_path / "run.h5", process)
    process.send_signal(signal.SIGHUP)
    assert "--resume run.h5" in process.communicate(timeout=60)[1] and process.returncode == 130
    (tmp_path / "run.h5").unlink()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
    try:
        process = start(tmp_path, *small, *LONG, "--out", "run.h5")
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    wait_for(tmp_path / "run.h5", process)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.kill()
    process.communicate()


def hashes(run):
    return [run["weights_sha256"], *(b["weights_sha256"] for b in run["baselines"])]


def test_a_resumed_run_trains_its_baselines_too(lightloop, small, tmp_path):
    words = [*small, *OPTICAL, "--epochs", "30", "--baseline", "dfa,bp"]
    whole = trained(lightloop, *words, "--out", "whole.h5")
    process = start(tmp_path, *words, "--out", "run.h5")
    wait_for(tmp_path / "run.h5", process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert hashes(trained(lightloop, "--resume", "run.h5")) == hashes(whole)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_stopped_in_a_baseline_the_finished_runs_are_told_and_kept(lightloop, small, tmp_path, how):
    words = [*small, "--rule", "tdfa", "--baseline", "dfa,bp", "--epochs", "60"]
    whole = trained(lightloop, *words, "--out", "whole.h5")
    process = start(tmp_path, *words, "--out", "run.h5")
    wait_for(tmp_path / "run-bp.h5", process)
    process.send_signal(how)
    out, errors = process.communicate(timeout=60)
    with h5py.File(tmp_path / "run-bp.h5") as file:
        assert not file.attrs["complete"]
    if how == signal.SIGINT:
        assert process.returncode == 130 and "lightloop train --resume run.h5" in errors
        assert {line.split()[0] for line in out.splitlines() if "%" in line} == {"tdfa", "dfa"}
    resumed = trained(lightloop, "--resume", "run.h5")
    assert hashes(resumed) == hashes(whole)
    again = lightloop("train", "--resume", "run.h5")
    assert again.returncode == 2 and "complete" in again.stderr


def test_a_resume_does_not_take_the_baseline_of_another_run_for_its_own(lightloop, small, tmp_path):
    words = [*small, "--rule", "tdfa", "--out", "run.h5"]
    trained(lightloop, *small, "--rule", "bp", "--seed", 7, "--out", "run-bp.h5")
    trained(lightloop, *words)
    done = lightloop("train", "--resume", "run.h5", "--baseline", "bp")
    assert done.returncode == 2 and "seed" in done.stderr
    run = trained(lightloop, "--resume", "run.h5", "--baseline", "bp", "--force")
    assert run["baselines"][0]["seed"] == 1


def test_the_plan_is_told_again_once_the_exposure_is_known(lightloop, small):
    done = lightloop("train", *small, *OPTICAL)
    plans = [line for line in done.stderr.splitlines() if "at most" in line]
    assert len(plans) == 2 and "exposure" in plans[1]
    assert len([line for line in lightloop("train", *small).stderr.splitlines() if "at most" in line]) == 0


def test_warnings_of_the_calibration_are_kept_and_shown(lightloop, small):
    run = trained(lightloop, *small, *OPTICAL, "--set", "projection.exposure=1", "--epochs", "1", "--yes", "--out", "run.h5")
    assert "clipped" in run["warnings"][0]
    assert json.loads(lightloop("show", "run.h5", "--json").stdout)["warnings"] == run["warnings"]
    assert run["warnings"][0] in lightloop("show", "run.h5").stdout
