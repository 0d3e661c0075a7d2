"""The table of operations: all that an implementation computes, a line each. It drives every level of the specs.

`takes` says the shapes as NumPy says those of its generalized ufuncs: a name for a size, the same name for the same
size, `...` for a shape of any rank, "or" between alternatives. After a bar comes what is loaded before the call.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from math import prod
from typing import Any, TypeAlias

from shared_specs import formulas, oracle
from shared_specs.cases import Shape, dyadic, filled
from shared_specs.compare import mentions
from shared_specs.contract import stage_of
from shared_specs.lab import Lab, held
from shared_specs.oracle import Nested, elementwise

Pattern: TypeAlias = tuple[str, ...]
SIZES: Mapping[str, int] = {"1": 1, "batch": 5, "n": 2, "m": 4, "k": 3, "n_in": 3, "n_out": 4, "n_classes": 3}
"""The sizes that the names stand for where nothing else is asked."""
ANY_SHAPE = ("...",)

LOSS = "..., ... or (batch, 1), (batch)"
CLASSES = "(batch, n_classes), (batch)"
AFFINE = "(n_in, n_out), (n_out)"
NET = "(k, m), (m), (m, n), (n)"
TO_ONE = "(k, m), (m), (m, 1), (1)"
TO_CLASSES = "(k, m), (m), (m, n_classes), (n_classes)"


@dataclass(frozen=True)
class Operation:
    """Something to compute: a function, or a class that does what a function does."""

    stage: str
    name: str
    takes: str
    like: str = ""
    """The oracle's name for it, where it has another."""
    by: Callable[..., Any] | None = None
    """How a lab makes it from what is loaded, where it is no function of that name."""
    loss: bool = False
    """Whether an empty batch is refused."""
    labels: bool = False
    """Whether the second argument holds class labels."""
    rational: bool = True
    """Whether the answer is a fraction where the arguments are."""
    masks: bool = False
    """Whether a NaN may be masked."""

    def __str__(self) -> str:
        return self.name

    @cached_property
    def patterns(self) -> list[list[Pattern]]:
        """The alternatives, each a pattern for each argument."""
        return [
            [tuple(re.findall(r"\w+|\.\.\.", part)) for part in re.findall(r"\([^)]*\)|\.\.\.", alternative)]
            for alternative in self.takes.split(" or ")
        ]

    @property
    def broadcasts(self) -> bool:
        """Whether sizes need not be the same."""
        return self.name in ("add", "multiply")

    @property
    def n_given(self) -> int:
        """How many arguments are given to the call; the others are loaded."""
        return len(re.findall(r"\([^)]*\)|\.\.\.", self.takes.partition(" or ")[0].partition("|")[0]))

    def fits(self, shapes: Sequence[Shape]) -> bool:
        """Whether arrays of these shapes belong together."""
        if self.broadcasts:
            return broadcast(*shapes) is not None
        return any(_fit(pattern, shapes) for pattern in self.patterns)

    @property
    def is_function(self) -> bool:
        """Whether it is a function of the contract by that name."""
        return stage_of(self.name) == self.stage != "module" and self.name not in ("MATMULS", "SGD", "CrossEntropyLoss")

    def made(self, lab: Lab) -> dict[str, Callable[..., Callable[..., Any]]]:
        """What it is called → how it is made from what is loaded: one way, or a way each rung of matmul."""
        if self.name == "MATMULS":
            return {f"MATMULS[{name!r}]": partial(_same, rung) for name, rung in lab.impl.MATMULS.items()}
        if self.by:
            return {self.name: partial(self.by, lab)}
        return {self.name: partial(_same, _on_arrays(getattr(lab.impl, self.name), self.name))}

    def ways(self, lab: Lab) -> dict[str, Callable[..., Any]]:
        """What it is called → how an implementation computes it from all arguments, made anew for each call."""
        n = self.n_given
        return {call: lambda *a, make=make: make(*a[n:])(*a[:n]) for call, make in self.made(lab).items()}

    def answer(self, *arguments: Nested) -> Any:
        """The exact result."""
        name = self.like or self.name
        return _on_arrays(getattr(oracle, name), name)(*arguments)

    def by_formula(self, *arguments: Nested) -> list[Any]:
        """The results that the formulas permit, by the arithmetic of the arguments."""
        name = self.like or self.name
        return [_on_arrays(formula, name)(*arguments) for formula in formulas.permitted(name)]


def _fit(pattern: Sequence[Pattern], shapes: Sequence[Shape]) -> bool:
    sizes: dict[str, Any] = {"1": 1}
    pairs: Any = zip(pattern, shapes, strict=True)
    pairs = [(names, [shape] if names == ANY_SHAPE else shape) for names, shape in pairs]
    return all(len(names) == len(found) for names, found in pairs) and all(
        sizes.setdefault(name, size) == size for names, found in pairs for name, size in zip(names, found, strict=True)
    )


def broadcast(*shapes: Shape) -> Shape | None:
    """The common shape, from the rule as it is taught: from the last axis back, sizes are equal or 1."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    sizes = [sorted({*column} - {1}) or [1] for column in columns]
    return tuple(found[0] for found in sizes) if all(len(found) == 1 for found in sizes) else None


# ------------------------------------------------------------------------------------------------- how it is computed


def _pairs(layers: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(layers[::2], layers[1::2], strict=True))


def _two_steps(step: Callable[..., Any], start: Nested, *grads: Nested) -> Nested:
    parameters, buffers = start, None
    for grad in grads:
        parameters, buffers = step(parameters, grad, buffers, *oracle.exact(RATES))
    return parameters


RATES = (0.125, 0.5, 0.25)
"""lr, momentum and weight decay."""

PACKED: Mapping[str, Callable[..., Any]] = {
    "unsqueeze": lambda f, a: f(a, -1),
    "mlp": lambda f, x, *layers: f(x, _pairs(layers)),
    "loss_and_grads": lambda f, x, target, *layers: f(_pairs(layers), x, target),
    "class_loss_and_grads": lambda f, x, labels, *layers: f(_pairs(layers), x, labels),
    "batches": lambda f, x, target: f(x, target, 2, 3),
    "sgd_step": _two_steps,
}
"""Name → how the function is called with arrays one by one, where not with them alone."""


def _on_arrays(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    return partial(PACKED[name], function) if name in PACKED else function


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _linear(lab: Lab, w: Any, b: Any) -> Any:
    return lab.load(lab.impl.Linear(*lab.impl.shape(w), **lab.where), {"": (w, b)})


def _sequential(lab: Lab, *layers: Any) -> Any:
    first, last = (lab.impl.Linear(*lab.impl.shape(w), **lab.where) for w in layers[::2])
    net = lab.impl.Sequential(first, lab.impl.ReLU(), last)
    return lab.load(net, {"0.": layers[:2], "2.": layers[2:]})


def _model(lab: Lab, *layers: Any, loss: str = "MSELoss") -> Callable[..., Any]:
    model = lab.model(_pairs(layers), getattr(lab.impl, loss)())

    def there_and_back(x: Any, target: Any) -> Any:
        for parameter in model.parameters():
            parameter.grad = None
        value = model(x, target)
        model.backward()
        return value, lab.gradients(model)

    return there_and_back


def _sgd(lab: Lab, start: Any, *grads: Any) -> Callable[[], Any]:
    parameter = lab.impl.Parameter(lab.array(lab.impl.tolist(start)))
    optimizer = lab.impl.SGD([parameter], *RATES)

    def steps() -> Any:
        for grad in grads:
            optimizer.zero_grad()
            parameter.grad = grad
            optimizer.step()
        return parameter.data

    return steps


def _batches(lab: Lab, *data: Any) -> Callable[[], Any]:
    batches = lab.impl.Batches(*data, 2, 3)
    return lambda: list(batches)


def _accuracy(lab: Lab) -> Callable[..., Any]:
    return lambda *arrays: lab.array(lab.impl.accuracy(*arrays))


OPERATIONS = (
    Operation("arrays", "add", "(n, m), (m)"),
    Operation("arrays", "multiply", "(n, 1), (n, m)"),
    Operation("arrays", "unsqueeze", "..."),
    Operation("arrays", "transpose", "(n, m)"),
    Operation("neuron", "neuron", "(n_in), (n_in), ()"),
    Operation("neuron", "relu", "..."),
    Operation("layer", "layer", "(n_in), (n, n_in), (n)"),
    Operation("layer", "matmul", "(n, k), (k, m)"),
    Operation("layer", "MATMULS", "(n, k), (k, m)", "matmul"),
    Operation("layer", "linear", f"(batch, n_in), {AFFINE}"),
    Operation("mlp", "mlp", f"(batch, k), {NET}"),
    Operation("mlp", "mse", LOSS, loss=True),
    Operation("backward", "mse_grad", LOSS, loss=True),
    Operation("backward", "relu_grad", "..., ...", masks=True),
    Operation("backward", "linear_grad", "(batch, n_out), (batch, n_in), (n_in, n_out)"),
    Operation(
        "backward",
        "loss_and_grads",
        f"(batch, k), (batch, n), {NET} or (batch, k), (batch), {TO_ONE}",
        loss=True,
    ),
    Operation("module", "Linear", f"(batch, n_in) | {AFFINE}", "linear", _linear),
    Operation("module", "ReLU", "...", "relu", lambda lab: lab.impl.ReLU()),
    Operation("module", "Sequential", f"(batch, k) | {NET}", "mlp", _sequential),
    Operation("module", "MSELoss", LOSS, "mse", lambda lab: lab.impl.MSELoss(), loss=True),
    Operation(
        "module",
        "Model",
        f"(batch, k), (batch, n) | {NET} or (batch, k), (batch) | {TO_ONE}",
        "loss_and_grads",
        _model,
        loss=True,
    ),
    Operation(
        "module", "predict", f"(batch, k) | {NET}", "mlp", lambda lab, *layers: lab.model(_pairs(layers)).predict
    ),
    Operation("training", "cross_entropy", CLASSES, loss=True, labels=True, rational=False),
    Operation("training", "cross_entropy_grad", CLASSES, loss=True, labels=True, rational=False),
    Operation(
        "training",
        "CrossEntropyLoss",
        CLASSES,
        "cross_entropy",
        lambda lab: lab.impl.CrossEntropyLoss(),
        loss=True,
        labels=True,
        rational=False,
    ),
    Operation(
        "training",
        "Model of classes",
        f"(batch, k), (batch) | {TO_CLASSES}",
        "class_loss_and_grads",
        partial(_model, loss="CrossEntropyLoss"),
        loss=True,
        labels=True,
        rational=False,
    ),
    Operation(
        "training",
        "accuracy",
        CLASSES,
        by=_accuracy,
        labels=True,
        rational=False,
    ),
    Operation("training", "SGD", "| (n, m), (n, m), (n, m)", "sgd_step", _sgd, rational=False),
    Operation("training", "Batches", "| (batch, n), (batch)", "batches", _batches),
)


# ------------------------------------------------------------------------------------------------- what a refusal says

PARTS = {"mlp": ("linear", "relu"), "loss_and_grads": ("linear", "relu", "mse", "mse_grad", "linear_grad", "relu_grad")}
"""Function → what it is made of, whose refusal is as good as its own."""


def missing(operation: Operation, shapes: Sequence[Shape], message: str) -> list[str]:
    """What the message of a refusal does not say: the function, the shapes that it got, or those that it takes."""
    names = (operation.name, *PARTS.get(operation.name, ()))
    got = [mentions(message, shape) for shape in shapes]
    parts = {
        f"the function, {' or '.join(names)}": any(mentions(message, name) for name in names),
        f"the shapes {shapes}": any(got) if operation.name in PARTS else all(got),
        f"those that it takes, {operation.takes}": operation.name in PARTS or _says(message, operation),
    }
    return [part for part, said in parts.items() if not said]


def _says(message: str, operation: Operation) -> bool:
    """Whether names stand in brackets, as many as each array has axes; where sizes are only equal, a word for that."""
    wanted = [len(names) for names in operation.patterns[-1] if names and names != ANY_SHAPE]
    if operation.broadcasts or not wanted:
        return re.search(r"\.\.\.|equal|same|broadcast", message) is not None
    named = [
        len(re.findall(r"\w+", part)) for part in re.findall(r"[(\[]([a-z_][\w, ]*)[)\]]", message.replace(">0", ""))
    ]
    return all(named.count(n) >= wanted.count(n) for n in wanted)


# ------------------------------------------------------------------------------------------------- on what


@dataclass(frozen=True)
class Example:
    """An operation by one of its patterns, and the shapes of the arrays to run it on."""

    operation: Operation
    pattern: tuple[Pattern, ...]
    shapes: tuple[Shape, ...]

    def like(self, sizes: Mapping[str, int], any_shape: Shape) -> "Example":
        """Another by the same pattern."""
        shapes = (any_shape if names == ANY_SHAPE else tuple(sizes[name] for name in names) for names in self.pattern)
        return replace(self, shapes=tuple(shapes))

    def __str__(self) -> str:
        return f"{self.operation}{self.shapes}".replace(",)", ")")

    def numbers(
        self, array: Callable[[random.Random, Shape], Nested] | None = None, other: str = ""
    ) -> tuple[Nested, ...]:
        """Nested lists for its arguments, the same ones each time, or other ones; labels are whole numbers."""
        rng = random.Random(f"{self}{other}")
        return tuple(
            _labels(rng, shape, self.n_classes) if self.operation.labels and i == 1 else (array or rough)(rng, shape)
            for i, shape in enumerate(self.shapes)
        )

    @property
    def n_classes(self) -> int:
        """How many classes there are, if there are any."""
        return self.shapes[-1 if len(self.shapes) > 2 else 0][-1]

    @property
    def floats(self) -> list[int]:
        """The positions of the arguments that are no labels."""
        return [i for i in range(len(self.shapes)) if not (self.operation.labels and i == 1)]

    @property
    def mixtures(self) -> list[set[int]]:
        """The positions of what may not be of another dtype than the rest: each argument given, and all of them."""
        given = {i for i in self.floats if i < self.operation.n_given}
        return [odd for odd in [*({i} for i in given), given] if 0 < len(odd) < len(self.floats)]

    def filled(self, lab: Lab) -> list[Any]:
        """Arrays of these shapes that hold 0.5 everywhere, and labels 0."""
        return [lab.array(filled(0.5 if i in self.floats else 0, shape)) for i, shape in enumerate(self.shapes)]

    def with_each(self, odd: float, others: Callable[[random.Random, Shape], Nested]) -> Iterator[tuple[str, Any]]:
        """Its numbers with one after the other replaced by the odd one, and where that is."""
        numbers = self.numbers(others)
        for i in self.floats:
            for place in range(prod(self.shapes[i])):
                count = itertools.count(-place)
                replaced = elementwise(lambda z, count=count: z if next(count) else odd, numbers[i])
                yield f"element {place} of argument {i}", (*numbers[:i], replaced, *numbers[i + 1 :])

    def large(self, size: int) -> Iterator["Example"]:
        """The same with one axis after the other of that size, and two or one of all the rest."""
        for name in sorted({name for names in self.pattern for name in names if names != ANY_SHAPE} - {"1"}):
            yield self.like(dict.fromkeys(SIZES, 2) | {"1": 1, name: size}, ())
        if ANY_SHAPE in self.pattern:
            yield from (self.like({}, shape) for shape in ((size,), (2, size), (size, 2), (size, 1)))

    def misfits(self) -> Iterator[tuple[Shape, ...]]:
        """Shapes near these that do not fit: an axis too few or too many, a size of 1 or one too large."""
        seen, n = {self.shapes}, self.operation.n_given
        for shapes in (self.shapes[:n][::-1] + self.shapes[n:], *self._neighbours()):
            if shapes not in seen and not self.operation.fits(shapes):
                seen.add(shapes)
                yield shapes

    def _neighbours(self) -> Iterator[tuple[Shape, ...]]:
        for i, shape in enumerate(self.shapes[: self.operation.n_given]):
            for other in _around(shape, self.shapes[0][:1]):
                yield (*self.shapes[:i], other, *self.shapes[i + 1 :])


def _around(shape: Shape, batch: Shape) -> Iterator[Shape]:
    yield from (shape[1:], shape[:-1], (1, *shape), (*shape, 1), (*batch, *shape), shape[::-1])
    for i, size in enumerate(shape):
        yield from ((*shape[:i], other, *shape[i + 1 :]) for other in (1, size + 1))


def examples() -> Iterator[Example]:
    """An example by each pattern of each operation."""
    for operation in OPERATIONS:
        for pattern in operation.patterns:
            yield Example(operation, tuple(pattern), ()).like(SIZES, (SIZES["batch"], SIZES["n_out"]))


def rough(rng: random.Random, shape: Shape) -> Nested:
    """Numbers that float32 cannot hold: whatever is rounded through it comes back different."""
    return elementwise(lambda number: number * 1.1, dyadic(rng, *shape))


def _labels(rng: random.Random, shape: Shape, n_classes: int) -> Nested:
    """The last class, which a short dtype cannot hold, and others."""
    return [n_classes - 1, *(rng.randrange(n_classes) for _ in range(shape[0] - 1))]


@cache
def exact_numbers(example: Example, other: str = "") -> tuple[Nested, ...]:
    """An example's numbers, of which every float dtype holds each to the last bit."""
    return example.numbers(eighths, other)


def eighths(rng: random.Random, shape: Shape) -> Nested:
    """Numbers that every float dtype can hold."""
    return dyadic(rng, *shape)


def zeros(_: random.Random, shape: Shape) -> Nested:
    """Nothing else, so that whatever is odd meets a 0."""
    return filled(0.0, shape)


@cache
def answer(example: Example, dtype: str) -> Any:
    """The exact result of an example's own numbers, as the dtype holds them."""
    return example.operation.answer(*held(example.numbers(), dtype))
