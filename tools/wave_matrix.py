#!/usr/bin/python3
"""Makes files for sim:wave (matrix=FILE) from measured data.

usage: /usr/bin/python3 tools/wave_matrix.py pairs FILE.h5 -o cavity.h5 [--law amplitude|intensity] [--test N] [--window N]
       [--seed N]
       /usr/bin/python3 tools/wave_matrix.py matrix FILE.h5 -o fibre.h5 [--name TM] [--step N] [--like OTHER]

pairs: FILE holds x (samples, inputs) and y (samples, outputs), what was sent in (amplitudes) and what was detected, as
the acoustic cavity of Momeni et al., Science 382, 1297 (2023) was published: 10000 pairs, 20 inputs, 20 outputs. Each
output is fitted by y = |o + T x| (amplitude) or its square (intensity), complex o and T, with Levenberg and Marquardt's
method; a matrix is found but for a phase and a mirror image of each row, which no detector can tell. The last N samples
(700) are left out and tell how well it does. /full_scale is 1.1 times the largest y. /noise is by how much one frame differs from
the next: the samples, which must stand in the order they were measured in, are taken by windows of N (500, or four for each number to fit where that is more; 0: all at once), the
matrix is fitted to each window anew with Huber's weights, and the noise is 1.4826 times the median size of what is left. So neither
a system that drifts during the record nor records that went wrong pass for noise of every frame; what share goes wrong (beyond
5 times the noise, rms over the outputs) is told. Noise and full scale hold for this law alone, so the file says it: attributes
`detection`, the law, and `encoding`, amplitude, or signed where an x is below 0. The device sends amplitudes up to 1: where an x
is larger, all are divided by the largest (attribute `input_scale`). Prints R^2 of every output on the samples left out. Outputs that are constant are refused.

matrix: FILE holds a complex matrix (outputs, inputs, 2) or several of them (steps, outputs, inputs, 2), as the fibre of
Matthes et al., Phys. Rev. X 11, 021060 (2021); one of them is scaled to E|T|^2 = 1. With --like OTHER the scale is that
of step OTHER, so that two states of one fibre keep their powers.
"""
import argparse
import os
import sys

import h5py
import numpy as np


def model(a, p, law):
    """Signals of rows `a` and their derivatives for p = real parts, imaginary parts."""
    n = a.shape[1]
    re, im = a @ p[:n], a @ p[n:]
    power = re * re + im * im
    if law == "intensity":
        return power, np.hstack([a * (2 * re)[:, None], a * (2 * im)[:, None]])
    size = np.sqrt(power + 1e-12 * power.mean())
    return size, np.hstack([a * (re / size)[:, None], a * (im / size)[:, None]])


def fitted(a, y, law, rng, starts=3, steps=60):
    """The best of several fits, each from the linear one with another guess of what the detector does not show; None if none is finite."""
    best, n = None, a.shape[1]
    linear = np.linalg.lstsq(a, np.sqrt(y) if law == "intensity" else y, rcond=None)[0]
    for _ in range(starts):
        trial = np.concatenate([linear, rng.normal(0, 0.3 * np.abs(linear).max(), n)])
        damping, kept = 1e-2, None
        for _ in range(steps):
            signal, slope = model(a, trial, law)
            loss = float(((y - signal) ** 2).sum())
            if kept is not None and not loss < kept[0]:  # nor is a loss that is no number
                damping *= 4
            elif not np.isfinite(loss):
                break
            else:
                kept = (loss, trial, slope.T @ slope, slope.T @ (y - signal))
                damping = max(damping / 3, 1e-9)
            _, here, curvature, pull = kept
            trial = here + np.linalg.solve(curvature + damping * np.diag(np.diag(curvature) + 1e-12), pull)
        if kept is not None and (best is None or kept[0] < best[0]):
            best = kept
    return None if best is None else best[1]


def followed(a, y, p, law, window):
    """What is left of y by fits to windows of so many samples, each begun at p."""
    parts = max(1, len(a) // window) if window else 1
    left = []
    for b, s in zip(np.array_split(a, parts), np.array_split(y, parts)):
        q = p.copy()
        for _ in range(8):
            signal, slope = model(b, q, law)
            size = np.abs(s - signal)
            weighted = slope.T / np.maximum(1, size / (2 * 1.4826 * np.median(size) + 1e-300))  # Huber's, beyond two deviations
            curvature = weighted @ slope
            # damped: a row's phase is free
            q += np.linalg.solve(curvature + 1e-3 * np.diag(np.diag(curvature) + 1e-12), weighted @ (s - signal))
        left.append((s - model(b, q, law)[0]) * np.sqrt(len(b) / (len(b) - len(p) + 1)))  # for what the fit took
    return np.concatenate(left)


def from_pairs(options):
    if options.test < 2:
        sys.exit(f"--test {options.test}: the fit is told by the samples left out, at least 2")
    with h5py.File(options.file) as file:
        x, y = (file[name][()].astype(float) for name in ("x", "y"))
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) <= options.test + 4 * (x.shape[1] + 1):
        sys.exit(f"{options.file}: x {x.shape} and y {y.shape}: wanted (samples, inputs) and (samples, outputs), many samples")
    least = 4 * (x.shape[1] + 1)
    if options.window is None:
        options.window = max(500, least)
    if options.window and options.window < least:
        sys.exit(f"--window {options.window}: at least {least} samples to fit {x.shape[1]} inputs, or 0")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (y >= 0).all()):
        sys.exit(f"{options.file}: every number must be finite, and what was detected not below 0")
    scale = max(1.0, np.abs(x).max())
    if scale > 1:
        print(f"what was sent in is divided by {scale:.6g}, its largest")
        x /= scale
    law = {"detection": options.law, "encoding": "amplitude" if (x >= 0).all() else "signed", "input_scale": scale}
    rng = np.random.default_rng(options.seed)
    a = np.hstack([np.ones((len(x), 1)), x])
    train, test = slice(0, len(x) - options.test), slice(len(x) - options.test, None)
    for which, part in (("fitted", train), ("left out", test)):
        constant = [str(i + 1) for i in np.flatnonzero(np.ptp(y[part], axis=0) == 0)]
        if constant:
            sys.exit(f"{options.file}: no change in the samples {which} at output {', '.join(constant)} (of 1 to {y.shape[1]}): leave out of y")
    matrix, offset = np.zeros((y.shape[1], x.shape[1], 2)), np.zeros((y.shape[1], 2))
    noise, explained, wrong = np.zeros(y.shape[1]), np.zeros(y.shape[1]), np.zeros(len(x) - options.test)
    for i in range(y.shape[1]):
        p = fitted(a[train], y[train, i], options.law, rng)
        if p is None:
            sys.exit(f"{options.file}: output {i + 1} has no fit of finite numbers")
        parts = p.reshape(2, -1).T
        offset[i], matrix[i] = parts[0], parts[1:]
        rest = followed(a[train], y[train, i], p, options.law, options.window)
        noise[i] = 1.4826 * np.median(np.abs(rest))
        wrong += (rest / max(noise[i], 1e-300)) ** 2 / y.shape[1]
        one = (y[train, i] - model(a[train], p, options.law)[0]).std()
        left = y[test, i] - model(a[test], p, options.law)[0]
        explained[i] = 1 - (left**2).sum() / ((y[test, i] - y[test, i].mean()) ** 2).sum()
        print(f"output {i + 1:2d}: R^2 {explained[i]:.4f} on {options.test} samples left out, mean signal {y[:, i].mean():.3g}, "
              f"noise {noise[i]:.2g} (one fit leaves {one:.2g})", flush=True)
    print(f"{100 * (wrong > 25).mean():.1f} % of the samples fitted went wrong: beyond 5 times the noise")
    print(f"median R^2 {np.median(explained):.4f}, {int((explained > 0.95).sum())} of {len(explained)} outputs above 0.95")
    return {"matrix": matrix, "offset": offset, "noise": noise, "full_scale": 1.1 * y.max(axis=0), "explained": explained}, law


def from_matrix(options):
    with h5py.File(options.file) as file:
        stack = file[options.name][()].astype(float)
    if stack.ndim == 3:
        stack = stack[None]
    if stack.ndim != 4 or stack.shape[-1] != 2:
        sys.exit(f"{options.file} {options.name}: shape {stack.shape}, wanted (outputs, inputs, 2) or (steps, outputs, inputs, 2)")
    last = len(stack) - 1
    if not 0 <= options.step <= last or not 0 <= (options.like or 0) <= last:
        sys.exit(f"steps are 0 to {last}")
    like = stack[options.step if options.like is None else options.like]
    return {"matrix": stack[options.step] / np.sqrt((like**2).sum(axis=-1).mean())}, {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ways = parser.add_subparsers(dest="way", required=True)
    pairs = ways.add_parser("pairs", help="fit a matrix to measured inputs and outputs")
    pairs.add_argument("--law", choices=("amplitude", "intensity"), default="amplitude")
    pairs.add_argument("--test", type=int, default=700, help="samples left out of the fit")
    pairs.add_argument("--window", type=int, help="samples after which drift may show (500, or what the fit needs); 0: none does")
    pairs.add_argument("--seed", type=int, default=1, help="of the starting points")
    matrix = ways.add_parser("matrix", help="take a measured matrix")
    matrix.add_argument("--name", default="TM", help="its name in the file")
    matrix.add_argument("--step", type=int, default=0, help="which of several")
    matrix.add_argument("--like", type=int, help="step whose power is 1 (the same)")
    for way in (pairs, matrix):
        way.add_argument("file")
        way.add_argument("-o", "--out", required=True)
    options = parser.parse_args()
    with np.errstate(all="ignore"):  # what is not finite is looked for below
        made, attributes = from_pairs(options) if options.way == "pairs" else from_matrix(options)
        made = {name: values.astype(np.float32) for name, values in made.items()}
    for name, values in made.items():
        if not np.isfinite(values).all():
            sys.exit(f"{options.file}: {name} would not be finite")
    part = f"{options.out}.{os.getpid()}.part"  # renamed when it is whole: a program that is ended leaves no half a file
    try:
        with h5py.File(part, "w", libver="earliest") as file:
            for name, values in made.items():
                file[name] = values
            for name, value in {"made_from": options.file, **attributes}.items():
                file.attrs[name] = value
        os.replace(part, options.out)
    finally:
        if os.path.exists(part):
            os.remove(part)
    print(options.out)


if __name__ == "__main__":
    main()
