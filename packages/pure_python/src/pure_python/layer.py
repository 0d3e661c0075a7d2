"""Stage 2, layer: many neurons at once, which is a matrix product.

A row of neurons that see the same inputs is one vector of sums; a batch of samples makes it a matrix. Nearly all the
time of a neural net goes into this product, so it stands here as a ladder: the same numbers, each rung faster than the
last.
"""

import math
import operator
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .arrays import Array, check_arrays, check_not_negative, check_seed, check_sizes, check_where, transpose
from .neuron import neuron


def layer(inputs: Array, weights: Array, biases: Array) -> Array:
    """One sample through a row of neurons: (n_in,), (n_neurons, n_in), (n_neurons,) → (n_neurons,).

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("layer", "(n_in,), (n_neurons, n_in), (n_neurons,)", inputs, weights, biases)
    return [neuron(inputs, w, b) for w, b in zip(weights, biases, strict=True)]


def matmul_loops(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m) by the definition: three loops, a multiply-add each time (fast.ai book, chapter 17)."""
    check_arrays("matmul_loops", "(n, k), (k, m)", a, b)
    c = [[0 for _ in b[0]] for _ in a]
    for i in range(len(a)):
        for j in range(len(b[0])):
            for k in range(len(b)):
                c[i][j] += a[i][k] * b[k][j]
    return c


def matmul_elementwise(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): a row times a column elementwise, then summed; zip replaces the index."""
    check_arrays("matmul_elementwise", "(n, k), (k, m)", a, b)
    columns = transpose(b)
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a]


def matmul_builtin(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): the loop over k moves into built-in functions, which run in C."""
    check_arrays("matmul_builtin", "(n, k), (k, m)", a, b)
    return _dot_products(_sum_of_products, a, b)


def _dot_products(dot: Callable[[Sequence[Any], Sequence[Any]], Any], a: Array, b: Array) -> Array:
    columns = transpose(b)
    return [[dot(row, column) for column in columns] for row in a]


def _sum_of_products(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return sum(map(operator.mul, xs, ys))


# Every rung, the slowest first; each raises ValueError, naming both shapes, when the inner sizes differ.
MATMULS = {"loops": matmul_loops, "elementwise": matmul_elementwise, "builtin": matmul_builtin}
_dot = _sum_of_products

if sys.version_info >= (3, 12):

    def matmul_sumprod(a: Array, b: Array) -> Array:
        """(n, k) @ (k, m) → (n, m): a whole dot product is one built-in function."""
        check_arrays("matmul_sumprod", "(n, k), (k, m)", a, b)
        return _dot_products(math.sumprod, a, b)

    MATMULS["sumprod"] = matmul_sumprod
    _dot = math.sumprod


def matmul(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m) by the fastest rung: `math.sumprod` where Python has it, else built-in functions.

    Raises ValueError, naming both shapes, when the inner sizes differ.
    """
    check_arrays("matmul", "(n, k), (k, m)", a, b)
    return _dot_products(_dot, a, b)


def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b (fast.ai book, chapter 17): (batch, n_in), (n_in, n_out), (n_out,) → (batch, n_out).

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("linear", "(batch, n_in), (n_in, n_out), (n_out,)", x, w, b)
    return [[y + bias for y, bias in zip(row, b, strict=True)] for row in _dot_products(_dot, x, w)]


def normal(
    n_in: int, n_out: int, std: float, seed: int | None, dtype: str | None = None, device: str | None = None
) -> Array:
    """(n_in, n_out) random weights of N(0, std²); the same seed gives the same numbers, None gives fresh ones.

    Raises ValueError for sizes below 1, a negative std, a seed that is no whole number ≥ 0, an unknown dtype or device.
    """
    check_sizes("normal", n_in=n_in, n_out=n_out)
    check_not_negative("normal", std=std)
    seed = check_seed("normal", seed)
    check_where("normal", dtype, device)
    rng = random.Random(seed)
    return [[rng.gauss(0, std) for _ in range(n_out)] for _ in range(n_in)]


def xavier_std(n_in: int) -> float:
    """1/√n_in: keeps the variance of a linear layer's outputs that of its inputs (Glorot and Bengio 2010).

    Raises ValueError for n_in below 1.
    """
    check_sizes("xavier_std", n_in=n_in)
    return 1 / math.sqrt(n_in)


def kaiming_std(n_in: int) -> float:
    """√(2/n_in): the same when a relu, which halves the mean square, came before (He et al. 2015).

    Raises ValueError for n_in below 1.
    """
    check_sizes("kaiming_std", n_in=n_in)
    return math.sqrt(2 / n_in)
