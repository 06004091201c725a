#!/usr/bin/python3
"""Reservoirs: the delay laser against detector noise, capacities against rank, tasks against their baselines, speed.

usage: PYTHONPATH=build/python LIGHTLOOP_DATA=FOLDER /usr/bin/python3 tools/results/reservoir.py [section ...]

Sections: santa_fe channel capacity tasks chaos speed. Prints the tables of docs/results.md; a few minutes on one core.
"""
import math
import sys
import time

import numpy as np

import lightloop as ll

ll.set_threads(1)
RIDGES = [10.0**k for k in range(-12, 1)]
# The operating point of the reference rows: pump at threshold, feedback 15 /ns, injection 20 /ns, 20 ps per node.
POINT = {"laser.pump": 1.0, "feedback.rate_per_s": 15e9, "injection.rate_per_s": 20e9}
DELAYS = (100, 50, 15, 8, 6, 5, 4)  # windows of the products of degree 1 to 7
CLEAN = {"laser.spontaneous": 0.0, "detector.noise": 0.0, "dac.bits": 16, "adc.bits": 16, "adc.range": 0.5}


def laser(nodes, seed=1, bias=0.0, scaling=1.0, **settings):
    text = ",".join(f"{k}={v!r}" for k, v in {**POINT, **CLEAN, **settings}.items())
    return ll.Reservoir(nodes, device="sim:delay_vcsel," + text, seed=seed, input_scaling=scaling, bias=bias)


def noise_for(nodes, inputs, snr_db, **options):
    """detector.noise (sd over the ADC's range) for a signal-to-noise ratio: sd of all noise-free states over that of the noise."""
    states = laser(nodes, **options).bound_to(inputs).run(inputs[:1000])
    return float(states.std()) * 10 ** (-snr_db / 20)


def santa_fe():
    print("| spontaneous emission | detector SNR | Santa Fe NMSE | consistency | Θ of 200 | noise-aware dimension | PCA 99 % | memory capacity |")
    print("|---|---|---|---|---|---|---|---|")
    task = ll.tasks.santa_fe()
    u = np.random.default_rng(1).uniform(-1, 1, (3100, 1))
    for b, snr in ((0, None), (1e-5, None), (1e-4, None), (1e-3, None), (0, 40), (0, 30), (0, 20)):
        noise = noise_for(200, task.inputs, snr) if snr else 0.0
        model = laser(200, **{"laser.spontaneous": b, "detector.noise": noise})
        score = ll.tasks.evaluate(task, model, ridges=RIDGES)
        bound = model.bound_to(u)
        repeats = []
        for _ in range(4):
            bound.reset()
            repeats.append(bound.run(u)[100:])
        repeats = np.stack(repeats)
        dim = ll.metrics.dimensionality(repeats)
        memory = ll.metrics.memory_capacity(repeats[0], u[100:, 0], last_delay=60)
        print(f"| {b:g} | {'∞' if snr is None else f'{snr} dB'} | {score:.4f} | {ll.metrics.consistency(repeats):.4f} "
              f"| {ll.metrics.consistency_capacity(repeats):.1f} | {dim:.0f} | {dim.detail['pca99'][0]:.0f} | {memory:.2f} |", flush=True)
    print(f"\nLinear baselines: AR(8) {score.baseline:.3f}, persistence "
          f"{ll.metrics.nmse(task.targets[3100:4100], task.inputs[3100:4100]):.3f}.\n")


def channel():
    print("| SNR of the channel | reservoir, N = 200 | 10-tap linear filter |")
    print("|---|---|---|")
    for snr in (12, 16, 20, 24, 28, 32):
        task = ll.tasks.channel(snr_db=float(snr))
        score = ll.tasks.evaluate(task, laser(200), ridges=RIDGES)
        print(f"| {snr} dB | {score:.2e} | {score.baseline:.2e} |", flush=True)
    print()


def capacity():
    print("| operating point | rank | total | total / rank | degrees 1 to 7 | unthresholded minus rank | bias expected | directions above the converter: number, total, ratio |")
    print("|---|---|---|---|---|---|---|---|")
    u = np.random.default_rng(2).uniform(-1, 1, (40200, 1))
    for name, change in (("pump 1.0, feedback 15 /ns", {}), ("pump 0.9, feedback 30 /ns", {"laser.pump": 0.9, "feedback.rate_per_s": 30e9}),
                         ("pump 1.0, feedback 5 /ns", {"feedback.rate_per_s": 5e9}),
                         ("pump 1.0, feedback 15 /ns, b 1e-5, 30 dB", None)):  # fmt: skip
        noisy = change is None
        settings = {"laser.spontaneous": 1e-5, "detector.noise": noise_for(50, u, 30)} if noisy else change
        x = laser(50, **settings).bound_to(u).run(u)[200:]
        found = ll.metrics.information_processing_capacity(x, u[200:, 0], delays=DELAYS, tolerance=1e-5)
        d = found.detail
        clear = ll.metrics.information_processing_capacity(x, u[200:, 0], delays=DELAYS, tolerance=above_converter(x))
        n = clear.detail["rank"][0]
        print(f"| {name} | {d['rank'][0]:.0f} | {found:.2f} | {found / d['rank'][0]:.3f} | "
              f"{', '.join(f'{c:.1f}' for c in d['degree'])} | {d['unthresholded'][0] - d['rank'][0]:.1f} | {d['bias'][0]:.1f} | "
              f"{n:.0f}, {clear:.2f}, {clear / n:.3f} |", flush=True)
    print()


def above_converter(states, bits=16, times=3):
    """Tolerance of the rank that leaves out directions with less than `times` the standard deviation of rounding to codes."""
    largest = np.linalg.norm(states - states.mean(0), 2) / math.sqrt(len(states))
    return times / (2**bits - 1) / math.sqrt(12) / float(largest)


def tasks():
    print("| task | score | linear baseline | delay laser, N = 200 | echo-state network, N = 200 |")
    print("|---|---|---|---|---|")
    for name in ll.tasks.names():
        task = ll.tasks.make(name)
        k = task.inputs.shape[1]
        model = laser(200, scaling=1.0 if k == 1 else 0.8)
        net = ll.ESN(200, sr=0.9, bias=0.3, input_scaling=0.5 if k == 1 else 1 / math.sqrt(k), seed=1)
        light, digital = (ll.tasks.evaluate(task, m, ridges=RIDGES) for m in (model, net))
        kind = "NMSE" if task.score == "nmse" else "error rate"
        print(f"| {name} | {kind} | {light.baseline:.3g} | {light:.3g} | {digital:.3g} |", flush=True)
    print()


def chaos():
    print("| system | reservoir | forcing | valid time (Lyapunov times; median of 10 starts) | state-space divergence (nats) | spectrum distance | λ₁ generated, recorded truth |")
    print("|---|---|---|---|---|---|---|")
    task = ll.tasks.lorenz63(train=8000, test=8000)
    series = task.inputs
    cut = task.washout + task.train
    for forcing in (1.0, 0.9):
        net = ll.ESN(300, sr=0.8, bias=0.5, input_scaling=0.5, rc_connectivity=0.05, seed=2).bound_to(series[:cut])
        readout = ll.tasks.train_closed_loop(net, series[:cut], forcing=forcing, squares=True, ridge=1e-8)
        report("Lorenz 63", "echo-state network, N = 300", forcing, task, net, readout, cut)


def report(system, name, forcing, task, machine, readout, cut):
    series, squares = task.inputs, readout.weights.shape[0] > machine.nodes
    times = []
    for i in range(10):
        at = cut + 400 * i
        run = ll.tasks.free_run(machine, readout, series[at - 200 : at], 1000, squares=squares)
        times.append(float(ll.metrics.valid_prediction_time(series[at : at + 1000], run, step=task.step, exponent=task.exponent)))
    truth = series[cut:]
    run = ll.tasks.free_run(machine, readout, series[cut - 200 : cut], len(truth), squares=squares)
    exponents = [ll.metrics.series_lyapunov(x[:4000], step=task.step, theiler=50, fit=60) for x in (run, truth)]
    print(f"| {system} | {name} | {forcing:g} | {np.median(times):.1f} | {ll.metrics.state_space_divergence(truth, run):.2f} "
          f"| {ll.metrics.power_spectrum_distance(truth, run):.3f} | {exponents[0]:.2f}, {exponents[1]:.2f} |", flush=True)


def speed():
    import scipy.sparse

    print("| nodes | connections | ours, µs per step | numpy and scipy.sparse, float64 | the same, float32 |")
    print("|---|---|---|---|---|")
    for nodes, share in ((100, 0.1), (1000, 0.1), (5000, 0.002)):
        net = ll._core.EchoState(nodes, 1, connectivity=share)
        u = np.random.default_rng(0).uniform(-1, 1, (2000, 1))
        rows = [[], [], []]
        for _ in range(5):  # in turn, so that other work on the machine meets all alike
            start = time.process_time()
            net.run(u)
            rows[0].append(time.process_time() - start)
            for which, dtype in ((1, np.float64), (2, np.float32)):
                w, win, x = scipy.sparse.csr_matrix(net.W.astype(dtype)), net.Win[:, 0].astype(dtype), np.zeros(nodes, dtype)
                states = np.empty((len(u), nodes), dtype)
                start = time.process_time()
                for t in range(len(u)):
                    x = np.tanh(w @ x + win * dtype(u[t, 0]))
                    states[t] = x
                rows[which].append(time.process_time() - start)
        ours, double, single = (1e6 * np.median(r) / len(u) for r in rows)
        print(f"| {nodes} | {int(share * nodes * nodes)} | {ours:.1f} | {double:.1f} ({double / ours:.1f} ×) | {single:.1f} ({single / ours:.1f} ×) |", flush=True)
    print()


if __name__ == "__main__":
    for section in sys.argv[1:] or ["santa_fe", "channel", "capacity", "tasks", "chaos", "speed"]:
        {f.__name__: f for f in (santa_fe, channel, capacity, tasks, chaos, speed)}[section]()
