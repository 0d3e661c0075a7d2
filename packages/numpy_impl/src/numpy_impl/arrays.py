"""Stage 0, arrays: what everything above computes with.

A neural net is sums and products of many numbers, so first we need a way to hold many numbers. Here that is
`numpy.ndarray`: numbers of one dtype in one block of memory, and loops over them that run in C.
"""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .guard import check, takes

Array = NDArray[Any]
Name = str | None  # of a dtype or a device; None for the default

DTYPES = ("float64", "float32")


def devices() -> list[str]:
    """The devices usable here now."""
    return ["cpu"]


def synchronize(device: str) -> None:
    """Return when all work queued on the device is done: on the CPU, at once."""


def asarray(values: Any, dtype: Name = None, device: Name = None) -> Array:
    """Nested sequences, or an array of any kind that NumPy can read, as a new Array.

    Without a dtype an array that has one of DTYPES keeps it, and anything else becomes float64.
    """
    if dtype not in (None, *DTYPES, "int64") or device not in (None, *devices()):
        raise ValueError(f"asarray: got {dtype=}, {device=}, expected {(*DTYPES, 'int64')} and {devices()}")
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" and not all(isinstance(value, Real) for value in array.flat):
        # NumPy would read the text "3" as a number, and None as nan
        raise TypeError(f"asarray: got {array.dtype} among the values, expected numbers")
    kept = array.dtype if hasattr(values, "dtype") and array.dtype in DTYPES else DTYPES[0]
    with np.errstate(invalid="ignore"):  # what nan becomes as int64 is found out below
        numbers = array.astype(dtype or kept)
    if dtype == "int64" and (numbers != array).any():
        raise ValueError("asarray: got numbers that int64 cannot hold, expected whole ones")
    return numbers


def tolist(array: Array) -> Any:
    """Nested lists of Python numbers; a number for an array of rank 0."""
    return np.asarray(array).tolist()


def shape(array: Array) -> tuple[int, ...]:
    """The size along each axis, outermost first; () for a number."""
    return np.shape(array)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The common shape: aligned at the last axis, sizes must be equal or 1 (fast.ai book, chapter 17)."""
    check("broadcast_shapes", "a, b, … -> broadcast(a, b, …)", [(shape, None) for shape in shapes])
    return np.broadcast_shapes(*shapes)


@takes("a, b -> broadcast(a, b)")
def add(a: Array, b: Array) -> Array:
    """a + b elementwise."""
    return a + b


@takes("a, b -> broadcast(a, b)")
def multiply(a: Array, b: Array) -> Array:
    """a * b elementwise."""
    return a * b


def unsqueeze(a: Array, dim: int) -> Array:
    """The same numbers with a new axis of size 1 at `dim`; a negative dim counts from the end."""
    return np.expand_dims(a, dim)


@takes("(n, m) -> (m, n)")
def transpose(a: Array) -> Array:
    """Rows become columns."""
    return a.T
