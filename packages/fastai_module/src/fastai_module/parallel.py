"""Stage 7, parallel: many processes train one net. An extra: what is not built on PyTorch runs in one process.

Each process, a rank, has the whole net and takes its share of every batch. Inside `distrib_ctx` a Learner's model is
PyTorch's DistributedDataParallel, which averages the gradients of the ranks, and its data come in shares. Where samples
do not go into equal shares, fastai shows some twice, and the average counts every rank alike; here, no sample counts
more than another.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from .arrays import Array, Name
from .module import EachStep, Loader
from .training import learner_of


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


class EachShare(EachStep):
    """A step with this rank's share of a batch: what the ranks average is weighted by its samples."""

    def before_batch(self) -> None:
        """Take the share."""
        x, target, self.part = shard(*self.xb, *self.yb)
        self.learn.xb, self.learn.yb = (x,), (target,)
        super().before_batch()

    def before_backward(self) -> None:
        """The mean over the ranks is then their weighted sum."""
        self.learn.loss = self.part * self.loss.detach()
        self.learn.loss_grad = dist.get_world_size() * self.part * self.loss_grad

    def after_step(self) -> None:
        """Report the loss of the whole batch."""
        dist.all_reduce(self.loss)
        super().after_step()


def fit_parallel(
    model: Any, batches: Any, optimizer: Any, epochs: int, on_batch: Callable[[int, float], object] | None = None
) -> list[float]:
    """`fit`, by all ranks together: each goes back from its share of a batch, and all step with the whole gradient."""
    from fastai.distributed import DistributedDL  # here alone, for it brings Hugging Face's accelerate along

    class Shares(Loader, DistributedDL):
        """What a Learner in `distrib_ctx` takes as it is; its own DistributedDL needs CUDA, and repeats samples."""

    each_share = EachShare(on_batch)
    learner = learner_of(model, Shares(batches), optimizer, each_share)
    with learner.distrib_ctx(sync_bn=False, cpu=next(model.parameters()).device.type == "cpu"):
        learner.fit(epochs)
    return each_share.losses
