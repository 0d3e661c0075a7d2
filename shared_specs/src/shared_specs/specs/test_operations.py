"""Every line of the table of operations, on every level; each counts for the stage of its operation."""

import math
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from shared_specs import contract, operations, strategies
from shared_specs.compare import refused
from shared_specs.lab import Lab, held
from shared_specs.operations import Example
from shared_specs.oracle import flat, magnitude
from shared_specs.strategies import holds_for

ALL = list(operations.examples())
LOSSES = [example for example in ALL if example.operation.loss]
WITH_LABELS = [example for example in ALL if example.operation.labels]
WITH_ROOM = [example for example in ALL if next(example.misfits(), None)]
MIXABLE = [example for example in ALL if example.mixtures]
POLITE = [example for example in WITH_ROOM if example.operation.is_function]


def every(examples: list[Example]) -> pytest.MarkDecorator:
    """Run a spec on each of these, as one of the operation's stage."""
    marked = [pytest.param(example, marks=getattr(pytest.mark, example.operation.stage)) for example in examples]
    return pytest.mark.parametrize("example", marked, ids=str)


# ------------------------------------------------------------------------------------------------- right numbers


@every(ALL)
@pytest.mark.parametrize("layout", ["as made", "frozen", "transposed", "sliced"])
def test_results_are_right_in_full_precision(lab: Lab, example: Example, layout: str) -> None:
    """Float64 is rounded through float32, the result has another dtype, or an array is read in the order of memory."""
    for call, compute in example.operation.ways(lab).items():
        arguments = map(lab.array, example.numbers())
        laid_out = arguments if layout == "as made" else map(getattr(lab, layout), arguments)
        lab.check(f"{call}{example.shapes}, arrays {layout}", compute(*laid_out), operations.answer(example, lab.dtype))


@every(ALL)
@holds_for(data=strategies.data())
def test_results_are_right_at_any_size(one_lab: Lab, exact_lab: Lab, example: Example, data: Any) -> None:
    """Some size, depth or batch comes out wrong, or a unit at its kink; on Fractions not even by a rounding."""
    lab = exact_lab if example.operation.rational else one_lab
    numbers = data.draw(strategies.arguments(example))
    expected = strategies.remembered(example.operation.answer, *held(numbers, "float64"))
    for call, compute in example.operation.ways(lab).items():
        lab.check(call, compute(*map(lab.array, numbers)), expected, scale=magnitude(expected))


# ------------------------------------------------------------------------------------------------- what stays


@every(ALL)
def test_arguments_stay_as_they_are(lab: Lab, example: Example) -> None:
    """A function works in place: the caller's arrays, or what a net was loaded from, change."""
    for call, compute in example.operation.ways(lab).items():
        arguments = tuple(map(lab.array, example.numbers()))
        before = lab.read(arguments)
        compute(*arguments)
        assert lab.read(arguments) == before, f"{call}{example.shapes} changed its arguments"


@every([example for example in ALL if not example.operation.masks])
def test_nan_is_never_hidden(lab: Lab, example: Example) -> None:
    """A nan, the trace of a mistake further up, is hidden: by a maximum, a comparison or a mask."""
    for call, compute in example.operation.ways(lab).items():
        for place, numbers in example.with_nan():
            found = list(flat(lab.read(compute(*map(lab.array, numbers)))))
            assert any(map(math.isnan, found)), f"{call}{example.shapes}: nan at {place}, and none in {found}"


# ------------------------------------------------------------------------------------------------- what is refused


@every(WITH_ROOM)
def test_shapes_that_do_not_fit_are_refused(one_lab: Lab, example: Example) -> None:
    """Shapes that do not fit are cut or broadcast until they do: a size of 1, an axis too few or too many."""
    for call, compute in example.operation.ways(one_lab).items():
        for shapes in example.misfits():
            arguments = replace(example, shapes=shapes).filled(one_lab)
            with refused(f"{call}{shapes}"):
                compute(*arguments)


@every(MIXABLE)
def test_mixed_dtypes_are_refused(impl: Any, device: str, example: Example) -> None:
    """Float32 meets float64: the result is of the lesser precision, or memory is read wrong."""
    labs = [Lab(impl, dtype, device) for dtype in impl.DTYPES]
    for lab, other in permutations(labs, 2):
        for call, compute in example.operation.ways(lab).items():
            for odd in example.mixtures:
                arrays = [(other if i in odd else lab).array(values) for i, values in enumerate(example.numbers())]
                with refused(f"{call}{example.shapes}, arguments {odd} in {other.dtype}, others in {lab.dtype}"):
                    compute(*arrays)


MAKERS = {
    "asarray": lambda impl, **where: impl.asarray([1.0], **where),
    "normal": lambda impl, **where: impl.normal(2, 3, 1.0, 0, **where),
    "init_mlp": lambda impl, **where: impl.init_mlp([3, 2], 0, **where),
    "Linear": lambda impl, **where: impl.Linear(3, 2, **where),
    "Model": lambda impl, **where: impl.Model([3, 2], **where),
}
"""What makes arrays of the dtype and on the device that it is told."""


@pytest.mark.parametrize(
    "maker", [pytest.param(name, marks=getattr(pytest.mark, str(contract.stage_of(name)))) for name in MAKERS]
)
def test_unknown_dtypes_and_devices_are_refused(impl: Any, maker: str) -> None:
    """A misspelt dtype or device is ignored: the numbers are of another precision, or lie where nobody expects them."""
    unknown = {"abacus", "float8", "double", "float32", "float64"} - set(impl.DTYPES)
    for where in (*({"dtype": name} for name in unknown), {"device": "abacus"}):
        with refused(f"{maker}(…, {where})"):
            MAKERS[maker](impl, **where)


@every(LOSSES)
def test_an_empty_batch_is_refused(one_lab: Lab, example: Example) -> None:
    """The mean of nothing is nan or 0, and a run over no data looks like one that works."""
    n = example.operation.n_given
    for call, compute in example.operation.ways(one_lab).items():
        for empty in (lambda array: array[:0], lambda array: one_lab.array([])):
            arguments = [one_lab.array(values) for values in example.numbers()]
            with refused(f"{call} of an empty batch"):
                compute(*map(empty, arguments[:n]), *arguments[n:])


@every(WITH_LABELS)
def test_labels_that_are_no_classes_are_refused(one_lab: Lab, example: Example) -> None:
    """A label of −1 counts from the end, −100 is ignored as in PyTorch, or n_classes reads another sample's logits."""
    logits, labels, *loaded = example.numbers()
    for call, compute in example.operation.ways(one_lab).items():
        for wrong in (-1, -100, example.n_classes, 2**40):
            for place in range(len(labels)):
                odd = [*labels[:place], wrong, *labels[place + 1 :]]
                with refused(f"{call}, labels {odd} of {example.n_classes} classes"):
                    compute(*map(one_lab.array, (logits, odd, *loaded)))


@every(WITH_LABELS)
def test_labels_that_are_floats_are_refused(one_lab: Lab, example: Example) -> None:
    """Targets of a regression are taken for classes, and cut to whole numbers."""
    logits, labels, *loaded = example.numbers()
    for call, compute in example.operation.ways(one_lab).items():
        for shift in (0.0, 0.25):
            odd = [label + shift for label in labels]
            with refused(f"{call}, labels {odd}"):
                compute(*map(one_lab.array, (logits, odd, *loaded)))


# ------------------------------------------------------------------------------------------------- courtesy


@pytest.mark.courtesy
@every(POLITE)
def test_refusals_name_the_function_and_the_shapes(one_lab: Lab, example: Example) -> None:
    """Who reads the message does not learn which function got which shapes, and which ones it takes."""
    for call, compute in example.operation.ways(one_lab).items():
        for shapes in example.misfits():
            arguments = replace(example, shapes=shapes).filled(one_lab)
            with pytest.raises(ValueError) as refusal:  # noqa: PT011
                compute(*arguments)
            absent = operations.missing(example.operation, shapes, str(refusal.value))
            assert not absent, f'{call}{shapes}: "{refusal.value}" does not name {", nor ".join(absent)}'
