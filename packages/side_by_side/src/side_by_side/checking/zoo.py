"""Does the suite turn red when it should? Every bug of the zoo meets the spec that must catch it."""

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared_specs.zoo import FORMULA, KINDS
from shared_specs.zoo.run import Verdict

from ..tables import framed


def result_table(verdicts: Sequence[Verdict]) -> Group:
    """A row a bug, kind by kind: the mistake, its stage, who caught it, and what the failure says."""
    body = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for heading, ratio in (("bug", 5), ("stage", 1), ("caught by", 4), ("what the failure says", 4)):
        body.add_column(heading, ratio=ratio, overflow="fold", min_width=8)
    for kind in (FORMULA, *KINDS.values()):
        mine = [verdict for verdict in verdicts if verdict.bug.kind == kind]
        if mine:
            body.add_row(Text(f"{kind[0].upper()}{kind[1:]}: {len(mine)}", "bold italic"))
        for verdict in mine:
            body.add_row(*row(verdict))
        body.add_section()
    bases = ", ".join(dict.fromkeys(verdict.base for verdict in verdicts))
    caught = sum(not verdict.problems for verdict in verdicts)
    return framed(
        f"{len(verdicts)} bugs in {bases}: {caught} caught",
        body,
        "Meet one: pytest --pyargs shared_specs --impl relu_leaks@numpy_impl",
    )


def row(verdict: Verdict) -> tuple[Text, ...]:
    """The cells of one bug."""
    bug = Text.assemble((verdict.bug.name, "bold"), "\n", verdict.bug.sentence.partition("\n")[0])
    if verdict.problems:
        return bug, Text(verdict.bug.stage), Text("escaped", "bold red"), Text("; ".join(verdict.problems), "red")
    return bug, Text(verdict.bug.stage), Text(verdict.bug.caught_by, "green"), Text(verdict.reason)


def problems(verdicts: Sequence[Verdict]) -> list[str]:
    """The bugs that escaped, and why."""
    return [f"{v.bug.name}@{v.base} escaped: {'; '.join(v.problems)}" for v in verdicts if v.problems]
