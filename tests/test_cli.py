"""The command's help: all that a person sees who did not read anything."""

import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from side_by_side.cli import app

COMMANDS = ["train", "predict", "ledger", "init", "bench", "matrix", "accuracy", "diff", "zoo", "mutants"]


def shown(*arguments):
    """What the command prints, on a wide terminal, without frames and folds."""
    result = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0
    return " ".join(result.output.replace("│", " ").split())


def test_help_lists_every_command():
    """A command is there that nobody finds."""
    help_text = shown()
    assert all(f" {command} " in help_text for command in COMMANDS)
    assert {command.name or command.callback.__name__ for command in app.registered_commands} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_what_happens_without_an_option(command):
    """A default in square brackets is taken for a style of the terminal and vanishes."""
    options = get_command(app).commands[command].params
    written = [default for option in options for default in re.findall(r"\[default: .*?\]", option.help or "")]
    help_text = shown(command)
    assert [default for default in written if default not in help_text] == []


def test_help_waits_for_no_library_that_a_command_needs():
    """A person who asks what there is waits until NumPy, torch or a library that draws has loaded."""
    heavy = {"numpy", "torch", "fastai", "sklearn", "matplotlib", "altair", "jinja2", "mutmut", "pytest", "mpmath"}
    code = "import sys, side_by_side.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert heavy.intersection(loaded) == set()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["diff", "numpy_impl", "torch_manual", "--stage", "mlp", "--stage", "layer"], "given more than once"),
        (["train", "--epochs", "1", "--epochs", "2"], "given more than once"),
        (["train", "--every", "5"], "--every is for --lockstep"),
        (["train", "--tolerance", "0.1"], "--tolerance is for --lockstep"),
        (["train", "--overwrite"], "--overwrite needs --out"),
        (["train", "--resume", "--out", "x", "--weights", "y"], "--weights does not"),
        (["train", "--lockstep", "--impl", "numpy_impl"], "expected at least two, got numpy_impl alone"),
        (["train", "--lr", "inf"], "--lr inf, expected a finite number"),
        (["train", "--momentum", "inf"], "--momentum inf, expected a finite number"),
        (["train", "--sizes", "64-999999999-10"], "expected at most 1,000,000,000"),
        (["init", "--overwrite"], "--overwrite is for --out"),
        (["ledger", "--impl", "relu_leak@numpy_impl"], "no bug 'relu_leak' in the zoo; did you mean relu_leaks"),
    ],
)
def test_an_option_that_does_nothing_or_cannot_be_meant_is_refused(arguments, says):
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 2
    assert says in result.stderr


def test_one_alone_is_not_compared_with_anything():
    result = CliRunner().invoke(app, ["train", "--data", "tripler", "--impl", "numpy_impl", "--epochs", "1"])
    assert "loss curve in all" not in result.stdout
    assert "compare" not in result.stdout


def test_lockstep_says_where_a_bug_is_not_met_in_training():
    command = ["train", "--lockstep", "--data", "tripler", "--epochs", "1", "--impl", "numpy_impl", "--impl"]
    result = CliRunner().invoke(app, [*command, "neuron_forgets_its_bias@numpy_impl"])
    assert result.exit_code == 0
    assert "All equal to the last bit: if their code differs, training does not come to where it does." in result.stdout
