"""The matrix of stages and implementations, from reports as the plugin writes them."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared_specs import OPTIONAL, STAGES, report
from shared_specs.report import ImplementationReport, Report, SpecResult
from side_by_side.cli import app


def written(folder: Path, name: str, python: str = "3.11.7", **outcomes: str) -> Path:
    """A report with one spec a stage, passed unless said otherwise."""
    specs = [SpecResult(f"test_{s}.py::test_it", s, "float64", outcomes.get(s, "passed")) for s in STAGES]
    path = folder / f"{name}-{python}.json"
    report.write(Report([ImplementationReport(name, "1.0", "cpu", ["float64"], python, specs)]), path)
    return path


def matrix(*arguments: object):
    return CliRunner().invoke(app, ["matrix", *map(str, arguments)], env={"COLUMNS": "200"})


def test_all_green_exits_0_and_counts_each_stage(tmp_path):
    written(tmp_path, "a_net")
    result = matrix(tmp_path, "--expect", "a_net")
    assert result.exit_code == 0
    assert result.stdout.count("1 passed") == len(STAGES)
    assert "7 passed" in result.stdout


def test_a_failed_spec_exits_1_and_is_named(tmp_path):
    written(tmp_path, "a_net", backward="failed")
    result = matrix(tmp_path, "--expect", "a_net")
    assert result.exit_code == 1
    assert "1 failed, 6 passed" in result.stdout
    assert "a_net: 1 failed" in result.stderr


def test_a_missing_name_exits_1_and_is_no_failure(tmp_path):
    written(tmp_path, "a_net", backward="missing")
    result = matrix(tmp_path, "--expect", "a_net")
    assert result.exit_code == 1
    assert "1 missing, 6 passed" in result.stdout
    assert "a_net: 1 missing" in result.stderr


def test_the_optional_stage_may_be_missing(tmp_path):
    """Who leaves it out is red in the whole, or it is not shown who does; what fails in it still counts."""
    for outcome, code in (("missing", 0), ("failed", 1)):
        specs = [SpecResult(f"test_{row}.py::test_it", row, None, "passed") for row in STAGES]
        specs.append(SpecResult("test_parallel.py::test_it", OPTIONAL, None, outcome))
        report.write(
            Report([ImplementationReport("a_net", "1.0", "cpu", ["float64"], specs=specs)]), tmp_path / "p.json"
        )
        result = matrix(tmp_path, "--expect", "a_net")
        assert re.search(f"{OPTIONAL} +1 {outcome}", result.stdout)
        assert "1 missing, 7 passed" not in result.stdout
        assert result.exit_code == code


def test_gaps_and_missing_hardware_are_shown_but_do_not_fail(tmp_path):
    written(tmp_path, "a_net", mlp="gap", layer="not run")
    result = matrix(tmp_path, "--expect", "a_net")
    assert result.exit_code == 0
    assert "5 passed, 1 gap, 1 not run" in result.stdout


def test_an_expected_implementation_without_a_report_is_not_run_and_exits_1(tmp_path):
    path = written(tmp_path, "a_net")
    result = matrix(path, "--expect", "a_net", "--expect", "b_net")
    assert result.exit_code == 1
    assert "b_net" in result.stdout
    assert result.stdout.count("not run") == len(STAGES) + 1
    assert "b_net: not run" in result.stderr


def test_a_stage_that_never_ran_exits_1(tmp_path):
    path = tmp_path / "part.json"
    specs = [SpecResult("test_arrays.py::test_it", "arrays", None, "passed")]
    report.write(Report([ImplementationReport("a_net", "1.0", "cpu", ["float64"], specs=specs)]), path)
    result = matrix(path, "--expect", "a_net")
    assert result.exit_code == 1
    assert "not run in neuron, layer, mlp, backward, module, training" in result.stderr


def test_manners_have_a_row_where_they_were_asked_for(tmp_path):
    specs = [SpecResult(f"test_{row}.py::test_it", row, None, "passed") for row in (*STAGES, report.COURTESY)]
    report.write(Report([ImplementationReport("polite", "1.0", "cpu", ["float64"], specs=specs)]), tmp_path / "p.json")
    written(tmp_path, "a_net")
    result = matrix(tmp_path, "--expect", "polite")
    assert "courtesy" in result.stdout
    assert result.exit_code == 0


def test_runs_on_several_pythons_stand_side_by_side(tmp_path):
    written(tmp_path, "a_net", "3.11.7")
    written(tmp_path, "a_net", "3.12.1", arrays="failed")
    result = matrix(tmp_path, "--expect", "a_net")
    assert "a_net py3.11" in result.stdout
    assert "a_net py3.12: 1 failed" in result.stderr


@pytest.mark.parametrize("content", [None, "no json", "{}", "[1]"])
def test_what_is_no_report_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "foreign.json"
    if content is not None:
        path.write_text(content)
    result = matrix(path)
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert result.stderr.count("\n") == 1


def test_who_was_not_asked_for_is_not_counted_as_not_run(tmp_path):
    """A report of one package alone is red for four others."""
    path = written(tmp_path, "a_net")
    assert matrix(path).exit_code == 0
    assert "numpy_impl" not in matrix(path).stdout
    assert "numpy_impl: not run" in matrix(tmp_path).stderr
