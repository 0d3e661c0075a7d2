"""What all tables share: the console, numbers with units, and errors of one line."""

import math
import os
import sys
from collections.abc import Iterable
from difflib import get_close_matches

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_PIPE = 120
QUICK_READ = 12
NOT_PROVIDED = "–"


class UserError(Exception):
    """Something only the user can put right; the message says what."""


def console(stderr: bool = False) -> Console:
    """A console on today's stdout or stderr; where nobody watches, without colour and 120 columns wide."""
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=WIDTH_OF_A_PIPE if piped else None, highlight=False)


def table(*headings: str) -> Table:
    """An empty table in the house's style: a left column, and right ones."""
    empty = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for i, heading in enumerate(headings):
        empty.add_column(heading, justify="right" if i else "left", overflow="fold")
    return empty


class Stacked:
    """A table that, where it is too wide, shows the rest of its columns below the first ones, with the labels again.

    A label that is too long even so is folded; nothing is cut.
    """

    def __init__(self, whole: Table) -> None:
        self.whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._fits(self.whole, console, options):
            yield self.whole
            return
        shown, rest = 1, len(self.whole.columns)
        while shown < rest:
            n = next((n for n in range(rest - shown, 1, -1) if self._fits(self._part(shown, n), console, options)), 1)
            if shown > 1:
                yield Text("")
            yield self._part(shown, n)
            shown += n

    def _part(self, begin: int, n: int) -> Table:
        """The first column and n others."""
        part = Table(box=self.whole.box, show_edge=self.whole.show_edge)
        columns = [self.whole.columns[0], *self.whole.columns[begin : begin + n]]
        for column in columns:
            part.add_column(column.header, justify=column.justify, overflow="fold")
        for row, *cells in zip(self.whole.rows, *(column.cells for column in columns), strict=True):
            part.add_row(*cells, end_section=row.end_section)
        return part

    def _fits(self, part: Table, console: Console, options: ConsoleOptions) -> bool:
        return console.measure(part, options=options.update(width=10_000)).maximum <= options.max_width


def framed(title: str, body: RenderableType, *notes: str) -> Group:
    """A table with what it is above it, and what one must know to read it below."""
    shown = Stacked(body) if isinstance(body, Table) else body
    return Group(Text(title, "bold"), "", shown, "", *(Text(note, "dim") for note in notes if note))


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """The name, if it is a known one.

    Raises UserError that lists the known ones, or, where that is no quick read, names the nearest one.
    """
    names = list(known)
    if name in names:
        return name
    lower = {other.lower(): other for other in names} if len(names) > QUICK_READ else {}
    for near in get_close_matches(name.lower(), lower, n=1):
        raise UserError(f"unknown {what} {name!r}, did you mean {lower[near]}?")
    raise UserError(f"unknown {what} {name!r}, expected one of {', '.join(names) or 'none: nothing is installed'}")


def duration(seconds: float) -> str:
    """Three digits and a unit: 8.15 µs, 14.0 ms, 1.15 s."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def factor(value: float) -> str:
    """How many times as long: ×1, ×1.35, ×12.4, ×82,143."""
    return "×1" if value == 1 else f"×{three_digits(value)}"


def three_digits(value: float) -> str:
    """Three significant digits, or all before the point: 0.12 → 0.120, 8.154 → 8.15, 82142.9 → 82,143."""
    if not math.isfinite(value) or value == 0:
        return str(value)
    decimals = 2 - math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return f"{value:,.{max(decimals, 0)}f}"
