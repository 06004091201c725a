"""What `lightloop train` says of a run: what it runs on, what it costs, what the data lose."""

import json
import re

import pytest
from e2e import OPTICAL


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_on_layers_names_them_in_plan_and_progress(lightloop, small):
    words = ["train", *small, "--rule", "bp", "--layers", "sim:crossbar", "--epochs", "1"]
    done = lightloop(*words)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    plan = re.match(r"bp on sim:crossbar: at most ([\d ]+) frames and ([\d ]+) writes, .* \(([\d ]+), .* shown again\)$", lines[0])
    assert plan, lines[0]
    assert any(line.startswith("bp on sim:crossbar  epoch 1/1") for line in lines)
    most, writes, once = (int(number.replace(" ", "")) for number in plan.groups())
    dry = told(lightloop(*words, "--dry-run", "--json"))
    assert (dry["device"], dry["layers"], dry["map"]) == ("sim:crossbar", "sim:crossbar", "")
    assert (dry["device_frames"], dry["device_writes"], dry["frames_shown_once"]) == (most, writes, once)
    both = told(lightloop("train", *small, *OPTICAL, "--layers", "sim:crossbar", "--dry-run", "--json"))
    assert both["device"].startswith("sim:opu") and both["layers"] == "sim:crossbar"
    spoken = lightloop("train", *small, *OPTICAL, "--layers", "sim:crossbar", "--dry-run").stdout
    assert spoken.startswith("tdfa on sim:opu, layers on sim:crossbar: at most")


def test_short_times_and_small_energies_are_not_rounded_to_nothing(lightloop, small):
    words = ["train", *small, "--rule", "bp", "--layers", "sim:crossbar", "--epochs", "1", "--quiet"]
    run = told(lightloop(*words, "--json"))
    assert 0 < run["device_seconds"] < 1 and 0 < run["device_joules"] < 1
    row = next(line for line in lightloop(*words).stdout.splitlines() if line.split()[:1] == ["bp"])
    size = {"": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
    for unit, key in (("s", "device_seconds"), ("J", "device_joules")):
        number, prefix = re.search(rf" ([\d.]+) ([mun]?){unit}\b", row).groups()
        assert float(number) * size[prefix] == pytest.approx(run[key], rel=0.005)


def test_show_counts_the_frames_of_the_last_health_probe_as_train_does(lightloop, small):
    run = told(lightloop("train", *small, *OPTICAL, "--epochs", "1", "--out", "run.h5", "--quiet", "--json"))
    shown = told(lightloop("show", "run.h5", "--json"))
    assert shown["result/device_frames"] == run["device_frames"] > run["epochs"][-1]["device_frames"]
    assert shown["result/device_s"] == pytest.approx(run["device_seconds"], rel=1e-12)
    assert shown["result/device_j"] == pytest.approx(run["device_joules"], rel=1e-12)


def test_writes_to_devices_are_counted_in_every_place_that_tells_of_a_run(lightloop, small, tmp_path):
    words = ["train", *small, *OPTICAL, "--layers", "sim:crossbar", "--set", "layer.bound_management=none", "--quiet", "--yes"]
    planned = told(lightloop(*words, "--dry-run", "--json"))["device_writes"]
    run = told(lightloop(*words, "--out", "run.h5", "--json"))
    assert run["device_writes"] == planned == 3 * 2 * (50 + 1)  # layers, epochs, steps and one before the scores
    shares = {share["part"]: share["writes"] for share in run["devices"]}
    assert shares == {"projection": 0, "layers": planned}
    shown = told(lightloop("show", "run.h5", "--json"))
    assert shown["result/device_writes"] == shown["device/layers/writes"] == planned and shown["device/projection/writes"] == 0
    assert shown["title"] == "tdfa on sim:opu, layers on sim:crossbar"
    table = lightloop(*words).stdout.splitlines()
    assert "writes" in table[0] and any(f"{planned} " in line for line in table if line.split()[:1] == ["tdfa"])
    assert any(line.startswith("layers, sim:crossbar: ") and f" and {planned} writes, " in line for line in table)

    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "run.h5", "r+") as file:  # as an earlier version wrote it
        for group in ("device", "device/layers", "device/projection"):
            del file[group].attrs["writes"]
        del file.attrs["title"]
        file.attrs["complete"] = False
    assert "result/device_writes" not in told(lightloop("show", "run.h5", "--json"))
    more = told(lightloop("train", "--resume", "run.h5", "--quiet", "--yes", "--json"))
    assert more["device_writes"] >= planned  # the state of the devices has the count


def test_show_tells_what_was_asked_of_layers_and_what_they_did(lightloop, small):
    settings = ["--set", "layer.bound_management=none", "--set", "session.retries=7", "--set", "train.layer_metrics=20"]
    run = told(lightloop("train", *small, "--rule", "bp", "--layers", "sim:crossbar", *settings, "--out", "run.h5", "--quiet", "--json"))
    shown = told(lightloop("show", "run.h5", "--json"))
    assert shown["settings/asked/layer.bound_management"] == "none" and shown["settings/asked/session.retries"] == 7
    last = run["epochs"][-1]
    for key in ("test_loss", "layer_passes", "layer_writes", "projections"):
        assert shown[f"result/{key}"] == last[key]
    assert [shown["result/probe_1"], shown["result/probe_2"]] == last["probe"]
    assert shown["device/layers/frames"] == run["device_frames"] and "device/map/frames" not in shown
    text = lightloop("show", "run.h5").stdout
    for line in ("settings/asked", "device/layers", f"  layer_passes             {last['layer_passes']}", "  layer.bound_management   none"):
        assert line in text.splitlines(), line


def test_show_tells_the_loss_of_real_targets_and_no_accuracy(lightloop):
    words = ["--dataset", "picture", "--net", "64-16-3", "--loss", "mse", "--epochs", "1", "--samples", "200", "--quiet", "--json"]
    run = told(lightloop("train", *words, "--out", "run.h5"))
    shown = told(lightloop("show", "run.h5", "--json"))
    assert shown["result/test_loss"] == run["epochs"][-1]["test_loss"] and "result/test_accuracy" not in shown
    assert "nan" not in lightloop("show", "run.h5").stdout


def test_a_net_of_several_lines_in_toml_is_shown_in_one(lightloop, tmp_path):
    (tmp_path / "run.toml").write_text('[train]\ndataset = "digits"\nnet = """\nconv 2 3 stride=4, tanh\n| flatten, dense classes\n"""\n')
    assert told(lightloop("train", "--config", "run.toml", "--epochs", "1", "--samples", "60", "--out", "run.h5", "--quiet", "--json"))
    assert told(lightloop("show", "run.h5", "--json"))["settings/train/net"] == "conv 2 3 stride=4, tanh | flatten, dense classes"


def test_features_that_a_label_takes_the_place_of_are_warned_of(lightloop, tmp_path):
    for name in ("train", "test"):
        for blank in (0, 3):
            lines = [",".join(["0"] * blank + [str(int(i % 3 == c)) for c in range(3)] + [str(i * 7 % 5), str(i % 3)]) for i in range(60)]
            (tmp_path / f"blank{blank}_{name}.csv").write_text("\n".join(lines) + "\n")
    words = ["--rule", "ff", "--epochs", "1", "--batch", "20", "--quiet", "--json"]
    lost = lightloop("train", "--dataset", "blank0_train.csv", "--net", "4-20-3", *words)
    run = told(lost)
    assert "lightloop: warning: rule ff shows the label in place of the first 3 features" in lost.stderr
    assert len(run["warnings"]) == 1 and "column of zeros per class" in run["warnings"][0]
    kept = lightloop("train", "--dataset", "blank3_train.csv", "--net", "7-20-3", *words)
    assert "warnings" not in told(kept) and kept.stderr == ""
    for rule in ("ff", "phyll"):
        assert "one column of zeros per class" in lightloop("rules", rule).stdout
        assert told(lightloop("rules", rule, "--json"))[0]["label_in_features"]
    assert "zeros" not in lightloop("rules", "bp").stdout
