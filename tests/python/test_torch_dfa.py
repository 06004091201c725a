"""ll.torch.dfa: the signals, against formulas written out; hooks that come off; copies, devices, autocast."""

import copy
import math
import pickle

import numpy as np
import pytest

import lightloop as ll

torch = pytest.importorskip("torch")
nn = torch.nn

WEIGHTS_INIT = 12


def drawn(seed, outputs, classes):
    """B as `lightloop train` draws it."""
    stream = ll.Stream(seed, 0, 13)
    return np.stack([stream.normal(i, classes) for i in range(outputs)])


def tanh_net(widths=(12, 24, 16, 5), seed=1, dtype=torch.float32):
    """A network with the weights that `lightloop train` begins with."""
    parts = []
    for layer, (n, m) in enumerate(zip(widths, widths[1:])):
        linear = nn.Linear(n, m)
        stream = ll.Stream(seed, layer, WEIGHTS_INIT)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(np.stack([stream.normal(i, n) for i in range(m)])) / n**0.5)
            linear.bias.zero_()
        parts += [linear, nn.Tanh()]
    return nn.Sequential(*parts[:-1]).to(dtype)


@pytest.fixture
def batch():
    rng = np.random.default_rng(3)
    y = np.arange(40) % 5
    x = (rng.normal(size=(5, 12))[y] + 0.5 * rng.normal(size=(40, 12))).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(y)


def backward(model, batch, **more):
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(batch[0]), batch[1], **more)
    loss.backward()
    return [p.grad.clone() for p in model.parameters()]


def by_hand(model, batch, matrix, cut=lambda e: e, scale=1.0):
    """Mean gradients of the rule in float64, written out: delta_l = scale / sqrt(d_l) (B_l T(e)) f'(a_l), delta_L = e."""
    linear = [m for m in model if isinstance(m, nn.Linear)]
    h = [batch[0].double().numpy()]
    for i, m in enumerate(linear):
        a = h[-1] @ m.weight.detach().double().numpy().T + m.bias.detach().double().numpy()
        h.append(np.tanh(a) if i + 1 < len(linear) else a)
    p = np.exp(h[-1] - h[-1].max(axis=1, keepdims=True))
    e = p / p.sum(axis=1, keepdims=True) - np.eye(h[-1].shape[1])[batch[1].numpy()]
    wanted = []
    for i in range(len(linear)):
        delta = e
        if i + 1 < len(linear):
            d = h[i + 1].shape[1]
            delta = scale / np.sqrt(d) * (cut(e) @ matrix[:d].astype(float).T) * (1 - h[i + 1] ** 2)
        wanted += [delta.T @ h[i] / len(e), delta.mean(axis=0)]
    return wanted


def assert_close(found, wanted, tolerance=2e-6):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(0, 12), (0, 3, 12), (2, 0, 12)])
def test_a_batch_of_none_gives_gradients_of_zero_and_shows_nothing(shape, reduction):
    def shown(rows):
        raise AssertionError("the device was asked")

    model = ll.torch.dfa(tanh_net(), shown, reduction=reduction)
    x = torch.empty(shape, requires_grad=True)
    getattr(model(x), reduction)().backward()
    assert x.grad.shape == shape
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in model.parameters())


def test_the_model_stays_the_same_and_outputs_too(batch):
    model, plain = tanh_net(), tanh_net()
    before = list(model.state_dict())
    assert ll.torch.dfa(model) is model
    assert model.dfa.points == ["1", "3"] and list(model.state_dict()) == before
    assert torch.equal(model(batch[0]), plain(batch[0]))


@pytest.mark.parametrize("dead_zone", [None, 0.1])
def test_gradients_are_those_of_the_rule_written_out(batch, dead_zone):
    model = ll.torch.dfa(tanh_net(), dead_zone=dead_zone, scale=1.7, seed=4)
    cut = (lambda e: e) if dead_zone is None else lambda e: np.sign(e) * (np.abs(e) > dead_zone)
    assert_close(backward(model, batch), by_hand(model, batch, drawn(4, 24, 5), cut, 1.7))
    given = ll.torch.dfa(tanh_net(), torch.from_numpy(drawn(4, 24, 5)), ["1", "3"], dead_zone=dead_zone, scale=1.7)
    for a, b in zip(backward(given, batch), backward(model, batch), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("rule, dead_zone", [("dfa", None), ("tdfa", 0.2)])
def test_steps_are_those_of_lightloop_train(batch, rule, dead_zone):
    """The same B, weights and batches: after 30 steps both are at the same weights."""
    x, y = batch[0].numpy(), batch[1].numpy()
    run = ll.train(((x, y), (x, y)), rule=rule, net="12-24-16-5", optimizer="sgd", lr=0.5, schedule="constant", batch=40,
                   epochs=30, seed=1, progress=False, alignment_every=0)  # fmt: skip
    model = ll.torch.dfa(tanh_net(), dead_zone=dead_zone)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(30):
        backward(model, batch)
        optimizer.step()
    start = tanh_net()
    for found, first, (w, b) in zip(model[::2], start[::2], run.weights, strict=True):
        assert np.abs(first.weight.detach().numpy() - w).max() > 0.05  # it has moved
        np.testing.assert_allclose(found.weight.detach().numpy(), w, atol=2e-5)
        np.testing.assert_allclose(found.bias.detach().numpy(), b, atol=2e-5)


def test_removal_gives_exact_gradients_to_the_bit(batch):
    model = ll.torch.dfa(tanh_net())
    exact = backward(tanh_net(), batch)
    assert not torch.equal(backward(model, batch)[0], exact[0])
    with model.dfa.off():
        assert all(torch.equal(a, b) for a, b in zip(backward(model, batch), exact))
    taught = model.dfa
    assert taught.remove() is model and not hasattr(model, "dfa")
    assert all(torch.equal(a, b) for a, b in zip(backward(model, batch), exact))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    taught.remove()  # twice is once


class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n), nn.LayerNorm(n))

    def forward(self, x):
        return x + self.inner(x)


def test_inside_a_block_the_gradient_is_exact_by_finite_differences():
    """Macro points: the parameters of a block feel d/dp of <signal, output of the block>, its input taken as fixed."""
    torch.manual_seed(0)
    model = nn.Sequential(Block(6), Block(6), nn.Linear(6, 3)).double()
    matrix = torch.randn(6, 3, dtype=torch.float64)
    ll.torch.dfa(model, matrix, ["0", "1"])
    x, y = torch.randn(7, 6, dtype=torch.float64), torch.arange(7) % 3
    logits = model(x)
    nn.functional.cross_entropy(logits, y).backward()
    e = torch.softmax(logits.detach(), 1) - nn.functional.one_hot(y, 3)
    signal = e @ matrix.t() / 6**0.5 / 7
    inputs = [x, model[0](x).detach()]
    for block, into in zip(model[:2], inputs, strict=True):
        for p in block.parameters():
            flat, grad = p.data.view(-1), p.grad.view(-1)
            for i in range(0, flat.numel(), 7):
                old, values = flat[i].item(), []
                for step in (1e-5, -1e-5):
                    flat[i] = old + step
                    with torch.no_grad():
                        values.append((signal * block(into)).sum().item())
                flat[i] = old
                assert grad[i].item() == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-8)


def test_micro_points_macro_points_and_the_way_around():
    torch.manual_seed(1)
    x, y = torch.randn(9, 6), torch.arange(9) % 3
    plain = nn.Sequential(Block(6), Block(6), nn.Linear(6, 3))
    gradients = {}
    for name, points in {"bp": None, "macro": ["0", "1"], "micro": None}.items():
        model = copy.deepcopy(plain)
        if name != "bp":
            ll.torch.dfa(model, points=points)
        gradients[name] = backward(model, (x, y))
    assert torch.equal(gradients["bp"][-1], gradients["micro"][-1])  # the last layer's is exact
    assert torch.equal(gradients["bp"][-1], gradients["macro"][-1])
    assert not torch.allclose(gradients["micro"][0], gradients["macro"][0])
    assert not torch.allclose(gradients["bp"][2], gradients["macro"][2])


def test_tokens_have_their_own_errors_and_images_one_each():
    torch.manual_seed(2)
    tokens = nn.Sequential(nn.Embedding(11, 8), nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
                           nn.Linear(8, 11))  # fmt: skip
    ll.torch.dfa(tokens, points=["0", "1"])
    ids = torch.randint(11, (4, 6))
    out = tokens(ids)
    nn.functional.cross_entropy(out.flatten(0, 1), ids.flatten()).backward()
    e = (torch.softmax(out.detach(), -1) - nn.functional.one_hot(ids, 11)) / 24
    signal = (e @ torch.from_numpy(drawn(1, 8, 11)).t()) / 8**0.5
    wanted = torch.zeros(11, 8).index_add_(0, ids.flatten(), signal.flatten(0, 1))
    assert torch.allclose(tokens[0].weight.grad, wanted, atol=1e-6)

    images = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4))
    ll.torch.dfa(images, points="1")
    x, y = torch.randn(5, 1, 6, 6), torch.arange(5) % 4
    out = images(x)
    nn.functional.cross_entropy(out, y).backward()
    e = (torch.softmax(out.detach(), -1) - nn.functional.one_hot(y, 4)) / 5
    signal = ((e @ torch.from_numpy(drawn(1, 48, 4)).t()) / 48**0.5).reshape(5, 3, 4, 4)
    wanted = (signal * (images[0](x) > 0)).sum(dim=(0, 2, 3))
    assert torch.allclose(images[0].bias.grad, wanted, atol=1e-6)


class Last(nn.Module):
    """Channels last."""

    def forward(self, x):
        return x.movedim(1, -1)


@pytest.mark.parametrize("dims, classes, hidden, last",
                         [(2, 4, 4, False), (2, 4, 3, False), (2, 4, 4, True), (1, 3, 3, False), (1, 5, 5, True)])  # fmt: skip
@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
def test_pixels_behind_convolutions_have_their_own_errors_along_axis_1(dims, classes, hidden, last, norm):
    torch.manual_seed(3)
    conv, batch, instance = (getattr(nn, f"{name}{dims}d") for name in ("Conv", "BatchNorm", "InstanceNorm"))
    between = {"none": nn.Identity, "batch": batch, "instance": instance}
    first, head = conv(2, hidden, 3, padding=1), conv(hidden, classes, 1)
    tail = [Last()] if last else []
    model = nn.Sequential(first, between[norm](hidden), nn.Tanh(), head, *tail)
    x, y = torch.randn(3, 2, *(4, 5)[:dims]), torch.randint(classes, (3, *(4, 5)[:dims]))
    inside = model[1](first(x)).detach().requires_grad_()
    h = torch.tanh(inside)
    out = head(h)
    e = (torch.softmax(out.detach(), 1) - nn.functional.one_hot(y, classes).movedim(-1, 1)) / y.numel()
    signal = torch.einsum("hc,bc...->bh...", torch.from_numpy(drawn(1, hidden, classes)), e) / hidden**0.5
    first.zero_grad()
    torch.tanh(model[1](first(x))).backward(signal)
    wanted = first.weight.grad.clone()
    model.zero_grad()
    out = ll.torch.dfa(model)(x)
    nn.functional.cross_entropy(out.movedim(-1, 1) if last else out, y).backward()
    assert torch.allclose(first.weight.grad, wanted, atol=1e-6)


def test_a_point_of_other_pixels_than_the_error_is_refused():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1))
    ll.torch.dfa(model)
    with pytest.raises(ll.ShapeMismatch, match="each of the 32 rows of the error"):
        model(torch.randn(2, 1, 8, 8)).sum().backward()


def test_the_error_may_be_taken_before_the_last_layer(batch):
    model = ll.torch.dfa(tanh_net(), points=["1"], error_at="3")
    found = backward(model, batch)
    plain = tanh_net()
    exact = backward(plain, batch)
    assert all(torch.equal(a, b) for a, b in zip(found[2:], exact[2:], strict=True))  # behind the point
    h = plain[:4](batch[0]).detach().requires_grad_()
    nn.functional.cross_entropy(plain[4](h), batch[1]).backward()
    plain.zero_grad()
    plain[:2](batch[0]).backward(h.grad @ torch.from_numpy(drawn(1, 24, 16)).t() / 24**0.5)
    assert torch.allclose(found[0], plain[0].weight.grad, atol=1e-6)


def test_gradients_accumulate_over_parts_of_a_batch(batch):
    model = ll.torch.dfa(tanh_net(), dead_zone=0.1, reduction="sum")
    whole = backward(model, batch, reduction="sum")
    model.zero_grad()
    for part in (slice(0, 10), slice(10, 40)):
        nn.functional.cross_entropy(model(batch[0][part]), batch[1][part], reduction="sum").backward()
    for p, wanted in zip(model.parameters(), whole, strict=True):
        assert torch.allclose(p.grad, wanted, atol=1e-4)
    both = model(batch[0][:10]), model(batch[0][10:])  # two passes, then one backward pass
    model.zero_grad()
    sum(nn.functional.cross_entropy(o, y, reduction="sum") for o, y in zip(both, batch[1].split([10, 30]))).backward()
    for p, wanted in zip(model.parameters(), whole, strict=True):
        assert torch.allclose(p.grad, wanted, atol=1e-4)


def test_with_a_dead_zone_only_rows_with_an_error_count_in_a_mean(batch):
    """The signals of a batch of which some rows are masked are those of the batch of the others."""
    model = ll.torch.dfa(tanh_net(), dead_zone=0.2)
    kept, ignored = torch.arange(40) % 4 == 0, batch[1].clone()
    wanted = backward(model, (batch[0][kept], batch[1][kept]))
    ignored[~kept] = -100
    for found in (backward(model, (batch[0], ignored)), masked(model, batch, kept)):
        assert wanted[0].abs().max() > 0.01
        for a, b in zip(found, wanted, strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def masked(model, batch, kept):
    model.zero_grad()
    nn.functional.cross_entropy(model(batch[0])[kept], batch[1][kept]).backward()
    return [p.grad.clone() for p in model.parameters()]


def test_accumulated_and_scaled_losses_are_cut_where_the_whole_batch_is(batch):
    wanted = backward(ll.torch.dfa(tanh_net(), dead_zone=0.2), batch)
    model = ll.torch.dfa(tanh_net(), dead_zone=0.2, reduction=40)
    model.zero_grad()
    for x, y in zip(batch[0].split(10), batch[1].split(10), strict=True):
        (nn.functional.cross_entropy(model(x), y) / 4).backward()
    assert all(torch.allclose(p.grad, b, atol=1e-6) for p, b in zip(model.parameters(), wanted, strict=True))
    model.zero_grad()
    model.dfa.reduction = 40 / 1024  # a gradient scaler's
    (1024 * nn.functional.cross_entropy(model(batch[0]), batch[1])).backward()
    assert all(torch.allclose(p.grad / 1024, b, atol=1e-6) for p, b in zip(model.parameters(), wanted, strict=True))


def test_a_sum_that_was_called_a_mean_is_told_once(batch, recwarn):
    model = ll.torch.dfa(tanh_net(), dead_zone=0.2)
    backward(model, batch)
    backward(ll.torch.dfa(tanh_net(), dead_zone=0.2, reduction="sum"), batch, reduction="sum")
    nn.functional.mse_loss(model(batch[0]), torch.full((40, 5), 90.0)).backward()  # real targets have errors of any size
    assert not [w for w in recwarn if "dead zone" in str(w.message)]
    with pytest.warns(RuntimeWarning, match='errors reach .*reduction="sum"'):
        backward(model, batch, reduction="sum")
    backward(model, batch, reduction="sum")
    assert not [w for w in recwarn if "dead zone" in str(w.message)]


class OwnForward(nn.Module):
    """A model whose forward() is its own: `end` is what it ends in."""

    def __init__(self, end):
        super().__init__()
        self.net, self.end = tanh_net(), end

    def forward(self, x):
        return self.end(self.net(x))


def log_loss(model, batch, **more):
    model.zero_grad()
    nn.functional.nll_loss(model(batch[0]), batch[1], **more).backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("dead_zone", [None, 0.1])
@pytest.mark.parametrize("ended", [lambda: tanh_net().append(nn.LogSoftmax(dim=1)), lambda: nn.Sequential(tanh_net(), nn.LogSoftmax(-1)),
                                   lambda: OwnForward(nn.LogSoftmax(dim=1))])  # fmt: skip
def test_in_front_of_a_log_softmax_the_error_is_softmax_minus_label(batch, ended, dead_zone, recwarn):
    """Cross-entropy is the log loss behind a LogSoftmax, so the gradients are the same formula's."""
    model, plain = ll.torch.dfa(ended(), dead_zone=dead_zone, seed=4), ended()
    assert torch.equal(model(batch[0]), plain(batch[0]))
    cut = (lambda e: e) if dead_zone is None else lambda e: np.sign(e) * (np.abs(e) > dead_zone)
    assert_close(log_loss(model, batch), by_hand(tanh_net(), batch, drawn(4, 24, 5), cut))
    assert_close(log_loss(copy.deepcopy(model), batch), by_hand(tanh_net(), batch, drawn(4, 24, 5), cut))
    assert not [w for w in recwarn if "dfa" in str(w.message)]
    assert not any(m._forward_hooks for m in model.dfa.remove().modules())


@pytest.mark.parametrize("end, loss", [
    (lambda z: nn.functional.log_softmax(z, dim=1), nn.functional.nll_loss),
    (lambda z: torch.softmax(z, dim=1), lambda p, y: nn.functional.nll_loss(p.log(), y)),
    (lambda z: nn.functional.log_softmax(z, dim=1), lambda p, y: nn.functional.kl_div(p, torch.full((40, 5), 0.2), reduction="batchmean")),
])  # fmt: skip
def test_an_error_behind_a_softmax_is_told_once_with_what_helps(batch, end, loss):
    """It is a label alone, whatever the model answers."""
    model = ll.torch.dfa(OwnForward(end), seed=4)
    with pytest.warns(RuntimeWarning, match="behind a softmax.*cross_entropy.*error_at") as told:
        for _ in range(2):
            loss(model(batch[0]), batch[1]).backward()
    assert len([w for w in told if "dfa" in str(w.message)]) == 1
    if loss is nn.functional.nll_loss:
        model.dfa.remove()
        assert_close(log_loss(ll.torch.dfa(model, error_at="net.4", seed=4), batch), by_hand(tanh_net(), batch, drawn(4, 24, 5)))


def test_other_losses_of_one_output_a_row_are_no_softmax(batch, recwarn):
    """Values of actions teach one output a row; squared errors of probabilities know the answer."""
    q = ll.torch.dfa(tanh_net())(batch[0]).gather(1, batch[1][:, None])
    ((q - 1) ** 2).mean().backward()
    p = ll.torch.dfa(OwnForward(nn.Softmax(dim=1)))(batch[0])
    ((p - nn.functional.one_hot(batch[1], 5)) ** 2).mean().backward()
    assert not [w for w in recwarn if "dfa" in str(w.message)]


@pytest.mark.parametrize("ended, own", [(lambda: tanh_net().append(nn.Sigmoid()), "5"), (lambda: OwnForward(nn.Sigmoid()), "end")])
def test_of_points_that_nobody_named_the_output_is_none(batch, ended, own):
    targets = nn.functional.one_hot(batch[1], 5).float()
    points = [name for name, module in ended().named_modules() if isinstance(module, nn.Tanh)]
    found = []
    for given in (None, points):
        model = ll.torch.dfa(ended(), points=given)
        for _ in range(2):
            model.zero_grad()
            nn.functional.binary_cross_entropy(model(batch[0]), targets).backward()
        assert model.dfa.points == points
        found.append([p.grad for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    with pytest.raises(ll.Unsupported, match="output itself"):
        ll.torch.dfa(ended(), points=[*points, own])(batch[0])


@pytest.mark.parametrize("error_at, left", [("3", ["1"]), ("2", ["1"])])
def test_of_points_that_nobody_named_those_behind_the_error_are_none(batch, error_at, left):
    model = ll.torch.dfa(tanh_net(), error_at=error_at)
    found = backward(model, batch)
    assert model.dfa.points == left
    assert all(torch.equal(a, b) for a, b in zip(found, backward(ll.torch.dfa(tanh_net(), points=left, error_at=error_at), batch), strict=True))


@pytest.mark.parametrize("reduction", ["none", 0, -1.0, float("inf"), float("nan")])
def test_a_reduction_is_a_name_or_a_finite_number(reduction):
    with pytest.raises(ll.InvalidParameter, match="reduction"):
        ll.torch.dfa(tanh_net(), reduction=reduction)


def test_copies_pickles_and_files_keep_the_hooks_apart(batch, tmp_path):
    model = ll.torch.dfa(tanh_net(), seed=9)
    wanted = backward(model, batch)
    torch.save(model, tmp_path / "model.pt")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(tmp_path / "model.pt")):
        assert all(torch.equal(a, b) for a, b in zip(backward(other, batch), wanted))
        other.dfa.remove()
        assert not torch.equal(backward(other, batch)[0], wanted[0])
        assert all(torch.equal(a, b) for a, b in zip(backward(model, batch), wanted))


def test_eval_and_no_grad_give_the_plain_forward_pass(batch):
    model = ll.torch.dfa(tanh_net())
    train = backward(model, batch)
    model.eval()
    assert all(torch.equal(a, b) for a, b in zip(backward(model, batch), train))
    with torch.no_grad():
        assert not model(batch[0]).requires_grad


def test_autocast_projects_in_float32(batch):
    model, exact = ll.torch.dfa(tanh_net()), ll.torch.dfa(tanh_net())
    with torch.autocast("cpu", torch.bfloat16):
        out = model(batch[0])
        assert out.dtype == torch.bfloat16
        loss = nn.functional.cross_entropy(out.float(), batch[1])
    loss.backward()
    for p, wanted in zip(model.parameters(), backward(exact, batch), strict=True):
        assert torch.nn.functional.cosine_similarity(p.grad.flatten(), wanted.flatten(), dim=0) > 0.99


def test_a_device_teaches_as_its_matrix_does(batch):
    """On a fine device the signals are those of its measured matrix; a copy goes on from the same state."""
    fine = "sim:opu,preset=ideal"
    model = ll.torch.dfa(tanh_net(), fine, settings={"projection": {"encoding": "bitplanes:10"}}, seed=3)
    found = backward(model, batch)
    with ll.Projection("sim:opu,preset=ideal,seed=3", 5, 24, encoding="bitplanes:10") as projection:
        matrix = projection.linear(np.eye(5, dtype=np.float32)).T.copy()
        exact = backward(ll.torch.dfa(tanh_net(), matrix), batch)
        shared = backward(ll.torch.dfa(tanh_net(), projection), batch)
    for other in (exact, shared):
        for a, b in zip(found, other, strict=True):
            assert torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.999
    frames = model.dfa.device.meter.frames
    assert frames > 0
    twin = copy.deepcopy(model)
    again = pickle.loads(pickle.dumps(model))
    wanted = backward(model, batch)
    for other in (twin, again):
        assert all(torch.equal(a, b) for a, b in zip(backward(other, batch), wanted))
        assert other.dfa.device is not model.dfa.device
        other.dfa.remove()
    model.dfa.remove()


def test_optical_ternary_training_learns_with_any_optimizer(batch):
    for kind, lr in ((torch.optim.Adam, 1e-2), (torch.optim.SGD, 0.5)):
        model = ll.torch.dfa(tanh_net(), "sim:opu", dead_zone=0.1)
        optimizer = kind(model.parameters(), lr=lr)
        for _ in range(75):
            backward(model, batch)
            optimizer.step()
        accuracy = (model(batch[0]).argmax(1) == batch[1]).float().mean()
        model.dfa.remove()
        assert accuracy > 0.9


def test_numbers_that_feedback_has_no_answer_to_are_refused():
    def net(dtype):
        return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).to(dtype)

    with pytest.raises(ll.Unsupported, match="point 1.*complex64"):
        ll.torch.dfa(net(torch.cfloat))(torch.zeros(2, 5, dtype=torch.cfloat))
    for seed in (-1, 2**53):
        with pytest.raises(ll.OutOfRange, match="seed"):
            ll.torch.dfa(net(torch.float32), seed=seed)
    with pytest.raises(ll.InvalidParameter, match=r"projection \[1, 2\].*nan"):
        ll.torch.dfa(net(torch.float32), torch.tensor([[1.0, 0, 0], [0, 0, math.nan]]))


def test_what_cannot_be_is_refused_by_name(batch):
    model = tanh_net()
    with pytest.raises(ll.UnknownName, match="hidden"):
        ll.torch.dfa(model, points=["hidden"])
    with pytest.raises(ll.InvalidParameter, match="a module inside"):
        ll.torch.dfa(model, points=[nn.Tanh()])
    with pytest.raises(ll.OutOfRange, match="dead_zone"):
        ll.torch.dfa(model, dead_zone=1.5)
    with pytest.raises(ll.InvalidParameter, match="settings"):
        ll.torch.dfa(model, settings={"seed": 1})
    assert not any(m._forward_hooks for m in model.modules())
    ll.torch.dfa(model)
    with pytest.raises(ll.InvalidParameter, match="remove"):
        ll.torch.dfa(model)
    model.dfa.remove()
    for points, error_at, why in ((["4"], None, "output itself"), (["1", "3"], "2", "after the place")):
        ll.torch.dfa(model, points=points, error_at=error_at)
        with pytest.raises(ll.Unsupported, match=why):
            model(batch[0])
        model.dfa.remove()
    frozen = ll.torch.dfa(tanh_net().requires_grad_(False))
    with pytest.raises(ll.Unsupported, match="frozen"):
        frozen(batch[0])
    with pytest.raises(ll.ShapeMismatch, match="projection"):
        backward(ll.torch.dfa(tanh_net(), np.ones((8, 5), np.float32)), batch)
    checkpoint = pytest.importorskip("torch.utils.checkpoint").checkpoint
    checkpointed = tanh_net()
    first, rest = checkpointed[:2], checkpointed[2:]

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.rest = first, rest

        def forward(self, x):
            return self.rest(checkpoint(self.first, x.requires_grad_()))

    with pytest.raises(ll.Unsupported, match="checkpoint"):
        ll.torch.dfa(Whole(), points=["first"])(batch[0])
