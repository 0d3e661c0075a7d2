"""Bugs of formulas that are equal on paper, and not among infinities, cancelling digits and numbers without a size."""

import math
import statistics
from typing import Any

from shared_specs.oracle import flat

from .bug import Wrong, caught_by
from .training import exp, log, mean_loss

Array = Any


@caught_by("test_cross_entropy_of_a_certain_answer", "right|wrong", stage="training")
def softmax_subtracts_the_mean(right: Any) -> Wrong:
    """The mean of the logits is subtracted, not their maximum: enough until one of them stands out by 709."""

    def one(row: list[float], label: int) -> float:
        exps = [exp(z - sum(row) / len(row)) for z in row]
        return -log(exps[label] / sum(exps)) if sum(exps) else math.nan

    return mean_loss(right, one)


@caught_by("test_mse_carries_nan_and_inf_on", "inf", stage="mlp")
def mse_is_variance_and_bias(right: Any) -> Wrong:
    """The mean of the squares is taken as variance + mean², and an infinite error makes ∞ − ∞ = nan of it."""

    def mse(output: Array, target: Array) -> Array:
        right.mse(output, target)  # checks the shapes
        errors = [y - t for y, t in zip(*(flat(right.tolist(a)) for a in (output, target)), strict=True)]
        mean = statistics.fmean(errors)
        return right.like(output, statistics.fmean([(error - mean) ** 2 for error in errors]) + mean**2)

    return mse


@caught_by("test_linear_keeps_a_nan_in_its_sample", "elements differ", stage="layer")
def linear_centres_its_inputs(right: Any) -> Wrong:
    """x @ w is taken as (x − mean) @ w + mean @ w, and a nan in one sample comes to all of them through the mean."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        y, rows = right.linear(x, w, b), right.tolist(x)
        if not rows:
            return y
        means = right.like(x, [[sum(column) / len(rows) for column in zip(*rows, strict=True)]])
        return right.add(right.linear(right.add(x, right.times(means, -1)), w, b), right.matmul(means, w))

    return linear


@caught_by("test_nan_and_infinities_go_where_they_must", "accuracy", stage="training")
def accuracy_distrusts_infinity(right: Any) -> Wrong:
    """Whatever is not finite makes the accuracy nan, the −∞ too with which a class is masked on purpose."""

    def accuracy(logits: Array, labels: Array) -> float:
        finite = all(map(math.isfinite, flat(right.tolist(logits))))
        return float(right.accuracy(logits, labels)) if finite else math.nan

    return accuracy


@caught_by("test_nan_and_infinities_go_where_they_must", "cross_entropy", stage="training")
def cross_entropy_caps_the_impossible(right: Any) -> Wrong:
    """−∞ is replaced by −1e9 before the softmax, so a label that cannot be costs a number instead of ∞."""
    return mean_loss(
        right,
        lambda row, label: float(
            right.cross_entropy(right.asarray([[max(z, -1e9) for z in row]]), right.asarray([label], "int64"))
        ),
    )
