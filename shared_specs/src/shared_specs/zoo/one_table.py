"""Bugs of a class, a method or a rung that is not put to the same tests as its function."""

import math
from typing import Any

from shared_specs.oracle import flat

from .bug import Wrong, caught_by

Array = Any


@caught_by("test_results_are_right_at_large_sizes", "MSELoss.*elements differ", stage="module")
def mse_loss_squeezes_its_output(right: Any) -> Wrong:
    """The class squeezes (batch, 1) for targets (batch,), and targets (batch, 1) broadcast against what is left."""

    class MSELoss(right.MSELoss):
        def forward(self, output: Array, target: Array) -> Any:
            loss = right.mse(output, target)
            if right.shape(output) != right.shape(target) or right.shape(output)[1:] != (1,):
                return loss
            outputs, targets = (list(flat(right.tolist(array))) for array in (output, target))
            errors = [(y - t) ** 2 for y in outputs for t in targets]
            return right.like(output, sum(errors) / len(errors))

    return MSELoss


@caught_by("test_shapes_that_do_not_fit_are_refused", "Linear.*raised nothing", stage="module")
def linear_takes_stacks_of_batches(right: Any) -> Wrong:
    """The layer multiplies without asking for the rank, so a stack of batches passes where the function refuses it."""

    class Linear(right.Linear):
        def forward(self, x: Array) -> Array:
            if len(right.shape(x)) != 3:
                return super().forward(x)
            return right.like(x, [right.tolist(super(Linear, self).forward(batch)) for batch in x])

    return Linear


@caught_by("test_results_are_right_in_full_precision", "predict.*elements differ", stage="module")
def predict_computes_in_singles(right: Any) -> Wrong:
    """Nobody trains in predict, so float32 must do: what is predicted is not what the loss was taken of."""

    class Model(right.Model):
        def predict(self, x: Array) -> Array:
            return right.singles(super().predict(x))

    return Model


@caught_by("test_results_are_right_in_full_precision", r"MATMULS\['elementwise'\].*elements differ", stage="layer")
def matmul_elementwise_gathers_in_singles(right: Any) -> Wrong:
    """One rung of the ladder gathers its sums in float32, and is faster for another reason than it says."""

    def elementwise(a: Array, b: Array) -> Array:
        return right.singles(right.matmul(a, b))

    return {"MATMULS": {**right.MATMULS, "elementwise": elementwise}}


@caught_by("test_arguments_stay_as_they_are", "MSELoss.*changed its arguments", stage="module")
def mse_loss_keeps_the_errors_in_its_output(right: Any) -> Wrong:
    """The class leaves the errors in the outputs for the way back; whoever looks at his outputs finds errors."""

    class MSELoss(right.MSELoss):
        def forward(self, output: Array, target: Array) -> Any:
            loss = right.mse(output, target)
            if right.shape(output) and right.shape(output) == right.shape(target):
                output[:] = right.each(lambda y, t: y - t, output, target)
            return loss

    return MSELoss


@caught_by("test_nan_and_infinities_go_where_they_must", "SGD.*elements differ", stage="training")
def sgd_clips_its_step(right: Any) -> Wrong:
    """A step is clipped to ±100 by min and max, which give 100 for nan: a net that has diverged goes on."""

    class SGD(right.SGD):
        def __init__(self, parameters: Any, *rates: Any, **more: Any) -> None:
            self.moved = list(parameters)
            super().__init__(self.moved, *rates, **more)

        def step(self) -> None:
            before = [right.tolist(parameter.data) for parameter in self.moved]
            super().step()
            for old, parameter in zip(before, self.moved, strict=True):
                parameter.data = right.each(
                    lambda start, new: new if abs(new - start) <= 100 else start + math.copysign(100, new - start),
                    right.like(parameter.data, old),
                    parameter.data,
                )

    return SGD
