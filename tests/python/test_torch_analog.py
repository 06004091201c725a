"""Modules on analog devices: what is converted, copied, written and refused."""

import copy
import io
import pickle

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn
prune = pytest.importorskip("torch.nn.utils.prune")

FINE = "sim:crossbar,preset=ideal,dac.bits=16,weight.bits=16,adc.bits=16,adc.range=40"


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(6, 8)


class Own(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


class Skip(nn.Sequential):
    def forward(self, input):
        return input + super().forward(input)


def parametrised():
    layer = nn.Linear(8, 8)
    nn.utils.parametrize.register_parametrization(layer, "weight", nn.Tanh())
    return layer


def patched():
    layer = nn.Linear(8, 8)
    layer.forward = lambda input: input
    return layer


def test_a_module_that_is_used_again_stays_one(x):
    one = nn.Linear(8, 8)
    model = nn.Sequential(one, nn.Tanh(), one, nn.Tanh(), nn.Sequential(one))
    analog = ll.torch.convert(model, FINE)
    assert type(analog[0]) is ll.torch.AnalogLinear and analog[0] is analog[2] is analog[4][0]
    assert torch.allclose(analog(x), model(x), atol=0.02)
    report = analog[0].report
    assert report.programs == 1 and report.vectors == 64 + 3 * len(x)  # 64 to calibrate
    assert type(one) is nn.Linear
    assert type(ll.torch.convert(one, FINE)) is ll.torch.AnalogLinear


def test_whoever_holds_a_module_holds_the_converted_one(x):
    model = nn.Sequential(nn.Linear(8, 8))
    model.held = [model[0]]
    analog = ll.torch.convert(model, FINE)
    assert analog.held[0] is analog[0] and type(model[0]) is nn.Linear


@pytest.mark.parametrize("make", [Own, nn.modules.linear.NonDynamicallyQuantizableLinear])
def test_subclasses_are_refused_by_name(make):
    model = nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.Tanh(), make(8, 8)))
    with pytest.raises(ll.Unsupported, match=rf"convert: 1\.1: {make.__name__}.*exclude=\['1\.1'\]"):
        ll.torch.convert(model, FINE)


@pytest.mark.parametrize(
    "part,name",
    [
        (parametrised, "1: ParametrizedLinear"),
        (patched, "1: Linear"),
        (lambda: nn.MultiheadAttention(8, 2), "1: MultiheadAttention"),
        (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), "1: TransformerEncoderLayer"),
        (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2), r"1\.layers\.0: TransformerEncoderLayer"),
        (lambda: nn.TransformerDecoderLayer(8, 2, 16), r"1\.self_attn: MultiheadAttention"),
    ],
)
def test_what_would_stay_digital_unnoticed_is_refused_unless_it_is_excluded(part, name):
    model = nn.Sequential(nn.Linear(8, 8), part())
    with pytest.raises(ll.Unsupported, match=f"convert: {name}"):
        ll.torch.convert(model, FINE)
    analog = ll.torch.convert(model, FINE, exclude=["1"])
    kinds = [type(m) for m in model[1].modules()]
    assert type(analog[0]) is ll.torch.AnalogLinear and [type(m) for m in analog[1].modules()] == kinds


@pytest.mark.parametrize("hook", [nn.utils.weight_norm, lambda layer: prune.l1_unstructured(layer, "weight", 0.5)])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_a_hook_makes_are_refused_before_and_taken_after(hook, x):
    with pytest.raises(ll.Unsupported, match="convert: 0: weight: made anew.*Convert first"):
        ll.torch.convert(nn.Sequential(hook(nn.Linear(8, 8))), FINE)
    plain = nn.Sequential(nn.Linear(8, 8))
    analog = ll.torch.convert(plain, FINE)
    hook(analog[0])
    hook(plain[0])
    assert torch.allclose(analog(x), plain(x), atol=0.01)


def gradient_penalty(model):
    """Gradients of all parameters of |d(sum of squares of the answers)/dx|^2."""
    shown = torch.linspace(-1, 1, 30).reshape(5, 6).requires_grad_()
    (slope,) = torch.autograd.grad(model(shown).square().sum(), shown, create_graph=True)
    slope.square().sum().backward()
    return [p.grad for p in model.parameters()]


@pytest.mark.parametrize("options", [{"layer.backward": "twin"}, {"layer.backward": "device"}, {"layer.noise_management": "learned"}])
def test_gradients_from_outside_pytorch_are_not_differentiated_again(options):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    digital = ll.torch.convert(model, FINE, exclude=["0"])
    # products in memory are: what is left is the rounding of the ADC, 40 / 2^15 an answer
    for a, b in zip(gradient_penalty(digital), gradient_penalty(model)):
        assert torch.allclose(a, b, atol=2e-3)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient_penalty(ll.torch.convert(model, FINE, exclude=["0"], **options))


def test_names_to_exclude_must_be_there(x):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    with pytest.raises(ll.UnknownName, match="exclude: '2'.*0, 1"):
        ll.torch.convert(model, FINE, exclude="2")
    with pytest.raises(ll.InvalidParameter, match="no Linear"):
        ll.torch.convert(model, FINE, exclude=["0", "1"])
    analog = ll.torch.convert(model, FINE, exclude="1")
    assert ll.torch.convert(analog, FINE)[0].analog_device == FINE  # what is on a device stays there
    assert torch.allclose(analog(x), model(x), atol=0.01)


CONVOLUTIONS = [
    dict(groups=2),
    dict(groups=4, stride=2, padding=1),  # depthwise
    dict(groups=4, padding="same", bias=False),
    dict(padding="same", dilation=2),
    dict(padding="valid", stride=2),
    dict(padding=1, padding_mode="reflect", groups=2),
    dict(padding=(0, 2), padding_mode="circular"),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, of even kernels
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("way", ["weights", "twin", "device"])
def test_any_convolution_is_that_of_pytorch_forwards_and_backwards(options, way):
    torch.manual_seed(2)
    size = (2, 3) if options.get("padding") == "same" else 3  # of 2: more on the right than on the left
    model = nn.Sequential(nn.Conv2d(4, 8, size, **options))
    analog = ll.torch.convert(model, FINE, **{"layer.backward": way})
    x = torch.randn(3, 4, 7, 6)
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, wanted = analog(mine), model(theirs)
    assert torch.allclose(y, wanted, atol=0.02)
    signal = torch.randn_like(wanted)
    (y * signal).sum().backward()
    (wanted * signal).sum().backward()
    assert (mine.grad - theirs.grad).norm() < 0.01 * theirs.grad.norm()
    for one, other in zip(analog.parameters(), model.parameters()):
        assert (one.grad - other.grad).norm() < 0.01 * other.grad.norm()
    groups = options.get("groups", 1)
    frames = x.shape[0] * wanted.shape[2] * wanted.shape[3] * groups
    report = analog[0].report
    assert report.vectors == 64 * groups + frames * (1 if way != "device" else 2) and report.programs == groups
    assert sum(ll.torch.report(analog)["energy"].values()) == pytest.approx(report.device_j)


@pytest.mark.parametrize("managed", ["abs_max", "running", "learned"])
def test_groups_are_numbers_of_the_same_network_and_go_on_from_their_state(managed):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=4, padding="same"), nn.Tanh(), nn.Conv2d(8, 8, 3, groups=8, stride=2),
                          nn.Flatten(), nn.Linear(64, 3))  # fmt: skip
    x = torch.randn(5, 4, 6, 9)
    net = ll.deploy(model, FINE, sample=(4, 6, 9))
    assert len(net.layers) == 4 + 8 + 1
    assert torch.allclose(torch.from_numpy(net.scores(x.numpy())), model(x), atol=0.02)
    settings = {"layer.noise_management": managed}
    analog = ll.torch.convert(model, "sim:crossbar", **settings)
    analog.eval()
    if managed == "abs_max":
        latency = ll.deploy(model, "sim:crossbar", sample=(4, 6, 9)).latency
        analog(x)
        assert ll.torch.report(analog)["latency"] == pytest.approx(latency)
    for _ in range(2):
        analog(x)
    again = ll.torch.convert(model, "sim:crossbar", **settings)
    again.load_state_dict(analog.state_dict())
    again.eval()
    assert torch.equal(again(x), analog(x))  # read noise of the same frames
    copied, pickled = copy.deepcopy(analog), pickle.loads(pickle.dumps(analog))
    wanted = analog(x)
    assert torch.equal(copied(x), wanted) and torch.equal(pickled(x), wanted)
    if managed == "running":
        assert analog[0].running_range.shape == (4,) and len(set(analog[0].running_range.tolist())) == 4


WAYS = {
    "data.copy_": lambda w: w.data.copy_(torch.ones_like(w)),
    "data.mul_": lambda w: w.data.mul_(-2),
    "data.clamp_": lambda w: w.data.clamp_(-0.01, 0.01),
    "numpy": lambda w: w.detach().numpy().fill(0.5),
    "autograd": lambda w: torch.no_grad()(w.mul_)(3),
}


@pytest.mark.parametrize("way", WAYS)
def test_weights_are_those_of_now_however_they_were_written(x, way):
    layer = ll.torch.AnalogLinear(8, 5, device=FINE)
    convolution = ll.torch.AnalogConv2d(2, 3, 2, device=FINE)
    pictures = x.reshape(3, 2, 2, 4)
    layer(x), convolution(pictures)
    WAYS[way](layer.weight), WAYS[way](convolution.weight)
    assert torch.allclose(layer(x), nn.functional.linear(x, layer.weight, layer.bias), atol=0.02)
    assert torch.allclose(convolution(pictures), nn.functional.conv2d(pictures, convolution.weight, convolution.bias), atol=0.02)
    assert layer.report.programs == convolution.report.programs == 2
    layer(x)
    assert layer.report.programs == 2


def test_weights_that_a_failed_write_left_behind_are_written_again(x):
    layer = ll.torch.AnalogLinear(8, 5, device=FINE)
    layer.train()
    wanted = layer(x)
    before = layer.weight.data.clone()
    layer.weight.data[0, 0] = float("nan")
    with pytest.raises(ll.InvalidParameter, match="not finite"):
        layer(x)
    layer.weight.data.copy_(before)
    assert torch.equal(layer(x), wanted)


def test_a_parametrised_weight_is_drawn_once_a_pass():
    layer = ll.torch.AnalogLinear(8, 5, bias=False, device=FINE)
    nn.utils.parametrize.register_parametrization(layer, "weight", ll.torch.Noise(std=0.5))
    at = torch.eye(8, requires_grad=True)
    for _ in range(2):
        at.grad = None
        y = layer(at)
        y[:, 2].sum().backward()
        assert torch.allclose(y[:, 2], at.grad[0], atol=0.02)  # the weights that answered have the gradient
    assert copy.deepcopy(layer)(at).shape == (8, 5)


@pytest.fixture
def twins():
    """Two layers with the same weights on chips that differ."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model.load_state_dict({**model.state_dict(), "1.weight": model[0].weight, "1.bias": model[0].bias})
    return model


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_layers_of_a_copy_share_devices_and_keep_their_chips(twins, again, x, monkeypatch):
    analog = ll.torch.convert(twins, "sim:crossbar,preset=pcm")
    fresh = again(analog)  # before anything was shown
    first, second = analog[0](x), analog[1](x)
    assert not torch.equal(first, second)
    opened, real = [], ll.analog._core.TileDevices
    monkeypatch.setattr(ll.analog._core, "TileDevices", lambda *a: opened.append(a) or real(*a))
    assert fresh[0].report is None
    assert torch.equal(fresh[0](x), first) and torch.equal(fresh[1](x), second)
    copies = [again(analog), again(again(analog))]
    late, alone = again(analog), again(analog[1])
    first, second = analog[0](x), analog[1](x)  # what comes next
    for made in copies:
        assert made[0].report is None
        assert torch.equal(made[0](x), first) and torch.equal(made[1](x), second)
    assert len(opened) == 3  # one for each copy
    assert torch.equal(late[1](x), second) and late[0].report.vectors == 0
    assert torch.equal(late[0](x), first)
    assert torch.equal(alone(x), second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_modules_take_every_floating_dtype_and_give_it_back(x, dtype):
    pictures = x.reshape(3, 2, 2, 4)
    for made, shown in ((ll.torch.AnalogLinear(8, 5, device=FINE), x), (ll.torch.AnalogConv2d(2, 3, 2, device=FINE), pictures)):
        wanted = made(shown)
        made.to(dtype)
        at = shown.to(dtype).requires_grad_()
        y = made(at)
        y.float().sum().backward()
        assert y.dtype == at.grad.dtype == made.weight.grad.dtype == dtype
        assert torch.allclose(y.float(), wanted, atol=0.05)


def test_modules_work_under_autocast(x):
    model = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 5), nn.Linear(5, 3))
    analog = ll.torch.convert(model, FINE, exclude="0")
    at = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = analog(at)
    y.float().sum().backward()
    assert y.dtype == torch.bfloat16 and torch.allclose(y.float(), model(x), atol=0.05)
    model(x).sum().backward()
    assert analog[2].weight.grad.dtype == torch.float32
    assert torch.allclose(analog[2].weight.grad, model[2].weight.grad, atol=0.1) and at.grad.dtype == torch.float32


def test_dtypes_that_do_not_go_together_are_refused(x):
    layer = ll.torch.AnalogLinear(8, 5, device=FINE)
    for bad in (x.double(), x.to(torch.int64), x.bfloat16()):
        with pytest.raises(ll.InvalidParameter, match=f"input of AnalogLinear: {bad.dtype} .*float32.*weight.dtype"):
            layer(bad)
    with pytest.raises(ll.InvalidParameter, match="AnalogConv2d: torch.float64"):
        ll.torch.AnalogConv2d(2, 3, 2, device=FINE)(x.reshape(3, 2, 2, 4).double())


def test_complex_numbers_are_refused_by_name(x):
    layer = ll.torch.AnalogLinear(8, 5, device=FINE)
    with pytest.raises(ll.Unsupported, match="input of AnalogLinear: torch.complex64"):
        layer(x + 1j)
    with pytest.raises(ll.Unsupported, match="input of AnalogConv2d: torch.complex64"):
        ll.torch.AnalogConv2d(2, 3, 2, device=FINE)((x + 1j).reshape(3, 2, 2, 4))
    layer.weight = nn.Parameter(layer.weight.detach() + 1j)
    with pytest.raises(ll.Unsupported, match="weight of AnalogLinear: torch.complex64"):
        layer(x)
    model = nn.Sequential(nn.Tanh(), nn.Linear(8, 8, dtype=torch.complex64))
    with pytest.raises(ll.Unsupported, match="convert: 1: weight: torch.complex64"):
        ll.torch.convert(model, FINE)
    with pytest.raises(ll.Unsupported, match="deploy: 0: weight: torch.complex64"):
        ll.deploy(nn.Sequential(model[1]), FINE)


def test_modules_made_without_autograd_and_empty_batches_work(x):
    with torch.inference_mode():
        layer = ll.torch.AnalogLinear(8, 5, device=FINE)
        assert torch.allclose(layer(x), nn.functional.linear(x, layer.weight, layer.bias), atol=0.02)
        layer.weight.zero_()
        assert torch.allclose(layer(x), layer.bias.expand(6, 5), atol=0.02)
    learned = ll.torch.AnalogLinear(8, 5, device=FINE, **{"layer.noise_management": "learned"})
    nothing = torch.zeros(0, 8, requires_grad=True)
    learned(nothing).sum().backward()
    assert nothing.grad.shape == (0, 8) and not learned.input_range_known


def test_modules_are_deployed_as_they_answer(x):
    weights = parametrised(), nn.Linear(8, 4)
    model = nn.Sequential(weights[0], nn.Tanh(), weights[1])
    assert np.allclose(ll.deploy(model, FINE).scores(x.numpy()), model(x).detach().numpy(), atol=0.05)
    analog = ll.torch.convert(nn.Sequential(nn.Linear(8, 4)), FINE)
    assert np.allclose(ll.deploy(analog, FINE).scores(x.numpy()), analog(x).detach().numpy(), atol=0.05)
    analog.bfloat16()
    assert ll.deploy(analog, FINE).scores(x.numpy()).shape == (6, 4)


@pytest.mark.parametrize(
    "model,name",
    [
        (nn.Sequential(Own(8, 8)), "deploy: 0: Own"),
        (nn.Sequential(patched()), "deploy: 0: Linear"),
        (Skip(nn.Linear(8, 8)), "deploy: Skip"),
    ],
)
def test_modules_with_a_forward_pass_of_their_own_are_not_deployed(model, name):
    with pytest.raises(ll.InvalidParameter, match=name):
        ll.deploy(model, FINE)


RANGES = {"layer.input_range": 0.5, "layer.memory": 0.8}


@pytest.mark.parametrize("managed", ["fixed", "running", "learned"])
@pytest.mark.parametrize("way", ["weights", "twin", "device"])
def test_gradients_are_those_of_the_clipped_inputs(managed, way):
    torch.manual_seed(2)
    settings = {**RANGES, "layer.noise_management": managed, "layer.backward": way}
    layer = ll.torch.AnalogLinear(8, 4, bias=False, device=FINE, **settings)
    x, g = torch.randn(32, 8, requires_grad=True), torch.randn(32, 4)
    ranges = torch.full((32, 1), 0.5, dtype=torch.float64)
    if managed == "running":
        mean = 0.5
        for row, most in enumerate(x.detach().abs().amax(1).tolist()):
            ranges[row] = mean = 0.8 * mean + 0.2 * most
    y = layer(x)
    layer(0.01 * x.detach())  # another pass: its ranges are none of the first one's
    (y * g).sum().backward()
    inside = x.detach().abs() <= ranges
    assert 0.05 < inside.logical_not().double().mean() < 0.95
    seen = torch.where(inside, x.detach().double(), ranges * torch.sign(x.detach())).float()
    # by differences: y is linear in the weights, with what was seen of x as slope
    assert torch.allclose(y.detach(), seen @ layer.weight.detach().t(), atol=0.01)
    assert torch.allclose(layer.weight.grad, g.t() @ seen, atol=1e-4)
    assert torch.allclose(x.grad, g @ layer.weight.detach() * inside, atol=0.02)
    if managed != "running":
        h, slopes = 0.02, []
        for sign in (1, -1):
            with torch.no_grad():
                layer.weight[0, 0] += sign * h
                slopes.append((layer(x) * g).sum().item() * sign)
                layer.weight[0, 0] -= sign * h
        assert sum(slopes) / (2 * h) == pytest.approx(layer.weight.grad[0, 0].item(), abs=0.1)


def test_convolutions_learn_from_clipped_patches():
    torch.manual_seed(3)
    settings = {"layer.noise_management": "fixed", "layer.input_range": 0.5}
    layer = ll.torch.AnalogConv2d(2, 3, 3, padding=1, bias=False, device=FINE, **settings)
    x, g = torch.randn(4, 2, 5, 5, requires_grad=True), torch.randn(4, 3, 5, 5)
    (layer(x) * g).sum().backward()
    digital = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    digital.weight.data.copy_(layer.weight.data)
    same = x.detach().clone().requires_grad_()
    (digital(same.clamp(-0.5, 0.5)) * g).sum().backward()
    assert torch.allclose(layer.weight.grad, digital.weight.grad, atol=1e-4)
    assert torch.allclose(x.grad, same.grad, atol=1e-4)
    with pytest.raises(ll.ShapeMismatch, match="3 channels.*2 channels"):
        layer(torch.randn(1, 3, 8, 8))


def test_windows_of_running_ranges_are_state_of_the_module_and_stay_in_evaluation():
    torch.manual_seed(0)
    settings = {"layer.noise_management": "running", "layer.output_range": "running", "layer.range_rows": 16, "layer.memory": 0.8}
    layer, x = ll.torch.AnalogLinear(8, 5, bias=False, device="sim:crossbar,input.size=5", **settings), torch.randn(90, 8)
    with torch.no_grad():
        layer(x[:40])
        file = io.BytesIO()
        torch.save(layer, file)
        file.seek(0)
        loaded = torch.load(file)
        whole, part = layer(x[40:]), loaded(x[40:])
        assert torch.equal(whole, part)
        assert layer.running_range.shape == (6,) and torch.equal(layer.running_range, loaded.running_range)
        assert layer.running_range[1] == 90 % 16  # rows of the open window
        before = layer.running_range.clone()
        layer.eval()
        layer(10 * x)
        assert torch.equal(layer.running_range, before)
        layer.train()
        layer(10 * x)
        assert layer.running_range[0] > 2 * before[0]


def test_running_ranges_are_state_of_the_module():
    torch.manual_seed(0)
    settings = {"layer.noise_management": "running"}

    def made():
        return ll.torch.AnalogLinear(8, 5, bias=False, device="sim:crossbar,preset=ideal,input.size=5", **settings)

    layer, x = made(), 5 * torch.randn(500, 8)
    old = made().state_dict()
    del old["running_range"]  # of an older version
    layer.load_state_dict(old)
    layer(x)
    assert layer.running_range.shape == (2,) and torch.all(layer.running_range > 5)  # a range for each tile
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    loaded = made()
    loaded.load_state_dict(layer.state_dict())
    others = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(file), loaded]
    means, seen = layer.running_range.tolist(), x[:50].clone()
    for row in seen:
        for tile, part in enumerate((row[:5], row[5:])):
            means[tile] = 0.99 * means[tile] + 0.01 * part.abs().max().item()
            part.clamp_(-means[tile], means[tile])
    answer = layer(x[:50])
    assert (answer - seen @ layer.weight.t()).norm() < 0.05 * answer.norm()  # converters of 8 bits
    assert layer.running_range.tolist() == pytest.approx(means)
    assert all(torch.equal(other(x[:50]), answer) for other in others)
    layer.load_state_dict(old)  # begins anew
    begun = made()
    begun.load_state_dict(old)
    assert torch.equal(layer(x[:50]), begun(x[:50]))
    narrow = ll.torch.AnalogLinear(8, 5, bias=False, device="sim:crossbar,preset=ideal", **settings)
    narrow.load_state_dict(loaded.state_dict())
    with pytest.raises(ll.ShapeMismatch, match="input ranges: 2"), pytest.warns(RuntimeWarning, match="2 tiles"):
        narrow(x)


def test_a_learned_range_changed_before_its_gradient_is_told():
    torch.manual_seed(1)
    layer = ll.torch.AnalogLinear(4, 2, device=FINE, **{"layer.noise_management": "learned"})
    y = layer(torch.randn(8, 4, requires_grad=True))
    with torch.no_grad():
        layer.input_range.mul_(0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_is_no_module_is_not_converted():
    with pytest.raises(ll.InvalidParameter, match="convert: model: int"):
        ll.torch.convert(3, FINE)
