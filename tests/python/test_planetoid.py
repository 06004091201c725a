"""tools/planetoid.py: citation graphs from the pickles they are published as."""
import pathlib
import pickle
import subprocess

import pytest

numpy = pytest.importorskip("numpy")
h5py = pytest.importorskip("h5py")
sparse = pytest.importorskip("scipy.sparse")

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "planetoid.py"


def publish(folder, graph=None):
    """Six papers: two to train on, two more with labels, test papers 5 and 7; number 6 is in no file, as in Citeseer."""
    words = sparse.csr_matrix(numpy.array([[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0]], float))
    classes = numpy.array([[1, 0], [0, 1], [0, 1], [1, 0]])
    test = sparse.csr_matrix(numpy.array([[0, 1, 1], [1, 0, 0]], float))
    content = {"x": words[:2], "allx": words, "tx": test, "y": classes[:2], "ally": classes, "ty": classes[:2],
               "graph": graph if graph is not None else {0: [1, 7, 0], 1: [0], 5: [7], 7: [5]}}
    for key, value in content.items():
        (folder / f"ind.tiny.{key}").write_bytes(pickle.dumps(value, protocol=2))
    (folder / "ind.tiny.test.index").write_text("7\n5\n")


def convert(folder):
    return subprocess.run(["/usr/bin/python3", str(TOOL), str(folder), "tiny", "-o", str(folder / "tiny.h5")],
                          capture_output=True, text=True)


def test_nodes_words_edges_and_split_come_out_in_the_usual_order(tmp_path):
    publish(tmp_path)
    assert convert(tmp_path).returncode == 0
    with h5py.File(tmp_path / "tiny.h5") as file:
        assert file["features"].shape == (8, 3)
        assert file["features"][7].tolist() == [0, 1, 1] and file["features"][5].tolist() == [1, 0, 0]
        assert file["labels"][:].tolist() == [0, 1, 1, 0, -1, 1, -1, 0]
        assert file["edges"][:].tolist() == [[0, 1], [0, 7], [5, 7]] and file["self_loops"][:].tolist() == [0]
        assert [int(file[f"{part}_mask"][:].sum()) for part in ("train", "val", "test")] == [2, 2, 2]


class Danger:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    publish(tmp_path, graph=Danger())
    done = convert(tmp_path)
    assert done.returncode != 0 and "refused" in done.stderr and "must not run" not in done.stdout
    assert not (tmp_path / "tiny.h5").exists()


def test_a_graph_comes_with_its_parts_and_a_run_with_its_validation_accuracy(tmp_path):
    ll = pytest.importorskip("lightloop")
    publish(tmp_path)
    assert convert(tmp_path).returncode == 0
    (tmp_path / "tiny.h5").rename(tmp_path / "cora.h5")
    parts = ll.load_dataset("cora", tmp_path, validation=True)
    assert [numpy.flatnonzero(part.counts).tolist() for part in parts] == [[0, 1], [5, 7], [2, 3]]
    assert len(ll.load_dataset("cora", tmp_path)) == 2 and len(parts[0]) == 8
    assert ll.load_dataset("digits", validation=True)[2] is None and ll.load_dataset("digits")[0].counts.all()
    run = ll.train("cora", "bp", data_dir=str(tmp_path), net="gcn classes", epochs=3, progress=False)
    assert run.curves["validation_accuracy"].shape == (3,) and set(run.curves["validation_accuracy"]) <= {0, 0.5, 1}
    again = ll.train(parts, "bp", net="gcn classes", epochs=3, progress=False)
    assert again.curves["validation_accuracy"].tolist() == run.curves["validation_accuracy"].tolist()
    assert again.facts["weights_sha256"] == run.facts["weights_sha256"]


def test_a_graph_of_ones_own_is_given_by_its_path(tmp_path):
    ll = pytest.importorskip("lightloop")
    nodes, x = 12, numpy.random.default_rng(0).random((12, 3), dtype=numpy.float32)
    x[:, 0] = numpy.arange(nodes) % 2
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["features"], file["labels"] = x, numpy.arange(nodes) % 2
        file["edges"] = [[i, i + 2] for i in range(nodes - 2)]
        for k, part in enumerate(("train", "val", "test")):
            file[f"{part}_mask"] = (numpy.arange(nodes) // 4 == k).astype(numpy.uint8)
    train, test = ll.load_dataset(str(tmp_path / "own.h5"))
    assert (train.features() == x).all() and numpy.flatnonzero(test.counts).tolist() == [8, 9, 10, 11]
    run = ll.train(str(tmp_path / "own.h5"), "bp", net="gcn 4, tanh | gcn classes", epochs=20, lr=0.1, progress=False)
    assert run.test_accuracy == 1
    assert (pickle.loads(pickle.dumps(run)).scores(x) == run.scores(x)).all()
    with h5py.File(tmp_path / "own.h5", "a") as file:
        del file["val_mask"]
    with pytest.raises(ll.Error, match="has no /val_mask"):
        ll.load_dataset(str(tmp_path / "own.h5"))
