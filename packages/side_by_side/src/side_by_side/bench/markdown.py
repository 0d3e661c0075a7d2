"""Markdown for the README: the tables of a real run, with its machine."""

from collections.abc import Iterable, Iterator

from ..tables import NOT_PROVIDED, duration, factor
from .cells import BASELINE
from .results import Document, Entry, Run
from .session import aa_check
from .statistics import FASTER, SLOWER, TIE, UNCLEAR
from .story import PUBLISHED, Section, entry_at, headline, ladder, mean_factors, sections, sentences
from .terminal import percent, why_not

SIGNS = {FASTER: "faster", SLOWER: "slower", TIE: "tie", UNCLEAR: "unclear"}


def report(document: Document) -> str:
    """All tables of all machines."""
    return "\n".join(line for run in document.runs for line in _lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    yield f"## Speed on {run.machine}\n"
    yield "  \n".join(headline(run)) + "\n"
    for section in sections(run):
        yield f"### {section.title}\n"
        yield from speed_table(run, section)
        yield ""
    if rungs := ladder(run):
        yield "### matmul ladder, 5×784 @ 784×10, beside the published timings\n"
        yield from ladder_table(rungs)
        yield ""
    yield f"Time of a call ± half its 95 % interval; × is the time in parts of {BASELINE}'s, from interleaved pairs;"
    yield "% is the share of the limit, the bare matrix products in the same library; ~ is noisy.\n"
    yield from (f"- {sentence}" for sentence in [*sentences(run), aa_check(run), *run.notes])
    yield ""


def speed_table(run: Run, section: Section) -> Iterator[str]:
    """A row a workload, a column an implementation."""
    names = run.of_kind("implementation", "peer")
    names = [name for name in names if any(entry_at(run, row, section.section, name) for row in section.rows)]
    yield _row(["work", *names])
    yield _row(["---", *("---:" for _ in names)])
    for work, size, rung in section.rows:
        entries = (entry_at(run, (work, size, rung), section.section, name) for name in names)
        yield _row([" ".join(filter(None, [rung or work, size])), *(cell_text(run, entry) for entry in entries)])
    means, rows = mean_factors(run, section, names)
    if len(means) > 1 and rows > 1:
        title = f"mean factor of the {rows} of {len(section.rows)} rows that all completed"
        yield _row([title, *(factor(means[name]) for name in names)])


def cell_text(run: Run, entry: Entry | None) -> str:
    """12.3 µs ±1% · ×1.35 slower · 81%."""
    if entry is None or entry.status == "not provided":
        return NOT_PROVIDED
    if entry.time is None:
        return why_not(entry).replace("\n", " ")
    parts = [f"{'~' if entry.noisy else ''}{duration(entry.time.median)} ±{percent(entry.time.spread)}"]
    if entry.ratio:
        parts.append(f"{factor(entry.ratio.median)} {SIGNS[entry.verdict]}")
    share = run.share(entry)
    return " · ".join([*parts, *([f"{share:.0%}"] if share is not None else [])])


def ladder_table(rungs: dict[str, dict[str, float]]) -> Iterator[str]:
    """A row a rung, ours and the published ones side by side."""
    columns: dict[str, dict[str, float]] = {**rungs, **PUBLISHED}
    yield _row(["rung", *columns])
    yield _row(["---", *("---:" for _ in columns)])
    for rung in dict.fromkeys([*PUBLISHED["fastbook ch. 17"], *(each for column in rungs.values() for each in column)]):
        yield _row([rung, *(duration(column[rung]) if rung in column else NOT_PROVIDED for column in columns.values())])


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"
