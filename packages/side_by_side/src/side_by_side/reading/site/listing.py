"""Code as HTML: a line at a time, with the symbols in it, and two versions in one grid."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from markupsafe import Markup, escape
from pygments.token import Comment, Keyword, Name, Operator, String

from ..alignment import Token, align, differences, tokens
from ..code import Definition, Version


class Pair(NamedTuple):
    """Two versions of a definition beside each other."""

    left: int
    right: int
    rows: Sequence[tuple[Markup | None, Markup | None]]
    """Left and right; only the left where both have the same line."""


def listing(version: Version, symbols: frozenset[str]) -> list[Markup]:
    """Each line of a version."""
    return [line(row, symbols) for row in tokens(version.text)]


def line(row: Sequence[Token], symbols: frozenset[str], marked: frozenset[int] = frozenset()) -> Markup:
    """A line of code; what is `marked`, by the number of the token, differs from the line beside it."""
    return Markup("").join(_span(token, symbols, i in marked) for i, token in enumerate(row))


def pairs(definition: Definition, symbols: frozenset[str]) -> list[Pair]:
    """Every two versions of a definition in one grid."""
    numbered = list(enumerate(definition.versions))
    return [Pair(i, j, _rows(a, b, symbols)) for (i, a), (j, b) in combinations(numbered, 2)]


def _rows(a: Version, b: Version, symbols: frozenset[str]) -> list[tuple[Markup | None, Markup | None]]:
    ours, theirs = tokens(a.text), tokens(b.text)
    rows: list[tuple[Markup | None, Markup | None]] = []
    for row in (row for section in align(a.text, b.text) for row in section.rows):
        left = ours[row.left - 1] if row.left else None
        right = theirs[row.right - 1] if row.right else None
        if row.same and left is not None:
            rows.append((line(left, symbols), None))
        else:
            marks = differences(left, right) if left and right else (frozenset(), frozenset())
            rows.append(
                (
                    Markup() if left is None else line(left, symbols, marks[0]),
                    Markup() if right is None else line(right, symbols, marks[1]),
                )
            )
    return rows


def _span(token: Token, symbols: frozenset[str], marked: bool) -> Markup:
    kind, text = token
    shown = escape(text)
    if kind in Name and text in symbols:
        shown = Markup('<u data-s="{}">{}</u>').format(text, shown)
    elif kind in Keyword or kind in Operator.Word:
        shown = Markup("<b>{}</b>").format(shown)
    elif kind in String or kind in Comment:
        shown = Markup("<i>{}</i>").format(shown)
    return Markup("<mark>{}</mark>").format(shown) if marked and text.strip() else shown
