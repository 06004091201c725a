"""`lightloop train`: what it prints, what it keeps, and that stopping it in any way changes nothing."""

import json
import os
import signal
import subprocess
import time

import h5py
import pytest
from e2e import COMMAND, OPTICAL

KEYS = {"test_accuracy", "train_seconds", "samples_per_second", "device_frames", "device_seconds", "device_joules",
        "alignment", "seed", "weights_sha256"}  # fmt: skip


def trained(lightloop, *words):
    done = lightloop("train", *words, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_json_has_the_promised_keys_and_baselines(lightloop, small):
    run = trained(lightloop, *small, *OPTICAL, "--baseline", "dfa,bp", "--out", "run.h5")
    assert KEYS <= run.keys()
    assert run["device_frames"] > 0 and run["device_seconds"] > 0 and run["device_joules"] > 0
    assert 0 <= run["test_accuracy"] <= 1 and len(run["alignment"]) == 2
    assert [b["rule"] for b in run["baselines"]] == ["dfa", "bp"]
    assert all(KEYS <= b.keys() and b["device_frames"] == 0 for b in run["baselines"])
    assert [len(b["epochs"][-1]["weight_alignment"]) for b in run["baselines"]] == [2, 0]


def test_rules_learn_and_the_table_shows_it(lightloop, small):
    done = lightloop("train", *small, "--rule", "dfa", "--baseline", "bp,fa,tdfa,sdfa,drtp", "--epochs", "6", "--lr", "3e-3")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines() if "%" in line}
    assert rows.keys() == {"dfa", "bp", "fa", "tdfa", "sdfa", "drtp"}
    assert min(rows[rule] for rule in ("dfa", "bp", "fa", "drtp")) > 60  # chance is 10 %; tdfa and sdfa want more steps


def test_the_optical_chain_learns(lightloop, small):
    assert trained(lightloop, *small, *OPTICAL, "--epochs", "10")["test_accuracy"] > 0.8


def test_the_same_command_gives_the_same_weights_with_one_and_two_threads(lightloop, small):
    hashes = {trained(lightloop, *small, *OPTICAL, "--threads", t)["weights_sha256"] for t in (1, 2, 2)}
    assert len(hashes) == 1


def test_another_seed_gives_other_weights(lightloop, small):
    assert trained(lightloop, *small, "--seed", 1)["weights_sha256"] != trained(lightloop, *small, "--seed", 2)["weights_sha256"]


def test_toml_options_and_set_mean_the_same(lightloop, small, tmp_path, data_dir):
    (tmp_path / "run.toml").write_text(
        f'[train]\ndataset = "mnist"\ndata_dir = "{data_dir}"\nnet = "36-24-24-10"\nbatch = 32\nepochs = 2\nlr = 0.5\n'
    )
    by_file = trained(lightloop, "--config", "run.toml", "--lr", "2e-3")
    by_option = trained(lightloop, *small, "--lr", "2e-3")
    by_set = trained(lightloop, *small, "--lr", "0.5", "--set", "train.lr=2e-3")
    assert by_file["weights_sha256"] == by_option["weights_sha256"] == by_set["weights_sha256"]


def test_dry_run_prints_the_cost_and_sends_nothing(lightloop, small, tmp_path):
    done = lightloop("train", *small, *OPTICAL, "--dry-run", "--out", "run.h5")
    assert done.returncode == 0, done.stderr
    assert "frames" in done.stdout and " J" in done.stdout
    assert list(tmp_path.iterdir()) == []
    plan = json.loads(lightloop("train", *small, *OPTICAL, "--dry-run", "--json").stdout)
    assert plan["device_frames"] > 0 and plan["device_seconds"] > 0


def test_too_much_device_time_is_refused_without_yes(lightloop, small, tmp_path):
    words = [*small, *OPTICAL, "--epochs", "1", "--max-device-seconds", "0.1", "--out", "run.h5"]
    refused = lightloop("train", *words)
    assert refused.returncode == 4
    assert "--max-device-seconds" in refused.stderr and "--yes" in refused.stderr
    assert not (tmp_path / "run.h5").exists()
    assert lightloop("train", *words, "--yes").returncode == 0


def test_the_run_file_can_be_shown_scored_and_drawn(lightloop, small, tmp_path):
    run = trained(lightloop, *small, *OPTICAL, "--out", "run.h5")
    shown = json.loads(lightloop("show", "run.h5", "--json").stdout)
    assert shown["kind"] == "run" and shown["weights_sha256"] == run["weights_sha256"]
    assert shown["settings/train/rule"] == "tdfa"
    assert [shown[f"result/alignment_{layer}"] for layer in (1, 2)] == pytest.approx(run["alignment"])
    cosines = run["epochs"][-1]["gradient_alignment"]
    assert len(cosines) == 3 and cosines[2] == pytest.approx(1)
    assert [shown[f"result/gradient_alignment_{layer}"] for layer in (1, 2, 3)] == pytest.approx(cosines)
    assert not any("weight_alignment" in key for key in shown)  # nobody knows the matrix of a device
    for moment in ("start", "end"):
        assert {f"telemetry/{moment}/{name}" for name in ("dark_level", "saturation", "repeat_correlation")} <= shown.keys()
    score = json.loads(lightloop("eval", "run.h5", "--json").stdout)
    assert score["test_accuracy"] == pytest.approx(run["test_accuracy"], abs=1e-9)
    assert lightloop("plot", "run.h5").returncode == 0
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_one_sorted_file_is_tested_on_every_class_and_scored_on_the_same_samples(lightloop, tmp_path):
    lines = [f"{label + 0.01 * (i % 50)},{-label},{label}" for label in range(3) for i in range(100)]
    (tmp_path / "sorted.csv").write_text("\n".join(lines) + "\n")
    parts = json.loads(lightloop("data", "show", "sorted.csv", "--json").stdout)
    assert [parts[part]["samples"] for part in ("train", "test")] == [250, 50]
    assert min(parts["test"]["per_class"]) >= 5 and sum(parts["test"]["per_class"]) == 50
    told = lightloop("data", "show", "sorted.csv").stdout
    assert f"of class 0 to 2: {' '.join(map(str, parts['test']['per_class']))}\n" in told
    words = ["train", "--dataset", "sorted.csv", "--net", "2-8-3", "--batch", "25", "--epochs", "3", "--rule", "bp", "--seed", "5"]
    run = json.loads(lightloop(*words, "--out", "run.h5", "--json").stdout)
    assert json.loads(lightloop("eval", "run.h5", "--json").stdout)["test_accuracy"] == run["test_accuracy"]
    every = json.loads(lightloop("eval", "run.h5", "--data", "sorted.csv", "--json").stdout)
    assert every["samples"] == 300


def test_without_matplotlib_plot_says_so_and_does_not_fail(lightloop, small):
    trained(lightloop, *small, "--out", "run.h5")
    done = lightloop("plot", "run.h5", environment={"LIGHTLOOP_PYTHON": "/bin/false"})
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1 and "matplotlib" in done.stdout


def start(tmp_path, *words):
    environment = {**os.environ, "HOME": str(tmp_path), "LIGHTLOOP_DATA": ""}
    return subprocess.Popen([COMMAND, "train", *words], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def wait_for(path, process):
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.01)


LONG = [*OPTICAL, "--epochs", "30", "--checkpoint-every", "40", "--set", "device.medium.drift_time=1 h"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_stopped_run_goes_on_to_the_same_weights(lightloop, small, tmp_path, how):
    """Noise and drift on; killed runs lose what came after the last checkpoint, stopped ones nothing."""
    whole = trained(lightloop, *small, *LONG, "--out", "whole.h5")
    process = start(tmp_path, *small, *LONG, "--out", "run.h5")
    wait_for(tmp_path / "run.h5", process)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "lightloop train --resume run.h5" in errors
    with h5py.File(tmp_path / "run.h5") as file:
        assert not file.attrs["complete"]
    resumed = trained(lightloop, "--resume", "run.h5")
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["device_frames"] == whole["device_frames"]


def test_eval_answers_as_the_rule_does(lightloop, small):
    run = trained(lightloop, *small, "--rule", "sff", "--out", "run.h5")
    assert run["epochs"][-1]["layer_passes"] > 0 and len(run["epochs"][-1]["layer_loss"]) > 1
    again = json.loads(lightloop("eval", "run.h5", "--json").stdout)
    assert again["test_accuracy"] == run["test_accuracy"]


def test_pepita_projects_to_the_input_on_a_device(lightloop, small):
    run = trained(lightloop, *small, "--rule", "pepita", "--device", "sim:opu,preset=ideal", "--readout", "anchor")
    assert run["device_frames"] > 0 and run["epochs"][-1]["projections"] > 0
