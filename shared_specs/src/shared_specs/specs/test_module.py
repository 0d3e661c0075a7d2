"""Stage 5, module: layers that own their parameters, and a model that knows the way there and back."""

import math
import random
import statistics
from contextlib import suppress
from functools import reduce
from typing import Any

import pytest
from hypothesis import strategies as st

from shared_specs import formulas, oracle, strategies
from shared_specs.cases import ALL_NETS, Net, Shape, answers, dyadic, layers_of, named, net_called
from shared_specs.compare import REFUSALS, refused
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact, flat
from shared_specs.strategies import holds_for, remembered

NET = net_called("3-4-2 batch 2")
DEEP = net_called("2-3-4-1 batch 5")
SQUARE = net_called("3-3 batch 5")


# ------------------------------------------------------------------------------------------------- Parameter


def test_parameter_holds_its_data_and_no_gradient(impl: Any, lab: Lab) -> None:
    """A gradient is there before anything was differentiated, so the first step moves by a ghost."""
    parameter = impl.Parameter(lab.array([[1.0, -2.0]]))
    lab.check("Parameter([[1, -2]]).data", parameter.data, [[1, -2]])
    assert parameter.grad is None


# ------------------------------------------------------------------------------------------------- Module


def family(impl: Any, lab: Lab) -> Any:
    """A module with parameters of its own and in two children."""

    class Child(impl.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = impl.Parameter(lab.array([2.0]))

    class Parent(impl.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = impl.Parameter(lab.array([1.0]))
            self.child = Child()
            self.other = Child()
            self.last = impl.Parameter(lab.array([5.0]))
            self.name, self.sizes, self.nothing = "parent", [3, 2], None

    return Parent()


FAMILY = {"first", "child.scale", "other.scale", "last"}


def test_module_names_what_belongs_to_it(impl: Any, lab: Lab) -> None:
    """A parameter is missing, is named otherwise, or comes twice."""
    names = [name for name, _ in family(impl, lab).named_parameters()]
    assert sorted(names) == sorted(FAMILY)


def test_module_lists_the_same_parameters_with_and_without_names(impl: Any, lab: Lab) -> None:
    """parameters() and named_parameters() disagree about what there is to train, or lend a list that they go by."""
    for module in (family(impl, lab), impl.Model([2, 3, 1], None, 1, **lab.where)):
        named_ones = [parameter for _, parameter in module.named_parameters()]
        listed = module.parameters()
        unnamed = list(listed)
        getattr(listed, "clear", list)()  # of a list; a generator has none
        assert list(map(id, unnamed)) == list(map(id, named_ones)) == list(map(id, module.parameters()))
        assert len(unnamed) == 4


def test_module_registers_what_is_assigned_later(impl: Any, lab: Lab) -> None:
    """Only what __init__ assigns is found, or only what was there when somebody first asked."""
    module = family(impl, lab)
    assert len(list(module.parameters())) == len(FAMILY)
    module.late = impl.Parameter(lab.array([6.0]))
    assert {name for name, _ in module.named_parameters()} == {*FAMILY, "late"}


def test_module_counts_a_shared_parameter_once(impl: Any, lab: Lab) -> None:
    """A shared parameter is stepped and decayed twice."""
    module = family(impl, lab)
    module.again = module.first
    assert len(list(module.named_parameters())) == len(list(module.parameters())) == len(FAMILY)


def test_module_call_is_forward(impl: Any) -> None:
    """Calling a module does not run its forward, or loses an argument or the result."""

    class Difference(impl.Module):  # type: ignore[misc]
        def forward(self, a: Any, b: Any) -> Any:
            return a - b

    assert Difference()(5.0, 3.0) == 2.0


def test_zero_grad_forgets_every_gradient(impl: Any, lab: Lab) -> None:
    """Gradients of the last batch stay in some parameter and are added to the next."""
    module = family(impl, lab)
    for parameter in module.parameters():
        parameter.grad = lab.array([7.0])
    module.zero_grad()
    for parameter in module.parameters():
        assert parameter.grad is None or impl.tolist(parameter.grad) == [0.0]


# ------------------------------------------------------------------------------------------------- state dicts


def test_state_dict_has_the_names_and_shapes_of_torch(impl: Any, lab: Lab) -> None:
    """A state dict cannot move to PyTorch: "layers.0.weight" is missing, or is not (n_out, n_in)."""
    state = impl.Model([3, 4, 2], seed=0, **lab.where).state_dict()
    assert {name: impl.shape(values) for name, values in state.items()} == {
        "layers.0.weight": (4, 3),
        "layers.0.bias": (4,),
        "layers.2.weight": (2, 4),
        "layers.2.bias": (2,),
    }
    assert list(state) == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]


def test_state_dict_returns_what_was_loaded(lab: Lab) -> None:
    """A parameter is loaded transposed, into another one, or not at all."""
    state = lab.build(NET).state_dict()
    for name, values in named(NET.params).items():
        lab.check(f"state_dict()[{name!r}]", state[name], values)


def overwrite(state: dict[str, Any]) -> None:
    """Write into the arrays of a state dict, if they are of a kind that can be written to."""
    with suppress(TypeError):
        for name, values in state.items():
            row = values[0] if name.endswith("weight") else values
            row[0] = 9.0


def test_loaded_state_is_not_shared(lab: Lab) -> None:
    """Writing into a state dict changes every model that was loaded from it."""
    model, state = lab.build(NET), {name: lab.array(values) for name, values in named(NET.params).items()}
    model.load_state_dict(state)
    overwrite(state)
    for name, values in named(NET.params).items():
        lab.check(f"state_dict()[{name!r}]", model.state_dict()[name], values)


def test_loaded_state_stays_while_the_model_trains(impl: Any, lab: Lab) -> None:
    """Training the model trains the state dict that it was loaded from, and every other model loaded from it."""
    model, state = lab.build(NET), {name: lab.array(values) for name, values in named(NET.params).items()}
    model.load_state_dict(state)
    for parameter in model.parameters():
        parameter.grad = lab.filled(impl.shape(parameter.data))
    impl.SGD(model.parameters(), lr=0.5).step()
    for name, values in named(NET.params).items():
        lab.check(f"state[{name!r}] after a step", state[name], values)


def test_loaded_state_takes_the_dtype_of_the_model(impl: Any, lab: Lab) -> None:
    """A checkpoint in float64 makes a float32 model compute in float64, in part or whole."""
    for dtype in impl.DTYPES:
        model = lab.build(NET)
        with suppress(*REFUSALS):
            model.load_state_dict({name: impl.asarray(values, dtype) for name, values in named(NET.params).items()})
        for name, values in named(NET.params).items():
            lab.check(f"state_dict()[{name!r}]", model.state_dict()[name], values)


def test_loading_keeps_the_parameters_that_an_optimizer_holds(lab: Lab) -> None:
    """After loading, an optimizer made before trains parameters that the model no longer uses."""
    model = lab.build(NET)
    before = list(model.parameters())
    model.load_state_dict(lab.build(NET).state_dict())
    assert all(mine is yours for mine, yours in zip(model.parameters(), before, strict=True))


def nets(impl: Any, lab: Lab) -> dict[str, Any]:
    """Modules of every kind that have parameters."""
    where = lab.where
    return {
        "Model": impl.Model([3, 4, 2], None, 1, **where),
        "Linear": impl.Linear(3, 4, 1, **where),
        "Sequential": impl.Sequential(impl.Linear(4, 4, 1, **where), impl.Sequential(impl.Linear(4, 1, 2, **where))),
        "family": family(impl, lab),
        "twelve layers": impl.Model([2] * 13, None, 1, **where),
    }


def state_of(impl: Any, module: Any, rng: random.Random) -> dict[str, Nested]:
    """Other numbers for every parameter of a module."""
    return {name: dyadic(rng, *impl.shape(parameter.data)) for name, parameter in module.named_parameters()}


UNEXPECTED = ("layers.9.weight", "0.scale", "scale", "layers", "layers.0.weight.data", "LAYERS.0.BIAS", "module.weight")


def misshapes(shape: Shape) -> list[Shape]:
    """Shapes that could be broadcast, reshaped, cut, flattened or transposed into place, and others."""
    longer = [(*shape[:i], size + 1, *shape[i + 1 :]) for i, size in enumerate(shape)]
    ones = [(*shape[:i], 1, *shape[i + 1 :]) for i in range(len(shape))]
    near = [shape[1:], shape[:-1], (1, *shape), (*shape, 1), shape[::-1], (math.prod(shape),), (), (0,), *longer, *ones]
    return [other for other in dict.fromkeys(near) if other != shape]


def swapped(impl: Any, module: Any) -> list[str]:
    """The names in an order in which the shapes come as ever: those of one shape are reversed."""
    names: dict[Shape, list[str]] = {}
    for name, parameter in module.named_parameters():
        names.setdefault(impl.shape(parameter.data), []).append(name)
    return [names[impl.shape(parameter.data)].pop() for _, parameter in module.named_parameters()]


@pytest.mark.parametrize("kind", ["Model", "Linear", "Sequential", "family"])
def test_load_refuses_a_single_fault(impl: Any, one_lab: Lab, kind: str) -> None:
    """One kind of fault is passed over, or only found beside others: a row is repeated, a name misspelt."""
    module = nets(impl, one_lab)[kind]
    good = {name: one_lab.array(values) for name, values in state_of(impl, module, random.Random(kind)).items()}
    faults = [([name], {other: good[other] for other in good if other != name}) for name in good]
    faults += [([name, f"{name}s"], state | {f"{name}s": good[name]}) for (name,), state in faults]
    faults += [([name], good | {name: one_lab.filled((2,))}) for name in UNEXPECTED]
    faults += [([n], good | {n: one_lab.filled(shape)}) for n in good for shape in misshapes(impl.shape(good[n]))]
    for names, state in faults:
        shapes = {name: impl.shape(values) for name, values in state.items()}
        with refused(f"load_state_dict of {kind}, {shapes}", *names):
            module.load_state_dict(state)


@pytest.mark.parametrize("kind", ["Model", "Linear", "Sequential", "family", "twelve layers"])
@holds_for(data=strategies.data())
def test_load_lists_every_name_that_does_not_fit(impl: Any, one_lab: Lab, kind: str, data: Any) -> None:
    """One fault hides another, a shape is broadcast or reshaped into place, or a refusal spoils the next good load."""
    module, rng = nets(impl, one_lab)[kind], random.Random(kind)
    good = state_of(impl, module, rng)
    bad: dict[str, Any] = {name: one_lab.array(values) for name, values in good.items()}
    faulty = data.draw(st.lists(st.sampled_from([*good, *UNEXPECTED]), min_size=1, max_size=6, unique=True))
    for name in faulty:
        others = misshapes(impl.shape(bad[name])) if name in good else []
        shape = data.draw(st.sampled_from([None, *others])) if others else (2,)
        bad |= {name: one_lab.filled(shape or ())} if shape is not None else {}
        if shape is None:
            del bad[name]
    with refused(f"load_state_dict of {kind} with faults in {faulty}", *faulty):
        module.load_state_dict(bad)
    names = data.draw(st.permutations(list(good)) | st.just(swapped(impl, module)))
    module.load_state_dict({name: one_lab.array(good[name]) for name in names})
    for name, parameter in module.named_parameters():
        one_lab.check(f"{kind}, {name}, after a good load", parameter.data, good[name])


# ------------------------------------------------------------------------------------------------- Linear, ReLU, losses


def test_linear_module_has_kaiming_weights_and_no_bias_yet(impl: Any, lab: Lab) -> None:
    """It starts as torch.nn.Linear does: weights of std 1/√(3 n_in), biases drawn too."""
    module = impl.Linear(200, 100, seed=1, **lab.where)
    weights, std = list(flat(impl.tolist(module.weight.data))), math.sqrt(2 / 200)
    assert impl.shape(module.weight.data) == (100, 200)
    assert abs(statistics.fmean(weights)) < 5 * std / math.sqrt(20_000)
    assert abs(statistics.pstdev(weights) - std) < 5 * std / math.sqrt(2 * 20_000)
    assert impl.tolist(module.bias.data) == [0.0] * 100


def test_linear_module_without_a_seed_is_drawn_afresh(impl: Any, lab: Lab) -> None:
    """Without a seed all layers start alike: a fixed seed hides behind None."""
    first, second = (impl.Linear(3, 2, **lab.where).weight.data for _ in range(2))
    assert impl.tolist(first) != impl.tolist(second)


def test_relu_module_is_the_function(impl: Any, lab: Lab) -> None:
    """The layer bends elsewhere than at 0."""
    x = lab.array([[-1.0, 2.0], [0.0, -0.5]])
    lab.check("ReLU()([[-1, 2], [0, -0.5]])", impl.ReLU()(x), [[0, 2], [0, 0]])


def test_layers_without_weights_have_no_parameters(impl: Any) -> None:
    """An optimizer is handed something to train that nothing uses."""
    for module in (impl.ReLU(), impl.MSELoss(), impl.CrossEntropyLoss(), impl.Sequential(impl.ReLU())):
        assert list(module.parameters()) == []


def test_sequential_runs_its_layers_in_order(impl: Any, lab: Lab) -> None:
    """A layer is skipped, the last comes first, or they go by their names: "10" is less than "2"."""

    class Affine(impl.Module):  # type: ignore[misc]
        def __init__(self, shift: float) -> None:
            super().__init__()
            self.shift = shift

        def forward(self, x: Any) -> Any:
            return impl.add(impl.multiply(x, lab.array(2.0)), lab.array(self.shift))

    layers = [Affine(float(i)) for i in range(12)]
    expected = reduce(lambda x, i: 2 * x + i, range(12), -1)
    lab.check("Sequential of 12 layers", impl.Sequential(*layers)(lab.array([-1.0])), [expected])


def test_sequential_names_its_layers_by_number(impl: Any, lab: Lab) -> None:
    """Parameters of nested layers have other names than in PyTorch."""
    linear = [impl.Linear(2, 2, seed=i, **lab.where) for i in range(2)]
    nested = impl.Sequential(linear[0], impl.ReLU(), impl.Sequential(linear[1]))
    assert [name for name, _ in nested.named_parameters()] == ["0.weight", "0.bias", "2.0.weight", "2.0.bias"]


# ------------------------------------------------------------------------------------------------- Model


@pytest.mark.parametrize("net", ALL_NETS, ids=str)
def test_model_has_the_loss_and_gradients_of_the_functions(lab: Lab, net: Net) -> None:
    """Refactoring functions into classes changed the net: a loss or a gradient is another one."""
    model = lab.build(net)
    lab.check("model(x, target)", model(lab.array(net.x), lab.array(net.target)), answers(net)[0])
    model.backward()
    lab.check_gradients(model, named(answers(net)[1]))


def test_model_layers_are_a_sequential(lab: Lab) -> None:
    """model.layers cannot be used as a net of its own."""
    model = lab.build(NET)
    lab.check("model.layers(x)", model.layers(lab.array(NET.x)), oracle.mlp(*exact((NET.x, NET.params))))


@pytest.mark.parametrize("sizes", [[], [3]], ids=str)
def test_models_of_fewer_than_two_sizes_are_refused(impl: Any, lab: Lab, sizes: list[int]) -> None:
    """A model without a layer gives back what it is given, and has nothing to learn."""
    with refused(f"Model({sizes})"):
        impl.Model(sizes, seed=1, **lab.where)


def test_model_repeats_itself_from_a_seed(impl: Any, lab: Lab) -> None:
    """The seed is ignored, or each layer starts from the same one."""
    first, again, other = (
        list(flat([impl.tolist(p.data) for p in impl.Model([3, 3, 3], seed=s, **lab.where).parameters()]))
        for s in (1, 1, 2)
    )
    assert first == again != other
    assert first[:9] != first[12:21]


def test_model_has_no_gradients_before_backward(lab: Lab) -> None:
    """A forward leaves gradients behind."""
    model = lab.build(NET)
    model(lab.array(NET.x), lab.array(NET.target))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_accumulate_until_zero_grad(lab: Lab) -> None:
    """The second backward overwrites the first, or zero_grad leaves something behind."""
    model, grads = lab.build(DEEP), answers(DEEP)[1]
    for times in (1, 2, 3):
        model(lab.array(DEEP.x), lab.array(DEEP.target))
        model.backward()
        lab.check_gradients(model, named(oracle.elementwise(lambda grad, times=times: times * grad, grads)))
    model.zero_grad()
    model(lab.array(DEEP.x), lab.array(DEEP.target))
    model.backward()
    lab.check_gradients(model, named(grads))


def test_backward_follows_the_last_forward(lab: Lab) -> None:
    """Backward uses what an earlier forward left behind."""
    model = lab.build(NET)
    model(lab.array([[9.0, -9.0, 9.0]]), lab.array([[5.0, 5.0]]))
    model(lab.array(NET.x), lab.array(NET.target))
    model.backward()
    lab.check_gradients(model, named(answers(NET)[1]))


def test_predict_does_not_disturb_backward(lab: Lab) -> None:
    """A look at validation data between forward and backward changes the gradients."""
    model = lab.build(NET)
    model(lab.array(NET.x), lab.array(NET.target))
    for n_samples in (1, len(NET.x)):
        model.predict(lab.array([[9.0, -9.0, 9.0]] * n_samples))
    model.backward()
    lab.check_gradients(model, named(answers(NET)[1]))


def test_backward_before_forward_is_refused(lab: Lab) -> None:
    """Backward without a forward crashes somewhere inside, or does nothing and nobody notices."""
    with refused("Model.backward()", by=[RuntimeError]):
        lab.build(NET).backward()


def test_backward_after_predict_alone_is_refused(lab: Lab) -> None:
    """A prediction has no loss to go back from, yet backward makes gradients of it."""
    model = lab.build(NET)
    model.predict(lab.array(NET.x))
    with refused("Model.backward()", by=[RuntimeError]):
        model.backward()


def test_second_backward_after_one_forward_is_refused(lab: Lab) -> None:
    """The gradients of one batch are counted twice."""
    model = lab.build(NET)
    model(lab.array(NET.x), lab.array(NET.target))
    model.backward()
    with refused("Model.backward(), again", by=[RuntimeError]):
        model.backward()
    lab.check_gradients(model, named(answers(NET)[1]))


# ------------------------------------------------------------------------------------------------- unusual nets


@pytest.mark.parametrize("times", [2, 3])
def test_layer_used_more_than_once_gets_the_sum_of_its_gradients(impl: Any, lab: Lab, times: int) -> None:
    """A layer remembers only its last input, or only its last gradient counts."""
    model, bend = lab.build(SQUARE), impl.ReLU()
    model.layers = impl.Sequential(*[layer for _ in range(times) for layer in (model.layers, bend)][:-1])
    loss, grads = remembered(oracle.loss_and_grads, *exact((SQUARE.params * times, SQUARE.x, SQUARE.target)))
    lab.check("model(x, target)", model(lab.array(SQUARE.x), lab.array(SQUARE.target)), loss)
    model.backward()
    lab.check("gradients", lab.gradients(model), [oracle.elementwise(lambda *uses: sum(uses), *grads)])


def test_parameter_that_is_not_used_gets_no_gradient(impl: Any, lab: Lab) -> None:
    """A spare parameter stops backward, gets a gradient that was never computed, or keeps the one that it has."""
    model = lab.build(NET)
    model.spare = impl.Parameter(lab.array([1.0, 2.0]))
    model(lab.array(NET.x), lab.array(NET.target))
    model.backward()
    assert model.spare.grad is None or impl.tolist(model.spare.grad) == [0.0, 0.0]
    model.spare.grad = lab.array([7.0, 7.0])
    model.zero_grad()
    assert model.spare.grad is None or impl.tolist(model.spare.grad) == [0.0, 0.0]


@pytest.mark.parametrize("sizes", [[2, 3, 4, 2, 5, 3, 2, 4, 3, 5, 2, 3, 2], [2] * 13], ids=str)
def test_twelve_layers_come_in_order(impl: Any, one_lab: Lab, sizes: list[int]) -> None:
    """From the tenth layer on another one's turn comes, or another one's name: "10" is less than "2"."""
    x, target = [[0.5, -1.0], [1.0, 0.5], [-0.5, 2.0]], [[1.0, 0.5], [-1.0, 0.5], [0.5, -0.5]]
    params = [([[z / 2 for z in row] for row in w], b) for w, b in layers_of(sizes, random.Random(12))]
    model = one_lab.model(one_lab.array(params))
    names = [f"layers.{2 * i}.{part}" for i in range(12) for part in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == list(model.state_dict()) == names
    expected = formulas.mlp(x, params)
    one_lab.check("predict(x)", model.predict(one_lab.array(x)), expected)
    one_lab.check("mlp(x, params)", impl.mlp(*one_lab.array((x, params))), expected)
    loss, grads = formulas.loss_and_grads(params, x, target)
    one_lab.check("loss_and_grads(…)", impl.loss_and_grads(*one_lab.array((params, x, target))), (loss, grads))
    one_lab.check("model(x, target)", model(*one_lab.array((x, target))), loss)
    model.backward()
    one_lab.check_gradients(model, named(grads))


def test_models_go_as_deep_as_asked(impl: Any, one_lab: Lab) -> None:
    """A model is built, walked or differentiated by recursion, and Python's stack is not as deep as the model."""
    depth = 1100
    model = one_lab.model([(one_lab.array([[1.0]]), one_lab.array([0.0]))] * depth)
    one_lab.check("model(x, target)", model(one_lab.array([[1.0]]), one_lab.array([[0.0]])), 1)
    model.backward()
    assert {number for parameter in model.parameters() for number in flat(impl.tolist(parameter.grad))} == {2.0}
