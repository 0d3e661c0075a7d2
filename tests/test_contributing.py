"""What CONTRIBUTING.md tells to do works as it stands."""

import re
import sys
from pathlib import Path

import pytest

from shared_specs import registry, zoo
from shared_specs.workloads import contender
from shared_specs.workloads.rows import Net, Workload
from shared_specs.zoo import bug

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
HEADER = """
from typing import Any
import pytest
from shared_specs.lab import Lab
from shared_specs.specs.conftest import *
pytestmark = pytest.mark.neuron
"""


def example(title):
    """The file that a section's example belongs into, and the example."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    ((file, lines),) = re.findall(r"```python\n# (\S+)\n(.+?)```", section, re.DOTALL)
    return file, lines


@pytest.fixture
def animal(monkeypatch):
    """The example of the zoo, hatched for one test only."""
    monkeypatch.setattr(bug, "hatched", [])
    names = dict(vars(zoo.neuron))
    exec(example("A zoo animal")[1], names)
    (found,) = bug.hatched
    return found


def test_the_spec_holds_for_what_is_right(run_specs):
    run_specs("--impl", "numpy_impl", "--impl", "pure_python", specs=HEADER + example("A spec")[1]).assert_outcomes(
        passed=3
    )


def test_the_animal_is_caught_by_the_spec_that_it_names(run_specs, animal, monkeypatch):
    monkeypatch.setitem(sys.modules, "an_animal", zoo.specimen(animal, registry.load(animal.base)))
    result = run_specs("--impl", "an_animal", specs=HEADER + example("A spec")[1])
    result.assert_outcomes(failed=2)
    assert f"def {animal.caught_by}(" in example("A spec")[1]
    assert re.search(animal.says, result.stdout.str())


def test_the_implementation_is_right_as_far_as_it_goes(run_specs):
    _, lines = example("An implementation")
    arguments = re.search(r"^pytest (.+)$", TEXT, re.MULTILINE)[1].split()
    result = run_specs(*arguments, my_net=lines)
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] > 10


def test_the_workload_has_its_answer(run_specs):
    net = eval(example("A workload")[1], {"Net": Net})
    row = Workload("train step", str(net), units=net.batch, net=net)
    who = contender("numpy_impl")
    assert who.check(row, who.prepare(row, "float64", "cpu"), "float64", "cpu") < 8


@pytest.mark.parametrize("title", ["A spec", "A zoo animal", "A workload"])
def test_the_file_in_which_an_example_stands_is_there(title):
    assert (Path(__file__).parents[1] / example(title)[0]).is_file()
