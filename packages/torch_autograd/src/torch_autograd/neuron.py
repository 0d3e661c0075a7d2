"""Stage 1, neuron: the smallest piece that computes.

A neuron weighs each input, adds the products up and adds a bias. Alone that is a straight line; relu bends it, and nets
can only learn what is not a straight line because of that bend.
"""

from torch import Tensor

from .arrays import Array, check_arrays


def neuron(inputs: Array, weights: Array, bias: Array) -> Array:
    """Σ xᵢwᵢ + b, before the activation: (n,), (n,), () → () (fast.ai book, chapter 17).

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("neuron", "(n,), (n,), ()", inputs, weights, bias)
    return (inputs * weights).sum() + bias


def relu(x: Array) -> Array:
    """max(x, 0) elementwise (Nair and Hinton 2010), on an Array of any shape or on a number; NaN stays NaN.

    Raises ValueError for what is neither.
    """
    check_arrays("relu", "...", x)
    return x.relu() if isinstance(x, Tensor) else max(x, type(x)(0))
