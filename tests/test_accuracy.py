"""Accuracy in ULPs: an error that is planted is measured as what it is, and everything measured is right."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from shared_specs import STAGES, oracle
from shared_specs.registry import load
from side_by_side.checking import accuracy
from side_by_side.checking.accuracy import Measure, Row, Work
from side_by_side.cli import app

NUMBERS = [1.0, 1.75, -3.3, 2.0**-1030, 1e300]


def off_by(n, kind=np.float64):
    """relu, from which every result is so many neighbours away."""

    def moved(number):
        for _ in range(n):
            number = np.nextafter(kind(number), kind(math.inf))
        return float(number)

    return [moved(number) for number in NUMBERS]


def work(compute, answer=lambda numbers: numbers[0]):
    """Something of which the exact answer is the numbers themselves."""
    return Work("neuron", "random", "identity", (NUMBERS,), compute, answer)


@pytest.mark.parametrize("n", [0, 1, 3, 1000])
def test_planted_error_is_measured_in_ulps(n):
    """An error of 3 ULPs counts as another number, at some size of the numbers."""
    (row,) = Measure([work(lambda lab, numbers: off_by(n))]).run("planted", load("pure_python"))
    assert row.errors == [n] * len(NUMBERS)
    assert (row.worst, row.median) == (n, n)


def test_planted_error_of_float32_is_measured_in_its_own_ulps():
    """Results of float32 are measured in float64's ULPs, or against numbers that float32 does not hold."""
    module = SimpleNamespace(DTYPES=("float32",))
    planted = Work(
        *("neuron", "random", "identity", ([0.1, 3.3],)),
        lambda lab, numbers: [float(np.nextafter(np.float32(z), np.float32(9))) for z in numbers[0]],
        lambda numbers: numbers[0],
    )
    (row,) = Measure([planted]).run("planted", module)
    assert row.errors == [1, 1]


def test_half_an_ulp_is_measured():
    """Errors are rounded to whole ULPs: correct rounding looks like no error, or like one of 1."""
    third = work(lambda lab, numbers: [1 / 3], lambda numbers: [oracle.Fraction(1, 3)])
    (row,) = Measure([third]).run("planted", load("pure_python"))
    assert 0 < row.worst < 0.5


def test_result_that_is_not_finite_is_a_problem():
    """A nan among the results is left out of the maximum."""
    (row,) = Measure([work(lambda lab, numbers: [math.nan, *NUMBERS[1:]])]).run("planted", load("pure_python"))
    assert row.worst == math.inf
    assert accuracy.problems([row]) == ["planted: a result of stage neuron in float64 is not finite"]


def test_every_stage_is_measured_with_both_kinds_of_inputs():
    """A stage is missing from the table."""
    kinds = {(work.stage, work.inputs) for work in accuracy.works()}
    assert kinds == {(stage, inputs) for stage in STAGES for inputs in (accuracy.RANDOM, accuracy.CANCELLING)}


def test_cancelling_inputs_cancel():
    """Rows that promise cancellation hold inputs like the others."""
    (work,) = (w for w in accuracy.works() if (w.name, w.inputs) == ("neuron", accuracy.CANCELLING))
    inputs, weights, _ = work.numbers
    products = [x * w for x, w in zip(inputs, weights, strict=True)]
    assert abs(sum(products)) < 1e-5 * sum(map(abs, products))


@pytest.mark.parametrize("name", ["add", "neuron", "linear", "mse", "cross_entropy", "SGD"])
def test_implementations_are_within_a_few_ulps(name):
    """What is measured is not what the function computes: errors on random inputs are far from a rounding."""
    measure = Measure([w for w in accuracy.works() if w.name == name and w.inputs == accuracy.RANDOM])
    for implementation in ("pure_python", "numpy_impl"):
        for row in measure.run(implementation, load(implementation)):
            assert row.median < 2, row
            assert len(row.errors) == len(measure.exact(0, row.dtype)), row


def test_command_writes_table_and_json(tmp_path, monkeypatch):
    """The table or a row of the JSON is missing, or a file that could not be written is passed over."""
    planted = [work(lambda lab, numbers: off_by(3))]
    monkeypatch.setattr(accuracy, "works", lambda: iter(planted))
    path = tmp_path / "new" / "accuracy.json"
    result = CliRunner().invoke(app, ["accuracy", "--impl", "pure_python", "--json", str(path)])
    assert result.exit_code == 0, result.output
    assert "3.00 · 3.00" in result.output
    assert json.loads(path.read_text())["rows"] == [
        {
            "implementation": "pure_python",
            "dtype": "float64",
            "stage": "neuron",
            "inputs": "random",
            "elements": 5,
            "max": 3.0,
            "median": 3.0,
        }
    ]
    assert [file.name for file in path.parent.iterdir()] == ["accuracy.json"]
    result = CliRunner().invoke(app, ["accuracy", "--impl", "pure_python", "--json", str(tmp_path)])
    assert result.exit_code == 2


def test_missing_rows_and_large_numbers_have_their_signs():
    """A dtype that an implementation lacks shows a number, or large numbers break the columns."""
    assert accuracy.cell(None) == "–"
    assert accuracy.cell(Row("a", "float64", "mlp", "random", [0.0, 0.5, 123456789.0])) == "1.2e8 · 0.500"
    assert accuracy.number(math.inf) == "inf"
