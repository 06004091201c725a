"""PyTorch modules on devices some time after their weights were written, and what they take."""

import copy

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn

PCM = "sim:crossbar,preset=pcm"


def test_time_passes_for_modules_as_for_a_layer_and_calibration_takes_drift_out():
    x = torch.randn(200, 10, generator=torch.Generator().manual_seed(3))
    model = ll.torch.AnalogLinear(10, 6, bias=False, device=PCM)
    with pytest.raises(ll.Error, match="forward pass"):
        ll.torch.age(model, "1 d")
    with ll.Layer(PCM, model.weight.detach().numpy()) as layer:
        layer.calibrate()

        def both():
            y = model(x).detach()
            assert np.array_equal(y.numpy(), layer(x.numpy()))
            true = (x @ model.weight.t()).detach()
            return float((y * true).sum() / (true * true).sum())

        assert both() == pytest.approx(1, abs=0.05)
        assert ll.torch.age(model, "30 d") is model
        layer.device.configure(clock_s="30 d")
        drifted = both()
        assert drifted < 0.85
        ll.torch.age(model, "30 d")  # a time, not a time more
        layer.device.configure(clock_s="30 d")
        assert both() == pytest.approx(drifted, abs=0.05)
        other = copy.deepcopy(model)
        assert ll.torch.calibrate(model) is model
        layer.calibrate()
        assert both() == pytest.approx(1, abs=0.05)
    with pytest.raises(ll.OutOfRange, match="clock_s"):
        ll.torch.age(model, "1 d")
    assert ll.torch.age(other, "60 d", recalibrate=True) is other
    homodyne = ll.torch.AnalogLinear(10, 6, device="sim:homodyne")
    homodyne(x)
    with pytest.raises(ll.Unsupported, match="clock"):
        ll.torch.age(homodyne, "1 d")


def test_a_report_of_modules_has_the_latency_of_the_same_network_deployed():
    digital = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 3))
    model = ll.torch.convert(digital, "sim:crossbar")
    assert ll.torch.report(model)["latency"] == {}
    model(torch.randn(4, 10))
    assert ll.torch.report(model)["latency"] == pytest.approx(ll.deploy(digital, "sim:crossbar").latency)
