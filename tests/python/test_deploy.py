"""Networks on analog devices: Deployed, sensitivity, spec, and PyTorch modules."""

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")

FINE = "sim:crossbar,preset=ideal,dac.bits=14,weight.bits=14,adc.bits=16,adc.range=30"


@pytest.fixture(scope="module")
def problem():
    """Ten noisy directions, and a network that compares with them."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(10, 24)).astype(np.float32)
    y = np.arange(400) % 10
    x = (centres[y] + 0.9 * rng.normal(size=(400, 24))).astype(np.float32)
    first = torch.nn.Linear(24, 24)
    last = torch.nn.Linear(24, 10)
    with torch.no_grad():
        first.weight.copy_(torch.eye(24))
        first.bias.zero_()
        last.weight.copy_(torch.from_numpy(centres))
        last.bias.copy_(torch.from_numpy(-0.5 * (centres**2).sum(axis=1)))
    return torch.nn.Sequential(first, torch.nn.Identity(), last), x, y


def test_a_torch_model_is_deployed_and_ranked(problem):
    model, x, y = problem
    digital = float((model(torch.from_numpy(x)).argmax(dim=1).numpy() == y).mean())
    fine = ll.deploy(model, FINE)
    assert abs(fine.accuracy(x, y) - digital) < 0.01
    assert "vectors" in repr(fine.reports[0]) and "J" in repr(fine.reports[0])
    with pytest.raises(ll.ShapeMismatch, match="label"):
        fine.accuracy(x[:2], y[:3])
    with pytest.raises(ll.InvalidParameter, match=r"layer 1: b\[2\].*nan"):
        ll.deploy([(np.eye(4, dtype=np.float32), np.array([0, 0, np.nan, 0], np.float32))], FINE)
    noisy = ll.deploy(model, "sim:crossbar", **{"output_noise": 3.0, "layer2.adc.bits": 7})
    assert noisy.accuracy(x, y) < digital - 0.05
    assert sum(noisy.energy.values()) == pytest.approx(noisy.device_joules) and noisy.device_seconds > 0
    ranking = noisy.sensitivity(x, y, repeats=2)
    assert ranking.sources[0]["source"] == "output_noise" and "output_noise" in str(ranking)
    found = ll.deploy(model, "sim:crossbar,programming_error=0").spec(x, y, "device.adc.bits", drop=0.03, repeats=2)
    assert found["reached"] and found["parameters"]["adc.bits"]["value"] < 8
    with pytest.raises(ll.UnknownName):
        noisy.spec(x, y, ["adc.bit"])


def test_a_device_is_named_for_every_tile_in_a_list_or_by_counting(problem):
    model, x, y = problem
    one = "sim:crossbar,input.size=24,output.size=12"  # two tiles, then one
    each = ll.deploy(model, one, seed=5).scores(x[:50])
    for named in ([f"{one},seed={i}" for i in (5, 6, 7)], one + ",seed={5..7}", (one, one, one)):
        seed = {"seed": 5} if isinstance(named, tuple) else {}
        assert np.array_equal(ll.deploy(model, named, **seed).scores(x[:50]), each)
    with pytest.raises(ll.InvalidParameter, match="3 are needed"):
        ll.deploy(model, one + ",seed={5..6}").scores(x[:2])
    modules = ll.torch.convert(model, one + ",seed={5..7}")
    assert np.array_equal(modules(torch.from_numpy(x[:50])).detach().numpy().argmax(1), each.argmax(1))


def test_power_is_specified_and_cells_at_an_age(problem):
    model, x, y = problem
    rings = ll.deploy(model, "sim:ring_bank,preset=ideal,detector.amplifier_a2_hz=1e-22")
    found = rings.spec(x, y, "power_w", drop=0.05, repeats=2, per_layer=False)
    power = found["parameters"]["power_w"]
    assert found["reached"] and power["priced"] and power["value"] < power["asked"] < power["best"]
    cells = ll.deploy(model, "sim:crossbar,preset=pcm")
    fresh, old = (cells.spec(x, y, "adc.bits", drop=0.6, repeats=4, samples=200, age=age) for age in (0, "300 d"))
    assert old["age_s"] == 300 * 86400 and old["accuracy"]["mean"] < fresh["accuracy"]["mean"]
    with pytest.raises(ll.Unsupported, match="clock"):
        ll.deploy(model, "sim:homodyne").spec(x, y, "adc.bits", drop=0.5, repeats=2, samples=10, age="1 d")


@pytest.mark.parametrize("device", ["sim:crossbar", "sim:mzi_mesh,input.size=64,output.size=64"])
def test_layers_and_tiles_of_zeros_are_deployed_and_answer_zeros(device):
    model = torch.nn.Sequential(torch.nn.Linear(128, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    x = torch.rand(5, 128)
    with torch.no_grad():
        model[0].weight[:, :64] = 0  # a tile of the mesh
        torch.nn.init.zeros_(model[2].weight)
    labels = np.zeros(5, np.int64)
    assert 0 <= ll.deploy(model, device).accuracy(x.numpy(), labels) <= 1
    for calibrate in (True, False):
        converted = ll.torch.convert(model, device, **{"layer.calibrate": calibrate})
        assert torch.equal(converted(x), model[2].bias.expand(5, 4))
        first = converted[0](x) - model[0](x)
        assert float(first.detach().abs().max()) < 2


def test_converted_modules_keep_weights_gradients_and_the_model(problem):
    model, x, _ = problem
    analog = ll.torch.convert(model, FINE)
    assert list(analog.state_dict()) == list(model.state_dict())
    inputs = torch.from_numpy(x[:20]).requires_grad_()
    again = torch.from_numpy(x[:20]).requires_grad_()
    y, wanted = analog(inputs), model(again)
    assert torch.allclose(y, wanted, atol=0.1)
    (y**2).sum().backward()
    (2 * y.detach() * model(again)).sum().backward()  # the same signal through the digital model
    assert torch.allclose(inputs.grad, again.grad, rtol=1e-4, atol=1e-3)
    assert torch.allclose(analog[2].weight.grad, model[2].weight.grad, rtol=2e-2, atol=0.5)
    cost = ll.torch.report(analog)
    assert cost["device_j"] == pytest.approx(sum(cost["energy"].values())) and len(cost["modules"]) == 2
    model.zero_grad()
    assert type(model[0]) is torch.nn.Linear


def test_training_through_noise_writes_new_weights(problem):
    model, x, y = problem
    analog = ll.torch.convert(model, "sim:crossbar", output_noise=0.5)
    optimizer = torch.optim.SGD(analog.parameters(), lr=1e-3)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(analog(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert analog[0].report.programs == 8
    model.load_state_dict(analog.state_dict(), strict=False)  # digital again, without what the devices hold


def test_convolutions_are_matrices_of_patches():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 5, 3, stride=2, padding=1), torch.nn.ReLU())
    x = torch.randn(3, 2, 9, 8)
    analog = ll.torch.convert(model, FINE)
    assert torch.allclose(analog(x), model(x), atol=0.02)
    fresh = ll.torch.AnalogConv2d(2, 5, 3, stride=2, padding=1, device=FINE)
    fresh.load_state_dict(model[0].state_dict())
    assert torch.allclose(torch.relu(fresh(x)), model(x), atol=0.02)
    assert torch.allclose(torch.relu(fresh(x[0])), model(x)[0], atol=0.02)  # one image
    with pytest.raises(ll.ShapeMismatch, match="height"):
        fresh(x[0, 0])
    with pytest.raises(ll.Unsupported, match="Physical"):  # weights of a module are no phases
        ll.torch.convert(model, "sim:mzi_mesh", **{"layer.update": "programme"})


def test_modules_go_back_through_twins_and_devices_learn_ranges_and_pulse(problem):
    _, x, y = problem
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    lossy = "sim:mzi_mesh,mesh.layout=reck,loss=0.1,correction=none,splitter_error=0,phase_error=0,crosstalk=0"
    lossy += ",phase.bits=16,adc.bits=14,output_noise=0"
    grads = {}
    for way in ("weights", "twin", "device"):
        torch.manual_seed(2)
        layer = ll.torch.AnalogLinear(24, 10, device=lossy, **{"layer.backward": way})
        at = inputs[:16].clone().requires_grad_()
        torch.nn.functional.cross_entropy(layer(at), labels[:16]).backward()
        grads[way] = at.grad
    size = grads["twin"].norm()
    assert (grads["twin"] - grads["device"]).norm() < 0.05 * size  # photons and converters
    assert (grads["twin"] - grads["weights"]).norm() > 0.1 * size

    def trained(device, **options):
        torch.manual_seed(4)
        model = ll.torch.convert(torch.nn.Sequential(torch.nn.Linear(24, 10)), device, **options)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(40):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        return model, float((model(inputs).argmax(1) == labels).float().mean())

    model, accuracy = trained("sim:crossbar", **{"layer.noise_management": "learned"})
    ranges = [p for name, p in model.named_parameters() if name.endswith("input_range")]
    assert accuracy > 0.9 and len(ranges) == 1 and 0 < ranges[0].item() != inputs.abs().max().item()
    assert model[0].input_range_known and "0.input_range_known" in model.state_dict()
    with torch.no_grad():
        model[0].input_range.fill_(-1.0)
    with pytest.raises(ll.OutOfRange, match="learning rate"):
        model(inputs)
    pulsed = "sim:crossbar,cell.kind=soft_bounds,pulse.step=0.002"
    model, accuracy = trained(pulsed, **{"layer.update": "pulses", "layer.weight_limit": 1.5, "layer.backward": "device"})
    assert accuracy > 0.9 and model[0].report.programs > 40  # written once, then moved
    with pytest.raises(ll.InvalidParameter, match="weight_limit=0.5"):
        trained(pulsed, **{"layer.update": "pulses"})


def test_a_layer_gives_gradients_and_takes_updates():
    rng = np.random.default_rng(3)
    w = rng.normal(size=(5, 7)).astype(np.float32)
    x, g = rng.normal(size=(4, 7)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32)
    with ll.Layer(FINE, w, backward="twin") as layer:
        assert np.allclose(layer.backward(x, g), g @ w, atol=2e-2)
        with pytest.raises(ll.Unsupported):
            layer.update(w)
    with ll.Layer("sim:crossbar,cell.kind=constant_step", np.zeros_like(w), weight_limit=1.0,
                  noise_management="learned") as layer:  # fmt: skip
        layer.update(0.01 * w)
        assert np.abs(layer.programmed - 0.01 * w).max() <= 1.01e-3  # whole pulses of 0.001
        layer.input_range = 2.5
        assert layer.input_range == 2.5 and isinstance(layer.range_gradient(x, g), float)


def test_a_layer_moves_its_phases_towards_what_it_should_answer():
    rng = np.random.default_rng(3)
    w, wanted = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
    x = rng.normal(size=(50, 4)).astype(np.float32)
    with ll.Layer("sim:mzi_mesh,phase.law=linear,correction=none", w, update="programme", weight_limit=6.0) as layer:
        layer.calibrate()
        errors = []
        for _ in range(60):
            off = layer(x) - x @ wanted.T
            errors.append(float((off**2).mean()))
            layer.learn_programme(x, off, 0.01)
        assert np.mean(errors[-10:]) < 0.3 * errors[0]
        held = layer.programmed
    with ll.Layer("sim:mzi_mesh", w) as plain, pytest.raises(ll.Unsupported, match="layer.update"):
        plain.learn_programme(x, off, 0.01)
    assert np.abs(held - w).max() > 0.1


def test_an_instrument_is_given_back_for_a_ranking_and_taken_again(problem, monkeypatch):
    model, x, y = problem
    net = ll.deploy(model, "sim:crossbar", **{"layer.devices": "one"})
    accuracy, cost = net.accuracy(x, y), net.device_joules
    frames = [report.frames for report in net.reports]
    seen = []
    monkeypatch.setattr(ll.analog._core, "sensitivity", lambda *_: seen.append(net._open) or {"sources": [], "device": ""})
    net.sensitivity(x, y)
    assert seen == [None]  # nobody holds the device while others deploy on it
    assert net.device_joules == cost and [report.frames for report in net.reports] == frames
    assert net.accuracy(x, y) == accuracy  # opened again, with the same seed
    assert net.device_joules == pytest.approx(2 * cost) and sum(net.energy.values()) == pytest.approx(2 * cost)


def test_a_deployed_network_ages_and_is_calibrated_again(problem):
    model, x, y = problem
    fresh, old, again = (ll.deploy(model, "sim:crossbar,preset=pcm") for _ in range(3))
    assert old.age("300 d") is old and again.age(300 * 86400, recalibrate=True) is again
    true = model(torch.from_numpy(x)).detach().numpy()
    error = [np.abs(net.scores(x) - true).mean() for net in (fresh, old, again)]
    assert error[1] > 1.2 * error[0] and error[2] < error[1]
    with pytest.raises(ll.Unsupported, match="clock"):
        ll.deploy(model, "sim:homodyne").age("1 d")
    with pytest.raises(ll.OutOfRange, match="age"):
        fresh.age(-1)
    ranking = fresh.sensitivity(x, y, repeats=1, samples=50, age="300 d")
    assert "age" in {source["source"] for source in ranking.sources}
