#!/usr/bin/python3
"""Measures where the dead zone of ternary DFA may lie, and what a bad one does.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 dead_zone.py --data FOLDER --work FOLDER [--seeds 3]

MNIST, 784-1024-1024-classes tanh, Adam 1e-3 with cosine decay, batch 128, two epochs, with all ten digits and with the first five; the
first 12000 training samples teach, the last 10000 are scored, those of other digits left out; the test set is not looked at. The second
table is of the same net in PyTorch (torch_rules.py, one seed), so that the signal can be changed: `in common` is the part of the first
batch's ternary errors that all samples share, |mean|^2 over the mean of |T(e)|^2, and `centred` takes the mean off in every batch. What is
measured is kept in WORK. Three minutes on an idle core.
"""
import argparse
import json
import math
import pathlib
import statistics

import lightloop as ll
import torch
import torch_rules

PARTS = (0, 0.5, 1, 1.5, 2, 3, 5)
BATCH, EPOCHS, RATE = 128, 2, 1e-3


def halves(options, classes):
    samples, _ = ll.load_dataset("mnist", options.data)
    x, y = samples.features(), samples.y
    return [(x[i][y[i] < classes], y[i][y[i] < classes]) for i in (slice(12000), slice(50000, None))]


def accuracy(options, classes, part, seed):
    run = ll.train(halves(options, classes), "tdfa", net=f"784-1024-1024-{classes}", epochs=EPOCHS, batch=BATCH, lr=RATE, seed=seed, threads=1,
                   progress=False, alignment_every=0, **{"rule.dead_zone": part / classes})  # fmt: skip
    return 100 * run.test_accuracy


def in_torch(options, classes, dead_zone, centred):
    """The part in common at the start, the part of the second layer's units beyond +-0.95 at the end, accuracy."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    (x, y), (test_x, test_y) = [(torch.from_numpy(x).float(), torch.from_numpy(y).long()) for x, y in halves(options, classes)]
    net = torch_rules.Net([784, 1024, 1024, classes], "tanh")
    common = []

    def signal(e, _):
        t = (e > dead_zone).float() - (e < -dead_zone).float()
        common.append((t.mean(0).square().sum() / t.square().sum(1).mean()).item())
        return t - t.mean(0) if centred else t

    step = torch_rules.broadcast(signal)(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    steps = EPOCHS * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 0.5 * (1 + math.cos(math.pi * k / steps)))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            step(x[rows], y[rows])
            optimiser.step()
            schedule.step()
    h = net.forward(test_x)
    return [100 * value for value in (common[0], (h[2].abs() > 0.95).float().mean().item(), (h[-1].argmax(1) == test_y).float().mean().item())]


def kept(options, measure, *arguments):
    file = pathlib.Path(options.work) / ("-".join(["dead-zone", measure.__name__, *map(str, arguments)]) + ".json")
    if not file.exists():
        file.write_text(json.dumps(measure(options, *arguments)))
    return json.loads(file.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)
    print(f"| dead zone x classes | {' | '.join(f'{part:g}' for part in PARTS)} |\n|{'---|' * (len(PARTS) + 1)}")
    for classes in (10, 5):
        cells = []
        for part in PARTS:
            found = [kept(options, accuracy, classes, part, seed) for seed in range(1, options.seeds + 1)]
            cells.append(f"{statistics.mean(found):.1f}" + (f" ± {statistics.stdev(found):.1f}" if len(found) > 1 else ""))
        print(f"| accuracy %, {classes} classes | {' | '.join(cells)} |", flush=True)
    print("\n| classes | dead zone | in common % | saturated units % | accuracy % |\n|---|---|---|---|---|")
    for classes, dead_zone, centred in ((10, 0.0, False), (10, 0.1, False), (10, 0.1, True), (10, 0.2, False), (5, 0.2, False)):
        common, saturated, right = kept(options, in_torch, classes, dead_zone, centred)
        print(f"| {classes} | {dead_zone:g}{', centred' * centred} | {common:.0f} | {saturated:.0f} | {right:.1f} |", flush=True)


if __name__ == "__main__":
    main()
