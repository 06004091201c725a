"""Labels per token and real targets from arrays: the same runs as by name."""

import numpy as np
import pytest

import lightloop as ll


def arrays(name, **options):
    train, test = ll.load_dataset(name, **options)
    return (train.features(), train.y), (test.features(), test.y)


def test_a_text_is_the_same_run_by_name_and_as_arrays(tmp_path):
    (tmp_path / "a.txt").write_text("abcabd" * 100)
    name = f"{tmp_path}/a.txt:8"
    train, test = ll.load_dataset(name)
    assert train.y.shape == (len(train), 8) and train.alphabet == b"abcd" and test.yardstick[1] > 1
    options = dict(rule="dfa", net="char-transformer:8x1", epochs=1, batch=8, lr=1e-2, **{"rule.feedback": "layers"})
    named = ll.train(name, out=tmp_path / "run.h5", **options)
    assert ll.train(arrays(name), **options).facts["weights_sha256"] == named.facts["weights_sha256"]
    again = ll.load_run(tmp_path / "run.h5")
    assert again.curves["test_loss"][-1] == named.curves["test_loss"][-1]
    assert again.scores(test.features()).shape == (len(test), 8, 4)
    assert (again.predict(test.features()) == test.y).mean() == pytest.approx(named.test_accuracy, abs=1e-6)


def test_labels_of_tokens_are_the_same_run_from_hdf5_as_from_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "a.txt").write_text("abcabd" * 100)
    data = arrays(f"{tmp_path}/a.txt:8")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for part, (x, y) in zip(("train", "test"), data):
            file[f"{part}/x"], file[f"{part}/y"] = x, y
    options = dict(rule="bp", net="char-transformer:8x1", epochs=1, batch=8, lr=1e-2, progress=False)
    stored = ll.train(str(tmp_path / "a.h5"), **options)
    assert stored.net.tokens == 8 and stored.facts["weights_sha256"] == ll.train(data, **options).facts["weights_sha256"]


def test_real_targets_are_the_same_run_by_name_and_as_arrays():
    options = dict(rule="dfa", net="64-16-3", epochs=2, loss="mse", seed=3)
    named = ll.train("picture", **options)
    data = arrays("picture", seed=3)
    assert data[0][1].shape == (2048, 3) and data[0][1].dtype == np.float32
    assert ll.train(data, **options).facts["weights_sha256"] == named.facts["weights_sha256"]
    assert np.isnan(named.test_accuracy) and "test loss" in repr(named)
    error = ((named.scores(data[1][0]) - data[1][1]) ** 2).sum(axis=1).mean() / 2
    assert error == pytest.approx(named.curves["test_loss"][-1], rel=1e-5)
    with pytest.raises(ll.errors.Unsupported, match="real numbers"):
        named.predict(data[1][0])
    with pytest.raises(ll.errors.Unsupported, match="loss mse"):
        ll.train(data, rule="bp", net="64-16-3")
    with pytest.raises(ll.ShapeMismatch):
        ll.train(((data[0][0], data[0][1][:-1]), data[1]), **options)
