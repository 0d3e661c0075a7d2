"""What becomes of models and optimizers, whatever is done with them in whatever order: the contract, on Fractions.

Twins know what the models must hold. After each move what came back is compared with them; then they take the rounded
numbers over, so that errors do not add up, and nothing else may have changed by a single bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared_specs import formulas, oracle
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact, magnitude

Slot = tuple[int, int]
"""Which model, and which of its parameters."""

BATCHES: Sequence[tuple[Nested, Nested]] = [
    ([[1.0, -0.5], [0.5, 2.0]], [[1.0, 0.5], [-2.0, 1.0]]),
    ([[-1.0, 1.0], [2.0, 0.5]], [[0.5, -1.0], [1.0, 2.0]]),
    ([[0.5, 1.0], [-2.0, -1.0]], [[-0.5, 2.0], [0.5, 1.0]]),
    ([[2.0, 1.0]], [[0.5, -0.5]]),
]
_FIRST = [([[1.0, -0.5], [0.5, 1.5]], [0.5, -0.25]), ([[-1.0, 0.5], [1.5, 1.0]], [0.25, 0.5])]
_OTHER = [([[-0.5, 1.0], [1.5, 0.5]], [0.25, 0.5]), ([[0.5, 1.0], [-1.5, 0.5]], [-0.5, 0.125])]
STARTS: Sequence[Sequence[tuple[Nested, Nested]]] = [_FIRST, _OTHER, _FIRST[:1], _OTHER]


@dataclass
class Twin:
    """A model as it must be: two layers, or one that is used twice."""

    model: Any
    data: list[Nested]
    """Of each parameter, in the order and the orientation of the model."""
    grads: list[Nested] = field(default_factory=list)
    uses: int = 1
    loss: Any = None
    """What it was given as a loss, if anything."""
    of_classes: bool = False
    pending: list[Nested] | None = None
    """What the next backward adds."""
    stale: bool = False
    """Whether the parameters have changed since the forward: then backward is the framework's own affair."""

    @property
    def layers(self) -> list[tuple[Nested, Nested]]:
        """[(w, b), …] in the functions' orientation."""
        return [(oracle.transpose(w), b) for w, b in zip(self.data[::2], self.data[1::2], strict=True)] * self.uses

    def forward(self, batch: tuple[Nested, Nested]) -> Any:
        """The loss."""
        x, target = batch
        if self.of_classes:
            loss, pairs = formulas.class_loss_and_grads(self.layers, exact(x), labels(target))
        else:
            loss, pairs = formulas.loss_and_grads(self.layers, *exact(batch))
        grads = [part for w, b in pairs for part in (oracle.transpose(w), b)]
        n = len(self.data)
        self.pending = [elementwise(lambda *uses: sum(uses), *grads[i::n]) for i in range(n)]
        self.stale = False
        return loss

    def backward(self) -> None:
        """Add to the gradients."""
        assert self.pending is not None
        self.grads = [added(old, new) for old, new in zip(self.grads, self.pending, strict=True)]
        self.pending = None


def labels(target: Nested) -> list[int]:
    """A batch's targets as classes."""
    return [int(row[0] > 0) for row in target]


def added(a: Nested, b: Nested) -> Nested:
    """a + b; None is no gradient."""
    return b if a is None else elementwise(lambda x, y: x + y, a, b)


@dataclass
class Stepper:
    """An optimizer as it must be."""

    optimizer: Any
    slots: list[Slot]
    rates: Sequence[Fraction]
    buffers: dict[Slot, Nested] = field(default_factory=dict)


MODELS, OPTIMIZERS, SOME_BATCH = (st.integers(0, last) for last in (3, 1, 3))
ALIKE = st.sampled_from([0, 1, 3])
SLOTS = st.sampled_from([(0, 0), (0, 1), (0, 3), (1, 0), (1, 2), (2, 0), (2, 1), (3, 1)])
VALUES = st.sampled_from([-1.0, 0.5, 2.0, 0.0])
KINDS: Sequence[Any] = [
    st.tuples(st.just(name), *arguments)
    for name, *arguments in (
        ("forward", MODELS, SOME_BATCH),
        ("backward", MODELS),
        ("look", MODELS, SOME_BATCH, st.sampled_from(["predict", "layers"])),
        ("measure", SOME_BATCH),
        ("forget", MODELS),
        ("forget_all", OPTIMIZERS),
        ("set_grad", SLOTS, st.none() | VALUES),
        ("step", OPTIMIZERS),
        ("copy", ALIKE, ALIKE),
        ("write", SLOTS, VALUES, st.booleans()),
        ("fit", MODELS, st.lists(SOME_BATCH, min_size=1, max_size=2)),
    )
]
AROUND = st.tuples(st.just("there_and_back"), MODELS, SOME_BATCH, st.none() | st.one_of(*KINDS))
MOVES = st.one_of(*KINDS, AROUND, AROUND)
"""What can be done, and with what: one draw a move, so that every history is a mixture."""


class History(RuleBasedStateMachine):
    """Four models, one of classes, one tied; two optimizers that share a parameter; and all that can be done."""

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.lab = lab
        self.batches: list[Any] = [lab.array((x, target, labels(target))) for x, target in BATCHES]
        self.kept: list[tuple[Any, Nested]] = []  # results, and what they were
        impl = lab.impl
        losses = [None, impl.CrossEntropyLoss(), impl.MSELoss(), None]
        models = [lab.model(lab.array(list(start)), loss) for start, loss in zip(STARTS, losses, strict=True)]
        models[2].layers = impl.Sequential(models[2].layers, impl.ReLU(), models[2].layers)
        self.twins = [Twin(model, [], loss=loss) for model, loss in zip(models, losses, strict=True)]
        self.twins[1].of_classes, self.twins[2].uses = True, 2
        for twin in self.twins:
            twin.data = [exact(lab.read(p.data)) for p in twin.model.parameters()]
            twin.grads = [None] * len(twin.data)
        slots = [[(m, i) for i in range(len(twin.data))] for m, twin in enumerate(self.twins)]
        self.steppers = [
            self._stepper([*slots[0], *slots[2]], (0.0625, 0.5, 0.25)),
            self._stepper([*slots[1], (0, 0), *slots[3]], (0.125, 0.75, 0.0)),
        ]

    def _stepper(self, slots: list[Slot], rates: tuple[float, float, float]) -> Stepper:
        optimizer = self.lab.impl.SGD((self.parameter(slot) for slot in slots), *rates)
        return Stepper(optimizer, slots, list(map(Fraction, rates)))

    def parameter(self, slot: Slot) -> Any:
        """A parameter of a model."""
        return list(self.twins[slot[0]].model.parameters())[slot[1]]

    @rule(move=MOVES)
    def any_move(self, move: Sequence[Any]) -> None:
        """Whatever comes."""
        self.make(*move)

    def make(self, name: str, *arguments: Any) -> None:
        """A move by its name."""
        getattr(self, name)(*arguments)

    # What can be done

    def forward(self, m: int, batch: int) -> None:
        """A loss."""
        twin = self.twins[m]
        got = twin.model(*self._batch(m, batch))
        loss = twin.forward(BATCHES[batch])
        self.lab.check(f"models[{m}](x, target)", got, loss, scale=magnitude(loss))
        self._keep(got)

    def _batch(self, m: int, batch: int) -> tuple[Any, Any]:
        """A batch for a model, the same arrays every time."""
        return self.batches[batch][:: 2 if self.twins[m].of_classes else 1][:2]

    def _keep(self, result: Any) -> None:
        """A result that must stay what it is."""
        if result is not None:
            self.kept.append((result, self.lab.read(result)))

    def there_and_back(self, m: int, batch: int, between: Sequence[Any] | None) -> None:
        """A loss and gradients, and something else in between."""
        self.forward(m, batch)
        if between:
            self.make(*between)
        self.backward(m)

    def backward(self, m: int) -> None:
        """Gradients, if there is a loss to go back from."""
        twin = self.twins[m]
        if twin.pending is None:
            try:
                twin.model.backward()
            except RuntimeError:
                return
            raise AssertionError(f"models[{m}].backward() without a forward: raised nothing, expected a RuntimeError")
        if not twin.stale:
            twin.model.backward()
            twin.backward()
            self._compare(m, "grad")

    def look(self, m: int, batch: int, how: str) -> None:
        """An output, by predict or by the layers themselves."""
        expected = formulas.mlp(exact(BATCHES[batch][0]), self.twins[m].layers)
        got = getattr(self.twins[m].model, how)(self.batches[batch][0])
        self.lab.check(f"models[{m}].{how}(x)", got, expected, scale=magnitude(expected))
        self._keep(got)

    def measure(self, batch: int) -> None:
        """A loss that a model was given, on something else."""
        output, target, classes = self.batches[batch]
        values = exact(BATCHES[batch])
        of_classes = formulas.cross_entropy(values[0], labels(values[1]))
        self.lab.check("the loss of models[1]", self.twins[1].loss(output, classes), of_classes)
        self.lab.check("the loss of models[2]", self.twins[2].loss(output, target), oracle.mse(*values))

    def forget(self, m: int) -> None:
        """A model's own zero_grad, which may leave zeros."""
        twin = self.twins[m]
        before = [p.grad for p in twin.model.parameters()]
        twin.model.zero_grad()
        for grad, parameter in zip(before, twin.model.parameters(), strict=True):
            self._keep(grad if parameter.grad is None else None)
        left = [p.grad for p in twin.model.parameters()]
        assert all(grad is None or not any(oracle.flat(self.lab.read(grad))) for grad in left)
        twin.grads = [None if grad is None else exact(self.lab.read(grad)) for grad in left]

    def forget_all(self, o: int) -> None:
        """An optimizer's zero_grad."""
        for slot in self.steppers[o].slots:
            self._keep(self.parameter(slot).grad)
        self.steppers[o].optimizer.zero_grad()
        for m, i in self.steppers[o].slots:
            self.twins[m].grads[i] = None

    def set_grad(self, slot: Slot, value: float | None) -> None:
        """A gradient that nobody has computed, or none."""
        m, i = slot
        shape = self.lab.impl.shape(self.parameter(slot).data)
        self.parameter(slot).grad = None if value is None else self.lab.array(filled_with(value, shape))
        self.twins[m].grads[i] = None if value is None else exact(filled_with(value, shape))

    def step(self, o: int) -> None:
        """A step."""
        self.steppers[o].optimizer.step()
        for m in self._step(self.steppers[o]):
            self.twins[m].stale = True
            self._compare(m, "data")

    def _step(self, stepper: Stepper) -> set[int]:
        moved = set()
        for m, i in stepper.slots:
            twin = self.twins[m]
            if twin.grads[i] is not None:
                buffer = stepper.buffers.get((m, i))
                twin.data[i], buffer = oracle.sgd_step(twin.data[i], twin.grads[i], buffer, *stepper.rates)
                stepper.buffers[m, i] = buffer
                moved.add(m)
        return moved

    def copy(self, m: int, other: int) -> None:
        """One model's state for another, which goes its own way from then on."""
        self.twins[m].model.load_state_dict(self.twins[other].model.state_dict())
        self.twins[m].data, self.twins[m].stale = list(self.twins[other].data), True

    def write(self, slot: Slot, value: float, in_place: bool) -> None:
        """Numbers that a user sets: the first row in place, where arrays allow it, or all of them."""
        m, i = slot
        parameter, data = self.parameter(slot), elementwise(float, self.twins[m].data[i])
        data[0] = elementwise(lambda _: value, data[0])
        try:
            if not in_place:
                raise TypeError
            row = parameter.data[0] if i % 2 == 0 else parameter.data
            for j in range(len(row) if i % 2 == 0 else 1):
                row[j] = value
        except TypeError:
            parameter.data = self.lab.array(data)
        self.twins[m].data[i], self.twins[m].stale = exact(data), True

    def fit(self, m: int, batches: list[int]) -> None:
        """Training on some batches, with what is left of earlier steps."""
        o = m % 2
        twin, stepper = self.twins[m], self.steppers[o]
        pairs = [self._batch(m, batch) for batch in batches]
        got = self.lab.impl.fit(twin.model, pairs, stepper.optimizer, 1)
        losses, moved = [], {m}
        for batch in batches:
            for other, i in stepper.slots:
                self.twins[other].grads[i] = None
            losses.append(twin.forward(BATCHES[batch]))
            twin.backward()
            moved |= self._step(stepper)
        self.lab.check(f"fit(models[{m}], …)", self.lab.array(got), losses, scale=magnitude(losses))
        self.forget_all(o)
        for other in moved:
            self.twins[other].stale = True
            self._compare(other, "data")

    # What is compared

    def _compare(self, m: int, what: str) -> None:
        """A model's numbers with its twin's, which takes them over."""
        twin = self.twins[m]
        wanted = twin.data if what == "data" else twin.grads
        for i, (parameter, values) in enumerate(zip(twin.model.parameters(), wanted, strict=True)):
            got = getattr(parameter, what)
            if values is None:
                assert got is None, f"models[{m}], parameter {i}: got a gradient, expected none"
            else:
                self.lab.check(f"models[{m}], parameter {i}: .{what}", got, values, scale=magnitude(values))
                wanted[i] = exact(self.lab.read(got))

    @invariant()
    def unchanged(self) -> None:
        """Nothing but what was meant has changed."""
        for result, before in self.kept:
            assert self.lab.read(result) == before, f"{before} was a result, which has become {self.lab.read(result)}"
        for m, twin in enumerate(self.twins):
            for i, parameter in enumerate(twin.model.parameters()):
                grad = None if parameter.grad is None else self.lab.read(parameter.grad)
                assert self.lab.read(parameter.data) == twin.data[i], f"models[{m}], parameter {i}: .data changed"
                assert grad == twin.grads[i], f"models[{m}], parameter {i}: .grad changed"


def filled_with(value: float, shape: tuple[int, ...]) -> Nested:
    """Numbers of that shape, each another."""
    if not shape:
        return value
    return [filled_with(value * 2.0**-i, shape[1:]) for i in range(shape[0])]
