#!/usr/bin/python3
"""Measures the small table of learning rules of docs/results.md: procedural digits, one seed, some seconds per rule.

usage: /usr/bin/python3 rules_digits.py --lightloop PATH [--only NAME ...] [--reduced]

--reduced measures the rules that have a row there in a minute, on a smaller net for four epochs, each against a floor of its own:
the least of seeds 1 to 5, less two points. It ends with 1 if one is missed.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

BASE = "--dataset digits --net 784-256-256-10 --batch 128 --epochs 10 --threads 1"
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

SMALL = "--dataset digits --net 784-128-128-10 --batch 64 --epochs 4 --threads 1"
REDUCED = {  # name: (floor in %, options)
    "bp": (93, "--rule bp --lr 3e-3"),
    "fa": (91, "--rule fa --lr 3e-3"),
    "sign_symmetric": (92, "--rule sign_symmetric --lr 3e-3"),
    "dfa": (91, "--rule dfa --lr 3e-3"),
    "tdfa": (90, "--rule tdfa --lr 3e-3"),
    "sdfa": (87, "--rule sdfa --lr 3e-3 --set rule.centre=on"),
    "drtp": (83, "--rule drtp --lr 3e-3"),
    "adfa": (92, "--rule adfa --lr 3e-3"),
    "pepita": (86, "--rule pepita --lr 3e-3 --activation relu"),
    "local": (92, "--rule local --lr 3e-3"),
    "ff": (83, "--rule ff --lr 3e-3 --activation relu"),
    "sff": (94, "--rule sff --lr 3e-3"),
    "ccl": (91, "--rule ccl --lr 3e-3"),
    "lls": (89, "--rule lls --lr 3e-3"),
    "auglocal": (93, "--rule auglocal --lr 3e-3"),
    "forward_gradient": (90, "--rule forward_gradient --lr 3e-3"),
    "node_perturbation": (76, "--rule node_perturbation --lr 3e-3"),
    "predictive_coding": (91, "--rule predictive_coding --lr 3e-3"),
    "reinforce": (63, "--rule reinforce --lr 3e-3"),
    "noprop": (92, "--rule noprop --lr 3e-3"),
    "phyll": (86, "--rule phyll --lr 3e-3 --activation relu"),
    "spsa": (59, "--rule spsa --lr 3e-3 --schedule constant --set rule.directions=8"),
    "pepg": (39, "--rule pepg --lr 3e-3 --schedule constant --set rule.pairs=2"),
    "ridge": (69, "--rule ridge"),
    "mask": (32, "--rule mask"),
}


def run(program, text):
    command = [program, "train", *text.split(), "--json", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=folder).stdout)


def table(program, names):
    print("| rule | accuracy % | passes / sample | projections / sample | options |\n|---|---|---|---|---|")
    for name in names:
        title, text = ROWS[name]
        told = run(program, f"{BASE} --seed 1 {text}")
        last, samples = told["epochs"][-1], 10000 * len(told["epochs"])
        print(f"| {title} | {100 * told['test_accuracy']:.2f} | {last['layer_passes'] / samples:.3g} "
              f"| {last['projections'] / samples:.3g} | `{text}` |", flush=True)


def reduced(program, names):
    """Whether every floor is reached."""
    reached = True
    print("| rule | accuracy % | floor % | options |\n|---|---|---|---|")
    for name in names:
        floor, text = REDUCED[name]
        accuracy = 100 * run(program, f"{SMALL} --seed 1 {text}")["test_accuracy"]
        reached &= accuracy >= floor
        print(f"| {name} | {accuracy:.2f} | {floor} {'reached' if accuracy >= floor else 'missed'} | `{text}` |", flush=True)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--reduced", action="store_true")
    options = parser.parse_args()
    found = shutil.which(options.lightloop)
    if found is None:
        raise SystemExit(f"{options.lightloop}: no such program; name it with --lightloop")
    program = str(pathlib.Path(found).resolve())
    rows = REDUCED if options.reduced else ROWS
    unknown = set(options.only or []) - set(rows)
    if unknown:
        raise SystemExit(f"no rows {', '.join(sorted(unknown))}; there are {', '.join(rows)}")
    if options.reduced:
        return 0 if reduced(program, options.only or rows) else 1
    table(program, options.only or rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
