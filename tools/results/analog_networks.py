#!/usr/bin/python3
"""Measures the networks on analog devices of docs/results.md: trained digitally and deployed, or trained on the device.

usage: /usr/bin/python3 analog_networks.py --lightloop PATH --data FOLDER [--work FOLDER] [--datasets digits,mnist]

One seed, one thread. Digital: bp, 784-128-10, tanh, 5 epochs (MNIST 3), two learning rates. On the device: `--layers DEVICE`, the same settings.
Both networks are then scored on six devices of other seeds than the one they were trained with: mean and standard deviation.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

DEVICES = ["sim:crossbar", "sim:crossbar,preset=pcm", "sim:crossbar,adc.bits=5,output_noise=0.5",
           "sim:crossbar,programming_error=0.15,read_noise=0.1"]
EPOCHS = {"digits": 5, "mnist": 3}
RATES = ("1e-3", "1e-2")
SEEDS = range(100, 700, 100)  # of the devices that score


def told(command, *words):
    done = subprocess.run([command, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def train(options, dataset, rate, device, out):
    if not out.exists():
        layers = ["--layers", device] if device else []
        told(options.lightloop, "train", "--dataset", dataset, "--data-dir", options.data, "--rule", "bp", "--net", "784-128-10",
             "--epochs", EPOCHS[dataset], "--lr", rate, "--threads", 1, "--alignment-every", 0, "--yes", "--json", "--quiet", "--out", out, *layers)
    return out


def score(options, run, device):
    """What `eval` says on each of the devices."""
    return [told(options.lightloop, "eval", run, "--data-dir", options.data, "--device", f"{device},seed={seed}", "--json")
            for seed in SEEDS]  # fmt: skip


def mean(scores):
    accuracies = [100 * score["test_accuracy"] for score in scores]
    return f"{statistics.mean(accuracies):.2f} ± {statistics.stdev(accuracies):.2f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work")
    parser.add_argument("--datasets", default="digits,mnist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(options.work or folder)
        work.mkdir(parents=True, exist_ok=True)
        print("| data | learning rate | device | digital | digital, deployed | trained on the device, deployed | µJ a sample | largest part |\n"
              "|---|---|---|---|---|---|---|---|")
        for dataset in options.datasets.split(","):
            for rate in RATES:
                digital = train(options, dataset, rate, "", work / f"{dataset}-{rate}.h5")
                for number, device in enumerate(DEVICES):
                    aware = train(options, dataset, rate, device, work / f"{dataset}-{rate}-{number}.h5")
                    deployed, adapted = (score(options, run, device) for run in (digital, aware))
                    parts = [p for p in deployed[0]["energy"] if p["component"] != "programming"]
                    most = max(parts, key=lambda p: p["joules"])
                    share = most["joules"] / sum(p["joules"] for p in parts)
                    print(f"| {dataset} | {rate} | `{device}` | {deployed[0]['digital_accuracy']:.2%} | {mean(deployed)} | "
                          f"{mean(adapted)} | {1e6 * deployed[0]['joules_per_sample']:.4f} | {most['component']} {share:.0%} |",
                          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
