"""The document that comes out of a session: all that is shown is made from it. Read with suspicion, written whole."""

import errno
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..tables import UserError
from .cells import AGAIN, BASELINE, Cell, cell_of
from .statistics import MARGIN, NOISY_RATIO, NOISY_TIME, Interval, verdict

FORMAT = "side_by_side bench"
VERSION = 1
MOST_SHARE = 1.1
"""More of the limit than that is noise, and no share."""
STATUSES = ("timed", "wrong", "error", "over budget", "not run", "not provided")


@dataclass
class Entry:
    """What is known of a cell."""

    cell: Cell
    status: str
    reason: str = ""
    time: Interval | None = None
    """Seconds a call."""
    ratio: Interval | None = None
    """Its time in parts of the baseline's, from interleaved pairs."""
    predicted: float | None = None
    """Seconds a call, where it was not timed for that."""
    ulps: float | None = None
    """Largest error, in units in the last place of its tensor's largest element."""

    @property
    def noisy(self) -> bool:
        """Whether other work on the machine disturbed it."""
        loud_time = self.time is not None and self.time.spread > NOISY_TIME
        return loud_time or (self.ratio is not None and self.ratio.spread > NOISY_RATIO)

    @property
    def verdict(self) -> str:
        """Against the baseline; empty without a ratio."""
        return verdict(self.ratio) if self.ratio else ""


@dataclass
class Run:
    """A session on one machine."""

    environment: dict[str, Any]
    implementations: dict[str, dict[str, Any]]
    """Name → kind, version, lines of code, and the limit that it is held against."""
    rows: dict[str, dict[str, Any]]
    """work | size | rung → stage, multiply-adds, and the width of a sweep."""
    entries: dict[Cell, Entry]
    workloads: str
    """The digest of what was timed."""
    mode: str = "default"
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    """What was left out, and what went wrong, a sentence each."""
    asked: list[str] = field(default_factory=list)
    """The implementations that were asked for."""

    @property
    def machine(self) -> str:
        """What tells two machines apart."""
        about = self.environment
        parts = [about.get("cpu"), f"{about.get('cores')} cores", about.get("gpu")]
        return " · ".join(str(part) for part in parts if part)

    def multiply_adds(self, cell: Cell) -> int:
        """How many the work of a cell has."""
        return int(self.rows[" | ".join(cell.row)]["multiply_adds"])

    def limit(self, entry: Entry) -> Entry | None:
        """The limit of a cell, if it was timed."""
        name = self.implementations.get(entry.cell.implementation, {}).get("limit")
        found = self.entries.get(entry.cell.limit(name)) if name else None
        return found if found and found.time else None

    def share(self, entry: Entry) -> float | None:
        """The limit's time in parts of the cell's: 1 is as fast as the matrix products alone; None where noise is more.

        From the ratios to the baseline where both have one, for ratios drift less than times.
        """
        share = self._share(entry)
        return share if share is not None and share <= MOST_SHARE else None

    def _share(self, entry: Entry) -> float | None:
        limit = self.limit(entry)
        if limit and limit.ratio and limit.cell.row == entry.cell.row and entry.time:
            if entry.cell == entry.cell.baseline:
                return limit.ratio.median
            if entry.ratio:
                return limit.ratio.median / entry.ratio.median
        return limit.time.median / entry.time.median if limit and limit.time and entry.time else None

    def at_odds(self, entry: Entry) -> float | None:
        """What the two medians say of the ratio, where its interval and that of the pairs do not meet."""
        base = self.entries.get(entry.cell.baseline)
        if not (entry.ratio and entry.time and base and base.time):
            return None
        low, high = entry.time.low / base.time.high, entry.time.high / base.time.low
        agree = low <= entry.ratio.high and entry.ratio.low <= high
        return None if agree else entry.time.median / base.time.median

    def gflops(self, entry: Entry) -> float | None:
        """Billions of floating-point operations of its matrix products a second."""
        return 2 * self.multiply_adds(entry.cell) / entry.time.median / 1e9 if entry.time else None

    def of_kind(self, *kinds: str) -> list[str]:
        """The contenders that were asked for, of these kinds; the baseline too."""
        return [
            name
            for name, about in self.implementations.items()
            if about["kind"] in kinds and (about["kind"] != "implementation" or name in (*self.asked, BASELINE))
        ]

    def same_code(self) -> list[Entry]:
        """The A/A check: the baseline against itself."""
        return [entry for cell, entry in self.entries.items() if cell.implementation == AGAIN and entry.ratio]

    def shown(self) -> Iterator[Entry]:
        """All but the A/A check."""
        return (entry for cell, entry in self.entries.items() if cell.implementation != AGAIN)


@dataclass
class Document:
    """Runs on one or more machines."""

    runs: list[Run]

    def to_json(self) -> str:
        """As text; every number is finite, so that every reader can read it."""
        document = {"format": FORMAT, "version": VERSION, "baseline": BASELINE, "margin": MARGIN}
        return json.dumps({**document, "runs": list(map(_run_to_json, self.runs))}, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Document:
    """A document that was written before. Raises UserError for anything else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path} is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(f"{path} holds no results of side-by-side bench: its format is not {FORMAT!r}")
    if document.get("version") != VERSION:
        raise UserError(f"{path} has version {document.get('version')}, this program reads version {VERSION}")
    if document.get("baseline") != BASELINE:
        raise UserError(f"{path} holds ratios to {document.get('baseline')}, expected {BASELINE}")
    try:
        return Document([_run_from_json(run) for run in document["runs"]])
    except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def merge(documents: Sequence[tuple[Path, Document]]) -> Document:
    """All runs in one document; runs on one machine become one.

    Raises UserError where they cannot stand side by side: other workloads, another mode, a cell that was timed twice.
    """
    runs: list[Run] = []
    first, reference = documents[0][0], documents[0][1].runs[0]
    for path, document in documents:
        for run in document.runs:
            if run.workloads != reference.workloads:
                said = f"{first} has {reference.workloads}, {path} has {run.workloads}"
                raise UserError(f"not comparable, the workloads are not the same: {said}; time both with one version")
            if run.mode != reference.mode:
                raise UserError(f"not comparable: {first} is a {reference.mode} run, {path} a {run.mode} one")
            known = next((known for known in runs if known.machine == run.machine), None)
            if known is None:
                runs.append(run)
            else:
                _unite(known, run, path)
    return Document(runs)


def _unite(known: Run, run: Run, path: Path) -> None:
    """Add the cells of another run on the same machine."""
    for what in ("python", "versions", "libraries", "switches"):
        if known.environment.get(what) != run.environment.get(what):
            said = f"{known.environment.get(what)} and {run.environment.get(what)}"
            raise UserError(
                f"not comparable: {path} is from the same machine, {known.machine}, with other {what}: {said}"
            )
    both = [
        cell for cell in run.entries if cell in known.entries and _timed_twice(known.entries[cell], run.entries[cell])
    ]
    if both:
        named = f"{both[0]} by {both[0].implementation}"
        raise UserError(f"not comparable: {len(both)} cells were timed twice on {known.machine}, such as {named}")
    better = {cell: entry for cell, entry in run.entries.items() if entry.time or cell not in known.entries}
    known.entries |= better
    known.implementations |= run.implementations
    known.rows |= run.rows
    known.seconds += run.seconds
    known.notes = list(dict.fromkeys([*known.notes, *run.notes]))
    known.asked = list(dict.fromkeys([*known.asked, *run.asked]))


def _timed_twice(a: Entry, b: Entry) -> bool:
    return a.time is not None and b.time is not None


def write_all(folder: Path, files: dict[str, str]) -> None:
    """Write the files, each whole or not at all, and none if one cannot be. Raises UserError then."""
    waiting: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
            temporary = path.with_name(f".{name}.{os.getpid()}")
            waiting.append((temporary, path))
            temporary.write_text(text, encoding="utf-8")
        for temporary, path in waiting:
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}") from error
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Make the folder. Raises UserError, before minutes are spent, when results could not be saved there."""
    trial = folder / f".trial.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UserError(f"cannot write into {folder}: {error.strerror}") from error


def _run_to_json(run: Run) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(run).items() if name != "entries"}
    return {**plain, "cells": [_entry_to_json(run, entry) for entry in run.entries.values()]}


def _entry_to_json(run: Run, entry: Entry) -> dict[str, Any]:
    facts = {
        "time": _interval_to_json(entry.time),
        "ratio": _interval_to_json(entry.ratio),
        "verdict": entry.verdict,
        "noisy": entry.noisy,
        "ratio_of_medians": run.at_odds(entry),
        "share": run.share(entry),
        "gflops": run.gflops(entry),
        "ulps": entry.ulps,
        "predicted": entry.predicted,
        "reason": entry.reason,
    }
    kept = {name: value for name, value in facts.items() if value is not None and value != ""}
    return {**entry.cell._asdict(), "status": entry.status, **kept}


def _interval_to_json(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else interval._asdict()


def _run_from_json(run: dict[str, Any]) -> Run:
    entries = (_entry_from_json(entry) for entry in run["cells"])
    names = ("environment", "implementations", "rows", "workloads", "mode", "seconds", "notes", "asked")
    found = Run(entries={entry.cell: entry for entry in entries}, **{name: run[name] for name in names})
    for cell in found.entries:
        if cell.implementation != AGAIN:
            found.multiply_adds(cell)
            found.implementations[cell.implementation]["kind"]
    return found


def _entry_from_json(entry: dict[str, Any]) -> Entry:
    if entry["status"] not in STATUSES:
        raise ValueError(f"unknown status {entry['status']!r}")
    return Entry(
        cell_of(entry),
        entry["status"],
        str(entry.get("reason", "")),
        _interval_from_json(entry.get("time")),
        _interval_from_json(entry.get("ratio")),
        entry.get("predicted"),
        entry.get("ulps"),
    )


def _interval_from_json(interval: dict[str, Any] | None) -> Interval | None:
    if interval is None:
        return None
    found = Interval(**{name: float(interval[name]) for name in Interval._fields})
    if not all(map(math.isfinite, found)) or not 0 < found.low <= found.median <= found.high:
        raise ValueError(f"no interval: {interval}")
    return found


def problems(document: Document) -> list[str]:
    """What is wrong, a sentence each: wrong answers, errors, cells that were never reached."""
    said = []
    for run in document.runs:
        for entry in run.shown():
            if entry.status in ("wrong", "error"):
                reason = next(iter(entry.reason.splitlines()), "")
                said.append(f"{entry.cell.implementation}: {entry.cell}: {entry.status}: {reason}")
        missing = [entry for entry in run.shown() if entry.status == "not run" and entry.reason == INTERRUPTED]
        if missing:
            rows = summary(dict.fromkeys(str(entry.cell) for entry in missing))
            said.append(f"not run: {len(missing)} of {len(run.entries)} cells; the run ended early: {rows}")
    return said


INTERRUPTED = "the run ended early"


def summary(names: Iterable[str], most: int = 4) -> str:
    """The first few, and how many more."""
    listed = list(names)
    return "; ".join(listed[:most]) + (f"; and {len(listed) - most} more" if len(listed) > most else "")
