"""What happened in a run, a line of JSON an epoch, in `history.jsonl`."""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..tables import UserError
from . import checkpoint

FILE = "history.jsonl"


@dataclass(frozen=True)
class Epoch:
    """An epoch, or the part of one that came before or after a stop."""

    epoch: int
    step: int
    """The number of the first step, over all epochs."""
    losses: list[float]
    """Of every batch, before its step."""
    seconds: float
    validation: float
    """Accuracy or R² on the validation part, after the last of the steps."""
    grad_norms: dict[str, float] = field(default_factory=dict)
    """√Σg² of each parameter's gradient in the last of the steps."""

    @property
    def end(self) -> int:
        """How many steps are behind it."""
        return self.step + len(self.losses)


def append(path: Path, epoch: Epoch) -> None:
    """Add a line.

    Raises UserError when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(_line(epoch))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def rewrite(path: Path, epochs: Iterable[Epoch]) -> None:
    """Replace all lines in one go.

    Raises UserError when it cannot be written.
    """
    try:
        checkpoint.write_whole(path, "".join(map(_line, epochs)).encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def read(path: Path, steps: int) -> list[Epoch]:
    """The lines about the first `steps` steps; what a stopped run wrote after its last checkpoint is left out.

    Raises UserError when lines about some of them are missing or cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if steps else []
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    epochs: list[Epoch] = []
    for number, line in enumerate(lines, 1):
        if epochs and epochs[-1].end >= steps:
            break
        try:
            epochs.append(_epoch(line))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: line {number} cannot be read: {error}") from error
    if (epochs[-1].end if epochs else 0) != steps:
        raise UserError(f"{path}: tells of {epochs[-1].end if epochs else 0} steps, the checkpoint of {steps}")
    return epochs


def _line(epoch: Epoch) -> str:
    return json.dumps(_finite(asdict(epoch)), allow_nan=False) + "\n"


def _epoch(line: str) -> Epoch:
    told = json.loads(line)
    told["losses"] = [math.nan if loss is None else loss for loss in told["losses"]]
    return Epoch(**{**told, "validation": math.nan if told["validation"] is None else told["validation"]})


def _finite(value: Any) -> Any:
    """The same with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
