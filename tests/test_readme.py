"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from shared_specs.registry import implementations, load
from shared_specs.zoo import BUGS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.+?)```", README, re.DOTALL)


def test_the_quoted_function_stands_so_in_the_package():
    """The README quotes code that was changed since."""
    assert BLOCKS[0] in Path(load("numpy_impl").__file__).with_name("layer.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("implementation", implementations())
def test_the_example_runs_in_every_package(implementation, capsys):
    """The first lines that a newcomer tries fail, or do not learn what they promise."""
    _, example = BLOCKS
    names = {}
    exec(example.replace("import numpy_impl", f"import {implementation}"), names)
    assert names["net"] is load(implementation)
    ((answer,),) = eval(capsys.readouterr().out)
    assert abs(answer - 15) < 1e-3
    assert names["losses"][0] > 1
    assert names["losses"][-1] < 1e-6


def test_the_zoo_has_as_many_bugs_as_it_says():
    """The number of planted bugs is that of another day."""
    assert f"# {len(BUGS)} planted bugs" in README
