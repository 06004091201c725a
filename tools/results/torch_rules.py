#!/usr/bin/python3
"""The updates of the learning rules in plain PyTorch, timed like `lightloop train`: what a careful user would write.

usage: /usr/bin/python3 torch_rules.py --rule NAME --data FOLDER [--net 784-1024-1024-10] [--activation tanh] [--threads 1] [--epochs 1] [--seed 0]
           [--dead-zone 0.1]

Rules whose signals are formulas are written with tensors and without a graph; local rules with autograd on detached inputs, one
backward pass for all layers; perturbations with as many passes as the rule has. Adam 1e-3 with cosine decay, batch 128, pixels kept as
bytes, defaults of `lightloop rules` but for the dead zone, which is the published one. Draws are torch's own: the update is the same, the numbers are not. Prints one JSON
line: rule, threads, samples_per_second (evaluation left out), test_accuracy (of the rule's own answer where it is a softmax output,
else null).
"""
import argparse
import json
import math
import pathlib
import time

import torch
from torch.nn import functional as F
from torch_dfa import read_idx

SLOPE = {"tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0).float()}


class Net:
    """Dense layers, W ~ N(0, 1 / fan_in); `extra` are parameters of the rule itself."""

    def __init__(self, widths, activation):
        self.widths, self.f, self.slope = widths, getattr(torch, activation), SLOPE[activation]
        self.w = [torch.randn(o, i) / math.sqrt(i) for i, o in zip(widths, widths[1:])]
        self.b = [torch.zeros(o) for o in widths[1:]]
        self.extra = []
        self.layers, self.hidden, self.classes = len(self.w), len(self.w) - 1, widths[-1]

    def linear(self, outputs, inputs):
        """A layer of the rule's own."""
        self.extra += [torch.randn(outputs, inputs) / math.sqrt(inputs), torch.zeros(outputs)]
        return self.extra[-2:]

    def parameters(self):
        return self.w + self.b + self.extra

    def run(self, l, h):
        a = torch.addmm(self.b[l], h, self.w[l].t())
        return self.f(a) if l < self.hidden else a

    def forward(self, x):
        h = [x]
        for l in range(self.layers):
            h.append(self.run(l, h[-1]))
        return h

    def set_grads(self, deltas, inputs):
        for l, (delta, h) in enumerate(zip(deltas, inputs)):
            self.w[l].grad = delta.t() @ h / len(delta)
            self.b[l].grad = delta.mean(0)

    def watch(self):
        for p in self.parameters():
            p.requires_grad_(True)


def one_hot(y, classes):
    return F.one_hot(y, classes).float()


def error(logits, y):
    return torch.softmax(logits, 1) - one_hot(y, logits.shape[1])


def wrong(y, classes, logits=None):
    """Another label: any, or one that the logits find likely."""
    if logits is None:
        return (y + torch.randint(1, classes, y.shape)) % classes
    chances = torch.softmax(logits, 1).scatter(1, y[:, None], 0) + 1e-30
    return torch.multinomial(chances.scatter(1, y[:, None], 0), 1)[:, 0]


def overlay(x, y, classes, strength):
    x = x.clone()
    x[:, :classes] = strength * one_hot(y, classes)
    return x


def rms(h):
    return h / (h.square().mean(1, keepdim=True).sqrt() + 1e-8)


# --- formulas ---


def chain(back):
    def make(net):
        fixed = [torch.randn_like(w) / math.sqrt(w.shape[1]) for w in net.w]

        def step(x, y):
            h = net.forward(x)
            deltas = [error(h[-1], y)]
            for l in range(net.hidden, 0, -1):
                deltas.insert(0, deltas[0] @ back(net.w[l], fixed[l]) * net.slope(h[l]))
            net.set_grads(deltas, h)

        return step

    return make


def broadcast(signal, gate=None):
    def make(net):
        feedback = torch.randn(net.classes, max(net.widths[1:-1]))

        def step(x, y):
            h, a = [x], None
            gates = []
            for l in range(net.layers):
                a = torch.addmm(net.b[l], h[-1], net.w[l].t())
                h.append(net.f(a) if l < net.hidden else a)
                if l < net.hidden:
                    gates.append(gate(a) if gate else net.slope(h[-1]))
            e = error(h[-1], y)
            projected = signal(e, y) @ feedback
            deltas = [projected[:, :g.shape[1]] / math.sqrt(g.shape[1]) * g for g in gates]
            net.set_grads([*deltas, e], h)

        return step

    return make


def ternary(dead_zone):
    return broadcast(lambda e, y: (e > dead_zone).float() - (e < -dead_zone).float())


def pepita(net):
    to_input = torch.randn(net.classes, net.widths[0]) * 0.05 * math.sqrt(2 / net.widths[0])

    def step(x, y):
        masks = [(torch.rand(len(x), w) >= 0.1) / 0.9 for w in net.widths[1:-1]]
        first, second = [x], None
        for l in range(net.hidden):
            first.append(net.run(l, first[-1]) * masks[l])
        e = error(net.run(net.hidden, first[-1]), y)
        second = [x + e @ to_input]
        for l in range(net.hidden):
            second.append(net.run(l, second[-1]) * masks[l])
        net.set_grads([*(a - b for a, b in zip(first[1:], second[1:])), e], second)

    return step


def forward_gradient(net):
    """Guess: gradient of a local head. Slope of the global loss by a tangent pass."""
    heads = [net.linear(net.classes, w) for w in net.widths[1:-1]]

    def step(x, y):
        h = net.forward(x)
        e = error(h[-1], y)
        deltas = []
        for l, (w, b) in enumerate(heads):
            local = error(torch.addmm(b, h[l + 1], w.t()), y)
            w.grad, b.grad = local.t() @ h[l + 1] / len(x), local.mean(0)
            guess = local @ w * net.slope(h[l + 1])
            tangent = guess
            for k in range(l + 1, net.layers):
                tangent = (tangent * net.slope(h[k])) @ net.w[k].t()
            size = (e * tangent).sum(1, keepdim=True) / (guess.square().sum(1, keepdim=True) + 1e-12)
            deltas.append(size * guess)
        net.set_grads([*deltas, e], h)

    return step


def node_perturbation(net):
    def step(x, y, sigma=0.01):
        h = net.forward(x)
        before = F.cross_entropy(h[-1], y, reduction="none")
        moved, noises = x, []
        for l in range(net.hidden):
            a = torch.addmm(net.b[l], moved, net.w[l].t())
            noises.append(torch.randn_like(a))
            moved = net.f(a + sigma * noises[-1])
        after = F.cross_entropy(net.run(net.hidden, moved), y, reduction="none")
        slope = ((after - before) / sigma)[:, None]
        net.set_grads([*(slope * noise for noise in noises), error(h[-1], y)], h)

    return step


def reinforce(net, memory=0.9):
    """Neurons of -1 and 1 with mean f(a); the baseline is a running mean of the loss."""
    baseline = None

    def step(x, y):
        nonlocal baseline
        h, means = [x], []
        for l in range(net.hidden):
            means.append(net.run(l, h[-1]))
            h.append(torch.where(2 * torch.rand_like(means[-1]) - 1 < means[-1], 1.0, -1.0))
        logits = net.run(net.hidden, h[-1])
        losses = F.cross_entropy(logits, y, reduction="none")
        mean = losses.mean().item()
        told = (losses - (mean if baseline is None else baseline))[:, None]
        baseline = mean if baseline is None else memory * baseline + (1 - memory) * mean
        net.set_grads([*(told * (fired - m) for fired, m in zip(h[1:], means)), error(logits, y)], h)

    return step


def loss_at(net, x, y, directions, step):
    for p, d in zip(net.w + net.b, directions):
        p.add_(d, alpha=step)
    loss = F.cross_entropy(net.forward(x)[-1], y).item()
    for p, d in zip(net.w + net.b, directions):
        p.sub_(d, alpha=step)
    return loss


def spsa(net):
    count = 0

    def step(x, y):
        nonlocal count
        count += 1
        c = 0.01 / count**0.101
        signs = [torch.randint(0, 2, p.shape).float() * 2 - 1 for p in net.w + net.b]
        slope = (loss_at(net, x, y, signs, c) - loss_at(net, x, y, signs, -c)) / (2 * c)
        for p, d in zip(net.w + net.b, signs):
            p.grad = slope * d

    return step


def pepg(net, pairs=16):
    net.extra = [torch.full_like(p, math.log(0.02)) for p in net.w + net.b]

    def step(x, y):
        for p in net.parameters():
            p.grad = torch.zeros_like(p)
        drawn, up, down = [], [], []
        for _ in range(pairs):
            z = [torch.randn_like(p) for p in net.w + net.b]
            moved = [a * s.exp() for a, s in zip(z, net.extra)]
            up.append(loss_at(net, x, y, moved, 1))
            down.append(loss_at(net, x, y, moved, -1))
            drawn.append(z)
        means = [(a + b) / 2 for a, b in zip(up, down)]
        for z, a, b, mean in zip(drawn, up, down, means):
            others = (sum(means) - mean) / (pairs - 1)
            for p, s, d in zip(net.w + net.b, net.extra, z):
                p.grad.add_(d / s.exp(), alpha=(a - b) / 2 / pairs)
                s.grad.add_(d * d - 1, alpha=(mean - others) / pairs)

    return step


# --- autograd ---


def local_rule(losses, clip=None):
    """`losses(net)` gives a function (x, y) -> one number whose gradient is the update."""

    def make(net):
        loss = losses(net)
        net.watch()

        def step(x, y):
            with torch.enable_grad():
                for p in net.parameters():
                    p.grad = None
                loss(x, y).backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(net.w + net.b, clip)
                torch.nn.utils.clip_grad_norm_(net.extra, clip)

        return step

    return make


def layer_by_layer(net, head):
    """Sum of head(l, h) over hidden layers, each on a detached input, and the cross-entropy of the output."""

    def loss(x, y, between=lambda h: h):
        total, h = 0, x
        for l in range(net.hidden):
            h = net.run(l, h)
            total = total + head(l, h, y)
            h = between(h.detach())
        return total + F.cross_entropy(net.run(net.hidden, h), y)

    return loss


def bp(net):
    return lambda x, y: F.cross_entropy(net.forward(x)[-1], y)


def local(net):
    heads = [net.linear(net.classes, w) for w in net.widths[1:-1]]
    return layer_by_layer(net, lambda l, h, y: F.cross_entropy(F.linear(h, *heads[l]), y))


def auglocal(net):
    heads = [[net.linear(net.widths[-2], w), net.linear(net.classes, net.widths[-2])] for w in net.widths[1:-2]]

    def loss(x, y):
        total, h = 0, x
        for l, (inner, out) in enumerate(heads):
            h = net.run(l, h)
            total = total + F.cross_entropy(F.linear(net.f(F.linear(h, *inner)), *out), y)
            h = h.detach()
        h = net.run(net.hidden - 1, h)
        return total + F.cross_entropy(net.run(net.hidden, h), y)

    return loss


def lls(net):
    f = torch.linspace(50, 512, net.classes, dtype=torch.float64)[:, None]  # rad over the layer
    waves = [torch.sin(f * torch.arange(1, w + 1, dtype=torch.float64) / w) for w in net.widths[1:-1]]
    patterns = [torch.where(wave < 0, -1.0, 1.0) for wave in waves]

    def head(l, h, y):
        return F.cross_entropy(F.normalize(h) @ patterns[l].t(), y, label_smoothing=0.1)

    return layer_by_layer(net, head)


def sff(net, units=8):
    heads = [net.linear(net.classes * units, w) for w in net.widths[1:-1]]

    def head(l, h, y):
        goodness = F.linear(h, *heads[l]).view(len(h), net.classes, units).square().mean(2)
        return F.cross_entropy(goodness + (1 - one_hot(y, net.classes)), y)  # a margin of 1

    loss = layer_by_layer(net, head)
    return lambda x, y: loss(x, y, between=rms)


def ccl(net, strength=256, gain=0.25):
    down = [net.linear(a, b) for a, b in zip(net.widths[1:-1], net.widths[2:])]

    def loss(x, y):
        targets = [torch.eye(net.classes)]
        for w, b in reversed(down):
            targets.insert(0, net.f(F.linear(targets[0].detach(), w, b)))

        def head(l, h, y):
            apart = gain / math.sqrt(h.shape[1]) * (h @ targets[l].t()) - one_hot(y, net.classes)
            return strength / (2 * h.shape[1] * net.classes) * apart.square().sum(1).mean()

        return layer_by_layer(net, head)(x, y)

    return loss


def forward_forward(net, temperature=1.0, peer=0.03):
    heads = [net.linear(net.classes, w) for w in net.widths[2:-2]]
    means = [torch.full((w,), 0.5) for w in net.widths[1:-1]]

    def logits(x):
        x = x.clone()
        x[:, :net.classes] = 1 / net.classes
        h, all_ = rms(x), 0
        for l in range(net.hidden):
            with torch.no_grad():
                h = rms(net.run(l, h))
            if 0 < l < net.hidden - 1:
                all_ = all_ + F.linear(h, *heads[l - 1])
        return all_ + net.run(net.hidden, h)

    def loss(x, y):
        answer = logits(x)
        total = 10 * F.cross_entropy(answer, y)
        m = len(x)
        h = rms(torch.cat([overlay(x, y, net.classes, 1.0), overlay(x, wrong(y, net.classes, answer.detach()), net.classes, 1.0)]))
        sign = torch.cat([-torch.ones(m), torch.ones(m)])
        for l in range(net.hidden):
            a = torch.addmm(net.b[l], h, net.w[l].t())
            out = net.f(a)
            x_ = (out.square().sum(1) - out.shape[1]) / temperature
            total = total + temperature / 2 * F.softplus(sign * x_).sum() / m
            means[l] = 0.9 * means[l] + 0.1 * out[:m].detach().mean(0)
            total = total + (a[:m] * (-peer * (means[l].mean() - means[l]))).sum() / m
            h = rms(out.detach())
        decay = sum((w * w).sum() for w in net.w[:-1]) * 0.001 + (net.w[-1] ** 2).sum() * 0.015
        return total + decay + sum((w * w).sum() for w, _ in heads) * 0.015

    return loss


def phyll(net, theta=10.0):
    mixtures = [torch.randn(w, w) / math.sqrt(w) for w in net.widths[:-1]]
    zeta = [F.normalize(torch.randn(w), dim=0) for w in net.widths[1:]]

    def loss(x, y):
        m, total = len(x), 0
        h = torch.cat([overlay(x, y, net.classes, 4.0), overlay(x, wrong(y, net.classes), net.classes, 4.0)])
        for l in range(net.layers):
            h = net.run(l, net.f(rms(h) @ mixtures[l].t()))
            cosine = F.normalize(h) @ zeta[l]
            total = total + F.softplus(-theta * (cosine[:m] - cosine[m:])).mean()
            h = h.detach()
        return total

    return loss


def noprop(net, blocks=10):
    own = [[net.linear(o, i) for i, o in zip(net.widths, net.widths[1:])] for _ in range(blocks - 1)]
    labels = [net.linear(net.widths[1], net.classes)[0] for _ in range(blocks)]

    def loss(x, y):
        total = 0
        for t in range(blocks):
            s = math.sin(math.pi * t / (2 * blocks)) ** 2
            z = math.sqrt(s) * one_hot(y, net.classes) + math.sqrt(1 - s) * torch.randn(len(x), net.classes)
            layers = own[t] if t + 1 < blocks else list(zip(net.w, net.b))
            h = net.f(F.linear(x, *layers[0]) + z @ labels[t].t())
            for i, (w, b) in enumerate(layers[1:], 1):
                h = F.linear(h, w, b)
                h = net.f(h) if i < net.hidden else h
            total = total + F.cross_entropy(h, y)
        return total

    return loss


RULES = {
    "bp": local_rule(bp),
    "fa": chain(lambda w, fixed: fixed),
    "sign_symmetric": chain(lambda w, fixed: torch.sign(w) / math.sqrt(w.shape[1])),
    "dfa": broadcast(lambda e, y: e),
    "tdfa": ternary(0.1),
    "sdfa": broadcast(lambda e, y: torch.sign(e)),
    "drtp": broadcast(lambda e, y: one_hot(y, e.shape[1])),
    "adfa": broadcast(lambda e, y: e, gate=torch.cos),
    "pepita": pepita,
    "local": local_rule(local),
    "ff": local_rule(forward_forward),
    "sff": local_rule(sff),
    "ccl": local_rule(ccl, clip=1.0),
    "lls": local_rule(lls),
    "auglocal": local_rule(auglocal),
    "forward_gradient": forward_gradient,
    "node_perturbation": node_perturbation,
    "reinforce": reinforce,
    "spsa": spsa,
    "pepg": pepg,
    "noprop": local_rule(noprop),
    "phyll": local_rule(phyll),
}
OTHER_ANSWER = ("ff", "sff", "noprop", "phyll")  # not the plain softmax output of the net


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rule", choices=RULES, required=True)
    parser.add_argument("--data", required=True, help="folder with the four files of MNIST")
    parser.add_argument("--net", default="784-1024-1024-10")
    parser.add_argument("--activation", default="tanh", choices=SLOPE)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dead-zone", type=float, default=0.1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.set_grad_enabled(False)

    folder = pathlib.Path(options.data)
    images = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz", 8).long()
    test_images = read_idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    test_labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 8).long()
    net = Net([int(w) for w in options.net.split("-")], options.activation)
    teach = (ternary(options.dead_zone) if options.rule == "tdfa" else RULES[options.rule])(net)
    batch = 128
    per_epoch = math.ceil(len(images) / batch)
    steps = per_epoch * options.epochs
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 0.5 * (1 + math.cos(math.pi * k / steps)))

    elapsed = 0.0
    for _ in range(options.epochs):
        order = torch.randperm(len(images))
        start = time.perf_counter()
        for i in range(0, len(images), batch):
            rows = order[i:i + batch]
            teach(images[rows].float() / 255, labels[rows])
            optimiser.step()
            schedule.step()
        elapsed += time.perf_counter() - start
    accuracy = None
    if options.rule not in OTHER_ANSWER:
        answer = net.forward(test_images.float() / 255)[-1].argmax(1)
        accuracy = (answer == test_labels).float().mean().item()
    print(json.dumps({"rule": options.rule, "threads": options.threads,
                      "samples_per_second": options.epochs * len(images) / elapsed, "test_accuracy": accuracy}))


if __name__ == "__main__":
    main()
