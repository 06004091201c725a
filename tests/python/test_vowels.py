"""The vowels of `--dataset vowels` against the published data set of the same task, where both are in $LIGHTLOOP_DATA."""

import os
import pathlib

import numpy as np
import pytest

import lightloop as ll

FOLDER = pathlib.Path(os.environ.get("LIGHTLOOP_DATA") or "/nowhere", "vowels")
HERE = all((FOLDER / name).exists() for name in ("pat_vowels.h5", "vowdata.dat"))


@pytest.mark.skipif(not HERE, reason="vowels/pat_vowels.h5 and vowels/vowdata.dat are not in $LIGHTLOOP_DATA")
def test_the_vowels_are_the_published_samples():
    h5py = pytest.importorskip("h5py")
    train, test = ll.load_dataset("vowels", data_dir=FOLDER.parent, seed=1)
    assert (len(train.x), len(test.x)) == (210, 49)
    ours = np.column_stack([np.vstack([train.x, test.x])[:, 7:], np.concatenate([train.y, test.y])]).astype(float)
    with h5py.File(FOLDER / "pat_vowels.h5") as file:
        published = np.column_stack([file["X"][()], file["Y"][()]]).astype(float)
    for rows in (ours, published):  # the scales of the columns are no part of the claim
        rows[:, :12] = (rows[:, :12] - rows[:, :12].mean(axis=0)) / rows[:, :12].std(axis=0)
    distances = np.abs(ours[:, None] - published[None]).max(axis=2)
    assert distances.shape == (259, 259) and distances.min(axis=0).max() < 1e-4 and distances.min(axis=1).max() < 1e-4
