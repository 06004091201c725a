"""What modules refuse before a device sees it."""

from __future__ import annotations

from typing import Any

import torch

from .errors import InvalidParameter


def check_finite(what: str, values: Any) -> None:
    """Throws InvalidParameter that names the first number which is not finite, and its place."""
    bad = (~torch.isfinite(values.detach())).nonzero()
    if len(bad):
        where = tuple(bad[0].tolist())
        raise InvalidParameter(f"{what} {list(where)}", str(values[where].item()), "finite numbers")
