"""Draws what Lightloop wrote, by its kind: the curves of runs, the surfaces of sweeps.

Stands alone (numpy, h5py and matplotlib): `lightloop plot` runs this file, and the package imports it.
"""

import json
import pathlib
import sys

import h5py
import matplotlib

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")  # told apart by every eye


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Curves:
    """The history of one run, from a file or from anything with `.rule`, `.device` and `.curves`."""

    def __init__(self, rule, device, curves):
        self.curves = curves
        self.label = f"{rule}, {device.split(',')[0]}"

    @classmethod
    def read(cls, file):
        settings = file["settings/train"].attrs
        found = {name: data[()] for name, data in file.get("curves", {}).items()}
        return cls(_text(settings["rule"]), _text(settings["device"]), found)

    def get(self, name):
        values = self.curves.get(name)
        return None if values is None or len(values) == 0 else values


def _line(axes, run, name, colour, scale=1.0):
    epoch, values = run.get("epoch"), run.get(name)
    if epoch is not None and values is not None:
        axes.plot(epoch, scale * values, "o-", markersize=3, color=colour, label=run.label)


def draw_runs(figure, runs):
    """Accuracy, loss, alignment and device frames over the epochs, one colour for each run."""
    panels = figure.subplots(2, 2)
    (accuracy, loss), (alignment, frames) = panels
    for run, colour in zip(runs, COLOURS * len(runs)):
        _line(accuracy, run, "test_accuracy", colour, 100.0)
        _line(loss, run, "train_loss", colour)
        epoch, cosines = run.get("epoch"), run.get("alignment")
        if epoch is not None and cosines is not None and cosines.ndim == 2:
            for layer in range(cosines.shape[1]):
                style = ("-", "--", ":", "-.")[layer % 4]
                alignment.plot(epoch, cosines[:, layer], style, color=colour, label=f"{run.label}, layer {layer + 1}")
        count = run.get("device_frames")
        if count is not None and count[-1] > 0:
            _line(frames, run, "device_frames", colour, 1e-3)
    accuracy.set_ylabel("test accuracy (%)")
    loss.set_ylabel("training loss")
    loss.set_yscale("log")
    alignment.set_ylabel("cosine to back-propagation")
    frames.set_ylabel("device frames (thousands)")
    for axes in panels.flat:
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize="x-small")
        else:
            axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color="gray")


class Sweep:
    """Measures with their axes, from a netCDF-4 file or an xarray Dataset."""

    def __init__(self, axes, measures):
        self.axes, self.measures = axes, measures  # name -> values; name -> (dimension names, values)

    @classmethod
    def read(cls, file):
        axes, measures = {}, {}
        for name, data in file.items():
            if data.is_scale:
                axes[name] = data[()]
            else:
                dims = (pathlib.PurePosixPath(d[0].name).name if len(d) else str(i) for i, d in enumerate(data.dims))
                measures[name] = (tuple(dims), data[()])
        return cls(axes, measures)

    @classmethod
    def of(cls, dataset):
        measures = {name: (v.dims, v.values) for name, v in dataset.data_vars.items()}
        return cls({name: c.values for name, c in dataset.coords.items()}, measures)


def _draw_measure(axes, name, dims, values, coordinates):
    mean, spread = values, None
    if "repeat" in dims:
        at = dims.index("repeat")
        mean, spread = values.mean(axis=at), values.std(axis=at)
        dims = dims[:at] + dims[at + 1 :]
    axes.set_ylabel(name)
    axes.grid(alpha=0.3)
    if not dims:
        axes.errorbar([0], [mean], spread, fmt="o")
        return
    x = coordinates.get(dims[0])
    if x is None or x.dtype.kind not in "fiu":
        labels, x = x, range(mean.shape[0])
        if labels is not None:
            axes.set_xticks(list(x), [_text(label) for label in labels])
    mean = mean.reshape(mean.shape[0], -1)
    spread = None if spread is None else spread.reshape(mean.shape)
    for line in range(mean.shape[1]):
        bars = None if spread is None else spread[:, line]
        axes.errorbar(x, mean[:, line], bars, fmt="o-", markersize=3, capsize=2)
    axes.set_xlabel(dims[0])


def draw_sweep(figure, sweep):
    """Each measure over the first axis, one line for each place on the others; bars are the spread of repeats."""
    shown = {name: m for name, m in sweep.measures.items() if m[1].dtype.kind in "fiu" and m[1].ndim}
    panels = figure.subplots(1, max(1, len(shown)), squeeze=False)[0]
    for axes, (name, (dims, values)) in zip(panels, shown.items()):
        _draw_measure(axes, name, dims, values, sweep.axes)


def _load(what):
    if hasattr(what, "data_vars"):
        return Sweep.of(what)
    if hasattr(what, "curves"):
        return Curves(what.rule, what.device, what.curves)
    with h5py.File(what, "r") as file:
        kind = _text(file.attrs.get("kind", ""))
        if kind == "run":
            return Curves.read(file)
        if kind == "sweep":
            return Sweep.read(file)
    raise ValueError(f"{what}: nothing to draw for kind '{kind}' (run and sweep are drawn)")


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
    elif len(things) == 1:
        draw_sweep(figure, things[0])
    else:
        raise ValueError("only runs can share a picture; give one sweep at a time")
    if title:
        figure.suptitle(title)
    if out is not None:
        figure.savefig(out, dpi=150)
    return figure


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
