"""Where results go, so that none replaces another without a word."""

import contextlib
import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from ..tables import UserError

LATEST = "latest"


def fresh(parent: Path) -> Path:
    """A new folder in it, by the next number; `latest` leads there, where the system has symbolic links.

    Raises UserError when it cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(path.name) for path in parent.iterdir() if path.name.isdecimal()]
        for number in count(max(taken, default=0) + 1):
            with contextlib.suppress(FileExistsError):
                (parent / str(number)).mkdir()
                break
    except OSError as error:
        raise UserError(f"{parent}: no folder can be made in it: {error.strerror}") from error
    link = parent / f".{LATEST}.{os.getpid()}"
    with contextlib.suppress(OSError):
        link.symlink_to(str(number), target_is_directory=True)
        os.replace(link, parent / LATEST)
    return parent / str(number)


def refuse_to_replace(files: Iterable[Path], ways: str) -> None:
    """Raises UserError, with the ways to go on, when one of the files is there already."""
    if there := next((file for file in files if file.exists()), None):
        raise UserError(f"{there} is there already; {ways}")
