"""Markdown for the README: the tables of a real run, with its machine."""

from collections.abc import Iterable, Iterator

from ..tables import NOT_PROVIDED, duration, factor
from .cells import BASELINE
from .results import Document, Run
from .session import aa_check
from .statistics import FASTER, SLOWER, TIE, UNCLEAR
from .story import Grid, Shown, Title, grids, headline, ladder_grids, sections, sentences
from .terminal import at_odds, share_text, spread_text, why_not

SIGNS = {FASTER: "faster", SLOWER: "slower", TIE: "tie", UNCLEAR: "unclear"}


def report(document: Document) -> str:
    """All tables of all machines."""
    return "\n".join(line for run in document.runs for line in _lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield f"## Speed on {run.machine}\n"
    yield "  \n".join(headline(run)) + "\n"
    for section in sections(run):
        yield f"### {section.title}\n"
        for grid in grids(run, section):
            yield from speed_table(run, grid)
    for grid in ladder_grids(run):
        yield "### matmul ladder, 5×784 @ 784×10, beside the published timings\n"
        yield from speed_table(run, grid)
    yield f"Time of a call ± half its 95 % interval; × is the time in parts of {BASELINE}'s, from interleaved pairs;"
    yield "% is the share of the limit, the bare matrix products in the same library; ~ is noisy; ≠ is what the medians"
    yield "say of the ratio, where the intervals do not meet; ? stands for a number that is smaller than its noise.\n"
    yield from (f"- {sentence}" for sentence in [*sentences(run), aa_check(run), *run.notes])
    yield ""


def speed_table(run: Run, grid: Grid) -> Iterator[str]:
    """As it is laid out."""
    yield _row(["", *map(_title, grid.columns)])
    yield _row(["---", *("---:" for _ in grid.columns)])
    yield from (_row([_title(title), *(cell_text(run, shown) for shown in row)]) for title, row in grid.rows)
    yield ""


def _title(title: Title) -> str:
    return " ".join(filter(None, title))


def cell_text(run: Run, shown: Shown) -> str:
    """12.3 µs ±1% · ×1.35 slower · 81%."""
    if isinstance(shown, str):
        return shown
    if shown is None or shown.status == "not provided":
        return NOT_PROVIDED
    if shown.time is None:
        return why_not(shown).replace("\n", " ")
    time = f"{'~' if shown.noisy else ''}{duration(shown.time.median)} {spread_text(shown.time)}"
    ratio = f"{factor(shown.ratio.median)} {SIGNS[shown.verdict]}" if shown.ratio else ""
    return " · ".join(filter(None, [time, ratio, at_odds(run, shown), share_text(run, shown)]))


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"
