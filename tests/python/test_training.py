"""Training from Python: the run object, its file, arrays as data, interruption."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll

SMALL = dict(net="784-32-10", epochs=1, batch=256, seed=3)
OPTICAL = dict(rule="tdfa", device="sim:opu", net="784-256-10", epochs=3, batch=64, lr=3e-3, seed=3)
BUILD = Path(os.environ.get("LIGHTLOOP_BUILD", Path(__file__).parents[2] / "build"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.h5"
    return ll.train("digits", out=path, **OPTICAL)


def test_a_run_has_curves_weights_and_a_view(run):
    assert run.test_accuracy > 0.5 and run.curves["test_accuracy"][-1] == run.test_accuracy
    assert all(len(curve) == 3 for curve in run.curves.values())
    assert run.curves["alignment"].shape == (3, 1)
    assert run.curves["gradient_alignment"].shape == (3, 2) and run.curves["gradient_alignment"][:, 1] == pytest.approx(1)  # the output's
    assert run.curves["weight_alignment"].shape == (3, 0)  # nobody knows the matrix of a device
    assert run.widths == [784, 256, 10] and run.facts["device_frames"] > 0
    assert "<table>" in run._repr_html_() and "tdfa" in repr(run)
    with pytest.raises(ValueError):
        run.weights[0][0][0, 0] = 1  # views are read-only; to_numpy() gives arrays to write to
    run.to_numpy()[0][0][0, 0] = 1


def test_predictions_agree_with_the_stored_accuracy_and_with_torch(run):
    _, test = ll.load_dataset("digits", seed=3)
    assert (run.predict(test.features()) == test.y).mean() == pytest.approx(run.test_accuracy, abs=2e-3)
    torch = pytest.importorskip("torch")
    x = test.features()[:50]
    with torch.no_grad():
        assert np.allclose(run.to_torch()(torch.from_numpy(x)).numpy(), run.scores(x), atol=1e-4)


def test_the_run_file_holds_the_same_run(run):
    loaded = ll.load_run(run.path)
    assert loaded.facts["weights_sha256"] == run.facts["weights_sha256"] and loaded.facts["complete"]
    assert loaded.test_accuracy == run.test_accuracy and loaded.settings["train.rule"] == "tdfa"
    for (w, b), (w2, b2) in zip(loaded.weights, run.weights):
        assert (w == w2).all() and (b == b2).all()
    for name in ("train_loss", "alignment", "device_frames"):
        assert np.array_equal(loaded.curves[name], run.curves[name], equal_nan=True)
    for name in ("device_frames", "device_writes", "device_seconds", "device_joules"):  # what came after the last epoch, too
        assert loaded.facts[name] == run.facts[name] >= (run.curves[name][-1] if name in run.curves else 0)


def test_runs_are_named_by_what_they_used(tmp_path):
    pytest.importorskip("matplotlib")
    h5py = pytest.importorskip("h5py")
    options = dict(net="784-16-10", epochs=1, samples=60, batch=30, yes=True, progress=False)
    used = {
        "bp on digital": {},
        "bp on sim:crossbar": {"layers": "sim:crossbar,seed=3"},
        "dfa on sim:wave": {"map": "sim:wave,seed=3"},
        "tdfa on sim:opu, layers on sim:crossbar": {"device": "sim:opu,seed=3", "layers": "sim:crossbar"},
    }
    runs = [ll.train("digits", title.split()[0], out=tmp_path / f"{i}.h5", **options, **more) for i, (title, more) in enumerate(used.items())]
    for title, made in zip(used, runs):
        for one in (made, ll.load_run(made.path)):
            assert one.title == title and repr(one).startswith(f"<lightloop.Run {title}, 784-16-10: ")
    with h5py.File(runs[1].path, "r+") as file:
        del file.attrs["title"]  # as in files of earlier versions
    loss = ll.plot([*runs, *(made.path for made in runs)], tmp_path / "a.png").axes[1]
    assert [line.get_label() for line in loss.lines] == [*used, *used]
    looks = [text.get_text() for text in loss.figure.axes[2].get_legend().get_texts()]  # of eight runs, each said once
    assert sorted(looks) == sorted(set(looks)) and "layer 1" in looks and "gradient of layer 2" in looks


def test_pictures_show_what_was_measured_and_nothing_else(tmp_path):
    pytest.importorskip("matplotlib")
    run = ll.train("picture", "bp", net="64-16-3", epochs=2, loss="mse", samples=200, alignment_every=0, progress=False)
    scores, loss, alignment, frames = ll.plot(run, tmp_path / "a.png").axes
    assert scores.get_ylabel() == "test loss" and np.array_equal(scores.lines[0].get_ydata(), run.curves["test_loss"])
    assert np.array_equal(loss.lines[0].get_ydata(), run.curves["train_loss"])
    for empty in (alignment, frames):
        assert not empty.lines and empty.get_legend() is None and [text.get_text() for text in empty.texts] == ["none"]
    classes = ll.train("digits", "bp", net="784-16-10", epochs=1, samples=60, progress=False)
    (line,) = ll.plot([run, classes], tmp_path / "a.png").axes[0].lines  # the other has no accuracy
    assert line.get_ydata() == 100 * classes.test_accuracy


def test_h5py_reads_the_run_file_and_finds_units(run):
    h5py = pytest.importorskip("h5py")
    with h5py.File(run.path) as file:
        assert file.attrs["kind"] in ("run", b"run")
        assert len(file["curves/test_accuracy"]) == 3
        assert file["curves/device_s"].attrs["units"] in ("s", b"s")


def test_plan_shows_no_frame_and_bounds_the_run(run):
    plan = ll.plan("digits", **OPTICAL)
    assert plan.widths == [784, 256, 10] and plan.device_frames >= run.facts["device_frames"]


def test_arrays_train_as_the_same_data_by_name_does():
    train, test = ll.load_dataset("digits", seed=3)
    named = ll.train("digits", rule="dfa", **SMALL)
    arrays = ll.train(((train.x, train.y), (test.x, test.y)), rule="dfa", **SMALL)
    assert arrays.facts["weights_sha256"] == named.facts["weights_sha256"]
    assert named.path is None
    with pytest.raises(ll.ShapeMismatch):
        ll.train(((train.x, train.y[:-1]), (test.x, test.y)), rule="dfa", **SMALL)


def test_lists_tensors_and_any_order_in_memory_are_arrays_too():
    y = np.arange(60) % 3
    x = np.random.default_rng(0).random((60, 8), dtype=np.float32)
    options = dict(rule="bp", net="8-6-3", epochs=1, batch=20, progress=False)
    wanted = ll.train(((x, y), (x, y)), **options).facts["weights_sha256"]
    others = [(np.asfortranarray(x), y.tolist()), (np.repeat(x, 2, axis=1)[:, ::2], y), (list(x), tuple(y)), (x.tolist(), y)]
    try:
        import torch
    except ImportError:
        pass
    else:
        others += [(torch.from_numpy(x).double(), torch.from_numpy(y)), (torch.from_numpy(x).requires_grad_(), torch.from_numpy(y).float())]
        coarse, targets = torch.from_numpy(x).bfloat16(), torch.from_numpy(x[:, :3]).requires_grad_()
        same = [ll.train(((one, y), (one, y)), **options).facts["weights_sha256"] for one in (coarse, coarse.float().numpy())]
        assert same[0] == same[1]
        same = [ll.train(((x, z), (x, z)), loss="mse", **options).facts["weights_sha256"] for z in (targets, targets.bfloat16(), x[:, :3])]
        assert same[0] == same[2] != same[1]
    for other in others:
        assert ll.train((other, other), **options).facts["weights_sha256"] == wanted
    with pytest.raises(ll.InvalidParameter, match="^x: of complex64 .real numbers"):
        ll.train(((x + 0j, y), (x, y)), **options)


def test_samples_to_train_with_alone_are_refused():
    x, y = np.zeros((6, 4), np.float32), np.arange(6) % 2
    with pytest.raises(ll.InvalidParameter, match="x_test"):
        ll.train((x, y), net="4-2", epochs=1)


def test_images_train_a_convolutional_network_that_its_file_gives_back(tmp_path):
    train, test = ll.load_dataset("digits", seed=1)
    images = [(d.features()[:500].reshape(-1, 28, 28), d.y[:500]) for d in (train, test)]
    net = "conv 4 3 stride=2, relu | flatten, dense classes"
    run = ll.train(tuple(images), rule="bp", net=net, epochs=1, batch=25, lr=3e-3, out=tmp_path / "run.h5")
    assert run.net.text.startswith("28x28x1 | conv 4 3x3 stride=2 pad=1, relu | flatten") and run.widths == [784, 784, 10]
    assert (run.predict(images[1][0]) == images[1][1]).mean() == pytest.approx(run.test_accuracy, abs=2e-3)
    again = ll.load_run(tmp_path / "run.h5")
    assert again.net.text == run.net.text and np.array_equal(again.net.parameters, run.net.parameters)
    with pytest.raises(ll.errors.Unsupported, match="fully connected"):
        run.to_numpy()


@pytest.mark.parametrize("rule, settings", [("forward_gradient", {"rule.target": "local"}), ("forward_gradient", {"rule.guess": "ntk"}),
                                            ("node_perturbation", {"rule.directions": 4})])
def test_rules_that_move_blocks_train_convolutions_to_the_same_bits_made_again_or_not(rule, settings):
    asked = dict(rule=rule, net="conv 6 3 stride=2, batch_norm, tanh | flatten, dense 24, tanh | dense classes", lr=3e-3, epochs=6,
                 batch=32, samples=1000, **settings)
    run = ll.train("digits", **asked)
    assert run.test_accuracy > 0.3  # chance is 0.1
    if settings.get("rule.target") != "local":
        assert ll.train("digits", **asked, **{"rule.recompute": True}).facts["weights_sha256"] == run.facts["weights_sha256"]


def test_settings_of_other_tables_come_as_tables_or_dotted_keys():
    one = ll.train("digits", rule="tdfa", settings={"rule": {"dead_zone": 0.2}}, **SMALL)
    two = ll.train("digits", rule="tdfa", **{"rule.dead_zone": 0.2}, **SMALL)
    assert one.facts["weights_sha256"] == two.facts["weights_sha256"]
    with pytest.raises(ll.UnknownName, match="epochs"):
        ll.train("digits", epochz=1)


def test_the_command_gives_the_same_weights(run):
    command = BUILD / "bin" / "lightloop"
    if not command.exists():
        pytest.skip(f"{command} is not built")
    options = [f"--{key}={value}" for key, value in OPTICAL.items()]
    words = [str(command), "train", "--dataset=digits", *options, "--json", "--out", str(Path(run.path).with_name("cli.h5"))]
    answer = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert json.loads(answer)["weights_sha256"] == run.facts["weights_sha256"]


def test_ctrl_c_leaves_a_checkpoint_that_resumes_to_the_same_weights(tmp_path):
    options = {**SMALL, "epochs": 15, "batch": 32}
    whole = ll.train("digits", rule="dfa", **options)
    timer = threading.Timer(0.3 * whole.facts["train_seconds"], lambda: os.kill(os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell starts us with it ignored
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ll.train("digits", rule="dfa", out=tmp_path / "run.h5", **options)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert not ll.load_run(tmp_path / "run.h5").facts["complete"]
    resumed = ll.train("digits", rule="dfa", out=tmp_path / "run.h5", resume=True, **options)
    assert resumed.facts["weights_sha256"] == whole.facts["weights_sha256"]


def test_baselines_are_trained_and_returned_and_a_finished_one_is_kept(tmp_path):
    options = dict(rule="tdfa", device="sim:opu", settings={"rule": {"dead_zone": 0.2}}, **SMALL)
    run = ll.train("digits", out=tmp_path / "run.h5", baseline=["dfa", "bp"], **options)
    assert [(b.rule, b.device, b.baselines) for b in run.baselines] == [("dfa", "digital", []), ("bp", "digital", [])]
    assert sorted(p.name for p in tmp_path.glob("*.h5")) == ["run-bp.h5", "run-dfa.h5", "run.h5"]
    alone = ll.train("digits", rule="bp", **SMALL)
    assert run.baselines[1].facts["weights_sha256"] == alone.facts["weights_sha256"]
    assert run.facts["weights_sha256"] == ll.train("digits", **options).facts["weights_sha256"]
    (tmp_path / "run-dfa.h5").unlink()
    resumed = ll.train("digits", out=tmp_path / "run.h5", resume=True, baseline="dfa,bp", **options)
    assert [b.facts["weights_sha256"] for b in resumed.baselines] == [b.facts["weights_sha256"] for b in run.baselines]
    (tmp_path / "new-bp.h5").touch()
    with pytest.raises(ll.FileError, match="new-bp.h5"):
        ll.train("digits", out=tmp_path / "new.h5", baseline="dfa,bp", **options)
    assert not (tmp_path / "new.h5").exists() and not (tmp_path / "new-dfa.h5").exists()  # before anything ran
    with pytest.raises(ll.UnknownName, match="bpp"):
        ll.train("digits", baseline="bpp", **options)
    with pytest.raises(ll.InvalidParameter, match="twice"):
        ll.train("digits", baseline="bp,bp", **options)


def test_an_exception_in_a_callback_is_raised_again():
    from lightloop import _core

    def fail(*_):
        raise ZeroDivisionError("mine")

    table = {f"train.{k}": v for k, v in SMALL.items()}
    with pytest.raises(ZeroDivisionError, match="mine"):
        _core.train(table, on_step=fail)


def test_data_sets_are_views():
    train, _ = ll.load_dataset("digits", seed=3)
    assert train.x.base is not None and not train.x.flags.writeable and train.x.shape == (len(train), 784)
    assert train.features().max() <= 1 and set(np.unique(train.y)) == set(range(10))


@pytest.mark.parametrize("rule", ["sff", "phyll"])
def test_a_rule_that_answers_in_its_own_way_does_so_in_python(rule, tmp_path):
    run = ll.train("digits", rule=rule, out=tmp_path / "run.h5", **SMALL)
    _, test = ll.load_dataset("digits", seed=3)
    for kept in (run, ll.load_run(run.path)):
        assert (kept.predict(test.features()) == test.y).mean() == pytest.approx(run.test_accuracy, abs=1e-9)
    assert run.curves["layer_loss"].shape == (1, 2) and run.curves["layer_passes"][0] > 0


def test_the_meter_of_a_measured_matrix_is_named_and_that_of_older_files_is_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "run.h5"
    options = {"rule.matrix_from": "sim:opu,input.size=64", "alignment_every": 0}
    run = ll.train("digits", "dfa", net="784-16-10", epochs=1, batch=1000, out=path, **options)
    frames = run.facts["device_frames"]
    assert frames > 0
    with h5py.File(path, "r+") as file:
        meter = dict(file["resume/meter"].attrs)
        assert meter["frames"] == frames and meter["device_s"] > 0 and len(meter) == 12
        del file["resume/meter"]
        order = ["frames", "batches", "programs", "codes", "saturated", "device_s", "device_j", "retries", "discarded", "checks"]
        meter["frames"] = frames + 5
        old = b"".join(np.asarray(meter[name]).tobytes() for name in [*order, "losses", "reopened"])
        file["resume/measured"] = np.frombuffer(old[1:], np.uint8)
        file.attrs["complete"] = np.zeros_like(file.attrs["complete"])
    with pytest.raises(ll.FileError, match="95 bytes"):
        ll.load_run(path)
    with h5py.File(path, "r+") as file:
        del file["resume/measured"]
        file["resume/measured"] = np.frombuffer(old, np.uint8)
    assert ll.train("digits", "dfa", resume=path).facts["device_frames"] == frames + 5


def test_samples_of_nets_with_noise_are_numbered():
    run = ll.train("digits", rule="bp", net="flatten, dense 8, noise gaussian std=0.5 | dense classes", epochs=1,
                   samples=200)  # fmt: skip
    x = ll.load_dataset("digits")[1].features()[:20]
    all_of_them = run.scores(x)
    assert np.array_equal(run.scores(x[10:], 10), all_of_them[10:])
    assert not np.array_equal(run.scores(x[10:]), all_of_them[10:])


def test_what_load_dataset_returns_is_trained_on():
    asked = {"rule": "bp", "net": "784-16-10", "epochs": 1, "samples": 256, "progress": False}
    train, test = ll.load_dataset("digits")
    given = ("digits", (train, test), ((train.x, train.y), (test.x, test.y)), ll.load_dataset("digits", validation=True))
    hashes = [ll.train(data, **asked).facts["weights_sha256"] for data in given]
    assert len(set(hashes)) == 1  # of the same seed, too


# Null: a network that learns nothing, right by chance, one of ten classes. One-sided, 3 seeds and 2 kinds, alpha 1e-6 each.
@pytest.mark.parametrize("kind", ["constant_step", "soft_bounds"])
def test_digits_are_learnt_in_pairs_of_pulsed_cells(kind):
    cells = f"sim:crossbar,pulse.pair=true,pulse.step=0.002,cell.kind={kind}"
    settings = {"layer.update": "pulses", "layer.weight_limit": 1.0}
    for seed in (1, 2, 3):
        run = ll.train("digits", rule="bp", layers=cells, net="784-10", epochs=1, lr=0.01, seed=seed, settings=settings, progress=False)
        n = len(ll.load_dataset("digits", seed=seed)[1].features())
        assert run.test_accuracy > 0.1 + 4.9 * (0.1 * 0.9 / n) ** 0.5
