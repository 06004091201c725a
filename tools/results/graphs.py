#!/usr/bin/python3
"""Measures the table of graphs of docs/results.md: Cora and Citeseer, two graph convolutions, ten seeds.

usage: /usr/bin/python3 graphs.py --lightloop PATH --data FOLDER --work FOLDER [--seeds N] [--sets cora citeseer]
           [--only NAME ...] [--width 128]

FOLDER holds planetoid/. A run takes some seconds on an idle core; every finished one is kept in WORK as NAME-SET-SEED.json (NAME-SET-SEED-WIDTH.json
where it is not 128), so that a second call does only what is missing. Accuracies are on the 1000 test nodes: after the epoch that is best on the 500 validation
nodes (the first of several), and after the last epoch.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

EPOCHS, SECONDS = 200, 7  # per run, on an idle core of the machine that docs/results.md names
BASE = f"--epochs {EPOCHS} --lr 0.01 --schedule constant --threads 1 --alignment-every 0"
NET, WIDTH = "gcn {}, relu, dropout {} | gcn classes", 128
ROWS = {  # name: title, dropout, weight decay, options
    "bp": ("back-propagation", 0.5, "5e-4", "--rule bp"),
    "dfa": ("DFA", 0.1, "1e-4", "--rule dfa"),
    "dfa-plain": ("DFA, B e instead of A^T B e", 0.1, "1e-4", "--rule dfa --set rule.along_graph=false"),
    "tdfa": ("ternary DFA", 0.1, "1e-4", "--rule tdfa --set rule.dead_zone=0.1"),
    "optical": ("ternary DFA on `sim:opu`", 0.1, "1e-4", "--rule tdfa --set rule.dead_zone=0.1 --device sim:opu --yes"),
    "forwardgnn": ("ForwardGNN, single forward", 0.1, "1e-4", "--rule forwardgnn"),
    "forwardgnn-in": ("the same, class nodes hear only", 0.1, "1e-4", "--rule forwardgnn --set rule.edges=in"),
    "forwardgnn-last": ("the same, the last layer answers", 0.5, "5e-4", "--rule forwardgnn --set rule.edges=in --set rule.answer=output"),
}


def kept_in(work, name, dataset, seed, width):
    return work / (f"{name}-{dataset}-{seed}.json" if width == WIDTH else f"{name}-{dataset}-{seed}-{width}.json")


def run(program, data, work, name, dataset, seed, width):
    kept = kept_in(work, name, dataset, seed, width)
    if kept.exists():
        return json.loads(kept.read_text())
    _, dropout, decay, options = ROWS[name]
    words = [program, "train", "--dataset", dataset, "--net", NET.format(width, dropout), *BASE.split(), *options.split(),
             "--set", f"train.weight_decay={decay}", "--seed", str(seed), "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        done = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=folder,
                                         env={**os.environ, "LIGHTLOOP_DATA": data}).stdout)
    epochs = done["epochs"]
    best = max(epochs, key=lambda e: e["validation_accuracy"])  # the first of equals
    result = {"best": best["test_accuracy"], "last": epochs[-1]["test_accuracy"], "epoch": best["epoch"],
              "frames": done["device_frames"], "seconds": epochs[-1]["train_seconds"]}
    kept.write_text(json.dumps(result))
    return result


def spread(values):
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else f"{100 * values[0]:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", default=["cora", "citeseer"])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--width", type=int, default=WIDTH)
    options = parser.parse_args()
    program = str(pathlib.Path(shutil.which(options.lightloop)).resolve())
    work = pathlib.Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    jobs = [(name, dataset, seed, options.width) for seed in range(1, options.seeds + 1) for dataset in options.sets for name in options.only]
    left = [job for job in jobs if not kept_in(work, *job).exists()]
    print(f"{len(left)} of {len(jobs)} runs left, about {len(left) * SECONDS / 3600:.2f} hours", file=sys.stderr)
    results = {job: run(program, str(pathlib.Path(options.data).resolve()), work, *job) for job in jobs}
    print("| graph | rule | test % at the best validation | after the last epoch | frames per run |\n|---|---|---|---|---|")
    for dataset in options.sets:
        for name in options.only:
            all_seeds = [results[name, dataset, seed, options.width] for seed in range(1, options.seeds + 1)]
            frames = round(statistics.mean(r["frames"] for r in all_seeds))
            print(f"| {dataset} | {ROWS[name][0]} | {spread([r['best'] for r in all_seeds])} "
                  f"| {spread([r['last'] for r in all_seeds])} | {f'{frames:,}'.replace(',', ' ') if frames else '-'} |")
    print(f"\n{options.seeds} seeds, {EPOCHS} epochs, Adam 0.01, `{NET.format(options.width, 'P')}`; P = 0.5 and `train.weight_decay` = 5e-4 for "
          "back-propagation and where the last layer answers, 0.1 and 1e-4 for the others.")


if __name__ == "__main__":
    main()
