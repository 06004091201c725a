#!/usr/bin/python3
"""Measures what each imperfection of a crossbar does to PEPITA, whose teaching signal is a small difference of two passes.

usage: /usr/bin/python3 pepita_devices.py --lightloop PATH --data FOLDER --work FOLDER [--seed 1] [--only NAME ...]

Fashion-MNIST, 784-256-256-10, first 20000 training samples, one epoch, the defaults of `lightloop train` and `lightloop rules`; the test
accuracy is that of the devices. `rule.shows` is input (both passes whole, as published) or change. Finished runs are kept in WORK. Two
minutes on an idle core.
"""
import argparse
import json
import pathlib
import subprocess

EXACT = {"preset": "ideal", "dac.bits": 16, "adc.bits": 16, "weight.bits": 16}
ALONE = {"dac.bits": 8, "adc.bits": 8, "weight.bits": 8, "programming_error": 0.038, "read_noise": 0.0175, "output_noise": 0.04}


def crossbar(settings):
    return ",".join(["sim:crossbar", *(f"{key}={value}" for key, value in settings.items())])


ROWS = {  # name: (title, device or None)
    "digital": ("in memory", None),
    "exact": ("crossbar of 16 bits, no noise", crossbar(EXACT)),
    **{key: (f"the same, {key} = {value}", crossbar({**EXACT, key: value})) for key, value in ALONE.items()},
    "default": ("all of these: `sim:crossbar`", "sim:crossbar"),
    **{name: (f"`preset={name}`", f"sim:crossbar,preset={name}") for name in ("ideal", "hwa", "pcm", "reram", "tile")},
}
KINDS = {"input": ["rule.shows=input"], "change": ["rule.shows=change"], "scale": ["rule.shows=input", "rule.scale=1"]}


def accuracy(options, name, kind):
    file = pathlib.Path(options.work) / f"pepita-{name}-{kind}-{options.seed}.json"
    if not file.exists():
        device = ROWS[name][1]
        command = [options.lightloop, "train", "--dataset", "fashion", "--data-dir", options.data, "--rule", "pepita", "--net", "784-256-256-10",
                   "--samples", "20000", "--epochs", "1", "--threads", "1", "--seed", str(options.seed),
                   *(["--layers", device] if device else []), *(word for value in KINDS[kind] for word in ("--set", value)),
                   "--json", "--quiet", "--yes", "--force", "--out", str(file.with_suffix(".h5"))]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        file.write_text(json.dumps(json.loads(done.stdout)["test_accuracy"]))
        file.with_suffix(".h5").unlink()
    return f"{100 * json.loads(file.read_text()):.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lightloop", default="lightloop")
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(ROWS), choices=list(ROWS))
    options = parser.parse_args()
    pathlib.Path(options.work).mkdir(parents=True, exist_ok=True)
    print("| layers | whole input % | change % | whole input, `rule.scale` = 1, % |\n|---|---|---|---|")
    for name in options.only:
        print(f"| {ROWS[name][0]} | {' | '.join(accuracy(options, name, kind) for kind in KINDS)} |", flush=True)


if __name__ == "__main__":
    main()
