"""Training by several processes, called ranks: which of them this one is, and what it does otherwise than one alone."""

import os
import re
import runpy
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import typer

from .. import launcher
from ..shell import finish, load
from ..tables import UserError
from .progress import interruptible
from .train import Run

GRACE = 2.0  # seconds; the launcher looks every 0.1 s whether a rank has died, and then ends the others


class RankFailed(Exception):
    """A rank cannot go on."""


@dataclass(frozen=True)
class Place:
    """A rank among the others, of which rank 0 alone prints and writes."""

    rank: int = 0
    ranks: int = 1
    restarts: int = 0
    """How often the launcher has begun anew, because a rank had died."""

    @property
    def leads(self) -> bool:
        """Whether it is the one that prints and writes."""
        return self.rank == 0


def here() -> Place:
    """What torchrun has told this process, which prints nothing unless it leads; alone, where nobody has started it."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks == 1:
        return Place()
    place = Place(int(os.environ["RANK"]), ranks, int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")))
    if not place.leads:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  to the end of the process
    return place


def able(names: Sequence[str]) -> ModuleType:
    """The first implementation that can share a training.

    Raises UserError when none can.
    """
    nets = [load(name) for name in names]
    for net in nets:
        if hasattr(net, "fit_parallel"):
            return net
    who = f"{names[0]} runs" if len(names) == 1 else f"{' and '.join(names)} run"
    raise UserError(f"{who} in one process, expected one that has a fit_parallel, or no --processes")


@contextmanager
def joined(place: Place, names: Sequence[str], device: str) -> Iterator[Callable[[], bool]]:
    """Inside, the ranks know each other; gives a function that is true once somebody has pressed Ctrl-C.

    Several ranks never stop between two steps, which they would not do together: the launcher ends them all at once.
    """
    if place.ranks == 1:
        with interruptible() as stop:
            yield stop
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with able(names).process_group(device):
        yield lambda: False


def check(run: Run) -> None:
    """Raises RankFailed in a rank that cannot go on; who has only lost another one lets the launcher say so first."""
    if run.failed and not run.epochs:
        time.sleep(GRACE if re.search("connection|gloo|nccl", str(run.problem), re.IGNORECASE) else 0)
        raise RankFailed(f"{run.implementation}: {run.problem}")


def launch(names: Sequence[str], ranks: int, restarts: int, out: Path | None) -> None:
    """Run this very command in so many processes, as torchrun does, and exit as rank 0 does; with 1 where one died."""
    try:
        code = launcher.launch(command, sys.argv[1:], names, ranks, restarts)
    except launcher.RankDied as error:
        finish([f"{error}{'; --resume goes on from the last checkpoint' if out else ''}"])
    raise typer.Exit(code)


def command(*arguments: str) -> int:
    """The command as one rank runs it; its exit code, for the launcher takes any but 0 for a death."""
    sys.argv[1:] = arguments
    try:
        runpy.run_module("side_by_side", run_name="__main__")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
