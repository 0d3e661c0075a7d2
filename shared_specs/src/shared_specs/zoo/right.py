"""The right implementation as a bug sees it: the names of the contract, and what every package can be changed with."""

import math
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

from shared_specs.compare import dtype_of
from shared_specs.oracle import Nested, elementwise, flat


def _single(number: float) -> float:
    too_large = abs(number) > 3.4e38
    return math.copysign(math.inf, number) if too_large else float(struct.unpack("f", struct.pack("f", number))[0])


class Right:
    """A right implementation, and a few tools that work on the arrays of any."""

    def __init__(self, implementation: ModuleType) -> None:
        self.__name__ = implementation.__name__
        self._implementation = implementation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._implementation, name)

    def like(self, array: Any, values: Nested) -> Any:
        """An Array of these values, with the dtype and on the device of another."""
        dtype, device = dtype_of(array), getattr(array, "device", None)
        if dtype is None and all(type(value) is int for value in flat(values)):
            dtype = "int64"
        return self.asarray(values, dtype, device and str(device))

    def each(self, f: Callable[..., Any], *arrays: Any) -> Any:
        """f on the numbers that stand at the same place in each array; a function of numbers as one of Arrays."""
        return self.like(arrays[0], elementwise(f, *map(self.tolist, arrays)))

    def times(self, array: Any, factor: float) -> Any:
        """Every element times a plain number."""
        return self.each(lambda element: element * factor, array)

    def singles(self, array: Any) -> Any:
        """Every element as float32 holds it."""
        return self.each(_single, array)

    def square(self, matrix: Any) -> bool:
        """Whether it has as many rows as columns, so that no shape betrays a transposed one."""
        return len(set(self.shape(matrix))) == 1
