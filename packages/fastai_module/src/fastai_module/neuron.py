"""Stage 1, neuron: the smallest piece that computes.

A neuron weighs each input, adds the products up and adds a bias. Alone that is a straight line; relu bends it, and nets
can only learn what is not a straight line because of that bend.
"""

import torch.nn.functional as F
from torch import Tensor

from .arrays import Array
from .guard import takes


@takes("(n), (n), () -> ()")
def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
    """Σ xᵢwᵢ + b, before the activation (fast.ai book, chapter 17)."""
    return (inputs * weights).sum() + bias


def relu(x: Array) -> Array:
    """max(x, 0) elementwise, on an Array of any shape or on a number; NaN stays NaN (Nair and Hinton 2010)."""
    return F.relu(x) if isinstance(x, Tensor) else max(x, 0.0)
