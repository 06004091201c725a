"""A run behind a device, from Python: what needs that device is refused, however the run came about."""

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
