#!/usr/bin/python3
"""Measures the tables of PhyLL behind unknown physics of docs/results.md, by `lightloop reproduce phyll --full` and training on MNIST
and the Japanese vowels.

usage: /usr/bin/python3 waves.py --lightloop PATH --data FOLDER --work FOLDER [--seeds 3] [--skip-mnist]

FOLDER holds vowels/, japanese_vowels/, photonic/ and mnist/. --seeds counts the runs of the Japanese vowels and of MNIST; the seeds of
`reproduce phyll --full` are its own. Vowels take minutes; a run on MNIST takes about a quarter of an hour on an idle core. What is done
is kept in WORK and not repeated. One thread per run; accuracies are of the last epoch.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import rules

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples" / "papers"))
import paper as papers  # noqa: E402  (found by the line above)

JAPANESE = ("--dataset japanese_vowels --net 45-60-60-9 --batch 30 --epochs 100 --map sim:wave,encoding=phase,input.size=64,output.size=64 "
            "--map-range 30 ")  # chosen by validate.py --only jv-phyll jv-bp jv-dfa
ROWS = {  # name: (title, options)
    "jv-phyll": ("PhyLL, Japanese vowels", JAPANESE + "--rule phyll --activation relu --lr 3e-3"),
    "jv-bp": ("physics-aware training, Japanese vowels", JAPANESE + "--rule bp --activation tanh --lr 3e-3"),
    "jv-dfa": ("DFA, Japanese vowels", JAPANESE + "--rule dfa --activation tanh --lr 3e-3"),
}


def kept(options, name, measure):
    file = pathlib.Path(options.work) / f"waves-{name}.json"
    if not file.exists():
        part = file.with_suffix(".part")  # renamed when it is whole
        part.write_text(json.dumps(measure()))
        part.replace(file)
    return json.loads(file.read_text())


def told(options, *words):
    done = subprocess.run([options.lightloop, *words], capture_output=True, text=True, cwd=options.work,
                          env={**os.environ, "LIGHTLOOP_DATA": str(pathlib.Path(options.data).resolve())})
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    return json.loads(done.stdout)


def shown(values):
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def floor(rule, accuracies):
    """The verdict on the vowels; PhyLL alone has a floor."""
    return f"93 {'reached' if statistics.mean(accuracies) >= 93 else 'missed'}" if rule == "phyll" else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--skip-mnist", action="store_true")
    options = parser.parse_args()
    options.lightloop = str(pathlib.Path(shutil.which(options.lightloop)).resolve())
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)
    paper = kept(options, "paper", lambda: told(options, "reproduce", "phyll", "--full", "--json"))
    print(f"Cavity: {paper['fit']} (700 pairs left out of the fit).\n")
    print("| vowels behind | rule | seeds | accuracy % (mean ± sd) | floor % |\n|---|---|---|---|---|")
    titles = {"phyll": "PhyLL", "bp": "physics-aware training", "dfa": "DFA"}
    for row in paper["rows"]:
        if "perturbed" in row:
            continue
        print(f"| {row['system']} | {titles[row['rule']]} | {len(row['accuracy'])} | {shown(row['accuracy'])} | {floor(row['rule'], row['accuracy'])} |")
    for name, (title, words) in ROWS.items():
        found = [kept(options, f"{name}-{seed}", lambda seed=seed, words=words: told(
            options, "train", *words.split(), "--seed", str(seed), "--threads", "1", "--yes", "--quiet", "--json"))
            for seed in range(1, options.seeds + 1)]
        found = [100 * one["test_accuracy"] for one in found]
        print(f"| waves at random, 64 ports | {title} | {len(found)} | {shown(found)} | {floor(name.removeprefix('jv-'), found)} |", flush=True)
    print("\n| perturbed | rule | before % | just after % | 5 epochs later % | 20 | 50 | verdict (last five epochs %) |\n|---|---|---|---|---|---|---|---|")
    for row in paper["rows"]:
        if "perturbed" in row:
            later = " | ".join(f"{v:.1f}" for v in row["later"])
            verdict = papers.adaptation(row["before"], row["after"], row["end"], classes=7, tested=49, tolerance=2.1)
            print(f"| {row['system']} | {titles[row['rule']]} | {row['before']:.1f} | {row['after']:.1f} | {later} | "
                  f"{verdict} ({row['end']:.1f}) |")
    if options.skip_mnist:
        return
    print("\n| MNIST behind | seeds | accuracy % | floor % | options |\n|---|---|---|---|---|")
    for name in ("phyll", "phyll-speckle"):
        found = [100 * rules.run(options, name, seed)["test_accuracy"] for seed in range(1, options.seeds + 1)]
        verdict = f"96 {'reached' if statistics.mean(found) >= 96 else 'missed'}"
        print(f"| {'a random mixture and ReLU' if name == 'phyll' else 'speckle intensities'} | {len(found)} | {shown(found)} | {verdict} | `{rules.ROWS[name][3]}` |")


if __name__ == "__main__":
    main()
