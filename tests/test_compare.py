"""The comparer fails on planted mistakes, and says which one it was."""

import math
import re
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from shared_specs.compare import EXACT, assert_close, refused, ulps

RIGHT = [[1.0, -2.0], [3.0, 5.0]]
NAN, INF = math.nan, math.inf


def complaint(lists: Any, got: Any, expected: Any, dtype: str = "float64", **details: Any) -> str:
    """What the comparer says."""
    with pytest.raises(AssertionError) as raised:
        assert_close(lists, "f(x)", got, expected, dtype, **details)
    return str(raised.value)


# What is right


@pytest.mark.parametrize("values", [RIGHT, 3.5, [], [[], []], [NAN, INF, -INF, 0.0], [-0.0]])
def test_equal_values_pass(lists: Any, values: Any) -> None:
    """A right answer is refused: for its depth, for being empty, or for its NaN."""
    assert_close(lists, "f(x)", values, values)


def test_fractions_are_compared_with_floats(lists: Any) -> None:
    """The oracle's Fractions overflow, or are rounded before they are compared."""
    assert_close(lists, "f(x)", [1 / 3, 1e308], [Fraction(1, 3), Fraction(10) ** 308])
    assert_close(lists, "f(x)", [INF, -INF], [Fraction(10) ** 400, -(Fraction(10) ** 400)])


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-5)])
def test_the_tolerance_is_relative_to_the_largest_element(lists: Any, dtype: str, error: float) -> None:
    """A small element beside a large one is held to more than its dtype can do."""
    assert_close(lists, "f(x)", [1000.0, 1.0 + 900 * error], [1000.0, 1.0], dtype)
    assert "[1]: got" in complaint(lists, [1000.0, 1.0 + 1100 * error], [1000.0, 1.0], dtype)


def test_a_scale_takes_the_place_of_the_largest_element(lists: Any) -> None:
    """A sum that cancels is held to the size of what is left."""
    assert complaint(lists, [1e-16], [0.0])
    assert_close(lists, "f(x)", [1e-16], [0.0], scale=1.0)


def test_fractions_must_be_equal_and_stay_fractions(lists: Any) -> None:
    """An exact implementation is given a tolerance, or may fall back to floats."""
    assert_close(lists, "f(x)", [Fraction(1, 3), 2], [Fraction(1, 3), 2], EXACT)
    assert "1/3" in complaint(lists, [Fraction(1, 3)], [Fraction(1, 3) + Fraction(1, 10**50)], EXACT)
    assert "expected exact Fractions only" in complaint(lists, [0.5], [Fraction(1, 2)], EXACT)


# What is wrong


def test_the_message_says_what_was_called_what_came_and_where_it_differs(lists: Any) -> None:
    """A failure has to be debugged before it can be read."""
    assert complaint(lists, [[1.0, -2.0], [3.0, 5.0 + 2**-40]], RIGHT, scale=1e-3).splitlines()[:4] == [
        "f(x): 1 of 4 elements differ by more than 1e-15",
        "  got       [[1.0, -2.0], [3.0, 5.0000000000009095]]",
        "  expected  [[1.0, -2.0], [3.0, 5.0]]",
        "  first at  [1][1]: got 5.0000000000009095, expected 5.0, 1.02e+03 ULPs apart",
    ]


@pytest.mark.parametrize("position", range(4))
def test_every_element_is_compared(lists: Any, position: int) -> None:
    """A single wrong element passes."""
    got = [1.0, -2.0, 3.0, 5.0]
    got[position] += 1e-6
    assert f"[{position}]: got" in complaint(lists, got, [1.0, -2.0, 3.0, 5.0])


@pytest.mark.parametrize(
    ("got", "expected", "mistake"),
    [
        ([[1.0, 3.0], [-2.0, 5.0]], RIGHT, "the result is transposed"),
        ([[-1.0, 2.0], [-3.0, -5.0]], RIGHT, "the sign is flipped"),
        ([[2.0, -4.0], [6.0, 10.0]], RIGHT, "a factor 2 too many"),
        ([[0.5, -1.0], [1.5, 2.5]], RIGHT, "a factor 2 is missing"),
        ([[-2.0, 4.0], [-6.0, -10.0]], RIGHT, "the sign is flipped, and a factor 2 too many"),
        ([[5.0, -10.0], [15.0, 25.0]], RIGHT, "5 times too large: a mean's 1/n is missing"),
        (0.6, 3.0, "1/5 of what is expected: divided by n once too often"),
        ([[1.3, -2.6], [3.9, 6.5]], RIGHT, "every element is 1.3 times the expected one"),
        ([[1.5, -1.5], [3.5, 5.5]], RIGHT, "every element is off by 0.5: a bias missing or added twice"),
        ([[3.0, 5.0], [1.0, -2.0]], RIGHT, "the right rows in another order"),
        ([[0.0, 0.0], [0.0, 0.0]], RIGHT, "zeros only"),
        ([0.1 + 1e-9, 0.2 - 1e-9], [0.1, 0.2], "rounded through float32"),
        ([-3.0, 2.0], [0.0, 2.0], "relu or its mask is left out"),
        ([NAN, 2.0], [0.0, 2.0], "0 × inf is nan"),
        ([NAN, 2.0], [1.0, 2.0], "a softmax without its maximum subtracted"),
        ([0.0, 2.0], [NAN, 2.0], "a nan was hidden"),
    ],
)
def test_a_typical_mistake_is_named(lists: Any, got: Any, expected: Any, mistake: str) -> None:
    """The learner is not told which mistake makes that difference."""
    assert mistake in complaint(lists, got, expected).partition("likely mistake: ")[2]


@pytest.mark.parametrize(
    ("got", "expected", "mistake"),
    [
        ([[1.0], [2.0], [3.0]], [[1.0, 2.0, 3.0]], "the result is transposed"),
        ([1.0, 2.0], [[1.0], [2.0]], "an axis of size 1 was dropped (a bare squeeze?)"),
        (3.0, [3.0], "an axis of size 1 was dropped (a bare squeeze?)"),
        ([[1.0, 2.0], [3.0, 4.0]], [1.0, 2.0], "(batch, 1) was broadcast against (batch,)"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0], [2.0]], "(batch, 1) was broadcast against (batch,)"),
        ([1.0, 2.0], 3.0, "not reduced to one number"),
        ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [9.0, 12.0], "not summed over the batch"),
        ([9.0, 12.0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "summed over an axis that should stay"),
    ],
)
def test_a_typical_wrong_shape_is_named(lists: Any, got: Any, expected: Any, mistake: str) -> None:
    """The learner is not told which mistake makes that shape."""
    assert f"likely mistake: {mistake}" in complaint(lists, got, expected)


def test_a_broadcast_is_named_though_it_is_reduced_to_one_number(lists: Any) -> None:
    """The commonest mistake in a loss leaves no shape behind."""
    with pytest.raises(AssertionError, match=r"likely mistake: \(batch, 1\) − \(batch,\) was broadcast to"):
        assert_close(lists, "mse((5, 1), (5,))", 3.7, 1.3)


def test_no_reader_meets_a_fraction_of_30_digits(lists: Any) -> None:
    """The numbers that differ cannot be read."""
    third = Fraction(1, 3)
    said = complaint(lists, [third], [third + Fraction(1, 10**50)], EXACT)
    assert "first at  [0]: got 1/3, expected ≈0.3333333333333333, 1e-50 apart" in said
    assert not re.search(r"\d{20}", said)


def test_a_spec_can_name_mistakes_of_its_own(lists: Any) -> None:
    """What only the spec can know goes unsaid, or is said of other values."""
    likely = {"the bias gradient is the first row's only": [1.0, 9.0]}
    assert "likely mistake: the bias gradient is the first" in complaint(lists, [1.0, 9.0], [4.0, 2.0], likely=likely)
    assert "likely mistake" not in complaint(lists, [1.0, 8.0], [4.0, 2.0], likely=likely)


@pytest.mark.parametrize(("got", "expected"), [([INF], [1.0]), ([1.0], [INF]), ([-INF], [INF]), ([NAN], [INF])])
def test_infinities_must_stand_where_they_are_expected(lists: Any, got: Any, expected: Any) -> None:
    """An overflow passes, because inf − inf is no number."""
    assert complaint(lists, got, expected)


@pytest.mark.parametrize("got", [[[1.0, 2.0], [3.0]], [[1.0, "2"], [3.0, 4.0]], [[1.0, None], [3.0, 4.0]]])
def test_what_is_no_array_of_numbers_is_said_to_be_none(lists: Any, got: Any) -> None:
    """A ragged array, or a text in it, crashes the comparer."""
    assert "got " in complaint(lists, got, RIGHT)


# Kind, dtype and device come first


class Array(list):  # type: ignore[type-arg]
    """An array that has a dtype and a device."""

    dtype, device = "lib.float64", "cpu"


@pytest.fixture
def library(lists: Any) -> SimpleNamespace:
    """An implementation with such arrays."""
    return SimpleNamespace(asarray=lambda values, device=None: Array([values]), tolist=list, shape=lists.shape)


def test_another_kind_of_array_is_refused(library: Any) -> None:
    """A list passes for a tensor."""
    assert complaint(library, [1.0], [1.0]).startswith("f(x): got a list, expected a")
    assert complaint(library, 1.0, 1.0).startswith("f(x): got a float, expected a")


def test_another_dtype_is_refused_whatever_the_values(library: Any) -> None:
    """A result in another precision is only seen where its values differ."""
    assert complaint(library, Array([2.0]), [1.0], "float32") == "f(x): got dtype float64, expected float32"


def test_another_device_is_refused(library: Any) -> None:
    """A result that was moved to the CPU passes."""
    got = Array([1.0])
    got.device = "cuda:0"
    assert complaint(library, got, [1.0], device="cpu") == "f(x): got an array on cuda:0, expected one on cpu"


def test_an_unknown_dtype_is_the_specs_own_mistake(lists: Any) -> None:
    """A mistake in a spec is blamed on the implementation."""
    with pytest.raises(ValueError, match="unknown dtype 'float16', known are float64, float32"):
        assert_close(lists, "f(x)", [1.0], [1.0], "float16")


# ULPs


@pytest.mark.parametrize(
    ("got", "exact", "dtype", "expected"),
    [
        (1.0, Fraction(1), "float64", 0),
        (math.nextafter(1.0, 2.0), Fraction(1), "float64", 1),
        (math.nextafter(1.0, 0.0), Fraction(1), "float64", 0.5),
        (1.0 + 2**-23, Fraction(1), "float32", 1),
        (1 / 3, Fraction(1, 3), "float64", 1 / 3),
        (5e-324, Fraction(0), "float64", 1),
        (2.0**-149, Fraction(0), "float32", 1),
        (-2.0, Fraction(2), "float64", 2.0**53),
        (INF, Fraction(1), "float64", INF),
        (NAN, Fraction(1), "float64", INF),
    ],
)
def test_ulps_count_the_distance_in_last_places(got: float, exact: Fraction, dtype: str, expected: float) -> None:
    """Accuracy tables are off by a power of two."""
    assert ulps(got, exact, dtype) == pytest.approx(expected, rel=0.01)


# Errors


def fails_with(error: BaseException | None) -> Callable[[], None]:
    """A function that raises the error."""

    def function() -> None:
        if error:
            raise error

    return function


@pytest.mark.parametrize(
    "message",
    [
        "linear: got shapes (5, 784) and (10,), expected …",
        "linear: got [5, 784] and [10]",
        "linear: got torch.Size([5, 784]), torch.Size([10])",
    ],
)
def test_an_error_that_names_function_and_shapes_passes(message: str) -> None:
    """Another library's way to write a shape is refused."""
    with refused("linear(x, w, b)", "linear", (5, 784), (10,), by=[ValueError]):
        raise ValueError(message)


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (ValueError("linear: got (5, 784) and (10, 3)"), r"which does not name \(10,\)"),
        (ValueError("layer: got (5, 784) and (10,)"), "which does not name linear"),
        (ValueError("linear_grad: got (5, 784) and (10,)"), "which does not name linear"),
        (ValueError("linear: got (15, 784) and (10,)"), r"which does not name \(5, 784\)"),
        (IndexError("linear (5, 784) (10,)"), "raised IndexError.* expected ValueError that names linear"),
        (None, "raised nothing, expected ValueError that names linear"),
    ],
)
def test_another_error_or_none_fails(error: BaseException | None, complaint: str) -> None:
    """An error of the wrong type, or one that names something else, passes."""
    function = fails_with(error)
    with (
        pytest.raises(AssertionError, match=complaint),
        refused("linear(x, w, b)", "linear", (5, 784), (10,), by=[ValueError]),
    ):
        function()
