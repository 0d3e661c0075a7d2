"""Stage 0, arrays: what holds for any shapes."""

from typing import Any

from shared_specs import oracle, strategies
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact
from shared_specs.strategies import holds_for


@holds_for(pair=strategies.broadcastable())
def test_any_shapes_that_broadcast_are_added_and_multiplied(impl: Any, lab: Lab, pair: tuple[Nested, Nested]) -> None:
    """Some pair of shapes is aligned at the wrong axis, or a size 1 is not repeated."""
    a, b = map(lab.array, pair)
    lab.check("add(a, b)", impl.add(a, b), oracle.add(*exact(pair)))
    lab.check("multiply(a, b)", impl.multiply(a, b), oracle.multiply(*exact(pair)))


@holds_for(pair=strategies.broadcastable())
def test_broadcasting_does_not_ask_who_comes_first(impl: Any, lab: Lab, pair: tuple[Nested, Nested]) -> None:
    """Only the second array is repeated, or broadcast_shapes and add disagree about the common shape."""
    a, b = map(lab.array, pair)
    shapes = impl.shape(a), impl.shape(b)
    assert impl.broadcast_shapes(*shapes) == impl.broadcast_shapes(*shapes[::-1]) == impl.shape(impl.add(b, a))
    assert impl.tolist(impl.add(a, b)) == impl.tolist(impl.add(b, a))
