#!/usr/bin/python3
"""Makes the table of the time of the checks of what one `.ci/run` has printed.

usage: .ci/run > LOG 2>&1; /usr/bin/python3 ci_time.py --log LOG

Every step begins with "== step (seconds since the start)" and lasts until the next; the last counts the tests and takes no time.
"""
import argparse
import pathlib
import re

LAST = "counts"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", required=True, help="what .ci/run has printed")
    log = pathlib.Path(parser.parse_args().log)
    steps = [(name, int(at)) for name, at in re.findall(r"^== (.+) \((\d+) s\)$", log.read_text(errors="replace"), re.MULTILINE)]
    if len(steps) < 2 or steps[-1][0] != LAST:
        raise SystemExit(f"{log}: not the whole output of .ci/run, the last step is {steps[-1][0] if steps else 'none'}; wanted: {LAST}")
    print("| step | minutes |\n|---|---|")
    for (name, begin), (_, end) in zip(steps, steps[1:]):
        print(f"| {name} | {(end - begin) / 60:.1f} |")
    print(f"| all | {(steps[-1][1] - steps[0][1]) / 60:.1f} |")


if __name__ == "__main__":
    main()
