"""What all commands share: the implementations they are about, progress bars, errors of one line, exit codes."""

import functools
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from shared_specs import STAGES, registry

from .tables import UserError, choose, console

DTYPES = ("float64", "float32")
INTERRUPTED = 130  # as a shell counts a process that Ctrl-C ended

P = ParamSpec("P")
R = TypeVar("R")

Implementations = Annotated[
    list[str] | None,
    typer.Option(
        "--impl", help="An implementation; repeat for more. [default: all]", autocompletion=registry.implementations
    ),
]
Dtype = Annotated[str, typer.Option(help="float64 or float32.")]


def stages() -> tuple[str, ...]:
    """What a shell completes for a stage."""
    return STAGES


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """A UserError becomes one line on stderr and exit code 2."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except UserError as error:
            console(stderr=True).print(f"side-by-side: {error}", style="red", soft_wrap=True, markup=False)
            raise typer.Exit(2) from error

    return guarded


def chosen(impl: Sequence[str] | None) -> list[str]:
    """The implementations asked for, or all that are registered.

    Raises UserError for an unknown one, and when there is none.
    """
    names = [known_implementation(name) for name in impl or registry.implementations()]
    if not names:
        raise UserError("no implementation is installed; install one that registers with shared_specs.implementations")
    return list(dict.fromkeys(names))


def known_implementation(name: str) -> str:
    """The name, if it is registered or can be imported; a bug of the zoo in one of these, too: BUG@NAME.

    Raises UserError that lists the registered ones.
    """
    bug, at, base = name.partition("@")
    if at:
        return f"{bug}@{known_implementation(base)}"
    if name.isidentifier() and importlib.util.find_spec(name):
        return name
    return choose("implementation", name, registry.implementations())


def load(name: str) -> ModuleType:
    """The implementation's module.

    Raises UserError when it cannot be imported.
    """
    try:
        return registry.load(name)
    except Exception as error:  # whatever a module may do when it is imported
        kind = "" if isinstance(error, ImportError | LookupError) else f"{type(error).__name__}: "
        raise UserError(f"{name} cannot be imported: {kind}{' '.join(str(error).split())}") from error


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on stderr that leaves nothing behind; none where nobody watches."""
    err = console(stderr=True)
    columns = (
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(max(6, min(40, err.width - 80))),
        TaskProgressColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=err, transient=True, expand=True, disable=not err.is_terminal) as bar:
        yield bar


@contextmanager
def steps(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A function to call after each step: it moves a progress bar; in a pipe it says at every tenth how far it is."""
    begun, done = time.monotonic(), 0
    with progress() as bar:
        task = bar.add_task(what, total=total)

        def step() -> None:
            nonlocal done
            done += 1
            bar.advance(task)
            if bar.disable and done * 10 // total > (done - 1) * 10 // total:
                console(stderr=True).print(f"{what}: {done} of {total} after {time.monotonic() - begun:.0f} s")

        yield step


def finish(problems: Sequence[str]) -> None:
    """Say what is wrong, if anything is, and exit with 1."""
    for problem in problems:
        console(stderr=True).print(problem, style="red", soft_wrap=True, markup=False)
    if problems:
        raise typer.Exit(1)


def widths(sizes: str) -> tuple[int, ...]:
    """Layer widths: 64-50-10 → (64, 50, 10).

    Raises UserError for anything but two or more whole numbers from 1.
    """
    parts = sizes.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise UserError(f"sizes {sizes!r} are no widths of layers, expected something like 64-50-10")
    return tuple(map(int, parts))
