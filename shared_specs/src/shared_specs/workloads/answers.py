"""What the workloads must compute, written from the definitions.

No array library: sums of products by `math.fsum`, which rounds once. So the answers lean on no implementation.
"""

import math
from collections.abc import Callable, Iterable
from functools import cache
from operator import mul, sub
from typing import Any

from .numbers import Matrix, Named, Net, Params, Vector, digits, random_matrix, repeated, state, transposed

LR = 0.01
"""So small that a train step can be timed as it runs in training, over and over on one batch: no weight explodes, no
unit dies, and errors fall to the size of rounding and stay there, far above what is denormal. At 0.1, the smallest net
loses all of its units in its first step.
"""
N_INPUTS = 784
ROWS, COLUMNS = 5, 10


@cache
def neuron_inputs() -> tuple[Vector, Vector, float]:
    """Inputs, weights and a bias."""
    return random_matrix(1, N_INPUTS, 1, seed=3)[0], random_matrix(1, N_INPUTS, 1, seed=4)[0], 0.5


@cache
def neuron() -> Named:
    """Σ xᵢwᵢ + b."""
    inputs, weights, bias = neuron_inputs()
    return {"y": dot(inputs, weights) + bias}


@cache
def matmul_inputs(n: int) -> tuple[Matrix, Matrix]:
    """(n, 784) and (784, 10)."""
    return random_matrix(n, N_INPUTS, 1, seed=5), random_matrix(N_INPUTS, COLUMNS, 1, seed=6)


@cache
def matmul(n: int) -> Named:
    """Their product."""
    return {"c": product(*matmul_inputs(n))}


@cache
def forward(net: Net) -> Named:
    """The outputs."""
    return {"output": repeated(_layers(net.condensed)[-1], net.batch)}


@cache
def loss_and_grads(net: Net) -> Named:
    """The loss, and each gradient."""
    loss, grads = _slopes(net.condensed)
    return {"loss": loss, **named(grads, "grad_w", "grad_b")}


@cache
def train_step(net: Net) -> Named:
    """The loss before the step, and every parameter p − lr ∂p after it."""
    loss, grads = _slopes(net.condensed)
    return {"loss": loss, **state(moved(net.params, grads))}


@cache
def epoch(n_batches: int) -> Named:
    """Every batch's loss, taken before its step, and the parameters at the end."""
    work = digits().at(n_batches)
    params, losses = work.net.params, []
    for x, labels in work.batches:
        seen = layers(params, x)
        loss, grad = cross_entropy(seen[-1], labels)
        losses.append(loss)
        params = moved(params, backward(params, seen, grad))
    return {"losses": losses, **state(params)}


def layers(params: Params, x: Matrix) -> list[Matrix]:
    """What each layer sees, and the output: the input, then relu(linear), and at last linear without relu."""
    seen = [x]
    for i, (w, b) in enumerate(params):
        rows = [[y + bias for y, bias in zip(row, b, strict=True)] for row in product(seen[-1], w)]
        last = i == len(params) - 1
        seen.append(rows if last else [[max(y, 0.0) for y in row] for row in rows])
    return seen


def backward(params: Params, seen: list[Matrix], grad: Matrix) -> Params:
    """The chain rule from the gradient of the output, written on sums of products."""
    grads: Params = []
    for i in reversed(range(len(params))):
        grads.append((product(transposed(seen[i]), grad), [math.fsum(column) for column in zip(*grad, strict=True)]))
        if i:
            grad = _map2(lambda g, h: g if h > 0 else 0.0, product(grad, transposed(params[i][0])), seen[i])
    return grads[::-1]


def cross_entropy(logits: Matrix, labels: list[int]) -> tuple[float, Matrix]:
    """Mean of −log softmax at the label, and its gradient (softmax − one-hot) / batch."""
    losses, grads = [], []
    for row, label in zip(logits, labels, strict=True):
        exponentials = [math.exp(z - max(row)) for z in row]
        total = math.fsum(exponentials)
        losses.append(math.log(total) - (row[label] - max(row)))
        grads.append([(e / total - (i == label)) / len(logits) for i, e in enumerate(exponentials)])
    return math.fsum(losses) / len(losses), grads


def moved(params: Params, grads: Params) -> Params:
    """A step of plain gradient descent."""

    def step(value: float, grad: float) -> float:
        return value - LR * grad

    return [
        (_map2(step, w, grad_w), list(map(step, b, grad_b)))
        for (w, b), (grad_w, grad_b) in zip(params, grads, strict=True)
    ]


def named(pairs: Iterable[tuple[Any, Any]], first: str, second: str) -> Named:
    """[(grad_w, grad_b), …] → {"grad_w of layer 0": …, "grad_b of layer 0": …, …}."""
    return {
        f"{name} of layer {i}": tensor
        for i, pair in enumerate(pairs)
        for name, tensor in zip((first, second), pair, strict=True)
    }


def product(a: Matrix, b: Matrix) -> Matrix:
    """a @ b."""
    columns = transposed(b)
    return [[dot(row, column) for column in columns] for row in a]


def dot(a: Vector, b: Vector) -> float:
    """Σ aᵢbᵢ, each product rounded, the sum exact."""
    return math.fsum(map(mul, a, b))


@cache
def _layers(net: Net) -> list[Matrix]:
    return layers(net.params, net.x)


@cache
def _slopes(net: Net) -> tuple[float, Params]:
    seen = _layers(net)
    n = net.batch * net.sizes[-1]
    errors = _map2(sub, seen[-1], net.target)
    grad = [[2 * error / n for error in row] for row in errors]
    return math.fsum(error * error for row in errors for error in row) / n, backward(net.params, seen, grad)


def _map2(f: Callable[[float, float], float], a: Matrix, b: Matrix) -> Matrix:
    return [list(map(f, *rows)) for rows in zip(a, b, strict=True)]
