#!/usr/bin/python3
"""Measures the table of weight banks in docs/results.md: how exactly a controller sets microrings.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/banks.py

Uniform random weights of 32 x 32, read through detectors without noise and 16-bit converters, eight chips. Bits: log2 of the
range of weights (2) over the rms error.
"""
import numpy as np

import lightloop as ll

QUIET = ("sim:ring_bank,weight.bits=16,dac.bits=8,adc.bits=16,adc.range=2,detector.shot=false,detector.load_ohm=0,"
         "laser.rin_hz=0")
CASES = (
    ("nominal ring, resonances unknown", "control.method=model", 0),
    ("resonances found by a sweep", "control.method=swept", 0),
    ("loop, monitor noise 0.002", "control.method=pid", 0),
    ("loop, monitor noise 0.0005", "control.method=pid,monitor_noise=0.0005", 0),
    ("loop, after 300 s without dither", "control.method=pid,control.tracking=none", 300),
    ("loop, after 300 s with dither", "control.method=pid", 300),
)


def main():
    w = np.random.default_rng(1).uniform(-1, 1, (32, 32)).astype(np.float32)
    print("| what the controller does | rms error of a weight | bits |\n|---|---|---|")
    for name, settings, seconds in CASES:
        square = []
        for seed in range(1, 9):
            with ll.Layer(f"{QUIET},{settings},seed={seed}", w, bound_management="none") as layer:
                if seconds:
                    layer.device.configure(clock_s=seconds)
                held = (layer(np.eye(32, dtype=np.float32)) - layer(-np.eye(32, dtype=np.float32))) / 2
                square.append(np.mean((held.T - w) ** 2))
        error = np.sqrt(np.mean(square))
        print(f"| {name} | {error:.2g} | {np.log2(2 / error):.1f} |")


if __name__ == "__main__":
    main()
