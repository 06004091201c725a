"""Sui et al., In-sensor radio frequency computing for energy-efficient intelligent radar (TT-RFNN, ICCAD 2023).

Only the abstract (arXiv 2312.10343) was at hand: radio-frequency interferometer networks whose dense layers are tensor trains of
small cores, reused through switches that reshape the signal; a robust variant against errors of mapping cores onto devices;
MNIST and CIFAR-10. What can be checked is the claim, not a figure: a train needs a fraction of the interferometers of a dense
layer and keeps its accuracy, and training that expects errors of the cores loses less to them. A 196-64-10 network on generated
digits (14 x 14), its first layer dense on `sim:mzi_mesh` or a train of two cores on `sim:tt_rfnn`; phases err as they are set.
Needs the Python package; no data files.

usage: lightloop reproduce tt-rfnn [--full] [--out FOLDER] [--json]
Without --full: one network, two chips, one error (seconds). With it: three networks, five chips each, three errors (half a minute).
"""

import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1]))
import paper  # noqa: E402  (found by the line above)

options = paper.options(__doc__, "tt-rfnn", "three networks, five chips each, three errors")
try:
    import lightloop as ll
    import numpy as np
except ImportError as error:
    sys.exit(f"The Python package of Lightloop is needed: pip install . in its folder ({error})")

INPUTS, OUTPUTS, CLASSES = (14, 14), (8, 8), 10  # factors of the two cores
RANK = 4
MIXED = 0.03 * 56**0.5  # relative error of a core that robust training expects: sqrt(N) sigma, phases 0.03 rad off, 56 channels


def interferometers(n, m):
    """Of an m x n matrix as two meshes with attenuators between them."""
    return n * (n - 1) // 2 + m * (m - 1) // 2 + min(n, m)


def train_size(rows, cols, rank):
    """Interferometers of a train: core k is a network from n_k r_k to r_(k-1) m_k channels."""
    ranks = [1] + [rank] * (len(rows) - 1) + [1]
    return sum(interferometers(n * ranks[k + 1], ranks[k] * m) for k, (m, n) in enumerate(zip(rows, cols)))


def images(half):
    return half.features().reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196), np.asarray(half.y).astype(int)


class Net:
    """tanh(W x + b) and a digital read-out; W dense, or a train of two cores: W[(i k), (j l)] = sum_r a[i, j, r] c[r, k, l]."""

    def __init__(self, kind, seed):
        self.kind, self.rng = kind, np.random.default_rng(seed)
        size = (np.prod(OUTPUTS), np.prod(INPUTS))
        if kind == "dense":
            self.p = {"w": self.rng.normal(size=size) / 14}
        else:
            each = (1 / (14 * np.sqrt(RANK))) ** 0.5
            self.p = {"a": each * self.rng.normal(size=(OUTPUTS[0], INPUTS[0], RANK)),
                      "c": each * self.rng.normal(size=(RANK, OUTPUTS[1], INPUTS[1]))}  # fmt: skip
        self.p |= {"b": np.zeros(64), "v": self.rng.normal(size=(CLASSES, 64)) / 8, "d": np.zeros(CLASSES)}

    def cores(self, mixed=0.0):
        cores = [self.p["a"], self.p["c"]]
        if mixed:
            cores = [g + mixed * np.sqrt((g**2).mean()) * self.rng.normal(size=g.shape) for g in cores]
        return cores

    def matrix(self, cores=None):
        if self.kind == "dense":
            return self.p["w"]
        a, c = cores or self.cores()
        return np.einsum("ijr,rkl->ikjl", a, c).reshape(64, 196)

    def train(self, x, y, epochs, rate=3e-3):
        mean, square = ({k: np.zeros_like(v) for k, v in self.p.items()} for _ in range(2))
        step, steps = 0, epochs * (len(x) // 100)
        for _ in range(epochs):
            for rows in self.rng.permutation(len(x))[: 100 * (len(x) // 100)].reshape(-1, 100):
                step += 1
                cores = None if self.kind == "dense" else self.cores(MIXED if self.kind == "robust" else 0.0)
                h = np.tanh(x[rows] @ self.matrix(cores).T + self.p["b"])
                z = h @ self.p["v"].T + self.p["d"]
                error = np.exp(z - z.max(axis=1, keepdims=True))
                error /= error.sum(axis=1, keepdims=True)
                error[np.arange(100), y[rows]] -= 1
                error /= 100
                below = (error @ self.p["v"]) * (1 - h * h)
                grads = {"v": error.T @ h, "d": error.sum(axis=0), "b": below.sum(axis=0)}
                g = below.T @ x[rows]
                if self.kind == "dense":
                    grads["w"] = g
                else:
                    g = g.reshape(*OUTPUTS, *INPUTS)  # (i, k, j, l)
                    grads["a"] = np.einsum("ikjl,rkl->ijr", g, cores[1])
                    grads["c"] = np.einsum("ikjl,ijr->rkl", g, cores[0])
                for k, grad in grads.items():
                    mean[k] = 0.9 * mean[k] + 0.1 * grad
                    square[k] = 0.999 * square[k] + 0.001 * grad**2
                    change = mean[k] / (1 - 0.9**step) / (np.sqrt(square[k] / (1 - 0.999**step)) + 1e-8)
                    self.p[k] -= rate * (1 - step / steps) * change
        return self

    def accuracy(self, x, y, device=""):
        """With the first product in memory, or by a device of its own."""
        x, w = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(self.matrix(), np.float32)
        if device:
            with ll.Layer(device, w) as layer:
                layer.calibrate()
                if self.kind != "dense" and np.abs(layer.programmed - w).max() > 1e-3 * np.abs(w).max():
                    raise RuntimeError("the device's train is not the network's")
                s = layer(x)
        else:
            s = x @ w.T
        z = np.tanh(s + self.p["b"]) @ self.p["v"].T + self.p["d"]
        return 100 * float((z.argmax(axis=1) == y).mean())


def main():
    networks, chips, epochs, errors = (3, 5, 20, (0.01, 0.03, 0.1)) if options.full else (1, 2, 6, (0.03,))
    (x, y), (x_test, y_test) = (images(half) for half in ll.load_dataset("digits", seed=0))
    table = paper.Table("tt-rfnn", options, 56)
    table.say(f"generated digits, 196-64-10, rank {RANK}; networks of seeds 1 to {networks}, chips 1 to {chips} of each, {epochs} epochs")
    table.head()
    five = (4,) * 5
    whole = 2 * (1024 * 1023 // 2) + 1024
    found = train_size(five, five, 8)
    table.row("interferometers, 1024 x 1024, five cores of rank 8", "-", f"{found} of {whole}", f"{whole / found:.0f} times fewer",
              train=found, dense=whole)  # fmt: skip
    here, dense = train_size(OUTPUTS, INPUTS, RANK), interferometers(196, 64)
    table.row("interferometers of the layer here", "-", f"{here} of {dense}", f"{dense / here:.0f} times fewer", train=here, dense=dense)
    common = "splitter_error=0,loss=0,crosstalk=0,correction=none,dac.bits=12,adc.bits=14,phase.bits=16"
    devices = {"dense": f"sim:mzi_mesh,{common},phase.law=linear,vacuum_noise=false,output_noise=0.001",
               "train": f"sim:tt_rfnn,{common},tt.cores=2,tt.rank={RANK},switch_loss=0"}  # fmt: skip
    devices["robust"] = devices["train"]
    names = {"dense": "dense, two meshes", "train": "tensor train", "robust": "tensor train, trained for errors"}
    curves = {}
    for kind in names:
        nets = [Net(kind, seed).train(x, y, epochs) for seed in range(1, networks + 1)]
        scores = [net.accuracy(x_test, y_test) for net in nets]
        for error in (None, *errors):
            what = f"{names[kind]}, {'in memory' if error is None else f'phases off by {error} rad'}"
            if error is not None:
                scores = [net.accuracy(x_test, y_test, f"{devices[kind]},phase_error={error},seed={chip}")
                          for net in nets for chip in range(1, chips + 1)]  # fmt: skip
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            table.row(what, "-", f"{statistics.mean(scores):.1f} ± {spread:.1f} %", "", kind=kind, error=error, accuracy=scores)
            curves.setdefault(kind, []).append((error or 0.0, statistics.mean(scores)))
    worst = {kind: row[-1][1] for kind, row in curves.items()}
    table.say(f"Trained for errors against not, at {errors[-1]} rad: {worst['robust'] - worst['train']:+.1f} points; train against dense: "
              f"{worst['train'] - worst['dense']:+.1f}.")  # fmt: skip
    table.say("Not reproduced: the paper's accuracies on MNIST and CIFAR-10, its networks, its robustness solver and its energies: only the")
    table.say("abstract was at hand. Training for errors here means cores with random errors in every step.")

    def draw(figure):
        axes = figure.subplots()
        for kind, row in curves.items():
            axes.plot(*zip(*row), "o-", label=names[kind])
        axes.set(xlabel="error of the phases / rad", ylabel="accuracy / %")
        axes.legend()

    table.picture(draw)
    return table.finish(networks=networks, chips=chips, epochs=epochs)


if __name__ == "__main__":
    sys.exit(main())
