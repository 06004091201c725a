"""The PyTorch updates that speed is measured against are those of `lightloop train`, where no draw of a step is in the way."""

import sys
from pathlib import Path

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "results"))
torch_rules = pytest.importorskip("torch_rules")

WIDTHS = [12, 24, 16, 5]
WEIGHTS_INIT, RULE_PARAMETERS, FEEDBACK_MATRIX = 12, 200, 13


def drawn(purpose, instance, outputs, inputs):
    stream = ll.Stream(1, instance, purpose)
    return torch.from_numpy(np.stack([stream.normal(i, inputs) for i in range(outputs)]))


RULES = ("bp", "fa", "sign_symmetric", "dfa", "tdfa", "sdfa", "drtp", "adfa", "local", "lls", "auglocal", "sff", "ccl", "forward_gradient")


@pytest.mark.parametrize("rule", RULES)
def test_both_are_at_the_same_weights_after_some_steps(rule, monkeypatch):
    rng = np.random.default_rng(3)
    y = np.arange(40) % 5
    x = (rng.normal(size=(5, 12))[y] + 0.5 * rng.normal(size=(40, 12))).astype(np.float32)
    run = ll.train(((x, y), (x, y)), rule=rule, net="12-24-16-5", optimizer="sgd", lr=0.1, schedule="constant", batch=40, epochs=6,
                   seed=1, progress=False, alignment_every=0,
                   **({"rule.dead_zone": 0.1} if rule == "tdfa" else {}))  # fmt: skip

    def linear(net, outputs, inputs):
        layer = len(net.extra) // 2
        place = (WEIGHTS_INIT, (1 << 20) + layer) if rule == "auglocal" else (RULE_PARAMETERS, layer)  # a head is a net there
        net.extra += [drawn(*place, outputs, inputs) / inputs**0.5, torch.zeros(outputs)]
        return net.extra[-2:]

    monkeypatch.setattr(torch_rules.Net, "linear", linear)
    net = torch_rules.Net(WIDTHS, "tanh")
    net.w = [drawn(WEIGHTS_INIT, l, m, n) / n**0.5 for l, (n, m) in enumerate(zip(WIDTHS, WIDTHS[1:]))]
    with monkeypatch.context() as patch, torch.no_grad():
        if rule in ("dfa", "tdfa", "sdfa", "drtp", "adfa"):
            patch.setattr(torch, "randn", lambda classes, n: drawn(FEEDBACK_MATRIX, 0, n, classes).t().contiguous())
        if rule == "fa":
            layer = {w.shape: l for l, w in enumerate(net.w)}
            patch.setattr(torch, "randn_like", lambda w: drawn(FEEDBACK_MATRIX, layer[w.shape], *w.shape))
        step = torch_rules.RULES[rule](net)
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(6):
            step(torch.from_numpy(x), torch.from_numpy(y))
            optimiser.step()
    for w, b, (ours_w, ours_b) in zip(net.w, net.b, run.weights, strict=True):
        np.testing.assert_allclose(w.detach(), ours_w, atol=2e-6)
        np.testing.assert_allclose(b.detach(), ours_b, atol=2e-6)
