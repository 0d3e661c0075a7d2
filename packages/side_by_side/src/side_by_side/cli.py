"""The command `side-by-side`: reads the arguments, calls the module of the command's name, prints."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

import side_by_side
from shared_specs import STAGES, registry
from shared_specs.zoo import BUGS
from shared_specs.zoo.run import run as run_zoo

from . import accuracy as exactness
from . import matrix as specs
from .bench.commands import bench
from .diff import render
from .shell import Implementations, chosen, finish, known_implementation, load, one_line_errors, progress, steps
from .tables import choose, console
from .training_commands import init, ledger, train
from .zoo import problems as escaped
from .zoo import result_table as bug_table

app = typer.Typer(
    help=side_by_side.__doc__,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # rich's own markup would take "[default: all]" for a style, and leave it out
)
for command in (train, ledger, init, bench):
    app.command()(one_line_errors(command))


@app.callback()
def begin() -> None:
    """Find implementations in the current folder too, as `python -m` does."""
    sys.path.append(os.getcwd())


@app.command()
@one_line_errors
def matrix(
    reports: Annotated[
        list[Path], typer.Argument(help="Reports that the specs wrote with --report, or folders of them.")
    ],
    expect: Annotated[
        list[str] | None,
        typer.Option(help="Who must have a report; repeat for more. [default: all that are registered]"),
    ] = None,
) -> None:
    """Show which specs passed, stage by implementation; exit 1 where one failed or was not run."""
    found = specs.columns(specs.gather(reports), expect or registry.implementations())
    console().print(specs.result_table(found))
    finish(specs.problems(found))


@app.command()
@one_line_errors
def accuracy(
    impl: Implementations = None,
    json: Annotated[Path, typer.Option(help="Save the table there.")] = Path("results/accuracy.json"),
) -> None:
    """Measure the error of every element against exact arithmetic; exit 1 where a result is not finite."""
    modules = {name: load(name) for name in chosen(impl)}
    measure = exactness.Measure()
    rows: list[exactness.Row] = []
    with progress() as bar:
        task = bar.add_task("accuracy", total=measure.plan(modules))
        for name, module in modules.items():
            rows += measure.run(name, module, lambda work: bar.update(task, description=work, advance=1))
    for dtype in dict.fromkeys(row.dtype for row in rows):
        console().print(exactness.result_table(rows, dtype))
    exactness.save(rows, json)
    finish(exactness.problems(rows))


@app.command()
@one_line_errors
def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="An implementation.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    stage: Annotated[str, typer.Option(help=f"One of {', '.join(STAGES)}.")],
) -> None:
    """Read two implementations of a stage side by side, aligned by definition."""
    choose("stage", stage, STAGES)
    console().print(render(known_implementation(left), known_implementation(right), stage))


@app.command()
@one_line_errors
def zoo(
    impl: Annotated[
        str | None, typer.Option(help="The right implementation that is made wrong. [default: the bug's own]")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(STAGES)}; repeat for more. [default: all]")
    ] = None,
) -> None:
    """Run the specs on implementations with planted bugs; exit 1 where one escapes."""
    stages = [choose("stage", name, STAGES) for name in stage or STAGES]
    if impl:
        load(known_implementation(impl))
    with progress() as bar:
        bar.add_task("running specs on bugs", total=None)
        verdicts = run_zoo([bug for bug in BUGS.values() if bug.stage in stages], impl)
    console().print(bug_table(verdicts))
    finish(escaped(verdicts))


@app.command()
@one_line_errors
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
