"""Tables on any terminal: nothing is cut, names can be copied, and numbers keep their row."""

import io
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from side_by_side.cli import app
from side_by_side.tables import framed, table

NAMES = [f"an_implementation_with_the_number_{i}" for i in range(5)]


def drawn(group, width):
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(group)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_name_and_every_number_is_there_at_any_width(width):
    rows = table("what", *NAMES)
    for i in range(3):
        rows.add_row(f"tensor {i}", *(f"{i}{j}.25 ± 0.125" for j in range(5)))
    shown = drawn(framed("title", rows, "note"), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert all(name in shown for name in NAMES)
    for i in range(3):
        found = [line for line in shown.splitlines() if f"tensor {i} " in line]
        assert re.findall(r"[\d.]+ ± 0.125", " ".join(found)) == [f"{i}{j}.25 ± 0.125" for j in range(5)]


COMMANDS = {
    "ledger": (["ledger"], ["l1.g[1][0]", "fastai_module", "0.weight.grad[2][1]", "1601/48"]),
    "init": (
        ["init", "--layers", "5", "--width", "5", "--batch", "5", "--impl", "numpy_impl"],
        ["exploding: std 1, linear", "Kaiming: std √(2/n), ReLU", "layer 5"],
    ),
    "train": (["train", "--data", "tripler", "--epochs", "1"], ["fastai_module", "test R²", "divergence", "samples/s"]),
    "lockstep": (["train", "--lockstep", "--data", "tripler", "--epochs", "1"], ["batch.target", "0.weight.grad"]),
}


@pytest.mark.parametrize("width", ["60", "80", None])
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_cut_nothing_on_a_narrow_terminal_and_in_a_pipe(command, width):
    arguments, expected = COMMANDS[command]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": width} if width else {})
    assert result.exit_code == 0
    assert "…" not in result.stdout
    assert [text for text in expected if text not in result.stdout] == []
    assert max(map(len, result.stdout.splitlines())) <= int(width or 120)
