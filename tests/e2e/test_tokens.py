"""Texts, clicks and fields through the command: trained, stored, scored."""

import json

import pytest

RUN = ["--net", "char-transformer:16x1", "--batch", "16", "--lr", "1e-2", "--quiet"]


@pytest.fixture
def text(tmp_path):
    (tmp_path / "a.txt").write_text("".join("abc" if i * i % 7 < 3 else "abd" for i in range(800)))
    return "a.txt:12"


def told(lightloop, *words):
    done = lightloop(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_text_is_learned_by_micro_dfa_and_scored_in_bits_also_on_another_text(lightloop, text, tmp_path):
    shown = told(lightloop, "data", "show", text)["test"]
    assert shown["targets"] == 12 and 1.5 < shown["yardstick"]["value"] < 2
    run = told(lightloop, "train", "--dataset", text, *RUN, "--rule", "dfa", "--set", "rule.feedback=layers", "--epochs", "4",
               "--out", "run.h5")  # fmt: skip
    assert run["epochs"][-1]["test_loss"] < run["epochs"][0]["test_loss"]
    score = told(lightloop, "eval", "run.h5")
    assert score["loss"] == run["epochs"][-1]["test_loss"] and score["bits_per_character"] < 1
    assert "bits per character" in lightloop("eval", "run.h5").stdout
    drawn = told(lightloop, "eval", "run.h5", "--sample", 60)["sample"]
    assert len(drawn) == 60 and drawn.count("ab") > 15 and drawn in lightloop("eval", "run.h5", "--sample", 60).stdout
    done = lightloop("eval", "run.h5", "--sample", 60, "--device", "sim:crossbar")
    assert done.returncode != 0 and "--sample" in done.stderr
    (tmp_path / "b.txt").write_text("cabcab" * 60)  # fewer characters: the codes are those of the run
    score = told(lightloop, "eval", "run.h5", "--data", "b.txt:12")
    assert score["bits_per_character"] < 2 and score == told(lightloop, "eval", "run.h5", "--data", "b.txt")  # the run's windows
    (tmp_path / "c.txt").write_text("abz" * 100)
    done = lightloop("eval", "run.h5", "--data", "c.txt:12")
    assert done.returncode == 2 and "122 (z)" in done.stderr


def test_every_token_is_a_frame_for_the_device(lightloop, text):
    plan = told(lightloop, "train", "--dataset", text, *RUN, "--rule", "tdfa", "--device", "sim:opu", "--dry-run")
    assert plan["projections_per_step"] == 16 * 12
    run = told(lightloop, "train", "--dataset", text, *RUN, "--rule", "tdfa", "--device", "sim:opu", "--epochs", "1")
    assert 1000 < run["device_frames"] <= plan["device_frames"]


def test_clicks_are_scored_by_the_area_under_the_curve_and_a_picture_by_its_square_error(lightloop):
    law = told(lightloop, "data", "show", "clicks")["test"]["yardstick"]["value"]
    told(lightloop, "train", "--dataset", "clicks", "--net", "embedding 240 4, factorisation | dense classes", "--rule", "dfa",
         "--epochs", "1", "--lr", "1e-2", "--out", "clicks.h5", "--quiet")  # fmt: skip
    assert 0.6 < told(lightloop, "eval", "clicks.h5")["auc"] < law
    words = ["train", "--dataset", "picture", "--net", "64-24-3", "--rule", "dfa", "--epochs", "2", "--out", "picture.h5"]
    refused = lightloop(*words)
    assert refused.returncode == 2 and "--loss mse" in refused.stderr
    done = lightloop(*words, "--loss", "mse")
    assert done.returncode == 0 and "nan" not in done.stdout + done.stderr and "test loss" in done.stdout
    assert told(lightloop, "eval", "picture.h5")["test_accuracy"] is None
    assert "mean square error" in lightloop("eval", "picture.h5").stdout
