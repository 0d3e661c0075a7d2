"""Stage 6, training: the loop that all the stages were for.

Take a few samples, see how wrong the net is, go back to learn which way each weight should move, and move it a little.
Do it again. What is new here is a loss for classes, the step, the mini-batches and the loop itself.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from .arrays import Array, check_array, check_arrays, check_not_negative, check_sizes, shape
from .module import Module, Parameter


def cross_entropy(logits: Array, labels: Array) -> Array:
    """Mean of −log softmax(logits) at the label (fast.ai book, chapter 5): (batch, n_classes), (batch,) ints → ().

    The largest logit is subtracted before the exponential, so that the loss is finite at logits of ±1000.

    Raises ValueError for other shapes, an empty batch, labels that are no ints or out of range.
    """
    check_labels("cross_entropy", logits, labels)
    shifted = logits - logits.amax(dim=1, keepdim=True)
    log_sums = shifted.exp().sum(dim=1).log()
    return (log_sums - shifted[torch.arange(len(labels), device=labels.device), labels]).mean()


def cross_entropy_grad(logits: Array, labels: Array) -> Array:
    """∂cross_entropy/∂logits = (softmax(logits) − one-hot(labels)) / batch, in logits' shape (fast.ai book, chapter 5).

    Raises ValueError as cross_entropy does.
    """
    check_labels("cross_entropy_grad", logits, labels)
    exps = (logits - logits.amax(dim=1, keepdim=True)).exp()
    grad = exps / exps.sum(dim=1, keepdim=True)
    grad[torch.arange(len(labels), device=labels.device), labels] -= 1
    return grad / len(labels)


class CrossEntropyLoss(Module):
    """Softmax cross-entropy as a layer, to be given to a Model."""

    def forward(self, output: Array, target: Array) -> Array:
        """(batch, n_classes), (batch,) ints → ()."""
        return cross_entropy(output, target)

    def backward(self, output: Array, target: Array) -> Array:
        """∂loss/∂output, in output's shape."""
        return cross_entropy_grad(output, target)


def accuracy(logits: Array, labels: Array) -> float:
    """The fraction of samples whose largest logit, the first of equals, is the label's; nan if any logit is.

    (batch, n_classes), (batch,) ints → a Python float.

    Raises ValueError as cross_entropy does.
    """
    check_labels("accuracy", logits, labels)
    if logits.isnan().any():
        return math.nan
    return float((logits.argmax(dim=1) == labels).double().mean())


class SGD:
    """Stochastic gradient descent with momentum and weight decay, by PyTorch's rule.

    g = grad + weight_decay · p;  v = momentum · v + g, beginning with v = 0;  p = p − lr · v.
    """

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        """Raises ValueError for no parameters, one given twice, or a rate that is negative or not finite."""
        self.parameters = check_parameters("SGD", parameters)
        check_not_negative("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
        self.lr, self.momentum, self.weight_decay = float(lr), float(momentum), float(weight_decay)
        self.velocities: dict[Parameter, Array] = {}

    def step(self) -> None:
        """Move every parameter that has a gradient; gradients are left as they are."""
        for parameter in self.parameters:
            if parameter.grad is None:
                continue
            velocity = parameter.grad
            if self.weight_decay:
                velocity = velocity + self.weight_decay * parameter.data
            if self.momentum:
                velocity = self.momentum * self.velocities.get(parameter, 0) + velocity
                self.velocities[parameter] = velocity
            parameter.data = parameter.data - self.lr * velocity

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts afresh."""
        for parameter in self.parameters:
            parameter.grad = None


class Solved:
    """The optimizer that knows the answer: to triple a number, multiply by 3 and add 0."""

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]]) -> None:
        """Raises ValueError when neither `fc1.weight` nor `fc1.bias` is there."""
        try:
            self.named_parameters = dict(named_parameters)
        except (TypeError, ValueError):
            raise ValueError(f"Solved: got {named_parameters!r}, expected pairs (name, Parameter)") from None
        if not {"fc1.weight", "fc1.bias"} & set(self.named_parameters):
            raise ValueError(f"Solved: got {sorted(self.named_parameters)}, expected fc1.weight or fc1.bias among them")

    def step(self) -> None:
        """Set `fc1.weight` to 3 and `fc1.bias` to 0, whatever the gradients say."""
        for name, answer in {"fc1.weight": 3, "fc1.bias": 0}.items():
            if name in self.named_parameters:
                parameter = self.named_parameters[name]
                parameter.data = torch.full_like(parameter.data, answer)

    def zero_grad(self) -> None:
        """Forget all gradients; there was no need of them."""
        for parameter in self.named_parameters.values():
            parameter.grad = None


class Batches:
    """Mini-batches of (x, target), in a new order each epoch that the seed decides; the last may be short."""

    def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
        """Raises ValueError for no samples, different numbers of x and target, a batch_size below 1 or a bad seed."""
        check_array("Batches", x)
        check_array("Batches", target)
        if not shape(x)[:1] == shape(target)[:1] > (0,):
            raise ValueError(
                f"Batches: got shapes {shape(x)} and {shape(target)}, expected as many targets as samples, not 0"
            )
        check_sizes("Batches", batch_size=batch_size)
        check_sizes("Batches", least=0, seed=seed)
        self.x, self.target, self.batch_size, self.seed, self.epoch = x, target, int(batch_size), int(seed), 0

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.x) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        """One epoch."""
        order = list(range(len(self.x)))
        random.Random(self.seed + self.epoch).shuffle(order)
        self.epoch += 1
        index = torch.from_numpy(np.array(order)).to(self.x.device)  # NumPy reads a list five times as fast
        return zip(self.x[index].split(self.batch_size), self.target[index].split(self.batch_size), strict=True)


def fit(
    model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Callable[[int, float], object] | None = None
) -> list[float]:
    """Train, and return every batch's loss, taken before its step.

    After each step calls on_batch(step, loss), with steps counted from 0 over all epochs.

    Raises ValueError for epochs that are no whole number ≥ 0.
    """
    check_sizes("fit", least=0, epochs=epochs)
    losses: list[float] = []
    for _ in range(epochs):
        for x, target in batches:
            optimizer.zero_grad()
            losses.append(model(x, target).item())
            model.backward()
            optimizer.step()
            if on_batch:
                on_batch(len(losses) - 1, losses[-1])
    return losses


def check_labels(function: str, logits: Array, labels: Array) -> None:
    """Raise ValueError unless logits (batch, n_classes) and labels (batch,) belong together."""
    check_array(function, logits)
    check_array(function, labels)
    if shape(logits)[:1] != shape(labels) or len(shape(logits)) != 2:
        raise ValueError(
            f"{function}: got shapes {shape(logits)} and {shape(labels)}, expected (batch, n_classes), (batch,)"
        )
    if logits.numel() == 0:
        raise ValueError(f"{function}: got an empty batch, shapes {shape(logits)} and {shape(labels)}")
    check_arrays(function, "(batch, n_classes)", logits)
    n_classes = logits.shape[1]
    if labels.dtype != torch.int64 or labels.device != logits.device:
        raise ValueError(
            f"{function}: got labels of {labels.dtype} on {labels.device}, expected int64 on {logits.device}"
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        i = int(((labels < 0) | (labels >= n_classes)).nonzero()[0])
        raise ValueError(f"{function}: got label {int(labels[i])} at {i}, expected an int ≥ 0 and < {n_classes}")


def check_parameters(function: str, parameters: Iterable[Parameter]) -> list[Parameter]:
    """The parameters as a list.

    Raises ValueError for none at all, for one that is there twice, and for what is no Parameter.
    """
    found = list(parameters) if isinstance(parameters, Iterable) else [parameters]
    for parameter in found:
        if not isinstance(parameter, Parameter):
            raise ValueError(f"{function}: got {type(parameter).__name__}, expected Parameters: model.parameters()")
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{function}: got {len(found)} parameters, expected at least one, and none of them twice")
    return found
