"""Find the mistake: real changes of one place, from the mutants, each planted in a copy of the code and run.

Which change belongs to which name is kept in `words/mistakes.toml`, with the spec that kills it, since to run all specs
on all mutants takes minutes. A test tries each again, so what stands there is true.
"""

import contextlib
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from shared_specs import compare, registry

from .. import code, values, words
from ..trace import copied


@dataclass(frozen=True)
class Mistake:
    """One change in one package, and the spec that catches it."""

    name: str
    """The name of the contract."""
    package: str
    function: str
    """As it stands in its file: "backward.linear_grad", "training.SGD.step"."""
    before: str
    after: str
    spec: str

    @property
    def stage(self) -> str:
        """The file."""
        return self.function.partition(".")[0]

    @property
    def version(self) -> code.Version:
        """The right code."""
        definition = next(d for d in code.of_stage(self.stage) if f"{self.stage}.{d.name}" == self.function)
        return next(version for version in definition.versions if self.package in version.packages)

    @property
    def line(self) -> int:
        """Which line of the version is changed, from 0.

        Raises ValueError when it is not there any more.
        """
        lines = [line.strip() for line in self.version.lines]
        if lines.count(self.before) != 1:
            raise ValueError(f"{self.package}.{self.function} has no line, or several: {self.before}")
        return lines.index(self.before)

    @property
    def lines(self) -> Sequence[str]:
        """The code with the mistake in it."""
        right = list(self.version.lines)
        indent = right[self.line][: -len(right[self.line].lstrip())]
        return [*right[: self.line], indent + self.after, *right[self.line + 1 :]]

    @contextlib.contextmanager
    def planted(self) -> Iterator[ModuleType]:
        """The package with the mistake in it, for as long as the block lasts."""
        net, module = registry.load(self.package), importlib.import_module(f"{self.package}.{self.stage}")
        path = self.function.split(".")[1:]
        source = "\n".join(self.lines)
        scope = dict(vars(module))
        exec(f"class {path[0]}:\n{textwrap.indent(source, '    ')}" if path[1:] else source, scope)
        wrong = _bare(functools.reduce(getattr, path[1:], scope[path[0]]))
        right = _bare(functools.reduce(getattr, path, module))
        kept = right.__code__
        right.__code__ = wrong.__code__
        try:
            yield net
        finally:
            right.__code__ = kept

    def first_wrong_number(self) -> str:
        """Where the small net shows it first: what comes out, and what should."""
        right = _result(registry.load(self.package), self.name)
        with self.planted() as net:
            try:
                got = _result(net, self.name)
            except compare.REFUSALS as error:
                return f"{type(error).__name__}: {error}"
        for (place, mine), (_, wanted) in zip(_places(got), _places(right), strict=False):
            if mine != wanted:
                return f"{self._named(place)} is {mine:.4g}, expected {wanted:.4g}"
        raise ValueError(f"the small net does not show {self}")

    def _named(self, place: Sequence[int]) -> str:
        """grad_b[0] for the third of three results."""
        names = values.CALLS[self.name].result.split(", ")
        name, rest = (names[place[0]], place[1:]) if len(names) > 1 and place[0] < len(names) else (names[0], place)
        return f"{name}[{', '.join(map(str, rest))}]" if rest else name


def mistakes() -> list[Mistake]:
    """All that are kept."""
    return [Mistake(name=name, **entry) for name, entries in words.read("mistakes").items() for entry in entries]


def _places(value: values.Nested, *at: int) -> Iterator[tuple[Sequence[int], Any]]:
    """Every number with its place."""
    if isinstance(value, list):
        for i, part in enumerate(value):
            yield from _places(part, *at, i)
    else:
        yield at, value


def _bare(function: Any) -> FunctionType:
    found = inspect.unwrap(function)
    assert isinstance(found, FunctionType)
    return found


def _result(net: ModuleType, name: str) -> Any:
    return copied(net, values.CALLS[name].run(net, values.given(net, name)))
