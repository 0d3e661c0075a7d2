"""The commands that read: `ledger` and `diff`."""

from typing import Annotated

import typer

from shared_specs import STAGES, registry

from ..shell import DTYPES, Dtype, Implementations, chosen, finish, known_implementation, load, stages, widths
from ..tables import choose, console


def ledger(
    impl: Implementations = None,
    sizes: Annotated[str, typer.Option(help="Inputs, hidden units and outputs.")] = "2-3-1",
    batch: Annotated[int, typer.Option(min=1, help="Samples.")] = 3,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the numbers to begin with.")] = None,
    dtype: Dtype = "float64",
) -> None:
    """Print every number of one way forward and back beside the exact one; exit 1 where one is wrong."""
    from . import ledger as book

    given = book.problem(widths(sizes), batch, book.SEED if seed is None else seed)
    nets = {name: load(name) for name in chosen(impl)}
    result = book.ledger(nets, given, choose("dtype", dtype, DTYPES))
    console().print(book.result_table(result))
    finish(book.problems(result))


def diff(
    left: Annotated[
        str, typer.Argument(metavar="A", help="An implementation.", autocompletion=registry.implementations)
    ],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.", autocompletion=registry.implementations)],
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(STAGES)}.", autocompletion=stages)],
) -> None:
    """Read two implementations of a stage side by side, aligned by definition."""
    from .diff import render

    choose("stage", stage, STAGES)
    console().print(render(known_implementation(left), known_implementation(right), stage))
