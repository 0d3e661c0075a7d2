"""Where a number came from: pure_python computes on numbers that remember how they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from shared_specs import oracle

from .. import values
from ..values import Nested

WRITTEN = (
    *("add", "multiply", "transpose", "unsqueeze", "neuron", "layer", "matmul", "linear"),
    *("mse", "mse_grad", "linear_grad"),
)
"""The names whose results write themselves; others are made of these, or use functions that forget."""
DECIDED = {"relu": "max({x}, 0)", "relu_grad": "{grad_out} · [{x} > 0]"}
"""Where a comparison decides, the number alone does not tell from what: it is said here, element by element."""


@dataclass(frozen=True)
class Term:
    """A number that knows the cells from which it came, and how to write itself."""

    value: float
    text: str
    cells: tuple[str, ...] = ()
    rank: int = 2
    """How tightly its parts hang together: those of a sum 0, of a product 1; a number has none."""

    def _with(self, other: Any, sign: str, value: float, rank: int) -> "Term":
        left, right = (f"({t.text})" if t.rank < rank else t.text for t in (self, other))
        if other.rank == rank and sign in "−/":
            right = f"({right})"
        return Term(value, f"{left} {sign} {right}", tuple(dict.fromkeys((*self.cells, *other.cells))), rank)

    def __add__(self, other: Any) -> "Term":
        return self._with(other, "+", self.value + other.value, 0)

    def __radd__(self, other: int) -> "Term":
        return self  # sum() starts at 0

    def __sub__(self, other: Any) -> "Term":
        return self._with(other, "−", self.value - other.value, 0)

    def __mul__(self, other: Any) -> "Term":
        return self._with(other, "·", self.value * other.value, 1)

    def __rmul__(self, other: float) -> "Term":
        return Term(other, short(other)) * self

    def __truediv__(self, other: float) -> "Term":
        return self._with(Term(other, short(other)), "/", self.value / other, 1)


def short(number: Any) -> str:
    """Four digits and a true minus sign; in brackets where a sign would meet another one."""
    text = f"{float(number):.4g}".replace("-", "−")
    return f"({text})" if text.startswith("−") else text


def results(net: ModuleType, name: str) -> Mapping[str, Nested]:
    """Name of a result of `name` on the small net → its numbers, which know where they came from."""
    given = {key: _named(key, array) for key, array in values.ARRAYS[name].items()}
    if name in DECIDED:
        computed = net.tolist(values.CALLS[name].run(net, values.given(net, name)))
        found = oracle.elementwise(partial(_decided, name, list(given)), computed, *given.values())
    else:
        found = getattr(net, name)(**given, **({"dim": 0} if name == "unsqueeze" else {}))
    names = values.CALLS[name].result.split(", ")
    return dict(zip(names, found if len(names) > 1 else [found], strict=True))


def _named(name: str, array: Nested, *at: int) -> Nested:
    if isinstance(array, list):
        return [_named(name, row, *at, i) for i, row in enumerate(array)]
    return Term(array, short(array), (cell(name, *at),))


def cell(name: str, *at: int) -> str:
    """What a number of an array is known by."""
    return "-".join([name, *map(str, at)])


def _decided(name: str, arguments: Sequence[str], value: float, *terms: Term) -> Term:
    text = DECIDED[name].format(**{key: term.text for key, term in zip(arguments, terms, strict=True)})
    return Term(value, text, tuple(cell for term in terms for cell in term.cells))
