#!/usr/bin/python3
"""Measures what a session costs beside the device itself, and what it is worth that training works while the device does.

usage: /usr/bin/python3 session.py --benchmarks FOLDER

FOLDER holds bench_driver and bench_together (LIGHTLOOP_BENCHMARKS).
"""
import argparse
import json
import pathlib
import subprocess


def run(binary, which, repetitions):
    done = subprocess.run([binary, f"--benchmark_filter={which}", "--benchmark_format=json", f"--benchmark_repetitions={repetitions}"],
                          stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["benchmarks"]


def medians(found):
    return {one["run_name"]: one for one in found if one.get("aggregate_name") == "median"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmarks", type=lambda p: pathlib.Path(p).resolve(), required=True)
    folder = parser.parse_args().benchmarks
    time_of = medians(run(folder / "bench_driver", "^(device_alone|session_)", 5))
    seconds = lambda name, case: time_of[f"{name}/{case}/real_time"]["real_time"]  # noqa: E731  (one line, said once)
    print("| one call | device alone | through a session | with a deadline | ratio |\n|---|---|---|---|---|")
    for case, words in (("64/1", "1 frame of 64 codes"), ("4096/1024", "1024 frames of 4096 codes (4 MB)")):
        alone, session, late = (seconds(name, case) / 1e3 for name in ("device_alone", "session_run", "session_run_with_deadline"))
        print(f"| {words} | {alone:.2f} µs | {session:.2f} µs | {late:.2f} µs | {session / alone:.2f} |")
    print("\n| net | gradient of a batch, overlapped | waiting for the device | ratio |\n|---|---|---|---|")
    for name, one in medians(run(folder / "bench_together", "^overlap/", 3)).items():
        classes = name.split("classes:")[1].split("/")[0]
        print(f"| 784-1024-1024-{classes} | {one['overlapped_ms']:.1f} ms | {one['waiting_ms']:.1f} ms | {one['ratio']:.3f} |")
    print("\n| net | digital part alone | device | overlapped | waiting for the device | ratio |\n|---|---|---|---|---|---|")
    for name, one in medians(run(folder / "bench_together", "overlap_of_equals", 3)).items():
        classes, device = (name.split(f"{word}:")[1].split("/")[0] for word in ("classes", "device_ms"))
        print(f"| 16-1024-{classes} | {one['digital_ms']:.1f} ms | {device} ms | {one['overlapped_ms']:.1f} ms "
              f"| {one['waiting_ms']:.1f} ms | {one['ratio']:.3f} |")
    print("\n| digital part of a step alone | device | step with a delay | waiting for the device | ratio | over the longer of the two |"
          "\n|---|---|---|---|---|---|")
    for name, one in medians(run(folder / "bench_together", "^pipeline/", 3)).items():
        device = name.split("device_ms:")[1].split("/")[0]
        print(f"| {one['digital_ms']:.1f} ms | {device} ms | {one['pipelined_ms']:.1f} ms | {one['waiting_ms']:.1f} ms | {one['ratio']:.3f} "
              f"| {one['over_longest']:.3f} |")


if __name__ == "__main__":
    main()
