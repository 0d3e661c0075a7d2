"""Stage 2, layer: many neurons, many samples, and weights that start at the right size."""

import math
import random
import statistics
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from shared_specs import oracle
from shared_specs.cases import FACTOR_IDS, FACTORS
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact, flat

INF, NAN = math.inf, math.nan
LADDER = ["loops", "elementwise", "broadcast", "einsum", "builtin"]


# ------------------------------------------------------------------------------------------------- layer


@pytest.mark.parametrize(("inputs", "outputs"), [([1.0, 2.0], [19, 22]), ([3.0, 4.0], [43, 50])], ids=str)
def test_layer_gives_the_numbers_of_the_article(impl: Any, lab: Lab, inputs: Nested, outputs: Nested) -> None:
    """Weights [[5, 7], [6, 8]], a row a neuron, are read by column."""
    got = impl.layer(lab.array(inputs), lab.array([[5.0, 7.0], [6.0, 8.0]]), lab.array([0.0, 0.0]))
    lab.check(f"layer({inputs}, [[5, 7], [6, 8]], [0, 0])", got, outputs)


@pytest.mark.parametrize(
    ("inputs", "weights", "biases"),
    [
        ([2.0], [[3.0]], [0.5]),
        ([1.0, -2.0, 0.5], [[1.5, 0.25, -1.0], [-0.75, 2.0, 4.0]], [0.5, -8.0]),
        ([1.0, -2.0], [[1.5, 0.25], [-0.75, 2.0], [3.0, -1.0]], [0.5, -8.0, 1.0]),
        ([1.0, -2.0, 0.5], [[1.0, 2.0, 3.0], [-4.0, 5.0, -6.0], [7.0, -8.0, 9.0]], [0.125, 0.25, -0.5]),
    ],
    ids=str,
)
def test_layer_gives_each_neuron_its_row_and_its_bias(
    impl: Any, lab: Lab, inputs: Nested, weights: Nested, biases: Nested
) -> None:
    """A neuron gets another one's weights or bias; on square weights no shape betrays it."""
    got = impl.layer(lab.array(inputs), lab.array(weights), lab.array(biases))
    lab.check(f"layer({inputs}, {weights}, {biases})", got, oracle.layer(*exact((inputs, weights, biases))))


# ------------------------------------------------------------------------------------------------- matmul


@pytest.mark.parametrize(("a", "b"), FACTORS, ids=FACTOR_IDS)
def test_every_rung_of_matmul_is_right(impl: Any, lab: Lab, a: Nested, b: Nested) -> None:
    """A rung is fast and wrong: a[i, None] for a[i, :, None] is an error on most shapes, but not on square ones."""
    for name, rung in {"matmul": impl.matmul, **impl.MATMULS}.items():
        lab.check(f"{name}({a}, {b})", rung(lab.array(a), lab.array(b)), oracle.matmul(*exact((a, b))))


def test_rungs_of_matmul_stand_in_order(impl: Any) -> None:
    """The table of speeds would tell the ladder in another order, or would have none to tell."""
    known = [name for name in impl.MATMULS if name in LADDER]
    assert known
    assert known == sorted(known, key=LADDER.index)


# ------------------------------------------------------------------------------------------------- linear


def test_linear_gives_the_numbers_of_the_article(impl: Any, lab: Lab) -> None:
    """The article's batch of two through its two neurons, weights transposed, is not [[19, 22], [43, 50]]."""
    got = impl.linear(lab.array([[1.0, 2.0], [3.0, 4.0]]), lab.array([[5.0, 6.0], [7.0, 8.0]]), lab.array([0.0, 0.0]))
    lab.check("linear([[1, 2], [3, 4]], [[5, 6], [7, 8]], [0, 0])", got, [[19, 22], [43, 50]])


@pytest.mark.parametrize(("x", "w"), FACTORS, ids=FACTOR_IDS)
def test_linear_adds_the_bias_to_every_sample(impl: Any, lab: Lab, x: Nested, w: Nested) -> None:
    """The bias is missing, is added to one sample only, or along the batch when batch and n_out are equal."""
    b = [0.5, -2.0, 0.125, 4.0][: len(w[0])]
    lab.check(
        f"linear({x}, {w}, {b})",
        impl.linear(lab.array(x), lab.array(w), lab.array(b)),
        oracle.linear(*exact((x, w, b))),
    )


def test_linear_keeps_a_nan_in_its_sample(impl: Any, lab: Lab) -> None:
    """A nan spreads to samples that never met it, or vanishes."""
    got = impl.linear(lab.array([[NAN, 1.0], [2.0, 3.0]]), lab.array([[1.0, 2.0], [0.5, -1.0]]), lab.array([1.0, 1.0]))
    lab.check("linear([[nan, 1], [2, 3]], w, b)", got, [[NAN, NAN], [4.5, 2]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_linear_carries_an_overflow_on(impl: Any, lab: Lab) -> None:
    """inf in an input is replaced by a large number, or turned into nan without a reason."""
    got = impl.linear(lab.array([[INF, 1.0], [2.0, 3.0]]), lab.array([[1.0, -2.0], [0.5, -1.0]]), lab.array([1.0, 1.0]))
    lab.check("linear([[inf, 1], [2, 3]], w, b)", got, [[INF, -INF], [4.5, -6]])


@pytest.mark.parametrize("exponent", [-60, 60])
def test_linear_scales_with_its_inputs(impl: Any, lab: Lab, exponent: int) -> None:
    """Tiny inputs are taken for 0, or huge ones cut: a power of 2 must come out as it went in, to the last bit."""
    x, w, b = [[1.0, -2.5], [0.5, 3.0]], [[1.5, 0.25], [-1.0, 2.0]], [0.5, -1.25]
    scaled = [oracle.multiply(array, 2.0**exponent) for array in (x, b)]
    got = impl.tolist(impl.linear(lab.array(scaled[0]), lab.array(w), lab.array(scaled[1])))
    assert got == oracle.multiply(impl.tolist(impl.linear(*map(lab.array, (x, w, b)))), 2.0**exponent)


# ------------------------------------------------------------------------------------------------- init


def numbers(impl: Any, array: Any) -> list[float]:
    """The elements of an array as floats."""
    return [float(number) for number in flat(impl.tolist(array))]


@pytest.mark.parametrize("n_in", [1, 2, 3, 50, 100, 784])
def test_xavier_and_kaiming_scale_by_the_inputs(impl: Any, n_in: int) -> None:
    """The formula takes n_out for n_in, misses a root, or mistakes one init for the other."""
    assert impl.xavier_std(n_in) == pytest.approx(float(oracle.xavier_std(n_in)), rel=1e-15, abs=0)
    assert impl.kaiming_std(n_in) == pytest.approx(float(oracle.kaiming_std(n_in)), rel=1e-15, abs=0)


@pytest.mark.parametrize("std", [1.0, 0.1, 4.0])
def test_normal_has_the_mean_and_the_std_asked_for(impl: Any, lab: Lab, std: float) -> None:
    """Weights are biased to one side, or std was taken for a variance. Bounds are five standard errors of 20,000."""
    drawn = numbers(impl, impl.normal(200, 100, std, seed=1, **lab.where))
    assert abs(statistics.fmean(drawn)) < 5 * std / math.sqrt(20_000)
    assert abs(statistics.pstdev(drawn) - std) < 5 * std / math.sqrt(2 * 20_000)


@pytest.mark.parametrize("stds", [0.5, 1, 2, 3])
def test_normal_has_the_shape_of_a_bell(impl: Any, lab: Lab, stds: float) -> None:
    """The numbers are uniform, or their tails are cut off."""
    drawn = numbers(impl, impl.normal(200, 100, 2.0, seed=2, **lab.where))
    part, within = sum(abs(z) < 2 * stds for z in drawn) / 20_000, oracle.within(stds)
    assert abs(part - within) < 5 * math.sqrt(within * (1 - within) / 20_000)


def test_normal_of_std_0_is_zero(impl: Any, lab: Lab) -> None:
    """A constant is added to the weights."""
    lab.check("normal(2, 3, 0.0)", impl.normal(2, 3, 0.0, seed=3, **lab.where), [[0, 0, 0], [0, 0, 0]])


def test_normal_has_n_in_rows_and_n_out_columns(impl: Any, lab: Lab) -> None:
    """Weights come out as (n_out, n_in)."""
    assert impl.shape(impl.normal(3, 5, 1.0, seed=4, **lab.where)) == (3, 5)


def test_normal_draws_the_same_numbers_from_the_same_seed(impl: Any, lab: Lab) -> None:
    """A run cannot be repeated: something besides the seed decides."""
    first, _, again = (impl.normal(4, 3, 1.0, seed, **lab.where) for seed in (5, 6, 5))
    assert impl.tolist(first) == impl.tolist(again)


def test_normal_leaves_other_generators_alone(impl: Any, lab: Lab) -> None:
    """The seed is set for all of Python: whoever else draws random numbers gets others."""
    before = random.getstate()
    impl.normal(4, 3, 1.0, seed=5, **lab.where)
    assert random.getstate() == before


def test_normal_draws_other_numbers_from_another_seed(impl: Any, lab: Lab) -> None:
    """The seed is ignored, or numbers repeat within one array."""
    drawn = [z for seed in range(5) for z in numbers(impl, impl.normal(4, 3, 1.0, seed, **lab.where))]
    assert len(set(drawn)) == len(drawn)


def test_normal_scales_the_same_numbers_by_std(impl: Any, lab: Lab) -> None:
    """Another std gives other numbers, so that no two inits can be compared."""
    ones, halves = (impl.normal(4, 3, std, seed=6, **lab.where) for std in (1.0, 0.5))
    lab.check("normal(4, 3, 0.5, seed=6)", halves, oracle.multiply(exact(impl.tolist(ones)), exact(0.5)))


# The article's experiments: x is 200×100, one layer to 50 neurons


def one_layer(impl: Any, lab: Lab, std: float) -> Any:
    """The outputs of the article's first layer, before the activation."""
    x, w = (impl.normal(*arguments, **lab.where) for arguments in [(200, 100, 1.0, 8), (100, 50, std, 9)])
    return impl.linear(x, w, impl.asarray([0.0] * 50, lab.dtype, lab.device))


def test_randn_weights_widen_the_numbers_tenfold(impl: Any, lab: Lab) -> None:
    """The first experiment does not show why init matters: std 10 after one layer of 100 inputs."""
    outputs = numbers(impl, one_layer(impl, lab, 1.0))
    assert statistics.pstdev(outputs) == pytest.approx(10, rel=0.1)


def test_xavier_keeps_the_width_of_a_layer(impl: Any, lab: Lab) -> None:
    """With Xavier weights the outputs are not as wide as the inputs: std 1."""
    outputs = numbers(impl, one_layer(impl, lab, impl.xavier_std(100)))
    assert statistics.pstdev(outputs) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(("init", "std"), [("xavier_std", 1.0), ("kaiming_std", math.sqrt(2))])
def test_relu_leaves_the_mean_and_std_of_half_a_bell(impl: Any, lab: Lab, init: str, std: float) -> None:
    """After relu, mean .399 and std .584 (Xavier), .564 and .826 (Kaiming): init, layer or relu is off."""
    active = numbers(impl, impl.relu(one_layer(impl, lab, getattr(impl, init)(100))))
    mean_expected, std_expected = oracle.relu_of_normal(std)
    assert statistics.fmean(active) == pytest.approx(mean_expected, rel=0.1)
    assert statistics.pstdev(active) == pytest.approx(std_expected, rel=0.1)


def test_kaiming_then_relu_keeps_the_mean_square(impl: Any, lab: Lab) -> None:
    """E[x²] after relu is not 1, so that depth still decides how large numbers get."""
    active = numbers(impl, impl.relu(one_layer(impl, lab, impl.kaiming_std(100))))
    assert statistics.fmean(z * z for z in active) == pytest.approx(1, rel=0.2)


@cache
def fifty_weights(impl: Any, lab: Lab) -> list[Any]:
    """50 times randn(100, 100), drawn once: in plain Python half a million draws take longer than all that follows."""
    return [impl.normal(100, 100, 1.0, seed=100 + depth, **lab.where) for depth in range(50)]


def fifty_layers(impl: Any, lab: Lab, std: float, bend: Callable[[Any], Any] | None = None) -> float:
    """The width of 5 samples (not 200, for plain Python's sake) after 50 layers of weights randn × std."""
    x, scale = impl.normal(5, 100, 1.0, seed=10, **lab.where), impl.asarray(std, lab.dtype, lab.device)
    for w in fifty_weights(impl, lab):
        x = impl.multiply(impl.matmul(x, w), scale)
        x = bend(x) if bend else x
    return math.sqrt(statistics.fmean(z * z for z in numbers(impl, x)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_fifty_layers_of_randn_explode(impl: Any, lab: Lab) -> None:
    """50 layers do not reach 1e50, which float64 holds and float32 does not: there it must be inf or nan."""
    width = fifty_layers(impl, lab, 1.0)
    if lab.dtype == "float32":
        assert not math.isfinite(width)
    else:
        assert 1e48 < width < 1e52


def test_fifty_layers_of_tiny_weights_vanish(impl: Any, lab: Lab) -> None:
    """50 layers × 0.01 do not reach 1e-50, which float64 holds; in float32 it must be 0."""
    width = fifty_layers(impl, lab, 0.01)
    if lab.dtype == "float32":
        assert width == 0
    else:
        assert 1e-52 < width < 1e-48


def test_fifty_layers_of_xavier_keep_their_width(impl: Any, lab: Lab) -> None:
    """With Xavier weights the signal explodes or vanishes with depth."""
    assert 0.05 < fifty_layers(impl, lab, impl.xavier_std(100)) < 20


def test_fifty_layers_of_xavier_and_relu_vanish(impl: Any, lab: Lab) -> None:
    """Each relu halves the mean square, which Xavier does not know: about 1e-8 must be left."""
    assert 1e-11 < fifty_layers(impl, lab, impl.xavier_std(100), impl.relu) < 1e-5


def test_fifty_layers_of_kaiming_and_relu_keep_their_width(impl: Any, lab: Lab) -> None:
    """Kaiming does not make up for what relu takes away."""
    assert 0.01 < fifty_layers(impl, lab, impl.kaiming_std(100), impl.relu) < 100
