"""Stage 0, arrays: what everything above computes with.

A neural net is sums and products of many numbers, so first we need a way to hold many numbers. Here that is a list of
lists, as deep as the array's rank; an array of rank 0 is just a number. Numbers stay what they are: floats give floats,
and `fractions.Fraction` gives exact answers from the same code.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import starmap, zip_longest
from numbers import Real
from typing import Any

from .guard import measure, takes

Array = Any  # list[list[...[Number]...]], or a Number: Python's types cannot say "as deep as its rank"
Name = str | None  # of a dtype or a device; None for the default

DTYPES = ("float64",)


def devices() -> list[str]:
    """The devices usable here now."""
    return ["cpu"]


def synchronize(device: str) -> None:
    """Return when all work queued on the device is done: on the CPU, at once."""


def asarray(values: Any, dtype: Name = None, device: Name = None) -> Array:
    """Nested sequences, or anything with a `tolist` such as a NumPy array, as a new Array.

    Without a dtype ints become floats and Fractions stay.
    """
    if dtype not in (None, *DTYPES, "int64") or device not in (None, *devices()):
        raise ValueError(f"asarray: got {dtype=}, {device=}, expected {(*DTYPES, 'int64')} and {devices()}")
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, Real):
        return number(values, dtype)
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise TypeError(f"asarray: got {values!r:.60} among the values, expected numbers")
    rows = [asarray(row, dtype) for row in values]
    if len(shapes := {*map(shape, rows)}) > 1:
        raise ValueError(f"asarray: got a ragged array, its rows have the shapes {sorted(shapes)}")
    return rows


def number(value: Any, dtype: Name) -> float | Fraction:
    """A number of the dtype; without one a Fraction stays exact."""
    if dtype == "int64":
        if not -(2**63) <= value < 2**63 or value != int(value):
            raise ValueError(f"asarray: got {value!r}, which int64 cannot hold, expected whole numbers")
        return int(value)
    return value if dtype is None and isinstance(value, Fraction) else float(value)


def tolist(array: Array) -> Any:
    """Nested lists of Python numbers; a number for an array of rank 0."""
    return [tolist(row) for row in array] if isinstance(array, list) else array


def shape(array: Array) -> tuple[int, ...]:
    """The size along each axis, outermost first; () for a number."""
    return measure(array)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape: aligned at the last axis, sizes must be equal or 1 (fast.ai book, chapter 17)."""
    stretched = [{*sizes} - {1} or {1} for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)]
    if any(len(sizes) > 1 for sizes in stretched):
        raise ValueError(f"broadcast_shapes: got {shapes}, expected sizes that are equal or 1, from the last axis back")
    return tuple([size for (size,) in reversed(stretched)])


def repeat(a: Array, new: tuple[int, ...]) -> Array:
    """Broadcasting written out: missing axes are added in front, axes of size 1 are repeated."""
    if not new:
        return a
    rows = a if len(shape(a)) == len(new) else [a]
    return [repeat(row, new[1:]) for row in (rows * new[0] if len(rows) == 1 else rows)]


def each(f: Callable[..., Any], *arrays: Array) -> Array:
    """f of the numbers that stand at the same place; zip is strict, so that whoever is ragged inside fails."""
    first = arrays[0]
    if not isinstance(first, list):
        return f(*arrays)
    if first and isinstance(first[0], list):
        return [each(f, *rows) for rows in zip(*arrays, strict=True)]
    return list(starmap(f, zip(*arrays, strict=True)))  # f(*numbers) for each, in C


@takes("a, b -> broadcast(a, b)")
def add(a: Array, b: Array) -> Array:
    """a + b elementwise."""
    common = broadcast_shapes(shape(a), shape(b))
    return each(lambda x, y: x + y, repeat(a, common), repeat(b, common))


@takes("a, b -> broadcast(a, b)")
def multiply(a: Array, b: Array) -> Array:
    """a * b elementwise."""
    common = broadcast_shapes(shape(a), shape(b))
    return each(lambda x, y: x * y, repeat(a, common), repeat(b, common))


def unsqueeze(a: Array, dim: int) -> Array:
    """The same numbers with a new axis of size 1 at `dim`; a negative dim counts from the end."""
    depth = range(len(shape(a)) + 1)[dim]
    return [unsqueeze(row, depth - 1) for row in a] if depth else [tolist(a)]


@takes("(n, m) -> (m, n)")
def transpose(a: Array) -> Array:
    """Rows become columns."""
    return [list(column) for column in zip(*a, strict=True)]
