"""What modules refuse before a device sees it."""

from __future__ import annotations

from typing import Any

import torch

from .errors import InvalidParameter, Unsupported


def check_finite(what: str, values: Any) -> None:
    """Throws InvalidParameter that names the first number which is not finite, and its place."""
    bad = (~torch.isfinite(values.detach())).nonzero()
    if len(bad):
        where = tuple(bad[0].tolist())
        raise InvalidParameter(f"{what} {list(where)}", str(values[where].item()), "finite numbers")


def check_real(what: str, values: Any) -> None:
    """Throws Unsupported for complex numbers, whose imaginary part a device would not see."""
    if values.is_complex():
        raise Unsupported(what, str(values.dtype), "real numbers",
                          "Stack real and imaginary parts; ll.Layer takes complex matrices, on devices of complex fields.")  # fmt: skip


def as_floats(what: str, values: Any) -> Any:
    """Masks as 0 and 1. Throws Unsupported for complex numbers and integers, in whose dtype the answers would be cut off."""
    check_real(what, values)
    if values.dtype == torch.bool:
        return values.to(torch.get_default_dtype())
    if not values.is_floating_point():
        raise Unsupported(what, str(values.dtype), "floats or torch.bool", "Convert it, to the scale that is meant: input.float() / 255.")
    return values


def check_product(what: str, x: Any, weight: Any) -> None:
    """Throws Unsupported for complex numbers, InvalidParameter for dtypes that do not go together, as in torch.nn.Linear."""
    check_real(f"input of {what}", x)
    check_real(f"weight of {what}", weight)
    cast = torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()
    if x.dtype != weight.dtype and not (cast and x.is_floating_point()):
        raise InvalidParameter(f"input of {what}", str(x.dtype), f"{weight.dtype}, as its weight",
                               "Convert one of them: input.to(module.weight.dtype), module.to(input.dtype).")  # fmt: skip
