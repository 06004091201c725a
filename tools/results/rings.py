#!/usr/bin/python3
"""Measures the constants of MeasuredRings (sim/optics/ring.hpp) again: rings of one die, as their process variation was extracted.

usage: /usr/bin/python3 rings.py --data FOLDER

Coupling and group index of a ring: a line over the wavelength, weighted by the errors that the extraction tells, at 1570 nm. Coupling:
least squares in gap and ln radius. The effective index is told at 1574 nm; place (two coordinates) and bend (1 / radius) are taken off.
"""
import argparse
import pathlib
import re

import h5py
import numpy as np

HEADER = pathlib.Path(__file__).resolve().parents[2] / "sim" / "optics" / "ring.hpp"


def ours(name):
    return float(re.search(rf"\b{name} = ([-0-9.e]+)", HEADER.read_text())[1])


def at_1570(curve):
    wavelength, value, error = (np.ravel(curve[name][()]) for name in ("lambda", "val", "err"))
    return np.polynomial.Polynomial.fit(wavelength, value, 1, w=1 / error)(1570)


def residual(columns, values):
    """Coefficients of least squares, and the standard deviation of what they leave."""
    matrix = np.column_stack([np.ones(len(values)), *columns])
    found = np.linalg.lstsq(matrix, values, rcond=None)[0]
    return found, (values - matrix @ found).std(ddof=matrix.shape[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    file = pathlib.Path(parser.parse_args().data) / "photonic" / "ring_variation" / "ring_resonators.h5"
    with h5py.File(file) as opened:
        rings = opened["final"]
        radius, gap, place = (rings[name][()] for name in ("radius_um", "gap", "location"))
        angle, group = (np.array([at_1570(rings[name][ring]) for ring in sorted(rings[name])]) for name in ("L", "ng"))
        index = np.array([rings["neff"][ring]["val"][()].mean() for ring in sorted(rings["neff"])])
    large, larger = radius >= 60, radius >= 80
    coupling, spread = residual([gap[large], np.log(radius[large])], angle[large])
    rows = [
        ("group index", "kGroupIndex", group[larger].mean()),
        ("effective index, spread", "kIndexSpread", index[large].std(ddof=1)),
        ("the same, place and bend taken off", "kIndexSpreadLocal", residual([*place[large].T, 1 / radius[large]], index[large])[1]),
        ("coupling, constant", "kCoupling0", coupling[0]),
        ("coupling, per um of gap", "kCouplingGap", coupling[1]),
        ("coupling, per ln radius", "kCouplingRadius", coupling[2]),
        ("coupling, relative spread", "kCouplingSpread", spread),
    ]
    print("| of a ring | in the model | measured again |\n|---|---|---|")
    for what, name, again in rows:
        print(f"| {what} | {ours(name):g} | {again:.3g} |" if abs(again) < 1 else f"| {what} | {ours(name):g} | {again:.4g} |")


if __name__ == "__main__":
    main()
