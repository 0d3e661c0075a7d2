"""A name of the contract in a terminal: its versions, who shares them, and what each of their lines computes."""

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_lowercase

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from shared_specs.registry import READING_ORDER

from ..tables import NOT_PROVIDED, UserError, framed, table
from . import code, trace, values, words
from .alignment import docstrings
from .diff import Line, coloured

STALE = "The code has changed since it was written why."


def versions_of(name: str) -> RenderableType:
    """All distinct versions of a name and of its helpers, and a sentence why where there are several.

    Raises UserError for an unknown name, and where none of the packages is installed.
    """
    _installed()
    unit = code.find(name)
    parts: list[RenderableType] = [_heading(unit), Text(words.read("ideas")[unit.name]["idea"]), ""]
    for definition in unit.definitions:
        parts += [_rule(definition), *_why(definition)]
        said: set[str] = set()
        for version in definition.versions:
            shown = zip(coloured(version.text), _new(version, said), strict=True)
            parts += [_who(version.packages), *(Line(line, " ") for line, new in shown if new), ""]
    return Group(*parts[:-1])


def _installed() -> Sequence[str]:
    """Raises UserError where there is nothing to show."""
    if packages := code.packages():
        return packages
    raise UserError(f"none of {', '.join(READING_ORDER)} is installed")


def _heading(unit: code.Unit) -> RenderableType:
    return Text.assemble((unit.name, "bold"), f", stage {unit.stage}")


def _rule(definition: code.Definition) -> RenderableType:
    n = len(definition.versions)
    return Rule(Text.assemble((definition.name, "bold"), f"  {n} version{'s' * (n > 1)}"), align="left", style="dim")


def _who(packages: Sequence[str]) -> Text:
    return Text(", ".join(packages), "bold cyan")


def _why(definition: code.Definition) -> Iterator[RenderableType]:
    """The sentence about the versions as they are; it says when it was written about others."""
    if len(definition.versions) > 1:
        said = words.read("differences").get(definition.name, {"code": ""})
        yield Text(said["why"] if said["code"] == definition.fingerprint else STALE, "italic")
        yield ""


def _new(version: code.Version, said: set[str]) -> list[bool]:
    """Which lines to show: all but those of a docstring that an earlier version has word by word."""
    documented = docstrings(version.text)
    words = "\n".join(line for i, line in enumerate(version.lines, 1) if i in documented)
    again = words in said
    said.add(words)
    return [not (again and i in documented) for i, _ in enumerate(version.lines, 1)]


def count_table() -> RenderableType:
    """How many versions a name has, and who shares one: the same letter, the same code, helpers included.

    Raises UserError where none of the packages is installed.
    """
    packages = _installed()
    body = table("name", "stage", "definitions", "versions", "who shares them")
    for unit in code.units().values():
        letters = {name: letter for letter, who in zip(ascii_lowercase, unit.versions, strict=False) for name in who}
        shared = " ".join(letters.get(name, NOT_PROVIDED) for name in packages)
        body.add_row(unit.name, unit.stage, str(len(unit.definitions)), str(len(unit.versions)), shared)
    counts = code.counts()
    return framed(
        f"{counts.names} names of the contract in their versions",
        body,
        f"A letter each for {', '.join(packages)}: the same letter is the same code, but for docstrings and layout, "
        "in all definitions of the name and its helpers.",
        f"{counts.definitions} definitions stand in all {len(packages)}: {counts.alike} have one version, "
        f"the mean is {counts.mean:.1f}.",
    )


def traced(unit: code.Unit, runs: Mapping[str, trace.Run]) -> RenderableType:
    """The recorded run of a name, line by line: beside each line, what it left behind."""
    call = values.CALLS[unit.name]
    parts: list[RenderableType] = [_heading(unit), "", Text(call.text), "", *_results(call, runs), ""]
    for definition in unit.definitions:
        for version in definition.versions:
            kept = list(trace.beside(definition, version, runs))
            if any(kept):
                parts += [*_traced(definition, version, kept, [who for who in version.packages if who in runs]), ""]
    return Group(*parts, Text("ULP: the error in units in the last place, against exact fractions.", "dim"))


def _results(call: values.Call, runs: Mapping[str, trace.Run]) -> Iterator[RenderableType]:
    for who, run in trace.results(runs):
        yield Text.assemble((who, "bold cyan"), f"  {trace.ulps(run.ulps) or 'no exact value: random numbers'}")
        yield Line(Text(f"{call.result} = {trace.numbers(run.result)}"), " ")


def _traced(
    definition: code.Definition,
    version: code.Version,
    kept: Sequence[Sequence[tuple[str, trace.Recorded]]],
    packages: Sequence[str],
) -> Iterator[RenderableType]:
    """The lines of a version with their numbers in the first of these packages' files, without docstrings."""
    yield Rule(Text.assemble((definition.name, "bold"), "  ", _who(packages)), align="left", style="dim")
    first = version.starts[packages[0]]
    documented = docstrings(version.text)
    for i, (line, recorded) in enumerate(zip(coloured(version.text), kept, strict=True)):
        if i + 1 not in documented and line.plain.strip():
            yield Line(line, f"{first + i:4}", "dim")
            yield from (_recorded(who, value) for who, value in recorded)


def _recorded(who: str, value: trace.Recorded) -> RenderableType:
    shape = str(value.shape or "")
    times = f"the last of {value.times}" if value.times > 1 else ""
    said = "  ".join(filter(None, (f"{value.name} {shape}".strip(), trace.numbers(value.value))))
    noted = "  ".join(filter(None, ("", trace.ulps(value.ulps), times, who)))
    return Line(Text.assemble((said, "green"), (f"  {noted}" if noted else "", "dim")), " " * 8)
