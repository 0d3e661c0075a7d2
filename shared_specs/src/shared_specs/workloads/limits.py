"""How fast could it be? The matrix products of a workload alone, as fast as the library does them.

No loss, no relu, no check of shapes: what an implementation spends beyond this is its own.
"""

import math
from collections.abc import Callable
from operator import mul
from typing import Any

from .answers import dot
from .jobs import BITS, Job, library, missing, torch_hindrance, torch_synchronize
from .numbers import Matrix, Product, random_matrix, repeated, transposed
from .rows import Workload

DISTINCT = 64  # rows; the others repeat them


class Limit:
    """What all limits share: `multiply` does the products, arrays come from `asarray`."""

    kind = "limit"

    def __init__(self, name: str) -> None:
        self.name, self.library = f"limit:{name}", name

    def hindrance(self, workload: Workload, dtype: str, device: str) -> str | None:
        """Why it cannot do the work here: "" if it does not provide it."""
        if self.library == "torch":
            if missing("torch"):
                return "torch is not installed"
            return torch_hindrance(device) or ("MPS has no float64" if (device, dtype) == ("mps", "float64") else None)
        if device != "cpu" or (self.library == "python" and dtype != "float64"):
            return ""
        return "numpy is not installed" if self.library == "numpy" and missing("numpy") else None

    def prepare(self, workload: Workload, dtype: str, device: str) -> Job:
        """The products, one after the other."""
        made = {product: self._operands(product, dtype, device) for product in dict.fromkeys(workload.products)}
        pairs = [made[product] for product in workload.products]
        multiply = PLAIN if self.library == "python" else _matmul

        def run() -> Any:
            for a, b in pairs:
                result = multiply(a, b)
            return result

        return Job(run, lambda result: {"last": result})

    def check(self, workload: Workload, job: Job, dtype: str, device: str) -> float | None:
        """The corners of the last product. Raises AssertionError where one is wrong."""
        n, k, m = workload.products[-1]
        a, b = _numbers((n, k, m))
        values = job.read(job.run())["last"]
        result = values if isinstance(values, list) else values.reshape(n, m).tolist()
        columns = {j: [row[j] for row in b] for j in (0, m - 1)}
        for i, j in [(0, 0), (0, m - 1), (n - 1, 0), (n - 1, m - 1)]:
            allowed = 4 * math.sqrt(k) * k * 2.0 ** (1 - BITS[dtype])
            expected = dot(a[i], columns[j])
            assert abs(result[i][j] - expected) <= allowed, f"{workload}: got {result[i][j]}, expected {expected}"
        return None

    def synchronize(self, device: str) -> None:
        """Return when all work queued on the device is done."""
        if self.library == "torch":
            torch_synchronize(device)

    def _operands(self, product: Product, dtype: str, device: str) -> tuple[Any, Any]:
        a, b = _numbers(product)
        if self.library == "python":
            return a, transposed(b)
        numpy = library("numpy")
        pair = [numpy.asarray(values, dtype) for values in (a, b)]
        if product[0] == product[2] == 1:
            pair = [array.ravel() for array in pair]
        if self.library == "torch":
            pair = [library("torch").asarray(array, device=device) for array in pair]
        return pair[0], pair[1]


def _matmul(a: Any, b: Any) -> Any:
    return a @ b


def _dot_products(dot_product: Callable[[Any, Any], Any]) -> Callable[[Matrix, Matrix], Matrix]:
    return lambda rows, columns: [[dot_product(row, column) for column in columns] for row in rows]


def _numbers(product: Product) -> tuple[Matrix, Matrix]:
    n, k, m = product
    a, b = random_matrix(min(n, DISTINCT), k, 1, seed=30), random_matrix(min(k, DISTINCT), m, 1, seed=31)
    return repeated(a, n), repeated(b, k)


PLAIN = _dot_products(getattr(math, "sumprod", lambda row, column: sum(map(mul, row, column))))
LIMITS = {name: Limit(name) for name in ("python", "numpy", "torch")}
