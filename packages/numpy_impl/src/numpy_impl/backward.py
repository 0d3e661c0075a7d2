"""Stage 4, backward: which way, and how strongly, each weight moves the loss.

The loss is a function of a function of a function, so its derivative is a product: begin at the loss and multiply
back, layer by layer. Each `*_grad` takes the gradient that arrives at its function's output and hands on the one at its
inputs.
"""

import numpy as np

from .arrays import Array, check_arrays
from .layer import linear
from .mlp import Params, check_loss, check_net, mse
from .neuron import relu


def mse_grad(output: Array, target: Array) -> Array:
    """∂mse/∂output = 2 (output − target) / number of elements, in output's shape (fast.ai book, chapter 17).

    Raises ValueError for shapes that mse does not take, and for an empty batch.
    """
    check_loss("mse_grad", output, target)
    return 2 * (output - target.reshape(output.shape)) / output.size


def relu_grad(grad_out: Array, x: Array) -> Array:
    """grad_out where x > 0, exactly 0 elsewhere, at 0 too (fast.ai book, chapter 17): two equal shapes → that shape.

    Raises ValueError, naming both shapes, when they differ.
    """
    check_arrays("relu_grad", "..., ...", grad_out, x)
    return np.where(x > 0, grad_out, 0)


def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """With y = x @ w + b: ∂x = ∂y @ wᵀ, ∂w = xᵀ @ ∂y, ∂b = Σ over the batch of ∂y (fast.ai book, chapter 17).

    (batch, n_out), (batch, n_in), (n_in, n_out) → (grad_x, grad_w, grad_b) in the shapes of x, w, b.

    Raises ValueError, naming the shapes, for any others.
    """
    check_arrays("linear_grad", "(batch, n_out), (batch, n_in), (n_in, n_out)", grad_out, x, w)
    return grad_out @ w.T, x.T @ grad_out, grad_out.sum(axis=0)


def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Array, list[tuple[Array, Array]]]:
    """mse(mlp(x, params), target) and its gradients: (loss, [(grad_w, grad_b), …]) in the order of params.

    Raises ValueError for no layers, shapes that do not fit, and an empty batch.
    """
    check_net("loss_and_grads", params, x, target)
    inputs: list[Array] = []
    outputs: list[Array] = []
    for w, b in params:
        inputs.append(relu(outputs[-1]) if outputs else x)
        outputs.append(linear(inputs[-1], w, b))
    loss, grad = mse(outputs[-1], target), mse_grad(outputs[-1], target)

    grads = []
    for layer in reversed(range(len(params))):
        grads.append((inputs[layer].T @ grad, grad.sum(axis=0)))
        if layer > 0:  # the net's own input needs no gradient
            grad = relu_grad(grad @ params[layer][0].T, outputs[layer - 1])
    return loss, grads[::-1]
