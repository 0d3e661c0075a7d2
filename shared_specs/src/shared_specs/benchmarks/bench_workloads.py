"""Times every workload in every implementation, each checked for its answer first.

Run it with ``pytest --pyargs shared_specs.benchmarks.bench_workloads --impl my_net``; without ``--impl``, all that are
registered. pytest-benchmark's options hold.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared_specs import registry
from shared_specs.workloads import contender, row, rows, rungs_of

from .budget import predict, remember

BUDGET = 10.0
MOST_ROUNDS = 300
NAMES = ("work", "size", "rung", "dtype", "device", "threads", "implementation")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test a cell: those of the file that ``cells`` names, or else all that can be timed."""
    planned = metafunc.config.getoption("cells", None)
    cells = json.loads(Path(planned).read_text(encoding="utf-8")) if planned else list(_all_cells(metafunc.config))
    if not cells:
        raise pytest.UsageError("no workload that can be timed")
    metafunc.parametrize(NAMES, [_param(cell) for cell in cells])


def test_workload(  # the parameters are the cell's name
    work: str,
    size: str,
    rung: str,
    dtype: str,
    device: str,
    threads: str,
    implementation: str,
    benchmark: Any,
    request: pytest.FixtureRequest,
) -> None:
    """The answer is right; then it is timed, unless a call would take too long."""
    who = contender(implementation)
    workload = row(work, size, rung)
    budget = float(request.config.getoption("budget", BUDGET))
    predicted = predict(who, workload, dtype, device, budget)
    if predicted > budget:
        request.node.user_properties.append(("predicted", predicted))
        pytest.skip(f"a call is predicted to take {predicted:.3g} s, the budget is {budget:g} s")
    job = who.prepare(workload, dtype, device)
    error = who.check(workload, job, dtype, device)
    if job.restart:
        # a first epoch begins at the start
        rounds = _rounds(job.restart, job.run, request.config)
        benchmark.pedantic(job.run, setup=job.restart, rounds=rounds, warmup_rounds=1)
    else:
        benchmark(job.run)
    remember(who, workload, dtype, device, benchmark.stats.stats.median)
    request.node.user_properties.append(("timed", {"seconds": benchmark.stats.stats.data, "ulps": error}))


def _all_cells(config: pytest.Config) -> Iterator[tuple[str, ...]]:
    names = config.getoption("impl") or registry.implementations()
    dtypes, device = config.getoption("dtype") or ["float64", "float32"], config.getoption("device")
    modules = {name: registry.load(name) for name in names}
    for workload in rows(rungs_of(modules.values())):
        for dtype in dtypes:
            for name in modules:
                if contender(name).hindrance(workload, dtype, device) is None:
                    threads = os.environ.get("OMP_NUM_THREADS", "default")
                    yield workload.work, workload.size, workload.rung, dtype, device, threads, name


def _param(cell: tuple[str, ...]) -> "pytest.ParameterSet":
    work, size, rung, dtype, device, threads, name = map(str, cell)
    words = (work, rung, size, dtype, device, f"{threads} threads", name)
    cell_id = "-".join(filter(None, words))
    marks = pytest.mark.benchmark(group=" ".join(filter(None, words[:-1])), timer=_clock(name, device))
    return pytest.param(work, size, rung, dtype, device, threads, name, id=cell_id, marks=marks)


def _clock(name: str, device: str) -> Callable[[], float]:
    """A clock that is read when the device has done what was asked of it; the CPU does nothing else anyway."""
    if device == "cpu":
        return time.perf_counter

    def timer() -> float:
        contender(name).synchronize(device)
        return time.perf_counter()

    return timer


def _rounds(restart: Callable[[], None], run: Callable[[], Any], config: pytest.Config) -> int:
    """As many rounds as pytest-benchmark's time allows, with the restarts."""
    began = time.perf_counter()
    restart()
    run()
    fitting = float(config.getoption("benchmark_max_time")) / (time.perf_counter() - began)
    return min(max(int(fitting), int(config.getoption("benchmark_min_rounds"))), MOST_ROUNDS)
