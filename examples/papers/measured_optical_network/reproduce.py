"""Wang, Sohoni et al., Image sensing with multilayer nonlinear optical neural networks (Nat. Photonics 17, 408, 2023).

Two optical matrix products with an image intensifier between them, measured: 3000 training and 505 test drawings of ten
kinds. The camera's counts behind the second product, read out by the authors' digital layer, give the published 79.0 %. A
digital twin – how every intensifier channel bends, what it picks up from the others, the second product – is fitted on the
training half and asked for the test half. Needs NumPy, h5py and $LIGHTLOOP_DATA/photonic/onn_image_sensing (CC-BY 4.0,
github.com/mcmahon-lab/Image-sensing-with-multilayer-nonlinear-optical-neural-networks).

usage: lightloop reproduce measured-optical-network [--full] [--out FOLDER] [--json]
Takes a second, with or without --full. There is no randomness: nothing is drawn.
"""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1]))
import paper  # noqa: E402  (found by the line above)

options = paper.options(__doc__, "measured-optical-network", "the same: there is no smaller way")
try:
    import h5py
    import numpy as np
except ImportError as error:
    sys.exit(f"NumPy and python3-h5py are needed ({error})")

LIMIT = 2.0  # per cent of the mean that a twin may miss
BEND = 5  # degree of a channel's curve
FAR = 20  # robust standard deviations beyond which a measurement is no answer to its input


def parts_of(file):
    """{train, test} of {fc1, act1, fc2} counts in float64, labels, and the authors' model."""
    sets = file["quickdraw"]
    halves = {half: {k: sets[half][k][()].astype(float) for k in ("fc1", "act1", "fc2")} for half in ("train", "test")}
    labels = {half: sets[half]["labels"][()] for half in halves}
    return halves, labels, {k: sets["model"][k][()] for k in sets["model"]}


def read_out(counts, model):
    """The class the authors' digital layer makes of the four counts."""
    return (((counts - model["fc2_intercept"]) / model["fc2_slope"]) @ model["digi_W"].T + model["digi_b"]).argmax(axis=1)


def linear(x, y):
    """Least squares with an offset; a function of x."""
    scale = np.abs(x).max(axis=0)
    extended = lambda rows: np.column_stack([rows / scale, np.ones(len(rows))])  # noqa: E731  (one line, said once)
    weights = np.linalg.lstsq(extended(x), y, rcond=None)[0]
    return lambda other: extended(other) @ weights


class Twin:
    """Counts behind the first product -> counts behind the intensifier -> counts behind the second product."""

    def __init__(self, half):
        self.scale = half["fc1"].max(axis=0)
        x, channels = half["fc1"] / self.scale, range(half["fc1"].shape[1])
        self.curves = [np.polynomial.Polynomial.fit(x[:, i], half["act1"][:, i], BEND) for i in channels]
        self.spill = linear(self._seen(half["fc1"]), half["act1"])
        self.product = linear(self.activations(half["fc1"]), half["fc2"])

    def _seen(self, fc1):
        x = fc1 / self.scale
        return np.column_stack([*(curve(x[:, i]) for i, curve in enumerate(self.curves)), x])

    def activations(self, fc1):
        return self.spill(self._seen(fc1))

    def __call__(self, fc1):
        return self.product(self.activations(fc1))


def main():
    with h5py.File(paper.data_file("photonic", "onn_image_sensing", "onn_measured.h5")) as file:
        halves, labels, model = parts_of(file)
    train, test = halves["train"], halves["test"]
    table = paper.Table("measured-optical-network", options)
    table.say(f"{len(labels['train'])} measurements to fit, {len(labels['test'])} to predict; nothing is drawn at random")
    table.head()

    measured = read_out(test["fc2"], model)
    right = int((measured == labels["test"]).sum())
    ours = 100 * right / len(measured)
    table.row("measured test counts, authors' read-out", "79.0 %", f"{ours:.2f} % ({right})", paper.within(ours, 79.0, 0.05),
              accuracy=ours)  # fmt: skip

    twin = Twin(train)
    predicted = twin(test["fc1"])
    error = predicted - test["fc2"]
    spread = 1.4826 * np.median(np.abs(error), axis=0)  # of a normal law, from what outliers do not move
    lost = np.flatnonzero((np.abs(error) > FAR * spread).any(axis=1))
    kept = np.setdiff1d(np.arange(len(error)), lost)

    def residual(which):
        return 100 * np.sqrt((error[which] ** 2).mean(axis=0)) / test["fc2"][which].mean(axis=0)

    def judged(what, values, **more):
        verdict = f"within {LIMIT:g} %" if values.max() <= LIMIT else f"missed ({LIMIT:g} % asked)"
        table.row(what, "-", f"{values.min():.2f}..{values.max():.2f} %", verdict, residual=values.tolist(), **more)

    judged(f"twin from the first product on, {len(kept)} measurements", residual(kept), left_out=lost.tolist())
    judged(f"the same, with the {len(lost)} lost measurements", residual(np.arange(len(error))))
    second = linear(train["act1"], train["fc2"])(test["act1"])[kept] - test["fc2"][kept]
    judged("twin of the second product alone", 100 * np.sqrt((second**2).mean(axis=0)) / test["fc2"][kept].mean(axis=0))
    line = linear(train["fc1"], train["fc2"])(test["fc1"])[kept] - test["fc2"][kept]
    line = 100 * np.sqrt((line**2).mean(axis=0)) / test["fc2"][kept].mean(axis=0)
    table.row("no intensifier: one linear map", "-", f"{line.min():.2f}..{line.max():.2f} %", "for comparison", residual=line.tolist())

    right = int((read_out(predicted, model) == labels["test"]).sum())
    same = 100 * float((read_out(predicted, model) == measured).mean())
    accuracy = 100 * right / len(measured)
    table.row("accuracy of the twin in place of the apparatus", "79.0 %", f"{accuracy:.2f} % ({right})",
              f"{paper.within(accuracy, 79.0, 2.0)}; same class for {same:.1f} %", accuracy=accuracy)  # fmt: skip
    table.say("Residual: rms of what the twin misses over the mean count, least and largest of the four outputs.")
    for i in lost:
        table.say(f"Measurement {i} is no answer to its input: {100 * (test['fc2'][i] / predicted[i]).mean():.0f} % of the light "
                  "its intensifier channels sent.")  # fmt: skip
    table.say("What cannot be reproduced here: the first product itself; the drawings shown to the apparatus are not in the data.")

    def draw(figure):
        left, right = figure.subplots(1, 2)
        left.plot(test["fc2"][kept] / 1e6, predicted[kept] / 1e6, ".", ms=3)
        left.set(xlabel="measured, million counts", ylabel="twin, million counts", title="Test half, four outputs")
        right.hist((100 * error[kept] / test["fc2"][kept].mean(axis=0)).ravel(), 60)
        right.set(xlabel="twin - measured, % of the mean", title="Residual")

    table.picture(draw)
    return table.finish(lost=lost.tolist())


if __name__ == "__main__":
    sys.exit(main())
