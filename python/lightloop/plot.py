"""Draws what Lightloop wrote, by its kind: the curves of runs, the surfaces of sweeps.

Stands alone (numpy, h5py and matplotlib): `lightloop plot` runs this file, and the package imports it.
"""

import json
import pathlib
import sys
import types

import h5py
import matplotlib
import matplotlib.lines
import numpy as np

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")  # told apart by every eye
LINES = ("-", "--", ":", "-.")


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Curves:
    """The history of one run, from a file or from anything with `.title` and `.curves`."""

    def __init__(self, label, curves):
        self.label, self.curves = label, curves

    @classmethod
    def read(cls, file):
        found = {name: data[()] for name, data in file.get("curves", {}).items()}
        if "title" in file.attrs:
            return cls(_text(file.attrs["title"]), found)
        device = _text(file["device"].attrs["address"]).split(",")[0]  # a file of an earlier version
        return cls(f"{_text(file['settings/train'].attrs['rule'])} on {device}", found)

    def get(self, name):
        values = self.curves.get(name)
        return None if values is None or len(values) == 0 else values


def _measured(values):
    return values is not None and np.isfinite(values).any()


def _line(axes, run, name, colour, scale=1.0):
    epoch, values = run.get("epoch"), run.get(name)
    if epoch is not None and _measured(values):
        axes.plot(epoch, scale * values, "o-", markersize=3, color=colour, label=run.label)


def _by_layer(axes, run, name, what, looks, colour):
    """A line for each layer of a curve that has one."""
    epoch, values = run.get("epoch"), run.get(name)
    for layer in range(0 if epoch is None or values is None or values.ndim != 2 else values.shape[1]):
        if _measured(values[:, layer]):
            axes.plot(epoch, values[:, layer], looks[layer % 4], markersize=3, color=colour, label=f"{what} {layer + 1}")


def _layers(panels, run, colour):
    """The third row of panels, for a run that has it; device fidelity beside the similarity of layers."""
    epoch, probe, cka, fidelity = (run.get(name) for name in ("epoch", "probe", "cka", "fidelity"))
    if len(panels) < 3:
        return
    for layer in range(probe.shape[1] if _measured(probe) else 0):
        style = LINES[layer % 4]
        panels[2, 0].plot(epoch, 100 * probe[:, layer], style, color=colour, label=f"layer {layer + 1}")
        if layer > 0:
            panels[2, 1].plot(epoch, cka[:, layer - 1, layer], style, color=colour, label=f"layers {layer} and {layer + 1}")
    if _measured(fidelity):
        panels[2, 1].plot(epoch, fidelity, "x", color=colour, label="device fidelity")


def _legend_by_layer(axes, runs):
    """Every look once; grey where several runs have it, whose colours the other panels tell."""
    looks = {line.get_label(): line for line in axes.lines}
    handles = [matplotlib.lines.Line2D([], [], linestyle=line.get_linestyle(), marker=line.get_marker(), markersize=3, label=label,
                                       color=line.get_color() if len(runs) == 1 else "#444444")
               for label, line in looks.items()]  # fmt: skip
    axes.legend(handles=handles, fontsize="x-small", ncols=2 if len(handles) > 5 else 1)


def draw_runs(figure, runs):
    """Accuracy, loss, alignment and device frames over the epochs, one colour for each run; of real targets, which have
    no accuracy, the test loss. With layer metrics or device fidelity a third row: what linear probes of the layers
    reach, and how alike neighbouring layers are (CKA)."""
    probed = any(_measured(run.get(name)) for run in runs for name in ("probe", "fidelity"))
    panels = figure.subplots(3 if probed else 2, 2)
    (accuracy, loss), (alignment, frames) = panels[:2]
    classes = any(_measured(run.get("test_accuracy")) for run in runs)
    for run, colour in zip(runs, COLOURS * len(runs)):
        _line(accuracy, run, "test_accuracy" if classes else "test_loss", colour, 100.0 if classes else 1.0)
        _line(loss, run, "train_loss", colour)
        _by_layer(alignment, run, "alignment", "layer", LINES, colour)
        _by_layer(alignment, run, "weight_alignment", "weights of layer", "ov^s", colour)
        _by_layer(alignment, run, "gradient_alignment", "gradient of layer", "xP*+", colour)
        _layers(panels, run, colour)
        count = run.get("device_frames")
        if count is not None and count[-1] > 0:
            _line(frames, run, "device_frames", colour, 1e-3)
    accuracy.set_ylabel("test accuracy (%)" if classes else "test loss")
    if not classes:
        accuracy.set_yscale("log")
    loss.set_ylabel("training loss")
    loss.set_yscale("log")
    alignment.set_ylabel("cosine to back-propagation")
    frames.set_ylabel("device frames (thousands)")
    if probed:
        panels[2, 0].set_ylabel("linear probe (%)")
        panels[2, 1].set_ylabel("CKA of neighbours, fidelity")
    for axes in panels.flat:
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if axes.lines and (axes is alignment or axes in panels[2:]):
            _legend_by_layer(axes, runs)
        elif axes.lines:
            axes.legend(fontsize="x-small")
        else:
            axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color="gray")


class Sweep:
    """Measures with their axes, from a netCDF-4 file or an xarray Dataset."""

    def __init__(self, axes, measures, units):
        self.axes, self.measures, self.units = axes, measures, units  # name -> values; (dims, values); unit

    @classmethod
    def read(cls, file):
        axes, measures, units = {}, {}, {}
        for name, data in file.items():
            units[name] = _text(data.attrs.get("units", "1"))
            if h5py.h5ds.is_scale(data.id):
                if not _text(data.attrs.get("NAME", "")).startswith("This is a netCDF dimension but not"):
                    axes[name] = data[()]
            else:
                dims = (pathlib.PurePosixPath(d[0].name).name if len(d) else str(i) for i, d in enumerate(data.dims))
                measures[name] = (tuple(dims), data[()])
        return cls(axes, measures, units)

    @classmethod
    def of(cls, dataset):
        measures = {name: (v.dims, v.values) for name, v in dataset.data_vars.items()}
        units = {name: v.attrs.get("units", "1") for name, v in dataset.variables.items()}
        return cls({name: c.values for name, c in dataset.coords.items()}, measures, units)

    def label(self, name):
        unit = self.units.get(name, "1")
        short = name[len("device.") :] if name.startswith("device.") else name
        return short if unit in ("1", "") else f"{short} ({unit})"

    def place(self, name, length):
        """Numbers along an axis, and the words for them where they are not numbers."""
        x = self.axes.get(name)
        if x is None or x.dtype.kind not in "fiu":
            return np.arange(length), None if x is None else [_text(v) for v in x]
        return x, None


def _edges(x):
    """Borders of the cells around x, also where its steps differ."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return np.concatenate([[x[0] - (middle[0] - x[0])], middle, [x[-1] + (x[-1] - middle[-1])]])


def _name_ticks(axis, x, words):
    if words is not None:
        axis.set_ticks(list(x), words)


def _draw_map(figure, axes, sweep, name, dims, mean):
    (x, x_words), (y, y_words) = (sweep.place(d, n) for d, n in zip(dims, mean.shape))
    across, up = np.argsort(x), np.argsort(y)
    cells = axes.pcolormesh(_edges(np.asarray(x, float)[across]), _edges(np.asarray(y, float)[up]), mean[across][:, up].T,
                            cmap="viridis", rasterized=True)  # fmt: skip
    figure.colorbar(cells, ax=axes, label=sweep.label(name))
    axes.set_xlabel(sweep.label(dims[0]))
    axes.set_ylabel(sweep.label(dims[1]))
    _name_ticks(axes.xaxis, x, x_words)
    _name_ticks(axes.yaxis, y, y_words)


def _draw_lines(axes, sweep, name, dims, mean, spread):
    x, words = sweep.place(dims[0], mean.shape[0])
    _name_ticks(axes.xaxis, x, words)
    labels = [None]
    if len(dims) == 2:
        values, others = sweep.place(dims[1], mean.shape[1])
        labels = others or [f"{sweep.label(dims[1])} = {v:.4g}" for v in values]
    mean = mean.reshape(mean.shape[0], -1)
    spread = None if spread is None else spread.reshape(mean.shape)
    order = np.argsort(x) if words is None else np.arange(len(x))
    for line in range(mean.shape[1]):
        bars = None if spread is None else spread[order, line]
        label = labels[line] if len(labels) == mean.shape[1] and mean.shape[1] <= 8 else None
        axes.errorbar(np.asarray(x)[order], mean[order, line], bars, fmt="o-", markersize=3, capsize=2, label=label)
    axes.set_xlabel(sweep.label(dims[0]))
    axes.set_ylabel(sweep.label(name))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="x-small")


def _draw_measure(figure, axes, sweep, name, dims, values):
    mean, spread = values, None
    if "repeat" in dims:
        at = dims.index("repeat")
        mean, spread = values.mean(axis=at), values.std(axis=at) if values.shape[at] > 1 else None
        dims = dims[:at] + dims[at + 1 :]
    for at in reversed(range(len(dims))):  # an axis of one value is no axis
        if mean.shape[at] == 1 and len(dims) > 1:
            mean, spread = mean.squeeze(at), None if spread is None else spread.squeeze(at)
            dims = dims[:at] + dims[at + 1 :]
    if not dims:
        axes.errorbar([0], [mean], spread, fmt="o")
        axes.set_ylabel(sweep.label(name))
    elif len(dims) == 2 and mean.shape[0] > 1 and mean.shape[1] > 3:
        _draw_map(figure, axes, sweep, name, dims, mean)
    else:
        _draw_lines(axes, sweep, name, dims, mean, spread)


def draw_sweep(figure, sweep):
    """Each measure as a curve over one axis or a map over two; bars are the spread of repeats. Axes of a few values, and
    those beyond two, become lines of one picture."""
    shown = {name: m for name, m in sweep.measures.items() if m[1].dtype.kind in "fiu" and m[1].ndim}
    if len(shown) > 1:
        shown.pop("elapsed", None)
    across = 2 if len(shown) == 4 else min(3, max(1, len(shown)))
    down = -(-max(1, len(shown)) // across)
    figure.set_size_inches(max(5.0, 4.2 * across), 3.6 * down)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    for axes, (name, (dims, values)) in zip(panels, shown.items()):
        _draw_measure(figure, axes, sweep, name, dims, values)


class Sensitivity:
    """What each source of error costs, from the file of `lightloop report sensitivity`."""

    def __init__(self, facts, names, columns):
        self.facts, self.names, self.columns = facts, names, columns

    @classmethod
    def read(cls, file):
        names = [_text(name) for name in file.attrs["sources"]] if "sources" in file.attrs else []
        if "values" in file.attrs:  # absent in earlier versions
            names = [f"{name} = {_text(value)}" for name, value in zip(names, file.attrs["values"])]
        columns = {name: data[()] for name, data in file.get("sources", {}).items()}
        return cls({name: value for name, value in file.attrs.items() if name != "sources"}, names, columns)


def draw_sensitivity(figure, report):
    """Accuracy with each source alone and with all but it, the costliest on top; effective bits beside."""
    figure.set_size_inches(10, 1.8 + 0.45 * len(report.names))
    accuracy, bits = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    place = np.arange(len(report.names))
    get = report.columns.get
    for name, shift, colour, label in (("alone", -0.15, COLOURS[1], "this source alone"),
                                       ("without", 0.15, COLOURS[0], "all but this source")):  # fmt: skip
        values, spread = get(f"accuracy_{name}"), get(f"accuracy_{name}_sd")
        if values is not None:
            accuracy.errorbar(100 * values, place + shift, xerr=100 * spread, fmt="o", capsize=2, color=colour, label=label)
    for key, style, label in (("digital_accuracy", ":", "digital"), ("accuracy_none", "--", "every source off"),
                              ("accuracy_all", "-", "all sources on")):  # fmt: skip
        accuracy.axvline(100 * float(report.facts[key]), linestyle=style, color="#444444", linewidth=1, label=label)
    if get("enob_alone") is not None:
        bits.plot(get("enob_alone"), place, "o", color=COLOURS[1], label="alone")
        bits.plot(get("enob_without"), place, "s", color=COLOURS[0], label="without, measured")
        bits.plot(get("enob_without_predicted"), place, "x", color=COLOURS[2], label="without, predicted")
    bits.axvline(float(report.facts["enob_measured"]), color="#444444", linewidth=1, label="all sources on")
    accuracy.set_yticks(place, report.names)
    accuracy.invert_yaxis()
    accuracy.set_xlabel("accuracy (%)")
    bits.set_xlabel("effective bits of the layers")
    for axes in (accuracy, bits):
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
    age = f", {report.facts['age_s']:g} s after the weights were written" if report.facts.get("age_s") else ""
    figure.suptitle(_text(report.facts["device"]) + age, fontsize="small")


def _load(what):
    if hasattr(what, "data_vars"):
        return Sweep.of(what)
    if hasattr(what, "curves"):
        return Curves(what.title, what.curves)
    with h5py.File(what, "r") as file:
        kind = _text(file.attrs.get("kind", ""))
        if kind == "run":
            return Curves.read(file)
        if kind == "sweep":
            return Sweep.read(file)
        if kind == "sensitivity":
            return Sensitivity.read(file)
    raise ValueError(f"{what}: nothing to draw for kind '{kind}' (run, sweep and sensitivity are drawn)")


def plot(what, out=None, *, title=None):
    """Draws a run, several runs or a sweep; writes `out` when given, and returns the matplotlib figure.

    what : a path, an object (Run, xarray Dataset), or a list of runs to be drawn in one picture.
    """
    things = [_load(one) for one in (what if isinstance(what, (list, tuple)) else [what])]
    if out is not None:
        from matplotlib.figure import Figure  # no window system needed

        figure = Figure(figsize=(9, 6.5), layout="constrained")
    else:
        import matplotlib.pyplot

        figure = matplotlib.pyplot.figure(figsize=(9, 6.5), layout="constrained")
    if all(isinstance(thing, Curves) for thing in things):
        draw_runs(figure, things)
    elif len(things) == 1 and isinstance(things[0], Sensitivity):
        draw_sensitivity(figure, things[0])
    elif len(things) == 1:
        draw_sweep(figure, things[0])
    else:
        raise ValueError("only runs can share a picture; give one sweep or report at a time")
    if title:
        figure.suptitle(title)
    if out is not None:
        figure.savefig(out, dpi=150)
    return figure


class _Called(types.ModuleType):
    """An import puts this module in the place of the package's function `plot`: it can be called like that."""

    def __call__(self, *what, **options):
        return plot(*what, **options)


sys.modules[__name__].__class__ = _Called


def main(arguments):
    at = arguments.index("-o")
    files, out = arguments[:at], arguments[at + 1]
    matplotlib.use("Agg")
    try:
        plot(files, out)
    except (OSError, KeyError, ValueError) as error:
        print(f"lightloop: cannot draw {', '.join(files)} into {out}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"picture": out}) if "--json" in arguments[at:] else f"plot {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
