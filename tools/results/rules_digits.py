#!/usr/bin/python3
"""Measures the small table of learning rules of docs/results.md: procedural digits, one seed, some seconds per rule.

usage: /usr/bin/python3 rules_digits.py --lightloop PATH [--only NAME ...]
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

BASE = "--dataset digits --net 784-256-256-10 --batch 128 --epochs 10 --threads 1 --seed 1"
ROWS = {  # name: (title, options)
    "bp": ("back-propagation", "--rule bp --lr 3e-3"),
    "sign_symmetric": ("sign symmetry", "--rule sign_symmetric --lr 3e-3"),
    "adfa": ("augmented DFA", "--rule adfa --lr 3e-3"),
    "local": ("local heads", "--rule local --lr 3e-3"),
    "auglocal": ("AugLocal", "--rule auglocal --lr 3e-3"),
    "lls": ("LLS", "--rule lls --lr 3e-3"),
    "lls-mxm": ("LLS-MxM", "--rule lls --set rule.mixing=matrix --lr 3e-3"),
    "ccl": ("Counter-Current Learning", "--rule ccl --lr 3e-3"),
    "ccl-bare": ("Counter-Current Learning, bare products", "--rule ccl --set rule.gain=0 --lr 3e-3"),
    "sff": ("Scalable Forward-Forward", "--rule sff --lr 3e-3"),
    "ff": ("Forward-Forward", "--rule ff --lr 1e-3 --activation relu --optimizer momentum --batch 100 --schedule late"),
    "phyll": ("PhyLL behind a random mixture", "--rule phyll --lr 3e-3 --activation relu"),
    "pepita": ("PEPITA", "--rule pepita --lr 3e-3 --activation relu"),
    "noprop": ("NoProp, 10 blocks", "--rule noprop --lr 3e-3"),
    "fg-local": ("forward gradient, local guess", "--rule forward_gradient --lr 3e-3"),
    "fg-gaussian": ("forward gradient, noise", "--rule forward_gradient --set rule.guess=gaussian --lr 3e-3"),
    "node": ("node perturbation", "--rule node_perturbation --lr 3e-3"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--only", nargs="*", default=list(ROWS))
    options = parser.parse_args()
    program = str(pathlib.Path(shutil.which(options.lightloop)).resolve())
    print("| rule | accuracy % | passes / sample | projections / sample | options |\n|---|---|---|---|---|")
    for name in options.only:
        title, text = ROWS[name]
        command = [program, "train", *BASE.split(), *text.split(), "--json", "--quiet"]
        with tempfile.TemporaryDirectory() as folder:
            run = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=folder).stdout)
        last, samples = run["epochs"][-1], 10000 * len(run["epochs"])
        print(f"| {title} | {100 * run['test_accuracy']:.2f} | {last['layer_passes'] / samples:.3g} "
              f"| {last['projections'] / samples:.3g} | `{text}` |", flush=True)


if __name__ == "__main__":
    main()
