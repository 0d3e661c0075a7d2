"""The command's help: all that a person sees who did not read anything."""

import os
import re
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from side_by_side.cli import app

COMMANDS = [
    "train",
    "predict",
    "ledger",
    "init",
    "bench",
    "matrix",
    "accuracy",
    "show",
    "versions",
    "trace",
    "diff",
    "site",
    "zoo",
    "mutants",
    "check",
]


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


HEAVY = {"numpy", "torch", "fastai", "sklearn", "matplotlib", "altair", "jinja2", "mutmut", "pytest", "mpmath"}


def completed(*words, python=("-m", "side_by_side")):
    """What bash is told after these words, of which the last is not complete."""
    asked = {
        "_SIDE_BY_SIDE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, *python]
    return subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["side-by-side", "tr"], ["train", "trace"]),
        (["side-by-side", "check", "num"], ["numpy_impl"]),
        (["side-by-side", "diff", "pure_python", "torch_"], ["torch_manual", "torch_autograd"]),
        (["side-by-side", "bench", "--impl", "pu"], ["pure_python"]),
        *((["side-by-side", command, "--stage", "m"], ["mlp", "module"]) for command in ("bench", "zoo", "check")),
    ],
)
def test_a_shell_completes_commands_implementations_and_stages(words, offered):
    assert completed(*words).split() == offered


LOADED = """
import atexit, sys
atexit.register(lambda: print(*sys.modules))
sys.argv = ["side-by-side", "--help"]
from side_by_side.cli import app
app(prog_name="side-by-side")
"""


def test_help_and_completion_wait_for_no_library_that_a_command_needs():
    """A person who asks what there is waits until NumPy, torch or a library that draws has loaded."""
    command = [sys.executable, "-c", LOADED]
    after_help = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    after_completion = completed("side-by-side", "check", "num", python=("-c", LOADED))
    for loaded in (after_help.split(), after_completion.split()):
        assert "side_by_side.cli" in loaded
        assert HEAVY.intersection(loaded) == set()


def test_specs_that_fail_exit_with_1(tmp_path):
    (tmp_path / "my_net.py").write_text("def devices():\n    return ['cpu']\n", encoding="utf-8")
    done = check(tmp_path, "my_net", "--stage", "neuron")
    assert done.returncode == 1
    assert "my_net does not provide `relu`" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no_net"], "no implementation 'no_net'"),
        (["broken"], "broken cannot be imported: ZeroDivisionError: division by zero"),
        (["numpy_impl", "--stage", "dessert"], "unknown stage 'dessert', expected one of arrays, "),
        (["numpy_impl", "--device", "abacus"], "unknown device 'abacus', expected one of cpu"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(arguments, says, tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    done = check(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert re.search(says, done.stderr)


def check(folder, *arguments):
    """What `side-by-side check` says in a folder whose own pytest would do something else."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n", encoding="utf-8")
    command = [sys.executable, "-m", "side_by_side", "check", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)


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
    result = CliRunner().invoke(app, [*command, "neuron_forgets_its_bias@numpy_impl"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "All equal to the last bit: if their code differs, training does not come to where it does." in result.stdout
