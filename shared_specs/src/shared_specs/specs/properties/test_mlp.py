"""Stage 3, mlp: what holds for any net and any loss."""

from typing import Any

from shared_specs import oracle, strategies
from shared_specs.cases import Net
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact
from shared_specs.strategies import holds_for


@holds_for(net=strategies.nets())
def test_any_net_is_right(impl: Any, lab: Lab, net: Net) -> None:
    """Some depth, width or batch comes out wrong, or a unit at its kink."""
    lab.check(
        "mlp(x, params)", impl.mlp(lab.array(net.x), lab.array(net.params)), oracle.mlp(*exact((net.x, net.params)))
    )


@holds_for(net=strategies.nets(), data=strategies.data())
def test_samples_do_not_meet(impl: Any, lab: Lab, net: Net, data: Any) -> None:
    """The output of a sample depends on the others in its batch, or on its place among them."""
    order = data.draw(strategies.orders(len(net.x)))
    params, x = lab.array((net.params, net.x))
    outputs = impl.tolist(impl.mlp(x, params))
    lab.check(
        "mlp(x in another order)", impl.mlp(lab.array([net.x[i] for i in order]), params), [outputs[i] for i in order]
    )


@holds_for(pair=strategies.same_shape(2))
def test_mse_does_not_ask_which_is_the_target(impl: Any, lab: Lab, pair: tuple[Nested, Nested]) -> None:
    """mse(a, b) is not mse(b, a), is below 0, or is 0 for different arrays."""
    a, b = map(lab.array, pair)
    loss = impl.tolist(impl.mse(a, b))
    lab.check("mse(b, a)", impl.mse(b, a), loss)
    assert loss >= 0
    assert (loss == 0) == (pair[0] == pair[1])
