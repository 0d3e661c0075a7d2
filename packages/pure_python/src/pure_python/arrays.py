"""Stage 0, arrays: what everything above computes with.

A neural net is sums and products of many numbers, so first we need a way to hold many numbers. Here that is a list of
lists, as deep as the array's rank; an array of rank 0 is just a number. Numbers stay what they are: floats give floats,
and `fractions.Fraction` gives exact answers from the same code.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import zip_longest
from numbers import Integral, Rational, Real
from typing import Any

Array = Any  # list[list[...[Number]...]], or a Number: Python's types cannot say "as deep as its rank"

DTYPES = ("float64",)


def devices() -> list[str]:
    """The devices usable here now."""
    return ["cpu"]


def synchronize(device: str) -> None:
    """Return when all work queued on the device is done: on the CPU, at once."""
    check_choice("synchronize", "device", device, devices())


def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
    """Nested sequences, or anything with a `tolist` such as a NumPy array, as an Array.

    Without a dtype ints become floats and Fractions stay.

    Raises ValueError for ragged or non-numeric values, saying where, and for an unknown dtype or device.
    """
    check_where("asarray", dtype, device, (*DTYPES, "int64"))
    try:
        values = _plain(values)
        fault = next(faults(values), None)
    except RecursionError:
        raise ValueError("asarray: values are nested too deep") from None
    if fault:
        raise ValueError(f"asarray: {fault}")
    number = _exact_or_float if dtype is None else float if dtype == "float64" else _whole
    try:
        return _convert(values, number)
    except OverflowError as error:
        raise ValueError(f"asarray: {error}") from None


def tolist(array: Array) -> Any:
    """Nested lists of Python numbers; a number for an array of rank 0.

    Raises ValueError for what is no Array.
    """
    _shape("tolist", array)
    return _copy(array)


def shape(array: Array) -> tuple[int, ...]:
    """The size along each axis, outermost first; () for a number.

    Raises ValueError for rows of different shapes, and for what is no Array.
    """
    return _shape("shape", array)


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape: aligned at the last axis, sizes must be equal or 1 (fast.ai book, chapter 17).

    Raises ValueError, naming the shapes, when there is none.
    """
    check_shapes("broadcast_shapes", shapes)
    return _broadcast_shapes("broadcast_shapes", *map(tuple, shapes))


def add(a: Array, b: Array) -> Array:
    """a + b elementwise, broadcasting.

    Raises ValueError, naming both shapes, when they do not broadcast.
    """
    return _elementwise("add", operator.add, a, b)


def multiply(a: Array, b: Array) -> Array:
    """a * b elementwise, broadcasting.

    Raises ValueError, naming both shapes, when they do not broadcast.
    """
    return _elementwise("multiply", operator.mul, a, b)


def unsqueeze(a: Array, dim: int) -> Array:
    """The same numbers with a new axis of size 1 at `dim`; a negative dim counts from the end.

    Raises ValueError for a dim outside −rank−1 … rank.
    """
    rank = len(_shape("unsqueeze", a))
    lowest = -rank - 1
    if not (isinstance(dim, Integral) and lowest <= dim <= rank):
        raise ValueError(f"unsqueeze: got dim {dim} for shape {shape(a)}, expected {lowest} to {rank}")
    return _unsqueeze(a, dim % (rank + 1))


def transpose(a: Array) -> Array:
    """Rows become columns: (n, m) → (m, n).

    Raises ValueError for any other rank.
    """
    check_arrays("transpose", "(n, m)", a)
    return [list(column) for column in zip(*a, strict=True)]


def _copy(a: Array) -> Array:
    return [_copy(row) for row in a] if isinstance(a, list) else a


def _shape(function: str, array: Array) -> tuple[int, ...]:
    kinds = set(map(type, array)) if isinstance(array, list) else {type(array)}
    if list not in kinds or not isinstance(array, list):
        for kind in kinds:
            if not issubclass(kind, Real):
                raise ValueError(
                    f"{function}: got {kind.__name__}, expected nested lists of numbers; asarray makes them"
                )
        return (len(array),) if isinstance(array, list) else ()
    shapes = {_shape(function, row) for row in array}
    if len(shapes) > 1:
        raise ValueError(f"{function}: got a ragged array, its rows have shapes {sorted(shapes)}")
    return (len(array), *shapes.pop())


def _broadcast_shapes(function: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    common = []
    for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):  # from the last axis back
        stretched = set(sizes) - {1} or {1}
        if len(stretched) > 1:
            got = " and ".join(map(str, shapes))
            raise ValueError(f"{function}: got {got}, expected sizes that are equal or 1, from the last axis back")
        common.append(stretched.pop())
    return tuple(common[::-1])


def _unsqueeze(a: Array, dim: int) -> Array:
    return [_copy(a)] if dim == 0 else [_unsqueeze(row, dim - 1) for row in a]


def _elementwise(function: str, op: Callable[[Any, Any], Any], a: Array, b: Array) -> Array:
    old_a, old_b = _shape(function, a), _shape(function, b)
    common = _broadcast_shapes(function, old_a, old_b)

    def combine(a: Array, b: Array, rank: int) -> Array:
        return [combine(x, y, rank - 1) for x, y in zip(a, b, strict=True)] if rank else op(a, b)

    return combine(_repeat(a, old_a, common), _repeat(b, old_b, common), len(common))


def _repeat(a: Array, old: tuple[int, ...], new: tuple[int, ...]) -> Array:
    """Broadcasting written out: missing axes are added in front, axes of size 1 are repeated."""
    if old == new:
        return a
    if len(old) < len(new):
        return [_repeat(a, old, new[1:])] * new[0]
    rows = [_repeat(row, old[1:], new[1:]) for row in a]
    return rows * new[0] if old[0] == 1 else rows


def _plain(values: Any) -> Any:
    """Nested sequences as nested lists, arrays of other libraries anywhere in them too."""
    values = values.tolist() if hasattr(values, "tolist") else values
    return [_plain(value) for value in values] if _is_nested(values) else values


def _convert(values: Any, number: Callable[[Any], Any]) -> Array:
    return [_convert(value, number) for value in values] if isinstance(values, list) else number(values)


def _exact_or_float(value: Any) -> float | Fraction:
    return Fraction(value) if isinstance(value, Rational) and not isinstance(value, Integral) else float(value)


def _whole(value: Any) -> int:
    if not math.isfinite(value) or value != int(value) or not -(2**63) <= value < 2**63:
        raise ValueError(f"asarray: got {value!r}, expected whole numbers of 64 bits for int64")
    return int(value)


def faults(values: Any, place: str = "values", first: Any = None) -> Iterator[str]:
    """What keeps nested sequences from being an array: one sentence a fault, with its place.

    `first` is what stands at the beginning of the whole array, as deep as values: all must have its shape.
    """
    if not _is_nested(values):
        if not isinstance(values, Real):
            yield f"{place} is {values!r:.60}, expected a number"
        return
    first = values if first is None else first
    for i, value in enumerate(values):
        if _is_nested(value) != _is_nested(first[0]) or (_is_nested(value) and len(value) != len(first[0])):
            yield f"{place}[{i}] is {value!r:.60}, expected the shape of {first[0]!r:.60}"
        else:
            yield from faults(value, f"{place}[{i}]", first[0])


def _is_nested(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_choice(function: str, what: str, got: Any, known: Sequence[str]) -> None:
    """Raise ValueError unless `got` is one of the known names."""
    if not isinstance(got, str) or got not in known:
        raise ValueError(f"{function}: got {what} {got!r}, expected one of {', '.join(map(repr, known))}")


def check_where(function: str, dtype: Any, device: Any, known: Sequence[str] = DTYPES) -> None:
    """Raise ValueError unless both are known, or None."""
    check_choice(function, "dtype", DTYPES[0] if dtype is None else dtype, known)
    check_choice(function, "device", "cpu" if device is None else device, devices())


def check_sizes(function: str, least: int = 1, **sizes: Any) -> None:
    """Raise ValueError unless each is a whole number of at least `least`."""
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < least:
            raise ValueError(f"{function}: got {name} {size!r}, expected a whole number of at least {least}")


def check_not_negative(function: str, **numbers: Any) -> None:
    """Raise ValueError unless each is a finite number ≥ 0."""
    for name, number in numbers.items():
        if not isinstance(number, Real) or not 0 <= float(number) < math.inf:
            raise ValueError(f"{function}: got {name} {number!r}, expected a finite number of at least 0")


def check_seed(function: str, seed: Any) -> int | None:
    """The seed as an int, or None.

    Raises ValueError for what is neither None nor a whole number ≥ 0.
    """
    if seed is not None and (not isinstance(seed, Integral) or seed < 0):
        raise ValueError(f"{function}: got seed {seed!r}, expected None or a whole number of at least 0")
    return None if seed is None else int(seed)


def check_shapes(function: str, shapes: Sequence[Any]) -> None:
    """Raise ValueError unless each is a list or tuple of sizes."""
    for shape in shapes:
        if not isinstance(shape, list | tuple) or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError(f"{function}: got {shape!r}, expected a tuple of whole numbers of at least 0")


def check_arrays(function: str, expected: str, *arrays: Array) -> None:
    """Raise ValueError unless the shapes fit `expected`, such as "(batch, n_in), (n_in, n_out)".

    A name stands for a size, and the same name for the same size; `...` for a whole shape; " or " parts alternatives.
    """
    shapes = [_shape(function, array) for array in arrays]
    if not any(_fit(pattern, shapes) for pattern in expected.split(" or ")):
        got = " and ".join(map(str, shapes))
        raise ValueError(f"{function}: got shapes {got}, expected {expected.replace('..., ...', 'two equal shapes')}")


def _fit(pattern: str, shapes: Sequence[tuple[int, ...]]) -> bool:
    sizes: dict[str, Any] = {"1": 1}
    for part, shape in zip(re.findall(r"\.\.\.|\(.*?\)", pattern), shapes, strict=True):
        names, found = (["..."], [shape]) if part == "..." else (re.findall(r"\w+", part), shape)
        if len(names) != len(found) or any(
            sizes.setdefault(n, size) != size for n, size in zip(names, found, strict=True)
        ):
            return False
    return True
