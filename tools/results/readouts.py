#!/usr/bin/python3
"""Measures the read-out rows of docs/results.md: how well the simulated unit projects ternary errors.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 readouts.py

Errors have -1 at one of ten outputs and +1 at up to three others, 32 of each kind; 1024 outputs, device seed 1. B as computed is
what the same device measures of unit vectors, averaged over 32 exposures each.
"""
import numpy as np

import lightloop as ll

ROWS = [("sim:opu", "anchor"), ("sim:opu", "phase4"), ("sim:opu,preset=lightonlike", "anchor"),
        ("sim:opu,preset=lightonlike", "phase4"), ("sim:opu,preset=ideal", "anchor"), ("sim:opu,preset=ideal", "phase4")]
AVERAGED = 32


def errors(nonzero, rows=32):
    rng = np.random.default_rng(nonzero)
    e = np.zeros((rows, 10), np.float32)
    for row in e:
        places = rng.permutation(10)[:nonzero]
        row[places] = 1
        row[places[0]] = -1
    return e


def fidelity(projection, matrix, nonzero):
    e = errors(nonzero)
    y, exact = projection.linear(e), e @ matrix
    cosine = np.mean(np.sum(y * exact, 1) / np.linalg.norm(y, axis=1) / np.linalg.norm(exact, axis=1))
    return cosine, np.sqrt(np.mean((y - exact) ** 2) / np.mean(exact**2))


def main():
    print("| device | read-out | cosine, 1 to 4 non-zeros | noise over signal (2 non-zeros) | exposure |\n|---|---|---|---|---|")
    for device, readout in ROWS:
        with ll.Projection(f"{device},seed=1", 10, 1024, readout=readout) as projection:
            exposure = projection.calibrate().exposure_s
            unit = np.repeat(np.eye(10, dtype=np.float32), AVERAGED, axis=0)
            matrix = projection.linear(unit).reshape(10, AVERAGED, -1).mean(axis=1)
            found = [fidelity(projection, matrix, nonzero) for nonzero in (1, 2, 3, 4)]
            cosines = [cosine for cosine, _ in found]
            print(f"| `{device}` | {readout} | {min(cosines):.4f}–{max(cosines):.4f} | {found[1][1]:.3f} | {1e6 * exposure:.0f} µs |")


if __name__ == "__main__":
    main()
