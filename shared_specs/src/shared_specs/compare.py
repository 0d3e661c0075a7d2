"""Compare what an implementation computed with what it should have computed.

Kind, device, dtype and shape are checked before values, then every element. The failure message says what was called,
what came back, where it first differs, by how much, and which mistake makes that difference.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat
from numbers import Number, Rational, Real
from typing import Any, TypeAlias

Values: TypeAlias = Any
"""Nested lists of Fractions or floats; a plain number for rank 0."""
Shape: TypeAlias = tuple[int, ...]

EXACT = "fraction"
"""The dtype of an implementation that computes on Fractions: compared with ``==``, no tolerance."""

TOLERANCES: Mapping[str, float] = {"float64": 1e-12, "float32": 1e-5, "int64": 0.0, EXACT: 0.0}
"""Allowed error a dtype, relative to the largest element of the tensor compared."""

MOST_DIGITS = 12
"""How long a Fraction may be before a float is easier to read."""

_PRECISION = {"float64": (53, -1022), "float32": (24, -126)}  # bits of the significand, smallest normal exponent


def assert_close(
    impl: Any,
    call: str,
    got: Any,
    expected: Values,
    dtype: str = "float64",
    *,
    device: str | None = None,
    scale: float | None = None,
    likely: Mapping[str, Values] | None = None,
) -> None:
    """Assert that ``got``, the result of ``call``, is a native array that holds the expected values.

    The tolerance is relative to the largest expected element, or to ``scale`` where cancellation leaves little of
    large terms. NaN and infinities must stand exactly where they are expected. ``likely`` maps the name of a mistake to
    the values it would give; the message names it when those came back.
    """
    __tracebackhide__ = True
    if dtype not in TOLERANCES:
        raise ValueError(f"assert_close: unknown dtype {dtype!r}, known are {', '.join(TOLERANCES)}")
    problem = (
        _wrong_kind(impl, got, device)
        or _wrong_dtype(got, dtype)
        or _wrong_shape(impl, got, expected)
        or _wrong_values(call, impl.tolist(got), expected, dtype, scale, likely or {})
    )
    if problem:
        raise AssertionError(f"{call}: {problem}")


def ulps(got: float, exact: Fraction | float, dtype: str) -> float:
    """How many units in the last place of ``dtype`` the result is from the exact value; inf where it is not finite."""
    if not math.isfinite(got):
        return math.inf
    bits, smallest = _PRECISION[dtype]
    exact = Fraction(exact)
    unit = Fraction(2) ** (max(_exponent(exact), smallest) - bits + 1)
    return _as_float(abs(Fraction(got) - exact) / unit)


REFUSALS = (ValueError, TypeError, RuntimeError, IndexError)
"""What the contract accepts where it says that something is refused, and so the framework's own words."""


@contextmanager
def refused(call: str, *named: str | Shape, by: Sequence[type[Exception]] = REFUSALS) -> Iterator[None]:
    """Assert that the block raises one of these exceptions, with a message that names the words and shapes."""
    __tracebackhide__ = True
    wanted = " or ".join(kind.__name__ for kind in by) + (f" that names {_and(named)}" if named else "")
    try:
        yield
    except tuple(by) as raised:
        missing = [part for part in named if not mentions(str(raised), part)]
        if missing:
            says = f'{type(raised).__name__} says "{raised}"'
            raise AssertionError(f"{call}: {says}, which does not name {_and(missing)}") from raised
    except Exception as raised:
        raise AssertionError(f"{call}: raised {raised!r}, expected {wanted}") from raised
    else:
        raise AssertionError(f"{call}: raised nothing, expected {wanted}")


def _and(parts: Sequence[str | Shape]) -> str:
    return ", ".join(map(str, parts))


def mentions(message: str, part: str | Shape) -> bool:
    """Whether the message holds the word, or the shape in any brackets: (5, 784) or [5,784], (3,) or [3]."""
    if isinstance(part, str):
        return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", message) is not None
    sizes = r",\s*".join(map(str, part))
    return re.search(rf"[(\[]{sizes},?[)\]]", message) is not None


# Kind, device, dtype and shape


def dtype_of(array: Any) -> str | None:
    """The dtype of a native array without its library's name, "float32"; None where arrays have none."""
    dtype = getattr(array, "dtype", None)
    return None if dtype is None else str(dtype).rpartition(".")[2]


def _wrong_kind(impl: Any, got: Any, device: str | None) -> str | None:
    """Compare with arrays that the implementation itself makes, one of them of rank 0."""
    natives = [impl.asarray(values, device=device) for values in ([0.0], 0.0)]
    scalar = isinstance(got, Number) and (dtype_of(got) is None) == (dtype_of(natives[1]) is None)
    if not (scalar or isinstance(got, tuple(map(type, natives)))):
        return f"got a {_type_name(got)}, expected a {_type_name(natives[0])}"
    here, there = (getattr(array, "device", None) for array in (got, natives[0]))
    if device is not None and not scalar and here != there:
        return f"got an array on {here}, expected one on {there}"
    return None


def _wrong_dtype(got: Any, dtype: str) -> str | None:
    found = dtype_of(got)
    return None if found in (None, dtype) or dtype == EXACT else f"got dtype {found}, expected {dtype}"


def _wrong_shape(impl: Any, got: Any, expected: Values) -> str | None:
    found, wanted = tuple(impl.shape(got)), _shape(expected)
    if found == wanted:
        return None
    return f"got shape {found}, expected {wanted}{_likely(_mistaken_shape(found, wanted))}"


def _mistaken_shape(got: Shape, expected: Shape) -> str | None:
    """The mistake that typically makes one shape of another."""
    without_ones = [[size for size in shape if size != 1] for shape in (got, expected)]
    signs = (
        (len(got) > 1 and got == expected[::-1], "the result is transposed"),
        (expected and got == expected[:1] * 2, "(batch, 1) was broadcast against (batch,) to (batch, batch)"),
        (without_ones[0] == without_ones[1], "an axis of size 1 was dropped (a bare squeeze?), added or moved"),
        (not expected, "not reduced to one number: the mean or the sum is missing"),
        (got[1:] == expected, "not summed over the batch"),
        (got == expected[1:], "summed over an axis that should stay"),
    )
    return next((mistake for sign, mistake in signs if sign), None)


def _shape(values: Values) -> Shape:
    """The shape of nested lists: the first element of each level stands for the others."""
    if not isinstance(values, list | tuple):
        return ()
    return (len(values), *(_shape(values[0]) if values else ()))


# Values


@dataclass(frozen=True)
class _Case:
    """Two tensors of one shape and dtype, as flat lists, and the error allowed between them."""

    got: list[Any]
    expected: list[Any]
    shape: Shape
    dtype: str
    margin: float

    def wrong(self) -> list[int]:
        """The positions that differ."""
        return [i for i, pair in enumerate(zip(self.got, self.expected, strict=True)) if _differ(*pair, self.margin)]

    def got_is(self, values: list[Any], margin: float | None = None) -> bool:
        """Whether these are the values that came back."""
        margin = self.margin if margin is None else margin
        return len(values) == len(self.got) and not any(map(_differ, self.got, values, repeat(margin)))


def _wrong_values(
    call: str, got: Any, expected: Values, dtype: str, scale: float | None, likely: Mapping[str, Values]
) -> str | None:
    read = _exactly if dtype == EXACT else _as_float
    flat_got, flat_expected = list(_flat(got)), [read(value) for value in _flat(expected)]
    kind = Rational if dtype == EXACT else Real
    if leaks := [value for value in flat_got if not isinstance(value, kind)]:
        wanted = "exact Fractions" if dtype == EXACT else "floats"
        return f"got {_type_name(leaks[0])} {brief(leaks[0])} among the numbers, expected {wanted} only"
    if len(flat_got) != len(flat_expected):
        return f"got {len(flat_got)} numbers in a ragged array, expected {len(flat_expected)}"
    case = _Case(flat_got, flat_expected, _shape(expected), dtype, _margin(flat_expected, dtype, scale))
    wrong = case.wrong()
    if not wrong:
        return None
    named = (name for name, values in likely.items() if case.got_is([read(value) for value in _flat(values)]))
    mistake = next(named, None) or _mistaken_values(case, wrong) or _broadcast(call, case)
    return _describe(got, expected, case, wrong) + _likely(mistake)


def _margin(expected: list[Any], dtype: str, scale: float | None) -> float:
    if not TOLERANCES[dtype]:
        return 0.0
    largest = max((abs(value) for value in expected if _finite(value)), default=0.0)
    return TOLERANCES[dtype] * (largest if scale is None else scale)


def _describe(got: Any, expected: Values, case: _Case, wrong: list[int]) -> str:
    first = wrong[0]
    mine, exact = case.got[first], case.expected[first]
    countable = case.dtype in _PRECISION and exact and _finite(exact) and _finite(mine)
    apart = f", {ulps(mine, exact, case.dtype):.3g} ULPs apart" if countable else ""
    if case.dtype == EXACT:
        apart = f", {_as_float(abs(mine - exact)):.3g} apart"
    show = brief if case.dtype == EXACT else lambda value: str(_as_float(value))
    return (
        f"{len(wrong)} of {len(case.got)} elements differ by more than {case.margin:.3g}\n"
        f"  got       {_short(got, show)}\n"
        f"  expected  {_short(expected, show)}\n"
        f"  first at  {_index(first, case.shape)}: got {brief(mine)}, expected {brief(exact)}{apart}"
    )


def _differ(got: Any, expected: Any, margin: float) -> bool:
    """Whether two numbers differ by more than the margin; a NaN equals a NaN only, an infinity itself only."""
    if got == expected or (_is_nan(got) and _is_nan(expected)):
        return False
    return margin == 0 or not (_finite(expected) and abs(got - expected) <= margin)


# The mistakes that a difference gives away, each a function that names the mistake or returns None


def _transposed(case: _Case, _: list[int]) -> str | None:
    if len(case.shape) != 2:
        return None
    n, m = case.shape
    turned = [case.expected[j * m + i] for i in range(m) for j in range(n)]
    return "the result is transposed" if n == m and case.got_is(turned) else None


def _factor(case: _Case, _: list[int]) -> str | None:
    pairs = [pair for pair in zip(case.got, case.expected, strict=True) if pair[1] and all(map(_finite, pair))]
    if not pairs:
        return None
    mine, exact = max(pairs, key=lambda pair: abs(pair[1]))
    factor = mine / exact
    if (
        not factor
        or not _finite(factor)
        or not case.got_is([value * factor for value in case.expected], case.margin * max(1, abs(factor)))
    ):
        return None
    return _name_factor(float(factor), single=len(case.got) == 1)


def _name_factor(factor: float, *, single: bool) -> str | None:
    if factor < 0:
        rest = _name_factor(-factor, single=single) if abs(factor + 1) > 1e-5 else None
        return "the sign is flipped" + (f", and {rest}" if rest else "")
    for name, value in (("a factor 2 too many, or counted twice", 2), ("a factor 2 is missing", 1 / 2)):
        if math.isclose(factor, value, rel_tol=1e-5):
            return name
    if (n := _whole(factor)) > 1:
        return f"{n} times too large: a mean's 1/n is missing"
    if (n := _whole(1 / factor)) > 1:
        return f"1/{n} of what is expected: divided by n once too often"
    return None if single else f"every element is {factor:.6g} times the expected one"


def _whole(ratio: float) -> int:
    """The whole number that the ratio is; 0 for one between two of them."""
    return round(ratio) if math.isclose(ratio, round(ratio), rel_tol=1e-5) else 0


def _offset(case: _Case, _: list[int]) -> str | None:
    shift = case.got[0] - case.expected[0]
    if len(case.got) < 2 or not _finite(shift) or not case.got_is([value + shift for value in case.expected]):
        return None
    return f"every element is off by {float(shift):.6g}: a bias missing or added twice"


def _all_zero(case: _Case, _: list[int]) -> str | None:
    return None if any(case.got) else "zeros only: never computed, or not written back"


def _other_order(case: _Case, _: list[int]) -> str | None:
    if len(case.shape) != 2:
        return None
    width = case.shape[1]
    mine, wanted = (_sorted_rows(values, width) for values in (case.got, case.expected))
    return "the right rows in another order" if replace(case, got=mine).got_is(wanted) else None


def _sorted_rows(values: list[Any], width: int) -> list[Any]:
    rows = sorted(values[i : i + width] for i in range(0, len(values), width))
    return [value for row in rows for value in row]


def _nan_hidden(case: _Case, wrong: list[int]) -> str | None:
    return "a nan was hidden" if all(_is_nan(case.expected[i]) for i in wrong) else None


def _nan_made(case: _Case, wrong: list[int]) -> str | None:
    if not all(_is_nan(case.got[i]) for i in wrong):
        return None
    if all(case.expected[i] == 0 for i in wrong):
        return "0 × inf is nan: select with the mask, do not multiply by it"
    return "inf − inf or inf / inf is nan: an overflow inside, such as a softmax without its maximum subtracted"


def _unmasked(case: _Case, wrong: list[int]) -> str | None:
    only_zeros = len(wrong) < len(case.got) and all(case.expected[i] == 0 for i in wrong)
    return "not 0 where exactly 0 is expected: relu or its mask is left out" if only_zeros else None


def _rounded(case: _Case, _: list[int]) -> str | None:
    close = case.got_is(case.expected, case.margin * 1e6)
    return "right to about 7 digits only: rounded through float32" if case.dtype == "float64" and close else None


_MISTAKES: tuple[Callable[[_Case, list[int]], str | None], ...] = (
    _nan_hidden,
    _nan_made,
    _rounded,
    _all_zero,
    _transposed,
    _factor,
    _offset,
    _other_order,
    _unmasked,
)


def _mistaken_values(case: _Case, wrong: list[int]) -> str | None:
    names = (recognise(case, wrong) for recognise in _MISTAKES)
    return next((name for name in names if name), None)


def _broadcast(call: str, case: _Case) -> str | None:
    """A difference that grew to a square before it was reduced to one number: only the call shows it."""
    columns = re.search(r"\((\d+), 1\), \(\1,\)", call)
    return "(batch, 1) − (batch,) was broadcast to (batch, batch)" if columns and not case.shape else None


# Reading and writing numbers


def _flat(values: Any) -> Iterator[Any]:
    if not isinstance(values, list | tuple):
        yield values
        return
    for value in values:
        yield from _flat(value)


def _index(position: int, shape: Shape) -> str:
    """[1][2] for a flat position."""
    steps: list[int] = []
    for size in reversed(shape):
        position, step = divmod(position, size)
        steps.append(step)
    return "".join(f"[{step}]" for step in reversed(steps)) or "the only element"


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _finite(value: Any) -> bool:
    return isinstance(value, Rational) or math.isfinite(value)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _exactly(value: Any) -> Fraction:
    return Fraction(value)


def _exponent(value: Fraction) -> int:
    """floor(log2 |value|), exactly; very small for 0."""
    if value == 0:
        return -(2**31)
    guess = abs(value.numerator).bit_length() - value.denominator.bit_length()
    return guess if abs(value) >= Fraction(2) ** guess else guess - 1


def _short(values: Any, show: Callable[[Any], str], width: int = 200) -> str:
    """Nested lists as text, cut where it gets long."""
    text = _text(values, show)
    return text if len(text) <= width else f"{text[:width]} …"


def brief(number: Any) -> str:
    """A number as text that can be read: a long Fraction as the float next to it."""
    text = str(number)
    return text if len(text) <= MOST_DIGITS or not isinstance(number, Rational) else f"≈{_as_float(number)!r}"


def _text(values: Any, show: Callable[[Any], str]) -> str:
    if not isinstance(values, list | tuple):
        return show(values)
    return f"[{', '.join(_text(value, show) for value in values)}]"


def _likely(mistake: str | None) -> str:
    return f"\n  likely mistake: {mistake}" if mistake else ""


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
