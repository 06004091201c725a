"""Devices trained by their own programme: phases, currents, conductances as PyTorch parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from . import _core
from ._settings import flatten
from ._torch_checks import check_finite, check_real
from ._torch_projection import rows_of
from .device import address_of
from .errors import InvalidParameter
from .session import Session


class _Chip:
    """A device and its twin, opened when they are needed. A copy, or what comes out of a pickle, opens its own and goes on in
    the state (programme, clock, frame count) of the one it was made from."""

    def __init__(self, device: Any, settings: Mapping[str, Any], twin: str | None) -> None:
        self.device, self.settings, self.twin_of = device, settings, twin
        self.written: np.ndarray | None = None
        self._session: Session | None = None
        self._twin: Any = None
        self._state: Any = None

    @property
    def session(self) -> Session:
        if self._session is None:
            made = Session(address_of(self.device), self.settings)
            if self.written is not None:
                made.program(self.written)
            if self._state is not None:
                made.restore(self._state)
            self._session, self._state = made, None
        return self._session

    @property
    def twin(self) -> Any:
        if self._twin is None:
            other = self.twin_of is not None
            self._twin = _core.Twin(self.session, self.twin_of) if other else _core.Twin(address_of(self.device), self.settings)
        return self._twin

    def program(self, codes: np.ndarray) -> None:
        """Writes codes that are not there yet."""
        if self.written is None or not np.array_equal(codes, self.written):
            self.session.program(codes)
            self.written = codes

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_session": None, "_twin": None}
        if self._session is not None:
            state["_state"] = self._session.snapshot()
        return state


class _Shown(torch.autograd.Function):
    """Codes through the device; gradients by its twin at these codes and this programme."""

    @staticmethod
    def forward(ctx: Any, x: Any, programme: Any, owner: Any) -> Any:
        ctx.save_for_backward(x, programme)
        ctx.owner = owner
        return owner._show(x, programme)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Any) -> Any:
        x, programme = ctx.saved_tensors
        grad_x, grad_programme = ctx.owner._back(x, programme, grad)
        return grad_x, grad_programme, None


class Physical(torch.nn.Module):
    """A programmable device of kind "layer" as a module whose parameters are its programme: physics-aware and in-situ training.

    `programme` (codes,) in 0 ... 1 of the highest code, drawn uniformly by PyTorch's generator at first; numbers beyond are
    set to the ends. x (..., inputs) in -1 ... 1 of the DAC's full scale and y (..., outputs) in units of the ADC's, or of
    "adc.range" where the device has it. Forwards the device answers, noise and rounding included; backwards its twin gives
    both gradients at what was shown. `clipped_inputs` counts the numbers of x beyond -1 ... 1 that were shown as the ends.
    What was clipped has gradient 0, x and programme alike: keep the programme in its range while it learns, with
    `programme.data.clamp_(0, 1)` after every step, or an entry that has left it stays at its end.

    The twin of sim:mzi_mesh is a mesh with perfect splitters and without crosstalk that holds the same programme: its gradient
    is the one that in-situ back-propagation (Hughes et al., Optica 5, 864 (2018)) measures on such a mesh, not on the chip with
    its errors. The larger these are, the less it points down the chip's own slope. With `monitors=true`, `correction=none` it is
    measured on the chip as it is.

    `twin`: a device string whose twin stands for the device's, of an instrument that brings none: the simulator fitted to it.
    `session` is the open device. Copies and pickles open one of their own and go on from the state of the first. Throws
    InvalidParameter for devices that are not programmable and for numbers that are not finite, Unsupported for complex ones and
    devices without a twin, ShapeMismatch for a twin of other sizes, bits or ranges.
    """

    def __init__(self, device: Any, settings: Mapping[str, Any] | None = None, *, twin: str | None = None, **options: Any) -> None:
        super().__init__()
        self._chip = _Chip(device, flatten(settings, **options), twin)
        info = self.session.info
        if info.kind != "layer" or info.program is None:
            raise InvalidParameter("Physical", info.model, "a programmable device of kind layer is wanted",
                                   "`lightloop devices` lists what there is; sim:mzi_mesh is one.")  # fmt: skip
        _ = self._chip.twin  # a device without one is refused now
        self._top = {"in": 2.0 ** (info.input.bits - 1), "out": 2.0 ** (info.output.bits - 1)}
        self._highest = float(2**info.program.bits - 1)
        self._unit = float(self.session.settings.get("adc.range", 1.0))
        self.clipped_inputs = 0
        self.programme = torch.nn.Parameter(torch.rand(info.program.size))

    @property
    def session(self) -> Session:
        return self._chip.session

    @property
    def twin(self) -> Any:
        return self._chip.twin

    def forward(self, input: Any) -> Any:
        return _Shown.apply(input, self.programme, self)

    def _codes(self, x: Any) -> np.ndarray:
        return rows_of(torch.round(self._top["in"] + x.detach().float().clamp(-1, 1) * (self._top["in"] - 1)))

    def _theta(self, programme: Any) -> np.ndarray:
        return rows_of(torch.round(programme.detach().float().clamp(0, 1) * self._highest))

    def _show(self, x: Any, programme: Any) -> Any:
        for name, values in (("x", x), ("programme", programme)):
            check_real(f"Physical: {name}", values)
            check_finite(f"Physical: {name}", values)
        info = self.session.info
        self._chip.program(self._theta(programme)[0].astype(np.uint8 if info.program.bits <= 8 else np.uint16))
        self.clipped_inputs += int((x.detach().abs() > 1).sum())
        codes = self._codes(x).astype(np.uint8 if info.input.bits <= 8 else np.uint16)
        out = (np.asarray(self.session.run(codes), np.float32) / self._top["out"] - 1) * self._unit
        y = torch.from_numpy(np.ascontiguousarray(out, np.float32))
        return y.reshape(*x.shape[:-1], y.shape[-1]).to(x)

    def _back(self, x: Any, programme: Any, grad: Any) -> tuple[Any, Any]:
        self.twin.program(self._theta(programme))
        by_x, by_theta = self.twin.vjp(self._codes(x), rows_of(grad.float() * (self._unit / self._top["out"])))
        grad_x = torch.from_numpy(by_x * np.float32(self._top["in"] - 1)).reshape(x.shape).to(x)
        grad_programme = torch.from_numpy(by_theta[0] * np.float32(self._highest)).to(programme)
        at = programme.detach()
        return grad_x * (x.detach().abs() <= 1), grad_programme * ((at >= 0) & (at <= 1))

    def extra_repr(self) -> str:
        return f"device={self.session.address!r}, codes={self.programme.numel()}"
