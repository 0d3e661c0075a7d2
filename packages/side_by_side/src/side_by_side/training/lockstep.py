"""All implementations on the same batches from the same start, compared after every single step.

Each takes the step with its own `fit`. Compared are, in the order in which they come about, the batch, the loss, every
gradient and every parameter: the difference of the two that are farthest apart, relative to the largest element.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from ..tables import UserError, framed, table
from .checkpoint import Arrays
from .data import Data
from .history import Epoch
from .train import Run, finished
from .trainee import Settings, Trainee, hindrance
from .trouble import diagnosis

TOLERANCES = {"float64": (1e-9, math.inf), "float32": (1e-3, 100)}
"""Relative, and up to which step. The contract's bounds are for one step; rounding grows on the way.

In float32 it may grow until two healthy runs part: long steps make it grow, and a unit at its kink, on in one and off
in another, changes a gradient at once. A hundred steps bring it to some 1e-5, while a mistake shows in the first ones.
"""

BATCH = ("batch.x", "batch.target")
FILE = "lockstep.jsonl"

Differences = Mapping[str, float]
OnStep = Callable[[int, float, Differences], object]


@dataclass(frozen=True)
class Break:
    """The first step where a tolerance broke."""

    step: int
    tensor: str
    difference: float
    farthest: str
    """The implementation that is farthest from the middle of all."""
    tolerance: float

    def __str__(self) -> str:
        return (
            f"lockstep broke at step {self.step}: {self.tensor} differs by {self.difference:.1e} "
            f"(tolerance {self.tolerance:.0e}); {self.farthest} is farthest from the others"
        )


@dataclass
class Lockstep:
    """What came of it."""

    runs: list[Run] = field(default_factory=list)
    steps: int = 0
    largest: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Tensor → its largest difference, and the step of it."""
    last: Differences = field(default_factory=dict)
    broken: Break | None = None
    stopped: bool = False


def lockstep(
    nets: Mapping[str, ModuleType],
    data: Data,
    settings: Settings,
    *,
    tolerance: float | None = None,
    weights: Arrays | None = None,
    steps: int | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Lockstep:
    """Train all side by side, until the epochs are over or one of them parts from the others.

    It ends too after `steps`, when stop() is true, and where no loss is a number any more.
    on_step(step, loss, differences) hears, after each step, of the relative difference of every tensor. Without a
    `tolerance` that of TOLERANCES holds; after its last step only the batches, and what is no number, can break it.

    Raises UserError when the weights do not fit the sizes.
    """
    tolerance, last = TOLERANCES[settings.dtype] if tolerance is None else (tolerance, math.inf)
    result = Lockstep()
    trainees = []
    for name, net in nets.items():
        if problem := hindrance(net, settings):
            result.runs.append(Run(name, problem=problem))
        else:
            trainees.append(Trainee(name, net, data, settings, weights))
    losses: list[list[float]] = [[] for _ in trainees]
    seconds = [0.0 for _ in trainees]
    for number, batches in enumerate(islice(zip(*(trainee.steps() for trainee in trainees), strict=True), steps)):
        seen = []
        for i, (trainee, batch) in enumerate(zip(trainees, batches, strict=True)):
            began = time.perf_counter()
            losses[i].append(trainee.take_step(*batch))
            seconds[i] += time.perf_counter() - began
            seen.append(_seen(trainee, batch, losses[i][-1]))
        differences = compare(seen)
        _note(result, number, differences)
        if on_step:
            on_step(number, losses[0][-1], differences)
        if broken := _broken(number, differences, tolerance, number >= last, trainees, seen):
            result.broken = broken
            break
        if not any(math.isfinite(own[-1]) for own in losses):
            break
        if stop():
            result.stopped = True
            break
    for trainee, own, took in zip(trainees, losses, seconds, strict=True):
        result.runs.append(_run(trainee, own, took, settings, data))
    result.runs.sort(key=lambda run: list(nets).index(run.implementation))
    return result


def compare(seen: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, float]:
    """Tensor → how far apart the two farthest apart are; inf where shapes differ, or one alone is not finite."""
    names = dict.fromkeys(name for tensors in seen for name in tensors)
    return {name: difference([tensors[name] for tensors in seen if name in tensors], len(seen)) for name in names}


def difference(arrays: Sequence[NDArray[Any]], expected: int = 0) -> float:
    """The largest difference of any two, relative to the largest element of all; 0 where all hold what is no number."""
    if len(arrays) < expected or len({array.shape for array in arrays}) > 1:
        return math.inf
    stack = np.stack(arrays)
    if not np.isfinite(stack).all():
        return math.inf if any(np.isfinite(array).all() for array in arrays) else 0.0
    spread = float(np.ptp(stack, axis=0).max())
    return spread / float(np.abs(stack).max()) if spread else 0.0


def to_file(path: Path) -> OnStep:
    """An on_step that writes a line of JSON a step, with the difference of every tensor.

    Raises UserError when the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error

    def write(step: int, loss: float, differences: Differences) -> None:
        told = {name: value if math.isfinite(value) else None for name, value in differences.items()}
        line = {"step": step, "loss": loss if math.isfinite(loss) else None, "differences": told}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    return write


def result_table(result: Lockstep) -> Group:
    """A row a tensor: its largest difference, the step of it, and the difference after the last step."""
    names = [run.implementation for run in result.runs if not (run.problem and run.problem.startswith("not run"))]
    rows = table("tensor", "largest difference", "at step", f"after step {result.steps - 1}")
    for tensor, (largest, step) in result.largest.items():
        rows.add_row(tensor, f"{largest:.1e}", f"{step:,}", f"{result.last[tensor]:.1e}")
    title = f"Lockstep of {', '.join(names)} over {result.steps:,} steps"
    return framed(title, rows, "A difference is relative to the largest element of the tensor, over all pairs.")


def _seen(trainee: Trainee, batch: tuple[Any, Any], loss: float) -> dict[str, NDArray[Any]]:
    """Everything that a step shows, by name, in the order in which it comes about."""
    x, target = batch
    gradients = trainee.gradients
    return {
        **{name: trainee.numbers(array) for name, array in zip(BATCH, (x, target), strict=True)},
        "loss": np.array(loss),
        **{f"{name}.grad": gradients[name] for name in reversed(gradients)},
        **{name: trainee.numbers(parameter.data) for name, parameter in trainee.parameters.items()},
    }


def _note(result: Lockstep, step: int, differences: Differences) -> None:
    result.steps, result.last = step + 1, differences
    for name, value in differences.items():
        if name not in result.largest or value > result.largest[name][0]:
            result.largest[name] = (value, step)


def _broken(
    step: int,
    differences: Differences,
    tolerance: float,
    late: bool,
    trainees: Sequence[Trainee],
    seen: Sequence[Mapping[str, NDArray[Any]]],
) -> Break | None:
    """The first tensor beyond the tolerance, if there is one; when it is late, only batches and what is no number."""
    beyond = (name for name, value in differences.items() if not value <= tolerance)
    name = next((name for name in beyond if not late or name in BATCH or differences[name] == math.inf), None)
    if name is None:
        return None
    return Break(step, name, differences[name], trainees[_outlier(seen, name)].name, tolerance)


def _outlier(seen: Sequence[Mapping[str, NDArray[Any]]], name: str) -> int:
    """The one that is farthest from the median of all."""
    absent = [i for i, tensors in enumerate(seen) if name not in tensors]
    if absent:
        return absent[0]
    arrays = [tensors[name] for tensors in seen]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1:
        return min(range(len(arrays)), key=lambda i: shapes.count(shapes[i]))
    middle = np.median(np.nan_to_num(np.stack(arrays)), axis=0)
    distances = [float(np.nan_to_num(np.abs(array - middle), nan=np.inf).max()) for array in arrays]
    return distances.index(max(distances))


def _run(trainee: Trainee, losses: list[float], seconds: float, settings: Settings, data: Data) -> Run:
    size = trainee.steps_an_epoch
    epochs = [
        Epoch(i, i * size, losses[i * size : (i + 1) * size], seconds * size / max(len(losses), 1), math.nan)
        for i in range(math.ceil(len(losses) / size))
    ]
    if losses and not math.isfinite(losses[-1]):
        return Run(trainee.name, epochs, problem=diagnosis(losses, settings, data), failed=True)
    if len(losses) < settings.epochs * size:
        return Run(trainee.name, epochs, problem=f"ended after {len(losses)} steps")
    return finished(trainee, epochs)


def worst(result: Lockstep) -> float:
    """The largest difference of any tensor at any step."""
    return max((value for value, _ in result.largest.values()), default=0.0)


def problems(result: Lockstep, settings: Settings) -> list[str]:
    """What is wrong, a sentence each: a tolerance broke, somebody stopped it, or nothing was compared."""
    if result.broken:
        grown = result.broken.step >= TOLERANCES[settings.dtype][1]
        advice = "; so late in float32 it may be rounding that has grown, --dtype float64 tells it from a mistake"
        return [str(result.broken) + (advice if grown else "")]
    if result.stopped:
        return [f"stopped after step {result.steps - 1}"]
    if failed := [f"{run.implementation}: {run.problem}" for run in result.runs if run.failed]:
        return failed
    return [] if result.steps else ["no implementation was trained to the end"]
