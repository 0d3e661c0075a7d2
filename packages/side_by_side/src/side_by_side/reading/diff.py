"""Two implementations of a stage side by side, aligned by definition, so that every line that differs is an idea."""

import ast
import importlib.util
import itertools
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from shared_specs.contract import STAGE_NAMES

from ..tables import UserError

TOP = "module"
Pairs = list[tuple[int | None, int | None]]


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
    return f"{len(verdicts)} definitions: {', '.join(counts)}."


def render(left: str, right: str, stage: str) -> RenderableType:
    """The whole view of two implementations' stage, in two columns that share the width."""
    sources = [stage_source(name, stage) for name in (left, right)]
    sections = align(*(source.code for source in sources))
    a, b = ([*Syntax("", "python", theme="ansi_dark").highlight(source.code).split("\n")] for source in sources)
    heads = Text(f"  {sources[0].heading}", "bold"), Text(f"  {sources[1].heading}", "bold")
    parts: list[RenderableType] = [_columns([heads])]
    for section in sections:
        note = section.verdict.replace("left", f"in {left}").replace("right", f"in {right}")
        parts.append(Rule(Text.assemble(section.name, (f"  {note}", "dim")), align="left", style="dim"))
        parts.append(_columns((Line(a, row.left, row), Line(b, row.right, row)) for row in section.rows))
    legend = f"~ differs   < only in {left}   > only in {right}"
    return Group(*parts, Rule(style="dim"), summary(sections, left, right), Text(legend, "dim"))


class Line:
    """A marked line of code that wraps with a hanging indent; dim where both sides have it."""

    def __init__(self, lines: Sequence[Text], number: int | None, row: Row) -> None:
        self.code = Text() if number is None else lines[number - 1].copy()
        self.mark = " " if number is None else row.mark
        if row.same:
            self.code.stylize("dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code, mark, width = self.code, self.mark, options.max_width - 2
        indent = 0
        while True:
            head = code.wrap(console, max(width - indent, 1))[0] if code else code
            yield Text.assemble((mark, "bold yellow"), " " * (indent + 1), head)
            rest = code.plain[len(head) :].lstrip() if code else ""
            if not rest:
                return
            code, mark = code[len(code) - len(rest) :], " "
            indent = indent or len(self.code.plain) - len(self.code.plain.lstrip()) + 8


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


def _columns(rows: Iterable[tuple[RenderableType, RenderableType]]) -> Table:
    """Two columns of equal width, whatever stands in them."""
    grid = Table(box=box.MINIMAL, show_header=False, show_edge=False, padding=0, expand=True, border_style="dim")
    for _ in range(2):
        grid.add_column(ratio=1)
    for row in rows:
        grid.add_row(*row)
    return grid
