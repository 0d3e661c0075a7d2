"""Stage 3, mlp: layers in a row, with a bend between them, and a number that says how wrong they are.

Two linear layers in a row are still one linear layer; the relu between them is what makes depth worth having. How the
weights start decides whether fifty such layers carry a signal, drown it or blow it up.
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F

from .arrays import Array, Name, asarray
from .guard import takes
from .layer import Seed, kaiming_std, linear, normal
from .neuron import relu

Params = Sequence[tuple[Array, Array]]


def init_mlp(sizes: Sequence[int], seed: Seed, dtype: Name = None, device: Name = None) -> list[tuple[Array, Array]]:
    """[(w, b), …] with w (n_in, n_out) Kaiming and b (n_out,) zero, for each two neighbours in `sizes`."""
    return [
        (normal(n_in, n_out, kaiming_std(n_in), layer_seed, dtype, device), asarray([0] * n_out, dtype, device))
        for n_in, n_out, layer_seed in each_layer(sizes, seed)
    ]


def each_layer(sizes: Sequence[int], seed: Seed) -> list[tuple[int, int, int]]:
    """(n_in, n_out, seed) of each layer; their seeds are drawn from the one seed."""
    if len(sizes) < 2:
        raise ValueError(f"got sizes {sizes}, expected at least two: n_in, …, n_out")
    rng = random.Random(seed)
    return [(n_in, n_out, rng.getrandbits(32)) for n_in, n_out in pairwise(sizes)]


def mlp(x: Array, params: Params) -> Array:
    """linear, relu, …, linear: (batch, n_in) → (batch, n_out); no relu after the last."""
    *hidden, (w, b) = params
    for w_hidden, b_hidden in hidden:
        x = relu(linear(x, w_hidden, b_hidden))
    return linear(x, w, b)


@takes("...>0, ...>0 or (batch>0, 1), (batch) -> ()")
def mse(output: Array, target: Array) -> Array:
    """Mean of (output − target)² (fast.ai book, chapter 17)."""
    return F.mse_loss(output, target.view_as(output))
