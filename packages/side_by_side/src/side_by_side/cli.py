"""The command `side-by-side`: gathers what the rooms offer."""

import os
import sys

import typer

import side_by_side

from .bench.commands import bench
from .checking.commands import accuracy, check, matrix, mutants, zoo
from .reading.commands import diff, ledger
from .shell import one_line_errors
from .training.commands import init, train

app = typer.Typer(
    help=side_by_side.__doc__,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # rich's own markup would take "[default: all]" for a style, and leave it out
)
for command in (train, ledger, init, bench, matrix, accuracy, diff, zoo, mutants, check):
    app.command()(one_line_errors(command))


@app.callback()
def begin() -> None:
    """Find implementations in the current folder too, as `python -m` does."""
    sys.path.append(os.getcwd())
