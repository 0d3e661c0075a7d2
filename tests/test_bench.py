"""The benchmark as a command: what is timed is right, what is wrong is not timed, and what is missing is said."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared_specs.workloads import contender, rows
from side_by_side.bench import absolute, goals, session
from side_by_side.bench.absolute import Measured
from side_by_side.bench.cells import AGAIN, MODES, Cell, Settings
from side_by_side.bench.results import INTERRUPTED, problems, read
from side_by_side.cli import app

WRONG_NET = """
from numpy_impl import *
from numpy_impl import mlp as right_mlp

def mlp(x, params):
    return right_mlp(x, params) * (1 + 1e-9)

def neuron(inputs, weights, bias):
    raise RuntimeError("no neuron today")
"""
CRASHING_NET = """
import os
from numpy_impl import *

def neuron(inputs, weights, bias):
    os._exit(42)
"""
TINY = ("bench", "--quick", "--size", "784", "--size", "3,5-4-2-1")


def bench(*arguments):
    return CliRunner().invoke(app, [*TINY, *arguments], env={"COLUMNS": "160"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two bad implementations in it."""
    (tmp_path / "wrong_net.py").write_text(WRONG_NET)
    (tmp_path / "crashing_net.py").write_text(CRASHING_NET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_real_run_times_what_is_right_and_marks_what_is_wrong_or_crashes(folder):
    result = bench("--impl", "wrong_net", "--impl", "crashing_net")
    assert result.exit_code == 1
    rows = {line.split("  ")[0].strip(): line for line in result.stdout.splitlines()}
    assert rows["neuron"].split()[-2:] == ["error", "error"] or rows["neuron"].count("error") == 2
    assert rows["forward"].count("wrong") == 1
    assert rows["train step"].count("±") == 3
    assert "no neuron today" in result.stderr
    assert "the process ended with code 42" in result.stderr

    run = read(folder / "results" / "bench.json").runs[0]
    cell = Cell("train step", "3, 5-4-2-1", "", "float64", "cpu", 1, "wrong_net")
    entry = run.entries[cell]
    assert entry.time.low <= entry.time.median <= entry.time.high
    assert entry.ratio.median > 0
    assert run.entries[cell.by("crashing_net")].ratio
    assert run.same_code()
    assert set(run.environment["pinned"].values()) == {"1"}
    assert {entry["threads"] for entry in run.environment["libraries"]} == {1}
    assert sorted(path.name for path in (folder / "results").iterdir()) == [
        *("bench.html", "bench.json", "bench.md", "history"),
    ]
    assert list((folder / "results" / "history").rglob("*.json"))


def test_a_regression_is_told(tmp_path):
    cells = [Cell("neuron", "784", "", "float64", "cpu", 1, "numpy_impl")]
    history = absolute.History(tmp_path, "abc", compare=False)
    first = absolute.measure(cells, MODES["quick"], history, lambda cell: None)
    assert first.outcomes[cells[0]]["status"] == "timed"
    for path in tmp_path.rglob("*.json"):
        saved = json.loads(path.read_text())
        saved["benchmarks"][0]["stats"] |= {"median": 1e-9}
        path.write_text(json.dumps(saved))
    history = absolute.History(tmp_path, "abc", compare=True, fail="median:25%")
    again = absolute.measure(cells, MODES["quick"], history, lambda cell: None)
    assert any("neuron" in line and "median" in line for line in again.regressions)


def test_an_interrupted_run_keeps_what_is_done_and_says_what_is_missing(monkeypatch):
    def measure(cells, mode, history, begins):
        return Measured({cells[0]: {"status": "timed", "seconds": [1e-3] * 6, "ulps": 0.5}}, interrupted=True)

    monkeypatch.setattr(absolute, "measure", measure)
    settings = Settings(["numpy_impl"], MODES["quick"], sizes=["784", "1, 4-8-1"])
    document = session.Session(settings).run()
    [run] = document.runs
    statuses = {entry.status for entry in run.shown()}
    assert statuses == {"timed", "not run"}
    assert all(entry.reason == INTERRUPTED for entry in run.shown() if entry.status == "not run")
    [said] = problems(document)
    assert re.match(r"not run: \d+ of \d+ cells; the run ended early: ", said)


def test_a_process_that_crashes_in_the_pairs_is_noted_and_the_other_processes_count(monkeypatch, tmp_path):
    (tmp_path / "fails_later.py").write_text(
        "import os, sys\nfrom numpy_impl import *\nfrom numpy_impl import neuron as right\n"
        "def neuron(*arguments):\n"
        "    if 'side_by_side.bench.pairs' in ' '.join(sys.orig_argv): os._exit(7)\n"
        "    return right(*arguments)\n"
    )
    monkeypatch.chdir(tmp_path)
    settings = Settings(["fails_later"], MODES["quick"], sizes=["784"])
    run = session.Session(settings).run().runs[0]
    cell = Cell("neuron", "784", "", "float64", "cpu", 1, "fails_later")
    assert run.entries[cell].time
    assert run.entries[cell].ratio is None
    assert any("code 7" in note and "neuron" in note for note in run.notes)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--impl", "nobody"], "unknown implementation 'nobody'"),
        (["--dtype", "bfloat16"], "unknown dtype 'bfloat16'"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--stage", "wine"], "unknown stage 'wine'"),
        (["--size", "3-3"], "size '3-3' is no batch and widths; a net is \"7, 5-4-3-2\", the rest is 784; 5×784 @"),
        (["--size", "1, 5"], "size '1,5' is no batch and widths"),
        (["--size", "0, 5-4"], "size '0,5-4' is no batch and widths"),
        (["--size", "1, 9999-9999-1"], "makes 99,990,000 weights"),
        (["--size", "99999999, 5-4"], "and 899,999,991 activations, expected at most 20,000,000 and 100,000,000"),
        (["--stage", "layer"], "no work of stage layer has the size 784; 3, 5-4-2-1"),
        (["--full"], "--quick and --full exclude each other"),
        (["--out", "file/results"], "cannot write into file/results"),
        (["some.json"], "files are for --merge"),
        (["--stage", "arrays"], "nothing is timed of stage arrays, expected one of neuron"),
        (["--aa", "2"], "does nothing beside --aa"),
        (["--threshold", "3"], "--threshold 3, expected a finite number beside --compare"),
    ],
)
def test_bad_arguments_get_one_clear_line_and_nothing_is_written(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    result = bench(*arguments)
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if "starting" not in line]
    assert len(errors) == 1
    assert says in errors[0]
    assert not list(tmp_path.rglob("bench.*"))


@pytest.mark.parametrize("goal", goals.GOALS, ids=lambda goal: f"{goal.package}, {goal.size}")
def test_a_goal_is_work_that_both_can_do(goal):
    """A row of the table of limits names a size, a package or a rival that there is not."""
    workload = next(row for row in rows() if (row.work, row.size) == (goal.work, goal.size))
    for cell in (goal.cell, goal.against):
        hindrance = contender(cell.implementation).hindrance(workload, cell.dtype, "cpu")
        assert hindrance is None or hindrance.startswith("not installed")


def test_limits_that_are_met_missed_and_not_to_be_told(folder, monkeypatch):
    gemms = ("1, 4-8-1", 1000.0, "bare GEMMs of NumPy")
    planned = [
        goals.Goal("numpy_impl", *gemms),
        goals.Goal("numpy_impl", "784", 0.001, "bare GEMMs of NumPy", "neuron"),
        goals.Goal("wrong_net", "784", 1000.0, "bare GEMMs of NumPy", "neuron"),
    ]
    monkeypatch.setattr(goals, "GOALS", planned)
    monkeypatch.setattr(goals, "PROCESSES", 1)
    arguments = ["bench", "--limits", "--impl", "numpy_impl", "--impl", "wrong_net"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert [line.split()[-1] for line in result.stdout.splitlines() if "GEMMs" in line] == ["met", "missed", "unclear"]
    assert "RuntimeError: no neuron today" in result.stdout
    assert "numpy_impl: neuron 784: ×" in result.stderr
    assert not (folder / "results" / "bench.json").exists()


def test_only_what_was_asked_for_is_planned():
    from side_by_side.bench import plan

    def cells(**settings):
        return [Cell(*planned["cell"]) for planned in plan.make(Settings(["numpy_impl"], **settings))["cells"]]

    full = MODES["full"]
    assert {cell.work for cell in cells(stages=["mlp"])} == {"forward"}
    assert {cell.size for cell in cells(sizes=["64, 784-50-10"])} == {"64, 784-50-10"}
    own = cells(sizes=["7, 5-4-3-2", "5, 3-1"])
    assert {cell.work for cell in own} == {"forward", "loss_and_grads", "train step"}
    assert {cell.size for cell in own} == {"7, 5-4-3-2", "5, 3-1"}
    assert {cell.dtype for cell in cells(mode=full, dtypes=["float32"])} == {"float32"}
    assert {cell.threads for cell in cells(mode=full, threads=[1, 3])} == {1, 3}
    everything = cells(mode=full)
    assert {cell.dtype for cell in everything} == {"float64", "float32"}
    widths = [cell.size for cell in everything if cell.work == "sweep" and cell.implementation == "numpy_impl"]
    assert len(dict.fromkeys(widths)) == 12


def test_what_a_mode_leaves_out_is_said():
    from side_by_side.bench import plan

    said = " ".join(plan.make(Settings(["numpy_impl"]))["left_out"])
    assert "cuda: not run: no CUDA" in said or "torch" not in said
    assert "float32" in said
    assert "FULL=1" in said


def test_a_peer_that_is_not_installed_is_shown_with_the_command_that_installs_it(monkeypatch):
    from shared_specs.workloads import peers

    monkeypatch.setattr(peers, "missing", lambda module: True)
    workload = next(row for row in rows() if row.work == "train step")
    assert peers.PEERS["jax"].hindrance(workload, "float64", "cpu") == "not installed: pip install jax"


def test_the_session_checks_the_baseline_against_itself_under_another_name():
    cell = Cell("neuron", "784", "", "float64", "cpu", 1, AGAIN)
    assert cell.baseline.implementation == "numpy_impl"
