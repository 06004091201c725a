"""Networks of run files on analog devices: eval --device, here and behind a server."""

import json
import re
import shlex

import pytest
from e2e import ROOT
from served import Serve, has_remote


@pytest.fixture
def run(lightloop, small):
    assert lightloop("train", *small, "--rule", "bp", "--out", "run.h5").returncode == 0
    return "run.h5"


def told(lightloop, *words):
    done = lightloop(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_eval_on_analog_devices_tells_accuracy_energy_and_where_it_went(lightloop, run):
    digital = told(lightloop, "eval", run)["test_accuracy"]
    for device in ("sim:crossbar", "sim:mzi_mesh"):
        said = told(lightloop, "eval", run, "--device", device)
        assert abs(said["test_accuracy"] - digital) < 0.1 and said["digital_accuracy"] == digital
        assert len(said["layers"]) == 3 and said["device_seconds"] > 0
        assert sum(part["joules"] for part in said["energy"]) == pytest.approx(said["device_joules"])
        waits = {part["component"]: part["seconds"] for part in said["latency"]}
        assert sum(waits.values()) == pytest.approx(said["latency_seconds"]) and waits["adc"] > waits["dac"] > 0
        for layer in said["layers"]:
            assert sum(part["joules"] for part in layer["energy"]) == pytest.approx(layer["device_joules"])
    text = lightloop("eval", run, "--device", "sim:crossbar", "--set", "device.layer3.adc.bits=4").stdout
    assert "adc" in text and "programming" in text and "digital" in text
    assert "times its signal" not in text
    text = lightloop("eval", run, "--device", "sim:crossbar,output_noise=4").stdout
    assert "layer 1: noise and errors of the device are" in text


def test_eval_on_a_device_says_what_it_cannot_do(lightloop, run):
    for words, part in [
        (["--device", "sim:opu"], "layer"),
        (["--device", "sim:crossbar", "--set", "device.layer9.adc.bits=4"], "3 layers"),
        (["--device", "sim:crossbar", "--set", "layer.cell=signed"], "cells"),
        (["--set", "device.adc.bits=4"], "--device"),
    ]:
        done = lightloop("eval", run, *words)
        assert done.returncode == 2 and part in done.stderr, words


@pytest.mark.skipif(not has_remote(), reason="built without gRPC")
def test_a_device_elsewhere_gives_the_same_bits_as_one_here_that_all_layers_share(lightloop, run, tmp_path):
    here = told(lightloop, "eval", run, "--device", "sim:crossbar,seed=3", "--set", "layer.devices=one")
    with Serve(tmp_path, "--device", "sim:crossbar,seed=3") as server:
        there = told(lightloop, "eval", run, "--device", f"remote:{server.address}/crossbar0")
    assert {**there, "device": ""} == {**here, "device": ""}
    assert here["layers"][0]["programs"] > 1


def test_the_sensitivity_report_ranks_sources_and_is_drawn(lightloop, run, tmp_path):
    words = ["report", "sensitivity", "--net", run, "--device", "sim:crossbar,output_noise=2", "--repeats", "2", "--samples", "200"]
    report = told(lightloop, *words, "-o", "s.h5")
    assert report["sources"][0]["source"] == "output_noise" and report["sources"][0]["lost_alone"] > 0
    assert report["enob_measured"] == pytest.approx(report["enob_predicted"], abs=0.3)
    assert report["accuracy_none"]["mean"] == pytest.approx(report["digital_accuracy"], abs=0.011)
    assert lightloop("plot", "s.h5").returncode == 0 and (tmp_path / "s.png").exists()
    shown = told(lightloop, "show", "s.h5")
    assert shown["kind"] == "sensitivity" and shown["sources"] == [s["source"] for s in report["sources"]]
    assert "output_noise" in lightloop("show", "s.h5").stdout
    again = lightloop(*words, "-o", "s.h5")
    assert again.returncode == 2 and "s.h5" in again.stderr
    text = lightloop(*words).stdout
    assert "output_noise" in text and "ENOB" in text


def test_the_sensitivity_report_says_what_stands_beside_a_source_and_in_which_layers(lightloop, run):
    words = ["report", "sensitivity", "--net", run, "--device", "sim:crossbar,cell.kind=soft_bounds", "--repeats", "1",
             "--samples", "100", "--set", "device.layer2.adc.bits=3"]  # fmt: skip
    rows = {s["source"]: s for s in told(lightloop, *words)["sources"]}
    assert rows["pulse.step_spread"]["beside"] == ["cell.kind"] and rows["read_noise"]["beside"] == []
    assert rows["pulse.step_spread"]["enob_alone"] < rows["cell.kind"]["enob_alone"] - 1
    assert rows["adc.bits"]["layers"] == [8, 3, 8] and rows["dac.bits"]["layers"] == []
    assert "8/3/8" in lightloop(*words).stdout


def test_the_sensitivity_report_says_what_calibration_refused(lightloop, run):
    words = ["report", "sensitivity", "--net", run, "--device", "sim:homodyne,photons.input=3,photons.weight=3", "--repeats",
             "1", "--samples", "50"]  # fmt: skip
    done = lightloop(*words, "--json")
    report = json.loads(done.stdout)
    assert report["refused"] > 0 and report["accuracy_all"] == {"mean": None, "sd": 0, "n": 0}
    assert report["enob_measured"] is None and report["joules_per_sample"] is None
    for text in (done.stderr, report["refusal"]):
        assert "calibrat" in text
    assert "refused" in lightloop(*words).stdout


def test_a_specification_is_found_or_refused(lightloop, run):
    words = ["report", "spec", "--net", run, "--repeats", "4", "--samples", "200"]
    over = ["--over", "device.adc.bits,device.output_noise"]
    exact = ["--device", "sim:crossbar,programming_error=0,read_noise=0", "--drop", "5"]
    coarse = told(lightloop, *words, *exact, "--over", "device.adc.bits")
    assert coarse["joules_per_sample"] < coarse["joules_per_sample_asked"]
    spec = told(lightloop, *words, *exact, *over)
    assert spec["reached"] and spec["lost_bound"] <= 0.05
    assert {p["parameter"] for p in spec["parameters"]} == {"adc.bits", "output_noise"}
    bad = lightloop(*words, *over, "--device", "sim:crossbar,read_noise=0.9", "--drop", "0.1")
    assert bad.returncode == 2 and "best" in bad.stderr
    free = lightloop(*words, "--device", "sim:crossbar", "--over", "device.adc.range")
    assert free.returncode == 2 and "neither energy nor time" in free.stderr
    wrong = lightloop("report", "spec", "--net", run, "--device", "sim:crossbar", "--over", "adc.bits")
    assert wrong.returncode == 2 and "device.adc.bits" in wrong.stderr


def test_power_is_specified_with_its_joules_and_cells_at_an_age(lightloop, run):
    words = ["report", "spec", "--net", run, "--repeats", "3", "--samples", "200"]
    rings = ["--device", "sim:ring_bank,preset=ideal,detector.amplifier_a2_hz=1e-22", "--over", "device.power_w"]
    spec = told(lightloop, *words, *rings, "--drop", "10")
    (power,) = spec["parameters"]
    assert power["priced"] and not power["timed"] and power["value"] < power["asked"] == 1e-3 and power["best"] == 1
    assert spec["joules_per_sample"] < spec["joules_per_sample_asked"]
    assert "laser" in {part["component"] for part in spec["energy"]}
    text = lightloop(*words, *rings, "--drop", "10").stdout
    assert "in joules" in text and "laser" in text
    cells = ["--device", "sim:crossbar,preset=pcm,adc.bits=10", "--over", "device.adc.bits"]
    fresh, old = (told(lightloop, *words, *cells, "--drop", "30", *age) for age in ([], ["--age", "1 h"]))
    assert (fresh["age_s"], old["age_s"]) == (0, 3600) and old["accuracy_best"] != fresh["accuracy_best"]


def test_training_on_layers_is_scored_on_them_again(lightloop, small):
    done = told(lightloop, "train", *small, "--rule", "bp", "--layers", "sim:crossbar,output_noise=0.3", "--set",
                "layer.cells=offset", "--out", "a.h5", "--baseline", "bp", "--quiet")  # fmt: skip
    assert done["layers"].startswith("sim:crossbar") and done["device_joules"] > 0 and done["baselines"][0]["layers"] == ""
    score = told(lightloop, "eval", "a.h5")
    assert score["device"].startswith("sim:crossbar") and score["test_accuracy"] == pytest.approx(done["test_accuracy"], abs=0.1)
    assert "device" not in told(lightloop, "eval", "a.h5", "--device", "digital")


PAGE = (ROOT / "docs" / "analog_layers.md").read_text().replace("\\\n", " ")


TRAININGS = re.findall(r"^lightloop (train --dataset digits .*--layers .*)$", PAGE, re.MULTILINE)
AFTER_OTHERS = ("replay:", "--init-from")  # runs that want what one before them has left


@pytest.mark.parametrize("words", [words for words in TRAININGS if not any(word in words for word in AFTER_OTHERS)])
def test_what_the_page_trains_learns_and_is_scored_as_it_was_left(lightloop, words):
    short = ["--epochs", "1", "--samples", "1000", "--batch", "10", "--quiet"]
    done = told(lightloop, *shlex.split(words), *short)
    assert done["test_accuracy"] > 0.25  # a hundred steps; chance is 0.1
    score = told(lightloop, "eval", done["out"])
    assert score["test_accuracy"] == pytest.approx(done["test_accuracy"], abs=0.05)
    assert {layer["vectors"] for layer in score["layers"]} == {score["samples"]}  # none for a calibration anew


def test_what_the_page_replays_at_home_is_what_the_bench_did(lightloop):
    there, home = (words for words in TRAININGS if "lab.h5" in words)
    short = ["--epochs", "1", "--samples", "500", "--quiet"]
    bench, again = told(lightloop, *shlex.split(there), *short), told(lightloop, *shlex.split(home), *short)
    assert again["weights_sha256"] == bench["weights_sha256"] and again["test_accuracy"] == bench["test_accuracy"]
    untaught = lightloop(*shlex.split(re.sub(r" --set layer.twin=\S+", "", home).replace("home", "other")), *short)
    assert untaught.returncode != 0 and "layer.twin" in untaught.stderr


def test_what_the_page_tries_learns_without_a_twin_and_is_scored_on_its_chip(lightloop):
    plain, tried = re.findall(r"^lightloop (train --dataset digits .*(?:plain|tried)\.h5)$", PAGE, re.MULTILINE)
    told(lightloop, *shlex.split(plain), "--quiet")
    done = told(lightloop, *shlex.split(tried), "--epochs", "10", "--samples", "2000", "--quiet")
    loaded = told(lightloop, "eval", "plain.h5", "--device", re.search(r"--layers (\S+)", tried)[1])
    assert done["test_accuracy"] > loaded["test_accuracy"] + 0.05
    score = told(lightloop, "eval", "tried.h5")
    assert score["test_accuracy"] == pytest.approx(done["test_accuracy"], abs=0.02)
    assert score["digital_accuracy"] > done["test_accuracy"] - 0.05  # by the weights that were measured, without noise


def test_a_report_on_layers_behind_physics_finds_it_as_training_left_it(lightloop):
    for net, at in (("784-10", ["--map-at", "1"]), ("flatten, physical 98, dense 10", [])):
        told(lightloop, "train", "--dataset", "digits", "--rule", "bp", "--net", net, "--epochs", "2", "--samples", "2000", "--lr", "1e-2",
             "--map", "sim:wave,encoding=phase,input.size=98,output.size=98", *at, "--out", "waves.h5", "--force", "--quiet")  # fmt: skip
        score = told(lightloop, "eval", "waves.h5")["test_accuracy"]
        words = ["--net", "waves.h5", "--device", "sim:crossbar,output_noise=1", "--samples", "500"]
        report = told(lightloop, "report", "sensitivity", *words, "--repeats", "2")
        assert report["digital_accuracy"] == pytest.approx(score, abs=0.06)
        assert report["sources"][0]["source"] == "output_noise"
        spec = lightloop("report", "spec", *words[:2], "--device", "sim:crossbar", "--samples", "500", "--over", "device.adc.bits",
                         "--drop", "20", "--repeats", "3", "--json")  # fmt: skip
        assert json.loads(spec.stdout)["digital_accuracy"] == report["digital_accuracy"], spec.stderr


def test_learned_ranges_and_the_seed_of_the_run_are_scored(lightloop):
    learned = ["--set", "layer.output_range=learned", "--set", "layer.noise_management=learned"]
    done = told(lightloop, "train", "--dataset", "digits", "--net", "784-10", "--rule", "bp", "--lr", "5e-2", "--epochs", "2",
                "--layers", "sim:crossbar,adc.bits=3", "--set", "layer.bound_management=none", *learned, "--samples", "500",
                "--seed", "3", "--out", "a.h5", "--quiet")  # fmt: skip
    score = told(lightloop, "eval", "a.h5")
    assert score["test_accuracy"] == pytest.approx(done["test_accuracy"], abs=0.05)
    assert score["layers"][0]["vectors"] == score["samples"]


def test_sources_of_error_say_what_takes_them_away(lightloop):
    models = {m["name"]: m for m in json.loads(lightloop("devices", "--json").stdout)["models"]}
    for name in ("sim:crossbar", "sim:mzi_mesh", "sim:ring_bank", "sim:homodyne"):
        offs = {s["name"]: s["off"] for s in models[name]["settings"] if "off" in s}
        assert offs["adc.bits"] == 16 and len(offs) > 5


def test_a_deployed_network_ages_and_is_calibrated_again(lightloop, run):
    words = ["eval", run, "--device", "sim:crossbar,preset=pcm"]
    fresh, old = told(lightloop, *words), told(lightloop, *words, "--age", "300 d")
    again = told(lightloop, *words, "--age", "300 d", "--recalibrate")
    assert old["age_s"] == 300 * 86400 and len({d["loss"] for d in (fresh, old, again)}) == 3
    assert old["loss"] > fresh["loss"] and again["loss"] < old["loss"]
    report = told(lightloop, "report", "sensitivity", "--net", run, "--device", "sim:crossbar,preset=pcm", "--age", "300 d",
                  "--repeats", "1", "--samples", "100")  # fmt: skip
    assert "age" in {source["source"] for source in report["sources"]}
    for refused, part in [
        (["--device", "sim:homodyne", "--age", "1 d"], "clock"),
        (["--age", "1 d"], "--device"),
        (["--device", "sim:crossbar,preset=pcm", "--age", "1 day"], "day"),
        (["--device", "sim:crossbar,preset=pcm", "--age", "0"], "--age"),
    ]:
        done = lightloop("eval", run, *refused)
        assert done.returncode == 2 and part in done.stderr, (refused, done.stderr)
