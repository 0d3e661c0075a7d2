"""Where does each implementation stand? The specs' reports as one table, stage × implementation."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group
from rich.text import Text

from shared_specs import OPTIONAL, report
from shared_specs.report import OUTCOMES, ImplementationReport

from ..tables import UserError, framed, table

STYLES = {"failed": "bold red", "missing": "red", "passed": "green", "gap": "yellow", "not run": "dim"}
NOT_RUN = Text("not run", "bold yellow")


def gather(paths: Iterable[Path]) -> list[ImplementationReport]:
    """The runs in the reports: files, and folders of JSON files. A later run of the same replaces an earlier one.

    Raises UserError for a path that does not exist or is no report.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    try:
        return report.merge(report.read(file) for file in files).implementations
    except report.InvalidReport as error:
        raise UserError(f"{error}; the specs write one with --report FILE.json") from error


def columns(runs: Sequence[ImplementationReport], expected: Iterable[str]) -> dict[str, ImplementationReport | None]:
    """Heading → run, the expected ones first, None where one has no report.

    A name alone heads the only run of its implementation; Python and device tell several apart.
    """
    found: dict[str, ImplementationReport | None] = {}
    for name in dict.fromkeys([*expected, *(run.name for run in runs)]):
        own = [run for run in runs if run.name == name]
        found |= {name: own[0] if own else None} if len(own) < 2 else {f"{name} {_where(run)}": run for run in own}
    return found


def result_table(found: dict[str, ImplementationReport | None]) -> Group:
    """A row a stage, a column a run, in each cell how many specs had which outcome."""
    result = table("stage", *found)
    for row in report.rows(filter(None, found.values())):
        result.add_row(row, *(NOT_RUN if run is None else cell(run.stages.get(row, {})) for run in found.values()))
    result.add_section()
    result.add_row("all", *(NOT_RUN if run is None else cell(total(run)) for run in found.values()))
    return framed("Specs, stage by implementation", result)


def cell(counts: dict[str, int]) -> Text:
    """Outcomes that occurred, the worst first: "1 failed, 46 passed, 2 gap"."""
    parts = [Text(f"{counts[outcome]} {outcome}", STYLES[outcome]) for outcome in OUTCOMES if counts.get(outcome)]
    return Text(", ").join(parts) if parts else NOT_RUN


def total(run: ImplementationReport) -> dict[str, int]:
    """Outcome → the number of specs over all stages; what is missing in the optional one is missing there alone."""
    asked = {stage: counts | {"missing": 0} if stage == OPTIONAL else counts for stage, counts in run.stages.items()}
    return {outcome: sum(counts[outcome] for counts in asked.values()) for outcome in OUTCOMES}


def problems(found: dict[str, ImplementationReport | None]) -> list[str]:
    """What is not green, a sentence each: failed or missing specs, stages without one, names without a report."""
    said = []
    for heading, run in found.items():
        if run is None:
            said.append(f"{heading}: not run, there is no report of it")
            continue
        said += [f"{heading}: {n} {outcome}" for outcome in ("failed", "missing") if (n := total(run)[outcome])]
        if empty := [stage for stage, counts in run.stages.items() if not any(counts.values())]:
            said.append(f"{heading}: not run in {', '.join(empty)}")
    return said


def _where(run: ImplementationReport) -> str:
    python = run.python.rpartition(".")[0]
    return f"py{python}" if run.device == "cpu" else f"py{python} {run.device}"
