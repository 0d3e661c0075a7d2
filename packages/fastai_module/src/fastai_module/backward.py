"""Stage 4, backward: which way, and how strongly, each weight moves the loss.

Every operation on a tensor that requires a gradient leaves a node in a graph, and `loss.backward()` walks that graph
from the loss to the leaves, multiplying as the chain rule says. So nothing is derived here; we only say what the leaves
are.
"""

import torch

from .arrays import Array, check_arrays
from .layer import linear
from .mlp import Params, check_loss, check_net, mlp, mse
from .neuron import relu


def mse_grad(output: Array, target: Array) -> Array:
    """∂mse/∂output = 2 (output − target) / number of elements, in output's shape (fast.ai book, chapter 17).

    Raises ValueError for shapes that mse does not take, and for an empty batch.
    """
    check_loss("mse_grad", output, target)
    with torch.enable_grad():
        output = leaf(output)
        return torch.autograd.grad(mse(output, target.detach()), output)[0]


def relu_grad(grad_out: Array, x: Array) -> Array:
    """grad_out where x > 0, exactly 0 elsewhere, at 0 too (fast.ai book, chapter 17): two equal shapes → that shape.

    Raises ValueError, naming both shapes, when they differ.
    """
    check_arrays("relu_grad", "..., ...", grad_out, x)
    with torch.enable_grad():
        x = leaf(x)
        return torch.autograd.grad(relu(x), x, grad_out)[0]


def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """With y = x @ w + b: ∂x = ∂y @ wᵀ, ∂w = xᵀ @ ∂y, ∂b = Σ over the batch of ∂y (fast.ai book, chapter 17).

    (batch, n_out), (batch, n_in), (n_in, n_out) → (grad_x, grad_w, grad_b) in the shapes of x, w, b.

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("linear_grad", "(batch, n_out), (batch, n_in), (n_in, n_out)", grad_out, x, w)
    with torch.enable_grad():
        x, w, b = leaf(x), leaf(w), leaf(w.new_zeros(w.shape[1]))
        grad_x, grad_w, grad_b = torch.autograd.grad(linear(x, w, b), (x, w, b), grad_out)
    return grad_x, grad_w, grad_b


def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """mse(mlp(x, params), target) and its gradients: (loss, [(grad_w, grad_b), …]) in the order of params.

    Raises ValueError for no layers, shapes that do not fit, and an empty batch.
    """
    check_net("loss_and_grads", params, x, target)
    with torch.enable_grad():
        leaves = [(leaf(w), leaf(b)) for w, b in params]
        loss = mse(mlp(x, leaves), target)
        loss.backward()
    return loss.detach(), [(w.grad, b.grad) for w, b in leaves]  # type: ignore[misc]


def leaf(a: Array) -> Array:
    """The same numbers as the beginning of a graph: autograd will give them a `.grad`."""
    return a.detach().requires_grad_()
