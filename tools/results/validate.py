#!/usr/bin/python3
"""Chooses settings of rules for the tables of rules.py: trained on the first 50 000 training samples, scored on the last 10 000.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 validate.py --data FOLDER --work FOLDER [--only NAME ...]

The test sets are not looked at. Seed 1, one thread; what is measured is kept in WORK.
"""
import argparse
import itertools
import json
import pathlib

import lightloop as ll

CONV = "28x28x1 | conv 16 3 stride=2, batch_norm, relu | conv 32 3 stride=2, batch_norm, relu | flatten, dense 64, relu | dense classes"
GRIDS = {  # name: (data, the settings that stay, those that are tried)
    "lls": ("mnist", {"rule": "lls", "net": CONV, "batch": 64, "epochs": 3},
            {"lr": [2e-3, 5e-3], "rule.temperature": [1.0, 0.3, 0.1]}),
    "tdfa": ("fashion", {"rule": "tdfa", "net": "784-1024-1024-10", "device": "sim:opu", "batch": 128, "epochs": 5},
             {"lr": [1e-3, 3e-3], "rule.dead_zone": [0.05, 0.1, 0.2, 0.3]}),
}


def measured(options, name, data, settings):
    words = "-".join(f"{key.split('.')[-1]}={value}" for key, value in settings.items() if key in GRIDS[name][2])
    file = pathlib.Path(options.work) / f"validate-{name}-{words}.json"
    if not file.exists():
        samples, _ = ll.load_dataset(data, options.data)
        x, y = samples.x, samples.y
        run = ll.train(((x[:50000], y[:50000]), (x[50000:], y[50000:])), threads=1, seed=1, progress=False, **settings)
        file.write_text(json.dumps(run.test_accuracy))
    return 100 * json.loads(file.read_text())


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
            shown = ", ".join(f"{key} {settings[key]:g}" for key in tried)
            print(f"| {name} | {data} | {shown} | {measured(options, name, data, settings):.2f} |", flush=True)


if __name__ == "__main__":
    main()
