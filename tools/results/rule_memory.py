#!/usr/bin/python3
"""Measures how many layers' activations every learning rule holds at once as the network gets deeper: dense, convolutional, on a graph.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 rule_memory.py --work FOLDER [--plot docs/rule_memory.png] [--only NAME ...] [--plan]

A net 16-64-...-64-4 takes one step on one batch, in a process of its own, with 2048 and with 10240 samples. The difference of the two
peaks of resident memory, over that of one layer's activations (8192 samples x 64 floats), is what the step holds per sample, in
layers: parameters, gradients and the program itself cancel. The data (three copies of 16 features, 0.75) and what belongs to one layer
(signals, errors, two phases) are in it; what counts is the growth with depth. Convolutional nets are blocks "conv 16 3, relu" on 28 x 28
pixels, with 32 and 160 samples; nets on a graph blocks "gcn 64, relu" on rings of 2048 and 10240 nodes of 16 features: there the scores after the
step are of all nodes too, so rules are shown that make these themselves, and every layer keeps the edges that it sums along. Memory does not depend on the load of the machine. Measured points are kept in WORK and
are not measured again.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

WIDTH, CLASSES, FEATURES = 64, 4, 16
SIDE, CHANNELS = 28, 16
KINDS = {  # of net: depths, numbers of samples, values of one layer for one sample
    "dense": ((2, 4, 8, 16), (2048, 10240), WIDTH),
    "convolutional": ((2, 6, 12), (32, 160), SIDE * SIDE * CHANNELS),
    "graph": ((2, 4, 8, 16), (2048, 10240), WIDTH),
}
SECONDS = 1.5  # of a point, on one idle core
DENSE = {  # title: (rule, settings)
    "bp": ("bp", {}),
    "fa": ("fa", {}),
    "sign_symmetric": ("sign_symmetric", {}),
    "dfa": ("dfa", {}),
    "tdfa": ("tdfa", {}),
    "sdfa": ("sdfa", {}),
    "adfa": ("adfa", {}),
    "drtp": ("drtp", {}),
    "local": ("local", {}),
    "local, train.alignment_every=50": ("local", {"alignment_every": 50}),
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


CONVOLUTIONAL = ("bp", "fa", "dfa", "local", "local, train.alignment_every=50", "lls", "auglocal", "sff", "ccl", "ff", "phyll", "spsa", "pepg")
GRAPH = ("bp", "dfa", "local", "sff", "forwardgnn")
ROWS = {title: ("dense", *row) for title, row in DENSE.items()}  # title: (kind, rule, settings)
for kind, rules in (("convolutional", CONVOLUTIONAL), ("graph", GRAPH)):
    ROWS |= {f"{rule}, {kind}": (kind, *DENSE.get(rule, (rule, {}))) for rule in rules}


def ring(samples, x, y):
    """A file with a graph in which every node hears two others; half of the nodes are learned from."""
    import h5py
    import numpy as np

    nodes = np.arange(samples)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "ring.h5"
        with h5py.File(path, "w") as file:
            file["features"], file["labels"], file["edges"] = x, y, np.stack([nodes, (nodes + 1) % samples], axis=1)
            for part, mask in (("train", nodes % 2 == 0), ("val", nodes % 4 == 1), ("test", nodes % 4 == 3)):
                file[f"{part}_mask"] = mask.astype(np.uint8)
        yield str(path)


def one_step(kind, rule, settings, depth, samples):
    """In a process of its own: peak resident bytes of a program that trains one step."""
    import lightloop as ll
    import numpy as np

    shape = (SIDE, SIDE, 1) if kind == "convolutional" else (FEATURES,)
    x = np.random.default_rng(0).random((samples, *shape), dtype=np.float32)
    y = np.arange(samples) % CLASSES
    net = {
        "dense": "-".join(map(str, [FEATURES, *[WIDTH] * depth, CLASSES])),
        "convolutional": f"conv {CHANNELS} 3, relu | " * depth + "global_pool, dense classes",
        "graph": f"gcn {WIDTH}, relu | " * depth + "gcn classes",
    }[kind]
    for data in ring(samples, x, y) if kind == "graph" else [((x, y), (x[:16], y[:16]))]:
        ll.train(data, rule=rule, net=net, epochs=1, batch=samples, threads=1, progress=False, **{"alignment_every": 0, **settings})
    # of this program alone: what getrusage() calls the peak of a child begins with that of the process that started it
    status = pathlib.Path("/proc/self/status").read_text()
    print(1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))


def peak(kind, rule, settings, depth, samples):
    words = [sys.executable, __file__, "--work", "", "--step", json.dumps([kind, rule, settings, depth, samples])]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout)


def held(options, title, depth):
    path = pathlib.Path(options.work) / f"memory-{title.replace(', ', '-')}-{depth}.json"
    if not path.exists():
        kind, rule, settings = ROWS[title]
        _, (few, many), values = KINDS[kind]
        peaks = [peak(kind, rule, settings, depth, samples) for samples in (few, many)]
        path.write_text(json.dumps((peaks[1] - peaks[0]) / ((many - few) * values * 4)))
    return json.loads(path.read_text())


def draw(found, out):
    from matplotlib.figure import Figure

    kinds = {"dense": "", "convolutional": ", convolutional", "graph": ", graph"}  # and what ends their titles
    shown = [kind for kind in kinds if any(ROWS[title][0] == kind for title in found)]
    figure = Figure(figsize=(4.4 * len(shown), 4.4), layout="constrained")
    styles = {"bp": ("#444444", "o"), "dfa": ("#d55e00", "s"), "ff": ("#0072b2", "^"), "ff, rule.recompute": ("#0072b2", "v"),
              "local": ("#009e73", "D"), "sff": ("#cc79a7", "P"), "spsa": ("#e69f00", "X"), "phyll": ("#56b4e9", "h"),
              "forwardgnn": ("#56b4e9", "h")}
    for axes, kind in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown):
        for title, (colour, marker) in styles.items():
            if title + kinds[kind] in found:
                axes.plot(KINDS[kind][0], found[title + kinds[kind]], color=colour, marker=marker, label=title)
        axes.set_title(kind)
        axes.set_xlabel("hidden layers")
        axes.set_xticks(KINDS[kind][0])
        axes.set_ylim(bottom=0)
        axes.legend()
    figure.axes[0].set_ylabel("memory of a step, in layers' activations")
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
    left = sum(not (work / f"memory-{title.replace(', ', '-')}-{depth}.json").exists() for title in options.only for depth in KINDS[ROWS[title][0]][0])
    print(f"{left} points to measure, about {left * 2 * SECONDS / 60:.0f} min on one idle core", file=sys.stderr)
    if options.plan:
        return
    found = {}
    for kind, (depths, _, _) in KINDS.items():
        titles = [title for title in options.only if ROWS[title][0] == kind]
        if not titles:
            continue
        print(("\n" if found else "") + "| rule | " + " | ".join(f"{d} hidden layers" for d in depths) + " | growth per layer |\n|---|" + "---|" * (len(depths) + 1))
        for title in titles:
            found[title] = [held(options, title, depth) for depth in depths]
            growth = (found[title][-1] - found[title][0]) / (depths[-1] - depths[0])
            print(f"| {title} | " + " | ".join(f"{v:.1f}" for v in found[title]) + f" | {round(growth, 2) + 0.0:.2f} |", flush=True)
    if options.plot:
        draw(found, options.plot)


if __name__ == "__main__":
    main()
