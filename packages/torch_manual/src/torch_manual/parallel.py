"""Stage 7, parallel: many processes train one net. An extra: what is not built on PyTorch runs in one process.

Each process, a rank, has the whole net and takes its share of every batch. The mean over the batch is the mean of the
shares' means, each weighted by its part of the samples: the ranks add up their weighted gradients, which is called
all-reduce, and all take the same step. Whoever starts the ranks, `torchrun` say, tells each its number.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from .arrays import Array, Name
from .module import Parameter


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


def all_reduce(loss: Array, parameters: Sequence[Parameter], part: float) -> Array:
    """Σ over the ranks of part · (loss, gradients): the whole batch's, in one message, for each has its delay."""
    moving: list[Any] = [parameter for parameter in parameters if parameter.grad is not None]
    numbers = part * torch.cat([loss.view(1), *(parameter.grad.flatten() for parameter in moving)])
    dist.all_reduce(numbers)
    loss, *grads = numbers.split([1, *(parameter.data.numel() for parameter in moving)])
    for parameter, grad in zip(moving, grads, strict=True):
        parameter.grad = grad.view_as(parameter.data)
    return loss


def fit_parallel(
    model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Callable[[int, float], object] | None = None
) -> list[float]:
    """`fit`, by all ranks together: each goes back from its share of a batch, and all step with the whole gradient."""
    losses: list[float] = []
    for parameter in model.parameters():
        dist.broadcast(parameter.data, src=0)  # all begin as the first does
    for _ in range(epochs):
        for batch in batches:
            x, target, part = shard(*batch)
            optimizer.zero_grad()
            loss = model(x, target)
            model.backward()
            losses.append(float(all_reduce(loss, model.parameters(), part)))
            optimizer.step()
            if on_batch:
                on_batch(len(losses) - 1, losses[-1])
    return losses
