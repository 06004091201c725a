"""Wright et al., Deep physical neural networks trained with backpropagation (Nature 601, 549, 2022): coupled pendula.

The example of physics-aware training in the authors' repository: pendula that are let go from angles given by twelve vowel
formants (Hillenbrand) tell the vowel by where they are a while later; their frequencies, springs and drives are trained. Here:
48 pendula in a ring, `sim:pendula` (Odeint's Runge-Kutta steps), four for every formant; seven groups of six outputs are the
scores, without any digital weights. The apparatus differs from what its twin knows of it. In silico, the twin is trained and
its programme is written into the apparatus; with physics-aware training the apparatus makes the forward passes and the twin
only the gradients. Published: 95 % on this task. Needs the Python package, python3-h5py and $LIGHTLOOP_DATA/vowels.

Images, where $LIGHTLOOP_DATA has mnist and fashion-mnist: 16 patches of 49 pixels -> 16 networks of 100 oscillators -> one of 1610,
every pair of a network coupled (oscillators.py, a device with a twin; images.py). Of the repository: final validation accuracies of
97.94 % (MNIST, without errors) and 89.76 % (Fashion-MNIST, physics-aware) after 20 epochs.

usage: lightloop reproduce coupled-oscillators [--full] [--out FOLDER] [--json]
Without --full: one apparatus, 12 epochs; 2000 images of MNIST once (seconds). With it: five, 30 epochs, two strengths of error (about 2
minutes); all images twice, in silico and physics-aware (40 minutes of one core).
"""

import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path += [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parent)]
import paper  # noqa: E402  (found by the line above)

options = paper.options(__doc__, "coupled-oscillators", "five apparatus, 30 epochs, two strengths of error")
vowels = paper.data_file("vowels", "pat_vowels.h5")
try:
    import h5py
    import images
    import lightloop as ll
    import numpy as np
except ImportError as error:
    sys.exit(f"The Python package of Lightloop and python3-h5py are needed ({error})")

COPIES, CLASSES, BATCH, RATE = 4, 7, 30, 0.03
GAIN = 5.0  # of the mean angle of a group in rad: a score
MIDDLE, RANGE_RAD = 2048, 3.0  # sim:pendula's codes and their range
ERRORS = {"2 % and 5 %": (0.02, 0.05), "10 % and 20 %": (0.1, 0.2)}  # of frequencies, and of springs and drives
PUBLISHED, TOLERANCE = 95.0, 2.1  # one of 49 test samples is 2 points
IMAGES = (("mnist", "in the twin", 97.94), ("fashion-mnist", "aware", 89.76))  # what was published of them
GOAL = 1.0


def task():
    with h5py.File(vowels) as file:
        x, y, train, test = (file[name][()] for name in ("X", "Y", "train_idx", "test_idx"))
    x = np.tile((x - x[train].mean(axis=0)) / x[train].std(axis=0) / 3, (1, COPIES))
    return np.clip(np.rint(MIDDLE * (1 + x)), 0, 2 * MIDDLE - 1).astype(np.float32), y, train, test


class Bench:
    """One apparatus, its twin, and the programme both are given."""

    def __init__(self, pendula, errors, seed):
        frequency, other = errors
        address = f"sim:pendula,input.size={pendula},range_rad={RANGE_RAD}"
        self.twin = ll.Twin(address)
        self.session = ll.open(f"{address},frequency_error={frequency},coupling_error={other},drive_error={other},seed={seed}")
        group = pendula // CLASSES
        self.groups = np.zeros((pendula, CLASSES))
        for k in range(CLASSES):
            self.groups[k * group : (k + 1) * group, k] = GAIN * RANGE_RAD / MIDDLE / group

    def program(self, settings):
        codes = np.clip(np.rint(MIDDLE * (1 + settings)), 0, 2 * MIDDLE - 1)
        self.twin.program(codes[None].astype(np.float32))
        self.session.program(codes.astype(np.uint16).reshape(3, -1))

    def scores(self, codes, device):
        answer = self.session.run(codes.astype(np.uint16)) if device else self.twin.forward(codes)
        return (answer.astype(float) - MIDDLE) @ self.groups

    def accuracy(self, codes, labels, device):
        return 100 * float((self.scores(codes, device).argmax(axis=1) == labels).mean())


def trained(bench, codes, labels, aware, epochs, seed):
    """Adam on the programme; the gradient is the twin's at the scores of the apparatus (aware) or of the twin."""
    rng = np.random.default_rng(seed)
    settings = rng.uniform(-0.3, 0.3, bench.twin.parameters)
    mean, square = np.zeros_like(settings), np.zeros_like(settings)
    orders = [rng.permutation(len(codes)) for _ in range(epochs)]
    batches = [order[first : first + BATCH] for order in orders for first in range(0, len(codes), BATCH)]
    for step, rows in enumerate(batches, 1):
        bench.program(settings)
        x = np.ascontiguousarray(codes[rows])
        z = bench.scores(x, aware)
        likely = np.exp(z - z.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        likely[np.arange(len(rows)), labels[rows]] -= 1
        error = np.ascontiguousarray((likely / len(rows)) @ bench.groups.T, dtype=np.float32)
        gradient = MIDDLE * bench.twin.vjp(x, error)[1][0]
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        change = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        settings = np.clip(settings - RATE * (1 - step / len(batches)) * change, -1, 1)
    bench.program(settings)


def pictures(table):
    """The image networks: aware, and in silico, in the twin and written into the same apparatus."""
    sets, samples, tested, epochs = (IMAGES, 60000, 10000, 2) if options.full else (IMAGES[:1], 2000, 500, 1)
    table.head(f"{samples} images, {epochs} epoch(s), apparatus and seed 1")
    for name, known, published in sets:
        try:
            halves = ll.load_dataset(name)
        except ll.Error:
            table.say(f"left out: {name} is not in $LIGHTLOOP_DATA")
            continue
        (x, y), test = images.patches(halves[0], samples), images.patches(halves[1], tested)
        bench = images.Bench(1, {})
        images.train(bench, x, y, epochs, 1)
        found = {"aware": bench.accuracy(*test)}
        if options.full:
            twin = images.Bench(1, images.PERFECT)
            images.train(twin, x, y, epochs, 1)
            found["in the twin"] = twin.accuracy(*test)
            bench.settings = twin.settings
            bench.program()
            found["in the apparatus"] = bench.accuracy(*test)
            twin.close()
        bench.close()
        for kind, accuracy in found.items():
            what = "trained physics-aware, in the apparatus" if kind == "aware" else f"trained in silico, {kind}"
            verdict = paper.verdict(accuracy, published, GOAL, options.full) if kind == known else ""
            table.row(f"  {name}, {what}", f"{published} %" if kind == known else "-", f"{accuracy:.2f} %", verdict,
                      kind=f"{name} {kind}", accuracy=[accuracy])  # fmt: skip


def main():
    codes, labels, train, test = task()
    seeds, epochs, strengths = (5, 30, ERRORS) if options.full else (1, 12, ["10 % and 20 %"])
    table = paper.Table("coupled-oscillators", options, 56)
    table.say(f"{codes.shape[1]} pendula, {len(train)} vowels to learn, {len(test)} to test, {epochs} epochs; apparatus and seeds 1 to {seeds}")
    table.head("accuracy on the test vowels, mean (least to most)")
    bars = []
    for strength in strengths:
        results = {"in the twin": [], "in the apparatus": [], "aware": []}
        for seed in range(1, seeds + 1):
            bench = Bench(codes.shape[1], ERRORS[strength], seed)
            trained(bench, codes[train], labels[train], False, epochs, seed)
            results["in the twin"].append(bench.accuracy(codes[test], labels[test], False))
            results["in the apparatus"].append(bench.accuracy(codes[test], labels[test], True))
            trained(bench, codes[train], labels[train], True, epochs, seed)
            results["aware"].append(bench.accuracy(codes[test], labels[test], True))
            bench.session.close()
        table.say(f"errors of {strength}:")
        for name, what in (("in the twin", "trained in silico, in the twin"), ("in the apparatus", "trained in silico, in the apparatus"),
                           ("aware", "trained physics-aware, in the apparatus")):  # fmt: skip
            found = results[name]
            mean = statistics.mean(found)
            verdict = ""
            if name == "aware":
                against = f"{mean - statistics.mean(results['in the apparatus']):+.1f} points against in silico"
                verdict = f"{paper.within(mean, PUBLISHED, TOLERANCE)}; {against}" if options.full else f"{against} (few epochs: use --full)"
            table.row(f"  {what}", f"{PUBLISHED:.0f} %" if name == "aware" else "-", f"{mean:.1f} ({min(found):.0f}..{max(found):.0f}) %",
                      verdict, errors=strength, kind=name, accuracy=found)  # fmt: skip
        bars.append((strength, [statistics.mean(v) for v in results.values()], list(results)))
    pictures(table)
    table.say("What cannot be reproduced here: the authors' pendula, their number, their read-out and how far they are from their model are not in")
    table.say("the text at hand; the paper's own experiments (light, sound, electronics) need the apparatus.")

    def draw(figure):
        axes = figure.subplots()
        for i, (strength, means, names) in enumerate(bars):
            axes.bar([4 * i + k for k in range(3)], means, color=["C7", "C3", "C0"], label=None)
            for k, name in enumerate(names):
                axes.text(4 * i + k, means[k] + 1, name, ha="center", fontsize=7)
        axes.set_xticks([4 * i + 1 for i in range(len(bars))], [f"errors of {b[0]}" for b in bars])
        axes.axhline(PUBLISHED, color="k", lw=0.8, ls="--")
        axes.set(ylabel="accuracy / %", ylim=(0, 105))

    table.picture(draw)
    return table.finish(seeds=seeds, epochs=epochs)


if __name__ == "__main__":
    sys.exit(main())
