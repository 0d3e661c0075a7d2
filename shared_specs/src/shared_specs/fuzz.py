"""Thousands of odd calls: whatever an implementation is given, it refuses it or is right.

    python -m shared_specs.fuzz --impl my_net --calls 10000 --seed 0

A call is made from the seed and its number alone, and printed if it goes wrong. What it should give is known
beforehand: what does not fit is refused with one of the contract's exceptions, what fits is not, and its numbers come
from the oracle.
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

from shared_specs import oracle, registry
from shared_specs.cases import Shape, dyadic
from shared_specs.compare import REFUSALS, dtype_of
from shared_specs.lab import Lab, held
from shared_specs.operations import Example, broadcast, examples
from shared_specs.oracle import Nested, elementwise, flat, magnitude

SECONDS = 10.0
"""A call that takes longer hangs."""


@dataclass(frozen=True)
class Call:
    """A call, and what may become of it."""

    line: str
    compute: Callable[[], Any]
    fits: bool = True
    """Whether it must not be refused; otherwise it must."""
    check: Callable[[Any], object] = lambda _: None
    """Raises an AssertionError that says what is wrong with a result."""


@dataclass
class Findings:
    """What has become of the calls."""

    n_calls: int = 0
    n_refused: int = 0
    violations: list[tuple[str, str]] = field(default_factory=list)
    """(line, complaint) of each call that broke the contract."""
    lacks: set[str] = field(default_factory=set)
    """Names that the implementation does not provide; calls of them are not made."""


class Lacking(AttributeError):
    """The implementation does not provide that name."""


class Provided:
    """An implementation that says so where it lacks a name."""

    def __init__(self, impl: Any) -> None:
        self._impl = impl

    def __getattr__(self, name: str) -> Any:
        if not hasattr(self._impl, name):
            raise Lacking(name)
        return getattr(self._impl, name)


class TookTooLong(BaseException):
    """No Exception, so that no implementation catches it."""


# ------------------------------------------------------------------------------------------------- running


def run(
    impl: Any,
    n_calls: int,
    seed: int,
    on_call: Callable[[int], None] = lambda _: None,
    findings: Findings | None = None,
) -> Findings:
    """Make so many calls, and note what becomes of them. Where there are several dtypes, they take turns."""
    findings = Findings() if findings is None else findings
    labs = [Lab(Provided(impl), dtype, "cpu") for dtype in impl.DTYPES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(n_calls):
            try:
                judge(call(labs[i % len(labs)], random.Random(f"{seed} {i}")), findings)
            except Lacking as error:
                findings.lacks.add(str(error))
            on_call(i + 1)
    return findings


def call(lab: Lab, rng: random.Random) -> Call:
    """A random call."""
    return rng.choice(MAKERS)(lab, rng)


def judge(call: Call, findings: Findings) -> None:
    """Make the call, and note what is wrong with what came of it."""
    complaint = ""
    try:
        with time_limit(SECONDS):
            got = call.compute()
    except Lacking:
        raise
    except REFUSALS as error:
        findings.n_refused += 1
        complaint = f"refused, although it is right: {error!r}" if call.fits else ""
    except TookTooLong:
        complaint = f"still not done after {SECONDS:g} seconds"
    except Exception as error:
        complaint = f"raised {error!r}, expected a result or one of {', '.join(kind.__name__ for kind in REFUSALS)}"
    else:
        complaint = _checked(call, got) if call.fits else f"got {got!r}, expected that it is refused"
    findings.n_calls += 1
    if complaint:
        findings.violations.append((call.line, complaint))


def _checked(call: Call, got: Any) -> str:
    try:
        call.check(got)
    except AssertionError as error:
        return str(error)
    except Lacking:
        raise
    except Exception as error:
        return f"got {got!r}, which cannot be read: {error!r}"
    return ""


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


# ------------------------------------------------------------------------------------------------- operations

EXAMPLES = list(examples())
SIZES = (1, 2, 3, 5)
LAYOUTS: tuple[Callable[[Lab, Any], Any], ...] = (*[lambda _, array: array] * 8, Lab.transposed, Lab.sliced)


@dataclass
class Arguments:
    """What an operation is called with, and whether the contract allows it."""

    shapes: list[Shape]
    numbers: list[Nested]
    labs: list[Lab]
    """Which dtype each array has."""
    fits: bool = True


def operation(lab: Lab, rng: random.Random) -> Call:
    """An operation of the table, now and then with a shape, a dtype, a label or a number that is odd."""
    example = rng.choice(EXAMPLES)
    names = sorted({name for names in example.pattern for name in names})
    sizes = {name: 1 if name == "1" else rng.choice(SIZES) for name in names}
    example = example.like(sizes, tuple(rng.choice(SIZES) for _ in range(rng.randint(0, 3))))
    numbers = list(example.numbers(lambda _, shape: dyadic(rng, *shape)))
    given = Arguments(list(example.shapes), numbers, [lab] * len(numbers))
    if example.operation.n_given and rng.random() < 0.5:
        rng.choice((_shape, _shape, _dtype, _empty, _label, _number))(example, given, rng)
    lay_out = [rng.choice(LAYOUTS) for _ in numbers]
    texts = [f"{own.dtype} {z}" for own, z in zip(given.labs, given.numbers, strict=True)]
    (name, compute), *_ = rng.sample(list(example.operation.ways(lab).items()), 1)

    def calls() -> Any:
        return compute(*(f(own, own.array(z)) for f, own, z in zip(lay_out, given.labs, given.numbers, strict=True)))

    return Call(
        f"{name}({', '.join(texts)})", calls, given.fits, lambda got: _against(lab, example, given.numbers, got)
    )


def _shape(example: Example, given: Arguments, rng: random.Random) -> None:
    """Another shape, which may fit all the same."""
    i = rng.randrange(example.operation.n_given)
    sizes = list(given.shapes[i])
    place = rng.randrange(len(sizes) + 1)
    change = rng.choice(("add", "drop", "size", "turn"))
    if change == "add" or not sizes:
        sizes.insert(place, rng.choice(SIZES))
    elif change == "drop":
        sizes.pop(place % len(sizes))
    elif change == "turn":
        sizes.reverse()
    else:
        sizes[place % len(sizes)] = rng.choice(SIZES)
    given.shapes[i] = tuple(sizes)
    labels = i == 1 and example.operation.labels
    given.numbers[i] = elementwise(lambda z: 0 if labels else z, dyadic(rng, *sizes))
    given.fits = example.operation.fits(given.shapes)
    if example.operation.labels and given.fits:
        given.fits = all(label in range(_n_classes(example, given)) for label in flat(given.numbers[1]))


def _n_classes(example: Example, given: Arguments) -> int:
    return Example(example.operation, example.pattern, tuple(given.shapes)).n_classes


def _dtype(example: Example, given: Arguments, rng: random.Random) -> None:
    """An array of another dtype than the rest."""
    others = [dtype for dtype in given.labs[0].impl.DTYPES if dtype != given.labs[0].dtype]
    if others and example.mixtures:
        for i in rng.choice(example.mixtures):
            given.labs[i] = Lab(given.labs[i].impl, rng.choice(others), given.labs[i].device)
        given.fits = False


def _empty(example: Example, given: Arguments, _: random.Random) -> None:
    """No samples at all."""
    if example.operation.loss:
        given.numbers[: example.operation.n_given] = [[]] * example.operation.n_given
        given.fits = False


def _label(example: Example, given: Arguments, rng: random.Random) -> None:
    """A label that is no class, or no whole number."""
    if example.operation.labels:
        labels = given.numbers[1]
        labels[rng.randrange(len(labels))] = rng.choice((-1, example.n_classes, -100, 2**40))
        if rng.random() < 0.3:
            given.numbers[1] = [label + 0.5 for label in labels]
        given.fits = False


def _number(example: Example, given: Arguments, rng: random.Random) -> None:
    """NaN, infinity or 0 among the numbers."""
    i = rng.choice(example.floats)
    given.numbers[i] = elementwise(lambda z: rng.choice((z, z, math.nan, math.inf, -math.inf, 0.0)), given.numbers[i])


def _against(lab: Lab, example: Example, numbers: list[Nested], got: Any) -> None:
    """Against the oracle; where numbers are not finite, whether a NaN is heard of."""
    if all(map(math.isfinite, flat(numbers))):
        expected = example.operation.answer(*held(tuple(numbers), lab.dtype))
        lab.check("result", got, expected, scale=magnitude(expected))
    elif any(map(math.isnan, flat(numbers))) and not example.operation.masks:
        found = list(flat(lab.read(got)))
        assert any(map(math.isnan, found)), f"got {found}, expected that a nan is heard of"


def model(lab: Lab, rng: random.Random) -> Call:
    """A Model that goes forward, backward and predicts in any order; gradients add up until they are forgotten."""
    sizes = [rng.randint(1, 3) for _ in range(rng.randint(2, 4))]
    x, target = dyadic(rng, 2, sizes[0]), dyadic(rng, 2, sizes[-1])
    params = [(dyadic(rng, n_in, n_out), dyadic(rng, n_out)) for n_in, n_out in pairwise(sizes)]
    steps = "".join(rng.choice("ffbbpz") for _ in range(rng.randint(1, 8)))
    expected, ready, times = "", False, 0
    for step in steps:
        expected += "!" if step == "b" and not ready else step
        times = 0 if step == "z" else times + (step == "b" and ready)
        ready = step == "f" or (ready and step != "b")

    def check(got: tuple[str, Any]) -> None:
        assert got[0] == expected, f"went {got[0]}, expected {expected}: ! is a RuntimeError"
        if times:
            loss, grads = oracle.loss_and_grads(*oracle.exact((params, x, target)))
            grads = elementwise(lambda grad: grad * times, grads)
            lab.check(
                f"{times} times", lab.gradients(got[1]), grads, scale=float(max(1, *map(abs, flat((loss, grads)))))
            )

    line = f"Model of {params} on {x}, {target}: {steps}"
    return Call(line, lambda: _walk(lab, params, x, target, steps), check=check)


def _walk(lab: Lab, params: Any, x: Nested, target: Nested, steps: str) -> tuple[str, Any]:
    """The steps f(orward), b(ackward), p(redict), z(ero_grad); "!" in the place of one that ended in a RuntimeError."""
    net, done = lab.model(lab.array(params)), ""
    walks: dict[str, Callable[[], Any]] = {
        "f": lambda: net(lab.array(x), lab.array(target)),
        "b": net.backward,
        "p": lambda: net.predict(lab.array(x)),
        "z": net.zero_grad,
    }
    for step in steps:
        try:
            walks[step]()
            done += step
        except RuntimeError:
            done += "!"
    return done, net


# ------------------------------------------------------------------------------------------------- what is no operation


def shapes(lab: Lab, rng: random.Random) -> Call:
    """broadcast_shapes, of shapes that may have none in common."""
    common = [rng.choice((1, 2, 3)) for _ in range(rng.randint(0, 3))]
    found = [
        tuple(rng.choice((s, s, 1, 4)) for s in common)[rng.randint(0, len(common)) :] for _ in range(rng.randint(2, 3))
    ]
    together = broadcast(*found)
    line = f"broadcast_shapes({', '.join(map(str, found))})"
    return Call(line, lambda: tuple(lab.impl.broadcast_shapes(*found)), together is not None, _equals(together))


def _equals(expected: Any) -> Callable[[Any], None]:
    def check(got: Any) -> None:
        assert repr(got) == repr(expected), f"got {got}, expected {expected}"

    return check


def dims(lab: Lab, rng: random.Random) -> Call:
    """unsqueeze at each dim that there is."""
    values = dyadic(rng, *(rng.randint(1, 3) for _ in range(rng.randint(0, 3))))
    dim = rng.randint(-oracle.rank(values) - 1, oracle.rank(values))
    expected = oracle.unsqueeze(oracle.exact(values), dim)
    line = f"unsqueeze({values}, {dim})"
    return Call(
        line, lambda: lab.impl.unsqueeze(lab.array(values), dim), check=lambda got: lab.check("", got, expected)
    )


NO_NUMBERS: tuple[Any, ...] = (None, "a", "3", b"1", {}, 1j)


def values(lab: Lab, rng: random.Random) -> Call:
    """asarray and tolist on nested sequences, regular or not, of numbers or not."""
    shape = tuple(rng.randint(1, 3) for _ in range(rng.randint(0, 4)))
    flaw = rng.choice(("", "", "number", "ragged", "dtype"))
    numbers = [rng.choice((0.5, -2.0, 3, 0, math.nan, math.inf)) for _ in range(math.prod(shape))]
    place = rng.randrange(len(numbers))
    odd: list[Any] = list(numbers)
    if flaw == "number":
        odd[place] = rng.choice(NO_NUMBERS)
    elif flaw == "ragged" and len(numbers) > 1:
        odd[place] = [odd[place]]
    elif flaw == "ragged":
        flaw = ""
    nested = _nested(iter(odd), shape, rng)
    dtype = "float16" if flaw == "dtype" else rng.choice((None, *lab.impl.DTYPES))

    def check(got: Any) -> None:
        _equals([float(number) for number in numbers])(list(flat(lab.impl.tolist(got))))
        assert dtype_of(got) in (None, dtype or lab.impl.DTYPES[0]), f"got dtype {dtype_of(got)}, expected {dtype}"

    return Call(f"asarray({nested!r}, {dtype!r})", lambda: lab.impl.asarray(nested, dtype), not flaw, check)


def _nested(numbers: Iterator[Any], shape: Shape, rng: random.Random) -> Any:
    if not shape:
        return next(numbers)
    return rng.choice((list, list, tuple))(_nested(numbers, shape[1:], rng) for _ in range(shape[0]))


def made(lab: Lab, rng: random.Random) -> Call:
    """normal, init_mlp, Linear and Model of seeds of any size."""
    n_in, n_out, seed = rng.choice((1, 2, 7)), rng.choice((1, 2, 7)), rng.choice((0, 1, 2**32, 2**64, 2**70, None))
    make: dict[str, Callable[[], Any]] = {
        "normal": lambda: lab.impl.normal(n_in, n_out, 0.5, seed, **lab.where),
        "init_mlp": lambda: lab.impl.init_mlp([n_in, n_out], seed, **lab.where)[0][0],
        "Linear": lambda: lab.impl.transpose(lab.impl.Linear(n_in, n_out, seed, **lab.where).weight.data),
        "Model": lambda: lab.impl.transpose(
            next(iter(lab.impl.Model([n_in, n_out], None, seed, **lab.where).parameters())).data
        ),
    }
    function = rng.choice(list(make))

    def check(got: Any) -> None:
        assert dtype_of(got) in (None, lab.dtype), f"got dtype {dtype_of(got)}, expected {lab.dtype}"
        _equals((n_in, n_out))(tuple(lab.impl.shape(got)))
        again = lab.impl.tolist(make[function]())
        assert (lab.impl.tolist(got) == again) is (seed is not None), "the seed does not decide about the numbers"

    return Call(f"{function} of {n_in}, {n_out}, seed {seed}", make[function], check=check)


def batches(lab: Lab, rng: random.Random) -> Call:
    """Batches of any size, with x and target that may differ in length; two epochs."""
    n, seed, batch_size = rng.randint(1, 5), rng.choice((0, 3, 2**40)), rng.choice((1, 2, 5, 100))
    x, target = dyadic(rng, n, 2), dyadic(rng, rng.choice((n, n, n, n + 1)))

    def epochs() -> Any:
        found = lab.impl.Batches(lab.array(x), lab.array(target), batch_size, seed)
        return [[lab.read(tuple(batch)) for batch in found] for _ in range(2)]

    fits = len(x) == len(target)
    expected = [oracle.batches(x, target, batch_size, seed, epoch) for epoch in range(2)] if fits else None
    return Call(f"two epochs of Batches({x}, {target}, {batch_size}, {seed})", epochs, fits, _equals(expected))


MAKERS = (*[operation] * 12, *[model] * 2, shapes, dims, *[values] * 2, made, batches)


# ------------------------------------------------------------------------------------------------- command


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the implementations named, or all that are registered; 1 if one breaks the contract."""
    parser = argparse.ArgumentParser(prog="python -m shared_specs.fuzz", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--impl", action="append", metavar="NAME", help="repeat for more; default: all registered")
    parser.add_argument("--calls", type=_natural, default=10_000, help="how many for each; default: 10000")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same calls")
    options = parser.parse_args(arguments)
    codes = [_fuzz(name, options.calls, options.seed) for name in options.impl or registry.implementations()]
    return max(codes, default=1)


def _natural(text: str) -> int:
    if not text.isdecimal() or not int(text[:9]):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from 1")
    return int(text[:9])


def _fuzz(name: str, n_calls: int, seed: int) -> int:
    """Fuzz one and say what came of it; the exit code, 1 where it breaks the contract, 2 where it cannot be tried."""
    begun, findings, interrupted = time.monotonic(), Findings(), False
    try:
        impl = registry.load(name)
        if lacks := [needed for needed in ("DTYPES", "asarray", "tolist") if not hasattr(impl, needed)]:
            raise registry.UnknownImplementation(f"does not provide {', '.join(lacks)}")
    except Exception as error:  # whatever a module may do when it is imported
        print(f"{name} cannot be tried: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    try:
        run(impl, n_calls, seed, _bar(name, n_calls), findings)
    except KeyboardInterrupt:
        interrupted = True
    for line, complaint in findings.violations:
        print(f"{name}: {line}\n    {complaint}")
    print(
        f"{name}: {findings.n_calls} calls, {findings.n_refused} of them refused, "
        f"{len(findings.violations)} broke the contract, {time.monotonic() - begun:.1f} s"
    )
    if findings.lacks:
        print(f"{name}: not tried, because it does not provide them: {', '.join(sorted(findings.lacks))}")
    if interrupted:
        sys.exit(130)
    return int(bool(findings.violations or findings.lacks))


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
