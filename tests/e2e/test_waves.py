"""Training behind physics that nobody needs to know: --map."""

import json
import random

import pytest
from e2e import DATA, needs

WAVES = "sim:wave,input.size=12,output.size=12"


@pytest.fixture
def points(tmp_path):
    """Three clouds in eight dimensions, behind three blank features for the label."""
    rng = random.Random(1)
    centres = [[rng.gauss(0, 1.5) for _ in range(8)] for _ in range(3)]
    for name, count in (("train", 300), ("test", 150)):
        lines = [",".join(["0", "0", "0", *(f"{m + rng.gauss(0, 0.7):.4f}" for m in centres[i % 3]), str(i % 3)]) for i in range(count)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return ["--dataset", "train.csv", "--net", "11-24-3", "--batch", "30", "--epochs", "6", "--lr", "0.01", "--activation", "relu"]


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("rule, floor", [("phyll", 0.8), ("dfa", 0.8), ("bp", 0.8), ("pepita", 0.8), ("sff", 0.8), ("mask", 2 / 3)])
def test_a_network_behind_waves_learns_and_is_scored_behind_them(lightloop, points, rule, floor):
    run = told(lightloop("train", *points, "--rule", rule, "--map", f"{WAVES},noise=0", "--out", "run.h5", "--quiet", "--json"))
    assert run["test_accuracy"] > floor  # chance is 1/3; a mask that is searched for: half the way from there
    assert run["device_frames"] > 6 * 300 * 2
    again = told(lightloop("eval", "run.h5", "--data", "test.csv", "--json"))
    assert again["test_accuracy"] == run["test_accuracy"] and again["device"].startswith(WAVES)
    other = told(lightloop("eval", "run.h5", "--data", "test.csv", "--device", f"{WAVES},seed=99", "--json"))
    assert other["test_accuracy"] < 0.75  # nothing was learned about other waves


@needs("japanese_vowels")
def test_behind_phases_a_range_whose_ends_are_different_waves_learns(lightloop):
    """±`map_range` rms are ±π: at 3 large numbers of both signs are nearly the same wave. The published floor of vowels is 93 %."""
    words = ["train", "--dataset", "japanese_vowels", "--net", "45-60-60-9", "--batch", "30", "--epochs", "100", "--lr", "3e-3", "--rule", "bp",
             "--map", "sim:wave,encoding=phase,input.size=64,output.size=64", "--quiet", "--json", "--force", "--out", "run.h5"]  # fmt: skip
    narrow, wide = (told(lightloop(*words, "--map-range", given, environment={"LIGHTLOOP_DATA": DATA})) for given in ("3", "30"))
    assert wide["test_accuracy"] > 0.93 and wide["test_accuracy"] - narrow["test_accuracy"] > 0.1
    assert wide["clipped_inputs"] < narrow["clipped_inputs"]


def test_another_string_of_a_device_is_scored_behind_the_calibration_of_the_run(lightloop, points):
    device = "sim:wave,input.size=12,output.size=40"  # more outputs than are read; with noise, which a fresh device draws anew
    run = told(lightloop("train", *points, "--rule", "dfa", "--map", device, "--out", "run.h5", "--quiet", "--json"))
    score = ["eval", "run.h5", "--data", "test.csv", "--json", "--device"]
    same = told(lightloop(*score, f"{device},perturbation=0"))
    assert same["test_accuracy"] == pytest.approx(run["test_accuracy"], abs=0.03) and not same["recalibrated"]
    anew = told(lightloop(*score, f"{device},perturbation=0", "--recalibrate"))
    assert anew["recalibrated"] and anew["device_frames"] == same["device_frames"]  # those of the test samples
    assert anew["test_accuracy"] == pytest.approx(run["test_accuracy"], abs=0.03)
    for words in ([], ["--recalibrate"]):
        refused = lightloop(*score, "sim:wave,input.size=14,output.size=40", *words)
        assert refused.returncode != 0 and "Train on it" in refused.stderr


def test_a_recalibration_keeps_a_run_on_its_device_and_takes_out_other_gains_of_the_detectors(lightloop, points):
    device = "sim:wave,input.size=12,output.size=40"
    run = told(lightloop("train", *points, "--rule", "dfa", "--map", device, "--out", "run.h5", "--quiet", "--json"))
    assert run["test_accuracy"] > 0.8

    def score(*words):
        return told(lightloop("eval", "run.h5", "--data", "test.csv", "--json", *words))["test_accuracy"]

    assert score("--recalibrate") == pytest.approx(run["test_accuracy"], abs=0.03)
    quieter = ["--device", f"{device},headroom=15"]  # gains of 0.4
    assert score(*quieter) < run["test_accuracy"] - 0.1
    assert score(*quieter, "--recalibrate") == pytest.approx(run["test_accuracy"], abs=0.05)


def test_physics_that_changes_in_mid_run_costs_accuracy_at_that_frame_and_not_before(lightloop, points):
    def curve(device):
        run = told(lightloop("train", *points, "--rule", "dfa", "--map", device, "--quiet", "--json"))
        return [(e["test_accuracy"], e["device_frames"]) for e in run["epochs"]]

    still = curve(WAVES)
    frame = still[3][1] - 150 * 3  # before the fourth test: 150 rows, one frame before the first layer and two before the second
    moved = curve(f"{WAVES},perturbation=1,perturbation.frame={frame}")
    assert moved[:3] == still[:3]
    assert moved[3][1] == still[3][1] and moved[3][0] < still[3][0] - 0.1


def test_what_a_map_clips_is_told_by_training_scoring_and_the_run_file(lightloop, points):
    words = [*points, "--rule", "dfa", "--map", f"{WAVES},headroom=3", "--map-range", "0.1", "--quiet"]
    run = told(lightloop("train", *words, "--out", "run.h5", "--json"))
    shown = (6 * (300 + 150) + 2 * 30) * (11 + 24)  # numbers of every pass, those that calibrated among them
    assert 0.2 * shown < run["clipped_inputs"] < shown  # a tenth of the rms: what is not zero is beyond it
    assert run["saturated"] > 0 and run["map"].startswith(WAVES)
    stored = told(lightloop("show", "run.h5", "--json"))
    assert [stored[f"device/{name}"] for name in ("clipped_inputs", "saturated")] == [run["clipped_inputs"], run["saturated"]]
    score = told(lightloop("eval", "run.h5", "--data", "test.csv", "--json"))
    assert 0 < score["clipped_inputs"] < 150 * 35 and score["saturated"] > 0
    trained, scored = lightloop("train", *words), lightloop("eval", "run.h5", "--data", "test.csv")
    for done, count in ((trained, run["clipped_inputs"]), (scored, score["clipped_inputs"])):
        assert f"{count:,} inputs beyond".replace(",", " ") in done.stdout


def test_what_has_no_map_or_no_twin_says_so(lightloop, points):
    refused = lightloop("train", *points, "--rule", "predictive_coding", "--map", WAVES)
    assert refused.returncode != 0 and "settles activities" in refused.stderr and "phyll" in refused.stderr
    missing = lightloop("train", *points, "--rule", "dfa", "--map", "sim:wave,matrix=none.h5")
    assert missing.returncode != 0 and "none.h5" in missing.stderr
    told(lightloop("train", *points, "--rule", "bp", "--out", "plain.h5", "--quiet", "--json"))
    needless = lightloop("eval", "plain.h5", "--data", "test.csv", "--recalibrate")
    assert needless.returncode != 0 and "--recalibrate" in needless.stderr


@pytest.mark.parametrize("net", [["physical 12 | dense 24, relu | dense classes"], ["11-24-3", "--activation", "relu"]])
def test_physics_and_layers_on_devices_are_opened_again_to_score(lightloop, points, net):
    words = [*points[:2], "--net", *net, *points[4:10]]
    there = ["--map", f"{WAVES},noise=0", "--layers", "sim:crossbar,preset=ideal,output_noise=0", "--yes", "--quiet", "--json"]
    run = told(lightloop("train", *words, "--rule", "bp", *there, "--out", "both.h5"))
    assert {share["part"] for share in run["devices"]} == {"layers", "map"} and run["test_accuracy"] > 0.8
    score = told(lightloop("eval", "both.h5", "--data", "test.csv", "--json"))
    assert score["test_accuracy"] == run["test_accuracy"] and abs(score["digital_accuracy"] - score["test_accuracy"]) < 0.1
    digital = told(lightloop("eval", "both.h5", "--data", "test.csv", "--device", "digital", "--json"))
    assert digital["test_accuracy"] == score["digital_accuracy"] and digital["device_frames"] > 0


def test_a_run_of_an_earlier_version_kept_its_map_where_layers_are(lightloop, points, tmp_path):
    h5py = pytest.importorskip("h5py")
    words = ["train", *points, "--rule", "dfa", "--map", f"{WAVES},noise=0", "--quiet", "--json"]
    run = told(lightloop(*words, "--out", "run.h5"))
    with h5py.File(tmp_path / "run.h5", "r+") as file:
        (group,) = [name for name in ("/resume", "/checkpoint") if f"{name}/map" in file]
        file.move(f"{group}/map", f"{group}/layers")
    assert told(lightloop("eval", "run.h5", "--data", "test.csv", "--json"))["test_accuracy"] == run["test_accuracy"]


def test_what_the_device_that_projects_and_the_one_in_front_did_is_told_apart(lightloop, points, tmp_path):
    train = ["train", *points, "--rule", "dfa", "--map", f"{WAVES},noise=0", "--quiet", "--yes", "--epochs", "2"]
    run = told(lightloop(*train, "--device", "sim:opu", "--out", "run.h5", "--json"))
    parts = {share["part"]: share for share in run["devices"]}
    assert set(parts) == {"projection", "map"} and parts["projection"]["device"] == "sim:opu"
    for total, key in (("device_frames", "frames"), ("device_seconds", "seconds"), ("device_joules", "joules")):
        assert run[total] == pytest.approx(sum(share[key] for share in parts.values())) and min(p[key] for p in parts.values()) > 0
    alone = told(lightloop(*train, "--json"))
    assert [share["part"] for share in alone["devices"]] == ["map"] and alone["devices"][0]["frames"] == parts["map"]["frames"]
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "run.h5") as file:
        assert file["/device/map"].attrs["frames"] == parts["map"]["frames"]
        assert file["/device/projection"].attrs["joules"] == parts["projection"]["joules"]
    text = lightloop(*train, "--device", "sim:opu").stdout
    assert "projection, sim:opu: " in text and "map, sim:wave: " in text


def test_a_map_is_recorded_replayed_and_has_a_session_like_any_device(lightloop, points, tmp_path):
    train = ["train", *points, "--rule", "dfa", "--quiet", "--json", "--epochs", "2"]
    run = told(lightloop(*train, "--map", WAVES, "--record", "waves.rec", "--set", "session.retries=7", "--set", "session.max_saturation=0.9"))
    again = told(lightloop(*train, "--map", "replay:waves.rec", "--set", "session.retries=7"))
    assert again["weights_sha256"] == run["weights_sha256"] and again["device_frames"] == run["device_frames"]
    (tmp_path / "drop.toml").write_text("[drop]\nat = [700]\n")
    faulty = [*train, "--map", f"fault:drop.toml@{WAVES}", "--set"]
    mended = lightloop(*faulty, "session.retries=2")
    assert told(mended)["faults"]["retries"] == 1 and "shown again" in mended.stderr
    assert told(mended)["weights_sha256"] == run["weights_sha256"]
    assert lightloop(*faulty, "session.retries=0").returncode == 3  # the policy is in force
    with_twin = told(lightloop("train", *points, "--rule", "bp", "--quiet", "--json", "--epochs", "1", "--map", f"{WAVES},session.retries=1"))
    assert with_twin["device_frames"] > 0
    told(lightloop(*train, "--map", WAVES, "--out", "scored.h5"))
    (tmp_path / "early.toml").write_text("[drop]\nrate = 0.01\n")
    score = ["eval", "scored.h5", "--data", "test.csv", "--device", f"fault:early.toml@{WAVES}", "--json", "--set"]
    assert lightloop(*score, "session.retries=0").returncode == 3
    told(lightloop(*score, "session.retries=9"))
    assert "string" in lightloop(*score, "device.noise=0").stderr
    nowhere = lightloop(*train, "--set", "session.retries=7")
    assert nowhere.returncode == 2 and "session.retries" in nowhere.stderr
