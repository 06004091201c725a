"""Images told apart by coupled oscillators: 16 patches of 49 pixels -> 16 networks of 100 oscillators -> one of 1610, ten of which answer.

No digital weights: pixels are angles that oscillators start from, the angles of the first networks are those that the second one
starts from, and the ten that start at rest are the scores. Sizes are published; encoding, gains, rates and starts are assumed.
"""

import lightloop as ll
import numpy as np
import oscillators
from oscillators import MIDDLE, Oscillators

PIXEL_RAD, GAIN, BATCH = 1.0, 5.0, 100  # a white pixel; of a score, per rad
LAYERS = ({"networks": 16, "size": 100, "coupling_s2": 4.0}, {"networks": 1, "size": 1610, "coupling_s2": 4.0})
STARTS = 0.1, 0.0075  # sd of a coupling in units of the full programme code
RATES, RATED = (3e-3, 2.5e-4), 1200  # steps; larger ones end at couplings whose motions do not resolve in the published steps
RANGE_RAD = 4.0
PERFECT = {"detuning": 0.0, "coupling_error_s2": 0.0, "input_noise_rad": 0.0}


def patches(half, samples):
    """(samples, 16, 49) pixels in 0 ... 1 and the labels."""
    x = np.ascontiguousarray(half.features()[:samples]).reshape(-1, 4, 7, 4, 7)
    return x.transpose(0, 1, 3, 2, 4).reshape(-1, 16, 49), np.asarray(half.y)[:samples].astype(int)


def codes(angle):
    return oscillators.codes(angle, RANGE_RAD)


class Bench:
    """Two devices behind each other, their twins, and what both are told."""

    def __init__(self, seed, errors):
        self.sessions = [ll.open(Oscillators, **layer, **errors, seed=10 * seed + i) for i, layer in enumerate(LAYERS)]
        self.twins = [ll.Twin(session) for session in self.sessions]
        rng = np.random.default_rng(seed)
        self.settings = []
        for layer, start in zip(LAYERS, STARTS):
            couplings = layer["size"] * (layer["size"] - 1) // 2
            first = np.zeros((layer["networks"], couplings + layer["size"]), np.float32)
            first[:, :couplings] = start * rng.standard_normal((layer["networks"], couplings), np.float32)
            self.settings.append(first)
        self.program()

    def program(self):
        for session, twin, held in zip(self.sessions, self.twins, self.settings):
            written = np.clip(np.rint(MIDDLE * (1 + held)), 0, 2 * MIDDLE - 1)
            session.program(written.astype(np.uint16))
            twin.program(written.astype(np.float32).reshape(1, -1))

    def forward(self, x):
        """Codes shown to both devices, and the scores."""
        first = np.zeros((len(x), 16, 100), np.float32)
        first[:, :, :49] = PIXEL_RAD * x
        shown = [codes(first)]
        second = np.full((len(x), 1, 1610), MIDDLE, np.uint16)
        second[:, 0, :1600] = self.sessions[0].run(shown[0]).reshape(len(x), -1)
        shown.append(second)
        answer = self.sessions[1].run(second).reshape(len(x), -1)[:, 1600:]
        return shown, GAIN * RANGE_RAD / MIDDLE * (answer.astype(np.float32) - MIDDLE)

    def slopes(self, shown, of_scores):
        """dL/d(setting) of both devices, by the twins at what the devices were shown."""
        above = np.zeros((len(of_scores), 1610), np.float32)
        above[:, 1600:] = GAIN * RANGE_RAD / MIDDLE * of_scores
        below, second = self.twins[1].vjp(shown[1].reshape(len(above), -1).astype(np.float32), above)
        _, first = self.twins[0].vjp(shown[0].reshape(len(above), -1).astype(np.float32), np.ascontiguousarray(below[:, :1600]))
        return [MIDDLE * g.reshape(held.shape) for g, held in zip((first, second), self.settings)]

    def accuracy(self, x, labels):
        found = [self.forward(x[i : i + 500])[1].argmax(axis=1) for i in range(0, len(x), 500)]
        return 100 * float((np.concatenate(found) == labels).mean())

    def close(self):
        for session in self.sessions:
            session.close()


def train(bench, x, labels, epochs, seed):
    """Adam on both programmes by the cross-entropy of the scores; its rate begins as steps^-1/2 and falls to 0."""
    rng = np.random.default_rng([seed, 1])
    means, squares = ([np.zeros_like(held) for held in bench.settings] for _ in range(2))
    steps, step = epochs * (len(x) // BATCH), 0
    rates = [rate * (RATED / steps) ** 0.5 for rate in RATES]
    for _ in range(epochs):
        for rows in rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH):
            shown, z = bench.forward(x[rows])
            likely = np.exp(z - z.max(axis=1, keepdims=True))
            likely /= likely.sum(axis=1, keepdims=True)
            likely[np.arange(BATCH), labels[rows]] -= 1
            step += 1
            for held, mean, square, rate, g in zip(bench.settings, means, squares, rates, bench.slopes(shown, likely / BATCH)):
                mean += 0.1 * (g - mean)
                square += 0.001 * (g * g - square)
                size = np.sqrt(square / np.float32(1 - 0.999**step)) + 1e-12
                held -= np.float32(rate * (1 - step / steps) / (1 - 0.9**step)) * mean / size
                np.clip(held, -1, 1 - 1 / MIDDLE, out=held)
            bench.program()
