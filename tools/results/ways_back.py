#!/usr/bin/python3
"""Measures the ways back through analog devices of docs/results.md.

usage: /usr/bin/python3 ways_back.py --lightloop PATH

Procedural digits, 784-64-10, tanh, bp, Adam, 5 epochs, seed 1, one thread; accuracy on the device that was trained with.
"""
import argparse
import json
import subprocess
import tempfile

PULSED = "sim:crossbar,cell.kind=soft_bounds,pulse.step=0.002"
FIXED = ["layer.weight_limit=1"]
CASES = [
    ("in memory", "", []),
    ("sim:crossbar", "weights in memory", []),
    ("sim:crossbar", "twin", ["layer.backward=twin"]),
    ("sim:crossbar", "device", ["layer.backward=device"]),
    ("sim:crossbar,dac.bits=3", "weights in memory", []),
    ("sim:crossbar,dac.bits=3", "weights in memory, fixed range 1", ["layer.noise_management=fixed"]),
    ("sim:crossbar,dac.bits=3", "weights in memory, learned range", ["layer.noise_management=learned"]),
    (PULSED, "weights in memory, pulses", ["layer.update=pulses", *FIXED]),
    (PULSED, "device, pulses", ["layer.update=pulses", "layer.backward=device", *FIXED]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lightloop", default="lightloop")
    options = parser.parse_args()
    print("| device | way back | accuracy | frames | mJ |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (device, way, settings) in enumerate(CASES):
            words = [options.lightloop, "train", "--dataset", "digits", "--net", "784-64-10", "--rule", "bp", "--epochs", "5",
                     "--threads", "1", "--yes", "--json", "--quiet", "--out", f"{folder}/{number}.h5"]  # fmt: skip
            if way:
                words += ["--layers", device]
            for setting in settings:
                words += ["--set", setting]
            done = subprocess.run(words, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(done.stderr)
            run = json.loads(done.stdout)
            name = f"`{device}`" if way else device
            print(f"| {name} | {way} | {run['test_accuracy']:.2%} | {run['device_frames']} | {1e3 * run['device_joules']:.3g} |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
