"""Ratios: each contender against another one in interleaved, position-balanced pairs, in a fresh process.

python -m side_by_side.bench.pairs EVENTS < task.json

A block is A B B A, with B in parts of A: whatever drifts slowly, clock or temperature, adds the same to both. Where a
block would take too long, it is A B or B A, which processes take in turns, or A B A where A is short. The order of rows
and of contenders is shuffled anew in each process, by a seed.
"""

import gc
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from shared_specs.workloads import contender, row
from shared_specs.workloads.jobs import Job

from .cells import AGAIN, BASELINE, Cell, cell_of

SAMPLE = 1e-3  # seconds that a sample should last at least
MOST_BLOCKS = 25
FEW_BLOCKS = 3
WARM_UP = 2e-3
LONG = 0.1  # seconds of calls, after which one need not be repeated to tell how long it takes


class Runner(NamedTuple):
    """A job that is called `calls` times a sample."""

    sample: Callable[[int], float]
    """Seconds a call, over so many calls."""
    calls: int
    seconds: float
    """About how long a call takes."""


def main() -> None:
    """Read the task, append an event for each pair."""
    task = json.load(sys.stdin)
    with open(sys.argv[1], "a", encoding="utf-8", buffering=1) as file:

        def tell(**event: Any) -> None:
            file.write(json.dumps(event) + "\n")

        cells = [[cell_of(dict(zip(Cell._fields, cell, strict=True))) for cell in both] for both in task["pairs"]]
        measure([(a, b) for a, b in cells], task["number"], task["pair_time"], tell, task.get("check", False))


def measure(
    pairs: Sequence[tuple[Cell, Cell]], number: int, pair_time: float, tell: Callable[..., None], check: bool = False
) -> None:
    """All pairs of a cell and what it is held against; with `check`, of those alone that give the right answer.

    `number` is that of the process: it seeds the order, and says who begins.
    """
    shuffle = random.Random(number).shuffle
    grouped = [list(group) for _, group in groupby(pairs, key=lambda both: both[1])]
    shuffle(grouped)
    gc.disable()
    for name in {cell.implementation for both in pairs for cell in both} - {AGAIN}:
        contender(name)
    gc.freeze()  # the libraries need not be looked through after each row
    for group in grouped:
        shuffle(group)
        baseline: Runner | None = None
        for cell, against in group:
            tell(begins=cell._asdict())
            try:
                baseline = baseline or prepared(against, check)
                ratios = pair(baseline, prepared(cell, check), pair_time, number)
            except Exception as error:  # whatever an implementation may do
                tell(failed=cell._asdict(), reason=f"{type(error).__name__}: {error}")
                continue
            tell(ended=cell._asdict(), ratios=ratios)
        gc.collect(0)  # nothing has grown old


def prepared(cell: Cell, check: bool = False) -> Runner:
    """Its job, warmed up, and how often to call it a sample.

    Raises AssertionError where the answer is wrong, and LookupError where it is not provided, if that is to be checked.
    """
    who = contender(BASELINE if cell.implementation == AGAIN else cell.implementation)
    workload = row(cell.work, cell.size, cell.rung)
    if check and (why := who.hindrance(workload, cell.dtype, cell.device)) is not None:
        raise LookupError(why or "not provided")
    job = who.prepare(workload, cell.dtype, cell.device)
    if check:
        who.check(workload, job, cell.dtype, cell.device)
    sample = sampler(job, lambda: who.synchronize(cell.device))
    sample(1)  # it may compile
    times: list[float] = []
    while sum(times) < WARM_UP or (len(times) < 3 and sum(times) < LONG):
        times.append(sample(1))
    seconds = min(times)
    calls = max(1, round(SAMPLE / seconds))
    return Runner(sample, calls, min(seconds, sample(calls)))


def sampler(job: Job, synchronize: Callable[[], None]) -> Callable[[int], float]:
    """Times so many calls; a job that must begin at its start goes back to it before each, off the clock."""
    run, restart, clock = job.run, job.restart, time.perf_counter

    def steady(calls: int) -> float:
        synchronize()
        began = clock()
        for _ in range(calls):
            run()
        synchronize()
        return (clock() - began) / calls

    def restarting(calls: int) -> float:
        total = 0.0
        for _ in range(calls):
            restart()  # type: ignore[misc]
            synchronize()
            began = clock()
            run()
            synchronize()
            total += clock() - began
        return total / calls

    return steady if restart is None else restarting


def pair(baseline: Runner, other: Runner, pair_time: float, number: int) -> list[float]:
    """other / baseline of each block."""
    a, b = baseline.sample, other.sample
    n, m = baseline.calls, other.calls
    block = 2 * (baseline.seconds * n + other.seconds * m)
    if block > FEW_BLOCKS * pair_time:
        if baseline.seconds * n < other.seconds * m / 10:
            before, slow, after = a(n), b(m), a(n)
            return [2 * slow / (before + after)]
        if number % 2:
            slow, base = b(m), a(n)
        else:
            base, slow = a(n), b(m)
        return [slow / base]
    ratios = []
    for i in range(min(max(int(pair_time / block), FEW_BLOCKS), MOST_BLOCKS)):
        if (i + number) % 2:
            slow, base = b(m), a(n) + a(n)
            slow += b(m)
        else:
            base, slow = a(n), b(m) + b(m)
            base += a(n)
        ratios.append(slow / base)
    return ratios


if __name__ == "__main__":
    main()
