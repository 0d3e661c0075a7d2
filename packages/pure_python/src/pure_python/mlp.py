"""Stage 3, mlp: layers in a row, with a bend between them, and a number that says how wrong they are.

Two linear layers in a row are still one linear layer; the relu between them is what makes depth worth having. How the
weights start decides whether fifty such layers carry a signal, drown it or blow it up.
"""

import functools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from .arrays import Array, check_arrays, check_seed, check_sizes, check_where, shape
from .layer import kaiming_std, linear, normal
from .neuron import relu

Params = Sequence[tuple[Array, Array]]


def init_mlp(
    sizes: Sequence[int], seed: int | None, dtype: str | None = None, device: str | None = None
) -> list[tuple[Array, Array]]:
    """[(w, b), …] with w (n_in, n_out) Kaiming and b (n_out,) zero, for each two neighbours in `sizes`.

    Raises ValueError for fewer than two sizes, sizes below 1, a bad seed, an unknown dtype or device.
    """
    seeds = layer_seeds("init_mlp", sizes, seed)
    check_where("init_mlp", dtype, device)
    return [
        (normal(n_in, n_out, kaiming_std(n_in), s), [0.0] * n_out)
        for (n_in, n_out), s in zip(pairwise(sizes), seeds, strict=True)
    ]


def mlp(x: Array, params: Params) -> Array:
    """linear, relu, …, linear: (batch, n_in) → (batch, n_out); no relu after the last.

    Raises ValueError for no layers, and for shapes that do not fit.
    """
    check_net("mlp", params, x)
    *hidden, (w, b) = params
    for w_hidden, b_hidden in hidden:
        x = relu(linear(x, w_hidden, b_hidden))
    return linear(x, w, b)


def mse(output: Array, target: Array) -> Array:
    """Mean of (output − target)² (fast.ai book, chapter 17): two equal shapes, or (batch, 1) and (batch,) → ().

    Raises ValueError for any other shapes, and for an empty batch.
    """
    check_loss("mse", output, target)
    pairs = list(zip(flat(output), flat(target), strict=True))
    return sum((y - t) * (y - t) for y, t in pairs) / len(pairs)


def layer_seeds(function: str, sizes: Sequence[int], seed: int | None) -> Iterator[int]:
    """A seed of its own for each layer, drawn from the one seed; checks both."""
    if not isinstance(sizes, Sequence) or len(sizes) < 2:
        raise ValueError(f"{function}: got sizes {sizes!r}, expected at least two: n_in, …, n_out")
    check_sizes(function, **{f"sizes[{i}]": size for i, size in enumerate(sizes)})
    rng = random.Random(check_seed(function, seed))
    return (rng.getrandbits(32) for _ in sizes[1:])


def check_net(function: str, params: Params, x: Array, *target: Array) -> None:
    """Raise ValueError unless params are at least one layer, which fit x, each other and the target."""
    pairs = isinstance(params, list | tuple) and all(isinstance(p, list | tuple) and len(p) == 2 for p in params)
    if not pairs or not params:
        raise ValueError(f"{function}: got params that are no pairs, or none at all, expected [(w, b), …]")
    layers = [array for pair in params for array in pair]
    check_arrays(function, net_shapes(len(params), len(target)), x, *layers, *target)
    if target and 0 in shape(*target):
        raise ValueError(f"{function}: got an empty batch, shapes {shape(x)} and {shape(*target)}")


@functools.cache
def net_shapes(depth: int, n_targets: int) -> str:
    """What check_arrays expects of a batch, the layers and the target if there is one."""

    def chain(last: str) -> str:
        names = [*(f"n_{i}" for i in range(depth)), last]
        return "(batch, n_0), " + ", ".join(f"({n_in}, {n_out}), ({n_out},)" for n_in, n_out in pairwise(names))

    net = chain("n_out")
    return f"{net}, (batch, n_out) or {chain('1')}, (batch,)" if n_targets else net


def check_loss(function: str, output: Array, target: Array) -> None:
    """Raise ValueError unless the shapes may meet in a loss, and there is something to compare."""
    check_arrays(function, "..., ... or (batch, 1), (batch,)", output, target)
    if 0 in shape(output):
        raise ValueError(f"{function}: got an empty batch, shapes {shape(output)} and {shape(target)}")


def flat(a: Array) -> Iterator[float | Fraction]:
    """The elements one by one, the last axis fastest."""
    if isinstance(a, list):
        for row in a:
            yield from flat(row)
    else:
        yield a
