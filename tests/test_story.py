"""The story comes first: how much there is to read, and that what refuses stands beside it, the same in all five."""

import ast
import importlib
import inspect
import io
import statistics
import tokenize
from itertools import combinations
from pathlib import Path

import pytest
from rich.console import Console

from shared_specs import STAGES
from shared_specs.registry import implementations
from side_by_side.reading.diff import render

IMPLEMENTATIONS = implementations()
FILES = (*STAGES, "guard")
SHAPED = {
    "arrays": ["add", "multiply", "transpose"],
    "neuron": ["neuron"],
    "layer": ["layer", "matmul", "linear"],
    "mlp": ["mse"],
    "backward": ["mse_grad", "relu_grad", "linear_grad"],
    "training": ["cross_entropy", "cross_entropy_grad", "accuracy"],
}
"""Stage → the functions whose shapes are said in the line above them."""


def path(implementation, file):
    """Where a file of an implementation is."""
    return Path(importlib.import_module(f"{implementation}.{file}").__file__)


def code_lines(path):
    """The numbers of the lines that hold code: no blanks, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    passing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in passing]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        first = node.body[0] if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            lines -= set(range(first.lineno, first.end_lineno + 1))
    return lines


def functions(path):
    """Every function in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_package_is_read_in_420_lines_of_code(implementation):
    """The seven stages and the guard have grown: which file has how many lines of code."""
    lines = {file: len(code_lines(path(implementation, file))) for file in FILES}
    assert sum(lines.values()) <= 420, lines
    assert lines["guard"] <= 70, lines


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_read_on_two_screens(implementation, stage):
    """The file goes on after line 150."""
    lines = path(implementation, stage).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150, f"line 151 of {implementation}/{stage}.py: {lines[150:151]}"


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_median_function_has_five_lines_of_code(implementation):
    """Functions have grown: which are longest, and where they begin."""
    lengths = {}
    for file in FILES:
        lines = code_lines(path(implementation, file))
        for node in functions(path(implementation, file)):
            place = f"{implementation}/{file}.py:{node.lineno} {node.name}"
            lengths[place] = len(lines & set(range(node.lineno, node.end_lineno + 1)))
    longest = sorted(lengths, key=lengths.get)[-5:]
    assert statistics.median(lengths.values()) <= 5, longest


def guard_but_for_arrays(implementation):
    """The guard's text, line by line, without what knows the package's arrays: `kinds`, and how lists are measured."""
    file = path(implementation, "guard")
    own = [range(node.lineno, node.end_lineno + 1) for node in functions(file) if node.name in ("kinds", "measure")]
    text = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    return [line for i, line in text if line and line != "import numpy as np" and not any(i in lines for lines in own)]


@pytest.mark.parametrize(("a", "b"), list(combinations(IMPLEMENTATIONS, 2)))
def test_the_guard_is_the_same_text_in_all_packages(a, b):
    """A guard refuses something else than another, or says it otherwise: the first line that differs."""
    for ours, theirs in zip(guard_but_for_arrays(a), guard_but_for_arrays(b), strict=True):
        assert ours == theirs


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("stage", SHAPED)
def test_shapes_are_said_in_the_line_above(implementation, stage):
    """A function does not say its shapes where reader, check and help find them."""
    module = importlib.import_module(f"{implementation}.{stage}")
    for node in functions(path(implementation, stage)):
        if node.name in SHAPED[stage] or node.name.startswith("matmul"):
            assert "takes" in {getattr(call.func, "id", "") for call in node.decorator_list}, f"line {node.lineno}"
            (shapes,) = node.decorator_list[-1].args
            assert inspect.getdoc(getattr(module, node.name)).startswith(shapes.value)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("file", FILES)
def test_no_docstring_tells_what_is_raised(implementation, file):
    """What is refused is told by the contract and the line above, once."""
    for number, line in enumerate(path(implementation, file).read_text(encoding="utf-8").splitlines(), 1):
        assert "Raises" not in line, f"line {number}"


@pytest.mark.parametrize("implementation", ["torch_autograd", "fastai_module"])
def test_the_framework_is_shown_as_it_is(implementation):
    """A package bends its framework: its Module or Sequential is another, or a method of them is overridden."""
    torch = importlib.import_module("torch")
    base = {"torch_autograd": torch.nn.Module, "fastai_module": importlib.import_module("fastai.torch_core").Module}
    net = importlib.import_module(implementation)
    assert net.Module is base[implementation]
    assert net.Sequential is torch.nn.Sequential
    for name, value in vars(net).items():
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__.startswith(net.__name__):
            assert vars(value).keys() & vars(torch.nn.Module).keys() <= {
                "__init__",
                "__module__",
                "__doc__",
                "forward",
            }, name


def test_two_screens_show_what_autograd_changes():
    """`make diff A=torch_manual B=torch_autograd STAGE=backward` is longer than two screens of 50 lines."""
    screen = Console(width=120)
    with screen.capture() as shown:
        screen.print(render("torch_manual", "torch_autograd", "backward"))
    assert 50 < len(shown.get().splitlines()) <= 100
