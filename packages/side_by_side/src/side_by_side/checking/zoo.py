"""Does the suite turn red when it should? Every bug of the zoo meets the spec that must catch it."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from shared_specs.zoo import FORMULA, KINDS
from shared_specs.zoo.run import Verdict

from ..tables import framed

WIDE = 160
"""Columns of a terminal in which the longest name of a bug, and of a spec, is whole."""


def result_table(verdicts: Sequence[Verdict]) -> Group:
    """A table a kind, a row a bug: the mistake, its stage, who caught it, and what the failure says."""
    kinds = {kind: [v for v in verdicts if v.bug.kind == kind] for kind in (FORMULA, *KINDS.values())}
    bases = ", ".join(dict.fromkeys(verdict.base for verdict in verdicts))
    caught = sum(not verdict.problems for verdict in verdicts)
    return framed(
        f"{len(verdicts)} bugs in {bases}: {caught} caught",
        Group(*(Kind(kind, mine) for kind, mine in kinds.items() if mine)),
        "Meet one: pytest --pyargs shared_specs --impl relu_leaks@numpy_impl",
    )


class Kind:
    """The bugs of one kind: a table, or, where names would break in its columns, line below line."""

    def __init__(self, kind: str, verdicts: Sequence[Verdict]) -> None:
        self.kind, self.verdicts = kind, verdicts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width >= WIDE:
            yield kind_table(self.kind, self.verdicts)
            return
        yield Text(f"\n{self.kind[0].upper()}{self.kind[1:]}: {len(self.verdicts)}", "bold")
        for verdict in self.verdicts:
            bug, stage, caught, said = row(verdict)
            yield Text.assemble("\n", bug, "\n", stage, ", caught by ", caught, "\n", said)


def kind_table(kind: str, verdicts: Sequence[Verdict]) -> Table:
    """The bugs of one kind, under its name."""
    title = f"\n{kind[0].upper()}{kind[1:]}: {len(verdicts)}"
    result = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, expand=True)
    for heading, ratio in (("bug", 5), ("stage", 1), ("caught by", 4), ("what the failure says", 4)):
        result.add_column(heading, ratio=ratio, overflow="fold", min_width=10)
    for verdict in verdicts:
        result.add_row(*row(verdict))
    return result


def row(verdict: Verdict) -> tuple[Text, ...]:
    """The cells of one bug."""
    bug = Text.assemble((verdict.bug.name, "bold"), "\n", verdict.bug.sentence.partition("\n")[0])
    if verdict.problems:
        return bug, Text(verdict.bug.stage), Text("escaped", "bold red"), Text("; ".join(verdict.problems), "red")
    return bug, Text(verdict.bug.stage), Text(verdict.bug.caught_by, "green"), Text(verdict.reason)


def problems(verdicts: Sequence[Verdict]) -> list[str]:
    """The bugs that escaped, and why."""
    return [f"{v.bug.name}@{v.base} escaped: {'; '.join(v.problems)}" for v in verdicts if v.problems]
