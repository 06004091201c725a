"""Signals and weights of few values in PyTorch: values and gradients, by differences in double precision."""

import copy
import math
import pickle

import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lightloop.torch")
ll = pytest.importorskip("lightloop")


def slope(curve, x, h=1e-6):
    return (curve(x + h) - curve(x - h)) / (2 * h)


def gradient(f, x):
    x = x.clone().requires_grad_()
    g = torch.linspace(-1, 2, x.numel(), dtype=x.dtype).reshape(x.shape)
    y = f(x)
    (y * g).sum().backward()
    return y.detach(), x.grad, g


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(6, 8, dtype=torch.float64)


def test_signs_have_the_slope_of_what_stands_for_them(x):
    y, dx, g = gradient(lt.sign, x)
    assert torch.equal(y, torch.where(x < 0, -1.0, 1.0).double())
    assert torch.allclose(dx, g * slope(lambda v: v.clamp(-1, 1), x), atol=1e-6)
    y, dx, g = gradient(lambda v: lt.biper(v, 5), x)
    assert torch.equal(y, torch.where(torch.sin(5 * x) < 0, -1.0, 1.0).double())
    assert torch.allclose(dx, g * slope(lambda v: torch.sin(5 * v), x), atol=1e-6)
    assert torch.equal(lt.Sign()(x), lt.sign(x))


def test_binarised_signals_and_weights_are_scaled_signs(x):
    y, dx, g = gradient(lt.Binarise(), x)
    s, k = torch.where(x < 0, -1.0, 1.0).double(), x.abs().mean(1, keepdim=True)
    assert torch.allclose(y, k * s)
    assert torch.allclose(dx, k * g * (x.abs() <= 1) + s * (g * s).mean(1, keepdim=True))
    layer = lt.BinaryLinear(8, 5).double()
    layer(x).sum().backward()
    w = layer.weight.detach()
    signs, a, gw = torch.where(w < 0, -1.0, 1.0).double(), w.abs().mean(1, keepdim=True), x.sum(0).expand(5, 8)
    assert torch.allclose(layer(x).detach(), x @ (a * signs).t() + layer.bias)
    assert torch.allclose(layer.weight.grad, a * gw + signs * (gw * signs).mean(1, keepdim=True))
    wave = lt.BinaryLinear(8, 5, law="biper", frequency=7).double()
    wave(x).sum().backward()
    expected = gw * slope(lambda v: torch.sin(7 * v), wave.weight.detach()) / math.sqrt(8)
    assert torch.allclose(wave.weight.grad, expected, atol=1e-6)
    assert lt.BinaryConv2d(3, 4, 3, padding=1)(torch.randn(2, 3, 6, 6)).shape == (2, 4, 6, 6)
    with pytest.raises(ll.UnknownName, match="law.*biper"):
        lt.BinaryLinear(8, 5, law="ternary")


def test_a_quantiser_learns_its_range(x):
    layer = lt.Quantise(4, range=0.8).double()
    y, dx, g = gradient(layer, x)
    assert torch.allclose(torch.round(y / 0.8 * 7), y / 0.8 * 7, atol=1e-6)
    assert torch.allclose(dx, g * (x.abs() <= layer.range.item()))
    c = (x / layer.range.item()).clamp(-1, 1)
    rounding = torch.round(c * 7) / 7 - c  # held fixed: straight through
    by_range = slope(lambda r: r * ((x / r).clamp(-1, 1) + rounding), layer.range.detach())
    assert torch.allclose(layer.range.grad, (g * by_range).sum(), rtol=1e-5)
    fresh = lt.Quantise(8).double()
    fresh(x)
    assert fresh.range.item() == pytest.approx(x.abs().max().item())
    with pytest.raises(ll.OutOfRange, match="bits.*2 to 16"):
        lt.Quantise(1)


def test_a_learned_range_that_falls_below_zero_is_told_and_not_begun_anew(x):
    layer = lt.Quantise(8).double()
    layer(0 * x)
    assert not layer.range_known  # nothing was seen yet
    layer(x)
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    begun = layer.range.item()
    with torch.no_grad():
        layer.range.fill_(-0.1)
    with pytest.raises(ll.OutOfRange, match="Lower the learning rate"):
        layer(x)
    for known in (True, False):  # an older state does not say so
        if not known:
            del state["range_known"]
        again = lt.Quantise(8).double()
        again.load_state_dict(state)
        again(3 * x)
        assert again.range.item() == begun
    with pytest.raises(ll.OutOfRange, match="range"):
        lt.Quantise(8, range=-1.0)


def test_neurons_fire_with_their_chance_and_teach_as_they_say():
    """Two-sided, four standard errors, n = 40000, torch seed 3."""
    torch.manual_seed(3)
    n, x0, t = 40000, 0.4, 0.3
    p = 1 / (1 + math.exp(-x0))
    for estimator in ("straight", "smooth", "reinforce"):
        layer = lt.Stochastic(estimator)
        x = torch.full((n, 1), x0, dtype=torch.float64, requires_grad=True)
        y = layer(x)
        assert y.mean().item() == pytest.approx(p, abs=4 * 0.5 / math.sqrt(n))
        losses = ((y - t) ** 2).sum(1)
        (lt.reinforce(layer, losses) if estimator == "reinforce" else losses.mean()).backward()
        per_sample = x.grad * n
        error = 4 * per_sample.std().item() / math.sqrt(n)
        root, d_root = math.sqrt(p), 0.5 * math.sqrt(p) * (1 - p)
        expected = {
            "straight": 2 * (p - t) * p * (1 - p),
            "smooth": root * 2 * (root - t) * d_root,
            "reinforce": ((1 - t) ** 2 - t**2) * p * (1 - p),  # the slope of the mean loss
        }[estimator]
        assert per_sample.mean().item() == pytest.approx(expected, abs=error)
        layer.eval()
        assert layer(x)[0].item() == pytest.approx(p)
    with pytest.raises(ll.UnknownName, match="straight"):
        lt.Stochastic("gumbel")


def test_neurons_are_copied_without_the_pass_they_have_made():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), lt.Stochastic("reinforce"))
    y = model(torch.randn(5, 3))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert lt.reinforce(other, torch.ones(5)).item() == 1.0  # no chances of a pass it has not made
    lt.reinforce(model, y.sum(1)).backward()
    assert model[0].weight.grad.abs().sum() > 0


def test_an_empty_batch_begins_no_range():
    layer = lt.Quantise(4)
    assert layer(torch.zeros(0, 3)).shape == (0, 3) and not layer.range_known


def test_neurons_that_fire_twice_in_a_pass_are_taught_for_both():
    """Exact by enumeration; two-sided, four standard errors, n = 2e5, torch seed 4."""
    torch.manual_seed(4)
    layer, n = lt.Stochastic("reinforce"), 200000
    z = torch.full((n, 1), 0.3, dtype=torch.float64, requires_grad=True)
    a, b = layer(z), layer(z + 1)
    lt.reinforce(layer, ((a + 3 * b - 1) ** 2)[:, 0]).backward()
    one = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    p, q = torch.sigmoid(one), torch.sigmoid(one + 1)
    mean = sum((p if i else 1 - p) * (q if j else 1 - q) * (i + 3 * j - 1) ** 2 for i in (0, 1) for j in (0, 1))
    mean.backward()
    slopes = z.grad[:, 0] * n
    assert slopes.mean().item() == pytest.approx(one.grad.item(), abs=4 * slopes.std().item() / math.sqrt(n))
    layer(z[:5])  # a pass of its own: those before were told
    assert lt.reinforce(layer, torch.ones(5)).item() == 1.0
    with torch.no_grad():
        layer(z)
    layer(z[:5])
    lt.reinforce(layer, torch.ones(5))
    layer(z[:5]), layer(z[:4])
    with pytest.raises(ll.ShapeMismatch, match="(?s)5.*once for every pass"):
        lt.reinforce(layer, torch.ones(4))
    with pytest.raises(ll.ShapeMismatch, match="before their mean"):
        lt.reinforce(layer, torch.tensor(1.0))
