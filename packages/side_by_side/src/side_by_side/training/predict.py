"""Use a trained net: samples of a file through the weights of another, with any implementation."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from ..tables import UserError, framed, table
from . import idx, own, sheet
from .checkpoint import Arrays, write_whole
from .data import EMBEDDED, raw
from .download import SOURCES
from .preparation import Column, Preparation

CHUNK = 1000  # samples at once, so that those that are done can be shown
NEEDED = ("DTYPES", "asarray", "tolist", "Model")


@dataclass(frozen=True)
class Predictions:
    """What a net says about samples, a row each; Ctrl-C leaves fewer rows than there are samples."""

    net: str
    samples: int
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    finite: bool

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came before the last sample."""
        return len(self.rows) < self.samples


def predict(
    net: ModuleType, weights: Arrays, preparation: Preparation | None, path: Path, delimiter: str | None = None
) -> Predictions:
    """What the net with these weights says about each sample of a file.

    Raises UserError when the samples do not fit the net, the weights are no net, or the implementation lacks a name.
    """
    use = preparation or Preparation()
    sizes = layer_sizes(weights)
    x = samples(path, use, delimiter)
    if x.shape[1] != sizes[0]:
        raise UserError(f"{path}: samples of {x.shape[1]} numbers, expected {sizes[0]} as the net wants them")
    outputs = compute(net, weights, sizes, use.inputs(x))
    finite = bool(np.isfinite(outputs).all())
    if use.classes:
        heading, rows = ["prediction", "probability"], _named(outputs, use.classes)
        return Predictions(net.__name__, len(x), heading, rows, finite)
    heading = [use.target] if sizes[-1] == 1 else [f"{use.target} {i + 1}" for i in range(sizes[-1])]
    rows = [list(map(repr, row)) for row in use.numbers(outputs).tolist()]
    return Predictions(net.__name__, len(x), heading, rows, finite)


def _named(outputs: NDArray[Any], classes: Sequence[str]) -> list[list[str]]:
    """The most likely class of each sample, and its probability: the largest of softmax."""
    odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    likely = odds.max(axis=1) / odds.sum(axis=1)
    return [[classes[i], f"{p:.4f}"] for i, p in zip(outputs.argmax(axis=1), likely, strict=True)]


def compute(net: ModuleType, weights: Arrays, sizes: Sequence[int], x: NDArray[Any]) -> NDArray[Any]:
    """(n, n_out), in the dtype of the weights if the implementation has it; fewer rows after Ctrl-C.

    Raises UserError when it lacks a name, or raises an error.
    """
    if missing := [name for name in NEEDED if not hasattr(net, name)]:
        raise UserError(f"{net.__name__} does not provide {', '.join(missing)}")
    own_dtype = next(iter(weights.values())).dtype.name
    dtype = own_dtype if own_dtype in net.DTYPES else net.DTYPES[0]
    try:
        model = net.Model(list(sizes), seed=0, dtype=dtype)
        model.layers.load_state_dict({name: net.asarray(values, dtype) for name, values in weights.items()})
        return _in_chunks(lambda part: net.tolist(model.predict(net.asarray(part, dtype))), x)
    except Exception as error:  # whatever a half-done implementation may do
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{net.__name__} cannot compute it: {said}") from error


def _in_chunks(model: Callable[[NDArray[Any]], Any], x: NDArray[Any]) -> NDArray[Any]:
    """The outputs, of so many samples at once. Raises KeyboardInterrupt for one that comes before any is there."""
    parts: list[Any] = []
    try:
        for i in range(0, len(x), CHUNK):
            parts.append(model(x[i : i + CHUNK]))
    except KeyboardInterrupt:
        if not parts:
            raise
    return np.concatenate([np.array(part, "float64") for part in parts])


def layer_sizes(weights: Mapping[str, NDArray[Any]]) -> list[int]:
    """64-50-10 of weights (50, 64) and (10, 50). Raises UserError where they do not follow one another."""
    names = [f"{2 * i}.{kind}" for i in range(len(weights) // 2) for kind in ("weight", "bias")]
    if set(names) != set(weights):
        raise UserError(f"weights {', '.join(weights)}, expected {', '.join(names[:3])}, … of Linear, ReLU, Linear, …")
    shapes = [weights[name].shape for name in names[::2]]
    follow = all(len(shape) == 2 for shape in shapes) and all(a[0] == b[1] for a, b in pairwise(shapes))
    if not follow or any(weights[bias].shape != shape[:1] for bias, shape in zip(names[1::2], shapes, strict=True)):
        raise UserError(f"weights of shapes {', '.join(map(str, shapes))} are no layers that follow one another")
    return [shapes[0][1], *(shape[0] for shape in shapes)]


def samples(path: Path, use: Preparation, delimiter: str | None = None) -> NDArray[Any]:
    """(n, n_in) as they are in a CSV file, by the names of their columns, in an NPZ file, or among IDX images to test.

    Of the data that are built in, all samples, in their own order.

    Raises UserError for a file that cannot be read or lacks a column.
    """
    kind = path.suffix.lower()
    if delimiter is not None and kind != ".csv":
        raise UserError(f"--delimiter is for .csv alone, not for {path}")
    if str(path) in EMBEDDED:
        return raw(str(path))[0]
    if path.is_dir() or str(path) in SOURCES:
        images = idx.read(idx.find(path, idx.FILES[2]), rank=3)
        return images.reshape(len(images), -1).astype("float64")
    if kind == ".npz":
        return own.checked_inputs(path, own.read_npz(path, ("x",))[0])
    if kind != ".csv":
        raise UserError(
            f"{path}: expected {', '.join(EMBEDDED)}, a file that ends in .csv or .npz, or a folder of IDX files"
        )
    cells = sheet.read(path, delimiter)
    return own.encoded(cells, use.columns or [Column(name) for name in cells.header])


def text(result: Predictions) -> str:
    """As CSV, with a header."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([result.heading, *result.rows])
    return written.getvalue()


def save(result: Predictions, path: Path) -> None:
    """As a CSV file, whole or not at all. Raises UserError when it cannot be written."""
    try:
        write_whole(path, text(result).encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def result_table(result: Predictions) -> Group:
    """A row a sample, numbered from 1."""
    rows = table("sample", *result.heading)
    for i, row in enumerate(result.rows, 1):
        rows.add_row(f"{i:,}", *row)
    return framed(f"{len(result.rows):,} predictions of {result.net}", rows)


def problems(result: Predictions) -> list[str]:
    """What is wrong with them: one that is no finite number, or samples that were not reached."""
    said = [] if result.finite else [f"{result.net}: some predictions are no finite numbers"]
    if result.interrupted:
        said.append(f"stopped by Ctrl-C: these are the first {len(result.rows):,} of {result.samples:,} samples")
    return said
