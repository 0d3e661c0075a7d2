"""What the numbers say: the matmul ladder beside the published ones, crossovers, and sentences made from them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any, NamedTuple, TypeAlias

from ..tables import NOT_PROVIDED, duration, factor
from .cells import BASELINE, Cell, where
from .results import Entry, Run
from .statistics import Interval, crossings, geometric_mean

PUBLISHED: dict[str, dict[str, float]] = {
    "fastbook ch. 17": {
        "loops": 1.15,
        "elementwise": 1.7e-3,
        "broadcast": 357e-6,
        "einsum": 68.7e-6,
        "builtin": 14e-6,
    },
    "its second edition": {
        "loops": 211e-3,
        "elementwise": 257e-6,
        "broadcast": 43.9e-6,
        "einsum": 19e-6,
        "builtin": 8.15e-6,
    },
    "fast.ai part 2, 2022": {"loops": 421e-3, "elementwise": 598e-6, "broadcast": 70.1e-6},
}
"""Seconds a product of 5×784 and 784×10, each on its authors' machine."""  # fmt: skip

NETS = "neuron, nets and an epoch"
GROUPS = {
    NETS: ("neuron", "forward", "loss_and_grads", "train step", "bare steps", "epoch"),
    "matmul ladder": ("matmul",),
    "sweep of widths": ("sweep",),
}
TOP = "loops"
MOST_COLUMNS = 6  # of so many no name breaks where 120 characters stand in a line


class Section(NamedTuple):
    """A table: rows of one kind, in one dtype, on one device with so many threads."""

    title: str
    group: str
    rows: list[tuple[str, str, str]]
    section: tuple[str, str, int]


class Title(NamedTuple):
    """What a row or a column holds, and more of it in smaller letters."""

    text: str
    detail: str = ""


Shown: TypeAlias = Entry | str | None


class Grid(NamedTuple):
    """A table as it is shown: titles above, and rows of a title and what stands there."""

    columns: list[Title]
    rows: list[tuple[Title, list[Shown]]]


class Crossing(NamedTuple):
    """At this width of the sweep, `winner` overtakes `loser`."""

    loser: str
    winner: str
    width: float
    seconds: float


def sections(run: Run) -> Iterator[Section]:
    """The tables of a run."""
    for section in dict.fromkeys(entry.cell.section for entry in run.shown()):
        for group, works in GROUPS.items():
            cells = [entry.cell for entry in run.shown() if entry.cell.section == section and entry.cell.work in works]
            cells = [cell for cell in cells if run.implementations[cell.implementation]["kind"] != "limit"]
            if rows := list(dict.fromkeys(cell.row for cell in cells)):
                yield Section(f"{group} · {_place(section)}", group, rows, section)


def _place(section: tuple[str, str, int]) -> str:
    dtype, device, threads = section
    return f"{dtype} on {where(device, threads)}"


def entry_at(run: Run, row: tuple[str, str, str], section: tuple[str, str, int], name: str) -> Entry | None:
    """The entry of a cell, if there is one."""
    return run.entries.get(Cell(*row, *section, name))


def grids(run: Run, section: Section) -> Iterator[Grid]:
    """A row a workload, a column an implementation, and at the end the mean factors; or turned."""
    everybody = run.of_kind("implementation", "peer")
    names = [name for name in everybody if any(_provides(run, row, section, name) for row in section.rows)]
    rows: list[tuple[Title, list[Shown]]] = [
        (
            Title(size) if work == "sweep" else Title(rung or work, size),
            [entry_at(run, (work, size, rung), section.section, name) for name in names],
        )
        for work, size, rung in section.rows
    ]
    means, complete = mean_factors(run, section, names)
    if len(means) > 1 and complete > 1:
        title = Title("mean factor", f"of the {complete} of {len(rows)} rows that all completed")
        rows.append((title, [factor(means[name]) for name in names]))
    return laid_out([Title(name.removeprefix("peer:")) for name in names], rows)


def _provides(run: Run, row: tuple[str, str, str], section: Section, name: str) -> bool:
    entry = entry_at(run, row, section.section, name)
    return entry is not None and entry.status != "not provided"


def ladder_grids(run: Run) -> Iterator[Grid]:
    """Every rung in every implementation, and the published ones."""
    ours = ladder(run)
    columns = {**ours, **PUBLISHED} if ours else {}
    rungs = dict.fromkeys(rung for column in [*PUBLISHED.values(), *columns.values()] for rung in column)
    rows: list[tuple[Title, list[Shown]]] = [
        (Title(rung), [duration(column[rung]) if rung in column else NOT_PROVIDED for column in columns.values()])
        for rung in rungs
    ]
    return laid_out(list(map(Title, columns)), rows) if ours else iter(())


def laid_out(columns: list[Title], rows: list[tuple[Title, list[Shown]]]) -> Iterator[Grid]:
    """As it is; with more than six columns, turned: at most six to a table, one kind of work in one where it fits."""
    if len(columns) <= MOST_COLUMNS:
        yield Grid(columns, rows)
        return
    for block in _blocks(rows):
        titles, cells = zip(*block, strict=True)
        yield Grid(
            list(titles), [(name, list(row)) for name, row in zip(columns, zip(*cells, strict=True), strict=True)]
        )


def _blocks(rows: list[tuple[Title, list[Shown]]]) -> Iterator[list[tuple[Title, list[Shown]]]]:
    block: list[tuple[Title, list[Shown]]] = []
    for _, same in groupby(rows, key=lambda row: row[0].text):
        group = list(same)
        if block and len(block) + len(group) > MOST_COLUMNS:
            yield block
            block = []
        block += group
        while len(block) > MOST_COLUMNS:
            yield block[:MOST_COLUMNS]
            block = block[MOST_COLUMNS:]
    yield block


def mean_factors(run: Run, section: Section, names: Sequence[str]) -> tuple[dict[str, float], int]:
    """Name → geometric mean of its factors, over the rows that all completed; and how many these are.

    Of the nets alone: rungs and widths are not a choice of typical work.
    """
    if section.group != NETS:
        return {}, 0
    found = [[entry_at(run, row, section.section, name) for name in names] for row in section.rows]
    factors = [[_factor(entry) for entry in row] for row in found]
    whole = [[value for value in row if value is not None] for row in factors]
    whole = [row for row in whole if len(row) == len(names)]
    if not whole:
        return {}, 0
    return {name: geometric_mean([row[i] for row in whole]) for i, name in enumerate(names)}, len(whole)


def _factor(entry: Entry | None) -> float | None:
    if entry is None or entry.time is None:
        return None
    if entry.cell.implementation == BASELINE:
        return 1.0
    return entry.ratio.median if entry.ratio else None


def ladder(run: Run) -> dict[str, dict[str, float]]:
    """Implementation → rung → seconds, in float64 on one thread of the CPU."""
    found: dict[str, dict[str, float]] = {}
    for entry in run.shown():
        cell = entry.cell
        kind = run.implementations[cell.implementation]["kind"]
        if cell.work == "matmul" and cell.section == ("float64", "cpu", 1) and entry.time and kind == "implementation":
            found.setdefault(cell.implementation, {})[cell.rung] = entry.time.median
    return found


def sweep(run: Run, section: tuple[str, str, int]) -> tuple[list[int], dict[str, list[Interval | None]]]:
    """The widths, and name → seconds at each, None where it was not timed."""
    entries = [entry for entry in run.shown() if entry.cell.work == "sweep" and entry.cell.section == section]
    widths = sorted({width(run, entry.cell) for entry in entries})
    curves: dict[str, list[Interval | None]] = {}
    for entry in entries:
        curve = curves.setdefault(entry.cell.implementation, [None] * len(widths))
        curve[widths.index(width(run, entry.cell))] = _steady(run, entry)
    return widths, {name: curve for name, curve in curves.items() if any(curve)}


def width(run: Run, cell: Cell) -> int:
    """The hidden width of a cell of the sweep."""
    return int(run.rows[" | ".join(cell.row)]["width"])


def _steady(run: Run, entry: Entry) -> Interval | None:
    """Its seconds. Where there is a ratio: the baseline's median times the ratio, for ratios drift less than times."""
    base = run.entries.get(entry.cell.baseline)
    if base is None or base.time is None:
        return entry.time
    unit = base.time.median
    if entry is base:
        return Interval(unit, unit, unit, 1.0)
    if entry.ratio is None:
        return entry.time
    ratio = entry.ratio
    return Interval(ratio.median * unit, ratio.low * unit, ratio.high * unit, ratio.confidence)


def crossings_of(run: Run, section: tuple[str, str, int]) -> list[Crossing]:
    """Where one implementation overtakes another as nets grow wider."""
    widths, curves = sweep(run, section)
    names = [name for name in curves if run.implementations[name]["kind"] != "limit"]
    found = [
        Crossing(*((a, b) if a_was_faster else (b, a)), x, _at(widths, curves[a], x))
        for a, b in combinations(names, 2)
        for x, a_was_faster in crossings(widths, curves[a], curves[b])
    ]
    return sorted(found, key=lambda crossing: crossing.width)


def _at(widths: Sequence[int], curve: Sequence[Interval | None], x: float) -> float:
    """The curve at x, between its points as a straight line on logarithmic axes."""
    points = [(w, y.median) for w, y in zip(widths, curve, strict=True) if y]
    (w0, y0), (w1, y1) = next(pair for pair in pairwise(points) if pair[0][0] <= x <= pair[1][0])
    return float(y0 * (y1 / y0) ** (math.log(x / w0) / math.log(w1 / w0)))


def sentences(run: Run) -> Iterator[str]:
    """What a reader would want to be told, each from the numbers."""
    if ours := ladder(run):
        yield from _of_ladders({**ours, **PUBLISHED})
    for section in dict.fromkeys(entry.cell.section for entry in run.shown() if entry.cell.work == "sweep"):
        place = _place(section)
        found = crossings_of(run, section)
        widths, _ = sweep(run, section)
        if not found and len(widths) > 1:
            yield f"No curve clearly crosses another between {widths[0]} and {widths[-1]} hidden units ({place})."
        for crossing in found:
            at = f"about {crossing.width:.0f} hidden units ({duration(crossing.seconds)}, {place})"
            yield f"{crossing.winner} overtakes {crossing.loser} at {at}."
    yield from _of_epochs(run)
    yield from _extremes(run)
    timed = [entry for entry in run.shown() if entry.time]
    if noisy := [entry for entry in timed if entry.noisy]:
        yield f"{len(noisy)} of {len(timed)} cells are noisy, marked ~: something else ran on the machine."
    if odd := [entry for entry in timed if run.at_odds(entry)]:
        yield f"In {len(odd)} of {len(timed)} cells the medians tell another ratio than the pairs, which stands at ≠."


def _of_ladders(ladders: dict[str, dict[str, float]]) -> Iterator[str]:
    for name, rungs in ladders.items():
        if TOP in rungs:
            fastest = min(rungs, key=lambda rung: rungs[rung])
            if fastest != TOP:
                times = factor(rungs[TOP] / rungs[fastest]).removeprefix("×")
                said = f"{duration(rungs[TOP])} against {duration(rungs[fastest])}"
                yield f"{name}: the {TOP} rung is {times} times slower than {fastest} ({said})."


def _of_epochs(run: Run) -> Iterator[str]:
    """What loading, shuffling and the loop add to the steps of an epoch."""
    for section in dict.fromkeys(entry.cell.section for entry in run.shown()):
        costs = [
            f"{times:.2f} in {entry.cell.implementation}"
            for entry in run.shown()
            if entry.cell.work == "epoch"
            and entry.cell.section == section
            and run.implementations[entry.cell.implementation]["kind"] == "implementation"
            if (times := _over_bare_steps(run, entry)) is not None
        ]
        if costs:
            yield f"An epoch of digits in parts of its bare train steps: {', '.join(costs)} ({_place(section)})."


def _over_bare_steps(run: Run, entry: Entry) -> float | None:
    """None where one of the two has no ratio: times of two moments differ by more than what is looked for."""
    steps = run.entries.get(entry.cell._replace(work="bare steps"))
    is_baseline = entry.cell == entry.cell.baseline
    if steps is None or not (is_baseline or (entry.ratio and steps.ratio)):
        return None
    whole, bare = _steady(run, entry), _steady(run, steps)
    return whole.median / bare.median if whole and bare else None


def _extremes(run: Run) -> Iterator[str]:
    """Who comes closest to the limit in a train step, and who is furthest from the baseline."""
    steps = [
        entry
        for entry in run.shown()
        if entry.cell.work == "train step"
        and run.implementations[entry.cell.implementation]["kind"] == "implementation"
    ]
    limits = [(entry, run.limit(entry)) for entry in steps if not entry.noisy]
    quiet = [entry for entry, limit in limits if limit and not limit.noisy]
    shares = [(share, entry) for entry in quiet if (share := run.share(entry)) is not None and share <= 1]
    if shares:
        share, entry = max(shares, key=lambda pair: pair[0])
        limit = run.implementations[entry.cell.implementation]["limit"].removeprefix("limit:")
        name = entry.cell.implementation
        yield f"Closest to its limit: {name} reaches {share:.0%} of {limit}'s bare matrix products in {entry.cell}."
    ratios = [(entry.ratio.median, entry) for entry in steps if entry.ratio]
    for pick, word in ((max, "slower"), (min, "faster")):
        if ratios:
            value, entry = pick(ratios, key=lambda pair: pair[0])
            times = value if word == "slower" else 1 / value
            if times > 1.02 and entry.verdict == word:
                said = factor(times).removeprefix("×")
                yield f"{entry.cell.implementation} is {said} times {word} than {BASELINE} in {entry.cell}."


def headline(run: Run) -> list[str]:
    """The machine, in a few lines."""
    about = run.environment
    blas = {
        f"{entry['library']} {entry.get('version') or ''}".strip()
        + (f" ({entry['architecture']})" if entry.get("architecture") else "")
        for entry in about.get("libraries", [])
        if entry["library"] not in ("torch",)
    }
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    load = about.get("load")
    return [
        " · ".join(_known([about.get("cpu"), f"{about.get('cores')} cores", about.get("gpu") or "no GPU"])),
        f"Python {about.get('python')} · {versions}",
        " · ".join(
            _known(
                [
                    f"BLAS and OpenMP: {', '.join(sorted(blas)) or 'none'}",
                    f"commit {about.get('commit') or 'unknown'}",
                    about.get("made"),
                    f"load {load:.1f} at the start" if load is not None else None,
                ]
            )
        ),
        f"Threads pinned before import: {_pinned(about)} · {run.mode} run of {run.seconds:.0f} s",
    ]


def _pinned(about: dict[str, Any]) -> str:
    names = ", ".join(about.get("pinned") or {})
    switches = ", ".join(f"{name}={value}" for name, value in (about.get("switches") or {}).items())
    pinned = f"{names} = the threads of each table" if names else "none"
    return f"{pinned}; set: {switches}" if switches else pinned


def _known(parts: Iterable[object]) -> list[str]:
    return [str(part) for part in parts if part]
