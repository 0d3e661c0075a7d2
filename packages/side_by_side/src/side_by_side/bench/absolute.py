"""Absolute times: pytest-benchmark runs the workloads of shared_specs, in a process of its own."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cells import Cell, Mode, cell_of
from .processes import Process, scratch

BENCH_FILE = "shared_specs.benchmarks.bench_workloads"
Outcome = dict[str, Any]


@dataclass(frozen=True)
class History:
    """Where pytest-benchmark keeps earlier runs, and what counts as a regression, "median:25%"."""

    folder: Path
    commit: str
    compare: bool = False
    fail: str | None = None


@dataclass
class Measured:
    """What came of it."""

    outcomes: dict[Cell, Outcome]
    interrupted: bool = False
    regressions: Sequence[str] = ()


def measure(cells: Sequence[Cell], mode: Mode, history: History | None, begins: Callable[[Cell], object]) -> Measured:
    """Time the cells, all of one number of threads. A crash ends the cell it came in; the others are taken up again."""
    measured = Measured({})
    left = list(cells)
    while left and not measured.interrupted:
        crashed = _once(left, mode, history, begins, measured)
        if crashed is None:
            break
        left = [cell for cell in left if cell not in measured.outcomes]
    return measured


def _once(
    cells: Sequence[Cell], mode: Mode, history: History | None, begins: Callable[[Cell], object], measured: Measured
) -> Cell | None:
    """A process; returns the cell that it crashed in, if it did."""
    running: Cell | None = None
    with scratch() as name:
        process = Process(list(command(cells, mode, history, Path(name))), cells[0].threads, Path(name))
        for event in process.run():
            if "begins" in event:
                running = cell_of(event["begins"])
                begins(running)
            elif "ended" in event:
                cell = cell_of(event.pop("ended"))
                measured.outcomes.setdefault(cell, event)
                running = None
        measured.interrupted = process.interrupted or process.code == 2
        measured.regressions = [*measured.regressions, *_regressions(process)]
        if measured.interrupted or process.code in (0, 1, 5):
            return None
        reason = f"the process ended with code {process.code}: {process.last_words()}"
    if running is None:  # not even the first cell began: no use to try again
        for cell in cells:
            measured.outcomes.setdefault(cell, {"status": "error", "reason": reason})
        return None
    measured.outcomes[running] = {"status": "error", "reason": reason}
    return running


def command(cells: Sequence[Cell], mode: Mode, history: History | None, folder: Path) -> Iterator[str]:
    """The pytest that measures: no configuration but ours, so that it runs alike from every folder."""
    planned = folder / "cells.json"
    planned.write_text(json.dumps(cells), encoding="utf-8")
    yield from ("-m", "pytest", "--pyargs", BENCH_FILE, "-p", "side_by_side.bench.watch", "-p", "no:cacheprovider")
    yield from ("-p", "pytest_benchmark.plugin", "-p", "shared_specs.plugin", "-q", "--tb=line")
    yield from ("-c", os.devnull, f"--rootdir={folder}", "--import-mode=importlib")
    yield from (f"--cells={planned}", f"--budget={mode.budget}", f"--watch={folder / 'events.jsonl'}")
    yield from (f"--benchmark-max-time={mode.max_time}", f"--benchmark-min-rounds={mode.min_rounds}")
    yield from ("--benchmark-min-time=0.0005", "--benchmark-disable-gc", "--benchmark-warmup=on")
    yield "--benchmark-warmup-iterations=1"
    if history:
        threads = cells[0].threads
        yield f"--benchmark-storage=file://{history.folder.resolve()}/{threads}_threads"
        yield f"--benchmark-save={history.commit.partition(' ')[0]}"
        yield f"--commit={history.commit}"
        if history.compare:
            yield "--benchmark-compare"
            yield f"--benchmark-compare-fail={history.fail}"


def _regressions(process: Process) -> Iterator[str]:
    """What pytest-benchmark says of cells that have become slower."""
    lines = process.log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        if "has regressed" in line or (line.startswith("\t") and "Field" in line):
            yield line.strip()
