"""Stage 5, module: what holds for any model."""

from typing import Any

from shared_specs import oracle, strategies
from shared_specs.cases import Net, named
from shared_specs.lab import Lab
from shared_specs.oracle import flat
from shared_specs.strategies import holds_for


def gradients(impl: Any, lab: Lab, net: Net) -> tuple[Any, dict[str, Any], float]:
    """What the functions say: the loss, the gradients by name, and what errors are relative to."""
    loss, grads = impl.loss_and_grads(*lab.array((net.params, net.x, net.target)))
    lists = named([(impl.tolist(grad_w), impl.tolist(grad_b)) for grad_w, grad_b in grads])
    return impl.tolist(loss), lists, max(1, impl.tolist(loss), *map(abs, flat(list(lists.values()))))


@holds_for(net=strategies.nets())
def test_any_model_is_what_the_functions_are(impl: Any, lab: Lab, net: Net) -> None:
    """For some depth, width or batch the classes compute another net than the functions."""
    model = lab.build(net)
    x, target = lab.array((net.x, net.target))
    loss, grads, scale = gradients(impl, lab, net)
    lab.check("model.predict(x)", model.predict(x), impl.tolist(impl.mlp(x, lab.array(net.params))))
    lab.check("model(x, target)", model(x, target), loss)
    model.backward()
    lab.check_gradients(model, grads, scale=scale)


@holds_for(net=strategies.nets())
def test_two_backwards_double_every_gradient(impl: Any, lab: Lab, net: Net) -> None:
    """Some parameter keeps the gradient of the last batch only, or counts one of them twice."""
    model = lab.build(net)
    for _ in range(2):
        model(*lab.array((net.x, net.target)))
        model.backward()
    _, grads, scale = gradients(impl, lab, net)
    twice = {name: oracle.multiply(grad, 2.0) for name, grad in grads.items()}
    lab.check_gradients(model, twice, scale=scale)


@holds_for(net=strategies.nets())
def test_any_state_dict_makes_the_same_model_again(impl: Any, lab: Lab, net: Net) -> None:
    """A saved net comes back with a parameter changed, exchanged or left out."""
    first, second = lab.build(net), impl.Model(net.sizes, seed=1, **lab.where)
    second.load_state_dict(first.state_dict())
    x = lab.array(net.x)
    assert impl.tolist(second.predict(x)) == impl.tolist(first.predict(x))
    for name, values in second.state_dict().items():
        lab.check(f"state_dict()[{name!r}]", values, named(net.params)[name])
