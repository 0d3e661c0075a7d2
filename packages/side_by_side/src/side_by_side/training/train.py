"""Does it learn? Every implementation trains the same net on the same data from the same start."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError
from . import checkpoint, history
from .checkpoint import Arrays
from .data import Data
from .history import Epoch
from .trainee import Settings, Trainee, hindrance, mismatch, recorded
from .trouble import diagnosis, raised

OnEpoch = Callable[[Trainee, Epoch], object]
OnBatch = Callable[[int, float], object]


@dataclass(frozen=True)
class Run:
    """What came of training one implementation; `problem` says why it is not all there."""

    implementation: str
    epochs: list[Epoch] = field(default_factory=list)
    score: float = math.nan
    """Accuracy or R² on the test part."""
    loss: float = math.nan
    """On all that was trained on, at the end."""
    problem: str | None = None
    failed: bool = False
    """It went wrong, and did not just stay out or get stopped."""
    stopped: bool = False
    outputs: NDArray[Any] | None = None
    """What the net gives for the test part."""
    weights: Arrays = field(default_factory=dict)

    @property
    def stayed_out(self) -> bool:
        """It was not run at all: something is lacking for it."""
        return self.problem is not None and not (self.failed or self.stopped)

    @property
    def losses(self) -> list[float]:
        """Every batch's loss, taken before its step."""
        return [loss for epoch in self.epochs for loss in epoch.losses]

    @property
    def seconds(self) -> float:
        """How long the steps took, whatever was done between epochs."""
        return sum(epoch.seconds for epoch in self.epochs)


class Diverged(Exception):
    """The loss is no longer a number."""


class Stopped(Exception):
    """Somebody asked for an end."""


def recommended(data: Data) -> Settings:
    """Settings that suit the data: found by trial for what comes with the tool, cautious ones for anything else."""
    known = {
        "digits": Settings(),
        "diabetes": Settings((10, 16, 1), epochs=30, lr=0.005, weight_decay=0.1),
        "tripler": Settings((1, 1), epochs=10, lr=0.1, momentum=0.0),
        **dict.fromkeys(("mnist", "fashion-mnist"), Settings((784, 50, 10), 5, batch_size=50, lr=0.5, momentum=0.0)),
    }
    own = Settings((data.n_in, 50, data.n_out), 30, lr=0.05 if data.n_classes else 0.01)
    return known.get(data.name, own)


def check(settings: Settings, data: Data) -> None:
    """Raises UserError when the net does not fit the data, or a rate is no finite number."""
    for name in ("lr", "momentum", "weight_decay"):
        if not math.isfinite(value := getattr(settings, name)):
            raise UserError(f"--{name.replace('_', '-')} {value:g}, expected a finite number")
    if (settings.sizes[0], settings.sizes[-1]) != (data.n_in, data.n_out):
        sizes = "-".join(map(str, settings.sizes))
        raise UserError(f"sizes {sizes} do not fit {data.name}: expected {data.n_in} first and {data.n_out} last")


def steps(settings: Settings, data: Data) -> int:
    """How many batches a run has, over all epochs."""
    return settings.epochs * math.ceil(len(data.x_train) / settings.batch_size)


def train(
    name: str,
    net: ModuleType,
    data: Data,
    settings: Settings,
    *,
    out: Path | None = None,
    resume: bool = False,
    weights: Arrays | None = None,
    writes: bool = True,
    on_batch: OnBatch | None = None,
    on_epoch: OnEpoch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Train one implementation, measure it on the validation part after each epoch and on the test part at the end.

    With `out`, a folder, it leaves a checkpoint and a line of history there after each epoch; with `resume` it goes on
    from the checkpoint that it finds there, bit for bit as if it had never stopped. Of several ranks one alone
    `writes`. `weights` are other ones to begin with. on_batch(step, loss) hears of every step, on_epoch(trainee, epoch)
    of every epoch; when stop() is true it ends after the step, leaving checkpoint and history. A loss that is no number
    ends the run too, and is explained.

    So does an error of the implementation, which is told with the line that raised it.

    Raises UserError when the checkpoint or the weights do not fit, or a file cannot be read or written.
    """
    if problem := hindrance(net, settings):
        return Run(name, problem=problem)
    try:
        trainee = Trainee(name, net, data, settings, weights)
        return _run(trainee, out, resume, writes, on_batch, on_epoch, stop)
    except UserError:
        raise
    except Exception as error:  # whatever a half-done implementation may do
        return Run(name, problem=raised(error), failed=True)


def _run(
    trainee: Trainee,
    out: Path | None,
    resume: bool,
    writes: bool,
    on_batch: OnBatch | None,
    on_epoch: OnEpoch | None,
    stop: Callable[[], bool],
) -> Run:
    name, data, settings = trainee.name, trainee.data, trainee.settings
    epochs = _begin(trainee, out, resume, writes)
    out = out if writes else None
    try:
        while trainee.epoch < settings.epochs:
            epoch = _epoch(trainee, on_batch, stop)
            epochs.append(epoch)
            if out:
                history.append(out / history.FILE, epoch)
                save(trainee, out)
            if on_epoch:
                on_epoch(trainee, epoch)
            if stop() and trainee.epoch < settings.epochs:
                raise Stopped
    except Diverged as error:
        epochs.append(error.args[0])
        if out:
            history.append(out / history.FILE, epochs[-1])
        losses = [loss for epoch in epochs for loss in epoch.losses]
        return Run(name, epochs, problem=diagnosis(losses, settings, data), failed=True)
    except Stopped:
        left = "; --resume goes on from there" if out else ", nothing was saved: there is no --out"
        return Run(name, epochs, problem=f"stopped after step {trainee.step - 1}{left}", stopped=True)
    return finished(trainee, epochs)


def finished(trainee: Trainee, epochs: list[Epoch]) -> Run:
    """The run of a trainee that has come to its end."""
    return Run(
        trainee.name, epochs, trainee.score(), trainee.loss(), outputs=trainee.predict(), weights=trainee.weights()
    )


def save(trainee: Trainee, out: Path) -> None:
    """Write both files of a checkpoint.

    Raises UserError when they cannot be written, or the optimizer's momentum cannot be read.
    """
    moment = trainee.checkpoint()
    checkpoint.save(out / checkpoint.RESUME, moment)
    checkpoint.save_weights(out / checkpoint.MODEL, moment.weights, trainee.data.preparation)


def check_resume(path: Path, settings: Settings, data: Data) -> None:
    """Raises UserError when a run cannot go on from the checkpoint there, if there is one."""
    if not path.exists():
        return
    moment = checkpoint.load(path)
    if problem := mismatch(moment.settings, recorded(settings, data)):
        raise UserError(f"{path}: {problem}")
    if (moment.epoch, moment.batch) > (settings.epochs, 0):
        behind = f"{moment.epoch} epochs" + (" and a part" if moment.batch else "")
        raise UserError(
            f"{path}: {behind} are behind it, expected --epochs {moment.epoch + bool(moment.batch)} or more"
        )


def _begin(trainee: Trainee, out: Path | None, resume: bool, writes: bool) -> list[Epoch]:
    """Go to where the checkpoint is, if there is one to go on with; the history up to there."""
    if out is None:
        return []
    saved = out / checkpoint.RESUME
    if not (resume and saved.exists()):
        if writes:
            history.rewrite(out / history.FILE, [])
            save(trainee, out)
        return []
    check_resume(saved, trainee.settings, trainee.data)
    moment = checkpoint.load(saved)
    try:
        trainee.restore(moment)
    except UserError as error:
        raise UserError(f"{saved}: {error}") from error
    epochs = history.read(out / history.FILE, trainee.step)
    if writes:
        history.rewrite(out / history.FILE, epochs)
    return epochs


def _epoch(trainee: Trainee, on_batch: OnBatch | None, stop: Callable[[], bool]) -> Epoch:
    """Train to the end of the epoch, or to where it is stopped.

    Raises Diverged, with the Epoch, for a loss that is no number.
    """
    number, step, losses = trainee.epoch, trainee.step, list[float]()

    def watch(step: int, loss: float) -> None:
        losses.append(loss)
        if not math.isfinite(loss):
            raise Diverged("in this step")  # fastai expects words
        if on_batch:
            on_batch(step, loss)
        if stop():
            raise Stopped("after this step")

    began = time.perf_counter()
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # it shows in the loss, and is explained there
            trainee.train_epoch(watch)
    except Stopped:
        pass
    except Diverged:
        raise Diverged(Epoch(number, step, losses, time.perf_counter() - began, math.nan)) from None
    seconds = time.perf_counter() - began
    return Epoch(number, step, losses, seconds, trainee.validation(), trainee.grad_norms())
