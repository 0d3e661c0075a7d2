"""The work made ready for one contender, and whether what comes out is right."""

import importlib
import math
from collections.abc import Callable
from importlib.util import find_spec
from itertools import chain
from operator import sub
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

from shared_specs.compare import TOLERANCES, assert_close, dtype_of

from .numbers import Named
from .rows import Workload

LARGE = 20_000  # elements of a tensor, from which on it is compared as a whole first
BITS = {"float64": 53, "float32": 24}


class Job(NamedTuple):
    """A workload for one contender, its inputs made."""

    run: Callable[[], Any]
    """The work, and nothing but the work; a train step goes on from where the last one ended."""
    read: Callable[[Any], Named]
    """What the first `run` returned, and what it changed, under the names of the workload's answer."""
    restart: Callable[[], None] | None = None
    """Back to where the first `run` began: a first epoch must begin there."""


def errors(workload: Workload, got: Named, dtype: str, device: str | None, impl: Any) -> float:
    """Compare all tensors with the answer: the largest error, in units in the last place of its tensor's largest.

    Raises AssertionError, naming the tensor and its error, where one is wrong.
    """
    worst = 0.0
    for name, expected in workload.answer().items():
        values = impl.tolist(got[name])
        error = error_in_ulps(values, expected, dtype)
        allowed = TOLERANCES[dtype] * 2.0 ** (BITS[dtype] - 1)
        if not (error <= allowed and dtype_of(got[name]) in (None, dtype) and size(expected) >= LARGE):
            assert_close(impl, f"{workload}: {name}", got[name], expected, dtype, device=device)
        worst = max(worst, error)
    return worst


def error_in_ulps(got: Any, expected: Any, dtype: str) -> float:
    """The largest difference, in units in the last place of the largest expected element; inf where shapes differ."""
    mine, exact = list(numbers(got)), list(numbers(expected))
    largest = max(map(abs, exact), default=0.0)
    differences = list(map(abs, map(sub, mine, exact)))
    if len(mine) != len(exact) or not all(map(math.isfinite, differences)):
        return math.inf
    unit = 2.0 ** (math.frexp(largest)[1] - BITS[dtype]) if largest else math.ulp(0.0)
    return max(differences, default=0.0) / unit


def numbers(values: Any) -> Any:
    """The elements of a tensor of rank 0, 1 or 2."""
    if not isinstance(values, list):
        return [values]
    return chain.from_iterable(values) if values and isinstance(values[0], list) else values


def size(values: Any) -> int:
    """How many elements a tensor of rank 0, 1 or 2 has."""
    return sum(1 for _ in numbers(values))


def missing(module: str) -> bool:
    """Whether a library is not installed."""
    return find_spec(module) is None


def library(module: str) -> ModuleType:
    """A library that is imported when it is needed, and not before."""
    return importlib.import_module(module)


def torch_hindrance(device: str) -> str | None:
    """Why torch cannot compute there."""
    torch = library("torch")
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return None if usable.get(device, False) else f"no {device.upper()}"


def torch_synchronize(device: str) -> None:
    """Wait for CUDA or MPS."""
    if device != "cpu":
        getattr(library("torch"), device).synchronize()


NESTED_LISTS: Any = SimpleNamespace(
    asarray=lambda values, dtype=None, device=None: values,
    tolist=lambda array: array,
    shape=lambda array: (
        (len(array), *NESTED_LISTS.shape(array[0] if array else None)) if isinstance(array, list) else ()
    ),
)
"""What a comparison needs of an implementation, for results that are nested lists."""
