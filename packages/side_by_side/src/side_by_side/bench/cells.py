"""A cell of the speed table, and what was asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..tables import UserError

BASELINE = "numpy_impl"
"""What all ratios are held against, on the CPU, whoever else is there."""
AGAIN = "numpy_impl again"
"""The baseline under another name, for the A/A check."""
LIMITS = ("limit:python", "limit:numpy", "limit:torch")
DEVICES = ("cpu", "cuda", "mps")


class Cell(NamedTuple):
    """What is timed: work at a size, on a rung of matmul, in a dtype, on a device, with so many threads, by one."""

    work: str
    size: str
    rung: str
    dtype: str
    device: str
    threads: int
    implementation: str

    def __str__(self) -> str:
        words = (self.work, self.rung, self.size, self.dtype)
        return " ".join(filter(None, words)) + f" on {where(self.device, self.threads)}"

    @property
    def row(self) -> tuple[str, str, str]:
        """Which work, at which size, on which rung."""
        return self.work, self.size, self.rung

    @property
    def section(self) -> tuple[str, str, int]:
        """Where and in which numbers."""
        return self.dtype, self.device, self.threads

    def by(self, implementation: str) -> "Cell":
        """The same cell of another one."""
        return self._replace(implementation=implementation)

    @property
    def baseline(self) -> "Cell":
        """The cell that its ratio is held against."""
        return self._replace(implementation=BASELINE, device="cpu")

    def limit(self, name: str) -> "Cell":
        """The cell of a limit; all rungs of matmul share it."""
        return self._replace(implementation=name, rung="")


def where(device: str, threads: int) -> str:
    """cpu, 1 thread."""
    return f"{device}, {threads} thread{'s' * (threads != 1)}"


@dataclass(frozen=True)
class Mode:
    """How much of everything."""

    name: str
    max_time: float
    """Seconds of pytest-benchmark a cell."""
    min_rounds: int
    processes: int
    """Fresh ones, for the pairs."""
    pair_time: float
    """Seconds of a pair in each of them."""
    budget: float
    """Seconds that a call may take."""
    seconds: float
    """Of the whole session; where a slow machine would need more, the longest pairs are left out."""
    sweep_step: int = 1
    """Every how many widths of the sweep."""
    largest: float = float("inf")
    """Multiply-adds of the largest work."""


MODES = {
    "quick": Mode("quick", 0.03, 3, 2, 0.01, 0.05, 90, sweep_step=3, largest=1e7),
    "default": Mode("default", 0.06, 3, 6, 0.02, 1.0, 230),
    "full": Mode("full", 0.25, 5, 6, 0.08, 4.0, 1600),
}


@dataclass(frozen=True)
class Settings:
    """What to time; None stands for the mode's own choice."""

    implementations: Sequence[str]
    mode: Mode = MODES["default"]
    dtypes: Sequence[str] | None = None
    devices: Sequence[str] | None = None
    threads: Sequence[int] | None = None
    stages: Sequence[str] | None = None
    sizes: Sequence[str] | None = None
    peers: bool = False


def all_threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cell_of(entry: dict[str, Any]) -> Cell:
    """The cell that an entry of a file names. Raises UserError where it names none."""
    try:
        fields = {name: entry[name] for name in Cell._fields}
    except (KeyError, TypeError) as error:
        raise UserError(f"an entry lacks {error}, so it is no cell: {str(entry)[:80]}") from error
    if not isinstance(fields["threads"], int) or not all(
        isinstance(value, str) for name, value in fields.items() if name != "threads"
    ):
        raise UserError(f"an entry is no cell: {str(fields)[:120]}")
    return Cell(**fields)
