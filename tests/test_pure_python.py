"""What holds for pure_python alone: nothing but the standard library, exact on Fractions."""

import subprocess
import sys
from fractions import Fraction

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
