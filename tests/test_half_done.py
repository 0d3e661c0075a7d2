"""A module of one file, half done, meets every tool: what it lacks is told, and the rest is done."""

import json
import textwrap

import pytest
from typer.testing import CliRunner

from shared_specs import fuzz
from side_by_side.checking import accuracy
from side_by_side.cli import app

HALF = """
    import numpy as np
    from numpy_impl import DTYPES, asarray, devices, shape, synchronize, tolist

    def add(a, b): return a + b
    def relu(x): return np.maximum(x, 0)
    def linear(x, w, b): return x @ w + b
    def mse(output, target): raise NotImplementedError("tomorrow")
"""
BROKEN = """
    from numpy_impl import *
    from numpy_impl import DTYPES, MATMULS
    def fit(model, batches, optimizer, epochs, on_batch=None):
        raise NotImplementedError("tomorrow")
"""


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    for name, source in {"half_net": HALF, "broken_net": BROKEN, "no_net": "1 +"}.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)


def cli(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


TRAIN = ("train", "--data", "tripler", "--epochs", 1, "--impl", "numpy_impl")


@pytest.mark.parametrize(
    ("arguments", "says", "shows"),
    [
        (("ledger", "--impl", "numpy_impl"), "half_net: does not provide mse_grad, linear_grad", "numpy_impl"),
        (("ledger",), "loss is wrong, NotImplementedError: tomorrow", "exact"),
        (("accuracy",), "half_net: not measured: multiply, ", "half_net"),
        (TRAIN, "half_net: not run: does not provide Model, ", "numpy_impl"),
        (("init", "--impl", "numpy_impl"), "half_net does not provide normal, ", "Activations in numpy_impl"),
    ],
)
def test_what_it_lacks_is_told_and_the_rest_is_done(arguments, says, shows):
    result = cli(*arguments, "--impl", "half_net")
    assert result.exit_code == 1
    assert says in result.stderr
    assert shows in result.stdout


@pytest.mark.parametrize("lockstep", [(), ("--lockstep", "--impl", "torch_manual")])
def test_an_error_in_training_is_told_with_its_line_and_the_others_go_on(lockstep):
    result = cli(*TRAIN, *lockstep, "--impl", "broken_net")
    assert result.exit_code == 1
    assert "raised NotImplementedError: tomorrow (broken_net.py:5)" in result.stderr
    (row,) = (line.split() for line in result.stdout.splitlines() if line.startswith(" numpy_impl"))
    assert float(row[1]) > 0.5


@pytest.mark.parametrize("command", ["train", "ledger", "accuracy", "init"])
def test_a_module_that_is_no_python_is_one_clear_line(command):
    result = cli(command, "--impl", "no_net")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "no_net cannot be imported: SyntaxError" in result.stderr


def test_the_fuzzer_tries_what_is_there(capsys):
    assert fuzz.main(["--impl", "half_net", "--calls", "300"]) == 1
    said = capsys.readouterr().out
    assert "half_net: not tried, because it does not provide them: " in said
    assert "AttributeError" not in said
    assert fuzz.main(["--impl", "no_net"]) == 2
    assert "no_net cannot be tried: SyntaxError" in capsys.readouterr().err


def test_accuracy_keeps_what_was_measured_of_others(tmp_path, monkeypatch):
    """A run of one package erases the rows of all the others."""
    few = [work for work in accuracy.works() if work.stage in ("arrays", "neuron")]
    monkeypatch.setattr(accuracy, "works", lambda: few)
    file = tmp_path / "accuracy.json"
    for name in ("pure_python", "half_net", "half_net"):
        cli("accuracy", "--impl", name, "--json", file)
    rows = json.loads(file.read_text())["rows"]
    assert {row["implementation"] for row in rows} == {"pure_python", "half_net"}
    assert len({tuple(row[key] for key in ("implementation", "dtype", "stage", "inputs")) for row in rows}) == len(rows)
    file.write_text("mine")
    assert cli("accuracy", "--impl", "half_net", "--json", file).exit_code == 2
    assert file.read_text() == "mine"
