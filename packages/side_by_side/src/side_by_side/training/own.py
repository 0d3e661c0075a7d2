"""Data of the user's own: a CSV file with the target in a column, or an NPZ file with arrays x and y."""

import csv
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError

MOST_CLASSES = 1000
TASKS = ("classes", "numbers")

Samples = tuple[NDArray[Any], NDArray[Any]]


def read_csv(path: Path, target: str | None = None, task: str | None = None) -> Samples:
    """x (n, n_in) and the targets: the last column, or the one that `target` names.

    A first line that is not numbers is a header. Targets that are words become classes, in alphabetical order.

    Raises UserError for a file that cannot be read, lines of different lengths and cells that are no finite numbers.
    """
    rows = _rows(path)
    column = _column(path, rows[0][1], target)
    header = not all(_is_number(cell) for i, cell in enumerate(rows[0][1]) if i != column)
    names = rows[0][1] if header else [f"column {i + 1}" for i in range(len(rows[0][1]))]
    rows = rows[header:]
    if not rows:
        raise UserError(f"{path}: no samples under the header")
    features = [i for i in range(len(names)) if i != column]
    x = np.array([[_number(path, line, names[i], row[i]) for i in features] for line, row in rows])
    cells = [row[column].strip() for _, row in rows]
    if task == "numbers" or not (all(map(_is_whole, cells)) or not any(map(_is_number, cells))):
        return x, np.array([_number(path, line, names[column], row[column]) for line, row in rows])
    if all(map(_is_whole, cells)):
        return x, np.array([int(cell) for cell in cells])
    classes = sorted(set(cells))
    return x, np.array([classes.index(cell) for cell in cells])


def read_npz(path: Path) -> tuple[NDArray[Any], ...]:
    """The arrays x and y, and x_test and y_test where the file has them. Nothing pickled is ever loaded.

    Raises UserError for a file that cannot be read, lacks x or y, or holds Python objects.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise UserError(f"{path}: a single array, expected an NPZ file with x and y")
            if missing := [name for name in ("x", "y") if name not in file]:
                raise UserError(f"{path}: no {' and no '.join(missing)} among {', '.join(file) or 'no arrays'}")
            test = [name for name in ("x_test", "y_test") if name in file]
            if len(test) == 1:
                raise UserError(f"{path}: {test[0]} alone, expected both x_test and y_test, or neither")
            return tuple(file[name] for name in ("x", "y", *test))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        if "allow_pickle" in str(error):
            raise UserError(f"{path}: holds pickled Python objects, which are never loaded; save numbers") from error
        raise UserError(f"{path}: cannot be read as NPZ: {error}") from error


def checked(path: Path | str, x: NDArray[Any], y: NDArray[Any], task: str | None = None) -> Samples:
    """x (n, n_in) as float64; y (n,) as int64 classes from 0 where they are whole, else (n, n_out) as float64.

    Raises UserError for other shapes and kinds, different numbers of x and y, values that are not finite, and labels
    out of range.
    """
    for name, array in (("x", x), ("y", y)):
        if array.dtype.kind not in "biuf":
            raise UserError(f"{path}: {name} holds {array.dtype}, expected numbers")
        if not np.isfinite(array).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            raise UserError(f"{path}: {name}{place} is {array[tuple(place)]}, expected finite numbers")
    if x.ndim < 2 or 0 in x.shape:
        raise UserError(f"{path}: x has shape {x.shape}, expected (samples, numbers a sample)")
    if y.ndim < 1 or 0 in y.shape[1:]:
        raise UserError(f"{path}: y has shape {y.shape}, expected (samples,) or (samples, numbers a target)")
    if len(x) != len(y):
        raise UserError(f"{path}: {len(x):,} samples but {len(y):,} targets, expected as many")
    x = x.reshape(len(x), -1).astype("float64")
    if task == "numbers" or (task is None and y.dtype.kind == "f"):
        return x, y.reshape(len(y), -1).astype("float64")
    return x, _classes(path, y)


def _classes(path: Path | str, y: NDArray[Any]) -> NDArray[Any]:
    labels = y.reshape(len(y), -1)
    if labels.shape[1] != 1 or (labels % 1 != 0).any():
        raise UserError(f"{path}: targets are no classes, expected one whole number a sample; or --task numbers")
    labels = labels[:, 0].astype("int64")
    wrong = (labels < 0) | (labels >= MOST_CLASSES)
    if wrong.any():
        i = int(wrong.argmax())
        raise UserError(
            f"{path}: label {labels[i]} at sample {i} is out of range, expected classes from 0 to {MOST_CLASSES - 1}; "
            "or --task numbers"
        )
    return labels


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not empty, all of one length."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV: {error}") from error
    if not rows:
        raise UserError(f"{path}: empty")
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise UserError(f"{path}: line {line} has {len(row)} columns, expected {width} as in the first")
    if width < 2:
        raise UserError(f"{path}: one column, expected at least one number and the target")
    return rows


def _column(path: Path, header: Sequence[str], target: str | None) -> int:
    if target is None:
        return len(header) - 1
    if target not in header:
        raise UserError(f"{path}: no column {target!r} among {', '.join(header)}")
    return list(header).index(target)


def _number(path: Path, line: int, column: str, cell: str) -> float:
    if not _is_number(cell) or not math.isfinite(float(cell)):
        raise UserError(f"{path}: line {line}, {column}: {cell!r} is no finite number")
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_whole(cell: str) -> bool:
    return cell.removeprefix("-").isdecimal()
