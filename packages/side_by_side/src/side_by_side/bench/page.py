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
from .story import Grid, Shown, grids, headline, ladder_grids, sections, sentences
from .terminal import LEGEND, SIGNS, at_odds, share_text, spread_text, ulps_text, why_not

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
        "sections": [
            {"title": section.title, "grids": [_grid(run, grid) for grid in grids(run, section)]}
            for section in sections(run)
        ],
        "ladder": [_grid(run, grid) for grid in ladder_grids(run)],
        "rows": [_row(run, entry) for entry in run.shown()],
    }


def _grid(run: Run, grid: Grid) -> dict[str, Any]:
    rows = [{"title": title, "cells": [_cell(run, shown) for shown in row]} for title, row in grid.rows]
    return {"columns": grid.columns, "rows": rows}


def _cell(run: Run, shown: Shown) -> dict[str, Any]:
    if isinstance(shown, str):
        return {**EMPTY, "time": shown, "status": ""}
    if shown is None or shown.status == "not provided":
        return {**EMPTY, "time": NOT_PROVIDED, "status": "none"}
    if shown.time is None:
        return {**EMPTY, "time": why_not(shown), "status": shown.status.replace(" ", "-"), "title": shown.reason}
    base, ratio, share = shown.cell.implementation == BASELINE, shown.ratio, run.share(shown)
    return {
        "time": duration(shown.time.median),
        "spread": spread_text(shown.time),
        "factor": "×1" if base else factor(ratio.median) + SIGNS[shown.verdict] if ratio else "",
        "title": f"{ratio.low:.4g} to {ratio.high:.4g}" if ratio and not ratio.vague else "",
        "status": "base" if base else shown.verdict,
        "noisy": shown.noisy,
        "rest": [text for text in (at_odds(run, shown), share_text(run, shown), ulps_text(shown)) if text],
        "bar": share and round(100 * min(share, 1)),
    }


def _row(run: Run, entry: Entry) -> list[tuple[str, float | str]]:
    """(text, what to sort by) of each column."""
    return [(text, text if key is None else key) for text, key in _columns(run, entry)]


def _columns(run: Run, entry: Entry) -> Iterator[tuple[str, float | str | None]]:
    cell, time, ratio, base = entry.cell, entry.time, entry.ratio, entry.cell.implementation == BASELINE
    for text in (cell.work, cell.size, cell.rung, cell.dtype, cell.device, str(cell.threads), cell.implementation):
        yield text, None
    yield (duration(time.median), time.median) if time else ("", "")
    yield (spread_text(time), time.spread) if time else ("", "")
    yield (factor(ratio.median), ratio.median) if ratio else ("×1", 1.0) if base and time else ("", "")
    if ratio is None or ratio.vague:
        yield from [("?", "") if ratio else ("", "")] * 2
    else:
        yield from [(factor(ratio.low), ratio.low), (factor(ratio.high), ratio.high)]
    yield entry.verdict, None
    share, gflops = run.share(entry), run.gflops(entry)
    yield share_text(run, entry), "" if share is None else share
    yield ("", "") if gflops is None else (f"{gflops:.3g}", gflops)
    yield ("", "") if entry.ulps is None else (f"{entry.ulps:.2g}", entry.ulps)
    note = " ".join(filter(None, ["noisy" if entry.noisy else "", at_odds(run, entry)]))
    if entry.status != "timed":
        note = f"{why_not(entry)}: {entry.reason}" if entry.status in ("wrong", "error") else why_not(entry)
    yield note.replace("\n", " "), None
