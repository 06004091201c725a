"""Signals and weights of few values for PyTorch: the layers of the same names in docs/networks.md."""

from __future__ import annotations

import math
from typing import Any

import torch

from .errors import OutOfRange, ShapeMismatch, UnknownName


def begin_range(what: str, learned: Any, known: Any, x: Any) -> None:
    """Takes a range that is not known yet from the largest size in `x`. Raises OutOfRange for one that is not above 0."""
    if not known:
        with torch.no_grad():
            most = x.detach().abs().max() if x.numel() else torch.zeros(())
            learned.copy_(most.clamp(min=1e-6))
            known.copy_(most > 0)
    if not learned.item() > 0:
        raise OutOfRange(f"{what}: learned range", f"{learned.item():g}", "above 0", "Lower the learning rate.")


def note_known(state: Any, name: str) -> None:
    """State of an older version has no NAME_known: above 0 meant known there."""
    if name in state and name + "_known" not in state:
        state[name + "_known"] = state[name] > 0


def _sign(x: Any) -> Any:
    return torch.where(x < 0, -torch.ones_like(x), torch.ones_like(x))


class _Surrogate(torch.autograd.Function):
    """`value` forwards, slope * grad backwards."""

    @staticmethod
    def forward(ctx: Any, x: Any, value: Any, slope: Any) -> Any:
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (slope,) = ctx.saved_tensors
        return grad * slope, None, None


def sign(x: Any) -> Any:
    """-1 below 0, else 1; the gradient passes where |x| <= 1 (Hubara et al., NeurIPS 2016)."""
    return _Surrogate.apply(x, _sign(x.detach()), (x.detach().abs() <= 1).to(x))


def biper(x: Any, frequency: float = 20.0) -> Any:
    """sign(sin(frequency x)) with the slope of the sine (Vargas et al., CVPR 2024)."""
    held = x.detach()
    return _Surrogate.apply(x, _sign(torch.sin(frequency * held)), frequency * torch.cos(frequency * held))


class Sign(torch.nn.Module):
    """`sign` as a module."""

    def forward(self, input: Any) -> Any:
        return sign(input)


class Binarise(torch.nn.Module):
    """mean |x| of the sample times sign(x): the inputs of an XNOR layer (Rastegari et al., ECCV 2016)."""

    def forward(self, input: Any) -> Any:
        axes = tuple(range(1, input.dim()))
        return input.abs().mean(axes, keepdim=True) * sign(input)


class Quantise(torch.nn.Module):
    """2^(bits - 1) - 1 levels to either side of 0, in a range that is learned (Esser et al., ICLR 2020).

    The range starts at the largest size in the first batch unless it is given. Raises OutOfRange once learning has driven
    it to 0 or below.
    """

    def __init__(self, bits: int, range: float = 0.0) -> None:
        super().__init__()
        if not 2 <= bits <= 16:
            raise OutOfRange("Quantise: bits", str(bits), "2 to 16", "Give bits=8, for example.")
        if not 0 <= range < math.inf:
            raise OutOfRange("Quantise: range", f"{range:g}", "0 or more", "Leave it out: the first batch brings it.")
        self.bits, self.levels = bits, 2 ** (bits - 1) - 1
        self.range = torch.nn.Parameter(torch.tensor(float(range)))
        self.register_buffer("range_known", torch.tensor(range > 0))

    def _load_from_state_dict(self, state: Any, prefix: str, *more: Any) -> None:
        note_known(state, prefix + "range")
        super()._load_from_state_dict(state, prefix, *more)

    def forward(self, input: Any) -> Any:
        begin_range("Quantise", self.range, self.range_known, input)
        inside = torch.clamp(input / self.range, -1, 1)
        rounding = (torch.round(inside * self.levels) / self.levels - inside).detach()
        return self.range * (inside + rounding)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


class Stochastic(torch.nn.Module):
    """Neurons that fire with probability p = sigmoid(x) while training, and give p otherwise.

    estimator "straight": 1 or 0, the gradient that of p; "smooth": b sqrt(p) with b = 1 by chance sqrt(p), the gradient that
    of sqrt(p) where b = 1; "reinforce": 1 or 0, no gradient but through `reinforce` (all: Bengio, Leonard, Courville, arXiv
    1308.3432). Chances come from PyTorch's generator.
    """

    def __init__(self, estimator: str = "straight") -> None:
        super().__init__()
        if estimator not in ("straight", "smooth", "reinforce"):
            raise UnknownName("Stochastic: estimator", repr(estimator), "", "Take straight, smooth or reinforce.")
        self.estimator = estimator
        self._log_chances: list[Any] = []  # of the calls that the next `reinforce` is about
        self._told = False

    def forward(self, input: Any) -> Any:
        p = torch.sigmoid(input)
        if not self.training:
            return p
        if self.estimator == "smooth":
            root = torch.sqrt(p)
            return torch.bernoulli(root.detach()) * root
        fired = torch.bernoulli(p.detach())
        if self.estimator == "straight":
            return p + (fired - p).detach()
        log = torch.nn.functional.logsigmoid
        if torch.is_grad_enabled():
            if self._told:
                self._log_chances, self._told = [], False
            self._log_chances.append((fired * log(input) + (1 - fired) * log(-input)).flatten(1).sum(1))
        return fired

    def __getstate__(self) -> dict[str, Any]:  # the graph of a pass belongs to no copy
        return {**self.__dict__, "_log_chances": []}

    def extra_repr(self) -> str:
        return f"estimator={self.estimator!r}"


def reinforce(model: Any, losses: Any, baseline: Any = None) -> Any:
    """The mean of `losses` (one per sample), with gradients that also teach the neurons of estimator "reinforce".

    Its gradient is that of the mean loss plus (loss - baseline) d log P(what fired), unbiased for any baseline that does not
    depend on the sample (Williams, 1992); without one the mean of the other samples' losses is taken. What fired is that of
    all calls of a module since the last `reinforce`: while training, and not under no_grad. Throws ShapeMismatch for
    losses that are not one per sample of each of these calls.
    """
    if losses.dim() != 1:
        raise ShapeMismatch("reinforce: losses", str(tuple(losses.shape)), "(samples,), a loss for each",
                            "Give the losses before their mean: cross_entropy(..., reduction='none').")  # fmt: skip
    told = losses.detach()
    if baseline is None:
        n = told.shape[0]
        baseline = (told.sum() - told) / max(n - 1, 1) if n > 1 else torch.zeros_like(told)
    total = losses.mean()
    for module in model.modules():
        if not isinstance(module, Stochastic):
            continue
        for chance in module._log_chances:
            if chance.shape != told.shape:
                raise ShapeMismatch("reinforce: losses", str(tuple(told.shape)), f"{tuple(chance.shape)}, as samples that fired",
                                    "Call it once for every pass; other passes in eval() or under no_grad.")  # fmt: skip
            score = ((told - baseline) * chance).mean()
            total = total + score - score.detach()
        module._told = True
    return total


class _TwoValued:
    law: str
    frequency: float
    weight: Any

    def _two_valued(self) -> Any:
        w = self.weight
        if self.law == "biper":
            return biper(w, self.frequency) / math.sqrt(w[0].numel())
        scale = w.abs().flatten(1).mean(1).reshape(-1, *[1] * (w.dim() - 1))
        return scale * sign(w)

    def _choose(self, law: str, frequency: float) -> None:
        if law not in ("sign", "biper"):
            raise UnknownName("binary weights: law", repr(law), "", "Take sign or biper.")
        if not 0 < frequency < math.inf:
            raise OutOfRange("binary weights: frequency", str(frequency), "above 0, and finite", "Give frequency=20, for example.")
        self.law, self.frequency = law, float(frequency)
        if law == "biper":
            with torch.no_grad():  # a quarter period at one standard deviation
                spread = self.weight.std() if self.weight.numel() > 1 else self.weight.abs().max()
                self.weight.mul_(math.pi / 2 / (self.frequency * spread.clamp(min=1e-12)))


class BinaryLinear(_TwoValued, torch.nn.Linear):
    """`torch.nn.Linear` with weights of two values: law "sign" (mean |w| of the row times the sign) or "biper"."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, law: str = "sign", frequency: float = 20.0) -> None:  # fmt: skip
        torch.nn.Linear.__init__(self, in_features, out_features, bias)
        self._choose(law, frequency)

    def forward(self, input: Any) -> Any:
        return torch.nn.functional.linear(input, self._two_valued(), self.bias)


class BinaryConv2d(_TwoValued, torch.nn.Conv2d):
    """`torch.nn.Conv2d` with weights of two values, laws as in `BinaryLinear`."""

    def __init__(self, *arguments: Any, law: str = "sign", frequency: float = 20.0, **options: Any) -> None:
        torch.nn.Conv2d.__init__(self, *arguments, **options)
        self._choose(law, frequency)

    def forward(self, input: Any) -> Any:
        return self._conv_forward(input, self._two_valued(), self.bias)
