"""Bad input: one line naming what, which value and what to do; an exit code; nothing left behind."""

import gzip
import resource
import signal

import h5py
import numpy as np
import pytest
from e2e import OPTICAL, idx, write_mnist

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def missing(folder):
    (folder / IMAGES).unlink()


def truncated(folder):
    whole = gzip.decompress((folder / IMAGES).read_bytes())
    (folder / IMAGES).write_bytes(gzip.compress(whole[:-100]))


def truncated_gzip(folder):
    (folder / IMAGES).write_bytes((folder / IMAGES).read_bytes()[:-200])


def wrong_magic(folder):
    (folder / LABELS).write_bytes(gzip.compress(b"PK\x03\x04" + bytes(100)))


def wrong_type(folder):
    idx(folder / LABELS, np.zeros(1600), code=0x0D)


def label_out_of_range(folder):
    labels = np.zeros(1600)
    labels[7] = 11
    idx(folder / LABELS, labels)


def fewer_labels(folder):
    idx(folder / LABELS, np.zeros(1599))


@pytest.mark.parametrize(
    "spoil, words",
    [
        (missing, ["mnist", "lightloop data download mnist"]),
        (truncated, [IMAGES]),
        (truncated_gzip, [IMAGES]),
        (wrong_magic, [LABELS]),
        (wrong_type, [LABELS]),
        (label_out_of_range, [LABELS, "11"]),
        (fewer_labels, ["1599", "1600"]),
    ],
    ids=lambda p: p.__name__ if callable(p) else "",
)
def test_a_spoilt_data_set_is_refused(lightloop, tmp_path, spoil, words):
    folder = write_mnist(tmp_path / "mnist")
    spoil(folder)
    refused(lightloop, tmp_path, ["train", "--dataset", "mnist", "--data-dir", folder, "--net", "36-8-10"], words)


def refused(lightloop, tmp_path, command, words, code=2):
    before = snapshot(tmp_path)
    done = lightloop(*command)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr.startswith("lightloop: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "options, words",
    [
        (["--net", "37-8-10"], ["37", "36"]),
        (["--net", "36-8-9"], ["9", "10"]),
        (["--net", "36-x-10"], ["36-x-10"]),
        (["--net", "missing.toml"], ["missing.toml"]),
        (["--net", "36-900000000-10"], ["36-900000000-10", "GiB"]),
        (["--rule", "bp,dfa"], ["bp,dfa", "baseline"]),
        (["--baseline", "bp,bp"], ["bp", "twice"]),
        (["--seed"], ["--seed", "lightloop train --help"]),
        (["--set", "train.leaning_rate=1"], ["leaning_rate"]),
        (["--set", "train.epoch=1"], ["epoch", "epochs"]),
        (["--set", "nonsense.lr=1"], ["nonsense.lr"]),
        (["--set", "nonsense"], ["nonsense"]),
        (["--lr", "-1"], ["lr", "-1"]),
        (["--lr", "fast"], ["lr", "fast"]),
        (["--epochs", "0"], ["epochs", "0"]),
        (["--batch", "2.5"], ["batch", "2.5"]),
        (["--activation", "tahn"], ["tahn", "tanh"]),
        (["--rule", "dfaa"], ["dfaa", "dfa"]),
        (["--baseline", "pb"], ["pb"]),
        (["--dataset", "mnits"], ["mnits", "mnist"]),
        (["--dataset", "nowhere.csv"], ["nowhere.csv"]),
        (["--device", "sim:opo", "--rule", "tdfa"], ["opo", "opu"]),
        (["--device", "laser:opu", "--rule", "tdfa"], ["laser"]),
        (["--device", "sim:opu,camera.bit=8", "--rule", "tdfa"], ["camera.bit", "camera.bits"]),
        (["--device", "sim:opu,camera.bits=99", "--rule", "tdfa"], ["camera.bits", "99"]),
        (["--device", "sim:opu,", "--rule", "tdfa"], ["sim:opu,", "comma"]),
        (["--device", "missing.toml", "--rule", "tdfa"], ["missing.toml"]),
        (["--device", "sim:opu", "--rule", "bp"], ["bp"]),
        (["--config", "missing.toml"], ["missing.toml"]),
        (["--init-from", "missing.h5"], ["missing.h5"]),
        (["--resume", "missing.h5"], ["missing.h5"]),
        (["--out", "no/such/folder/run.h5"], ["no/such/folder"]),
        (["--nonsense"], ["--nonsense"]),
    ],
    ids=lambda p: " ".join(p) if p and str(p[0]).startswith("--") else "",
)
def test_a_wrong_option_is_refused_before_anything_happens(lightloop, tmp_path, data_dir, options, words):
    given = {option for option in options if option.startswith("--")}
    base = {"--dataset": "mnist", "--data-dir": str(data_dir), "--net": "36-8-10", "--epochs": "1", "--out": "run.h5"}
    command = ["train", *(w for key, value in base.items() if key not in given for w in (key, value)), *options]
    refused(lightloop, tmp_path, command, words)


def test_a_toml_error_names_file_and_line(lightloop, tmp_path):
    (tmp_path / "run.toml").write_text("[train]\nlr = = 3\n")
    refused(lightloop, tmp_path, ["train", "--config", "run.toml"], ["run.toml", "2"])


@pytest.mark.parametrize("value, words", [("nan", ["data.csv", "nan"]), ("inf", ["data.csv"]), ("word", ["data.csv", "word"])])
def test_pixels_that_are_no_numbers_are_refused(lightloop, tmp_path, value, words):
    lines = [f"{i % 2},0.5,0.25,{i % 7 / 7}" for i in range(60)]
    lines[13] = f"1,0.5,{value},0.2"
    (tmp_path / "data.csv").write_text("label,a,b,c\n" + "\n".join(lines) + "\n")
    refused(lightloop, tmp_path, ["train", "--dataset", "data.csv", "--net", "3-4-2", "--out", "run.h5"], words)


def garbage(path):
    path.write_bytes(b"this is no HDF5 file" * 10)


def empty(path):
    path.write_bytes(b"")


def another_kind(path):
    with h5py.File(path, "w") as file:
        file.attrs["kind"] = "sweep"


def newer(path):
    with h5py.File(path, "w") as file:
        file.attrs["kind"] = "run"
        file.attrs["format_version"] = 99


@pytest.mark.parametrize("make", [garbage, empty, another_kind, newer], ids=lambda f: f.__name__)
@pytest.mark.parametrize("verb", ["eval", "resume", "init-from"])
def test_an_unreadable_run_file_is_refused(lightloop, tmp_path, make, verb):
    make(tmp_path / "old.h5")
    command = ["eval", "old.h5"] if verb == "eval" else ["train", f"--{verb}", "old.h5"]
    refused(lightloop, tmp_path, command, ["old.h5"])


@pytest.mark.parametrize("command", [["show", "old.h5"], ["plot", "old.h5"], ["eval", "none.h5"], ["show", "none.h5"]])
def test_readers_refuse_what_they_cannot_read(lightloop, tmp_path, command):
    garbage(tmp_path / "old.h5")
    refused(lightloop, tmp_path, command, [command[1]])


def test_a_run_file_cut_short_is_refused(lightloop, tmp_path, small):
    assert lightloop("train", *small, "--out", "run.h5").returncode == 0
    whole = (tmp_path / "run.h5").read_bytes()
    (tmp_path / "run.h5").write_bytes(whole[: len(whole) // 2])
    refused(lightloop, tmp_path, ["eval", "run.h5"], ["run.h5"])


def full_disk():
    """A file may grow to 20 kB: every write beyond fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize("rule", [[], OPTICAL], ids=["digital", "optical"])
def test_a_full_disk_leaves_nothing_half_written(lightloop, tmp_path, small, rule):
    words = [*small, *rule, "--net", "36-128-128-10", "--out", "run.h5", "--quiet"]
    done = lightloop("train", *words, preexec_fn=full_disk)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("lightloop: ") and done.stderr.count("\n") == 1
    assert "run.h5" in done.stderr
    assert list(tmp_path.glob("run*")) == []


@pytest.mark.parametrize(
    "command",
    [[], ["trian"], ["show"], ["check"], ["devices", "opo"], ["check", "sim:opo"], ["data", "show", "mnits"],
     ["data", "download", "mnits"], ["reproduce", "dark-in-the-loop"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_one_line_and_exit_2(lightloop, tmp_path, command):
    refused(lightloop, tmp_path, command, [])
