"""Stage 4, backward: which way, and how strongly, each weight moves the loss.

Every operation on a tensor that requires a gradient leaves a node in a graph, and `loss.backward()` walks that graph
from the loss to the leaves, multiplying as the chain rule says. So nothing is derived here; we only say what the leaves
are.
"""

import torch

from .arrays import Array
from .guard import takes
from .layer import linear
from .mlp import Params, mlp, mse
from .neuron import relu


@takes("...>0, ...>0 or (batch>0, 1), (batch) -> ...")
def mse_grad(output: Array, target: Array) -> Array:
    """∂mse/∂output = 2 (output − target) / number of elements (fast.ai book, chapter 17)."""
    output = leaf(output)
    return torch.autograd.grad(mse(output, target), output)[0]


@takes("..., ... -> ...")
def relu_grad(grad_out: Array, x: Array) -> Array:
    """∂y where x > 0, exactly 0 elsewhere, at 0 too (fast.ai book, chapter 17)."""
    x = leaf(x)
    return torch.autograd.grad(relu(x), x, grad_out)[0]


@takes("(batch, n_out), (batch, n_in), (n_in, n_out) -> (batch, n_in), (n_in, n_out), (n_out)")
def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """With y = x @ w + b: ∂x = ∂y @ wᵀ, ∂w = xᵀ @ ∂y, ∂b = Σ over the batch of ∂y (fast.ai book, chapter 17)."""
    x, w, b = leaf(x), leaf(w), leaf(w.new_zeros(w.shape[1]))
    grad_x, grad_w, grad_b = torch.autograd.grad(linear(x, w, b), (x, w, b), grad_out)
    return grad_x, grad_w, grad_b


def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """mse(mlp(x, params), target) and its gradients: (loss, [(grad_w, grad_b), …]) in the order of params."""
    leaves = [(leaf(w), leaf(b)) for w, b in params]
    loss = mse(mlp(x, leaves), target)
    grads = iter(torch.autograd.grad(loss, [array for pair in leaves for array in pair]))
    return loss.detach(), list(zip(grads, grads, strict=True))


def leaf(a: Array) -> Array:
    """The same numbers as the beginning of a graph: autograd will give them a gradient."""
    return a.detach().requires_grad_()
