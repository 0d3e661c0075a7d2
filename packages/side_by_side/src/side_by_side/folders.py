"""Where results go, so that none replaces another without a word."""

import contextlib
import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from .tables import UserError

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


def set_aside(folder: Path, names: Iterable[str]) -> Path | None:
    """Move the files of these names into a new folder below `earlier`, if there are any; where they are now.

    Raises UserError when they cannot be moved.
    """
    files = [path for name in names if (path := folder / name).is_file()]
    if not files:
        return None
    kept = fresh(folder / "earlier")
    try:
        for path in files:
            os.replace(path, kept / path.name)
    except OSError as error:
        raise UserError(f"{folder}: what is there cannot be set aside: {error.strerror}") from error
    return kept
