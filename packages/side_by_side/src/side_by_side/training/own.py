"""Data of the user's own: a CSV file with the target in a column, or an NPZ file with arrays x and y.

Columns of numbers are inputs, columns of words an input a word. An empty cell, NA, NaN, null or ? is missing: it counts
as the mean of its column; a line without target is left out.
"""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError
from .preparation import Column, names
from .sheet import LARGEST, Sheet, is_missing, is_number, is_whole

Array = NDArray[Any]

MOST_CLASSES = 1000
FEW = 20
"""Whole numbers are taken for classes where there are at most so many different ones, each seen `SEVERAL` times."""
SEVERAL = 3
MOST_WORDS = 50
"""Different ones in a column that are worth an input each."""
FAR = 1e6
"""So many interquartile ranges from the middle a number leaves no difference between the others."""
TASKS = ("classes", "numbers")


@dataclass(frozen=True)
class Samples:
    """x (n, n_in) in float64, NaN where it is missing; y (n,) classes in int64, or (n, n_out) numbers in float64."""

    x: Array
    y: Array
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    target: str = "target"
    told: list[str] = field(default_factory=list)
    """How the file was understood, a sentence each."""


def read_csv(sheet: Sheet, target: str | None = None, task: str | None = None, drop: Sequence[str] = ()) -> Samples:
    """The samples of a sheet; the target is the last column that is not dropped, or the one that is named.

    Raises UserError for columns that are not there, cells that are neither numbers nor words like the others of their
    column, and numbers that are too large.
    """
    dropped = {sheet.place(name) for name in drop}
    kept = [i for i in range(len(sheet.header)) if i not in dropped]
    if len(kept) < 2:
        raise UserError(f"{sheet.path}: --drop leaves {len(kept)} columns, expected at least one number and the target")
    at = kept[-1] if target is None else sheet.place(target)
    if at in dropped:
        raise UserError(f"{sheet.path}: {target} is the --target, so that it cannot be dropped")
    without = [line for line, row in sheet.rows if is_missing(row[at])]
    sheet = sheet.where(lambda row: not is_missing(row[at]))
    if not sheet.rows:
        raise UserError(f"{sheet.path}: every cell of {sheet.header[at]} is empty, expected what to predict")
    columns = tuple(column(sheet, i) for i in kept if i != at)
    x = encoded(sheet, columns)
    y, classes, said = _targets(sheet, at, task)
    told = [said, *_about(sheet, columns), *far_off(sheet, columns, x)]
    if without:
        told.append(
            f"{len(without):,} lines have no {sheet.header[at]} and are left out, the first is line {without[0]}."
        )
    return Samples(x, y, classes, columns, sheet.header[at], told)


def column(sheet: Sheet, i: int) -> Column:
    """A column of numbers, or of words if no cell of it is a number.

    Raises UserError where nearly every word is another one.
    """
    cells = [cell for cell in sheet.cells(i) if not is_missing(cell)]
    if not cells:
        raise UserError(f"{sheet.path}: every cell of {sheet.header[i]} is empty; --drop leaves a column out")
    if any(map(is_number, cells)):
        return Column(sheet.header[i])
    words = tuple(sorted(set(cells)))
    if len(words) > min(MOST_WORDS, len(cells) / 2):
        many = f"{len(words):,} different words in {len(cells):,} lines, which is no feature to learn from"
        raise UserError(f"{sheet.path}: {sheet.header[i]} has {many}; --drop leaves it out")
    return Column(sheet.header[i], words)


def encoded(sheet: Sheet, columns: Sequence[Column]) -> Array:
    """(n, n_in): the numbers, and 1 for the word that stands there and 0 for the other ones; NaN for what is missing.

    Raises UserError for a column that is not there, and a cell that is no number, or no word of its column.
    """
    parts = []
    for each in columns:
        i = sheet.place(each.name)
        if not each.words:
            parts.append([[sheet.number(line, i, row[i])] for line, row in sheet.rows])
            continue
        one_hot = dict(zip(each.words, np.eye(len(each.words)), strict=True)) | {"": np.full(len(each.words), np.nan)}
        for line, row in sheet.rows:
            if not is_missing(row[i]) and row[i] not in one_hot:
                raise UserError(f"{sheet.cell(line, i)}: {row[i]!r} is none of {', '.join(each.words)}")
        parts.append([one_hot["" if is_missing(row[i]) else row[i]] for _, row in sheet.rows])
    return np.hstack([np.array(part, "float64") for part in parts])


def _targets(sheet: Sheet, at: int, task: str | None) -> tuple[Array, tuple[str, ...], str]:
    """The targets, their classes, and how they were understood."""
    name, cells = sheet.header[at], sheet.cells(at)
    words = not any(map(is_number, cells))
    if not words and (task == "numbers" or not all(map(is_whole, cells))):
        if task == "classes":
            raise UserError(f"{sheet.path}: {name} holds numbers that are not whole, expected classes")
        return np.array([[sheet.number(line, at, row[at])] for line, row in sheet.rows]), (), _said(name)
    if words and task == "numbers":
        sheet.number(sheet.rows[0][0], at, cells[0])
    values = cells if words else [int(cell) for cell in cells]
    return _classes(str(sheet.path), name, np.array(values), task)


def _classes(path: str, name: str, values: Array, task: str | None) -> tuple[Array, tuple[str, ...], str]:
    """Labels from 0, and what each stands for; numbers again where they are not plausible as classes."""
    known, labels, counts = np.unique(values, return_inverse=True, return_counts=True)
    whole = values.dtype.kind != "U"
    if whole and task is None and (len(known) > FEW or counts.min() < SEVERAL):
        seen = f"{len(known):,} different whole numbers, the rarest seen {counts.min()}×"
        return (
            values.reshape(-1, 1).astype("float64"),
            (),
            f"{_said(name)} It has {seen}; --task classes takes them so.",
        )
    if len(known) > MOST_CLASSES or (not whole and len(known) > len(values) / 2):
        what = "whole numbers" if whole else "words"
        raise UserError(f"{path}: {name} has {len(known):,} different {what}, too many for classes")
    if len(known) < 2:
        raise UserError(f"{path}: {name} has one class only, {known[0]}; expected at least two")
    classes = tuple(map(str, known))
    listed = ", ".join(classes if len(classes) <= FEW else (*classes[:3], "…", classes[-1]))
    other = "; --task numbers takes them for numbers" if whole and task is None else ""
    return (
        labels.reshape(-1).astype("int64"),
        classes,
        f"Predicts {name}, one of {len(classes)} classes: {listed}{other}.",
    )


def _said(name: str) -> str:
    return f"Predicts {name}, a number."


def _about(sheet: Sheet, columns: Sequence[Column]) -> list[str]:
    """What columns of words and missing cells become."""
    told = []
    if words := [f"{each.name} ({len(each.words)})" for each in columns if each.words]:
        told.append(f"An input a word, 1 or 0: {', '.join(words)}.")
    places = [sheet.place(each.name) for each in columns]
    empty = {i: sum(map(is_missing, sheet.cells(i))) for i in places}
    if missing := [f"{sheet.header[i]} ({n:,})" for i, n in empty.items() if n]:
        told.append(f"Missing cells count as the mean of their column: {', '.join(missing)}.")
    return told


def far_off(sheet: Sheet, columns: Sequence[Column], x: Array) -> list[str]:
    """A warning for each column in which a number is so far from all others that these look alike to a net."""
    told = []
    for name, values in zip(names(columns), x.T, strict=True):
        if np.isnan(values).all():
            continue
        low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75))
        distance = np.nan_to_num(np.abs(values - middle))
        worst = int(distance.argmax())
        if high > low and distance[worst] > FAR * (high - low):
            line = sheet.rows[worst][0]
            alike = "so far from the others that these look alike to the net"
            told.append(f"Line {line}, {name}: {values[worst]:g} is {alike}; mend it, or --drop the column.")
    return told


def read_npz(path: Path, wanted: Sequence[str] = ("x", "y")) -> tuple[Array, ...]:
    """The arrays x and y, and x_test and y_test where the file has them. Nothing pickled is ever loaded.

    Raises UserError for a file that cannot be read, lacks what is wanted, or holds Python objects.
    """
    try:
        if not zipfile.is_zipfile(path) and not path.read_bytes().startswith(b"\x93NUMPY"):
            raise UserError(f"{path}: cannot be read as NPZ: it is no file that numpy.savez has written")
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise UserError(f"{path}: a single array, expected an NPZ file with x and y")
            if missing := [name for name in wanted if name not in file]:
                raise UserError(f"{path}: no {' and no '.join(missing)} among {', '.join(file) or 'no arrays'}")
            test = [name for name in ("x_test", "y_test") if name in file and "y" in wanted]
            if len(test) == 1:
                raise UserError(f"{path}: {test[0]} alone, expected both x_test and y_test, or neither")
            return tuple(file[name] for name in (*wanted, *test))
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError) as error:
        if "allow_pickle" in str(error):
            raise UserError(f"{path}: holds pickled Python objects, which are never loaded; save numbers") from error
        raise UserError(f"{path}: cannot be read as NPZ: {error}") from error


def checked(path: Path | str, x: Array, y: Array, task: str | None = None) -> Samples:
    """Samples of arrays: whole numbers where plausible, or where `task` says so, are classes.

    Raises UserError for other shapes and kinds, different numbers of x and y, and values that are not finite or too
    large.
    """
    x = checked_inputs(path, x)
    check_numbers(path, "y", y)
    if y.ndim < 1 or 0 in y.shape[1:]:
        raise UserError(f"{path}: y has shape {y.shape}, expected (samples,) or (samples, numbers a target)")
    if len(x) != len(y):
        raise UserError(f"{path}: {len(x):,} samples but {len(y):,} targets, expected as many")
    if task == "numbers" or (task is None and y.dtype.kind == "f"):
        return Samples(x, y.reshape(len(y), -1).astype("float64"), told=[_said("y")])
    labels = y.reshape(len(y), -1)
    if labels.shape[1] != 1 or (labels % 1 != 0).any():
        raise UserError(f"{path}: targets are no classes, expected one whole number a sample; or --task numbers")
    labels, classes, said = _classes(str(path), "y", labels[:, 0].astype("int64"), task)
    return Samples(x, labels, classes, told=[said])


def checked_inputs(path: Path | str, x: Array) -> Array:
    """x (n, n_in) in float64. Raises UserError as `checked` does."""
    check_numbers(path, "x", x)
    if x.ndim < 2 or 0 in x.shape:
        raise UserError(f"{path}: x has shape {x.shape}, expected (samples, numbers a sample)")
    return x.reshape(len(x), -1).astype("float64")


def check_numbers(path: Path | str, name: str, array: Array) -> None:
    """Raises UserError for what is no number, not finite, or too large."""
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: {name} holds {array.dtype}, expected numbers")
    wrong = ~(np.abs(array.astype("float64")) <= LARGEST)
    if wrong.any():
        place = [int(i) for i in np.argwhere(wrong)[0]]
        value = array[tuple(place)]
        expected = f"at most {LARGEST:g}" if np.isfinite(value) else "finite"
        raise UserError(f"{path}: {name}{place} is {value}, expected {expected} numbers")
