"""Stage 2, layer: what holds for any sizes and any weights."""

from typing import Any

from shared_specs import oracle, strategies
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact
from shared_specs.strategies import holds_for

Product = tuple[Nested, Nested, Nested]


@holds_for(products=strategies.products())
def test_every_rung_of_matmul_is_right_at_any_size(impl: Any, lab: Lab, products: Product) -> None:
    """A rung is right on the sizes of a textbook and wrong on others."""
    a, b, _ = products
    expected = oracle.matmul(*exact((a, b)))
    for name, rung in {"matmul": impl.matmul, **impl.MATMULS}.items():
        lab.check(f"{name}(a, b)", rung(lab.array(a), lab.array(b)), expected)


@holds_for(products=strategies.products())
def test_linear_takes_each_sample_through_the_layer(impl: Any, lab: Lab, products: Product) -> None:
    """A batch is not what its samples are one by one, or linear and layer read the weights differently."""
    x, w, b = products
    rows = [impl.tolist(impl.layer(*map(lab.array, (sample, oracle.transpose(w), b)))) for sample in x]
    lab.check("linear(x, w, b)", impl.linear(*map(lab.array, (x, w, b))), rows)


@holds_for(products=strategies.products(), data=strategies.data())
def test_linear_is_additive_in_each_argument(impl: Any, lab: Lab, products: Product, data: Any) -> None:
    """Doubling what goes in does not double what comes out: a constant, a square or a bend hides in the layer."""
    x, w, b = products
    zero = [0.0] * len(b)

    def linear(*arguments: Nested) -> Nested:
        return impl.tolist(impl.linear(*map(lab.array, arguments)))

    more_x, more_w, more_b = (data.draw(strategies.like(array)) for array in products)
    assert linear(oracle.add(x, more_x), w, b) == oracle.add(linear(x, w, b), linear(more_x, w, zero))
    assert linear(x, oracle.add(w, more_w), b) == oracle.add(linear(x, w, b), linear(x, more_w, zero))
    assert linear(x, w, oracle.add(b, more_b)) == oracle.add(linear(x, w, b), [more_b] * len(x))
