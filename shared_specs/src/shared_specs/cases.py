"""What the specs compute with: shared inputs, and tables of right and wrong calls.

Numbers are dyadic, small multiples of 1/8 and none of them 0, so they are exact in float32 too and mask no mistake.
"""

import random
from collections.abc import Callable, Sequence
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


def rough(*shape: int) -> Nested:
    """Numbers that float32 cannot hold: whatever is rounded through it comes back different."""
    return oracle.elementwise(lambda number: number * 1.1, dyadic(_ROUGH, *shape))


_ROUGH = random.Random(0)


def each_array(f: Callable[..., Any], *values: Any) -> Any:
    """f on every array in tuples, and in lists of tuples such as [(w, b), …]; a plain list is an array itself."""
    first = values[0]
    if isinstance(first, tuple) or (isinstance(first, list) and first and isinstance(first[0], tuple)):
        return type(first)(each_array(f, *parts) for parts in zip(*values, strict=True))
    return f(*values)


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


def _net(sizes: Shape, batch: int, seed: int) -> Net:
    rng = random.Random(seed)
    x, target = dyadic(rng, 5, sizes[0]), dyadic(rng, 5, sizes[-1])
    params = [(dyadic(rng, n_in, n_out), dyadic(rng, n_out)) for n_in, n_out in pairwise(sizes)]
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


# ------------------------------------------------------------------------------------------------- right calls


@dataclass(frozen=True)
class Operation:
    """A right call of one function: floats stand for Arrays, ints for class labels or for a plain argument."""

    stage: str
    function: str
    arguments: tuple[Any, ...]

    def __str__(self) -> str:
        return self.function

    def arrays(self) -> list[int]:
        """The positions of the arguments that hold floats."""
        return [i for i, values in enumerate(self.arguments) if any(isinstance(v, float) for v in oracle.flat(values))]


PARAMS = [(rough(3, 4), rough(4)), (rough(4, 2), rough(2))]

OPERATIONS = [
    Operation("arrays", "add", (rough(2, 3), rough(3))),
    Operation("arrays", "multiply", (rough(2, 1), rough(2, 3))),
    Operation("arrays", "unsqueeze", (rough(2, 3), 1)),
    Operation("arrays", "transpose", (rough(2, 3),)),
    Operation("neuron", "neuron", (rough(3), rough(3), 0.7)),
    Operation("neuron", "relu", (rough(4, 3),)),
    Operation("layer", "layer", (rough(3), rough(2, 3), rough(2))),
    Operation("layer", "matmul", (rough(2, 3), rough(3, 4))),
    Operation("layer", "linear", (rough(5, 3), rough(3, 4), rough(4))),
    Operation("mlp", "mlp", (rough(5, 3), PARAMS)),
    Operation("mlp", "mse", (rough(5, 2), rough(5, 2))),
    Operation("mlp", "mse", (rough(5, 1), rough(5))),
    Operation("backward", "mse_grad", (rough(5, 2), rough(5, 2))),
    Operation("backward", "relu_grad", (rough(2, 3), [[0.7, -1.3, 2.1], [-0.2, 0.3, -0.9]])),
    Operation("backward", "linear_grad", (rough(5, 4), rough(5, 3), rough(3, 4))),
    Operation("backward", "loss_and_grads", (PARAMS, rough(5, 3), rough(5, 2))),
    Operation("training", "cross_entropy", (rough(5, 3), [2, 0, 1, 2, 2])),
    Operation("training", "cross_entropy_grad", (rough(5, 3), [2, 0, 1, 2, 2])),
]


def operations(stage: str) -> list[Operation]:
    """The right calls of a stage."""
    return [operation for operation in OPERATIONS if operation.stage == stage]


def nan_sources(stage: str) -> list[tuple[Operation, int]]:
    """The right calls of a stage with the position of each argument in which a nan must be heard of.

    relu_grad alone asks of its x only whether it is above 0, and a nan is not.
    """
    return [
        (operation, position)
        for operation in operations(stage)
        for position in operation.arrays()
        if (operation.function, position) != ("relu_grad", 1)
    ]


# ------------------------------------------------------------------------------------------------- wrong calls

WRONG_SHAPES: dict[str, dict[str, list[tuple[Shape, ...]]]] = {
    "arrays": {
        "add": [((3,), (4,)), ((2, 3), (2,)), ((2, 3), (3, 2))],
        "multiply": [((3,), (4,)), ((2, 3), (2,)), ((2, 3), (3, 2))],
        "transpose": [((3,),), ((2, 3, 4),)],
    },
    "neuron": {
        "neuron": [((3,), (2,), ()), ((3,), (1,), ()), ((3,), (3,), (1,)), ((2, 2), (2,), ()), ((), (), ())],
    },
    "layer": {
        "layer": [
            ((3,), (2, 4), (2,)),
            ((3,), (3, 2), (2,)),  # weights the wrong way round
            ((3,), (2, 3), (3,)),
            ((3,), (2, 3), (1,)),  # one bias for all
            ((1, 3), (2, 3), (2,)),
            ((3,), (3,), ()),
        ],
        "matmul": [((5, 1), (7, 3)), ((2, 3), (2, 3)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 2, 3), (3, 2))],
        "linear": [
            ((5, 1), (7, 3), (3,)),
            ((2, 3), (4, 3), (4,)),  # a weight of Linear, which is (n_out, n_in)
            ((2, 3), (3, 4), (3,)),
            ((2, 3), (3, 4), (1,)),  # one bias for all
            ((2, 3), (3, 4), (2, 4)),  # a bias a sample
            ((3,), (3, 4), (4,)),  # a sample that is no batch
        ],
    },
    "mlp": {
        "mse": [
            ((4, 1), (5,)),
            ((3,), (3, 1)),  # (batch,) − (batch, 1) broadcasts to (batch, batch)
            ((3, 1), (1, 3)),
            ((3, 2), (3,)),
            ((2, 3), (3,)),
            ((3, 2), (3, 1)),
            ((3,), (1,)),
            ((3,), ()),
        ],
    },
    "backward": {
        "mse_grad": [((4, 1), (5,)), ((3,), (3, 1)), ((3, 1), (1, 3)), ((2, 3), (3,)), ((3, 2), (3, 1)), ((3,), ())],
        "relu_grad": [((2, 3), (3, 2)), ((3,), (2, 3)), ((3, 1), (3,)), ((2, 3), ())],
        "linear_grad": [
            ((2, 4), (5, 3), (3, 4)),
            ((1, 4), (2, 3), (3, 4)),  # one gradient for all samples
            ((2, 4), (2, 3), (4, 3)),  # w the wrong way round
            ((2, 3), (2, 3), (3, 4)),
            ((2, 4), (2, 3), (5, 4)),  # x of another width than w: each product fits on its own
            ((4,), (3,), (3, 4)),
        ],
    },
    "training": {
        "cross_entropy": [((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 1)), ((2, 3), (2, 3))],
        "cross_entropy_grad": [((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 1)), ((2, 3), (2, 3))],
        "accuracy": [((2, 3), (3,)), ((3,), (3,)), ((2, 3), (2, 1)), ((2, 3), (2, 3))],
    },
}
"""Stage → function → shapes that it must reject. For a training function the second shape is one of class labels."""


@dataclass(frozen=True)
class Misfit:
    """A call with shapes that do not fit."""

    stage: str
    function: str
    shapes: tuple[Shape, ...]

    def __str__(self) -> str:
        return f"{self.function}({', '.join(map(str, self.shapes))})"

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Arrays of those shapes, all 0.5, and labels all 0."""
        return tuple(
            filled(0 if self.stage == "training" and i == 1 else 0.5, shape) for i, shape in enumerate(self.shapes)
        )


def misfits(stage: str) -> list[Misfit]:
    """The calls of a stage with wrong shapes, one after the other."""
    return [Misfit(stage, name, shapes) for name, cases in WRONG_SHAPES[stage].items() for shapes in cases]


def filled(value: float, shape: Shape) -> Nested:
    """Nested lists of that shape that hold one number."""
    return [filled(value, shape[1:]) for _ in range(shape[0])] if shape else value
