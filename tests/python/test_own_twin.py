"""Devices of one's own that bring a twin, and that say what a call took."""

import numpy as np
import pytest

import lightloop as ll
from lightloop.device import address_of

MIDDLE = 2048  # of the inputs and of the programme
BEND = 0.05


class Chip(ll.Device):
    """Products of signed codes that bend: u - BEND u^3, u = W v."""

    params = [
        ll.Param("adc.range", 4.0, min=0.01, max=100.0, help="at the ends of the ADC"),
        ll.Param("input.size", 6, min=1, max=64, help="inputs", needs_reopen=True),
        ll.Param("output.size", 4, min=1, max=64, help="outputs", needs_reopen=True),
    ]

    def open_model(self):
        self.unit = 2**15 / self.settings["adc.range"]

    def __init__(self):
        self.open_model()
        self.held = np.full((self.settings["output.size"], self.settings["input.size"]), MIDDLE)

    def describe(self):
        n, m = self.settings["input.size"], self.settings["output.size"]
        return {
            "kind": "layer", "input": (n, 12), "output": (m, 16), "program": ((m, n), 12), "deterministic": True, "repeatable": True,
            "frame_s": 1e-6, "power_w": 1.0,
        }  # fmt: skip

    def configure(self, changes):
        self.open_model()

    def program(self, codes):
        self.held = codes

    def snapshot(self):
        return self.held.astype(np.uint16).tobytes()

    def restore(self, state):
        if len(state) != 2 * self.held.size:
            raise ll.InvalidParameter("snapshot", f"{len(state)} bytes", f"{2 * self.held.size}")
        self.held = np.frombuffer(state, np.uint16).reshape(self.held.shape)

    def run(self, frames):
        return np.clip(np.rint(self.forward_model(frames, self.held)), 0, 2**16 - 1).astype(np.uint16)

    def parts(self, x, theta):
        v, w = x.astype(float) / MIDDLE - 1, np.asarray(theta, float) / MIDDLE - 1
        return v, w, v @ w.T

    def forward_model(self, x, theta):
        u = self.parts(x, theta)[2]
        return 2**15 + self.unit * (u - BEND * u**3)

    def vjp(self, x, grad_y, theta):
        v, w, u = self.parts(x, theta)
        of_u = self.unit * grad_y * (1 - 3 * BEND * u**2)
        return of_u @ w / MIDDLE, of_u.T @ v / MIDDLE


def some(seed, *shape, size=1.0):
    return np.random.default_rng(seed).uniform(-size, size, shape).astype(np.float32)


def codes(seed, *shape):
    return np.rint(MIDDLE * (1 + some(seed, *shape, size=0.9))).astype(np.float32)


def slope(f, at, place, step):
    """By central differences."""
    up, down = at.copy(), at.copy()
    up[place] += step
    down[place] -= step
    return (f(up) - f(down)) / (2 * step)


def test_a_class_with_a_model_is_its_own_twin():
    x, theta, g = codes(1, 5, 6), codes(2, 1, 24), some(3, 5, 4)
    with ll.open(Chip) as device:
        twin = ll.Twin(device)
        assert (twin.inputs, twin.outputs, twin.parameters) == (6, 4, 24)
        twin.program(theta)
        device.program(theta.reshape(4, 6).astype(np.uint16))
        assert np.abs(device.run(x.astype(np.uint16)) - twin.forward(x)).max() <= 0.5 + 2**-7  # rounding, of codes and of float32
        device.configure({"adc.range": 8.0})
        half = ll.Twin(device)  # as the device is set now
        half.program(theta)
        assert half.forward(x) - 2**15 == pytest.approx((twin.forward(x) - 2**15) / 2, rel=1e-3)
    grad_x, grad_theta = twin.vjp(x, g)

    def loss(x, theta):
        twin.program(theta)
        return float((g.astype(float) * twin.forward(x)).sum())

    for place in np.ndindex(x.shape):
        assert grad_x[place] == pytest.approx(slope(lambda a: loss(a, theta), x, place, 64.0), rel=2e-3, abs=2e-3)
    for place in np.ndindex(theta.shape):
        assert grad_theta[place] == pytest.approx(slope(lambda a: loss(x, a), theta, place, 64.0), rel=2e-3, abs=2e-3)
    for wrong in (codes(1, 5, 7), codes(1, 6)):
        with pytest.raises((ll.ShapeMismatch, TypeError)):
            twin.forward(wrong)
    with pytest.raises(ll.ShapeMismatch):
        twin.vjp(x, some(3, 4, 4))
    with pytest.raises((ll.ShapeMismatch, TypeError)):
        twin.program(codes(2, 1, 23))


def test_layers_go_back_through_it():
    w, x, g = some(1, 4, 6), some(2, 20, 6), some(3, 20, 4)
    options = {"noise_management": "fixed", "input_range": 1.0, "bound_management": "none"}
    with ll.Layer(address_of(Chip), w, backward="twin", **options) as layer:
        at = np.clip(x, -0.9, 0.9)
        back = layer.backward(at, g)
        for place in [(0, 0), (7, 3), (19, 5)]:
            near = slope(lambda a: float((g.astype(float) * layer(a)).sum()), at, place, 0.1)
            assert back[place] == pytest.approx(near, rel=0.02, abs=0.005)
        assert np.linalg.norm(back - g @ w) > 0.02 * np.linalg.norm(back)  # the weights alone do not know of the bend
    with ll.Layer(address_of(Chip), w, update="programme", backward="twin", **options) as layer:
        wanted = x @ some(4, 4, 6).T

        def lost():
            return float(((layer(x) - wanted) ** 2).mean())

        before = lost()
        for _ in range(60):
            layer.learn_programme(x, 2 * (layer(x) - wanted) / 4, lr=0.01)
        assert lost() < before / 5


def test_a_layer_goes_back_through_the_twin_it_names():
    chip = "sim:mzi_mesh,input.size=6,output.size=4,splitter_error=0.05,correction=none,monitors=true"
    w, x, g = some(1, 4, 6), some(2, 20, 6), some(3, 20, 4)

    def way_back(**options):
        with ll.Layer(chip, w, backward="twin", **options) as layer:
            return layer.backward(x, g)

    own = way_back()
    assert np.array_equal(way_back(twin=chip), own)
    assert not np.array_equal(way_back(twin="sim:mzi_mesh,splitter_error=0"), own)
    with pytest.raises(ll.ShapeMismatch, match="layer.twin.*programme"):
        way_back(twin="sim:crossbar")
    with pytest.raises(ll.UnknownName, match="nonsense"):
        way_back(twin="sim:nonsense")
    with pytest.raises(ll.Unsupported, match="layer.devices.*ll.deploy"):
        way_back(devices="one")


def test_a_named_twin_of_complex_fields_has_the_channels_of_the_instrument():
    with ll.open("sim:mzi_mesh,field.kind=complex,input.size=4,output.size=4,seed=3") as device:
        twin = ll.Twin(device, "sim:mzi_mesh")
        own = ll.Twin(device)
        assert (twin.inputs, twin.outputs, twin.parameters) == (own.inputs, own.outputs, own.parameters) == (8, 8, own.parameters)


def test_physical_modules_go_back_through_it():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    chip = ll.torch.Physical(Chip)
    x, wanted = torch.from_numpy(some(2, 40, 6)), torch.from_numpy(0.3 * some(3, 40, 6) @ some(4, 4, 6).T)
    optimizer = torch.optim.Adam(chip.parameters(), 0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((chip(x) - wanted) ** 2).mean()
        loss.backward()
        optimizer.step()
        chip.programme.data.clamp_(0, 1)
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 5


class Bends(ll.Device):
    """A map of ten channels: nothing is programmed."""

    def describe(self):
        return {"kind": "layer", "input": (10, 12), "output": (10, 12), "deterministic": True, "repeatable": True, "frame_s": 1e-6, "power_w": 1.0}

    def mixed(self, x):
        v = x.astype(float) / MIDDLE - 1
        return v + 0.5 * np.roll(v, 1, axis=1)

    def forward_model(self, x):
        return MIDDLE * (1 + 0.9 * np.sin(self.mixed(x)))

    def vjp(self, x, grad_y):
        g = 0.9 * np.cos(self.mixed(x)) * grad_y
        return g + 0.5 * np.roll(g, -1, axis=1)

    def run(self, frames):
        return np.clip(np.rint(self.forward_model(frames)), 0, 4095).astype(np.uint16)


def test_physics_aware_training_sends_errors_back_through_it():
    options = dict(net="flatten, dense 10 | physical 10 | dense classes", epochs=4, batch=32, samples=2000, lr=1e-2, map=address_of(Bends))
    aware = ll.train("digits", rule="bp", **options)
    assert aware.test_accuracy > 0.6  # chance is 0.1; the first layer learns through the physics
    assert aware.facts["device_frames"] > 0

    class Blind(Bends):
        vjp = None

    with pytest.raises(ll.Unsupported, match="vjp"):
        ll.train("digits", rule="bp", **{**options, "map": address_of(Blind)})


def test_a_twin_opens_no_hardware():
    class Bench(Bends):
        opened = []

        def __init__(self):
            self.opened.append(1)

    twin = ll.Twin(address_of(Bench))
    assert twin.forward(codes(1, 3, 10)).shape == (3, 10) and twin.parameters == 0 and not Bench.opened
    with pytest.raises(ll.Unsupported, match="no programmable parameters"):
        twin.program(np.zeros((1, 0), np.float32))


def test_without_a_model_a_class_is_refused_as_before():
    class Plain(Bends):
        forward_model = vjp = None

    class Half(Bends):
        forward_model = None

    for device in (Plain, Half):
        with pytest.raises(ll.Unsupported, match=r"no forward_model\(\).*layer\.twin"):
            ll.Twin(address_of(device))
    with ll.open(Plain) as device:
        assert ll.Twin(device, address_of(Bends)).inputs == 10  # another class may stand for it


@pytest.mark.parametrize(
    "method, answer, words",
    [
        ("forward_model", lambda x: np.zeros((len(x), 9)), [r"\(2, 9\)", r"\(2, 10\)"]),
        ("forward_model", lambda x: [1.0], ["list"]),
        ("forward_model", lambda x: 1j * np.zeros((len(x), 10)), ["complex128", "real"]),
        ("forward_model", lambda x: np.full((len(x), 10), np.nan), ["nan", "finite"]),
        ("forward_model", lambda x: 1 / 0, ["ZeroDivisionError", "test_own_twin.py"]),
        ("vjp", lambda x, grad_y: grad_y[:1], [r"\(1, 10\)", r"\(2, 10\)"]),
        ("vjp", lambda x, grad_y: (grad_y, grad_y), ["tuple"]),
    ],
)
def test_what_a_model_answers_is_checked(method, answer, words):
    class Wrong(Bends):
        pass

    setattr(Wrong, method, lambda self, *given: answer(*given))
    twin = ll.Twin(address_of(Wrong))
    with pytest.raises(ll.DeviceError) as told:
        twin.vjp(codes(1, 2, 10), some(1, 2, 10)) if method == "vjp" else twin.forward(codes(1, 2, 10))
    for word in (method, *words):
        told.match(word)


def test_a_programmable_class_gives_both_gradients():
    class Half(Chip):
        def vjp(self, x, grad_y, theta):
            return super().vjp(x, grad_y, theta)[0]

    class Turned(Chip):
        def vjp(self, x, grad_y, theta):
            of_x, of_theta = super().vjp(x, grad_y, theta)
            return of_x, of_theta.T

    for device, word in ((Half, r"\(grad_x, grad_theta\)"), (Turned, r"\(6, 4\)")):
        with pytest.raises(ll.DeviceError, match=word):
            ll.Twin(address_of(device)).vjp(codes(1, 2, 6), some(1, 2, 4))


class Metered(Chip):
    """Its laser burns while a call lasts, whatever is shown in it."""

    told = {"laser": 3e-6, "adc": {"events": 12, "joules": 1e-6}}

    def describe(self):
        return {**super().describe(), "max_batch": 8}

    def run(self, frames):
        return super().run(frames), {"device_s": 2e-3, "parts": self.told}


def test_a_call_says_what_it_took_by_component():
    w, x = some(1, 4, 6), some(2, 20, 6)
    with ll.Layer(address_of(Metered), w, bound_management="none") as layer:
        layer(x)  # three calls of the device
        report = layer.report
        assert report.energy["laser"] == pytest.approx(9e-6) and report.energy["adc"] == pytest.approx(3e-6)
        assert set(report.energy) == {"laser", "adc"}
        assert report.device_s == pytest.approx(6e-3) and report.device_j == pytest.approx(12e-6)
        assert layer.device.meter.device_j == pytest.approx(12e-6)

    class More(Metered):
        def run(self, frames):
            codes, told = super().run(frames)
            return codes, {**told, "device_j": 5e-6}

    with ll.Layer(address_of(More), w, bound_management="none") as layer:
        layer(x)
        assert layer.report.energy["other"] == pytest.approx(3e-6)
        assert sum(layer.report.energy.values()) == pytest.approx(layer.report.device_j)
    assert [claim for claim in ll.check(Metered) if claim[1] == "failed"] == []


@pytest.mark.parametrize(
    "told, word",
    [
        ({"parts": {"laser": -1.0}}, "laser"),
        ({"parts": {"laser": 2.0}, "device_j": 1.0}, "2"),
        ({"parts": {"laser": {"joule": 1.0}}}, "joule"),
        ({"parts": {"laser": "much"}}, "joules"),
        ({"parts": 1.0}, "parts"),
        ({"parts": {"": 1.0}}, "part"),
    ],
)
def test_parts_of_a_call_that_cannot_be_are_refused(told, word):
    class Wrong(Chip):
        def run(self, frames):
            return super().run(frames), told

    with ll.open(Wrong) as device, pytest.raises(ll.DeviceError, match=word):
        device.run(codes(1, 3, 6).astype(np.uint16))
