"""Stage 4, backward: which way, and how strongly, each weight moves the loss.

The loss is a function of a function of a function, so its derivative is a product: begin at the loss and multiply
back, layer by layer. Each `*_grad` takes the gradient that arrives at its function's output and hands on the one at its
inputs.
"""

import torch

from .arrays import Array
from .guard import takes
from .layer import linear
from .mlp import Params, mse
from .neuron import relu


@takes("...>0, ...>0 or (batch>0, 1), (batch) -> ...")
def mse_grad(output: Array, target: Array) -> Array:
    """∂mse/∂output = 2 (output − target) / number of elements (fast.ai book, chapter 17)."""
    return (output - target.view_as(output)).mul_(2 / output.numel())


@takes("..., ... -> ...")
def relu_grad(grad_out: Array, x: Array) -> Array:
    """∂y where x > 0, exactly 0 elsewhere, at 0 too (fast.ai book, chapter 17)."""
    return torch.ops.aten.threshold_backward(grad_out, x, 0)  # autograd's own kernel; torch.where is far slower


@takes("(batch, n_out), (batch, n_in), (n_in, n_out) -> (batch, n_in), (n_in, n_out), (n_out)")
def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """With y = x @ w + b: ∂x = ∂y @ wᵀ, ∂w = xᵀ @ ∂y, ∂b = Σ over the batch of ∂y (fast.ai book, chapter 17)."""
    return grad_out @ w.t(), x.t() @ grad_out, grad_out.sum(dim=0)


def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """mse(mlp(x, params), target) and its gradients: (loss, [(grad_w, grad_b), …]) in the order of params."""
    inputs, outputs = [x], []
    for w, b in params:
        outputs.append(linear(inputs[-1], w, b))
        inputs.append(relu(outputs[-1]))
    loss, grad = mse(outputs[-1], target), mse_grad(outputs[-1], target)

    grads = []
    for layer in reversed(range(len(params))):
        grads.append((inputs[layer].t() @ grad, grad.sum(dim=0)))
        if layer > 0:  # the net's own input needs no gradient
            grad = relu_grad(grad @ params[layer][0].t(), outputs[layer - 1])
    return loss, grads[::-1]
