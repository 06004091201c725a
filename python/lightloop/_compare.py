"""The grid of `lightloop compare`: every rule on every device, each run a process of `lightloop train`.

Standard library only (matplotlib for the picture). A finished run leaves NAME.json beside its run file NAME.h5 in the folder;
the same command again takes these up, resumes what was interrupted (NAME.begun says what it began with), and does the rest.
What was made while settings that nobody gave were others (an earlier version's) is made anew, and so is a run whose file is
complete without NAME.json (compare was killed before it could write that), or cannot be read.
"""

import argparse
import concurrent.futures
import copy
import difflib
import functools
import hashlib
import itertools
import json
import math
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

LIGHTLOOP = os.environ.get("LIGHTLOOP", "lightloop")
DEVICE_COSTS = ("device_frames", "device_seconds", "device_joules")
COSTS = (*DEVICE_COSTS, "train_seconds")
WAYS = {"device": "as projection", "layers": "as layers", "map": "as map"}  # how a rule uses a device, in the order they are tried
INTERRUPTED, DEVICE_FAULT, BAD_INPUT, FAILED = 130, 3, 2, 1
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")  # told apart by every eye
REFUSED = {  # words of `lightloop train`
    "--rule": "compare sets it itself; give --rules",
    **dict.fromkeys(("--device", "--layers"), "compare sets it itself; give --devices"),
    "--seed": "compare sets it itself; give --seeds",
    "--resume": "the same command goes on by itself; leave it out",
    "--baseline": "give the rules to compare in --rules",
    **dict.fromkeys(("--record", "--config"), "one file would serve several runs; leave it out"),
}


def split_devices(text):
    """ "digital,sim:opu,seed=2,sim:crossbar" -> [digital; sim:opu,seed=2; sim:crossbar]: a piece KEY=VALUE belongs to the one before."""
    found = []
    for piece in text.split(","):
        if found and re.match(r"[\w.]+=", piece):
            found[-1] += "," + piece
        elif piece:
            found.append(piece)
    return found


FLAGS = ("dry-run", "fidelity", "force", "json", "probe", "quiet", "yes")  # options that need no value, and so take none as a word


def separate(words):
    """Every option and its value a word each: --epochs=5 as --epochs 5, --set A=1 B=2 as --set A=1 --set B=2."""
    found = []
    for word in words:
        option = re.fullmatch(r"(--(?:no-)?([\w-]+))=(.*)", word, re.DOTALL)
        if option and option[2] not in FLAGS:
            found += [option[1], option[3]]
        elif found[-2:-1] == ["--set"] and not word.startswith("-"):
            found += ["--set", word]
        else:
            found.append(word)
    return found


def owner_of(said, word):
    """The rule that `word` is for alone, "tdfa" of `--set tdfa:rule.dead_zone=0.2`; `said` is the word before it. "": for all."""
    return word.split(":")[0] if said == "--set" and re.match(r"[a-z_0-9]+:", word) else ""


def own_words(rule, words):
    """The words of one rule's runs."""
    kept = []
    for said, word in zip(["", *words], words):
        owner = owner_of(said, word)
        if owner not in ("", rule):
            kept.pop()
        else:
            kept.append(word.removeprefix(f"{owner}:") if owner else word)
    return kept


OF_MAPS = ("map_at", "map_levels", "map_part", "map_range", "map_twin")  # settings that only physics in front of the layers has


def without_maps(words):
    """The words that a run without such physics takes: neither --map-part 8 nor --set train.map_part=8."""
    options = [f"--{name.replace('_', '-')}" for name in OF_MAPS]
    kept, at = [], 0
    while at < len(words):
        own = words[at] == "--set" and at + 1 < len(words) and words[at + 1].split("=")[0].removeprefix("train.") in OF_MAPS
        if own or words[at] in options:
            at += 2
        else:
            kept.append(words[at])
            at += 1
    return kept


def counted(text):
    """ "m{0..3}" -> [m0, ..., m3], as the driver counts the devices of a bench."""
    said = re.search(r"\{(\d+)\.\.(\d+)\}", text)
    if not said:
        return [text]
    first, last = said.groups()
    width = len(first) if first.startswith("0") else 0
    return [one for i in range(int(first), min(int(last), int(first) + 4095) + 1)
            for one in counted(f"{text[: said.start()]}{i:0{width}}{text[said.end() :]}")]  # fmt: skip


def instruments(words):
    """The addresses in the words of a run of which each is one thing: devices elsewhere, of plugins and of Python classes, whatever
    wraps them. Settings tell no two of them apart."""
    text = "\n".join(words)
    for path in re.findall(r"[^\s,:=@]+\.toml\b", text):
        try:
            text += "\n" + pathlib.Path(path).read_text()
        except (OSError, ValueError):
            continue  # whoever opens it says so
    found = re.findall(r"\b(?:remote|plugin|python):[^\s,@\"']+", text)
    return frozenset(one for address in found for one in counted(address))


def file_name(rule, device, seed):
    plain = re.sub(r"[^A-Za-z0-9.=]+", "_", device)
    if len(plain) > 60 or plain != device.replace(":", "_").replace(",", "_"):
        plain = f"{plain[:50]}-{hashlib.sha256(device.encode()).hexdigest()[:8]}"
    return f"{rule}-{plain}-{seed}"


class Stopped(Exception):
    """Ctrl-C, here or in a run."""


class Children:
    """The programs that run now, each in a session of its own: no signal reaches them but what is handed on from here. Any that
    stops this process counts as Ctrl-C there."""

    def __init__(self):
        self.running, self.stopped = set(), False

    def heed(self):
        """From now on; the handlers are the process's, so a script asks for it and the package does not."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means that
            signal.signal(signal.SIGHUP, self.stop)

    def stop(self, *_):
        again, self.stopped = self.stopped, True  # first: who starts meanwhile looks at it
        self.interrupt()  # the second kills
        if not again:
            raise KeyboardInterrupt

    def interrupt(self):
        for child in list(self.running):
            child.send_signal(signal.SIGINT)

    def run(self, words, told="", **options):
        """As subprocess.run: `told` is the child's input, and all it says is kept. Stopped where it was, or where no other may begin."""
        if self.stopped:
            raise Stopped
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen(words, text=True, start_new_session=True, **pipes, **options) as child:
            self.running.add(child)
            try:
                if self.stopped:
                    child.send_signal(signal.SIGINT)
                out, said = child.communicate(told)
            finally:
                self.running.discard(child)
        if child.returncode in (INTERRUPTED, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP):
            raise Stopped
        return subprocess.CompletedProcess(words, child.returncode, out, said)


children = Children()


@functools.cache
def rule_defaults():
    """{rule: {setting: value where nobody gives one}} of the command."""
    done = subprocess.run([LIGHTLOOP, "rules", "--json"], capture_output=True, text=True, check=True)
    return {rule["name"]: {setting["name"]: setting["default"] for setting in rule["settings"]} for rule in json.loads(done.stdout)}


def reason(done):
    """Why a program failed: its last line."""
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return said[-1].removeprefix("lightloop: ")


class Fault(str):
    """Why a device could not be asked: nothing that a rule and a device have against each other."""


class Cell:
    """One run of the grid. `way`: "device" where it projects the error, "layers" where it carries the network, "map" where it
    stands in front of the layers.

    `words` tell what is run; a result that was made by others is not taken up. `prepare`, `start`, `complete`, `defaults`,
    `for_one`, `shared` and `bare` are how `lightloop train` is asked; the Python package has its own.
    """

    defaults = staticmethod(rule_defaults)
    for_one = "--set {rule}:rule.{setting}=..."  # how a setting is given to one rule

    def __init__(self, options, rule, device, seed, way="device"):
        self.options, self.rule, self.device, self.seed, self.way = options, rule, device, seed, way
        self.base = options.out / file_name(rule, device, seed)
        self.result = self.failure = None  # a result, or the words with which the run failed
        self.left_out = False  # settings of maps
        self.prepare()
        self.instruments = instruments(self.words)

    def prepare(self):
        words = own_words(self.rule, self.options.train)
        if self.way != "map" and not self.maps(self.options):
            said, words = words, without_maps(words)
            self.left_out = len(words) < len(said)
        self.words = ["train", *words, "--rule", self.rule, f"--{self.way}", self.device, "--seed", str(self.seed)]

    @staticmethod
    def maps(options):
        """Whether the settings of all runs put physics in front of the layers, so that no device of the grid can be there."""
        before = ["", *options.train]
        return any(word == "--map" or said == "--set" and word.split("=")[0].removeprefix("train.") == "map"
                   for said, word in zip(before, options.train))  # fmt: skip

    @staticmethod
    def shared(options, rule):
        """The options without the settings of one rule; None where `rule` has none of its own."""
        made = copy.copy(options)
        made.train = own_words("", options.train)
        return made if own_words(rule, options.train) != made.train else None

    @staticmethod
    def bare(options):
        """The options without any settings of runs."""
        made = copy.copy(options)
        made.train = []
        return made

    def plan(self):
        """What the run may cost the device, or the line that says why there can be no such run: a Fault where another time there can."""
        with tempfile.TemporaryDirectory(prefix="lightloop-") as scratch:  # `train` reserves a name, and plans are made side by side
            words = [LIGHTLOOP, *self.words, "--dry-run", "--json", "--out", os.path.join(scratch, "plan.h5")]
            done = children.run(words)
        if done.returncode == 0:
            return json.loads(done.stdout), None
        return None, Fault(reason(done)) if done.returncode == DEVICE_FAULT else reason(done)

    def start(self, run_file, threads):
        """The run to its end: exit status, result as JSON, what it complained about."""
        words = [LIGHTLOOP, *self.words, "--threads", str(threads), "--json", "--quiet", "--yes", "--out", str(run_file)]
        if run_file.exists():
            words += ["--resume", "true"]
        return children.run(words)

    @staticmethod
    def complete(run_file):
        """Whether a run file has its run to the end; None where it cannot be read, or is no run."""
        done = children.run([LIGHTLOOP, "show", str(run_file), "--json"])
        if done.returncode not in (0, BAD_INPUT):
            raise RuntimeError(f"{run_file}: {reason(done)}")
        return json.loads(done.stdout).get("complete") if done.returncode == 0 else None

    def file(self, end):
        return self.base.with_name(self.base.name + end)

    def unsaid(self):
        """The settings of the rule that `words` leave to their defaults, as these are now."""
        said = {word.split("=")[0] for word in self.words}
        return {name: value for name, value in self.defaults()[self.rule].items() if f"rule.{name}" not in said}

    def take_up(self):
        """The result of an earlier call, if there is one that holds. ValueError when the files are those of another command."""
        path = self.file(".json")
        if not path.exists():
            begun = self.begun()
            if self.file(".h5").exists() and begun.get("command", self.words) != self.words:
                raise self.of_another(self.file(".h5"), begun)
            return False
        try:
            stored = json.loads(path.read_text())
        except ValueError:
            raise ValueError(f"{path}: not the result of a run") from None
        if stored.get("command") != self.words:
            raise self.of_another(path, stored)
        if stored.get("defaults") != self.unsaid() or not scored(stored):
            return False
        self.result = stored
        return True

    @staticmethod
    def of_another(path, stored):
        return ValueError(f"{path}: made by another command: lightloop {' '.join(stored.get('command', []))}")

    def begun(self):
        """What is known of a run that began: its command and defaults."""
        try:
            note = json.loads(self.file(".begun").read_text())
        except (OSError, ValueError):
            return {}
        return note if "command" in note else {"defaults": note}  # an earlier version's

    def begin(self):
        """Removes what `start` cannot go on with, and notes what it begins with."""
        run_file, before, now = self.file(".h5"), self.begun(), {"command": self.words, "defaults": self.unsaid()}
        if before.get("defaults") != now["defaults"]:
            run_file.unlink(missing_ok=True)
        elif run_file.exists() and (complete := self.complete(run_file)) is not False:
            if not self.options.quiet:
                why = "complete, but without its result" if complete else "cannot be read"
                print(f"{run_file}: {why}; done anew", file=sys.stderr, flush=True)
            run_file.unlink()
        if before != now:
            self.file(".begun").write_text(json.dumps(now) + "\n")

    def run(self, threads):
        self.begin()
        done = self.start(self.file(".h5"), threads)
        if done.returncode != 0:
            self.failure = reason(done)
            return
        self.result = {**json.loads(done.stdout), "command": self.words, "defaults": self.unsaid()}
        new = self.file(".new")
        new.write_text(json.dumps(self.result, indent=2) + "\n")
        os.replace(new, self.file(".json"))
        self.file(".begun").unlink(missing_ok=True)


def brief(why, way):
    """The reason in words of `lightloop train`, without what a line about a rule and a device says already."""
    if "no use for a device" in why:
        return "the rule projects no error"
    if 'a programmable device of kind "layer"' in why:
        return "the device holds no matrix"
    said = re.sub(r"^rule \S+ (on (device|layers) .*?|with train.map): (?=the )", "", why).split(". ")[0]
    if way == "map" and re.match("gradient of a map|twin: ", said):
        said += ", and none is needed in front of the first layer alone (--map-at 1)"
    return said


def way_of(options, rule, device):
    """(way, plan, None), or (None, None, reason). A device carries the error where the rule projects one and the device can, else
    the layers where it holds matrices, else it stands in front of them. What is refused by settings alone is not used otherwise."""
    reasons = {}
    for way in ("device",) if device == "digital" else WAYS:
        if way == "map" and (options.cell.maps(options) or not re.search("no use for a device|the device is a ", reasons["device"])):
            break
        plan, why = options.cell(options, rule, device, options.seeds[0], way).plan()
        if plan is not None:
            return way, plan, None
        if isinstance(why, Fault):
            return None, None, why
        reasons[way] = why
    if len(set(reasons.values())) == 1:
        return None, None, reasons["device"]
    return None, None, "; ".join(f"not {WAYS[way]}: {brief(why, way)}" for way, why in reasons.items())


def as_way(row):
    """What the device of a row is there, " as map"; "" without a device."""
    return "" if row["device"] == "digital" else f" {WAYS[row['way']]}"


def way_lines(rows):
    """What each device did."""
    does = {"device": "projects the error", "layers": "carries the products of the layers (--layers)", "map": "stands in front of every layer (--map)"}
    ways = {}
    for row in rows:
        if row["device"] != "digital":
            ways.setdefault((row["device"] + as_way(row), row["way"]), []).append(row["rule"])
    lines = [f"{named} {does[way]}: {', '.join(rules)}" for (named, way), rules in ways.items()]
    return lines + [f"{device} stands in front of the layers of every run" for device in sorted({row["map"] for row in rows if row["way"] != "map"} - {""})]


def left_out_lines(refused, how="left out"):
    """One line for each reason, with the pairs that have it."""
    pairs = {}
    for (rule, device), why in refused.items():
        pairs.setdefault(why, {}).setdefault(device, []).append(rule)
    lines = []
    for why, devices in pairs.items():
        by_rules = {}
        for device, rules in devices.items():
            by_rules.setdefault(", ".join(rules), []).append(device)
        where = "; ".join(f"{rules} on {', '.join(found)}" for rules, found in by_rules.items())
        lines.append(f"{how}: {where}: {why}")
    return lines


def failed_lines(failed):
    return [f"failed: {rule} on {device}, seed {seed}: {why}" for (rule, device, seed), why in failed.items()]


def notes_on(rows, refused, failed):
    """The lines below a table."""
    return loss_lines(rows) + way_lines(rows) + left_out_lines(refused) + failed_lines(failed)


class Progress:
    """A line for each finished run, and the time left."""

    def __init__(self, count, quiet):
        self.count, self.quiet, self.done, self.begun = count, quiet, 0, time.monotonic()

    def say(self, cell):
        self.done += 1
        if self.quiet:
            return
        spent = time.monotonic() - self.begun
        left = spent / self.done * (self.count - self.done)
        said = f"failed: {cell.failure}" if cell.failure else score(summary(cell.rule, cell.device, cell.way, [cell.result]))
        print(f"{self.done}/{self.count}  {cell.rule} on {cell.device}, seed {cell.seed}: {said}  ({left:.0f} s left)",
              file=sys.stderr, flush=True)  # fmt: skip


def at_once(cells, taken=frozenset()):
    """Those that can run side by side, in their order, while the instruments `taken` are in use."""
    for cell in cells:
        if taken.isdisjoint(cell.instruments):
            taken |= cell.instruments
            yield cell


def work_off(cells, jobs, work, ended):
    """`work` on every cell, `jobs` at a time; those on one instrument take turns. `ended` hears of each, and what was made of it."""
    waiting, running = list(cells), {}
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        while waiting or running:
            taken = frozenset().union(*(cell.instruments for cell in running.values()))
            for cell in itertools.islice(list(at_once(waiting, taken)), jobs - len(running)):
                waiting.remove(cell)
                running[pool.submit(work, cell)] = cell
            for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
                ended(running.pop(future), future.result())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not children.stopped:  # of a script that has handlers of its own
            children.interrupt()
        raise
    finally:
        pool.shutdown()


def number(value):
    """None where a result has no such number: JSON writes NaN as null, Python as NaN."""
    return None if value is None or math.isnan(value) else value


def scored(result):
    """Whether a result tells how well its run did: an earlier version of `ll.compare` kept no losses."""
    return number(result.get("test_accuracy")) is not None or "epochs" in result or "test_loss" in result


def loss_of(result):
    """The last test loss of a run."""
    return number(result["epochs"][-1]["test_loss"]) if result.get("epochs") else number(result.get("test_loss"))


def summary(rule, device, way, results):
    """Means over the seeds; the spread is the standard deviation of the sample, None for one seed. Runs on real targets have no
    accuracy: it is None then, and the row has the test loss, whose spread it is."""
    accuracies, losses = [number(r["test_accuracy"]) for r in results], [loss_of(r) for r in results]
    real = None in accuracies
    found = losses if real else accuracies
    mean = None if None in found else statistics.mean(found)
    row = {"rule": rule, "device": device, "way": way, "seeds": len(results), "test_accuracy": None if real else mean,
           **({"test_loss": mean} if real else {}),
           "spread": statistics.stdev(found) if len(found) > 1 and mean is not None else None, "map": results[0].get("map") or ""}  # fmt: skip
    return {**row, **{name: statistics.mean(r.get(name) or 0 for r in results) for name in COSTS}}


def score(row):
    """The accuracy in percent, or the test loss where there is none."""
    if row["test_accuracy"] is not None:
        spread = "" if row["spread"] is None else f" ± {100 * row['spread']:.2f}"
        return f"{100 * row['test_accuracy']:.2f}{spread} %"
    if row["test_loss"] is None:
        return "nothing to test with"
    return f"{row['test_loss']:.4g}" + ("" if row["spread"] is None else f" ± {row['spread']:.2g}")


def loss_lines(rows):
    """What the numbers are where they are no accuracies."""
    return ["numbers without % are test losses: lower is better"] if any(row.get("test_loss") is not None for row in rows) else []


def markdown(rules, devices, rows, refused, failed):
    """One table: accuracy or test loss, and below it the cost of one run on the device; then why cells are empty."""
    at = {(row["rule"], row["device"]): row for row in rows}
    lines = ["| rule | " + " | ".join(devices) + " |", "|---|" + "---|" * len(devices)]
    for rule in rules:
        cells = []
        for device in devices:
            row = at.get((rule, device))
            cost = f"<br>{row['device_frames']:.0f} frames, {row['device_seconds']:.4g} s, {row['device_joules']:.4g} J" if row and row["device_frames"] else ""  # fmt: skip
            cells.append(score(row) + as_way(row) + cost if row else "-")
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    notes = notes_on(rows, refused, failed)
    lines += ["", *("* " + line for line in notes)] if notes else []
    return "\n".join(lines) + "\n"


def plain(rules, devices, rows):
    """The accuracies, or test losses, for a terminal."""
    at = {(row["rule"], row["device"]): score(row) + as_way(row) for row in rows}
    table = [["rule", *devices], *([rule, *(at.get((rule, device), "-") for device in devices)] for rule in rules)]
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in table)


def picture(rules, devices, rows, title):
    """Bars of accuracy, of test loss where no run has one; one group for each rule, one colour for each device, hatched where it stands
    in front of the layers."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 1.0 + 0.5 * len(rules) * (1 + len(devices))), 4.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(devices)
    real = all(row["test_accuracy"] is None for row in rows)
    drawn, unit = ("test_loss", 1) if real else ("test_accuracy", 100)
    rows = [row for row in rows if row[drawn] is not None]
    for i, device in enumerate(devices):
        for way in WAYS:
            found = [(rules.index(row["rule"]), row) for row in rows if (row["device"], row["way"]) == (device, way)]
            if found:
                axes.bar([x + (i - (len(devices) - 1) / 2) * width for x, _ in found], [unit * row[drawn] for _, row in found],
                         0.92 * width, yerr=[unit * (row["spread"] or 0) for _, row in found], color=COLOURS[i % len(COLOURS)],
                         label=device + as_way(found[0][1]), hatch="//" if way == "map" else None, edgecolor="white")  # fmt: skip
    if not real:
        low = min(100 * (row["test_accuracy"] - (row["spread"] or 0)) for row in rows)
        axes.set_ylim(max(0.0, math.floor((low - 1) / 5) * 5), 100)
    axes.set_xticks(range(len(rules)), rules)
    axes.set_ylabel("test loss (lower is better)" if real else "test accuracy (%)")
    axes.set_title(title)
    axes.legend(loc="lower right")
    return figure


def read(arguments):
    parser = argparse.ArgumentParser(prog="lightloop compare", description=__doc__.splitlines()[0])
    parser.add_argument("--rules", required=True)
    parser.add_argument("--devices", default="digital")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("compare"))
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:at])
    options.train = separate(arguments[at + 1 :])
    options.cell = Cell
    if "--dry-run" in options.train:  # the command hands on what it does not know
        options.train.remove("--dry-run")
        options.dry_run = True
    options.rules = [word for word in options.rules.split(",") if word]
    options.devices = split_devices(options.devices)
    options.seeds = [word for word in options.seeds.split(",") if word]
    for name in ("rules", "devices", "seeds"):
        given = getattr(options, name)
        if not given or len(set(given)) != len(given):
            raise ValueError(f"--{name} {','.join(given)}: each once, and at least one")
    if not all(word.isdigit() for word in options.seeds):
        raise ValueError(f"--seeds {','.join(options.seeds)}: whole numbers, 0 or more, separated by commas")
    if options.jobs < 0:
        raise ValueError(f"--jobs {options.jobs}: 0 (all processors) or more")
    options.threads = taken_threads(options.train)
    for word in options.train:
        if word in REFUSED:
            raise ValueError(f"{word}: {REFUSED[word]}")
    for said, word in zip(["", *options.train], options.train):
        if owner_of(said, word) not in ("", *options.rules):
            raise ValueError(f"--set {word}: {owner_of(said, word)} is no rule of this comparison ({', '.join(options.rules)})")
    return options


def taken_threads(words):
    """Takes `--threads N` out of the words of `lightloop train`: results do not depend on it. 0: as the jobs leave."""
    for at, word in enumerate(words):
        if word != "--threads":
            continue
        taken = words[at + 1 : at + 2]
        del words[at : at + 2]
        if not taken or not taken[0].isdigit():
            raise ValueError(f"--threads {''.join(taken)}: a whole number, of threads for each run; 0: shared among the jobs")
        return int(taken[0])
    return 0


def check_rules(options):
    """ValueError with the first name that is no rule."""
    known = options.cell.defaults()
    for rule in options.rules:
        if rule not in known:
            near = difflib.get_close_matches(rule, known, 1)
            raise ValueError(f"rule: {rule} (known: {', '.join(known)})." + (f" Did you mean {near[0]}?" if near else ""))


def check_devices(options, found):
    """ValueError where a device that no rule can use cannot be opened at all: its string is misspelt, its file not there.
    It is so where the error on it and the layers on it are refused by the same words, without any settings of runs."""
    bare = options.cell.bare(options)
    for device in options.devices:
        tried = [(way, why) for (_, one), (way, _, why) in found.items() if one == device]
        if device != "digital" and not any(way or isinstance(why, Fault) for way, why in tried):
            said = {options.cell(bare, rule, device, options.seeds[0], way).plan()[1] for rule, way in (("dfa", "device"), ("bp", "layers"))}
            if len(said) == 1:
                raise ValueError(*said)


def check_own_settings(options, found):
    """ValueError where nothing but the settings of one rule alone keeps it out of the grid."""
    for rule in options.rules:
        reasons = [why for (one, _), (_, _, why) in found.items() if one == rule]
        shared = options.cell.shared(options, rule)
        if None not in reasons and shared and any(way_of(shared, rule, device)[0] for device in options.devices):
            raise ValueError(reasons[0])


def for_others(options, why):
    """How a setting that one rule does not know is given to those that do; "" for another reason."""
    said = re.match(r'rule \S+: unknown setting "(\w+)"', why)
    known = options.cell.defaults()
    knowing = [rule for rule in options.rules if said and said[1] in known[rule]]
    return f" To give it to {knowing[0]} alone: {options.cell.for_one.format(rule=knowing[0], setting=said[1])}" if knowing else ""


def plans(options):
    """{(rule, device): (way, plan, reason)} of the grid, in its order."""
    check_rules(options)
    seed, found = options.seeds[0], {(rule, device): None for rule in options.rules for device in options.devices}
    work_off([options.cell(options, *pair, seed) for pair in found], options.jobs or len(os.sched_getaffinity(0)),
             lambda cell: way_of(options, cell.rule, cell.device), lambda cell, way: found.update({(cell.rule, cell.device): way}))  # fmt: skip
    idle = [pair for pair, (way, _, _) in found.items() if way and way != "map" and options.cell(options, *pair, seed, way).left_out]
    if idle and not any(way == "map" or isinstance(why, Fault) for way, _, why in found.values()):
        reasons = sorted({f"{rule} on {device}: {why}" for (rule, device), (_, _, why) in found.items() if why})
        raise ValueError("; ".join([f"{' and '.join(OF_MAPS)} are of physics in front of the layers, and no run of the grid has any", *reasons]))
    check_devices(options, found)
    check_own_settings(options, found)
    return {pair: (way, plan, why and type(why)(why + for_others(options, why))) for pair, (way, plan, why) in found.items()}


def compare(options):
    """Runs what is missing; (rows, refused, failed). A run that fails leaves the others alone; RuntimeError where all do."""
    refused, failed, cells, seconds = {}, {}, [], 0.0
    for (rule, device), (way, plan, why) in plans(options).items():
        if isinstance(why, Fault):
            failed.update({(rule, device, seed): why for seed in options.seeds})
            continue
        if plan is None:
            refused[rule, device] = why
            continue
        cells += [options.cell(options, rule, device, seed, way) for seed in options.seeds]
        seconds += plan.get("device_seconds", 0) * len(options.seeds)
    if not cells and not failed:
        raise ValueError(next(iter(refused.values())))
    options.out.mkdir(parents=True, exist_ok=True)
    if options.force:
        for cell in cells:
            for end in (".json", ".h5", ".begun"):
                cell.file(end).unlink(missing_ok=True)
    missing = [cell for cell in cells if not cell.take_up()]
    old = sum(cell.file(".json").exists() for cell in missing)
    processors = len(os.sched_getaffinity(0))
    jobs = max(1, min(options.jobs or processors, sum(1 for _ in at_once(missing))))
    if not options.quiet:
        again = f"; {old} done with other defaults of their rules are done anew" if old else ""
        print(f"{len(cells)} runs, {len(cells) - len(missing)} done before{again}; {jobs} at a time; at most {seconds:.0f} s on devices "
              f"altogether; {len(refused)} pairs left out", file=sys.stderr)  # fmt: skip
    threads, progress = options.threads or max(1, processors // jobs), Progress(len(missing), options.quiet)
    work_off(missing, jobs, lambda cell: cell.run(threads), lambda cell, _: progress.say(cell))
    groups = {}
    for cell in cells:
        if cell.failure:
            failed[cell.rule, cell.device, cell.seed] = cell.failure
        else:
            groups.setdefault((cell.rule, cell.device, cell.way), []).append(cell.result)
    if not groups:
        raise RuntimeError("\n".join(failed_lines(failed)))
    return [summary(*key, results) for key, results in groups.items()], refused, failed


def tell_plans(options):
    """What would be run: one line for each pair, nothing is shown to a device. Whether every device could be asked."""
    found = plans(options)
    faults = {pair: why for pair, (_, _, why) in found.items() if isinstance(why, Fault)}
    if options.json:
        print(json.dumps([{**(plan or {}), "rule": rule, "device": device, "way": way, "reason": why}
                          for (rule, device), (way, plan, why) in found.items()], indent=2))  # fmt: skip
        return not faults
    for (rule, device), (way, plan, why) in found.items():
        if plan is not None:
            cost = f"at most {plan['device_frames']} frames, {plan['device_seconds']:.4g} s" if plan.get("device_frames") else "no device"
            print(f"{rule} on {device}{as_way(dict(device=device, way=way))}: {cost}; {len(options.seeds)} run(s)")
    refused = {pair: why for pair, (_, plan, why) in found.items() if plan is None and pair not in faults}
    for line in left_out_lines(refused) + left_out_lines(faults, "failed"):
        print(line)
    return not faults


def title(options):
    """Of the picture."""
    given = [word for said, word in zip(options.train, options.train[1:]) if said == "--dataset"]
    return f"{given[-1] if given else 'digits'}, {len(options.seeds)} seed(s)"


def main(arguments):
    children.heed()
    try:
        options = read(arguments)
        if options.dry_run:
            return 0 if tell_plans(options) else FAILED
        rows, refused, failed = compare(options)
    except (Stopped, KeyboardInterrupt):
        print("lightloop: stopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, OSError) as error:
        print(f"lightloop: {error}", file=sys.stderr)
        return BAD_INPUT
    except RuntimeError as error:
        print(f"lightloop: {error}\nno run was finished; the same command tries again", file=sys.stderr)
        return FAILED
    written = {"table": options.out / "compare.md", "picture": options.out / "compare.png"}
    written["table"].write_text(markdown(options.rules, options.devices, rows, refused, failed))
    try:
        picture(options.rules, options.devices, rows, title(options)).savefig(written["picture"], dpi=150)
    except ImportError:  # no matplotlib
        del written["picture"]
    if options.json:
        left_out = [{"rule": rule, "device": device, "reason": why} for (rule, device), why in refused.items()]
        failures = [{"rule": rule, "device": device, "seed": int(seed), "reason": why} for (rule, device, seed), why in failed.items()]
        print(json.dumps({"rows": rows, "left_out": left_out, "failed": failures, **{k: str(v) for k, v in written.items()}}, indent=2))
    else:
        print(plain(options.rules, options.devices, rows))
        for line in notes_on(rows, refused, failed):
            print(line)
        print("; ".join(f"{k} {v}" for k, v in written.items()))
    if failed:
        print(f"lightloop: {len(failed)} run(s) failed; the same command tries them again", file=sys.stderr)
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
