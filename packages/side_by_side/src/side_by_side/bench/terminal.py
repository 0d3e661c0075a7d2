"""The tables in a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from ..tables import NOT_PROVIDED, duration, factor, table
from .cells import BASELINE
from .results import Document, Entry, Run
from .session import aa_check
from .statistics import FASTER, NOISY_RATIO, NOISY_TIME, SLOWER, TIE, UNCLEAR, Interval
from .story import Grid, Shown, Title, grids, headline, ladder_grids, sections, sentences

STYLES = {FASTER: "bold green", SLOWER: "red", TIE: "green", UNCLEAR: "yellow"}
SIGNS = {FASTER: "▲", SLOWER: "▼", TIE: "=", UNCLEAR: "?"}
LEGEND = (
    "Time: median of a call ± half its 95 % interval. × is the time in parts of numpy_impl's, by interleaved pairs:",
    f"▲ faster, ▼ slower, = a tie within ±2 %, ? the interval crosses that margin. ~ noisy: time by ±{NOISY_TIME:.0%}",
    f"or ratio by ±{NOISY_RATIO:.0%}. ≠ what the medians say of the ratio, where the intervals do not meet.",
    "%: share of the limit, the bare matrix products in the same library. ? in place of a number: noise is larger.",
    "u: largest error in units in the last place. Net sizes: batch, widths. – is not provided.",
)
LADDER = "matmul ladder, 5×784 @ 784×10, beside fastbook ch. 17, its second edition, and fast.ai part 2 (2022)"


def report(document: Document) -> Group:
    """All tables of all machines."""
    return Group(*(part for run in document.runs for part in _parts(run)))


def _parts(run: Run) -> Iterator[RenderableType]:
    yield from (Text(line, "bold" if i == 0 else "") for i, line in enumerate(headline(run)))
    for section in sections(run):
        yield Text(f"\n{section.title}", "bold")
        yield from (speed_table(run, grid) for grid in grids(run, section))
    for grid in ladder_grids(run):
        yield Text(f"\n{LADDER}", "bold")
        yield speed_table(run, grid)
    yield Text("")
    yield from (Text(line, "dim") for line in LEGEND)
    yield from (Text(line) for line in sentences(run))
    yield Text(aa_check(run), "bold")
    yield from (Text(note, "yellow") for note in run.notes)


def speed_table(run: Run, grid: Grid) -> RenderableType:
    """As it is laid out."""
    result = table("", *map(_title, grid.columns))
    for column in result.columns:
        column.overflow = "fold"  # rather than leave out the end of a name or a number
    for title, row in grid.rows:
        result.add_row(_title(title), *(cell_text(run, shown) for shown in row))
    return result


def _title(title: Title) -> str:
    return title.text + (f"\n[dim]{title.detail}[/]" if title.detail else "")


def cell_text(run: Run, shown: Shown) -> Text:
    """Time ± interval, and below it factor, share of the limit, error; or why there is none."""
    if isinstance(shown, str):
        return Text(shown)
    if shown is None or shown.status == "not provided":
        return Text(NOT_PROVIDED, "dim")
    if shown.time is None:
        return Text(why_not(shown), "bold red" if shown.status in ("wrong", "error") else "dim")
    time = f"{'~' if shown.noisy else ''}{duration(shown.time.median)}"
    odds = f"\n{at_odds(run, shown)}".rstrip(), STYLES[UNCLEAR]
    if shown.cell.work == "sweep":
        return Text.assemble(f"{time} ", _verdict(shown), odds)
    rest = "".join(f" {part}" for part in (share_text(run, shown), ulps_text(shown)) if part)
    return Text.assemble(f"{time} {spread_text(shown.time)}\n", _verdict(shown), (rest, "dim"), odds)


def spread_text(interval: Interval) -> str:
    """±3%, or ±? where it is wider than the value."""
    return "±?" if interval.vague else f"±{percent(interval.spread)}"


def share_text(run: Run, entry: Entry) -> str:
    """81%, ?% where it would be more than the limit by more than noise should be, nothing where there is no limit."""
    share = run.share(entry)
    return f"{share:.0%}" if share is not None else "?%" if run.limit(entry) else ""


def ulps_text(entry: Entry) -> str:
    """1.2u."""
    return "" if entry.ulps is None else f"{entry.ulps:.2g}u"


def at_odds(run: Run, entry: Entry) -> str:
    """≠ ×1.35, where the medians say so and the pairs do not."""
    ratio = run.at_odds(entry)
    return f"≠ {factor(ratio)}" if ratio else ""


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
