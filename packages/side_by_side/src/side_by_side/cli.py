"""The command `side-by-side`: gathers what the rooms offer."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand

import side_by_side

from .bench.commands import bench
from .checking.commands import accuracy, check, matrix, mutants, zoo
from .reading.commands import diff, ledger, show, site, trace, versions
from .shell import one_line_errors
from .training.commands import init, predict, train

app = typer.Typer(
    help=side_by_side.__doc__,
    no_args_is_help=True,
    rich_markup_mode="markdown",  # rich's own markup would take "[default: all]" for a style, and leave it out
)


class Once(TyperCommand):
    """A command that refuses an option given twice, where the first would be forgotten."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """What `typer` calls with the words after the command's name."""
        if ctx.resilient_parsing:  # while a shell completes
            return super().parse_args(ctx, args)
        order: list[Any] = self.make_parser(ctx).parse_args(args=list(args))[2]
        for option in order:
            if order.count(option) > 1 and not option.multiple and option.nargs == 1:
                raise typer.BadParameter("given more than once", ctx=ctx, param=option)
        return super().parse_args(ctx, args)


READING = (show, versions, trace, diff, ledger, site)
for command in (train, predict, init, *READING, bench, check, matrix, accuracy, zoo, mutants):
    app.command(cls=Once)(one_line_errors(command))


@app.callback()
def begin() -> None:
    """Find implementations in the current folder too, as `python -m` does."""
    sys.path.append(os.getcwd())
