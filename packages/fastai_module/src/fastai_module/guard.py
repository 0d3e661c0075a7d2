"""The guard: what does not fit is refused, before anything is computed with it.

Not a stage, and the same in all five packages but for the lines that know the package's arrays. What it refuses would
otherwise give a wrong number and no error: a bias of one number broadcasts, (batch, 1) − (batch,) makes (batch, batch).
"""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
Shape = tuple[int, ...]
Kind = tuple[Shape, Any]


def kinds(arrays: Sequence[Any]) -> tuple[Kind, ...]:
    """(shape, dtype) of each; a number has the shape () and no dtype."""
    try:
        return tuple([(array.shape, array.dtype) for array in arrays])
    except AttributeError:
        return tuple([(getattr(array, "shape", ()), getattr(array, "dtype", None)) for array in arrays])


def takes(signature: str) -> Callable[[Function], Function]:
    """Refuse arrays of other shapes than the signature's, and float32 together with float64.

    The notation is that of NumPy's generalized ufuncs. In (n, k), (k, m) -> (n, m) a name stands for a size, the same
    name for the same; n>0 is never 0; ... is a whole shape; `or` parts alternatives; a, b without () broadcast.
    """

    def guard(function: Function) -> Function:
        fitted: set[tuple[Kind, ...]] = set()

        @functools.wraps(function)
        def guarded(*arrays: Any, **named: Any) -> Any:
            if named:
                arrays = inspect.signature(function).bind(*arrays, **named).args
            found = kinds(arrays)
            if found not in fitted:
                check(function.__name__, signature, found)
                fitted.add(found)
            return function(*arrays)

        guarded.__doc__ = f"{signature}\n\n{function.__doc__}"
        return cast(Function, guarded)

    return guard


def check(name: str, signature: str, found: Sequence[Kind]) -> None:
    """Raise a ValueError that says what was called, what it got and what it takes."""
    shapes = [tuple(shape) for shape, _ in found]
    dtypes = [str(dtype) for _, dtype in found]
    expected, _, _ = signature.partition(" -> ")
    if not any(fits(option, shapes) for option in expected.split(" or ")):
        raise ValueError(f"{name}: got {', '.join(map(str, shapes))}, expected {signature}")
    if any("float32" in dtype for dtype in dtypes) and any("float64" in dtype for dtype in dtypes):
        raise ValueError(f"{name}: got {', '.join(dtypes)}, expected one dtype")


def fits(expected: str, shapes: Sequence[Shape]) -> bool:
    """Whether each shape fits its part of the signature, and every name means one size."""
    parts = re.findall(r"\.\.\.(?:>0)?|\(.*?\)", expected)
    if not parts:
        from_the_last = zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)
        return all(len({*sizes} - {1}) <= 1 for sizes in from_the_last)
    known: dict[str, Shape] = {"1": (1,)}
    for part, shape in zip(parts, shapes, strict=True):
        whole = part.startswith("...")
        names = [part] if whole else re.findall(r"\w+(?:>0)?", part)
        sizes = [shape] if whole else [(size,) for size in shape]
        if len(names) != len(sizes):
            return False
        for name, size in zip(names, sizes, strict=True):
            if known.setdefault(name.removesuffix(">0"), size) != size or (name.endswith(">0") and 0 in size):
                return False
    return True
