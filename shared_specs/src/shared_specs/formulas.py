"""The same answers by the formulas of the chapter, where the oracle ends or would take too long.

On floats they say where infinities and NaN go by the rules of IEEE 754; on Fractions they are exact, and fast enough
for large arrays and long histories. Tests hold every one of them to the oracle, which knows no derivatives.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from shared_specs import oracle
from shared_specs.oracle import Nested, elementwise


def matmul(a: Nested, b: Nested) -> Nested:
    """Σₖ aᵢₖ bₖⱼ at (i, j)."""
    columns = oracle.transpose(b)
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a]


def linear(x: Nested, w: Nested, b: Nested) -> Nested:
    """x @ w + b."""
    return [[z + bias for z, bias in zip(row, b, strict=True)] for row in matmul(x, w)]


def relu(x: Nested) -> Nested:
    """max(x, 0) elementwise; NaN stays."""
    return elementwise(lambda z: type(z)(0) if z <= 0 else z, x)


def mlp(x: Nested, params: Sequence[tuple[Nested, Nested]]) -> Nested:
    """linear, relu, …, linear."""
    *hidden, last = params
    for w, b in hidden:
        x = relu(linear(x, w, b))
    return linear(x, *last)


def mse_grad(output: Nested, target: Nested) -> Nested:
    """2 (output − target) / number of elements, in output's shape."""
    targets = iter(list(oracle.flat(target)))
    n = len(list(oracle.flat(output)))
    return elementwise(lambda y: 2 * (y - next(targets)) / n, output)


def relu_grad(grad_out: Nested, x: Nested, where_nan: bool = False) -> Nested:
    """grad_out where x > 0, else 0; where x is NaN, the one or the other."""
    return elementwise(lambda g, z: g if z > 0 or (where_nan and math.isnan(z)) else type(g)(0), grad_out, x)


def linear_grad(grad_out: Nested, x: Nested, w: Nested) -> tuple[Nested, Nested, Nested]:
    """∂y @ wᵀ, xᵀ @ ∂y and the sum of ∂y over the batch."""
    grad_w, grad_b = _affine_grad(grad_out, x)
    return matmul(grad_out, oracle.transpose(w)), grad_w, grad_b


def _affine_grad(grad_out: Nested, x: Nested) -> tuple[Nested, Nested]:
    return matmul(oracle.transpose(x), grad_out), [sum(column) for column in oracle.transpose(grad_out)]


def loss_and_grads(
    params: Sequence[tuple[Nested, Nested]], x: Nested, target: Nested, where_nan: bool = False
) -> tuple[Any, Nested]:
    """mse(mlp(x, params), target) and its gradients."""
    return _there_and_back(oracle.mse, mse_grad, params, x, target, where_nan)


def class_loss_and_grads(
    params: Sequence[tuple[Nested, Nested]], x: Nested, labels: Sequence[int], where_nan: bool = False
) -> Any:
    """cross_entropy(mlp(x, params), labels) and its gradients."""
    return _there_and_back(cross_entropy, cross_entropy_grad, params, x, labels, where_nan)


def _there_and_back(
    loss: Any, loss_grad: Any, params: Sequence[tuple[Nested, Nested]], x: Nested, target: Nested, where_nan: bool
) -> Any:
    inputs, outputs = [x], []
    for w, b in params:
        outputs.append(linear(inputs[-1], w, b))
        inputs.append(relu(outputs[-1]))
    value, grad, grads = loss(outputs[-1], target), loss_grad(outputs.pop(), target), []
    for (w, _), seen in zip(reversed(params), inputs[-2::-1], strict=True):
        grads.append(_affine_grad(grad, seen))
        if outputs:
            grad = relu_grad(matmul(grad, oracle.transpose(w)), outputs.pop(), where_nan)
    return value, grads[::-1]


def cross_entropy(logits: Nested, labels: Sequence[int]) -> float:
    """Mean of log Σ exp(z − max) − (z − max) at the label."""
    rows = [_shifted(row) for row in logits]
    losses = [math.log(math.fsum(map(math.exp, row))) - row[label] for row, label in zip(rows, labels, strict=True)]
    return sum(losses) / len(labels)


def cross_entropy_grad(logits: Nested, labels: Sequence[int]) -> list[list[float]]:
    """(softmax − one-hot) / batch."""
    grads = []
    for row, label in zip(map(_shifted, logits), labels, strict=True):
        exps = [math.exp(z) for z in row]
        grads.append([(e / math.fsum(exps) - (j == label)) / len(labels) for j, e in enumerate(exps)])
    return grads


def _shifted(row: Nested) -> list[float]:
    """What is left of each logit when the largest is subtracted; NaN everywhere if there is one."""
    largest = math.nan if any(map(math.isnan, row)) else max(row)
    return [float(z - largest) for z in row]


def accuracy(logits: Nested, labels: Sequence[int]) -> Any:
    """The fraction right; NaN if any logit is."""
    return math.nan if any(map(math.isnan, oracle.flat(logits))) else oracle.accuracy(logits, labels)


def permitted(name: str) -> list[Any]:
    """The formula of that name: twice, where a NaN may be masked or not."""
    formula = globals().get(name) or getattr(oracle, name)
    masks = name in ("relu_grad", "loss_and_grads", "class_loss_and_grads")
    return [partial(formula, where_nan=choice) for choice in (False, True)] if masks else [formula]
