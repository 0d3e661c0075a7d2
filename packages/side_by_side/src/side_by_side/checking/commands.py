"""The commands that check: `matrix`, `accuracy`, `zoo` and `mutants`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from shared_specs import STAGES, registry

from ..shell import (
    Implementations,
    chosen,
    finish,
    known_implementation,
    load,
    progress,
    steps,
    until_interrupted,
)
from ..tables import choose, console


def matrix(
    reports: Annotated[
        list[Path], typer.Argument(help="Reports that the specs wrote with --report, or folders of them.")
    ],
    expect: Annotated[
        list[str] | None,
        typer.Option(
            help="Who must have a report; repeat for more. [default: in a folder, all that are registered; else nobody]"
        ),
    ] = None,
) -> None:
    """Show which specs passed, stage by implementation; exit 1 where one failed or was not run."""
    from . import matrix as specs

    whole = any(path.is_dir() for path in reports)
    found = specs.columns(specs.gather(reports), expect or (registry.implementations() if whole else ()))
    console().print(specs.result_table(found))
    finish(specs.problems(found))


def accuracy(
    impl: Implementations = None,
    json: Annotated[
        Path, typer.Option(metavar="FILE", help="The rows go there, beside those of other implementations.")
    ] = Path("results/accuracy.json"),
) -> None:
    """Measure the error of every element against exact arithmetic; exit 1 where a result is not finite or missing."""
    from . import accuracy as exactness

    kept = exactness.saved(json)
    modules = {name: load(name) for name in chosen(impl)}
    measure = exactness.Measure()
    rows: list[exactness.Row] = []
    with until_interrupted() as stop, progress() as bar:
        task = bar.add_task("accuracy", total=measure.plan(modules))
        for name, module in modules.items():
            rows += measure.run(name, module, lambda work: bar.update(task, description=work, advance=1))
    for dtype in dict.fromkeys(row.dtype for row in rows):
        console().print(exactness.result_table(rows, dtype))
    exactness.save(rows, json, kept)
    unfinished = [name for name in modules if stop.pressed and name not in {row.implementation for row in rows}]
    said = [f"{name}: not measured; --impl {name} measures it alone" for name in unfinished]
    finish([*exactness.problems(rows), *measure.lacks(), *said], stop.pressed)


def zoo(
    impl: Annotated[
        str | None, typer.Option(help="The right implementation that is made wrong. [default: the bug's own]")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(STAGES)}; repeat for more. [default: all]")
    ] = None,
) -> None:
    """Run the specs on implementations with planted bugs; exit 1 where one escapes."""
    from shared_specs.zoo import BUGS
    from shared_specs.zoo.run import run

    from . import zoo as bugs

    stages = [choose("stage", name, STAGES) for name in stage or STAGES]
    if impl is not None:
        load(known_implementation(impl))
    with progress() as bar:
        bar.add_task("running specs on bugs", total=None)
        verdicts = run([bug for bug in BUGS.values() if bug.stage in stages], impl)
    console().print(bugs.result_table(verdicts))
    finish(bugs.problems(verdicts))


def mutants(
    impl: Annotated[
        list[str] | None,
        typer.Option(help="An implementation; repeat for more. [default: all with a list of equivalent mutants]"),
    ] = None,
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage; repeat for more. [default: all]")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants at once.")] = os.cpu_count() or 1,
) -> None:
    """Change an implementation in one place at a time; exit 1 where the specs do not notice often enough."""
    from . import forks, mutants  # with mutmut, which only this command needs

    stages = [choose("stage", name, STAGES) for name in stage or STAGES]
    equivalent = mutants.equivalents()
    outcomes = []
    for name in chosen(impl or list(equivalent)):
        made = mutants.mutants(load(name), stages)
        with steps(name, len(made)) as on_mutant:
            survivors = forks.survivors(name, made, jobs, on_mutant)
        outcomes.append(mutants.Outcome(name, stages, made, survivors, equivalent.get(name, {})))
    console().print(mutants.result_table(outcomes))
    finish([problem for outcome in outcomes for problem in outcome.problems()])
