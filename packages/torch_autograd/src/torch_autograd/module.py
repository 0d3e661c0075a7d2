"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

`torch.nn.Module` finds the parameters of everything inside it, once `super().__init__()` has given it the books to
keep. Nothing here goes backward by itself: the operations leave their trail in the graph, and the Model keeps its end,
the loss.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .arrays import Array, Name, asarray
from .layer import Seed, kaiming_std, linear, normal
from .mlp import each_layer, mse
from .neuron import relu

# PyTorch's own, the very objects: a tensor that is learned, and whatever has some.
Parameter = nn.Parameter
Module = nn.Module


class Linear(Module):
    """x @ weightᵀ + bias: (batch, n_in) → (batch, n_out), with weight (n_out, n_in) Kaiming and bias (n_out,) zero."""

    def __init__(self, n_in: int, n_out: int, seed: Seed = None, dtype: Name = None, device: Name = None) -> None:
        super().__init__()
        self.weight = Parameter(normal(n_in, n_out, kaiming_std(n_in), seed, dtype, device).t().contiguous())
        self.bias = Parameter(asarray([0] * n_out, dtype, device))

    def forward(self, x: Array) -> Array:
        return linear(x, self.weight.t(), self.bias)


class ReLU(Module):
    """`relu` as a layer."""

    forward = staticmethod(relu)


Sequential = nn.Sequential


class MSELoss(Module):
    """`mse` as a layer: the end of the way forward, the start of the way back."""

    forward = staticmethod(mse)


class Model(Module):
    """Linear, ReLU, …, Linear with a loss at the end; MSELoss unless another is given."""

    def __init__(
        self, sizes: Sequence[int], loss: Any = None, seed: Seed = None, dtype: Name = None, device: Name = None
    ) -> None:
        super().__init__()
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
