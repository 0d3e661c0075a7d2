"""The value ledger: every number of one way forward and back, in each implementation, beside the exact one.

The net of the chapter: l1 = x @ w1 + b1, l2 = relu(l1), output = l2 @ w2 + b2, loss = mse(output, target). Each
implementation goes the whole way on its own numbers: function by function, then with `mlp` and `loss_and_grads`, then
as a Model. The exact column comes from the oracle, on fractions, so it is right to the last digit and knows no
derivative formula.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from types import ModuleType
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared_specs import compare, oracle

from ..tables import NOT_PROVIDED, UserError, framed, table
from . import culprit

Nested = Any
Passed = dict[str, Any]

SEED = 49
"""With it every unit is on for one sample and off for another, and one stands exactly at its kink."""

NEEDED = ("asarray", "tolist", "DTYPES")
MADE_BY = {
    **dict.fromkeys(("l1", "output"), "linear"),
    "l2": "relu",
    "loss": "mse",
    "output.g": "mse_grad",
    "l1.g": "relu_grad",
    **dict.fromkeys(("l2.g", "w2.g", "b2.g", "x.g", "w1.g", "b1.g"), "linear_grad"),
}
"""Which function of the contract makes a number; the names of the others begin with it."""
MANY = 200
"""Numbers, of more than which only a summary is shown."""
PLACES = {"w1": (0, 0), "b1": (0, 1), "w2": (1, 0), "b2": (1, 1)}
"""Of each gradient among those that `loss_and_grads` gives: the layer, and weight or bias."""


@dataclass(frozen=True)
class Problem:
    """One small net with its batch and target; all numbers are quarters, which every dtype holds exactly."""

    x: Nested
    target: Nested
    w1: Nested
    b1: Nested
    w2: Nested
    b2: Nested

    def givens(self) -> dict[str, Nested]:
        """The numbers to begin with, by name."""
        return {name: getattr(self, name) for name in ("x", "w1", "b1", "w2", "b2", "target")}


class Missing(Exception):
    """A function of the contract that an implementation does not provide."""


@dataclass
class Column:
    """What one implementation computed, and where it first goes wrong."""

    values: dict[str, Nested] = field(default_factory=dict)
    """Name → nested lists; an Exception where there is no value: Missing where the function is lacking."""
    wrong: str | None = None
    """The first name whose value is wrong."""
    reason: str = ""
    where: culprit.Place | None = None
    """The line of the mistake's first effect."""

    @property
    def lacks(self) -> list[str]:
        """The functions that are missing."""
        return list(dict.fromkeys(str(value) for value in self.values.values() if isinstance(value, Missing)))


@dataclass
class Ledger:
    """The exact values, and a column an implementation."""

    exact: dict[str, Nested]
    columns: dict[str, Column]
    dtype: str
    left_out: dict[str, str] = field(default_factory=dict)
    """Implementation → why it has no column."""
    interrupted: bool = False
    """Whether Ctrl-C came before all columns were there."""

    @property
    def first(self) -> tuple[str, str] | None:
        """The name and the place of the first number that diverges in any column."""
        wrong = {column.wrong for column in self.columns.values()}
        name = next((name for name in self.exact if name in wrong), None)
        if name is None:
            return None
        columns = [_aligned(column.values[name], self.exact[name]) for column in self.columns.values()]
        margin = _margin(self.exact[name], self.dtype)
        for (place, value), *got in zip(_elements(self.exact[name]), *columns, strict=True):
            if any(_is_wrong(mine, value, margin) for mine in got):
                return name, place
        return name, ""


def problem(sizes: Sequence[int] = (2, 3, 1), batch: int = 3, seed: int = SEED) -> Problem:
    """A net with units that are on and units that are off, a batch for it, and what it should give.

    Raises UserError unless there are three sizes.
    """
    if len(sizes) != 3:
        raise UserError(f"the ledger is of a net with one hidden layer, expected three sizes, got {len(sizes)}")
    rng = random.Random(seed)
    n_in, n_hidden, n_out = sizes

    def numbers(*shape: int) -> Nested:
        if shape:
            return [numbers(*shape[1:]) for _ in range(shape[0])]
        return rng.choice((-1, 1)) * rng.randint(1, 8) / 4

    return Problem(
        *(numbers(*shape) for shape in ((batch, n_in), (batch, n_out), (n_in, n_hidden), (n_hidden,))),
        *(numbers(*shape) for shape in ((n_hidden, n_out), (n_out,))),
    )


def exact_pass(given: Problem) -> dict[str, Nested]:
    """Name → exact value of everything, in the order in which it comes about."""
    p = {name: oracle.exact(values) for name, values in given.givens().items()}
    l1 = oracle.linear(p["x"], p["w1"], p["b1"])
    l2 = oracle.relu(l1)
    output = oracle.linear(l2, p["w2"], p["b2"])
    values = {**p, "l1": l1, "l2": l2, "output": output, "loss": oracle.mse(output, p["target"])}
    n = sum(1 for _ in oracle.flat(output))
    values["output.g"] = oracle.elementwise(lambda o, t: 2 * (o - t) / n, output, p["target"])
    values["l2.g"], values["w2.g"], values["b2.g"] = _linear_grad(values["output.g"], l2, p["w2"])
    values["l1.g"] = oracle.elementwise(lambda g, z: g if z > 0 else Fraction(0), values["l2.g"], l1)
    values["x.g"], values["w1.g"], values["b1.g"] = _linear_grad(values["l1.g"], p["x"], p["w1"])
    whole = {"mlp": output, "loss_and_grads.loss": values["loss"]}
    whole |= {f"loss_and_grads.{name}": values[f"{name}.g"] for name in ("w1", "b1", "w2", "b2")}
    model = {
        "Model.predict": output,
        "Model.loss": values["loss"],
        "2.weight.grad": oracle.transpose(values["w2.g"]),
        "2.bias.grad": values["b2.g"],
        "0.weight.grad": oracle.transpose(values["w1.g"]),
        "0.bias.grad": values["b1.g"],
    }
    return values | whole | model


def _linear_grad(grad_out: Nested, x: Nested, w: Nested) -> tuple[Nested, Nested, Nested]:
    """By the chain rule; the oracle's own way, which knows no formula, takes hours on a real net."""
    grad_x = oracle.linear(grad_out, oracle.transpose(w), [Fraction(0)] * len(w))
    grad_w = oracle.linear(oracle.transpose(x), grad_out, [Fraction(0)] * len(w[0]))
    return grad_x, grad_w, [sum(column) for column in oracle.transpose(grad_out)]


def native_pass(net: ModuleType, given: Problem, dtype: str) -> dict[str, Callable[[Passed], Any]]:
    """Name → how the implementation computes it from what came before, in order."""

    def part(i: int, grad_out: str, x: str, w: str) -> Callable[[Passed], Any]:
        return lambda v: net.linear_grad(v[grad_out], v[x], v[w])[i]

    def given_array(values: Nested) -> Callable[[Passed], Any]:
        return lambda _: net.asarray(values, dtype)

    def params(v: Passed) -> Any:
        return [(v["w1"], v["b1"]), (v["w2"], v["b2"])]

    def whole(layer: int, i: int) -> Callable[[Passed], Any]:
        return lambda v: net.loss_and_grads(params(v), v["x"], v["target"])[1][layer][i]

    def model_grad(name: str) -> Callable[[Passed], Any]:
        return lambda v: _model_grad(_model(net, given, dtype), v, name)

    return {
        **{name: given_array(values) for name, values in given.givens().items()},
        "l1": lambda v: net.linear(v["x"], v["w1"], v["b1"]),
        "l2": lambda v: net.relu(v["l1"]),
        "output": lambda v: net.linear(v["l2"], v["w2"], v["b2"]),
        "loss": lambda v: net.mse(v["output"], v["target"]),
        "output.g": lambda v: net.mse_grad(v["output"], v["target"]),
        **{name: part(i, "output.g", "l2", "w2") for i, name in enumerate(("l2.g", "w2.g", "b2.g"))},
        "l1.g": lambda v: net.relu_grad(v["l2.g"], v["l1"]),
        **{name: part(i, "l1.g", "x", "w1") for i, name in enumerate(("x.g", "w1.g", "b1.g"))},
        "mlp": lambda v: net.mlp(v["x"], params(v)),
        "loss_and_grads.loss": lambda v: net.loss_and_grads(params(v), v["x"], v["target"])[0],
        **{f"loss_and_grads.{name}": whole(*place) for name, place in PLACES.items()},
        "Model.predict": lambda v: _model(net, given, dtype).predict(v["x"]),
        "Model.loss": lambda v: _model(net, given, dtype)(v["x"], v["target"]),
        **{f"{name}.grad": model_grad(name) for name in ("2.weight", "2.bias", "0.weight", "0.bias")},
    }


def ledger(
    nets: Mapping[str, ModuleType],
    given: Problem,
    dtype: str = "float64",
    on_value: Callable[[str], object] = lambda _: None,
) -> Ledger:
    """The exact values and those of each implementation; where one goes wrong, the line of the first effect.

    on_value(what) hears of every value that is computed. Ctrl-C ends it, and the columns that are there can be shown.

    Raises UserError when none of them can compute so, and KeyboardInterrupt when none is there yet.
    """
    on_value("exact values")
    book = Ledger(exact_pass(given), {}, dtype)
    for name, net in nets.items():
        if why := "was not reached before Ctrl-C" if book.interrupted else _hindrance(net, dtype):
            book.left_out[name] = why
            continue
        try:
            book.columns[name] = column(net, given, book.exact, dtype, partial(_tell, on_value, name))
        except KeyboardInterrupt:
            if not book.columns:
                raise
            book.interrupted, book.left_out[name] = True, "was stopped by Ctrl-C"
    if not book.columns:
        raise UserError("; ".join(f"{name} {why}" for name, why in book.left_out.items()))
    return book


def _tell(on_value: Callable[[str], object], name: str, value: str) -> None:
    on_value(f"{name} {value}")


def _hindrance(net: ModuleType, dtype: str) -> str | None:
    """Why an implementation can have no column, if it cannot."""
    if missing := [name for name in NEEDED if not hasattr(net, name)]:
        return f"does not provide {', '.join(missing)}"
    return None if dtype in net.DTYPES else f"computes in {', '.join(net.DTYPES)} only"


def column(
    net: ModuleType,
    given: Problem,
    exact: Mapping[str, Nested],
    dtype: str,
    on_value: Callable[[str], object] = lambda _: None,
) -> Column:
    """What one implementation makes of it; where it gives no value, it goes on from the exact one."""
    result = Column()
    passed: Passed = {}
    for name, compute in native_pass(net, given, dtype).items():
        on_value(name)
        function = MADE_BY.get(name, "Model" if name.endswith(".grad") else name.partition(".")[0])
        if name not in given.givens() and not hasattr(net, function):
            result.values[name] = Missing(function)
        else:
            result.values[name] = _value(net, name, compute, passed)
            if result.wrong is None and (reason := fault(result.values[name], exact[name], dtype)):
                result.wrong, result.reason = name, reason
                result.where = culprit.place(net, partial(compute, passed), result.values[name])
        if isinstance(result.values[name], Exception):
            passed[name] = net.asarray(oracle.elementwise(float, exact[name]), dtype)
    return result


def _value(net: ModuleType, name: str, compute: Callable[[Passed], Any], passed: Passed) -> Nested:
    """The number that an implementation computes, or what it raises; it is passed on."""
    try:
        passed[name] = compute(passed)
        return net.tolist(passed[name])
    except Exception as error:
        return error


def fault(got: Nested, exact: Nested, dtype: str) -> str | None:
    """What is wrong with a value, if it is not within the contract's tolerance of the exact one."""
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {got}".partition("\n")[0]
    if _shape(got) != _shape(exact):
        return f"shape {_shape(got)}, expected {_shape(exact)}"
    pairs = list(zip(oracle.flat(got), oracle.flat(exact), strict=True))
    margin = _margin(exact, dtype)
    wrong = [mine for mine, value in pairs if _is_wrong(mine, value, margin)]
    return f"{len(wrong)} of {len(pairs)} elements are wrong" if wrong else None


def problems(book: Ledger, asked: Sequence[str] | None = None) -> list[str]:
    """What is wrong, a sentence each, with the line of the mistake's first effect; and what those asked for lack."""
    wrong = [
        f"{name}: {column.wrong} is wrong, {column.reason}{f'; {column.where}' if column.where else ''}"
        for name, column in book.columns.items()
        if column.wrong
    ]
    lacking = [f"{n}: does not provide {', '.join(c.lacks)}" for n, c in book.columns.items() if c.lacks]
    return [*wrong, *lacking, *(f"{name}: {why}" for name, why in book.left_out.items() if name in (asked or ()))]


def result_table(book: Ledger, elements: bool = False) -> Group:
    """A row a number: its exact value, and in each column the implementation's value and its error in ULPs.

    Of a larger net, a row a tensor, unless `elements` are asked for.
    """
    many = sum(1 for values in book.exact.values() for _ in oracle.flat(values)) > MANY
    rows = _summary(book) if many and not elements else _numbers(book)
    if many and not elements:
        notes = ["The largest error of a tensor's elements in units in the last place (ULP); --elements shows each."]
    else:
        notes = ["In brackets the error in units in the last place (ULP) of the exact value; nothing: exact."]
    if book.first:
        notes.append(f"▶ the first value that diverges: {''.join(book.first)}")
    notes += [f"{name} {why}." for name, why in book.left_out.items()]
    return framed(f"One way forward and back, {book.dtype}", rows, *notes)


def _numbers(book: Ledger) -> Table:
    rows = table("", "exact", *book.columns)
    for name, values in book.exact.items():
        margin = _margin(values, book.dtype)
        columns = [_aligned(column.values[name], values) for column in book.columns.values()]
        for (place, exact), *got in zip(_elements(values), *columns, strict=True):
            cells = (
                _cell(column.values[name], mine, exact, book.dtype, margin)
                for column, mine in zip(book.columns.values(), got, strict=True)
            )
            marked = (name, place) == book.first
            label = Text(f"{'▶ ' if marked else ''}{name}{place}", "bold red" if marked else "")
            rows.add_row(label, str(exact), *cells)
        rows.add_section()
    return rows


def _summary(book: Ledger) -> Table:
    rows = table("", "shape", *book.columns)
    for name, values in book.exact.items():
        marked = bool(book.first and book.first[0] == name)
        label = Text(f"{'▶ ' if marked else ''}{name}", "bold red" if marked else "")
        shape = "×".join(map(str, _shape(values))) or "1"
        rows.add_row(
            label, shape, *(_worst(column.values[name], values, book.dtype) for column in book.columns.values())
        )
    return rows


def _worst(values: Nested, exact: Nested, dtype: str) -> Text:
    """The largest error of all elements, or how many of them are wrong."""
    if isinstance(values, Exception):
        return _without(values)
    pairs = list(zip(_aligned(values, exact), oracle.flat(exact), strict=True))
    margin = _margin(exact, dtype)
    if wrong := sum(_is_wrong(got, right, margin) for got, right in pairs):
        return Text(f"{wrong:,} wrong", "bold red")
    return Text(_short(max(_ulps(got, right, dtype) for got, right in pairs if got is not None)))


def _cell(values: Nested, got: float | None, exact: Fraction, dtype: str, margin: float) -> Text:
    if isinstance(values, Exception) or got is None:
        return _without(values)
    error = _ulps(got, exact, dtype)
    shown = f"{got:.4g}" + (f" ({_short(error)})" if error else "")
    return Text(shown, "bold red" if _is_wrong(got, exact, margin) else "")


def _without(values: Nested) -> Text:
    """What stands where there is no number."""
    if isinstance(values, Missing):
        return Text(NOT_PROVIDED, "dim")
    return Text(type(values).__name__ if isinstance(values, Exception) else NOT_PROVIDED, "bold red")


def _short(error: float) -> str:
    return f"{error:.1{'f' if 0.05 <= error < 100 else 'g'}}"


def _margin(exact: Nested, dtype: str) -> float:
    """The contract's tolerance, relative to the largest element."""
    return compare.TOLERANCES[dtype] * float(max(map(abs, oracle.flat(exact))))


def _is_wrong(got: float | None, exact: Fraction, margin: float) -> bool:
    return got is None or not abs(got - float(exact)) <= margin


def _aligned(values: Nested, exact: Nested) -> list[float | None]:
    """The numbers of an implementation in the order of the exact ones; None where there is none."""
    places = [place for place, _ in _elements(exact)]
    found = {} if isinstance(values, Exception) else dict(_elements(values))
    return [found.get(place) for place in places]


def _ulps(got: float, exact: Fraction, dtype: str) -> float:
    if exact == 0:
        return 0.0 if got == 0 else math.inf
    return compare.ulps(got, exact, dtype)


def _elements(values: Nested, place: str = "") -> Iterator[tuple[str, Any]]:
    """("[1][2]", number) for every number."""
    if not isinstance(values, list):
        yield place, values
        return
    for i, value in enumerate(values):
        yield from _elements(value, f"{place}[{i}]")


def _shape(values: Nested) -> tuple[int, ...]:
    return (len(values), *(_shape(values[0]) if values else ())) if isinstance(values, list) else ()


def _model(net: ModuleType, given: Problem, dtype: str) -> Any:
    model = net.Model([len(given.x[0]), len(given.b1), len(given.b2)], seed=0, dtype=dtype)
    weights = {"0.weight": oracle.transpose(given.w1), "0.bias": given.b1}
    weights |= {"2.weight": oracle.transpose(given.w2), "2.bias": given.b2}
    model.layers.load_state_dict({name: net.asarray(values, dtype) for name, values in weights.items()})
    return model


def _model_grad(model: Any, v: Passed, name: str) -> Any:
    model(v["x"], v["target"])
    model.backward()
    return dict(model.named_parameters())[f"layers.{name}"].grad
