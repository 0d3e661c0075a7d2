"""The exact answers that every implementation is held to.

Forward, each function is written out from its definition on nested lists of fractions, so nothing is rounded. Backward,
no derivative formula appears at all: a gradient is what the definition does when one number moves a little to either
side. For ReLU and a mean squared error this central difference has no error either, because between two kinks the loss
is quadratic in each single number, and the step is halved until no unit crosses its kink.

Where fractions end, at exponentials and square roots, mpmath computes with 50 digits or more.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from mpmath import libmp, mp  # type: ignore[import-untyped]

Vector = list[Fraction]
Matrix = list[Vector]
Params = Sequence[tuple[Matrix, Vector]]
Nested = Any  # a Fraction, or lists and tuples of Nested

DIGITS = 50  # of every answer that is no fraction
STEP_DIGITS = 30  # for a central difference of such answers: the step is 1e-30, the error about its square


def exact(values: Nested) -> Nested:
    """The same nested lists with every finite number as the Fraction that it is."""
    return elementwise(Fraction, values)


# ------------------------------------------------------------------------------------------------- forward, stages 0–3


def elementwise(f: Callable[..., Any], *arrays: Nested) -> Nested:
    """f on the numbers that stand at the same place in each array."""
    if isinstance(arrays[0], list | tuple):
        return type(arrays[0])(elementwise(f, *rows) for rows in zip(*arrays, strict=True))
    return f(*arrays)


def flat(array: Nested) -> Iterator[Any]:
    """The numbers one by one, the last axis fastest."""
    if isinstance(array, list | tuple):
        for row in array:
            yield from flat(row)
    else:
        yield array


def magnitude(arrays: Nested) -> float:
    """What errors are relative to where large terms cancel: the largest number, or 1."""
    return float(max(1, *map(abs, flat(arrays))))


def rank(array: Nested) -> int:
    """How deep the lists are nested."""
    if not isinstance(array, list):
        return 0
    return 1 + rank(array[0]) if array else 1


def broadcast(f: Callable[[Any, Any], Any], a: Nested, b: Nested) -> Nested:
    """f elementwise, where a missing axis or one of size 1 is repeated."""
    if rank(a) == rank(b) == 0:
        return f(a, b)
    if rank(a) != rank(b):
        return broadcast(f, [a], b) if rank(a) < rank(b) else broadcast(f, a, [b])
    n = len(a) if len(b) == 1 else len(b)
    return [broadcast(f, a[i % len(a)], b[i % len(b)]) for i in range(n)]


def add(a: Nested, b: Nested) -> Nested:
    """a + b elementwise, broadcasting."""
    return broadcast(lambda x, y: x + y, a, b)


def multiply(a: Nested, b: Nested) -> Nested:
    """a · b elementwise, broadcasting."""
    return broadcast(lambda x, y: x * y, a, b)


def unsqueeze(a: Nested, dim: int) -> Nested:
    """One more pair of brackets, around everything (dim 0) or around what stands `dim` levels down."""
    dim = dim % (rank(a) + 1)
    return [a] if dim == 0 else [unsqueeze(row, dim - 1) for row in a]


def transpose(a: Matrix) -> Matrix:
    """Rows become columns."""
    return [[a[i][j] for i in range(len(a))] for j in range(len(a[0]))]


def neuron(inputs: Vector, weights: Vector, bias: Fraction) -> Fraction:
    """Σ xᵢwᵢ + b."""
    return sum((inputs[i] * weights[i] for i in range(len(inputs))), bias)


def layer(inputs: Vector, weights: Matrix, biases: Vector) -> Vector:
    """One sample through a row of neurons, whose weights are the rows."""
    return [neuron(inputs, weights[j], biases[j]) for j in range(len(weights))]


def linear(x: Matrix, w: Matrix, b: Vector) -> Matrix:
    """A batch of samples through a row of neurons, whose weights are the columns of w."""
    return [layer(sample, transpose(w), b) for sample in x]


def matmul(a: Matrix, b: Matrix) -> Matrix:
    """Σₖ aᵢₖ bₖⱼ at (i, j)."""
    return linear(a, b, [Fraction(0)] * len(b[0]))


@dataclass
class ReLU:
    """max(z, 0) on one number, with a record: 1 for a unit that was on, −1 for one that was off, 0 for one at the kink.

    `held` is the record of the point whose gradient is wanted. A unit that stood at its kink there counts as off,
    wherever it is now: this is the convention relu′(0) = 0, and all that the oracle says about a derivative.
    """

    held: Sequence[int] = ()
    sides: list[int] = field(default_factory=list)

    def __call__(self, z: Any) -> Any:
        """z where the unit is on, else 0."""
        at_kink = bool(self.held) and self.held[len(self.sides)] == 0
        self.sides.append(0 if at_kink else (z > 0) - (z < 0))
        return z if self.sides[-1] > 0 else z * 0


def relu(x: Nested) -> Nested:
    """max(x, 0) elementwise."""
    return elementwise(ReLU(), x)


def mlp(x: Matrix, params: Params, unit: ReLU | None = None) -> Matrix:
    """linear, relu, …, linear; no relu after the last."""
    unit = unit or ReLU()
    for w, b in params[:-1]:
        x = elementwise(unit, linear(x, w, b))
    return linear(x, *params[-1])


def mse(output: Nested, target: Nested) -> Fraction:
    """The mean of (output − target)², element by element in order, so (batch, 1) meets (batch,)."""
    squares = [(y - t) ** 2 for y, t in zip(flat(output), flat(target), strict=True)]
    return sum(squares, Fraction(0)) / len(squares)


# ------------------------------------------------------------------------------------------------- backward, stage 4


def gradient(f: Callable[[Any, ReLU], Any], at: Nested, step: Any = Fraction(1)) -> Nested:
    """How f changes with each number of `at`, in the shape of `at`."""
    if not isinstance(at, list | tuple):
        return central_difference(f, at, step)

    def along(i: int) -> Nested:
        return gradient(lambda moved, unit: f(type(at)([*at[:i], moved, *at[i + 1 :]]), unit), at[i], step)

    return type(at)(along(i) for i in range(len(at)))


def central_difference(f: Callable[[Any, ReLU], Any], at: Any, step: Any) -> Any:
    """(f(at + h) − f(at − h)) / 2h, with the first h of step, step/2, step/4, … for which no unit crosses its kink."""
    here = ReLU()
    f(at, here)
    below, above = ReLU(here.sides), ReLU(here.sides)
    difference = f(at + step, above) - f(at - step, below)
    if below.sides == here.sides == above.sides:
        return difference / (2 * step)
    return central_difference(f, at, step / 2)


def weighted_sum(weights: Nested, array: Nested) -> Any:
    """Σ weight · element: one number whose gradient carries `weights` back."""
    return sum(w * a for w, a in zip(flat(weights), flat(array), strict=True))


def mse_grad(output: Nested, target: Nested) -> Nested:
    """∂mse/∂output, in output's shape."""
    return gradient(lambda moved, _: mse(moved, target), output)


def relu_grad(grad_out: Nested, x: Nested) -> Nested:
    """∂/∂x of Σ grad_out · relu(x)."""
    return gradient(lambda moved, unit: weighted_sum(grad_out, elementwise(unit, moved)), x)


def linear_grad(grad_out: Matrix, x: Matrix, w: Matrix) -> tuple[Matrix, Matrix, Vector]:
    """∂/∂x, ∂/∂w and ∂/∂b of Σ grad_out · linear(x, w, b), which are the same at every b."""
    at = (x, w, [Fraction(0)] * len(w[0]))
    grads: tuple[Matrix, Matrix, Vector] = gradient(lambda moved, _: weighted_sum(grad_out, linear(*moved)), at)
    return grads


def loss_and_grads(params: Params, x: Matrix, target: Nested) -> tuple[Fraction, list[tuple[Matrix, Vector]]]:
    """The loss of a net, and how it changes with every weight and every bias."""
    grads = gradient(lambda moved, unit: mse(mlp(x, moved, unit), target), params)
    return mse(mlp(x, params), target), grads


def input_grad(params: Params, x: Matrix, target: Nested) -> Matrix:
    """How the loss of a net changes with every number that goes into it."""
    grad: Matrix = gradient(lambda moved, unit: mse(mlp(moved, params, unit), target), x)
    return grad


# ------------------------------------------------------------------------------------------------- training, stage 6


def sgd_step(
    parameters: Nested, grads: Nested, buffers: Nested, lr: Fraction, momentum: Fraction, weight_decay: Fraction
) -> tuple[Nested, Nested]:
    """Parameters and momentum buffers after a step of `torch.optim.SGD`, by the rule in its documentation.

    Before the first step there are no buffers: None.
    """
    decayed = elementwise(lambda g, p: g + weight_decay * p, grads, parameters)
    buffers = decayed if buffers is None else elementwise(lambda v, g: momentum * v + g, buffers, decayed)
    return elementwise(lambda p, v: p - lr * v, parameters, buffers), buffers


def train(
    params: Params, batches: Sequence[Sequence[Nested]], lr: Fraction, momentum: Fraction, weight_decay: Fraction
) -> tuple[list[Fraction], list[Params]]:
    """Each batch's loss, taken before its step, and the parameters after each step."""
    losses: list[Fraction] = []
    path: list[Params] = []
    buffers = None
    for x, target in batches:
        loss, grads = loss_and_grads(params, x, target)
        params, buffers = sgd_step(params, grads, buffers, lr, momentum, weight_decay)
        losses.append(loss)
        path.append(params)
    return losses, path


def batches(x: Nested, target: Nested, batch_size: int, seed: int, epoch: int = 0) -> list[tuple[Nested, Nested]]:
    """The mini-batches of an epoch, in the order that the seed decides."""
    order = list(range(len(x)))
    random.Random(seed + epoch).shuffle(order)
    starts = range(0, len(order), batch_size)
    parts = [order[start : start + batch_size] for start in starts]
    return [([x[i] for i in part], [target[i] for i in part]) for part in parts]


def accuracy(logits: Matrix, labels: Sequence[int]) -> Fraction:
    """The part of the samples whose largest logit, the first of equals, is the label's."""
    right = [row.index(max(row)) == label for row, label in zip(logits, labels, strict=True)]
    return Fraction(sum(right), len(right))


def softmax(logits: Sequence[Any]) -> list[Any]:
    """Exponentials as parts of their sum; mpmath's exponents have no limit, so nothing overflows."""
    exponentials = [mp.exp(z) for z in logits]
    return [e / mp.fsum(exponentials) for e in exponentials]


def cross_entropy(logits: Matrix, labels: Sequence[int]) -> Fraction:
    """Mean of −log softmax at the label."""
    with mp.workdps(DIGITS):
        return fraction(_cross_entropy(_mpf(logits), labels))


def cross_entropy_grad(logits: Matrix, labels: Sequence[int]) -> Matrix:
    """∂cross_entropy/∂logits."""
    grad: Matrix = _mp_gradient(lambda moved, _: _cross_entropy(moved, labels), logits)
    return grad


def class_loss_and_grads(params: Params, x: Matrix, labels: Sequence[int]) -> tuple[Fraction, Nested]:
    """The cross-entropy of a net, and how it changes with every weight and every bias."""
    grads = _mp_gradient(lambda moved, unit: _cross_entropy(mlp(_mpf(x), moved, unit), labels), list(params))
    return cross_entropy(mlp(x, params), labels), grads


def _cross_entropy(logits: Sequence[Sequence[Any]], labels: Sequence[int]) -> Any:
    return -mp.fsum(mp.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)) / len(labels)


def _mp_gradient(f: Callable[[Any, ReLU], Any], at: Nested) -> Nested:
    with mp.workdps(4 * STEP_DIGITS):
        return elementwise(fraction, gradient(f, _mpf(at), mp.mpf(10) ** -STEP_DIGITS))


# ------------------------------------------------------------------------------------------------- init, stages 2 and 3


def xavier_std(n_in: int) -> Fraction:
    """1/√n_in."""
    with mp.workdps(DIGITS):
        return fraction(1 / mp.sqrt(n_in))


def kaiming_std(n_in: int) -> Fraction:
    """√(2/n_in)."""
    with mp.workdps(DIGITS):
        return fraction(mp.sqrt(mp.mpf(2) / n_in))


def within(stds: float) -> float:
    """The part of a normal distribution that lies within so many standard deviations of its mean."""
    return float(mp.erf(stds / mp.sqrt(2)))


def relu_of_normal(std: float) -> tuple[float, float]:
    """Mean and standard deviation of max(z, 0) for z of N(0, std²), by integration of the density."""
    with mp.workdps(DIGITS):
        mean, square = (mp.quad(lambda z, k=k: z**k * mp.npdf(z, 0, std), [0, mp.inf]) for k in (1, 2))
        return float(mean), float(mp.sqrt(square - mean**2))


def fraction(number: Any) -> Fraction:
    """An mpmath number, which is binary, as the Fraction that it is."""
    return Fraction(*libmp.to_rational(number._mpf_))


def _mpf(values: Nested) -> Nested:
    return elementwise(lambda value: mp.mpf(value.numerator) / value.denominator, values)
