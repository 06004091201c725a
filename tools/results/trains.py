#!/usr/bin/python3
"""Measures the table of tensor trains in docs/results.md: error of sim:tt_rfnn against phase error and hardening.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/trains.py
"""
import numpy as np

import lightloop as ll


def relative(y, wanted):
    return np.linalg.norm(y - wanted) / np.linalg.norm(wanted)


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


if __name__ == "__main__":
    main()
