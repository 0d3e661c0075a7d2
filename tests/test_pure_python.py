"""What holds for pure_python alone: nothing but the standard library, exact on Fractions."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import pure_python as net


def test_it_loads_neither_numpy_nor_torch():
    """The standard library is not enough any more: importing the package brings in a framework."""
    code = "import sys, pure_python; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "torch", "fastai", "shared_specs"} & set(loaded)


def test_a_whole_training_step_is_exact_on_fractions():
    """A float slips into the computation, so that Fractions no longer come out as Fractions."""
    model = net.Model([2, 2, 1], seed=0)
    third = Fraction(1, 3)
    model.load_state_dict(
        {
            "layers.0.weight": [[third, 2 * third], [-third, third]],
            "layers.0.bias": [third, third],
            "layers.2.weight": [[third, third]],
            "layers.2.bias": [third],
        }
    )
    loss = model([[Fraction(1), Fraction(2)]], [[Fraction(0)]])
    model.backward()
    net.SGD(model.parameters(), lr=Fraction(1, 10)).step()
    # hidden: 1/3 + 4/3 + 1/3 = 2 and −1/3 + 2/3 + 1/3 = 2/3; output: 2/3 + 2/9 + 1/3 = 11/9; loss: (11/9)²
    assert loss == Fraction(121, 81)
    # ∂output = 22/9; the last bias moves by lr · 22/9, the last weights by lr · 22/9 · hidden
    state = model.state_dict()
    assert state["layers.2.bias"] == [third - Fraction(22, 90)]
    assert state["layers.2.weight"] == [[third - Fraction(44, 90), third - Fraction(44, 270)]]


def test_momentum_and_weight_decay_are_exact_on_fractions():
    """A rate is rounded to a float on its way into the step."""
    parameter = net.Parameter([Fraction(1, 3)])
    optimizer = net.SGD([parameter], lr=Fraction(1, 7), momentum=Fraction(1, 2), weight_decay=Fraction(1, 5))
    for _ in range(2):
        parameter.grad = [Fraction(1, 3)]
        optimizer.step()
    # v = 1/3 + 1/15 = 2/5, p = 1/3 − 2/35 = 29/105; v = 1/5 + 1/3 + 29/525 = 103/175, p = 29/105 − 103/1225
    assert parameter.data == [Fraction(29, 105) - Fraction(103, 1225)]


def test_rates_of_other_libraries_leave_plain_floats():
    """A float32 of NumPy as rate rounds the parameters, and leaves its own kind of numbers in them."""
    parameter = net.Parameter([1.0])
    parameter.grad = [2.0**-30]
    net.SGD([parameter], lr=np.float32(1)).step()
    assert parameter.data == [1 - 2.0**-30]
    assert type(parameter.data[0]) is float


@pytest.mark.parametrize(
    "call",
    [
        net.add,
        lambda ragged, whole: net.linear(ragged, whole, [0.0, 0.0]),
        lambda ragged, whole: net.linear(whole, ragged, [0.0, 0.0]),
        lambda ragged, whole: net.layer([0.0, 0.0], ragged, [0.0, 0.0]),
        net.mse,
        lambda ragged, whole: net.mse_grad(ragged, ragged),
        lambda ragged, whole: net.relu_grad(whole, ragged),
        lambda ragged, whole: net.linear_grad(whole, ragged, whole),
        lambda ragged, whole: net.cross_entropy(ragged, [0, 0]),
        lambda ragged, whole: net.Linear(2, 2)(ragged),
        *net.MATMULS.values(),
        *(lambda ragged, whole, rung=rung: rung(whole, ragged) for rung in net.MATMULS.values()),
    ],
)
@pytest.mark.parametrize("ragged", [[[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0, 4.0, 5.0]]])
def test_a_ragged_list_never_gives_a_number(call, ragged):
    """A row too short or too long after the first is cut off or left out, and a number comes out."""
    with pytest.raises(ValueError, match="rows of"):
        call(ragged, [[1.0, 2.0], [3.0, 4.0]])
