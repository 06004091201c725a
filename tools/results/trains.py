#!/usr/bin/python3
"""Measures the tables of tensor trains in docs/results.md: error of sim:tt_rfnn against phase error and hardening, and the accuracy of
a network (procedural digits, 784-32-10, five epochs, seed 1) whose first layer is a train.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/trains.py
"""
import numpy as np

import lightloop as ll


def relative(y, wanted):
    return np.linalg.norm(y - wanted) / np.linalg.norm(wanted)


def first_layer():
    _, test = ll.load_dataset("digits", seed=1)
    run = ll.train("digits", rule="bp", net="784-32-10", epochs=5, seed=1, progress=False)
    (w1, b1), (w2, b2) = run.to_numpy()
    x = test.features()

    def accuracy(product):
        return f"{np.mean((np.tanh(product + b1) @ w2.T + b2).argmax(axis=1) == test.y):.2%}"

    print(f"\nIn memory {accuracy(x @ w1.T)}.\n\n| `sim:tt_rfnn,` | held by the rank | gain | on the device |\n|---|---|---|---|")
    for settings in ("tt.cores=2,tt.rank=4", "tt.cores=2,tt.rank=16", "tt.cores=2,tt.rank=16,loss=0.0023", "tt.cores=3,tt.rank=12",
                     "tt.cores=4,tt.rank=12"):  # fmt: skip
        with ll.Layer(f"sim:tt_rfnn,seed=1,{settings}", w1) as layer:
            layer.calibrate()
            held, there = accuracy(x @ layer.programmed.T), accuracy(layer(x))
            print(f"| `{settings}` | {held} | {layer.calibration.gain:.2g} | {there} |", flush=True)


def main():
    rng = np.random.default_rng(1)
    w = rng.uniform(-1, 1, (24, 40)).astype(np.float32)
    x = rng.uniform(-1, 1, (200, 40)).astype(np.float32)
    print("| phase error / rad | hardening | to the weights | to the train |\n|---|---|---|---|")
    for phase_error in (0.005, 0.02, 0.05):
        for hardening in (0.0, 0.2, 0.5):
            errors = []
            for seed in range(1, 9):
                device = (f"sim:tt_rfnn,adc.bits=14,dac.bits=12,tt.rank=8,output_noise=0,splitter_error=0,"
                          f"phase_error={phase_error},seed={seed}")
                with ll.Layer(device, w, hardening=hardening) as layer:
                    layer.calibrate()
                    y = layer(x)
                    errors.append((relative(y, x @ w.T), relative(y, x @ layer.programmed.T)))
            weights, train = np.mean(errors, axis=0)
            print(f"| {phase_error} | {hardening} | {weights:.3f} | {train:.3f} |")
    first_layer()


if __name__ == "__main__":
    main()
