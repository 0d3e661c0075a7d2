"""The command's help: all that a person sees who did not read anything."""

import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from side_by_side.cli import app

COMMANDS = ["train", "predict", "ledger", "init", "bench", "matrix", "accuracy", "diff", "site", "zoo", "mutants"]


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
