"""Fang et al., Design of optical neural networks with component imprecisions (Opt. Express 27, 14009, 2019).

GridNet: a complex network of 392-256-256-10 is trained on MNIST (two halves of an image are real and imaginary part), every
matrix is written as two meshes of interferometers with attenuators between them, and the meshes are built with imprecise
phase shifters and splitters: `sim:mzi_mesh` with field.kind=complex, one chip per layer and trial, without correction.
FFTNet (fftnet.py): butterflies in the place of the meshes, mesh.layout=butterfly, trained in their phases.
Published means of 20 trials: those of the arrays in github.com/mike-fang/imprecise_optical_neural_network. Needs the Python
package and $LIGHTLOOP_DATA/mnist.

What the published figures are of. Independent small errors add in squares: a mesh is off by sigma_phases^2 + f sigma_splitters^2,
f = 2. Of the published figures both errors at 0.01 do worse than phases alone at 0.02, which asks for f > 3, and both at 0.015
do worse than splitters alone at 0.02, which asks for f < 1.3: the array of both and that of each alone are not of one law. The
repository's present code draws the splitters' amplitude, an angle sqrt(2) times sigma; with that in the array of both alone the
order comes out right. "Both" is therefore measured in both ways. In FFTNet that code leaves theta and phi exact whenever
splitters err: its published curve is that of splitters, output phases and attenuators. It is measured so, and as it should be.
How a trained matrix bears errors depends on its singular values, and those on where training began. The repository's start
(random singular values of 20 / sqrt(inputs + outputs)) lies on a plateau that training leaves after some epochs; twice as large
it learns at once. Both are measured. FFTNet starts as published and is trained by Adam: by momentum at the published rate, from a
loss of 30, its numbers overflow within 100 steps.

usage: lightloop reproduce mesh-imprecision [--full] [--out FOLDER] [--json]
Without --full: a fifth of an epoch, one network, 2 trials, 1000 test images (seconds). With it: the published training (5 + 5
epochs), 2 networks for each start, 5 trials with each, 10 000 test images (half an hour of processor time).
"""

import math
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path += [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parent)]
import paper  # noqa: E402  (found by the line above)

options = paper.options(__doc__, "mesh-imprecision", "the published training, 2 networks a start, 5 trials with each")
try:
    import fftnet
    import lightloop as ll
    import numpy as np
except ImportError as error:
    sys.exit(f"The Python package of Lightloop is needed: pip install . in its folder ({error})")

WIDTHS = (392, 256, 256, 10)
THRESHOLD = 0.5 * math.log(1 / 0.03 - 1)  # of the softplus: slope 0.03 at 0
SIGMAS = (0.0, 0.005, 0.01, 0.015, 0.02)
PUBLISHED = {  # phases and splitters together, phases alone, splitters alone: per cent at SIGMAS
    "both": (97.6, 96.2, 86.4, 55.6, 29.5),
    "amplitude": (None, 96.2, 86.4, 55.6, 29.5),
    "phases": (None, None, 96.2, None, 88.9),
    "splitters": (None, None, 94.5, None, 62.5),
}
FFT = (95.1, 95.0, 94.8, 94.4, 93.7)
NAMES = {"both": "phases and splitters", "amplitude": "phases and splitters' amplitude", "phases": "phases alone",
         "splitters": "splitters alone"}  # fmt: skip
TOLERANCE = 1.0
DAC = 2**15


def images(half):
    """(samples, 392) complex, normalised as published, and the labels."""
    x = (half.features() - 0.1307) / 0.3081
    return (x[:, :392] + 1j * x[:, 392:]).astype(np.complex64), np.asarray(half.y).astype(int)


def bend(z):
    """The same phase, a softened size; also the parts the gradient needs."""
    size = np.abs(z) + 1e-12
    soft = 0.5 * (np.logaddexp(0, 2 * (size - THRESHOLD)) - math.log1p(math.exp(-2 * THRESHOLD)))
    return z * (soft / size), size, soft / size


def initial(rng, start):
    weights = []
    for n, m in zip(WIDTHS, WIDTHS[1:]):
        u, v = (np.linalg.qr(rng.normal(size=(k, k)) + 1j * rng.normal(size=(k, k)))[0] for k in (m, n))
        singular = rng.normal(size=min(n, m)) * start / math.sqrt(n + m)
        weights.append(((u[:, : len(singular)] * singular) @ v[: len(singular)]).astype(np.complex64))
    return weights


def output_slope(z, y):
    """dL/dz of the mean cross-entropy of |z|^2."""
    power = np.abs(z) ** 2
    likely = np.exp(power - power.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    likely[np.arange(len(y)), y] -= 1
    return 2 * z * likely / len(y)


def step(weights, speed, x, y, rate):
    """One step of back-propagation with momentum; gradients are dL/dRe + i dL/dIm."""
    inputs, sizes = [x], []
    for w in weights[:-1]:
        z = inputs[-1] @ w.T
        h, size, ratio = bend(z)
        sizes.append((z, size, ratio))
        inputs.append(h)
    grad = output_slope(inputs[-1] @ weights[-1].T, y)
    for layer in reversed(range(len(weights))):
        change = grad.T @ inputs[layer].conj()
        if layer:
            z, size, ratio = sizes[layer - 1]
            unit = z / size
            turned = (grad @ weights[layer].conj()) * unit.conj()
            slope = 1 / (1 + np.exp(-2 * (size - THRESHOLD)))
            grad = unit * (slope * turned.real + 1j * ratio * turned.imag)
        speed[layer] = 0.9 * speed[layer] + change
        weights[layer] -= (rate * speed[layer]).astype(np.complex64)


def trained(x, y, epochs, seed, start):
    rng = np.random.default_rng(seed)
    weights = initial(rng, start)
    for rate in (5e-3, 1e-3):
        speed = [np.zeros_like(w) for w in weights]
        for _ in range(epochs):
            for rows in rng.permutation(len(x)).reshape(-1, 100):
                step(weights, speed, x[rows], y[rows], rate)
    return weights, rng


def programme(w, rng):
    """Codes of two meshes and attenuators that hold w / its largest singular value, singular values in random order."""
    m, n = w.shape
    u, values, v = np.linalg.svd(w.astype(complex))
    order = rng.permutation(len(values))
    u[:, : len(values)], v[: len(values)] = u[:, order], v[order]
    scale, values = values.max(), values[order]
    phases = np.concatenate([ll.mesh_phases(v), 2 * np.arcsin(np.minimum(values / scale, 1)), ll.mesh_phases(u)])
    return np.rint(np.mod(phases, 2 * np.pi) / (2 * np.pi) * (2**16 - 1)).astype(np.uint16), scale


def through(shape, held, x, phases, splitters, chip, layout="clements"):
    """x W^T by a chip of its own, W (m, n) = `shape`; rows are driven to the full range of its DACs."""
    m, n = shape
    codes, scale = held
    device = (f"sim:mzi_mesh,preset=ideal,input.size={n},output.size={m},field.kind=complex,dac.bits=16,adc.bits=16,adc.range=8,"
              f"phase.law=linear,correction=none,splitter_error={splitters!r},phase_error={phases!r},seed={chip},"
              f"mesh.layout={layout}")  # fmt: skip
    drive = np.concatenate([x.real, x.imag], axis=1)
    full = np.abs(drive).max(axis=1, keepdims=True)
    with ll.open(device) as session:
        session.program(codes)
        y = session.run(np.clip(DAC + np.rint(drive / full * DAC), 0, 2 * DAC - 1).astype(np.uint16))
        if session.meter.saturated:
            raise RuntimeError(f"{session.meter.saturated} outputs beyond the ADC's range")
    y = (y.astype(np.float32) - DAC) / DAC * 8 * full * np.float32(scale)
    return (y[:, :m] + 1j * y[:, m:]).astype(np.complex64)


def accuracy(product, x, y, layers=3):
    for layer in range(layers):
        x = product(layer, x)
        x = bend(x)[0] if layer + 1 < layers else np.abs(x)
    return 100 * float((x.argmax(axis=1) == y).mean())


def points(full):
    """(part, sigma, published) of what is measured."""
    for part, row in PUBLISHED.items():
        for sigma, known in zip(SIGMAS, row):
            if known is not None and (full or (part == "both" and sigma in (0.0, 0.01, 0.02))):
                yield part, sigma, known


def judged(mean, known):
    if options.full:
        return paper.within(mean, known, TOLERANCE)
    return f"{mean - known:+.1f} points (not the published training: use --full)"


def by_butterflies(net, x, y, phases, splitters, rng, seed, turned=0.0):
    """Accuracy of an FFTNet on chips; `turned`: errors of the output phases and attenuators alone, in rad."""

    def product(i, h):
        layer = net.layers[i]
        kept = layer.v.psi, layer.u.psi, layer.a
        layer.v.psi, layer.u.psi, layer.a = (p + rng.normal(scale=turned, size=p.shape).astype(np.float32) for p in kept)
        held = layer.programme(), float(layer.gain[0])
        layer.v.psi, layer.u.psi, layer.a = kept
        shape = layer.m, layer.n
        return through(shape, held, layer.padded(h), phases, splitters, seed + i, "butterfly")[:, layer.out_of]

    return accuracy(product, x, y)


def butterflies(table, train, x, y, epochs, networks, trials):
    nets = []
    for seed in range(1, networks + 1):
        rng = np.random.default_rng(seed)
        net = fftnet.FFTNet(WIDTHS, rng)
        nets.append(fftnet.trained(net, *train, epochs, rng, bend, THRESHOLD, output_slope))
    table.head("FFTNet")
    for name in ("as published", "phases and splitters"):
        as_published = name == "as published"
        for sigma, known in zip(SIGMAS, FFT):
            if not (sigma or as_published) or not (options.full or sigma in (0.0, 0.02)):
                continue
            found = []
            for number, net in enumerate(nets):
                for trial in range(trials if sigma else 1):
                    seed = 10000 * (number + 1) + 3 * trial + 1
                    draws = np.random.default_rng(seed)
                    errors = (0.0, math.sqrt(2) * sigma) if as_published else (sigma, sigma)
                    found.append(by_butterflies(net, x, y, *errors, draws, seed, sigma if as_published else 0.0))
            mean, spread = float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
            table.row(f"{name}, sigma {sigma:g}", f"{known:.1f} %", f"{mean:.1f} ± {spread:.1f} %",
                      judged(mean, known), part=f"fft: {name}", sigma=sigma, accuracy=found)  # fmt: skip


def main():
    paper.data_file("mnist", "train-images-idx3-ubyte.gz")
    train, test = (images(half) for half in ll.load_dataset("mnist"))
    epochs, networks, trials, samples = (5, 2, 5, 10000) if options.full else (1, 1, 2, 1000)
    if not options.full:
        train = train[0][:6000], train[1][:6000]
    x, y = test[0][:samples], test[1][:samples]
    table = paper.Table("mesh-imprecision", options)
    table.say(f"GridNet 392-256-256-10; networks of seeds 1 to {networks}, {trials} trials with each, {samples} test images")
    curves = {}
    for start in (20, 40) if options.full else (40,):
        nets = [trained(*train, epochs, seed, start) for seed in range(1, networks + 1)]
        held = [[programme(w, rng) for w in weights] for weights, rng in nets]
        digital = [accuracy(lambda i, h: h @ weights[i].T, x, y) for weights, _ in nets]
        table.head(f"start {start}; in memory {', '.join(f'{a:.2f}' for a in digital)} %")
        for name, sigma, known in points(options.full):
            factor = {"phases": 0.0, "amplitude": math.sqrt(2)}.get(name, 1.0)
            errors = (sigma if name != "splitters" else 0.0, factor * sigma)
            found = []
            for number, ((weights, _), codes) in enumerate(zip(nets, held)):
                for trial in range(trials if sigma else 1):
                    chip = 10000 * (number + 1) + 3 * trial + 1  # the same chips for every sigma
                    found.append(accuracy(lambda i, h: through(weights[i].shape, codes[i], h, *errors, chip + i), x, y))
            mean, spread = float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
            verdict = judged(mean, known)
            table.row(f"{NAMES[name]}, sigma {sigma:g}", f"{known:.1f} %", f"{mean:.1f} ± {spread:.1f} %", verdict,
                      part=name, start=start, sigma=sigma, accuracy=found)  # fmt: skip
            curves.setdefault((start, name), []).append((sigma, mean, known))
    butterflies(table, train, x, y, epochs, networks, trials)
    table.say("What cannot be reproduced here: the published networks themselves, two of many that training may end at.")

    def draw(figure):
        axes = figure.subplots()
        for i, ((start, name), row) in enumerate(curves.items()):
            axes.plot(*zip(*[(p[0], p[1]) for p in row]), f"C{i}o-", label=f"{NAMES[name]}, start {start}")
            axes.plot(*zip(*[(p[0], p[2]) for p in row]), f"C{i}--", lw=1)
        axes.set(xlabel="sigma / rad", ylabel="accuracy / %", title="GridNet; dashed: published")
        axes.legend()

    table.picture(draw)
    return table.finish(networks=networks, trials=trials)


if __name__ == "__main__":
    sys.exit(main())
