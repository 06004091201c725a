"""PyTorch modules: signals and weights of few values (`Sign`, `Binarise`, `Quantise`, `Stochastic`, `BinaryLinear`,
`BinaryConv2d`), noise and levels around a layer (`Noise`, `Precision`, `Norm`), and modules on devices: `dfa` (direct feedback
alignment), `OPU` (random features), `Physical` (devices trained by their own programme), and matrix products on analog devices:
`AnalogLinear`, `AnalogConv2d`, `convert`. For these:

Forward passes go through the device, noise and converters included. Backward passes take the way of `layer.backward`: the
digital weights (straight-through: gradients of input, weight and bias are those of `torch.nn.Linear`), the device's twin at
what the device was shown, or the device itself in its transposed pass. Inputs beyond a range (`layer.noise_management` but for
abs_max) are clipped, and so are their gradients: none of the input, that of the clipped input for the weight. Weights are written into the device whenever their values
have changed since the last forward pass, or with `layer.update=pulses` changed in pulses from where they are; gains found by the
calibration of the first stay in use while a module trains. Copies, pickles and the `state_dict` (in `_extra_state`, from the first
pass on) hold what the devices hold: cells, clocks, calibrations, frame counts. Beside that `state_dict` is that of the digital module; with
`layer.noise_management=learned` it has `input_range` and `input_range_known` beside, with `running` the `running_range` of every
tile (from the first pass on; three numbers each with `layer.range_rows`, which in evaluation stay), with `layer.output_range=learned` an `output_factor` (of the ADC range that calibration measured).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ._torch_analog import (
    AnalogBinaryConv2d,
    AnalogBinaryLinear,
    AnalogConv2d,
    AnalogLinear,
    Devices,
    OnDevice,
)
from ._torch_checks import check_real
from ._torch_dfa import DFA, dfa
from ._torch_neurons import (
    Binarise,
    BinaryConv2d,
    BinaryLinear,
    Quantise,
    Sign,
    Stochastic,
    biper,
    reinforce,
    sign,
)
from ._torch_noise import Noise, Norm, Precision, noise_std
from ._torch_opu import OPU
from ._torch_physical import Physical
from .analog import seconds, split
from .errors import Error, InvalidParameter, UnknownName, Unsupported

__all__ = [
    "DFA",
    "OPU",
    "Physical",
    "AnalogConv2d",
    "AnalogLinear",
    "Binarise",
    "BinaryConv2d",
    "BinaryLinear",
    "Noise",
    "Norm",
    "Precision",
    "Quantise",
    "Sign",
    "Stochastic",
    "age",
    "biper",
    "calibrate",
    "convert",
    "convert_to_analog",
    "dfa",
    "noise_std",
    "reinforce",
    "report",
    "sign",
]


ON_DEVICES = {
    torch.nn.Linear: AnalogLinear,
    torch.nn.Conv2d: AnalogConv2d,
    BinaryLinear: AnalogBinaryLinear,
    BinaryConv2d: AnalogBinaryConv2d,
}
DIGITAL = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer)  # they read the weights of their parts themselves


def _excluded(model: Any, names: str | Iterable[str]) -> set[Any]:
    """The modules of these names, and what is inside them."""
    found: set[Any] = set()
    for name in [names] if isinstance(names, str) else names:
        try:
            found.update(model.get_submodule(name).modules())
        except AttributeError:
            known = ", ".join(one for one, _ in model.named_modules() if one)
            raise UnknownName("convert: exclude", repr(name), known) from None
    return found


def convert(model: Any, device: str = "sim:crossbar", settings: Mapping[str, Any] | None = None, *,
            exclude: str | Iterable[str] = (), **options: Any) -> Any:  # fmt: skip
    """A copy of `model` with every Linear and Conv2d, BinaryLinear and BinaryConv2d on devices of one string, which hold the
    weights as they are used (of the binary ones two values a row); the model itself stays as it is.

    Weights, buffers, training mode and the keys of `state_dict` are kept; a module that is used in several places is one
    layer still. Layers of other kinds (Conv1d, LSTM, ...) stay digital; modules on devices stay on theirs.

    exclude : names of modules that stay digital, with all that is inside them.

    Throws Unsupported, with the module's name, for whatever would stay digital unnoticed: subclasses of Linear and Conv2d,
    parametrised ones too, and weights that a hook makes (weight_norm, prune); MultiheadAttention and TransformerEncoderLayer, which read weights past the modules that have
    them; complex weights. UnknownName for a name in `exclude` that is not there.
    """
    if not isinstance(model, torch.nn.Module):
        raise InvalidParameter("convert: model", type(model).__name__, "a torch.nn.Module")
    for name, module in model.named_modules():
        for key, value in vars(module).items():
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                raise Unsupported(f"convert: {name}: {key}", "made anew in every pass by a hook (weight_norm, prune)", "a parameter",
                                  "Convert first and put the hook on what was converted, or make what it does permanent "
                                  "(torch.nn.utils.remove_weight_norm, prune.remove).")  # fmt: skip
    made = copy.deepcopy(model)
    wanted = split(settings, options)
    kept = _excluded(made, exclude)
    devices = Devices(device, wanted)
    for name, module in list(made.named_modules()):
        if module in kept or isinstance(module, OnDevice) or not isinstance(module, (*ON_DEVICES, *DIGITAL)):
            continue
        where = f"convert: {name}" if name else "convert"
        kind = ON_DEVICES.get(type(module))
        if kind is None or "forward" in vars(module):
            raise Unsupported(where, type(module).__name__, "a plain Linear or Conv2d, whose products a device can make",
                              f"Leave it digital, exclude=[{name!r}], or put plain ones in its place; a parametrisation can be "
                              "registered on what was converted.")  # fmt: skip
        check_real(f"{where}: weight", module.weight)
        module.__class__ = kind  # in its place: whoever holds the module holds the one on the device
        module._place(device, wanted, devices)
    if not devices.sizes:
        raise InvalidParameter("convert", type(made).__name__, "no Linear and no Conv2d in it", "Give a model that has some.")
    devices.open()
    return made


convert_to_analog = convert


def report(model: Any) -> dict[str, Any]:
    """What the converted modules of a model have cost: device_s, device_j, energy by component, each module's report, and
    latency, the seconds by component between one row's way in and its answer, the layers one after the other."""
    modules = {name: m.report for name, m in model.named_modules() if isinstance(m, OnDevice) and m.report is not None}
    energy: dict[str, float] = {}
    for one in modules.values():
        for part, joules in one.energy.items():
            energy[part] = energy.get(part, 0.0) + joules
    latency: dict[str, float] = {}
    for module in model.modules():
        if isinstance(module, OnDevice) and module.report is not None:
            for part, took in module._latency().items():
                latency[part] = latency.get(part, 0.0) + took
    return {
        "device_s": sum(one.device_s for one in modules.values()),
        "device_j": sum(one.device_j for one in modules.values()),
        "energy": energy,
        "latency": latency,
        "modules": modules,
    }


def _devices_of(model: Any) -> list[Devices]:
    """Those that hold weights of a model. Throws Error where none does."""
    found = dict.fromkeys(m._devices for m in model.modules() if isinstance(m, OnDevice))
    written = [devices for devices in found if devices.written()]
    if not written:
        raise Error(type(model).__name__, "no module of it was written into a device", "", "Make a forward pass first.")
    return written


def calibrate(model: Any) -> Any:
    """Fits gains and offsets of all written layers anew, as `Layer.calibrate`: done at an age it takes drift out. The model."""
    for devices in _devices_of(model):
        for layer in devices.written():
            layer.calibrate()
    return model


def age(model: Any, time: float | str, *, recalibrate: bool = False) -> Any:
    """Sets the clocks of a model's devices to a time (seconds, or "30 d") after they were opened, as `Deployed.age`: cells
    drift since they were written. Gains stay those of before unless `recalibrate`. The model itself.

    Throws Error before the first forward pass, OutOfRange for a time that is over already, Unsupported for devices without a
    clock, or one device that is written anew for every layer.
    """
    for devices in _devices_of(model):
        devices.open().age(seconds(time))
    return calibrate(model) if recalibrate else model
