"""How long a package may take at most, in parts of what somebody else takes for the same work."""

import platform
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from shared_specs.workloads.rows import DIGITS_SIZE, NETS

from ..tables import UserError, factor, framed, table
from .cells import Cell, all_threads
from .environment import cpu
from .processes import pairing
from .results import INTERRUPTED
from .session import Listener, combined
from .statistics import CONFIDENCE, MARGIN, Interval

PROCESSES = 6  # the fewest whose medians give an interval of 95 %
PAIR_TIME = 0.2  # seconds of a pair in each of them
TIE = 1 + MARGIN
RIVALS = {
    "micrograd": "peer:micrograd",
    "torch.nn + SGD": "peer:torch.nn",
    "fastai's Learner": "peer:fastai",
    "bare dot products": "limit:python",
    "bare GEMMs of NumPy": "limit:numpy",
    "bare GEMMs of torch": "limit:torch",
}
NOTES = (
    "Median of six processes' paired ratios, and its 95 % interval; ? where it is wider than the value.",
    "unclear: the interval holds the limit. A tie is within ±2 %.",
)
STYLES = {"met": "bold green", "unclear": "yellow", "missed": "red"}


class Goal(NamedTuple):
    """At most so many times the rival's time, in float64 for Python, in float32 for NumPy and torch."""

    package: str
    size: str
    most: float
    rival: str
    work: str = "train step"

    @property
    def cell(self) -> Cell:
        """What is timed."""
        dtype = "float64" if self.package == "pure_python" else "float32"
        return Cell(self.work, self.size, "", dtype, "cpu", 1, self.package)

    @property
    def against(self) -> Cell:
        """What it is held against."""
        return self.cell.by(RIVALS[self.rival])

    @property
    def limit(self) -> str:
        """In words."""
        return f"a tie with {self.rival}" if self.most == TIE else f"{self.most:.2f} × {self.rival}"


GOALS = (
    Goal("pure_python", "1, 4-8-1", 0.5, "micrograd"),
    Goal("pure_python", "200, 100-50-1", 1.2, "bare dot products"),
    Goal("numpy_impl", "1, 4-8-1", 0.15, "torch.nn + SGD"),
    Goal("numpy_impl", "512, 784-512-10", 1.12, "bare GEMMs of NumPy"),
    Goal("torch_manual", "1, 4-8-1", 0.35, "torch.nn + SGD"),
    Goal("torch_manual", "200, 100-50-1", 0.6, "torch.nn + SGD"),
    Goal("torch_manual", "64, 784-50-10", 0.68, "torch.nn + SGD"),
    Goal("torch_manual", "512, 784-512-10", 1.1, "bare GEMMs of torch"),
    Goal("torch_manual", "1024, 1024-1024-1024", 1.06, "bare GEMMs of torch"),
    Goal("torch_autograd", "1, 4-8-1", 0.8, "torch.nn + SGD"),
    *(Goal("torch_autograd", str(net), TIE, "torch.nn + SGD") for net in NETS[1:]),
    *(Goal("fastai_module", str(net), TIE, "torch.nn + SGD") for net in NETS),
    Goal("fastai_module", DIGITS_SIZE, TIE, "fastai's Learner", "epoch"),
)


class Reached(NamedTuple):
    """What came of a goal."""

    goal: Goal
    ratio: Interval | None
    reason: str = ""
    """Why there is no ratio."""

    @property
    def ratio_text(self) -> str:
        """×1.02 (1.01 to 1.04), or why there is none."""
        if self.ratio is None:
            return self.reason
        ends = "?" if self.ratio.vague else f"{self.ratio.low:.3g} to {self.ratio.high:.3g}"
        return f"{factor(self.ratio.median)} ({ends})"

    @property
    def verdict(self) -> str:
        """Met or missed where the whole interval says so; unclear where it holds the limit, or is no 95 %."""
        if self.ratio is None or self.ratio.confidence < CONFIDENCE:
            return "unclear"
        if self.ratio.high <= self.goal.most:
            return "met"
        return "missed" if self.ratio.low > self.goal.most else "unclear"


@dataclass
class Attempt:
    """What a run has found so far."""

    goals: Sequence[Goal]
    listener: Listener
    ratios: dict[Cell, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    reasons: dict[Cell, str] = field(default_factory=dict)
    """Who has no right answer, and why."""
    interrupted: bool = False

    def run(self) -> list[Reached]:
        """One interleaved run in several fresh processes. Ctrl-C ends it, and what was found is kept."""
        for number in range(PROCESSES):
            if not self.interrupted:
                self._process(number)
        return [self._reached(goal) for goal in self.goals]

    def _process(self, number: int) -> None:
        """The first one checks each answer before it times; who is wrong is not timed again."""
        by_rival = sorted(self.goals, key=lambda goal: goal.against)
        pairs = [(goal.cell, goal.against) for goal in by_rival if goal.cell not in self.reasons]
        if not pairs:
            return
        begun = number * len(self.goals)
        with pairing(pairs, number, PAIR_TIME, check=number == 0) as process:
            for event in process.run():
                if "begins" in event:
                    cell = Cell(**event["begins"])
                    self.listener(f"{cell} · {cell.implementation}", begun, PROCESSES * len(self.goals))
                    begun += 1
                elif "ended" in event:
                    self.ratios[Cell(**event["ended"])].append(event["ratios"])
                elif "failed" in event:
                    self.reasons[Cell(**event["failed"])] = event["reason"].partition("\n")[0]
            self.interrupted = process.interrupted
            if process.code and not process.interrupted:
                raise UserError(f"the limits: a process ended with code {process.code}: {process.last_words()}")

    def _reached(self, goal: Goal) -> Reached:
        found = self.ratios.get(goal.cell)
        reason = self.reasons.get(goal.cell, "" if found else INTERRUPTED)
        return Reached(goal, combined(found) if found and not reason else None, reason)


def goals_of(packages: Collection[str]) -> list[Goal]:
    """The goals that are set for them. Raises UserError where there are none."""
    found = [goal for goal in GOALS if goal.package in packages]
    if not found:
        raise UserError(f"no limit is set for {', '.join(packages)}")
    return found


def report(reached: Iterable[Reached]) -> RenderableType:
    """A row a goal: the package, its work, the limit, what was reached, and whether that meets it."""
    body = table("package", "work", "at most", "reached", "")
    for column in body.columns[1:3]:
        column.justify = "left"
    for one in reached:
        work = f"{one.goal.work} {one.goal.size}"
        body.add_row(one.goal.package, work, one.goal.limit, one.ratio_text, Text(one.verdict, STYLES[one.verdict]))
    machine = f"{cpu()} · {all_threads()} cores · Python {platform.python_version()}"
    title = f"Limits of speed · one thread · float32, in pure_python float64 · {machine}"
    return framed(title, body, *NOTES)


def problems(reached: Iterable[Reached]) -> list[str]:
    """Who missed a limit, or has no ratio, a sentence each."""
    return [
        f"{one.goal.package}: {one.goal.work} {one.goal.size}: {one.ratio_text}, at most {one.goal.limit}"
        for one in reached
        if one.verdict == "missed" or one.ratio is None
    ]
