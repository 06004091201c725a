#!/usr/bin/python3
"""Trains the same network through every door that needs no second process, and compares the weights: one epoch of MNIST with
ternary DFA through sim:opu (recorded), a Python class around it, a plugin around it, and the replay of the recording.

usage: /usr/bin/python3 doors.py --build BUILD --data FOLDER [--work FOLDER]

BUILD holds bin/lightloop, plugins/ and python/; FOLDER holds mnist/. The recording takes about 5 GB in WORK.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def train(options, device, *extra):
    words = [options.build / "bin" / "lightloop", "train", "--dataset", "mnist", "--data-dir", options.data, "--net", "784-1024-1024-10",
             "--rule", "tdfa", "--lr", "3e-3", "--batch", "128", "--epochs", "1", "--set", "rule.dead_zone=0.1", "--set", "train.alignment_every=0", "--device", device,
             "--json", "--yes", "--quiet", *extra]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          env={**os.environ, "LIGHTLOOP_PLUGIN_PATH": str(options.build / "plugins")})
    if done.returncode:
        raise SystemExit(f"{device}: {done.stderr}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=lambda p: pathlib.Path(p).resolve(), default=ROOT / "build" / "ci")
    parser.add_argument("--data", required=True, help="the folder that holds mnist/")
    parser.add_argument("--work", help="where the recording lies while it is needed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        recording = f"{folder}/session.h5"
        doors = {"sim:opu": ["--record", recording],
                 f"python:{ROOT}/examples/python/opu_in_python.py:OpuInPython": [],
                 "plugin:example.opu": [],
                 f"replay:{recording}": []}
        runs = {device: train(options, device, "--out", f"{folder}/run{i}.h5", *extra)
                for i, (device, extra) in enumerate(doors.items())}
    reference = next(iter(runs.values()))
    print("| device | accuracy | frames | joules | seconds of training | weights (SHA-256) |\n|---|---|---|---|---|---|")
    for device, run in runs.items():
        name = device.replace(f"{ROOT}/", "").replace(recording, "session.h5") + (", recorded" if run is reference else "")
        equal = run["weights_sha256"] == reference["weights_sha256"]
        print(f"| `{name}` | {100 * run['test_accuracy']:.2f} % | {run['device_frames']} | {run['device_joules']:.0f} "
              f"| {run['train_seconds']:.1f} | {run['weights_sha256'][:16]}{'' if equal else ' **different**'} |")


if __name__ == "__main__":
    main()
