"""AnalogVNN's noise, levels and norms for PyTorch: the layers of the same names in docs/networks.md.

They stand around a layer, or on its weights: `torch.nn.utils.parametrize.register_parametrization(linear, "weight",
torch.nn.Sequential(Clamp(), Precision(16), Noise("gaussian", leakage=0.5, precision=16)))`.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from . import _core
from .errors import InvalidParameter, OutOfRange

LAWS = ("gaussian", "laplacian", "uniform", "poisson", "binomial")


def noise_std(law: str, leakage: float, precision: float) -> float:
    """The standard deviation with which `leakage` of the values leave their level, levels 1 / precision apart.

    law : gaussian, laplacian or uniform. Throws InvalidParameter for others, OutOfRange.
    """
    if law not in LAWS[:3]:
        raise InvalidParameter("noise_std: law", repr(law), ", ".join(LAWS[:3]),
                               "The width of the other laws goes with the value: ll.torch.Noise draws them.")  # fmt: skip
    if not 0 < leakage < 1:
        raise OutOfRange("noise: leakage", str(leakage), "above 0 and below 1")
    if not precision > 0:
        raise OutOfRange("noise: precision", str(precision), "above 0")
    if law == "gaussian":
        inverse = float(torch.erfinv(torch.tensor(1 - leakage, dtype=torch.float64)))
        return 1 / (2 * math.sqrt(2) * precision * inverse)
    if law == "laplacian":
        return -math.sqrt(2) / (2 * precision * math.log(leakage))
    return 1 / (precision * (1 - leakage) * math.sqrt(12))


class Noise(torch.nn.Module):
    """x + noise of law gaussian, laplacian or uniform (`std`, or `leakage` and `precision`), or the counts of carriers: poisson
    (`precision` and `scale`, or `leakage` at full scale; variance |x| / (scale precision)), binomial (`carriers`; |x| at most 1). While training and in
    evaluation; the gradient passes. Draws come from PyTorch's generator.
    """

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
        self.law, self.carriers = law, carriers
        self.per_unit = 0.0
        if law == "poisson":
            if leakage is not None:
                scale = _core.poisson_scale_for_leakage(leakage, precision)
            self.per_unit = float(scale or 0) * float(precision or 0)
            if not self.per_unit >= 1:
                raise OutOfRange("Noise poisson: scale x precision", str(self.per_unit), "at least 1")
        if law == "binomial" and not (carriers or 0) >= 1:
            raise OutOfRange("Noise binomial: carriers", str(carriers), "at least 1")
        self.std = 0.0
        if law in LAWS[:3]:
            self.std = float(std) if std is not None else noise_std(law, leakage or 0, precision or 0)
            if not self.std >= 0:
                raise OutOfRange(f"Noise {law}: std", str(self.std), "at least 0")

    def forward(self, input: Any) -> Any:
        if self.law == "gaussian":
            return input + self.std * torch.randn_like(input)
        if self.law in ("laplacian", "uniform"):
            u = torch.rand_like(input) - 0.5
            if self.law == "uniform":
                return input + self.std * math.sqrt(12) * u
            size = torch.log1p(-2 * u.abs().clamp(max=0.49999997))
            return input - self.std / math.sqrt(2) * torch.sign(u) * size
        held = input.detach()
        if self.law == "poisson":
            drawn = torch.poisson(held.abs() * self.per_unit) / self.per_unit
        else:
            if bool((held.abs() > 1).any()):
                raise OutOfRange("Noise binomial: value", str(float(held.abs().max())), "-1 to 1")
            carriers = float(self.carriers or 1)
            drawn = torch.distributions.Binomial(int(carriers), held.abs()).sample() / carriers
        return input + (torch.sign(held) * drawn - held)

    def extra_repr(self) -> str:
        value = {"poisson": f"scale x precision={self.per_unit:g}", "binomial": f"carriers={self.carriers}"}
        return f"{self.law}, {value.get(self.law, f'std={self.std:g}')}"


class Precision(torch.nn.Module):
    """The nearest of the levels k / levels, halves towards 0, or by chance the one above or below (`stochastic`), right on
    average; the gradient passes."""

    def __init__(self, levels: float, stochastic: bool = False) -> None:
        super().__init__()
        if not levels > 0:
            raise OutOfRange("Precision", str(levels), "above 0")
        self.levels, self.stochastic = float(levels), stochastic

    def forward(self, input: Any) -> Any:
        size = input.detach().abs() * self.levels
        if self.stochastic:
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
