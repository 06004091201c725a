#!/usr/bin/python3
"""Measures what training on a device learns of it, for docs/results.md: digital against physics-aware weights, in per cent.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/aware.py

Procedural digits of 7 x 7, 49-32-10, 20 epochs at 3e-3; a mesh of 12-16-8 on 8 clusters in 12 dimensions, 10 epochs at 1e-2. Seeds 1
to 3. And how far the error of a device moves when its weights change.
"""
import numpy as np

import lightloop as ll

FINE = "adc.bits=16,dac.bits=16"


def digits():
    def pooled(half):
        x = half.features().reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).reshape(-1, 49)
        return x.astype(np.float32), np.asarray(half.y).astype(np.int64)

    return tuple(pooled(half) for half in ll.load_dataset("digits", seed=0))


def clusters():
    centres = np.random.default_rng(1).normal(size=(8, 12))

    def half(n, seed):
        y = np.arange(n) % 8
        return (centres[y] + 0.8 * np.random.default_rng(seed).normal(size=(n, 12))).astype(np.float32), y.astype(np.int64)

    return half(1000, 2), half(2000, 3)


def trained(data, seed, layers="", **options):
    more = {"layers": layers} if layers else {}
    return ll.train(data, rule="bp", seed=seed, threads=1, alignment_every=0, yes=True, progress=False, batch=100, **options, **more)


def main():
    print("| device | network | in memory | digital, deployed | trained on it, deployed | the same on another device |\n"
          "|---|---|---|---|---|---|")
    small = dict(net="49-32-10", epochs=20, lr=3e-3)
    mesh = dict(net="12-16-8", epochs=10, lr=1e-2)
    for device, data, options in (
        ("sim:crossbar,preset=ideal,voltage_offset=0.4", digits(), small),
        ("sim:crossbar,preset=ideal,s_shape=0.3,asymmetry=0.3", digits(), small),
        ("sim:mzi_mesh,preset=ideal,correction=none,splitter_error=0.05", clusters(), mesh),
        ("sim:mzi_mesh,preset=ideal,correction=none,splitter_error=0.1", clusters(), mesh),
    ):
        rows = []
        for seed in (1, 2, 3):
            own = f"{device},seed={seed}"
            plain, aware = trained(data, seed, **options), trained(data, seed, own, **options)
            places = ((plain, own), (aware, own), (aware, f"{device},seed=77"))
            rows.append([100 * plain.test_accuracy] + [100 * run.on(place).accuracy(*data[1]) for run, place in places])
        cells = [" ".join(f"{row[i]:.1f}" for row in rows) for i in range(4)]
        print(f"| `{device}` | {options['net']} | {' | '.join(cells)} |", flush=True)

    print("\n| device, 16 × 16 random weights | weights change by | its error changes by, five changes |\n|---|---|---|")
    rng = np.random.default_rng(0)
    w = rng.normal(size=(16, 16)).astype(np.float32) / 4
    eye = np.eye(16, dtype=np.float32)
    for device in (f"sim:crossbar,preset=ideal,voltage_offset=0.4,weight.bits=16,{FINE}",
                   f"sim:mzi_mesh,preset=ideal,correction=none,splitter_error=0.1,{FINE}"):  # fmt: skip
        with ll.Layer(device, w) as layer:

            def error(weights):
                layer.program(weights)
                return layer(eye).T - weights

            before = error(w)
            for part in (0.001, 0.01, 0.1):
                moved = []
                for _ in range(5):
                    change = part * rng.normal(size=w.shape).astype(np.float32) / 4
                    moved.append(np.linalg.norm(error(w + change) - before) / np.linalg.norm(before))
                moves = " ".join(f"{100 * m:.1f}" for m in moved)
                print(f"| `{device.split(',')[0]}` | {100 * part:g} % | {moves} % |", flush=True)


if __name__ == "__main__":
    main()
