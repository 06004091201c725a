#!/usr/bin/python3
"""Measures the table of layer.completion and layer.calibration_density in docs/results.md: what weights leave free of a mesh, and gains of
arrays whose wires lose voltage.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/freedom.py

Meshes of 64 channels, ideal but for the named error, seeds 1 to 4; crossbars of 1024 inputs and 512 outputs, inputs of -1 and 1 of which
a part is not 0. Error: rms over the rms of the product; gain: of the calibrated answers on the product.
"""
import numpy as np

import lightloop as ll

N = 64
MESH = f"sim:mzi_mesh,preset=ideal,input.size={N},output.size={N},adc.bits=16,dac.bits=12,seed={{}},{{}}"
WAYS = {"splitters 0.02 rad, corrected": "splitter_error=0.02,correction=splitters", "phases 0.02 rad": "phase_error=0.02,correction=none"}
INPUTS, DENSITIES = 1024, (1.0, 0.2, 0.05)


def signs(seed, rows, width, density=1.0):
    draw = np.random.default_rng(seed)
    return (draw.choice((-1.0, 1.0), size=(rows, width)) * (draw.random((rows, width)) < density)).astype(np.float32)


def mesh_error(w, errors, completion):
    square = []
    for seed in range(1, 5):
        with ll.Layer(MESH.format(seed, errors), w, completion=completion) as layer:
            x = signs(seed, 64, w.shape[1])
            exact = x @ w.T
            square.append(np.mean((layer(x) - exact) ** 2) / np.mean(exact**2))
    return np.sqrt(np.mean(square))


def gain(preset, density, **settings):
    w = np.random.default_rng(0).normal(size=(INPUTS // 2, INPUTS)).astype(np.float32)
    x = signs(1, 200, INPUTS, density)
    with ll.Layer(f"sim:crossbar,preset={preset},input.size={INPUTS},output.size={INPUTS},seed=1", w, **settings) as layer:
        layer.calibrate()
        exact = x @ w.T
        return np.sum(layer(x) * exact) / np.sum(exact**2)


def main():
    draw = np.random.default_rng(0)
    weights = {f"identity, {N} x {N}": np.eye(N), f"permutation, {N} x {N}": np.eye(N)[draw.permutation(N)],
               f"normal, 10 x {N}": draw.normal(size=(10, N)), f"normal, {N} x {N}": draw.normal(size=(N, N))}
    print("| weights | errors | plain | random |\n|---|---|---|---|")
    for name, w in weights.items():
        for way, errors in WAYS.items():
            plain, random = (mesh_error(w.astype(np.float32), errors, completion) for completion in ("plain", "random"))
            print(f"| {name} | {way} | {plain:.3f} | {random:.3f} |")
    print(f"\n| crossbar of {INPUTS} inputs | part of them that is driven | gain, calibrated by all | by that part |\n|---|---|---|---|")
    for preset in ("hwa", "pcm"):
        for density in DENSITIES:
            print(f"| `preset={preset}` | {density:g} | {gain(preset, density):.3f} | {gain(preset, density, calibration_density=density):.3f} |")


if __name__ == "__main__":
    main()
