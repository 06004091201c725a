"""tools/wave_matrix.py: transmission matrices from measured data, and the device that they make."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

import lightloop as ll

h5py = pytest.importorskip("h5py")
TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "wave_matrix.py"


def tool(*words):
    return subprocess.run([sys.executable, TOOL, *map(str, words)], capture_output=True, text=True)


@pytest.fixture
def pairs(tmp_path):
    """A small cavity with 1 % of noise, measured 1200 times."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(3, 4, 2)) @ np.array([1, 1j])
    x = rng.uniform(0, 1, (1200, 4))
    clean = np.abs(0.2 + x @ matrix.T)
    y = np.abs(clean + 0.01 * rng.normal(size=clean.shape))
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["x"], file["y"] = x.astype(np.float32), y.astype(np.float32)
    return tmp_path / "pairs.h5", x, clean


def test_the_matrix_of_a_cavity_is_found_from_what_went_in_and_came_out(pairs, tmp_path):
    file, x, clean = pairs
    done = tool("pairs", file, "-o", tmp_path / "cavity.h5", "--test", 200)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "cavity.h5") as made:
        assert np.allclose(made["noise"], 0.01, rtol=0.15)  # 1000 samples: 2 % one sigma
        full, dark = made["full_scale"][()], 4095 / 32
    with ll.open(f"sim:wave,preset=cavity,noise=0,matrix={tmp_path / 'cavity.h5'}") as session:
        codes = session.run(np.rint(4095 * x[-200:]).astype(np.uint16)).astype(float)
    found = (codes - dark) / (4095 - dark) * full
    assert np.sqrt(((found - clean[-200:]) ** 2).mean()) < 0.005  # a third of the noise is left in the fit of 1000
    with ll.open(f"sim:wave,noise=0,matrix={tmp_path / 'cavity.h5'}") as session:  # the file says how it was measured
        assert (session.run(np.rint(4095 * x[-200:]).astype(np.uint16)) == codes).all()
    for other in ("detection=intensity", "encoding=phase"):
        with pytest.raises(ll.InvalidParameter, match="holds for"):
            ll.open(f"sim:wave,{other},matrix={tmp_path / 'cavity.h5'}")


def test_neither_drift_nor_records_that_went_wrong_pass_for_noise(tmp_path):
    rng = np.random.default_rng(6)
    matrix = rng.normal(size=(2, 4, 2)) @ np.array([1, 1j])
    x = rng.uniform(0, 1, (3200, 4))
    y = np.abs(0.2 + x @ matrix.T)
    y *= 1 + np.linspace(-0.03, 0.03, len(x))[:, None]  # the gain rises by 6 % while they measure
    y += 0.01 * rng.normal(size=y.shape)
    wrong = rng.choice(3000, 60, replace=False)
    y[wrong] *= 0.3  # bursts that came late
    with h5py.File(tmp_path / "pairs.h5", "w") as file:
        file["x"], file["y"] = x.astype(np.float32), np.abs(y).astype(np.float32)

    def noise(window):
        done = tool("pairs", tmp_path / "pairs.h5", "-o", tmp_path / "made.h5", "--test", 200, "--window", window)
        assert done.returncode == 0, done.stderr
        share = [float(line.split(" %")[0]) for line in done.stdout.splitlines() if "went wrong" in line][0]
        with h5py.File(tmp_path / "made.h5") as made:
            return made["noise"][()], share

    # the median of 3000 sizes: 2 % one sigma; 2 % of wrong ones widen it by 2 %, drift within a window by 5 %
    found, share = noise(300)
    assert np.allclose(found, 0.01, rtol=0.15)
    assert share == pytest.approx(2.0, abs=0.5)
    assert (noise(0)[0] > 1.5 * found).all()
    assert "--window 19" in tool("pairs", tmp_path / "pairs.h5", "-o", tmp_path / "n.h5", "--window", 19).stderr


def test_inputs_beyond_what_the_device_sends_are_scaled_and_signs_are_kept(pairs, tmp_path):
    file, x, _ = pairs
    assert tool("pairs", file, "-o", tmp_path / "one.h5", "--test", 200).returncode == 0
    with h5py.File(file) as measured, h5py.File(tmp_path / "far.h5", "w") as far, h5py.File(tmp_path / "turned.h5", "w") as turned:
        far["x"], far["y"] = 5 * measured["x"][()], measured["y"][()]
        turned["x"], turned["y"] = measured["x"][()] - 0.5, measured["y"][()]
    for name in ("far", "turned"):
        done = tool("pairs", tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}_made.h5", "--test", 200)
        assert done.returncode == 0 and ("divided" in done.stdout) == (name == "far")
    one, far, turned = (h5py.File(tmp_path / f"{name}.h5") for name in ("one", "far_made", "turned_made"))
    with one, far, turned:
        largest = x.astype(np.float32).max()
        assert far.attrs["input_scale"] == pytest.approx(5 * largest, rel=1e-6)
        assert np.allclose(far["noise"], one["noise"], rtol=0.01)
        powers = [(f["matrix"][()] ** 2).sum(-1) for f in (far, one)]  # rows but for a phase and a mirror image
        assert np.allclose(powers[0], powers[1] * largest**2, rtol=0.01)
        assert (one.attrs["encoding"], turned.attrs["encoding"]) == ("amplitude", "signed")
        assert one.attrs["detection"] == "amplitude" and one.attrs["input_scale"] == 1


def test_states_of_a_fibre_keep_their_powers_and_bad_files_are_refused(tmp_path):
    rng = np.random.default_rng(4)
    states = rng.normal(size=(3, 5, 6, 2)) * np.array([1.0, 2.0, 0.5])[:, None, None, None]
    with h5py.File(tmp_path / "fibre.h5", "w") as file:
        file["TM"] = states.astype(np.float32)
        file["x"], file["y"] = np.ones((10, 2)), np.ones((10, 2))
    for step, like, power in ((0, 0, 1), (1, 0, 4), (2, 2, 1)):
        assert tool("matrix", tmp_path / "fibre.h5", "-o", tmp_path / "one.h5", "--step", step, "--like", like).returncode == 0
        with h5py.File(tmp_path / "one.h5") as made:
            measured = (states[step] ** 2).sum(-1).mean() / (states[like] ** 2).sum(-1).mean()
            assert (made["matrix"][()] ** 2).sum(-1).mean() == pytest.approx(measured, rel=1e-5)
            assert measured == pytest.approx(power, rel=0.5)
    assert "steps are 0 to 2" in tool("matrix", tmp_path / "fibre.h5", "-o", tmp_path / "n.h5", "--step", 3).stderr
    assert "many samples" in tool("pairs", tmp_path / "fibre.h5", "-o", tmp_path / "n.h5").stderr
    assert not (tmp_path / "n.h5").exists()


def test_outputs_that_do_not_change_and_numbers_beyond_reach_are_refused_by_name(pairs, tmp_path):
    file = pairs[0]
    with h5py.File(file, "a") as measured:
        y = measured["y"][()]
        y[:, 1] = 0
        y[-200:, 2] = 0.5  # only where nothing is fitted
        x = measured["x"][()]
    with h5py.File(tmp_path / "dead.h5", "w") as dead, h5py.File(tmp_path / "far.h5", "w") as far:
        dead["x"], dead["y"] = x, y
        far["x"], far["y"] = x, 1e200 * (1 + np.tile(x[:, :1].astype(float), 2))
    out = tmp_path / "n.h5"
    assert "fitted at output 2 (of 1 to 3)" in tool("pairs", tmp_path / "dead.h5", "-o", out, "--test", 200).stderr
    with h5py.File(tmp_path / "dead.h5", "a") as dead:
        dead["y"][:, 1] = y[:, 0]
    assert "left out at output 3 (of 1 to 3)" in tool("pairs", tmp_path / "dead.h5", "-o", out, "--test", 200).stderr
    for test in (-1, 0, 1):
        assert f"--test {test}" in tool("pairs", file, "-o", out, "--test", test).stderr
    assert "output 1 has no fit of finite numbers" in tool("pairs", tmp_path / "far.h5", "-o", out, "--test", 200).stderr
    with h5py.File(tmp_path / "zero.h5", "w") as zero:
        zero["TM"] = np.zeros((5, 6, 2))
    assert "matrix would not be finite" in tool("matrix", tmp_path / "zero.h5", "-o", out).stderr
    assert not out.exists()


def test_a_fit_passes_over_losses_that_are_no_numbers(monkeypatch):
    sys.path.append(str(TOOL.parent))
    import wave_matrix

    rng = np.random.default_rng(5)
    a = np.hstack([np.ones((200, 1)), rng.uniform(0, 1, (200, 2))])
    y = np.abs(a @ (rng.normal(size=(3, 2)) @ np.array([1, 1j])))
    calls, real = [], wave_matrix.model

    def broken_at_times(rows, trial, law):
        calls.append(trial)
        signal, slope = real(rows, trial, law)
        return (signal * np.nan, slope) if len(calls) % 7 == 3 else (signal, slope)

    monkeypatch.setattr(wave_matrix, "model", broken_at_times)
    found = wave_matrix.fitted(a, y, "amplitude", rng)
    assert np.abs(real(a, found, "amplitude")[0] - y).max() < 1e-3


def test_a_file_is_there_whole_or_not_at_all(pairs, tmp_path):
    file = pairs[0]
    out = tmp_path / "one.h5"
    out.write_bytes(b"what was here before")
    code = (
        "import sys, h5py; sys.path.append(sys.argv.pop(1)); import wave_matrix\n"
        "def killed(*_): raise KeyboardInterrupt\n"
        "wave_matrix.os.replace = killed\n"
        "wave_matrix.main()"
    )
    words = [sys.executable, "-c", code, str(TOOL.parent), "pairs", str(file), "-o", str(out), "--test", "200"]
    assert subprocess.run(words, capture_output=True).returncode != 0
    assert out.read_bytes() == b"what was here before" and not list(tmp_path.glob("*.part"))
    assert tool("pairs", file, "-o", out, "--test", 200).returncode == 0
    with h5py.File(out) as made:
        assert set(made) == {"matrix", "offset", "noise", "full_scale", "explained"}


def test_a_window_that_nobody_gave_holds_what_the_fit_needs(tmp_path):
    rng = np.random.default_rng(9)
    x = rng.uniform(0, 1, (560, 126))
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file["x"], file["y"] = x, x[:, :1] + 0.5
    words = ("pairs", tmp_path / "many.h5", "-o", tmp_path / "made.h5", "--test", 40)
    done = tool(*words)
    assert done.returncode == 0, done.stderr
    assert "--window 500: at least 508" in tool(*words, "--window", 500).stderr
