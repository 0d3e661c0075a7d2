"""Writes the pages: what the other modules know, through the templates, into a folder that opens from disk."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from shared_specs import STAGES, registry
from shared_specs.contract import STAGE_NAMES

from ...tables import UserError, duration
from .. import code, trace, values, words
from . import charts, evidence, listing, mistakes, pitfalls, questions, sums
from .formula import mathml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Site:
    """What all pages are made of."""

    nets: Mapping[str, ModuleType]
    evidence: evidence.Evidence


def build(out: Path, reports: Path, results: Path) -> dict[str, int]:
    """Write all pages into a folder; name of each file → its size.

    Raises UserError when an implementation is not installed, or the folder holds something else.
    """
    missing = set(registry.READING_ORDER) - set(registry.implementations())
    if missing:
        raise UserError(f"the pages show all five packages, {', '.join(sorted(missing))} is not installed")
    if out.exists() and any(out.iterdir()) and not (out / "start.js").exists() and not (out / "index.html").exists():
        raise UserError(f"{out} is no folder of pages made before, and not empty")
    evidence.sentences()  # refuses another folder than the repository's, before anything takes long
    nets = {name: registry.load(name) for name in registry.READING_ORDER}
    site = Site(nets, evidence.gather(reports, results))
    pages = dict(_pages(site))
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")
    for path in sorted((HERE / "static").iterdir()):
        shutil.copy(path, out / path.name)
    index = [[name, f"{stage}.html#{name}"] for stage, names in STAGE_NAMES.items() for name in names]
    (out / "names.js").write_text(f"const NAMES = {json.dumps(index)};\n", encoding="utf-8")
    return {path.name: path.stat().st_size for path in sorted(out.iterdir())}


def _pages(site: Site) -> Iterator[tuple[str, str]]:
    fallen = pitfalls.shown()
    for stage in STAGES:
        units = [unit(site, name) for name in STAGE_NAMES[stage]]
        yield f"{stage}.html", render("stage", here=stage, units=units, pitfalls=fallen[stage])
    yield "index.html", start(site.evidence)
    yield "questions.html", render("questions", here="questions", questions=questions.answered())
    tables = {name: _table(array, lambda value, *_: value, name) for name, array in values.V.items()}
    yield "try.html", render("try", here="try", tables=tables)


def render(template: str, **told: Any) -> str:
    """A page, from the template of that name."""
    return _templates().get_template(f"{template}.html.j2").render(**told)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("side_by_side.reading.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals |= {"stages": STAGES, "stage_names": STAGE_NAMES, "said": words.read, "link": link}
    templates.globals["made"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    templates.filters |= {"numbers": trace.numbers, "ulps": trace.ulps, "prose": prose, "duration": duration}
    return templates


def unit(site: Site, name: str) -> dict[str, Any]:
    """All that stands under a name."""
    about, found = words.read("ideas")[name], code.units()[name]
    letters = about.get("letters", {})
    lit = code.symbols(found.definitions) | set(letters.values())
    runs = trace.runs(site.nets, name)
    return {
        "name": name,
        "idea": about["idea"],
        "formula": mathml(about["formula"], letters) if "formula" in about else None,
        "steps": [(mathml(latex, letters), text) for latex, text in about.get("steps", ())],
        "symbols": _buttons(found, letters),
        "definitions": [_definition(d, lit, runs) for d in found.definitions],
        "call": values.CALLS[name],
        "runs": trace.results(runs),
        "cells": _cells(site.nets["pure_python"], name) if name in (*sums.WRITTEN, *sums.DECIDED) else None,
        "sentences": [
            (s.text, [(spec, site.evidence.state(spec)) for spec in s.specs]) for s in evidence.sentences()[name]
        ],
        "specs_from": site.evidence.specs_from,
        "times": site.evidence.times(name),
        "bench_from": site.evidence.bench_from,
        "mistakes": [_mistake(m, lit) for m in mistakes.mistakes() if m.name == name],
    }


def _buttons(found: code.Unit, letters: Mapping[str, str]) -> list[str]:
    """The symbols to choose from: the arguments of the name itself, and what the formula has a letter for."""
    own = [d for d in found.definitions if code.top(d) == found.name]
    said = [argument for definition in own for argument in code.arguments(definition)]
    return [name for name in dict.fromkeys([*said, *letters.values()]) if name not in ("self", "dtype", "device")]


def _definition(definition: code.Definition, lit: frozenset[str], runs: Mapping[str, trace.Run]) -> dict[str, Any]:
    several = len(definition.versions) > 1
    versions = [
        {
            "packages": version.packages,
            "at": _at(definition, version),
            "lines": [
                (line, kept)
                for line, kept in zip(
                    listing.listing(version, lit), trace.beside(definition, version, runs), strict=True
                )
            ],
        }
        for version in definition.versions
    ]
    return {
        "name": definition.name,
        "stage": definition.stage,
        "why": words.read("differences")[definition.name]["why"] if several else None,
        "pairs": listing.pairs(definition, lit),
        "versions": versions,
        "runs": any(kept for version in versions for _, kept in version["lines"]),
    }


def _at(definition: code.Definition, version: code.Version) -> str:
    """Where it stands: backward.py:41, or with a line for each package, in their order, "backward.py:41, 38"."""
    starts = list(version.starts.values())
    return f"{definition.stage}.py:{', '.join(map(str, starts[: 1 if len({*starts}) == 1 else None]))}"


def _cells(net: ModuleType, name: str) -> dict[str, Any]:
    """The arrays that a name is given and its results as tables, each number of a result with its sum."""
    written: list[str] = []

    def given(value: float, *at: Any) -> dict[str, Any]:
        return {"text": trace.numbers(value), "id": sums.cell(*at)}

    def result(term: sums.Term, array: str, *at: int) -> dict[str, Any]:
        place = f"{array}[{', '.join(map(str, at))}]" if at else array
        written.append(f"{place} = {term.text} = {trace.numbers(term.value)}")
        return {"text": trace.numbers(term.value), "id": "", "come_from": " ".join(term.cells), "sum": len(written) - 1}

    arrays = [{"name": key, "rows": _table(array, given, key)} for key, array in values.ARRAYS[name].items()]
    results = [{"name": key, "rows": _table(array, result, key)} for key, array in sums.results(net, name).items()]
    return {"tables": [*arrays, *results], "sums": written}


def _table(array: Any, cell: Callable[..., dict[str, Any]], name: str) -> list[list[dict[str, Any]]]:
    """Rows of cells, of an array of rank 0, 1 or 2."""
    if not isinstance(array, list):
        return [[cell(array, name)]]
    if not isinstance(array[0], list):
        return [[cell(value, name, i) for i, value in enumerate(array)]]
    return [[cell(value, name, i, j) for j, value in enumerate(row)] for i, row in enumerate(array)]


def _mistake(mistake: mistakes.Mistake, lit: frozenset[str]) -> dict[str, Any]:
    wrong = code.Version(mistake.lines, mistake.version.starts)
    return {
        "at": mistake,
        "lines": listing.listing(wrong, lit),
        "right": listing.listing(mistake.version, lit)[mistake.line],
        "number": mistake.first_wrong_number(),
        "breaks": evidence.breaks()[mistake.spec],
    }


def start(found: evidence.Evidence) -> str:
    """The first page."""
    rows = _times(found)
    return render(
        "start",
        here="start",
        evidence=found,
        implementations=registry.READING_ORDER,
        counts=code.counts()._asdict(),
        versions=[
            (name, u.stage, [(d.name, len(d.versions)) for d in u.definitions]) for name, u in code.units().items()
        ],
        rows=rows,
        chart=charts.times(rows, registry.READING_ORDER) if rows else "",
    )


def _times(found: evidence.Evidence) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """(size, dtype) → implementation → the cell of a train step on one thread of the CPU."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in found.cells:
        if cell["work"] == "train step" and cell["device"] == "cpu" and cell["threads"] == 1:
            rows.setdefault((cell["size"], cell["dtype"]), {})[cell["implementation"]] = cell
    return list(rows.items())


def link(name: str) -> str:
    """The address of a name."""
    stage = next(stage for stage, names in STAGE_NAMES.items() if name in names)
    return f"{stage}.html#{name}"


def prose(text: str) -> Markup:
    """Words with `code` in them."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else Markup("{}").format(part) for i, part in enumerate(parts)
    )
