"""A train step shared by several ranks: how long it takes, how much of it they talk, and what more of them would do.

Measured is what ran here. Predicted is a model: a rank's own work falls with its share of the batch, down to that of
one sample, and n ranks in a ring pass their gradients around in 2 (n − 1) messages of 1/n of the bytes each (Patarasuk
and Yuan, "Bandwidth optimal all-reduce algorithms", 2009).
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any

from rich.console import Group

from shared_specs.workloads import answers
from shared_specs.workloads.numbers import Net, state
from shared_specs.workloads.rows import NETS

from .. import launcher
from ..shell import load
from ..tables import NOT_PROVIDED, UserError, duration, framed, table
from ..threads import pinned

WORK = 3e9  # floating-point operations that a timing takes at least
STEPS = (7, 200)  # the fewest and the most steps of one
MESSAGES = {"latency": 1, "bandwidth": 2**20}  # float64s whose all-reduce shows it
PREDICTED = (8, 64, 1024)
BYTES = 8  # of a float64


@dataclass(frozen=True)
class Link:
    """What lies between ranks: seconds that a message takes however short it is, and bytes a second."""

    latency: float
    bandwidth: float

    def all_reduce(self, ranks: int, size: int) -> float:
        """Seconds in which a ring of so many ranks adds up so many bytes."""
        return 2 * (ranks - 1) * (self.latency + size / ranks / self.bandwidth)


@dataclass(frozen=True)
class Row:
    """What was measured of one net in one implementation."""

    implementation: str
    net: str
    batch: int
    parameters: int
    single: float
    """Seconds a step of a single sample, in one process."""
    steps: dict[int, float]
    """Ranks → seconds a step of the whole batch."""
    alone: dict[int, float]
    """Ranks → seconds a step of the largest share alone, with all ranks at it and none of them talking."""

    def talk(self, ranks: int) -> float:
        """Which part of a measured step goes beyond the rank's own work."""
        return max(0.0, 1 - self.alone[ranks] / self.steps[ranks])

    def predicted(self, ranks: int, link: Link) -> tuple[float, float]:
        """Seconds a step, and which part of it is communication."""
        share = -(-self.batch // ranks)
        a_sample = max(0.0, self.alone[1] - self.single) / max(1, self.batch - 1)
        talk = link.all_reduce(ranks, self.parameters * BYTES)
        step = self.single + (share - 1) * a_sample + talk
        return step, talk / step


def measure(names: Sequence[str], counts: Sequence[int]) -> tuple[list[Row], Link | None]:
    """Every net of the tables in every implementation that can share a step; the link between the most of the ranks.

    Raises UserError where none can, or a rank dies.
    """
    os.environ.update(pinned(1))  # before a rank loads its libraries
    able = [name for name in names if hasattr(load(name), "fit_parallel")]
    if not able:
        raise UserError(f"{', '.join(names)}: each runs in one process, expected one that has a fit_parallel")
    found: dict[int, Any] = {}
    try:
        for ranks in sorted({1, *counts}):
            found[ranks] = json.loads(launcher.launch(in_a_rank, [str(ranks), *able], able, ranks, 0))
    except launcher.RankDied as error:
        raise UserError(str(error)) from error
    rows = [
        Row(
            *(name, str(net), net.batch, sum((n_in + 1) * n_out for n_in, n_out in pairwise(net.sizes))),
            single=found[1]["steps"][name][str(net)]["single"],
            steps={ranks: found[ranks]["steps"][name][str(net)]["step"] for ranks in found},
            alone={ranks: found[ranks]["steps"][name][str(net)]["alone"] for ranks in found},
        )
        for net in NETS
        for name in able
    ]
    most = max(found)
    return rows, link(most, found[most]["messages"]) if most > 1 else None


def link(ranks: int, messages: dict[str, float]) -> Link:
    """The latency and bandwidth with which a ring would have added up the two messages in these times."""
    latency = messages["latency"] / (2 * (ranks - 1))
    size = MESSAGES["bandwidth"] * BYTES / ranks
    return Link(latency, size / max(1e-9, messages["bandwidth"] / (2 * (ranks - 1)) - latency))


def in_a_rank(ranks: str, *names: str) -> str:
    """What one rank measures, as JSON; all take the same steps at the same time."""
    nets = {name: load(name) for name in names}
    with nets[names[0]].process_group("cpu"):
        steps = {name: {str(net): _times(impl, net, int(ranks)) for net in NETS} for name, impl in nets.items()}
        return json.dumps({"steps": steps, "messages": dict(_messages())})


def _times(impl: ModuleType, net: Net, ranks: int) -> dict[str, float]:
    share = -(-net.batch // ranks)
    flops = sum(2 * n * k * m for n, k, m in net.products)
    steps = int(min(max(WORK / flops, STEPS[0]), STEPS[1]))
    whole = impl.fit if ranks == 1 else impl.fit_parallel
    return {
        "step": _step(impl, whole, net, net.batch, steps),
        "alone": _step(impl, impl.fit, net, share, steps),
        "single": _step(impl, impl.fit, net, 1, STEPS[1]),
    }


def _step(impl: ModuleType, fit: Callable[..., Any], net: Net, samples: int, steps: int) -> float:
    """The median of so many steps, each from the end of the one before, as training goes."""
    x, target = (impl.asarray(values[:samples], "float64", "cpu") for values in (net.x, net.target))
    model = impl.Model(list(net.sizes), seed=0, dtype="float64", device="cpu")
    model.load_state_dict({name: impl.asarray(values, "float64") for name, values in state(net.params).items()})
    ends: list[float] = []
    optimizer = impl.SGD(list(model.parameters()), lr=answers.LR)
    fit(model, [(x, target)] * (steps + 1), optimizer, 1, lambda step, loss: ends.append(time.perf_counter()))
    return statistics.median(after - before for before, after in pairwise(ends))


def _messages() -> Iterator[tuple[str, float]]:
    """Seconds of an all-reduce by PyTorch, which all that share a step stand on, short and long."""
    import torch
    import torch.distributed as dist

    for name, size in MESSAGES.items():
        numbers, times = torch.zeros(size, dtype=torch.float64), list[float]()
        for _ in range(50):
            began = time.perf_counter()
            dist.all_reduce(numbers)
            times.append(time.perf_counter() - began)
        yield name, statistics.median(times)


def report(rows: Sequence[Row], between: Link | None) -> Group:
    """Two tables, measured and predicted, of time a step and the part that is communication."""
    counts = sorted(rows[0].steps)
    measured = table("train step", "package", *map(_ranks, counts))
    predicted = table("train step", "package", *map(_ranks, (*counts[1:], *PREDICTED)))
    for row in rows:
        told = (_cell(row.steps[n], row.talk(n) if n > 1 else None) for n in counts)
        measured.add_row(row.net, row.implementation, *told)
        if between:
            cells = (_cell(*row.predicted(n, between)) for n in (*counts[1:], *PREDICTED))
            predicted.add_row(row.net, row.implementation, *cells)
    about = "%: the part of a step beyond what the largest share takes a rank alone, while all are at it."
    first = framed("Measured: a step by ranks · float64 on cpu, 1 thread each, gloo", measured, about)
    if between is None:
        return first
    link = f"{duration(between.latency)} a message and {between.bandwidth / 1e9:.3g} GB/s, measured between"
    about = f"From {link} {counts[-1]} ranks here, and from one rank's own time for the whole batch and for one sample;"
    ring = "as if each rank had a core of its own, and gradients went around in a ring. Nothing of it ran."
    return Group(first, "", framed("Predicted, not measured: the same by a model", predicted, about, ring))


def to_json(rows: Sequence[Row], between: Link | None) -> str:
    """All that was measured."""
    return json.dumps({"link": between and asdict(between), "rows": [asdict(row) for row in rows]}, indent=1) + "\n"


def _ranks(n: int) -> str:
    return f"{n:,} rank{'s' * (n > 1)}"


def _cell(seconds: float, talk: float | None) -> str:
    return f"{duration(seconds)} {NOT_PROVIDED if talk is None else f'{talk:.0%}':>4}"
