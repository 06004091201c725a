"""ll.torch.OPU: features of a device inside PyTorch models, gradients only where a matrix is known."""

import copy
import math
import pathlib
import pickle
import re

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn

FINE = "sim:opu,preset=ideal"


@pytest.fixture
def x():
    return torch.from_numpy(np.random.default_rng(2).random((30, 20), dtype=np.float32))


def cosine(a, b):
    return nn.functional.cosine_similarity(a.detach().flatten(), b.detach().flatten(), dim=0).item()


def test_intensity_has_the_mean_and_spread_of_speckle():
    """|Hx|^2 of n mirrors on is exponential with mean n: with 4000 pixels mean and standard deviation agree within 4 sigma."""
    opu = ll.torch.OPU(20, 4000, FINE, scale=1, seed=5)
    y = opu((torch.arange(20) < 9).float()[None])
    assert y.shape == (1, 4000) and not y.requires_grad
    assert y.mean().item() == pytest.approx(9, abs=4 * 9 / 4000**0.5)
    assert y.std().item() == pytest.approx(9, abs=4 * 9 * (2 / 4000) ** 0.5)
    digital = ll.torch.OPU(20, 4000, "digital", scale=1, seed=5)((torch.arange(20) < 9).float()[None])
    assert digital.mean().item() == pytest.approx(9, abs=4 * 9 / 4000**0.5)
    opu.close()


def test_features_are_those_of_a_projection_on_the_same_device(x):
    for mode in ("intensity", "linear"):
        opu = ll.torch.OPU(20, 16, FINE, mode=mode, scale=1, seed=7)
        y = opu(x.reshape(5, 6, 20))
        assert y.shape == (5, 6, 16)
        more = {"readout": "intensity"} if mode == "intensity" else {"encoding": "bitplanes:6"}
        with ll.Projection(f"{FINE},seed=7", 20, 16, **more) as projection:
            shown = (x > 0.5).numpy().astype(np.float32)
            wanted = projection.intensity(shown) if mode == "intensity" else projection.linear(x.numpy())
        assert np.array_equal(y.reshape(30, 16).numpy(), wanted)
        assert opu.session.meter.frames > 0
        opu.close()


def test_default_scale_gives_features_of_order_one(x):
    for device in (FINE, "digital"):
        for mode in ("intensity", "linear"):
            y = ll.torch.OPU(20, 300, device, mode=mode)(x)
            assert 0.1 < y.square().mean().sqrt() < 2


def test_a_gradient_of_an_unknown_matrix_is_refused_and_of_a_known_one_is_right(x):
    inputs = x.clone().requires_grad_()
    with pytest.raises(ll.Unsupported, match="not known"):
        ll.torch.OPU(20, 16, FINE)(inputs).sum().backward()
    weights = torch.from_numpy(np.random.default_rng(1).normal(size=(30, 16)).astype(np.float32))

    opu = ll.torch.OPU(20, 16, FINE, mode="linear", settings={"projection.encoding": "bitplanes:10"})
    matrix = opu.measure()
    (opu(inputs) * weights).sum().backward()
    assert torch.allclose(inputs.grad, opu.scale * weights @ matrix, atol=1e-5)
    assert cosine(opu(x), x @ matrix.t()) > 0.999

    known = torch.complex(*torch.randn(2, 16, 20).unbind())
    inputs.grad = None
    (ll.torch.OPU(20, 16, FINE, matrix=known)(inputs) * weights).sum().backward()
    again = x.clone().requires_grad_()
    ((again.to(known.dtype) @ known.t()).abs().square() / 20 * weights).sum().backward()
    assert torch.allclose(inputs.grad, again.grad, atol=1e-4)


@pytest.mark.parametrize("mode", ["intensity", "linear"])
def test_the_digital_formula_passes_gradcheck(mode):
    opu = ll.torch.OPU(5, 4, "digital", mode=mode)
    assert torch.autograd.gradcheck(opu, torch.rand(3, 5, dtype=torch.float64, requires_grad=True))


def test_only_the_head_is_trained_behind_a_frozen_trunk_and_an_opu(x):
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(20, 24), nn.Sigmoid()).requires_grad_(False)
    model = nn.Sequential(trunk, ll.torch.OPU(24, 64, FINE), nn.Linear(64, 2))
    y = (x[:, 0] > 0.5).long()
    before, opened = [p.clone() for p in trunk.parameters()], torch.optim.Adam(model[2].parameters(), 1e-2)
    losses = []
    for _ in range(20):
        opened.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opened.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(a, b) for a, b in zip(before, trunk.parameters()))
    with pytest.raises(ll.Unsupported):  # an attack by gradients finds none, and is told so
        nn.functional.cross_entropy(model(x.clone().requires_grad_()), y).backward()


def test_layers_before_an_opu_learn_by_feedback_alignment(x):
    """Adversarial robustness in the manner of ROPUST: what lies before the device gets its signals past it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 24), nn.Sigmoid(), ll.torch.OPU(24, 64, FINE), nn.Linear(64, 2))
    ll.torch.dfa(model, points="1")
    nn.functional.cross_entropy(model(x), torch.arange(30) % 2).backward()
    assert model[0].weight.grad.abs().max() > 0


def test_the_state_holds_how_it_was_made(x, tmp_path):
    model = nn.Sequential(ll.torch.OPU(20, 16, FINE, encoding="thermometer:3", seed=11), nn.Linear(16, 2))
    wanted = model(x)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = nn.Sequential(ll.torch.OPU(20, 16), nn.Linear(16, 2))
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert other[0].made["device"] == FINE and other[0].made["seed"] == 11
    assert torch.equal(other(x), wanted)
    with pytest.raises(ll.ShapeMismatch):
        ll.torch.OPU(20, 17).load_state_dict(model[0].state_dict())
    other[0].to_device("sim:opu,seed=4")
    assert not torch.equal(other(x), wanted)


def test_copies_and_pickles_go_on_from_the_state_of_the_device(x):
    opu = ll.torch.OPU(20, 16, "sim:opu")
    opu(x)
    others = copy.deepcopy(opu), pickle.loads(pickle.dumps(opu))
    wanted = opu(x)
    assert all(torch.equal(other(x), wanted) for other in others)


def test_an_empty_batch_has_empty_features():
    for mode in ("intensity", "linear"):
        assert ll.torch.OPU(20, 16, FINE, mode=mode)(torch.zeros(0, 20)).shape == (0, 16)


def test_what_cannot_be_is_refused_by_name():
    for words, error in (
        ({"mode": "phase"}, ll.InvalidParameter),
        ({"encoding": "gray"}, ll.InvalidParameter),
        ({"high": 0.0}, ll.OutOfRange),
        ({"matrix": np.ones((8, 20))}, ll.ShapeMismatch),
        ({"matrix": np.ones((16, 20))}, ll.InvalidParameter),
        ({"device": "digital", "encoding": "threshold"}, ll.InvalidParameter),
    ):
        with pytest.raises(error):
            ll.torch.OPU(20, 16, **words)
    with pytest.raises(ll.ShapeMismatch, match="20"):
        ll.torch.OPU(20, 16)(torch.zeros(3, 21))
    with pytest.raises(ll.Unsupported, match="complex64"):
        ll.torch.OPU(20, 16)(torch.zeros(3, 20, dtype=torch.complex64))
    for encoding in ("threshold", "thermometer:4"):
        for bad in (math.nan, math.inf):
            shown = torch.zeros(3, 20)
            shown[1, 2] = bad
            with pytest.raises(ll.InvalidParameter, match=r"\[1, 2\]"):
                ll.torch.OPU(20, 16, encoding=encoding)(shown)
    with pytest.raises(ll.UnknownName):
        ll.torch.OPU(20, 16, settings={"camera.bit": 8})(torch.zeros(3, 20))
    with pytest.raises(ll.Unsupported, match="linear"):
        ll.torch.OPU(20, 16).measure()


@pytest.mark.parametrize("device", ["digital", FINE])
@pytest.mark.parametrize("mode", ["linear", "intensity"])
def test_masks_are_zeros_and_ones_and_integers_are_refused(device, mode):
    mask = torch.arange(36).reshape(3, 12) % 5 > 1
    shown = [ll.torch.OPU(12, 6, device, mode=mode, seed=3)(x) for x in (mask, mask.float())]
    assert shown[0].dtype == torch.float32 and torch.equal(*shown)
    for dtype in (torch.uint8, torch.int64):
        with pytest.raises(ll.Unsupported, match=f"{dtype}.*input.float"):
            ll.torch.OPU(12, 6, device, mode=mode)(mask.to(dtype))


def test_the_programs_of_the_page_run(capsys):
    page = (pathlib.Path(__file__).parents[2] / "docs" / "pytorch.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 3
    names = {}
    for program in programs:
        exec(program, names)
    assert "frames" in capsys.readouterr().out and "0._extra_state" in names["state"]
