#!/usr/bin/python3
"""Measures what a device in another process costs, and that it changes nothing: one epoch of MNIST with ternary DFA through
sim:opu and through `lightloop serve` over TCP, a UNIX socket and mutual TLS, in turn; then with the server and the client killed
in the middle; then a batch of 4 MB there and back against bare gRPC.

usage: /usr/bin/python3 remote.py --build BUILD --data FOLDER [--repeats 3] [--dataset mnist]

BUILD holds bin/lightloop and, with LIGHTLOOP_BENCHMARKS, tests/bench_driver; FOLDER holds mnist/ ($LIGHTLOOP_DATA).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETS = {"mnist": "784-1024-1024-10", "digits": "784-256-256-10"}


def words(options, device, out, *extra):
    return [str(options.build / "bin/lightloop"), "train", "--dataset", options.dataset, "--data-dir", str(options.data), "--net",
            NETS[options.dataset], "--rule", "tdfa", "--lr", "3e-3", "--batch", "128", "--epochs", "1", "--device", device, "--json",
            "--yes", "--quiet", "--set", "rule.dead_zone=0.1", "--set", "train.alignment_every=0", "--out", str(out), *extra]


def train(options, device, folder, *extra):
    with tempfile.TemporaryDirectory(dir=folder) as own:
        begin = time.monotonic()
        done = subprocess.run(words(options, device, f"{own}/run.h5", *extra), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        return {**json.loads(done.stdout), "wall": time.monotonic() - begin}


def epochs(options, folder, served):
    papers = served.certificates(folder)
    servers = {"TCP": served.Serve(folder, "--device", "sim:opu"),
               "UNIX socket": served.Serve(folder, "--device", "sim:opu", listen=f"unix:{folder}/s"),
               "mutual TLS": served.Serve(papers, "--device", "sim:opu", *served.SECURE)}
    devices = {"in the process": "sim:opu"} | {
        way: f"remote:{server.address}/opu0{served.secure(papers) if way == 'mutual TLS' else ''}" for way, server in servers.items()}
    runs = {way: [] for way in devices}
    for _ in range(options.repeats):
        for way, device in devices.items():
            runs[way].append(train(options, device, folder))
    for server in servers.values():
        server.end()
    here = runs["in the process"]
    print("| one epoch through | seconds of training (median; all) | over in-process (median of pairs; all) | goal | weights |\n"
          "|---|---|---|---|---|")
    for way, some in runs.items():
        seconds = [run["train_seconds"] for run in some]
        ratios = [a["train_seconds"] / b["train_seconds"] for a, b in zip(some, here)]
        same = {run["weights_sha256"] for run in some} == {here[0]["weights_sha256"]}
        print(f"| {way} | {statistics.median(seconds):.1f} ({', '.join(f'{s:.1f}' for s in seconds)}) "
              f"| {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)}) "
              f"| {'-' if some is here else '≤ 1.3'} | {here[0]['weights_sha256'][:12] if same else 'DIFFERENT'} |", flush=True)
    return here[0]["weights_sha256"]


def killed(options, folder, served, expected):
    """The server, then the client, by kill -9 in the middle of the epoch."""
    for victim in ("server", "client"):
        run = pathlib.Path(folder) / f"{victim}.h5"
        server = served.Serve(folder, "--device", "sim:opu")
        port = server.address.rpartition(":")[2]
        training = subprocess.Popen(words(options, f"remote:{server.address}/opu0", run, "--checkpoint-every", "50"),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not run.exists():
            assert training.poll() is None, training.communicate()[1]
            time.sleep(0.01)
        (server.process if victim == "server" else training).kill()
        if victim == "server":
            server.process.wait()
            server = served.Serve(folder, "--device", "sim:opu", listen=f"127.0.0.1:{port}")
        out, errors = training.communicate(timeout=600)
        how = "went on by itself"
        if training.returncode:
            how = "ended with exit code 3, went on with --resume" if victim == "server" else "went on with --resume"
            done = subprocess.run([str(options.build / "bin/lightloop"), "train", "--resume", str(run), "--json", "--quiet"],
                                  capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            out = done.stdout
        server.end()
        same = json.loads(out)["weights_sha256"] == expected
        print(f"kill -9 of the {victim} in the middle of the epoch: {how}; {'the same' if same else 'DIFFERENT'} weights", flush=True)


def batches(options):
    bench = options.build / "tests/bench_driver"
    if not bench.exists():
        print("4 MB there and back: not measured (bench_driver is not built)")
        return
    done = subprocess.run([bench, "--benchmark_filter=(remote_batch|bare_stream)", "--benchmark_format=json",
                           f"--benchmark_repetitions={max(options.repeats, 3)}", "--benchmark_report_aggregates_only=true"],
                          capture_output=True, text=True, check=True)
    time_of = {b["run_name"]: b["real_time"] for b in json.loads(done.stdout)["benchmarks"] if b.get("aggregate_name") == "median"}
    print("| bytes each way | transport | through remote: | bare gRPC | ratio | goal |\n|---|---|---|---|---|---|")
    for size in (4096, 131072, 4194304):
        for local, transport in ((0, "TCP"), (1, "UNIX socket")):
            ours, bare = (time_of[f"{name}/unix:{local}/bytes:{size}/real_time"] for name in ("remote_batch", "bare_stream"))
            print(f"| {size} | {transport} | {ours:.0f} µs | {bare:.0f} µs | {ours / bare:.2f} | {'≤ 3' if size > 1e6 else '-'} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("LIGHTLOOP_DATA"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dataset", choices=NETS, default="mnist")
    options = parser.parse_args()
    options.build = options.build.resolve()
    os.environ["LIGHTLOOP_BUILD"] = str(options.build)
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    import served  # servers and certificates as the tests have them

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        expected = epochs(options, folder, served)
        print()
        killed(options, folder, served, expected)
    print()
    batches(options)


if __name__ == "__main__":
    main()
