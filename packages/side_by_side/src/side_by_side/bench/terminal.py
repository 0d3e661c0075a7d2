"""The tables in a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ..tables import NOT_PROVIDED, duration, factor, table
from .cells import BASELINE
from .results import Document, Entry, Run
from .session import aa_check
from .statistics import FASTER, NOISY_RATIO, NOISY_TIME, SLOWER, TIE, UNCLEAR
from .story import PUBLISHED, Section, entry_at, headline, ladder, mean_factors, sections, sentences

STYLES = {FASTER: "bold green", SLOWER: "red", TIE: "green", UNCLEAR: "yellow"}
SIGNS = {FASTER: "▲", SLOWER: "▼", TIE: "=", UNCLEAR: "?"}
SHORT = ("fastbook", "2nd ed.", "fast.ai")
"""The published ladders, where there is little room."""
LEGEND = (
    "Time: median of a call ± half its 95 % interval. × is the time in parts of numpy_impl's, by interleaved pairs:",
    f"▲ faster, ▼ slower, = a tie within ±2 %, ? the interval crosses that margin. ~ noisy: time by ±{NOISY_TIME:.0%}",
    f"or ratio by ±{NOISY_RATIO:.0%}. %: share of the limit, the bare matrix products in the same library; more",
    "than 100 % is noise. u: largest error in units in the last place. Net sizes: batch, widths. – is not provided.",
)


def report(document: Document) -> Group:
    """All tables of all machines."""
    return Group(*(part for run in document.runs for part in _parts(run)))


def _parts(run: Run) -> Iterator[RenderableType]:
    yield from (Text(line, "bold" if i == 0 else "") for i, line in enumerate(headline(run)))
    for section in sections(run):
        yield Text(f"\n{section.title}", "bold")
        yield speed_table(run, section)
    if rungs := ladder(run):
        yield Text(
            "\nmatmul ladder, 5×784 @ 784×10, beside fastbook ch. 17, its second edition, and fast.ai part 2 (2022)",
            "bold",
        )
        yield ladder_table(rungs)
    yield Text("")
    yield from (Text(line, "dim") for line in LEGEND)
    yield from (Text(line) for line in sentences(run))
    yield Text(aa_check(run), "bold")
    yield from (Text(note, "yellow") for note in run.notes)


def speed_table(run: Run, section: Section) -> RenderableType:
    """A row a workload, a column an implementation."""
    names = run.of_kind("implementation", "peer")
    names = [name for name in names if any(entry_at(run, row, section.section, name) for row in section.rows)]
    result = table("", *(name.removeprefix("peer:") for name in names))
    for column in result.columns:
        column.overflow = "fold"  # rather than leave out the end of a name or a number
    brief = section.group == "sweep of widths"
    for row in section.rows:
        entries = [entry_at(run, row, section.section, name) for name in names]
        work, size, rung = row
        heading = f"{rung or work}\n[dim]{size}[/]" if not brief else size
        result.add_row(heading, *(cell_text(run, entry, brief) for entry in entries))
    means, rows = mean_factors(run, section, names)
    if len(means) > 1 and rows > 1:
        result.add_section()
        title = f"mean factor of {rows}\n[dim]of {len(section.rows)} rows, all complete[/]"
        result.add_row(title, *(factor(means[name]) for name in names))
    return result


def cell_text(run: Run, entry: Entry | None, brief: bool = False) -> Text:
    """Two lines: time ± interval, and factor, share of the limit, error; or why there is none."""
    if entry is None or entry.status == "not provided":
        return Text(NOT_PROVIDED, "dim")
    if entry.time is None:
        return Text(why_not(entry), "bold red" if entry.status in ("wrong", "error") else "dim")
    noisy = "~" if entry.noisy else ""
    if brief:
        return Text.assemble(f"{noisy}{duration(entry.time.median)} ", _verdict(entry))
    share = run.share(entry)
    rest = f" {share:.0%}" if share is not None else ""
    rest += f" {entry.ulps:.2g}u" if entry.ulps is not None else ""
    value = f"{noisy}{duration(entry.time.median)} ±{percent(entry.time.spread)}"
    return Text.assemble(value, "\n", _verdict(entry), (rest, "dim"))


def percent(part: float) -> str:
    """Two digits where it is small: 0.3%, 4%, 12%."""
    return f"{part:.1%}" if part < 0.0095 else f"{part:.0%}"


def why_not(entry: Entry) -> str:
    """Why a cell has no time, in few words."""
    if entry.status == "over budget" and entry.predicted is not None:
        return f"≈ {duration(entry.predicted)}\nover budget"
    if entry.status == "not run":
        return f"not run:\n{entry.reason}" if entry.reason else "not run"
    return entry.status


def _verdict(entry: Entry) -> tuple[str, str]:
    if entry.cell.implementation == BASELINE:
        return "×1 ", "bold"
    if entry.ratio is None:
        return "×?", "dim"
    return f"{factor(entry.ratio.median)}{SIGNS[entry.verdict]}", STYLES[entry.verdict]


def ladder_table(rungs: dict[str, dict[str, float]]) -> RenderableType:
    """A row a rung, ours and the published ones side by side."""
    columns: dict[str, dict[str, float]] = {**rungs, **PUBLISHED}
    result = table("rung", *rungs, *SHORT)
    names: Sequence[str] = list(dict.fromkeys(rung for column in columns.values() for rung in column))
    order = [*(rung for rung in PUBLISHED["fastbook ch. 17"]), *names]
    for rung in dict.fromkeys(order):
        result.add_row(
            rung, *(duration(column[rung]) if rung in column else NOT_PROVIDED for column in columns.values())
        )
    return result
