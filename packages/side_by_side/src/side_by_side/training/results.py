"""What came of training all side by side: the table, and what in it is not as it should be."""

import math
import re
from collections.abc import Iterable, Sequence

from rich.console import Group

from ..tables import NOT_PROVIDED, framed, table
from .data import Data
from .train import Run
from .trainee import Settings

REFERENCE = "numpy_impl"
SAME = 1e-9  # relative; what "the same loss curve" means in float64


def reference(runs: Iterable[Run]) -> Run | None:
    """The run that the others are held against: numpy_impl's if it is complete, else the first complete one."""
    complete = [run for run in runs if run.problem is None]
    return next((run for run in complete if run.implementation == REFERENCE), complete[0] if complete else None)


def divergence(curve: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference of two loss curves, step by step, relative to the larger loss of the step."""
    if len(curve) != len(other):
        return math.inf
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in zip(curve, other, strict=True) if a != b), default=0.0)


def farthest(run: Run, runs: Iterable[Run]) -> float:
    """The largest divergence of a loss curve from any other complete one; nan where there is none."""
    others = [other for other in runs if other is not run and other.problem is None]
    return max((divergence(run.losses, other.losses) for other in others), default=math.nan)


def problems(runs: Sequence[Run], settings: Settings) -> list[str]:
    """What is wrong with the runs, a sentence each: one stopped, or has another curve or another score."""
    said = [f"{run.implementation}: {run.problem}" for run in runs if run.failed or run.stopped]
    said += [
        f"{run.implementation}: the test score is no number"
        for run in runs
        if run.problem is None and not math.isfinite(run.score)
    ]
    against = reference(runs)
    if against is None:
        return said or ["no implementation was trained to the end"]
    if settings.dtype != "float64":
        return said
    for run in runs:
        if run.problem:
            continue
        difference = divergence(run.losses, against.losses)
        if difference > SAME:
            said.append(f"{run.implementation}: another loss curve than {against.implementation}, by {difference:.1e}")
        if abs(run.score - against.score) > SAME:
            scores = f"{run.score:.4%} and {against.score:.4%}"
            said.append(f"{run.implementation}: another test score than {against.implementation}, {scores}")
    return said


def agreement(runs: Sequence[Run]) -> str:
    """One sentence: how far apart the loss curves are; none about a single one."""
    against = reference(runs)
    others = [run for run in runs if run.problem is None and run is not against]
    if against is None or not others:
        return ""
    worst = max(farthest(run, runs) for run in [*others, against])
    if worst == 0:
        return f"The same loss curve in all {len(others) + 1}, to the last bit, over {len(against.losses):,} steps."
    same = "The same loss curve in all" if worst <= SAME else "Loss curves of"
    return f"{same} {len(others) + 1}: largest relative difference {worst:.1e} over {len(against.losses):,} steps."


def result_table(runs: Sequence[Run], data: Data, settings: Settings) -> Group:
    """A row an implementation: score, final loss, seconds, samples a second, distance from the others."""
    split = f"{len(data.x_train):,} to train on, {len(data.x_valid):,} to validate, {len(data.x_test):,} to test"
    result = table("package", f"test {data.score}", "final loss", "seconds", "samples/s", "divergence")
    result.columns[0].no_wrap = True
    for run in runs:
        result.add_row(run.implementation, *_figures(run, runs, data, settings))
    title = f"{'-'.join(map(str, settings.sizes))} on {data.name}, {split}"
    notes = ["Divergence: the largest relative difference of the loss curve from any other."] if len(runs) > 1 else []
    notes += [f"{run.implementation}: {run.problem}" for run in runs if run.stayed_out]
    return framed(title, result, str(settings), *notes)


def _figures(run: Run, runs: Sequence[Run], data: Data, settings: Settings) -> Iterable[str]:
    if run.problem:
        return [NOT_PROVIDED] * 4 + [re.split("[:;]", run.problem)[0]]
    distance = farthest(run, runs)
    samples = settings.epochs * len(data.x_train)
    return (
        f"{run.score:.2%}" if data.n_classes else f"{run.score:.4f}",
        f"{run.loss:.6f}" if run.loss < 1e6 else f"{run.loss:.1e}",
        f"{run.seconds:.2f}",
        f"{samples / run.seconds:,.0f}" if run.seconds else NOT_PROVIDED,
        NOT_PROVIDED if math.isnan(distance) else f"{distance:.1e}",
    )
