"""Stage 4, backward: every gradient, element by element, against exact differences of the forward definitions."""

import math
from functools import cache
from typing import Any

import pytest

from shared_specs import oracle
from shared_specs.cases import (
    ALL_NETS,
    DEAD,
    ERRORS,
    FACTOR_IDS,
    FACTORS,
    NETS,
    Net,
    answers,
)
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact, flat

INF, NAN = math.inf, math.nan


# ------------------------------------------------------------------------------------------------- mse_grad


@pytest.mark.parametrize(("output", "target"), ERRORS, ids=str)
def test_mse_grad_is_the_slope_of_mse(impl: Any, lab: Lab, output: Nested, target: Nested) -> None:
    """The factor 2 or the 1/n is missing, n is the batch and not all elements, or output's shape is lost."""
    got = impl.mse_grad(lab.array(output), lab.array(target))
    lab.check(f"mse_grad({output}, {target})", got, oracle.mse_grad(*exact((output, target))))


# ------------------------------------------------------------------------------------------------- relu_grad


@pytest.mark.parametrize(
    ("grad_out", "x"),
    [
        ([3.0, -4.0, 5.0], [-1.0, 2.0, 0.5]),
        ([[1.0, -2.0, 3.0], [0.5, 4.0, -0.25]], [[-1.0, 2.0, -3.0], [0.25, -0.125, 8.0]]),
        ([[-2.0, 1.0], [-3.0, -4.0]], [[1.0, -1.0], [-1.0, 1.0]]),
        ([1.5, -2.5], [2.0**-100, -(2.0**-100)]),
    ],
    ids=str,
)
def test_relu_grad_passes_where_x_is_positive(impl: Any, lab: Lab, grad_out: Nested, x: Nested) -> None:
    """The mask comes from grad_out or is left out, or a unit that is on passes 1 instead of its gradient."""
    got = impl.relu_grad(lab.array(grad_out), lab.array(x))
    lab.check(f"relu_grad({grad_out}, {x})", got, oracle.relu_grad(*exact((grad_out, x))))


def test_relu_grad_is_zero_at_the_kink(impl: Any, lab: Lab) -> None:
    """relu′(0) is 1 (clamp) or 0.5 (maximum): the convention here, and of torch's relu, is 0."""
    got = impl.relu_grad(lab.array([3.0, 3.0, 3.0]), lab.array([0.0, -0.0, 1.0]))
    likely = {"relu′(0) is 1, not 0: x >= 0 for x > 0": [3, 3, 3], "relu′(0) is 1/2, not 0": [1.5, 1.5, 3]}
    lab.check("relu_grad([3, 3, 3], [0, −0, 1])", got, [0, 0, 3], likely=likely)


def test_relu_grad_stops_an_infinite_gradient_at_a_dead_unit(impl: Any, lab: Lab) -> None:
    """0 × inf is nan: a mask that is multiplied poisons the net where a selection does not."""
    got = impl.relu_grad(lab.array([INF, -INF, INF, -INF]), lab.array([-1.0, 0.0, 1.0, 2.0]))
    lab.check("relu_grad([inf, -inf, inf, -inf], [-1, 0, 1, 2])", got, [0, 0, INF, -INF])


def test_relu_grad_carries_a_nan_on(impl: Any, lab: Lab) -> None:
    """A nan on the way back is hidden where the unit is on."""
    lab.check("relu_grad([nan, 1], [2, 1])", impl.relu_grad(lab.array([NAN, 1.0]), lab.array([2.0, 1.0])), [NAN, 1])


# ------------------------------------------------------------------------------------------------- linear_grad


@pytest.mark.parametrize(("x", "w"), FACTORS, ids=FACTOR_IDS)
def test_linear_grad_is_the_slope_of_linear(impl: Any, lab: Lab, x: Nested, w: Nested) -> None:
    """A gradient is transposed, has the wrong factor, or the bias's is a mean or one row, not the sum."""
    grad_out = [[1.5 - i + 0.25 * j for j in range(len(w[0]))] for i in range(len(x))]
    likely: dict[str, Nested] = {"the bias gets the first sample's gradient, not the sum": grad_out[0]}
    if len(w) == len(w[0]):
        likely["∂x went back through w, not wᵀ"] = oracle.matmul(*exact((grad_out, w)))
    got = impl.linear_grad(lab.array(grad_out), lab.array(x), lab.array(w))
    lab.check(f"linear_grad({grad_out}, {x}, {w})", got, oracle.linear_grad(*exact((grad_out, x, w))), likely=likely)


# ------------------------------------------------------------------------------------------------- loss_and_grads


@pytest.mark.parametrize("net", ALL_NETS, ids=str)
def test_loss_is_right_where_gradients_are_taken(impl: Any, lab: Lab, net: Net) -> None:
    """The gradients may be right and the loss still stale, halved or taken without a relu."""
    loss, _ = impl.loss_and_grads(*lab.array((net.params, net.x, net.target)))
    lab.check("loss_and_grads(params, x, target)[0]", loss, answers(net)[0])


@pytest.mark.parametrize("net", ALL_NETS, ids=str)
def test_gradients_are_right_for_every_parameter(impl: Any, lab: Lab, net: Net) -> None:
    """A layer's gradient is wrong, missing, transposed, or handed out in another order than params."""
    _, grads = impl.loss_and_grads(*lab.array((net.params, net.x, net.target)))
    lab.check("loss_and_grads(params, x, target)[1]", grads, answers(net)[1])


@pytest.mark.parametrize("net", ALL_NETS, ids=str)
def test_loss_and_gradients_are_exact(impl: Any, exact_lab: Lab, net: Net) -> None:
    """A float slips into exact arithmetic; an implementation that keeps Fractions must equal the oracle with ==."""
    got = impl.loss_and_grads(*exact_lab.array((net.params, net.x, net.target)))
    exact_lab.check("loss_and_grads(params, x, target)", got, answers(net))


@cache
def input_grad(net: Net) -> Nested:
    """How the exact loss changes with every number that goes into a net."""
    return oracle.input_grad(*exact((net.params, net.x, net.target)))


@pytest.mark.parametrize("net", NETS, ids=str)
def test_chain_rule_reaches_the_input(impl: Any, lab: Lab, net: Net) -> None:
    """The pieces are right alone and do not fit together: the gradient at the input of the net is off."""
    params, inputs, outputs = lab.array(net.params), [lab.array(net.x)], []
    for w, b in params:
        outputs.append(impl.linear(inputs[-1], w, b))
        inputs.append(impl.relu(outputs[-1]))
    grad = impl.mse_grad(outputs.pop(), lab.array(net.target))
    for x, (w, _) in reversed(list(zip(inputs[:-1], params, strict=True))):
        grad, _, _ = impl.linear_grad(grad, x, w)
        grad = impl.relu_grad(grad, outputs.pop()) if outputs else grad
    lab.check("∂loss/∂x", grad, input_grad(net))


def test_dead_units_learn_nothing(impl: Any, lab: Lab) -> None:
    """Gradient leaks through units that are off: all but the last bias must get exactly 0."""
    _, ((grad_w, grad_b), (grad_w_last, _)) = impl.loss_and_grads(*lab.array((DEAD.params, DEAD.x, DEAD.target)))
    assert {number for grad in (grad_w, grad_b, grad_w_last) for number in flat(impl.tolist(grad))} == {0}


def test_gradients_start_afresh_at_each_call(impl: Any, lab: Lab) -> None:
    """Gradients pile up from call to call: the second one is double."""
    arguments = lab.array((NETS[8].params, NETS[8].x, NETS[8].target))
    impl.loss_and_grads(*arguments)
    lab.check("loss_and_grads(…), a second time", impl.loss_and_grads(*arguments), answers(NETS[8]))


def test_gradients_go_as_deep_as_asked(impl: Any, one_lab: Lab) -> None:
    """A net is walked back by recursion, and Python's stack is not as deep as the net."""
    params = [(one_lab.array([[1.0]]), one_lab.array([0.0])) for _ in range(1100)]
    loss, grads = impl.loss_and_grads(params, one_lab.array([[1.0]]), one_lab.array([[0.0]]))
    one_lab.check("loss_and_grads(…)[0]", loss, 1)
    assert [[impl.tolist(grad) for grad in pair] for pair in grads] == [[[[2.0]], [2.0]]] * 1100
