"""A run from Python knows how its network answers, however it came about: behind a device, or by settings of its rule."""

import numpy as np
import pytest

import lightloop as ll
from lightloop import _core

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
