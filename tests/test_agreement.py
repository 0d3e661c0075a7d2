"""From the same parameters and batches, every pair of implementations computes the same, step after step."""

import functools
import random
from itertools import combinations, pairwise

import numpy as np
import pytest

from shared_specs.registry import implementations, load

PAIRS = list(combinations(implementations(), 2))
SIZES = (7, 6, 5, 4)
STEPS = 100
OPTIMIZERS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "weight decay": {"weight_decay": 0.1},
    "both": {"momentum": 0.9, "weight_decay": 0.1},
}


@functools.cache
def data():
    """23 samples, their targets for regression and their labels for classification, and parameters to begin with."""
    rng = random.Random(0)
    x = [[rng.gauss(0, 1) for _ in range(SIZES[0])] for _ in range(23)]
    target = [[rng.gauss(0, 1) for _ in range(SIZES[-1])] for _ in range(23)]
    labels = [rng.randrange(SIZES[-1]) for _ in range(23)]
    state = {}
    for i, (n_in, n_out) in enumerate(pairwise(SIZES)):
        state[f"layers.{2 * i}.weight"] = [[rng.gauss(0, 0.6) for _ in range(n_in)] for _ in range(n_out)]
        state[f"layers.{2 * i}.bias"] = [rng.gauss(0, 0.1) for _ in range(n_out)]
    return x, target, labels, state


def arrays(impl, state):
    """A state dict of nested lists as one of the implementation's own arrays."""
    return {name: impl.asarray(values, dtype="float64") for name, values in state.items()}


@functools.cache
def trajectory(name, loss, optimizer):
    """Every number that one implementation comes by in STEPS steps: (what, array) in a fixed order."""
    impl = load(name)
    x, target, labels, state = data()
    model = impl.Model(list(SIZES), loss=getattr(impl, loss)(), seed=0, dtype="float64")
    model.load_state_dict(arrays(impl, state))
    targets = (
        impl.asarray(labels, dtype="int64") if loss == "CrossEntropyLoss" else impl.asarray(target, dtype="float64")
    )
    batches = impl.Batches(impl.asarray(x, dtype="float64"), targets, batch_size=5, seed=0)
    sgd = impl.SGD(model.parameters(), lr=0.05, **OPTIMIZERS[optimizer])
    seen = []
    while len(seen) < STEPS:
        for inputs, wanted in batches:
            sgd.zero_grad()
            step = {"output": impl.tolist(model.predict(inputs)), "loss": impl.tolist(model(inputs, wanted))}
            model.backward()
            step |= {f"{key}.grad": impl.tolist(parameter.grad) for key, parameter in model.named_parameters()}
            sgd.step()
            step |= {key: impl.tolist(parameter.data) for key, parameter in model.named_parameters()}
            seen.append(step)
    return seen[:STEPS]


def assert_agree(what, a, b):
    """Within 1e-12 of the largest element: the contract's bound for float64."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape, what
    assert np.abs(a - b).max() <= 1e-12 * max(np.abs(a).max(), np.abs(b).max()), what


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["MSELoss", "CrossEntropyLoss"])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_pair_agrees_on_everything_in_100_steps(a, b, loss, optimizer):
    """Two implementations part ways: on an output, a loss, a gradient or a parameter, and at which step."""
    for i, (ours, theirs) in enumerate(
        zip(trajectory(a, loss, optimizer), trajectory(b, loss, optimizer), strict=True)
    ):
        assert ours.keys() == theirs.keys()
        for what, values in ours.items():
            assert_agree(f"step {i}: {what} of {a} and {b}", values, theirs[what])


@functools.cache
def functions(name):
    """What the functions of stages 1 to 4 and 6 make of the same arrays."""
    impl = load(name)
    x, target, labels, state = data()
    array = functools.partial(impl.asarray, dtype="float64")
    params = [
        (impl.transpose(array(state[f"layers.{2 * i}.weight"])), array(state[f"layers.{2 * i}.bias"]))
        for i in range(len(SIZES) - 1)
    ]
    x, target, labels = array(x), array(target), impl.asarray(labels, dtype="int64")
    (w, b), output = params[0], impl.mlp(x, params)
    hidden, inputs = impl.linear(x, w, b), array(data()[0][0])
    loss, grads = impl.loss_and_grads(params, x, target)
    grad_out = impl.relu(impl.multiply(hidden, array(-0.5)))
    grad_x, grad_w, grad_b = impl.linear_grad(grad_out, x, w)
    results = {
        "neuron": impl.neuron(inputs, impl.asarray([row[0] for row in impl.tolist(w)], dtype="float64"), array(0.5)),
        "layer": impl.layer(inputs, impl.transpose(w), b),
        "matmul": impl.matmul(x, w),
        "linear": hidden,
        "relu": impl.relu(hidden),
        "mlp": output,
        "mse": impl.mse(output, target),
        "mse_grad": impl.mse_grad(output, target),
        "relu_grad": impl.relu_grad(grad_out, hidden),
        "linear_grad x": grad_x,
        "linear_grad w": grad_w,
        "linear_grad b": grad_b,
        "loss": loss,
        "cross_entropy": impl.cross_entropy(output, labels),
        "cross_entropy_grad": impl.cross_entropy_grad(output, labels),
        "accuracy": impl.accuracy(output, labels),
    }
    for i, (gw, gb) in enumerate(grads):
        results |= {f"grad_w of layer {i}": gw, f"grad_b of layer {i}": gb}
    results |= {f"matmul {rung}": matmul(x, w) for rung, matmul in impl.MATMULS.items()}
    return {what: impl.tolist(array) for what, array in results.items()}


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_pair_agrees_on_every_function(a, b):
    """Two implementations of a function give different numbers for the same arrays."""
    ours, theirs = functions(a), functions(b)
    for what in ours.keys() & theirs.keys():
        assert_agree(f"{what} of {a} and {b}", ours[what], theirs[what])


@pytest.mark.parametrize(("a", "b"), [*PAIRS, *((b, a) for a, b in PAIRS)])
def test_a_state_dict_moves_to_every_other_package(a, b):
    """A saved net predicts something else, or does not load, in another package."""
    ours, theirs = load(a), load(b)
    model, other = (impl.Model(list(SIZES), seed=seed, dtype="float64") for impl, seed in ((ours, 1), (theirs, 2)))
    other.load_state_dict(arrays(theirs, {name: ours.tolist(w) for name, w in model.state_dict().items()}))
    x = data()[0]
    predictions = [
        impl.tolist(m.predict(impl.asarray(x, dtype="float64"))) for impl, m in ((ours, model), (theirs, other))
    ]
    assert_agree(f"{a} to {b}", *predictions)


@functools.cache
def gradients_after_each_step(name):
    """What on_batch finds in the first parameter's gradient, and what is there when fit has returned."""
    impl, seen = load(name), []
    x, target, _, state = data()
    model = impl.Model(list(SIZES), seed=0, dtype="float64")
    model.load_state_dict(arrays(impl, state))
    batches = impl.Batches(impl.asarray(x, dtype="float64"), impl.asarray(target, dtype="float64"), 5, seed=0)
    weight = next(iter(model.parameters()))
    impl.fit(model, batches, impl.SGD(model.parameters(), 0.05), 1, lambda *_: seen.append(impl.tolist(weight.grad)))
    return [*seen, impl.tolist(weight.grad)]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_pair_shows_the_same_gradients_after_a_step(a, b):
    """Who logs the gradients from on_batch finds none, or those of another batch, in one of two implementations."""
    for ours, theirs in zip(gradients_after_each_step(a), gradients_after_each_step(b), strict=True):
        assert_agree(f"gradients of {a} and {b}", ours, theirs)
