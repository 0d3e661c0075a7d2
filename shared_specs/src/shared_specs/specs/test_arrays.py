"""Stage 0, arrays: what goes in comes out, and what broadcasts does so by the rules."""

import math
from fractions import Fraction
from typing import Any

import pytest

from shared_specs import oracle, strategies
from shared_specs.cases import Shape
from shared_specs.compare import REFUSALS, dtype_of, refused
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact
from shared_specs.strategies import holds_for

ROWS, BLOCKS = [[1.0, -2.0], [3.0, 4.5], [0.0, -0.125]], [[[1.0], [2.0]], [[3.0], [4.0]]]
NESTED = [2.5, [1.0, -2.0, 0.5], ROWS, BLOCKS, [BLOCKS] * 3, []]
SHAPES = [(), (3,), (3, 2), (2, 2, 1), (3, 2, 2, 1), (0,)]


# ------------------------------------------------------------------------------------------------- metadata


def test_dtypes_are_known_names(impl: Any) -> None:
    """DTYPES is no tuple, is empty, or has a name that the contract does not know."""
    assert isinstance(impl.DTYPES, tuple)
    assert impl.DTYPES
    assert set(impl.DTYPES) <= {"float32", "float64"}


def test_devices_are_usable(impl: Any) -> None:
    """A device that is listed cannot hold an array, or the CPU is missing."""
    assert "cpu" in impl.devices()
    for device in impl.devices():
        assert impl.tolist(impl.asarray([1.0, -2.0], device=device)) == [1.0, -2.0]


def test_synchronize_waits_for_every_device(impl: Any, lab: Lab) -> None:
    """A benchmark on some device cannot tell when its work is done."""
    for device in impl.devices():
        impl.add(lab.array([1.0]), lab.array([2.0]))
        impl.synchronize(device)


# ----------------------------------------------------------------------------------------------- asarray, tolist, shape


@pytest.mark.parametrize("values", NESTED, ids=str)
def test_tolist_undoes_asarray(impl: Any, lab: Lab, values: Nested) -> None:
    """A number is changed, lost or moved on its way in or out."""
    assert impl.tolist(lab.array(values)) == values


def test_tolist_gives_python_floats(impl: Any, lab: Lab) -> None:
    """Numbers of the library leak out: they print, compare and serialize differently."""
    numbers = [*impl.tolist(lab.array([1.0, -2.5])), impl.tolist(lab.array(3.0))]
    assert {type(number) for number in numbers} == {float}


@pytest.mark.parametrize(("values", "shape"), list(zip(NESTED, SHAPES, strict=True)), ids=list(map(str, SHAPES)))
def test_shape_counts_each_axis(impl: Any, lab: Lab, values: Nested, shape: Shape) -> None:
    """An axis is missing, in the wrong place or miscounted."""
    assert impl.shape(lab.array(values)) == shape
    assert [type(size) for size in impl.shape(lab.array(values))] == [int] * len(shape)


def test_asarray_defaults_to_the_first_dtype(impl: Any) -> None:
    """Ints stay ints, or the default is not the one that DTYPES announces."""
    array = impl.asarray([[1, 2], [3, 4]])
    assert dtype_of(array) in (None, impl.DTYPES[0])
    assert [type(number) for number in oracle.flat(impl.tolist(array))] == [float] * 4


def test_asarray_takes_every_dtype_announced(impl: Any) -> None:
    """A dtype of DTYPES is refused, or another one comes back."""
    for dtype in impl.DTYPES:
        array = impl.asarray([1, -2.5], dtype)
        assert dtype_of(array) in (None, dtype)
        assert impl.tolist(array) == [1.0, -2.5]


def test_int64_labels_stay_exact_ints(impl: Any, lab: Lab) -> None:
    """Class labels travel through floats: 2⁵³ + 1 is the first whole number that does not survive it."""
    for numbers in ([0, -100, 2**53 + 1], [2**63 - 1, -(2**63)]):
        got = impl.tolist(lab.labels(numbers))
        assert got == numbers
        assert {type(number) for number in got} == {int}


@pytest.mark.courtesy
@pytest.mark.parametrize("value", [0.5, math.nan, math.inf, 2**63, -(2**63) - 1], ids=str)
def test_int64_refuses_what_it_cannot_hold(impl: Any, value: float) -> None:
    """Half a class is cut to a whole one, or 2⁶³ wraps round to −2⁶³."""
    with refused(f"asarray([0, {value}], 'int64')", by=(*REFUSALS, OverflowError)):
        impl.asarray([0, value], "int64")


@pytest.mark.courtesy
def test_asarray_takes_fractions(impl: Any) -> None:
    """An exact number of Python's is refused, or rounded twice on its way in."""
    assert [float(number) for number in impl.tolist(impl.asarray([Fraction(1, 3)], impl.DTYPES[-1]))] == [
        impl.tolist(impl.asarray(1 / 3, impl.DTYPES[-1]))
    ]


def test_asarray_takes_its_own_arrays_and_keeps_their_dtype(impl: Any) -> None:
    """An array is refused, changed, or cast to the default dtype when it is handed in again."""
    for dtype in impl.DTYPES:
        again = impl.asarray(impl.asarray([[1.0, 2.0], [3.0, 4.0]], dtype))
        assert impl.tolist(again) == [[1.0, 2.0], [3.0, 4.0]]
        assert dtype_of(again) in (None, dtype)


def test_asarray_converts_its_own_arrays(impl: Any) -> None:
    """A dtype that is asked for is ignored when an array comes in."""
    for dtype in impl.DTYPES:
        assert dtype_of(impl.asarray(impl.asarray([1.0]), dtype)) in (None, dtype)


def test_asarray_takes_tuples(impl: Any) -> None:
    """Only lists count as sequences."""
    assert impl.tolist(impl.asarray(((1.0, 2.0), [3, 4.0]))) == [[1.0, 2.0], [3.0, 4.0]]


def test_asarray_takes_numpy_arrays(impl: Any, numpy: Any) -> None:
    """Data from NumPy is refused, loses its dtype, or is read in memory order instead of by index."""
    for dtype in impl.DTYPES:
        array = impl.asarray(numpy.array([[1.5, 2.0], [3.0, -4.0], [0.0, 8.0]], dtype).T)
        assert impl.tolist(array) == [[1.5, 3.0, 0.0], [2.0, -4.0, 8.0]]
        assert dtype_of(array) in (None, dtype)


@pytest.mark.parametrize("other", ["float16", "int8", "uint8", "int32", "uint64", "bool"])
def test_asarray_takes_numpy_arrays_of_other_dtypes(impl: Any, numpy: Any, other: str) -> None:
    """Data of a dtype in which nothing is computed is misread byte by byte, or keeps that dtype."""
    array = impl.asarray(numpy.array([[1, 0], [0, 1], [1, 1]], other))
    assert impl.tolist(array) == [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    assert dtype_of(array) in (None, impl.DTYPES[0])
    assert {type(number) for number in oracle.flat(impl.tolist(array))} == {float}


def test_asarray_takes_numpy_arrays_in_any_layout(impl: Any, numpy: Any) -> None:
    """A frozen array, a slice with a negative step, a column or a repeated row of NumPy's is refused or misread."""
    frozen = numpy.arange(6.0).reshape(2, 3)
    frozen.setflags(write=False)
    for array in (frozen, frozen[::-1], frozen[:, ::-2], frozen[:, 1], numpy.broadcast_to(frozen[0], (4, 3))):
        assert impl.tolist(impl.asarray(array)) == array.tolist()


RAGGED = [
    [[1, 2], [3]],
    [[1, 2], [3, 4, 5]],
    [1, [2]],
    [[1], 2],
    [[], [1]],
    [[[1, 2], [3, 4]], [[5, 6], [7]]],
    [[[1, 2]], [[3]]],
    [[[1], [2]], [[3], 4]],
    [[1, 2], (3, [4])],
]


@pytest.mark.parametrize("values", RAGGED, ids=str)
def test_asarray_refuses_ragged_values(impl: Any, values: Nested) -> None:
    """Rows of unequal length are padded, cut or kept, and whoever reads by the first row computes something else."""
    with refused(f"asarray({values})"):
        impl.asarray(values)


@pytest.mark.parametrize("value", ["a", "3", None, b"1", {}, 1j, object()], ids=str)
def test_asarray_refuses_what_is_no_number(impl: Any, value: Any) -> None:
    """Text is parsed, None becomes nan, or a complex number loses its half, alone or deep in a list."""
    for values in (value, [value], [[1, 2], [value, 4]], [[[1, 2], [3, 4]], [[5, 6], [7, value]]]):
        with refused(f"asarray({values!r})"):
            impl.asarray(values)


def test_fractions_stay_fractions_where_arrays_have_no_dtype(impl: Any) -> None:
    """An eighth becomes a float on its way in, and nothing that follows is exact."""
    if dtype_of(impl.asarray([1.0])) is None:
        assert [type(number) for number in impl.tolist(impl.asarray([Fraction(1, 8)]))] == [Fraction]


# ------------------------------------------------------------------------------------------------- broadcasting


@pytest.mark.parametrize(
    ("shapes", "common"),
    [
        (((3,), (3,)), (3,)),
        (((2, 3), (3,)), (2, 3)),
        (((3,), (2, 3)), (2, 3)),
        (((2, 1), (3,)), (2, 3)),
        (((2, 1), (1, 3)), (2, 3)),
        (((), (2, 3)), (2, 3)),
        (((256, 256, 3), (3,)), (256, 256, 3)),
        (((8, 1, 6, 1), (7, 1, 5)), (8, 7, 6, 5)),
        (((1,), (0,)), (0,)),
        (((2, 1, 1), (3, 1), (4,)), (2, 3, 4)),
        (((5,),), (5,)),
    ],
    ids=str,
)
def test_shapes_broadcast_from_the_last_axis(impl: Any, shapes: tuple[Shape, ...], common: Shape) -> None:
    """Shapes are aligned at the first axis, or a size 1 or 0 is stretched the wrong way."""
    assert impl.broadcast_shapes(*shapes) == common


APART = [((3,), (4,)), ((2, 3), (2,)), ((2, 1), (8, 4, 3)), ((0,), (2,)), ((2, 3), (3,), (2, 1, 4))]


@pytest.mark.parametrize("shapes", APART, ids=str)
def test_shapes_that_do_not_broadcast_are_refused(impl: Any, shapes: tuple[Shape, ...]) -> None:
    """Shapes that do not fit are cut or repeated until they do."""
    with refused(f"broadcast_shapes{shapes}"):
        impl.broadcast_shapes(*shapes)


@pytest.mark.courtesy
@pytest.mark.parametrize("shapes", APART, ids=str)
def test_shapes_that_do_not_broadcast_are_named(impl: Any, shapes: tuple[Shape, ...]) -> None:
    """Who reads the message does not learn which shapes they are."""
    with refused(f"broadcast_shapes{shapes}", "broadcast_shapes", *shapes, by=[ValueError]):
        impl.broadcast_shapes(*shapes)


def test_add_gives_the_sums_of_the_article(impl: Any, lab: Lab) -> None:
    """The first example that a reader tries comes out wrong."""
    lab.check("add([10, 6, -4], [2, 8, 7])", impl.add(lab.array([10.0, 6, -4]), lab.array([2.0, 8, 7])), [12, 14, 3])


PAIRS = [
    ([1.5, -2.0], [0.25, 4.0]),
    ([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]], [10.0, 20.0, 30.0]),
    ([10.0, 20.0, 30.0], [[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]),
    ([[1.0], [2.0]], [[10.0, 20.0, 30.0]]),
    ([[1.0, 2.0], [3.0, 4.0]], [10.0, 20.0]),  # square: along the wrong axis no error betrays it
    ([[1.0, 2.0], [3.0, 4.0]], [[10.0], [20.0]]),
    ([[[1.0], [2.0]], [[3.0], [4.0]]], [[0.5, -1.0], [8.0, 0.25]]),
    ([[1.0, 2.0], [3.0, 4.0]], 2.5),
    (2.5, -4.0),
]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=str)
def test_add_broadcasts_along_the_right_axis(impl: Any, lab: Lab, a: Nested, b: Nested) -> None:
    """A bias is added to the wrong axis, or to one sample only."""
    lab.check(f"add({a}, {b})", impl.add(lab.array(a), lab.array(b)), oracle.add(*exact((a, b))))


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=str)
def test_multiply_broadcasts_along_the_right_axis(impl: Any, lab: Lab, a: Nested, b: Nested) -> None:
    """Weights meet the wrong inputs, or a matrix product is taken for a product of elements."""
    lab.check(f"multiply({a}, {b})", impl.multiply(lab.array(a), lab.array(b)), oracle.multiply(*exact((a, b))))


@holds_for(pair=strategies.broadcastable())
def test_whatever_broadcasts_does_so_either_way_round(impl: Any, lab: Lab, pair: tuple[Nested, Nested]) -> None:
    """Only the second array is repeated, or broadcast_shapes and add disagree about the common shape."""
    a, b = map(lab.array, pair)
    shapes = impl.shape(a), impl.shape(b)
    assert impl.broadcast_shapes(*shapes) == impl.broadcast_shapes(*shapes[::-1]) == impl.shape(impl.add(b, a))
    assert impl.tolist(impl.add(a, b)) == impl.tolist(impl.add(b, a))


def test_numbers_and_arrays_of_rank_0_are_arrays(impl: Any, lab: Lab) -> None:
    """A single number in an Array is refused, or comes back with an axis."""
    half = lab.array(0.5)
    for call, got, expected in (
        ("add(½, ½)", impl.add(half, half), 1),
        ("multiply(½, [½])", impl.multiply(half, lab.array([0.5])), [0.25]),
        ("neuron([½], [½], 3)", impl.neuron(lab.array([0.5]), lab.array([0.5]), 3.0), 3.25),
    ):
        lab.check(call, got, expected)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinities_follow_ieee_rules(impl: Any, lab: Lab) -> None:
    """Infinity minus infinity or 0 × infinity is made a number: something hides an overflow."""
    inf, nan = float("inf"), float("nan")
    lab.check("add", impl.add(lab.array([inf, inf, 1.0]), lab.array([-inf, inf, inf])), [nan, inf, inf])
    lab.check("multiply", impl.multiply(lab.array([inf, inf, inf]), lab.array([0.0, -2.0, inf])), [nan, -inf, inf])


# ------------------------------------------------------------------------------------------------- unsqueeze, transpose


def test_unsqueeze_makes_a_row_and_a_column(impl: Any, lab: Lab) -> None:
    """(3,) becomes neither (1, 3) nor (3, 1), or its numbers change: the article's own example."""
    c = lab.array([10.0, 20.0, 30.0])
    lab.check("unsqueeze(c, 0)", impl.unsqueeze(c, 0), [[10, 20, 30]])
    lab.check("unsqueeze(c, 1)", impl.unsqueeze(c, 1), [[10], [20], [30]])


@pytest.mark.parametrize("dim", range(-3, 3))
def test_unsqueeze_counts_dims_from_both_ends(impl: Any, lab: Lab, dim: int) -> None:
    """A dim is off by one; from the end, −1 must come after the last axis, not before it."""
    a = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    lab.check(f"unsqueeze(a, {dim})", impl.unsqueeze(lab.array(a), dim), oracle.unsqueeze(exact(a), dim))


def test_unsqueeze_wraps_a_number(impl: Any, lab: Lab) -> None:
    """An array of rank 0 has a place for a new axis too."""
    lab.check("unsqueeze(2.5, 0)", impl.unsqueeze(lab.array(2.5), 0), [2.5])


@pytest.mark.parametrize("a", [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 2.0], [3.0, 4.0]], [[7.0]], [[1.0, 2.0]]])
def test_transpose_swaps_rows_and_columns(impl: Any, lab: Lab, a: Nested) -> None:
    """A matrix is reshaped instead of transposed, or not at all when it is square."""
    lab.check(f"transpose({a})", impl.transpose(lab.array(a)), oracle.transpose(a))
