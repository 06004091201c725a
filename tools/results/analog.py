#!/usr/bin/python3
"""Measures the analog rows of docs/results.md from the JSON of the benchmarks (build with -DLIGHTLOOP_BENCHMARKS=ON).

usage: /usr/bin/python3 analog.py --benchmarks FOLDER     the folder that holds bench_core and bench_together
"""
import argparse
import pathlib

from kernels import measured

GOALS = {("1", "0"): 1.5, ("64", "0"): 1.2, ("1024", "0"): 1.15, ("1024", "1"): 5.0}


def parts(name):
    return dict(piece.split(":") for piece in name.split("/") if ":" in piece)


def layers(program):
    print("| physics | batch | device / product | layer / product | goal |\n|---|---|---|---|---|")
    for name, record in measured(program, "^analog_layer").items():
        part = parts(name)
        goal = GOALS.get((part["batch"], part["hwa"]))
        missed = " missed" if goal and record["device_vs_gemm"] > goal else ""
        print(f"| {'hwa' if part['hwa'] == '1' else 'tile'} | {part['batch']} | {record['device_vs_gemm']:.2f}{missed} | "
              f"{record['layer_vs_gemm']:.2f} | {'≤ ' + str(goal) if goal else '–'} |")


def meshes(program):
    print("\n| layout | N | decomposition / rotations (goal ≤ 3 for Clements) | ms |\n|---|---|---|---|")
    for name, record in measured(program, "^decomposition").items():
        part = parts(name)
        missed = " missed" if part["reck"] == "0" and record["vs_rotations"] > 3 else ""
        print(f"| {'Reck' if part['reck'] == '1' else 'Clements'} | {part['n']} | {record['vs_rotations']:.2f}{missed} | "
              f"{record['ms']:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", required=True, type=pathlib.Path)
    folder = parser.parse_args().benchmarks
    layers(folder / "bench_together")
    meshes(folder / "bench_core")


if __name__ == "__main__":
    main()
