"""A training that several ranks share; as a program, all of them, each a process, and what each found, as JSON."""

import importlib
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeAlias

from shared_specs import another, registry
from shared_specs.cases import dyadic, layers_of
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, Params

RANKS = (2, 3)
PATIENCE = 120  # seconds; where one rank stays away from the others, they would wait for it
SIZES, BATCH, SEED = (3, 2, 2), 5, 7
LR, MOMENTUM, WEIGHT_DECAY = 0.0625, 0.5, 0.125
X, TARGET, LABELS = (
    dyadic(random.Random(1), 16, 3),
    dyadic(random.Random(2), 16, 2),
    [i * i % 5 % 2 for i in range(16)],
)
"""16 samples: batches of 5, 5, 5 and 1, none of which goes into equal shares."""

LATER = {"torch": "torch._dynamo", "fastai": "accelerate"}
"""Library → what it imports at the first shared step: once for all ranks saves seconds."""

Found: TypeAlias = dict[str, Any]
"""What a rank found in a course: "losses", "reports" of on_batch, and of each step its "grads" and "params"."""


@dataclass(frozen=True)
class Course:
    """A training: its targets, its epochs, and where each rank begins."""

    target: Nested = field(default_factory=lambda: TARGET)
    epochs: int = 1
    apart: bool = False

    def start(self, rank: int) -> Params:
        """The parameters of a rank before anything is done."""
        return layers_of(SIZES, random.Random(rank if self.apart else 0))


COURSES = {"long": Course(epochs=25), "classes": Course(LABELS), "apart": Course(apart=True)}


class Watched:
    """An optimizer, and what it saw before and after each step."""

    def __init__(self, optimizer: Any, lab: Lab, model: Any) -> None:
        self.optimizer, self.lab, self.parameters = optimizer, lab, dict(model.named_parameters())
        self.zero_grad = optimizer.zero_grad
        self.grads: list[Found] = []
        self.params: list[Found] = []

    def step(self) -> None:
        """Look, step, look."""
        self.grads.append({name: self.lab.read(parameter.grad) for name, parameter in self.parameters.items()})
        self.optimizer.step()
        self.params.append({name: self.lab.read(parameter.data) for name, parameter in self.parameters.items()})


def train(impl: Any, course: Course, rank: int) -> Found:
    """One rank's part in a course, inside the process group."""
    lab = Lab(impl, "float64", "cpu")
    model = lab.model(lab.array(course.start(rank)), impl.CrossEntropyLoss() if course.target is LABELS else None)
    batches = impl.Batches(lab.array(X), lab.array(course.target), BATCH, SEED)
    watched, reports = Watched(impl.SGD(list(model.parameters()), LR, MOMENTUM, WEIGHT_DECAY), lab, model), list[Any]()
    losses = impl.fit_parallel(model, batches, watched, course.epochs, lambda *report: reports.append(report))
    return {"losses": losses, "reports": reports, "grads": watched.grads, "params": watched.params}


def run(name: str, rank: int, ranks: int, port: int, found: "SimpleQueue[Any]") -> None:
    """All courses in one rank."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in place.items()})
    impl = registry.load(name)
    try:
        with impl.process_group("cpu"):
            found.put((ranks, rank, {name: train(impl, course, rank) for name, course in COURSES.items()}))
    except Exception as error:
        found.put((ranks, rank, f"{type(error).__name__}: {error}"))
        raise


def everything(name: str) -> dict[int, list[dict[str, Found]]]:
    """Number of ranks → what each of them found in each course."""
    registry.load(name)  # once: where processes can be forked, none has to import it again
    for later in [later for library, later in LATER.items() if library in sys.modules]:
        with suppress(ImportError):
            importlib.import_module(later)
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    found: SimpleQueue[Any] = context.SimpleQueue()
    for ranks in RANKS:
        port = free_port()
        for rank in range(ranks):
            context.Process(target=run, args=(name, rank, ranks, port, found), daemon=True).start()
    answers: dict[tuple[int, int], Any] = {}
    while len(answers) < sum(RANKS):
        ranks, rank, answer = found.get()
        if isinstance(answer, str):
            raise SystemExit(f"rank {rank} of {ranks}: {answer}")
        answers[ranks, rank] = answer
    return {ranks: [answers[ranks, rank] for rank in range(ranks)] for ranks in RANKS}


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def elsewhere(name: str) -> dict[int, list[dict[str, Found]]]:
    """The same in processes of their own. AssertionError with the last words of a rank that fails."""
    ran = _ran(name)
    if isinstance(ran, str):
        raise AssertionError(f"{name}: {ran}")
    return ran


@cache
def _ran(name: str) -> dict[int, list[dict[str, Found]]] | str:
    """What was found, or what went wrong: nobody waits for that twice."""
    try:
        ran = another.run(__name__, name, PATIENCE, OMP_NUM_THREADS="1")
    except subprocess.TimeoutExpired:
        return f"after {PATIENCE} s its ranks still wait for each other"
    if ran.returncode:
        return ran.stderr.strip().splitlines()[-1]
    return {int(ranks): found for ranks, found in another.found(ran).items()}


if __name__ == "__main__":
    print(json.dumps(everything(sys.argv[1])))
