#!/usr/bin/python3
"""Measures how many layers' activations every learning rule of dense nets holds at once as the network gets deeper.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 rule_memory.py --work FOLDER [--plot docs/rule_memory.png] [--only NAME ...] [--plan]

A net 16-64-...-64-4 takes one step on one batch, in a process of its own, with 2048 and with 10240 samples. The difference of the two
peaks of resident memory, over that of one layer's activations (8192 samples x 64 floats), is what the step holds per sample, in
layers: parameters, gradients and the program itself cancel. The data (three copies of 16 features, 0.75) and what belongs to one layer
(signals, errors, two phases) are in it; what counts is the growth from 2 to 16 hidden layers. Memory does not depend on the load of the
machine. Left out is forwardgnn, which wants a graph. Measured points are kept in WORK and are not measured again.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys

WIDTH, CLASSES, FEATURES = 64, 4, 16
FEW, MANY = 2048, 10240
DEPTHS = (2, 4, 8, 16)
SECONDS = 1.5  # of a point, on one idle core
ROWS = {  # title: (rule, settings)
    "bp": ("bp", {}),
    "fa": ("fa", {}),
    "sign_symmetric": ("sign_symmetric", {}),
    "dfa": ("dfa", {}),
    "tdfa": ("tdfa", {}),
    "sdfa": ("sdfa", {}),
    "adfa": ("adfa", {}),
    "drtp": ("drtp", {}),
    "local": ("local", {}),
    "lls": ("lls", {}),
    "auglocal": ("auglocal", {}),
    "sff": ("sff", {}),
    "phyll": ("phyll", {}),
    "ff": ("ff", {}),
    "ff, rule.recompute": ("ff", {"rule.recompute": True}),
    "pepita": ("pepita", {}),
    "pepita, rule.shows=change": ("pepita", {"rule.shows": "change"}),
    "pepita, rule.recompute": ("pepita", {"rule.recompute": True}),
    "ccl": ("ccl", {}),
    "noprop": ("noprop", {"rule.blocks": 2}),
    "reinforce": ("reinforce", {}),
    "reinforce, rule.recompute": ("reinforce", {"rule.recompute": True}),
    "spsa": ("spsa", {}),
    "pepg": ("pepg", {"rule.pairs": 2}),
    "ridge": ("ridge", {}),
    "mask": ("mask", {"rule.trials": 2}),
    "predictive_coding": ("predictive_coding", {"rule.steps": 2}),
    "node_perturbation": ("node_perturbation", {}),
    "node_perturbation, rule.recompute": ("node_perturbation", {"rule.recompute": True}),
    "forward_gradient, activities": ("forward_gradient", {}),
    "forward_gradient, activities, rule.recompute": ("forward_gradient", {"rule.recompute": True}),
    "forward_gradient, weights": ("forward_gradient", {"rule.space": "weights", "rule.guess": "gaussian"}),
}


def one_step(rule, settings, depth, samples):
    """In a process of its own: peak resident bytes of a program that trains one step."""
    import lightloop as ll
    import numpy as np

    x = np.random.default_rng(0).random((samples, FEATURES), dtype=np.float32)
    y = np.arange(samples) % CLASSES
    net = "-".join(map(str, [FEATURES, *[WIDTH] * depth, CLASSES]))
    ll.train(((x, y), (x[:64], y[:64])), rule=rule, net=net, epochs=1, batch=samples, threads=1, alignment_every=0, progress=False, **settings)
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def peak(rule, settings, depth, samples):
    words = [sys.executable, __file__, "--work", "", "--step", json.dumps([rule, settings, depth, samples])]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout)


def held(options, title, depth):
    path = pathlib.Path(options.work) / f"memory-{title.replace(', ', '-')}-{depth}.json"
    if not path.exists():
        rule, settings = ROWS[title]
        peaks = [peak(rule, settings, depth, samples) for samples in (FEW, MANY)]
        path.write_text(json.dumps((peaks[1] - peaks[0]) / ((MANY - FEW) * WIDTH * 4)))
    return json.loads(path.read_text())


def draw(found, out):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    styles = {"bp": ("#444444", "o"), "dfa": ("#d55e00", "s"), "ff": ("#0072b2", "^"), "ff, rule.recompute": ("#0072b2", "v"),
              "local": ("#009e73", "D"), "sff": ("#cc79a7", "P"), "spsa": ("#e69f00", "X"), "phyll": ("#56b4e9", "h")}
    for title, (colour, marker) in styles.items():
        if title in found:
            axes.plot(DEPTHS, found[title], color=colour, marker=marker, label=title)
    axes.set_xlabel("hidden layers")
    axes.set_ylabel("memory of a step, in layers' activations")
    axes.set_xticks(DEPTHS)
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(out, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True)
    parser.add_argument("--plot", help="picture to write")
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return one_step(*json.loads(options.step))
    work = pathlib.Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    left = sum(not (work / f"memory-{title.replace(', ', '-')}-{depth}.json").exists() for title in options.only for depth in DEPTHS)
    print(f"{left} points to measure, about {left * 2 * SECONDS / 60:.0f} min on one idle core", file=sys.stderr)
    if options.plan:
        return
    print("| rule | " + " | ".join(f"{d} hidden layers" for d in DEPTHS) + " | growth per layer |\n|---|" + "---|" * (len(DEPTHS) + 1))
    found = {}
    for title in options.only:
        found[title] = [held(options, title, depth) for depth in DEPTHS]
        growth = (found[title][-1] - found[title][0]) / (DEPTHS[-1] - DEPTHS[0])
        print(f"| {title} | " + " | ".join(f"{v:.1f}" for v in found[title]) + f" | {round(growth, 2) + 0.0:.2f} |", flush=True)
    if options.plot:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
