"""Measures for `ll.sweep` and `lightloop sweep`: functions of an open device and a random generator."""

import numpy as np


def _twice(session, rng, frames=20):
    """The codes of two presentations of the same random drive, each from the state after opening."""
    drive = rng.integers(0, session.info.input.highest + 1, (frames, session.info.input.size), dtype=session.info.input.dtype)
    shown = []
    for _ in range(2):
        session.reset()
        shown.append(session.run(drive)[2:].astype(float))
    return shown


def mean_code(session, rng):
    """Mean of the detected codes: light power in units of the converter's step."""
    return np.mean(_twice(session, rng))


def repeat_correlation(session, rng):
    """Correlation of the two responses: 1 where noise does not matter and the laser follows its drive."""
    first, second = _twice(session, rng)
    return np.corrcoef(first.ravel(), second.ravel())[0, 1]
