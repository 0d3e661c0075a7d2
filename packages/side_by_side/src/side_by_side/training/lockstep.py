"""All implementations on the same batches from the same start, compared after every single step.

Each takes the step with its own `fit`. Compared are, in the order in which they come about, the batch, the loss, every
gradient and every parameter: the difference of the two that are farthest apart, relative to the largest element.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from .trouble import diagnosis, raised

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
    lanes = list(_lanes(nets, data, settings, weights, result))
    total = len(lanes) and lanes[0].trainee.steps_an_epoch * settings.epochs
    for number in range(total if steps is None else min(steps, total)):
        lanes = [lane for lane in lanes if _steps(lane, result)]
        if not lanes:
            break
        seen = [lane.seen for lane in lanes]
        differences = compare(seen)
        _note(result, number, differences)
        if on_step:
            on_step(number, lanes[0].losses[-1], differences)
        if broken := _broken(number, differences, tolerance, number >= last, [lane.trainee for lane in lanes], seen):
            result.broken = broken
            break
        if not any(math.isfinite(lane.losses[-1]) for lane in lanes):
            break
        if stop():
            result.stopped = True
            break
    result.runs += [_run(lane, settings, data) for lane in lanes]
    result.runs.sort(key=lambda run: list(nets).index(run.implementation))
    return result


@dataclass
class _Lane:
    """One of those that run side by side."""

    trainee: Trainee
    batches: Iterator[tuple[Any, Any]]
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    seen: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """What the last step showed."""


def _lanes(
    nets: Mapping[str, ModuleType], data: Data, settings: Settings, weights: Arrays | None, result: Lockstep
) -> Iterator[_Lane]:
    """A lane for each that can run; the others get their Run at once."""
    for name, net in nets.items():
        if problem := hindrance(net, settings):
            result.runs.append(Run(name, problem=problem))
            continue
        try:
            trainee = Trainee(name, net, data, settings, weights)
            yield _Lane(trainee, trainee.steps())
        except UserError:
            raise
        except Exception as error:  # whatever a half-done implementation may do
            result.runs.append(Run(name, problem=raised(error), failed=True))


def _steps(lane: _Lane, result: Lockstep) -> bool:
    """Whether it has taken a step; where it cannot, it gets its Run, and the others go on without it."""
    try:
        batch = next(lane.batches)
        began = time.perf_counter()
        lane.losses.append(lane.trainee.take_step(*batch))
        lane.seconds += time.perf_counter() - began
        lane.seen = _seen(lane.trainee, batch, lane.losses[-1])
    except Exception as error:
        ended = isinstance(error, StopIteration)
        problem = "its Batches end too early" if ended else raised(error)
        result.runs.append(Run(lane.trainee.name, problem=f"step {len(lane.losses)}: {problem}", failed=True))
        return False
    return True


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
    names = [run.implementation for run in result.runs if not run.stayed_out]
    rows = table("tensor", "largest difference", "at step", f"after step {result.steps - 1}")
    for tensor, (largest, step) in result.largest.items():
        rows.add_row(tensor, f"{largest:.1e}", f"{step:,}", f"{result.last[tensor]:.1e}")
    title = f"Lockstep of {', '.join(names)} over {result.steps:,} steps"
    notes = ["A difference is relative to the largest element of the tensor, over all pairs."]
    if len(names) > 1 and result.steps and worst(result) == 0:
        notes.append("All equal to the last bit: if their code differs, training does not come to where it does.")
    return framed(title, rows, *notes)


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


def _run(lane: _Lane, settings: Settings, data: Data) -> Run:
    name, losses, size = lane.trainee.name, lane.losses, lane.trainee.steps_an_epoch
    epochs = [
        Epoch(i, i * size, losses[i * size : (i + 1) * size], lane.seconds * size / max(len(losses), 1), math.nan)
        for i in range(math.ceil(len(losses) / size))
    ]
    if losses and not math.isfinite(losses[-1]):
        return Run(name, epochs, problem=diagnosis(losses, settings, data), failed=True)
    if len(losses) < settings.epochs * size:
        return Run(name, epochs, problem=f"ended after {len(losses)} steps", stopped=True)
    return finished(lane.trainee, epochs)


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
        return [f"stopped after step {result.steps - 1}; --lockstep keeps no checkpoints, it begins anew"]
    if failed := [f"{run.implementation}: {run.problem}" for run in result.runs if run.failed]:
        return failed
    if sum(not run.stayed_out for run in result.runs) < 2:
        return ["lockstep compares implementations, expected at least two that can be trained so"]
    return []
