"""Two implementations in a terminal, so that every line that differs is an idea: two columns where there is room."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from shared_specs import STAGES

from ..tables import UserError
from . import code
from .alignment import TOP, Row, Section, align, differences, docstrings, stage_source, summary, tokens

ROOM = 100
"""Columns from which on two of code stand beside each other."""
FEW = 2
"""So many lines that are the same between others take no more room than to say how many were left out."""
Beside = tuple[Row, Text, Text]
LEGEND = "~ differs   < only in {}   > only in {}"
FOLDED = "Docstrings and what is the same are folded; --all shows them."


class Side(NamedTuple):
    """One implementation's code of a stage."""

    name: str
    heading: str
    code: str


def render(left: str, right: str, stage: str = "", name: str = "", unfold: bool = False) -> RenderableType:
    """A stage of two implementations, or all seven, or one name of the contract with the helpers that it calls.

    Raises UserError where the name stands in another stage, and for code that cannot be read.
    """
    home = code.find(name) if name else None
    if home and stage not in ("", home.stage):
        raise UserError(f"{name} stands in {home.stage}, not in {stage}")
    shown = [home.stage] if home else [stage] if stage else STAGES
    names = {home.name, *map(code.top, home.definitions)} if home else None
    notes = [LEGEND.format(left, right), *([] if unfold else [FOLDED])]
    parts = [_stage(left, right, stage, names, unfold) for stage in shown]
    return Group(*parts, *(Text(note, "dim") for note in notes))


def _stage(left: str, right: str, stage: str, names: set[str] | None, unfold: bool) -> RenderableType:
    a, b = (Side(name, *stage_source(name, stage)) for name in (left, right))
    sections = [s for s in align(a.code, b.code) if names is None or s.name.partition(".")[0] in names]
    if not unfold:
        sections = [Section(s.name, list(_without_docstrings(s.rows, a, b))) for s in sections]
    heads = Columns([(Row(None, None, True), Text(a.heading, "bold"), Text(b.heading, "bold"))])
    return Group(heads, *_sections(sections, a, b, unfold), Rule(style="dim"), summary(sections, left, right))


def _sections(sections: Sequence[Section], a: Side, b: Side, unfold: bool) -> Iterator[RenderableType]:
    left, right = coloured(a.code), coloured(b.code)
    verdicts = {section.name: section.verdict for section in sections}
    for alike, group in itertools.groupby(sections, lambda section: not unfold and section.verdict == "same"):
        if alike:
            if same := [section.name for section in group if section.name != TOP]:
                yield Rule(Text(f"the same: {', '.join(same)}", "dim"), align="left", style="dim")
            continue
        for section in group:
            of_class = verdicts.get(section.name.rpartition(".")[0], "")
            if not (of_class.startswith("only") and of_class == section.verdict):  # its class says so already
                note = section.verdict.replace("left", f"in {a.name}").replace("right", f"in {b.name}")
                yield Rule(Text.assemble(section.name, (f"  {note}", "dim")), align="left", style="dim")
            yield Columns([beside(row, left, right) for row in section.rows], 0 if unfold else FEW)


def _without_docstrings(rows: Iterable[Row], a: Side, b: Side) -> Iterator[Row]:
    """What is left, blank lines apart."""
    folded = []
    for side in (a, b):
        blank = {i for i, line in enumerate(side.code.splitlines(), 1) if not line.strip()}
        folded.append(docstrings(side.code) | blank)
    for row in rows:
        left, right = (None if i in lines else i for i, lines in zip(row[:2], folded, strict=True))
        if left or right:
            yield Row(left, right, row.same)


def beside(row: Row, left: Sequence[Text], right: Sequence[Text]) -> Beside:
    """The two lines of a row, what only one of them has marked; dim where they are the same."""
    a, b = (Text() if i is None else lines[i - 1].copy() for i, lines in ((row.left, left), (row.right, right)))
    if row.same:
        a.stylize("dim")
        b.stylize("dim")
    elif row.left and row.right:
        ours, theirs = tokens(a.plain)[0], tokens(b.plain)[0]
        for line, words, marked in zip((a, b), (ours, theirs), differences(ours, theirs), strict=True):
            ends = list(itertools.accumulate(len(text) for _, text in words))
            for i in marked:
                if words[i][1].strip():
                    line.stylize("bold underline", ends[i] - len(words[i][1]), ends[i])
    return row, a, b


class Columns:
    """Rows in two columns of equal width, or, where there is no room for them, one below the other."""

    def __init__(self, rows: Sequence[Beside], few: int = 0) -> None:
        self.rows = list(_shortened(rows, few)) if few else list(rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < ROOM:
            for row, left, right in self.rows:
                if row.left or row.same:
                    yield Line(left, " " if row.same else "<")
                if (row.right and not row.same) or (right and not row.left):
                    yield Line(right, " " if row.same else ">")
            return
        grid = Table(box=box.MINIMAL, show_header=False, show_edge=False, padding=0, expand=True, border_style="dim")
        for _ in range(2):
            grid.add_column(ratio=1)
        for row, left, right in self.rows:
            grid.add_row(Line(left, row.mark if left else " "), Line(right, row.mark if right else " "))
        yield grid


def _shortened(rows: Iterable[Beside], few: int) -> Iterator[Beside]:
    """Where more than a few lines are the same, how many."""
    for same, group in itertools.groupby(rows, lambda beside: beside[0].same):
        found = list(group)
        if same and len(found) > few:
            indent = " " * min(len(left.plain) - len(left.plain.lstrip()) for _, left, _ in found)
            said = Text(f"{indent}⋮ {len(found)} lines", "dim")
            yield found[0][0], said, said
        else:
            yield from found


class Line:
    """A line of code behind a mark, which wraps with a hanging indent."""

    def __init__(self, code: Text, mark: str, style: str = "bold yellow") -> None:
        self.code, self.mark, self.style = code, mark, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code, mark, width = self.code, self.mark, options.max_width - len(self.mark) - 1
        indent = 0
        while True:
            head = code.wrap(console, max(width - indent, 1))[0] if code else code
            yield Text.assemble((mark, self.style), " " * (indent + 1), head)
            rest = code.plain[len(head) :].lstrip() if code else ""
            if not rest:
                return
            code, mark = code[len(code) - len(rest) :], " " * len(self.mark)
            indent = indent or len(self.code.plain) - len(self.code.plain.lstrip()) + 8


def coloured(source: str) -> list[Text]:
    """Its lines."""
    return [*Syntax("", "python", theme="ansi_dark").highlight(source).split("\n")]
