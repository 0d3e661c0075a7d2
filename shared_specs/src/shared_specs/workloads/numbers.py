"""The numbers that are worked on: seeded, and multiples of 2⁻²⁰, exact in float32 too: one answer for both dtypes."""

import math
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, TypeAlias

Vector: TypeAlias = list[float]
Matrix: TypeAlias = list[Vector]
Params: TypeAlias = list[tuple[Matrix, Vector]]
Product: TypeAlias = tuple[int, int, int]
"""(n, k, m) of a matrix product (n, k) @ (k, m)."""
Named: TypeAlias = dict[str, Any]
"""Name → tensor."""

GRID = 2.0**20


def random_matrix(rows: int, columns: int, std: float, seed: int) -> Matrix:
    """(rows, columns) of multiples of 2⁻²⁰, uniform between ±√3 std: two million of them are made in a moment."""
    most = round(math.sqrt(3) * std * GRID)
    draws = array("I", random.Random(seed).randbytes(4 * rows * columns))
    numbers = [(draw % (2 * most + 1) - most) / GRID for draw in draws]
    return [numbers[i : i + columns] for i in range(0, rows * columns, columns)]


@dataclass(frozen=True)
class Net:
    """A net's sizes, its batch and its seeded numbers.

    With `distinct`, the batch repeats so many samples: as much work, but an answer that plain Python can compute.
    """

    batch: int
    sizes: tuple[int, ...]
    distinct: int = 0
    spread: float = 1.0
    """The standard deviation of the inputs."""

    def __str__(self) -> str:
        return f"{self.batch}, {'-'.join(map(str, self.sizes))}"

    @property
    def samples(self) -> int:
        """How many different samples the batch holds."""
        return self.distinct if 0 < self.distinct < self.batch else self.batch

    @cached_property
    def x(self) -> Matrix:
        """The inputs, (batch, n_in)."""
        return repeated(random_matrix(self.samples, self.sizes[0], self.spread, seed=1), self.batch)

    @cached_property
    def target(self) -> Matrix:
        """The targets, (batch, n_out)."""
        return repeated(random_matrix(self.samples, self.sizes[-1], 1, seed=2), self.batch)

    @property
    def params(self) -> Params:
        """Kaiming weights (n_in, n_out), and biases that are not zero, lest they hide a mistake."""
        return _params(self.sizes)

    @property
    def condensed(self) -> "Net":
        """The same net on its distinct samples once: the same loss and gradients, as long as all repeat equally often.

        Raises ValueError where they do not.
        """
        if self.batch % self.samples:
            raise ValueError(f"a batch of {self.batch} cannot repeat {self.samples} samples equally often")
        return replace(self, batch=self.samples, distinct=0)

    @property
    def forward_products(self) -> list[Product]:
        """The matrix products of a forward pass."""
        return [(self.batch, n_in, n_out) for n_in, n_out in pairwise(self.sizes)]

    @property
    def products(self) -> list[Product]:
        """Those of forward and backward: each layer's output, its weight's gradient, its input's where it is needed."""
        backward = [
            product
            for i, (n_in, n_out) in enumerate(pairwise(self.sizes))
            for product in [(n_in, self.batch, n_out), (self.batch, n_out, n_in)][: 2 if i else 1]
        ]
        return self.forward_products + backward


def repeated(rows: Sequence[Vector], batch: int) -> Matrix:
    """The rows over and over, until the batch is full."""
    return [rows[i % len(rows)] for i in range(batch)]


def state(params: Params) -> Named:
    """The params under the names and in the shapes of a Model's state dict: Linear at 0, ReLU at 1, Linear at 2."""
    named: Named = {}
    for i, (w, b) in enumerate(params):
        named |= {f"layers.{2 * i}.weight": transposed(w), f"layers.{2 * i}.bias": b}
    return named


def transposed(a: Matrix) -> Matrix:
    """(n, m) → (m, n)."""
    return [list(column) for column in zip(*a, strict=True)]


@dataclass(frozen=True)
class Digits:
    """An epoch over scikit-learn's handwritten digits, in mini-batches."""

    net: Net
    x: Matrix
    labels: list[int]
    batch_size: int = 32
    seed: int = 0

    def __str__(self) -> str:
        return f"digits, {'-'.join(map(str, self.net.sizes))}"

    @property
    def order(self) -> list[int]:
        """The contract's order of the samples in a first epoch."""
        order = list(range(len(self.x)))
        random.Random(self.seed).shuffle(order)
        return order

    @property
    def batches(self) -> list[tuple[Matrix, list[int]]]:
        """The batches in that order."""
        order = self.order
        chunks = (order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size))
        return [([self.x[i] for i in chunk], [self.labels[i] for i in chunk]) for chunk in chunks]

    def at(self, batches: int) -> "Digits":
        """Only so many batches' worth of samples."""
        n = batches * self.batch_size
        return replace(self, x=self.x[:n], labels=self.labels[:n])


@cache
def digits() -> Digits:
    """1,797 pictures of 8 × 8, pixels from 0 to 1. Raises ImportError where scikit-learn is not installed."""
    from sklearn.datasets import load_digits

    x, labels = load_digits(return_X_y=True)
    return Digits(Net(32, (64, 50, 10)), (x / 16).tolist(), labels.tolist())


@cache
def _params(sizes: tuple[int, ...]) -> Params:
    pairs = enumerate(pairwise(sizes))
    return [
        (random_matrix(n_in, n_out, math.sqrt(2 / n_in), seed=10 + i), random_matrix(1, n_out, 0.1, seed=20 + i)[0])
        for i, (n_in, n_out) in pairs
    ]
