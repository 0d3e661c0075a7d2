"""The rows of the speed table: which work, at which size, on which rung."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
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


def rows(rungs: Iterable[str] = RUNGS) -> list[Workload]:
    """All rows in order: a neuron, the rungs of matmul, nets from forward to a whole step, an epoch, and the sweep."""
    shape = f"{answers.ROWS}×{answers.N_INPUTS} @ {answers.N_INPUTS}×{answers.COLUMNS}"
    return [
        Workload("neuron", str(answers.N_INPUTS)),
        *(Workload("matmul", shape, rung, answers.ROWS) for rung in rungs),
        *(
            Workload(work, str(net), units=net.batch, net=net)
            for work in ("forward", "loss_and_grads", "train step")
            for net in NETS
        ),
        *(Workload(work, DIGITS_SIZE, units=DIGITS_BATCHES) for work in DIGITS_WORKS),
        *(Workload("sweep", str(net), units=net.batch, net=net) for net in SWEEP),
    ]


def rungs_of(implementations: Iterable[ModuleType]) -> list[str]:
    """The contract's rungs, slowest first, then the implementations' own."""
    own = [rung for implementation in implementations for rung in getattr(implementation, "MATMULS", ())]
    return list(dict.fromkeys([*RUNGS, *own]))


def digest() -> str:
    """Twelve hex digits that change with every change of what is timed."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
