"""Every line of the table of operations, on every level; each counts for the stage of its operation."""

import math
from dataclasses import replace
from typing import Any

import pytest

from shared_specs import contract, operations, strategies
from shared_specs.compare import refused
from shared_specs.lab import Lab, held, overwrite, rewrite
from shared_specs.operations import Example
from shared_specs.oracle import elementwise, flat, magnitude
from shared_specs.strategies import holds_for

ALL = list(operations.examples())
LOSSES = [example for example in ALL if example.operation.loss]
WITH_LABELS = [example for example in ALL if example.operation.labels]
WITH_ROOM = [example for example in ALL if next(example.misfits(), None)]
MIXABLE = [example for example in ALL if example.mixtures]
GIVEN = [example for example in ALL if example.operation.n_given]
SHIFTABLE = [example for example in ALL if example.operation.takes in (operations.LOSS, operations.CLASSES)]
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


@every(ALL)
def test_results_stay_when_called_again(lab: Lab, example: Example) -> None:
    """Results lie in a buffer that the next call writes into: of a function, of an object, or of all of a class."""
    n = example.operation.n_given
    for call, make in example.operation.made(lab).items():
        arguments, others = (
            tuple(map(lab.array, operations.exact_numbers(example, other))) for other in ("", "others")
        )
        compute = make(*arguments[n:])
        first = compute(*arguments[:n])
        before = lab.read(first)
        make(*others[n:])(*others[:n])
        if n:
            compute(*others[:n])
        assert lab.read(first) == before, f"{call}{example.shapes}: a later call changed an earlier result"


@every(GIVEN)
def test_arguments_can_be_written_to(lab: Lab, example: Example) -> None:
    """What was computed is remembered by the array it came from, and the array holds other numbers by now."""
    n = example.operation.n_given
    for call, make in example.operation.made(lab).items():
        first, second = (operations.exact_numbers(example, other) for other in ("", "others"))
        compute, arguments = make(*map(lab.array, first[n:])), list(map(lab.array, first[:n]))
        compute(*arguments)
        if all(
            rewrite(array, numbers) for array, numbers in zip(arguments, second, strict=False) if lab.impl.shape(array)
        ):
            numbers = [*map(lab.impl.tolist, arguments), *first[n:]]
            expected = example.operation.by_formula(*numbers)[0]
            lab.check(f"{call}{example.shapes}, arguments written to", compute(*arguments), expected)


@every(GIVEN)
def test_results_can_be_written_to(lab: Lab, example: Example) -> None:
    """Whoever writes into a result writes into what the next call is made from: a cache, or a buffer."""
    n = example.operation.n_given
    for call, make in example.operation.made(lab).items():
        numbers = operations.exact_numbers(example)
        compute = make(*map(lab.array, numbers[n:]))
        for _ in range(2):
            overwrite(compute(*map(lab.array, numbers[:n])))
        again = compute(*map(lab.array, numbers[:n]))
        lab.check(f"{call}{example.shapes}, its results written to", again, example.operation.by_formula(*numbers)[0])


# ------------------------------------------------------------------------------------------------- odd numbers


@every(ALL)
@pytest.mark.parametrize("others", [operations.eighths, operations.zeros], ids=["among others", "among zeros"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nan_and_infinities_go_where_they_must(lab: Lab, example: Example, others: Any) -> None:
    """A nan or an infinity is hidden or spreads: by a maximum, a mask, a skipped 0; 0 × inf is nan by IEEE 754."""
    small = example.like(dict.fromkeys(operations.SIZES, 2) | {"1": 1}, (2, 2))
    for call, compute in example.operation.ways(lab).items():
        for odd in (math.nan, math.inf, -math.inf):
            for place, numbers in small.with_each(odd, others):
                got = compute(*map(lab.array, numbers))
                allowed = example.operation.by_formula(*numbers)
                lab.check(f"{call}{small.shapes}, {odd} at {place} {numbers}", got, chosen(lab.read(got), *allowed))


def chosen(got: Any, either: Any, other: Any = None) -> Any:
    """Where a NaN may be masked or not: what came back, if it is one of the two."""
    numbers = flat(got)

    def nearer(a: float, b: float) -> float:
        number = next(numbers, a)
        return b if math.isclose(number, b, rel_tol=1e-5) or (math.isnan(number) and math.isnan(b)) else a

    return either if other is None else elementwise(nearer, either, other)


@every(ALL)
@pytest.mark.parametrize("sign", [-1, 1], ids=["tiny", "huge"])
def test_results_of_huge_and_tiny_numbers_are_right(lab: Lab, example: Example, sign: int) -> None:
    """An epsilon is added, small numbers are taken for 0, or large ones are cut: in one argument, or in all."""
    factor = 2.0 ** (sign * (35 if lab.dtype == "float32" else 300))
    for scaled in [*({i} for i in example.floats), *([set(example.floats)] if sign < 0 else [])]:
        numbers = [
            elementwise(lambda z: z * factor, array) if i in scaled else array
            for i, array in enumerate(operations.exact_numbers(example))
        ]
        for call, compute in example.operation.ways(lab).items():
            got = compute(*map(lab.array, numbers))
            lab.check(f"{call}{example.shapes}, {scaled} × {factor}", got, example.operation.by_formula(*numbers)[0])


@every(SHIFTABLE)
def test_losses_see_differences_only(lab: Lab, example: Example) -> None:
    """The same large number added everywhere changes a loss: a square or a logarithm is expanded, and digits cancel."""
    shift = 2.0 ** (20 if lab.dtype == "float32" else 40)
    numbers = operations.exact_numbers(example)
    shifted = [elementwise(lambda z: z + shift, a) if i in example.floats else a for i, a in enumerate(numbers)]
    for call, compute in example.operation.ways(lab).items():
        got = compute(*map(lab.array, shifted))
        lab.check(f"{call}{example.shapes}, all + {shift}", got, example.operation.by_formula(*numbers)[0])


# ------------------------------------------------------------------------------------------------- large arrays


@every(ALL)
@pytest.mark.parametrize("size", [33, 100, 257])
def test_results_are_right_at_large_sizes(one_lab: Lab, example: Example, size: int) -> None:
    """It is right up to a size: a block, an unrolled loop, a label in 8 bits, or a cut at 256 in one axis."""
    for large in example.large(size):
        numbers = operations.exact_numbers(large)
        for call, compute in example.operation.ways(one_lab).items():
            one_lab.check(
                f"{call}{large.shapes}",
                compute(*map(one_lab.array, numbers)),
                example.operation.by_formula(*numbers)[0],
            )


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
def test_mixed_dtypes_are_refused(
    impl: Any, device: str, mixed_dtypes: list[tuple[str, str]], example: Example
) -> None:
    """Float32 meets float64: the result is of the lesser precision, or memory is read wrong."""
    for dtypes in mixed_dtypes:
        lab, other = (Lab(impl, dtype, device) for dtype in dtypes)
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
