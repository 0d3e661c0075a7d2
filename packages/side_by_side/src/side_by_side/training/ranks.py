"""Training by several processes, called ranks: which one this is, and torchrun's own launcher, which starts them."""

import logging
import multiprocessing
import os
import re
import runpy
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import typer

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


def launch(names: Sequence[str], ranks: int, max_restarts: int, out: Path | None) -> None:
    """Run this very command in so many processes, as torchrun does, and wait for them; exit as rank 0 does.

    Without a restart left, say who died first, of what, and exit with 1.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        run_id=str(uuid.uuid4()),
        max_restarts=max_restarts,
        start_method=start_method(names),
    )
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # or a restart meets the addresses of the dead
    logging.disable(logging.CRITICAL)  # every signal that it sends would be told
    try:
        codes = elastic_launch(config, command)(*sys.argv[1:])
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        of = signal.Signals(-failure.exitcode).name if failure.exitcode < 0 else failure.message
        again = "; --resume goes on from the last checkpoint" if out else ""
        finish([f"rank {rank} of {ranks} died of {of}, and the others were stopped{again}"])
    raise typer.Exit(codes[0])


def start_method(names: Sequence[str]) -> str:
    """How a rank starts: forked from a server that has imported what is needed, where there are forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    modules = [load(name).__name__ for name in names]
    own = ["side_by_side.cli", "side_by_side.training.train", "sklearn.model_selection"]
    multiprocessing.set_forkserver_preload([*modules, *own])
    return "forkserver"


def command(*arguments: str) -> int:
    """The command as one rank runs it; its exit code, for the launcher takes any but 0 for a death."""
    sys.argv[1:] = arguments
    try:
        runpy.run_module("side_by_side", run_name="__main__")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
