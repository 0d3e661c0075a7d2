"""The suite itself, read as data: every spec says what breaks, has its stage and its name, and stays short."""

import ast
import statistics
from collections import Counter

import pytest

from shared_specs import OPTIONAL, STAGES, suite

SPECS = list(suite.specs())
MACHINE = {"skipif", "importorskip"}
"""What a spec may be left out by, with a reason: "no CUDA"."""


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
def test_spec_says_in_one_line_what_breaks(spec):
    """Who meets a failure reads there what is wrong, before reading any code."""
    line, _, rest = spec.breaks.partition("\n")
    assert line.endswith("."), f"{spec.name}: {line!r}"
    assert 10 < len(line) < 120
    assert not rest or rest.startswith("\n"), "the sentence goes on in a second line"


def test_names_are_unique():
    """A gap, the zoo and the contract's table call a spec by its name alone."""
    assert [name for name, times in Counter(spec.name for spec in SPECS).items() if times > 1] == []


def test_specs_are_short():
    """Long specs test many things, and say little when they fail."""
    lengths = [spec.node.end_lineno - spec.node.lineno + 1 for spec in SPECS]
    assert statistics.median(lengths) <= 7
    assert max(lengths) <= 25


@pytest.mark.parametrize(
    "path", sorted({spec.path for spec in SPECS}), ids=lambda path: f"{path.parent.stem}/{path.stem}"
)
def test_only_what_the_machine_lacks_is_not_run(path):
    """What an implementation does not do it declares as a gap, with a reason; a spec does not know who is tested."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"skip", "xfail"}, f"{path.name}, line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MACHINE:
            reasons = [ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "reason"]
            assert [reason for reason in reasons if reason.startswith("no ")], f"{path.name}, line {node.lineno}"


def test_every_spec_has_a_stage():
    """A spec without a stage is in no row of the matrix, and nobody misses it."""

    class Collected:
        def pytest_collection_modifyitems(self, items):
            self.stages = {
                item.originalname: {mark.name for mark in item.iter_markers()} & {*STAGES, OPTIONAL} for item in items
            }

    collected = Collected()
    suite.run(collected, "--collect-only", "--impl", "numpy_impl", str(suite.FOLDER))
    assert set(collected.stages) == {spec.name for spec in SPECS}
    assert {name for name, stages in collected.stages.items() if len(stages) != 1} == set()
