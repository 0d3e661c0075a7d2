"""`side-by-side zoo`: what it prints, and when it fails."""

import io
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from shared_specs import zoo
from shared_specs.zoo.bug import Bug
from shared_specs.zoo.run import Verdict
from side_by_side.checking.zoo import result_table
from side_by_side.cli import app


def test_the_table_says_who_caught_what():
    result = CliRunner().invoke(app, ["zoo", "--stage", "neuron"], env={"COLUMNS": "250"})
    assert result.exit_code == 0, result.output
    assert "10 bugs in numpy_impl: 10 caught" in result.output
    row = next(line for line in result.output.splitlines() if "relu_hides_nan" in line)
    assert "test_relu_keeps_nan" in row
    assert "likely mistake: a nan was hidden" in row


def test_the_table_goes_kind_by_kind():
    bugs = [zoo.BUGS["relu_leaks"], *(bug for bug in zoo.BUGS.values() if bug.kind != zoo.FORMULA)]
    console = Console(width=250, record=True, file=io.StringIO())
    console.print(result_table([Verdict(bug, "numpy_impl", [], []) for bug in bugs]))
    titles = re.findall(r"^ *([A-Z].*): \d+ *$", console.export_text(), re.MULTILINE)
    assert [title.lower() for title in titles] == [zoo.FORMULA, *zoo.KINDS.values()]


def test_a_bug_that_escapes_is_an_error(monkeypatch):
    harmless = Bug(lambda right: {"relu": right.relu}, "test_relu_keeps_nan", "hidden", "numpy_impl")
    verdict = Verdict(harmless, "numpy_impl", [], ["test_relu_keeps_nan lets it pass"])
    monkeypatch.setattr("shared_specs.zoo.run.run", lambda bugs, base: [verdict])
    result = CliRunner().invoke(app, ["zoo"])
    assert result.exit_code == 1
    assert "@numpy_impl escaped: test_relu_keeps_nan lets it pass" in result.output


@pytest.mark.parametrize("options", [("--stage", "layers"), ("--impl", "nowhere")])
def test_a_wrong_option_is_one_line(options):
    result = CliRunner().invoke(app, ["zoo", *options])
    assert result.exit_code == 2
    assert f"unknown {'stage' if '--stage' in options else 'implementation'} {options[1]!r}" in result.output
