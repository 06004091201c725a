#!/usr/bin/python3
"""Measures again and writes what came into docs/results.md, between the marks of each section.

usage: /usr/bin/python3 tools/results/update.py [mnist] [speed] [kernels] [readouts] [vcsel] [remote] [analog] [networks] [aware] [ways] [doors]
           [banks] [rings] [photons] [trains] [freedom] [masks] [rules] [rules_digits] [rule_speed] [rule_memory] [dead_zone] [pepita] [graphs] [characters]
           [papers] [waves] [session] [ci_time] [--lightloop PATH] [--data FOLDER] [--work FOLDER] [--benchmarks FOLDER] [--build FOLDER] [--log FILE] [--finished]

mnist takes about 20 minutes on two idle cores (finished runs in WORK are kept), speed about 25; both need --data, the folder
that holds mnist/. kernels takes a minute and needs --benchmarks, where bench_core and bench_devices are; readouts takes seconds
and needs the package (PYTHONPATH=BUILD/python); vcsel takes two minutes and needs --benchmarks with test_sim and bench_sim in it;
remote takes minutes and needs --build and --data; analog takes a minute and needs --benchmarks with bench_core and
bench_together in it; banks, trains, freedom and aware take seconds
(rings too, which needs --data), masks two minutes, and need the package, photons two minutes, the package and --data;
rules takes hours on one core (it says how many) and keeps finished runs in WORK; with
--finished its table is of those runs. rules_digits takes minutes.
graphs takes a quarter of an hour on an idle core, keeps finished runs in WORK and needs --data, the folder that holds planetoid/;
characters takes ten minutes and needs --data, the folder that holds text/.
rule_speed takes about half an hour on an idle core (it says how long) and keeps finished pairs in WORK; rule_memory takes four minutes and
needs the package; both are resumable.
papers takes a minute and keeps finished runs in WORK; papers.py --full NAME makes the long ones.
waves takes an hour and a half on an idle core, most of it MNIST; it keeps finished runs in WORK and needs --data with vowels/,
japanese_vowels/, photonic/ and mnist/.
session takes a minute and needs --benchmarks with bench_driver and bench_together in it.
dead_zone (which needs the package) and pepita take two minutes each and keep finished runs in WORK; both need --data, the folder that
holds mnist/ and fashion-mnist/.
networks needs --data; ways needs only the command; doors needs --data, --build (with bin/, plugins/ and python/ in it) and 5 GB for a
recording. ci_time measures nothing: it needs --log, what one .ci/run has printed.
The command that is measured is --lightloop, else the one on the path.
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "results.md"


SECTIONS = {  # script and what it is told
    "mnist": ("mnist_table.py", ["lightloop", "data", "work"]),
    "speed": ("speed.py", ["lightloop", "data"]),
    "kernels": ("kernels.py", ["benchmarks"]),
    "readouts": ("readouts.py", []),
    "remote": ("remote.py", ["build", "data"]),
    "vcsel": ("vcsel.py", ["benchmarks"]),
    "analog": ("analog.py", ["benchmarks"]),
    "networks": ("analog_networks.py", ["lightloop", "data"]),
    "aware": ("aware.py", []),
    "ways": ("ways_back.py", ["lightloop"]),
    "doors": ("doors.py", ["build", "data"]),
    "banks": ("banks.py", []),
    "rings": ("rings.py", ["data"]),
    "photons": ("photons.py", ["data"]),
    "trains": ("trains.py", []),
    "freedom": ("freedom.py", []),
    "masks": ("masks.py", []),
    "rules": ("rules.py", ["lightloop", "data", "work"]),
    "rules_digits": ("rules_digits.py", ["lightloop"]),
    "rule_speed": ("rule_speed.py", ["lightloop", "data", "work"]),
    "rule_memory": ("rule_memory.py", ["work"]),
    "dead_zone": ("dead_zone.py", ["data", "work"]),
    "pepita": ("pepita_devices.py", ["lightloop", "data", "work"]),
    "graphs": ("graphs.py", ["lightloop", "data", "work"]),
    "characters": ("characters.py", ["lightloop", "data", "work"]),
    "papers": ("papers.py", ["lightloop", "data", "work"]),
    "session": ("session.py", ["benchmarks"]),
    "waves": ("waves.py", ["lightloop", "data", "work"]),
    "ci_time": ("ci_time.py", ["log"]),
}


def command(section, options):
    script, needs = SECTIONS[section]
    words = [sys.executable, str(HERE / script)]
    for name in needs:
        if getattr(options, name) is None:
            raise SystemExit(f"{section} needs --{name}")
        words += [f"--{name}", getattr(options, name)]
    return words + ["--finished", "--seeds", "3"] * (section == "rules" and options.finished)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="+", choices=SECTIONS)
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", help="the folder that holds mnist/ and, for graphs, planetoid/")
    parser.add_argument("--work", help="where finished runs are kept")
    parser.add_argument("--build", help="the build folder, with the command and bench_driver")
    parser.add_argument("--benchmarks", help="the folder that holds bench_core and bench_devices")
    parser.add_argument("--log", help="what .ci/run has printed")
    parser.add_argument("--finished", action="store_true", help="rules: of the runs that are in WORK, up to three seeds, and no more")
    options = parser.parse_args()
    words = {section: command(section, options) for section in options.sections}  # all are complete before any is run
    for section in options.sections:
        text = subprocess.run(words[section], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        marks = f"<!-- {section}: made by tools/results/update.py -->", f"<!-- end of {section} -->"
        pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
        page = PAGE.read_text()
        if not re.search(pattern, page, re.S):
            raise SystemExit(f"{PAGE}: no section {section}; put the lines {marks[0]} and {marks[1]} into it")
        PAGE.write_text(re.sub(pattern, lambda _: f"{marks[0]}\n{text}\n{marks[1]}", page, flags=re.S))


if __name__ == "__main__":
    main()
