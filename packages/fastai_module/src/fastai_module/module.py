"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

fastai's `Module` finds the parameters of everything inside it. It is `torch.nn.Module` with the books opened before
`__init__` runs, so no class here has to call `super().__init__()`. Nothing goes backward by itself: every operation
leaves its trail in the graph, and the Model keeps its end, the loss.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import fastai.torch_core as fastai
import torch
import torch.nn.functional as F
from torch import nn

from .arrays import Array, Name, asarray
from .guard import takes
from .layer import Seed, kaiming_std, normal
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
        return linear_by_rows(x, self.weight, self.bias)


@takes("(batch, n_in), (n_out, n_in), (n_out) -> (batch, n_out)")
def linear_by_rows(x: Array, weight: Array, bias: Array) -> Array:
    """`linear` with a neuron's weights in a row, without the way there and back through two transposes."""
    return F.linear(x, weight, bias)


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
