"""Several processes, called ranks, each running one function: started, watched and ended by torchrun's own launcher."""

import logging
import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from .shell import load

BESIDE = ("sklearn.model_selection", "torch._dynamo", "side_by_side.cli", "side_by_side.training.train")
"""What a rank would import later on, DistributedDataParallel in its first step."""


class RankDied(Exception):
    """A rank has died, and there was no restart left; the message says which, and of what."""


def launch(
    function: Callable[..., Any], arguments: Sequence[str], names: Sequence[str], ranks: int, restarts: int
) -> Any:
    """What the function returned in rank 0, once it has returned in all; `names` are the implementations it uses.

    Raises RankDied, and KeyboardInterrupt when Ctrl-C has ended them.
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
        max_restarts=restarts,
        start_method=start_method(names),
    )
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # or a restart meets the addresses of the dead
    logging.disable(logging.CRITICAL)  # every signal that it sends would be told
    try:
        return elastic_launch(config, function)(*arguments)[0]
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise RankDied(f"rank {rank} of {ranks} died of {cause(failure)}, and the others were stopped") from error
    finally:
        logging.disable(logging.NOTSET)


def cause(failure: Any) -> str:
    """What a rank died of, as torchrun noted it: a signal, or what was raised, without the traceback."""
    if failure.exitcode < 0:
        return signal.Signals(-failure.exitcode).name
    noted = failure.message
    return str(noted["message"] if isinstance(noted, dict) else noted).partition("\n")[0]


def start_method(names: Sequence[str]) -> str:
    """How a rank starts: forked from a server that has imported what is needed, where there are forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    multiprocessing.set_forkserver_preload([*(load(name).__name__ for name in names), *BESIDE])
    return "forkserver"
