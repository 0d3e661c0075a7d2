"""Stage 1, neuron: what holds for any numbers."""

from typing import Any

from shared_specs import oracle, strategies
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact
from shared_specs.strategies import holds_for


@holds_for(arrays=strategies.same_shape(1))
def test_relu_of_relu_is_relu(impl: Any, lab: Lab, arrays: tuple[Nested]) -> None:
    """What is above 0 is moved by relu, or something below 0 survives it."""
    once = impl.relu(lab.array(arrays[0]))
    lab.check("relu(relu(x))", impl.relu(once), impl.tolist(once))


@holds_for(arrays=strategies.same_shape(1))
def test_relu_parts_a_number_by_its_sign(impl: Any, lab: Lab, arrays: tuple[Nested]) -> None:
    """relu(x) − relu(−x) is not x: a part of a number is lost on one side of 0."""
    (x,) = arrays
    above, below = (impl.tolist(impl.relu(lab.array(oracle.multiply(x, sign)))) for sign in (1.0, -1.0))
    assert elementwise(lambda a, b: a - b, above, below) == x


@holds_for(products=strategies.products())
def test_neuron_is_the_sum_of_its_products(impl: Any, lab: Lab, products: tuple[Nested, Nested, Nested]) -> None:
    """For some number of inputs a product is left out."""
    x, w, b = products
    inputs, weights, bias = x[0], oracle.transpose(w)[0], b[0]
    got = impl.neuron(*map(lab.array, (inputs, weights, bias)))
    lab.check("neuron(inputs, weights, bias)", got, oracle.neuron(*exact((inputs, weights, bias))))
