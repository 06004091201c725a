"""Shah and Youngblood, AnalogVNN: a framework for photonic neural networks (APL Mach. Learn. 1, 026116, 2023).

Around every digital product stand the parts of an analog one: values are clipped to [-1, 1], rounded to levels of 1/p, and get
normal noise whose "leakage" L is the probability that it moves a value to another level; weights and biases too. Straight
through for rounding and noise, zero beyond a clip. The sample network 784-256-128-10 (GELU, Adam 1e-3, batch 128) on MNIST over p
and L, and a network of 9 layers (6 convolutions, 3 dense). No accuracies come with the package: "published" is what
its version 1.0.8 gave when it was run for 5 epochs, with the slope of GELU set right (as shipped a term of it is pi times too large), or as shipped
where the row says so.
Needs PyTorch, the Python package and $LIGHTLOOP_DATA/mnist.

usage: lightloop reproduce analogvnn [--full] [--out FOLDER] [--json]
Without --full: a tenth of the images for one epoch (seconds). With it: 5 epochs of all, several seeds at the highest noise, the
convolutions for one epoch (about half an hour of one core).
"""

import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1]))
import paper  # noqa: E402  (found by the line above)

options = paper.options(__doc__, "analogvnn", "5 epochs of all images, every row")
paper.data_file("mnist", "train-images-idx3-ubyte.gz")
try:
    import lightloop as ll
    import numpy as np
    import torch
except ImportError as error:
    sys.exit(f"PyTorch (apt install python3-torch) and the Python package of Lightloop are needed ({error})")

SAMPLE = ("dense 256", "dense 128", "dense 10")
# Widths are assumed (the abstract says: up to 9 layers, 1.7 million parameters at most); 3 x 3 windows, padded.
NINE = ("conv 8", "conv 8", "pool", "conv 16", "conv 16", "pool", "conv 32", "conv 32", "pool", "dense 256", "dense 128", "dense 10")
RIGHT, SHIPPED = "right", "shipped"
ROWS = (  # p, L, lowest and highest known accuracy, GELU's slope in the known run, ours, seeds
    (None, None, 97.99, 97.99, RIGHT, RIGHT, 3),
    (64, 0.5, 97.47, 97.47, SHIPPED, RIGHT, 3),  # at low noise the slope hardly matters
    (16, 0.2, 96.98, 96.98, SHIPPED, RIGHT, 3),
    (16, 0.5, 95.20, 95.20, RIGHT, RIGHT, 3),
    (16, 0.8, 83.6, 85.6, RIGHT, RIGHT, 10),
    (16, 0.8, 21.2, 39.5, SHIPPED, SHIPPED, 3),
    (4, 0.5, 19.3, 19.3, RIGHT, RIGHT, 4),
)
QUICK = (ROWS[0], ROWS[3])
TOLERANCE = 1.0
BATCH = 128


class Through(torch.autograd.Function):
    """Other values forward, the same gradient backward."""

    @staticmethod
    def forward(ctx, x, values):
        return values

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class Gelu(torch.autograd.Function):
    """x Phi(x); `right` False: the slope that AnalogVNN 1.0.8 has, sqrt(2 pi) in the place of sqrt(2 / pi)."""

    @staticmethod
    def forward(ctx, x, right):
        ctx.save_for_backward(x)
        ctx.factor = 1.0 if right else np.pi
        return x * 0.5 * (1 + torch.erf(x / 2**0.5))

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        density = torch.exp(-x * x / 2) / (2 * np.pi) ** 0.5
        return grad * (0.5 * (1 + torch.erf(x / 2**0.5)) + ctx.factor * x * density), None


class Linear(torch.autograd.Function):
    """x w^T + b, whose gradient comes back through `again`: the package reads its weights, noise and all, once more for that."""

    @staticmethod
    def forward(ctx, x, w, b, again):
        ctx.save_for_backward(x, again)
        return torch.nn.functional.linear(x, w, b)

    @staticmethod
    def backward(ctx, grad):
        x, again = ctx.saved_tensors
        return grad @ again, grad.T @ x, grad.sum(0), None


class Analog:
    """Rounding to 1/p and noise of leakage L: L = 2 Phi(-1 / (2 p sd)). Every call draws the next row of its stream."""

    def __init__(self, precision, leakage, seed):
        self.p, self.stream, self.row = precision, ll.Stream(seed, 1), 0
        self.sd = None if precision is None else -1 / (2 * precision * statistics.NormalDist().inv_cdf(leakage / 2))

    def rounded(self, x):
        return x if self.p is None else Through.apply(x, torch.sign(x) * torch.ceil((x.detach() * self.p).abs() - 0.5) / self.p)

    def noisy(self, x):
        if self.p is None:
            return x
        self.row += 1
        draws = torch.from_numpy(self.stream.normal(self.row, x.numel())).reshape(x.shape)
        return Through.apply(x, x.detach() + self.sd * draws)

    def clipped(self, x):
        return x if self.p is None else x.clamp(-1, 1)

    def parameter(self, w):
        """As the memory holds it; gradients go to the digital value."""
        if self.p is None:
            return w
        with torch.no_grad():
            held = self.noisy(self.rounded(w.clamp(-1, 1)))
        return Through.apply(w, held)


class Net:
    def __init__(self, words, analog, seed, right):
        self.words, self.analog, self.right = words, analog, right
        generator = torch.Generator().manual_seed(seed)
        shape, self.parameters = (1, 28, 28), []
        for word in words:
            kind, _, size = word.partition(" ")
            if kind == "pool":
                shape = (shape[0], shape[1] // 2, shape[2] // 2)
                continue
            outputs = int(size)
            inputs = shape[0] * 9 if kind == "conv" else int(np.prod(shape))
            bound = (6 / (inputs + outputs * (9 if kind == "conv" else 1))) ** 0.5  # Glorot's, as the package has it
            weight = (2 * torch.rand((outputs, inputs), generator=generator) - 1) * bound
            bias = (2 * torch.rand(outputs, generator=generator) - 1) / inputs**0.5
            self.parameters += [(weight.reshape(outputs, shape[0], 3, 3) if kind == "conv" else weight).requires_grad_(),
                                bias.requires_grad_()]  # fmt: skip
            shape = (outputs, *shape[1:]) if kind == "conv" else (outputs,)

    def __call__(self, x):
        a, parameters = self.analog, iter(self.parameters)
        for word in self.words:
            if word == "pool":
                x = torch.nn.functional.max_pool2d(x, 2)
                continue
            x = a.noisy(a.rounded(a.clipped(x)))
            weight, b = next(parameters), a.parameter(next(parameters))
            w = a.parameter(weight)
            if word.startswith("conv"):
                x = torch.nn.functional.conv2d(x, w, b, padding=1)
            else:
                x = Linear.apply(x.flatten(1), w, b, a.parameter(weight).detach() if torch.is_grad_enabled() else w)
            x = Gelu.apply(a.rounded(a.clipped(a.noisy(x))), self.right)
        return x


def trained(words, data, precision, leakage, epochs, seed, right=True):
    """Test accuracy in per cent after every epoch, measured once with all its noise."""
    (x, y), (x_test, y_test) = data
    net = Net(words, Analog(precision, leakage, seed), seed, right)
    optimizer = torch.optim.Adam(net.parameters, 1e-3)
    order, accuracies = ll.Stream(seed, 2), []
    for epoch in range(epochs):
        for rows in torch.from_numpy(order.permutation(epoch, len(x)).astype(np.int64)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            right_ones = sum(int((net(xs).argmax(1) == ys).sum()) for xs, ys in zip(x_test.split(BATCH), y_test.split(BATCH)))
        accuracies.append(100 * right_ones / len(x_test))
    return accuracies


def images(half, samples):
    x = torch.from_numpy(np.ascontiguousarray(half.features()[:samples])).reshape(-1, 1, 28, 28)
    return x, torch.from_numpy(np.asarray(half.y)[:samples].astype(np.int64))


def main():
    torch.set_num_threads(1)
    epochs, samples, tested = (5, 60000, 10000) if options.full else (1, 6000, 2000)
    halves = ll.load_dataset("mnist")
    data = images(halves[0], samples), images(halves[1], tested)
    table = paper.Table("analogvnn", options)
    table.say(f"784-256-128-10, {samples} images, {epochs} epoch(s), seeds from 0; accuracy of the last epoch")
    table.head()
    curve = []
    for p, leakage, low, high, known, slope, seeds in ROWS if options.full else QUICK:
        found = [trained(SAMPLE, data, p, leakage, epochs, seed, slope == RIGHT)[-1] for seed in range(seeds if options.full else 1)]
        what = "digital" if p is None else f"p {p}, leakage {leakage}" + ("" if slope == RIGHT else ", GELU's slope as shipped")
        mean, published = statistics.mean(found), f"{low:g}" if low == high else f"{low:g} to {high:g}"
        off = max(low - mean, mean - high, 0) * (1 if mean > high else -1)
        verdict = paper.within(off, 0, TOLERANCE) if options.full else f"{off:+.1f} points (not the published training: use --full)"
        ours = f"{mean:.2f} %" if len(found) == 1 else f"{mean:.1f} ({min(found):.1f}..{max(found):.1f}) %"
        marked = f"{published} %" + (" (slope as shipped)" if known == SHIPPED else "")
        table.row(what, marked, ours, verdict, accuracy=found, published_range=[low, high])
        if slope == RIGHT:
            curve.append((what, mean, (low + high) / 2))
    if not options.full:
        data = tuple((x[:256], y[:256]) for x, y in data)
    for p, leakage in ((None, None), (16, 0.5)):
        found = trained(NINE, data, p, leakage, 1, 0)
        verdict = "nothing published to hold it against" if options.full else "two steps: runs, learns nothing (use --full)"
        what = "9 layers, digital" if p is None else f"9 layers, p {p}, leakage {leakage}"
        table.row(f"{what}, 1 epoch of {len(data[0][0])}", "-", f"{found[-1]:.2f} %", verdict, accuracy=found)
    table.say("What cannot be reproduced here: the paper's own accuracies and the widths of its 9 layers (only the abstract was at hand).")

    def draw(figure):
        axes = figure.subplots()
        axes.plot([c[0] for c in curve], [c[2] for c in curve], "k_", ms=20, label="known")
        axes.plot([c[0] for c in curve], [c[1] for c in curve], "o", label="ours")
        axes.set(ylabel="accuracy / %")
        axes.tick_params(axis="x", labelrotation=20)
        axes.legend()

    table.picture(draw)
    return table.finish(samples=samples, epochs=epochs)


if __name__ == "__main__":
    sys.exit(main())
