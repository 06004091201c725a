#!/usr/bin/python3
"""Measures the table of read-outs of mirrors in docs/results.md: Boolean masks behind an echo-state network on Mackey-Glass.

usage: PYTHONPATH=BUILD/python /usr/bin/python3 tools/results/masks.py

NMSE of the training rows. The greedy optimum flips the value that helps most until none helps, from uniformly drawn masks (seeds 1 to
20): where greedy trials end, found by knowing all of the states. Learned masks are only shown the loss of what they try.
"""
import numpy as np

import lightloop as ll

NODES, STARTS, SEEDS = 100, range(1, 21), range(1, 6)
WAYS = {"greedy, 3000 trials": dict(flips=1, trials=3000), "8 flips falling to 1, 3000 trials": dict(flips=8, trials=3000),
        "8 flips falling to 1, 10 000 trials": dict(flips=8, trials=10000)}


class Loss:
    """NMSE of the best gain and offset behind masks: 1 - (c m)^2 / (m C m var y)."""

    def __init__(self, states, targets):
        self.covariance = np.cov(states.T, bias=True)
        self.across = (states - states.mean(0)).T @ (targets - targets.mean()) / len(targets)
        self.power = targets.var()

    def __call__(self, masks):
        own = np.einsum("ij,ij->i", masks @ self.covariance, masks)
        return 1 - (masks @ self.across) ** 2 / np.where(own > 0, own, np.inf) / self.power


def greedy_optimum(loss, seed):
    mask = np.random.default_rng(seed).integers(0, 2, NODES).astype(float)
    best = loss(mask[None])[0]
    while True:
        flipped = np.where(np.eye(NODES, dtype=bool), 1 - mask, mask)
        errors = loss(flipped)
        if errors.min() >= best:
            return best
        mask, best = flipped[errors.argmin()], errors.min()


def row(name, values):
    print(f"| {name} | {len(values)} | {np.mean(values):.4f} ± {np.std(values, ddof=1):.4f} | {min(values):.4f} |")


def main():
    task = ll.tasks.mackey_glass()
    rows = slice(task.washout, task.washout + task.train)
    states, targets = np.asarray(ll.tasks.states(task, ll.ESN(units=NODES)))[rows], np.asarray(task.targets)[rows].ravel()
    loss = Loss(states, targets)
    print("| mask | runs | NMSE | best |\n|---|---|---|---|")
    row("the greedy optimum", [greedy_optimum(loss, seed) for seed in STARTS])
    for name, way in WAYS.items():
        row(name, [loss(ll.MaskReadout(ternary=False, seed=seed, **way).fit(states, targets).masks_.astype(float))[0] for seed in SEEDS])


if __name__ == "__main__":
    main()
