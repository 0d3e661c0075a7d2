"""Stage 2, layer: many neurons at once, which is a matrix product.

A row of neurons that see the same inputs is one vector of sums; a batch of samples makes it a matrix. Nearly all the
time of a neural net goes into this product, so it stands here as a ladder: the same numbers, each rung faster than the
last.
"""

import math
import random

import torch

from .arrays import DTYPES, Array, asarray, check_arrays, check_not_negative, check_seed, check_sizes, check_where


def layer(inputs: Array, weights: Array, biases: Array) -> Array:
    """One sample through a row of neurons: (n_in,), (n_neurons, n_in), (n_neurons,) → (n_neurons,).

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("layer", "(n_in,), (n_neurons, n_in), (n_neurons,)", inputs, weights, biases)
    return weights @ inputs + biases


def matmul_loops(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m) by the definition: three loops, a multiply-add each time (fast.ai book, chapter 17)."""
    check_arrays("matmul_loops", "(n, k), (k, m)", a, b)
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(b.shape[0]):
                c[i, j] += a[i, k] * b[k, j]
    return c


def matmul_elementwise(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): a row times a column elementwise, then summed; no loop over k."""
    check_arrays("matmul_elementwise", "(n, k), (k, m)", a, b)
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            c[i, j] = (a[i] * b[:, j]).sum()
    return c


def matmul_broadcast(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): a row as a column, repeated along all of b's columns; no loop over j."""
    check_arrays("matmul_broadcast", "(n, k), (k, m)", a, b)
    c = a.new_zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[0]):
        c[i] = (a[i].unsqueeze(-1) * b).sum(dim=0)
    return c


def matmul_einsum(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): the sum over the repeated index k, said in Einstein's notation; no loop at all."""
    check_arrays("matmul_einsum", "(n, k), (k, m)", a, b)
    return torch.einsum("ik,kj->ij", a, b)


def matmul_builtin(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m): the matrix product of a BLAS library, written for this device."""
    check_arrays("matmul_builtin", "(n, k), (k, m)", a, b)
    return a @ b


# Every rung, the slowest first; each raises ValueError, naming both shapes, when the inner sizes differ.
MATMULS = {
    "loops": matmul_loops,
    "elementwise": matmul_elementwise,
    "broadcast": matmul_broadcast,
    "einsum": matmul_einsum,
    "builtin": matmul_builtin,
}


def matmul(a: Array, b: Array) -> Array:
    """(n, k) @ (k, m) → (n, m) by the fastest rung.

    Raises ValueError, naming both shapes, when the inner sizes differ.
    """
    check_arrays("matmul", "(n, k), (k, m)", a, b)
    return a @ b


def linear(x: Array, w: Array, b: Array) -> Array:
    """x @ w + b (fast.ai book, chapter 17): (batch, n_in), (n_in, n_out), (n_out,) → (batch, n_out).

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("linear", "(batch, n_in), (n_in, n_out), (n_out,)", x, w, b)
    return x @ w + b


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
    generator = torch.Generator().manual_seed(random.getrandbits(32) if seed is None else seed % 2**64)
    return asarray(torch.randn(n_in, n_out, generator=generator, dtype=torch.float64) * std, dtype or DTYPES[0], device)


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
