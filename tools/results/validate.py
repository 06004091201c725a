#!/usr/bin/python3
"""Chooses settings of rules for the tables of rules.py, and those behind the measured cavity and behind waves at random for waves.py.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 validate.py --data FOLDER --work FOLDER [--only NAME ...]

The test sets are not looked at. Images: trained on the first 50 000 training samples, scored on the last 10 000, seed 1. Vowels: seeds
1 to 3, of whose 210 training samples 50 are drawn to be scored, four times anew: twelve runs, mean and sd. Of the Japanese vowels' 270,
which are the same for all seeds, 70 are. The names with `noise` tell
what the noise of the cavity's detectors does, 1 being what tools/wave_matrix.py finds from one frame to the next, 4.8 what a fit that
takes drift and failed records for noise would call it. One thread; what is measured is kept in WORK.
"""
import argparse
import itertools
import json
import pathlib
import statistics
import subprocess
import sys

import numpy as np

import lightloop as ll

CONV = "28x28x1 | conv 16 3 stride=2, batch_norm, relu | conv 32 3 stride=2, batch_norm, relu | flatten, dense 64, relu | dense classes"
TOOL = pathlib.Path(__file__).parents[1] / "wave_matrix.py"
VOWELS = {"batch": 30, "epochs": 100, "map_part": 10}  # as examples/papers/phyll
JAPANESE = {"net": "45-60-60-9", "batch": 30, "epochs": 100, "lr": 3e-3, "map": "sim:wave,encoding=phase,input.size=64,output.size=64"}
SEVEN = {"net": "19-30-7", "batch": 32, "epochs": 60, "lr": 5e-3, "map": "sim:wave,encoding=phase"}
RANGES = {"map_range": [3, 6, 10, 15, 30, 60]}
GRIDS = {  # name: (data, the settings that stay, those that are tried)
    "lls": ("mnist", {"rule": "lls", "net": CONV, "batch": 64, "epochs": 3},
            {"lr": [2e-3, 5e-3], "rule.temperature": [1.0, 0.3, 0.1]}),
    "lls-fashion": ("fashion", {"rule": "lls", "net": CONV, "batch": 64, "epochs": 5},
                    {"schedule": ["constant", "cosine"], "lr": [2e-3, 5e-3], "rule.temperature": [0.3, 0.1]}),
    "lls-fashion-local": ("fashion", {"rule": "lls", "net": CONV, "batch": 64, "epochs": 5, "schedule": "cosine", "lr": 5e-3, "rule.temperature": 0.3},
                          {"rule.smoothing": [0.0, 0.1], "rule.pool": [2, 4, 7]}),
    "lls-patterns": ("fashion", {"rule": "lls", "net": CONV, "batch": 64, "epochs": 5, "schedule": "cosine", "lr": 5e-3},
                     {"rule.basis": ["square", "sine"], "rule.mixing": ["none", "scale", "matrix"], "rule.temperature": [0.3, 1.0, 3.0]}),
    "bp-fashion": ("fashion", {"rule": "bp", "net": CONV, "batch": 64, "epochs": 5}, {"schedule": ["constant", "cosine"], "lr": [1e-3, 2e-3, 5e-3]}),
    "tdfa": ("fashion", {"rule": "tdfa", "net": "784-1024-1024-10", "device": "sim:opu", "batch": 128, "epochs": 5},
             {"lr": [1e-3, 3e-3], "rule.dead_zone": [0.05, 0.1, 0.2, 0.3]}),
    "phyll-noise": ("vowels", {**VOWELS, "rule": "phyll", "activation": "relu", "net": "19-60-60-7", "lr": 3e-3, "schedule": "constant"},
                    {"noise": [0, 1, 4.8]}),
    "dfa-noise": ("vowels", {**VOWELS, "rule": "dfa", "activation": "tanh", "net": "19-60-60-7", "lr": 3e-3, "schedule": "constant"},
                  {"noise": [0, 1, 4.8]}),
    "phyll-chosen-noise": ("vowels", {**VOWELS, "rule": "phyll", "activation": "relu", "net": "19-120-120-7", "lr": 1e-2, "schedule": "cosine",
                                      "rule.showings": 4}, {"noise": [0, 4.8]}),
    "phyll-cavity": ("vowels", {**VOWELS, "rule": "phyll", "activation": "relu", "schedule": "cosine"},
                     {"net": ["19-60-60-7", "19-120-120-7"], "lr": [3e-3, 1e-2], "rule.showings": [1, 4, 8]}),
    "jv-phyll": ("japanese_vowels", {**JAPANESE, "rule": "phyll", "activation": "relu"}, RANGES),
    "jv-bp": ("japanese_vowels", {**JAPANESE, "rule": "bp", "activation": "tanh"}, RANGES),
    "jv-dfa": ("japanese_vowels", {**JAPANESE, "rule": "dfa", "activation": "tanh"}, RANGES),
    "waves-bp": ("vowels", {**SEVEN, "rule": "bp"}, RANGES),
    "waves-dfa": ("vowels", {**SEVEN, "rule": "dfa"}, RANGES),
    "waves-pepita": ("vowels", {**SEVEN, "rule": "pepita"}, RANGES),
    "tdfa-mnist": ("mnist", {"rule": "tdfa", "net": "784-1024-1024-10", "batch": 128, "epochs": 5},
                   {"lr": [3e-3], "rule.dead_zone": [0.1, 0.15, 0.2, 0.3]}),
}


def parts(options, data):
    """Seeds, samples to learn and samples to be scored by, all of them training samples."""
    if "vowels" not in data:
        samples, _ = ll.load_dataset(data, options.data)
        x, y = samples.x, samples.y
        yield 1, (x[:50000], y[:50000]), (x[50000:], y[50000:])
        return
    for seed in range(1, 4):
        samples, _ = ll.load_dataset(data, options.data, seed)
        x, y = np.array(samples.features()), np.array(samples.y)
        for again in range(4):
            order = np.random.default_rng(100 * seed + again).permutation(len(y))
            learnt, scored = np.split(order, [160 if data == "vowels" else 200])
            yield seed, (x[learnt], y[learnt]), (x[scored], y[scored])


def cavity(options):
    """The device that the cavity's measured pairs make."""
    file = pathlib.Path(options.work) / "cavity.h5"
    if not file.exists():
        pairs = pathlib.Path(options.data) / "photonic" / "phyll_acoustic" / "phyll_acoustic.h5"
        subprocess.run([sys.executable, TOOL, "pairs", pairs, "-o", file], check=True, stdout=subprocess.DEVNULL)
    return f"sim:wave,preset=cavity,matrix={file}"


def measured(options, name, data, settings):
    words = "-".join(f"{key.split('.')[-1]}={value}" for key, value in settings.items() if key in GRIDS[name][2])
    file = pathlib.Path(options.work) / f"validate-{name}-{words}.json"
    if not file.exists():
        settings = dict(settings)
        if "map" not in settings and data == "vowels":
            settings["map"] = f"{cavity(options)},noise={settings.pop('noise', 1)}"
        found = [ll.train((learnt, scored), threads=1, seed=seed, progress=False, **settings).test_accuracy
                 for seed, learnt, scored in parts(options, data)]
        file.write_text(json.dumps(found))
    found = json.loads(file.read_text())
    found = [100 * one for one in (found if isinstance(found, list) else [found])]
    return f"{statistics.mean(found):.2f}" + (f" ± {statistics.stdev(found):.2f}" if len(found) > 1 else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--only", nargs="*", default=list(GRIDS), choices=list(GRIDS))
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)
    print("| rule | data | tried | validation accuracy % |\n|---|---|---|---|")
    for name in options.only:
        data, stays, tried = GRIDS[name]
        for values in itertools.product(*tried.values()):
            settings = {**stays, **dict(zip(tried, values))}
            shown = ", ".join(f"{key} {settings[key] if isinstance(settings[key], str) else format(settings[key], 'g')}" for key in tried)
            print(f"| {name} | {data} | {shown} | {measured(options, name, data, settings)} |", flush=True)


if __name__ == "__main__":
    main()
