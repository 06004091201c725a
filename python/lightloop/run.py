"""A training run: what was asked, how it went, and the network that came out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _core
from ._html import table
from .analog import Deployed, rows_of, tokens_apart
from .errors import Unsupported

CURVES = (
    "epoch",
    "train_loss",
    "test_accuracy",
    "validation_accuracy",
    "test_loss",
    "learning_rate",
    "alignment",
    "gradient_alignment",
    "weight_alignment",
    "device_frames",
    "device_s",
    "device_j",
    "train_s",
    "waited_s",
    "active_fraction",
    "layer_loss",
    "probe",
    "cka",
    "fidelity",
    "layer_passes",
    "projections",
    "layer_writes",
)

def _curves(epochs: Any) -> dict[str, np.ndarray]:
    return {name: _curve([getattr(e, name) for e in epochs]) for name in CURVES}


def _curve(values: list[Any]) -> np.ndarray:
    """NaN where epochs before a resume, of an earlier version, have none."""
    widest = max((np.size(v) for v in values), default=0)
    return np.array([v if np.size(v) == widest else [np.nan] * widest for v in values])


def _layers(net: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(net.weights(i), net.bias(i)) for i in range(len(net.widths) - 1)] if net.fully_connected else []


def _behind(map: str, counts: Any) -> dict[str, Any]:
    """The map and what it clipped; nothing of runs without one."""
    return {"map": map, **{name: getattr(counts, name) for name in ("clipped_inputs", "saturated")}} if map else {}


@dataclass(repr=False)
class Run:
    """A trained network with its history.

    weights : [(W, b), ...] of each layer, W (outputs, inputs); empty for a network of other layers, which is `net`.
    curves : one array per quantity, an entry per epoch: train_loss, test_accuracy, test_loss, validation_accuracy (NaN
        where the data have no such part), learning_rate, alignment (epochs, hidden layers; cosine of the
        teaching signals to back-propagation's), gradient_alignment (epochs, layers; cosine of the gradients of the weights to the
        exact ones), weight_alignment (epochs, hidden layers; cosine of what the error goes back through
        to the weights, where it is known), layer_loss (epochs, layers with a loss of their own), probe (epochs, hidden layers)
        and cka (epochs, hidden layers squared) with layer_metrics=SAMPLES, fidelity with fidelity=True, device_frames,
        device_s, device_j, train_s, and what the layers were asked so far: layer_passes, projections, layer_writes.
    """

    rule: str
    device: str
    activation: str
    weights: list[tuple[np.ndarray, np.ndarray]]
    curves: dict[str, np.ndarray]
    test_accuracy: float
    seed: int
    settings: Mapping[str, Any]
    path: str | None = None
    rule_parameters: Any = ()  #: of the rule itself, where it has some (local heads)
    facts: dict[str, Any] = field(default_factory=dict)  #: weights_sha256, device_seconds, ... as in `--json`
    net: Any = None  #: the network itself: net.text, net.parameters, net.forward(x)
    baselines: list[Run] = field(default_factory=list)  #: of `train(baseline=...)`, in its order
    map: str = ""  #: device in front of the layers, "" for none
    title: str = ""  #: what it used: "dfa on sim:opu, layers on sim:crossbar"

    @classmethod
    def from_result(cls, result: Any, settings: Mapping[str, Any]) -> Run:
        net = result.net
        names = ("train_seconds", "samples_per_second", "device_frames", "device_writes", "device_seconds", "device_joules", "devices",
                 "alignment", "weights_sha256", "warnings", "faults")  # fmt: skip
        return cls(
            rule=result.rule,
            device=result.device,
            activation=net.activation,
            weights=_layers(net),
            curves=_curves(result.epochs),
            test_accuracy=result.test_accuracy,
            seed=result.seed,
            settings={**settings, **result.settings},  # those of its file, where it was resumed
            path=result.out or None,
            rule_parameters=result.rule_parameters,
            facts={**{name: getattr(result, name) for name in names}, **_behind(result.map, result)},
            net=net,
            map=result.map,
            title=result.title,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "weights": None}  # views of `net`, which has them

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, weights=_layers(state["net"]))

    @property
    def widths(self) -> list[int]:
        if not self.weights:
            return list(self.net.widths)
        return [self.weights[0][0].shape[1], *(w.shape[0] for w, _ in self.weights)]

    def _layers_only(self, wanted: str) -> None:
        if not self.weights:
            raise Unsupported(wanted, self.net.text, "for fully connected networks only", "take net.parameters")

    def _labels_only(self, wanted: str) -> None:
        if np.isnan(self.test_accuracy) and self.settings.get("train.loss") == "mse":
            raise Unsupported(wanted, "the targets were real numbers", "no classes", "take scores(x)")

    def _in_memory_only(self, wanted: str) -> None:
        if self.map:
            raise Unsupported(wanted, f"a run behind {self.map}", "the network answers behind that device", "use `lightloop eval`")

    def _logits_only(self, wanted: str) -> None:
        """Refuses what would be another network than the one that answers: `answer=output` means the logits."""
        info = next(rule for rule in _core.rules() if rule.name == self.rule)
        answer = {param.name: param.default for param in info.params}.get("answer", "")
        if info.own_answer and self.settings.get("rule.answer", answer) != "output":
            raise Unsupported(wanted, f"rule {self.rule} answers in its own way", "not by the last layer of the network",
                              "Take run.scores(x) or run.predict(x); run.weights are the bare layers.")  # fmt: skip

    def _exportable(self, wanted: str) -> None:
        self._layers_only(wanted)
        self._in_memory_only(wanted)
        self._logits_only(wanted)

    def to_numpy(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(W, b), ...], arrays of your own, of a network whose logits are `scores(x)`. Unsupported for a network of other
        layers, behind a device, or of a rule that answers in its own way (ff, ridge, mask, noprop, ...; `weights` has its layers)."""
        self._exportable("to_numpy")
        return [(w.copy(), b.copy()) for w, b in self.weights]

    def to_torch(self) -> Any:
        """The network as a torch.nn.Sequential, whose output is `scores(x)` up to rounding; Unsupported where `to_numpy` is."""
        import torch

        self._exportable("to_torch")
        made = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "identity": torch.nn.Identity,
                "elu": torch.nn.ELU}  # fmt: skip
        modules: list[Any] = []
        for w, b in self.weights:
            layer = torch.nn.Linear(w.shape[1], w.shape[0])
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(w.copy()))
                layer.bias.copy_(torch.from_numpy(b.copy()))
            modules += [layer, made[self.activation]()]
        return torch.nn.Sequential(*modules[:-1])

    def on(self, device: Any, settings: Mapping[str, Any] | None = None, **options: Any) -> Deployed:
        """The network on analog devices: `run.on("sim:crossbar", **{"adc.bits": 6}).accuracy(x, y)`.

        Answers as `lightloop eval RUN --device DEVICE`: by the scores of its rule where that has its own, on devices seeded
        by the run unless `seed` is given. Unsupported for a rule whose passes devices cannot make.
        """
        self._in_memory_only("on")
        return Deployed._of(self, device, settings, options)

    @property
    def _answer(self) -> Any:
        own = np.asarray(self.rule_parameters, np.float32)
        rule = {k.removeprefix("rule."): v for k, v in self.settings.items() if k.startswith("rule.")}
        return _core.Answer(self.rule, rule, self.seed, own)

    def scores(self, x: Any, first_sample: int = 0) -> np.ndarray:
        """Scores (samples, classes) of samples (samples, features) or images, the largest is the answer: the logits, or what
        the rule answers with (goodness, for example). Bytes are taken as value / 255, other real numbers as float32. Of a text
        (samples, tokens, classes). Sample i is number first_sample + i to layers with noise, which draw by that number."""
        self._in_memory_only("scores")
        return tokens_apart(self.net, _core.scores(self.net, self._answer, rows_of(x, self.net), first_sample))

    def predict(self, x: Any) -> np.ndarray:
        """The class with the highest score, for a text of each token; Unsupported where real targets were learned."""
        self._labels_only("predict")
        return self.scores(x).argmax(axis=-1)

    def __repr__(self) -> str:
        net = "-".join(map(str, self.widths)) if self.weights else self.net.text
        score = f"{100 * self.test_accuracy:.2f} %"
        if np.isnan(self.test_accuracy) and len(self.curves["test_loss"]):
            score = f"test loss {self.curves['test_loss'][-1]:.4g}"
        return f"<lightloop.Run {self.title}, {net}: {score}>"

    def _repr_html_(self) -> str:
        return table(repr(self).strip("<>"), [*self.facts.items(), ("file", self.path)])


def load_run(path: str | os.PathLike[str]) -> Run:
    """The run in a file that `train` or the command wrote; a damaged or foreign file is a FileError."""
    file = _core.load_run(os.fspath(path))
    settings, last = file.settings, file.epochs[-1] if file.epochs else None
    return Run(
        rule=settings["train.rule"],
        device=settings["train.device"],
        activation=file.net.activation,
        weights=_layers(file.net),
        net=file.net,
        map=settings.get("train.map", ""),
        title=file.title,
        curves={**_curves(file.epochs), "loss": np.array(file.step_loss)},
        test_accuracy=last.test_accuracy if last else float("nan"),
        seed=settings["train.seed"],
        settings=settings,
        path=os.fspath(path),
        rule_parameters=file.rule_parameters,
        facts={
            "complete": file.complete,
            "device_frames": file.device_frames,
            "device_writes": file.device_writes,
            "device_seconds": file.device_seconds,
            "device_joules": file.device_joules,
            "devices": file.devices,
            "alignment": list(last.alignment) if last else [],
            "weights_sha256": _core.weights_sha256(file),
            "warnings": list(file.warnings),
            "faults": file.faults,
            **_behind(settings.get("train.map", ""), file),
        },
    )
