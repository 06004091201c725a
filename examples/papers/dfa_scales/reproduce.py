"""Launay et al., Direct Feedback Alignment Scales to Modern Deep Learning Tasks and Architectures (NeurIPS 2020, arXiv 2006.12878).

The paper's four domains in the small, back-propagation against DFA: a graph network on Cora; a recommender (factorisation machine
and dense layers) on a click log drawn by the program, whose law and so whose best possible area under the ROC curve is known; a
neural field (waves in, colours out, what NeRF is made of) fitted to half of the pixels of a picture and scored on the other half;
a character transformer on tiny Shakespeare, DFA at the end of blocks (macro) or inside them too (micro: three places per block).
Not here, because the data are not: WikiText-103, Criteo, the scenes of NeRF. Cora and the text are read from $LIGHTLOOP_DATA
(planetoid/cora.h5, text/tinyshakespeare.txt) and left out, with a line, where they are not.

usage: lightloop reproduce dfa-scales [--full] [--out FOLDER] [--json]
Without --full: one seed, short training, a tenth of the text (ten seconds of one core). With it: three seeds, longer training, all
of the text (a quarter of an hour).
"""

import json
import math
import os
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1]))
import paper  # noqa: E402  (found by the line above)

COMMAND = os.environ.get("LIGHTLOOP", "lightloop")
CLICKS = "embedding 240 8, factorisation | dense 64, relu | dense 32, relu | dense classes"
LINEAR = "embedding 240 8, flatten, dense classes"


def command(*words):
    done = paper.run(COMMAND, *words)
    if done.returncode != 0:
        sys.exit(f"lightloop {words[0]} ended with {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def train(folder, seed, *words):
    return command("train", *words, "--threads", 1, "--seed", seed, "--alignment-every", 0, "--out", folder / "run.h5", "--force",
                   "--json", "--quiet")  # fmt: skip


def graph(folder, rule, full, seed):
    dropout, decay = (0.5, "5e-4") if rule == "bp" else (0.1, "1e-4")  # as the paper has them
    run = train(folder, seed, "--dataset", "cora", "--net", f"gcn 128, relu, dropout {dropout} | gcn classes", "--rule", rule, "--lr", 0.01,
                "--schedule", "constant", "--epochs", 200 if full else 40, "--set", f"train.weight_decay={decay}")  # fmt: skip
    return 100 * max(run["epochs"], key=lambda epoch: epoch["validation_accuracy"])["test_accuracy"]


def recommender(folder, net, rule, seed):
    """Area under the ROC curve; the data are those of the seed. More epochs learn the training samples by heart."""
    train(folder, seed, "--dataset", "clicks", "--net", net, "--rule", rule, "--epochs", 5, "--lr", "2e-2")
    return command("eval", folder / "run.h5", "--json")["auc"]


def field(folder, rule, full, seed):
    """Peak signal to noise on the pixels that were not shown, dB."""
    run = train(folder, seed, "--dataset", "picture", "--net", "64-128-128-3", "--activation", "relu", "--loss", "mse", "--rule", rule,
                "--batch", 64, "--lr", "2e-3", "--epochs", 200 if full else 30)  # fmt: skip
    return -10 * math.log10(2 * run["epochs"][-1]["test_loss"] / 3)


def characters(folder, rule, text, full, seed):
    feedback = ["--set", "rule.feedback=layers"] if rule == "micro" else []
    run = train(folder, seed, "--dataset", text, "--net", "char-transformer:64x2" if full else "char-transformer:32x1", "--batch", 32, "--lr",
                "2e-3", "--epochs", 2, "--rule", "bp" if rule == "bp" else "dfa", *feedback)  # fmt: skip
    return run["epochs"][-1]["test_loss"] / math.log(2)


def told(values, digits):
    mean = statistics.mean(values)
    return f"{mean:.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def here(table, *parts):
    folder = os.environ.get("LIGHTLOOP_DATA", "")
    if folder and pathlib.Path(folder, *parts).exists():
        return pathlib.Path(folder, *parts)
    table.say(f"left out: {'/'.join(parts)} is not in $LIGHTLOOP_DATA")
    return None


def main():
    options = paper.options(__doc__, "dfa-scales", "three seeds, longer training, all of the text")
    full, seeds = options.full, (1, 2, 3) if options.full else (1,)
    table = paper.Table("dfa-scales", options, 58)
    folder = table.folder
    results = {}

    def measure(name, run):
        results[name] = [run(seed) for seed in seeds]
        return statistics.mean(results[name])

    table.head(f"seeds {', '.join(map(str, seeds))}")
    if here(table, "planetoid", "cora.h5"):
        for rule, name, published in (("bp", "back-propagation", 81.5), ("dfa", "DFA", 80.5)):
            mean = measure(f"cora {rule}", lambda seed, rule=rule: graph(folder, rule, full, seed))
            table.row(f"Cora, two graph convolutions, {name}, %", f"{published - 0.5:.0f}-{published + 0.5:.0f}",
                      told(results[f"cora {rule}"], 1), paper.verdict(mean, published, 1.5, full))  # fmt: skip

    law = [command("data", "show", "clicks", "--json")["test"]["yardstick"]["value"]]
    table.row("clicks, the law that made them, area under the ROC curve", "-", told(law, 4), "of the first seed; the best there is")
    measure("clicks linear", lambda seed: recommender(folder, LINEAR, "bp", seed))
    table.row("clicks, no pairs, back-propagation", "-", told(results["clicks linear"], 4), "what must be beaten")
    bp = measure("clicks bp", lambda seed: recommender(folder, CLICKS, "bp", seed))
    table.row("clicks, factorisation and dense, back-propagation", "-", told(results["clicks bp"], 4), "Criteo is not here")
    gap = bp - measure("clicks dfa", lambda seed: recommender(folder, CLICKS, "dfa", seed))
    table.row("clicks, factorisation and dense, DFA", "close to BP", told(results["clicks dfa"], 4),
              f"{'close' if abs(gap) < 0.01 else 'not close'} ({-gap:+.4f})")  # fmt: skip

    bp = measure("picture bp", lambda seed: field(folder, "bp", full, seed))
    table.row("neural field, back-propagation, dB", "-", told(results["picture bp"], 1), "the scenes of NeRF are not here")
    gap = bp - measure("picture dfa", lambda seed: field(folder, "dfa", full, seed))
    table.row("neural field, DFA, dB", "below BP", told(results["picture dfa"], 1), f"{'below' if gap > 0 else 'above'} ({-gap:+.1f})")

    if text := here(table, "text", "tinyshakespeare.txt"):
        if not full:
            tenth = folder / "tenth.txt"
            tenth.write_bytes(text.read_bytes()[: text.stat().st_size // 10])
            text = tenth
        windows = f"{text}:32"
        unigram = command("data", "show", windows, "--json")["test"]["yardstick"]["value"]
        table.row("characters, guessed by frequency, bits per character", "-", f"{unigram:.3f}", "what must be beaten")
        means = {}
        for rule, name, published in (("bp", "back-propagation", "29.8"), ("macro", "DFA macro", "52.0"), ("micro", "DFA micro", "93")):
            means[rule] = measure(f"characters {rule}", lambda seed, rule=rule: characters(folder, rule, windows, full, seed))
            verdict = "published: perplexity of words, WikiText-103"
            if rule == "micro":
                same = unigram > means["micro"] > means["macro"] > means["bp"]
                verdict = f"{'the published' if same else 'not the published'} order: frequency > micro > macro > back-propagation"
            table.row(f"characters, transformer, {name}", published, told(results[f"characters {rule}"], 3), verdict)

    def draw(figure):
        scales = {"cora": "accuracy / %", "clicks": "area under the curve", "picture": "peak signal to noise / dB", "characters": "bits"}
        shown = [part for part in scales if any(name.startswith(part) for name in results)]
        for axes, part in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown):
            names = [name for name in results if name.startswith(part)]
            axes.bar([name.split()[1] for name in names], [statistics.mean(results[name]) for name in names], color="0.7")
            axes.set(title=part, ylabel=scales[part])

    table.picture(draw)
    return table.finish(seeds=list(seeds), results=results, law=law[0])


if __name__ == "__main__":
    sys.exit(main())
