#!/usr/bin/python3
"""Measures the table of learning rules of docs/results.md: every row is `lightloop train` with the settings printed beside it.

usage: /usr/bin/python3 rules.py --lightloop PATH --data FOLDER --work FOLDER [--seeds 1] [--only NAME ...]
           [--finished] [--plan]

Finished runs, one per (row, seed), are kept in WORK, and those behind the table in docs/results_rules.json beside the page; neither is
repeated as long as the row's options stay. --plan only says what is left and how long it may take, --finished makes the table of what
is there and runs nothing. One thread per run. Accuracies are of the last epoch; the test set selects nothing. Floors are
those asked for, and for the other rows what the networks above reach elsewhere less 0.3 points (0.7 for Forward-Forward).
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import sys

RUNS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results_rules.json"
DENSE = "--net 784-1024-1024-10 --activation tanh --optimizer adam --lr 1e-3 --batch 128 --epochs 6 "
SMALL = "--net 784-64-10 --activation tanh --optimizer adam --schedule constant --batch 64 --epochs 5 --lr "
GUESS = DENSE + "--rule forward_gradient --set rule.target={} --set rule.guess={}"
FF = ("--rule ff --net 784-1000-1000-1000-10 --activation relu --optimizer momentum --lr 1e-3 --batch 100 "
      "--schedule late --epochs 60 ")
PHYLL_SPECKLE = ("--rule phyll --set rule.map=speckle --net 784-500-500-500-10 --activation relu --optimizer adam --lr 1e-3 --batch 128 "
                 "--epochs {}")
PHYLL_OPU = ("--rule phyll --map sim:opu,input.size=784,output.size=784 --net 784-500-10 --activation relu --optimizer adam --lr 1e-3 "
             "--batch 128 --epochs {}")
PHYLL_OPU_WIDE = ("--rule phyll --set rule.label_features=8 --map sim:opu,input.size=784,output.size=3000 --net physical_3000_|_dense_500,_relu_|_"
                  "dense_classes --optimizer adam --lr 1e-3 --batch 128 --epochs 4")
ROWS = {  # name: (title, floor in %, seconds on one idle core, options)
    "bp": ("back-propagation", None, 60, DENSE + "--rule bp"),
    "local": ("local heads", 97.8, 60, DENSE + "--rule local"),
    "ff": ("Forward-Forward, softmax answer", 98.3, 3000, FF + "--set rule.answer=softmax"),
    "ff-6": ("Forward-Forward, 6 epochs", 95.4, 150, "--rule ff --net 784-500-500-500-500-10 --activation relu --optimizer momentum "
             "--lr 1e-3 --batch 100 --schedule late --epochs 6"),
    "pepita": ("PEPITA, 100 epochs", 97.5, 700, "--rule pepita --net 784-1024-10 --activation relu --optimizer momentum "
               "--lr 0.05 --batch 64 --epochs 100"),
    "pepita-conv": ("PEPITA, a convolution and a dense layer, 20 epochs", 98.0, 900, "--rule pepita --net conv_32_5,_relu,_max_pool_2_|_"
                    "flatten,_dense_classes --optimizer momentum --lr 0.05 --batch 64 --epochs 20"),
    "pepita-8": ("PEPITA, 8 epochs", 96.7, 60, "--rule pepita --net 784-1024-10 --activation relu --optimizer momentum --lr 0.1 --schedule constant "
                 "--batch 64 --epochs 8"),
    "fa": ("feedback alignment", 97.1, 60, DENSE + "--rule fa"),
    "drtp": ("DRTP", 94.5, 60, DENSE + "--rule drtp"),
    "drtp-constant": ("DRTP, constant rate", 94.5, 60, DENSE + "--schedule constant --rule drtp"),
    "sign_symmetric": ("sign symmetry", ("bp", 0.3), 60, DENSE + "--rule sign_symmetric"),
    "adfa": ("augmented DFA, gate cos", 96.6, 60, DENSE + "--rule adfa"),
    "adfa-sin": ("augmented DFA, gate sin", 96.6, 60, DENSE + "--rule adfa --set rule.gate=sin"),
    "adfa-sech2": ("augmented DFA, tanh' of twice the activity", 96.6, 60, DENSE + "--rule adfa --set rule.gate=sech2 --set rule.gate_scale=2"),
    "sff": ("Scalable Forward-Forward", 97.5, 70, DENSE + "--rule sff"),
    "ccl": ("Counter-Current Learning", 97.5, 70, DENSE + "--rule ccl"),
    "lls": ("LLS, square patterns", 97.5, 60, DENSE + "--rule lls"),
    "lls-m": ("LLS-M", None, 60, DENSE + "--rule lls --set rule.mixing=scale"),
    "lls-mxm": ("LLS-MxM", None, 60, DENSE + "--rule lls --set rule.mixing=matrix"),
    "auglocal": ("AugLocal, heads of two layers", 97.4, 90, DENSE + "--rule auglocal"),
    "noprop": ("NoProp, 10 blocks", None, 250, "--rule noprop --net 784-256-10 --activation tanh --optimizer adam --lr 1e-3 "
               "--batch 128 --epochs 6"),
    "phyll": ("PhyLL", 96.0, 90, "--rule phyll --net 784-500-500-500-10 --activation relu --optimizer adam --lr 1e-3 "
              "--batch 128 --epochs 5"),
    "phyll-speckle": ("PhyLL behind speckle maps, 5 epochs", 96.0, 200, PHYLL_SPECKLE.format(5)),
    "phyll-speckle-10": ("PhyLL behind speckle maps, 10 epochs", 96.0, 400, PHYLL_SPECKLE.format(10)),
    "noprop-opu": ("NoProp, 3 blocks, features of an OPU", 98.0, 220, "--rule noprop --net physical_3000_|_dense_256,_relu_|_dense_classes "
                   "--set rule.blocks=3 --map sim:opu,input.size=784,output.size=3000 --optimizer adam --lr 1e-3 --batch 128 --epochs 4"),
    "phyll-opu": ("PhyLL behind an OPU, 4 epochs", 96.0, 250, PHYLL_OPU.format(4)),
    "phyll-opu-15": ("PhyLL behind an OPU, 15 epochs", 96.0, 850, PHYLL_OPU.format(15)),
    "phyll-opu-wide": ("PhyLL behind an OPU of 3000 pixels, 8 mirrors per class", 96.0, 250, PHYLL_OPU_WIDE),
    "fg-global-local": ("forward gradient: global target, local guess", None, 100, GUESS.format("global", "local")),
    "fg-global-ntk": ("forward gradient: global target, ntk guess", None, 100, GUESS.format("global", "ntk")),
    "fg-global-gaussian": ("forward gradient: global target, noise", None, 110, GUESS.format("global", "gaussian")),
    "fg-global-rademacher": ("forward gradient: global target, signs", None, 110, GUESS.format("global", "rademacher")),
    "fg-local-local": ("forward gradient: local target, local guess", None, 80, GUESS.format("local", "local")),
    "fg-local-ntk": ("forward gradient: local target, ntk guess", None, 80, GUESS.format("local", "ntk")),
    "fg-local-gaussian": ("forward gradient: local target, noise", None, 90, GUESS.format("local", "gaussian")),
    "fg-local-rademacher": ("forward gradient: local target, signs", None, 90, GUESS.format("local", "rademacher")),
    "fg-weights": ("forward gradient of weights", 77.7, 60,
                   SMALL + "1e-3 --rule forward_gradient --set rule.space=weights --set rule.guess=gaussian"),
    "node-1": ("node perturbation, 1 direction", 90.6, 20, SMALL + "1e-3 --rule node_perturbation"),
    "node-8": ("node perturbation, 8 directions", 93.8, 60,
               SMALL + "3e-4 --rule node_perturbation --set rule.directions=8"),
    "node-8-fast": ("node perturbation, 8 directions, rate 1e-3", 93.8, 60,
                    SMALL + "1e-3 --rule node_perturbation --set rule.directions=8"),
    "spsa-1": ("SPSA, 1 direction", 76.7, 25, SMALL + "1e-3 --rule spsa"),
    "spsa-32": ("SPSA, 32 directions", 89.7, 500, SMALL + "1e-3 --rule spsa --set rule.directions=32"),
    "pepg": ("PEPG, 16 pairs", None, 400, SMALL + "1e-3 --rule pepg"),
}

WIDE = ("--dataset fashion --net 784-1024-1024-10 --activation tanh --optimizer adam --schedule cosine --batch 128 --epochs 10 "
        "--lr {} --rule {}")  # as the rows of mnist_table.py
for rule, title, floor, seconds, options in (("bp", "back-propagation", 88.5, 110, WIDE.format("1e-3", "bp")),
                                             ("dfa", "DFA", 88.0, 100, WIDE.format("1e-3", "dfa")),
                                             ("optical", "ternary DFA on sim:opu", 86.5, 120, WIDE.format("3e-3", "tdfa --device sim:opu --set rule.dead_zone=0.2"))):
    ROWS[f"fashion-{rule}"] = (f"{title}, Fashion-MNIST", floor, seconds, options)

CONV = ("--net conv_16_3_stride=2,_batch_norm,_relu_|_conv_32_3_stride=2,_batch_norm,_relu_|_flatten,_dense_64,_relu_|_dense_classes "
        "--optimizer adam --batch 64 --epochs 5 --dataset {} --rule {} --lr {}")  # _ for a blank inside the net
CONV_RULES = {  # name: (title, seconds on one idle core, options behind the rule)
    "bp": ("back-propagation", 90, ""),
    "local": ("local heads", 100, ""),
    "sff": ("Scalable Forward-Forward, dense maps, softmax answer", 110, "--set rule.answer=softmax"),
    "sff-goodness": ("Scalable Forward-Forward, dense maps, averaged goodness", 110, ""),
    "sff-pixels": ("Scalable Forward-Forward, 1 x 1 maps, averaged goodness", 120, "--set rule.map=pixels"),
    "lls": ("LLS, square patterns", 100, "--set rule.temperature=0.3"),
    "lls-mxm": ("LLS-MxM, square patterns", 100, "--set rule.mixing=matrix --set rule.temperature=0.3"),
    "lls-sine": ("LLS, sine patterns", 100, "--set rule.basis=sine --set rule.temperature=0.3"),
    "lls-mxm-sine": ("LLS-MxM, sine patterns", 100, "--set rule.basis=sine --set rule.mixing=matrix"),
    "ccl": ("Counter-Current Learning", 110, ""),
    "auglocal": ("AugLocal, heads of two layers", 160, ""),
    "noprop": ("NoProp, 5 blocks", 450, "--set rule.blocks=5"),
}
for data, shown, points in (("mnist", "MNIST", 1), ("fashion", "Fashion-MNIST", 2)):
    for rule, (title, seconds, more) in CONV_RULES.items():
        ROWS[f"conv-{data}-{rule}"] = (f"{title}, convolutional net, {shown}",
                                       None if rule == "bp" else (f"conv-{data}-bp", points), seconds,
                                       f"{CONV.format(data, rule.split('-')[0], '5e-3' if rule.startswith('lls') else '2e-3')} {more}")

CONV_MOVED = {  # as above; the rule with its options
    "fg-global-local": ("forward gradient: global target, local guess", 300, "forward_gradient --set rule.target=global --set rule.guess=local"),
    "fg-local-local": ("forward gradient: local target, local guess", 200, "forward_gradient --set rule.target=local --set rule.guess=local"),
    "fg-global-gaussian": ("forward gradient: global target, noise", 300, "forward_gradient --set rule.target=global --set rule.guess=gaussian"),
    "node": ("node perturbation, 1 direction", 200, "node_perturbation"),
}
for data, shown in (("mnist", "MNIST"), ("fashion", "Fashion-MNIST")):
    for name, (title, seconds, rule) in CONV_MOVED.items():
        ROWS[f"conv-{data}-{name}"] = (f"{title}, convolutional net, {shown}", None, seconds, CONV.format(data, rule, "2e-3"))


def words_of(name):
    words = ROWS[name][3].split()
    return [word.replace("_", " ").replace("batch norm", "batch_norm").replace("max pool", "max_pool") if "|" in word else word for word in words]


def floor_of(options, name, seeds):
    """In %; of a row that is measured against another one, some points below what that one reached."""
    floor = ROWS[name][1]
    if not isinstance(floor, tuple):
        return floor
    seeds = wanted(options, floor[0], seeds)
    return statistics.mean(run(options, floor[0], seed)["accuracy"] for seed in seeds) - floor[1] if seeds else None


def wanted(options, name, seeds):
    return [seed for seed in seeds if not options.finished or finished(options, name, seed)]


def file_of(options, name, seed):
    return pathlib.Path(options.work) / f"rules-{name}-{seed}.json"


def published():
    """The runs behind the table, by row: options, and runs by seed or, of those whose single results are not kept, `earlier`: how
    many, their mean and sd."""
    return json.loads(RUNS.read_text()) if RUNS.exists() else {}


def finished(options, name, seed):
    """What the run of `seed` came to, if it is known by the options that the row has now."""
    file = file_of(options, name, seed)
    row = json.loads(file.read_text()) if file.exists() else published().get(name, {"options": None})
    return row.get("seeds", {}).get(str(seed)) if row["options"] == ROWS[name][3] else None


def earlier(name):
    row = published().get(name, {"options": None})
    return row.get("earlier") if row["options"] == ROWS[name][3] else None


def run(options, name, seed):
    known = finished(options, name, seed)
    if known:
        return known
    out = file_of(options, name, seed)
    command = [options.lightloop, "train", *([] if "--dataset" in ROWS[name][3] else ["--dataset", "mnist"]), "--data-dir", options.data,
               "--threads", "1", *words_of(name), "--seed", str(seed), "--json", "--quiet", "--yes", "--force", "--out",
               str(out.with_suffix(".h5"))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    out.with_suffix(".h5").unlink()
    told = json.loads(done.stdout)
    last, samples = told["epochs"][-1], 60000 * len(told["epochs"])
    result = {"accuracy": round(100 * told["test_accuracy"], 2), "passes": float(f"{last['layer_passes'] / samples:.3g}"),
              "projections": float(f"{last['projections'] / samples:.3g}"), "samples_per_second": round(told["samples_per_second"])}
    out.write_text(json.dumps({"options": ROWS[name][3], "seeds": {str(seed): result}}))
    return result


def publish(name, rows):
    """Keeps the runs of the row, by seed, for tables to come."""
    kept = published()
    row = kept[name] if kept.get(name, {}).get("options") == ROWS[name][3] else {"options": ROWS[name][3]}
    row["seeds"] = {**row.get("seeds", {}), **{str(seed): one for seed, one in rows.items()}}
    if len(row["seeds"]) >= row.get("earlier", {}).get("runs", 0):
        row.pop("earlier", None)
    kept[name] = row
    lines = (f"{json.dumps(key)}: {json.dumps(kept[key], sort_keys=True)}" for key in sorted(kept))
    RUNS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(ROWS))
    parser.add_argument("--finished", action="store_true")
    parser.add_argument("--plan", action="store_true")
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)

    seeds = range(1, options.seeds + 1)
    left = [name for name in options.only for seed in seeds if not finished(options, name, seed)]
    hours = sum(ROWS[name][2] for name in left) / 3600
    print(f"{len(left)} runs to do, about {hours:.1f} h on one idle core", file=sys.stderr)
    if options.plan:
        return
    print("| rule | seeds | accuracy % (mean ± sd) | floor % | passes / sample | projections / sample | samples/s | options |\n"
          "|---|---|---|---|---|---|---|---|")
    for name in options.only:
        title = ROWS[name][0]
        mine = wanted(options, name, seeds)
        old = earlier(name)
        if old and options.finished and len(mine) < old["runs"]:
            rows, count, mean, sd, of = {}, old["runs"], old["accuracy"], old["sd"], old
        elif mine:
            rows = {seed: run(options, name, seed) for seed in mine}
            publish(name, rows)
            accuracy = [row["accuracy"] for row in rows.values()]
            count, mean, sd = len(rows), statistics.mean(accuracy), statistics.stdev(accuracy) if len(rows) > 1 else None
            of = {**rows[mine[0]], "samples_per_second": statistics.median(row["samples_per_second"] for row in rows.values())}
        else:
            continue
        floor = floor_of(options, name, list(rows) or seeds)
        shown = f"{mean:.2f}" + ("" if sd is None else f" ± {sd:.2f}")
        verdict = "-" if floor is None else f"{floor:.1f} {'reached' if mean >= floor else 'missed'}"
        shown_command = shlex.join(words_of(name)).replace('|', r'\|')
        print(f"| {title} | {count} | {shown} | {verdict} | {of['passes']:g} | {of['projections']:g} | {of['samples_per_second']:.0f} "
              f"| `{shown_command}` |", flush=True)


if __name__ == "__main__":
    main()
