"""What the properties are tried on: random arrays and random nets, small enough to be read when a property fails.

Numbers are multiples of 1/2 from −2 to 2. Sums and products of them are exact in float32, and 0 is among them: units
stand at their kink, weights and biases vanish, outputs meet their targets.
"""

import os
from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shared_specs.cases import Shape
from shared_specs.operations import Example
from shared_specs.oracle import Nested

LEAN = settings(
    max_examples=20,
    derandomize=True,  # the same examples in every run
    database=None,
    deadline=None,  # the first call of an implementation may load half a framework
    report_multiple_bugs=False,  # one mistake at a time, in its own words
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a Lab remembers nothing between examples
)
PROFILES = {
    "quick": settings(LEAN, max_examples=3),
    "lean": LEAN,
    "deep": settings(LEAN, max_examples=10 * LEAN.max_examples, derandomize=False, print_blob=True),
}
PROFILE = PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "lean")]
"""HYPOTHESIS_PROFILE=deep tries ten times as many examples, others each time; quick is for who compiles each shape."""

HISTORIES = settings(PROFILE, max_examples=3 * PROFILE.max_examples, stateful_step_count=30)
"""Histories of so many moves."""

Spec: TypeAlias = Callable[..., None]
NUMBERS = (0.0, *(sign * i / 2 for i in range(1, 5) for sign in (1, -1)))


def holds_for(**drawn: SearchStrategy[Any]) -> Callable[[Spec], Spec]:
    """Run a spec on many examples of its arguments, and show the simplest that fails."""
    return lambda spec: PROFILE(given(**drawn)(spec))


def arrays(*shape: int) -> SearchStrategy[Nested]:
    """Nested lists of that shape. A byte a number, drawn at once: a choice for each would take most of the time."""
    n = prod(shape)
    return st.binary(min_size=n, max_size=n).map(lambda drawn: _nested([NUMBERS[b % 9] for b in drawn], shape))


def _nested(numbers: list[float], shape: Shape) -> Nested:
    if not shape:
        return numbers[0]
    step = prod(shape[1:])
    return [_nested(numbers[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def same_shape(n: int) -> SearchStrategy[tuple[Nested, ...]]:
    """So many arrays of one shape."""
    return shapes().flatmap(lambda shape: st.tuples(*[arrays(*shape)] * n))


def shapes() -> SearchStrategy[list[int]]:
    """Shapes of up to three axes."""
    return st.lists(st.integers(1, 4), max_size=3)


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[Nested, ...]:
    """Two arrays whose shapes broadcast: of the common shape, each lacks leading axes and has 1 for some sizes."""
    common = draw(shapes())
    cut = [draw(st.integers(0, len(common))) for _ in range(2)]
    kept = [[size if draw(st.booleans()) else 1 for size in common][start:] for start in cut]
    return tuple(draw(arrays(*shape)) for shape in kept)


@st.composite
def arguments(draw: st.DrawFn, example: Example) -> tuple[Nested, ...]:
    """Nested lists for the operation of an example, of other sizes than there."""
    operation = example.operation
    if operation.broadcasts:
        return draw(broadcastable())
    names = sorted({name for pattern in operation.patterns for names in pattern for name in names} - {"...", "1"})
    sizes = {name: draw(BATCHES if name == "batch" else SIZES) for name in names} | {"1": 1}
    drawn = [draw(arrays(*shape)) for shape in example.like(sizes, tuple(draw(shapes()))).shapes]
    if operation.labels:
        drawn[1] = [round(2 * abs(number)) % sizes["n_classes"] for number in drawn[1]]
    return tuple(drawn)


BATCHES = st.sampled_from([1, 2, 5, 3])
SIZES = st.integers(1, 4)


def rates() -> SearchStrategy[float]:
    """Learning rates, momentum and weight decay: 0 to 1 in eighths."""
    return st.integers(0, 8).map(lambda eighths: eighths / 8)


data = st.data


_REMEMBERED: dict[str, Any] = {}


def remembered(answer: Callable[..., Any], *arguments: Any) -> Any:
    """An exact answer; the same examples come again for the next dtype and the next implementation."""
    key = f"{answer}{arguments}"
    if key not in _REMEMBERED:
        _REMEMBERED[key] = answer(*arguments)
    return _REMEMBERED[key]
