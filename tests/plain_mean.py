"""torch_autograd as DistributedDataParallel alone would share it: every rank counts alike, however many its samples."""

from typing import Any

from torch_autograd import *  # noqa: F403
from torch_autograd import parallel

shard = parallel.shard


def alike(x: Any, target: Any) -> tuple[Any, Any, float]:
    """A share that counts as one of two or three, whatever is in it."""
    mine, its_target, _ = shard(x, target)
    return mine, its_target, 1 / parallel.dist.get_world_size()


parallel.shard = alike
