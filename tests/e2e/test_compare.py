"""`lightloop compare`: a grid of runs becomes one table and one picture, and goes on where it was stopped."""

import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from e2e import COMMAND, ROOT

SCRIPT = ROOT / "python" / "lightloop" / "_compare.py"
WAVE = "sim:wave,input.size=16,output.size=16,encoding=phase"
GRID = ["compare", "--rules", "bp,tdfa", "--devices", "digital,sim:opu,seed=5", "--seeds", "1,2", "--out", "grid"]


def test_a_grid_becomes_one_table_and_says_what_it_left_out(lightloop, small, tmp_path):
    done = lightloop(*GRID, "--json", *small, "--set", "tdfa:rule.dead_zone=0.15")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    rows = {(row["rule"], row["device"]): row for row in told["rows"]}
    assert rows.keys() == {("bp", "digital"), ("tdfa", "digital"), ("tdfa", "sim:opu,seed=5")}
    assert all(row["seeds"] == 2 and row["spread"] >= 0 for row in rows.values())
    assert rows["tdfa", "sim:opu,seed=5"]["device_frames"] > 0 == rows["tdfa", "digital"]["device_frames"]
    (left_out,) = told["left_out"]
    assert (left_out["rule"], left_out["device"]) == ("bp", "sim:opu,seed=5")
    assert left_out["reason"] == ("not as projection: the rule projects no error; not as layers: the device holds no matrix; not as map: "
                                  "gradient of a map on sim:opu: its inputs have one bit (a derivative needs more), and none is needed in front of the "
                                  "first layer alone (--map-at 1)")  # fmt: skip
    table = (tmp_path / "grid" / "compare.md").read_text()
    assert table.startswith("| rule | digital | sim:opu,seed=5 |") and "its inputs have one bit" in table and "% as projection<br>" in table
    # a cell is what `train` gives by itself
    alone = lightloop("train", *small, "--rule", "tdfa", "--device", "sim:opu,seed=5", "--seed", "2", "--json", "--set", "rule.dead_zone=0.15")
    in_grid = json.loads((tmp_path / "grid" / "tdfa-sim_opu_seed=5-2.json").read_text())
    assert json.loads(alone.stdout)["weights_sha256"] == in_grid["weights_sha256"]


def test_a_device_of_layers_carries_the_network(lightloop, small, tmp_path):
    done = lightloop("compare", "--rules", "bp", "--devices", "sim:crossbar", "--json", *small)
    (row,) = json.loads(done.stdout)["rows"]
    alone = lightloop("train", *small, "--rule", "bp", "--layers", "sim:crossbar", "--json")
    assert json.loads(alone.stdout)["test_accuracy"] == row["test_accuracy"]


def test_physics_that_holds_no_weights_stands_in_front_of_the_layers(lightloop, small, tmp_path):
    wave = "sim:wave,input.size=16,output.size=16,encoding=phase"
    words = ["compare", "--rules", "dfa,predictive_coding", "--devices", f"{wave},digital", "--out", "grid", *small, "--samples", "200"]
    done = lightloop(*words, "--json", "--threads", "1")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {(row["rule"], row["device"], row["way"]) for row in told["rows"]} == {
        ("dfa", wave, "map"), ("dfa", "digital", "device"), ("predictive_coding", "digital", "device")}  # fmt: skip
    (left_out,) = told["left_out"]
    assert left_out["device"] == wave and "; not as map: the rule settles activities" in left_out["reason"]
    alone = lightloop("train", *small, "--samples", "200", "--rule", "dfa", "--map", wave, "--json")
    (row,) = [row for row in told["rows"] if row["way"] == "map"]
    assert json.loads(alone.stdout)["test_accuracy"] == row["test_accuracy"] and row["device_frames"] > 0
    assert f"{wave} as map stands in front of every layer (--map): dfa" in (tmp_path / "grid" / "compare.md").read_text()
    planned = lightloop(*words, "--dry-run", "--threads=2").stdout  # threads change no result, so the runs are the same
    assert f"dfa on {wave} as map: at most" in planned
    again = lightloop(*words, "--threads", "2")
    assert "3 done before" in again.stderr, again.stderr


def test_settings_of_maps_are_for_runs_that_have_one(lightloop, small):
    wave = "sim:wave,input.size=16,output.size=16,encoding=phase"
    words = ["compare", "--rules", "dfa", *small, "--samples", "200", "--json", "--threads=1"]
    frames = {}
    for part in ("8", "16"):
        done = lightloop(*words, "--map-part", part, "--devices", f"{wave},digital", "--out", part)
        assert done.returncode == 0, done.stderr
        frames[part] = {row["device"]: row["device_frames"] for row in json.loads(done.stdout)["rows"]}
    assert frames["8"][wave] > frames["16"][wave] > 0 and frames["8"]["digital"] == 0
    alone = lightloop(*words, "--map-part=8", "--devices", "digital", "--out", "alone")
    assert alone.returncode == 2 and "map_part" in alone.stderr
    planned = lightloop(*words, "--map-part=8", "--devices", "digital", "--out", "alone", "--dry-run")
    assert planned.returncode == 2 and "map_part" in planned.stderr
    wide = lightloop(*words, "--map-part=70000", "--devices", f"{wave},digital", "--out", "wide")
    assert wide.returncode == 2 and "65536" in wide.stderr  # what is wrong with it
    own = lightloop(*words, "--devices", f"{wave},digital", "--out", "own", "--set", "dfa:train.map_part=8")
    assert own.returncode == 0, own.stderr
    assert {row["device"]: row["device_frames"] for row in json.loads(own.stdout)["rows"]} == frames["8"]


@pytest.mark.parametrize("spaced, joined", [
    ("--set tdfa:rule.dead_zone=0.3", "--set=tdfa:rule.dead_zone=0.3"),
    ("--set tdfa:rule.dead_zone=0.3 --set dfa:rule.scale=2", "--set tdfa:rule.dead_zone=0.3 dfa:rule.scale=2"),
    ("--set train.map_part=8", "--set=train.map_part=8"),
    ("--map-part 8", "--map-part=8"),
    (f"--map {WAVE} --map-part 8", f"--map={WAVE} --map-part=8"),
    (f"--set train.map={WAVE}", f"--set=train.map={WAVE}"),
    ("--epochs 1 --threads 1", "--epochs=1 --threads=1 --yes=true"),
])  # fmt: skip
def test_an_option_and_its_value_may_be_one_word(lightloop, small, spaced, joined):
    words = ["compare", "--rules", "dfa,tdfa", "--devices", f"digital,{WAVE}", "--dry-run", "--json", *small]
    (found, wanted) = (lightloop(*words, *given.split()) for given in (joined, spaced))
    assert found.returncode == 0 and json.loads(found.stdout) == json.loads(wanted.stdout), found.stderr
    assert any(pair["reason"] is None for pair in json.loads(found.stdout))


@pytest.fixture(scope="module")
def compare():
    """The script as a module."""
    found = importlib.util.spec_from_file_location("compare", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_options_without_a_value_are_those_of_train(lightloop, compare):
    options = re.findall(r"^  (?:-\w,)?--([\w-]+)( [A-Z]|)", lightloop("train", "--help").stdout, re.MULTILINE)
    assert {name for name, value in options if not value} - {"help"} == set(compare.FLAGS)


def test_a_grid_that_joins_options_and_values_is_the_same_grid(lightloop, compare, small, tmp_path):
    for given in (["--dataset=fashion"], ["--dataset", "fashion"]):
        assert compare.title(compare.read(["--rules", "dfa", "--", *given])) == "fashion, 1 seed(s)"
    words = ["compare", "--rules", "tdfa", "--out", "grid", "--quiet", *small]
    assert lightloop(*words, "--lr", "0.002").returncode == 0
    again = lightloop(*[word for word in words if word != "--quiet"], "--lr=0.002")
    assert again.returncode == 0 and "1 done before" in again.stderr, again.stderr


@pytest.mark.parametrize("way", ["--map", "--set"])
def test_physics_in_front_of_every_run_is_named(lightloop, small, tmp_path, way):
    wave = "sim:wave,input.size=16,output.size=16,encoding=phase"
    words = ["compare", "--rules", "dfa", *small, "--samples", "200", "--threads=1", "--map-part", "8", "--out", "grid"]
    done = lightloop(*words, way, wave if way == "--map" else f"train.map={wave}", "--devices", "digital,sim:opu")
    assert done.returncode == 0, done.stderr
    said = f"{wave} stands in front of the layers of every run"
    assert said in done.stdout and said in (tmp_path / "grid" / "compare.md").read_text()


def test_finished_runs_are_kept_and_another_grid_does_not_mix_in(lightloop, small, tmp_path):
    words = ["compare", "--rules", "bp", "--out", "grid", "--quiet", *small]
    assert lightloop(*words).returncode == 0
    kept = tmp_path / "grid" / "bp-digital-1.h5"
    before = kept.stat().st_mtime_ns
    assert lightloop(*words, "--seeds", "1,2").returncode == 0
    assert kept.stat().st_mtime_ns == before and (tmp_path / "grid" / "bp-digital-2.h5").exists()
    other = lightloop(*words, "--lr", "0.002")
    assert other.returncode == 2 and "another command" in other.stderr
    assert lightloop(*words, "--lr", "0.002", "--force").returncode == 0


def test_what_was_made_with_other_defaults_is_made_anew(lightloop, small, tmp_path):
    words = ["compare", "--rules", "dfa,tdfa", "--out", "grid", *small, "--set", "dfa:rule.scale=1"]
    assert lightloop(*words).returncode == 0
    result = tmp_path / "grid" / "tdfa-digital-1.json"
    whole = json.loads(result.read_text())
    assert whole["defaults"]["dead_zone"] == 0.2 and not list(tmp_path.glob("grid/*.begun"))
    other = {**whole, "test_accuracy": 0.0, "defaults": {**whole["defaults"], "dead_zone": 0.1}}
    for older in (other, {key: value for key, value in other.items() if key != "defaults"}):
        result.write_text(json.dumps(older))
        again = lightloop(*words)
        assert again.returncode == 0 and "1 done before; 1 done with other defaults" in again.stderr, again.stderr
        assert json.loads(result.read_text())["weights_sha256"] == whole["weights_sha256"]
        assert json.loads(result.read_text())["test_accuracy"] == whole["test_accuracy"]
    kept = result.stat().st_mtime_ns
    assert lightloop(*words).returncode == 0 and result.stat().st_mtime_ns == kept


def test_ctrl_c_stops_politely_and_the_same_command_ends_alike(lightloop, small, tmp_path):
    words = ["compare", "--rules", "dfa,bp", "--out", "grid", "--jobs", "1", *small, "--epochs", "40"]
    whole = lightloop(*[word if word != "grid" else "whole" for word in words], "--json")
    assert whole.returncode == 0, whole.stderr
    begun = subprocess.Popen([COMMAND, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip
    while not list(tmp_path.glob("grid/*.h5")) and begun.poll() is None:
        time.sleep(0.01)
    subprocess.run(["kill", "-INT", "--", f"-{begun.pid}"], check=False)
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 130 and "goes on from here" in said
    again = lightloop(*words, "--json")
    assert again.returncode == 0, again.stderr
    pick = [(row["rule"], row["test_accuracy"]) for row in json.loads(again.stdout)["rows"]]
    assert pick == [(row["rule"], row["test_accuracy"]) for row in json.loads(whole.stdout)["rows"]]


def running_in(folder):
    """The processes whose working directory that is: runs have a session of their own, but that directory."""
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/cwd"):
        try:
            found += [link.parent.name] * (os.readlink(link) == str(folder.resolve()))
        except OSError:  # has ended meanwhile
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_compare_alone_stops_its_runs_too(lightloop, small, tmp_path, number):
    words = ["compare", "--rules", "dfa,bp", "--out", "grid", "--jobs", "2", "--threads", "1", *small, "--epochs", "400"]
    begun = subprocess.Popen([COMMAND, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # fmt: skip
    while len(list(tmp_path.glob("grid/*.h5"))) < 2 and begun.poll() is None:
        time.sleep(0.01)
    assert len(running_in(tmp_path)) >= 3  # compare and two runs, whatever else
    os.kill(begun.pid, number)
    said = begun.communicate(timeout=60)[1]
    assert begun.returncode == 130 and said.endswith("lightloop: stopped; the same command goes on from here\n"), said
    assert running_in(tmp_path) == []  # nobody is left
    kept = sorted(tmp_path.glob("grid/*.h5"))
    assert len(kept) == 2 and not list(tmp_path.glob("grid/*.json"))
    for file in kept:
        assert json.loads(lightloop("show", file, "--json").stdout)["complete"] is False
    again = lightloop(*words, "--json")
    assert again.returncode == 0 and "anew" not in again.stderr, again.stderr


def test_a_run_that_fails_leaves_the_others_alone_and_is_told(lightloop, small, tmp_path):
    words = ["compare", "--rules", "bp,ff,dfa", "--out", "grid", *small, "--set", "ff:train.lr=1000", "--set", "ff:train.optimizer=sgd"]
    for _ in range(2):  # a second time nothing but the failed one is tried
        done = lightloop(*words, "--json")
        assert done.returncode == 1, done.stderr
        told = json.loads(done.stdout)
        assert [row["rule"] for row in told["rows"]] == ["bp", "dfa"]
        (failed,) = told["failed"]
        assert (failed["rule"], failed["device"], failed["seed"]) == ("ff", "digital", 1) and "must stay finite" in failed["reason"]
        assert "1 run(s) failed; the same command tries them again" in done.stderr
    table = (tmp_path / "grid" / "compare.md").read_text()
    assert "| ff | - |" in table and "failed: ff on digital, seed 1: " in table
    alone = lightloop("compare", "--rules", "ff", "--out", "grid", *small, "--set", "ff:train.lr=1000", "--set", "ff:train.optimizer=sgd")
    assert alone.returncode == 1 and "failed: ff on digital, seed 1: " in alone.stderr and not alone.stdout


def unwritten(result):
    """Takes the result of a finished run away, as if compare had been killed before it could write it."""
    whole = json.loads(result.read_text())
    result.unlink()
    return whole, result.with_suffix(".begun"), result.with_suffix(".h5")


def test_a_run_file_that_nobody_can_go_on_with_is_done_anew(lightloop, small, tmp_path):
    words = ["compare", "--rules", "dfa", "--out", "grid", *small]
    assert lightloop(*words).returncode == 0
    result = tmp_path / "grid" / "dfa-digital-1.json"
    anew = "grid/dfa-digital-1.h5: {}; done anew\n"
    for size, more, said in ((1.0, [], "complete, but without its result"), (0.5, [], "cannot be read"), (0.5, ["--quiet"], "")):
        whole, note, run_file = unwritten(result)
        note.write_text(json.dumps(whole["defaults"]))
        run_file.write_bytes(run_file.read_bytes()[: int(size * run_file.stat().st_size)])
        again = lightloop(*words, *more)
        assert again.returncode == 0 and (anew.format(said) in again.stderr if said else not again.stderr), again.stderr
        assert json.loads(result.read_text())["weights_sha256"] == whole["weights_sha256"] and not note.exists()


def test_what_another_command_began_is_left_alone(lightloop, small, tmp_path):
    words = ["compare", "--rules", "dfa", "--out", "grid", "--quiet", *small]
    assert lightloop(*words).returncode == 0
    whole, note, run_file = unwritten(tmp_path / "grid" / "dfa-digital-1.json")
    note.write_text(json.dumps({"command": whole["command"], "defaults": whole["defaults"]}))
    other = lightloop(*words, "--lr", "0.002")
    assert other.returncode == 2 and "dfa-digital-1.h5: made by another command: lightloop train" in other.stderr and run_file.exists()
    assert lightloop(*words).returncode == 0
    run_file.with_suffix(".json").unlink()
    run_file.unlink()
    note.write_text(json.dumps({"command": whole["command"], "defaults": whole["defaults"]}))  # it had saved nothing yet
    assert lightloop(*words, "--lr", "0.002").returncode == 0


def test_a_dry_run_tells_the_plan_of_every_pair_and_writes_nothing(lightloop, small, tmp_path):
    words = ["compare", "--rules", "bp,tdfa,ff", "--devices", "digital,sim:opu,sim:crossbar", *small, "--dry-run"]
    done = lightloop(*words)
    assert done.returncode == 0 and not (tmp_path / "compare").exists(), done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bp on digital: no device") and any("tdfa on sim:opu as projection: at most" in line for line in lines)
    assert any(line.startswith("bp on sim:crossbar as layers: at most") for line in lines)
    assert any(line.startswith("ff on sim:opu as map: at most") for line in lines)
    assert any(line.startswith("left out: bp on sim:opu: not as projection: ") for line in lines)
    told = json.loads(lightloop(*words, "--json").stdout)
    assert len(told) == 9 and {pair["way"] for pair in told} == {"device", "layers", "map", None}


def test_real_targets_are_compared_by_their_loss(lightloop, tmp_path):
    words = ["compare", "--rules", "dfa,bp", "--dataset", "picture", "--net", "64-16-3", "--loss", "mse", "--epochs", "1"]
    done = lightloop(*words, "--seeds", "1,2")
    assert done.returncode == 0 and "lower is better" in done.stdout and "%  (" not in done.stderr, done.stderr
    told = json.loads(lightloop(*words, "--seeds", "1,2", "--json").stdout)
    assert [(row["rule"], row["test_accuracy"]) for row in told["rows"]] == [("dfa", None), ("bp", None)]
    losses = [json.loads((tmp_path / "compare" / f"bp-digital-{seed}.json").read_text())["epochs"][-1]["test_loss"] for seed in (1, 2)]
    assert told["rows"][1]["test_loss"] == pytest.approx(sum(losses) / 2)
    assert f"{told['rows'][1]['test_loss']:.4g} ±" in (tmp_path / "compare" / "compare.md").read_text()


def test_a_setting_that_one_rule_does_not_know_leaves_it_out_and_says_how_to_name_it(lightloop, small):
    done = lightloop("compare", "--rules", "bp,dfa", "--set", "rule.scale=2", *small)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("left out: ")]
    assert line.startswith("left out: bp on digital: ") and line.endswith("To give it to dfa alone: --set dfa:rule.scale=...")


SIX = "dfa,tdfa,ff,phyll,pepita,local"


def test_six_rules_meet_three_devices(lightloop, small):
    words = ["compare", "--rules", SIX, "--devices", "digital,sim:opu,sim:crossbar", *small, "--dry-run"]
    told = json.loads(lightloop(*words, "--json").stdout)
    ways = {(pair["rule"], pair["device"]): pair["way"] for pair in told}
    assert len(ways) == 18 and None not in ways.values()
    assert {rule for (rule, device), way in ways.items() if device == "sim:opu" and way == "map"} == {"ff", "phyll", "local"}
    assert all(way == "layers" for (_, device), way in ways.items() if device == "sim:crossbar")
    assert "left out" not in lightloop(*words).stdout


def test_what_a_rule_cannot_project_on_stands_in_front_of_its_layers(lightloop, small, tmp_path):
    """An OPU and a reservoir; the grid begun before they could be there is gone on with."""
    words = [*small, "--samples", "100", "--epochs", "1"]
    grid = ["compare", "--out", "grid", *words, "--threads", "1"]
    assert lightloop(*grid, "--rules", "ff").returncode == 0
    done = lightloop(*grid, "--rules", "ff,dfa", "--devices", "digital,sim:opu,sim:delay_vcsel")
    assert done.returncode == 0 and "6 runs, 1 done before" in done.stderr, done.stderr
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "grid").glob("*.json")}
    for rule, device in (("ff", "sim:opu"), ("ff", "sim:delay_vcsel"), ("dfa", "sim:delay_vcsel")):
        alone = json.loads(lightloop("train", *words, "--rule", rule, "--map", device, "--json").stdout)
        ours = found[f"{rule}-{device.replace(':', '_')}-1.json"]
        assert ours["weights_sha256"] == alone["weights_sha256"] and ours["device_frames"] == alone["device_frames"] > 0
    table = (tmp_path / "grid" / "compare.md").read_text()
    assert "sim:opu as map stands in front of every layer (--map): ff" in table and "sim:opu as projection projects the error: dfa" in table
    (line,) = [line for line in table.splitlines() if line.startswith("| ff |")]
    assert line.count(" as map<br>") == 2


def test_a_rule_that_wants_a_derivative_of_the_physics_is_told_where_it_needs_none(lightloop, small):
    words = ["compare", "--rules", "noprop", "--devices", "sim:opu,sim:delay_vcsel", *small, "--dry-run"]
    refused = lightloop(*words)
    assert refused.stdout.count("none is needed in front of the first layer alone (--map-at 1)") == 2, refused.stdout
    planned = lightloop(*words, "--map-at", "1")
    assert planned.stdout.count("as map: at most") == 2 and "left out" not in planned.stdout, planned.stdout


def test_a_projection_refused_by_its_settings_is_not_used_in_another_way(lightloop, small):
    done = lightloop("compare", "--rules", "dfa,ff", "--devices", "sim:opu,output.size=8,input.size=64", *small, "--dry-run", "--json")
    ways = {pair["rule"]: (pair["way"], pair["reason"]) for pair in json.loads(done.stdout)}
    assert ways["dfa"][0] is None and "not as map" not in ways["dfa"][1], ways


def test_rules_with_passes_of_their_own_run_on_layers_of_a_device_and_their_runs_answer_there(lightloop, small, tmp_path):
    done = lightloop("compare", "--rules", "ff,phyll,local,pepita", "--devices", "sim:crossbar", "--out", "grid", "--json", *small,
                     "--samples", "200")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["rule"] for row in rows] == ["ff", "phyll", "local", "pepita"] and all(row["device_frames"] > 0 for row in rows)
    for row in rows:
        told = lightloop("eval", f"grid/{row['rule']}-sim_crossbar-1.h5", "--json")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["test_accuracy"] == pytest.approx(row["test_accuracy"], abs=0.1)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--rules", "bp,bp"], "--rules bp,bp"),
        (["--rules", "bp", "--seeds", "one"], "--seeds one"),
        (["--rules", "bp", "--jobs", "-1"], "--jobs -1"),
        (["--rules", "bp", "--seed", "3"], "--seed"),
        (["--rules", "bp", "--device", "sim:opu"], "--devices"),
        (["--rules", "bp", "--record", "x.h5"], "one file would serve several runs"),
        (["--rules", "bp", "--threads", "many"], "--threads many"),
        (["--rules", "bpp"], "bpp"),
        (["--rules", "dfa,tdffa"], "rule: tdffa (known: bp, "),
        (["--rules", "dfa,bp", "--devices", "digital,sim:opuu"], "Did you mean opu?"),
        (["--rules", "bp", "--dry-run", "--devices", "digital,sim:opuu"], "Did you mean opu?"),
        (["--rules", "dfa,bp", "--set", "dfa:rule.scal=2"], 'rule dfa: unknown setting "scal"'),
        (["--rules", "bp", "--dataset", "none.csv"], "none.csv"),
        (["--rules", "bp", "--epoch", "3"], "--epoch"),
        (["--rules", "dfa,tdfa", "--set", "tfda:rule.scale=2"], "--set tfda:rule.scale=2: tfda is no rule of this comparison (dfa, tdfa)"),
        (["--rules", "dfa", "--dry-run", "--set", "bp:train.lr=1"], "--set bp:train.lr=1: bp is no rule of this comparison (dfa)"),
    ],
)
def test_mistakes_are_one_line(lightloop, words, said):
    done = lightloop("compare", *words)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
