"""A run from Python knows how its network answers, however it came about: behind a device, or by settings of its rule."""

import copy
import json
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll
from lightloop import _core

BUILD = Path(os.environ.get("LIGHTLOOP_BUILD", Path(__file__).parents[2] / "build"))
WAVES = "sim:wave,input.size=8,output.size=8"


@pytest.fixture
def points(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("train.csv", "test.csv"):
        labels = np.arange(120) % 3
        x = rng.normal(size=(120, 6)) + 2 * labels[:, None]
        np.savetxt(tmp_path / name, np.column_stack([x, labels]), fmt="%.4f," * 6 + "%d")
    return tmp_path / "train.csv"


def refused_everywhere(run):
    assert run.map.startswith(WAVES) and {"clipped_inputs", "saturated"} <= set(run.facts)
    x = np.zeros((2, 6), np.float32)
    for asked in (
        lambda: run.predict(x),
        lambda: run.scores(x),
        lambda: run.on("sim:crossbar"),
        lambda: ll.deploy(run, "sim:crossbar"),
        run.to_torch,
        run.to_numpy,
    ):
        with pytest.raises(ll.Unsupported, match="lightloop eval"):
            asked()


def test_a_run_behind_waves_refuses_to_answer_without_them_also_when_resumed_or_loaded(points, tmp_path):
    pytest.importorskip("torch")
    options = dict(net="6-12-3", epochs=2, batch=30, seed=1)
    refused_everywhere(ll.train(points, rule="dfa", map=WAVES, **options))

    def stop(*_):
        raise KeyboardInterrupt

    table = {"train.dataset": str(points), "train.rule": "dfa", "train.map": WAVES, "train.out": str(tmp_path / "run.h5")}
    with pytest.raises(KeyboardInterrupt):
        _core.train({**table, **{f"train.{k}": v for k, v in options.items()}}, on_epoch=stop)
    assert not ll.load_run(tmp_path / "run.h5").facts["complete"]
    refused_everywhere(ll.train(points, rule="dfa", resume=tmp_path / "run.h5"))  # the map is the file's
    refused_everywhere(ll.load_run(tmp_path / "run.h5"))
    plain = ll.train(points, rule="dfa", **options)
    assert plain.map == "" and "saturated" not in plain.facts and plain.predict(np.zeros((2, 6), np.float32)).shape == (2,)


def test_a_resumed_run_answers_by_the_rules_own_settings_of_its_file(points, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    table = {"train.dataset": str(points), "train.rule": "ff", "train.net": "9-12-12-3", "train.epochs": 2, "train.batch": 30,
             "train.out": str(tmp_path / "ff.h5"), "rule.answer": "goodness"}  # not the default; fmt: skip
    blank = np.loadtxt(points, delimiter=",")
    for name in ("train.csv", "test.csv"):  # room for the label
        np.savetxt(points.with_name(name), np.hstack([np.zeros((120, 3)), blank]), fmt="%.4f," * 9 + "%d")
    with pytest.raises(KeyboardInterrupt):
        _core.train(table, on_epoch=stop)
    resumed = ll.train(points, rule="ff", resume=tmp_path / "ff.h5")
    loaded = ll.load_run(tmp_path / "ff.h5")
    x = ll.load_dataset(str(points))[0].features()
    assert (resumed.scores(x) == loaded.scores(x)).all()
    assert resumed.settings["rule.answer"] == "goodness"


def labelled(points):
    """The three classes with room for the label in front."""
    blank = np.loadtxt(points, delimiter=",")
    for name in ("train.csv", "test.csv"):
        np.savetxt(points.with_name(name), np.hstack([np.zeros((120, 3)), blank]), fmt="%.4f," * 9 + "%d")
    return points


def evaluated(path, *options):
    done = subprocess.run([BUILD / "bin" / "lightloop", "eval", path, "--json", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("rule, settings", [("ff", {"rule.answer": "goodness"}), ("phyll", {}), ("sff", {}), ("ccl", {}),
                                            ("noprop", {}), ("bp", {})])  # fmt: skip
def test_a_run_on_a_device_answers_as_eval_there_by_its_rules_own_scores(points, tmp_path, rule, settings):
    device, file = "sim:crossbar,preset=pcm", tmp_path / "run.h5"
    run = ll.train(labelled(points), rule=rule, net="9-12-12-3", epochs=4, batch=30, seed=3, out=file, settings=settings)
    test = ll.load_dataset(str(points))[1]
    x = test.features()
    told = evaluated(file, "--device", device)
    for deployed in (run.on(device), ll.deploy(ll.load_run(file), device)):
        assert deployed.accuracy(x, test.y) == told["test_accuracy"]  # same devices, same seed, same passes
        assert deployed.device_joules == pytest.approx(told["device_joules"], rel=1e-12)
    digital = evaluated(file)
    assert (run.predict(x) == test.y).mean() == digital["test_accuracy"] == told["digital_accuracy"]


def test_reports_score_a_rule_by_its_own_answer(points, tmp_path):
    run = ll.train(labelled(points), rule="ff", net="9-12-12-3", epochs=6, batch=30, seed=3, settings={"rule.answer": "goodness"})
    test = ll.load_dataset(str(points))[1]
    found = run.on("sim:crossbar").sensitivity(test.features(), test.y, repeats=2)
    assert found.facts["digital_accuracy"] == run.test_accuracy
    logits = ll.deploy(run.weights, "sim:crossbar").sensitivity(test.features(), test.y, repeats=2)
    assert logits.facts["digital_accuracy"] != run.test_accuracy  # of a net whose last layer goodness never taught


@pytest.mark.parametrize("rule", [rule.name for rule in ll.rules() if not rule.graph_only])
def test_a_run_exports_the_network_that_answers_or_none(rule):
    """`to_torch` and `to_numpy` give what `scores` gives, or say which rule answers otherwise."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    y, x = np.arange(60) % 3, rng.random((60, 8), dtype=np.float32)
    default = {param.name: param.default for param in ll.rules()[rule].params}.get("answer", "")
    for settings in ({}, {"rule.answer": "sum"}) if rule == "local" else ({},):
        run = ll.train(((x, y), (x, y)), rule=rule, net="8-6-6-3", epochs=1, batch=20, settings=settings, progress=False)
        logits = torch.nn.Sequential(*[part for w, b in run.weights for part in (linear_of(torch, w, b), torch.nn.Tanh())][:-1])
        assert run.activation == "tanh"
        with torch.no_grad():
            same = np.allclose(logits(torch.from_numpy(x)).numpy(), run.scores(x), atol=1e-4)
        assert same == (not ll.rules()[rule].own_answer or settings.get("rule.answer", default) == "output")
        if not same:
            for wanted in (run.to_torch, run.to_numpy):
                with pytest.raises(ll.Unsupported, match=rf"rule {rule} answers in its own way.*run\.scores"):
                    wanted()
            continue
        with torch.no_grad():
            assert np.allclose(run.to_torch()(torch.from_numpy(x)).numpy(), run.scores(x), atol=1e-4)
        assert all((w == v).all() for (w, _), (v, _) in zip(run.to_numpy(), run.weights, strict=True))


def linear_of(torch, w, b):
    layer = torch.nn.Linear(w.shape[1], w.shape[0])
    layer.load_state_dict({"weight": torch.tensor(w.copy()), "bias": torch.tensor(b.copy())})
    return layer


@pytest.mark.parametrize("net", ["6-12-3", "dense 12, batch_norm, tanh | dense classes"])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_a_run_can_be_copied_and_pickled(points, net, again):
    run = ll.train(points, rule="dfa", net=net, epochs=2, batch=30, seed=1, baseline="bp")
    x = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    copied = again(run)
    for mine, theirs in zip([copied, *copied.baselines], [run, *run.baselines], strict=True):
        assert np.array_equal(mine.net.parameters, theirs.net.parameters) and mine.net.text == theirs.net.text
        assert np.array_equal(mine.scores(x), theirs.scores(x)) and mine.facts == theirs.facts
        assert [w.tobytes() for layer in mine.weights for w in layer] == [w.tobytes() for layer in theirs.weights for w in layer]
        assert repr(mine) == repr(theirs) and mine.settings == theirs.settings
    assert not any(np.shares_memory(a[0], b[0]) for a, b in zip(copied.weights, run.weights))


def test_samples_of_a_wrong_shape_or_kind_are_named():
    rng = np.random.default_rng(0)
    y, x = np.arange(60) % 3, rng.random((60, 8), dtype=np.float32)
    run = ll.train(((x, y), (x, y)), rule="bp", net="8-6-3", epochs=1, batch=20, progress=False)
    for asked in (run, run.on("sim:crossbar")):
        with pytest.raises(ll.ShapeMismatch, match=r"x\[None\]"):
            asked.predict(x[0])
        for wrong in (x + 1j, x.astype(str), None):
            with pytest.raises(ll.InvalidParameter, match="real numbers"):
                asked.scores(wrong)
        assert asked.predict(x[:1]).shape == (1,) and asked.predict(x[:0]).shape == (0,)
    assert (run.scores(x.astype(np.float64)) == run.scores(x)).all()


def test_a_resumed_run_of_real_targets_still_has_no_classes(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = np.stack([x[:, 0] + x[:, 1], x[:, 2] * 0.5], axis=1)
    data, out = ((x, y), (x, y)), tmp_path / "real.h5"
    options = dict(rule="bp", net="4-8-2", batch=20, seed=1, loss="mse", epochs=3)
    whole = ll.train(data, **options)

    def stop(*_):
        raise KeyboardInterrupt

    table = {"train.dataset": "arrays", "train.out": str(out), **{f"train.{k}": v for k, v in options.items()}}
    both = tuple(_core.make_dataset(x, y, 1) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        _core.train(table, data=both, on_epoch=stop)
    resumed = ll.train(data, rule="bp", resume=out)
    assert (resumed.scores(x) == whole.scores(x)).all()
    for run in (whole, resumed, ll.load_run(out)):
        assert run.settings["train.loss"] == "mse" and run.settings["train.batch"] == 20
        for asked in (run, run.on("sim:crossbar")):
            with pytest.raises(ll.Unsupported, match="predict: .*real numbers"):
                asked.predict(x)
        with pytest.raises(ll.Unsupported, match="accuracy: .*real numbers"):
            run.on("sim:crossbar").accuracy(x, y)


def test_samples_that_are_no_numbers_have_no_answer():
    x = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    run = ll.train(((x, np.arange(20) % 3), (x, np.arange(20) % 3)), rule="bp", net="4-3", epochs=1, progress=False)
    for wrong in (np.nan, np.inf):
        x[7, 2] = wrong
        for ask in (run.predict, run.scores):
            with pytest.raises(ll.InvalidParameter, match=r"x \[7, 2\]"):
                ask(x)


def test_labels_may_be_whole_reals_and_others_are_refused(tmp_path):
    x = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)
    y = np.arange(20) % 3
    whole = [ll.train(((x, labels), (x, labels)), rule="bp", net="4-3", epochs=1, seed=1) for labels in (y, y.astype(float))]
    assert whole[0].facts["weights_sha256"] == whole[1].facts["weights_sha256"]
    with pytest.raises(ll.InvalidParameter, match=r"y\[3\].*whole numbers"):
        ll.train(((x, np.where(np.arange(20) == 3, 0.5, y)), (x, y)), rule="bp", net="4-3", epochs=1)
    for wrong in (np.nan, np.inf, 1e300):
        with pytest.raises(ll.InvalidParameter, match=r"y\[3\].*whole numbers"):
            ll.train(((x, np.where(np.arange(20) == 3, wrong, y)), (x, y)), rule="bp", net="4-3", epochs=1)
    with pytest.raises(ll.OutOfRange, match="256"):
        ll.train(((x, y.astype(np.uint64) + 2**63), (x, y)), rule="bp", net="4-3", epochs=1)
    with pytest.raises(ll.InvalidParameter, match="whole numbers"):
        whole[0].on("sim:crossbar").sensitivity(x, y + 0.5)
