"""The commands that train: `train` and `init`.

NumPy and all that stands on it are imported inside the commands, once the number of their threads is settled.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..shell import DTYPES, INTERRUPTED, Dtype, Implementations, chosen, finish, load, progress, widths
from ..tables import UserError, choose, console
from ..threads import current, pinned
from .progress import Watch, bytes_ticker, interruptible

if TYPE_CHECKING:
    from .data import Data
    from .lockstep import Lockstep
    from .train import Run
    from .trainee import Settings

RUNS = Path("runs")

Sizes = Annotated[str | None, typer.Option(help="Widths of the layers, such as 64-50-10. [default: suits the data]")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Checkpoints, history and pictures go there.")]


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
    out: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in --out.")] = False,
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
) -> None:
    """Train all on the same data from the same start; exit 1 where one goes its own way."""
    single_thread()
    from . import checkpoint
    from . import train as training
    from .data import load as load_data
    from .own import TASKS

    names = chosen(impl)
    task = task and choose("task", task, TASKS)
    with progress() as bar:
        found = load_data(
            data, seed, folder=folder, fetch=download, task=task, target=target, on_bytes=bytes_ticker(bar)
        )
    given: dict[str, Any] = {"sizes": sizes and widths(sizes), "epochs": epochs, "batch_size": batch_size, "lr": lr}
    given |= {"momentum": momentum, "weight_decay": weight_decay, "dtype": choose("dtype", dtype, DTYPES)}
    given |= {"seed": seed, "device": device}
    settings = dataclasses.replace(
        training.recommended(found), **{name: value for name, value in given.items() if value is not None}
    )
    training.check(settings, found)
    out = out or (RUNS if plots else None)
    check_resume(names, out, resume, lockstep)
    start = checkpoint.load_weights(weights) if weights else None
    with interruptible() as stop:
        if lockstep:
            runs = run_lockstep(names, found, settings, out, tolerance=tolerance, every=every, start=start, stop=stop)
        else:
            runs = run_each(names, found, settings, out, resume=resume, start=start, stop=stop)
    if plots and out:
        from . import plots as pictures

        pictures.save_all(runs, found, out)
        console().print(f"Pictures are in {out}.", style="dim", soft_wrap=True)
    if any(run.stopped for run in runs):
        raise typer.Exit(INTERRUPTED)


def run_each(
    names: Sequence[str],
    data: "Data",
    settings: "Settings",
    out: Path | None,
    *,
    resume: bool,
    start: Any,
    stop: Callable[[], bool],
) -> "list[Run]":
    """Train one after the other, and show the table of all."""
    from . import results
    from .train import steps, train

    runs: list[Run] = []
    for name in names:
        if stop():
            break
        with progress() as bar:
            watch = Watch(bar, name, steps(settings, data), settings.batch_size)
            runs.append(
                train(
                    name,
                    load(name),
                    data,
                    settings,
                    out=out and out / name,
                    resume=resume,
                    weights=start,
                    on_batch=watch.batch,
                    on_epoch=watch.epoch,
                    stop=stop,
                )
            )
    show = console()
    show.print(results.result_table(runs, data, settings))
    show.print(results.agreement(runs))
    tell(results.problems(runs, settings), stopped=stop())
    return runs


def run_lockstep(
    names: Sequence[str],
    data: "Data",
    settings: "Settings",
    out: Path | None,
    *,
    tolerance: float | None,
    every: int | None,
    start: Any,
    stop: Callable[[], bool],
) -> "list[Run]":
    """Train all at once, and show the table of what was compared and the table of all."""
    from . import lockstep, results
    from .train import steps

    show = console()
    total = steps(settings, data)
    write = lockstep.to_file(out / lockstep.FILE) if out else None
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

        nets = {name: load(name) for name in names}
        result: Lockstep = lockstep.lockstep(
            nets, data, settings, tolerance=tolerance, weights=start, on_step=report, stop=stop
        )
    show.print(lockstep.result_table(result))
    show.print(results.result_table(result.runs, data, settings))
    tell(lockstep.problems(result, settings), stopped=stop())
    return result.runs


def init(
    impl: Implementations = None,
    layers: Annotated[int, typer.Option(min=1, help="How many, one after the other.")] = 50,
    width: Annotated[int, typer.Option(min=1, help="Units a layer.")] = 100,
    batch: Annotated[int, typer.Option(min=1, help="Samples.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the inputs and the weights.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32, which stacks leave on both sides, or float64.")] = "float32",
    out: Out = None,
) -> None:
    """Send a batch through stacks of layers that start in different ways: exploding, vanishing, Xavier, Kaiming."""
    single_thread()
    from . import init as stacks
    from . import plots

    choose("dtype", dtype, DTYPES)
    for name in chosen(impl):
        with progress() as bar:
            bar.add_task(name, total=None)
            results = stacks.experiment(load(name), layers, width, batch, seed, dtype)
        console().print(stacks.result_table(name, results))
        if out:
            plots.save_init(results, out / f"init-{name}", name)
    if out:
        console().print(f"Pictures are in {out}.", style="dim", soft_wrap=True)


def single_thread() -> None:
    """One thread for every library that has not been told otherwise, before the first of them is loaded."""
    os.environ.update({**pinned(1), **current()})


def check_resume(names: Sequence[str], out: Path | None, resume: bool, lockstep: bool) -> None:
    """Raises UserError when there is nothing to resume."""
    from .checkpoint import RESUME

    if not resume:
        return
    if lockstep:
        raise UserError("--lockstep keeps no checkpoints, so that there is nothing to --resume")
    if out is None:
        raise UserError("--resume needs --out, the folder that has the checkpoints")
    if not any((out / name / RESUME).exists() for name in names):
        raise UserError(f"nothing to resume in {out}, expected {out / names[0] / RESUME}")


def tell(problems: Sequence[str], stopped: bool) -> None:
    """Say what is wrong; exit with 1, unless Ctrl-C was pressed, for which the exit code is another."""
    if stopped:
        for problem in problems:
            console(stderr=True).print(problem, style="yellow", soft_wrap=True, markup=False)
    else:
        finish(problems)
