"""Bugs of stage 3, mlp."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from shared_specs.oracle import flat

from .bug import Wrong, caught_by

Array = Any
Params = Sequence[tuple[Array, Array]]


# ------------------------------------------------------------------------------------------------- init_mlp


@caught_by("test_init_starts_biases_at_zero", "Biases are drawn like weights")
def init_draws_biases_too(right: Any) -> Wrong:
    """Biases are drawn as torch.nn.Linear draws its own; they should start at 0."""

    def init_mlp(sizes: Sequence[int], seed: int | None, *where: Any, **more: Any) -> list[tuple[Array, Array]]:
        params = right.init_mlp(sizes, seed, *where, **more)
        return [(w, right.like(b, right.tolist(w)[0])) for w, b in params]

    return init_mlp


@caught_by("test_init_draws_kaiming_weights_in_every_layer", "not for relu")
def init_is_that_of_torch(right: Any) -> Wrong:
    """torch.nn.Linear's own default is no Kaiming for relu: std 1/√(3 n_in), less than half of what is needed."""

    def init_mlp(sizes: Sequence[int], seed: int | None, *where: Any, **more: Any) -> list[tuple[Array, Array]]:
        return [(right.times(w, 1 / math.sqrt(6)), b) for w, b in right.init_mlp(sizes, seed, *where, **more)]

    return init_mlp


@caught_by("test_init_draws_kaiming_weights_in_every_layer", "another one's n_in")
def init_scales_by_the_outputs(right: Any) -> Wrong:
    """A layer's std comes from the number of its outputs, not of its inputs."""

    def init_mlp(sizes: Sequence[int], seed: int | None, *where: Any, **more: Any) -> list[tuple[Array, Array]]:
        params = right.init_mlp(sizes, seed, *where, **more)
        scales = [math.sqrt(n_in / n_out) for n_in, n_out in pairwise(sizes)]
        return [(right.times(w, scale), b) for (w, b), scale in zip(params, scales, strict=True)]

    return init_mlp


@caught_by("test_init_draws_every_layer_anew", "copies of each other")
def init_reuses_one_seed(right: Any) -> Wrong:
    """Every layer starts from the same seed, so layers of one shape are copies of each other."""

    def init_mlp(sizes: Sequence[int], seed: int | None, *where: Any, **more: Any) -> list[tuple[Array, Array]]:
        return [right.init_mlp(pair, seed, *where, **more)[0] for pair in pairwise(sizes)]

    return init_mlp


# ------------------------------------------------------------------------------------------------- mlp


@caught_by("test_mlp_bends_between_layers_and_not_after_the_last", "stands after the last layer too")
def mlp_bends_after_the_last_layer(right: Any) -> Wrong:
    """A relu after the last layer: the net can never answer with a number below 0."""

    def mlp(x: Array, params: Params) -> Array:
        return right.relu(right.mlp(x, params))

    return mlp


@caught_by("test_mlp_bends_between_layers_and_not_after_the_last", "A relu is missing")
def mlp_never_bends(right: Any) -> Wrong:
    """Without relu between them, all layers together are one linear layer."""

    def mlp(x: Array, params: Params) -> Array:
        for w, b in params:
            x = right.linear(x, w, b)
        return x

    return mlp


@caught_by("test_mlp_bends_between_layers_and_not_after_the_last", "a bare squeeze")
def mlp_squeezes_its_output(right: Any) -> Wrong:
    """A bare squeeze() is meant for (batch, 1), and makes a scalar of a batch of one. Say which axis."""

    def mlp(x: Array, params: Params) -> Array:
        output = right.mlp(x, params)
        numbers, sizes = list(flat(right.tolist(output))), right.shape(output)
        if 1 not in sizes:
            return output
        return right.like(output, numbers if len(numbers) > 1 else numbers[0])

    return mlp


# ------------------------------------------------------------------------------------------------- mse


@caught_by("test_mse_is_the_mean_over_all_elements", "times too large: a mean's 1/n is missing")
def mse_is_a_sum(right: Any) -> Wrong:
    """The squares are added up and not divided, so the loss grows with the batch."""

    def mse(output: Array, target: Array) -> Array:
        return right.times(right.mse(output, target), len(list(flat(right.tolist(output)))))

    return mse


@caught_by("test_mse_is_the_mean_over_all_elements", "times too large: a mean's 1/n is missing")
def mse_is_a_mean_over_the_batch_only(right: Any) -> Wrong:
    """The sum of squares is divided by the batch, not by the number of elements: right for one output."""

    def mse(output: Array, target: Array) -> Array:
        return right.times(right.mse(output, target), math.prod(right.shape(output)[1:]))

    return mse


@caught_by("test_mse_is_the_mean_over_all_elements", "a factor 2 is missing")
def mse_is_halved(right: Any) -> Wrong:
    """½ (output − target)², the convention in which the gradient has no 2; it is another loss."""

    def mse(output: Array, target: Array) -> Array:
        return right.times(right.mse(output, target), 0.5)

    return mse


@caught_by("test_mse_is_the_mean_over_all_elements", r"\(batch, batch\) of differences")
def mse_broadcasts_to_batch_by_batch(right: Any) -> Wrong:
    """(batch, 1) − (batch,) broadcasts to (batch, batch): every output is compared with every target."""

    def mse(output: Array, target: Array) -> Array:
        if right.shape(output) == (*right.shape(target), 1):
            n = right.shape(target)[0]
            output, target = (right.add(part, right.like(output, [[0.0] * n] * n)) for part in (output, target))
        return right.mse(output, target)

    return mse


@caught_by("test_shapes_that_do_not_fit_are_refused", "raised nothing")
def mse_takes_one_target_for_all_outputs(right: Any) -> Wrong:
    """Any target that broadcasts is accepted."""

    def mse(output: Array, target: Array) -> Array:
        if len(right.shape(output)) == 2 and right.shape(target)[-1:] == (1,):
            target = right.add(target, right.times(output, 0))
        return right.mse(output, target)

    return mse


@caught_by("test_mse_carries_nan_and_inf_on", "a nan was hidden")
def mse_leaves_nan_out(right: Any) -> Wrong:
    """Samples with a nan are dropped from the mean, so the loss of a broken net looks fine."""

    def mse(output: Array, target: Array) -> Array:
        right.mse(output, target)  # checks the shapes
        errors = [y - t for y, t in zip(*(flat(right.tolist(a)) for a in (output, target)), strict=True)]
        kept = [error**2 for error in errors if not math.isnan(error)]
        return right.like(output, sum(kept) / max(1, len(kept)))

    return mse


@caught_by("test_an_empty_batch_is_refused", "raised nothing")
def mse_of_nothing_is_zero(right: Any) -> Wrong:
    """An empty batch has the loss 0, and a run over no data looks perfect."""

    def mse(output: Array, target: Array) -> Array:
        return right.like(output, 0.0) if 0 in right.shape(output) else right.mse(output, target)

    return mse
