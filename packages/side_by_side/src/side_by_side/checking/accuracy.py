"""How exact is each implementation? Every element it computes, in units in the last place from the exact number.

An ULP is the distance between two neighbouring numbers of the dtype: half of one is the best there is. The exact number
is what the oracle makes of the inputs as the dtype holds them, so that only the computation counts. Where large terms
cancel, little is left of them and the same error is many ULPs: those inputs stand in rows of their own.
"""

import json
import math
import os
import random
import statistics
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Group

from shared_specs import STAGES, oracle
from shared_specs.cases import Net, named
from shared_specs.compare import ulps
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact, flat

from ..tables import NOT_PROVIDED, UserError, framed, table, three_digits

RANDOM, CANCELLING = "random", "cancelling"
SIZES = (12, 6, 4)
BATCH = 6


@dataclass(frozen=True)
class Operation:
    """A call of one function: floats stand for Arrays, ints for class labels."""

    stage: str
    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Work:
    """Something to compute, and how to know it exactly."""

    stage: str
    inputs: str
    name: str
    numbers: Any
    """Nested lists of floats; ints are labels and other arguments that are no Array."""
    compute: Callable[[Lab, Any], Any]
    """Nested lists of the floats that an implementation makes of the numbers."""
    answer: Callable[[Any], Any]
    """What the oracle makes of them."""


@dataclass(frozen=True)
class Row:
    """The errors of an implementation in a stage, in ULPs."""

    implementation: str
    dtype: str
    stage: str
    inputs: str
    errors: list[float] = field(repr=False)

    @property
    def worst(self) -> float:
        """The largest."""
        return max(self.errors)

    @property
    def median(self) -> float:
        """Half of the elements are at most as far off."""
        return statistics.median(self.errors)


# ------------------------------------------------------------------------------------------------- what is computed


def works() -> Iterator[Work]:
    """All that is measured, stage by stage."""
    rng = random.Random(0)
    for inputs, near in ((RANDOM, None), (CANCELLING, 1e-6)):
        yield from (_of(*call, inputs) for call in _calls(rng, near))
        yield _model(rng, inputs, near)
        yield _steps(rng, inputs, near)


def _array(rng: random.Random, *shape: int) -> Nested:
    return [_array(rng, *shape[1:]) for _ in range(shape[0])] if shape else rng.gauss(0, 1)


def _mirrored(array: Nested, rng: random.Random, near: float | None) -> Nested:
    """The array with its second half the first with the other sign, but for a part of `near`; as it is for None."""
    if near is None:
        return array
    half = len(array) // 2
    return [*array[:half], *(elementwise(lambda z: -z * (1 + near * rng.random()), row) for row in array[:half])]


def _doubled(array: Nested, near: float | None) -> Nested:
    """The array with its second half the first again: what meets a mirrored array, so that their products cancel."""
    half = len(array) // 2
    return array if near is None else [*array[:half], *array[:half]]


def _close(array: Nested, rng: random.Random, near: float | None) -> Nested:
    """Another array; or one that differs by a part of `near`."""
    return elementwise(lambda z: rng.gauss(0, 1) if near is None else z * (1 + near * rng.random()), array)


def _calls(rng: random.Random, near: float | None) -> list[tuple[str, str, tuple[Any, ...]]]:
    """(stage, function, arguments). Sums run along the mirrored axis."""
    n, units, outputs = 16, 8, _array(rng, BATCH, 4)
    rows = [_mirrored(row, rng, near) for row in _array(rng, BATCH, n)]
    weights = _doubled(_array(rng, n, units), near)
    batch, grads = _doubled(_array(rng, n, units), near), _mirrored(_array(rng, n, 4), rng, near)
    wide = _array(rng, 4, 64)
    logits = _array(rng, BATCH, 4)
    if near is not None:  # the label is nearly certain: log(1 + tiny)
        logits = [[z + (12.0 if j == i % 4 else 0.0) for j, z in enumerate(row)] for i, row in enumerate(logits)]
    labels = [i % 4 for i in range(BATCH)]
    tiny = elementwise(lambda z: (1 if near is None else near) * z, _array(rng, units))
    params, x, target = _net(rng, near)
    found = [
        ("arrays", "add", (wide, elementwise(lambda z: -z, _close(wide, rng, near)))),
        ("arrays", "multiply", (wide, _array(rng, 64))),
        ("neuron", "neuron", (rows[0], [row[0] for row in weights], tiny[0])),
        ("neuron", "relu", (wide,)),
        ("layer", "layer", (rows[0], oracle.transpose(weights), tiny)),
        ("layer", "linear", (rows, weights, tiny)),
        ("mlp", "mse", (outputs, _close(outputs, rng, near))),
        ("mlp", "mlp", (x, params)),
        ("backward", "mse_grad", (outputs, _close(outputs, rng, near))),
        ("backward", "linear_grad", (grads, batch, _array(rng, units, 4))),
        ("backward", "loss_and_grads", (params, x, target)),
        ("training", "cross_entropy", (logits, labels)),
        ("training", "cross_entropy_grad", (logits, labels)),
    ]
    return [call for call in found if near is None or call[1] not in ("multiply", "relu")]


def _net(rng: random.Random, near: float | None) -> tuple[Any, Nested, Nested]:
    """Parameters, a batch and targets; the first layer's sums and the errors cancel if asked to."""
    n_in, hidden, n_out = SIZES
    params = [
        (_doubled(_array(rng, n_in, hidden), near), elementwise(lambda z: abs(z) / 8, _array(rng, hidden))),
        (_array(rng, hidden, n_out), _array(rng, n_out)),
    ]
    x = [_mirrored(row, rng, near) for row in _array(rng, BATCH, n_in)]
    return params, x, _close(oracle.mlp(x, params), rng, near)


def _of(stage: str, function: str, arguments: tuple[Any, ...], inputs: str) -> Work:
    def compute(lab: Lab, numbers: Any) -> Any:
        return lab.read(getattr(lab.impl, function)(*map(lab.array, numbers)))

    def answer(numbers: Any) -> Any:
        return getattr(oracle, function)(*numbers)

    return Work(stage, inputs, function, arguments, compute, answer)


def _model(rng: random.Random, inputs: str, near: float | None) -> Work:
    """A Model's outputs, loss and gradients."""
    params, x, target = _net(rng, near)

    def compute(lab: Lab, numbers: Any) -> Any:
        model = lab.build(Net("", *numbers))
        outputs, loss = model.predict(lab.array(numbers[1])), model(*lab.array(tuple(numbers[1:])))
        model.backward()
        grads = [parameter.grad for _, parameter in sorted(model.named_parameters())]
        return [lab.read(part) for part in (outputs, loss, *grads)]

    def answer(numbers: Any) -> Any:
        loss, grads = oracle.loss_and_grads(*numbers)
        return [oracle.mlp(numbers[1], numbers[0]), loss, *(grad for _, grad in sorted(named(grads).items()))]

    return Work("module", inputs, "Model", (params, x, target), compute, answer)


def _steps(rng: random.Random, inputs: str, near: float | None) -> Work:
    """Two steps of SGD with momentum and weight decay; where they cancel, the first leads nearly to 0."""
    start = _array(rng, 64)
    grads = [_close(start, rng, near) if near else _array(rng, 64), _array(rng, 64)]
    lr, momentum, decay = (1.0, 0.0, 0.0) if near else (0.125, 0.875, 0.0625)  # which every dtype holds

    def compute(lab: Lab, numbers: Any) -> Any:
        parameter = lab.impl.Parameter(lab.array(numbers[0]))
        optimizer = lab.impl.SGD([parameter], lr=lr, momentum=momentum, weight_decay=decay)
        for grad in numbers[1:2] if near else numbers[1:]:
            parameter.grad = lab.array(grad)
            optimizer.step()
        return lab.read(parameter.data)

    def answer(numbers: Any) -> Any:
        parameters, buffers = numbers[0], None
        for grad in numbers[1:2] if near else numbers[1:]:
            rates = map(Fraction, (lr, momentum, decay))
            parameters, buffers = oracle.sgd_step(parameters, grad, buffers, *rates)
        return parameters

    return Work("training", inputs, "SGD", (start, *grads), compute, answer)


# ------------------------------------------------------------------------------------------------- measuring


def held(numbers: Any, dtype: str) -> Any:
    """The numbers as the dtype holds them: floats again, and labels as they are."""
    if dtype != "float32":
        return numbers
    return elementwise(lambda z: z if isinstance(z, int) else struct.unpack("f", struct.pack("f", z))[0], numbers)


class Measure:
    """Errors in ULPs; the exact answers are computed once for all implementations."""

    def __init__(self, all_works: Sequence[Work] | None = None) -> None:
        self.works = list(works()) if all_works is None else list(all_works)
        self._answers: dict[tuple[int, str], list[Fraction]] = {}
        self.missing: dict[str, dict[str, str]] = {}
        """Implementation → work → why it could not be measured."""

    def plan(self, modules: dict[str, ModuleType]) -> int:
        """How many works there are over all implementations and dtypes."""
        return len(self.works) * sum(len(getattr(module, "DTYPES", ())) for module in modules.values())

    def run(self, name: str, module: ModuleType, on_work: Callable[[str], None] = lambda _: None) -> list[Row]:
        """A row for every dtype, stage and kind of inputs."""
        rows: dict[tuple[str, str, str], list[float]] = {}
        if not hasattr(module, "DTYPES"):
            self.missing[name] = {"all": "does not provide DTYPES"}
            return []
        for dtype in sorted(module.DTYPES, reverse=True):
            for i, work in enumerate(self.works):
                on_work(f"{name} {dtype} {work.name}")
                try:
                    got = list(flat(work.compute(Lab(module, dtype, "cpu"), held(work.numbers, dtype))))
                    pairs = list(zip(got, self.exact(i, dtype), strict=True))
                except Exception as error:  # whatever a half-done implementation may do
                    said = " ".join(f"{type(error).__name__}: {error}".split())
                    self.missing.setdefault(name, {}).setdefault(work.name, said)
                    continue
                found = [ulps(mine, right, dtype) for mine, right in pairs]
                rows.setdefault((dtype, work.stage, work.inputs), []).extend(found)
        return [Row(name, *key, errors) for key, errors in rows.items()]

    def lacks(self) -> list[str]:
        """What could not be measured, and why the first of it could not, a sentence an implementation."""
        return [
            f"{name}: not measured: {', '.join(why)}; {next(iter(why.values()))}" for name, why in self.missing.items()
        ]

    def exact(self, i: int, dtype: str) -> list[Fraction]:
        """The exact answers of a work on the numbers that the dtype holds."""
        if (i, dtype) not in self._answers:
            numbers = held(self.works[i].numbers, dtype)
            arguments = tuple(part if isinstance(next(flat(part)), int) else exact(part) for part in numbers)
            self._answers[i, dtype] = list(flat(self.works[i].answer(arguments)))
        return self._answers[i, dtype]


# ------------------------------------------------------------------------------------------------- showing


def result_table(rows: Sequence[Row], dtype: str) -> Group:
    """Stage by implementation, in one dtype: the largest error and the median."""
    cells = {(row.implementation, row.stage, row.inputs): row for row in rows if row.dtype == dtype}
    names = list(dict.fromkeys(row.implementation for row in rows))
    result = table("stage", "inputs", *names)
    for stage in STAGES:
        for inputs in (RANDOM, CANCELLING):
            found = [cells.get((name, stage, inputs)) for name in names]
            if any(found):
                result.add_row(stage, inputs, *(cell(row) for row in found))
    note = "largest error · median, of every element, against exact arithmetic; 0.5 is the best there is"
    return framed(f"Errors in ULPs of {dtype}", result, note)


def cell(row: Row | None) -> str:
    """The largest error and the median: 1.50 · 0.250."""
    return f"{number(row.worst)} · {number(row.median)}" if row else NOT_PROVIDED


def number(error: float) -> str:
    """Three digits, or two and the exponent: 0.412, 37.0, 2.1e8."""
    return (
        three_digits(error) if error < 1e4 or math.isinf(error) else f"{error:.1e}".replace("e+0", "e").replace("+", "")
    )


def saved(path: Path) -> list[dict[str, Any]]:
    """The rows in a file that is there already.

    Raises UserError when it is another file, which must not be replaced.
    """
    if not path.exists():
        return []
    try:
        return [row for row in json.loads(path.read_text(encoding="utf-8"))["rows"] if row["implementation"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is there already and holds no accuracy; --json names another file") from error


def save(rows: Sequence[Row], path: Path, kept: Sequence[dict[str, Any]] = ()) -> None:
    """The rows as JSON, with those of other implementations that are kept; the file is whole or not there.

    Raises UserError when it cannot be written.
    """
    measured = {row.implementation for row in rows}
    entries = [row for row in kept if row["implementation"] not in measured] + [
        {
            "implementation": row.implementation,
            "dtype": row.dtype,
            "stage": row.stage,
            "inputs": row.inputs,
            "elements": len(row.errors),
            "max": _or_null(row.worst),
            "median": _or_null(row.median),
        }
        for row in rows
    ]
    text = json.dumps({"unit": "ULP", "rows": entries}, indent=1) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _or_null(error: float) -> float | None:
    return error if math.isfinite(error) else None


def problems(rows: Sequence[Row]) -> list[str]:
    """Errors that are no rounding any more, a sentence each: results that are not finite."""
    return [
        f"{row.implementation}: a result of stage {row.stage} in {row.dtype} is not finite"
        for row in rows
        if not math.isfinite(row.worst)
    ]
