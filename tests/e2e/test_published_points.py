"""Published accuracies of analog networks that are reproduced on MNIST, with the data of $LIGHTLOOP_DATA.

The goal is one point. What is missed stands in docs/results.md and is not asserted: the steep part of GridNet's curve point by point,
AnalogVNN at p 16 with leakage 0.8 and at p 4, 90 % at 0.64 and 99 % at 3.2 photons. In the small, tests/e2e/test_papers.py has the first two.
"""

import importlib.util
import statistics

import numpy as np
import pytest
from e2e import BUILD, DATA, ROOT, needs, slow

GOAL = 1.0  # points
HAS_MNIST = needs("mnist", "train-images-idx3-ubyte.gz")


def mean_and_error(accuracies):
    """The mean and its standard error."""
    n = len(accuracies)
    return statistics.mean(accuracies), (statistics.stdev(accuracies) / n**0.5 if n > 1 else 0.0)


@pytest.fixture
def photons(monkeypatch):
    if not (BUILD / "python" / "lightloop" / "__init__.py").exists():
        pytest.skip("the Python package is not built")
    spec = importlib.util.spec_from_file_location("photons", ROOT / "tools" / "results" / "photons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@HAS_MNIST
@pytest.mark.parametrize("trained, tested", [(10000, 1000), pytest.param(60000, 10000, marks=slow("two minutes"))])
def test_the_knee_lies_between_0_64_and_3_2_photons_per_product(photons, trained, tested):
    folder = photons.pathlib.Path(DATA, "mnist")
    weights = photons.train(*(part[:trained] for part in photons.images(folder, "train")), 1000)
    x, labels = (part[:tested] for part in photons.images(folder, "t10k"))

    def right(multiply):
        return photons.forward(x, weights, multiply)[1].argmax(1) == labels

    exact = right(photons.in_memory)
    lost, error = {}, {}
    for n in (0.1, 0.39, 0.64, 3.2):
        seen = right(lambda a, w: photons.product(a, w, n))
        lost[n] = 100 * (exact.mean() - seen.mean())
        error[n] = 100 * (np.mean(exact != seen) / tested) ** 0.5  # of a difference between the same images, at most
    assert lost[0.1] > lost[0.39] > lost[0.64] > lost[3.2]
    assert lost[0.64] > GOAL + 3 * error[0.64]  # below the knee; three standard errors: one in 700 by chance
    assert lost[3.2] < GOAL + 3 * error[3.2]  # above it


@HAS_MNIST
@slow("an hour")
def test_meshes_of_imprecise_interferometers_lose_what_was_published(told):
    rows = told("mesh-imprecision", "--full", timeout=4 * 3600)[0]["rows"]
    found = {(row["part"], row.get("start"), row["sigma"]): row["accuracy"] for row in rows}
    mean = {key: statistics.mean(accuracies) for key, accuracies in found.items()}
    sigmas = (0.0, 0.005, 0.01, 0.015, 0.02)

    for start in (20, 40):
        assert abs(mean["both", start, 0.0] - 97.6) <= GOAL
        assert abs(mean["both", start, 0.005] - 96.2) <= GOAL
        for part in ("both", "amplitude"):
            curve = [mean["both", start, 0.0]] + [mean[part, start, sigma] for sigma in sigmas[1:]]
            assert all(above > below for above, below in zip(curve, curve[1:]))
    assert abs(mean["phases", 40, 0.01] - 96.2) <= GOAL
    # Which of many networks was published is not known: two standard deviations over networks and chips.
    for sigma, published in zip(sigmas[1:], (96.2, 86.4, 55.6, 29.5)):
        accuracies = found["amplitude", 20, sigma]
        assert abs(statistics.mean(accuracies) - published) <= 2 * statistics.stdev(accuracies)

    butterflies = [mean["fft: as published", None, sigma] for sigma in sigmas]
    assert all(above > below for above, below in zip(butterflies, butterflies[1:]))
    for sigma, ours, published in zip(sigmas, butterflies, (95.1, 95.0, 94.8, 94.4, 93.7)):
        assert abs(ours - published) <= GOAL + 2 * mean_and_error(found["fft: as published", None, sigma])[1]
        assert abs((butterflies[0] - ours) - (95.1 - published)) <= GOAL


@HAS_MNIST
@slow("half an hour")
def test_analogvnn_reaches_the_known_accuracies_and_a_wrong_slope_stops_it_at_high_noise(told):
    pytest.importorskip("torch")
    rows = told("analogvnn", "--full", timeout=2 * 3600)[1]
    for name, known in (("digital", 97.99), ("p 64, leakage 0.5", 97.47), ("p 16, leakage 0.2", 96.98), ("p 16, leakage 0.5", 95.20)):
        assert abs(statistics.mean(rows[name]["accuracy"]) - known) <= GOAL, name
    right, shipped = (rows["p 16, leakage 0.8" + more]["accuracy"] for more in ("", ", GELU's slope as shipped"))
    assert min(right) > max(shipped) + 20  # known: 83.6 and 39.5
