"""How much there is to read: lines that hold code."""

import ast
import inspect
from pathlib import Path
from types import ModuleType


def lines_of_code(module: ModuleType) -> int:
    """Lines of the package's Python files, without blank ones, comments and docstrings."""
    source = inspect.getsourcefile(module)
    if source is None:
        return 0
    path = Path(source)
    files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
    return sum(count(file.read_text(encoding="utf-8")) for file in files)


def count(source: str) -> int:
    """Lines that some token of code stands on."""
    tree = ast.parse(source)
    texts = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
        and isinstance(node.body[0].value.value, str)
    }
    words = {line for text in texts for line in range(text.lineno, (text.end_lineno or text.lineno) + 1)}
    lines = enumerate(source.splitlines(), start=1)
    return sum(1 for i, line in lines if i not in words and line.strip() and not line.strip().startswith("#"))
