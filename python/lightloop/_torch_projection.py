"""Fixed random projections as PyTorch code needs them: opened when first used, copied and pickled with what they stand in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from . import _core
from ._settings import flatten, without_prefix
from ._torch_checks import check_finite
from .errors import InvalidParameter, OutOfRange, ShapeMismatch
from .projection import Projection
from .session import open_sized

FEEDBACK_MATRIX = 13  # Purpose::feedback_matrix in core/random.hpp


def split(settings: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(settings of the device, settings of the projection): the latter are those that begin with "projection."."""
    flat = flatten(settings)
    mine = {k: v for k, v in flat.items() if k.startswith("projection.")}
    device = {k: v for k, v in flat.items() if k not in mine}
    return without_prefix(device, "device"), without_prefix(mine, "projection")


def rows_of(x: Any) -> np.ndarray:
    """float32 (rows, columns) in memory of the processor."""
    rows = x.detach().to("cpu", torch.float32).contiguous().numpy()
    return rows.reshape(-1, x.shape[-1])  # by numpy: PyTorch's empty arrays have strides of 0, which the core refuses


def opened(device: str, of_device: Mapping[str, Any], of_projection: Mapping[str, Any], seed: int,
           n_in: int, n_out: int) -> Projection:  # fmt: skip
    """A projection on a device that gets its sizes, and the seed unless the string or the settings name one."""
    seeded = any(param.name == "seed" for param in _core.open_params(device))
    extra = {"seed": seed} if seeded and "seed" not in _core.parse_address(device)[2] else {}
    sizes = _core.projection_sizes(dict(of_projection), n_in, n_out)
    projection = Projection(open_sized(device, {**extra, **of_device}, *sizes), n_in, n_out, of_projection)
    projection._owned = True
    return projection


class OnDevice:
    """A projection by its device string. A copy, or what comes out of a pickle, opens a device of its own and goes on in
    the state (exposure, scale, frame count) of the one it was made from."""

    def __init__(self, device: str, settings: Mapping[str, Any] | None, seed: int, **defaults: Any) -> None:
        self.device, self.seed = device, seed
        self.of_device, of_projection = split(settings)
        self.of_projection = {**defaults, **of_projection}
        self.projection: Projection | None = None
        self._state: dict[str, Any] | None = None

    def open(self, n_in: int, n_out: int) -> Projection:
        if self.projection is None:
            made = opened(self.device, self.of_device, self.of_projection, self.seed, n_in, n_out)
            if self._state is not None:
                made.device.restore(self._state["device"])
                made.restore(self._state["projection"])
                self._state = None
            self.projection = made
        return self.projection

    def close(self) -> None:
        if self.projection is not None:
            self.projection.close()
            self.projection = None

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "projection": None}
        if self.projection is not None:
            state["_state"] = {
                "device": self.projection.device.snapshot(),
                "projection": self.projection.snapshot(),
            }
        return state


class Feedback:
    """e (rows, C) -> B e (rows, at least `width`), B fixed with entries of unit variance."""

    def __init__(self, projection: Any, seed: int, settings: Mapping[str, Any] | None, **defaults: Any) -> None:
        if not 0 <= seed <= 2**53 - 1:
            raise OutOfRange("seed", str(seed), "0 to 2^53 - 1")
        self.seed, self.ours = seed, None
        self.matrix, self.drawn = None, False
        self.given: Projection | Callable[[np.ndarray], Any] | None = None
        if isinstance(projection, str) and projection != "digital":
            self.ours = OnDevice(projection, settings, seed, **defaults)
            return
        if settings:
            raise InvalidParameter("settings", str(dict(settings)), "for a device string only")
        if isinstance(projection, str):
            self.drawn = True
        elif isinstance(projection, _core.Projection) or callable(projection) and not torch.is_tensor(projection):
            self.given = projection
        else:
            self.matrix = torch.as_tensor(projection).detach().clone()
            if self.matrix.dim() != 2 or not self.matrix.is_floating_point():
                raise ShapeMismatch("projection", str(tuple(self.matrix.shape)), "a matrix (outputs, classes) of floats")
            check_finite("projection", self.matrix)

    @property
    def device(self) -> Any:
        """The open session, None where there is no device or it has not been needed yet."""
        held = self.ours.projection if self.ours is not None else self.given
        return getattr(held, "device", None)

    def __call__(self, error: Any, width: int) -> Any:
        classes = error.shape[1]
        if self.drawn or self.matrix is not None:
            matrix = self._rows(width, classes)
            return error @ matrix[:width].to(error).t()
        projection: Any = self.ours.open(classes, width) if self.ours is not None else self.given
        if isinstance(projection, _core.Projection):
            if projection.n_in != classes or projection.n_out < width:
                raise ShapeMismatch("projection", f"{projection.n_in} -> {projection.n_out}",
                                    f"{classes} -> at least {width}")  # fmt: skip
            out = projection.linear(rows_of(error))
        else:
            out = np.asarray(projection(rows_of(error)))
            if out.ndim != 2 or out.shape[0] != error.shape[0] or out.shape[1] < width:
                raise ShapeMismatch("projection", str(out.shape), f"({error.shape[0]}, at least {width})")
        return torch.from_numpy(np.array(out)).to(error)

    def _rows(self, width: int, classes: int) -> Any:
        """B; a drawn one grows: output i is row i of its stream, as in `lightloop train`."""
        if self.drawn and (self.matrix is None or self.matrix.shape[0] < width or self.matrix.shape[1] != classes):
            stream = _core.Stream(self.seed, 0, FEEDBACK_MATRIX)
            self.matrix = torch.from_numpy(np.stack([stream.normal(i, classes) for i in range(width)]))
        if self.matrix.shape[1] != classes or self.matrix.shape[0] < width:
            raise ShapeMismatch("projection", str(tuple(self.matrix.shape)), f"(at least {width}, {classes})")
        return self.matrix

    def close(self) -> None:
        """Closes a device that was opened here."""
        if self.ours is not None:
            self.ours.close()

    def __deepcopy__(self, memo: Any) -> Feedback:
        import copy

        made = self.__class__.__new__(self.__class__)
        memo[id(self)] = made
        for key, value in self.__dict__.items():  # a projection of the user's is shared: a device is not copied
            made.__dict__[key] = value if key == "given" else copy.deepcopy(value, memo)
        return made

    def __getstate__(self) -> dict[str, Any]:
        if isinstance(self.given, _core.Projection):
            raise InvalidParameter("projection", "an open device", "not to be pickled", "give its device string instead")
        return dict(self.__dict__)
