"""The commands that train: `train` and `init`.

NumPy and all that stands on it are imported inside the commands, once the number of their threads is settled.
"""

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..shell import DTYPES, Dtype, Implementations, chosen, finish, load, progress, until_interrupted, widths
from ..tables import UserError, choose, console
from ..threads import current, pinned
from .progress import Watch, bytes_ticker

if TYPE_CHECKING:
    from .checkpoint import Arrays
    from .data import Data
    from .lockstep import Lockstep
    from .train import Run
    from .trainee import Settings

RUNS = Path("runs")

Sizes = Annotated[str | None, typer.Option(help="Widths of the layers, such as 64-50-10. [default: suits the data]")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Delimiter = Annotated[str | None, typer.Option(help="Between the columns of a CSV file. [default: recognized]")]


def train(
    impl: Implementations = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH",
            help="digits, diabetes, tripler, mnist, fashion-mnist; a folder of IDX files, a CSV or an NPZ file.",
        ),
    ] = "digits",
    folder: Annotated[Path | None, typer.Option(help="Where the files of mnist or fashion-mnist are.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch those files that are missing there.")] = False,
    target: Annotated[str | None, typer.Option(help="The CSV column to predict. [default: the last]")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="A CSV column to leave out; repeat for more.")] = None,
    delimiter: Delimiter = None,
    task: Annotated[str | None, typer.Option(help="classes or numbers. [default: by the targets]")] = None,
    sizes: Sizes = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Times through the data. [default: suits the data]")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples a step. [default: suits the data]")] = None,
    lr: Annotated[float | None, typer.Option(min=0, help="Learning rate. [default: suits the data]")] = None,
    momentum: Annotated[
        float | None, typer.Option(min=0, help="Part of the last move that is kept. [default: suits the data]")
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0, help="Pull towards 0. [default: suits the data]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the split, the start and the order of the batches.")] = 0,
    dtype: Dtype = "float64",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Checkpoints, history and pictures go there. [default: --plots: runs/NUMBER]"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in --out.")] = False,
    overwrite: Overwrite = False,
    weights: Annotated[Path | None, typer.Option(help="Begin with those of this safetensors file.")] = None,
    plots: Annotated[bool, typer.Option("--plots", help="Draw what was learned, as PNG and SVG.")] = False,
    lockstep: Annotated[bool, typer.Option("--lockstep", help="All at once, compared after every step.")] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help="Relative difference at which --lockstep stops. [default: 1e-9; float32: 1e-3]"),
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=1, help="--lockstep prints a line after so many steps. [default: an epoch]")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="That share every batch, started as torchrun does.")] = 1,
    max_restarts: Annotated[
        int, typer.Option(min=0, help="How often --processes go on from the checkpoint where one has died.")
    ] = 0,
) -> None:
    """Train all on the same data from the same start; exit 1 where one goes its own way."""
    single_thread()
    from . import checkpoint, ranks
    from . import train as training
    from .data import load as load_data
    from .own import TASKS

    place = ranks.here()
    names = chosen(impl)
    processes = max(processes, place.ranks)
    check_options(names, out, resume, overwrite, weights, lockstep, tolerance, every, processes, max_restarts)
    if processes > 1:
        ranks.able(names)
    task = None if task is None else choose("task", task, TASKS)
    reading = {"folder": folder, "fetch": download, "task": task, "target": target, "delimiter": delimiter}
    with progress() as bar:
        found = load_data(data, seed, drop=drop or (), on_bytes=bytes_ticker(bar), **reading)  # type: ignore[arg-type]
    given: dict[str, Any] = {
        "sizes": None if sizes is None else widths(sizes),
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
    }
    given |= {"momentum": momentum, "weight_decay": weight_decay, "dtype": choose("dtype", dtype, DTYPES)}
    given |= {"seed": seed, "device": device, "processes": processes}
    settings = dataclasses.replace(
        training.recommended(found), **{name: value for name, value in given.items() if value is not None}
    )
    training.check(settings, found)
    start = checkpoint.load_weights(weights) if weights else None
    launching = processes > place.ranks
    if place.leads and not place.restarts and (out or not launching):  # a new folder is for rank 0 to make
        out = check_out(names, out, settings, found, resume=resume, overwrite=overwrite, lockstep=lockstep, plots=plots)
    if launching:
        ranks.launch(names, processes, max_restarts, out)
    for sentence in found.told:
        console().print(sentence, markup=False)
    with ranks.joined(place, names, device) as stop:
        if lockstep:
            runs, problems = run_lockstep(names, found, settings, out, tolerance, every, start, stop)
        else:
            again = resume or place.restarts > 0
            runs, problems = run_each(names, found, settings, out, again, start, stop, place.leads)
        problems += [f"{run.implementation}: {run.problem}" for run in runs if run.stayed_out and impl]
        if plots and out and place.leads:
            from . import plots as pictures

            pictures.save_all(runs, found, out)
            console().print(f"Pictures are in {out}.", style="dim", soft_wrap=True, markup=False)
        finish(problems, interrupted=stop())


def run_each(
    names: Sequence[str],
    data: "Data",
    settings: "Settings",
    out: Path | None,
    resume: bool,
    start: "Arrays | None",
    stop: Callable[[], bool],
    writes: bool,
) -> "tuple[list[Run], list[str]]":
    """Train one after the other, and show the table of all; the runs, and what is wrong with them."""
    from . import results
    from .ranks import check
    from .train import steps, train

    runs: list[Run] = []
    for name in names:
        if stop():
            break
        net = load(name)
        with progress() as bar:
            watch = Watch(bar, name, steps(settings, data), settings.batch_size)
            told = {"writes": writes, "on_batch": watch.batch, "on_epoch": watch.epoch, "stop": stop}
            runs.append(
                train(name, net, data, settings, out=out and out / name, resume=resume, weights=start, **told)  # type: ignore[arg-type]
            )
        if settings.processes > 1:
            check(runs[-1])
    show = console()
    show.print(results.result_table(runs, data, settings))
    if sentence := results.agreement(runs):
        show.print(sentence)
    not_begun = [f"{name}: not begun" for name in names[len(runs) :]]
    return runs, results.problems(runs, settings) + not_begun


def run_lockstep(
    names: Sequence[str],
    data: "Data",
    settings: "Settings",
    out: Path | None,
    tolerance: float | None,
    every: int | None,
    start: "Arrays | None",
    stop: Callable[[], bool],
) -> "tuple[list[Run], list[str]]":
    """Train all at once, and show the table of what was compared and the table of all."""
    from . import lockstep, results
    from .train import steps

    show = console()
    total = steps(settings, data)
    write = lockstep.to_file(out / lockstep.FILE) if out else None
    nets = {name: load(name) for name in names}
    with progress() as bar:
        task = bar.add_task("lockstep", total=total)
        above = bar.console if show.is_terminal and bar.console.is_terminal else show  # a bar makes room for its own

        def report(step: int, loss: float, differences: lockstep.Differences) -> None:
            tensor = max(differences, key=lambda name: differences[name])
            line = f"step {step:,}: loss {loss:.4f}, largest difference {differences[tensor]:.1e} in {tensor}"
            bar.update(task, completed=step + 1, description=line)
            if step % (every or total // settings.epochs) == 0:
                above.print(line)
            if write:
                write(step, loss, differences)

        result: Lockstep = lockstep.lockstep(
            nets, data, settings, tolerance=tolerance, weights=start, on_step=report, stop=stop
        )
    show.print(lockstep.result_table(result))
    show.print(results.result_table(result.runs, data, settings))
    return result.runs, lockstep.problems(result, settings)


def predict(
    weights: Annotated[Path, typer.Option(help="A model.safetensors that `train --out` has written.")],
    data: Annotated[
        Path,
        typer.Option(
            metavar="NAME|PATH",
            help="A CSV file with the same columns, an NPZ file with x, IDX images, digits, diabetes or tripler.",
        ),
    ],
    impl: Annotated[str | None, typer.Option(help="Who computes. [default: numpy_impl, or the first there is]")] = None,
    delimiter: Delimiter = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A CSV file. [default: the terminal; in a pipe, CSV]")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Use a trained net on samples that it has not seen: a prediction a sample, in the order of the file."""
    single_thread()
    from ..folders import refuse_to_replace
    from . import predict as using
    from .checkpoint import load_preparation, load_weights
    from .results import REFERENCE

    if overwrite and not out:
        raise UserError("--overwrite is for --out FILE")
    refuse_to_replace([out] if out and not overwrite else [], "--overwrite replaces it")
    name = chosen([impl] if impl else None, first=REFERENCE)[0]
    preparation = load_preparation(weights)
    if preparation is None:
        said = f"{weights} does not tell of scaling, columns or classes: the net gets the numbers as they are"
        console(stderr=True).print(said, style="yellow", soft_wrap=True, markup=False)
    result = using.predict(load(name), load_weights(weights), preparation, data, delimiter)
    if out:
        using.save(result, out)
    elif sys.stdout.isatty():
        console().print(using.result_table(result))
    else:
        sys.stdout.write(using.text(result))
    finish(using.problems(result), result.interrupted)


def init(
    impl: Implementations = None,
    layers: Annotated[int, typer.Option(min=1, max=10_000, help="How many, one after the other.")] = 50,
    width: Annotated[int, typer.Option(min=1, max=10_000, help="Units a layer.")] = 100,
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Samples.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the inputs and the weights.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32, which stacks leave on both sides, or float64.")] = "float32",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="A picture of the stacks goes there.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Send a batch through stacks of layers that start in different ways: exploding, vanishing, Xavier, Kaiming."""
    single_thread()
    from ..folders import refuse_to_replace
    from . import init as stacks
    from . import plots

    choose("dtype", dtype, DTYPES)
    names, problems = chosen(impl), []
    if overwrite and not out:
        raise UserError("--overwrite is for --out DIR")
    pictures = {name: out / f"init-{name}" for name in names} if out else {}
    refuse_to_replace(
        [picture.with_name(f"{picture.name}.{kind}") for picture in pictures.values() for kind in plots.FORMATS]
        if not overwrite
        else [],
        "--overwrite replaces it, another --out keeps it",
    )
    with until_interrupted() as stop:
        for name in names:
            net = load(name)
            try:
                with progress() as bar:
                    bar.add_task(name, total=None)
                    results = stacks.experiment(net, layers, width, batch, seed, dtype)
            except UserError as error:
                problems.append(str(error))
                continue
            console().print(stacks.result_table(name, results))
            if out:
                plots.save_init(results, pictures[name], name)
    if out:
        console().print(f"Pictures are in {out}.", style="dim", soft_wrap=True, markup=False)
    finish(problems, stop.pressed)


def single_thread() -> None:
    """One thread for every library that has not been told otherwise, before the first of them is loaded."""
    os.environ.update({**pinned(1), **current()})


def check_options(
    names: Sequence[str],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    weights: Path | None,
    lockstep: bool,
    tolerance: float | None,
    every: int | None,
    processes: int,
    max_restarts: int,
) -> None:
    """Raises UserError for options that exclude each other, or do nothing without another one."""
    if not lockstep and (every is not None or tolerance is not None):
        raise UserError(f"{'--tolerance' if every is None else '--every'} is for --lockstep")
    if tolerance is not None and not math.isfinite(tolerance):
        raise UserError(f"--tolerance {tolerance:g}, expected a finite number")
    if lockstep and processes > 1:
        raise UserError("--lockstep runs in one process")
    if max_restarts and (processes == 1 or out is None):
        raise UserError("--max-restarts is for --processes, and needs --out, the folder that has the checkpoints")
    if lockstep and len(names) < 2:
        raise UserError(f"--lockstep compares implementations, expected at least two, got {names[0]} alone")
    if lockstep and resume:
        raise UserError("--lockstep keeps no checkpoints, so that there is nothing to --resume")
    if resume and (overwrite or weights):
        raise UserError(
            f"--resume goes on from what is in --out, {'--overwrite' if overwrite else '--weights'} does not"
        )
    if (resume or overwrite) and out is None:
        raise UserError(f"{'--resume' if resume else '--overwrite'} needs --out, the folder that has the checkpoints")


def check_out(
    names: Sequence[str],
    out: Path | None,
    settings: "Settings",
    data: "Data",
    *,
    resume: bool,
    overwrite: bool,
    lockstep: bool,
    plots: bool,
) -> Path | None:
    """The folder to write to: the one that was named, or a new one for pictures.

    Raises UserError when there is nothing to resume, or when a file would be replaced.
    """
    from ..folders import fresh, refuse_to_replace
    from .checkpoint import MODEL, RESUME
    from .history import FILE
    from .lockstep import FILE as STEPS
    from .train import check_resume

    if out is None:
        return fresh(RUNS) if plots else None
    checkpoints = [out / name / RESUME for name in names]
    if resume:
        if not any(path.exists() for path in checkpoints):
            raise UserError(f"nothing to resume in {out}, expected {checkpoints[0]}")
        for path in checkpoints:
            check_resume(path, settings, data)
    elif not overwrite:
        own = [out / STEPS] if lockstep else [out / name / file for name in names for file in (RESUME, MODEL, FILE)]
        ways = "--overwrite replaces it, another --out keeps it"
        pictures = [out / "losses.png"] if plots else []
        refuse_to_replace([*own, *pictures], ways if lockstep else f"--resume goes on from it, {ways}")
    return out
