"""The commands that read: `show`, `versions`, `trace`, `diff`, `ledger` and `site`."""

from pathlib import Path
from typing import Annotated

import typer

from shared_specs import STAGES, registry
from shared_specs.contract import STAGE_NAMES

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


def names() -> tuple[str, ...]:
    """What a shell completes for a name of the contract."""
    return tuple(name for stage in STAGE_NAMES.values() for name in stage)


Name = Annotated[str, typer.Argument(metavar="NAME", help="One of the contract's names.", autocompletion=names)]


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
    finish(book.problems(result, impl), result.interrupted)


def show(name: Name) -> None:
    """Print every distinct version of a name of the contract, who shares it, and why they differ."""
    from .show import versions_of

    console().print(versions_of(name))


def versions() -> None:
    """Count the versions of every name of the contract, and show who shares them."""
    from .show import count_table

    console().print(count_table())


def trace(name: Name, impl: Implementations = None) -> None:
    """Run a name on a small net and print what every line computed, with errors in ULPs; of the five packages."""
    from . import code
    from . import trace as recorder
    from .show import traced

    unit = code.find(name)
    packages = [choose("package", package, registry.READING_ORDER) for package in chosen(impl)]
    console().print(traced(unit, recorder.runs({package: load(package) for package in packages}, unit.name)))


def diff(
    left: Annotated[
        str, typer.Argument(metavar="A", help="An implementation.", autocompletion=registry.implementations)
    ],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.", autocompletion=registry.implementations)],
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(STAGES)}. [default: all]", autocompletion=stages)] = "",
    name: Annotated[
        str, typer.Option(help="One name of the contract, with its helpers. [default: all]", autocompletion=names)
    ] = "",
    unfold: Annotated[bool, typer.Option("--all", help="Docstrings, and what is the same, too.")] = False,
) -> None:
    """Read two implementations side by side, aligned by definition; a stage, a name, or all of it."""
    from .diff import render

    if stage:
        choose("stage", stage, STAGES)
    console().print(render(known_implementation(left), known_implementation(right), stage, name, unfold))


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
