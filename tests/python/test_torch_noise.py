"""AnalogVNN's noise, levels and norms as modules."""

import math

import pytest

import lightloop

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lightloop.torch")


@pytest.mark.parametrize(
    "layer,variance",
    [
        (lt.Noise("gaussian", leakage=0.5, precision=16), 0.04633**2),
        (lt.Noise("laplacian", leakage=0.5, precision=16), 0.06376**2),
        (lt.Noise("uniform", leakage=0.5, precision=16), 0.03608**2),
        (lt.Noise(std=0.2), 0.04),
        (lt.Noise("poisson", scale=4, precision=16), 0.5 / 64),
        (lt.Noise("binomial", carriers=50), 0.25 / 50),
    ],
)
def test_noise_has_the_variance_of_its_law_and_lets_gradients_pass(layer, variance):
    torch.manual_seed(3)
    x = torch.full((100000,), 0.5, requires_grad=True)
    error = layer(x) - x
    error.sum().backward()
    assert torch.all(x.grad == 0)  # 1 of the layer, 1 of x
    # kurtosis at most 6; 3.3 standard errors, seed 3, two-sided
    assert abs(error.mean().item()) < 3.3 * math.sqrt(variance / 1e5)
    assert abs(error.var().item() / variance - 1) < 3.3 * math.sqrt(5 / 1e5) + 1e-3


@pytest.mark.parametrize("law", ["poisson", "binomial", "gausian"])
def test_laws_without_one_width_and_misspelt_ones_are_refused(law):
    with pytest.raises(lightloop.InvalidParameter, match=f"noise_std: law: '{law}'.*gaussian, laplacian, uniform"):
        lt.noise_std(law, 0.5, 16)


def test_poisson_noise_leaves_as_many_full_scale_levels_as_asked():
    torch.manual_seed(4)
    noise = lt.Noise("poisson", leakage=0.5, precision=16)
    left = (lt.Precision(16)(noise(torch.ones(100000))) != 1).double().mean().item()
    # at most 0.5, less by the step of one count of about 90; 3.3 standard errors, n = 1e5, seed 4
    assert 0.48 - 0.0053 < left < 0.5 + 0.0053
    with pytest.raises(lightloop.OutOfRange, match="carriers"):
        lt.Noise("poisson", leakage=0.7, precision=1)


def test_levels_are_the_nearest_or_right_on_average():
    torch.manual_seed(1)
    x = torch.tensor([0.4, -0.4, 0.375, 1.0, 0.0])
    assert lt.Precision(4)(x).tolist() == [0.5, -0.5, 0.25, 1.0, 0.0]
    drawn = lt.Precision(4, stochastic=True)(torch.full((40000,), -0.4))
    assert set(drawn.tolist()) == {-0.5, -0.25}
    assert abs(drawn.mean().item() + 0.4) < 3.3 * 0.25 * math.sqrt(0.24 / 40000)


def test_norms_are_of_samples_of_batches_or_of_whole_tensors():
    torch.manual_seed(2)
    x = torch.randn(6, 3, 4)
    y = lt.Norm(1)(x)
    assert torch.allclose(y.abs().sum((1, 2)), torch.ones(6))
    batch = lt.Norm(2, max=True)
    trained = batch(x)
    assert trained.abs().max().item() == pytest.approx(1)
    batch.eval()
    assert torch.allclose(batch(x), trained) and torch.allclose(batch(x[:2]), trained[:2])
    assert lt.Norm(math.inf, whole=True)(x).abs().max().item() == pytest.approx(1)
    v = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lt.Norm(2, max=True), (v,))


def test_a_weight_model_is_a_parametrisation_and_what_makes_no_sense_is_refused():
    torch.manual_seed(4)
    linear = torch.nn.Linear(5, 3)
    model = torch.nn.Sequential(lt.Norm(math.inf, whole=True), lt.Precision(16), lt.Noise(leakage=0.5, precision=16))
    torch.nn.utils.parametrize.register_parametrization(linear, "weight", model)
    linear(torch.randn(2, 5)).sum().backward()
    assert linear.parametrizations.weight.original.grad.abs().sum() > 0
    for options in ({}, {"law": "pink"}, {"std": 0.1, "leakage": 0.5}, {"law": "poisson", "scale": 4}, {"law": "binomial"}):
        with pytest.raises(ValueError):
            lt.Noise(**options)
    for make in (lambda: lt.Precision(0), lambda: lt.Norm(0.5), lambda: lt.Noise(leakage=1.0, precision=4),
                 lambda: lt.Noise("binomial", carriers=5)(torch.tensor([1.5]))):  # fmt: skip
        with pytest.raises(ValueError):
            make()


def test_devices_hold_weights_without_their_noise():
    torch.manual_seed(4)
    fine = "sim:crossbar,preset=ideal,dac.bits=16,weight.bits=16,adc.bits=16,adc.range=40"

    def made(*around):
        torch.manual_seed(5)
        layer = torch.nn.Linear(6, 4)
        torch.nn.utils.parametrize.register_parametrization(layer, "weight", torch.nn.Sequential(*around))
        return torch.nn.Sequential(layer)

    noisy = made(lt.Norm(math.inf, whole=True), torch.nn.Dropout(0.5), lt.Precision(4, stochastic=True), lt.Noise(std=0.3))
    still = made(lt.Norm(math.inf, whole=True), lt.Precision(4))
    x = torch.randn(20, 6)
    wanted = still(x)
    assert not torch.allclose(noisy(x), wanted, atol=0.1)
    deployed = lightloop.deploy(noisy, fine)
    assert torch.allclose(torch.from_numpy(deployed.scores(x.numpy())), wanted, atol=0.02)
    assert not torch.allclose(noisy(x), noisy(x))  # as before
    analog = lt.convert(torch.nn.Sequential(torch.nn.Linear(6, 4)), fine)
    around = noisy[0].parametrizations.weight[0]
    torch.nn.utils.parametrize.register_parametrization(analog[0], "weight", around)
    with torch.no_grad():
        analog[0].parametrizations.weight.original.copy_(noisy[0].parametrizations.weight.original)
        analog[0].bias.copy_(noisy[0].bias)
    y = analog(x)
    assert torch.allclose(y, wanted, atol=0.02) and analog[0].report.programs == 1
    analog(x)
    assert analog[0].report.programs == 1  # nothing was drawn
    (y**2).sum().backward()
    (2 * y.detach() * wanted).sum().backward()
    mine, theirs = analog[0].parametrizations.weight.original.grad, still[0].parametrizations.weight.original.grad
    assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("leakage,precision", [(0.3, 2), (0.9, 16), (0.5, 16), (0.6, 3)])
def test_poisson_noise_leaks_what_was_asked(leakage, precision):
    """Two-sided, four standard errors, n = 2e5, torch seed 5; the nearest leakages are within 0.001 here."""
    torch.manual_seed(5)
    noise = lt.Noise("poisson", leakage=leakage, precision=precision)
    left = (lt.Precision(precision)(noise(torch.ones(200000))) != 1).double().mean().item()
    assert left == pytest.approx(leakage, abs=0.001 + 4 * math.sqrt(leakage * (1 - leakage) / 2e5))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("settings", [dict(law="laplacian", std=0.1), dict(law="gaussian", std=0.1), dict(law="uniform", std=0.1),
                                      dict(law="poisson", scale=10, precision=10), dict(law="binomial", carriers=25)])  # fmt: skip
def test_noise_of_any_float_has_the_width_of_its_law(kind, settings):
    torch.manual_seed(6)
    noise = lt.Noise(**settings)
    x = torch.full((100000,), 0.5, dtype=kind)
    y = noise(x)
    assert y.dtype == kind and bool(torch.isfinite(y).all())
    variance = {"poisson": 0.5 / 100, "binomial": 0.25 / 25}.get(settings["law"], 0.01)
    # kurtosis at most 6; four standard errors, n = 1e5, seed 6, two-sided; bfloat16 rounds to 2e-3 of 0.5
    assert y.double().var().item() == pytest.approx(variance, rel=4 * math.sqrt(5 / 1e5) + 1e-3)


def test_a_width_by_a_tiny_leakage_is_that_of_the_closed_form():
    special = pytest.importorskip("scipy.special")
    for leakage in (1e-17, 1e-100, 0.3):
        expected = 1 / (2 * math.sqrt(2) * 16 * special.erfcinv(leakage))
        assert lt.noise_std("gaussian", leakage, 16) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("make", [
    lambda: lt.Noise("binomial", carriers=2.5), lambda: lt.Noise("binomial", carriers=math.inf), lambda: lt.Noise("gaussian", std=math.inf),
    lambda: lt.Noise("poisson", scale=-4, precision=-4), lambda: lt.Noise("poisson", scale=math.inf, precision=4),
    lambda: lt.Precision(math.inf), lambda: lt.Precision(math.nan), lambda: lt.BinaryLinear(3, 2, law="biper", frequency=0),
    lambda: lt.BinaryLinear(3, 2, law="biper", frequency=math.nan), lambda: lt.noise_std("gaussian", 0.5, math.inf),
])  # fmt: skip
def test_numbers_that_make_no_law_are_refused(make):
    with pytest.raises(lightloop.OutOfRange):
        make()


def test_one_weight_has_a_quarter_period_of_its_own():
    one = lt.BinaryLinear(1, 1, law="biper")
    assert abs(one.weight.item()) == pytest.approx(math.pi / 2 / 20)
