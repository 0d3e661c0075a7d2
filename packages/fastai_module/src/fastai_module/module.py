"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

fastai's `Module` finds the parameters of everything inside it. It is `torch.nn.Module` with the books opened before
`__init__` runs, so no class here has to call `super().__init__()`. Nothing goes backward by itself: every operation
leaves its trail in the graph, and the Model keeps its end, the loss.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import fastai.basics as fastai
import torch
from torch import nn

from .arrays import Array, Name, asarray
from .layer import Seed, kaiming_std, linear, normal
from .mlp import each_layer, mse
from .neuron import relu

Parameter = nn.Parameter  # a tensor that is learned: `.data`, and `.grad`, None until the first backward
Module: TypeAlias = fastai.Module


class Linear(Module):
    """x @ weightᵀ + bias: (batch, n_in) → (batch, n_out), with weight (n_out, n_in) Kaiming and bias (n_out,) zero."""

    def __init__(self, n_in: int, n_out: int, seed: Seed = None, dtype: Name = None, device: Name = None) -> None:
        self.weight = Parameter(normal(n_in, n_out, kaiming_std(n_in), seed, dtype, device).t().contiguous())
        self.bias = Parameter(asarray([0] * n_out, dtype, device))

    def forward(self, x: Array) -> Array:
        return linear(x, self.weight.t(), self.bias)


class ReLU(Module):
    """`relu` as a layer."""

    forward = staticmethod(relu)


Sequential = nn.Sequential  # one layer after the other; they are named "0", "1", …


class MSELoss(Module):
    """`mse` as a layer: the end of the way forward, the start of the way back."""

    forward = staticmethod(mse)


class Model(Module):
    """Linear, ReLU, …, Linear with a loss at the end; MSELoss unless another is given."""

    def __init__(
        self, sizes: Sequence[int], loss: Any = None, seed: Seed = None, dtype: Name = None, device: Name = None
    ) -> None:
        layers: list[Module] = []
        for n_in, n_out, layer_seed in each_layer(sizes, seed):
            layers += [Linear(n_in, n_out, layer_seed, dtype, device), ReLU()]
        self.layers = Sequential(*layers[:-1])
        self.loss = loss or MSELoss()
        self._last_loss: Any = None

    def forward(self, x: Array, target: Array) -> Array:
        """(batch, n_in) and the loss's target → (); keeps the loss, from which `backward` will start."""
        self._last_loss = self.loss(self.layers(x), target)
        return self._last_loss

    def backward(self) -> None:
        """Adds the gradient of the last loss to every parameter's `.grad`."""
        if self._last_loss is None:
            raise RuntimeError("Model.backward: nothing to go back from, call model(x, target) before each backward")
        loss, self._last_loss = self._last_loss, None
        loss.backward()

    @torch.no_grad()
    def predict(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out), without a loss and without disturbing a backward to come."""
        return self.layers(x)


class EachStep(fastai.TrainEvalCallback):
    """The Model's manners in a Learner's loop: it takes the target too, and goes backward itself."""

    def __init__(self, on_batch: Callable[[int, float], object] | None) -> None:
        self.on_batch = on_batch
        self.losses: list[float] = []

    def __call__(self, event_name: str) -> None:
        """Without the way around by which fastai rewrites what on_batch raises, and fails if that has no message."""
        if hasattr(type(self), event_name):
            getattr(self, event_name)()

    def before_batch(self) -> None:
        """Forget the last gradients and hand on the target as a second input."""
        self.opt.zero_grad()
        self.learn.xb = (*self.xb, *self.yb)

    def before_backward(self) -> None:
        """Go backward as the Model does."""
        self.model.backward()
        raise fastai.CancelBackwardException

    def after_step(self) -> None:
        """Report, and cancel the rest, in which a Learner fills the gradients with zeros."""
        self.losses.append(self.loss.item())
        if self.on_batch:
            self.on_batch(len(self.losses) - 1, self.losses[-1])
        raise fastai.CancelBatchException


class Loader:
    """Any batches as a DataLoader; fastai's own draws from the global generators and cannot do without a length."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return operator.length_hint(self.batches, 1)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        return iter(self.batches)

    def to(self, device: Any) -> None:
        """Stay: a batch is where the model is."""
