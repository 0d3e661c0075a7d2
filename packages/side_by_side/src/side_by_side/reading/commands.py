"""The commands that read: `ledger`, `diff` and `site`."""

from pathlib import Path
from typing import Annotated

import typer

from shared_specs import STAGES, registry

from ..shell import (
    DTYPES,
    Dtype,
    Implementations,
    chosen,
    finish,
    known_implementation,
    load,
    progress,
    stages,
    widths,
)
from ..tables import choose, console


def ledger(
    impl: Implementations = None,
    sizes: Annotated[str, typer.Option(help="Inputs, hidden units and outputs.")] = "2-3-1",
    batch: Annotated[int, typer.Option(min=1, help="Samples.")] = 3,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the numbers to begin with.")] = None,
    dtype: Dtype = "float64",
    elements: Annotated[bool, typer.Option("--elements", help="Each number, of a large net too.")] = False,
) -> None:
    """Print every number of one way forward and back beside the exact one; exit 1 where one is wrong."""
    from . import ledger as book

    given = book.problem(widths(sizes), batch, book.SEED if seed is None else seed)
    nets = {name: load(name) for name in chosen(impl)}
    dtype = choose("dtype", dtype, DTYPES)
    with progress() as bar:
        task = bar.add_task("ledger", total=None)
        result = book.ledger(nets, given, dtype, lambda what: bar.update(task, description=what))
    console().print(book.result_table(result, elements))
    finish(book.problems(result, impl))


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


def site(
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("site"),
    reports: Annotated[Path, typer.Option(help="Where `make test-all` left what the specs said.")] = Path(
        ".tox/reports"
    ),
    results: Annotated[Path, typer.Option(help="Where `make bench` left its times.")] = Path("results"),
) -> None:
    """Write the pages that show the code side by side; they open from disk."""
    from .site.build import build

    sizes = build(out, reports, results)
    largest = max(sizes, key=sizes.__getitem__)
    console().print(
        f"{out / 'index.html'}: {len(sizes)} files, {largest} of {sizes[largest] / 1000:.0f} kB the largest"
    )
