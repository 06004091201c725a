"""Papers whose figures are accuracies of `lightloop train`: NAME/runs.toml has the facts, this makes the runs and the verdicts.

usage: lightloop reproduce NAME [--full] [--out FOLDER] [--json]
Finished runs are kept in FOLDER/runs and are not repeated; as many run at a time as there are processors, one thread each.
Python 3.11 and its standard library only. The form of runs.toml is told in README.md beside this file.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parent))
import paper  # noqa: E402  (found by the line above)

LIGHTLOOP = os.environ.get("LIGHTLOOP", "lightloop")
COMMON = ["--threads", "1", "--json", "--quiet", "--yes"]
MEASURES = {  # of a run: unit, and where its JSON has it
    "accuracy": ("points", lambda run, epoch: 100 * epoch["test_accuracy"]),
    "alignment": ("cosine", lambda run, epoch: min((a for a in epoch["alignment"] if a is not None), default=float("nan"))),
    "frames": ("frames", lambda run, epoch: run["device_frames"]),
    "seconds": ("s", lambda run, epoch: run["device_seconds"]),
}


RUNNING, STOPPED = set(), threading.Event()  # children; whether no other may begin


def stop(*_):
    """Ctrl-C, SIGTERM and SIGHUP end the runs too: a signal to this process alone does not reach them, and none has a file to save."""
    again = STOPPED.is_set()
    STOPPED.set()  # first: who starts a run meanwhile looks at it
    for run in list(RUNNING):
        run.terminate()  # the second kills
    if not again:
        raise KeyboardInterrupt


def told(words, **options):
    """A run to its end: exit status, stdout, stderr."""
    if STOPPED.is_set():
        raise RuntimeError("stopped")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as run:
        RUNNING.add(run)
        if STOPPED.is_set():
            run.terminate()
        out, said = run.communicate()
        RUNNING.discard(run)
    return run.returncode, out, said


def command(facts, row, tier):
    words = [word for text in (facts[tier]["options"], row["options"], row.get(tier, "")) for word in shlex.split(text)]
    compared = any(claim.get("measure") == "alignment" for claim in facts["claims"])
    return words if compared else [*words, "--alignment-every", "0"]


def measure(words, seed, file, validated):
    """One run, or what an earlier one of the same command left. `validated`: of the epoch that is best on the validation set."""
    asked = ["train", *words, "--seed", str(seed)]
    if file.exists() and (kept := json.loads(file.read_text()))["command"] == asked:
        return kept
    data = os.environ.get("LIGHTLOOP_DATA", "")
    environment = {**os.environ, "LIGHTLOOP_DATA": os.path.abspath(data) if data else ""}
    with tempfile.TemporaryDirectory() as folder:  # for run.h5
        status, out, said = told([LIGHTLOOP, *asked, *COMMON], cwd=folder, env=environment)
    if status != 0:
        raise RuntimeError((said.strip() or f"{shlex.join(asked)} ended with {status}").splitlines()[-1])
    run = json.loads(out)
    epochs = run["epochs"]
    epoch = max(epochs, key=lambda e: e["validation_accuracy"]) if validated else epochs[-1]  # the first of equals
    kept = {"command": asked, "curve": [100 * e["test_accuracy"] for e in epochs]}
    kept |= {name: take(run, epoch) for name, (_, take) in MEASURES.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(kept))
    os.replace(new, file)
    return kept


def measured(facts, rows, tier, folder):
    """(row, runs of its seeds) one after another, as soon as they are done."""
    seeds = range(1, facts[tier].get("seeds", 1) + 1)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        waiting = {name: [pool.submit(measure, command(facts, row, tier), seed, folder / "runs" / tier / f"{name}-{seed}.json",
                                      facts.get("epoch") == "validation") for seed in seeds] for name, row in rows.items()}  # fmt: skip
        try:
            for name, runs in waiting.items():
                yield name, [run.result() for run in runs]
        except RuntimeError as error:
            pool.shutdown(cancel_futures=True)
            sys.exit(f"not reproduced: {error}")


def mean(runs, name="accuracy"):
    return statistics.mean(run[name] for run in runs)


def spread(runs):
    return statistics.stdev(run["accuracy"] for run in runs) if len(runs) > 1 else 0.0


def tell_row(table, row, runs, full):
    published = row.get("published")
    if published is None:
        verdict = "no published figure"
    else:
        verdict = paper.verdict(mean(runs), published, max(row["tolerance"], 2 * spread(runs)), full)
    more = f" ± {spread(runs):.2f}" if len(runs) > 1 else ""
    table.row(row["what"], "-" if published is None else f"{published:.2f} %", f"{mean(runs):.2f}{more} %", verdict,
              accuracy=[run["accuracy"] for run in runs], command=runs[0]["command"])  # fmt: skip


def tell_claim(table, claim, runs, tier):
    """Ours, or by how much it is more than another row's, against the least that the claim asks for."""
    name = claim.get("measure", "accuracy")
    ours = mean(runs[claim["row"]], name)
    if than := claim.get("than"):
        ours -= mean(runs[than], name)
    least = claim["least"][tier] if isinstance(claim["least"], dict) else claim["least"]
    holds = ours >= least
    sign = "+" if than else ""
    table.row(claim["text"], f"≥ {least:{sign}g}", f"{ours:{sign}.2f} {MEASURES[name][0]}", "holds" if holds else "does not hold",
              holds=holds)  # fmt: skip


def draw(figure, rows, runs):
    axes = figure.subplots()
    for name, row in rows.items():
        curve = [statistics.mean(values) for values in zip(*(run["curve"] for run in runs[name]))]
        axes.plot(range(1, len(curve) + 1), curve, ".-" if len(curve) < 50 else "-", label=row["what"])
    axes.set(xlabel="epoch", ylabel="test accuracy / %")
    axes.legend(fontsize="x-small")


def main():
    import tomllib

    file = pathlib.Path(sys.argv.pop(1))
    facts = tomllib.loads(file.read_text())
    options = paper.options(facts["title"], file.parent.name.replace("_", "-"), "the published size, or the nearest that is at hand")
    tier = "full" if options.full else "small"
    chosen = lambda thing: thing.get("tier", tier) == tier  # noqa: E731  (one line, said twice below)
    rows = {name: row for name, row in facts["rows"].items() if chosen(row)}
    table = paper.Table(file.parent.name.replace("_", "-"), options, 58)
    seeds = facts[tier].get("seeds", 1)
    table.say(facts["about"].strip())
    table.say(f"{facts[tier]['options']}; seeds 1 to {seeds}" if seeds > 1 else f"{facts[tier]['options']}; seed 1")
    table.head("accuracy")
    runs = {}
    for name, done in measured(facts, rows, tier, table.folder):
        runs[name] = done
        tell_row(table, rows[name], done, options.full)
    table.say(f"{'claim':<58}{'asked':>12}{'measured':>18}")
    for claim in filter(chosen, facts["claims"]):
        tell_claim(table, claim, runs, tier)
    for name, row in rows.items():
        if mean(runs[name], "frames"):
            table.say(f"{row['what']}: {mean(runs[name], 'frames'):.0f} frames, {mean(runs[name], 'seconds'):.1f} s of the device per run")
    table.say(f"Not reproduced: {facts['missing'].strip()}")
    if not options.json:  # drawing takes longer than the small runs
        table.picture(lambda figure: draw(figure, rows, runs))
    return table.finish(options=facts[tier]["options"], seeds=seeds)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup, and a shell's background, mean that
            signal.signal(number, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("lightloop: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
