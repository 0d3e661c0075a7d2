"""Mutants: what is changed, who notices, and the list of those that nobody can notice."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pure_python.guard
from shared_specs import STAGES, registry
from side_by_side.checking import forks, mutants
from side_by_side.checking.mutants import Change, Outcome
from side_by_side.cli import app
from side_by_side.tables import UserError

NEURON = '''
from .guard import takes

def relu(x):
    """A docstring with shapes, (n, k), (k, m)."""
    if x != x:
        raise ValueError("relu: got nan")
    return x if x > 0 else 0.0

def twice(x):
    return x + x

@takes("(n>0), (n) or (), () -> ()")
def dot(a, b):
    return sum(x * y for x, y in zip(a, b))

def paired(a, b):
    return list(zip(a, b, strict=True))

def countdown(n):
    while n > 0:
        n = n - 1
    return n

class Unit:
    def __call__(self, x, bias=1.0):
        return relu(x) + twice(bias)

DTYPES = ("float64",)
'''
SPECS = """
import pytest
pytestmark = pytest.mark.neuron

def test_relu(impl):
    assert (impl.neuron.relu(0.5), impl.neuron.relu(-2.0)) == (0.5, 0.0)

def test_unit(impl):
    assert impl.neuron.Unit()(1.5) == 3.5
"""


@pytest.fixture
def small_net(tmp_path, monkeypatch):
    """A package with one stage and a guard."""
    (tmp_path / "small_net").mkdir()
    (tmp_path / "small_net" / "guard.py").write_text(Path(pure_python.guard.__file__).read_text())
    (tmp_path / "small_net" / "__init__.py").write_text("from . import neuron")
    (tmp_path / "small_net" / "neuron.py").write_text(NEURON)
    monkeypatch.syspath_prepend(tmp_path)
    yield registry.load("small_net")
    for name in ("small_net", "small_net.neuron", "small_net.guard"):
        sys.modules.pop(name)


def changes(made, function):
    return [mutant.change.after for mutant in made if mutant.change.function == f"neuron.{function}"]


def test_code_is_changed_in_one_place_at_a_time(small_net):
    made = mutants.mutants(small_net, ["neuron"])
    assert "return x if x >= 0 else 0.0" in changes(made, "relu")
    assert changes(made, "twice") == ["return x - x"]
    assert "def __call__(self, x, bias=2.0):" in changes(made, "Unit.__call__")


def test_words_and_assertions_are_left_alone(small_net):
    made = mutants.mutants(small_net, ["neuron"])
    assert not [after for after in changes(made, "relu") if "docstring" in after or "got nan" in after]
    assert not [
        after for after in changes(made, "paired") if after.startswith("return list(zip(a, b") and "a, b)" in after
    ]


def test_sizes_are_told_apart_and_alternatives_left_out(small_net):
    made = mutants.mutants(small_net, ["neuron"])
    assert [after for after in changes(made, "dot") if after.startswith("@takes")] == [
        '@takes("(), () -> ()")',
        '@takes("(n>0), (another) or (), () -> ()")',
        '@takes("(n), (n) or (), () -> ()")',
        '@takes("(n>0), (n) -> ()")',
    ]


def survivors(made, specs, tmp_path):
    path = tmp_path / f"test_small_{abs(hash(specs))}.py"
    path.write_text(specs)
    return forks.survivors("small_net", made, jobs=2, specs=[str(path)])


def test_who_survives_is_what_no_spec_asks_for(small_net, tmp_path):
    made = mutants.mutants(small_net, ["neuron"])
    alive = survivors(made, SPECS, tmp_path)
    not_called = {"dot", "paired", "countdown"}
    assert [m.change.after for m in alive if m.name not in not_called] == ["return x if x >= 0 else 0.0"]
    assert [m for m in made if m.name in not_called] == [m for m in alive if m.name in not_called]


DOT = """
import pytest

def test_dot(impl):
    assert impl.neuron.dot([2.0, 3.0], [5.0, 7.0]) == 31.0

def test_dot_of_nothing(impl):
    with pytest.raises(ValueError):
        impl.neuron.dot([], [])

def test_dot_of_other_lengths(impl):
    with pytest.raises(ValueError):
        impl.neuron.dot([2.0, 3.0], [5.0])
"""


def test_the_shapes_that_a_function_takes_are_tried(small_net, tmp_path):
    made = [mutant for mutant in mutants.mutants(small_net, ["neuron"]) if mutant.name == "dot"]
    assert [mutant.change.after for mutant in survivors(made, DOT, tmp_path)] == ['@takes("(n>0), (n) -> ()")']


def test_the_guard_is_tried_in_all_whom_it_guards(small_net, tmp_path):
    made = [mutant for mutant in mutants.mutants(small_net, ["guard"]) if mutant.name == "takes"]
    alive = {mutant.change.after for mutant in survivors(made, DOT, tmp_path)}
    assert "guarded.__doc__ = None" in alive
    assert not {"if found in fitted:", "return function()", "return cast(Function, )", "found = None"} & alive


def test_a_mutant_that_does_not_come_to_an_end_is_killed(small_net, tmp_path, monkeypatch):
    monkeypatch.setattr(forks, "PATIENCE", 0.2)
    made = [m for m in mutants.mutants(small_net, ["neuron"]) if m.change.after == "n = n + 1"]
    assert len(made) == 1
    assert survivors(made, "def test_countdown(impl): assert impl.neuron.countdown(3) == 0", tmp_path) == []


def test_ctrl_c_leaves_what_is_known_of_the_mutants_before(small_net, tmp_path, monkeypatch):
    """Minutes of mutants are lost, or the specs are said to be broken."""
    made, fork, begun = mutants.mutants(small_net, ["neuron"]), forks._fork, []

    def until_ctrl_c(work):
        begun.append(work)
        if len(begun) == 5:
            raise KeyboardInterrupt
        return fork(work)

    monkeypatch.setattr(forks, "_fork", until_ctrl_c)
    with pytest.raises(forks.Stopped) as stopped:
        survivors(made, SPECS, tmp_path)
    assert stopped.value.tried
    assert set(stopped.value.tried) < set(made[:3])


def test_specs_that_fail_without_mutants_end_the_run(small_net, tmp_path):
    made = mutants.mutants(small_net, ["neuron"])
    with pytest.raises(UserError, match="test_relu"):
        survivors(made, SPECS.replace("0.5, 0.0", "0.5, 0.5"), tmp_path)
    with pytest.raises(UserError, match="error"):
        survivors(made, "import nothing_of_that_name", tmp_path)


def outcome(small_net, alive, equivalent):
    return Outcome("small_net", ["neuron"], mutants.mutants(small_net, ["neuron"]), alive, equivalent)


def test_a_survivor_without_a_reason_is_a_problem(small_net):
    mutant = mutants.mutants(small_net, ["neuron"])[0]
    assert "nobody says why" in "".join(outcome(small_net, [mutant], {}).problems())
    assert "nobody says why" not in "".join(outcome(small_net, [mutant], {mutant.change: "a reason"}).problems())


def test_a_stale_reason_is_a_problem(small_net):
    mutant = mutants.mutants(small_net, ["neuron"])[0]
    gone = Change("neuron.relu", "return x", "return None")
    problems = list(outcome(small_net, [], {mutant.change: "a reason", gone: "a reason"}).problems())
    assert ["a spec kills it" in problems[0], "no such mutant" in problems[1]] == [True, True]


def test_a_low_score_is_a_problem_whatever_the_reasons(small_net):
    alive = mutants.mutants(small_net, ["neuron"])
    found = outcome(small_net, alive, {mutant.change: "a reason" for mutant in alive})
    of_a_stage = "small_net: 0.0% of the mutants in neuron killed, expected at least 95%"
    assert list(found.problems()) == [of_a_stage]
    assert list(replace(found, stages=STAGES).problems()) == [
        "small_net: 0.0% of the mutants killed, expected at least 97%",
        of_a_stage,
    ]


def test_every_mutant_listed_as_equivalent_exists():
    for name, reasons in mutants.equivalents().items():
        made = {mutant.change for mutant in mutants.mutants(registry.load(name), [*STAGES, mutants.GUARD])}
        assert [str(change) for change in reasons if change not in made] == []


@pytest.mark.parametrize("entry", ["after = 'b'\nreason = ' '", "reason = 'none'"])
def test_a_list_without_reasons_is_refused(tmp_path, entry):
    path = tmp_path / "list.toml"
    path.write_text(f"[[small_net]]\nfunction = 'neuron.relu'\nbefore = 'a'\n{entry}")
    with pytest.raises(UserError, match="no list of equivalent mutants"):
        mutants.equivalents(path)


def test_the_command_shows_scores_and_fails_for_problems(small_net, monkeypatch):
    monkeypatch.setattr(forks, "survivors", lambda name, made, jobs, on_mutant: made[:1])
    result = CliRunner().invoke(app, ["mutants", "--impl", "small_net", "--stage", "neuron"])
    assert result.exit_code == 1
    assert "nobody says why" in result.stderr
    assert "small_net" in result.stdout
