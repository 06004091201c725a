#!/usr/bin/python3
"""Measures the speed of every dense rule against plain PyTorch: ratios of programs run in turn, so that a noisy machine cancels.

usage: /usr/bin/python3 rule_speed.py --lightloop PATH --data FOLDER --work FOLDER [--samples 12000] [--epochs 2] [--repeats 3]
           [--threads 1] [--only NAME ...] [--scale 1] [--plan]

Each pair is `lightloop train` and torch_rules.py: same rule, net, batch, optimiser, images, threads; training time only. Left
out are ridge and mask, which find the output alone, forwardgnn, which wants a graph, and predictive_coding. Pairs are kept in
WORK as JSON and are not measured again; --plan only says what is left and how long it may take. --samples of MNIST are cut from FOLDER/mnist
into WORK. --scale K divides the hidden widths by K (to try the script). The machine must be idle: the script says so if it is not.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
GOAL = 1.2
TDFA = ["--set", "rule.dead_zone=0.1"]  # published; most errors are projected, as they are not with the default
WIDE, SMALL = (784, 1024, 1024, 10), (784, 64, 10)
ROWS = {  # rule: (widths, activation, seconds of a pair on one idle core)
    **{rule: (WIDE, "tanh", 7) for rule in ("bp", "fa", "sign_symmetric", "dfa", "tdfa", "sdfa", "drtp", "adfa")},
    "pepita": (WIDE, "relu", 10),
    "local": (WIDE, "tanh", 8),
    "ff": (WIDE, "relu", 25),
    "sff": (WIDE, "tanh", 10),
    "ccl": (WIDE, "tanh", 10),
    "lls": (WIDE, "tanh", 8),
    "auglocal": (WIDE, "tanh", 12),
    "forward_gradient": (WIDE, "tanh", 12),
    "reinforce": (WIDE, "tanh", 8),
    "noprop": ((784, 256, 10), "tanh", 20),
    "phyll": (WIDE, "relu", 30),
    "node_perturbation": (SMALL, "tanh", 3),
    "spsa": (SMALL, "tanh", 4),
    "pepg": (SMALL, "tanh", 40),
}


def cut(options):
    """The first samples of MNIST, in files of the same form."""
    to = pathlib.Path(options.work) / f"first-{options.samples}" / "mnist"
    to.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", options.samples), ("t10k", 1000)):
        for kind, header, each in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            path = to / f"{part}-{kind}-ubyte.gz"
            if not path.exists():
                raw = gzip.open(pathlib.Path(options.data) / "mnist" / path.name).read()
                path.write_bytes(gzip.compress(raw[:4] + struct.pack(">I", n) + raw[8:header + n * each], 1, mtime=0))
    return to


def net_of(options, rule):
    widths = list(ROWS[rule][0])
    widths[1:-1] = [w // options.scale for w in widths[1:-1]]
    return "-".join(map(str, widths))


def file_of(options, rule, pair):
    size = f"{options.samples}x{options.epochs}-{options.threads}-{options.scale}"
    return pathlib.Path(options.work) / f"speed-{rule}-{size}-{pair}.json"


def measure(options, images, rule, pair):
    path = file_of(options, rule, pair)
    if not path.exists():
        common = ["--net", net_of(options, rule), "--activation", ROWS[rule][1], "--threads", str(options.threads), "--epochs", str(options.epochs)]
        ours = [options.lightloop, "train", "--dataset", "mnist", "--data-dir", str(images.parent), "--rule", rule, *common, "--batch", "128",
                "--lr", "1e-3", "--schedule", "cosine", *TDFA * (rule == "tdfa"), "--set", "train.alignment_every=0", "--json", "--quiet", "--force",
                "--out", str(path.with_suffix(".h5"))]
        theirs = [sys.executable, HERE / "torch_rules.py", "--rule", rule, "--data", str(images), *common]
        found = {}
        for name, command in (("ours", ours), ("torch", theirs)):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
            told = json.loads(done.stdout)
            found[name] = {k: told[k] for k in ("samples_per_second", "test_accuracy")}
        path.with_suffix(".h5").unlink()
        path.write_text(json.dumps(found))
    return json.loads(path.read_text())


def percent(value):
    return "-" if value is None else f"{100 * value:.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True, help="the folder that holds mnist/")
    parser.add_argument("--work", required=True)
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--plan", action="store_true")
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)

    left = [rule for rule in options.only for pair in range(options.repeats) if not file_of(options, rule, pair).exists()]
    share = options.samples * options.epochs / 24000
    seconds = sum(ROWS[rule][2] * share + 6 for rule in left)  # 6 s to start both
    print(f"{len(left)} pairs to measure, about {seconds / 3600:.2f} h on one idle core", file=sys.stderr)
    if options.plan:
        return
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"the load is {busy:.1f}: ratios measured now are not worth keeping", file=sys.stderr)
    images = cut(options)
    print(f"{options.threads} thread(s), {options.samples} samples of MNIST x {options.epochs} epochs, Adam, batch 128:\n\n"
          "| rule | net | lightloop samples/s | torch samples/s | ratio (median of pairs; all) | goal ≥ 1.2 | accuracy %, ours / torch |\n"
          "|---|---|---|---|---|---|---|")
    for rule in options.only:
        pairs = [measure(options, images, rule, pair) for pair in range(options.repeats)]
        ours, theirs = ([pair[name]["samples_per_second"] for pair in pairs] for name in ("ours", "torch"))
        ratios = [a / b for a, b in zip(ours, theirs)]
        ratio = statistics.median(ratios)
        print(f"| {rule} | {net_of(options, rule)} {ROWS[rule][1]} | {statistics.median(ours):.0f} | {statistics.median(theirs):.0f} "
              f"| {ratio:.2f} ({', '.join(f'{r:.2f}' for r in ratios)}) | {'reached' if ratio >= GOAL else 'missed'} "
              f"| {percent(pairs[0]['ours']['test_accuracy'])} / {percent(pairs[0]['torch']['test_accuracy'])} |", flush=True)


if __name__ == "__main__":
    main()
