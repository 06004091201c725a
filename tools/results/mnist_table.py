#!/usr/bin/python3
"""Measures the MNIST table of docs/results.md: every row is `lightloop train` with the settings printed beside it.

usage: /usr/bin/python3 mnist_table.py --lightloop PATH --data FOLDER --work FOLDER [--jobs 2] [--only NAME ...]

Finished runs are kept in WORK as JSON and are not repeated. Accuracies are of the last epoch; the test set selects nothing.
Paired rows differ only in the device: same initial weights, batch order, and feedback matrix (measured from the noise-free
device with the same seed).
"""
import argparse
import concurrent.futures
import json
import math
import pathlib
import statistics
import subprocess
import sys

BASE = ("--dataset mnist --net 784-1024-1024-10 --activation tanh --optimizer adam --schedule cosine --batch 128 "
        "--epochs 10 --threads 1").split()
MATRIX = "--set rule.matrix_from=sim:opu,preset=ideal,seed={seed}"
PUBLISHED = "--set rule.dead_zone=0.1"
NOISE = "--rule tdfa " + PUBLISHED + " --device digital --set rule.noise=1"
ROWS = {  # name: (title, seeds, options)
    "bp": ("back-propagation", 3, "--rule bp --device digital --lr 1e-3"),
    "dfa": ("DFA, digital", 3, "--rule dfa --device digital --lr 1e-3"),
    "tdfa": ("ternary DFA, digital", 5, "--rule tdfa " + PUBLISHED + " --device digital --lr 3e-3"),
    "anchor-digital": ("ternary DFA, digital, matrix of the anchor read-out", 5,
                       "--rule tdfa " + PUBLISHED + " --device digital --lr 3e-3 " + MATRIX + " --readout anchor"),
    "anchor": ("ternary DFA, optical, anchor", 5, "--rule tdfa " + PUBLISHED + " --device sim:opu,seed={seed} --lr 3e-3 --readout anchor"),
    "phase4-digital": ("ternary DFA, digital, matrix of phase stepping", 5,
                       "--rule tdfa " + PUBLISHED + " --device digital --lr 3e-3 " + MATRIX + " --readout phase4"),
    "phase4": ("ternary DFA, optical, phase stepping", 5,
               "--rule tdfa " + PUBLISHED + " --device sim:opu,seed={seed} --lr 3e-3 --readout phase4"),
    "noise-all": ("ternary + noise 1, every frame", 3, NOISE + " --lr 1e-3 --set rule.skip_empty=false"),
    "noise-skip": ("ternary + noise 1, empty frames skipped", 3, NOISE + " --lr 1e-3"),
    "noise-all-3": ("the same at 3e-3, every frame", 3, NOISE + " --lr 3e-3 --set rule.skip_empty=false"),
    "noise-skip-3": ("the same at 3e-3, empty frames skipped", 3, NOISE + " --lr 3e-3"),
    "noise-all-constant": ("the same at a constant rate, every frame", 3,
                           NOISE + " --lr 1e-3 --set train.schedule=constant --set rule.skip_empty=false"),
    "noise-skip-constant": ("the same at a constant rate, empty frames skipped", 3,
                            NOISE + " --lr 1e-3 --set train.schedule=constant"),
}
PAIRS = [("anchor", "anchor-digital"), ("phase4", "phase4-digital")]


def run(options, name, seed):
    out = pathlib.Path(options.work) / f"{name}-{seed}.json"
    if not out.exists():
        command = [options.lightloop, "train", "--data-dir", options.data, *BASE,
                   *ROWS[name][2].format(seed=seed).split(), "--seed", str(seed), "--json", "--yes", "--force",
                   "--out", str(out.with_suffix(".h5"))]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        json.loads(done.stdout)
        out.write_text(done.stdout)
        out.with_suffix(".h5").unlink()
    return json.loads(out.read_text())


def spread(values):
    return statistics.stdev(values) if len(values) > 1 else math.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(ROWS))
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)

    jobs = [(name, seed) for name in options.only for seed in range(1, ROWS[name][1] + 1)]
    results = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(run, options, *job): job for job in jobs}
        for done, future in enumerate(concurrent.futures.as_completed(futures), 1):
            name, seed = futures[future]
            results[name, seed] = future.result()
            print(f"{done}/{len(jobs)} {name} seed {seed}: {100 * results[name, seed]['test_accuracy']:.2f} %", file=sys.stderr)

    print("| run | seeds | accuracy % (mean ± sd) | device frames | device s | options |\n|---|---|---|---|---|---|")
    for name in options.only:
        title, seeds, text = ROWS[name]
        rows = [results[name, s] for s in range(1, seeds + 1)]
        accuracy = [100 * r["test_accuracy"] for r in rows]
        print(f"| {title} | {seeds} | {statistics.mean(accuracy):.2f} ± {spread(accuracy):.2f} "
              f"| {statistics.mean(r['device_frames'] for r in rows):.0f} "
              f"| {statistics.mean(r['device_seconds'] for r in rows):.0f} | `{text}` |")
    for optical, digital in PAIRS:
        if optical in options.only and digital in options.only:
            d = [100 * (results[optical, s]["test_accuracy"] - results[digital, s]["test_accuracy"])
                 for s in range(1, ROWS[optical][1] + 1)]
            print(f"\n{ROWS[optical][0]} minus its digital twin, paired by seed: {statistics.mean(d):+.3f} ± "
                  f"{spread(d) / math.sqrt(len(d)):.3f} points (mean ± standard error, n = {len(d)}): "
                  + ", ".join(f"{x:+.2f}" for x in d))


if __name__ == "__main__":
    main()
