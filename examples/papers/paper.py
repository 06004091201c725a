"""What the scripts of the papers share: options, the table published | ours | verdict, files, the picture."""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.append(str(pathlib.Path(os.environ.get("LIGHTLOOP", "lightloop")).resolve().parents[1] / "python"))


def options(text, name, full):
    """The options of every paper. `text` is the script's description, `full` says what --full does."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--full", action="store_true", help=full)
    parser.add_argument("--out", default=name, help="folder for the table and the picture")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):  # not ignored, as by nohup; not runs.py's
            signal.signal(number, Ending.asked)
    return parser.parse_args()


class Ending:
    """Ctrl-C, SIGTERM and SIGHUP end the script, and with it the run it waits for. While that is being started they wait: what began
    would be known to nobody."""

    came = starting = False

    @classmethod
    def asked(cls, *_):
        cls.came = True
        if not cls.starting:
            sys.exit(130)


def run(*words):
    """A program to its end: as subprocess.run of its output."""
    Ending.starting = True
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            Ending.starting = False
            if Ending.came:
                sys.exit(130)
            out, said = child.communicate()
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(child.args, child.returncode, out, said)


def data_file(*parts):
    """A file of $LIGHTLOOP_DATA; ends the program with a line saying where it was looked for."""
    folder = os.environ.get("LIGHTLOOP_DATA", "")
    path = pathlib.Path(folder, *parts)
    if folder and path.exists():
        return path
    name = "/".join(parts)
    sys.exit(f"not reproduced: {name} is not here ({'$LIGHTLOOP_DATA is not set' if not folder else f'looked in {folder}'})")


def within(ours, published, tolerance, unit="points"):
    """The verdict on a figure that was published."""
    difference = ours - published
    if abs(difference) <= tolerance:
        return f"reproduced ({difference:+.1f} {unit})"
    return f"{'higher' if difference > 0 else 'lower'} ({difference:+.1f} {unit})"


def verdict(ours, published, tolerance, full):
    """The verdict on a figure in points: in the small, of which nothing published speaks, only the difference."""
    if full:
        return within(ours, published, tolerance)
    return f"{ours - published:+.1f} points (smaller than published: use --full)"


def adaptation(before, after, end, classes, tested, tolerance):
    """Did a rule get back what a change in its physics cost? Accuracies in % before, just after and in the end, of `tested` samples.
    "not shown" where it had learnt nothing to lose (three deviations of guessing above chance), or the change cost nothing."""
    chance = 1 / classes
    guessed = 100 * (chance + 3 * (chance * (1 - chance) / tested) ** 0.5)
    if before <= guessed:
        return "not shown: not learnt before"
    if after >= before - tolerance:
        return "not shown: the change cost nothing"
    return "adapts" if end >= before - tolerance else "does not adapt fully"


class Table:
    """Rows of published | ours | verdict, printed as they come; `finish` writes table.txt, or prints the JSON."""

    def __init__(self, name, options, width=52):
        self.name, self.options, self.width = name, options, width
        self.lines, self.rows, self.folder = [], [], pathlib.Path(options.out)
        self.folder.mkdir(parents=True, exist_ok=True)

    def say(self, text):
        self.lines.append(text)
        if not self.options.json:
            print(text, flush=True)

    def head(self, text=""):
        self.say(f"{text:<{self.width}}{'published':>12}{'ours':>18}   verdict")

    def row(self, what, published, ours, verdict, **more):
        """`published` and `ours` as text; `more` goes into the JSON."""
        self.say(f"{what:<{self.width}}{published:>12}{ours:>18}   {verdict}")
        self.rows.append({"row": what, "published": published, "ours": ours, "verdict": verdict, **more})

    def picture(self, draw):
        """draw(figure) onto a figure of matplotlib, into picture.png; a line where there is no matplotlib."""
        try:
            import matplotlib

            matplotlib.use("Agg")
            import matplotlib.pyplot
        except ImportError:
            return self.say("no picture: matplotlib is not installed (apt install python3-matplotlib)")
        figure = matplotlib.pyplot.figure(figsize=(8, 3.6), layout="constrained")
        draw(figure)
        figure.savefig(self.folder / "picture.png", dpi=120)
        self.say(f"picture: {self.folder / 'picture.png'}")

    def finish(self, **facts):
        (self.folder / "table.txt").write_text("\n".join(self.lines) + "\n")
        if self.options.json:
            print(json.dumps({"paper": self.name, "full": self.options.full, **facts, "rows": self.rows}, indent=2))
        return 0
