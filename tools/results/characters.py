#!/usr/bin/python3
"""Measures the table of characters of docs/results.md: a small causal transformer on tiny Shakespeare, bits per character.

usage: /usr/bin/python3 characters.py --lightloop PATH --data FOLDER --work FOLDER [--seeds N] [--only NAME ...]

FOLDER holds text/. Finished runs are kept in WORK as NAME-SEED.json, so that a second call does only what is missing.
"""
import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

NET, TOKENS, EPOCHS = "char-transformer:64x2", 32, 3
BASE = f"--dataset shakespeare:{TOKENS} --net {NET} --batch 32 --epochs {EPOCHS} --lr 2e-3 --threads 1 --alignment-every 0"
ROWS = {  # name: title, options, about how many minutes of an idle core
    "bp": ("back-propagation", "--rule bp", 1),
    "macro": ("DFA macro: the end of every block", "--rule dfa", 1),
    "micro": ("DFA micro: also behind attention and behind the hidden layer", "--rule dfa --set rule.feedback=layers", 1),
    "centred": ("DFA macro, centred", "--rule dfa --set rule.centre=true", 1),
    "optical": ("ternary DFA macro, optical", "--rule tdfa --set rule.dead_zone=0.1 --device sim:opu --yes", 2),
    "graded-optical": ("DFA macro, optical: errors in six bit planes", "--rule dfa --device sim:opu --yes", 3),
    "ternary": ("ternary DFA macro", "--rule tdfa --set rule.dead_zone=0.1", 1),
    "centred-optical": ("ternary DFA macro, centred, optical", "--rule tdfa --set rule.dead_zone=0.1 --set rule.centre=true --device sim:opu --yes", 2),
    "centred-ternary": ("ternary DFA macro, centred", "--rule tdfa --set rule.dead_zone=0.1 --set rule.centre=true", 1),
}


def spread(values, digits):
    mean = f"{statistics.mean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    options = parser.parse_args()
    program = str(pathlib.Path(shutil.which(options.lightloop)).resolve())
    work = pathlib.Path(options.work).resolve()
    work.mkdir(parents=True, exist_ok=True)

    def ask(*words):
        with tempfile.TemporaryDirectory() as folder:  # for the run file, which nobody wants
            return json.loads(subprocess.run([program, *words, "--json"], stdout=subprocess.PIPE, text=True, check=True, cwd=folder,
                                             env={**os.environ, "LIGHTLOOP_DATA": str(pathlib.Path(options.data).resolve())}).stdout)

    jobs = [(name, seed) for seed in range(1, options.seeds + 1) for name in options.only]
    words_of = lambda name, seed: ["train", *BASE.split(), *ROWS[name][1].split(), "--seed", str(seed), "--quiet"]  # noqa: E731  (a line)
    kept = {job: work / "{}-{}.json".format(*job) for job in jobs}
    left = [job for job in jobs if not kept[job].exists() or json.loads(kept[job].read_text()).get("command") != words_of(*job)]
    print(f"{len(left)} of {len(jobs)} runs left, about {sum(ROWS[name][2] for name, _ in left) / 60:.1f} hours", file=sys.stderr)
    for name, seed in left:
        words = words_of(name, seed)
        half = kept[name, seed].with_suffix(".half")  # a kill while it is written leaves no result
        half.write_text(json.dumps({"command": words, **ask(*words)}))
        half.replace(kept[name, seed])
    unigram = ask("data", "show", f"shakespeare:{TOKENS}")["test"]["yardstick"]["value"]
    print("| how | bits per character | accuracy % | frames | options |\n|---|---|---|---|---|")
    print(f"| a guess by frequency | {unigram:.3f} | | | |")
    for name in options.only:
        runs = [json.loads(kept[name, seed].read_text()) for seed in range(1, options.seeds + 1)]
        last = [run["epochs"][-1] for run in runs]
        frames = round(statistics.mean(run["device_frames"] for run in runs))
        print(f"| {ROWS[name][0]} | {spread([one['test_loss'] / math.log(2) for one in last], 3)} "
              f"| {spread([100 * one['test_accuracy'] for one in last], 1)} | {f'{frames:,}'.replace(',', ' ') if frames else '-'} "
              f"| `{ROWS[name][1]}` |")
    print(f"\n`lightloop train {BASE}`, seeds 1 to {options.seeds}; scored after the last epoch on the last tenth of the text, in windows "
          f"of {TOKENS} that know nothing of the one before.")


if __name__ == "__main__":
    main()
