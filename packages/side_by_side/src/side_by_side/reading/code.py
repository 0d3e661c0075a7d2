"""Every name of the contract with its definitions, each in its distinct versions, and who shares them."""

import ast
import functools
import hashlib
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared_specs import STAGES
from shared_specs.contract import STAGE_NAMES
from shared_specs.registry import READING_ORDER, implementations

from ..tables import choose
from .alignment import TOP, definitions, stage_source

HOMES = {
    "synchronize": "asarray",
    "MSEFunction": "mse_grad",
    "ReLUFunction": "relu_grad",
    "LinearFunction": "linear_grad",
}
"""Definitions that no other calls, and the name under which they are shown."""


@dataclass(frozen=True)
class Version:
    """One way to write a definition, and the packages that share it."""

    lines: Sequence[str]
    """As they stand in the first of the packages, without the indentation of a class."""
    starts: Mapping[str, int]
    """Package → the number of its first line."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Who has it."""
        return tuple(self.starts)

    @property
    def text(self) -> str:
        """The whole of it."""
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Definition:
    """A function, a class up to its first method, a method or a constant."""

    name: str
    stage: str
    versions: Sequence[Version]

    @property
    def packages(self) -> tuple[str, ...]:
        """Who has it, in whatever version."""
        return tuple(package for version in self.versions for package in version.packages)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that change with the code of any version, and with who shares it; not with docstrings."""
        facts = [(bare(version.text), version.packages) for version in self.versions]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Unit:
    """A name of the contract with all that is shown under it: its definitions, and the helpers that it calls."""

    name: str
    stage: str
    definitions: Sequence[Definition]

    @property
    def versions(self) -> list[list[str]]:
        """The packages, those together that share every definition, helpers too."""
        shared: dict[tuple[int, ...], list[str]] = {}
        for package in (name for name in READING_ORDER if any(name in d.packages for d in self.definitions)):
            bodies = (
                next((i for i, v in enumerate(d.versions) if package in v.packages), -1) for d in self.definitions
            )
            shared.setdefault(tuple(bodies), []).append(package)
        return list(shared.values())


class Counts(NamedTuple):
    """How many names there are, and definitions that all installed packages have; how often these are varied."""

    names: int
    definitions: int
    alike: int
    mean: float


def bare(source: str) -> str:
    """What the code says, whatever its layout, comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.unparse(tree)


@functools.cache
def units() -> dict[str, Unit]:
    """Name → its unit, in the order of the contract; of those of the five packages that are installed."""
    all_definitions = [definition for stage in STAGES for definition in of_stage(stage)]
    homes = _homes(all_definitions)
    shown: dict[str, list[Definition]] = defaultdict(list)
    for definition in all_definitions:
        shown[homes[top(definition)]].append(definition)
    return {
        name: Unit(name, stage, sorted(shown[name], key=lambda d: top(d) != name))
        for stage, names in STAGE_NAMES.items()
        for name in names
    }


def packages() -> tuple[str, ...]:
    """Those of the five that are installed."""
    return tuple(name for name in READING_ORDER if name in implementations())


def find(name: str) -> Unit:
    """The unit of a name, or the one under which a helper or a method is shown.

    Raises UserError with the nearest name when there is none.
    """
    homes = {shown: unit.name for unit in units().values() for d in unit.definitions for shown in (d.name, top(d))}
    return units()[choose("name", homes.get(name, name), units())]


@functools.cache
def of_stage(stage: str) -> tuple[Definition, ...]:
    """The definitions of a stage, in the order of the packages."""
    found: dict[str, dict[str, list[tuple[str, Version]]]] = {}
    for package in packages():
        source = stage_source(package, stage).code
        lines = source.splitlines()
        for name, numbers in definitions(source).items():
            if name != TOP:
                text = textwrap.dedent("\n".join(lines[numbers.start - 1 : numbers.stop - 1]))
                bodies = found.setdefault(name, defaultdict(list))
                bodies[bare(text)].append((package, Version(text.splitlines(), {package: numbers.start})))
    return tuple(Definition(name, stage, [_shared(same) for same in bodies.values()]) for name, bodies in found.items())


def counts() -> Counts:
    """How much of the contract's code is shared."""
    installed = len(packages())
    shared = [len(d.versions) for unit in units().values() for d in unit.definitions if len(d.packages) == installed]
    return Counts(len(units()), len(shared), shared.count(1), sum(shared) / len(shared))


def top(definition: Definition) -> str:
    """The name at the top of its file: the class of a method."""
    return definition.name.partition(".")[0]


def symbols(definitions: Iterable[Definition]) -> frozenset[str]:
    """Arguments, local variables and attributes: what a reader may want to see lit everywhere."""
    return frozenset(name for d in definitions for v in d.versions for name in _symbols(v.text)) - {"self", "_", "ctx"}


def arguments(definition: Definition) -> list[str]:
    """The names of a function's arguments, in order."""
    tree = ast.parse(definition.versions[0].text).body[0]
    return [argument.arg for argument in tree.args.args] if isinstance(tree, ast.FunctionDef) else []


def _symbols(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def _named(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _shared(same: Sequence[tuple[str, Version]]) -> Version:
    starts = {package: start for _, version in same for package, start in version.starts.items()}
    return Version(same[0][1].lines, starts)


def _homes(all_definitions: Sequence[Definition]) -> dict[str, str]:
    """Definition → the name under which it is shown: its own, or that of the first which calls it."""
    contract = {name for names in STAGE_NAMES.values() for name in names}
    words = [(top(d), {name for v in d.versions for name in _named(v.text)}) for d in all_definitions]
    homes = {name: name for name in contract} | HOMES
    waiting = [name for name, _ in words if name not in homes]
    while waiting:
        before = len(homes)
        for name in waiting:
            caller = next((homes[c] for c, said in words if c != name and name in said and c in homes), None)
            if caller:
                homes[name] = caller
        waiting = [name for name in waiting if name not in homes]
        if len(homes) == before:
            raise ValueError(f"nobody calls {', '.join(waiting)}: say in {__name__}.HOMES where to show it")
    return homes
