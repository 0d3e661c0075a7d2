"""Why a run went wrong: the likely cause of a loss that is no number, and what to try."""

import math
import traceback
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .data import Data
from .trainee import Settings

HERE = str(Path(__file__).parent)
LARGE_INPUT = 100.0
"""Inputs beyond this were most likely never scaled."""


def diagnosis(losses: Sequence[float], settings: Settings, data: Data) -> str:
    """One sentence about a run whose last loss is no number: the step, the likely cause, and what to try."""
    step = len(losses) - 1
    cause, remedy = likely_cause(losses, settings, data)
    return f"diverged at step {step}: the loss is {losses[-1]}; likely cause: {cause}; try {remedy}"


def raised(error: BaseException) -> str:
    """One sentence about an error of an implementation, with the line of the last of its own files that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(HERE)]
    where = f" ({Path(frames[0].filename).name}:{frames[0].lineno})" if frames else ""
    said = " ".join(str(error).split())
    return f"raised {type(error).__name__}{f': {said}' if said else ''}{where}"


def likely_cause(losses: Sequence[float], settings: Settings, data: Data) -> tuple[str, str]:
    """(likely cause, what to try) of a loss that is no number, from what came before it."""
    reach = settings.lr / (1 - settings.momentum) if settings.momentum < 1 else math.inf
    largest = float(np.abs(data.x_train).max())
    smaller = f"--lr {_smaller(settings.lr)}"
    if len(losses) == 1:
        return "numbers too large before the first step", "other weights to begin with, or smaller inputs"
    if settings.momentum >= 1:
        return f"momentum {settings.momentum:g} never forgets a step", "--momentum 0.9"
    if settings.lr * settings.weight_decay >= 1 > settings.lr:
        decay = f"lr {settings.lr:g} times weight decay {settings.weight_decay:g} is 1 or more"
        return f"{decay}, which throws the weights past zero", f"--weight-decay {_smaller(settings.weight_decay)}"
    if largest > LARGE_INPUT:
        return f"inputs as large as {largest:g}, which make every gradient as large", "inputs scaled to about 1"
    before = [loss for loss in losses[-11:] if math.isfinite(loss)]
    rose = f", the loss went from {before[0]:.3g} to {max(before):.3g} in the last {len(before)} steps"
    far = f"steps too long: lr {settings.lr:g}" + (
        f" with momentum {settings.momentum:g} reaches as far as lr {reach:g} without" if settings.momentum else ""
    )
    return far + (rose if max(before) > 2 * before[0] else ", they leave the valley at once"), smaller


def _smaller(rate: float) -> str:
    return f"{float(f'{rate / 10:.1g}'):g}"
