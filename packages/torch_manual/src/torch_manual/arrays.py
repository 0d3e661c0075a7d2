"""Stage 0, arrays: what everything above computes with.

A neural net is sums and products of many numbers, so first we need a way to hold many numbers. Here that is
`torch.Tensor`: numbers of one dtype in one block of memory, on the CPU or on an accelerator, and kernels that run
there.
"""

import functools
import math
import re
from collections.abc import Iterator, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = Tensor

DTYPES = ("float32", "float64")


def devices() -> list[str]:
    """The devices usable here now."""
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [device for device, is_usable in usable.items() if is_usable]


def synchronize(device: str) -> None:
    """Return when all work queued on the device is done: on the CPU, at once."""
    check_choice("synchronize", "device", device, devices())
    if device != "cpu":
        getattr(torch, device).synchronize()


def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
    """Nested sequences, a NumPy array or a tensor as an Array.

    Without a dtype an array that has one of DTYPES keeps it, and anything else becomes float32; without a device a
    tensor stays where it is, and anything else goes to the CPU.

    Raises ValueError for ragged or non-numeric values, saying where, and for an unknown dtype or device.
    """
    check_where("asarray", dtype, device, (*DTYPES, "int64"))
    array = values if isinstance(values, Tensor) else _numbers(values)
    if isinstance(array, Tensor) and (array.is_complex() or array.layout != torch.strided):
        raise ValueError(
            f"asarray: got a tensor of {array.dtype}, {array.layout}, expected a dense one of real numbers"
        )
    if dtype is None:
        dtype = dtype_name(array) if hasattr(values, "dtype") and dtype_name(array) in DTYPES else DTYPES[0]
    if dtype == "int64" and not _all_whole(array):
        raise ValueError("asarray: got numbers that int64 cannot hold, expected whole ones of 64 bits")
    if isinstance(array, Tensor):
        return array.detach().to(device or array.device, getattr(torch, dtype))
    return torch.from_numpy(array.astype(dtype)).to(device or "cpu")


def tolist(array: Array) -> Any:
    """Nested lists of Python numbers; a number for an array of rank 0.

    Raises ValueError for what is no Array.
    """
    check_array("tolist", array, or_number=True)
    return array.tolist() if isinstance(array, Tensor) else array


def shape(array: Array) -> tuple[int, ...]:
    """The size along each axis, outermost first; () for a number.

    Raises ValueError for what is no Array.
    """
    check_array("shape", array, or_number=True)
    return tuple(array.shape) if isinstance(array, Tensor) else ()


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
    check_broadcast("add", a, b)
    return a + b


def multiply(a: Array, b: Array) -> Array:
    """a * b elementwise, broadcasting.

    Raises ValueError, naming both shapes, when they do not broadcast.
    """
    check_broadcast("multiply", a, b)
    return a * b


def unsqueeze(a: Array, dim: int) -> Array:
    """The same numbers with a new axis of size 1 at `dim`; a negative dim counts from the end.

    Raises ValueError for a dim outside −rank−1 … rank.
    """
    check_array("unsqueeze", a)
    rank = len(shape(a))
    lowest = -rank - 1
    if not (isinstance(dim, Integral) and lowest <= dim <= rank):
        raise ValueError(f"unsqueeze: got dim {dim} for shape {shape(a)}, expected {lowest} to {rank}")
    return a.unsqueeze(dim)


def transpose(a: Array) -> Array:
    """Rows become columns: (n, m) → (m, n).

    Raises ValueError for any other rank.
    """
    check_array("transpose", a)
    if len(shape(a)) != 2:
        raise ValueError(f"transpose: got shape {shape(a)}, expected (n, m)")
    return a.t()


def _broadcast_shapes(function: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        got = " and ".join(map(str, shapes))
        raise ValueError(
            f"{function}: got {got}, expected sizes that are equal or 1, from the last axis back"
        ) from None


def _numbers(values: Any) -> NDArray[Any]:
    """Numbers from outside, by way of NumPy: all digits are kept, and nothing is shared with the caller."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            array = np.asarray(values, None if any(faults(values)) else "float64")
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"asarray: {_first_fault(values, error) if _is_nested(values) else error}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"asarray: {_first_fault(values)}")
    return array


def dtype_name(array: Tensor | NDArray[Any]) -> str:
    """Like the names of DTYPES: float32, float64, int64."""
    return str(array.dtype).removeprefix("torch.")


def _all_whole(array: Tensor | NDArray[Any]) -> bool:
    if isinstance(array, Tensor):
        return not array.is_floating_point() or bool(((array % 1 == 0) & (array.abs() < 2.0**63)).all())
    if array.dtype.kind in "bi":
        return True
    with np.errstate(invalid="ignore"):  # inf % 1 is nan, and nan is not 0
        return bool(((array % 1 == 0) & (abs(array) < 2.0**63)).all())


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


def _first_fault(values: Any, otherwise: object = None) -> object:
    try:
        return next(faults(values), otherwise)
    except RecursionError:
        raise ValueError("asarray: values are nested too deep") from None


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


def check_array(function: str, array: Any, or_number: bool = False) -> None:
    """Raise ValueError for what is no Array of real numbers."""
    is_array = not array.is_complex() if isinstance(array, Tensor) else or_number and isinstance(array, int | float)
    if not is_array:
        raise ValueError(f"{function}: got {array!r:.60}, expected torch.Tensor of numbers; asarray makes one")


def check_broadcast(function: str, a: Array, b: Array) -> None:
    """Raise ValueError unless the shapes broadcast, and dtype and device are the same."""
    for array in (a, b):
        check_array(function, array, or_number=True)
    _broadcast_shapes(function, shape(a), shape(b))
    check_same(function, a, b)


def check_same(function: str, *arrays: Array) -> None:
    """Raise ValueError unless all have the same dtype and are on the same device; a Python number goes with any."""
    kinds = {(dtype_name(array), array.device.type) for array in arrays if isinstance(array, Tensor)}
    if len(kinds) > 1:
        got = " and ".join(f"{dtype} on {device}" for dtype, device in sorted(kinds))
        raise ValueError(f"{function}: got {got}, expected the same dtype and device for all")


def check_arrays(function: str, expected: str, *arrays: Array) -> None:
    """Raise ValueError unless the shapes fit `expected`, such as "(batch, n_in), (n_in, n_out)".

    A name stands for a size, and the same name for the same size; `...` for a whole shape; " or " parts alternatives.
    All arrays share one dtype of DTYPES and one device; for () and for a lone `...` a number will do.
    """
    try:
        kinds: list[Any] = [(array.shape, (array.dtype, array.device)) for array in arrays]
    except AttributeError:  # a Python number, or no array at all
        kinds = [_shape_and_kind(function, expected, array) for array in arrays]
    _check(function, expected, *kinds)


def _shape_and_kind(function: str, expected: str, array: Any) -> tuple[tuple[int, ...], Any]:
    check_array(function, array, or_number=expected == "..." or "()" in expected)
    return shape(array), (array.dtype, array.device) if isinstance(array, Tensor) else None


@functools.lru_cache(maxsize=1024)  # the shapes of a net recur at every step, and what fitted once fits again
def _check(function: str, expected: str, *arrays: tuple[tuple[int, ...], Any]) -> None:
    shapes = [tuple(shape) for shape, _ in arrays]
    if not any(_fit(pattern, shapes) for pattern in expected.split(" or ")):
        got = " and ".join(map(str, shapes))
        raise ValueError(f"{function}: got shapes {got}, expected {expected.replace('..., ...', 'two equal shapes')}")
    kinds = {kind for _, kind in arrays if kind is not None}
    if len(kinds) > 1 or not {str(dtype) for dtype, _ in kinds} <= {f"torch.{name}" for name in DTYPES}:
        got = " and ".join(f"{dtype} on {device}" for dtype, device in kinds)
        raise ValueError(
            f"{function}: got {got}, expected {' or '.join(DTYPES)}, and the same dtype and device for all"
        )


def _fit(pattern: str, shapes: Sequence[tuple[int, ...]]) -> bool:
    sizes: dict[str, Any] = {"1": 1}
    for part, shape in zip(re.findall(r"\.\.\.|\(.*?\)", pattern), shapes, strict=True):
        names, found = (["..."], [shape]) if part == "..." else (re.findall(r"\w+", part), shape)
        if len(names) != len(found) or any(
            sizes.setdefault(n, size) != size for n, size in zip(names, found, strict=True)
        ):
            return False
    return True
