#!/usr/bin/python3
"""Measures the kernel rows of docs/results.md from the JSON of the benchmarks (build with -DLIGHTLOOP_BENCHMARKS=ON).

usage: /usr/bin/python3 kernels.py --benchmarks FOLDER     the folder that holds bench_core and bench_devices
"""
import argparse
import json
import pathlib
import subprocess

GOAL = 0.9


def measured(program, pattern):
    """name -> the record of every benchmark whose name matches."""
    words = [program, f"--benchmark_filter={pattern}", "--benchmark_format=json"]
    text = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return {record["name"]: record for record in json.loads(text)["benchmarks"]}


def product(name):
    """product/m:128/n:1024/k:784/at:0/bt:1 as (128×784)(784×1024)ᵀ."""
    part = dict(piece.split(":") for piece in name.split("/") if ":" in piece)
    return (f"({part['m']}×{part['k']}){'ᵀ' * int(part['at'])}({part['k']}×{part['n']}){'ᵀ' * int(part['bt'])}")


def gemm(core):
    print("`gemm` against one direct call of OpenBLAS (`bench_core`, time of one thread; above 1 is faster than OpenBLAS; ᵀ: the "
          "factor lies transposed in memory):\n")
    print(f"| product | OpenBLAS / ours (goal ≥ {GOAL}) | GFLOP/s | one thread / all threads |\n|---|---|---|---|")
    for name, record in measured(core, "^product").items():
        missed = " missed" if record["vs_cblas"] < GOAL else ""
        print(f"| {product(name)} | {record['vs_cblas']:.2f}{missed} | {record['gflops']:.1f} | {record['threads_gain']:.2f} |")


def opu(devices):
    print("\nThe dense |Hx|² of the simulated unit over the bare matrix product it contains (`bench_devices`, thread time; twin: "
          "real-valued inputs):\n")
    print("| inputs × pixels | device / product (goal ≤ 1.25) | twin / product (goal ≤ 1.25) |\n|---|---|---|")
    for name, record in measured(devices, "^against_gemm").items():
        size = " × ".join(name.split("/")[1:3])
        print(f"| {size} | {record['device/gemm']:.2f} | {record['twin/gemm']:.2f} |")


def normals(core):
    ours, theirs = (record["items_per_second"] for record in measured(core, "^normal(_std)?$").values())
    print(f"\nFilling normals: {ours / 1e6:.0f} M/s, {ours / theirs:.1f} times `std::normal_distribution` (goals: 300 M/s, 10 times).")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmarks", required=True, type=pathlib.Path)
    options = parser.parse_args()
    gemm(options.benchmarks / "bench_core")
    opu(options.benchmarks / "bench_devices")
    normals(options.benchmarks / "bench_core")


if __name__ == "__main__":
    main()
