"""Stage 4, backward: what holds for the gradients of any net."""

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from shared_specs import oracle, strategies
from shared_specs.cases import Net
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact, flat, weighted_sum
from shared_specs.strategies import holds_for


def answers(impl: Any, lab: Lab, net: Net) -> Any:
    """loss_and_grads as nested lists."""
    loss, grads = impl.loss_and_grads(*lab.array((net.params, net.x, net.target)))
    return impl.tolist(loss), [(impl.tolist(grad_w), impl.tolist(grad_b)) for grad_w, grad_b in grads]


def scale(answers: Any) -> float:
    """What errors are relative to: where large terms cancel, a gradient is less exact than it is small."""
    return float(max(1, *map(abs, flat(answers))))


@holds_for(net=strategies.nets(max_size=3, batches=st.sampled_from([1, 2, 5])))  # the oracle takes its time
def test_gradients_of_any_net_are_right(impl: Any, exact_lab: Lab, net: Net) -> None:
    """Some depth, width or batch has a wrong gradient, or a unit at its kink; on Fractions not even a rounding."""
    expected = strategies.remembered(oracle.loss_and_grads, *exact((net.params, net.x, net.target)))
    got = impl.loss_and_grads(*exact_lab.array((net.params, net.x, net.target)))
    exact_lab.check("loss_and_grads(params, x, target)", got, expected, scale=scale(expected))


@holds_for(net=strategies.nets(), data=strategies.data())
def test_gradients_do_not_depend_on_the_order_of_samples(impl: Any, lab: Lab, net: Net, data: Any) -> None:
    """A sample's gradient is that of its place in the batch, or its target is another one's."""
    order = data.draw(strategies.orders(len(net.x)))
    expected = answers(impl, lab, net)
    mixed = lab.array((net.params, [net.x[i] for i in order], [net.target[i] for i in order]))
    lab.check("loss_and_grads(params, mixed)", impl.loss_and_grads(*mixed), expected, scale=scale(expected))


@holds_for(net=strategies.nets())
def test_a_doubled_batch_has_the_gradients_of_the_batch(impl: Any, lab: Lab, net: Net) -> None:
    """Loss or gradients grow with the batch: a sum where the mean belongs, or n is not the number of elements."""
    expected = answers(impl, lab, net)
    twice = lab.array((net.params, net.x * 2, net.target * 2))
    lab.check("loss_and_grads(params, batch twice)", impl.loss_and_grads(*twice), expected, scale=scale(expected))


@holds_for(products=strategies.products(), data=strategies.data())
def test_linear_grad_is_the_transpose_of_linear(impl: Any, lab: Lab, products: Any, data: Any) -> None:
    """⟨v, J u⟩ is not ⟨Jᵀ v, u⟩: forward and backward of a layer do not belong together. J u by its own forward."""
    moves = [data.draw(strategies.like(array)) for array in products]
    v = data.draw(strategies.arrays(len(products[0]), len(products[2])))
    here = impl.tolist(impl.linear(*map(lab.array, products)))
    for i, (grad, u) in enumerate(zip(impl.linear_grad(*map(lab.array, (v, *products[:2]))), moves, strict=True)):
        moved = [oracle.add(array, u) if i == j else array for j, array in enumerate(products)]
        there = impl.tolist(impl.linear(*map(lab.array, moved)))
        assert weighted_sum(v, there) - weighted_sum(v, here) == weighted_sum(impl.tolist(grad), u)


@holds_for(triple=strategies.same_shape(3))
def test_relu_grad_is_the_transpose_of_relu(impl: Any, lab: Lab, triple: tuple[Nested, Nested, Nested]) -> None:
    """⟨v, J u⟩ is not ⟨Jᵀ v, u⟩: relu bends at one place and its gradient at another. J u by its own forward."""
    v, x, u = triple
    step = 2.0**-10  # crosses no kink, and a unit at its kink is moved down, where it is off
    moves = elementwise(lambda number, move: move if number else -abs(move), x, u)
    moved = elementwise(lambda number, move: number + step * move, x, moves)
    here, there = (impl.tolist(impl.relu(lab.array(array))) for array in (x, moved))
    slope = weighted_sum(v, elementwise(lambda a, b: (b - a) / step, here, there))
    assert slope == weighted_sum(impl.tolist(impl.relu_grad(lab.array(v), lab.array(x))), moves)


@holds_for(triple=strategies.same_shape(3))
def test_mse_grad_is_the_slope_of_mse_in_any_direction(impl: Any, lab: Lab, triple: Any) -> None:
    """Along a random direction the loss changes otherwise than its gradient says. Slope by its own forward."""
    output, target, u = triple
    above, below = (
        impl.tolist(impl.mse(lab.array(oracle.add(output, move)), lab.array(target)))
        for move in (u, oracle.multiply(u, -1.0))
    )
    slope = impl.tolist(impl.mse_grad(lab.array(output), lab.array(target)))
    lab.check("⟨mse_grad, u⟩", lab.array(float(weighted_sum(slope, u))), (above - below) / 2, scale=16.0)


@holds_for(net=strategies.nets(), data=strategies.data())
def test_loss_changes_as_the_gradients_say_in_any_direction(impl: Any, lab: Lab, net: Net, data: Any) -> None:
    """⟨∇, u⟩ over weights and biases of a random layer is not the slope of the exact loss along u."""
    layer = data.draw(strategies.orders(len(net.params)))[0]
    u_w, u_b = (data.draw(strategies.like(array)) for array in net.params[layer])
    loss, grads = answers(impl, lab, net)
    params, x, target, u = exact((net.params, net.x, net.target, (u_w, u_b)))

    def along(step: Any, unit: oracle.ReLU) -> Any:
        moved = elementwise(lambda number, move: number + step * move, params[layer], u)
        return oracle.mse(oracle.mlp(x, [*params[:layer], moved, *params[layer + 1 :]], unit), target)

    slope = oracle.central_difference(along, Fraction(0), Fraction(1))
    projected = weighted_sum((u_w, u_b), grads[layer])
    lab.check(f"⟨grads[{layer}], u⟩", lab.array(float(projected)), slope, scale=scale((loss, grads)))
