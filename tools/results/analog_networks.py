#!/usr/bin/python3
"""Measures the networks on analog devices of docs/results.md: trained digitally and deployed, or trained on the device.

usage: /usr/bin/python3 analog_networks.py --lightloop PATH --data FOLDER [--work FOLDER] [--datasets digits,mnist]

One seed, one thread. Digital: bp, 784-128-10, tanh, 5 epochs (MNIST 3). On the device: `--layers DEVICE`, the same settings.
Both networks are then scored on devices of another seed than the one they were trained with.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

DEVICES = ["sim:crossbar", "sim:crossbar,preset=pcm", "sim:crossbar,adc.bits=5,output_noise=0.5",
           "sim:crossbar,programming_error=0.15,read_noise=0.1"]
EPOCHS = {"digits": 5, "mnist": 3}


def told(command, *words):
    done = subprocess.run([command, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def train(options, dataset, device, out):
    if not out.exists():
        layers = ["--layers", device] if device else []
        told(options.lightloop, "train", "--dataset", dataset, "--data-dir", options.data, "--rule", "bp", "--net", "784-128-10",
             "--epochs", EPOCHS[dataset], "--threads", 1, "--alignment-every", 0, "--yes", "--json", "--quiet", "--out", out, *layers)
    return out


def score(options, run, device):
    return told(options.lightloop, "eval", run, "--data-dir", options.data, "--device", f"{device},seed=100", "--json")


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
        print("| data | device | digital | digital, deployed | trained on the device, deployed | µJ a sample | largest part |\n"
              "|---|---|---|---|---|---|---|")
        for dataset in options.datasets.split(","):
            digital = train(options, dataset, "", work / f"{dataset}.h5")
            for number, device in enumerate(DEVICES):
                aware = train(options, dataset, device, work / f"{dataset}-{number}.h5")
                deployed, adapted = (score(options, run, device) for run in (digital, aware))
                parts = [p for p in deployed["energy"] if p["component"] != "programming"]
                most = max(parts, key=lambda p: p["joules"])
                share = most["joules"] / sum(p["joules"] for p in parts)
                print(f"| {dataset} | `{device}` | {deployed['digital_accuracy']:.2%} | {deployed['test_accuracy']:.2%} | "
                      f"{adapted['test_accuracy']:.2%} | {1e6 * deployed['joules_per_sample']:.4f} | "
                      f"{most['component']} {share:.0%} |", flush=True)


if __name__ == "__main__":
    main()
