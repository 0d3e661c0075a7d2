"""Bugs of stage 2, layer."""

import math
import random
from itertools import count
from typing import Any

from .bug import Wrong, caught_by

Array = Any


# ------------------------------------------------------------------------------------------------- layer


@caught_by("test_layer_gives_each_neuron_its_row_and_its_bias", "another one's weights")
def layer_reads_weights_by_column(right: Any) -> Wrong:
    """A neuron's weights are a row; where the matrix is square they are taken from a column."""

    def layer(inputs: Array, weights: Array, biases: Array) -> Array:
        return right.layer(inputs, right.transpose(weights) if right.square(weights) else weights, biases)

    return layer


@caught_by("test_layer_gives_each_neuron_its_row_and_its_bias", "another one's weights or bias")
def layer_gives_all_neurons_one_bias(right: Any) -> Wrong:
    """Every neuron adds the first one's bias."""

    def layer(inputs: Array, weights: Array, biases: Array) -> Array:
        values = right.tolist(biases)
        return right.layer(inputs, weights, right.like(biases, values[:1] * len(values)))

    return layer


# ------------------------------------------------------------------------------------------------- matmul


def by_loops(right: Any, a: Array, b: Array, last: int | None = None) -> Array:
    """a @ b by three loops, without a check; the innermost may stop early."""
    rows, columns = right.tolist(a), list(zip(*right.tolist(b), strict=True))
    return right.like(a, [[sum(x * w for x, w in list(zip(row, c))[:last]) for c in columns] for row in rows])  # noqa: B905


@caught_by("test_every_rung_of_matmul_is_right", "4 of 4 elements differ")
def matmul_drops_the_last_product(right: Any) -> Wrong:
    """The innermost loop ends one too early, so the last product is missing from every sum."""

    def matmul(a: Array, b: Array) -> Array:
        right.matmul(a, b)  # checks the shapes
        return by_loops(right, a, b, last=-1)

    return matmul


@caught_by("test_shapes_that_do_not_fit_are_refused", "raised nothing")
def matmul_loops_check_no_sizes(right: Any) -> Wrong:
    """Without a check of the inner sizes, loops take (5, 1) @ (7, 3) and return (5, 3) wrong numbers."""

    def loops(a: Array, b: Array) -> Array:
        return by_loops(right, a, b)

    return {"MATMULS": {**right.MATMULS, "loops": loops}}


@caught_by("test_every_rung_of_matmul_is_right", "not on square ones")
def matmul_broadcasts_a_row_as_a_row(right: Any) -> Wrong:
    """a[i, None] * b for a[i, :, None] * b: an error on most shapes, and silently wrong on square ones."""

    def broadcast(a: Array, b: Array) -> Array:
        if not right.square(b):
            return right.matmul(a, b)
        products = [right.tolist(right.multiply(right.like(a, [row]), b)) for row in right.tolist(a)]
        return right.like(a, [[sum(column) for column in zip(*rows, strict=True)] for rows in products])

    return {"MATMULS": {**right.MATMULS, "broadcast": broadcast}}


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def matmul_gathers_in_its_argument(right: Any) -> Wrong:
    """Sums are gathered in the rows of the second factor to save an array, so the factor is gone."""

    def loops(a: Array, b: Array) -> Array:
        product = right.matmul(a, b)
        if len(a) <= len(b):
            b[: len(a)] = product
        return product

    return {"MATMULS": {**right.MATMULS, "loops": loops}}


@caught_by("test_rungs_of_matmul_stand_in_order", "in another order")
def matmuls_are_told_backwards(right: Any) -> Wrong:
    """The ladder begins with its fastest rung, so the table of speeds tells no story."""
    return {"MATMULS": dict(reversed(right.MATMULS.items()))}


@caught_by("test_fifty_layers_of_randn_explode", "float64 holds and float32 does not")
def matmul_computes_in_float32(right: Any) -> Wrong:
    """float64 is computed in float32, which overflows at 3e38 where float64 goes on to 1e308."""

    def matmul(a: Array, b: Array) -> Array:
        return right.singles(right.matmul(a, b))

    return matmul


# ------------------------------------------------------------------------------------------------- linear


@caught_by("test_linear_adds_the_bias_to_every_sample", "bias is missing")
def linear_forgets_its_bias(right: Any) -> Wrong:
    """x @ w is returned without b."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        return right.linear(x, w, right.times(b, 0))

    return linear


@caught_by("test_linear_adds_the_bias_to_every_sample", "along the batch")
def linear_adds_its_bias_along_the_batch(right: Any) -> Wrong:
    """When there are as many samples as neurons, each sample gets a bias instead of each neuron."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        y = right.linear(x, w, b)
        return right.add(right.matmul(x, w), right.unsqueeze(b, 1)) if right.square(y) else y

    return linear


@caught_by("test_linear_adds_the_bias_to_every_sample", "one sample only")
def linear_gives_its_bias_to_the_first_sample(right: Any) -> Wrong:
    """The bias is added to row 0 only: right for a batch of one."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        with_bias, without = right.tolist(right.linear(x, w, b)), right.tolist(right.linear(x, w, right.times(b, 0)))
        return right.like(x, with_bias[:1] + without[1:])

    return linear


@caught_by("test_linear_gives_the_numbers_of_the_article", "weights transposed")
def linear_takes_a_row_for_a_neuron(right: Any) -> Wrong:
    """w is used as torch.nn.Linear stores it, a row a neuron; square weights do not betray it by their shape."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        return right.linear(x, right.transpose(w) if right.square(w) else w, b)

    return linear


@caught_by("test_shapes_that_do_not_fit_are_refused", "raised nothing")
def linear_broadcasts_one_bias(right: Any) -> Wrong:
    """A bias of shape (1,) is accepted for any number of neurons."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        if right.shape(b) == (1,):
            b = right.like(b, right.tolist(b) * right.shape(w)[1])
        return right.linear(x, w, b)

    return linear


@caught_by("test_shapes_that_do_not_fit_are_refused", r"linear\(\(3,\)[\s\S]*raised nothing")
def linear_takes_a_sample_without_a_batch(right: Any) -> Wrong:
    """A single sample (n_in,) is taken for a batch of one."""

    def linear(x: Array, w: Array, b: Array) -> Array:
        return right.linear(right.unsqueeze(x, 0) if len(right.shape(x)) == 1 else x, w, b)

    return linear


# ------------------------------------------------------------------------------------------------- init


@caught_by("test_xavier_and_kaiming_scale_by_the_inputs", "mistakes one init for the other")
def kaiming_forgets_the_relu(right: Any) -> Wrong:
    """1/√n_in is Xavier's std: Kaiming's has √2 more, for the half that relu takes away."""

    def kaiming_std(n_in: int) -> float:
        return float(right.xavier_std(n_in))

    return kaiming_std


@caught_by("test_xavier_and_kaiming_scale_by_the_inputs", "misses a root")
def kaiming_is_a_variance(right: Any) -> Wrong:
    """2/n_in is the variance; the std is its root."""

    def kaiming_std(n_in: int) -> float:
        return float(right.kaiming_std(n_in)) ** 2

    return kaiming_std


@caught_by("test_fifty_layers_of_kaiming_and_relu_keep_their_width", "does not make up for what relu takes away")
def kaiming_ignores_the_inputs(right: Any) -> Wrong:
    """Weights of std 0.01 whatever the width, as was once usual: after fifty layers nothing is left."""

    def kaiming_std(n_in: int) -> float:
        return 0.01

    return kaiming_std


@caught_by("test_normal_has_the_mean_and_the_std_asked_for", "taken for a variance")
def normal_takes_std_for_the_variance(right: Any) -> Wrong:
    """N(0, std) is drawn for N(0, std²); at std 1 nobody sees it."""

    def normal(n_in: int, n_out: int, std: float, seed: int | None, *where: Any, **more: Any) -> Array:
        return right.normal(n_in, n_out, math.sqrt(std), seed, *where, **more)

    return normal


@caught_by("test_normal_has_the_shape_of_a_bell", "uniform")
def normal_is_uniform(right: Any) -> Wrong:
    """The numbers have the right mean and the right std, and are spread evenly."""

    def normal(
        n_in: int, n_out: int, std: float, seed: int | None, dtype: str | None = None, device: str | None = None
    ) -> Array:
        rng, end = random.Random(seed), math.sqrt(3) * std
        return right.asarray([[rng.uniform(-end, end) for _ in range(n_out)] for _ in range(n_in)], dtype, device)

    return normal


@caught_by("test_normal_draws_the_same_numbers_from_the_same_seed", "something besides the seed decides")
def normal_depends_on_earlier_calls(right: Any) -> Wrong:
    """Something besides the seed, here the number of calls so far, decides about the numbers."""
    calls = count()

    def normal(n_in: int, n_out: int, std: float, seed: int | None, *where: Any, **more: Any) -> Array:
        return right.normal(n_in, n_out, std, (seed or 0) + next(calls), *where, **more)

    return normal


@caught_by("test_normal_draws_other_numbers_from_another_seed", "seed is ignored")
def normal_ignores_its_seed(right: Any) -> Wrong:
    """Every call draws the same numbers, whatever the seed."""

    def normal(n_in: int, n_out: int, std: float, seed: int | None, *where: Any, **more: Any) -> Array:
        return right.normal(n_in, n_out, std, 42, *where, **more)

    return normal


@caught_by("test_normal_leaves_other_generators_alone", "set for all of Python")
def normal_seeds_the_whole_program(right: Any) -> Wrong:
    """random.seed() is called instead of making a generator, and all other random numbers change with it."""

    def normal(n_in: int, n_out: int, std: float, seed: int | None, *where: Any, **more: Any) -> Array:
        random.seed(seed)
        return right.normal(n_in, n_out, std, seed, *where, **more)

    return normal


@caught_by("test_normal_has_n_in_rows_and_n_out_columns", r"\(5, 3\) == \(3, 5\)")
def normal_is_transposed(right: Any) -> Wrong:
    """Weights come out as (n_out, n_in), the orientation of torch.nn.Linear."""

    def normal(n_in: int, n_out: int, *arguments: Any, **more: Any) -> Array:
        return right.normal(n_out, n_in, *arguments, **more)

    return normal
