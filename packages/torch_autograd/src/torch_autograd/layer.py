"""Stage 2, layer: many neurons at once, which is a matrix product.

A row of neurons that see the same inputs is one vector of sums; a batch of samples makes it a matrix. Nearly all the
time of a neural net goes into this product, so it stands here as a ladder: the same numbers, each rung faster than the
last.
"""

import math
import random

import torch

from .arrays import DTYPES, Array, Name, asarray
from .guard import takes

Seed = int | None  # None for fresh numbers


@takes("(n_in), (n_neurons, n_in), (n_neurons) -> (n_neurons)")
def layer(inputs: Array, weights: Array, biases: Array) -> Array:
    """One sample through a row of neurons."""
    return weights @ inputs + biases


@takes("(n, k), (k, m) -> (n, m)")
def matmul_loops(a: Array, b: Array) -> Array:
    """By the definition: three loops, a multiply-add each time (fast.ai book, chapter 17)."""
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(b.shape[0]):
                c[i, j] += a[i, k] * b[k, j]
    return c


@takes("(n, k), (k, m) -> (n, m)")
def matmul_elementwise(a: Array, b: Array) -> Array:
    """A row times a column elementwise, then summed; no loop over k."""
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            c[i, j] = (a[i] * b[:, j]).sum()
    return c


@takes("(n, k), (k, m) -> (n, m)")
def matmul_broadcast(a: Array, b: Array) -> Array:
    """A row as a column, repeated along all of b's columns; no loop over j."""
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        c[i] = (a[i, :, None] * b).sum(dim=0)
    return c


@takes("(n, k), (k, m) -> (n, m)")
def matmul_einsum(a: Array, b: Array) -> Array:
    """The sum over the repeated index k, said in Einstein's notation; no loop at all."""
    return torch.einsum("ik,kj->ij", a, b)


@takes("(n, k), (k, m) -> (n, m)")
def matmul_builtin(a: Array, b: Array) -> Array:
    """The matrix product of a BLAS library, written for this device."""
    return a @ b


# Every rung, the slowest first.
MATMULS = {
    "loops": matmul_loops,
    "elementwise": matmul_elementwise,
    "broadcast": matmul_broadcast,
    "einsum": matmul_einsum,
    "builtin": matmul_builtin,
}


@takes("(n, k), (k, m) -> (n, m)")
def matmul(a: Array, b: Array) -> Array:
    """By the fastest rung."""
    return a @ b


@takes("(batch, n_in), (n_in, n_out), (n_out) -> (batch, n_out)")
def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b (fast.ai book, chapter 17), fused into one call."""
    return torch.addmm(b, x, w)


def normal(n_in: int, n_out: int, std: float, seed: Seed, dtype: Name = None, device: Name = None) -> Array:
    """(n_in, n_out) random weights of N(0, std²); the same seed gives the same numbers, None gives fresh ones."""
    generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(64))  # it takes 64 bits
    weights = torch.randn(n_in, n_out, generator=generator, dtype=torch.float64) * std
    return asarray(weights, dtype or DTYPES[0], device)


def xavier_std(n_in: int) -> float:
    """1/√n_in: keeps the variance of a linear layer's outputs that of its inputs (Glorot and Bengio 2010)."""
    return 1 / math.sqrt(n_in)


def kaiming_std(n_in: int) -> float:
    """√(2/n_in): the same when a relu, which halves the mean square, came before (He et al. 2015)."""
    return math.sqrt(2 / n_in)
