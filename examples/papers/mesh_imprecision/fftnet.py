"""FFTNet: a complex network whose matrices are two butterflies of interferometers with attenuators between them, trained in its
phases (Fang et al.). Matrices: core/mesh.hpp; a butterfly is `sim:mzi_mesh` with mesh.layout=butterfly.

Gradients are dL/dRe + i dL/dIm. Widths that are no power of two are padded, their channels permuted at random as published.
"""

import math

import numpy as np


def power_of_two(n):
    return 1 << (n - 1).bit_length()


class Butterfly:
    """theta, phi (columns, n / 2) and output phases psi (n), started as published."""

    def __init__(self, n, rng):
        self.columns = n.bit_length() - 1
        self.theta = np.arcsin(rng.random((self.columns, n // 2))).astype(np.float32)
        self.phi = (2 * math.pi * rng.random((self.columns, n // 2))).astype(np.float32)
        self.psi = (2 * math.pi * rng.random(n)).astype(np.float32)

    def parameters(self):
        return [self.theta, self.phi, self.psi]

    def forward(self, x):
        self.seen = []
        for j in range(self.columns):
            pairs = x.reshape(len(x), -1, 2, 1 << j)
            theta, phi = (p[j].reshape(pairs.shape[1], -1) for p in (self.theta, self.phi))
            common = 1j * np.exp(0.5j * theta)
            s, c = common * np.sin(theta / 2), common * np.cos(theta / 2)
            a = pairs[:, :, 0] * np.exp(1j * phi)
            y = np.empty_like(pairs)
            y[:, :, 0] = s * a + c * pairs[:, :, 1]
            y[:, :, 1] = c * a - s * pairs[:, :, 1]
            self.seen.append((a, y, s, c, phi))
            x = y.reshape(x.shape)
        self.out = x * np.exp(1j * self.psi)
        return self.out

    def backward(self, g):
        """(gradient of x, gradients of theta, phi, psi)."""
        slopes = [np.empty_like(p) for p in self.parameters()]
        slopes[2][:] = -(g.conj() * self.out).imag.sum(axis=0)
        g = g * np.exp(-1j * self.psi)
        for j in reversed(range(self.columns)):
            a, y, s, c, phi = self.seen[j]
            g = g.reshape(y.shape)
            up, low = g[:, :, 0], g[:, :, 1]
            turned = (up.conj() * (1j * y[:, :, 0] + y[:, :, 1]) + low.conj() * (1j * y[:, :, 1] - y[:, :, 0])).real
            slopes[0][j] = 0.5 * turned.sum(axis=0).ravel()
            of_a = s.conj() * up + c.conj() * low
            slopes[1][j] = -(of_a.conj() * a).imag.sum(axis=0).ravel()
            below = np.empty_like(g)
            below[:, :, 0] = of_a * np.exp(-1j * phi)
            below[:, :, 1] = c.conj() * up - s.conj() * low
            g = below
        return g.reshape(len(g), -1), slopes

    def phases(self):
        """In the order of a programme: theta, phi of every element, then psi."""
        return np.concatenate([np.stack([self.theta, self.phi], axis=-1).ravel(), self.psi]).astype(float)


class Layer:
    """n -> m: permuted channels, butterfly, attenuators sin(a / 2) times a gain, butterfly, permuted channels."""

    def __init__(self, n, m, rng):
        self.n, self.m = power_of_two(n), power_of_two(m)
        self.into = rng.permutation(self.n)[:n] if self.n != n else np.arange(n)
        self.out_of = rng.permutation(self.m)[:m] if self.m != m else np.arange(m)
        self.v, self.u = Butterfly(self.n, rng), Butterfly(self.m, rng)
        self.least = min(self.n, self.m)
        self.a = np.arcsin(rng.random(self.least)).astype(np.float32)
        self.gain = np.full(1, 6, np.float32)  # as published: what a detector and a modulator give back

    def parameters(self):
        return [*self.v.parameters(), self.a, self.gain, *self.u.parameters()]

    def padded(self, x):
        wide = np.zeros((len(x), self.n), np.complex64)
        wide[:, self.into] = x
        return wide

    def forward(self, x):
        self.middle = self.v.forward(self.padded(x))[:, : self.least]
        y = np.zeros((len(x), self.m), np.complex64)
        y[:, : self.least] = self.gain * np.sin(self.a / 2) * self.middle
        return self.u.forward(y)[:, self.out_of]

    def backward(self, g):
        wide = np.zeros((len(g), self.m), np.complex64)
        wide[:, self.out_of] = g
        g, of_u = self.u.backward(wide)
        g = g[:, : self.least]
        along = (g.conj() * self.middle).real.sum(axis=0)
        below = np.zeros((len(g), self.n), np.complex64)
        below[:, : self.least] = self.gain * np.sin(self.a / 2) * g
        below, of_v = self.v.backward(below)
        of_gain = np.array([(along * np.sin(self.a / 2)).sum()], np.float32)
        return below[:, self.into], [*of_v, 0.5 * self.gain * np.cos(self.a / 2) * along, of_gain, *of_u]

    def programme(self):
        """Codes of 16 bits. An attenuator beyond half a turn is a sign, which the phase before it takes."""
        amplitude = np.sin(self.a.astype(float) / 2)
        v = self.v.phases()
        v[-self.n :][: self.least] += np.where(amplitude < 0, math.pi, 0)
        phases = np.concatenate([v, 2 * np.arcsin(np.abs(amplitude)), self.u.phases()])
        return np.rint(np.mod(phases, 2 * np.pi) / (2 * np.pi) * (2**16 - 1)).astype(np.uint16)


class FFTNet:
    def __init__(self, widths, rng):
        self.layers = [Layer(n, m, rng) for n, m in zip(widths, widths[1:])]

    def forward(self, x, bend):
        self.bent = []
        for i, layer in enumerate(self.layers):
            x = layer.forward(x)
            if i + 1 < len(self.layers):
                z = x
                x, size, ratio = bend(z)
                self.bent.append((z, size, ratio))
        return x

    def slopes(self, g, threshold):
        found = []
        for i in reversed(range(len(self.layers))):
            g, own = self.layers[i].backward(g)
            found = own + found
            if i:
                z, size, ratio = self.bent[i - 1]
                unit = z / size
                turned = g * unit.conj()
                slope = 1 / (1 + np.exp(-2 * (size - threshold)))
                g = unit * (slope * turned.real + 1j * ratio * turned.imag)
        return found

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]


def trained(net, x, y, epochs, rng, bend, threshold, output_slope):
    """Adam at 0.01, then 0.002, in batches of 100. output_slope(z, y): dL/dz of the mean loss."""
    mean, square = ([np.zeros_like(p) for p in net.parameters()] for _ in range(2))
    step = 0
    for rate in (0.01, 0.002):
        for _ in range(epochs):
            for rows in rng.permutation(len(x)).reshape(-1, 100):
                g = output_slope(net.forward(x[rows], bend), y[rows])
                step += 1
                for value, first, second, slope in zip(net.parameters(), mean, square, net.slopes(g, threshold)):
                    first += 0.1 * (slope - first)
                    second += 0.001 * (slope * slope - second)
                    size = np.sqrt(second / (1 - 0.999**step)) + 1e-8
                    value -= rate * first / (1 - 0.9**step) / size
    return net
