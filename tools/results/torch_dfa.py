#!/usr/bin/python3
"""The same updates written with torch tensors and torch.optim.Adam, timed like `lightloop train`.

usage: /usr/bin/python3 torch_dfa.py --rule bp|dfa|tdfa --data FOLDER [--threads N] [--epochs N]

784-1024-1024-10 tanh, W ~ N(0, 1/fan_in), b = 0, softmax cross-entropy, Adam 1e-3 with cosine decay to 0, batch 128,
pixels in [0, 1] kept as bytes and converted per batch, one fixed feedback matrix shared by the hidden layers, evaluation left
out of the timing. Prints one JSON line: rule, threads, samples_per_second, test_accuracy.
"""
import argparse
import gzip
import json
import math
import pathlib
import time

import numpy
import torch


def read_idx(path, header):
    return torch.from_numpy(numpy.frombuffer(gzip.open(path).read(), numpy.uint8)[header:].copy())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rule", choices=["bp", "dfa", "tdfa"], default="dfa")
    parser.add_argument("--data", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    folder = pathlib.Path(options.data)
    images = read_idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(folder / "train-labels-idx1-ubyte.gz", 8).long()
    test_images = read_idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    test_labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 8).long()

    widths = [784, 1024, 1024, 10]
    weights = [torch.randn(o, i) / math.sqrt(i) for i, o in zip(widths, widths[1:])]
    biases = [torch.zeros(o) for o in widths[1:]]
    parameters = weights + biases
    if options.rule == "bp":
        for p in parameters:
            p.requires_grad_(True)
    feedback = torch.randn(10, 1024) / math.sqrt(10)
    batch, steps = 128, len(images) // 128 * options.epochs
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 0.5 * (1 + math.cos(math.pi * k / steps)))

    def forward(x):
        h1 = torch.tanh(torch.addmm(biases[0], x, weights[0].t()))
        h2 = torch.tanh(torch.addmm(biases[1], h1, weights[1].t()))
        return h1, h2, torch.addmm(biases[2], h2, weights[2].t())

    def step(x, y):
        if options.rule == "bp":
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(forward(x)[2], y).backward()
            return
        with torch.no_grad():
            h1, h2, logits = forward(x)
            error = torch.softmax(logits, 1)
            error[torch.arange(len(y)), y] -= 1
            signal = error
            if options.rule == "tdfa":
                signal = (error > 0.1).float() - (error < -0.1).float()
            projected = signal @ feedback
            deltas = [projected * (1 - h1 * h1), projected * (1 - h2 * h2), error]
            for k, (delta, h) in enumerate(zip(deltas, [x, h1, h2])):
                weights[k].grad = delta.t() @ h / len(y)
                biases[k].grad = delta.mean(0)

    elapsed = 0.0
    for _ in range(options.epochs):
        order = torch.randperm(len(images))
        start = time.perf_counter()
        for i in range(0, len(images) - batch + 1, batch):
            rows = order[i:i + batch]
            step(images[rows].float() / 255, labels[rows])
            optimiser.step()
            schedule.step()
        elapsed += time.perf_counter() - start
    with torch.no_grad():
        accuracy = (forward(test_images.float() / 255)[2].argmax(1) == test_labels).float().mean().item()
    print(json.dumps({"rule": options.rule, "threads": options.threads, "samples_per_second": steps * batch / elapsed,
                      "test_accuracy": accuracy}))


if __name__ == "__main__":
    main()
