"""`python -m side_by_side` is `side-by-side`."""

from .cli import app

app(prog_name="side-by-side")
