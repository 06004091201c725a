#!/usr/bin/python3
"""Measures the table of papers of docs/results.md whose figures are accuracies of `lightloop train` (examples/papers/*/runs.toml).

usage: /usr/bin/python3 papers.py --lightloop PATH --data FOLDER --work FOLDER [--full NAME ...] [--only NAME ...]

Every paper in the small, in seconds, and those named behind --full at the published size, which takes minutes to hours. Finished
runs are kept in WORK and are not repeated; a paper whose full runs are all in WORK is told in full without being named.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

PAPERS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "papers"
NAMES = sorted(facts.parent.name.replace("_", "-") for facts in PAPERS.glob("*/runs.toml"))


def reproduce(options, name, full):
    words = [options.lightloop, "reproduce", name, "--json", "--out", str(pathlib.Path(options.work).resolve() / name), *["--full"] * full]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "LIGHTLOOP_DATA": options.data})
    if done.returncode != 0:
        sys.exit(f"{name}: see above")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--full", nargs="*", choices=NAMES, default=[])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args()
    work = pathlib.Path(options.work)
    for name in options.full:
        reproduce(options, name, True)
        (work / name / "full").touch()
    print("| paper | tier | seeds | row or claim | published, or asked | ours | verdict |\n|---|---|---|---|---|---|---|")
    for name in options.only:
        for full in (False, True):
            if full and not (work / name / "full").exists():
                continue
            said = reproduce(options, name, full)
            for row in said["rows"]:
                if full or "holds" in row:
                    verdict = "-" if row["verdict"] == "no published figure" else row["verdict"]
                    print(f"| {name} | {'full' if full else 'small'} | {said['seeds']} | {row['row']} | {row['published']} "
                          f"| {row['ours']} | {verdict} |")  # fmt: skip


if __name__ == "__main__":
    main()
