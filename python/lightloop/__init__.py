"""Lightloop: train neural networks on light.

Open a device by its string and show it codes (`open`), use it as a random projection (`Projection`, `OPU`), train a
network through it (`train`), or a reservoir (`Reservoir`, `ESN`, `metrics`, `tasks`), write your own (`Device`), sweep its
parameters (`sweep`), draw what came out (`plot`).
"""

import importlib
from typing import TYPE_CHECKING, Any

from .errors import (
    DeviceError,
    Busy,
    Cancelled,
    Error,
    FileError,
    FrameError,
    InternalError,
    InvalidParameter,
    LinkError,
    OutOfRange,
    Refused,
    ShapeMismatch,
    Timeout,
    UnknownName,
    Unsupported,
    WaitTimeout,
)
from . import metrics, tasks
from ._core import (
    AuxFormat,
    DeviceInfo,
    FrameFormat,
    LearnedMask,
    Param,
    Stream,
    Twin,
    __version__,
    layer_params,
    learn_mask,
    mesh_phases,
    projection_params,
    set_threads,
    threads,
    train_params,
)
from .analog import Deployed, deploy
from .comparison import Comparison, compare
from .device import Device, check, check_physics, discover
from .layer import Layer
from .projection import Projection
from .run import Run, load_run
from .session import Session, devices
from .session import open_device as open
from .sweep import sweep
from .training import load_dataset, plan, rules, train

if TYPE_CHECKING:
    from .masks import MaskReadout
    from .opu import OPU
    from .reservoir import ESN, Reservoir

__all__ = [
    "AuxFormat",
    "Busy",
    "Cancelled",
    "Comparison",
    "Deployed",
    "Device",
    "DeviceError",
    "DeviceInfo",
    "ESN",
    "Error",
    "FileError",
    "FrameError",
    "FrameFormat",
    "InternalError",
    "InvalidParameter",
    "Layer",
    "LearnedMask",
    "LinkError",
    "MaskReadout",
    "OPU",
    "OutOfRange",
    "Param",
    "Projection",
    "Refused",
    "Reservoir",
    "Run",
    "Session",
    "ShapeMismatch",
    "Stream",
    "Timeout",
    "Twin",
    "UnknownName",
    "Unsupported",
    "WaitTimeout",
    "check",
    "check_physics",
    "compare",
    "deploy",
    "devices",
    "layer_params",
    "learn_mask",
    "load_dataset",
    "load_run",
    "mesh_phases",
    "metrics",
    "open",
    "plan",
    "plot",
    "projection_params",
    "rules",
    "set_threads",
    "sweep",
    "tasks",
    "threads",
    "train",
    "train_params",
]


def plot(what: Any, out: Any = None, **options: Any) -> Any:
    """Draws a run, several runs, a sweep, or a file of one of them; writes `out` if given, returns the figure."""
    drawing = importlib.import_module(".plot", __name__)  # matplotlib is loaded only here
    return drawing.plot(what, out, **options)  # from now on the module has the place of this function, and is called as it is


def __getattr__(name: str) -> Any:
    if name == "OPU":  # scikit-learn takes a second to load
        from .opu import OPU

        return OPU
    if name == "MaskReadout":
        from .masks import MaskReadout

        return MaskReadout
    if name in ("ESN", "Reservoir"):
        from . import reservoir

        return getattr(reservoir, name)
    if name == "torch":
        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module 'lightloop' has no attribute {name!r}")
