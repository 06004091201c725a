"""ll.compare is the grid of `lightloop compare`; ll.train takes every rule of the list."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll
from lightloop import _compare

SMALL = dict(net="784-16-10", epochs=1, batch=256)
BUILD = Path(os.environ.get("LIGHTLOOP_BUILD", Path(__file__).parents[2] / "build"))


def test_the_rows_are_those_of_the_command(tmp_path):
    out = tmp_path / "here"
    found = ll.compare("digits", ["bp", "tdfa"], ["digital", "sim:opu,seed=5"], [2], out=out,
                       only={"tdfa": {"rule.dead_zone": 0.15}}, **SMALL)  # fmt: skip
    words = ["compare", "--rules", "bp,tdfa", "--devices", "digital,sim:opu,seed=5", "--seeds", "2", "--json", "--quiet",
             "--net", "784-16-10", "--epochs", "1", "--batch", "256", "--set", "tdfa:rule.dead_zone=0.15"]  # fmt: skip
    done = subprocess.run([BUILD / "bin" / "lightloop", *words], cwd=tmp_path, capture_output=True, text=True)
    told = json.loads(done.stdout)
    timeless = [[{k: v for k, v in row.items() if k != "train_seconds"} for row in rows] for rows in (found.rows, told["rows"])]
    assert timeless[0] == timeless[1]
    for ours, theirs in zip(sorted(out.glob("*.json")), sorted((tmp_path / "compare").glob("*.json")), strict=True):
        assert json.loads(ours.read_text())["weights_sha256"] == json.loads(theirs.read_text())["weights_sha256"]
    assert [(pair["rule"], pair["device"]) for pair in told["left_out"]] == list(found.left_out)
    assert found.markdown() == (out / "compare.md").read_text()
    assert "left out: bp on sim:opu,seed=5" in str(found) and "sim:opu,seed=5 as projection projects the error: tdfa" in str(found)
    assert found.run("tdfa", "sim:opu,seed=5", 2).settings["rule.dead_zone"] == 0.15
    assert found.row("tdfa", "sim:opu,seed=5")["device_frames"] > 0
    with pytest.raises(ll.InvalidParameter, match="the rule projects no error"):
        found.row("bp", "sim:opu,seed=5")

    before = {path: path.stat().st_mtime_ns for path in out.glob("*.h5")}
    again = ll.compare("digits", "bp", seeds=2, out=out, **SMALL)  # taken up
    assert again.row("bp")["seeds"] == 1 and {p: p.stat().st_mtime_ns for p in before} == before
    with pytest.raises(ll.InvalidParameter, match="another command"):
        ll.compare("digits", "bp", seeds=2, out=out, lr=0.5, **SMALL)


@pytest.mark.parametrize("size, said", [(1.0, "complete, but without its result"), (0.5, "cannot be read")])
def test_a_run_file_that_nobody_can_go_on_with_is_done_anew(tmp_path, capsys, size, said):
    ll.compare("digits", "bp", out=tmp_path, **SMALL)
    result, run_file = tmp_path / "bp-digital-1.json", tmp_path / "bp-digital-1.h5"
    whole = json.loads(result.read_text())
    result.unlink()  # as if Python had been killed before it could write it
    (tmp_path / "bp-digital-1.begun").write_text(json.dumps(whole["defaults"]))
    run_file.write_bytes(run_file.read_bytes()[: int(size * run_file.stat().st_size)])
    again = ll.compare("digits", "bp", out=tmp_path, progress=True, **SMALL)
    assert f"{run_file}: {said}; done anew" in capsys.readouterr().err
    assert json.loads(result.read_text())["weights_sha256"] == whole["weights_sha256"] == again.run("bp").facts["weights_sha256"]


def test_arrays_are_compared_too_and_drawn(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (rng.normal(size=(3, 8))[y] + 0.3 * rng.normal(size=(300, 8))).astype(np.float32)
    found = ll.compare(((x, y), (x[:90], y[:90])), ["bp", "dfa"], net="8-12-3", epochs=5, batch=10, lr=1e-2)
    assert all(row["test_accuracy"] > 0.9 for row in found.rows) and found.folder is None
    pytest.importorskip("matplotlib")
    found.plot(tmp_path / "bars.png")
    assert (tmp_path / "bars.png").stat().st_size > 1000


def test_arrays_are_refused_as_train_refuses_them():
    x, y = np.ones((6, 4)), np.arange(6) % 2
    for data in (((x + 1j, y), (x, y)), ((x.astype(str).tolist(), y.tolist()), (x, y)), (x, y), [[x]], {"x": x, "y": y}, 5):
        said = []
        for ask in (lambda: ll.train(data, "bp", net="4-2", epochs=1, progress=False), lambda: ll.compare(data, "bp", net="4-2", epochs=1)):
            with pytest.raises(ll.InvalidParameter) as caught:
                ask()
            said.append((caught.type, str(caught.value)))
        assert said[0] == said[1] and ("real numbers" in said[0][1] or "x_test" in said[0][1])


def test_arrays_of_other_real_numbers_are_taken_as_float32():
    rng = np.random.default_rng(0)
    y, x = np.arange(60) % 3, rng.random((60, 8), dtype=np.float32)
    options = dict(net="8-6-3", epochs=1, batch=20, seed=1)

    def trained(x, y, **more):
        return ll.train(((x, y), (x, y)), rule="bp", progress=False, **options, **more).facts["weights_sha256"]

    assert trained(x.astype(np.float64), y) == trained(x.tolist(), y.tolist()) == trained(x, y)
    targets = x[:, :3]
    assert trained(x, targets.astype(np.float64), loss="mse") == trained(x, targets, loss="mse")
    with pytest.raises(ll.InvalidParameter, match="inf"):
        trained(x * 1e300, y)
    assert ll.plan(((x, y), (x, y)), rule="bp", **options).steps == 3


def test_a_run_that_fails_leaves_the_others_alone():
    x = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
    data = ((x, x[:, :1]), (x, x[:, :1]))
    settings = {"net": "4-1", "loss": "mse", "batch": 8, "epochs": 4, "optimizer": "sgd", "progress": False}
    diverges = {"bp": {"lr": 1000.0}}  # errors grow a thousandfold with each of 32 steps
    with pytest.warns(RuntimeWarning, match="failed: bp on digital, seed 1: .*must stay finite"):
        found = ll.compare(data, ["bp", "ridge"], jobs=1, only=diverges, **settings)
    assert [row["rule"] for row in found.rows] == ["ridge"] and list(found.failed) == [("bp", "digital", 1)]
    assert "failed: bp on digital" in str(found) and "failed: bp on digital" in found.markdown()
    with pytest.raises(ll.InvalidParameter, match="must stay finite"):
        found.row("bp")
    with pytest.raises(ll.Error, match="every run of compare failed"):
        ll.compare(data, ["bp"], only=diverges, **settings)


def test_real_targets_are_compared_by_their_loss(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 8))
    y = np.tanh(x @ rng.normal(size=(8, 2)))
    found = ll.compare(((x, y), (x[:90], y[:90])), ["bp", "dfa"], seeds=[1, 2], net="8-12-2", loss="mse", epochs=3, batch=10, out=tmp_path)
    for rule in ("bp", "dfa"):
        row, runs = found.row(rule), [found.run(rule, seed=seed) for seed in (1, 2)]
        losses = [run.curves["test_loss"][-1] for run in runs]
        assert row["test_accuracy"] is None and row["test_loss"] == pytest.approx(np.mean(losses))
        assert row["spread"] == pytest.approx(np.std(losses, ddof=1))
        assert f"{row['test_loss']:.4g} ± {row['spread']:.2g}" in str(found)
    assert "lower is better" in str(found) and "lower is better" in found.markdown() and "nan" not in found.markdown()
    pytest.importorskip("matplotlib")
    (axes,) = found.plot().axes
    assert "test loss" in axes.get_ylabel() and {bar.get_height() for bar in axes.patches} == {row["test_loss"] for row in found.rows}
    result = tmp_path / "bp-digital-1.json"
    older = json.loads(result.read_text())
    result.write_text(json.dumps({key: value for key, value in older.items() if key != "test_loss"}))  # an earlier version's
    again = ll.compare(((x, y), (x[:90], y[:90])), "bp", net="8-12-2", loss="mse", epochs=3, batch=10, out=tmp_path)
    assert again.row("bp")["test_loss"] == older["test_loss"]


def test_labels_have_rows_without_losses():
    found = ll.compare("digits", "bp", **SMALL)
    assert "test_loss" not in found.row("bp") and "lower is better" not in str(found)


def test_other_physics_stands_in_front_of_the_layers():
    wave = "sim:wave,input.size=16,output.size=16,encoding=phase"
    found = ll.compare("digits", ["dfa", "predictive_coding"], wave, threads=1, samples=200, **SMALL)
    assert found.row("dfa", wave)["way"] == "map" and found.row("dfa", wave)["device_frames"] > 0
    assert "not as map" in found.left_out["predictive_coding", wave] and f"{wave} as map stands in front of every layer (--map): dfa" in str(found)
    every = ll.compare("digits", "dfa", map=wave, map_part=8, threads=1, samples=200, **SMALL)
    assert f"{wave} stands in front of the layers of every run" in str(every)
    assert every.row("dfa")["map"] == found.row("dfa", wave)["map"] == wave


def test_mistakes_are_named():
    for words, said in (
        (dict(rules=["bp"], map_part=8), "map_part"),
        (dict(rules=["bp", "bp"]), "bp"),
        (dict(rules=[]), "at least one"),
        (dict(rules=["bpp"]), "bpp"),
        (dict(rules=["bp", "tdffa"]), r"tdffa.*Did you mean tdfa\?"),
        (dict(rules=["dfa"], devices=["digital", "sim:opuu"]), r"opuu.*Did you mean opu\?"),
        (dict(rules=["bp", "forwardgnn"], devices=["digital", "sim:opuu"]), r"opuu.*Did you mean opu\?"),
        (dict(rules=["dfa"], devices=["digital", "sim:opu,camera.bitz=8"]), "camera.bitz"),
        (dict(rules=["bp", "ff"], devices=["digital", "none.toml"]), "cannot read none.toml"),
        (dict(rules=["bp", "dfa"], only={"dfa": {"rule.scal": 2}}), 'unknown setting "scal"'),
        (dict(rules=["bp"], jobs=-1), "jobs"),
        (dict(rules=["bp"], threads=-1), "threads"),
        (dict(rules=["bp"], seed=3), "seed"),
        (dict(rules=["bp"], only={"dfa": {}}), "only"),
        (dict(rules=["bp"], epoch=3), "epoch"),
        (dict(rules=["bp"], dataset="none.csv"), "none.csv"),
    ):
        with pytest.raises(ll.InvalidParameter, match=said):
            ll.compare(**words)


OPU = "sim:opu,input.size=16,output.size=64"
COLUMN = dict(net="784-8-7-10", samples=64, epochs=1, batch=32)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Two instruments of one server."""
    folder = tmp_path_factory.mktemp("bench")
    words = [BUILD / "bin" / "lightloop", "serve", "--json", "--device", f"a={OPU}", "--device", f"b={OPU}", "--listen", f"unix:{folder}/s"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            if not (ready := server.stdout.readline()):
                said = server.stderr.read()
                pytest.skip("built without gRPC") if "gRPC" in said else pytest.fail(said)
            yield f"remote:{json.loads(ready)['address']}/"
        finally:
            server.terminate()


def of_the_command(rules, devices, folder, *words):
    options = [word for key, value in COLUMN.items() for word in (f"--{key}", str(value))]
    grid = [BUILD / "bin" / "lightloop", "compare", "--rules", ",".join(rules), "--devices", ",".join(devices), "--jobs", "4", *options]
    return subprocess.run([*grid, "--json", *words], cwd=folder, capture_output=True, text=True)


def test_runs_and_plans_on_one_instrument_take_turns(bench, tmp_path):
    (tmp_path / "lab.toml").write_text(f'device = "{bench}a"\n')
    (tmp_path / "calm.toml").write_text("seed = 1\n")
    rules, plain = ["tdfa", "sdfa", "dfa", "drtp"], f"{bench}a"
    devices = [plain, f"fault:{tmp_path}/calm.toml@{bench}a", f"{tmp_path}/lab.toml", f"{bench}b"]
    done = of_the_command(rules, devices, tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["rows"]) == 16 and not told["left_out"] and "; 2 at a time" in done.stderr  # a and b
    found = ll.compare("digits", rules, devices[:3], jobs=4, **COLUMN)
    assert not found.left_out and not found.failed
    for row in found.rows:
        assert row["test_accuracy"] == found.row(row["rule"], plain)["test_accuracy"]


def test_an_instrument_that_somebody_has_is_no_misfit(bench, tmp_path):
    taken, free = f"{bench}a", f"{bench}b"
    with ll.open(taken):
        with pytest.warns(RuntimeWarning, match="failed: bp on .*, seed 1: device a: in use by"):
            found = ll.compare("digits", ["bp", "dfa"], [taken, free], **COLUMN)
        done = of_the_command(["bp", "dfa"], [taken, free], tmp_path)
        planned = of_the_command(["bp", "dfa"], [taken, free], tmp_path, "--dry-run")
        alone = of_the_command(["dfa"], [taken], tmp_path)
    assert list(found.left_out) == [("bp", free)] and list(found.failed) == [("bp", taken, 1), ("dfa", taken, 1)]
    told = json.loads(done.stdout)
    assert done.returncode == 1 and [pair["device"] for pair in told["left_out"]] == [free]
    assert [(pair["device"], "in use by" in pair["reason"]) for pair in told["failed"]] == 2 * [(taken, True)]
    in_use = [pair["device"] for pair in json.loads(planned.stdout) if "in use by" in (pair["reason"] or "")]
    assert planned.returncode == 1 and in_use == 2 * [taken]
    assert alone.returncode == 1 and "in use by" in alone.stderr and "the same command tries again" in alone.stderr
    again = of_the_command(["bp", "dfa"], [taken, free], tmp_path)
    assert again.returncode == 0 and "2 runs, 1 done before" in again.stderr, again.stderr


def test_what_is_one_instrument_is_read_from_the_words_of_a_run(tmp_path):
    lab = tmp_path / "lab.toml"
    lab.write_text('[device]\naddress = "remote:lab:1/opu,camera.bits=4"\n')
    for words, wanted in (
        (["--device", "sim:opu,seed=2", "--map", "replay:a.h5"], set()),
        (["--device", "digital", "--set", "train.map=remote:lab:1/opu,camera.bits=8"], {"remote:lab:1/opu"}),
        (["train.device=fault:s.toml@plugin:vendor.chip,port=1"], {"plugin:vendor.chip"}),
        (["--layers", "remote:lab:1/m{09..10},python:b.py:Bench"], {"remote:lab:1/m09", "remote:lab:1/m10", "python:b.py:Bench"}),
        (["--map", str(lab), "--layers", f"fault:s.toml@{lab}"], {"remote:lab:1/opu"}),
    ):
        assert _compare.instruments(words) == wanted


def test_a_setting_that_one_rule_does_not_know_says_how_to_give_it_to_another():
    found = ll.compare("digits", ["bp", "dfa"], settings={"rule.scale": 2.0}, samples=200, **SMALL)
    assert list(found.left_out) == [("bp", "digital")] and found.row("dfa")
    assert found.left_out["bp", "digital"].endswith('To give it to dfa alone: only={"dfa": {"rule.scale": ...}}')


def test_a_rule_of_graphs_says_that_it_wants_one():
    with pytest.raises(ll.Unsupported, match="graph"):
        ll.train("digits", rule="forwardgnn", net="784-8-10", epochs=1, progress=False)


@pytest.mark.parametrize("rule", [rule.name for rule in ll.rules() if not rule.graph_only])
def test_every_rule_of_the_list_trains_from_python_and_its_run_answers(rule, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = rng.random((60, 8), dtype=np.float32)
    run = ll.train(((x, y), (x, y)), rule=rule, net="8-6-6-3", epochs=1, batch=20, progress=False, out=tmp_path / "run.h5")
    assert run.rule == rule and np.isfinite(run.curves["train_loss"]).all()
    assert (run.predict(x) == y).mean() == pytest.approx(run.test_accuracy)
    assert ll.load_run(run.path).facts["weights_sha256"] == run.facts["weights_sha256"]
