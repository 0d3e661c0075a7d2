"""One HTML file that opens from disk, with nothing to fetch: pictures, tables to sort and filter, sentences."""

import json
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ..tables import NOT_PROVIDED, duration, factor
from .cells import BASELINE
from .charts import charts, library
from .results import Document, Entry, Run
from .session import aa_check
from .story import PUBLISHED, Section, entry_at, headline, ladder, mean_factors, sections, sentences
from .terminal import LEGEND, SIGNS, percent, why_not

COLUMNS = {
    "work": "work", "size": "size", "rung": "rung", "dtype": "dtype", "device": "device", "threads": "threads",
    "who": "implementation", "seconds": "time", "spread": "±", "factor": "factor", "low": "from", "high": "to",
    "verdict": "verdict", "share": "of limit", "gflops": "GFLOP/s", "ulps": "ULPs", "note": "note",
}  # fmt: skip

EMPTY = {"spread": "", "title": "", "noisy": False}


def report(document: Document) -> str:
    """The page."""
    template = Environment(
        loader=PackageLoader("side_by_side.bench"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html.j2")
    runs = [_about(run) for run in document.runs]
    specs = [chart["spec"] for run in runs for chart in run["charts"]]
    return template.render(
        runs=runs,
        legend=" ".join(LEGEND),
        library=Markup(library()),  # vl-convert's own script
        specs=Markup(safe_json(specs)),  # made safe there
        columns=COLUMNS,
        filters=("work", "size", "dtype", "device", "threads", "who", "verdict"),
    )


def safe_json(value: Any) -> str:
    """JSON that may stand in a script: nothing in it ends the script."""
    return json.dumps(value, allow_nan=False).replace("</", "<\\/").replace("<!--", "<\\!--")


def _about(run: Run) -> dict[str, Any]:
    return {
        "machine": run.machine,
        "headline": headline(run),
        "sentences": list(sentences(run)),
        "aa": aa_check(run),
        "notes": run.notes,
        "charts": charts(run),
        "sections": [_table(run, section) for section in sections(run)],
        "ladder": _ladder(run),
        "rows": [_row(run, entry) for entry in run.shown()],
    }


def _table(run: Run, section: Section) -> dict[str, Any]:
    names = run.of_kind("implementation", "peer")
    names = [name for name in names if any(entry_at(run, row, section.section, name) for row in section.rows)]
    means, complete = mean_factors(run, section, names)
    shown = len(means) > 1 and complete > 1
    return {
        "title": section.title,
        "names": names,
        "rows": [
            {
                "work": work,
                "rung": rung,
                "size": size,
                "cells": [_cell(run, entry_at(run, (work, size, rung), section.section, name)) for name in names],
            }
            for work, size, rung in section.rows
        ],
        "means": [factor(means[name]) for name in names] if shown else [],
        "complete": complete,
    }


def _cell(run: Run, entry: Entry | None) -> dict[str, Any]:
    if entry is None or entry.status == "not provided":
        return {**EMPTY, "time": NOT_PROVIDED, "status": "none"}
    if entry.time is None:
        return {**EMPTY, "time": why_not(entry), "status": entry.status.replace(" ", "-"), "title": entry.reason}
    share = run.share(entry)
    base = entry.cell.implementation == BASELINE
    return {
        "time": duration(entry.time.median),
        "spread": f"±{percent(entry.time.spread)}",
        "factor": "×1" if base else factor(entry.ratio.median) + SIGNS[entry.verdict] if entry.ratio else "",
        "title": "" if entry.ratio is None else f"{entry.ratio.low:.4g} to {entry.ratio.high:.4g}",
        "status": "base" if base else entry.verdict,
        "noisy": entry.noisy,
        "share": "" if share is None else f"{share:.0%}",
        "bar": 0 if share is None else round(100 * min(share, 1)),
        "ulps": "" if entry.ulps is None else f"{entry.ulps:.2g} ULP",
    }


def _ladder(run: Run) -> dict[str, Any] | None:
    ours = ladder(run)
    columns: dict[str, dict[str, float]] = {**ours, **PUBLISHED}
    rungs = dict.fromkeys([*PUBLISHED["fastbook ch. 17"], *(rung for column in ours.values() for rung in column)])
    if not ours:
        return None
    rows = [
        (rung, [duration(column[rung]) if rung in column else NOT_PROVIDED for column in columns.values()])
        for rung in rungs
    ]
    return {"names": list(columns), "rows": rows}


def _row(run: Run, entry: Entry) -> list[tuple[str, float | str]]:
    """(text, what to sort by) of each column."""
    return [(text, text if key is None else key) for text, key in _columns(run, entry)]


def _columns(run: Run, entry: Entry) -> Iterator[tuple[str, float | str | None]]:
    cell, time, ratio = entry.cell, entry.time, entry.ratio
    for text in (cell.work, cell.size, cell.rung, cell.dtype, cell.device, str(cell.threads), cell.implementation):
        yield text, None
    yield (duration(time.median), time.median) if time else ("", "")
    yield (percent(time.spread), time.spread) if time else ("", "")
    for value in (ratio.median, ratio.low, ratio.high) if ratio else ():
        yield factor(value), value
    if ratio is None:
        yield from [("×1", 1.0) if cell.implementation == BASELINE and time else ("", ""), ("", ""), ("", "")]
    yield entry.verdict, None
    share, gflops = run.share(entry), run.gflops(entry)
    yield ("", "") if share is None else (f"{share:.0%}", share)
    yield ("", "") if gflops is None else (f"{gflops:.3g}", gflops)
    yield ("", "") if entry.ulps is None else (f"{entry.ulps:.2g}", entry.ulps)
    note = "noisy" if entry.noisy else ""
    if entry.status != "timed":
        note = f"{why_not(entry)}: {entry.reason}" if entry.status in ("wrong", "error") else why_not(entry)
    yield note.replace("\n", " "), None
