"""PyTorch models of more than linear layers as networks of layers on devices."""

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn

FINE = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=30"
N = ll.torch


def settled(model, x):
    """In eval mode, its norms with statistics and gains of their own."""
    torch.manual_seed(2)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.eps = 1e-3  # not ours
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 2)
                nn.init.normal_(module.bias)
    model(x)
    return model.eval()


@pytest.mark.parametrize(
    "model,sample",
    [
        (lambda: [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(60, 10)], (2, 12, 8)),
        (lambda: [nn.Conv2d(2, 4, (3, 2), 2, 1, bias=False), nn.BatchNorm2d(4), nn.ELU(), nn.AvgPool2d(2, 1), nn.Flatten(),
                  nn.Linear(80, 6), nn.Tanh(), nn.Dropout(), nn.Linear(6, 3)], (2, 12, 8)),
        (lambda: [nn.Conv2d(2, 4, (5, 1), padding=(2, 0)), nn.Tanh(), nn.Conv2d(4, 4, (1, 5), (1, 2), (0, 2), groups=4), nn.MaxPool2d((3, 1)),
                  nn.Conv2d(4, 2, (3, 5), padding="same"), nn.AvgPool2d((1, 2), (2, 1)), nn.Flatten(), nn.Linear(12, 3)], (2, 12, 8)),
        (lambda: [nn.Sequential(nn.Conv2d(2, 4, 3), nn.Sigmoid()), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)], (2, 12, 8)),
        (lambda: [nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3)], (2, 12, 8)),
        (lambda: [N.BinaryConv2d(2, 4, 3), N.Sign(), nn.Flatten(), N.BinaryLinear(240, 5, law="biper")], (2, 12, 8)),
        (lambda: [nn.Linear(16, 8), nn.GELU(), nn.BatchNorm1d(8, affine=False), nn.Linear(8, 3)], (16,)),
        (lambda: [nn.LayerNorm(16), nn.Linear(16, 8), nn.GELU("tanh"), nn.Linear(8, 5, bias=False), nn.ReLU(), nn.Linear(5, 3)], (16,)),
        (lambda: [nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3), nn.Tanh()], (16,)),
        (lambda: [N.BinaryLinear(16, 8), nn.Tanh(), nn.Linear(8, 3)], (16,)),
    ],
)  # fmt: skip
def test_a_deployed_model_answers_as_pytorch_does(model, sample):
    torch.manual_seed(1)
    x = torch.randn(9, *sample)
    model = settled(nn.Sequential(*model()), x)
    wanted = model(x).detach().numpy()
    net = ll.deploy(model, FINE, sample=sample)
    assert np.allclose(net.network.forward(np.ascontiguousarray(net._shown(x).reshape(9, -1), np.float32)
                                           if len(sample) == 3 else x.numpy()), wanted, atol=1e-5)  # fmt: skip
    assert np.allclose(net.scores(x), wanted, atol=0.05 * max(1, np.abs(wanted).max()))


def test_a_convolutional_model_is_ranked_specified_and_aged():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(100, 10))
    x = torch.rand(300, 1, 12, 12)
    y = model(x).argmax(1).numpy()  # so that all is right without errors
    net = ll.deploy(model, "sim:crossbar,preset=pcm", sample=(1, 12, 12))
    fresh = net.accuracy(x, y)
    assert fresh > 0.3 and net.latency and len(net.reports) == 2
    state = net.snapshot()
    assert net.age("300 d").accuracy(x, y) <= fresh
    net.restore(state)
    ranking = net.sensitivity(x, y, repeats=1, samples=100, age="1 d")
    assert {"programming_error", "age"} & {source["source"] for source in ranking.sources}
    noisy = ll.deploy(model, FINE, sample=(1, 12, 12))
    found = noisy.spec(x, y, "adc.bits", drop=0.2, repeats=2, samples=100)
    assert found["parameters"]["adc.bits"]["value"] < 16


@pytest.mark.parametrize(
    "model,sample,why",
    [
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(100, 10)), None, "deploy: 0.*sample="),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 12, 12), "deploy: 0: 1 channels"),
        (nn.Sequential(nn.Conv2d(1, 4, (1, 3), padding=(1, 1))), (1, 12, 12), "deploy: 0: Conv2d.*below the window"),
        (nn.Sequential(nn.Conv2d(1, 4, 2, padding="same")), (1, 12, 12), "deploy: 0: Conv2d.*padding"),
        (nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2)), (1, 12, 12), "deploy: 0: Conv2d.*dilation"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(10, 3)), (1, 12, 12), "deploy: 1: .*Flatten"),
        (nn.Sequential(nn.Linear(8, 8), nn.Sequential(nn.LeakyReLU())), None, "deploy: 1.0: LeakyReLU"),
        (nn.Sequential(nn.Linear(8, 8), nn.ELU(2)), None, "deploy: 1: ELU"),
        (nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8, track_running_stats=False)), None, "deploy: 1: .*statistics"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2, padding=1)), (1, 12, 12), "deploy: 1: MaxPool2d"),
        (nn.Sequential(nn.Tanh()), None, "deploy: Sequential"),
    ],
)
def test_what_has_no_equal_is_refused_by_name(model, sample, why):
    with pytest.raises(ll.InvalidParameter, match=why):
        ll.deploy(model, FINE, sample=sample)


@pytest.mark.parametrize("law", ["sign", "biper"])
def test_binary_modules_are_converted_and_learn_as_digital_ones_do(law):
    torch.manual_seed(3)
    model = nn.Sequential(N.BinaryConv2d(1, 4, 3, law=law), nn.Tanh(), nn.Flatten(), N.BinaryLinear(64, 5, law=law))
    analog = ll.torch.convert(model, FINE)
    x = torch.randn(7, 1, 6, 6)
    assert isinstance(analog[0], N.BinaryConv2d) and isinstance(analog[3], N.BinaryLinear)
    assert torch.allclose(analog(x), model(x), atol=0.05)
    for one in (model, analog):
        one(x).square().sum().backward()
    for mine, theirs in zip(analog.parameters(), model.parameters()):
        assert torch.allclose(mine.grad, theirs.grad, rtol=0.02, atol=0.02 * float(theirs.grad.abs().max()))
    held = analog[3]._devices.layer(analog[3]._numbers[0]).layer
    assert len(np.unique(np.round(held.transposed(np.eye(5, dtype=np.float32))[0], 3))) < 10  # two values and converters
    assert analog.state_dict().keys() >= model.state_dict().keys()
