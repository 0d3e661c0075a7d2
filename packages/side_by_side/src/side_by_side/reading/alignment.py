"""Code beside code: aligned by definition, within it by line, and within a line by token."""

import ast
import functools
import importlib.util
import itertools
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from pygments.lexers import PythonLexer
from pygments.token import _TokenType

from shared_specs.contract import STAGE_NAMES

from ..tables import UserError

TOP = "module"
LEXER = PythonLexer(stripnl=False, ensurenl=False)

Pairs = list[tuple[int | None, int | None]]
Token = tuple[_TokenType, str]


class Row(NamedTuple):
    """Line numbers, from 1, that stand beside each other; None where one side has nothing."""

    left: int | None
    right: int | None
    same: bool

    @property
    def mark(self) -> str:
        """What a reader without colours sees."""
        return " " if self.same else "<" if self.right is None else ">" if self.left is None else "~"


class Section(NamedTuple):
    """A definition of either file, or of both."""

    name: str
    rows: list[Row]

    @property
    def verdict(self) -> str:
        """One of "same", "differs", "only left" and "only right"."""
        if all(row.same for row in self.rows):
            return "same"
        if all(row.right is None for row in self.rows):
            return "only left"
        return "only right" if all(row.left is None for row in self.rows) else "differs"


class Source(NamedTuple):
    """The code of a stage, and how it is called."""

    heading: str
    code: str


def stage_source(implementation: str, stage: str) -> Source:
    """The file of a stage, or its definitions in a module of one file; nothing is imported, so no framework either.

    Raises UserError when there is no such module, or nothing of the stage in it.
    """
    spec = importlib.util.find_spec(implementation) if "@" not in implementation else None
    if spec is None or not spec.origin:
        raise UserError(f"{implementation} has no source that could be read")
    if spec.submodule_search_locations:
        path = Path(next(iter(spec.submodule_search_locations))) / f"{stage}.py"
        if path.is_file():
            return Source(f"{implementation}/{stage}.py", _read(path))
    path = Path(spec.origin)
    source, names = _read(path), STAGE_NAMES[stage]
    lines = source.splitlines()
    parts = [numbers for name, numbers in definitions(source).items() if name.partition(".")[0] in names]
    if not parts:
        raise UserError(f"{implementation} has no {stage}.py, and {path.name} defines none of {', '.join(names)}")
    code = "\n\n".join("\n".join(lines[numbers.start - 1 : numbers.stop - 1]) for numbers in parts)
    return Source(f"{path.name}, {stage}", code)


def _read(path: Path) -> str:
    """Python that can be parsed. Raises UserError for anything else."""
    try:
        source = path.read_text(encoding="utf-8")
        ast.parse(source)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path}: cannot be read as Python: {error}") from error
    return source


def definitions(source: str) -> dict[str, range]:
    """Name → its line numbers: what stands before the first definition, then functions, classes, methods, constants."""
    lines = source.splitlines()
    starts: dict[str, int] = {TOP: 1}
    for name, start in _starts(ast.parse(source).body):
        comments = itertools.takewhile(lambda line: line.lstrip().startswith("#"), reversed(lines[: start - 1]))
        starts.setdefault(name, start - len(list(comments)))
    ends = [*list(starts.values())[1:], len(lines) + 1]
    return {
        name: _without_blank_end(lines, range(start, end))
        for (name, start), end in zip(starts.items(), ends, strict=True)
    }


def align(left: str, right: str) -> list[Section]:
    """Definitions of one name beside each other, in the order of the left; the right's own after their predecessor."""
    left_lines, right_lines = left.splitlines(), right.splitlines()
    in_left, in_right = definitions(left), definitions(right)
    nothing = range(0)
    return [
        Section(name, list(_rows(left_lines, in_left.get(name, nothing), right_lines, in_right.get(name, nothing))))
        for name in _merged(in_left, in_right)
    ]


def summary(sections: Iterable[Section], left: str, right: str) -> str:
    """One sentence: how many definitions are the same, differ, or stand on one side only."""
    verdicts = [section.verdict for section in sections if section.name != TOP]
    words = {"same": "the same", "differs": "differ", "only left": f"only in {left}", "only right": f"only in {right}"}
    counts = [f"{verdicts.count(verdict)} {word}" for verdict, word in words.items() if verdict in verdicts]
    definitions = "1 definition" if len(verdicts) == 1 else f"{len(verdicts)} definitions"
    return f"{definitions}: {', '.join(counts)}."


@functools.cache
def tokens(text: str) -> list[list[Token]]:
    """The tokens of each line."""
    lines: list[list[Token]] = [[]]
    for kind, value in LEXER.get_tokens(text):
        first, *others = value.split("\n")
        for i, part in enumerate([first, *others]):
            if i:
                lines.append([])
            if part:
                lines[-1].append((kind, part))
    return lines


def differences(left: Sequence[Token], right: Sequence[Token]) -> tuple[frozenset[int], frozenset[int]]:
    """The numbers of the tokens that have no counterpart, on either side."""
    texts = [text for _, text in left], [text for _, text in right]
    codes = [code for code in SequenceMatcher(None, *texts, autojunk=False).get_opcodes() if code[0] != "equal"]
    return (
        frozenset(n for _, i, i_end, _, _ in codes for n in range(i, i_end)),
        frozenset(n for _, _, _, j, j_end in codes for n in range(j, j_end)),
    )


def docstrings(source: str) -> frozenset[int]:
    """The numbers of the lines that hold nothing but docstrings."""
    documented = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    said = [node.body[0] for node in documented if ast.get_docstring(node, clean=False) is not None]
    return frozenset(i for node in said for i in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _starts(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, int]]:
    """(name, first line) of every definition; a class's fields belong to its head."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name, min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if isinstance(node, ast.ClassDef):
                yield from _starts(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not prefix:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield ast.unparse(target), node.lineno


def _without_blank_end(lines: list[str], numbers: range) -> range:
    end = numbers.stop
    while end > numbers.start and not lines[end - 2].strip():
        end -= 1
    return range(numbers.start, end)


def _merged(left: Iterable[str], right: Iterable[str]) -> list[str]:
    names = list(left)
    place = 0
    for name in right:
        if name in names:
            place = names.index(name) + 1
        else:
            names.insert(place, name)
            place += 1
    return names


def _rows(left: list[str], in_left: range, right: list[str], in_right: range) -> Iterator[Row]:
    """Equal lines beside each other; between them, the most similar ones."""
    a, b = [left[i - 1] for i in in_left], [right[j - 1] for j in in_right]
    for kind, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        same = kind == "equal"
        beside = (
            zip(range(i, i_end), range(j, j_end), strict=True)
            if same
            else _paired(a, range(i, i_end), b, range(j, j_end))
        )
        for x, y in beside:
            yield Row(None if x is None else in_left[x], None if y is None else in_right[y], same)


def _paired(a: list[str], in_a: range, b: list[str], in_b: range) -> Pairs:
    """Lines beside each other in their order, so that the similarities of the pairs add up to the most."""
    best: dict[tuple[int, int], tuple[float, Pairs]] = {}
    for i in reversed(range(in_a.start, in_a.stop + 1)):
        for j in reversed(range(in_b.start, in_b.stop + 1)):
            ways = []
            if i < in_a.stop and j < in_b.stop:
                score, rest = best[i + 1, j + 1]
                ways.append((score + SequenceMatcher(None, a[i], b[j]).ratio(), [(i, j), *rest]))
            if i < in_a.stop:
                score, rest = best[i + 1, j]
                ways.append((score, [(i, None), *rest]))
            if j < in_b.stop:
                score, rest = best[i, j + 1]
                ways.append((score, [(None, j), *rest]))
            best[i, j] = max(ways, key=lambda way: way[0], default=(0.0, []))
    return best[in_a.start, in_b.start][1]
