"""Stage 4, backward: which way, and how strongly, each weight moves the loss.

Every operation on a tensor that requires a gradient leaves a node in a graph, and `loss.backward()` walks that graph
from the loss to the leaves, multiplying as the chain rule says. So nothing is derived here; we only say what the leaves
are. At the end stand three operations of our own, which tell autograd their derivative themselves.
"""

from typing import Any

import torch
from torch.autograd.function import Function

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
    loss = mse(mlp(x.detach(), leaves), target.detach())
    loss.backward()
    return loss.detach(), [(w.grad, b.grad) for w, b in leaves]  # type: ignore[misc]


def leaf(a: Array) -> Array:
    """The same numbers as the beginning of a graph: autograd will give them a `.grad`."""
    return a.detach().requires_grad_()


class MSEFunction(Function):
    """mse with its derivative: output and target of one shape → ()."""

    @staticmethod
    def forward(ctx: Any, output: Array, target: Array) -> Array:
        """Mean of (output − target)²."""
        ctx.save_for_backward(output, target)
        return (output - target).square().mean()

    @staticmethod
    def backward(ctx: Any, grad_out: Array) -> tuple[Array, Array]:
        """∂output = ∂loss · 2 (output − target) / number of elements, and the opposite for the target."""
        output, target = ctx.saved_tensors
        grad = grad_out * 2 * (output - target) / output.numel()
        return grad, -grad


class ReLUFunction(Function):
    """relu with its derivative: any shape → the same shape."""

    @staticmethod
    def forward(ctx: Any, x: Array) -> Array:
        """max(x, 0)."""
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx: Any, grad_out: Array) -> Array:
        """∂x = ∂y where x > 0, else 0."""
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, grad_out, 0)


class LinearFunction(Function):
    """x @ weightᵀ + bias with its derivative: (batch, n_in), (n_out, n_in), (n_out,) → (batch, n_out)."""

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array) -> Array:
        """A row of weights a neuron."""
        ctx.save_for_backward(x, weight)
        return x @ weight.t() + bias

    @staticmethod
    def backward(ctx: Any, grad_out: Array) -> tuple[Array | None, Array, Array]:
        """∂x = ∂y @ weight where it is needed, ∂weight = ∂yᵀ @ x, ∂bias = Σ over the batch of ∂y."""
        x, weight = ctx.saved_tensors
        grad_x = grad_out @ weight if ctx.needs_input_grad[0] else None
        return grad_x, grad_out.t() @ x, grad_out.sum(dim=0)
