"""Bugs of stage 0, arrays."""

import math
from itertools import zip_longest
from typing import Any

from shared_specs.oracle import elementwise, flat

from .bug import Wrong, caught_by

Array = Any
Shape = tuple[int, ...]


# ------------------------------------------------------------------------------------------------- metadata


@caught_by("test_dtypes_are_known_names", "DTYPES is no tuple")
def dtypes_are_a_list(right: Any) -> Wrong:
    """DTYPES is a list, which anyone may change, instead of a tuple."""
    return {"DTYPES": list(right.DTYPES)}


@caught_by("test_devices_are_usable", "abacus")
def devices_promise_too_much(right: Any) -> Wrong:
    """A device is listed on which nothing can be computed here."""

    def devices() -> list[str]:
        return [*right.devices(), "abacus"]

    return devices


@caught_by("test_synchronize_waits_for_every_device", "does not provide `synchronize`")
def synchronize_is_missing(right: Any) -> Wrong:
    """There is no way to wait for a device, so a benchmark times how fast work is queued."""
    return {"synchronize": None}


# ------------------------------------------------------------------------------------------------- asarray


@caught_by("test_asarray_takes_every_dtype_announced", "another one comes back")
def dtype_is_ignored(right: Any) -> Wrong:
    """Whatever float dtype is asked for, the default one comes back."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        return right.asarray(values, dtype if dtype == "int64" else right.DTYPES[0], device)

    return asarray if len(right.DTYPES) > 1 else ()


@caught_by("test_results_are_right_in_full_precision", "rounded through float32")
def floats_are_rounded_to_singles(right: Any) -> Wrong:
    """Numbers pass through float32 on their way in, and float64 arrays hold seven digits."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        array = right.asarray(values, dtype, device)
        return array if dtype == "int64" else right.singles(array)

    return asarray


@caught_by("test_int64_labels_stay_exact_ints", "travel through floats")
def labels_pass_through_floats(right: Any) -> Wrong:
    """Class labels become floats and ints again, and large ones come back changed."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        return right.asarray(elementwise(float, values) if dtype == "int64" else values, dtype, device)

    return asarray


@caught_by("test_asarray_refuses_ragged_values", "raised nothing")
def ragged_rows_are_padded(right: Any) -> Wrong:
    """Short rows are filled up with zeros instead of being refused."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        if isinstance(values, list) and all(isinstance(row, list) for row in values):
            values = [list(row) for row in zip(*zip_longest(*values, fillvalue=0.0), strict=True)] or values
        return right.asarray(values, dtype, device)

    return asarray


@caught_by("test_asarray_refuses_what_is_no_number", "raised nothing")
def none_becomes_nan(right: Any) -> Wrong:
    """A missing value is read as nan instead of being refused."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        if isinstance(values, list):
            values = elementwise(lambda value: math.nan if value is None else value, values)
        return right.asarray(values, dtype, device)

    return asarray


@caught_by("test_unknown_dtypes_and_devices_are_refused", "raised nothing")
def unknown_dtypes_become_the_default(right: Any) -> Wrong:
    """A dtype that does not exist here is silently replaced by the default."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        return right.asarray(values, dtype if dtype in (*right.DTYPES, "int64") else None, device)

    return asarray


@caught_by("test_unknown_dtypes_and_devices_are_refused", "raised nothing")
def unknown_devices_become_the_cpu(right: Any) -> Wrong:
    """A device that does not exist here is silently replaced by the CPU."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        return right.asarray(values, dtype, device if device in right.devices() else "cpu")

    return asarray


@caught_by("test_asarray_takes_numpy_arrays", "in memory order")
def arrays_are_read_in_memory_order(right: Any) -> Wrong:
    """A transposed NumPy array is read as its numbers lie in memory, which is the order before it was transposed."""

    def asarray(values: Any, dtype: str | None = None, device: str | None = None) -> Array:
        if type(values).__module__ == "numpy" and values.ndim == 2:
            values = values.ravel("K").reshape(values.shape)
        return right.asarray(values, dtype, device)

    return asarray


# ------------------------------------------------------------------------------------------------- tolist, shape


@caught_by("test_tolist_gives_python_floats", "Numbers of the library leak out")
def tolist_leaks_numbers_of_the_library(right: Any) -> Wrong:
    """What comes out are the library's own scalars, which print and serialize otherwise than floats."""

    class Scalar(float):
        pass

    def tolist(array: Array) -> Any:
        return elementwise(lambda number: Scalar(number) if isinstance(number, float) else number, right.tolist(array))

    return tolist


@caught_by("test_shape_counts_each_axis", "An axis is missing")
def shape_is_the_length(right: Any) -> Wrong:
    """Only the first axis is counted, as by len()."""

    def shape(array: Array) -> Shape:
        return tuple(right.shape(array)[:1])

    return shape


# ------------------------------------------------------------------------------------------------- broadcasting


@caught_by("test_shapes_broadcast_from_the_last_axis", r"\(3, 3\) == \(2, 3\)")
def shapes_are_aligned_at_the_first_axis(right: Any) -> Wrong:
    """Shapes are written left-aligned under each other; the rule aligns them on the right."""

    def broadcast_shapes(*shapes: Shape) -> Shape:
        return tuple(max(sizes) for sizes in zip_longest(*shapes, fillvalue=1))

    return broadcast_shapes


@caught_by("test_shapes_that_do_not_broadcast_are_refused", "raised nothing")
def any_shapes_broadcast(right: Any) -> Wrong:
    """The larger size wins, whether the smaller one is 1 or not."""

    def broadcast_shapes(*shapes: Shape) -> Shape:
        return tuple(max(sizes) for sizes in zip_longest(*map(reversed, shapes), fillvalue=1))[::-1]

    return broadcast_shapes


@caught_by("test_add_broadcasts_along_the_right_axis", "the wrong axis")
def add_broadcasts_along_the_other_axis(right: Any) -> Wrong:
    """Where sizes allow it, a bias is added to each row as if it were a column."""

    def add(a: Array, b: Array) -> Array:
        if len(right.shape(a)) == 2 and right.shape(b) == right.shape(a)[:1]:
            b = right.unsqueeze(b, 1)
        return right.add(a, b)

    return add


@caught_by(
    "test_multiply_broadcasts_along_the_right_axis",
    "a matrix product is taken",
)
def multiply_is_a_matrix_product(right: Any) -> Wrong:
    """Matrices that fit are multiplied as matrices, not element by element."""

    def multiply(a: Array, b: Array) -> Array:
        sizes = right.shape(a), right.shape(b)
        fits = list(map(len, sizes)) == [2, 2] and sizes[0][1] == sizes[1][0]
        return right.matmul(a, b) if fits else right.multiply(a, b)

    return multiply


@caught_by("test_arguments_stay_as_they_are", "changed its arguments")
def add_works_in_place(right: Any) -> Wrong:
    """The sum is written into the first argument."""

    def add(a: Array, b: Array) -> Array:
        total = right.add(a, b)
        if right.shape(a) and right.shape(a) == right.shape(total):
            a[:] = total
        return total

    return add


@caught_by("test_nan_and_infinities_go_where_they_must", "likely mistake: a nan was hidden")
def add_takes_nan_for_zero(right: Any) -> Wrong:
    """nan is cleaned away where it should show that something went wrong further up."""

    def add(a: Array, b: Array) -> Array:
        return right.each(lambda number: 0.0 if math.isnan(number) else number, right.add(a, b))

    return add


@caught_by("test_infinities_follow_ieee_rules", "hides an overflow")
def infinities_are_clipped(right: Any) -> Wrong:
    """An overflow becomes the largest float, and looks like a number."""

    def add(a: Array, b: Array) -> Array:
        return right.each(lambda number: max(-1e308, min(number, 1e308)), right.add(a, b))

    return add


# ------------------------------------------------------------------------------------------------- unsqueeze, transpose


@caught_by("test_unsqueeze_counts_dims_from_both_ends", "an axis of size 1 was .* moved")
def unsqueeze_stops_before_the_last_axis(right: Any) -> Wrong:
    """dim −1 puts the new axis before the last one; it must come after it."""

    def unsqueeze(a: Array, dim: int) -> Array:
        return right.unsqueeze(a, max(dim - 1, -len(right.shape(a)) - 1) if dim < 0 else dim)

    return unsqueeze


@caught_by("test_transpose_swaps_rows_and_columns", "reshaped instead of transposed")
def transpose_is_a_reshape(right: Any) -> Wrong:
    """The numbers keep their order and are only cut into rows anew."""

    def transpose(a: Array) -> Array:
        n, m = right.shape(a)
        numbers = list(flat(right.tolist(a)))
        return right.like(a, [numbers[i * n : (i + 1) * n] for i in range(m)])

    return transpose


@caught_by("test_transpose_swaps_rows_and_columns", "transposed")
def transpose_leaves_squares_alone(right: Any) -> Wrong:
    """A square matrix has the right shape already, so it is returned as it is."""

    def transpose(a: Array) -> Array:
        return a if right.square(a) else right.transpose(a)

    return transpose
