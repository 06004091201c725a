"""What the tests of the command share: where it is, and a small data set in the files of MNIST."""

import gzip
import os
import pathlib
import struct

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIGHTLOOP_BUILD", ROOT / "build" / "ci"))
COMMAND = BUILD / "bin" / "lightloop"
DATA = os.environ.get("LIGHTLOOP_DATA", "")
OPTICAL = ["--rule", "tdfa", "--lr", "3e-3", "--set", "rule.dead_zone=0.2", "--device", "sim:opu"]


def needs(*parts):
    """Skips a test where $LIGHTLOOP_DATA has no such file."""
    here = bool(DATA) and pathlib.Path(DATA, *parts).exists()
    return pytest.mark.skipif(not here, reason="/".join(parts) + " is not in $LIGHTLOOP_DATA")


def slow(minutes):
    """Keeps a test for `sh tools/test.sh --full`."""
    return pytest.mark.skipif("LIGHTLOOP_FULL" not in os.environ, reason=f"takes {minutes} (LIGHTLOOP_FULL)")


def idx(path, values, code=8):
    """Writes an array of bytes as gzipped IDX."""
    header = struct.pack(">HBB", 0, code, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), 1, mtime=0))


def write_mnist(folder, n_train=1600, n_test=400, side=6, seed=0):
    """Ten classes of noisy templates, in the four files of MNIST: a set that a small net learns in seconds."""
    rng = np.random.default_rng(seed)
    templates = rng.integers(0, 2, (10, side, side)) * 200
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", n_train), ("t10k", n_test)):
        labels = rng.integers(0, 10, n)
        images = np.clip(templates[labels] + rng.normal(20, 60, (n, side, side)), 0, 255)
        idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder
