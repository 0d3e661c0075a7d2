"""The command `bench`: what to time, how long, and what to do with the results."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared_specs import STAGES

from ..shell import DTYPES, INTERRUPTED, Implementations, chosen, finish, progress, stages
from ..tables import UserError, choose, console

if TYPE_CHECKING:
    from .results import Document
    from .session import Listener

RESULTS = Path("results")
FILES = ("bench.json", "bench.md", "bench.html")
MOST_PROCESSES = 64  # on one machine
EVERY = 10.0  # seconds between two lines, where nobody watches a bar


def bench(
    impl: Implementations = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="Only work of this stage; repeat for more.", autocompletion=stages)
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help='Only this size: of a net any batch, widths, "64, 784-50-10"; repeat for more.'),
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="cpu, cuda or mps. [default: all that are here]")] = None,
    dtype: Annotated[list[str] | None, typer.Option(help="float64 or float32. [default: both]")] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, max=4096, help="For BLAS, OpenMP and torch. [default: 1 and all]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small nets and few rounds, for a look only.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Every cell, longer; up to half an hour.")] = False,
    peers: Annotated[bool, typer.Option("--peers", help="The same work in other libraries, too.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The results go there.")] = RESULTS,
    compare: Annotated[bool, typer.Option("--compare", help="With the last run in DIR/history.")] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, help="Percent that a median may rise in --compare. [default: 25]")
    ] = None,
    merge: Annotated[
        list[Path] | None, typer.Option(metavar="JSON", help="Show runs that were made before; repeat for more.")
    ] = None,
    others: Annotated[list[Path] | None, typer.Argument(metavar="[JSON]…", help="More files for --merge.")] = None,
    limits: Annotated[
        bool, typer.Option("--limits", help="Only whether each package is as fast as it should be.")
    ] = False,
    processes: Annotated[
        str | None, typer.Option(metavar="N,N,…", help="Only train steps that so many processes share.")
    ] = None,
    aa: Annotated[int, typer.Option("--aa", min=0, help="Only time the baseline against itself, so often.")] = 0,
) -> None:
    """Time the same work in each, checked for its answer first; exit 1 where a cell is wrong or missing."""
    from . import results
    from .cells import DEVICES, MODES, Settings
    from .session import Session

    if others and not merge:
        raise UserError(f"unexpected {others[0]}: files are for --merge")
    if quick and full:
        raise UserError("--quick and --full exclude each other")
    narrowing: dict[str, object] = {
        "--stage": stage,
        "--size": size,
        "--device": device,
        "--dtype": dtype,
        "--threads": threads,
    }
    narrowing |= {"--quick": quick, "--full": full, "--peers": peers, "--compare": compare}
    alone = {"--merge": merge, "--aa": aa, "--limits": limits, "--processes": processes}
    check_options(alone, narrowing, impl, threshold, compare)
    results.check_writable(out)
    settings = Settings(
        chosen(impl),
        MODES["quick" if quick else "full" if full else "default"],
        dtype and [choose("dtype", name, DTYPES) for name in dtype],
        device and [choose("device", name, DEVICES) for name in device],
        threads,
        stage and [timed_stage(choose("stage", name, STAGES)) for name in stage],
        size and [known_size(name) for name in size],
        peers,
    )
    if aa:
        check_against_itself(aa)
    elif processes:
        show_scaling(settings.implementations, counts(processes), out)
    elif limits:
        check_limits(settings.implementations)
    elif merge:
        show(results.merge([(path, readable(path)) for path in [*merge, *(others or [])]]), out)
    else:
        with listening() as listener:
            session = Session(
                settings, listener, out / "history", compare, f"median:{25 if threshold is None else threshold:g}%"
            )
            document = session.run()
        show(document, out, session.regressions, session.interrupted)


def check_options(
    alone: Mapping[str, object],
    narrowing: Mapping[str, object],
    impl: Sequence[str] | None,
    threshold: float | None,
    compare: bool,
) -> None:
    """Raises UserError for options that do nothing beside the others."""
    modes = [option for option, value in alone.items() if value]
    idle = [*modes[1:], *(option for option, value in narrowing.items() if value)] if modes else []
    if impl and modes and modes[0] not in ("--limits", "--processes"):
        idle.append("--impl")
    if idle:
        raise UserError(f"{idle[0]} does nothing beside {modes[0]}")
    if threshold is not None and not (compare and math.isfinite(threshold)):
        raise UserError(f"--threshold {threshold:g}, expected a finite number beside --compare")


def readable(path: Path) -> "Document":
    """The results in a file. Raises UserError where there is nothing to show, or it is damaged."""
    from . import markdown, results, terminal

    document = results.read(path)
    if not any(run.entries for run in document.runs):
        raise UserError(f"{path} holds no run with anything in it")
    try:
        terminal.report(document)
        markdown.report(document)
    except Exception as error:  # of whatever somebody has written into it
        raise UserError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    return document


def timed_stage(name: str) -> str:
    """The stage, if there is work of it to time. Raises UserError that lists those that have some."""
    from shared_specs.workloads import rows

    timed = dict.fromkeys(row.stage for row in rows())
    if name not in timed:
        raise UserError(f"nothing is timed of stage {name}, expected one of {', '.join(timed)}")
    return name


def show(document: "Document", out: Path, regressions: Sequence[str] = (), interrupted: bool = False) -> None:
    """Save and print; exit 1 where something is wrong or missing, 130 after Ctrl-C. The numbers are saved first."""
    from ..folders import set_aside
    from . import markdown, page, results, terminal

    kept = set_aside(out, FILES)
    results.write_all(out, {"bench.json": document.to_json()})
    console().print(terminal.report(document))
    results.write_all(out, {"bench.md": markdown.report(document), "bench.html": page.report(document)})
    written = ", ".join(str(out / name) for name in FILES) + (f"; the earlier ones are in {kept}" if kept else "")
    console().print(f"Written: {written}", soft_wrap=True, markup=False)
    try:
        finish([*results.problems(document), *regressions])
    finally:
        if interrupted:
            raise typer.Exit(INTERRUPTED)


def check_against_itself(n: int) -> None:
    """Many A/A trials; exit 1 where one finds a difference."""
    from .aa import trials

    with listening() as listener:
        outcome = trials(n, listener)
    console().print(outcome.sentence, soft_wrap=True)
    finish([f"{outcome.false} false differences"] if outcome.false else [])


def check_limits(packages: Sequence[str]) -> None:
    """The limits of speed and what is reached; exit 1 where one is missed, 130 after Ctrl-C."""
    from . import goals

    wanted = goals.goals_of(packages)
    with listening() as listener:
        attempt = goals.Attempt(wanted, listener)
        reached = attempt.run()
    console().print(goals.report(reached))
    if attempt.interrupted:
        raise typer.Exit(INTERRUPTED)
    finish(goals.problems(reached))


def show_scaling(packages: Sequence[str], ranks: Sequence[int], out: Path) -> None:
    """A step by ranks, measured and predicted; the numbers go to scaling.json."""
    from . import results, scaling

    rows, link = scaling.measure(packages, ranks)
    console().print(scaling.report(rows, link))
    results.write_all(out, {"scaling.json": scaling.to_json(rows, link)})
    console().print(f"Written: {out / 'scaling.json'}", soft_wrap=True, markup=False)


def counts(text: str) -> list[int]:
    """Numbers of processes: "1,2" → [1, 2]. Raises UserError for anything else."""
    parts = text.split(",")
    if not all(part.isdecimal() and 0 < int(part) <= MOST_PROCESSES for part in parts):
        raise UserError(f"--processes {text}, expected whole numbers from 1 to {MOST_PROCESSES} such as 1,2")
    return list(map(int, parts))


def known_size(name: str) -> str:
    """The size, which may be written without spaces. Raises UserError for what is none."""
    from shared_specs.workloads import net_of, rows

    sizes = {row.size.replace(" ", ""): row.size for row in rows()}
    bare = "".join(name.split())
    try:
        return sizes.get(bare) or str(net_of(bare))
    except ValueError as error:
        others = "; ".join(dict.fromkeys(row.size for row in rows() if not row.net))
        raise UserError(f'{error}; a net is "7, 5-4-3-2", the rest is {others}') from error


@contextmanager
def listening() -> Iterator["Listener"]:
    """A bar with what runs and the time left; where nobody watches, a line now and then."""
    err = console(stderr=True)
    began = due = time.monotonic()
    with progress() as bar:
        task = bar.add_task("", total=None)

        def listen(what: str, done: float, total: float) -> None:
            nonlocal due
            bar.update(task, description=what, completed=done, total=total)
            now = time.monotonic()
            if not err.is_terminal and now >= due:
                due = now + EVERY
                rate = (now - began) / done if done > EVERY else 1.0
                left = f"{(total - done) * rate:4.0f} s left" if done else "starting"
                err.print(f"{min(done / total, 1):4.0%} · {left} · {what}", markup=False, soft_wrap=True)

        yield listen
