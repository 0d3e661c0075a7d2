"""The commands that check: `matrix`, `accuracy`, `zoo`, `mutants` and `check`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from shared_specs import STAGES, registry

from ..shell import (
    INTERRUPTED,
    Implementations,
    chosen,
    finish,
    known_implementation,
    load,
    progress,
    stages,
    steps,
    until_interrupted,
)
from ..tables import UserError, choose, console


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
        str | None,
        typer.Option(
            help="The right implementation that is made wrong. [default: the bug's own]",
            autocompletion=registry.implementations,
        ),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(STAGES)}; repeat for more. [default: all]", autocompletion=stages),
    ] = None,
) -> None:
    """Run the specs on implementations with planted bugs; exit 1 where one escapes."""
    from shared_specs.zoo import BUGS
    from shared_specs.zoo.run import Verdict, run

    from . import zoo as bugs

    stages = [choose("stage", name, STAGES) for name in stage or STAGES]
    chosen_bugs = [bug for bug in BUGS.values() if bug.stage in stages]
    for base in sorted({bug.base for bug in chosen_bugs}) if impl is None else [impl]:
        load(known_implementation(base))
    verdicts: list[Verdict] = []
    done: list[str] = []
    with until_interrupted() as stop, progress() as bar:
        task = bar.add_task("running specs on bugs", total=len(stages))
        for name in stages:
            verdicts += run([bug for bug in chosen_bugs if bug.stage == name], impl)
            done.append(name)
            bar.update(task, advance=1)
    console().print(bugs.result_table(verdicts))
    said = [f"{name}: not done; --stage {name} goes on with it" for name in stages[len(done) :]]
    finish([*bugs.problems(verdicts), *said], stop.pressed)


def mutants(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="An implementation; repeat for more. [default: all with a list of equivalent mutants]",
            autocompletion=registry.implementations,
        ),
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only this stage; repeat for more. [default: all]", autocompletion=stages)
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants at once.")] = os.cpu_count() or 1,
) -> None:
    """Change an implementation in one place at a time; exit 1 where the specs do not notice often enough."""
    try:
        from . import forks, mutants  # with mutmut, which only this command needs
    except ImportError as error:
        raise UserError(f"{error}; pip install 'side_by_side[mutants]' brings what this command needs") from error

    parts = (*STAGES, mutants.GUARD)
    stages = [choose("stage", name, parts) for name in stage or parts]
    equivalent = mutants.equivalents()
    outcomes: list[mutants.Outcome] = []
    begun: list[mutants.Outcome] = []
    names = chosen(impl or list(equivalent))
    with until_interrupted() as stop:
        for name in names:
            made = mutants.mutants(load(name), stages)
            reasons = equivalent.get(name, {})
            try:
                with steps(name, len(made)) as on_mutant:
                    survivors = forks.survivors(name, made, jobs, on_mutant)
            except forks.Stopped as stopped:
                begun = [mutants.Outcome(name, stages, stopped.tried, stopped.survivors, reasons)]
                raise
            outcomes.append(mutants.Outcome(name, stages, made, survivors, reasons))
    if shown := [outcome for outcome in (*outcomes, *begun) if outcome.mutants]:
        console().print(mutants.result_table(shown))
    said = [f"{each.implementation}: stopped after {len(each.mutants):,} mutants" for each in begun]
    said += [f"{name}: not done; --impl {name} does it alone, --stage a part" for name in names[len(outcomes) :]]
    finish([*(problem for outcome in outcomes for problem in outcome.problems()), *said], stop.pressed)


def check(
    name: Annotated[
        str, typer.Argument(help="An implementation, or a module of your own.", autocompletion=registry.implementations)
    ],
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Only the specs of this stage; repeat for more. [default: all]", autocompletion=stages),
    ] = None,
    courtesy: Annotated[
        bool, typer.Option("--courtesy", help="Ask for manners too: which words a refusal has.")
    ] = False,
    gaps: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="What the implementation says that it does not do.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute, one of its devices().")] = "cpu",
) -> None:
    """Run the specs on an implementation or a module of your own; exit 0 only if all pass."""
    module = load(name)
    choose("device", device, module.devices() if hasattr(module, "devices") else ["cpu"])
    arguments = [f"--impl={name}", f"--device={device}"]
    arguments += [f"--stage={choose('stage', one, STAGES)}" for one in stage or ()]
    arguments += ["--courtesy"] if courtesy else []
    arguments += [f"--gaps={gaps}"] if gaps else []
    code = run_specs(arguments)
    raise typer.Exit(INTERRUPTED if code == 2 else code)  # 2 is what pytest makes of Ctrl-C


def run_specs(arguments: list[str]) -> int:
    """What pytest exits with: no configuration but ours, so that the specs run alike from every folder."""
    import pytest

    command = ["--pyargs", "shared_specs", "-p", "shared_specs.plugin", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    command += ["-c", os.devnull, f"--rootdir={Path.cwd()}", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main([*command, *arguments])
