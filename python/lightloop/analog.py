"""A trained network on analog devices: accuracy, energy, what each source of error costs, what the parts must be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _core
from ._html import table
from ._settings import flatten
from .device import address_of
from .errors import InvalidParameter, ShapeMismatch


def split(settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the namespaces device., layer. and session.; keys without one are the device's."""
    flat = flatten(settings, **options)
    spaces = ("device.", "layer.", "session.")
    return {k if k.startswith(spaces) else f"device.{k}": v for k, v in flat.items()}


def below(settings: Mapping[str, Any], space: str) -> dict[str, Any]:
    return {k[len(space) + 1 :]: v for k, v in settings.items() if k.startswith(space + ".")}


def devices_of(device: Any) -> str:
    """The device string of one device, or of several in a list or tuple: one for each tile."""
    if isinstance(device, (list, tuple)):
        return ",".join(address_of(one) for one in device)
    return address_of(device)


def open_devices(device: Any, settings: Mapping[str, Any], sizes: Sequence[tuple[int, int]]) -> Any:
    """Devices for layers of these (inputs, outputs); `settings` as `split` gives them."""
    own = {f"session.{k}": v for k, v in below(settings, "session").items()}
    of_device = {**below(settings, "device"), **own}
    return _core.TileDevices(devices_of(device), of_device, below(settings, "layer"), list(sizes))


def dataset(x: Any, y: Any, classes: int) -> Any:
    """Samples (n, features), float or uint8, with whole numbers from 0 as labels."""
    return _core.make_dataset(samples_of(x), array_of(y), classes, "arrays")


def array_of(x: Any) -> np.ndarray:
    """An array, or what makes one; tensors without their gradients, those of reals as float32 (numpy has no bfloat16)."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float() if x.is_floating_point() else x
    return np.asarray(x)


def samples_of(x: Any) -> np.ndarray:
    """Bytes as they are, other real numbers as float32; InvalidParameter for what are no numbers."""
    h = array_of(x)
    if h.dtype.kind not in "biuf":
        raise InvalidParameter("x", f"of {h.dtype}" if h.ndim else type(x).__name__, "real numbers", "Give samples (samples, features).")
    with np.errstate(over="ignore"):  # infinity, which is refused by its place
        return np.ascontiguousarray(h if h.dtype == np.uint8 else h.astype(np.float32, copy=False))


def rows_of(x: Any, net: Any) -> np.ndarray:
    """Samples for a network as rows of float32; bytes are taken as value / 255. ShapeMismatch for a sample by itself,
    InvalidParameter for what is not finite."""
    h = samples_of(x)
    if h.ndim == 0 or h.ndim == 1 and net.widths[0] != 1:
        raise ShapeMismatch("x", str(h.shape), f"(samples, {net.widths[0]}), or images", "One sample alone wants an axis in front: x[None].")
    h = h.astype(np.float32) / np.float32(255) if h.dtype == np.uint8 else h
    if not np.isfinite(h).all():
        where = np.argwhere(~np.isfinite(h))[0]
        raise InvalidParameter(f"x {where.tolist()}", str(h[tuple(where)]), "finite numbers")
    return h.reshape(len(h), math.prod(h.shape[1:]))


def tokens_apart(net: Any, scores: np.ndarray) -> np.ndarray:
    """(samples, outputs), of a text (samples, tokens, classes)."""
    return scores if net.tokens == 1 else scores.reshape(len(scores), net.tokens, -1)


def seconds(time: float | str) -> float:
    return _core.parse_quantity(time, "s", "age") if isinstance(time, str) else float(time)


class Deployed:
    """A network whose matrix products run on devices; biases and non-linearities stay digital.

    Made by `Run.on` or `deploy`. `scores(x)` and `predict(x)` are those of a `Run`: a rule that answers in its own way makes
    its passes on the devices. `report` is the cost so far, with joules by component in `report.energy`, `reports` that of
    each layer.
    """

    def __init__(
        self,
        weights: Sequence[tuple[Any, Any]],
        activation: str,
        device: Any,
        settings: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        layers = [(np.ascontiguousarray(w, np.float32), np.asarray(b, np.float32)) for w, b in weights]
        self._take(_core.make_network(layers, activation), None, device, settings, options)

    @classmethod
    def _of(cls, run: Any, device: Any, settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Deployed:
        """The network of a Run, which answers as that does."""
        made = cls.__new__(cls)
        made._take(run.net, run, device, settings, options)
        return made

    def _take(
        self, net: Any, run: Any, device: Any, settings: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> None:
        self.device = devices_of(device)
        self.settings = split(settings, options)
        self.network = net
        self._run = run
        self._image: tuple[int, ...] | None = None  # (channels, height, width) of samples in PyTorch's order
        self._answer = _core.Answer() if run is None else run._answer
        self._open: Any = None
        self._past: list[list[Any]] = []  # reports of devices that were given back

    @classmethod
    def _of_module(cls, model: Any, sample: Any, device: Any, settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> Deployed:
        """A PyTorch module's, which is shown samples as that is."""
        from ._torch_network import network_of

        made = cls.__new__(cls)
        net, image = network_of(model, sample)
        made._take(net, None, device, settings, options)
        made._image = image
        return made

    def _shown(self, x: Any) -> Any:
        """Images of PyTorch with their channels last, as networks take them; other samples as they are."""
        h = np.asarray(x)
        if self._image is None or h.ndim < 2 or math.prod(h.shape[1:]) != math.prod(self._image):
            return x
        return h.reshape(len(h), *self._image).transpose(0, 2, 3, 1).reshape(len(h), -1)

    def _opened(self) -> Any:
        if self._open is None:
            seed = None if self._run is None else self._run.seed
            self._open = _core.AnalogNetwork(self.network, self.device, self.settings, self._answer, seed)
        return self._open

    def age(self, time: float | str, *, recalibrate: bool = False) -> Deployed:
        """Sets the clocks of all devices to a time (seconds, or "30 d") after they were opened and written, never back.

        Cells drift since then. With `recalibrate` gains and offsets are fitted anew, which takes out what all cells of a layer
        (or of an output) have in common.
        """
        self._opened().age(seconds(time))
        if recalibrate:
            self._opened().calibrate()
        return self

    def snapshot(self) -> bytes:
        """What all devices hold by now, with weights, calibrations, frame counts, meters and clocks: `restore` it into another
        deployment of the same network and settings, which then goes on with the same bits. Reports are not in it.

        Throws Unsupported where a device keeps no snapshot.
        """
        return bytes(self._opened().snapshot())

    def restore(self, state: bytes) -> Deployed:
        """Goes on from a snapshot. Throws InvalidParameter for that of another network, shape or device, and changes nothing."""
        self._opened().restore(state)
        return self

    @property
    def layers(self) -> list[Any]:
        """The layers, of a convolution in groups one for each; opened, written and calibrated when they are first asked for."""
        return list(self._opened().layers)

    def scores(self, x: Any, first_sample: int = 0) -> np.ndarray:
        """Scores as those of `Run.scores`, in memory where no product with weights is made."""
        return tokens_apart(self.network, self._opened().scores(rows_of(self._shown(x), self.network), first_sample))

    def predict(self, x: Any) -> np.ndarray:
        """The class with the highest score, as `Run.predict`."""
        if self._run is not None:
            self._run._labels_only("predict")
        return self.scores(x).argmax(axis=-1)

    def accuracy(self, x: Any, y: Any) -> float:
        """Fraction of samples whose highest score is that of the label; Unsupported where real targets were learned."""
        if self._run is not None:
            self._run._labels_only("accuracy")
        found, labels = self.predict(x), np.asarray(y)
        if not labels.size:
            raise ShapeMismatch("accuracy: y", str(labels.shape), "at least one sample")
        if found.shape != labels.shape:
            raise ShapeMismatch("accuracy: y", str(labels.shape), f"{found.shape}, a label for each answer")
        return float((found == labels).mean())

    @property
    def reports(self) -> list[Any]:
        """Per layer: vectors, frames, device_s, device_j, energy, ..., since the devices were opened."""
        if self._open is None and self._past:
            return self._past[-1]
        return list(self._opened().reports)

    def _all_reports(self) -> list[Any]:
        now = [] if self._open is None and self._past else [self.reports]
        return [report for reports in [*self._past, *now] for report in reports]

    def _give_back(self) -> None:
        """An instrument has one user at a time: it is closed for whoever deploys next, and opened again when it is needed."""
        if self._open is not None and (self._open.shared or self._open.exclusive):
            self._past.append(self.reports)
            self._open = None

    @property
    def energy(self) -> dict[str, float]:
        """Joules by component, all layers together."""
        parts: dict[str, float] = {}
        for report in self._all_reports():
            for name, joules in report.energy.items():
                parts[name] = parts.get(name, 0.0) + joules
        return parts

    @property
    def latency(self) -> dict[str, float]:
        """Seconds by component between one row's way in and its answer, the layers one after the other."""
        return dict(self._opened().latency)

    @property
    def device_joules(self) -> float:
        return sum(report.device_j for report in self._all_reports())

    @property
    def device_seconds(self) -> float:
        """Layers follow each other."""
        return sum(report.device_s for report in self._all_reports())

    def sensitivity(
        self, x: Any, y: Any, *, repeats: int = 5, samples: int = 1000, age: float | str = 0, out: str = ""
    ) -> Ranking:
        """Every source of error of the devices alone (beside those that make it felt), and all but it, deployed `repeats` times
        each. What calibration refused has no numbers (NaN); `facts["refused"]` counts it.

        Deploys on devices of its own; an instrument is taken for it and given back. `out` names a file for `lightloop plot`.
        At an `age` ("30 d") what has drifted since the weights were written is a source too.
        """
        self._give_back()
        data = dataset(self._shown(x), y, self.network.widths[-1])
        found = _core.sensitivity(self.network, data, self.device, self.settings, self._answer, repeats, samples,
                                  seconds(age), out)  # fmt: skip
        return Ranking(found)

    def spec(
        self,
        x: Any,
        y: Any,
        over: Iterable[str] | str,
        drop: float = 0.005,
        *,
        confidence: float = 0.95,
        per_layer: bool = True,
        repeats: int = 5,
        samples: int = 1000,
        age: float | str = 0,
    ) -> dict[str, Any]:
        """The cheapest components that lose less than `drop` (a fraction) of the accuracy: see `lightloop report spec`.

        `over`: sources of error, and real settings on which a frame's energy depends ("power_w"), or else its latency; at an
        `age` ("30 d") cells have drifted since the weights were written. `energy` has the joules of a deployment by component.
        """
        self._give_back()
        names = over.split(",") if isinstance(over, str) else list(over)
        names = [name[len("device.") :] if name.startswith("device.") else name for name in names]
        data = dataset(self._shown(x), y, self.network.widths[-1])
        return dict(_core.spec(self.network, data, self.device, self.settings, self._answer, names, drop, confidence,
                               per_layer, repeats, samples, seconds(age)))  # fmt: skip

    def __repr__(self) -> str:
        return f"<lightloop.Deployed {self.network.text} on {self.device}>"


class Ranking:
    """What each source of error costs. `sources` is the list, the costliest first; printed as a table."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.facts = {k: v for k, v in found.items() if k != "sources"}
        self.sources: list[dict[str, Any]] = list(found["sources"])

    def _rows(self) -> list[tuple[str, str, str, str]]:
        def told(number: float) -> str:
            return "refused" if math.isnan(number) else f"{number:.2f}"

        return [
            (s["source"], told(100 * s["lost_alone"]), told(100 * s["won_without"]), told(s["enob_alone"])) for s in self.sources
        ]

    def __str__(self) -> str:
        told = f"signal of the layers: {self.facts['enob_measured']:.2f} bits measured, {self.facts['enob_predicted']:.2f} predicted from each source alone"
        if not self.sources:
            return told + "\nNo source of error is on: the device declares none that is (Param(..., off=VALUE); docs/your_device.md)."
        rows = [("source", "points lost alone", "won without", "ENOB alone"), *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join([told, *("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                                   for i, (cell, w) in enumerate(zip(row, widths))) for row in rows)])  # fmt: skip

    def __repr__(self) -> str:
        return f"<lightloop.Ranking of {len(self.sources)} sources on {self.facts['device']}>"

    def _repr_html_(self) -> str:
        return table(repr(self).strip("<>"), [(row[0], f"{row[1]} points") for row in self._rows()])


def deploy(model: Any, device: Any, settings: Mapping[str, Any] | None = None, *,
           sample: Sequence[int] | None = None, **options: Any) -> Deployed:  # fmt: skip
    """A network on devices. `model`: a Run, [(W, b), ...] (tanh between), or a torch.nn.Sequential of modules that networks
    of layers have too (docs/pytorch.md), as it answers in eval mode; others, and modules with a forward pass of their own, are
    refused by name. `sample`: the shape of one, (channels, height, width), for models that begin with images.

    `device`: one for all layers, or as many as tiles: `"remote:HOST:PORT/m{0..3}"`, or a list of device strings.
    `options` are settings: `**{"adc.bits": 6, "layer.cells": "offset", "device.layer2.adc.bits": 4}`.
    """
    if hasattr(model, "_in_memory_only"):  # a Run
        model._in_memory_only("deploy")
        return Deployed._of(model, device, settings, options)
    if hasattr(model, "weights") and hasattr(model, "activation"):
        return Deployed(model.weights, model.activation, device, settings, **options)
    if isinstance(model, Sequence) and not hasattr(model, "state_dict"):
        return Deployed(model, "tanh", device, settings, **options)
    return Deployed._of_module(model, sample, device, settings, options)
