"""Stage 1, neuron: a weighted sum with a bias, and the bend after it."""

import math
from typing import Any

import pytest

from shared_specs import oracle
from shared_specs.compare import refused
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact

INF, NAN = math.inf, math.nan


# ------------------------------------------------------------------------------------------------- neuron


@pytest.mark.parametrize(("weights", "answer"), [([5.0, 7.0], 19), ([6.0, 8.0], 22)], ids=["top", "lower"])
def test_neuron_gives_the_numbers_of_the_article(impl: Any, lab: Lab, weights: Nested, answer: int) -> None:
    """The two neurons that the article draws, 1·5 + 2·7 and 1·6 + 2·8, come out wrong."""
    lab.check(
        f"neuron([1, 2], {weights}, 0)", impl.neuron(lab.array([1.0, 2.0]), lab.array(weights), lab.array(0.0)), answer
    )


@pytest.mark.parametrize(
    ("inputs", "weights", "bias"),
    [
        ([2.0], [3.0], 0.5),
        ([1.0, 2.0], [0.5, -4.0], 0.25),
        ([1.5, -2.0, 0.125], [-1.0, 0.75, 8.0], -3.0),
        ([-1.0, 2.0, -3.0, 4.0, -5.0], [0.5, 0.25, -0.125, 1.0, 2.0], 10.0),
    ],
    ids=str,
)
def test_neuron_adds_every_product_and_the_bias(
    impl: Any, lab: Lab, inputs: Nested, weights: Nested, bias: float
) -> None:
    """A product or the bias is left out, or counted twice."""
    got = impl.neuron(lab.array(inputs), lab.array(weights), lab.array(bias))
    lab.check(f"neuron({inputs}, {weights}, {bias})", got, oracle.neuron(*exact((inputs, weights, bias))))


def test_neuron_is_taken_before_the_activation(impl: Any, lab: Lab) -> None:
    """A sum below 0 is cut off already here, and then once more by relu."""
    got = impl.neuron(lab.array([1.0, 2.0]), lab.array([-3.0, -4.0]), lab.array(1.0))
    lab.check("neuron([1, 2], [−3, −4], 1)", got, -10, likely={"relu is applied already": 0})


@pytest.mark.courtesy
def test_neuron_takes_its_arguments_by_name(impl: Any, lab: Lab) -> None:
    """A check in front of a function loses the names, and mixes up what came by name or leaves it out."""
    inputs, weights, bias = lab.array([1.0, 2.0]), lab.array([0.5, -4.0]), lab.array(0.25)
    lab.check("neuron(bias=…, …)", impl.neuron(bias=bias, weights=weights, inputs=inputs), -7.25)
    lab.check("neuron(inputs, bias=…, …)", impl.neuron(inputs, bias=bias, weights=weights), -7.25)


def test_neuron_refuses_mixed_dtypes_beside_a_number(
    impl: Any, device: str, mixed_dtypes: list[tuple[str, str]]
) -> None:
    """A plain number among the arguments turns the check of the others' dtypes off."""
    for one, other in mixed_dtypes:
        with refused(f"neuron({one}, {other}, 0.5)"):
            impl.neuron(impl.asarray([1.0], one, device), impl.asarray([1.0], other, device), 0.5)


# ------------------------------------------------------------------------------------------------- relu


@pytest.mark.parametrize(
    "x",
    [
        [-2.0, -0.125, 0.0, 0.125, 2.0],
        [[1.0, -1.0], [-3.5, 4.0], [0.0, -0.0]],
        [[[-1.0], [2.0]], [[3.0], [-4.0]]],
        [],
        [2.0**-100, -(2.0**-100)],  # apart from large numbers, beside which the tolerance would hide them
        [2.0**100, -(2.0**100)],
    ],
    ids=str,
)
def test_relu_keeps_what_is_positive(impl: Any, lab: Lab, x: Nested) -> None:
    """Something below 0 passes, or something above 0 is changed, however small."""
    lab.check(f"relu({x})", impl.relu(lab.array(x)), oracle.relu(exact(x)))


@pytest.mark.parametrize("number", [3.5, 2.0**-60, 0.0, -0.0, -(2.0**-60), -3.5])
def test_relu_takes_a_plain_number(impl: Any, number: float) -> None:
    """Only arrays are accepted, or a number is turned into something that cannot be used as one."""
    assert float(impl.relu(number)) == max(number, 0.0)


def test_relu_of_a_number_has_one_type_on_both_sides(impl: Any) -> None:
    """A float below 0 becomes the int 0: the result's type depends on the value."""
    assert type(impl.relu(-1.5)) is type(impl.relu(1.5))


def test_relu_keeps_nan(impl: Any, lab: Lab) -> None:
    """A nan becomes 0, and a net that has diverged looks alive: max(0.0, nan) is 0.0."""
    lab.check("relu([nan, 1, -1])", impl.relu(lab.array([NAN, 1.0, -1.0])), [NAN, 1, 0])
    assert math.isnan(impl.relu(NAN))


def test_relu_of_infinities(impl: Any, lab: Lab) -> None:
    """An overflow is hidden, or −inf becomes nan because a mask of 0 is multiplied with it."""
    lab.check("relu([inf, -inf])", impl.relu(lab.array([INF, -INF])), [INF, 0])
