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
