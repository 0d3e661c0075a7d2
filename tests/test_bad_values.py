"""Every option of every command with values that nobody should give: one clear message, never a traceback."""

import inspect
from pathlib import Path
from typing import get_args

import pytest
from matplotlib.figure import Figure
from typer.models import ArgumentInfo, OptionInfo
from typer.testing import CliRunner

from side_by_side.cli import app
from side_by_side.reading.site import evidence

QUICK = {
    "train": ["--impl", "numpy_impl", "--data", "tripler", "--epochs", "1"],
    "predict": ["--weights", "model.safetensors", "--data", "my.csv"],
    "ledger": ["--impl", "numpy_impl"],
    "init": ["--impl", "numpy_impl", "--layers", "2", "--width", "2", "--batch", "2"],
    "bench": ["--impl", "nobody"],
    "matrix": ["nowhere.json"],
    "accuracy": ["--impl", "nobody"],
    "diff": ["numpy_impl", "torch_manual", "--stage", "neuron"],
    "zoo": ["--impl", "nobody"],
    "mutants": ["--impl", "nobody"],
    "show": ["no_name"],
    "versions": [],
    "trace": ["no_name"],
    "site": ["--out", "site"],
    "check": ["nobody"],
}
"""What ends quickly; an option that is tried takes the place of its own."""

TEXTS = ("", " ", "nobody", "a b", "..", "-", "x@y", "@", "ß\u2028", "[bold]", "1" * 5000)
NUMBERS = ("", "x", "-1", "1.5", "1e400", "9" * 5000)
BAD = {
    str: TEXTS,
    int: (*NUMBERS, "nan"),
    float: ("", "x", "-1", "inf", "-inf", "nan", "1e400"),
    Path: ("", "no such/deep", ".", "/dev/null", "/proc/version/x", "text.csv", "empty", "zip.npz", "a" * 300),
}
"""The type of an option → what it is given."""


def kinds(annotation):
    """The types in Annotated[list[Path] | None, …]."""
    return (
        {annotation}
        if isinstance(annotation, type) and not get_args(annotation)
        else {
            kind
            for part in get_args(annotation)
            if not isinstance(part, OptionInfo | ArgumentInfo)
            for kind in kinds(part)
        }
    )


def table():
    """(command, option, or None for an argument, type) of all that take a value."""
    for command in app.registered_commands:
        for name, parameter in inspect.signature(command.callback, eval_str=True).parameters.items():
            (kind,) = kinds(parameter.annotation) & {str, int, float, bool, Path}
            info = next(part for part in get_args(parameter.annotation) if isinstance(part, OptionInfo | ArgumentInfo))
            option = (info.param_decls or [f"--{name.replace('_', '-')}"])[0] if isinstance(info, OptionInfo) else None
            if kind is not bool:
                yield command.callback.__name__, option, kind


@pytest.fixture(autouse=True)
def blank(monkeypatch):
    """Pictures are written where they belong, but not drawn, which takes seconds each."""
    monkeypatch.setattr(Figure, "draw_without_rendering", lambda figure: None)
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **_: Path(file).touch())


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    """A folder with files that are not what they seem."""
    monkeypatch.chdir(tmp_path)
    evidence.sentences.cache_clear()  # the site is refused where there is no contract, and not made once a value
    (tmp_path / "my.csv").write_text("a,b\n1,2\n")
    (tmp_path / "text.csv").write_text("no numbers here\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")


@pytest.mark.parametrize(("name", "option", "kind"), list(table()))
def test_no_value_of_any_option_is_answered_with_a_traceback(name, option, kind):
    base = list(QUICK[name])
    if option in base:
        i = base.index(option)
        base[i : i + 2] = []
    for value in BAD[kind]:
        arguments = [name, *base, option, value] if option else [name, value, *base[1:]]
        result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
        shown = f"{arguments}: {result.exception!r}"[:300]
        assert result.exception is None or isinstance(result.exception, SystemExit), shown
        assert result.exit_code in (0, 1, 2), shown
        assert "Traceback" not in result.output, shown
