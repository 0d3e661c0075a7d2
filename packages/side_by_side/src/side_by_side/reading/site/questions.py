"""The questionnaire of the chapter, answered with the code; small examples are run when the page is made."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from .. import words
from ..alignment import tokens
from . import listing

LAST = 40


@dataclass(frozen=True)
class Question:
    """One of them, and what answers it."""

    number: int
    ask: str
    answer: str
    names: Sequence[str]
    spec: str = ""
    example: str = ""

    @property
    def lines(self) -> list[Markup]:
        """The example as code."""
        return [listing.line(row, frozenset()) for row in tokens(self.example.strip())]

    @property
    def printed(self) -> str:
        """What the example prints."""
        out = io.StringIO()
        scope: dict[str, Any] = {"__name__": f"question_{self.number}"}
        with contextlib.redirect_stdout(out):
            exec(compile(self.example, f"question {self.number}", "exec"), scope)
        return out.getvalue().strip()


def answered() -> list[Question]:
    """All questions in order.

    Raises ValueError when a number is missing or there twice.
    """
    found = list(_read())
    if [question.number for question in found] != list(range(1, LAST + 1)):
        raise ValueError(f"questions.toml has {[q.number for q in found]}, expected each number from 1 to {LAST} once")
    return found


def _read() -> Iterator[Question]:
    for entry in words.read("questions")["question"]:
        yield Question(**entry)
