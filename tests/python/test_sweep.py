"""Sweeps: grids, units, seeds, resumption after kill -9, netCDF."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import lightloop as ll

xarray = pytest.importorskip("xarray")
pytest.importorskip("h5netcdf")

DEVICE = "sim:opu,input.size=16,output.size=32"
OVER = {"device.camera.bits": [4, 8], "device.camera.exposure[us]": [100, 400]}


def mean_code(session, rng):
    bits = rng.integers(0, 2, size=(4, 16), dtype=np.uint8)
    return session.run(bits).mean()


def codes(session, rng):
    return {"first": session.run(np.ones(16, np.uint8)), "bits": session.info.output.bits}


mean_code.units = "1"


def same(a, b):
    """Identical but for the date."""
    xarray.testing.assert_identical(a.assign_attrs(created=""), b.assign_attrs(created=""))


def test_a_grid_becomes_a_dataset_with_units(tmp_path):
    data = ll.sweep(DEVICE, OVER, [mean_code, codes], repeats=2, seed=1, out=tmp_path / "s.h5")
    assert data["mean_code"].dims == ("device.camera.bits", "device.camera.exposure", "repeat")
    assert data["codes.first"].shape == (2, 2, 2, 32)
    assert (data["codes.bits"].sel({"device.camera.bits": 4}) == 4).all()
    assert data["device.camera.exposure"].attrs["units"] == "us"
    brighter = data["mean_code"].diff("device.camera.exposure")
    assert (brighter > 0).all()
    opened = xarray.open_dataset(tmp_path / "s.h5", engine="h5netcdf")
    xarray.testing.assert_identical(opened.load(), data)
    opened.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.h5"]


def test_equal_seeds_give_equal_sweeps_and_repeats_are_other_devices():
    one, two = (ll.sweep(DEVICE, OVER, codes, repeats=2, seed=5) for _ in range(2))
    same(one, two)
    first = one["codes.first"].values
    assert (first[..., 0, :] != first[..., 1, :]).any()
    fixed = ll.sweep(DEVICE + ",seed=3,noise=off", {"k": [1]}, codes, repeats=2)["codes.first"].values
    assert (fixed[0, 0] == fixed[0, 1]).all()


def test_a_wrapped_device_gets_the_seed_of_the_sweep_too(tmp_path):
    def seed(session, rng):
        return {"seed": session.settings["seed"]}

    (tmp_path / "none.toml").write_text("")
    bare, wrapped = (ll.sweep(way + DEVICE, {"device.camera.bits": [8]}, seed, repeats=2, seed=5)["seed.seed"].values
                     for way in ("", f"fault:{tmp_path / 'none.toml'}@"))  # fmt: skip
    assert bare[0, 0] != bare[0, 1] and (wrapped == bare[0, 0]).all()  # held open, as an instrument is: the first device


def test_points_of_a_wrapped_device_without_the_seed_are_not_those_of_one_with_it(tmp_path):
    (tmp_path / "none.toml").write_text("")
    device = f"fault:{tmp_path / 'none.toml'}@{DEVICE}"

    def number(session, rng):
        return rng.random()

    def as_its_key(*more):
        """What the generator draws whose key has these parts, beside those of earlier versions."""
        identity = [2, device, 7, [["number", [], {}]], [0.0, None, 0, {}], *more]
        key = hashlib.sha256(json.dumps([*identity, {"k": 1, "repeat": 0}, {}], sort_keys=True).encode()).hexdigest()
        words = [int(key[k : k + 8], 16) for k in range(0, 32, 8)]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([7, *words]))).random()

    found = ll.sweep(device, {"k": [1]}, functools.partial(number), seed=7)["number"].values.ravel()
    assert found == [as_its_key("seeded")] and found != [as_its_key()]


def test_a_point_has_the_generator_and_the_device_that_its_key_says():
    """The recipe in words of Python alone: JSON, SHA-256 and NumPy's SeedSequence."""

    def draw(session, rng):
        return {"number": rng.random(), "seed": session.settings["seed"]}

    data = ll.sweep(DEVICE, {"device.camera.exposure[us]": [100, 400.5]}, functools.partial(draw), repeats=2, seed=7)
    identity = [2, DEVICE, 7, [["draw", [], {}]], []]
    for i, exposure in enumerate(["100 us", "400.5 us"]):
        for repeat in (0, 1):
            point = {"device.camera.exposure": exposure, "repeat": repeat}
            key = hashlib.sha256(json.dumps([*identity, point, {}], sort_keys=True).encode()).hexdigest()
            words = [int(key[k : k + 8], 16) for k in range(0, 32, 8)]
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([7, *words])))
            assert data["draw.number"].values[i, repeat] == rng.random()
            assert data["draw.seed"].values[i, repeat] == np.random.SeedSequence([7, repeat]).generate_state(1)[0] >> 1


def test_the_measure_finds_other_keys_in_the_point():
    def double(session, rng):
        return 2 * session.point["k"]

    assert ll.sweep(DEVICE, {"k": [1, 2, 3]}, double)["double"].values.ravel().tolist() == [2, 4, 6]


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path):
    calls = []

    def fragile(session, rng):
        calls.append(dict(session.point))
        if len(calls) == 3:
            raise RuntimeError("the power failed")
        return rng.random()

    grid = {"device.camera.bits": [4, 6, 8, 10]}
    with pytest.raises(RuntimeError):
        ll.sweep(DEVICE, grid, fragile, out=tmp_path / "s.h5")
    assert not (tmp_path / "s.h5").exists()
    told = []
    data = ll.sweep(DEVICE, grid, fragile, out=tmp_path / "s.h5", progress=lambda *news: told.append(news))
    assert told[0] == (2, 4, "") and told[-1][:2] == (4, 4)
    assert len(calls) == 5  # two done, one failed, two more: no point twice but the failed one
    whole = ll.sweep(DEVICE, grid, fragile)
    same(data, whole)


def test_a_killed_sweep_goes_on_to_the_same_answer(tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        import lightloop as ll
        def slow(session, rng):
            time.sleep(0.05)
            return rng.random()
        ll.sweep({DEVICE!r}, {{"device.camera.exposure[us]": list(range(100, 130))}}, slow, out=sys.argv[1])
    """)
    words = [sys.executable, "-c", script, str(tmp_path / "s.h5")]
    child = subprocess.Popen(words)
    parts = tmp_path / "s.h5.parts"
    deadline = time.monotonic() + 30
    kept = lambda: parts.read_bytes().count(b"slow") if parts.exists() else 0  # noqa: E731  (one line, said once)
    while time.monotonic() < deadline and kept() < 5:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert 5 <= kept() < 30 and not (tmp_path / "s.h5").exists()
    subprocess.run(words, check=True)
    with xarray.open_dataset(tmp_path / "s.h5", engine="h5netcdf") as data:
        assert data["slow"].shape == (30, 1) and len(np.unique(data["slow"])) == 30


def test_a_finished_sweep_is_read_back_and_another_one_is_not_overwritten(tmp_path):
    out = tmp_path / "s.h5"
    data = ll.sweep(DEVICE, {"device.camera.bits": [4]}, mean_code, out=out)
    xarray.testing.assert_identical(ll.sweep(DEVICE, {"device.camera.bits": [4]}, mean_code, out=out), data)
    with pytest.raises(ll.FileError, match="another sweep"):
        ll.sweep(DEVICE, {"device.camera.bits": [6]}, mean_code, out=out)
    other = ll.sweep(DEVICE, {"device.camera.bits": [6]}, mean_code, out=out, overwrite=True)
    assert other["device.camera.bits"].values.tolist() == [6]
    parts = tmp_path / "s.h5.parts"  # as one leaves it that is killed when its file stands already
    parts.write_bytes(b"lightloop sweep parts 1\n")
    ll.sweep(DEVICE, {"device.camera.bits": [6]}, mean_code, out=out)
    assert not parts.exists()
    (parts / "of an earlier version").mkdir(parents=True)
    with pytest.raises(ll.FileError, match="Remove it"):
        ll.sweep(DEVICE, {"device.camera.bits": [6]}, mean_code, out=out, overwrite=True)
    out.write_bytes(b"something else")
    with pytest.raises(ll.FileError, match="not a sweep file"):
        ll.sweep(DEVICE, {"device.camera.bits": [6]}, mean_code, out=out)


@pytest.mark.parametrize(
    "over, measure, match",
    [
        ({"device.camera.bitz": [4]}, mean_code, "camera.bits"),
        ({"device.camera.exposure[m]": [4]}, mean_code, "camera.exposure"),
        ({"device.camera.bits": []}, mean_code, "empty"),
        ({"device.camera.bits": [4, 4]}, mean_code, "differ"),
        ({"k": [1]}, [], "measure"),
        ({"k": [1, 2]}, lambda session, rng: np.zeros(session.point["k"]), "elsewhere"),
        ({"k": [1]}, lambda session, rng: "text", "a number"),
        ({"k": [1]}, lambda session, rng: np.array([1, 2**63], np.uint64), "beyond"),
    ],
)
def test_mistakes_are_named(over, measure, match):
    with pytest.raises(ll.InvalidParameter, match=match):
        ll.sweep(DEVICE, over, measure)
