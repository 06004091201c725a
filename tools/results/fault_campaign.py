"""Trains a small network through thousands of broken benches and holds every one to the undisturbed run.

    PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/fault_campaign.py [--count 1000] [--first 0] [--unprotected]
        [--through sim,remote,python,plugin] [--build BUILD]

Each seed makes a script of one to four faults of `fault:` and the session settings that docs/faults.md asks for them. A run
must end with the weights of the undisturbed one or with an error of Lightloop, in time, and what the session counted must be
what the script's log says it injected. Runs go in processes of fifty, so that a crash is seen and counted. --unprotected
leaves out check frames and repeats: the control, in which hidden faults must end in wrong weights. --through takes the same
device by other doors, and holds every run to the weights of the bare simulator: remote (a `lightloop serve` of its own), python
(examples/python/opu_in_python.py), plugin (plugin:example.opu); BUILD has bin/ and plugins/.
"""

import argparse
import collections
import json
import os
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
ROOT = Path(__file__).resolve().parents[2]


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
    ids = lambda n: sorted(draw.sample(range(FRAMES), n))  # noqa: E731  (one line, said once)
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
                    **{"rule.dead_zone": 0.1}, **({"session": session} if session else {}))  # fmt: skip


def behind(door: str, device: str) -> str:
    """A simulated device, with or without its preset, by another door."""
    if door == "sim":
        return device
    if door.startswith("remote:"):
        return door + ("/ideal" if "ideal" in device else "/plain")
    name = {"python": f"python:{ROOT}/examples/python/opu_in_python.py:OpuInPython", "plugin": "plugin:example.opu"}[door]
    settings = ll.devices()["opu"].presets["ideal"] if "ideal" in device else {}
    return name + "".join(f",{key}={str(value).lower()}" for key, value in settings.items())


_undisturbed: dict[str, str] = {}


def undisturbed(device: str) -> str:
    if device not in _undisturbed:
        _undisturbed[device] = train(device, {}).facts["weights_sha256"]
    return _undisturbed[device]


def one(seed: int, folder: Path, protected: bool, door: str = "sim") -> dict:
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
        run = train(f"fault:{script}@{behind(door, device)}", session)
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


def campaign(first: int, count: int, protected: bool, door: str = "sim") -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        return [one(seed, Path(folder), protected, door) for seed in range(first, first + count)]


def column(results: list[dict], crashes: int, count: int, seconds: float) -> dict[str, object]:
    repaired = sum(not r["error"] and not r["wrong"] and r["injected"] > 0 for r in results)
    errors = collections.Counter(r["error"] for r in results if r["error"])
    limit = 0.2 * DEADLINE_S + 0.1
    return {
        "scripts": count,
        "faults injected": sum(r["injected"] for r in results),
        "runs that ended with the undisturbed weights after faults": repaired,
        "runs whose script hit nothing": sum(not r["error"] and not r["wrong"] and r["injected"] == 0 for r in results),
        "runs that ended with an error": ", ".join(f"{n} {e}" for e, n in errors.items()) or 0,
        "**wrong results accepted**": sum(r["wrong"] for r in results),
        f"**hangs past the deadline by more than {limit:.1f} s**": sum(r["late_s"] > limit for r in results),
        "latest beyond its deadline": f"{max((r['late_s'] for r in results), default=0):.3f} s",
        "**crashes**": crashes,
        "**repeats or losses not counted as injected**": sum(r["miscounted"] for r in results),
        "time": f"{seconds:.0f} s",
    }


def table(columns: dict[str, dict[str, object]]) -> str:
    names = next(iter(columns.values()))
    rows = [["", *(f"{door}:" for door in columns)], ["---"] * (len(columns) + 1)]
    rows += [[name, *(str(one[name]) for one in columns.values())] for name in names]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def server(build: Path) -> tuple[subprocess.Popen, str]:
    """A `lightloop serve` with the plain and the ideal device, and what clients write before their names."""
    process = subprocess.Popen([build / "bin/lightloop", "serve", "--json", "--listen", "127.0.0.1:0", "--device", "plain=sim:opu",
                                "--device", "ideal=sim:opu,preset=ideal"], stdout=subprocess.PIPE, text=True)  # fmt: skip
    return process, "remote:" + json.loads(process.stdout.readline())["address"]


def measured(asked: argparse.Namespace, door: str) -> tuple[dict[str, object], bool]:
    """The column of one door, and whether all went as it must."""
    start, results, crashes = time.time(), [], 0
    for first in range(asked.first, asked.first + asked.count, 50):
        count = min(50, asked.first + asked.count - first)
        command = [sys.executable, __file__, "--worker", "--through", door, "--first", str(first), "--count", str(count)]
        command += ["--unprotected"] * asked.unprotected
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "LIGHTLOOP_PLUGIN_PATH": str(asked.build / "plugins")})  # fmt: skip
        if done.returncode != 0:
            crashes += 1
            print(f"{door} {first}..{first + count - 1}: exit {done.returncode}\n{done.stderr}", file=sys.stderr)
            continue
        results += json.loads(done.stdout.splitlines()[-1])
    bad = [r for r in results if r["wrong"] or r["miscounted"] or r["late_s"] > 0.2 * DEADLINE_S + 0.1]
    for r in bad:
        print(door, r, file=sys.stderr)
    return column(results, crashes, asked.count, time.time() - start), not bad and crashes == 0


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--unprotected", action="store_true")
    arguments.add_argument("--through", default="sim")
    arguments.add_argument("--build", type=lambda p: Path(p).resolve(), default=ROOT / "build" / "ci")
    arguments.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.worker:
        print(json.dumps(campaign(asked.first, asked.count, not asked.unprotected, asked.through)))
        return 0
    columns, good = {}, True
    for door in asked.through.split(","):
        process, address = server(asked.build) if door == "remote" else (None, door)
        try:
            columns[door], well = measured(asked, address)
        finally:
            if process:
                process.terminate()
                process.wait()
        good = good and well
    print(table(columns), end="")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
