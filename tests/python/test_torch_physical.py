"""Devices trained by their own programme."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")
lt = pytest.importorskip("lightloop.torch")
ll = pytest.importorskip("lightloop")

CHIP = "sim:mzi_mesh,input.size=4,output.size=4,phase.law=linear,phase.bits=16,dac.bits=14,adc.bits=16,adc.range=1"
QUIET = CHIP + ",splitter_error=0,phase_error=0,crosstalk=0,vacuum_noise=false,output_noise=0"


@pytest.mark.parametrize("layout", ["clements", "butterfly"])
def test_gradients_of_phases_and_inputs_are_those_of_the_device(layout):
    torch.manual_seed(1)
    chip = lt.Physical(f"{QUIET},mesh.layout={layout}")
    x = (2 * torch.rand(5, 4) - 1).requires_grad_()
    weight = torch.randn(5, 4)
    (chip(x) * weight).sum().backward()
    for value, grad, h in ((chip.programme.data, chip.programme.grad, 0.01), (x.data, x.grad, 0.05)):
        by_difference = torch.zeros_like(grad)
        for i in range(value.numel()):
            flat, before = value.view(-1), value.view(-1)[i].item()
            if not h < abs(before) < 1 - h:
                by_difference.view(-1)[i] = grad.view(-1)[i]  # the end of the range
                continue
            sums = []
            for to in (before + h, before - h):
                flat[i] = to
                with torch.no_grad():
                    sums.append((chip(x) * weight).sum().item())
            flat[i] = before
            by_difference.view(-1)[i] = (sums[0] - sums[1]) / (2 * h)
        assert (grad - by_difference).norm() < 0.01 * grad.norm()


def test_what_is_clipped_is_counted_and_has_no_gradient():
    torch.manual_seed(1)
    chip = lt.Physical(QUIET)
    chip.programme.data[3] = 1.2
    x = torch.tensor([[0.5, -1.5, 0.2, 1.0]], requires_grad=True)
    (chip(x) * torch.randn(1, 4)).sum().backward()
    assert chip.clipped_inputs == 1
    assert x.grad[0, 1] == 0 and x.grad[0, 0] != 0
    assert chip.programme.grad[3] == 0 and chip.programme.grad.abs().sum() > 0


def test_a_chip_with_errors_nobody_knows_learns_a_matrix_by_its_phases():
    torch.manual_seed(2)
    chip = lt.Physical(CHIP + ",splitter_error=0.05,correction=none,seed=3")
    target = torch.linalg.qr(torch.randn(4, 4))[0] * 0.6
    optimizer = torch.optim.Adam(chip.parameters(), 0.01)
    losses = []
    for _ in range(200):
        x = 2 * torch.rand(32, 4) - 1
        loss = ((chip(x) - x @ target.t()) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        chip.programme.data.clamp_(0, 1)
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.05 * sum(losses[:10])


def test_what_cannot_be_trained_so_is_refused():
    with pytest.raises(ll.InvalidParameter, match="kind layer.*mzi_mesh"):
        lt.Physical("sim:opu")


def test_what_is_not_finite_is_refused_by_name_and_nothing_is_shown():
    chip = lt.Physical(QUIET)
    x = torch.zeros(3, 4)
    x[1, 2] = float("nan")
    with pytest.raises(ValueError, match=r"x \[1, 2\]: nan"):
        chip(x)
    chip.programme.data[5] = float("inf")
    with pytest.raises(ValueError, match=r"programme \[5\]: inf"):
        chip(torch.zeros(3, 4))
    assert chip.session.meter.frames == 0


def test_copies_and_pickles_go_on_from_the_state_of_the_device():
    torch.manual_seed(3)
    chip = lt.Physical(CHIP)
    x = 2 * torch.rand(6, 4) - 1
    chip(x)
    others = copy.deepcopy(chip), pickle.loads(pickle.dumps(chip)), copy.deepcopy(copy.deepcopy(chip))
    wanted = chip(x)
    for other in others:
        assert other.session is not chip.session
        assert torch.equal(other(x), wanted) and other.session.meter.frames == chip.session.meter.frames
        other(x).sum().backward()
        assert other.programme.grad.abs().sum() > 0


def test_an_empty_batch_is_an_empty_answer_and_gradient():
    chip = lt.Physical(QUIET)
    x = torch.zeros(0, 4, requires_grad=True)
    y = chip(x)
    y.sum().backward()
    assert y.shape == (0, 4) and x.grad.shape == (0, 4) and not chip.programme.grad.any()
    assert chip(torch.zeros(2, 0, 4)).shape == (2, 0, 4)


def test_dtypes_of_inputs_come_back_and_complex_ones_are_refused():
    torch.manual_seed(4)
    chip = lt.Physical(QUIET)
    x = (torch.rand(3, 4) - 0.5).bfloat16().requires_grad_()
    y = chip(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == torch.bfloat16 and chip.programme.grad.dtype == torch.float32
    assert torch.equal(y, chip(x.detach().float()).bfloat16())
    with pytest.raises(ll.Unsupported, match="Physical: x: torch.complex64"):
        chip(torch.zeros(3, 4, dtype=torch.complex64))


def test_a_chip_may_be_given_the_twin_of_another_string():
    torch.manual_seed(0)
    own = lt.Physical(QUIET)
    named = lt.Physical(QUIET, twin=QUIET)
    named.load_state_dict(own.state_dict())
    x = torch.rand(5, own.session.info.input.size) - 0.5
    for chip in (own, named):
        chip(x).square().sum().backward()
    assert torch.equal(own.programme.grad, named.programme.grad)
    with pytest.raises(ll.ShapeMismatch, match="layer.twin"):
        lt.Physical(QUIET, twin="sim:crossbar")


def test_the_gradient_of_a_twin_is_not_differentiated_again():
    x = (torch.rand(3, 4) - 0.5).requires_grad_()
    (slope,) = torch.autograd.grad(lt.Physical(QUIET)(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.square().sum().backward()
