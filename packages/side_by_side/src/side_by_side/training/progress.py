"""While nets train: a bar that tells how each is doing, and a way to stop them between two steps."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

if TYPE_CHECKING:
    from .history import Epoch
    from .trainee import Trainee


class Watch:
    """Moves a bar ten times a second, so that watching costs the run nothing, and tells how the run is doing."""

    def __init__(self, bar: Progress, name: str, total: int, batch_size: int) -> None:
        self.bar, self.name, self.batch_size = bar, name, batch_size
        self.task = bar.add_task(name, total=total)
        self.score = ""
        self.due = 0.0
        self.before = (time.monotonic(), 0)

    def batch(self, step: int, loss: float) -> None:
        """After every step."""
        now = time.monotonic()
        if now < self.due:
            return
        began, at = self.before
        speed = (step + 1 - at) * self.batch_size / (now - began) if now > began else 0
        told = f"{self.name}  loss {loss:.4f}  {self.score}{speed:,.0f}/s"
        self.bar.update(self.task, completed=step + 1, description=told)
        self.due, self.before = now + 0.1, (now, step + 1)

    def epoch(self, trainee: "Trainee", epoch: "Epoch") -> None:
        """After every epoch."""
        self.score = f"{trainee.data.score} {epoch.validation:.4f}  "
        self.before = (time.monotonic(), epoch.end)


def bytes_ticker(bar: Progress) -> Callable[[str, int, int | None], None]:
    """An on_bytes that draws a bar a file."""
    tasks: dict[str, Any] = {}

    def tick(file: str, arrived: int, total: int | None) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(file)
        bar.update(tasks[file], completed=arrived, total=total)

    return tick


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Gives a function that is true once somebody has pressed Ctrl-C; pressed again later, it interrupts at once.

    What comes within a second is the same press: make and tox hand on their own. Once pressed, nothing interrupts what
    the command does last.
    """
    pressed = math.inf

    def press(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if time.monotonic() > pressed + 1:
            raise KeyboardInterrupt
        pressed = min(pressed, time.monotonic())

    before = {number: signal.signal(number, press) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: pressed < math.inf
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if pressed == math.inf else signal.SIG_IGN)
