"""The suite as data: every spec with its file and what breaks when it fails; and a run that only a plugin sees."""

import ast
import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent / "specs"


@dataclass(frozen=True)
class Spec:
    """One spec."""

    name: str
    path: Path
    node: ast.FunctionDef

    @property
    def breaks(self) -> str:
        """What breaks when it fails."""
        return ast.get_docstring(self.node) or ""


@cache
def specs() -> tuple[Spec, ...]:
    """Every spec, file by file; read, not imported."""
    return tuple(_read())


def _read() -> Iterator[Spec]:
    for path in sorted(FOLDER.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield Spec(node.name, path, node)


def run(plugin: object, *arguments: str) -> None:
    """Run the specs with these arguments, print nothing, and let the plugin watch.

    RuntimeError, with what pytest would have printed, if they could not be run.
    """
    others = [f"-pno:{name}" for name in ("cacheprovider", "unraisableexception", "threadexception")]
    alone = ("-q", "-c", os.devnull, "--rootdir", str(FOLDER), "--disable-plugin-autoload", *others)
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        code = pytest.main([*alone, "-p", "shared_specs.plugin", *arguments], plugins=[plugin])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"the specs could not be run:\n{printed.getvalue()}")
