"""All that is drawn from a seed; as a program, what an implementation draws in a process of its own, as JSON."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from shared_specs import another, registry
from shared_specs.oracle import Nested, flat

SEEDS = (0, 1, 2**32, 2**70)
"""Seeds of any size are welcome, and so is 0, which is one as good as any other."""


def _arrays(module: Any) -> list[Any]:
    return [parameter.data for parameter in module.parameters()]


WEIGHTS: Mapping[str, Callable[[Any, int | None], Any]] = {
    "normal": lambda impl, seed: [impl.normal(4, 3, 1.0, seed)],
    "init_mlp": lambda impl, seed: [array for pair in impl.init_mlp([4, 3, 3, 3], seed) for array in pair],
    "Linear": lambda impl, seed: _arrays(impl.Linear(4, 3, seed)),
    "Model": lambda impl, seed: _arrays(impl.Model([4, 3, 3, 3], None, seed)),
}
"""What starts with random weights → its arrays."""


def weights(impl: Any, name: str, seed: int | None) -> list[float]:
    """The numbers that it starts with, one by one."""
    return [float(number) for array in WEIGHTS[name](impl, seed) for number in flat(impl.tolist(array))]


def orders(impl: Any, seed: int, n: int = 300) -> list[list[Nested]]:
    """In which order Batches show so many samples, in two epochs."""
    x = impl.asarray([[float(i)] for i in range(n)])
    batches = impl.Batches(x, impl.asarray(list(range(n)), "int64"), 7, seed)
    return [[i for _, target in batches for i in impl.tolist(target)] for _ in range(2)]


def everything(impl: Any) -> dict[str, Any]:
    """What is drawn from each seed."""
    drawn = {f"{name}, seed {seed}": weights(impl, name, seed) for name in WEIGHTS for seed in SEEDS}
    return drawn | {f"Batches, seed {seed}": orders(impl, seed) for seed in SEEDS}


@cache
def elsewhere(name: str) -> dict[str, Any] | None:
    """The same in another process, where text has other hashes; None where no implementation goes by that name."""
    ran = another.run(__name__, name, PYTHONHASHSEED="12345")
    if "UnknownImplementation" in ran.stderr:
        return None
    if ran.returncode:
        raise AssertionError(f"{name} in another process: {ran.stderr[-2000:]}")
    drawn: dict[str, Any] = another.found(ran)
    return drawn


if __name__ == "__main__":
    print(json.dumps(everything(registry.load(sys.argv[1]))))
