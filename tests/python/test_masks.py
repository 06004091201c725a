"""Masks of mirrors learned by trial, from Python."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import lightloop as ll


def states(samples, nodes, seed=0):
    return np.random.default_rng(seed).normal(size=(samples, nodes))


def test_a_mask_behind_the_data_is_found_again():
    x = states(300, 30)
    hidden = np.arange(30) % 3 - 1
    found = ll.learn_mask(30, lambda mask: float(np.mean((x @ mask - x @ hidden) ** 2)), ternary=True, flips=5, trials=1500, seed=3)
    assert isinstance(found, ll.LearnedMask) and found.mask.dtype == np.int8
    assert (found.mask == hidden).all() and found.loss == 0 == found.losses[-1]
    assert len(found.losses) == 1500 and found.evaluations == found.writes == 1501 + 49  # the kept one anew after every 30
    assert (np.diff(found.losses) <= 0).all()
    again = ll.learn_mask(30, lambda mask: float(np.mean((x @ mask - x @ hidden) ** 2)), ternary=True, flips=5, trials=1500, seed=3)
    assert (again.losses == found.losses).all()


def test_what_a_loss_says_comes_back():
    def broken(mask):
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        ll.learn_mask(4, broken)
    with pytest.raises(ll.InvalidParameter, match="finite"):
        ll.learn_mask(4, lambda mask: float("nan"))
    with pytest.raises(ll.OutOfRange, match="flips"):
        ll.learn_mask(4, lambda mask: 0.0, flips=3)
    seen = []
    ll.learn_mask(6, lambda mask: seen.append(mask) or 0.0, trials=20)  # kept arrays stay what they were
    assert {tuple(mask) for mask in seen} - {tuple(seen[0])} and set(np.unique(seen)) <= {0, 1}


def test_the_read_out_reaches_the_mask_behind_every_output_and_beats_boolean_values_with_ternary_ones():
    x = states(400, 20)
    masks = np.array([np.arange(20) % 3 - 1, (np.arange(20) // 2) % 3 - 1])
    y = x @ masks.T * [2.0, -0.5] + [1.0, 3.0]
    ternary = ll.MaskReadout(flips=4, trials=1000).fit(x, y)
    assert ternary.score(x, y) > 1 - 1e-9
    assert np.allclose(np.abs(ternary.gain_), [2, 0.5]) and np.allclose(ternary.offset_, [1, 3])
    boolean = ll.MaskReadout(ternary=False, trials=1000).fit(x, y)
    assert set(np.unique(boolean.masks_)) == {0, 1} and 0.2 < boolean.score(x, y) < 0.9
    assert (np.diff(ternary.losses_, axis=1) <= 1e-12).all()
    flat = ll.MaskReadout(flips=4, trials=1000).fit(x, y[:, 0])
    assert flat.predict(x).shape == (400,) and flat.score(x, y[:, 0]) > 1 - 1e-9


def greedy_optimum(loss, mask):
    """The loss where no single flip helps any more, the best one taken every time."""
    best = loss(mask)
    while True:
        flipped = [np.where(np.arange(len(mask)) == k, 1 - mask, mask) for k in range(len(mask))]
        errors = [loss(one) for one in flipped]
        if min(errors) >= best:
            return best
        mask, best = flipped[int(np.argmin(errors))], min(errors)


def test_flips_that_grow_fewer_end_below_the_greedy_optimum_on_mackey_glass():
    task = ll.tasks.mackey_glass()
    rows = slice(task.washout, task.washout + 1000)
    x, y = np.asarray(ll.tasks.states(task, ll.ESN(units=30)))[rows], np.asarray(task.targets)[rows].ravel()
    covariance, across = np.cov(x.T, bias=True), (x - x.mean(0)).T @ (y - y.mean()) / len(y)

    def loss(mask):  # mean square error of the best gain and offset
        return y.var() - (mask @ across) ** 2 / max(mask @ covariance @ mask, 1e-30)

    greedy = np.mean([greedy_optimum(loss, np.random.default_rng(seed).integers(0, 2, 30).astype(float)) for seed in range(10)])
    learned = [ll.MaskReadout(ternary=False, flips=4, trials=1000, seed=seed).fit(x, y) for seed in (1, 2, 3)]
    for readout in learned:
        assert readout.losses_[0][-1] == pytest.approx(loss(readout.masks_[0].astype(float)), rel=1e-9)
    assert np.mean([readout.losses_[0][-1] for readout in learned]) < 1.05 * greedy


def test_it_is_a_scikit_learn_estimator():
    check_estimator(ll.MaskReadout(trials=50))


@pytest.mark.parametrize("values", ["boolean", "ternary"])
def test_the_rule_learns_and_its_run_answers(values, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    x = (rng.normal(size=(3, 8))[y] + 0.4 * rng.normal(size=(600, 8))).astype(np.float32)
    run = ll.train(((x[:400], y[:400]), (x[400:], y[400:])), rule="mask", net="8-40-3", epochs=4, batch=100, lr=0.03,
                   settings={"rule.values": values}, progress=False, out=tmp_path / "run.h5")  # fmt: skip
    assert run.test_accuracy > 0.8  # chance is 1/3
    assert (run.predict(x[400:]) == y[400:]).mean() == pytest.approx(run.test_accuracy)
    mask = np.asarray(run.rule_parameters).ravel()[: 3 * 40]
    assert set(np.unique(mask)) <= ({0, 1} if values == "boolean" else {-1, 0, 1})
