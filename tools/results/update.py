#!/usr/bin/python3
"""Measures again and writes what came into docs/results.md, between the marks of each section.

usage: /usr/bin/python3 tools/results/update.py [mnist] [speed] --lightloop PATH --data FOLDER --work FOLDER

mnist takes about 20 minutes on two idle cores (finished runs in WORK are kept), speed about 25.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "results.md"


def command(section, options):
    common = [sys.executable, str(HERE / {"mnist": "mnist_table.py", "speed": "speed.py"}[section]),
              "--lightloop", options.lightloop, "--data", options.data]
    return common + (["--work", options.work] if section == "mnist" else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", default=["mnist", "speed"])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True, help="the folder that holds mnist/")
    parser.add_argument("--work", required=True, help="where finished runs are kept")
    options = parser.parse_args()
    for section in options.sections:
        text = subprocess.run(command(section, options), stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        marks = f"<!-- {section}: made by tools/results/update.py -->", f"<!-- end of {section} -->"
        pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
        page = PAGE.read_text()
        if not re.search(pattern, page, re.S):
            raise SystemExit(f"{PAGE}: no section {section}; put the lines {marks[0]} and {marks[1]} into it")
        PAGE.write_text(re.sub(pattern, lambda _: f"{marks[0]}\n{text}\n{marks[1]}", page, flags=re.S))


if __name__ == "__main__":
    main()
