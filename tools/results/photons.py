#!/usr/bin/python3
"""Measures the table of photons in docs/results.md: a network trained in memory, then run on coherent products.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/photons.py --data FOLDER      the folder that holds mnist/

784-N-N-10, ReLU, trained with numpy (Adam, batch 100, 2 epochs, seed 1), then all layers on sim:homodyne at the standard
quantum limit (converters of 12 and 16 bits), local and signal photons balanced. All 10000 test images, once each.
"""
import argparse
import gzip
import pathlib

import numpy as np

import lightloop as ll


def images(folder, name):
    raw = gzip.open(folder / f"{name}-images-idx3-ubyte.gz").read()
    labels = gzip.open(folder / f"{name}-labels-idx1-ubyte.gz").read()
    x = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255
    return x, np.frombuffer(labels, np.uint8, offset=8)


def forward(x, weights, multiply):
    """Inputs of every layer, and the outputs."""
    inputs = [x]
    for w in weights[:-1]:
        inputs.append(np.maximum(multiply(inputs[-1], w), 0))
    return inputs, multiply(inputs[-1], weights[-1])


def in_memory(x, w):
    return x @ w.T


def train(x, labels, width):
    rng = np.random.default_rng(1)
    sizes = ((784, width), (width, width), (width, 10))
    weights = [rng.normal(0, np.sqrt(2 / n), (m, n)).astype(np.float32) for n, m in sizes]
    mean, square, t = [0] * 3, [0] * 3, 0
    for _ in range(2):
        order = rng.permutation(len(x))
        for first in range(0, len(x), 100):
            rows = order[first:first + 100]
            inputs, y = forward(x[rows], weights, in_memory)
            g = np.exp(y - y.max(1, keepdims=True))
            g /= g.sum(1, keepdims=True)
            g[np.arange(len(rows)), labels[rows]] -= 1
            t += 1
            for k in (2, 1, 0):
                slope = g.T @ inputs[k] / len(rows)
                if k:
                    g = (g @ weights[k]) * (inputs[k] > 0)
                mean[k] = 0.9 * mean[k] + 0.1 * slope
                square[k] = 0.999 * square[k] + 0.001 * slope**2
                weights[k] -= 1e-3 * (mean[k] / (1 - 0.9**t)) / (np.sqrt(square[k] / (1 - 0.999**t)) + 1e-8)
    return weights


def product(x, w, photons):
    """x W^T with this many detected photons per product on average, half of them from either side."""
    v = x / np.maximum(np.abs(x).max(1, keepdims=True), 1e-30)
    full = [photons / 2 / np.mean(v**2), photons / 2 / np.mean((w / np.abs(w).max())**2)]
    device = (f"sim:homodyne,preset=quantum_limit,dac.bits=12,weight.bits=12,adc.bits=16,adc.range={0.25 * len(w[0])},"
              f"photons.input={full[0]},photons.weight={full[1]}")
    with ll.Layer(device, w) as layer:
        return layer(np.ascontiguousarray(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    folder = parser.parse_args().data / "mnist"
    x, labels = images(folder, "t10k")
    networks = {width: train(*images(folder, "train"), width) for width in (100, 1000)}

    def accuracy(width, multiply):
        return f"{100 * np.mean(forward(x, networks[width], multiply)[1].argmax(1) == labels):.1f} %"

    print("| photons per product | zJ | 784-100-100-10 | 784-1000-1000-10 |\n|---|---|---|---|")
    for photons in (0.01, 0.03, 0.1, 0.39, 0.64, 1, 3.2, 10, 100):
        found = [accuracy(width, lambda a, w: product(a, w, photons)) for width in networks]
        print(f"| {photons} | {photons * 128.16:.3g} | {' | '.join(found)} |", flush=True)
    print(f"| in memory | | {' | '.join(accuracy(width, in_memory) for width in networks)} |")


if __name__ == "__main__":
    main()
