"""How long would a call take? Told from the same work on fewer samples, so that nobody waits for an hour."""

import time

from shared_specs.workloads import Contender, Workload
from shared_specs.workloads.jobs import Job

SLOWEST = 30e-6  # seconds a multiply-add, in plain Python with every number a node of a graph
ENOUGH = 0.5  # seconds of calls from which on no other is needed: long enough to outlast a hiccup of the machine
GROWTH = 8
MORE = 4  # times as many samples, to see what each of them costs
PATIENCE = 2.0  # seconds of a call that is tried again with more samples

CLEARLY = 3  # times the budget, or a third of it: then the pace of other work is enough to tell

MUCH = 1e6  # multiply-adds of work whose pace tells of larger work: in less, most of the time goes elsewhere

_pace: dict[tuple[str, ...], float] = {}
"""Seconds a multiply-add of other work at the same size."""
_best: dict[tuple[str, ...], float] = {}
"""Seconds a multiply-add of the same work, at the size where it is fastest."""


def predict(who: Contender, workload: Workload, dtype: str, device: str, budget: float) -> float:
    """Seconds that a call would take, not more than that; 0.0 where it cannot exceed the budget.

    If other work at that size has been timed, its pace is taken, or that of the same work at the size where it is
    fastest, if even so the call is far too long. Else one sample is timed, then 8, 64, …, as long as
    the next call is within the budget, or until the whole is. Some more samples then tell what each of them costs, and
    what is spent once whatever their number, such as the step of the weights.
    """
    if workload.multiply_adds * SLOWEST <= budget:
        return 0.0
    predicted = _pace.get(_key(who, workload, dtype, device), 0.0) * workload.multiply_adds
    if predicted and not budget / CLEARLY < predicted < budget * CLEARLY:
        return predicted
    at_best = _best.get(_same_work(who, workload, dtype, device), 0.0) * workload.multiply_adds
    far_too_long = at_best > budget * CLEARLY
    predicted = at_best if far_too_long else _probed(who, workload, dtype, device, budget)
    if predicted > budget:
        remember(who, workload, dtype, device, predicted)
    return predicted


def remember(who: Contender, workload: Workload, dtype: str, device: str, seconds: float) -> None:
    """How long a call took, or is said to take: the next work at this size need not be tried on fewer samples."""
    pace, work = seconds / workload.multiply_adds, _same_work(who, workload, dtype, device)
    _pace[_key(who, workload, dtype, device)] = pace
    if workload.multiply_adds >= MUCH:
        _best[work] = min(pace, _best.get(work, pace))


def _same_work(who: Contender, workload: Workload, dtype: str, device: str) -> tuple[str, ...]:
    return who.name, workload.work, workload.rung, dtype, device


def _key(who: Contender, workload: Workload, dtype: str, device: str) -> tuple[str, ...]:
    return who.name, workload.size, workload.rung, dtype, device


def _probed(who: Contender, workload: Workload, dtype: str, device: str, budget: float) -> float:
    predicted = 0.0
    units = 1
    while units < workload.units:
        taken = _seconds(who, who.prepare(workload.at(units), dtype, device), device)
        predicted = taken * workload.units / units
        if predicted <= budget:
            return predicted
        if taken * GROWTH > budget:
            return _extrapolated(who, workload, dtype, device, units, taken)
        units *= GROWTH
    return predicted


def _extrapolated(who: Contender, workload: Workload, dtype: str, device: str, units: int, taken: float) -> float:
    """Seconds of the whole, on the line through two calls; in proportion where a second one would take long."""
    more = min(MORE * units, workload.units)
    if taken <= PATIENCE and more > units:
        each = (_seconds(who, who.prepare(workload.at(more), dtype, device), device) - taken) / (more - units)
        if each > 0:
            return taken + each * (workload.units - units)
    return taken * workload.units / units


def _seconds(who: Contender, job: Job, device: str) -> float:
    """The fastest of three calls, for the first warms up; or the first, if it is long enough to tell."""
    times: list[float] = []
    while len(times) < 3 and sum(times) < ENOUGH:
        if job.restart:
            job.restart()
        who.synchronize(device)
        began = time.perf_counter()
        job.run()
        who.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times)
