"""`ll.torch.dfa`: direct feedback alignment in any PyTorch module, by hooks that can be taken out again."""

from __future__ import annotations

import contextlib
import math
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from ._torch_checks import check_real
from ._torch_projection import Feedback
from .errors import InvalidParameter, OutOfRange, ShapeMismatch, UnknownName, Unsupported

NON_LINEAR = (
    torch.nn.CELU, torch.nn.ELU, torch.nn.GELU, torch.nn.Hardsigmoid, torch.nn.Hardswish, torch.nn.Hardtanh,
    torch.nn.LeakyReLU, torch.nn.Mish, torch.nn.PReLU, torch.nn.ReLU, torch.nn.ReLU6, torch.nn.SELU, torch.nn.Sigmoid,
    torch.nn.SiLU, torch.nn.Softplus, torch.nn.Softsign, torch.nn.Tanh,
)  # fmt: skip


class _Broadcast(torch.autograd.Function):
    """The output as it is. Backwards its gradient e goes to the output, and B_l e to every point."""

    @staticmethod
    def forward(ctx: Any, output: Any, dfa: DFA, axis: int, axes: list[int], *points: Any) -> Any:
        ctx.dfa, ctx.axis = dfa, axis
        ctx.points = [(p.shape, one, p.dtype, p.device) for one, p in zip(axes, points)]
        return output.view_as(output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error: Any) -> Any:
        return (error if ctx.needs_input_grad[0] else None, None, None, None, *ctx.dfa._signals(error.movedim(ctx.axis, -1), ctx.points))


class _Point:
    """Hook of a point: what comes out goes on without a gradient, and waits for its signal."""

    def __init__(self, dfa: DFA, name: str) -> None:
        self.dfa, self.name = dfa, name

    def __call__(self, module: Any, inputs: Any, output: Any) -> Any:
        passing = self.dfa._passing()
        if passing is None:
            return None
        if passing.broadcast:
            if not self.dfa.named:
                return self.dfa._leave_out(self.name)
            raise Unsupported(f"point {self.name}", "comes after the place of the error", self.dfa.error_at or "the output")
        if not torch.is_tensor(output):
            raise Unsupported(f"point {self.name}", f"gives a {type(output).__name__}", "a tensor is wanted",
                              "Take a module inside it or behind it.")  # fmt: skip
        if not torch.is_grad_enabled():
            raise Unsupported(f"point {self.name}", "runs without gradients inside a pass that records them", "",
                              "Leave frozen parts out of the points; checkpointed parts cannot hold one.")  # fmt: skip
        check_real(f"point {self.name}", output)
        if not output.requires_grad:
            return None  # nothing below to teach
        passing.points.append((self.name, output, _axis(output, passing)))
        passing.last = output.detach()
        return passing.last


class _Passing:
    """One forward pass under way."""

    def __init__(self) -> None:
        self.points: list[tuple[str, Any, int]] = []  # name, output, axis of its features
        self.last: Any = None  # what the latest point handed on
        self.normalised: Any = None  # the latest LogSoftmax, its input and output
        self.broadcast = False


class DFA:
    """What `ll.torch.dfa` has put on a module, as `model.dfa`: `remove()`, `off()`, `device`; `reduction` may be set anew
    before any backward pass."""

    _warned = False
    _probabilities: bool | None = None  # whether e is taken at probabilities or their logarithms; None before the first pass

    def __init__(self, model: Any, feedback: Feedback, points: list[tuple[str, Any]], named: bool, error_at: str,
                 dead_zone: float | None, scale: float, reduction: Any) -> None:  # fmt: skip
        self.model, self.feedback, self.error_at = model, feedback, error_at
        self.points, self.named = [name for name, _ in points], named
        self.dead_zone, self.scale, self.reduction = dead_zone, scale, reduction
        self.on = True
        self._under_way: dict[int, _Passing] = {}  # by thread
        self._hooks = [module.register_forward_hook(_Point(self, name)) for name, module in points]
        self._hooks.append(model.register_forward_pre_hook(self._begin))
        if error_at:
            self._hooks.append(model.get_submodule(error_at).register_forward_hook(self._teach))
        else:
            self._hooks += [m.register_forward_hook(self._note) for m in model.modules() if isinstance(m, torch.nn.LogSoftmax)]
        self._hooks.append(model.register_forward_hook(self._end))

    @property
    def device(self) -> Any:
        """The open Session of the device (`.meter`: frames, seconds, joules); None before the first backward pass."""
        return self.feedback.device

    def remove(self) -> Any:
        """Takes the hooks out and closes the device; returns the model, whose gradients are the exact ones again."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self.feedback.close()
        if self.model.__dict__.get("dfa") is self:
            del self.model.dfa
        return self.model

    @contextlib.contextmanager
    def off(self) -> Iterator[None]:
        """Forward passes inside give the exact gradients (attacks, alignment), without a frame."""
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before

    def _passing(self) -> _Passing | None:
        return self._under_way.get(threading.get_ident())

    def _begin(self, module: Any, inputs: Any) -> None:
        self._under_way.pop(threading.get_ident(), None)  # of a pass that an exception has ended
        if self.on and torch.is_grad_enabled():
            self._under_way[threading.get_ident()] = _Passing()

    def _leave_out(self, name: str) -> None:
        if name in self.points:
            self.points.remove(name)

    def _note(self, module: Any, inputs: Any, output: Any) -> None:
        passing = self._passing()
        if passing is not None and inputs:
            passing.normalised = module, inputs, output

    def _teach(self, module: Any, inputs: Any, output: Any) -> Any:
        passing = self._passing()
        if passing is None:
            return None
        where = self.error_at or "the model"
        if passing.broadcast:
            raise Unsupported(f"error_at {where}", "runs more than once in a pass", "one error per pass")
        if not torch.is_tensor(output):
            raise Unsupported(f"the output of {where}", f"a {type(output).__name__}", "a tensor is wanted",
                              "Name the module whose output the loss is taken from: error_at=...")  # fmt: skip
        check_real(f"the output of {where}", output)
        if output is passing.last:
            if self.named:
                raise Unsupported("a point", "is the output itself", "the error is known there", "Leave it out of the points.")
            name, output, _ = passing.points.pop()
            self._leave_out(name)
        if not passing.points:
            raise Unsupported("dfa", "no point with a gradient was passed on the way to the output", "",
                              "Are all layers before the points frozen?")  # fmt: skip
        axis = _axis(output, passing)
        if self._probabilities is None and output.numel() > 0:
            self._probabilities = _are_probabilities(output.detach().float().movedim(axis, -1))
        passing.broadcast = True
        return _Broadcast.apply(output, self, axis, [axis for *_, axis in passing.points], *(point for _, point, _ in passing.points))

    def _end(self, module: Any, inputs: Any, output: Any) -> Any:
        try:
            if self.error_at:
                return None
            noted = getattr(self._passing(), "normalised", None)
            if noted and noted[2] is output:  # behind it e is the label alone
                return noted[0].forward(self._teach(module, inputs, *noted[1]))
            return self._teach(module, inputs, output)
        finally:
            self._under_way.pop(threading.get_ident(), None)

    def _signals(self, error: Any, points: list[Any]) -> list[Any]:
        """B_l e for outputs of these shapes, with one projection of e, whose rows lie along the last axis."""
        if error.numel() == 0:  # a batch of none
            return [torch.zeros(shape, dtype=dtype, device=device) for shape, _, dtype, device in points]
        rows = error[..., 0].numel()
        e = error.reshape(rows, error.shape[-1])
        e = e if e.dtype == torch.float64 else e.float()
        self._warn_of_labels(e)
        by = self._rows_meant(e)
        parts = [self._part(shape, axis, rows, error) for shape, axis, _, _ in points]
        shown = e * by
        if self.dead_zone is not None:
            self._warn_once(shown)
            shown = torch.where(shown.abs() > self.dead_zone, shown.sign(), torch.zeros_like(shown))
        with torch.no_grad(), torch.autocast(error.device.type, enabled=False):
            projected = self.feedback(shown, max(width for width, _, _ in parts))
        return [
            (projected[:, :width] * (self.scale / (by * width**0.5))).to(device, dtype).reshape(shape).movedim(-1, axis)
            for (width, shape, axis), (_, _, dtype, device) in zip(parts, points)
        ]

    def _rows_meant(self, e: Any) -> float:
        """What makes the gradient of one row that of its own loss."""
        if self.reduction == "mean":
            return float(max(1, int((e != 0).any(dim=1).sum())))
        return 1.0 if self.reduction == "sum" else float(self.reduction)

    def _warn_once(self, e: Any) -> None:
        """Rows of a softmax's error (they add up to 0) have entries of at most 1; larger ones are scaled by something else."""
        if self._warned or self.reduction not in ("mean", "sum") or not (largest := e.abs().amax()) > 1.1:
            return
        if not (e.sum(dim=1).abs() <= 0.01 * e.abs().sum(dim=1)).all():
            return  # real targets: of any size
        self._warned = True
        warnings.warn(f"dfa: errors reach {largest.item():.3g} with reduction={self.reduction!r}, and those of a softmax are at most 1: "
                      f"the dead zone ({self.dead_zone}) cuts at the wrong place. If the loss is a sum give reduction=\"sum\", if it is "
                      "scaled (a gradient scaler) the number that undoes it; weights of classes do this too.",
                      RuntimeWarning, stacklevel=2)  # fmt: skip

    def _warn_of_labels(self, e: Any) -> None:
        """A log loss of probabilities has a gradient of one sign in a row: that of the label."""
        if self._probabilities and ((e.amin(dim=1) >= 0) | (e.amax(dim=1) <= 0)).all():
            self._probabilities = False  # told once
            warnings.warn("dfa: the error is taken behind a softmax, where it is the label alone, whatever the model answers: this trains "
                          "as direct random target projection (DRTP). Return what goes into the softmax and use cross_entropy, or let the "
                          "model end in torch.nn.LogSoftmax, or name the module before the softmax: error_at=\"...\".",
                          RuntimeWarning, stacklevel=2)  # fmt: skip

    @staticmethod
    def _part(shape: Any, axis: int, rows: int, error: Any) -> tuple[int, Any, int]:
        """Entries of a point that share a row of the error: a token's or pixel's, along `axis`, or a whole sample's. The shape of all
        signals of the point below each other, and where its last axis belongs."""
        last = list(shape)
        last.append(last.pop(axis))
        if math.prod(last[:-1]) == rows:
            return last[-1], last, axis
        if len(shape) > 1 and shape[0] == rows:
            return int(shape[1:].numel()), shape, -1
        raise ShapeMismatch("a point", str(tuple(shape)), f"one row or sample for each of the {rows} rows of the error",
                            f"The error has shape {tuple(error.shape)}, its entries last.")  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_under_way": {}}

    def __repr__(self) -> str:
        return f"<lightloop.torch.DFA at {', '.join(self.points)}>"


def _axis(output: Any, passing: _Passing) -> int:
    """The axis of a tensor's features, as a negative number: axis 1 behind a convolution, else the last. What has moved axes since is
    followed; where a point came in between, its axis is taken."""
    dims, moves, step = output.dim(), [], output.grad_fn
    if dims < 3:
        return -1
    axis = None
    while step is not None and axis is None:
        name = step.name()
        if "Convolution" in name:
            axis = 1
        elif name.startswith(("Addmm", "Mm", "Bmm", "Baddbmm", "Embedding")):
            axis = dims - 1
        elif name.startswith(("Transpose", "Permute")):
            moves.append(step)
        step = next((one for one, _ in step.next_functions if one is not None and "AccumulateGrad" not in one.name()), None)
    if axis is None:
        axis = (passing.points[-1][2] if passing.points else -1) % dims
    for step in reversed(moves):  # saved as unsigned numbers
        if hasattr(step, "_saved_dims"):
            order = [_signed(d) % dims for d in step._saved_dims]
            axis = order.index(axis) if len(order) == dims else axis
        else:
            pair = [_signed(d) % dims for d in (step._saved_dim0, step._saved_dim1)]
            axis = pair[1 - pair.index(axis)] if axis in pair else axis
    return axis - dims


def _signed(dim: int) -> int:
    return dim - 2**64 if dim >= 2**63 else dim


def _are_probabilities(rows: Any) -> bool:
    """Whether all rows are what comes out of a softmax, or its logarithm; 0.01 is beyond the rounding of 16 bits."""
    if rows.shape[-1] < 2:
        return False
    off = rows.sum(dim=-1) - 1 if rows.amin() >= 0 else rows.logsumexp(dim=-1)
    return bool((off.abs() < 0.01).all())


def _find(model: Any, points: Any) -> list[tuple[str, Any]]:
    names = {module: name for name, module in model.named_modules()}
    if points is None:
        found = [(name, module) for module, name in names.items() if isinstance(module, NON_LINEAR)]
        if not found:
            raise InvalidParameter("points", "none given", "and the model has no module of a non-linearity", "Name some.")
        return found
    found = []
    for point in [points] if isinstance(points, (str, torch.nn.Module)) else points:
        if isinstance(point, str):
            try:
                point = model.get_submodule(point)
            except AttributeError:
                raise UnknownName("point", point, ", ".join(name for name in names.values() if name)) from None
        if point is model or point not in names:
            raise InvalidParameter("point", names.get(point, "") or type(point).__name__, "a module inside the model")
        found.append((names[point], point))
    if not found or len({name for name, _ in found}) != len(found):
        raise InvalidParameter("points", ", ".join(name for name, _ in found), "each once, and at least one")
    return found


def dfa(
    model: Any,
    projection: Any = "digital",
    points: str | Any | Iterable[Any] | None = None,
    *,
    error_at: str | None = None,
    dead_zone: float | None = None,
    scale: float = 1.0,
    seed: int = 1,
    reduction: str | float = "mean",
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Direct feedback alignment: the same module, whose `loss.backward()` sends B_l e to `points` instead of the chain.

    At the output h_l of each point the gradient is scale / sqrt(d_l) B_l e: e is the gradient of the loss at the model's
    output, per sample or token; B_l the first d_l rows of one fixed random matrix with entries of unit variance; d_l the
    size of h_l (of a token's or pixel's part of it where the error has a row for each; e and h_l of convolutions have their entries
    along axis 1, all others along the last, wherever the model has moved these since). What lies between two points, or between the
    last point and the output, is back-propagated as ever: points behind every layer are DFA (micro), points at the ends of
    blocks are its macro form. The last layer always has its exact gradient. Forward passes, weights, `state_dict()` and
    the optimiser are as before; gradients accumulate. h_l goes on detached: a path around a point carries the ordinary
    gradient, and a loss taken from something else than the output teaches what lies behind the last point only.

    projection : "digital": B drawn from `seed`, that of `lightloop train --rule dfa`; a matrix (outputs, C); a device string
        ("sim:opu", "lab.toml"): opened by the first backward pass, with `seed` unless it has its own; an open
        `ll.Projection`, or any callable from (rows, C) to (rows, outputs). One projection per backward pass serves all points.
    points : modules inside the model, or their names; by default every module that is a non-linearity and comes before the place
        of the error.
    error_at : name of the module whose output gives e, by default the model itself (a Transformer's vocabulary layer may
        stay behind it: it then has its exact gradient, and e is the one that arrives at its input). Where the model's output is that
        of a torch.nn.LogSoftmax, e is taken at the input of it: behind it e would be the label alone. One RuntimeWarning tells of
        a softmax that is no such module.
    dead_zone : None, or the threshold in [0, 1) below which an entry of a sample's error is 0 and above which it is its sign:
        ternary DFA; the rule `tdfa` takes 0.2.
    reduction : what makes the gradient of one row that of its own loss, a factor on e before it is cut and shown and a divisor
        of the signal. "mean", the loss is a mean over rows: the number of rows of e that are not all 0, so masked rows and
        `ignore_index` do not count. "sum": 1. Any other loss wants the number itself if `dead_zone` is used, k times the rows
        where the loss is divided by k accumulated steps; `model.dfa.reduction = ...` changes it between passes. A loss that is
        taken for another is told by one RuntimeWarning where it must be (errors of a softmax above 1); errors that are too
        small cannot be told from those of a trained network, and vanish in the dead zone.
    settings : of the device, and "projection." ones; `projection.encoding` is "ternary" with a dead zone and "bitplanes:6"
        without.

    `model.dfa.remove()` takes it all back; `with model.dfa.off():` gives exact gradients. `eval()` changes nothing: what it
    means for gradients is dropout and batch norm's business. Under autocast e is projected in float32. A module passed in
    `torch.utils.checkpoint` cannot be a point. Copies and pickles keep the hooks and, for a device string, go on with a
    device of their own from the state of the first. Randomness: of the device.
    Throws UnknownName, InvalidParameter, ShapeMismatch, Unsupported. Source: Nokland, arXiv 1609.01596, equation 7;
    Launay et al., arXiv 2006.12878 (macro, micro), arXiv 2006.01475 (ternary).
    """
    if hasattr(model, "dfa"):
        raise InvalidParameter("dfa", "the model has something of that name", "", "model.dfa.remove() takes earlier hooks out.")
    if dead_zone is not None and not 0 <= dead_zone < 1:
        raise OutOfRange("dead_zone", str(dead_zone), "at least 0, below 1")
    if not scale > 0:
        raise OutOfRange("scale", str(scale), "above 0")
    if reduction not in ("mean", "sum") and not (isinstance(reduction, (int, float)) and 0 < reduction < math.inf):
        raise InvalidParameter("reduction", repr(reduction), "mean, sum, or a finite number above 0")
    found = _find(model, points)
    if error_at:
        (error_at, _), *_ = _find(model, error_at)
        if points is None:
            found = [(name, module) for name, module in found if name != error_at]
        elif error_at in (name for name, _ in found):
            raise InvalidParameter("points", error_at, "the error is known there", "Leave it out.")
    coding = {"encoding": "bitplanes:6"} if dead_zone is None else {"encoding": "ternary", "dead_zone": dead_zone}
    feedback = Feedback(projection, seed, settings, **coding)
    model.dfa = DFA(model, feedback, found, points is not None, error_at or "", dead_zone, scale, reduction)
    return model
