"""A name of the contract in a terminal: its versions with who shares them, and what each line computed."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from shared_specs.contract import STAGE_NAMES
from side_by_side.cli import app
from side_by_side.reading import code, words

NAMES = [name for names in STAGE_NAMES.values() for name in names]


def said(*arguments: str, width: int = 120):
    """What a command prints."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": str(width)})


def test_a_name_is_shown_in_each_of_its_versions():
    """A version, who shares it, or the sentence why is missing."""
    result = said("show", "relu")
    assert result.exit_code == 0
    assert "relu  3 versions" in result.stdout
    for package_lines in ("pure_python\n", "numpy_impl\n", "torch_manual, torch_autograd, fastai_module\n"):
        assert package_lines in result.stdout
    assert result.stdout.count("def relu(x: Array) -> Array:") == 3
    assert words.read("differences")["relu"]["why"] in " ".join(result.stdout.split())


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_every_version_is_shown(name):
    """A line of code is lost in the terminal; a docstring may be, where an earlier version has the same."""
    result = said("show", name, width=200)
    shown = [line.strip() for line in result.stdout.splitlines()]
    for definition in code.find(name).definitions:
        assert f"{definition.name}  {len(definition.versions)} version" in result.stdout
        for line in (line for version in definition.versions for line in version.lines):
            assert line.strip() in shown


def test_a_helper_is_shown_with_the_name_that_calls_it():
    """A reader asks for a helper or a method and is sent away."""
    assert said("show", "dots").stdout == said("show", "matmul").stdout
    assert said("show", "SGD.step").stdout == said("show", "SGD").stdout


def test_a_sentence_about_other_code_is_not_shown(monkeypatch):
    """The terminal says of today's code what was true of yesterday's."""
    old = {"relu": {"why": "Once it was so.", "code": "00000000"}}
    monkeypatch.setattr(words, "read", lambda name: old if name == "differences" else {"relu": {"idea": "A bend."}})
    shown = said("show", "relu").stdout
    assert "Once it was so." not in shown
    assert "The code has changed since it was written why." in shown


def test_the_table_counts_versions_and_says_who_shares_them():
    """A count is wrong, or a letter stands for another version."""
    rows = {line.split()[0]: line.split()[1:] for line in said("versions", width=80).stdout.splitlines() if line}
    assert rows["mlp"] == ["mlp", "2", "1", *"aaaaa"]
    assert rows["relu"] == ["neuron", "1", "3", *"abccc"]
    assert [name for name in rows if name in NAMES] == NAMES


def test_a_run_is_shown_line_by_line():
    """A line has no number, or what it computed is missing: shape, values or the error."""
    shown = said("trace", "relu_grad", "--impl", "numpy_impl", "--impl", "pure_python").stdout
    grad = "[[0.1273, −0, 0.1783], [0.1433, −0.2293, 0], [−0.05533, 0, −0.07747]]"
    definition = code.find("relu_grad").definitions[0]
    version = next(version for version in definition.versions if "numpy_impl" in version.packages)
    at = next(i for i, line in enumerate(version.lines) if "grad = " in line) + version.starts["numpy_impl"]
    assert f"{at}     grad = grad_out * (x > 0)\n         grad (3, 3)  {grad}  exact\n" in shown
    assert "relu_grad  pure_python" in shown
    assert "torch" not in shown.replace("autograd's", "")


def test_packages_that_differ_in_a_digit_are_told_apart():
    """A value is shown as everybody's that only one has."""
    shown = said("trace", "xavier_std").stdout
    assert "pure_python, numpy_impl, torch_manual, torch_autograd, fastai_module  " in shown
    assert "ULP" in shown


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("command", [("show", "linear_grad"), ("versions",), ("trace", "linear_grad")])
def test_a_pipe_gets_plain_text_that_fits(command, width):
    """Colours in a file, or lines that a terminal breaks."""
    result = said(*command, width=width)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= width


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "linear_gard"], "unknown name 'linear_gard', did you mean linear_grad?"),
        (["show", "sgd"], "unknown name 'sgd', did you mean SGD?"),
        (["show", "xyz"], "unknown name 'xyz', expected one of asarray, "),
        (["trace", "modell"], "unknown name 'modell', did you mean Model?"),
        (["trace", "relu", "--impl", "numpy"], "unknown package 'numpy', expected one of pure_python, numpy_impl, "),
        (
            ["diff", "numpy_imp", "pure_python"],
            "unknown implementation 'numpy_imp', expected one of pure_python, numpy_impl",
        ),
        (["diff", "numpy_impl", "pure_python", "--name", "nse"], "unknown name 'nse', did you mean mse?"),
    ],
)
def test_an_unknown_name_gets_the_nearest(arguments, says):
    """Who mistypes is left alone, or gets another exit code than 2."""
    result = said(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_framework_is_imported_to_show_a_name():
    """Half a minute passes before code can be read."""
    program = (
        "import sys; from side_by_side.reading.show import count_table, versions_of; count_table(); versions_of('fit');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
