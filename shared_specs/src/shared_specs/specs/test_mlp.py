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
    Net,
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


@pytest.mark.parametrize("sizes", [[], [3]], ids=str)
def test_nets_of_fewer_than_two_sizes_are_refused(impl: Any, lab: Lab, sizes: list[int]) -> None:
    """A net without a layer gives back what it is given, and has nothing to learn."""
    with refused(f"init_mlp({sizes})"):
        impl.init_mlp(sizes, seed=1, **lab.where)


def test_init_draws_every_layer_anew(impl: Any, lab: Lab) -> None:
    """Each layer starts from the same seed: layers of one shape are copies of each other."""
    weights = [number for w, _ in drawn(impl, lab, [4, 4, 4, 4]) for number in flat(w)]
    assert len(set(weights)) == len(weights)


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


@pytest.mark.parametrize("depth", [1, 1100])
def test_mlp_goes_as_deep_as_asked(impl: Any, one_lab: Lab, depth: int) -> None:
    """A net is walked by recursion, and Python's stack is not as deep as the net."""
    params = [(one_lab.array([[1.0]]), one_lab.array([0.0]))] * depth
    one_lab.check("mlp(x, params)", impl.mlp(one_lab.array([[1.0]]), params), [[1]])


# ------------------------------------------------------------------------------------------------- mse


@pytest.mark.parametrize(("output", "target"), ERRORS, ids=str)
def test_mse_is_the_mean_over_all_elements(impl: Any, lab: Lab, output: Nested, target: Nested) -> None:
    """A sum over outputs, a mean over the batch only, or a (batch, batch) of differences."""
    got = impl.mse(lab.array(output), lab.array(target))
    lab.check(f"mse({output}, {target})", got, oracle.mse(*exact((output, target))))


def test_mse_carries_nan_and_inf_on(impl: Any, lab: Lab) -> None:
    """One broken sample is left out of the mean."""
    lab.check("mse([nan, 1], [1, 1])", impl.mse(lab.array([NAN, 1.0]), lab.array([1.0, 1.0])), NAN)
    lab.check("mse([inf, 1], [1, 1])", impl.mse(lab.array([INF, 1.0]), lab.array([1.0, 1.0])), INF)


@pytest.mark.parametrize("exponent", [-50, 50])
def test_mse_of_huge_and_tiny_errors_is_right(impl: Any, lab: Lab, exponent: int) -> None:
    """Small errors are taken for 0, or squares are summed in a way that overflows early."""
    output, target = (oracle.multiply(array, 2.0**exponent) for array in ([[1.0, -2.5]], [[0.5, 3.0]]))
    got = impl.mse(lab.array(output), lab.array(target))
    lab.check(f"mse × 2^{exponent}", got, oracle.mse(*exact((output, target))))
