"""Bugs of stage 1, neuron."""

import math
from typing import Any

from shared_specs.oracle import flat

from .bug import Wrong, caught_by

Array = Any


# ------------------------------------------------------------------------------------------------- neuron


@caught_by("test_neuron_adds_every_product_and_the_bias", "bias is left out")
def neuron_forgets_its_bias(right: Any) -> Wrong:
    """The bias is not added, so every neuron's line goes through the origin."""

    def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
        return right.neuron(inputs, weights, right.times(bias, 0))

    return neuron


@caught_by("test_neuron_adds_every_product_and_the_bias", "counted twice")
def neuron_adds_its_bias_to_every_product(right: Any) -> Wrong:
    """The bias stands inside the sum, Σ (xᵢwᵢ + b), and counts once for each input."""

    def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
        return right.neuron(inputs, weights, right.times(bias, right.shape(inputs)[0]))

    return neuron


@caught_by("test_neuron_is_taken_before_the_activation", "relu is applied already")
def neuron_is_bent_already(right: Any) -> Wrong:
    """relu is applied inside the neuron, and then once more by whoever calls it."""

    def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
        return right.relu(right.neuron(inputs, weights, bias))

    return neuron


@caught_by("test_shapes_that_do_not_fit_are_refused", "raised nothing")
def neuron_stops_at_the_shorter(right: Any) -> Wrong:
    """zip() stops at the shorter of inputs and weights, and the rest is left out of the sum."""

    def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
        pairs = zip(flat(right.tolist(inputs)), flat(right.tolist(weights)), strict=False)
        return right.like(inputs, sum((x * w for x, w in pairs), right.tolist(bias)))

    return neuron


# ------------------------------------------------------------------------------------------------- relu


@caught_by("test_relu_keeps_what_is_positive", "relu or its mask is left out|below 0 passes")
def relu_leaks(right: Any) -> Wrong:
    """A little passes below 0, as in a leaky relu."""

    def relu(x: Array) -> Array:
        return right.each(lambda z: z if z > 0 or math.isnan(z) else z / 128, x)

    return relu


@caught_by("test_relu_keeps_what_is_positive", "above 0 is changed, however small")
def relu_drops_what_is_tiny(right: Any) -> Wrong:
    """The kink stands at 1e-8, a safety margin that nobody asked for."""

    def relu(x: Array) -> Array:
        return right.each(lambda z: 0.0 if z < 1e-8 else z, x)

    return relu


@caught_by("test_relu_of_a_number_has_one_type_on_both_sides", "becomes the int 0")
def relu_returns_the_int_0(right: Any) -> Wrong:
    """max(x, 0) of a number below 0 is the int 0, not a float."""

    def relu(x: Array) -> Array:
        return max(x, 0) if isinstance(x, float) else right.relu(x)

    return relu


@caught_by("test_relu_keeps_nan", "a nan was hidden")
def relu_hides_nan(right: Any) -> Wrong:
    """`x if x > 0 else 0` gives 0 for nan, and a net that has diverged looks alive."""

    def relu(x: Array) -> Array:
        return right.each(lambda z: z if z > 0 else 0.0, x)

    return relu


@caught_by("test_relu_of_infinities", "0 × inf is nan")
def relu_multiplies_by_a_mask(right: Any) -> Wrong:
    """x · (x > 0) is −inf · 0 = nan where it should be 0."""

    def relu(x: Array) -> Array:
        return right.each(lambda z: z * (z > 0), x)

    return relu


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def relu_works_in_place(right: Any) -> Wrong:
    """relu writes into its argument, which backward still needs as it was."""

    def relu(x: Array) -> Array:
        positive = right.relu(x)
        if not isinstance(x, float) and right.shape(x):
            x[:] = positive
        return positive

    return relu
