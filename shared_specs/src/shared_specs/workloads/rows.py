"""The rows of the speed table: which work, at which size, on which rung."""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from . import answers
from .numbers import Digits, Named, Net, Product, digits

STAGE_OF = {
    "neuron": "neuron",
    "matmul": "layer",
    "forward": "mlp",
    "loss_and_grads": "backward",
    "train step": "training",
    "bare steps": "training",
    "epoch": "training",
    "sweep": "backward",
}
"""Work → the last stage of the contract that it needs. The sweep is loss_and_grads at many widths."""

RUNGS = ("loops", "elementwise", "broadcast", "einsum", "builtin")
NETS = (
    Net(1, (4, 8, 1)),
    Net(200, (100, 50, 1)),
    Net(64, (784, 50, 10)),
    Net(512, (784, 512, 10), distinct=8),
    Net(1024, (1024, 1024, 1024), distinct=4),
)
SWEEP = tuple(Net(32, (16, 2**power, 4)) for power in range(1, 13))
DIGITS_WORKS = ("bare steps", "epoch")
"""The steps of an epoch on batches that lie ready, and the whole: shuffling, taking the samples, the loop."""
DIGITS_SIZE = "digits, 64-50-10"
DIGITS_BATCHES = 57  # of 32, the last of 5
MOST_WEIGHTS, MOST_ACTIVATIONS = 20_000_000, 100_000_000  # so that the answer comes in seconds, and fits a memory


@dataclass(frozen=True)
class Workload:
    """One row: its work on `units` samples (rows of a matmul, batches of an epoch)."""

    work: str
    size: str
    rung: str = ""
    units: int = 1
    net: Net | None = None

    def __str__(self) -> str:
        return " ".join(filter(None, [self.work, self.rung, self.size]))

    @property
    def stage(self) -> str:
        """The last stage of the contract that it needs."""
        return STAGE_OF[self.work]

    @property
    def multiply_adds(self) -> int:
        """How many multiplications, each with an addition, its matrix products have; a FLOP is half of one."""
        return sum(n * k * m for n, k, m in self.products)

    @cached_property
    def products(self) -> list[Product]:
        """The matrix products that it cannot do without."""
        if self.work == "neuron":
            return [(1, answers.N_INPUTS, 1)]
        if self.work == "matmul":
            return [(self.units, answers.N_INPUTS, answers.COLUMNS)]
        if self.work in DIGITS_WORKS:
            return [
                product for x, _ in self.digits.batches for product in replace(self.digits.net, batch=len(x)).products
            ]
        return self.sized.forward_products if self.work == "forward" else self.sized.products

    @property
    def sized(self) -> Net:
        """The net, with a batch of `units`."""
        if self.net is None:
            raise ValueError(f"{self} has no net")
        return replace(self.net, batch=self.units)

    @property
    def digits(self) -> Digits:
        """So many batches of digits."""
        return digits().at(self.units)

    def at(self, units: int) -> "Workload":
        """The same work on fewer samples, to see how long the whole would take."""
        return replace(self, units=units)

    def answer(self) -> Named:
        """What must come out."""
        if self.work == "neuron":
            return answers.neuron()
        if self.work == "matmul":
            return answers.matmul(self.units)
        if self.work in DIGITS_WORKS:
            return answers.epoch(self.units)
        if self.work == "forward":
            return answers.forward(self.sized)
        return answers.train_step(self.sized) if self.work == "train step" else answers.loss_and_grads(self.sized)


def rows(rungs: Iterable[str] = RUNGS, nets: Iterable[Net] = ()) -> list[Workload]:
    """All rows in order: a neuron, the rungs of matmul, nets from forward to a whole step, an epoch, and the sweep.

    With `nets`, these too.
    """
    nets = [*NETS, *nets]
    shape = f"{answers.ROWS}×{answers.N_INPUTS} @ {answers.N_INPUTS}×{answers.COLUMNS}"
    return [
        Workload("neuron", str(answers.N_INPUTS)),
        *(Workload("matmul", shape, rung, answers.ROWS) for rung in rungs),
        *(
            Workload(work, str(net), units=net.batch, net=net)
            for work in ("forward", "loss_and_grads", "train step")
            for net in nets
        ),
        *(Workload(work, DIGITS_SIZE, units=DIGITS_BATCHES) for work in DIGITS_WORKS),
        *(Workload("sweep", str(net), units=net.batch, net=net) for net in SWEEP),
    ]


def row(work: str, size: str, rung: str = "") -> Workload:
    """The one with these names; a net may have any size."""
    known = next((known for known in rows([rung or "builtin"]) if (known.work, known.size) == (work, size)), None)
    if known:
        return known
    net = net_of(size)
    return Workload(work, str(net), units=net.batch, net=net)


def net_of(size: str) -> Net:
    """The net of any size, "7, 5-4-3-2": batch, widths.

    Its inputs are so small that a train step at `answers.LR` does not explode. Of its samples, so many are distinct
    that plain Python computes the answer in a second, and that next to no unit is so close to 0 that rounding decides.

    Raises ValueError for a text that is no size, or for a net that is too large.
    """
    if not re.fullmatch(r"[0-9]{1,9}, ?[1-9][0-9]{0,8}(-[1-9][0-9]{0,8})+", size) or size.startswith("0"):
        raise ValueError(f"size {size!r} is no batch and widths")
    batch, *sizes = map(int, re.findall("[0-9]+", size))
    weights, activations, hidden = sum(n * m for n, m in pairwise(sizes)), batch * sum(sizes), sum(sizes[1:-1])
    if weights > MOST_WEIGHTS or activations > MOST_ACTIVATIONS:
        raise ValueError(
            f"size {size!r} makes {weights:,} weights and {activations:,} activations, "
            f"expected at most {MOST_WEIGHTS:,} and {MOST_ACTIVATIONS:,}"
        )
    most = max(1, min(10**7 // weights, 10**4 // (hidden or 1)))
    distinct = next(n for n in range(min(most, batch), 0, -1) if batch % n == 0)
    return Net(batch, tuple(sizes), distinct, spread=min(1.0, math.sqrt(4 * sizes[-1] / sum(sizes[:-1]))))


def rungs_of(implementations: Iterable[ModuleType]) -> list[str]:
    """The contract's rungs, slowest first, then the implementations' own."""
    own = [rung for implementation in implementations for rung in getattr(implementation, "MATMULS", ())]
    return list(dict.fromkeys([*RUNGS, *own]))


def digest() -> str:
    """Twelve hex digits that change with every change of what is timed."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
