"""Would a spec notice? mutmut changes an implementation in one small place at a time, and each time a spec must fail.

A change is a mutant; the spec that fails has killed it. A mutant that survives shows that a spec is missing, or it does
nothing that anyone can observe: then it is equivalent, and a file says why. mutmut knows what to change, except that

- what an error says stays as it is, but where the contract asks for names or shapes in it;
- a device is handed on, and a dtype too, where the package has only one; to forget it, or to compare, changes nothing;
- `zip(…, strict=True)` stays: it asserts what was checked before, and ruff wants one or the other;
- the shapes that a function takes, "(n, k), (k, m) -> (n, m)", are not misspelt, but forget that one size is that of
  another, that it is not 0, or an alternative;
- what stands outside of functions stays, and so does what only another version of Python defines.

Each mutant is then tried by `side_by_side.checking.forks`.
"""

import functools
import importlib
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from inspect import getclosurevars, unwrap
from pathlib import Path
from textwrap import indent
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import libcst as cst
from libcst import matchers
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor, OuterFunctionProvider, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode
from rich.console import Group

from shared_specs import STAGES

from ..tables import UserError, framed, table

WANTED, WANTED_OF_A_STAGE = 0.97, 0.95
GUARD = "guard"  # no stage, but tried as one
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
TELLING = ("check", "load_state_dict")  # functions whose errors must say names or shapes
STRICT = re.compile(r",( strict=\w+| )(?=\))")
SIGNATURE = re.compile(r'^@takes\("(.*)"\)\ndef (\w+)', re.MULTILINE)
DECORATORS = re.compile(r"^ *@(takes|functools\.wraps)\(.*\)\n", re.MULTILINE)


class Change(NamedTuple):
    """What a mutant is known by, wherever it stands in its function: `before` and `after` are lines of code."""

    function: str
    before: str
    after: str

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.before.splitlines()] + [f"+ {line}" for line in self.after.splitlines()]
        return "\n".join([self.function, *lines])


@dataclass(frozen=True)
class Mutant:
    """A function of a stage with one change in it, or in the shapes that it takes."""

    module: ModuleType
    stage: str
    name: str
    """The function's in the module, "Class.method" too."""
    source: str
    """The function's; or the signature that it takes."""
    change: Change

    @property
    def function(self) -> FunctionType:
        """The function that computes, without the guard around it."""
        named: Any = functools.reduce(getattr, self.name.split("."), self.module)
        found = unwrap(named)
        assert isinstance(found, FunctionType)
        return found

    def come_alive(self) -> None:
        """Change the function where it is, so that everybody who holds it calls the mutant."""
        takes: Any = getattr(self.module, "takes", None)
        if self.change.after.startswith("@takes"):
            _guard_anew(getattr(self.module, self.name), takes, self.source)
            return
        self._change_the_code()
        if self.function is takes:
            for guarded in guarded_functions(self.module):
                _guard_anew(guarded, takes, getclosurevars(guarded).nonlocals["signature"])

    def _change_the_code(self) -> None:
        owner = self.name.rpartition(".")[0]
        scope = dict(vars(self.module))
        exec(f"class {owner}:\n{indent(self.source, '    ')}" if owner else self.source, scope)
        parts = self.name.split(".")
        mutated = functools.reduce(getattr, parts[1:], scope[parts[0]])
        for part in ("__code__", "__defaults__"):
            setattr(self.function, part, getattr(mutated, part))


def guarded_functions(module: ModuleType) -> list[FunctionType]:
    """Every function of the module's package that `takes` has guarded."""
    package = f"{module.__name__.rpartition('.')[0]}."
    return [
        value
        for name, loaded in list(sys.modules.items())
        if name.startswith(package)
        for value in vars(loaded).values()
        if isinstance(value, FunctionType) and hasattr(value, "__wrapped__") and value.__module__ == name
    ]


def _guard_anew(guarded: Any, takes: Callable[[str], Callable[..., Any]], signature: str) -> None:
    """Whoever holds the guarded function calls one that is guarded by this signature, and remembers nothing yet."""
    cells = dict(zip(guarded.__code__.co_freevars, guarded.__closure__, strict=True))
    function, cells["function"].cell_contents = guarded.__wrapped__, None
    with suppress(Exception):  # or else no such package could be imported: nothing is computed
        cells["function"].cell_contents = takes(signature)(function)
    guarded.__code__ = _handing_over(**dict.fromkeys(cells)).__code__


def _handing_over(fitted: Any, function: Any, signature: Any) -> FunctionType:
    """What `takes` makes, with the same names in its closure; it only hands its arguments over."""

    def guarded(*arrays: Any, **named: Any) -> Any:
        nonlocal fitted, signature
        return function(*arrays, **named)

    assert isinstance(guarded, FunctionType)
    return guarded


def mutants(package: ModuleType, stages: Sequence[str]) -> list[Mutant]:
    """All mutants of a package's modules of these stages.

    The guard is taken off first: mutmut leaves decorated functions alone.
    """
    found = []
    choices = {
        "dtype": getattr(package, "DTYPES", ()),
        "device": package.devices() if hasattr(package, "devices") else (),
    }
    only_one = {name for name, known in choices.items() if len(known) == 1}
    for stage in stages:
        module = importlib.import_module(f"{package.__name__}.{stage}")
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        for name, signature, mutated in _mutated_signatures(source):
            change = Change(f"{stage}.{name}", f'@takes("{signature}")', f'@takes("{mutated}")')
            found.append(Mutant(module, stage, name, mutated, change))
        for name, original, mutated in _mutated_functions(DECORATORS.sub("", source), only_one):
            change = Change(f"{stage}.{name}", *_difference(original, mutated))
            if "dtype" in only_one and "dtypes" in change.before:
                continue
            found.append(Mutant(module, stage, name, mutated, change))
    return found


def _mutated_signatures(source: str) -> Iterator[tuple[str, str, str]]:
    """Name, signature and mutated signature of a function, for each such mutant of a module."""
    for signature, name in SIGNATURE.findall(source):
        for mutated in _mutated_shapes(signature):
            yield name, signature, mutated


def _mutated_shapes(signature: str) -> Iterator[str]:
    """A size that forgets to be another's, or 1, or more than 0; or an alternative less."""
    expected, arrow, result = signature.partition(" -> ")
    options = expected.split(" or ")
    for i, option in enumerate(options):
        others = options[:i], options[i + 1 :]
        if len(options) > 1:
            yield " or ".join([*others[0], *others[1]]) + arrow + result
        for changed in _mutated_sizes(option):
            yield " or ".join([*others[0], changed, *others[1]]) + arrow + result


def _mutated_sizes(option: str) -> Iterator[str]:
    sizes = list(re.finditer(r"\w+(?=>0|[,)])", option))
    names = [size.group() for size in sizes]
    for i, size in enumerate(sizes):
        if size.group() == "1" or names.count(size.group()) > 2 or size.group() in names[:i]:
            yield f"{option[: size.start()]}another{option[size.end() :]}"
    if ">0" in option:
        yield option.replace(">0", "")


class _Visitor(MutationVisitor):
    """Finds what to change, and leaves alone what an error says, and names of which there is one value."""

    def __init__(self, only_one: set[str]) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self.only_one = only_one
        self.words: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Raise):
            function = self.get_metadata(OuterFunctionProvider, node, None)
            if not (isinstance(function, cst.FunctionDef) and function.name.value in TELLING):
                return False
            self.words.update(matchers.findall(node, matchers.SimpleString()))
        return node not in self.words and super().on_visit(node)

    def _create_mutations(self, node: cst.CSTNode) -> None:
        before = len(self.mutations)
        super()._create_mutations(node)
        if isinstance(node, cst.SimpleString) and " -> " in node.value:  # shapes that a message says
            del self.mutations[before:]
        names = self._names(node)
        self.mutations[before:] = [m for m in self.mutations[before:] if self._names(m.mutated_node) == names]

    def _names(self, node: cst.CSTNode) -> list[str]:
        args = node.args if isinstance(node, cst.Call) else ()
        return [arg.value.value for arg in args if isinstance(arg.value, cst.Name) and arg.value.value in self.only_one]


def _mutated_functions(source: str, only_one: set[str]) -> Iterator[tuple[str, str, str]]:
    """Name, source and mutated source of a function, for each mutant of a module."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(only_one)
    wrapper.visit(visitor)
    code, names = wrapper.module.code_for_node, dict(_functions(wrapper.module.body))
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if function in names:
            mutated = deep_replace(function, mutation.original_node, mutation.mutated_node)
            assert isinstance(mutated, cst.FunctionDef)
            if STRICT.sub("", code(mutated)) != STRICT.sub("", code(function)):
                yield names[function], code(function).strip(), code(mutated).strip()


def _functions(body: Sequence[cst.CSTNode], owner: str = "") -> Iterator[tuple[cst.CSTNode, str]]:
    for node in body:
        if isinstance(node, cst.FunctionDef):
            yield node, owner + node.name.value
        elif isinstance(node, cst.ClassDef):
            yield from _functions(node.body.body, f"{node.name.value}.")


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines that differ."""
    old, new = before.splitlines(), after.splitlines()
    changed = [code for code in SequenceMatcher(None, old, new, False).get_opcodes() if code[0] != "equal"]
    return (
        "\n".join(line.strip() for _, i, j, _, _ in changed for line in old[i:j]),
        "\n".join(line.strip() for _, _, _, i, j in changed for line in new[i:j]),
    )


# What became of them


@dataclass
class Outcome:
    """What became of an implementation's mutants."""

    implementation: str
    stages: Sequence[str]
    mutants: list[Mutant]
    survivors: list[Mutant]
    equivalent: Mapping[Change, str] = field(default_factory=dict)
    """Change → why nothing can tell it from the original."""

    def score(self, stage: str | None = None) -> float:
        """The part of the mutants that was killed."""
        total, survived = self.count(stage)
        return 1 - survived / total if total else 1.0

    def count(self, stage: str | None = None) -> tuple[int, int]:
        """How many mutants, and how many of them survived."""
        return tuple(sum(stage in (None, m.stage) for m in part) for part in (self.mutants, self.survivors))  # type: ignore[return-value]

    def problems(self) -> Iterator[str]:
        """What is wrong, a sentence each."""
        name = self.implementation
        whole = [(None, WANTED)] if {*STAGES} <= {*self.stages} else []
        for stage, wanted in [*whole, *((stage, WANTED_OF_A_STAGE) for stage in self.stages)]:
            if self.score(stage) < wanted:
                place = f" in {stage}" if stage else ""
                yield f"{name}: {self.score(stage):.1%} of the mutants{place} killed, expected at least {wanted:.0%}"
        survivors = dict.fromkeys(mutant.change for mutant in self.survivors)
        for change in survivors:
            if change not in self.equivalent:
                yield f"{name}: no spec notices, and nobody says why it is equivalent: {change}"
        made = {mutant.change for mutant in self.mutants}
        for change in self.equivalent:
            if change.function.partition(".")[0] in self.stages and change not in survivors:
                fate = "a spec kills it" if change in made else "there is no such mutant any more"
                yield f"{name}: listed as equivalent, but {fate}: {change}"


def equivalents(path: Path = EQUIVALENT) -> dict[str, dict[Change, str]]:
    """Implementation → change → why it is equivalent.

    Raises UserError for a file that is not of that form.
    """
    try:
        content: dict[str, list[dict[str, Any]]] = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            name: {Change(e["function"], e["before"], e["after"]): _reason(e) for e in entries}
            for name, entries in content.items()
        }
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no list of equivalent mutants: {type(error).__name__}: {error}") from error


def _reason(entry: Mapping[str, str]) -> str:
    if not entry["reason"].strip():
        raise ValueError(f"no reason for {entry['function']}: {entry['after']}")
    return entry["reason"]


def result_table(outcomes: Sequence[Outcome]) -> Group:
    """A row a stage of an implementation, and below each survivor with what it changes."""
    result = table("implementation", "stage", "mutants", "killed", "survived", "score")
    for outcome in outcomes:
        for stage in [*outcome.stages, None]:
            total, survived = outcome.count(stage)
            style = "" if stage else "bold"
            cells = (str(total), str(total - survived), str(survived), f"{outcome.score(stage):.1%}")
            result.add_row(outcome.implementation if stage is None else "", stage or "all", *cells, style=style)
        result.add_section()
    return framed("Mutants, killed by the shared specs alone", result, *_survivors(outcomes))


def _survivors(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        for change in dict.fromkeys(mutant.change for mutant in outcome.survivors):
            if reason := outcome.equivalent.get(change):
                yield f"{outcome.implementation}.{change}\n  equivalent: {reason}\n"
