"""What the properties are tried on: random arrays and random nets, small enough to be read when a property fails.

Numbers are multiples of 1/2 from −2 to 2. Sums and products of them are exact in float32, and 0 is among them: units
stand at their kink, weights and biases vanish, outputs meet their targets.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from shared_specs.cases import Net, Shape
from shared_specs.oracle import Nested

LEAN = settings(
    max_examples=20,
    derandomize=True,  # the same examples in every run
    database=None,
    deadline=None,  # the first call of an implementation may load half a framework
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a Lab remembers nothing between examples
)
DEEP = settings(LEAN, max_examples=10 * LEAN.max_examples, derandomize=False, print_blob=True)
PROFILE = DEEP if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else LEAN
"""`LEAN` in every run of the specs; HYPOTHESIS_PROFILE=deep tries ten times as many examples, others each time."""

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


@st.composite
def same_shape(draw: st.DrawFn, n: int, max_rank: int = 3) -> tuple[Nested, ...]:
    """So many arrays of one shape."""
    shape = draw(st.lists(st.integers(1, 4), max_size=max_rank))
    return tuple(draw(arrays(*shape)) for _ in range(n))


@st.composite
def broadcastable(draw: st.DrawFn) -> tuple[Nested, Nested]:
    """Two arrays whose shapes broadcast: of the common shape, each lacks leading axes and has 1 for some sizes."""
    common = draw(st.lists(st.integers(1, 4), max_size=3))
    keep = [draw(st.lists(st.booleans(), min_size=len(common), max_size=len(common))) for _ in range(2)]
    cut = [draw(st.integers(0, len(common))) for _ in range(2)]
    a, b = (
        draw(arrays(*[size if kept else 1 for size, kept in zip(common, kept_ones, strict=True)][start:]))
        for kept_ones, start in zip(keep, cut, strict=True)
    )
    return a, b


BATCHES = st.sampled_from([1, 2, 5, 3, 9])
SIZES = st.integers(1, 5)


@st.composite
def products(draw: st.DrawFn) -> tuple[Nested, Nested, Nested]:
    """(x, w, b) of a linear layer, also (a, b, _) of a matrix product."""
    batch, n_in, n_out = draw(BATCHES), draw(SIZES), draw(SIZES)
    return draw(arrays(batch, n_in)), draw(arrays(n_in, n_out)), draw(arrays(n_out))


@st.composite
def nets(draw: st.DrawFn, max_size: int = 5, batches: SearchStrategy[int] = BATCHES) -> Net:
    """A net of one to four layers, and a batch; half of them square."""
    depth, batch = draw(st.integers(1, 4)), draw(batches)
    square = draw(st.booleans())
    sizes = [draw(st.integers(1, max_size))] * (depth + 1)
    if not square:
        sizes = [sizes[0], *(draw(st.integers(1, max_size)) for _ in range(depth))]
    params = [(draw(arrays(n_in, n_out)), draw(arrays(n_out))) for n_in, n_out in pairwise(sizes)]
    x, target = draw(arrays(batch, sizes[0])), draw(arrays(batch, sizes[-1]))
    return Net(f"{'-'.join(map(str, sizes))} batch {batch}", params, x, target)


@dataclass(frozen=True)
class Scores:
    """The outputs of a classifier, and the right classes."""

    logits: list[list[float]]
    labels: list[int]


@st.composite
def scores(draw: st.DrawFn, batches: SearchStrategy[int] = BATCHES) -> Scores:
    """Logits of a few samples, and a label for each."""
    batch, n_classes = draw(batches), draw(SIZES)
    labels = st.lists(st.integers(0, n_classes - 1), min_size=batch, max_size=batch)
    return Scores(draw(arrays(batch, n_classes)), draw(labels))


def orders(n: int) -> SearchStrategy[list[int]]:
    """The numbers below n in any order."""
    return st.permutations(list(range(n)))


def like(array: Nested) -> SearchStrategy[Nested]:
    """Arrays of the shape of this one."""
    return arrays(*_shape(array))


def _shape(array: Nested) -> Shape:
    return (len(array), *_shape(array[0])) if isinstance(array, list) else ()


def rates() -> SearchStrategy[float]:
    """Learning rates, momentum and weight decay: 0 to 1 in eighths."""
    return st.integers(0, 8).map(lambda eighths: eighths / 8)


def shifts() -> SearchStrategy[float]:
    """Numbers to add to all logits, small and large."""
    return st.sampled_from([0.5, -1.0, 64.0, -1024.0, 4096.0])


data = st.data


_REMEMBERED: dict[str, Any] = {}


def remembered(oracle: Callable[..., Any], *arguments: Any) -> Any:
    """An exact answer; the same examples come again for the next dtype and the next implementation."""
    key = f"{oracle.__name__}{arguments}"
    if key not in _REMEMBERED:
        _REMEMBERED[key] = oracle(*arguments)
    return _REMEMBERED[key]
