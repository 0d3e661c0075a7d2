"""What each line computed: a name is called on the small net, and after every line the variables are read."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from shared_specs import compare, oracle, registry

from . import values
from .code import Definition, Version
from .culprit import Trace, homes
from .values import Nested

RETURNED = "→"
NUMBERS = (int, float, Fraction)
PLAIN = (str, bytes, bool, dict, type(None), ModuleType)
MOST_NUMBERS = 12
CLOSE = 1e-9  # relative; a recorded value that near to an exact one is that one, rounded


@dataclass
class Recorded:
    """A value that a line left in a variable, or returned."""

    name: str
    value: Nested
    times: int = 1
    ulps: float | None = None
    """The largest error against the exact fractions, in units in the last place; None where they are not known."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The size along each axis; None for several arrays of different shapes."""
        return shape_of(self.value)


@dataclass
class Run:
    """One call in one package: what came out, and what each line left behind."""

    result: Nested
    lines: Mapping[tuple[str, int], list[Recorded]]
    """(stage, line number) → what was new after it."""
    ulps: float | None = None


@dataclass
class Recorder:
    """What `sys.settrace` calls: it reads the local variables after every line of a package."""

    net: ModuleType
    lines: dict[tuple[str, int], dict[str, Recorded]] = field(default_factory=dict)
    _seen: dict[FrameType, dict[str, Nested]] = field(default_factory=dict)
    _line: dict[FrameType, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._homes = homes(self.net) - {f"{self.net.__name__}.guard"}

    def trace(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """One event of a frame."""
        if frame.f_globals.get("__name__") not in self._homes or frame.f_code.co_name.startswith("<"):
            return None
        if event == "call":
            self._seen[frame] = self._read(frame)
        else:
            self._note(frame)
            self._line[frame] = frame.f_lineno
            if event == "return" and (value := self.listed(argument)) is not None:
                self._keep(frame, frame.f_lineno, RETURNED, value)
        return self.trace

    def _note(self, frame: FrameType) -> None:
        now, before = self._read(frame), self._seen[frame]
        for name, value in now.items():
            if frame in self._line and before.get(name) != value:
                self._keep(frame, self._line[frame], name, value)
        self._seen[frame] = now

    def _keep(self, frame: FrameType, line: int, name: str, value: Nested) -> None:
        at = self.lines.setdefault((Path(frame.f_code.co_filename).stem, line), {})
        at[name] = Recorded(name, value, at[name].times + 1 if name in at else 1)

    def _read(self, frame: FrameType) -> dict[str, Nested]:
        found = {name: self.listed(value) for name, value in frame.f_locals.items() if name.isidentifier()}
        return {name: value for name, value in found.items() if value is not None}

    def listed(self, value: Any) -> Nested | None:
        """A value as nested lists of numbers; None for what is not made of numbers."""
        if isinstance(value, PLAIN) or callable(value):
            return None
        tracing = sys.gettrace()
        sys.settrace(None)
        try:
            return copied(self.net, value)
        except (TypeError, AttributeError, ValueError):
            return None
        finally:
            sys.settrace(tracing)


def copied(net: ModuleType, value: Any) -> Nested:
    """A result as nested lists of Python numbers; TypeError where there is something else in it."""
    if isinstance(value, list | tuple):
        return [copied(net, part) for part in value]
    if isinstance(value, dict):
        return [copied(net, part) for part in value.values()]
    number = net.tolist(value)
    if not all(isinstance(part, NUMBERS) for part in oracle.flat(number)):
        raise TypeError(f"no numbers: {value!r}")
    return number


def record(net: ModuleType, name: str, dtype: str | None = "float64") -> Run:
    """Call a name on the small net, line by line."""
    recorder, given = Recorder(net), values.given(net, name, dtype)
    before = sys.gettrace()
    sys.settrace(recorder.trace)
    try:
        result = values.CALLS[name].run(net, given)
    finally:
        sys.settrace(before)
    return Run(copied(net, result), {place: list(kept.values()) for place, kept in recorder.lines.items()})


def runs(nets: Mapping[str, ModuleType], name: str) -> dict[str, Run]:
    """The recorded run of each package, with its errors."""
    known = list(_known(registry.load("pure_python"), name))
    found = {package: record(net, name) for package, net in nets.items()}
    for run in found.values():
        for recorded in (recorded for kept in run.lines.values() for recorded in kept):
            recorded.ulps = error(recorded.value, known)
        run.ulps = error(run.result, known)
    return found


def beside(definition: Definition, version: Version, runs: Mapping[str, Run]) -> Iterator[list[tuple[str, Recorded]]]:
    """What each line left behind; once where all who share the version agree to the last digit shown, else with who."""
    sharing = [package for package in version.packages if package in runs]
    for i in range(len(version.lines)):
        kept: dict[tuple[str, str, str], tuple[list[str], Recorded]] = {}
        for package in sharing:
            for recorded in runs[package].lines.get((definition.stage, version.starts[package] + i), ()):
                key = recorded.name, numbers(recorded.value), ulps(recorded.ulps)
                kept.setdefault(key, ([], recorded))[0].append(package)
        yield [("" if len(who) == len(sharing) else ", ".join(who), recorded) for who, recorded in kept.values()]


def results(runs: Mapping[str, Run]) -> list[tuple[str, Run]]:
    """Packages with their result; those that agree in every digit shown, and in the error, together."""
    groups: dict[tuple[str, str], tuple[list[str], Run]] = {}
    for package, run in runs.items():
        groups.setdefault((numbers(run.result), ulps(run.ulps)), ([], run))[0].append(package)
    return [(", ".join(who), run) for who, run in groups.values()]


def numbers(value: Any) -> str:
    """Nested lists with four digits a number, cut where they are long; several arrays, one after the other."""
    if isinstance(value, list):
        ragged = shape_of(value) is None
        shown = value if ragged or sum(1 for _ in oracle.flat(value)) <= MOST_NUMBERS else value[:2]
        inside = ("; " if ragged else ", ").join(map(numbers, shown))
        return inside if ragged else f"[{inside}{', …' if len(shown) < len(value) else ''}]"
    if isinstance(value, bool | int):
        return str(value)
    return f"{float(value):.4g}".replace("-", "−")


def ulps(error: float | None) -> str:
    """An error in units in the last place, in words."""
    if error is None:
        return ""
    return "exact" if error == 0 else f"{error:.2g} ULP"


def _known(net: ModuleType, name: str) -> Iterator[Nested]:
    """Exact values that a line may come near to: what comes out, what goes in, what pure_python has on fractions."""
    if (exact := values.exact(name)) is not None:
        yield exact
        yield from exact if isinstance(exact, list) else ()
    yield from values.given(net, name, None).values()
    if name not in ("normal", "init_mlp", "Solved") and "logits" not in values.ARRAYS.get(name, ()):
        for kept in record(net, name, None).lines.values():
            yield from (recorded.value for recorded in kept)


def error(value: Nested, known: Sequence[Nested]) -> float | None:
    """The largest error in ULPs against the exact values to which this is near; None if there are none."""
    got = list(oracle.flat(value))
    for exact in known:
        if _near(got, wanted := list(oracle.flat(exact))):  # of any shape: (3, 1) in one package is (3,) in another
            return max((_distance(mine, Fraction(right)) for mine, right in zip(got, wanted, strict=True)), default=0.0)
    parts = [error(part, known) for part in value] if isinstance(value, list) else [None]
    return None if None in parts else max(parts, default=None)  # type: ignore[type-var]


def _near(got: Sequence[Any], wanted: Sequence[Any]) -> bool:
    return len(got) == len(wanted) and all(
        abs(mine - right) <= CLOSE * max(1, abs(right)) for mine, right in zip(got, wanted, strict=True)
    )


def _distance(got: Any, exact: Fraction) -> float:
    if exact == 0:
        return 0.0 if got == 0 else float("inf")
    return compare.ulps(float(got), exact, "float64")


def shape_of(value: Nested) -> tuple[int, ...] | None:
    """The size along each axis; None for a ragged list, such as several results of different shapes."""
    if not isinstance(value, list):
        return ()
    shapes = {shape_of(part) for part in value}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(value), *(shapes.pop() or () if shapes else ()))
