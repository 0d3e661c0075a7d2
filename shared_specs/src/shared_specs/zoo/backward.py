"""Bugs of stage 4, backward. With every one of them a loss still goes down."""

import math
from collections.abc import Sequence
from typing import Any

from shared_specs.lab import keeps_fractions
from shared_specs.oracle import elementwise, flat

from .bug import Wrong, caught_by
from .by_hand import loss_and_grads_by_hand

Array = Any
Params = Sequence[tuple[Array, Array]]
Grads = list[tuple[Array, Array]]


# ------------------------------------------------------------------------------------------------- mse_grad


@caught_by("test_mse_grad_is_the_slope_of_mse", "a factor 2 is missing")
def mse_grad_forgets_the_2(right: Any) -> Wrong:
    """The derivative of a square is twice the number; the 2 is missing."""

    def mse_grad(output: Array, target: Array) -> Array:
        return right.times(right.mse_grad(output, target), 0.5)

    return mse_grad


@caught_by("test_mse_grad_is_the_slope_of_mse", "times too large: a mean's 1/n is missing")
def mse_grad_forgets_the_mean(right: Any) -> Wrong:
    """The loss is a mean and its gradient is that of a sum: the 1/n is missing."""

    def mse_grad(output: Array, target: Array) -> Array:
        return right.times(right.mse_grad(output, target), len(list(flat(right.tolist(output)))))

    return mse_grad


@caught_by("test_mse_grad_is_the_slope_of_mse", "times too large: a mean's 1/n is missing")
def mse_grad_divides_by_the_batch_only(right: Any) -> Wrong:
    """1/batch where the mean is over all elements: right for one output."""

    def mse_grad(output: Array, target: Array) -> Array:
        return right.times(right.mse_grad(output, target), math.prod(right.shape(output)[1:]))

    return mse_grad


@caught_by("test_mse_grad_is_the_slope_of_mse", r"expected \(3, 1\)")
def mse_grad_loses_the_shape_of_output(right: Any) -> Wrong:
    """(batch, 1) outputs get a gradient of shape (batch,), which broadcasts wherever it goes next."""

    def mse_grad(output: Array, target: Array) -> Array:
        grad = right.mse_grad(output, target)
        return right.like(grad, list(flat(right.tolist(grad)))) if right.shape(output) != right.shape(target) else grad

    return mse_grad


# ------------------------------------------------------------------------------------------------- relu_grad


@caught_by("test_relu_grad_passes_where_x_is_positive", "relu or its mask is left out")
def relu_grad_is_forgotten(right: Any) -> Wrong:
    """The gradient passes relu as if it were not there, also through units that are off."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g, grad_out, x)

    return relu_grad


@caught_by("test_relu_grad_is_zero_at_the_kink", r"relu′\(0\) is 1, not 0")
def relu_grad_is_1_at_the_kink(right: Any) -> Wrong:
    """x >= 0 for x > 0: at exactly 0, where sparse nets often are, the gradient passes. clamp_min does this."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g if z >= 0 else 0.0, grad_out, x)

    return relu_grad


@caught_by("test_relu_grad_is_zero_at_the_kink", r"relu′\(0\) is 1/2, not 0")
def relu_grad_is_a_half_at_the_kink(right: Any) -> Wrong:
    """At exactly 0 half of the gradient passes, as it does through maximum(x, 0), which shares it out."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g * (0.5 if z == 0 else z > 0), grad_out, x)

    return relu_grad


@caught_by("test_relu_grad_passes_where_x_is_positive", "mask comes from grad_out")
def relu_grad_masks_by_the_gradient(right: Any) -> Wrong:
    """relu is applied to the gradient: what is below 0 is cut from it, wherever the unit was on or off."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        right.relu_grad(grad_out, x)  # checks the shapes
        return right.relu(grad_out)

    return relu_grad


@caught_by("test_relu_grad_passes_where_x_is_positive", "passes 1 instead of its gradient")
def relu_grad_is_the_mask(right: Any) -> Wrong:
    """1 where a unit is on: the local slope, without the gradient that arrives."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: float(z > 0), grad_out, x)

    return relu_grad


@caught_by("test_relu_grad_stops_an_infinite_gradient_at_a_dead_unit", "0 × inf is nan")
def relu_grad_multiplies_by_the_mask(right: Any) -> Wrong:
    """(x > 0) · grad is 0 · inf = nan where a gradient is infinite and the unit is off."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g * (z > 0), grad_out, x)

    return relu_grad


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def relu_grad_works_in_place(right: Any) -> Wrong:
    """The mask is applied to the caller's own gradient."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        grad = right.relu_grad(grad_out, x)
        grad_out[:] = grad
        return grad

    return relu_grad


# ------------------------------------------------------------------------------------------------- linear_grad


@caught_by("test_linear_grad_is_the_slope_of_linear", "transposed")
def linear_grad_transposes_the_weights_gradient(right: Any) -> Wrong:
    """∂w comes out transposed, which no shape betrays when n_in = n_out."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, right.transpose(grad_w) if right.square(w) else grad_w, grad_b

    return linear_grad


@caught_by("test_linear_grad_is_the_slope_of_linear", "back through w, not wᵀ")
def linear_grad_goes_back_through_w_untransposed(right: Any) -> Wrong:
    """∂x = ∂y @ w for ∂y @ wᵀ, which runs when n_in = n_out."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return right.matmul(grad_out, w) if right.square(w) else grad_x, grad_w, grad_b

    return linear_grad


@caught_by("test_linear_grad_is_the_slope_of_linear", "divided by n once too often")
def linear_grad_averages_the_bias(right: Any) -> Wrong:
    """The bias gradient is averaged over the batch instead of summed: right for a batch of one."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, grad_w, right.times(grad_b, 1 / len(x))

    return linear_grad


@caught_by("test_linear_grad_is_the_slope_of_linear", "the first sample's gradient, not the sum")
def linear_grad_takes_the_first_row_for_the_bias(right: Any) -> Wrong:
    """The bias gets the gradient of the first sample only: right for a batch of one."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, grad_w, right.like(grad_b, right.tolist(grad_out)[0])

    return linear_grad


@caught_by("test_linear_grad_is_the_slope_of_linear", "1 of 9 elements differ")
def linear_grad_is_off_in_one_corner(right: Any) -> Wrong:
    """One element of nine is off by a thousandth: who samples one index, or allows 1e-2, sees nothing."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        values = right.tolist(grad_w)
        values[-1][-1] *= 1.001
        return grad_x, right.like(grad_w, values), grad_b

    return linear_grad


# ------------------------------------------------------------------------------------------------- loss_and_grads


@caught_by("test_gradients_are_right_for_every_parameter", "relu or its mask is left out")
def backward_forgets_relu(right: Any) -> Wrong:
    """The chain rule goes through every linear layer and leaves out the relu between them."""
    return loss_and_grads_by_hand(right, relu_grad=lambda grad_out, x: grad_out)


@caught_by("test_gradients_are_right_for_every_parameter", r"\[1\]\[0\]\[0\]: 4 of 4 elements differ")
def backward_is_kinked_at_ties(right: Any) -> Wrong:
    """A whole net whose relu′(0) is 1: only a unit that stands exactly at 0 shows it."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g if z >= 0 else 0.0, grad_out, x)

    return loss_and_grads_by_hand(right, relu_grad=relu_grad)


@caught_by("test_gradients_are_right_for_every_parameter", "divided by n once too often")
def backward_divides_by_the_batch_again(right: Any) -> Wrong:
    """The mean's 1/n is in the gradient of the loss already, and every weight gradient is averaged once more."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, right.times(grad_w, 1 / len(x)), grad_b

    return loss_and_grads_by_hand(right, linear_grad=linear_grad)


@caught_by("test_gradients_are_right_for_every_parameter", "zeros only")
def backward_stops_after_the_last_layer(right: Any) -> Wrong:
    """The graph is cut below the last layer, so it alone learns, and the loss still goes down."""

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, Grads]:
        loss, grads = right.loss_and_grads(params, x, target)
        return loss, [*((right.times(w, 0), right.times(b, 0)) for w, b in grads[:-1]), grads[-1]]

    return loss_and_grads


@caught_by("test_gradients_are_right_for_every_parameter", "another order than params")
def gradients_come_last_layer_first(right: Any) -> Wrong:
    """Gradients are handed out in the order in which they were found, from the last layer to the first."""

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, Grads]:
        loss, grads = right.loss_and_grads(params, x, target)
        return loss, grads[::-1]

    return loss_and_grads


@caught_by("test_loss_is_right_where_gradients_are_taken", "taken without a relu")
def loss_is_that_of_another_net(right: Any) -> Wrong:
    """Loss and gradients fit each other, and both belong to a net with a relu after its last layer.

    No gradient check can find it: finite differences of a wrong forward agree with its gradient.
    """

    def mse(output: Array, target: Array) -> Array:
        return right.mse(right.relu(output), target)

    def mse_grad(output: Array, target: Array) -> Array:
        return right.relu_grad(right.mse_grad(right.relu(output), target), output)

    return loss_and_grads_by_hand(right, mse=mse, mse_grad=mse_grad)


@caught_by("test_loss_is_right_where_gradients_are_taken", "stale")
def loss_is_stale(right: Any) -> Wrong:
    """The gradients are right, and the loss that comes with them is that of the call before."""
    last: list[Any] = []

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, Grads]:
        loss, grads = right.loss_and_grads(params, x, target)
        last.append(loss)
        return last[-2:][0], grads

    return loss_and_grads


@caught_by("test_gradients_start_afresh_at_each_call", "a factor 2 too many, or counted twice")
def gradients_pile_up(right: Any) -> Wrong:
    """Gradients of one call are added to those of the call before."""
    kept: dict[Any, Grads] = {}

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, Grads]:
        loss, grads = right.loss_and_grads(params, x, target)
        sizes = tuple(right.shape(w) for w, _ in params)
        before = kept.get(sizes, [(right.times(w, 0), right.times(b, 0)) for w, b in grads])
        kept[sizes] = [
            (right.add(w, more_w), right.add(b, more_b)) for (w, b), (more_w, more_b) in zip(before, grads, strict=True)
        ]
        return loss, kept[sizes]

    return loss_and_grads


@caught_by("test_dead_units_learn_nothing", "leaks through units that are off")
def dead_units_leak(right: Any) -> Wrong:
    """A hundred-millionth of the gradient passes through units that are off: below many tolerances, and not 0."""

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.each(lambda g, z: g if z > 0 else g * 1e-8, grad_out, x)

    return loss_and_grads_by_hand(right, relu_grad=relu_grad)


@caught_by("test_chain_rule_reaches_the_input", "∂loss/∂x")
def linear_grad_gives_nothing_to_the_input(right: Any) -> Wrong:
    """The input's gradient is 0, as if nothing came before this layer."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return right.times(grad_x, 0), grad_w, grad_b

    return linear_grad


@caught_by("test_gradients_are_right_for_every_parameter", "ULPs apart")
def gradients_are_finite_differences(right: Any) -> Wrong:
    """Each gradient is a difference quotient with a step of 1e-4 to one side: nearly right, and slow."""

    def slopes(loss: Any, start: float, array: Array) -> Array:
        values = right.tolist(array)
        flat_values, step = list(flat(values)), 1e-4
        moved = [[v + step * (i == j) for i, v in enumerate(flat_values)] for j in range(len(flat_values))]
        found = iter([(loss(_refill(right, array, numbers)) - start) / step for numbers in moved])
        return right.like(array, elementwise(lambda _: next(found), values))

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, Grads]:
        def loss_with(layer: int, w: Array, b: Array) -> float:
            return float(right.mse(right.mlp(x, [*params[:layer], (w, b), *params[layer + 1 :]]), target))

        start = right.mse(right.mlp(x, params), target)
        return start, [
            (
                slopes(lambda moved, i=i, b=b: loss_with(i, moved, b), float(start), w),
                slopes(lambda moved, i=i, w=w: loss_with(i, w, moved), float(start), b),
            )
            for i, (w, b) in enumerate(params)
        ]

    return loss_and_grads


def _refill(right: Any, array: Array, numbers: list[float]) -> Array:
    found = iter(numbers)
    return right.like(array, elementwise(lambda _: next(found), right.tolist(array)))


@caught_by("test_loss_and_gradients_are_exact", "exact Fractions", base="pure_python")
def loss_makes_floats_of_fractions(right: Any) -> Wrong:
    """The mean is taken with statistics for floats, so exact numbers are rounded."""

    def mse(output: Array, target: Array) -> Array:
        return float(right.mse(output, target))

    return loss_and_grads_by_hand(right, mse=mse) if keeps_fractions(right) else ()
