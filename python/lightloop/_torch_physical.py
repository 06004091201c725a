"""Devices trained by their own programme: phases, currents, conductances as PyTorch parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from . import _core
from ._settings import flatten
from ._torch_checks import check_finite
from .device import address_of
from .errors import InvalidParameter


class _Shown(torch.autograd.Function):
    """Codes through the device; gradients by its twin at these codes and this programme."""

    @staticmethod
    def forward(ctx: Any, x: Any, programme: Any, owner: Any) -> Any:
        ctx.save_for_backward(x, programme)
        ctx.owner = owner
        return owner._show(x, programme)

    @staticmethod
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
    `programme.data.clamp_(0, 1)` after every step, or an entry that has left it stays at its end. The twin of sim:mzi_mesh
    takes the gradient of a phase from three intensities at its shifter, as power monitors on a chip measure it (Hughes et
    al., Optica 5, 864 (2018)).
    """

    def __init__(self, device: Any, settings: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__()
        from .session import Session

        wanted = flatten(settings, **options)
        self.session = Session(address_of(device), wanted)
        info = self.session.info
        if info.kind != "layer" or info.program is None:
            raise InvalidParameter("Physical", info.model, "a programmable device of kind layer is wanted",
                                   "`lightloop devices` lists what there is; sim:mzi_mesh is one.")  # fmt: skip
        self.twin = _core.Twin(address_of(device), wanted)
        self._top = {"in": 2.0 ** (info.input.bits - 1), "out": 2.0 ** (info.output.bits - 1)}
        self._highest = float(2**info.program.bits - 1)
        self._unit = float(self.session.settings.get("adc.range", 1.0))
        self._written: Any = None
        self.clipped_inputs = 0
        self.programme = torch.nn.Parameter(torch.rand(info.program.size))

    def forward(self, input: Any) -> Any:
        return _Shown.apply(input, self.programme, self)

    def _codes(self, x: Any) -> np.ndarray:
        rows = x.detach().cpu().numpy().reshape(-1, x.shape[-1]).astype(np.float32)
        return self._top["in"] + np.clip(rows, -1, 1) * (self._top["in"] - 1)

    def _theta(self, programme: Any) -> np.ndarray:
        return np.rint(np.clip(programme.detach().cpu().numpy(), 0, 1) * self._highest).astype(np.float32)

    def _show(self, x: Any, programme: Any) -> Any:
        for name, values in (("x", x), ("programme", programme)):
            check_finite(f"Physical: {name}", values)
        info, theta = self.session.info, self._theta(programme)
        if self._written is None or not np.array_equal(theta, self._written):
            self.session.program(theta.astype(np.uint8 if info.program.bits <= 8 else np.uint16))
            self._written = theta
        self.clipped_inputs += int((x.detach().abs() > 1).sum())
        codes = np.rint(self._codes(x)).astype(np.uint8 if info.input.bits <= 8 else np.uint16)
        out = (np.asarray(self.session.run(codes), np.float32) / self._top["out"] - 1) * self._unit
        return torch.from_numpy(np.ascontiguousarray(out, np.float32)).reshape(*x.shape[:-1], -1).to(x)

    def _back(self, x: Any, programme: Any, grad: Any) -> tuple[Any, Any]:
        self.twin.program(self._theta(programme)[None])
        rows = grad.detach().cpu().numpy().reshape(-1, grad.shape[-1]) * (self._unit / self._top["out"])
        by_x, by_theta = self.twin.vjp(np.rint(self._codes(x)), np.ascontiguousarray(rows, np.float32))
        grad_x = torch.from_numpy(by_x * np.float32(self._top["in"] - 1)).reshape(x.shape).to(x)
        grad_programme = torch.from_numpy(by_theta[0] * np.float32(self._highest)).to(programme)
        at = programme.detach()
        return grad_x * (x.detach().abs() <= 1), grad_programme * ((at >= 0) & (at <= 1))

    def extra_repr(self) -> str:
        return f"device={self.session.address!r}, codes={self.programme.numel()}"
