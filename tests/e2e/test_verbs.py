"""The verbs that only tell: devices, check, data, rules, help."""

import json
import subprocess

import pytest

PARTS = {"name", "unit", "default", "help"}


def test_devices_lists_every_setting_with_unit_default_and_help(lightloop):
    devices = json.loads(lightloop("devices", "--json").stdout)["models"]
    assert "sim:opu" in {d["name"] for d in devices}
    for device in devices:
        assert device["summary"] and device["source"]
        for setting in device["settings"]:
            assert PARTS <= setting.keys() and setting["help"]


def test_opu_has_its_presets(lightloop):
    (opu,) = json.loads(lightloop("devices", "sim:opu", "--json").stdout)["models"]
    assert {"ideal", "lightonlike"} <= opu["presets"].keys()
    assert lightloop("check", "sim:opu,preset=default").returncode == 0


def test_text_names_every_setting(lightloop):
    (opu,) = json.loads(lightloop("devices", "opu", "--json").stdout)["models"]
    text = lightloop("devices", "opu").stdout
    assert all(setting["name"] in text for setting in opu["settings"])


def test_every_catalogued_device_passes_check(lightloop):
    for device in json.loads(lightloop("devices", "--json").stdout)["models"]:
        done = lightloop("check", device["name"])
        assert done.returncode == 0, done.stdout
        assert "✓" in done.stdout and " 0 failed" in done.stdout.splitlines()[-1]


def test_rules_and_data_lists(lightloop):
    rules = {r["name"]: r for r in json.loads(lightloop("rules", "--json").stdout)}
    assert {"bp", "fa", "dfa", "tdfa", "sdfa", "drtp", "ff", "pepita", "local"} <= set(rules)
    assert rules["pepita"]["needs"] == "fixed projection"
    for rule in rules.values():
        assert rule["equation"] and rule["cost"] and rule["source"], rule
        assert rule["maps"] == (rule["no_map"] == ""), rule
    sets = {s["name"] for s in json.loads(lightloop("data", "--json").stdout)}
    assert {"digits", "mnist"} <= sets
    assert "2 000 samples of 28 x 28, 10 classes, drawn from seed 1\n" in lightloop("data", "show", "digits").stdout


def test_one_rule_has_a_page_of_its_own(lightloop):
    page = lightloop("rules", "dfa").stdout
    assert page.startswith("dfa: ") and all(word in page for word in ("needs:", "cost:", "source:", "rule.matrix_from"))
    assert "\npepita: " not in page
    every = json.loads(lightloop("rules", "--json").stdout)
    assert json.loads(lightloop("rules", "dfa", "--json").stdout) == [rule for rule in every if rule["name"] == "dfa"]
    assert lightloop("rules", "dfa", "--markdown").stdout.strip() in lightloop("rules", "--markdown").stdout
    wrong = lightloop("rules", "dfaa")
    assert wrong.returncode == 2 and "did you mean" in wrong.stderr and "dfa" in wrong.stderr


@pytest.mark.parametrize("verb", ["train", "eval", "devices", "check", "data", "rules", "show", "plot", "reproduce", "sweep", "compare"])
def test_help_of_every_verb(lightloop, verb):
    done = lightloop(verb, "--help")
    assert done.returncode == 0 and "--help" in done.stdout


def test_help_tells_exit_codes_and_examples(lightloop):
    text = lightloop("--help").stdout
    assert "Exit codes" in text and "130" in text and "Examples" in text
    assert "--max-device-seconds" in lightloop("train", "--help").stdout


def test_a_verb_that_is_not_there_names_the_nearest(lightloop):
    done = lightloop("trian")
    assert done.returncode == 2 and "trian" in done.stderr and "train" in done.stderr.partition("Did you mean")[2]


def test_help_as_a_verb_and_no_verb_at_all(lightloop):
    assert lightloop("help").stdout == lightloop("--help").stdout
    assert lightloop("help", "check").stdout == lightloop("check", "--help").stdout
    assert "verb" in lightloop().stderr


def test_an_answer_that_cannot_be_written_is_a_failure(lightloop):
    with open("/dev/full", "w") as full:
        done = lightloop("devices", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and "No space" in done.stderr


def test_every_verb_that_tells_tells_it_in_json_too(lightloop, small, tmp_path):
    assert lightloop("train", *small, "--epochs", "1", "--out", "run.h5").returncode == 0

    def told(*words):
        done = lightloop(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    shown = told("data", "show", "digits")["test"]
    assert sum(shown.pop("per_class")) == 2000
    assert shown == {"samples": 2000, "shape": [28, 28], "classes": 10, "source": "drawn from seed 1"}
    assert told("data", "download", "digits")["name"] == "digits"
    check = told("check", "sim:crossbar")
    assert check["failed"] == 0 and check["passed"] == sum(c["outcome"] == "passed" for c in check["claims"]) > 10
    assert "light-in-the-loop" in {paper["name"] for paper in told("reproduce")}
    assert told("plot", "run.h5")["picture"] == "run.png" and (tmp_path / "run.png").exists()
    assert told("show", "run.h5")["kind"] == "run"
    assert 0 < told("eval", "run.h5")["test_accuracy"] < 1


@pytest.mark.parametrize(
    "words, near",
    [(["train", "--epoch", "3"], "--epochs"), (["train", "--max-device-second=3"], "--max-device-seconds"),
     (["check", "sim:opu", "--jsn"], "--json"), (["data", "show", "digits", "--data-dri", "x"], "--data-dir")],
    ids=lambda p: " ".join(p) if isinstance(p, list) else "",
)  # fmt: skip
def test_an_unknown_option_names_the_nearest(lightloop, words, near):
    done = lightloop(*words)
    assert done.returncode == 2 and f"Did you mean {near}?" in done.stderr and done.stderr.count("\n") == 1


def test_without_a_home_the_places_that_are_left_are_named(lightloop):
    done = lightloop("train", "--dataset", "mnist", environment={"HOME": ""})
    assert done.returncode == 2 and "--data-dir" in done.stderr and "$HOME" in done.stderr
    assert "none of these is set" in lightloop("data", environment={"HOME": ""}).stdout


def test_reproduce_lists_papers(lightloop):
    assert "light-in-the-loop" in lightloop("reproduce").stdout


def test_a_recorded_check_is_repeated_claim_by_claim(lightloop):
    live = lightloop("check", "sim:crossbar", "--record", "check.h5")
    assert live.returncode == 0, live.stderr
    again = lightloop("check", "replay:check.h5")
    assert again.stdout.splitlines()[:-1] == live.stdout.splitlines()[:-1]
    assert again.stdout.splitlines()[-1].startswith("replay:check.h5: 4") and " 0 failed" in again.stdout
    refused = lightloop("check", "sim:crossbar", "--record", "check.h5")
    assert refused.returncode != 0 and "exists already" in refused.stderr and "--force" in refused.stderr
    assert lightloop("check", "sim:crossbar", "--record", "check.h5", "--force").returncode == 0


def test_check_physics_measures_beside_the_formulas(lightloop):
    done = lightloop("check", "sim:delay_vcsel,laser.pump=2.4,laser.alpha=2,injection.rate_per_s=3e9", "--physics", "--json")
    rows = {row["quantity"]: row for row in json.loads(done.stdout)["rows"]}
    assert done.returncode == 0
    damping = rows["relaxation oscillation, damping"]
    assert damping["expected"] == pytest.approx(1.2e9) and damping["measured"] != damping["expected"]
    assert rows["weak injection, half of the locking range"]["agrees"] is True
    assert rows["pump at which x changes its stability"]["agrees"] is None  # one polarisation

    text = lightloop("check", "sim:delay_vcsel,preset=martin_regalado", "--physics")
    assert text.returncode == 0 and "linewidth" in text.stdout and "pump at which x" in text.stdout

    none = lightloop("check", "sim:crossbar", "--physics")
    assert none.returncode == 2 and "measures none" in none.stderr
