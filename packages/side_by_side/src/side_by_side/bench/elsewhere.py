"""pure_python's ladder by another Python, too: `math.sumprod`, a rung of its own, is there from Python 3.12 on."""

import json
import math
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

from .cells import Cell, Mode
from .processes import environment
from .results import Entry, Run
from .statistics import median_interval

PURE = "pure_python"
PYTHONS = ("3.11",) if hasattr(math, "sumprod") else ("3.14", "3.13", "3.12")
"""Those that have the rung if this one has not, and the other way round: the newest first."""
PATIENCE = 60  # seconds


def add_ladder(run: Run, mode: Mode) -> None:
    """Time the rungs by the first of the other Pythons that answers, where those of this one were timed."""
    cells = [cell for cell, entry in run.entries.items() if cell.work == "matmul" and entry.time]
    ours = [cell for cell in cells if (*cell.section, cell.implementation) == ("float64", "cpu", 1, PURE)]
    for version in PYTHONS if ours and PURE in run.asked else ():
        if (path := shutil.which(f"python{version}")) and (rungs := answer(path, mode)):
            _add(run, ours[0], f"{PURE} py{version}", rungs)
            break


def answer(python: str, mode: Mode) -> dict[str, Any]:
    """What `ladder` says there; nothing where it does not run: some are on PATH in name only."""
    from shared_specs.workloads.answers import ROWS, matmul_inputs

    a, b = matmul_inputs(ROWS)
    given = json.dumps({"a": a, "b": b, "max_time": mode.max_time, "min_rounds": mode.min_rounds})
    command = [python, "-P", str(Path(__file__).with_name("ladder.py"))]
    around = {
        **environment(1),
        "PYTHONPATH": str(Path(import_module(PURE).__path__[0]).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            command, input=given, env=around, capture_output=True, check=True, timeout=PATIENCE, text=True
        )
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def _add(run: Run, ours: Cell, name: str, rungs: dict[str, Any]) -> None:
    """A column: times without ratios, for no pair of calls can take turns in two Pythons."""
    from shared_specs.workloads import row
    from shared_specs.workloads.jobs import NESTED_LISTS, errors

    run.implementations[name] = {**run.implementations[PURE], "limit": None}
    run.asked.append(name)
    for rung, found in rungs.items():
        cell = ours.by(name)._replace(rung=rung)
        run.rows.setdefault(" | ".join(cell.row), run.rows[" | ".join(ours.row)])
        workload = row("matmul", ours.size, rung)
        entry = run.entries[cell] = Entry(cell, "timed", time=median_interval(found["seconds"]))
        try:
            entry.ulps = errors(workload, {"c": found["product"]}, "float64", None, NESTED_LISTS)
        except AssertionError as error:
            entry.status, entry.reason, entry.time = "wrong", str(error), None
