"""What was learned, as pictures: PNG to look at, SVG to print."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..tables import UserError
from . import init
from .data import Data
from .train import Run

FORMATS = ("png", "svg")
DPI = 150
MOST_UNITS = 100
"""Of the first layer, that are drawn."""
MOST_LABELLED = 26
"""Classes, that are written out."""
LARGEST = 14.0
"""Inches, whatever there is to draw."""
MOST_PANELS = 10
MANY = 10_000
"""Points, of which an SVG file gets a picture instead of each."""

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "side_by_side",
}
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999")  # told apart by everyone


def save_all(runs: Sequence[Run], data: Data, out: Path) -> list[Path]:
    """Draw all that the runs have something for; the files.

    Raises UserError when they cannot be written.
    """
    files = []
    trained = [run for run in runs if run.losses]
    complete = [run for run in trained if run.problem is None]
    if trained:
        files += save(losses(trained, data), out / "losses")
    normed = [run for run in trained if any(epoch.grad_norms for epoch in run.epochs)]
    if normed:
        files += save(gradient_norms(normed), out / "gradient-norms")
    if any(math.isfinite(epoch.validation) for run in trained for epoch in run.epochs):
        files += save(validation(trained, data), out / "validation")
    for run in complete:
        if data.image and "0.weight" in run.weights:
            files += save(first_weights(run, data.image), out / run.implementation / "first-weights")
        if data.n_classes and run.outputs is not None:
            files += save(confusion(run, data), out / run.implementation / "confusion")
        if not data.n_classes and run.outputs is not None:
            files += save(predicted(run, data), out / run.implementation / "predicted")
    return files


def save_init(results: Mapping[str, Sequence[init.Layer]], path: Path, name: str) -> list[Path]:
    """Draw the stacks of one implementation; the files.

    Raises UserError when they cannot be written.
    """
    return save(init_stacks(results, name), path)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as `path.png` and `path.svg`; the files.

    Raises UserError when they cannot be written.
    """
    files = [path.with_name(f"{path.name}.{kind}") for kind in FORMATS]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(STYLE):
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # what was laid out once stays so for both
            for file in files:
                figure.savefig(file, dpi=DPI, metadata={"Date": None} if file.suffix == ".svg" else None)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    return files


@contextmanager
def _drawn(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Figure, NDArray[Any]]]:
    """An empty figure in the house's style, and its axes (rows, columns)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False)


def losses(runs: Sequence[Run], data: Data) -> Figure:
    """The loss curves on top of each other, the first ones drawn broadest, and how far each is from the first.

    A run that went wrong leaves the picture at the top.
    """
    first = next((run for run in runs if run.problem is None), runs[0])
    others = [(i, run) for i, run in enumerate(runs) if run is not first]
    with _drawn(9, 6.5 if others else 4, 2 if others else 1) as (figure, axes):
        above = axes[0, 0]
        above.plot(first.losses, color="0.85", lw=0.8, label="every batch", rasterized=len(first.losses) > MANY)
        for i, run in enumerate(runs):
            middles = [epoch.step + (len(epoch.losses) - 1) / 2 for epoch in run.epochs]
            means = [sum(epoch.losses) / len(epoch.losses) for epoch in run.epochs]
            above.plot(middles, means, label=_label(run), **_stroke(i, len(runs)))
        _log_scale(above, first.losses, [loss for run in runs for loss in run.losses])
        above.set(title=f"Loss on {data.name}: the mean of each epoch", ylabel="loss")
        above.legend(ncols=3)
        if others:
            _differences(axes[1, 0], first, others)
            axes[1, 0].sharex(above)
        axes[-1, 0].set_xlabel("step")
        above.xaxis.set_major_locator(_whole_numbers())
    return figure


def _differences(axis: Axes, first: Run, others: Sequence[tuple[int, Run]]) -> None:
    """How far each loss is from that of the first run, batch by batch."""
    found: list[float] = []
    for i, run in others:
        pairs = zip(run.losses, first.losses, strict=False)
        apart = [abs(a - b) / max(abs(a), abs(b)) if a != b else math.nan for a, b in pairs]
        axis.plot(apart, ".", ms=2.5, color=_color(i), label=run.implementation, rasterized=len(apart) > MANY)
        found += apart
    _log_scale(axis, found)
    if all(map(math.isnan, found)):
        axis.text(0.5, 0.5, "all equal to the last bit", ha="center", transform=axis.transAxes)
        axis.set_yticks([])
    title = f"Relative difference from {first.implementation}, every batch (none where equal to the last bit)"
    axis.set(title=title, ylabel="difference")


def validation(runs: Sequence[Run], data: Data) -> Figure:
    """The score on the validation part after each epoch, the implementations on top of each other."""
    with _drawn(9, 4) as (figure, ((axis,),)):
        for i, run in enumerate(runs):
            scores = [epoch.validation for epoch in run.epochs]
            axis.plot([epoch.epoch + 1 for epoch in run.epochs], scores, label=_label(run), **_stroke(i, len(runs)))
        axis.set(title=f"Validation on {data.name}, after each epoch", xlabel="epoch", ylabel=data.score)
        axis.set_xlim(left=0.5)
        axis.xaxis.set_major_locator(_whole_numbers())
        axis.legend(ncols=3)
    return figure


def predicted(run: Run, data: Data) -> Figure:
    """What the net predicts for each sample of the test part against what is true, in units of the target."""
    true, guess = (data.preparation.numbers(np.asarray(part)).ravel() for part in (data.y_test, run.outputs))
    low, high = min(true.min(), guess.min()), max(true.max(), guess.max())
    with _drawn(5.5, 5.5) as (figure, ((axis,),)):
        axis.plot([low, high], [low, high], color="0.5", lw=0.8, ls="--")
        axis.plot(true, guess, ".", color=COLORS[0], alpha=0.6, rasterized=len(true) > MANY)
        axis.set(title=f"{run.implementation}: R² {run.score:.4f} in the test", aspect="equal")
        axis.set(xlabel=f"true {data.preparation.target}", ylabel=f"predicted {data.preparation.target}")
    return figure


def gradient_norms(runs: Sequence[Run]) -> Figure:
    """√Σg² of every parameter at the end of each epoch, a panel each, the implementations on top of each other.

    Of a deep net, of the first parameters and the last.
    """
    names = list(dict.fromkeys(name for run in runs for epoch in run.epochs for name in epoch.grad_norms))
    if len(names) > MOST_PANELS:
        names = [*names[: MOST_PANELS // 2], *names[-MOST_PANELS // 2 :]]
    first = next((run for run in runs if run.problem is None), runs[0])
    columns = min(2, len(names))
    rows = math.ceil(len(names) / columns)
    with _drawn(4.5 * columns + 0.5, 2.6 * rows + 0.6, rows, columns) as (figure, axes):
        for axis, name in zip(axes.flat, names, strict=False):
            curves = [[epoch.grad_norms.get(name, math.nan) for epoch in run.epochs] for run in runs]
            for i, (run, norms) in enumerate(zip(runs, curves, strict=True)):
                axis.plot([epoch.epoch + 1 for epoch in run.epochs], norms, label=_label(run), **_stroke(i, len(runs)))
            _log_scale(axis, curves[runs.index(first)], [norm for norms in curves for norm in norms])
            axis.set(title=f"Gradient of {name}, last step of each epoch", xlabel="epoch", ylabel="√Σg²")
            axis.set_xlim(left=0.5)
            axis.xaxis.set_major_locator(_whole_numbers())
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def first_weights(run: Run, image: tuple[int, int]) -> Figure:
    """What each unit of the first layer looks for: its weights as an image, red for, blue against."""
    weights = np.asarray(run.weights["0.weight"], "float64")
    units, (height, width) = weights[:MOST_UNITS], image
    columns = min(10, len(units))
    rows = math.ceil(len(units) / columns)
    tiles = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i, unit in enumerate(units):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        tiles[top : top + height, left : left + width] = unit.reshape(image)
    strong = float(np.quantile(np.abs(units), 0.99)) or 1.0  # beyond it all look alike, or a few would pale the others
    with _drawn(columns * 0.85 + 1.4, rows * 0.85 + 0.5) as (figure, ((axis,),)):
        axis.set_axis_off()
        drawn = axis.imshow(tiles, cmap="RdBu_r", vmin=-strong, vmax=strong, interpolation="nearest")
        figure.colorbar(drawn, ax=axis, shrink=0.7, label="weight", pad=0.02, extend="both")
        shown = f"{len(units)} of {len(weights)} units" if len(units) < len(weights) else f"{len(units)} units"
        axis.set_title(f"First-layer weights, {run.implementation}: {shown}")
    return figure


def confusion(run: Run, data: Data) -> Figure:
    """How often each class of the test part was taken for each other one."""
    counts = confusion_matrix(run, data)
    n = len(counts)
    size = min(max(4.5, 0.45 * n + 1.6), LARGEST)
    names = [_short(name) for name in data.preparation.classes or range(n)]
    right = np.eye(n, dtype=bool)
    wrong = np.where(right, 0, counts)
    with _drawn(size, size) as (figure, ((axis,),)):
        axis.grid(visible=False)
        axis.imshow(np.where(right, counts, np.nan), cmap="Blues", vmin=0, vmax=2 * counts.max())
        axis.imshow(np.where(wrong > 0, wrong, np.nan), cmap="Reds", vmin=0, vmax=2 * max(2, wrong.max()))
        axis.set_xticks(np.arange(n + 1) - 0.5, minor=True)
        axis.set_yticks(np.arange(n + 1) - 0.5, minor=True)
        if n <= MOST_LABELLED:
            axis.grid(visible=True, which="minor", color="0.9", alpha=1, lw=1)
        axis.tick_params(which="minor", length=0)
        if n <= MOST_LABELLED:
            for (i, j), count in np.ndenumerate(counts):
                if count:
                    axis.text(j, i, f"{count}", ha="center", va="center", fontsize=9)
            axis.set_xticks(range(n), names, rotation=0 if max(map(len, names)) < 3 else 90)
            axis.set_yticks(range(n), names)
        title = f"{run.implementation}: {run.score:.2%} right, {wrong.sum():,} of {counts.sum():,} wrong"
        axis.set(title=title, xlabel="taken for", ylabel="is")
    return figure


def confusion_matrix(run: Run, data: Data) -> NDArray[Any]:
    """(n_classes, n_classes) counts: the row is what it is, the column what it was taken for."""
    counts = np.zeros((data.n_classes or 0, data.n_classes or 0), "int64")
    np.add.at(counts, (data.y_test, np.asarray(run.outputs).argmax(axis=1)), 1)
    return counts


def init_stacks(results: Mapping[str, Sequence[init.Layer]], name: str) -> Figure:
    """A column a scheme: standard deviation and mean after each layer, and a histogram of the activations' sizes."""
    with _drawn(3 * len(results) + 0.6, 8, 3, len(results)) as (figure, axes):
        for column, (scheme, layers) in zip(axes.T, results.items(), strict=True):
            numbers = np.arange(1, len(layers) + 1)
            low, high = _decades(layers)
            std, mean, sizes = column
            _curve(std, numbers, [layer.std for layer in layers])
            _curve(mean, numbers, [abs(layer.mean) for layer in layers])
            std.set_title("\n".join((*scheme.split(": "), init.verdict(layers))))
            counts = np.stack([layer.histogram for layer in layers], axis=1).astype(float)
            drawn = sizes.imshow(
                np.where(counts > 0, counts / max(counts.max(), 1), np.nan),
                origin="lower",
                aspect="auto",
                extent=(0.5, len(layers) + 0.5, *init.RANGE),
                cmap="viridis_r",
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            ticks = MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
            decades = [tick for tick in ticks if low <= tick <= high]
            sizes.set(xlabel="layer", ylim=(low, high), yticks=decades)
            for axis in (std, mean):
                axis.set(xlim=(0.5, len(layers) + 0.5), yscale="log", ylim=(10.0**low, 10.0**high))
                axis.set_yticks(np.power(10.0, decades))
                axis.minorticks_off()
        for axis, label in zip(axes[:, 0], ("standard deviation", "|mean|", "log₁₀ |activation|"), strict=True):
            axis.set_ylabel(label)
        figure.colorbar(drawn, ax=axes[2, :], label="share of fullest bin", pad=0.01)
        figure.suptitle(f"Activations through {len(next(iter(results.values())))} layers, {name}", x=0.01, ha="left")
    return figure


def _decades(layers: Sequence[init.Layer]) -> tuple[float, float]:
    """From which to which power of ten a stack's activations reach, with some room."""
    centers = np.linspace(*init.RANGE, init.BINS)
    found = centers[np.sum([layer.histogram for layer in layers], axis=0) > 0]
    means = [math.log10(abs(layer.mean)) for layer in layers if layer.finite and layer.mean]
    return min([*found, *means, -3.0]) - 1, max([*found, *means, 1.0]) + 1


def _curve(axis: Axes, numbers: NDArray[Any], values: Sequence[float]) -> None:
    """What can be shown on a logarithmic axis, and a line where it ends: at infinity or at 0."""
    shown = np.array([value if math.isfinite(value) and value > 0 else math.nan for value in values])
    axis.plot(numbers, shown, color=COLORS[0], lw=2)
    axis.axhline(1, color="0.5", lw=0.8, ls="--")
    if np.isnan(shown).any():
        axis.axvline(numbers[np.isnan(shown).argmax()], color=COLORS[4], lw=1)


def _stroke(i: int, n: int) -> dict[str, Any]:
    """Of the i-th of n lines on top of each other: each is thinner than the one below."""
    width = 1 + 1.6 * (n - 1 - i)
    return {"color": _color(i), "lw": width, "marker": "o", "ms": width + 1, "mew": 0}


def _log_scale(axis: Axes, values: Sequence[float], others: Sequence[float] = ()) -> None:
    """Logarithmic where there is anything to show on such an axis, and never narrower than a decade.

    All `values` are in it, and of the others those that are not more than a thousand times as large or as small.
    """
    shown = [value for value in values if value > 0 and math.isfinite(value)]
    if not shown:
        return
    axis.set_yscale("log")
    low, high = min(shown), max(shown)
    near = [value for value in others if low / 1e3 <= value <= high * 1e3]
    low, high = min([low, *near]), max([high, *near])
    if high < 10 * low:
        middle = math.sqrt(low) * math.sqrt(high)
        low, high = middle / 4, middle * 4
    axis.set_ylim(low / 1.5, high * 1.5)


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])


def _short(name: object) -> str:
    return text if len(text := str(name)) <= 20 else f"{text[:19]}…"


def _label(run: Run) -> str:
    return f"{run.implementation} (diverged)" if run.failed else run.implementation


def _color(i: int) -> str:
    return COLORS[i % len(COLORS)]
