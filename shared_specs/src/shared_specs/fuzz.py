"""Thousands of odd calls: whatever an implementation is given, it refuses it as the contract says, or is right.

    python -m shared_specs.fuzz --impl my_net --calls 10000 --seed 0

A call is a line of Python, made from the seed and its number alone, and printed if it goes wrong. What it should give
is known beforehand: whether its shapes fit is decided here, and its numbers come from the oracle.
"""

import argparse
import faulthandler
import math
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from shared_specs import calls, oracle, registry
from shared_specs.cases import Shape, dyadic
from shared_specs.compare import dtype_of
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact, flat

SECONDS = 10.0
"""A call that takes longer hangs."""


@dataclass(frozen=True)
class Case:
    """A call, and what may become of it."""

    line: str
    refusal: str = "never"
    """Whether it is refused: "always", "maybe" where the contract leaves it open, or "never"."""
    complaint: Callable[[Any], str | None] = lambda _: None
    """What is wrong with a result, if anything is."""


@dataclass
class Findings:
    """What has become of the calls."""

    n_calls: int = 0
    n_refused: int = 0
    violations: list[tuple[str, str]] = field(default_factory=list)
    """(line, complaint) of each call that broke the contract."""


class TookTooLong(BaseException):
    """No Exception, so that no implementation catches it."""


# ------------------------------------------------------------------------------------------------- running


def run(impl: Any, n_calls: int, seed: int, on_call: Callable[[int], None] = lambda _: None) -> Findings:
    """Make so many calls. Where the implementation has several dtypes, they take turns."""
    findings = Findings()
    labs = [Lab(impl, dtype, "cpu") for dtype in impl.DTYPES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(n_calls):
            judge(case(labs[i % len(labs)], random.Random(f"{seed} {i}")), labs[i % len(labs)], findings)
            on_call(i + 1)
    return findings


def case(lab: Lab, rng: random.Random) -> Case:
    """A random call."""
    return rng.choice(MAKERS)(lab, rng)


def judge(case: Case, lab: Lab, findings: Findings) -> None:
    """Make the call, and note what is wrong with what came of it."""
    findings.n_calls += 1
    complaint: str | None
    try:
        with time_limit(SECONDS):
            got = calls.run(case.line, lab)
    except ValueError as error:
        findings.n_refused += 1
        complaint = f"refused, although it is right: {error}" if case.refusal == "never" else None
    except TookTooLong:
        complaint = f"still not done after {SECONDS:g} seconds"
    except Exception as error:
        complaint = f"raised {error!r}, expected a result or a ValueError"
    else:
        complaint = f"got {got!r}, expected a ValueError" if case.refusal == "always" else _checked(case, got)
    if complaint:
        findings.violations.append((case.line, complaint))


def _checked(case: Case, got: Any) -> str | None:
    try:
        return case.complaint(got)
    except Exception as error:
        return f"got {got!r}, which cannot be read: {error!r}"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """TookTooLong after so many seconds, where the system has such a clock."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ------------------------------------------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Argument:
    """The text of an argument, with what is known about it."""

    text: str
    shape: Shape | None
    """None for what is no Array."""
    values: Nested = None
    sure: bool = True
    """Whether the contract says that an Array like this is to be accepted."""


def argument(lab: Lab, rng: random.Random, shape: Shape) -> Argument:
    """Mostly an Array of that shape; now and then something else."""
    odd = rng.random()
    if odd < 0.06:
        return Argument(rng.choice(calls.NO_ARRAY), None)
    if odd < 0.16:
        shape = _other(shape, rng)
    values = dyadic(rng, *shape)
    if odd > 0.96:
        values = elementwise(lambda z: rng.choice((z, z, math.nan, math.inf, -math.inf, -0.0, 0.0)), values)
    if odd > 0.93 and odd <= 0.96:
        whole = elementwise(round, values)
        return Argument(f"asarray({whole}, 'int64')", _shape(lab, whole), whole, sure=False)
    if 0.91 < odd <= 0.93 and shape:
        native = isinstance(lab.impl.asarray([0.5]), list)
        return Argument(repr(values), _shape(lab, values) if native else None, values)
    dtype = rng.choice(lab.impl.DTYPES) if 0.88 < odd <= 0.91 else lab.dtype
    text = f"asarray({values}, {dtype!r})"
    if 0.80 < odd <= 0.88 and len(shape) == 2 and 0 not in shape:
        text = f"transpose(asarray({oracle.transpose(values)}, {dtype!r}))"
    return Argument(text, _shape(lab, values), values, sure=dtype == lab.dtype and 0 not in shape)


def _other(shape: Shape, rng: random.Random) -> Shape:
    """A shape with an axis more or less, or of another size."""
    sizes = list(shape)
    place = rng.randrange(len(sizes) + 1)
    change = rng.choice(("add", "drop", "size", "turn"))
    if change == "add" or not sizes:
        sizes.insert(place, rng.choice((0, 1, 2)))
    elif change == "drop":
        sizes.pop(place % len(sizes))
    elif change == "turn":
        sizes.reverse()
    else:
        sizes[place % len(sizes)] = rng.choice((0, 1, 2, 3, 7))
    return tuple(sizes)


def _shape(lab: Lab, values: Nested) -> Shape:
    """As nested lists can tell: after an axis of size 0 nothing is known."""
    if not isinstance(values, list):
        return ()
    return (len(values), *(_shape(lab, values[0]) if values else ()))


def fits(pattern: Sequence[Sequence[Any]], shapes: Sequence[Shape]) -> bool:
    """Whether the shapes have these ranks, and equal sizes where names are equal; a 1 stands for itself."""
    sizes: dict[Any, int] = {1: 1}
    return all(
        len(names) == len(shape) and all(sizes.setdefault(n, s) == s for n, s in zip(names, shape, strict=True))
        for names, shape in zip(pattern, shapes, strict=True)
    )


# ------------------------------------------------------------------------------------------------- results


def same(lab: Lab, got: Any, expected: Nested) -> str | None:
    """What is wrong with shape or numbers of a result; the expected ones are exact, or floats with nan or inf."""
    if isinstance(expected, tuple) or (isinstance(expected, list) and expected and isinstance(expected[0], tuple)):
        complaints = [same(lab, part, right) for part, right in zip(got, expected, strict=True)]
        return next((complaint for complaint in complaints if complaint), None)
    if tuple(lab.impl.shape(got)) != _shape(lab, expected):
        return f"got shape {lab.impl.shape(got)}, expected {_shape(lab, expected)}"
    wanted = [float(z) for z in flat(expected)]
    margin = (1e-4 if dtype_of(got) == "float32" else 1e-11) * max([1.0, *(abs(z) for z in wanted if math.isfinite(z))])
    for mine, right in zip(flat(lab.impl.tolist(got)), wanted, strict=True):
        if not (mine == right or (mine != mine and right != right) or abs(mine - right) <= margin):  # noqa: PLR0124
            return f"got {lab.impl.tolist(got)}, expected {elementwise(float, expected)}"
    return None


def _finite(values: Nested) -> bool:
    return all(math.isfinite(z) for z in flat(values))


# ------------------------------------------------------------------------------------------------- array functions

PATTERNS: dict[str, list[list[tuple[Any, ...]]]] = {
    "transpose": [[("n", "m")]],
    "neuron": [[("n",), ("n",), ()]],
    "layer": [[("n",), ("m", "n"), ("m",)]],
    "matmul": [[("n", "k"), ("k", "m")]],
    "linear": [[("batch", "n"), ("n", "m"), ("m",)]],
    "linear_grad": [[("batch", "m"), ("batch", "n"), ("n", "m")]],
}
"""Function → the shapes that it takes, where names say them."""
SAME_SHAPE = {"mse": 2, "mse_grad": 2, "relu_grad": 2, "relu": 1}
LOSSES = ("mse", "mse_grad")
FORWARD = ("transpose", "neuron", "layer", "matmul", "linear", "mse")
"""What the oracle also knows with nan and inf among the numbers: sums and products follow IEEE's rules."""


def operation(lab: Lab, rng: random.Random) -> Case:
    """A function of arrays whose shapes must fit."""
    function = rng.choice([*PATTERNS, *SAME_SHAPE])
    if function in SAME_SHAPE:
        shape = tuple(rng.randint(1, 3) for _ in range(rng.randint(0, 3)))
        shapes = [shape] * SAME_SHAPE[function]
        if function in LOSSES and rng.random() < 0.2:
            n = rng.randint(1, 4)
            shapes = [(n, 1), (n,)]
    else:
        sizes = {name: rng.choice((1, 2, 3, 5)) for name in ("n", "m", "k", "batch")}
        shapes = [tuple(sizes[name] for name in names) for names in PATTERNS[function][0]]
    arguments = [argument(lab, rng, shape) for shape in shapes]
    name = function
    if function == "matmul" and rng.random() < 0.7:
        name = f"MATMULS[{rng.choice(list(lab.impl.MATMULS))!r}]"
    return _decided(lab, name, function, arguments, _takes(function, [a.shape for a in arguments]))


def _takes(function: str, shapes: list[Shape | None]) -> bool:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return False
    if function in PATTERNS:
        return any(fits(pattern, known) for pattern in PATTERNS[function])
    if function in LOSSES and 0 in known[0]:
        return False
    return len(set(known)) == 1 or (function in LOSSES and fits([("n", 1), ("n",)], known))


def _decided(lab: Lab, name: str, function: str, arguments: list[Argument], takes: bool) -> Case:
    line = f"{name}({', '.join(a.text for a in arguments)})"
    if not takes:
        return Case(line, "always" if all(a.shape is None or 0 not in a.shape for a in arguments) else "maybe")
    values = [a.values for a in arguments]
    empty = any(0 in (a.shape or ()) for a in arguments)
    refusal = "never" if all(a.sure for a in arguments) and not empty else "maybe"
    dtypes = (lab.dtype,) if refusal == "never" else (*lab.impl.DTYPES, "int64")

    def complaint(got: Any) -> str | None:
        found = {dtype_of(part) for part in (got if isinstance(got, tuple) else (got,))} - {None, *dtypes}
        if found or empty:
            return f"got dtype {found}, expected {dtypes[0]}" if found else None
        return _against_oracle(lab, function, values, got)

    return Case(line, refusal, complaint)


def _against_oracle(lab: Lab, function: str, values: list[Nested], got: Any) -> str | None:
    if all(map(_finite, values)):
        return same(lab, got, getattr(oracle, function)(*map(exact, values)))
    if function == "relu":
        return same(lab, got, elementwise(lambda z: 0.0 if z <= 0 else z, values[0]))
    return same(lab, got, getattr(oracle, function)(*values)) if function in FORWARD else None


def broadcast(lab: Lab, rng: random.Random) -> Case:
    """add, multiply and broadcast_shapes on shapes that may broadcast."""
    common = [rng.choice((1, 2, 3)) for _ in range(rng.randint(0, 3))]
    shapes = [tuple(rng.choice((s, s, 1)) for s in common)[rng.randint(0, len(common)) :] for _ in range(2)]
    if rng.random() < 0.2:
        shapes[0] = _other(shapes[0], rng)
    if rng.random() < 0.3:
        together = _together(*shapes)
        line = f"broadcast_shapes({shapes[0]}, {shapes[1]})"
        return Case(line, "never" if together is not None else "always", lambda got: _equal(tuple(got), together))
    a, b = (argument(lab, rng, shape) for shape in shapes)
    takes = a.shape is not None and b.shape is not None and _together(a.shape, b.shape) is not None
    function = rng.choice(("add", "multiply"))
    case = _decided(lab, function, function, [a, b], takes)
    if all(map(_finite, (a.values or 0.0, b.values or 0.0))):
        return case
    return Case(case.line, case.refusal)


def _together(a: Shape, b: Shape) -> Shape | None:
    """The common shape, from the rule as it is taught."""
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    if any(p != q and 1 not in (p, q) for p, q in pairs):
        return None
    return tuple(q if p == 1 else p for p, q in pairs)


def _equal(got: Any, expected: Any) -> str | None:
    return None if got == expected else f"got {got!r}, expected {expected!r}"


def dims(lab: Lab, rng: random.Random) -> Case:
    """unsqueeze at dims that exist and at others."""
    values = dyadic(rng, *(rng.randint(1, 3) for _ in range(rng.randint(0, 3))))
    rank, dim = oracle.rank(values), rng.randint(-5, 5)
    line = f"unsqueeze(asarray({values}, {lab.dtype!r}), {dim})"
    if not -rank - 1 <= dim <= rank:
        return Case(line, "always")
    return Case(line, "never", lambda got: same(lab, got, oracle.unsqueeze(exact(values), dim)))


# ------------------------------------------------------------------------------------------------- nets


def net(lab: Lab, rng: random.Random) -> Case:
    """mlp and loss_and_grads, with layers, a batch or a target that may not fit."""
    sizes = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    batch = rng.choice((1, 2, 5))
    x = argument(lab, rng, (batch, sizes[0]))
    layers = [(argument(lab, rng, pair), argument(lab, rng, pair[1:])) for pair in pairwise(sizes)]
    flat_target = sizes[-1] == 1 and rng.random() < 0.3
    target = argument(lab, rng, (batch,) if flat_target else (batch, sizes[-1]))
    text = ", ".join(f"({w.text}, {b.text})" for w, b in layers)
    chain: list[Any] = [("batch", "n_0"), *_layer_names(len(layers))]
    arrays = [x, *(array for pair in layers for array in pair)]
    params = [(w.values, b.values) for w, b in layers]
    if rng.random() < 0.4:
        takes = _known(arrays) and fits(chain, [a.shape for a in arrays if a.shape is not None])
        case = _decided(lab, "mlp", "mlp", arrays, takes)
        line = f"mlp({x.text}, [{text}])"
        answer: Callable[[], Any] = lambda: oracle.mlp(exact(x.values), exact(params))  # noqa: E731
    else:
        arrays = [*arrays, target]
        last = f"n_{len(layers)}"
        one = [tuple(1 if name == last else name for name in names) for names in chain]
        takes = _known(arrays) and any(
            fits(pattern, [a.shape for a in arrays if a.shape is not None])
            for pattern in ([*chain, ("batch", last)], [*one, ("batch",)])
        )
        case = _decided(lab, "loss_and_grads", "loss_and_grads", arrays, takes)
        line = f"loss_and_grads([{text}], {x.text}, {target.text})"
        answer = lambda: oracle.loss_and_grads(*exact((params, x.values, target.values)))  # noqa: E731
    known = takes and all(_finite(a.values) and 0 not in (a.shape or ()) for a in arrays)
    return Case(line, case.refusal, lambda got: same(lab, got, answer()) if known else None)


def _known(arrays: list[Argument]) -> bool:
    return all(a.shape is not None for a in arrays)


def _layer_names(depth: int) -> list[tuple[str, ...]]:
    return [names for i in range(depth) for names in ((f"n_{i}", f"n_{i + 1}"), (f"n_{i + 1}",))]


def model(lab: Lab, rng: random.Random) -> Case:
    """A Model that goes forward, backward and predicts in any order; gradients add up until they are forgotten."""
    sizes = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    x, target = dyadic(rng, 2, sizes[0]), dyadic(rng, 2, sizes[-1])
    params = [(dyadic(rng, n_in, n_out), dyadic(rng, n_out)) for n_in, n_out in pairwise(sizes)]
    steps = "".join(rng.choice("ffbbpz") for _ in range(rng.randint(1, 8)))
    expected, ready, times = "", False, 0
    for step in steps:
        refused = step == "b" and not ready
        expected += "!" if refused else step
        times = 0 if step == "z" else times + (step == "b" and ready)
        ready = step == "f" or (ready and step != "b")
    line = f"walk({sizes}, {params}, {x}, {target}, {steps!r})"

    def complaint(got: tuple[str, Any]) -> str | None:
        if got[0] != expected:
            return f"went {got[0]}, expected {expected}: ! is a RuntimeError"
        if not times:
            return None
        grads = oracle.loss_and_grads(*exact((params, x, target)))[1]
        return same(lab, got[1], elementwise(lambda g: g * times, [(oracle.transpose(w), b) for w, b in grads]))

    return Case(line, "never", complaint)


# ------------------------------------------------------------------------------------------------- classes


def classes(lab: Lab, rng: random.Random) -> Case:
    """Logits with labels that may be too many, too large, negative or fractions."""
    batch, n_classes = rng.choice((1, 2, 4)), rng.randint(1, 4)
    logits = argument(lab, rng, (batch, n_classes))
    labels: list[Any] = [rng.randrange(n_classes) for _ in range(batch)]
    change, place = (
        rng.choice(("none", "none", "none", "range", "more", "fewer", "nested", "halves")),
        rng.randrange(batch),
    )
    if change == "range":
        labels[place] = rng.choice((-1, n_classes, -100, 2**40))
    elif change == "more":
        labels.append(0)
    elif change == "fewer":
        labels.pop()
    elif change in ("nested", "halves"):
        labels = [[label] if change == "nested" else label + 0.5 for label in labels]
    function = rng.choice(("cross_entropy", "cross_entropy_grad", "accuracy"))
    line = f"{function}({logits.text}, asarray({labels}, {lab.dtype if change == 'halves' else 'int64'!r}))"
    rows, columns = logits.shape if logits.shape and len(logits.shape) == 2 else (0, 0)
    if not rows or len(labels) != rows or not all(label in range(columns) for label in labels):
        return Case(line, "always")

    def complaint(got: Any) -> str | None:
        if not _finite(logits.values):
            return None
        if function == "accuracy":
            right = [row.index(max(row)) == label for row, label in zip(logits.values, labels, strict=True)]
            return None if abs(got - sum(right) / rows) < 1e-12 else f"got {got}, expected {sum(right) / rows}"
        return same(lab, got, getattr(oracle, function)(exact(logits.values), labels))

    return Case(line, "never" if logits.sure else "maybe", complaint)


# ------------------------------------------------------------------------------------------------- values

NUMBERS = ("0.5", "-2.0", "3", "0", "True", "1e300", "-1e-300", "nan", "inf", "2**53 + 1", "10**400", "Fraction(1, 3)")
NO_NUMBERS = ("None", "'a'", "'3'", "b'1'", "{}", "{1.0}", "1j", "object()")


def values(lab: Lab, rng: random.Random) -> Case:
    """asarray and tolist on nested sequences, regular or not, of numbers or not."""
    shape = tuple(rng.randint(0, 3) for _ in range(rng.randint(0, 4)))
    flaw = rng.random()
    texts = [rng.choice(NUMBERS if rng.random() < 0.1 else NUMBERS[:4]) for _ in range(math.prod(shape))]
    bad = flaw < 0.25 and bool(texts)
    if bad:
        texts[rng.randrange(len(texts))] = rng.choice(NO_NUMBERS)
    if 0.25 <= flaw < 0.5 and len(texts) > 1 and shape:
        bad, place = True, rng.randrange(len(texts))
        texts[place] = f"[{texts[place]}]"
    odd = bad or any(text in ("10**400", "1e300", "-1e-300", "2**53 + 1", "Fraction(1, 3)") for text in texts)
    dtype = rng.choice((None, None, *lab.impl.DTYPES, "int64", "float16"))
    text = _nested_text(iter(texts), shape, rng)
    whole = all(text in ("3", "0", "True", "-2.0", "2**53 + 1") for text in texts)
    line = f"asarray({text}, {dtype!r})"
    if bad or dtype == "float16" or (dtype == "int64" and not whole):
        return Case(line, "always" if dtype == "float16" or "10**400" not in text else "maybe")
    numbers = (
        [eval(text, {"__builtins__": {}}, {"nan": math.nan, "inf": math.inf}) for text in texts] if not odd else []
    )

    def complaint(got: Any) -> str | None:
        back = list(flat(lab.impl.tolist(got)))
        wrong = [(m, r) for m, r in zip(back, numbers, strict=True) if m != r and not (m != m and r != r)]  # noqa: PLR0124
        kind = int if dtype == "int64" else float
        kinds = {type(number) for number in back} - {kind}
        return f"got {back}, expected {numbers}" if wrong or kinds else None

    return Case(line, "maybe" if "10**400" in text else "never", complaint if not odd else lambda _: None)


def _nested_text(texts: Iterator[str], shape: Shape, rng: random.Random) -> str:
    if not shape:
        return next(texts)
    rows = [_nested_text(texts, shape[1:], rng) for _ in range(shape[0])]
    return f"[{', '.join(rows)}]" if rng.random() < 0.8 else f"({', '.join(rows)}{',' if rows else ''})"


def malformed(lab: Lab, rng: random.Random) -> Case:
    """Any function of the contract with one or two malformed arguments."""
    function = rng.choice(list(calls.CALLS))
    wrong = {}
    for name in rng.sample(list(calls.CALLS[function]), k=min(rng.choice((1, 1, 2)), len(calls.CALLS[function]))):
        if bad := calls.MALFORMED.get(name, calls.NO_ARRAY):
            wrong[name] = rng.choice(bad)
    return Case(calls.text(function, **wrong), "always" if wrong else "never")


def made(lab: Lab, rng: random.Random) -> Case:
    """normal, init_mlp, Linear and Model of sizes, seeds and rates near and beyond the edge."""
    n_in, n_out = (rng.choice((1, 2, 7)) for _ in range(2))
    seed, dtype = rng.choice((0, 1, 2**31, 2**32, 2**63, 2**64, 2**70, None, True)), rng.choice(lab.impl.DTYPES)
    shapes = {"normal": (n_in, n_out), "init_mlp": (n_in, n_out), "Linear": (n_out, n_in), "Model": (n_out, n_in)}
    function = rng.choice(list(shapes))
    line = {
        "normal": f"normal({n_in}, {n_out}, {rng.choice((0, 0.5, 1e30))}, {seed}, {dtype!r})",
        "init_mlp": f"init_mlp([{n_in}, {n_out}], {seed}, {dtype!r})[0][0]",
        "Linear": f"Linear({n_in}, {n_out}, {seed}, {dtype!r}).weight.data",
        "Model": f"Model(({n_in}, {n_out}), None, {seed}, {dtype!r}).state_dict()['layers.0.weight']",
    }[function]

    def complaint(got: Any) -> str | None:
        if dtype_of(got) not in (None, dtype):
            return f"got dtype {dtype_of(got)}, expected {dtype}"
        return _equal(tuple(lab.impl.shape(got)), shapes[function])

    return Case(line, "never", complaint)


def batches(lab: Lab, rng: random.Random) -> Case:
    """Batches of any size, with x and target that may differ in length; two epochs."""
    n, seed, batch_size = rng.randint(1, 5), rng.choice((0, 3, 2**40)), rng.choice((1, 2, 5, 100))
    x, target = argument(lab, rng, (n, 2)), argument(lab, rng, rng.choice(((n,), (n, 1))))
    line = f"epochs(Batches({x.text}, {target.text}, {batch_size}, {seed}))"
    lengths = [(a.shape or (0,))[0] for a in (x, target)]
    if lengths[0] != lengths[1] or not lengths[0]:
        return Case(line, "always")
    expected = []
    for epoch in range(2):
        order = list(range(lengths[0]))
        random.Random(seed + epoch).shuffle(order)
        cut = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        expected.append([([x.values[i] for i in part], [target.values[i] for i in part]) for part in cut])

    def complaint(got: Any) -> str | None:
        return None if repr(elementwise(float, got)) == repr(elementwise(float, expected)) else f"got {got}"

    return Case(line, "never", complaint)


MAKERS = (
    *[operation] * 6,
    *[malformed] * 4,
    broadcast,
    net,
    net,
    model,
    classes,
    classes,
    values,
    values,
    dims,
    made,
    batches,
)


# ------------------------------------------------------------------------------------------------- command


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the implementations named, or all that are registered; 1 if one breaks the contract."""
    parser = argparse.ArgumentParser(prog="python -m shared_specs.fuzz", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--impl", action="append", metavar="NAME", help="repeat for more; default: all registered")
    parser.add_argument("--calls", type=int, default=10_000, help="how many for each; default: 10000")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same calls")
    options = parser.parse_args(arguments)
    broken = False
    for name in options.impl or registry.implementations():
        begun = time.monotonic()
        findings = run(registry.load(name), options.calls, options.seed, _bar(name, options.calls))
        broken |= bool(findings.violations)
        for line, complaint in findings.violations:
            print(f"{name}: {line}\n    {complaint}")
        print(
            f"{name}: {findings.n_calls} calls, {findings.n_refused} of them refused, "
            f"{len(findings.violations)} broke the contract, {time.monotonic() - begun:.1f} s"
        )
    return int(broken)


def _bar(name: str, total: int) -> Callable[[int], None]:
    """A bar on stderr for who watches."""

    def draw(done: int) -> None:
        if done % 100 == 0 or done == total:
            filled = 30 * done // total
            end = "\r\033[K" if done == total else ""
            print(
                f"\r{name} {'━' * filled}{'╺' * (30 - filled)} {done}/{total}{end}", end="", file=sys.stderr, flush=True
            )

    return draw if sys.stderr.isatty() else lambda _: None


if __name__ == "__main__":
    faulthandler.enable()  # a crash says at least where
    sys.exit(main())
