"""Stage 7, parallel: many processes train one net. An extra: what is not built on PyTorch runs in one process.

Each process, a rank, has the whole net and takes its share of every batch. DistributedDataParallel hooks into autograd:
as soon as a gradient is there, it is averaged with the other ranks' while backward goes on. Its average counts every
rank alike, right for equal shares alone: of 5 samples on 2 ranks, each of the last 2 would weigh 3/2 of each other one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from .arrays import Array, Name


@contextmanager
def process_group(device: Name = None) -> Iterator[None]:
    """Join the other ranks: by gloo, or by nccl where each has a GPU of its own; at the end, leave them."""
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def shard(x: Array, target: Array) -> tuple[Array, Array, float]:
    """This rank's samples of a batch, and which part of it they are; of a batch too small for all, the first for 0."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mine, its_target = x.tensor_split(ranks)[rank], target.tensor_split(ranks)[rank]
    return (mine, its_target, len(mine) / len(x)) if len(mine) else (x[:1], target[:1], 0.0)


def fit_parallel(
    model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Callable[[int, float], object] | None = None
) -> list[float]:
    """`fit`, by all ranks together: each goes back from its share of a batch, and all step with the whole gradient."""
    losses: list[float] = []
    replica = DistributedDataParallel(model)  # all begin as the first does
    for _ in range(epochs):
        for batch in batches:
            x, target, part = shard(*batch)
            optimizer.zero_grad()
            loss = part * replica(x, target)
            (dist.get_world_size() * loss).backward()  # the mean over the ranks is then their weighted sum
            dist.all_reduce(loss := loss.detach())
            losses.append(loss.item())
            optimizer.step()
            if on_batch:
                on_batch(len(losses) - 1, losses[-1])
    return losses
