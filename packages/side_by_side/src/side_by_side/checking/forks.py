"""Runs the specs on mutants, each in a fork of one pytest session: the specs are collected once, not once a mutant.

First a fork runs all specs on the implementation as it is, and notes which functions each spec reaches. Then a mutant
meets only the specs that reach its function, those of its stage first and the quick before the slow, until one fails.
"""

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from inspect import getclosurevars
from itertools import zip_longest
from pathlib import Path
from types import FrameType
from typing import NoReturn
from unittest import mock

import pytest

from ..tables import UserError
from ..threads import pinned
from .mutants import GUARD, Mutant, guarded_functions

SURVIVED, KILLED, NOT_TRIED = 0, 1, 2  # a fork's exit code; a signal, its end after too long a time too, has killed it
PATIENCE = 10  # a spec may take so many seconds, and besides so many times as long as without mutants


class Stopped(KeyboardInterrupt):
    """Ctrl-C, which pytest keeps to itself; with the mutants that have met their fate, and who of them survived."""

    def __init__(self, tried: Sequence[Mutant], survivors: Sequence[Mutant]) -> None:
        super().__init__()
        self.tried, self.survivors = list(tried), list(survivors)


def survivors(
    implementation: str,
    mutants: Sequence[Mutant],
    jobs: int = 1,
    on_mutant: Callable[[], object] = lambda: None,
    specs: Sequence[str] = ("--pyargs", "shared_specs"),
) -> list[Mutant]:
    """The mutants on which every spec passes; on_mutant is called as each has met its fate.

    Raises UserError when the specs do not pass on the implementation itself, or cannot be run, and Stopped at Ctrl-C.
    """
    forks = Forks(mutants, jobs, on_mutant)
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, {**pinned(1), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}),
        tempfile.TemporaryDirectory(prefix="side_by_side_") as folder,
        contextlib.redirect_stdout(said),
    ):
        plugins = ("-p", "shared_specs.plugin", "-p", "no:cacheprovider", "--capture=no")
        place = ("-c", os.devnull, f"--rootdir={folder}", "--import-mode=importlib")
        pytest.main([*specs, "--impl", implementation, *plugins, *place], plugins=[forks])
    alive = [mutant for mutant in mutants if mutant in forks.survivors]
    if forks.interrupted:
        raise Stopped(forks.tried, alive)
    if forks.problem or not forks.ended:
        raise UserError(forks.problem or f"the specs of {implementation} could not be run: {_last_line(said)}")
    return alive


@dataclass
class Coverage:
    """What the specs did on the implementation as it is."""

    seconds: list[float] = field(default_factory=list)
    reached: list[list[str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Forks:
    """The hooks that put the mutants in the place of pytest's loop over the specs."""

    def __init__(self, mutants: Sequence[Mutant], jobs: int, on_mutant: Callable[[], object]) -> None:
        self.mutants, self.jobs, self.on_mutant = mutants, jobs, on_mutant
        self.tried: list[Mutant] = []
        self.survivors: set[Mutant] = set()
        self.problem = ""
        self.ended = self.interrupted = False
        self.seconds, self.failed = 0.0, False  # of the spec that runs, in a fork
        self.limits: dict[str, float] = {}  # spec → seconds that it may take on a mutant

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Have the fork ended when the spec takes too long; a limit for all specs together would be one of minutes."""
        signal.setitimer(signal.ITIMER_PROF, self.limits.get(item.nodeid, 0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a spec fares."""
        self.seconds += report.duration
        self.failed |= report.failed

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note Ctrl-C; pytest's own exceptions of that kind are something else."""
        self.interrupted = excinfo.type is KeyboardInterrupt

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Try every mutant."""
        if session.testsfailed:
            return None  # something could not be collected: pytest says so
        coverage = self._coverage(session.items)
        if coverage.failed:
            self.problem = f"mutants need specs that pass without them; these fail: {', '.join(coverage.failed)}"
        else:
            self._try_all(session.items, coverage)
            self.ended = True
        return True

    # The specs on the implementation as it is

    def _coverage(self, items: Sequence[pytest.Item]) -> Coverage:
        with tempfile.TemporaryDirectory(prefix="side_by_side_") as folder:
            path = Path(folder, "coverage.json")
            pid = _fork(lambda: self._run_and_cover(items, path))
            os.waitpid(pid, 0)
            if not path.exists():
                return Coverage(failed=["all, the process ended"])
            return Coverage(**json.loads(path.read_text(encoding="utf-8")))

    def _run_and_cover(self, items: Sequence[pytest.Item], path: Path) -> int:
        codes = {mutant.function.__code__: mutant.change.function for mutant in self.mutants}
        guarded = {function for mutant in self.mutants for function in guarded_functions(mutant.module)}
        guards = {function.__code__ for function in guarded}
        reached: set[str] = set()
        coverage = Coverage()

        def note(frame: FrameType, event: str, argument: object) -> None:
            if event != "call":
                return
            if frame.f_code in codes:
                reached.add(codes[frame.f_code])
            if frame.f_code in guards:  # reached, if it refuses too
                reached.update((f"{GUARD}.takes", codes.get(frame.f_locals["function"].__code__, "")))

        sys.setprofile(note)
        for _ in self._run(items):
            coverage.seconds.append(self.seconds)
            coverage.reached.append(sorted(reached))
            reached.clear()
            for function in guarded:
                getclosurevars(function).nonlocals["fitted"].clear()  # or only the first to ask would reach the check
            if self.failed:
                coverage.failed.append(items[len(coverage.reached) - 1].name)
        sys.setprofile(None)
        path.write_text(json.dumps(vars(coverage)), encoding="utf-8")
        return 0

    def _run(self, items: Sequence[pytest.Item]) -> Iterator[None]:
        """Run one spec after the other; after each, `seconds` and `failed` say how it went."""
        for item, following in zip_longest(items, items[1:]):
            self.seconds, self.failed = 0.0, False
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            yield

    # The mutants

    def _try_all(self, items: Sequence[pytest.Item], coverage: Coverage) -> None:
        running: dict[int, Mutant] = {}
        self.limits = {
            item.nodeid: PATIENCE + PATIENCE * seconds for item, seconds in zip(items, coverage.seconds, strict=True)
        }
        try:
            for mutant in self.mutants:
                if len(running) == self.jobs:
                    self._wait(running)
                chosen = _chosen(mutant, items, coverage)
                running[_fork(partial(self._try, mutant, [items[i] for i in chosen]))] = mutant
            while running:
                self._wait(running)
        finally:
            for pid in running:
                os.kill(pid, signal.SIGKILL)

    def _wait(self, running: dict[int, Mutant]) -> None:
        pid, status = os.wait()
        mutant = running.pop(pid)
        self.tried.append(mutant)
        code = os.waitstatus_to_exitcode(status)
        if code == SURVIVED:
            self.survivors.add(mutant)
        elif code == NOT_TRIED:
            self.problem = f"cannot be tried: {mutant.change}"
        self.on_mutant()

    def _try(self, mutant: Mutant, items: Sequence[pytest.Item]) -> int:
        mutant.come_alive()
        try:
            return KILLED if any(self.failed for _ in self._run(items)) else SURVIVED
        except BaseException:  # so wrong that it upset pytest
            return KILLED


def _chosen(mutant: Mutant, items: Sequence[pytest.Item], coverage: Coverage) -> list[int]:
    """The specs that reach the mutant's function, in the order in which they are likely to kill it soon."""
    chosen = [i for i, reached in enumerate(coverage.reached) if mutant.change.function in reached]
    return sorted(chosen, key=lambda i: (items[i].get_closest_marker(mutant.stage) is None, coverage.seconds[i]))


def _fork(work: Callable[[], int]) -> int:
    """The id of a process that does the work in silence, and ends with what it returns."""
    pid = os.fork()
    if pid == 0:
        _work_and_exit(work)
    return pid


def _work_and_exit(work: Callable[[], int]) -> NoReturn:
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os._exit(work())
    finally:
        os._exit(NOT_TRIED)


def _last_line(said: io.StringIO) -> str:
    return next((line for line in reversed(said.getvalue().splitlines()) if line.strip()), "pytest said nothing")
