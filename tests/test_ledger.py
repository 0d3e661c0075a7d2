"""The value ledger: exact where it says so, and it points at the line of a mistake."""

import textwrap
from fractions import Fraction

import pytest
from typer.testing import CliRunner

from shared_specs import oracle, registry
from side_by_side.cli import app
from side_by_side.reading import ledger as book
from side_by_side.reading.ledger import exact_pass, fault, ledger, problem, problems

NAMES = registry.implementations()

MY_NET = """
    from numpy_impl import *
    from numpy_impl import DTYPES, MATMULS
    import numpy as np


    def relu_grad(grad_out, x):
        mask = x >= 0
        grad = np.where(mask, grad_out, 0.0)
        return grad
"""


def cli(*arguments):
    return CliRunner().invoke(app, ["ledger", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def my_net(tmp_path, monkeypatch):
    """A wrong package of someone's own."""
    (tmp_path / "my_wrong_net.py").write_text(textwrap.dedent(MY_NET))
    monkeypatch.syspath_prepend(tmp_path)
    return registry.load("my_wrong_net")


def test_all_five_are_right_in_every_dtype():
    for dtype in ("float64", "float32"):
        nets = {name: registry.load(name) for name in NAMES if dtype in registry.load(name).DTYPES}
        found = ledger(nets, problem(), dtype)
        assert problems(found) == []
        assert found.first is None
        assert all(column.values.keys() == found.exact.keys() for column in found.columns.values())


def test_the_exact_column_is_right_by_hand():
    """2 samples, every number small enough for paper."""
    given = book.Problem(
        x=[[1.0, 2.0], [-1.0, 0.5]], target=[[0.0], [1.0]], w1=[[1.0], [0.5]], b1=[0.25], w2=[[2.0]], b2=[1.0]
    )
    exact = exact_pass(given)
    assert exact["l1"] == [[Fraction(9, 4)], [Fraction(-1, 2)]]
    assert exact["l2"] == [[Fraction(9, 4)], [0]]
    assert exact["output"] == [[Fraction(11, 2)], [1]]
    assert exact["loss"] == Fraction(121, 8)
    assert exact["output.g"] == [[Fraction(11, 2)], [0]]
    assert exact["w2.g"] == [[Fraction(99, 8)]]
    assert exact["l1.g"] == [[11], [0]]
    assert exact["w1.g"] == [[11], [22]]
    assert exact["x.g"] == [[11, Fraction(11, 2)], [0, 0]]


def test_every_unit_of_the_net_is_on_and_off_and_one_is_at_its_kink():
    units = list(zip(*exact_pass(problem())["l1"], strict=True))
    assert all(any(z > 0 for z in unit) and any(z < 0 or z == 0 for z in unit) for unit in units)
    assert any(z == 0 for unit in units for z in unit)
    assert max(len(str(value)) for values in exact_pass(problem()).values() for value in oracle.flat(values)) < 8


def test_a_mistake_is_marked_where_it_shows_first_and_located(my_net):
    found = ledger({"numpy_impl": registry.load("numpy_impl"), "mine": my_net}, problem())
    column = found.columns["mine"]
    assert found.first == ("l1.g", "[1][0]")
    assert found.columns["numpy_impl"].wrong is None
    assert (column.wrong, column.reason) == ("l1.g", "2 of 9 elements are wrong")
    assert column.where.file == my_net.__file__
    assert (column.where.function, column.where.source) == ("relu_grad", "grad = np.where(mask, grad_out, 0.0)")


LINES = {
    "relu_leaks": "z / 128",
    "mse_is_halved": "0.5",
    "mse_grad_forgets_the_2": "0.5",
    "relu_grad_is_forgotten": "lambda g, z: g",
    "relu_grad_masks_by_the_gradient": "right.relu(grad_out)",
    "linear_grad_averages_the_bias": "right.times(grad_b, 1 / len(x))",
    "mlp_never_bends": "x = right.linear(x, w, b)",
}


@pytest.mark.parametrize("bug", LINES)
def test_bugs_of_the_zoo_are_located_where_they_were_planted(bug):
    net = registry.load(f"{bug}@numpy_impl")
    where = ledger({bug: net}, problem()).columns[bug].where
    assert "zoo" in where.file
    assert LINES[bug] in where.source


@pytest.mark.parametrize("name", NAMES)
def test_the_line_of_an_error_is_named(name, monkeypatch):
    monkeypatch.setattr(registry.load(name), "relu", lambda x: x.no_such_thing)
    column = ledger({name: registry.load(name)}, problem()).columns[name]
    assert column.wrong == "l2"
    assert "no attribute 'no_such_thing'" in column.reason


def test_another_shape_is_a_mistake_and_rounding_is_none():
    assert fault([1.0], [[Fraction(1)]], "float64") == "shape (1,), expected (1, 1)"
    assert fault([1.0 + 1e-15], [Fraction(1)], "float64") is None
    assert fault([1.0 + 1e-11], [Fraction(1)], "float64") == "1 of 1 elements are wrong"
    assert fault([float("nan")], [Fraction(1)], "float64") == "1 of 1 elements are wrong"


def test_the_command_prints_a_column_each_with_errors_in_ulps_and_exits_0():
    result = cli()
    assert result.exit_code == 0
    assert all(name in result.stdout for name in NAMES)
    loss = next(line for line in result.stdout.splitlines() if line.strip().startswith("loss "))
    assert loss.split() == ["loss", "1601/48", *["33.35", "(0.3)"] * 5]
    assert "▶" not in result.stdout


def test_the_command_marks_the_first_that_diverges_and_exits_1():
    result = cli("--impl", "numpy_impl", "--impl", "relu_grad_is_1_at_the_kink@numpy_impl")
    assert result.exit_code == 1
    assert "▶ l1.g[1][0]" in result.stdout
    assert "l1.g is wrong, 2 of 9 elements are wrong; first effect at zoo/backward.py:" in result.stderr
    assert "z >= 0" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sizes", "2-3"], "expected three sizes, got 2"),
        (["--impl", "pure_python", "--dtype", "float32"], "pure_python computes in float64 only"),
        (["--impl", "no_bug@numpy_impl"], "no bug 'no_bug' in the zoo; "),
        (["--impl", "relu_leaks@nobody"], "unknown implementation 'nobody'"),
    ],
)
def test_bad_arguments_get_one_clear_line(arguments, says):
    result = cli(*arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_what_a_module_lacks_is_told_and_the_rest_is_shown(my_net):
    """One function is missing, and not one number of the others is seen."""
    del my_net.mse_grad, my_net.Model
    found = ledger({"numpy_impl": registry.load("numpy_impl"), "mine": my_net}, problem())
    mine = found.columns["mine"]
    assert mine.lacks == ["mse_grad", "Model"]
    assert isinstance(mine.values["output.g"], book.Missing)
    assert mine.values["w2.g"] == found.columns["numpy_impl"].values["w2.g"]
    assert mine.wrong == "l1.g"
    assert problems(found)[1] == "mine: does not provide mse_grad, Model"


def test_a_dtype_that_one_lacks_leaves_the_others_their_columns():
    result = cli("--dtype", "float32")
    assert result.exit_code == 0
    assert "pure_python computes in float64 only." in result.stdout
    assert "torch_manual" in result.stdout
    assert cli("--dtype", "float32", "--impl", "pure_python", "--impl", "numpy_impl").exit_code == 1


def test_the_chain_rule_on_fractions_is_what_the_oracle_finds_without_a_formula():
    given = problem((3, 4, 2), batch=2, seed=1)
    exact, p = exact_pass(given), {name: oracle.exact(values) for name, values in given.givens().items()}
    assert exact["output.g"] == oracle.mse_grad(exact["output"], p["target"])
    assert exact["l1.g"] == oracle.relu_grad(exact["l2.g"], exact["l1"])
    _, ((w1, b1), (w2, b2)) = oracle.loss_and_grads([(p["w1"], p["b1"]), (p["w2"], p["b2"])], p["x"], p["target"])
    assert [exact[f"{name}.g"] for name in ("w1", "b1", "w2", "b2")] == [w1, b1, w2, b2]
    assert exact["x.g"] == oracle.linear_grad(exact["l1.g"], p["x"], p["w1"])[0]


def test_a_larger_net_has_a_row_a_tensor_and_elements_on_request():
    small = ["--sizes", "8-6-3", "--batch", "4", "--impl", "numpy_impl"]
    wrong = ["--impl", "relu_grad_is_1_at_the_kink@numpy_impl", "--seed", "3"]
    summary, each = cli(*small, *wrong), cli(*small, *wrong, "--elements")
    rows = [line.split() for line in summary.stdout.splitlines()]
    assert ["x", "4×8", "0", "0"] in rows
    assert "x[3][7]" not in summary.stdout
    assert "x[3][7]" in each.stdout
    assert summary.exit_code == each.exit_code
