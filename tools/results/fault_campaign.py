"""Trains a small network through thousands of broken benches and holds every one to the undisturbed run.

    PYTHONPATH=build/python /usr/bin/python3 tools/results/fault_campaign.py [--count 1000] [--first 0] [--unprotected]

Each seed makes a script of one to four faults of `fault:` and the session settings that docs/faults.md asks for them. A run
must end with the weights of the undisturbed one or with an error of Lightloop, in time, and what the session counted must be
what the script's log says it injected. Runs go in processes of fifty, so that a crash is seen and counted. --unprotected
leaves out check frames and repeats: the control, in which hidden faults must end in wrong weights.
"""

import argparse
import collections
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import lightloop as ll

DEADLINE_S = 0.5
VISIBLE = ("drop", "duplicate", "shift", "corrupt", "disconnect")
FRAMES = 2500  # what the training shows at least


def data():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 20)).astype(np.float32)
    return (x, np.arange(200) % 5)


def script_of(seed: int, log: str) -> tuple[str, str, dict]:
    """Script, device and session settings of one seed."""
    draw = random.Random(seed)
    family = draw.choice(["visible", "visible", "late", "hidden", "light", "warm_up"])
    session = {"deadline_s": DEADLINE_S}
    device = "sim:opu"
    tables, counted = [], True
    ids = lambda n: sorted(draw.sample(range(FRAMES), n))  # noqa: E731
    if family == "visible":
        for kind in draw.sample(VISIBLE, draw.randint(1, 4)):
            extra = {"corrupt": f"bits = {draw.randint(1, 9)}\n", "disconnect": f"attempts = {draw.randint(0, 2)}\n"}
            when = f"at = {ids(draw.randint(1, 5))}\n" if draw.random() < 0.7 else "rate = 5e-4\n"
            tables.append(f"[{kind}]\n{when}{extra.get(kind, '')}")
    elif family == "late":
        kind = draw.choice(["delay", "hang"])
        tables.append(f"[{kind}]\nat = {ids(1)}\nseconds = {draw.choice([0.01, 0.1, 0.4, 0.8, 1.5])}\n")
    elif family == "hidden":
        counted = draw.random() < 0.5
        session["check_every" if draw.random() < 0.5 else "repeat"] = 1
        kind = draw.choice(["drop", "duplicate", "shift"])
        tables.append(f"[{kind}]\nat = {ids(draw.randint(1, 5))}\nhidden = true\n")
        if session.get("repeat"):
            session["repeat"] = True
    elif family == "light":
        session["repeat"] = True
        kind = draw.choice(["corrupt", "saturate", "mode_hop"])
        tables.append(f"[{kind}]\nat = {ids(draw.randint(1, 3))}\nframes = {draw.randint(1, 40)}\nhidden = true\n")
    else:
        device, session["check_every"] = "sim:opu,preset=ideal", 1
        tables.append(f"[warm_up]\ndepth = {draw.choice([0.02, 0.1, 0.5])}\nframes = {draw.randint(100, 5000)}\n")
    head = f'seed = {seed}\nlog = "{log}"\ncounted = {str(counted).lower()}\n'
    return head + "\n".join(tables), device, session


def train(device: str, session: dict):
    return ll.train((data(), data()), "tdfa", device, net="20-16-5", epochs=2, batch=16, seed=1, progress=False,
                    **({"session": session} if session else {}))  # fmt: skip


_undisturbed: dict[str, str] = {}


def undisturbed(device: str) -> str:
    if device not in _undisturbed:
        _undisturbed[device] = train(device, {}).facts["weights_sha256"]
    return _undisturbed[device]


def one(seed: int, folder: Path, protected: bool) -> dict:
    """What became of one seed."""
    log = folder / f"{seed}.log"
    text, device, session = script_of(seed, log.name)
    if not protected:
        session = {"deadline_s": DEADLINE_S}
    script = folder / f"{seed}.toml"
    script.write_text(text)
    expected = undisturbed(device)
    error, run = None, None
    try:
        run = train(f"fault:{script}@{device}", session)
    except ll.Error as e:
        error = e
    ended = time.time()
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    kinds = collections.Counter(line[5] for line in lines)
    found = {"seed": seed, "injected": sum(kinds.values()), "error": type(error).__name__ if error else "",
             "wrong": run is not None and run.facts["weights_sha256"] != expected,
             "late_s": 0.0, "miscounted": False}  # fmt: skip
    if isinstance(error, (ll.WaitTimeout, ll.Timeout)) and lines:
        found["late_s"] = ended - int(lines[-1][0]) / 1e3 - DEADLINE_S
    if run is not None and not any(k in text for k in ("hidden", "warm_up")):
        faults = run.facts["faults"]
        shown_again = len({line[2] for line in lines if line[5] in VISIBLE})
        losses = kinds["disconnect"]
        found["miscounted"] = (faults["retries"], faults["losses"], faults["reopened"]) != (shown_again, losses, losses)
    return found


def campaign(first: int, count: int, protected: bool) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        return [one(seed, Path(folder), protected) for seed in range(first, first + count)]


def table(results: list[dict], crashes: int, count: int, seconds: float) -> str:
    repaired = sum(not r["error"] and not r["wrong"] and r["injected"] > 0 for r in results)
    errors = collections.Counter(r["error"] for r in results if r["error"])
    limit = 0.2 * DEADLINE_S + 0.1
    rows = [
        ("scripts", count),
        ("faults injected", sum(r["injected"] for r in results)),
        ("runs that ended with the undisturbed weights after faults", repaired),
        ("runs whose script hit nothing", sum(not r["error"] and r["injected"] == 0 for r in results)),
        ("runs that ended with an error", ", ".join(f"{n} {e}" for e, n in errors.items()) or 0),
        ("**wrong results accepted**", sum(r["wrong"] for r in results)),
        (f"**hangs past the deadline by more than {limit:.1f} s**", sum(r["late_s"] > limit for r in results)),
        ("latest beyond its deadline", f"{max((r['late_s'] for r in results), default=0):.3f} s"),
        ("**crashes**", crashes),
        ("**repeats or losses not counted as injected**", sum(r["miscounted"] for r in results)),
        ("time", f"{seconds:.0f} s"),
    ]
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--unprotected", action="store_true")
    arguments.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.worker:
        print(json.dumps(campaign(asked.first, asked.count, not asked.unprotected)))
        return 0
    start, results, crashes = time.time(), [], 0
    for first in range(asked.first, asked.first + asked.count, 50):
        count = min(50, asked.first + asked.count - first)
        command = [sys.executable, __file__, "--worker", "--first", str(first), "--count", str(count)]
        command += ["--unprotected"] * asked.unprotected
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            crashes += 1
            print(f"seeds {first}..{first + count - 1}: exit {done.returncode}\n{done.stderr}", file=sys.stderr)
            continue
        results += json.loads(done.stdout.splitlines()[-1])
    print(table(results, crashes, asked.count, time.time() - start), end="")
    for r in results:
        if r["wrong"] or r["miscounted"] or r["late_s"] > 0.2 * DEADLINE_S + 0.1:
            print(r, file=sys.stderr)
    bad = crashes + sum(r["wrong"] or r["miscounted"] for r in results)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
