"""Stage 3, mlp: layers in a row, and how wrong they are."""

import math
import statistics
from itertools import pairwise
from typing import Any

import pytest

from shared_specs import oracle
from shared_specs.cases import (
    DEAD,
    ERRORS,
    NETS,
    TIED,
    Misfit,
    Net,
    Operation,
    Shape,
    answers,
    misfits,
    nan_sources,
    operations,
)
from shared_specs.compare import refused
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact, flat

INF, NAN = math.inf, math.nan


# ------------------------------------------------------------------------------------------------- init_mlp


def drawn(impl: Any, lab: Lab, sizes: list[int], seed: int = 1) -> list[tuple[Nested, Nested]]:
    """The parameters of init_mlp as nested lists."""
    params = impl.init_mlp(sizes, seed, **lab.where)
    return [(impl.tolist(w), impl.tolist(b)) for w, b in params]


@pytest.mark.parametrize("sizes", [(3, 2), (4, 5, 1), (2, 3, 4, 5)], ids=str)
def test_init_makes_a_weight_and_a_bias_for_each_layer(impl: Any, lab: Lab, sizes: tuple[int, ...]) -> None:
    """A layer is missing, or its weight is not (n_in, n_out)."""
    params = impl.init_mlp(sizes, seed=1, **lab.where)
    shapes = [(impl.shape(w), impl.shape(b)) for w, b in params]
    assert shapes == [((n_in, n_out), (n_out,)) for n_in, n_out in pairwise(sizes)]


def test_init_starts_biases_at_zero(impl: Any, lab: Lab) -> None:
    """Biases are drawn like weights, or as torch.nn.Linear draws them."""
    (_, first), (_, last) = impl.init_mlp([4, 3, 2], seed=1, **lab.where)
    lab.check("init_mlp([4, 3, 2])[0][1]", first, [0, 0, 0])
    lab.check("init_mlp([4, 3, 2])[1][1]", last, [0, 0])


def test_init_draws_kaiming_weights_in_every_layer(impl: Any, lab: Lab) -> None:
    """A layer is scaled by another one's n_in, or not for relu. Bounds are five standard errors."""
    for w, _ in drawn(impl, lab, [200, 100, 50]):
        std, n = math.sqrt(2 / len(w)), len(w) * len(w[0])
        assert abs(statistics.fmean(flat(w))) < 5 * std / math.sqrt(n)
        assert abs(statistics.pstdev(flat(w)) - std) < 5 * std / math.sqrt(2 * n)


def test_init_draws_the_same_net_from_the_same_seed(impl: Any, lab: Lab) -> None:
    """A run cannot be repeated: something besides the seed decides."""
    assert drawn(impl, lab, [4, 3, 2], seed=7) == drawn(impl, lab, [4, 3, 2], seed=7)


def test_init_draws_another_net_from_another_seed(impl: Any, lab: Lab) -> None:
    """The seed is ignored."""
    assert drawn(impl, lab, [4, 3, 2], seed=7) != drawn(impl, lab, [4, 3, 2], seed=8)


def test_init_draws_every_layer_anew(impl: Any, lab: Lab) -> None:
    """Each layer starts from the same seed: layers of one shape are copies of each other."""
    weights = [number for w, _ in drawn(impl, lab, [4, 4, 4, 4]) for number in flat(w)]
    assert len(set(weights)) == len(weights)


@pytest.mark.parametrize("argument", ["dtype", "device"])
def test_init_rejects_unknown_dtypes_and_devices(impl: Any, argument: str) -> None:
    """A misspelt dtype or device is ignored, and the net lies where nobody expects it."""
    with refused(f"init_mlp(…, {argument}='abacus')"):
        impl.init_mlp([3, 2], seed=1, **{argument: "abacus"})


# ------------------------------------------------------------------------------------------------- mlp


@pytest.mark.parametrize("net", [*NETS, TIED, DEAD], ids=str)
def test_mlp_bends_between_layers_and_not_after_the_last(impl: Any, lab: Lab, net: Net) -> None:
    """A relu is missing, stands after the last layer too, or a layer is left out."""
    lab.check(
        "mlp(x, params)", impl.mlp(lab.array(net.x), lab.array(net.params)), oracle.mlp(*exact((net.x, net.params)))
    )


def test_article_model_has_the_shapes_of_the_article(impl: Any, lab: Lab) -> None:
    """(200, 100) through 50 hidden neurons to one number a sample does not give (200, 50), (200, 1) and a loss."""
    x, y = (impl.normal(200, n, 1.0, seed=n, **lab.where) for n in (100, 1))
    params = impl.init_mlp([100, 50, 1], seed=1, **lab.where)
    assert impl.shape(impl.linear(x, *params[0])) == (200, 50)
    assert impl.shape(impl.mlp(x, params)) == (200, 1)
    assert impl.shape(impl.mse(impl.mlp(x, params), y)) == ()


def test_fifty_layers_of_init_mlp_keep_their_width(impl: Any, lab: Lab) -> None:
    """Init and mlp do not belong together: 50 layers drown the signal or blow it up."""
    x = impl.normal(5, 30, 1.0, seed=2, **lab.where)
    outputs = impl.mlp(x, impl.init_mlp([30] * 51, seed=3, **lab.where))
    assert 1e-3 < math.sqrt(statistics.fmean(float(z) ** 2 for z in flat(impl.tolist(outputs)))) < 1e3


def test_mlp_keeps_a_nan_in_its_sample(impl: Any, lab: Lab) -> None:
    """A relu takes the nan of one sample for a dead unit, or hands it on to other samples."""
    params = [([[1.0, 2.0], [0.5, -1.0]], [1.0, 1.0]), ([[1.0], [1.0]], [0.5])]
    lab.check(
        "mlp([[nan, 1], [2, 3]], params)",
        impl.mlp(lab.array([[NAN, 1.0], [2.0, 3.0]]), lab.array(params)),
        [[NAN], [7]],
    )


@pytest.mark.parametrize(
    ("x", "shapes", "named"),
    [
        ((2, 3), [((4, 5), (5,))], [(2, 3), (4, 5)]),
        ((3,), [((3, 5), (5,))], [(3,), (3, 5)]),
        ((2, 3), [((3, 4), (1,))], [(3, 4), (1,)]),
        ((2, 3), [((3, 4), (4,)), ((5, 1), (1,))], [(5, 1)]),
    ],
    ids=str,
)
def test_mlp_rejects_layers_that_do_not_fit(
    impl: Any, lab: Lab, x: Shape, shapes: list[tuple[Shape, Shape]], named: list[Shape]
) -> None:
    """Sizes that do not fit are cut or broadcast until they do, or the message lacks a shape."""
    arguments = lab.filled(x), [(lab.filled(w), lab.filled(b)) for w, b in shapes]
    with refused(f"mlp({x}, {shapes})"):
        impl.mlp(*arguments)


# ------------------------------------------------------------------------------------------------- mse


@pytest.mark.parametrize(("output", "target"), ERRORS, ids=str)
def test_mse_is_the_mean_over_all_elements(impl: Any, lab: Lab, output: Nested, target: Nested) -> None:
    """A sum over outputs, a mean over the batch only, or a (batch, batch) of differences."""
    got = impl.mse(lab.array(output), lab.array(target))
    lab.check(f"mse({output}, {target})", got, oracle.mse(*exact((output, target))))


@pytest.mark.parametrize("net", NETS, ids=str)
def test_mse_of_a_net_is_exact(impl: Any, exact_lab: Lab, net: Net) -> None:
    """The loss of a right output is off; on Fractions not even by a rounding."""
    params, x, target = exact_lab.array((net.params, net.x, net.target))
    exact_lab.check("mse(mlp(x, params), target)", impl.mse(impl.mlp(x, params), target), answers(net)[0])


def test_mse_of_the_target_is_zero(impl: Any, lab: Lab) -> None:
    """A perfect net still has a loss."""
    lab.check("mse(y, y)", impl.mse(lab.array([[1.0, -2.0], [3.0, 0.1]]), lab.array([[1.0, -2.0], [3.0, 0.1]])), 0)


def test_mse_carries_nan_and_inf_on(impl: Any, lab: Lab) -> None:
    """One broken sample is left out of the mean."""
    lab.check("mse([nan, 1], [1, 1])", impl.mse(lab.array([NAN, 1.0]), lab.array([1.0, 1.0])), NAN)
    lab.check("mse([inf, 1], [1, 1])", impl.mse(lab.array([INF, 1.0]), lab.array([1.0, 1.0])), INF)


def test_mse_rejects_an_empty_batch(impl: Any, lab: Lab) -> None:
    """The mean of nothing is nan or 0, and a run over no data looks like one that works."""
    with refused("mse([], [])"):
        impl.mse(lab.array([]), lab.array([]))


# ------------------------------------------------------------------------------------------------- for every operation


@pytest.mark.parametrize("operation", operations("mlp"), ids=str)
def test_mlps_are_computed_in_full_precision(lab: Lab, operation: Operation) -> None:
    """Somewhere float64 is rounded through float32, or the result has another dtype."""
    lab.check_precision(operation)


@pytest.mark.parametrize("operation", operations("mlp"), ids=str)
def test_mlps_change_neither_data_nor_parameters(lab: Lab, operation: Operation) -> None:
    """The net works in place: a second look at the same batch gives something else."""
    lab.check_arguments_unchanged(operation)


@pytest.mark.parametrize(("operation", "position"), nan_sources("mlp"), ids=str)
def test_mlps_let_nan_through(lab: Lab, operation: Operation, position: int) -> None:
    """A nan in the data, the targets or the parameters is hidden."""
    lab.check_nan(operation, position)


@pytest.mark.parametrize("misfit", misfits("mlp"), ids=str)
def test_losses_reject_shapes_that_do_not_fit(lab: Lab, misfit: Misfit) -> None:
    """(batch,) − (batch, 1) makes (batch, batch): a wrong loss, and backward still runs."""
    lab.check_rejects(misfit)
