"""AnalogVNN's noise, levels and norms for PyTorch: the layers of the same names in docs/networks.md.

They stand around a layer, or on its weights: `torch.nn.utils.parametrize.register_parametrization(linear, "weight",
torch.nn.Sequential(Clamp(), Precision(16), Noise("gaussian", leakage=0.5, precision=16)))`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from . import _core
from .errors import InvalidParameter, OutOfRange

LAWS = ("gaussian", "laplacian", "uniform", "poisson", "binomial")


@contextmanager
def without_noise(module: Any) -> Iterator[None]:
    """What weights are that a device is told to hold: inside, `Noise` adds nothing, `Precision` rounds to the nearest level and
    dropout drops nothing in what `module` is made of, its parametrisations among them."""
    dropping = [part for part in module.modules() if isinstance(part, torch.nn.modules.dropout._DropoutNd) and part.training]
    by_chance = [part for part in module.modules() if isinstance(part, (Noise, Precision))]
    try:
        for part in by_chance:
            part.quiet = True
        for part in dropping:
            part.training = False
        yield
    finally:
        for part in by_chance:
            part.quiet = False
        for part in dropping:
            part.training = True


def noise_std(law: str, leakage: float, precision: float) -> float:
    """The standard deviation with which `leakage` of the values leave their level, levels 1 / precision apart.

    law : gaussian, laplacian or uniform. Throws InvalidParameter for others, OutOfRange.
    """
    if law not in LAWS[:3]:
        raise InvalidParameter("noise_std: law", repr(law), ", ".join(LAWS[:3]),
                               "The width of the other laws goes with the value: ll.torch.Noise draws them.")  # fmt: skip
    if not 0 < leakage < 1:
        raise OutOfRange("noise: leakage", str(leakage), "above 0 and below 1")
    if not 0 < precision < math.inf:
        raise OutOfRange("noise: precision", str(precision), "above 0, and finite")
    return _core.noise_std_for_leakage(law, leakage, precision)


class Noise(torch.nn.Module):
    """x + noise of law gaussian, laplacian or uniform (`std`, or `leakage` and `precision`), or the counts of carriers: poisson
    (`precision` and `scale`, or `leakage` at full scale; variance |x| / (scale precision)), binomial (`carriers`; |x| at most 1).
    While training and in evaluation; the gradient passes. Draws come from PyTorch's generator, in float32 for inputs of less.

    Counts are whole numbers, so that the leakage of poisson jumps with the scale; where it jumps over the one asked for,
    the nearest is taken (p = 1: 0.53 for 0.5; from p = 2 on it is mostly met to a thousandth).
    """

    quiet = False  # see without_noise()

    def __init__(self, law: str = "gaussian", std: float | None = None, *, leakage: float | None = None,
                 precision: float | None = None, scale: float | None = None, carriers: int | None = None) -> None:  # fmt: skip
        super().__init__()
        given = {k for k, v in {"std": std, "leakage": leakage, "precision": precision, "scale": scale,
                                "carriers": carriers}.items() if v is not None}  # fmt: skip
        wanted = {"poisson": [{"scale", "precision"}, {"leakage", "precision"}], "binomial": [{"carriers"}]}.get(law, [{"std"}, {"leakage", "precision"}])
        if law not in LAWS:
            raise InvalidParameter("Noise: law", repr(law), ", ".join(LAWS))
        if given not in wanted:
            raise InvalidParameter(f"Noise {law}", ", ".join(sorted(given)) or "nothing given",
                                   " or ".join(" and ".join(sorted(w)) for w in wanted))  # fmt: skip
        for name, value in (("precision", precision), ("scale", scale)):
            if value is not None and not 0 < value < math.inf:
                raise OutOfRange(f"Noise {law}: {name}", str(value), "above 0, and finite")
        if carriers is not None and not (carriers >= 1 and carriers == int(min(carriers, 2**53))):
            raise OutOfRange("Noise binomial: carriers", str(carriers), "a whole number, at least 1")
        self.law, self.carriers = law, None if carriers is None else int(carriers)
        self.per_unit = 0.0
        if law == "poisson":
            if leakage is not None:
                scale = _core.poisson_scale_for_leakage(leakage, precision)
            self.per_unit = float(scale or 0) * float(precision or 0)
            if not self.per_unit >= 1:
                raise OutOfRange("Noise poisson: scale x precision", str(self.per_unit), "at least 1")
        self.std = 0.0
        if law in LAWS[:3]:
            self.std = float(std) if std is not None else noise_std(law, leakage or 0, precision or 0)
            if not 0 <= self.std < math.inf:
                raise OutOfRange(f"Noise {law}: std", str(self.std), "0 or more, and finite")

    def forward(self, input: Any) -> Any:
        if not (input.is_floating_point() or input.is_complex()):
            raise InvalidParameter(f"input of Noise {self.law}", str(input.dtype), "floating-point numbers")
        if self.quiet:
            return input
        held = input.detach()
        wide = held.to(torch.promote_types(held.dtype, torch.float32))  # draws of fewer bits would show their grid
        return input + self._error(wide).to(input.dtype)

    def _error(self, held: Any) -> Any:
        """What is added to `held`."""
        if self.law == "gaussian":
            return self.std * torch.randn_like(held)
        if self.law in ("laplacian", "uniform"):
            u = torch.rand_like(held) - 0.5
            if self.law == "uniform":
                return self.std * math.sqrt(12) * u
            size = torch.log1p(-2 * u.abs().clamp(max=0.49999997))
            return -(self.std / math.sqrt(2) * torch.sign(u) * size)
        if self.law == "poisson":
            drawn = torch.poisson(held.abs() * self.per_unit) / self.per_unit
        else:
            if not bool((held.abs() <= 1).all()):
                raise OutOfRange("Noise binomial: value", str(float(held.abs().max())), "-1 to 1")
            carriers = self.carriers or 1
            drawn = torch.distributions.Binomial(carriers, held.abs()).sample() / carriers
        return torch.sign(held) * drawn - held

    def extra_repr(self) -> str:
        value = {"poisson": f"scale x precision={self.per_unit:g}", "binomial": f"carriers={self.carriers}"}
        return f"{self.law}, {value.get(self.law, f'std={self.std:g}')}"


class Precision(torch.nn.Module):
    """The nearest of the levels k / levels, halves towards 0, or by chance the one above or below (`stochastic`), right on
    average; the gradient passes."""

    quiet = False  # see without_noise()

    def __init__(self, levels: float, stochastic: bool = False) -> None:
        super().__init__()
        if not 0 < levels < math.inf:
            raise OutOfRange("Precision", str(levels), "above 0, and finite")
        self.levels, self.stochastic = float(levels), stochastic

    def forward(self, input: Any) -> Any:
        size = input.detach().abs() * self.levels
        if self.stochastic and not self.quiet:
            below = torch.floor(size)
            level = below + (torch.rand_like(size) < size - below).to(size)
        else:
            level = torch.ceil(size - 0.5)
        return input + (torch.sign(input.detach()) * level / self.levels - input.detach())

    def extra_repr(self) -> str:
        return f"{self.levels:g}{', stochastic' if self.stochastic else ''}"


class Norm(torch.nn.Module):
    """Samples over their p-norm, at least 1e-4; `whole`: the tensor as one sample, for weights; p may be `inf`.

    `max`: then over the largest value of the batch (AnalogVNN's "M" norms); in evaluation over the running mean of what
    training met, a tenth of each new one, so that a score does not depend on batches.
    """

    def __init__(self, p: float = 2.0, max: bool = False, whole: bool = False) -> None:
        super().__init__()
        if not p >= 1:
            raise OutOfRange("Norm: p", str(p), "at least 1")
        if max and whole:
            raise InvalidParameter("Norm", "max and whole", "one of them: p=inf divides a whole tensor by its largest value")
        self.p, self.max, self.whole = float(p), max, whole
        if max:
            self.register_buffer("largest", torch.tensor(0.0))

    def forward(self, input: Any) -> Any:
        axes = tuple(range(0 if self.whole else 1, input.dim()))
        size = torch.linalg.vector_norm(input, self.p, dim=axes, keepdim=True).clamp(min=1e-4)
        y = input / size
        if not self.max:
            return y
        if self.training:
            largest = y.abs().max().clamp(min=1e-4)
            with torch.no_grad():
                self.largest += (1.0 if self.largest == 0 else 0.1) * (largest.detach() - self.largest)
            return y / largest
        return y / self.largest if self.largest > 0 else y

    def extra_repr(self) -> str:
        return f"{self.p:g}{', max' if self.max else ''}{', whole' if self.whole else ''}"
