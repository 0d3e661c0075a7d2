"""Fresh processes whose threads are pinned before any library loads, and what they tell while they run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..tables import UserError
from ..threads import pinned
from .cells import Cell


class Process:
    """A Python process that appends events to a file, a line of JSON each."""

    def __init__(self, arguments: Sequence[str], threads: int, folder: Path, stdin: str = "") -> None:
        self.events, self.log, self.folder = folder / "events.jsonl", folder / "log.txt", folder
        self.arguments, self.threads, self.stdin = arguments, threads, stdin
        self.interrupted = False
        self.code = 0

    def run(self) -> Iterator[dict[str, Any]]:
        """Each event, until it ends. Ctrl-C reaches the process too; it may finish its sentence."""
        self.events.write_text("", encoding="utf-8")
        given = self.folder / "stdin.json"
        given.write_text(self.stdin, encoding="utf-8")
        with self.log.open("w", encoding="utf-8") as log, given.open(encoding="utf-8") as stdin:
            process = subprocess.Popen(
                [sys.executable, *self.arguments],
                cwd=self.folder,
                env=environment(self.threads),
                stdin=stdin,
                stdout=log,
                stderr=log,
            )
        yield from self._follow(process)
        self.code = process.returncode

    def last_words(self) -> str:
        """What a process that failed said at last."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _follow(self, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
        begun = ""
        with self.events.open(encoding="utf-8") as file:
            running = True
            while running:
                try:
                    running = process.poll() is None
                    time.sleep(0.05 if running else 0)
                except KeyboardInterrupt:
                    self.interrupted = True
                    _finish(process)
                *lines, begun = (begun + file.read()).split("\n")
                yield from map(json.loads, lines)


@contextmanager
def pairing(
    pairs: Sequence[tuple[Cell, Cell]], number: int, pair_time: float, check: bool = False
) -> Iterator[Process]:
    """A fresh process that times the pairs, all of one number of threads; its number seeds their order."""
    task = {"pairs": pairs, "number": number, "pair_time": pair_time, "check": check}
    with scratch() as name:
        folder = Path(name)
        arguments = ("-m", "side_by_side.bench.pairs", str(folder / "events.jsonl"))
        yield Process(arguments, pairs[0][0].threads, folder, json.dumps(task))


def _finish(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=10)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def environment(threads: int) -> dict[str, str]:
    """Today's environment with the threads pinned, and pytest left with the plugins that it is given."""
    others = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    path = os.pathsep.join(filter(None, [others.get("PYTHONPATH"), os.getcwd()]))
    return {**others, **pinned(threads), "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def ask(module: str, question: str, threads: int = 1) -> Any:
    """What a module that reads JSON and writes JSON answers. Raises UserError with its last words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=question,
        capture_output=True,
        text=True,
        env=environment(threads),
        check=False,
    )
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"{module} failed: {words[-1] if words else f'exit code {done.returncode}'}")
    return json.loads(done.stdout)


def scratch() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes when it is no longer needed."""
    return tempfile.TemporaryDirectory(prefix="side_by_side_")
