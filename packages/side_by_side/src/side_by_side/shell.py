"""What all commands share: the implementations they are about, progress bars, errors of one line, exit codes."""

import functools
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from itertools import pairwise
from types import ModuleType
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from shared_specs import STAGES, registry

from .tables import UserError, choose, console

DTYPES = ("float64", "float32")
MOST_WEIGHTS = 10**9
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
    """What only the user can put right becomes one line on stderr and exit code 2, Ctrl-C exit code 130."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except UserError as error:
            _say(f"side-by-side: {error}")
            raise typer.Exit(2) from error
        except OSError as error:  # of a path that nothing can be done with
            _say(f"side-by-side: {error.filename or ''}: {error.strerror or error}")
            raise typer.Exit(2) from error
        except MemoryError as error:
            _say(f"side-by-side: there is not enough memory for it: {error}")
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            _say("side-by-side: stopped by Ctrl-C")
            raise typer.Exit(INTERRUPTED) from error

    return guarded


def _say(line: str) -> None:
    console(stderr=True).print(line, style="red", soft_wrap=True, markup=False)


def chosen(impl: Sequence[str] | None, first: str = "") -> list[str]:
    """The implementations asked for, or all that are registered, that of the name `first` first.

    Raises UserError for an unknown one, and when there is none.
    """
    names = [known_implementation(name) for name in impl or registry.implementations()]
    names.sort(key=lambda name: name != first)
    if not names:
        raise UserError("no implementation is installed; install one that registers with shared_specs.implementations")
    return list(dict.fromkeys(names))


def known_implementation(name: str) -> str:
    """The name, if it is registered or can be imported; a bug of the zoo in one of these, too: BUG@NAME.

    Raises UserError that lists the registered ones.
    """
    bug, at, base = name.partition("@")
    if at:
        known_bug(bug)
        return f"{bug}@{known_implementation(base)}"
    with suppress(ImportError, ValueError):  # of a package that does not load, and of modules that were made by hand
        if all(part.isidentifier() for part in name.split(".")) and importlib.util.find_spec(name):
            return name
    return choose("implementation", name, registry.implementations())


def known_bug(bug: str) -> str:
    """The name, if it is one of the zoo's. Raises UserError with the nearest ones."""
    from shared_specs.zoo import BUGS

    if bug not in BUGS:
        near = get_close_matches(bug, BUGS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "side-by-side zoo shows them"
        raise UserError(f"no bug {bug!r} in the zoo; {hint}")
    return bug


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
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
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


class Stop:
    """Whether Ctrl-C was pressed."""

    pressed = False


@contextmanager
def until_interrupted() -> Iterator[Stop]:
    """Ctrl-C ends what is inside, and what is done so far can be shown."""
    stop = Stop()
    try:
        yield stop
    except KeyboardInterrupt:
        stop.pressed = True


def finish(problems: Sequence[str], interrupted: bool = False) -> None:
    """Say what is wrong, if anything is, and exit with 1; after Ctrl-C with 130 in any case."""
    for problem in problems:
        _say(problem)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if problems:
        raise typer.Exit(1)


def widths(sizes: str) -> tuple[int, ...]:
    """Layer widths: 64-50-10 → (64, 50, 10).

    Raises UserError for anything but two or more whole numbers from 1, and for more weights than fit any memory.
    """
    parts = sizes.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and len(part) < 10 and int(part) for part in parts):
        raise UserError(f"sizes {sizes!r} are no widths of layers, expected something like 64-50-10")
    found = tuple(map(int, parts))
    if (n := sum(a * b for a, b in pairwise(found))) > MOST_WEIGHTS:
        raise UserError(f"sizes {sizes} make {n:,} weights, expected at most {MOST_WEIGHTS:,}")
    return found
