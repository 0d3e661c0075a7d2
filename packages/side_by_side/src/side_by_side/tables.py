"""What all tables share: the console, numbers with units, and errors of one line."""

import math
import os
import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_PIPE = 120
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
        empty.add_column(heading, justify="right" if i else "left")
    return empty


def framed(title: str, body: RenderableType, *notes: str) -> Group:
    """A table with what it is above it, and what one must know to read it below."""
    return Group(Text(title, "bold"), "", body, "", *(Text(note, "dim") for note in notes if note))


def choose(what: str, name: str, known: Iterable[str]) -> str:
    """The name, if it is a known one.

    Raises UserError that lists the known ones.
    """
    names = list(known)
    if name not in names:
        raise UserError(f"unknown {what} {name!r}, expected one of {', '.join(names) or 'none: nothing is installed'}")
    return name


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
