"""A CSV file: its delimiter is recognized, and everything that is wrong in it is told with line and column."""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..tables import UserError

DELIMITERS = ",;\t|"
MISSING = {"", "na", "n/a", "nan", "null", "?"}
LARGEST = 1e100
"""Beyond it squares are no numbers."""
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
"""In a file whose columns a semicolon separates."""

Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Sheet:
    """The cells of a CSV file, without the white space around them."""

    path: Path
    header: Sequence[str]
    rows: Rows
    """(line number, cells) each."""

    def place(self, name: str) -> int:
        """Where the column of that name is. Raises UserError when there is none."""
        if name not in self.header:
            raise UserError(f"{self.path}: no column {name!r} among {', '.join(self.header)}")
        return list(self.header).index(name)

    def cells(self, i: int) -> list[str]:
        """What stands in a column."""
        return [row[i] for _, row in self.rows]

    def where(self, kept: Callable[[list[str]], bool]) -> "Sheet":
        """The same with some of the rows."""
        return replace(self, rows=[(line, row) for line, row in self.rows if kept(row)])

    def cell(self, line: int, i: int) -> str:
        """How a cell is called in a message."""
        return f"{self.path}: line {line}, {self.header[i]}"

    def number(self, line: int, i: int, cell: str) -> float:
        """The number in a cell, NaN where it is missing. Raises UserError where it is none, or too large."""
        if is_missing(cell):
            return float("nan")
        if not is_number(cell):
            raise UserError(f"{self.cell(line, i)}: {cell!r} is no finite number; --drop leaves a column out")
        if not abs(float(cell)) <= LARGEST:
            raise UserError(f"{self.cell(line, i)}: {cell} is no finite number, or too large to compute with")
        return float(cell)


def read(path: Path, delimiter: str | None = None) -> Sheet:
    """The sheet in a file; its first line is a header where it is of another kind than what is below.

    Raises UserError for a file that cannot be read, and for lines of different lengths.
    """
    rows = _rows(path, delimiter)
    first = [cell.strip() for cell in rows[0][1]]
    header = first if _is_header(first, [row for _, row in rows[1:]]) else []
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UserError(f"{path}: two columns are called {twice!r}")
    body = rows[1:] if header else rows
    if not body:
        raise UserError(f"{path}: no samples under the header")
    return Sheet(path, header or [f"column {i + 1}" for i in range(len(first))], body)


def is_missing(cell: str) -> bool:
    """Whether there is nothing in a cell."""
    return cell.lower() in MISSING


def is_number(cell: str) -> bool:
    """Whether it is a number to Python; NaN and infinity are."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_whole(cell: str) -> bool:
    """Whether it is a whole number of a size that an int64 holds."""
    return re.fullmatch(r"[+-]?\d{1,18}", cell, re.ASCII) is not None


def _rows(path: Path, delimiter: str | None) -> Rows:
    """Every line that is not empty, all of one length."""
    if delimiter is not None and (len(delimiter.replace("\\t", "\t")) != 1 or delimiter in '"\r\n'):
        raise UserError(f"delimiter {delimiter!r}, expected a single character such as ; or \\t")
    try:
        text = path.read_text(encoding="utf-8-sig")
        between = delimiter.replace("\\t", "\t") if delimiter else _delimiter(text)
        reader = csv.reader(text.splitlines(keepends=True), delimiter=between)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV: {error}") from error
    if not rows:
        raise UserError(f"{path}: empty")
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise UserError(f"{path}: line {line} has {len(row)} columns, expected {width} as in the first")
    if width < 2:
        raise UserError(f"{path}: one column, expected at least one number and the target; is --delimiter another?")
    return [(line, [_dotted(cell) for cell in row]) for line, row in rows] if between == ";" else rows


def _delimiter(text: str) -> str:
    """What stands most often in the first line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _dotted(cell: str) -> str:
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell


def _is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a word stands over numbers, or, where all are words, no word of the first line comes again."""
    if not below:
        return not any(map(is_number, first))
    columns = [[cell for cell in cells if not is_missing(cell)] for cells in zip(*below, strict=True)]
    numbers = [any(map(is_number, cells)) for cells in columns]
    if any(numbers):
        return any(of_numbers and not is_number(name) for name, of_numbers in zip(first, numbers, strict=True))
    return all(name not in cells for name, cells in zip(first, columns, strict=True))
