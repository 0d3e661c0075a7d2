"""What the specs compute with: matrices and nets that more than one of them needs.

Numbers are dyadic, small multiples of 1/8 and none of them 0, so they are exact in float32 too and mask no mistake.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

from shared_specs import oracle
from shared_specs.oracle import Nested

Shape: TypeAlias = tuple[int, ...]


def dyadic(rng: random.Random, *shape: int) -> Nested:
    """Multiples of 1/8 from −2 to 2, without 0."""
    if not shape:
        return rng.choice((-1, 1)) * rng.randint(1, 16) / 8
    return [dyadic(rng, *shape[1:]) for _ in range(shape[0])]


# ------------------------------------------------------------------------------------------------- arrays

FACTORS = [
    ([[2.0]], [[-3.5]]),
    ([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]),
    ([[1.0, -2.0, 0.5], [3.0, 4.0, -0.25]], [[5.0, 6.0], [7.0, -8.0], [0.5, 1.5]]),
    ([[1.0, -2.0, 0.5], [3.0, 4.0, -0.25], [8.0, 1.0, 2.0]], [[5.0, 6.0, 1.0], [7.0, -8.0, 2.0], [0.5, 1.5, -3.0]]),
    ([[1.0, -2.0, 0.5]], [[5.0], [7.0], [-4.0]]),
    ([[5.0], [7.0], [-4.0]], [[1.0, -2.0, 0.5]]),
    ([[0.5, 1.0], [-1.0, 2.0], [4.0, -8.0], [0.25, 1.0], [3.0, 1.0]], [[1.0, 2.0, 3.0, 4.0], [-5.0, 6.0, -7.0, 8.0]]),
]
FACTOR_IDS = [f"{len(a)}x{len(b)}x{len(b[0])}" for a, b in FACTORS]
"""(a, b) for a @ b, or (x, w) for a linear layer: square and not, with one row, one column or one number."""

ERRORS = [
    ([[1.0]], [[3.0]]),
    ([[1.0, -2.0]], [[0.5, 4.0]]),
    ([[1.0], [-2.0], [0.5]], [[0.5], [4.0], [0.5]]),
    ([[1.0, -2.0, 3.0], [0.5, 4.0, -0.25]], [[0.0, 1.0, -1.0], [2.0, 8.0, 0.25]]),
    ([[1.0, -2.0], [0.5, 4.0]], [[0.0, 1.0], [2.0, 8.0]]),
    ([1.0, -2.0, 3.0], [0.0, 1.0, -1.0]),
    ([[1.0], [-2.0], [3.0]], [0.0, 1.0, -1.0]),
    ([[1.0]], [3.0]),
]
"""(output, target) of all shapes allowed; (batch, 1) with (batch,) last."""


# ------------------------------------------------------------------------------------------------- nets


@dataclass(frozen=True, eq=False)
class Net:
    """The parameters of a net, and a batch to run through it."""

    name: str
    params: list[tuple[Nested, Nested]]
    x: Nested
    target: Nested

    def __str__(self) -> str:
        return self.name

    @property
    def sizes(self) -> list[int]:
        """n_in, …, n_out."""
        return [len(self.x[0]), *(len(b) for _, b in self.params)]


def layers_of(sizes: Sequence[int], rng: random.Random) -> list[tuple[Nested, Nested]]:
    """[(w, b), …] of these sizes."""
    return [(dyadic(rng, n_in, n_out), dyadic(rng, n_out)) for n_in, n_out in pairwise(sizes)]


def _net(sizes: Shape, batch: int, seed: int) -> Net:
    rng = random.Random(seed)
    x, target = dyadic(rng, 5, sizes[0]), dyadic(rng, 5, sizes[-1])
    params = layers_of(sizes, rng)
    return Net(f"{'-'.join(map(str, sizes))} batch {batch}", params, x[:batch], target[:batch])


SEEDS = {
    (3, 2): 0,
    (3, 3): 0,
    (3, 4, 2): 0,
    (3, 3, 3): 0,
    (2, 3, 4, 1): 6,
    (3, 3, 3, 3): 0,
    (3, 4, 2, 3, 2): 8,
    (3, 3, 3, 3, 3): 7,
}
"""Sizes → the first seed with units on and off in every hidden layer, an output below 0 and no vanishing gradient."""

NETS = [_net(sizes, batch, seed) for sizes, seed in SEEDS.items() for batch in (1, 2, 5)]
"""Depths 1 to 4, square and not, batches of 1, 2 and 5."""

TIED = Net(
    "tied",
    params=[([[1.0, 1.0], [-1.0, 1.0]], [1.0, -3.0]), ([[1.5, -0.5], [2.0, 0.75]], [0.5, -1.0])],
    x=[[1.0, 2.0], [2.0, -1.0]],
    target=[[1.0, 2.0], [-1.0, 0.5]],
)
"""Both hidden units stand exactly at their kink in the first sample, one is on in the second."""

DEAD = Net(
    "dead",
    params=[([[1.0, 0.5], [0.5, 1.0]], [-8.0, -4.0]), ([[1.5], [-0.5]], [0.25])],
    x=[[1.0, 2.0], [2.0, -1.0]],
    target=[[1.0], [-2.0]],
)
"""No hidden unit is on: only the last bias can still learn."""

_COLUMN = _net((3, 4, 1), 5, seed=22)
FLAT_TARGET = Net("target (batch,)", _COLUMN.params, _COLUMN.x, [row[0] for row in _COLUMN.target])
"""Outputs of shape (batch, 1), targets of shape (batch,)."""

ALL_NETS = [*NETS, TIED, DEAD, FLAT_TARGET]


def net_called(name: str) -> Net:
    """One of the nets, by its sizes and its batch."""
    return next(net for net in ALL_NETS if net.name == name)


@cache
def answers(net: Net) -> tuple[Any, list[tuple[Any, Any]]]:
    """The exact loss and gradients of a net."""
    return oracle.loss_and_grads(*oracle.exact((net.params, net.x, net.target)))


def named(params: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """[(w, b), …], or gradients of the same form, by the names and in the orientation of a Model's state dict."""
    named = {}
    for i, (w, b) in enumerate(params):
        named[f"layers.{2 * i}.weight"] = oracle.transpose(w)
        named[f"layers.{2 * i}.bias"] = b
    return named


def filled(value: float, shape: Shape) -> Nested:
    """Nested lists of that shape that hold one number."""
    return [filled(value, shape[1:]) for _ in range(shape[0])] if shape else value
