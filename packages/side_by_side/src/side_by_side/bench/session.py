"""A session: plan, absolute times, ratios from several fresh processes, and a document, whatever happens."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..tables import UserError
from . import absolute
from .absolute import History
from .cells import AGAIN, BASELINE, Cell, Settings, where
from .elsewhere import add_ladder
from .environment import commit
from .plan import settings_text
from .processes import ask, pairing
from .results import INTERRUPTED, Document, Entry, Run, summary
from .statistics import MARGIN, Interval, median_interval

IMPORTS = 4.0  # seconds that a process takes to load all libraries, about
OVERHEAD = 0.15  # seconds a cell: preparing and checking it

LONG = 5.0  # seconds of all pairs of a cell, from which on it may be left out
SHORT = 0.05  # seconds a call, up to which limits and the A/A check are paired, too

Listener = Callable[[str, float, float], object]
"""Hears what runs now, how many seconds of work are done, and of how many, both estimated."""


def silent(what: str, done: float, total: float) -> None:
    """A Listener that nobody listens to."""


@dataclass
class Session:
    """What is being measured."""

    settings: Settings
    listener: Listener = silent
    history: Path | None = None
    compare: bool = False
    fail: str | None = None
    regressions: list[str] = field(default_factory=list)
    interrupted: bool = False
    began: float = 0.0
    done: float = 0.0
    total: float = 1.0

    def run(self) -> Document:
        """Time everything. Ctrl-C ends the run, and what was measured is kept.

        Raises UserError when there is nothing to time.
        """
        self.began = time.monotonic()
        self.listener("looking at what is here", 0, 1)
        plan = ask("side_by_side.bench.plan", settings_text(self.settings))
        run = _empty(plan, self.settings)
        self._absolute(run)
        self._ratios(run)
        self._elsewhere(run)
        for entry in run.entries.values():
            if entry.status == "not run" and not entry.reason:
                entry.reason = INTERRUPTED
        run.seconds = time.monotonic() - self.began
        return Document([run])

    def _absolute(self, run: Run) -> None:
        waiting = [cell for cell, entry in run.entries.items() if entry.status == "not run" and not entry.reason]
        waiting = [cell for cell in waiting if cell.implementation != AGAIN]
        self.total = self._absolute_cost(waiting) + self._ratio_cost(run, waiting)
        history = History(self.history, commit() or "unversioned", self.compare, self.fail) if self.history else None
        for cells in _by_threads(waiting):
            if self.interrupted:
                break
            self._spent(f"loading, {where('cpu', cells[0].threads)}", IMPORTS)
            measured = absolute.measure(cells, self.settings.mode, history, self._begins)
            for cell, outcome in measured.outcomes.items():
                _take_in(run.entries[cell], outcome)
            self.interrupted = measured.interrupted
            self.regressions += measured.regressions

    def _begins(self, cell: Cell) -> None:
        self._spent(f"{cell} · {cell.implementation}", self.settings.mode.max_time + OVERHEAD)

    def _absolute_cost(self, cells: Sequence[Cell]) -> float:
        return len(cells) * (self.settings.mode.max_time + OVERHEAD) + IMPORTS * len(_by_threads(cells))

    def _ratio_cost(self, run: Run, cells: Iterable[Cell]) -> float:
        pairs = [cell for cell in cells if not _only_timed(run, cell)]
        each = sum(self._pair_cost(run, cell) for cell in pairs) + IMPORTS * len(_by_threads(pairs))
        return each * self.settings.mode.processes

    def _pair_cost(self, run: Run, cell: Cell) -> float:
        """Preparing, warming up, and the blocks."""
        times = [run.entries[each].time for each in (cell, cell.baseline) if each in run.entries]
        call = sum(found.median for found in times if found)
        return OVERHEAD / 3 + max(2 * self.settings.mode.pair_time, 4 * call)

    def _ratios(self, run: Run) -> None:
        cells = [cell for cell in run.entries if _has_ratio(run, cell)]
        cells = self._that_fit(run, cells)
        ratios: dict[Cell, list[list[float]]] = defaultdict(list)
        each = self._ratio_cost(run, [cell for cell in cells if cell.implementation != AGAIN])
        self.total = self.done + each
        processes = self.settings.mode.processes
        for number in range(processes):
            for group in _by_threads(cells):
                if self.interrupted:
                    break
                self._pairs(run, group, number, ratios)
        for cell, found in ratios.items():
            run.entries[cell].ratio, run.entries[cell].status = combined(found), "timed"
            if len(found) < processes:
                run.notes.append(f"{cell} · {cell.implementation}: {len(found)} of {processes} processes gave a ratio")
        for cell in list(run.entries):
            if cell.implementation == AGAIN and cell not in ratios:
                del run.entries[cell]

    def _that_fit(self, run: Run, cells: Sequence[Cell]) -> list[Cell]:
        """The cells without the longest pairs, where a slow machine has no time for all; which these are is noted."""
        spent, processes = time.monotonic() - self.began, self.settings.mode.processes
        costs = {cell: self._pair_cost(run, cell) * processes for cell in cells}
        needed = sum(costs.values()) + IMPORTS * len(_by_threads(cells)) * processes
        left_out: list[Cell] = []
        for cell in sorted(cells, key=lambda cell: costs[cell], reverse=True):
            if needed <= self.settings.mode.seconds - spent or costs[cell] < LONG:
                break
            left_out.append(cell)
            needed -= costs[cell]
        if left_out:
            named = summary(f"{cell} · {cell.implementation}" for cell in left_out)
            run.notes.append(f"no ratio of {len(left_out)} cells, for lack of time on this machine: {named}")
        return [cell for cell in cells if cell not in left_out]

    def _pairs(self, run: Run, cells: Sequence[Cell], number: int, ratios: dict[Cell, list[list[float]]]) -> None:
        """One fresh process."""
        head = f"pairs {number + 1} of {self.settings.mode.processes}"
        self._spent(f"{head} · loading", IMPORTS)
        pairs = [(cell, cell.baseline) for cell in cells]
        running: Cell | None = None
        with pairing(pairs, number, self.settings.mode.pair_time) as process:
            for event in process.run():
                if "begins" in event:
                    running = Cell(**event["begins"])
                    cost = 0.0 if running.implementation == AGAIN else self._pair_cost(run, running)
                    self._spent(f"{head} · {running} · {running.implementation}", cost)
                elif "ended" in event:
                    ratios[Cell(**event["ended"])].append(event["ratios"])
                elif "failed" in event:
                    cell = Cell(**event["failed"])
                    run.notes.append(f"{head}: {cell} · {cell.implementation}: {event['reason']}")
            self.interrupted = process.interrupted
            if process.code and not process.interrupted:
                at = f" in {running} · {running.implementation}" if running else ""
                said = f"the process ended with code {process.code}{at}: {process.last_words()}"
                run.notes.append(f"{head}: {said}")

    def _elsewhere(self, run: Run) -> None:
        try:
            if not self.interrupted:
                add_ladder(run, self.settings.mode)
        except KeyboardInterrupt:
            self.interrupted = True

    def _spent(self, what: str, seconds: float) -> None:
        self.listener(what, self.done, max(self.total, self.done))
        self.done += seconds


def combined(processes: Sequence[Sequence[float]]) -> Interval:
    """The median of the processes' medians: what differs from process to process counts as noise, too.

    Of a single process, the median of its blocks.
    """
    if len(processes) == 1:
        return median_interval(processes[0])
    return median_interval([median_interval(blocks).median for blocks in processes])


def aa_check(run: Run) -> str:
    """One sentence: how far the same code under two names was from itself."""
    same = run.same_code()
    if not same:
        return "A/A check: not run."
    ratios = [entry.ratio for entry in same if entry.ratio]
    false = [entry for entry in same if entry.verdict in ("faster", "slower")]
    unclear = [entry for entry in same if entry.verdict == "unclear"]
    worst = max(abs(ratio.median - 1) for ratio in ratios)
    return (
        f"A/A check: {BASELINE} against itself in {len(same)} pairs: {len(false)} false differences outside "
        f"±{MARGIN:.0%}, {len(unclear)} unclear, largest deviation {worst:.2%}."
    )


def _empty(plan: dict[str, Any], settings: Settings) -> Run:
    if settings.stages and settings.sizes and not plan["cells"]:
        raise UserError(f"no work of stage {', '.join(settings.stages)} has the size {'; '.join(settings.sizes)}")
    entries: dict[Cell, Entry] = {}
    for planned in plan["cells"]:
        cell = Cell(*planned["cell"])
        why = planned["hindrance"]
        entries[cell] = Entry(cell, "not provided" if why == "" else "not run", why or "")
        if cell.implementation == BASELINE and cell.work != "sweep" and why is None:
            entries[cell.by(AGAIN)] = Entry(cell.by(AGAIN), "not run")
    if not any(entry.status == "not run" and not entry.reason for entry in entries.values()):
        reasons = [*plan["left_out"], *(f"{name}: {why}" for name, why in plan["broken"].items())]
        raise UserError(f"no workload that can be timed: {'; '.join(reasons) or 'nothing is left of all rows'}")
    notes = [*plan["left_out"], *(f"{name}: {why}" for name, why in plan["broken"].items())]
    about = {**plan["environment"], "commit": commit(), "made": time.strftime("%Y-%m-%d %H:%M %z")}
    asked = list(settings.implementations)
    known = plan["implementations"]
    return Run(about, known, plan["rows"], entries, plan["workloads"], settings.mode.name, notes=notes, asked=asked)


def _take_in(entry: Entry, outcome: dict[str, Any]) -> None:
    entry.status, entry.reason = outcome["status"], outcome.get("reason", "")
    entry.predicted, entry.ulps = outcome.get("predicted"), outcome.get("ulps")
    if entry.status == "timed":
        entry.time = median_interval(outcome["seconds"])


def _has_ratio(run: Run, cell: Cell) -> bool:
    """Whether both it and its baseline gave the right answer in time."""
    base = run.entries.get(cell.baseline)
    if base is None or base.time is None or cell.implementation == BASELINE:
        return False
    if cell.implementation == AGAIN:
        return base.time.median <= SHORT
    return run.entries[cell].time is not None and not _only_timed(run, cell)


def _only_timed(run: Run, cell: Cell) -> bool:
    """Whether its absolute time is enough: of limits that are far away, many, or long."""
    entry = run.entries[cell]
    far = cell.work in ("sweep", "matmul") or cell.implementation == "limit:python"
    long = entry.time is not None and entry.time.median > SHORT
    return run.implementations[cell.implementation]["kind"] == "limit" and (far or long)


def _by_threads(cells: Iterable[Cell]) -> list[list[Cell]]:
    groups: dict[int, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.threads].append(cell)
    return list(groups.values())
