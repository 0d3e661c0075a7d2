"""Stage 2, layer: many neurons at once, which is a matrix product.

A row of neurons that see the same inputs is one vector of sums; a batch of samples makes it a matrix. Nearly all the
time of a neural net goes into this product, so it stands here as a ladder: the same numbers, each rung faster than the
last.
"""

import math
import operator
import random

from .arrays import Array, Name, asarray, transpose
from .guard import takes

Seed = int | None  # None for fresh numbers


@takes("(n_in), (n_neurons, n_in), (n_neurons) -> (n_neurons)")
def layer(inputs: Array, weights: Array, biases: Array) -> Array:
    """One sample through a row of neurons."""
    return [dot(inputs, w) + b for w, b in zip(weights, biases, strict=True)]


@takes("(batch, n_in), (n_neurons, n_in), (n_neurons) -> (batch, n_neurons)")
def layer_on_each(x: Array, weights: Array, biases: Array) -> Array:
    """`layer` on each sample, with shapes checked once a batch."""
    return [[dot(inputs, w) + b for w, b in zip(weights, biases, strict=True)] for inputs in x]


@takes("(n, k), (k, m) -> (n, m)")
def matmul_loops(a: Array, b: Array) -> Array:
    """By the definition: three loops, a multiply-add each time (fast.ai book, chapter 17)."""
    c = [[0 for _ in b[0]] for _ in a]
    for i in range(len(a)):
        for j in range(len(b[0])):
            for k in range(len(b)):
                c[i][j] += a[i][k] * b[k][j]
    return c


@takes("(n, k), (k, m) -> (n, m)")
def matmul_elementwise(a: Array, b: Array) -> Array:
    """A row times a column elementwise, then summed; zip replaces the index."""
    columns = transpose(b)
    return [[sum([x * y for x, y in zip(row, column, strict=True)]) for column in columns] for row in a]


@takes("(n, k), (k, m) -> (n, m)")
def matmul_builtin(a: Array, b: Array) -> Array:
    """The loop over k moves into built-in functions, which run in C."""
    columns = transpose(b)
    return [[sum_of_products(row, column) for column in columns] for row in a]


def sum_of_products(xs: Array, ys: Array) -> Array:
    """Σ xᵢyᵢ, for rows of one length."""
    return sum(map(operator.mul, xs, ys))


# Every rung, the slowest first.
MATMULS = {"loops": matmul_loops, "elementwise": matmul_elementwise, "builtin": matmul_builtin}


@takes("(n, k), (k, m) -> (n, m)")
def matmul(a: Array, b: Array) -> Array:
    """By the fastest rung."""
    return dots(a, transpose(b))


dot = getattr(math, "sumprod", sum_of_products)
if dot is not sum_of_products:  # from Python 3.12 on a whole dot product is one built-in function
    MATMULS["sumprod"] = matmul


def dots(a: Array, b: Array) -> Array:
    """The dot product of each row of a with each row of b: a @ bᵀ, without transposing."""
    return [[dot(row, other) for other in b] for row in a]


@takes("(batch, n_in), (n_in, n_out), (n_out) -> (batch, n_out)")
def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b (fast.ai book, chapter 17)."""
    return layer_on_each(x, transpose(w), b)


def normal(n_in: int, n_out: int, std: float, seed: Seed, dtype: Name = None, device: Name = None) -> Array:
    """(n_in, n_out) random weights of N(0, std²); the same seed gives the same numbers, None gives fresh ones."""
    rng = random.Random(seed)
    return asarray([[rng.gauss(0, std) for _ in range(n_out)] for _ in range(n_in)], dtype, device)


def xavier_std(n_in: int) -> float:
    """1/√n_in: keeps the variance of a linear layer's outputs that of its inputs (Glorot and Bengio 2010)."""
    return 1 / math.sqrt(n_in)


def kaiming_std(n_in: int) -> float:
    """√(2/n_in): the same when a relu, which halves the mean square, came before (He et al. 2015)."""
    return math.sqrt(2 / n_in)
