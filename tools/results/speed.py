#!/usr/bin/python3
"""Measures the speed and memory rows of docs/results.md: ratios of programs run in turn, so that a noisy machine cancels.

usage: /usr/bin/python3 speed.py --lightloop PATH --data FOLDER [--repeats 3] [--epochs 3] [--threads 1] [--only torch optics memory]

torch:  samples/s of `lightloop train` over samples/s of torch_dfa.py (same net, batch, optimiser, threads), median of pairs.
optics: training seconds of the full optical chain over those of digital ternary DFA with the same matrix, ten epochs.
memory: peak resident memory above that of the empty program, over (data as bytes + weights + gradients + optimiser state).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
NET = "784-1024-1024-10"
RATE = {"bp": "1e-3", "dfa": "1e-3", "tdfa": "3e-3"}
PUBLISHED = ["--set", "rule.dead_zone=0.1"]  # of tdfa, as in torch_dfa.py


def train(options, epochs, *extra):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.lightloop, "train", "--dataset", "mnist", "--data-dir", options.data, "--net", NET, "--schedule",
                   "cosine", "--batch", "128", "--epochs", str(epochs), "--threads", str(options.threads), "--json", "--yes",
                   "--out", f"{folder}/run.h5", *extra]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def against_torch(options):
    print("| rule | lightloop samples/s | torch samples/s | ratio (median of pairs; all) | goal |\n|---|---|---|---|---|")
    for rule, goal in (("dfa", "≥ 1.3"), ("tdfa", "≥ 1.5"), ("bp", "reported")):
        pairs = []
        for _ in range(options.repeats):
            ours = train(options, options.epochs, "--rule", rule, "--lr", RATE[rule], "--device", "digital",
                         *PUBLISHED * (rule == "tdfa"), "--set", "train.alignment_every=0")["samples_per_second"]
            theirs = json.loads(subprocess.run(
                [sys.executable, HERE / "torch_dfa.py", "--rule", rule, "--data", f"{options.data}/mnist", "--threads",
                 str(options.threads), "--epochs", str(options.epochs)], capture_output=True, text=True,
                check=True).stdout)["samples_per_second"]
            pairs.append((ours, theirs))
        ratios = [a / b for a, b in pairs]
        print(f"| {rule}, {options.threads} thread(s), {options.epochs} epochs | {statistics.median(a for a, _ in pairs):.0f} "
              f"| {statistics.median(b for _, b in pairs):.0f} | {statistics.median(ratios):.2f} "
              f"({', '.join(f'{r:.2f}' for r in ratios)}) | {goal} |", flush=True)


def optics(options):
    print("| read-out | optical seconds | digital seconds | ratio (median of pairs; all) | goal |\n|---|---|---|---|---|")
    for readout in ("anchor", "phase4"):
        pairs = []
        for _ in range(options.repeats):
            common = ["--rule", "tdfa", *PUBLISHED, "--lr", RATE["tdfa"], "--readout", readout, "--set", "train.alignment_every=0"]
            light = train(options, 10, *common, "--device", "sim:opu,seed=1")["train_seconds"]
            digital = train(options, 10, *common, "--device", "digital", "--set",
                            "rule.matrix_from=sim:opu,preset=ideal,seed=1")["train_seconds"]
            pairs.append((light, digital))
        ratios = [a / b for a, b in pairs]
        print(f"| {readout} | {statistics.median(a for a, _ in pairs):.1f} | {statistics.median(b for _, b in pairs):.1f} "
              f"| {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)}) | ≤ 1.30 |", flush=True)


def peak(command):
    """Peak resident bytes of one run."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"failed: {command}")
    return 1024 * usage.ru_maxrss


def memory(options):
    widths = [int(w) for w in NET.split("-")]
    parameters = sum(o * (i + 1) for i, o in zip(widths, widths[1:]))
    needed = 70000 * (784 + 1) + 4 * 4 * parameters
    with tempfile.TemporaryDirectory() as folder:
        used = peak([options.lightloop, "train", "--dataset", "mnist", "--data-dir", options.data, "--net", NET, "--rule",
                     "tdfa", *PUBLISHED, "--device", "digital", "--epochs", "1", "--threads", str(options.threads), "--out",
                     f"{folder}/run.h5"])
    empty = peak([options.lightloop, "--version"])
    print(f"peak {used / 1e6:.0f} MB, empty program {empty / 1e6:.0f} MB, needed {needed / 1e6:.0f} MB: "
          f"ratio {(used - empty) / needed:.2f} (goal ≤ 1.5)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=["torch", "optics", "memory"])
    options = parser.parse_args()
    for name, measure in (("torch", against_torch), ("optics", optics), ("memory", memory)):
        if name in options.only:
            measure(options)
            print(flush=True)


if __name__ == "__main__":
    main()
