"""The formulas against the oracle, which knows no derivatives; and what IEEE 754 says, by hand."""

import math

import pytest

from shared_specs import formulas, operations
from shared_specs.lab import held
from shared_specs.oracle import exact, flat

EXAMPLES = list(operations.examples())


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example.operation.rational], ids=str)
def test_formulas_are_exact_on_fractions(example):
    """A formula says something else than the definition."""
    numbers = held(operations.exact_numbers(example), "float64")
    for answer in example.operation.by_formula(*numbers):
        assert answer == example.operation.answer(*numbers)


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_formulas_are_right_on_floats(example):
    """An expected value is rounded, or a formula with exponentials is another one."""
    numbers = operations.exact_numbers(example)
    expected = list(flat(example.operation.answer(*held(numbers, "float64"))))
    for answer in example.operation.by_formula(*numbers):
        assert [float(number) for number in flat(answer)] == pytest.approx(list(map(float, expected)), rel=1e-14)


def test_formulas_follow_ieee_rules():
    """0 × inf is nan, a dead unit stops what is infinite, and relu keeps a nan."""
    inf, nan = math.inf, math.nan
    assert math.isnan(formulas.matmul([[0.0, 1.0]], [[inf], [1.0]])[0][0])
    assert formulas.relu([-inf, inf]) == [0, inf]
    assert math.isnan(formulas.relu(nan))
    assert formulas.relu_grad([inf, nan, nan], [-1.0, 0.0, nan]) == [0, 0, 0]
    assert math.isnan(formulas.relu_grad([nan], [nan], where_nan=True)[0])
    assert formulas.cross_entropy([[-inf, 0.0]], [0]) == inf
    assert formulas.cross_entropy_grad([[-inf, 0.0]], [0]) == [[-1, 1]]


def test_a_net_of_dead_units_is_right_too():
    """At its kink a unit counts as off."""
    params, x, target = exact(([([[1.0]], [-1.0]), ([[2.0]], [0.5])], [[1.0]], [[0.0]]))
    assert formulas.loss_and_grads(params, x, target)[1] == exact([([[0.0]], [0.0]), ([[0.0]], [1.0])])
