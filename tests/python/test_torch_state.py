"""What the devices of PyTorch modules and of deployed networks hold is kept."""

import copy
import io
import pickle

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn

PCM = "sim:crossbar,preset=pcm"
PULSES = "sim:crossbar,cell.kind=soft_bounds,pulse.step=0.01"


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file)


def made(device, options):
    torch.manual_seed(0)
    return ll.torch.convert(nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 3)), device, **options)


def by_state(model, device, options):
    other = made(device, options)
    other.load_state_dict(model.state_dict())
    return other


def learn(model, x, steps=3):
    for _ in range(steps):
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.Linear):
                    module.weight.add_(0.05 * torch.cos(40 * module.weight))
        model(x)


@pytest.mark.parametrize(
    "device,options",
    [
        (PULSES, {"layer.update": "pulses", "layer.weight_limit": 1.0}),
        (PCM, {}),
        (PCM + ",input.size=6,output.size=5", {"layer.output_range": "auto"}),
        (PCM + ",input.size=16,output.size=8", {"layer.devices": "one"}),
        ("sim:crossbar,preset=reram", {"layer.cells": "differential"}),
        ("sim:crossbar", {"layer.noise_management": "running"}),
        ("sim:mzi_mesh", {"layer.backward": "twin"}),
        ("sim:tt_rfnn", {}),
        ("sim:ring_bank", {}),
        ("sim:homodyne", {}),
    ],
)
def test_copies_and_state_go_on_with_the_same_bits(device, options):
    model, x = made(device, options), torch.randn(20, 10, generator=torch.Generator().manual_seed(3))
    model(x)
    learn(model, x)
    ways = [copy.deepcopy(model), pickle.loads(pickle.dumps(model)), saved(model), by_state(model, device, options)]
    ways.append(copy.deepcopy(copy.deepcopy(model)))  # of one whose devices were never opened
    wanted = [model(x)]
    learn(model, x, 1)  # from what the cells hold, by the next draws
    wanted.append(model(x))
    for other in ways:
        assert torch.equal(other(x), wanted[0])
        learn(other, x, 1)
        assert torch.equal(other(x), wanted[1])


def test_state_comes_back_into_a_model_that_went_on():
    model, x = made(PULSES, {"layer.update": "pulses", "layer.weight_limit": 1.0}), torch.randn(20, 10)
    model(x)
    learn(model, x)
    state = copy.deepcopy(model.state_dict())
    wanted = model(x)
    learn(model, x)
    assert not torch.equal(model(x), wanted)
    model.load_state_dict(state)
    assert torch.equal(model(x), wanted)


def test_state_without_devices_is_that_of_a_digital_module():
    digital = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 3))
    model, x = ll.torch.convert(digital, "sim:crossbar,preset=ideal"), torch.randn(20, 10)
    assert model.state_dict().keys() == digital.state_dict().keys()  # nothing was written yet
    model(x)
    assert set(model.state_dict()) - set(digital.state_dict()) == {"0._extra_state", "2._extra_state"}
    with torch.no_grad():
        digital[0].weight.neg_()
    model.load_state_dict(digital.state_dict())
    assert torch.allclose(model(x), digital(x), atol=0.1)
    digital.load_state_dict(model.state_dict(), strict=False)


@pytest.mark.parametrize("other,why", [(PCM + ",seed=9", "seed = 9"), ("sim:mzi_mesh", "mzi_mesh"), (PCM + ",input.size=6", "2 tiles")])
def test_state_of_another_device_is_told_and_the_weights_are_written(other, why):
    model, x = made(PCM, {}), torch.randn(20, 10)
    model(x)
    there = made(other, {})
    there.load_state_dict(model.state_dict())
    with pytest.warns(RuntimeWarning, match=f"layer 10 -> 8 on {other}.*not taken over.*{why}"):
        y = there(x)
    assert (y - model(x)).norm() < 0.5 * y.norm()


def test_damaged_state_is_told():
    model, x = made(PCM, {}), torch.randn(20, 10)
    model(x)
    state = model.state_dict()
    state["0._extra_state"][-100] ^= 1
    with pytest.warns(RuntimeWarning, match="damaged"):
        model.load_state_dict(state)


@pytest.mark.parametrize("device,options", [(PCM, {}), (PCM + ",input.size=6,output.size=5", {}), (PCM, {"layer.devices": "one"})])
def test_a_deployed_network_goes_on_from_its_snapshot(device, options):
    weights = [(np.random.default_rng(i).normal(size=(8, 10 - 2 * i)).astype(np.float32), np.zeros(8, np.float32)) for i in range(2)]
    x = np.random.default_rng(5).normal(size=(30, 10)).astype(np.float32)
    net, other = (ll.deploy(weights, device, **options) for _ in range(2))
    net.scores(x)
    if not options:
        net.age("2 h")
    state = net.snapshot()
    wanted = net.scores(x)
    assert not np.array_equal(wanted, other.scores(x))
    assert other.restore(state) is other
    assert np.array_equal(other.scores(x), wanted)
    now = other.snapshot()
    for bad, why in ((state[:-1], "damaged"), (state[:50] + b"?" + state[51:], "damaged"), (b"", "too short")):
        with pytest.raises(ll.InvalidParameter, match=why):
            other.restore(bad)
    for stranger, why in (
        (ll.deploy(weights[:1], device, **options), "another architecture"),
        (ll.deploy([(2 * w, b) for w, b in weights], device, **options), "other weights"),
        (ll.deploy(weights, device + ",seed=77", **options), "seed"),
        (ll.deploy(weights, "sim:mzi_mesh", **options), "crossbar.*this one is.*mzi_mesh"),
    ):
        before = stranger.snapshot()
        with pytest.raises(ll.InvalidParameter, match=why):
            stranger.restore(state)
        assert stranger.snapshot()[:60] == before[:60]
    assert other.snapshot() == now


def test_a_layer_of_tiles_goes_on_from_its_snapshot():
    w = np.random.default_rng(1).normal(size=(8, 10)).astype(np.float32)
    x = np.random.default_rng(5).normal(size=(30, 10)).astype(np.float32)

    def layer(n_out=8, device=PCM):
        return ll._core.TiledLayer(ll.analog.open_devices(device, {}, [(10, n_out)]), 10, n_out, {}, {})

    first, second = layer(), layer()
    first.program(w)
    first.calibrate()
    state = first.snapshot()
    second.restore(state)  # which held nothing
    assert np.array_equal(first.forward(x), second.forward(x))
    with pytest.raises(ll.InvalidParameter, match="10 -> 8 .*this one is 10 -> 7"):
        layer(7).restore(state)
    assert first.latency


class Forgetful(ll.Device):
    """Cells of 8 bits with errors of writing that nobody can read out."""

    def __init__(self):
        self.writes, self.cells = 0, np.zeros((6, 10))

    def describe(self):
        return {"kind": "layer", "input": (10, 8), "output": (6, 12), "program": ((6, 10), 8)}

    def program(self, codes):
        self.writes += 1
        self.cells = (codes.reshape(6, 10) - 128.0) / 128 + np.random.default_rng(self.writes).normal(0, 0.01, (6, 10))

    def run(self, frames):
        return np.clip(2048 + 2048 * ((frames - 128.0) / 128) @ self.cells.T / 10, 0, 4095).astype(np.uint16)


def test_devices_that_keep_no_snapshot_say_what_is_lost():
    torch.manual_seed(0)
    model, x = ll.torch.AnalogLinear(10, 6, device=Forgetful), torch.randn(20, 10)
    y = model(x)
    for way in (copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), torch.nn.Module.state_dict):
        with pytest.warns(RuntimeWarning, match="layer 10 -> 6 on .*Forgetful.*not kept.*snapshot") as told:
            other = way(model)
        assert len(told) == 1
    assert "_extra_state" not in other
    with pytest.warns(RuntimeWarning):
        other = copy.deepcopy(model)
    del model
    assert (other(x) - y).norm() < 0.2 * y.norm()
