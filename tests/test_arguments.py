"""Of the five more is asked than of others: malformed arguments are ValueErrors that begin with the function's name."""

import re

import numpy as np
import pytest

from shared_specs import calls
from shared_specs.cases import WRONG_SHAPES, misfits
from shared_specs.contract import stage_of
from shared_specs.lab import Lab
from shared_specs.registry import implementations, load


def complaint(implementation, line):
    """What the ValueError of the call says, or what happened instead."""
    try:
        got = calls.run(line, Lab(load(implementation), "float64", "cpu"))
    except ValueError as error:
        return str(error)
    except Exception as error:
        return f"raised {error!r}"
    return f"got {got!r}"


@pytest.mark.parametrize("function", calls.CALLS)
@pytest.mark.parametrize("implementation", implementations())
def test_malformed_arguments_are_refused_by_the_function_that_got_them(implementation, function):
    """An error comes from somewhere inside, or is of a kind that the contract does not know."""
    name = re.escape(function) if stage_of(function) else r"\w+"  # a layer of the model that was called
    said = {line: complaint(implementation, line) for line in calls.malformed(function)}
    wrong = [f"{line}: {words[:150]}" for line, words in said.items() if not re.match(rf"{name}: ", words)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("stage", WRONG_SHAPES)
@pytest.mark.parametrize("implementation", implementations())
def test_wrong_shapes_are_refused_by_the_function_that_got_them(implementation, stage):
    """The message begins with another function than the one that was called."""
    lab = Lab(load(implementation), "float64", "cpu")
    for misfit in misfits(stage):
        first, *rest = misfit.arguments
        others = [lab.labels(array) if stage == "training" else lab.array(array) for array in rest]
        with pytest.raises(ValueError, match=rf"^{misfit.function}: got"):
            getattr(lab.impl, misfit.function)(lab.array(first), *others)


@pytest.mark.parametrize("implementation", implementations())
def test_whole_numbers_from_numpy_are_whole_numbers(implementation):
    """A seed or a size that NumPy drew passes the checks, and then stops somewhere inside."""
    net, three, one = load(implementation), np.int64(3), np.int64(1)
    assert net.shape(net.normal(three, one, 0.5, three)) == (3, 1)
    model = net.Model([three, one], seed=three)
    x, target = net.asarray([[1, 2, 3], [4, 5, 6]]), net.asarray([[1], [2]])
    batches = net.Batches(x, target, batch_size=one, seed=three)
    assert len(net.fit(model, batches, net.SGD(model.parameters(), 0.1), epochs=three)) == 6


@pytest.mark.parametrize("implementation", implementations())
def test_rates_from_numpy_leave_the_dtype_alone(implementation):
    """A learning rate that NumPy computed turns every float32 parameter into float64."""
    net = load(implementation)
    for dtype in net.DTYPES:
        parameter = net.Parameter(net.asarray([1.0], dtype))
        sgd = net.SGD([parameter], *map(np.float64, (0.5, 0.5, 0.5)))
        for _ in range(2):
            parameter.grad = net.asarray([1.0], dtype)
            sgd.step()
        assert getattr(parameter.data, "dtype", None) == getattr(net.asarray([1.0], dtype), "dtype", None)
        assert net.tolist(parameter.data) == [-0.6875]  # 1 − 0.5 · 1.5, and 0.25 − 0.5 · (0.5 · 1.5 + 1.125)


@pytest.mark.parametrize("implementation", implementations())
def test_an_optimizer_says_what_it_got_instead_of_parameters(implementation):
    """Who forgets the () of model.parameters() reads that there were none."""
    net = load(implementation)
    model = net.Model([2, 1], seed=0)
    for wrong in (model, model.parameters, model.named_parameters()):
        with pytest.raises(ValueError, match=r"^SGD: got \w+, expected Parameters: model.parameters\(\)$"):
            net.SGD(wrong, 0.1)
