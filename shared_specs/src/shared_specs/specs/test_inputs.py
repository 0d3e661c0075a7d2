"""Inputs that catch carelessness: frozen arrays, views, other dtypes, huge and tiny numbers, very deep nets."""

from typing import Any

import pytest

from shared_specs import oracle
from shared_specs.cases import OPERATIONS, Operation
from shared_specs.compare import dtype_of, refused
from shared_specs.lab import Lab
from shared_specs.oracle import exact, flat

EVERY_OPERATION = [
    pytest.param(operation, marks=getattr(pytest.mark, operation.stage), id=f"{operation}-{i}")
    for i, operation in enumerate(OPERATIONS)
]


# ------------------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_read_only_arrays_are_enough(lab: Lab, operation: Operation) -> None:
    """A function writes into its arguments, and puts everything back before it returns, or only in some cases."""
    lab.check_precision(operation, lab.frozen)


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_transposed_views_are_read_by_index(lab: Lab, operation: Operation) -> None:
    """An array is read in the order of its memory: a matrix that is a transposed view comes out scrambled."""
    lab.check_precision(operation, lab.transposed)


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_slices_are_read_by_index(lab: Lab, operation: Operation) -> None:
    """An array is read in the order of its memory: every second row of a larger one brings the others along."""
    lab.check_precision(operation, lab.sliced)


# ------------------------------------------------------------------------------------------------- dtypes


@pytest.mark.arrays
@pytest.mark.parametrize("other", ["float16", "longdouble", ">f8", ">f4", "int8", "uint8", "int32", "uint64", "bool"])
def test_asarray_takes_numpy_arrays_of_other_dtypes(impl: Any, numpy: Any, other: str) -> None:
    """Data of a dtype in which nothing is computed is refused, misread byte by byte, or keeps that dtype."""
    array = impl.asarray(numpy.array([[1, 0], [0, 1], [1, 1]], other))
    assert impl.tolist(array) == [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    assert dtype_of(array) in (None, *impl.DTYPES)
    assert {type(number) for number in flat(impl.tolist(array))} == {float}


@pytest.mark.arrays
def test_asarray_takes_numpy_arrays_in_any_layout(impl: Any, numpy: Any) -> None:
    """A frozen array, a slice with a negative step, a column or a repeated row of NumPy's is refused or misread."""
    frozen = numpy.arange(6.0).reshape(2, 3)
    frozen.setflags(write=False)
    for array in (frozen, frozen[::-1], frozen[:, ::-2], frozen[:, 1], numpy.broadcast_to(frozen[0], (4, 3))):
        assert impl.tolist(impl.asarray(array)) == array.tolist()
        impl.relu(impl.asarray(array))


@pytest.mark.parametrize("operation", EVERY_OPERATION)
def test_mixed_dtypes_are_refused_or_computed_with(impl: Any, device: str, operation: Operation) -> None:
    """An argument of another dtype than the others brings the result to the lesser of them, or to memory read wrong."""
    lab, *others = (Lab(impl, dtype, device) for dtype in impl.DTYPES)
    for other in others:
        for position in operation.arrays():
            values = operation.arguments[position]
            lab.check_refused_or_right(operation, position, values, other.array(values))


# ------------------------------------------------------------------------------------------------- magnitudes


@pytest.mark.layer
@pytest.mark.parametrize("exponent", [-60, 60])
def test_linear_scales_with_its_inputs(impl: Any, lab: Lab, exponent: int) -> None:
    """Tiny inputs are taken for 0, or huge ones cut: a power of 2 must come out as it went in, to the last bit."""
    x, w, b = [[1.0, -2.5], [0.5, 3.0]], [[1.5, 0.25], [-1.0, 2.0]], [0.5, -1.25]
    scaled = [oracle.multiply(array, 2.0**exponent) for array in (x, b)]
    got = impl.tolist(impl.linear(lab.array(scaled[0]), lab.array(w), lab.array(scaled[1])))
    assert got == oracle.multiply(impl.tolist(impl.linear(*map(lab.array, (x, w, b)))), 2.0**exponent)


@pytest.mark.mlp
@pytest.mark.parametrize("exponent", [-50, 50])
def test_mse_of_huge_and_tiny_errors_is_right(impl: Any, lab: Lab, exponent: int) -> None:
    """Small errors are taken for 0, or squares are summed in a way that overflows early."""
    output, target = (oracle.multiply(array, 2.0**exponent) for array in ([[1.0, -2.5]], [[0.5, 3.0]]))
    lab.check(
        f"mse × 2^{exponent}", impl.mse(lab.array(output), lab.array(target)), oracle.mse(*exact((output, target)))
    )


@pytest.mark.training
@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_cross_entropy_of_huge_and_tiny_logits_is_right(impl: Any, lab: Lab, size: float) -> None:
    """Logits near 0 or far from it make nan, or a loss of 0 where it is huge."""
    logits, classes = impl.tolist(lab.array([[size, -size, 0.0], [0.0, size, size]])), [1, 2]
    expected = oracle.cross_entropy(exact(logits), classes)
    lab.check(f"cross_entropy of ±{size}", impl.cross_entropy(lab.array(logits), lab.labels(classes)), expected)


@pytest.mark.training
def test_sgd_takes_small_steps(impl: Any, lab: Lab) -> None:
    """A step too small for the parameter's last digit still changes it, or a small gradient is taken for none."""
    small, large = impl.Parameter(lab.array([0.0])), impl.Parameter(lab.array([1.0]))
    for parameter in (small, large):
        parameter.grad = lab.array([2.0**-40])
    impl.SGD([small, large], lr=2.0**-20).step()
    lab.check("0 − 2⁻⁶⁰", small.data, [-(2.0**-60)])
    lab.check("1 − 2⁻⁶⁰", large.data, [1.0])


# ------------------------------------------------------------------------------------------------- sizes


@pytest.mark.module
def test_batch_of_one_keeps_its_axes(impl: Any, lab: Lab) -> None:
    """With one sample and one output a bare squeeze makes a number of what should be (1, 1)."""
    model = impl.Model([2, 3, 1], seed=0, **lab.where)
    assert impl.shape(model.predict(lab.filled((1, 2)))) == (1, 1)
    assert impl.shape(model(lab.filled((1, 2)), lab.filled((1,)))) == ()
    model.backward()
    assert [impl.shape(parameter.grad) for parameter in model.parameters()] == [(3, 2), (3,), (1, 3), (1,)]


@pytest.mark.arrays
def test_numbers_are_arrays_of_rank_0(impl: Any, lab: Lab) -> None:
    """A learning rate, a threshold or a bias must be made an Array before anything can be computed with it."""
    assert (impl.shape(2.5), impl.tolist(2.5)) == ((), 2.5)
    for call, got, expected in (
        ("add([½], 2)", impl.add(lab.array([0.5]), 2.0), [2.5]),
        ("multiply(2, [½])", impl.multiply(2.0, lab.array([0.5])), [1]),
        ("neuron([½], [2], 3)", impl.neuron(lab.array([0.5]), lab.array([2.0]), 3.0), 4),
    ):
        lab.check(call, got, expected)


@pytest.mark.arrays
def test_rank_0_arrays_are_arrays(impl: Any, lab: Lab) -> None:
    """A single number in an Array is refused, or comes back with an axis."""
    half = lab.array(0.5)
    for call, got, expected in (
        ("add(½, ½)", impl.add(half, half), 1),
        ("multiply(½, [½])", impl.multiply(half, lab.array([0.5])), [0.25]),
        ("relu(½)", impl.relu(half), 0.5),
    ):
        lab.check(call, got, expected)


@pytest.mark.backward
def test_empty_batch_with_features_is_refused(impl: Any, lab: Lab) -> None:
    """No samples of three features, cut from a batch, have a loss and gradients all the same: nan or 0."""
    params = [(lab.filled((3, 2)), lab.filled((2,)))]
    with refused("loss_and_grads(…)"):
        impl.loss_and_grads(params, lab.filled((1, 3))[:0], lab.filled((1, 2))[:0])


# ------------------------------------------------------------------------------------------------- depth

DEPTH = 2000


def deep_params(lab: Lab) -> list[tuple[Any, Any]]:
    """Layers of one unit that pass on what they get: weight 1, bias 0."""
    return [(lab.array([[1.0]]), lab.array([0.0])) for _ in range(DEPTH)]


@pytest.mark.backward
def test_functions_go_2000_layers_deep(impl: Any, lab: Lab) -> None:
    """A net is walked by recursion, and Python's stack is not as deep as the net."""
    params, x, target = deep_params(lab), lab.array([[1.0]]), lab.array([[0.0]])
    lab.check("mlp(x, params)", impl.mlp(x, params), [[1]])
    loss, grads = impl.loss_and_grads(params, x, target)
    lab.check("loss_and_grads(…)[0]", loss, 1)
    assert [[impl.tolist(grad) for grad in pair] for pair in grads] == [[[[2.0]], [2.0]]] * DEPTH


@pytest.mark.module
def test_models_go_2000_layers_deep(impl: Any, lab: Lab) -> None:
    """A model is built, walked or differentiated by recursion, and Python's stack is not as deep as the model."""
    model = impl.Model([1] * (DEPTH + 1), seed=0, **lab.where)
    ones = {name: lab.array([[1.0]] if "weight" in name else [0.0]) for name in model.state_dict()}
    model.load_state_dict(ones)
    lab.check("model(x, target)", model(lab.array([[1.0]]), lab.array([[0.0]])), 1)
    model.backward()
    assert {number for p in model.parameters() for number in flat(impl.tolist(p.grad))} == {2.0}
