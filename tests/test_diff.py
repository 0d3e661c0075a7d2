"""Two implementations side by side: aligned by definition, then by line."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text
from typer.testing import CliRunner

from shared_specs import STAGES
from side_by_side.cli import app
from side_by_side.reading.alignment import Row, align, definitions, stage_source, summary
from side_by_side.reading.diff import beside

LEFT = '''"""Left."""

import math

LIMIT = 3


# why
@decorated
def first(x):
    return x + 1


class Net:
    """A net."""

    size = 3

    def forward(self):
        return math.pi


def moved():
    pass
'''
RIGHT = '''"""Left."""

import math

def moved():
    pass


def own():
    return 0


def first(x):
    y = 2 * x
    return y + 1


class Net:
    """A net."""

    size = 3

    def forward(self):
        return math.pi
'''


def diff(*arguments: str, width: int = 120):
    return CliRunner().invoke(app, ["diff", *arguments], env={"COLUMNS": str(width)})


def test_definitions_cover_the_file_with_comments_and_decorators_in_front():
    found = definitions(LEFT)
    assert list(found) == ["module", "LIMIT", "first", "Net", "Net.forward", "moved"]
    assert list(found["module"]) == [1, 2, 3]
    assert list(found["first"]) == [8, 9, 10, 11]
    assert list(found["Net"]) == [14, 15, 16, 17]


def test_definitions_stand_beside_each_other_wherever_they_are():
    sections = {section.name: section for section in align(LEFT, RIGHT)}
    assert list(sections) == ["module", "LIMIT", "first", "Net", "Net.forward", "moved", "own"]
    assert {name: section.verdict for name, section in sections.items()} == {
        "module": "same",
        "LIMIT": "only left",
        "first": "differs",
        "Net": "same",
        "Net.forward": "same",
        "moved": "same",
        "own": "only right",
    }


def test_similar_lines_stand_beside_each_other():
    first = next(section for section in align(LEFT, RIGHT) if section.name == "first")
    marks = [(row.mark, row.left, row.right) for row in first.rows]
    assert marks == [("<", 8, None), ("<", 9, None), (" ", 10, 13), (">", None, 14), ("~", 11, 15)]


def test_every_line_of_both_files_is_shown_once():
    rows = [row for section in align(LEFT, RIGHT) for row in section.rows]
    for source, shown in ((LEFT, [row.left for row in rows]), (RIGHT, [row.right for row in rows])):
        numbers = [number for number in shown if number]
        filled = [i for i, line in enumerate(source.splitlines(), 1) if line.strip()]
        assert len(numbers) == len(set(numbers))
        assert set(filled) <= set(numbers)


def test_summary_counts_definitions():
    assert summary(align(LEFT, RIGHT), "a", "b") == "6 definitions: 3 the same, 1 differ, 1 only in a, 1 only in b."


@pytest.mark.parametrize("width", [80, 99, 100, 120, 200])
def test_a_pipe_gets_plain_text_that_fits(width):
    result = diff("torch_manual", "torch_autograd", "--stage", "backward", width=width)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= width
    assert "torch_manual/backward.py" in result.stdout
    assert "loss_and_grads  differs" in result.stdout


def test_docstrings_and_what_is_the_same_are_folded_unless_all_is_asked_for():
    """The difference drowns in what is no difference, or cannot be unfolded."""
    command = "torch_manual", "fastai_module", "--stage", "training"
    folded, whole = diff(*command).stdout, diff(*command, "--all").stdout
    assert '"""' not in folded
    assert "the same: accuracy, check_labels " in folded
    assert "⋮ 3 lines" in folded
    assert "def cross_entropy(" not in folded
    assert '"""' in whole
    assert "def cross_entropy(" in whole
    assert "⋮" not in whole
    assert "def cross_entropy_grad(" in folded


def test_narrow_terminals_get_one_column():
    """At 80 columns every other line of code is broken in the middle."""
    lines = diff("pure_python", "numpy_impl", "--name", "relu", width=80).stdout.splitlines()
    assert "│" not in "".join(lines)
    assert "<     return each(lambda number: type(number)(0) if number <= 0 else number, x) " in lines
    assert ">     return np.maximum(x, 0)" in lines


def test_a_name_comes_with_its_helpers_and_without_the_rest():
    """A name alone shows other names, or lacks what it calls."""
    shown = diff("pure_python", "torch_manual", "--name", "matmul").stdout
    assert {line.split()[0] for line in shown.splitlines() if "───" in line and line[0] != "─"} == {"dots", "matmul"}
    result = diff("pure_python", "numpy_impl", "--name", "relu", "--stage", "mlp")
    assert result.exit_code == 2
    assert "relu stands in neuron, not in mlp" in result.stderr


def test_without_a_stage_all_are_shown():
    """A stage is left out."""
    shown = diff("pure_python", "numpy_impl").stdout
    assert [f"pure_python/{stage}.py" in shown for stage in STAGES] == [True] * len(STAGES)


def test_what_differs_within_a_line_is_marked_where_there_is_colour():
    """A reader has to find the token that differs, or is shown one that does not."""
    both = (Text(line) for line in ("    y = x + b", "    y = x - b"))
    _, left, right = beside(Row(1, 1, False), *([line] for line in both))
    assert [line.plain[span.start : span.end] for line in (left, right) for span in line.spans] == ["+", "-"]


@pytest.mark.parametrize("stage", STAGES)
def test_an_implementation_is_the_same_as_itself_in_every_stage(stage):
    result = diff("pure_python", "pure_python", "--stage", stage)
    assert result.exit_code == 0
    assert "differs  " not in result.stdout.rpartition("definitions")[0]


def test_no_framework_is_imported_to_read_its_source():
    program = (
        "import sys; from side_by_side.reading.diff import render; render('torch_manual', 'fastai_module', 'mlp');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody", "numpy_impl", "--stage", "mlp"], "unknown implementation 'nobody', expected one of pure_python"),
        (
            ["numpy_impl", "pure_python", "--stage", "nowhere"],
            "unknown stage 'nowhere', expected one of arrays, neuron",
        ),
        (["numpy_impl", "rich", "--stage", "mlp"], "rich has no mlp.py"),
        (["numpy_impl", "math", "--stage", "mlp"], "cannot be read as Python"),
    ],
)
def test_unknown_names_get_one_line_with_the_known_ones(arguments, says):
    result = diff(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_file_of_a_stage_is_the_one_that_would_be_imported():
    import numpy_impl.backward

    code = Path(numpy_impl.backward.__file__).read_text()
    assert stage_source("numpy_impl", "backward") == ("numpy_impl/backward.py", code)


def test_a_module_of_one_file_stands_beside_a_package_with_its_definitions_of_the_stage(tmp_path, monkeypatch):
    (tmp_path / "one_file.py").write_text("def mse(output, target):\n    return 1\n\n\ndef relu(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert stage_source("one_file", "mlp") == ("one_file.py, mlp", "def mse(output, target):\n    return 1")
    result = diff("one_file", "numpy_impl", "--stage", "mlp")
    assert result.exit_code == 0
    assert "def mse" in result.stdout
    result = diff("one_file", "numpy_impl", "--stage", "training")
    assert result.exit_code == 2
    assert "one_file has no training.py, and one_file.py defines none of cross_entropy, " in result.stderr
