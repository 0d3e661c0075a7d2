"""What a run of the specs found, as data: the plugin writes it, tables and the site read it."""

import json
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared_specs import OPTIONAL, STAGES, __version__
from shared_specs.contract import METADATA, OPTIONAL_NAMES, STAGE_NAMES

OUTCOMES = ("failed", "missing", "passed", "gap", "not run")
"""What can become of a spec: "missing" waits for a name that the implementation does not have, a gap is declared by the
implementation, "not run" needs what this machine has not."""

COURTESY = "courtesy"
"""The row, after those of the stages, of specs that ask for manners: which words a refusal has."""


class InvalidReport(ValueError):
    """The file is no report of the specs."""


@dataclass(frozen=True)
class SpecResult:
    """What became of one spec."""

    id: str
    stage: str
    """Its row: a stage, or COURTESY."""
    dtype: str | None
    outcome: str
    reason: str = ""


@dataclass
class ImplementationReport:
    """What became of the specs of one implementation."""

    name: str
    version: str
    device: str
    dtypes: list[str]
    python: str = field(default_factory=platform.python_version)
    specs: list[SpecResult] = field(default_factory=list)

    @property
    def stages(self) -> dict[str, dict[str, int]]:
        """Stage → outcome → the number of specs; then the optional stage and courtesy, if they were asked for."""
        counts = {row: dict.fromkeys(OUTCOMES, 0) for row in rows([self])}
        for spec in self.specs:
            counts[spec.stage][spec.outcome] += 1
        return counts

    def __str__(self) -> str:
        return f"{self.name} {self.version} on {self.device}: {', '.join(self.dtypes)}"


@dataclass
class Report:
    """What a run found."""

    implementations: list[ImplementationReport]
    python: str = field(default_factory=platform.python_version)
    shared_specs: str = __version__


def matrix(runs: Sequence[ImplementationReport]) -> list[str]:
    """Stage × implementation as lines of text."""
    lines = [["stage", *(run.name for run in runs)]]
    lines += [[row, *(_cell(run.stages.get(row, {})) for run in runs)] for row in rows(runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def rows(runs: Iterable[ImplementationReport]) -> list[str]:
    """The stages; the optional one and courtesy, if anyone was asked for them."""
    asked = {spec.stage for run in runs for spec in run.specs}
    return [*STAGES, *(row for row in (OPTIONAL, COURTESY) if row in asked)]


def notes(runs: Sequence[ImplementationReport]) -> list[str]:
    """What was not tested, each reason once, "my_net, not run: no CUDA (12 specs)"; last each name that is missing."""
    reasons = Counter(
        (run.name, spec.outcome, spec.reason)
        for run in runs
        for spec in run.specs
        if spec.outcome in ("missing", "gap", "not run")
    )
    said = [(n, *about) for about, n in reasons.items()]
    others = [f"{name}, {outcome}: {reason} ({_specs(n)})" for n, name, outcome, reason in said if outcome != "missing"]
    missing = sorted((said for said in said if said[2] == "missing"), key=lambda said: (said[1], _place(said[3])))
    return [*others, *(f"{reason.removeprefix('NotProvided: ')} ({_specs(n)})" for n, _, _, reason in missing)]


def _specs(n: int) -> str:
    return f"{n} spec" if n == 1 else f"{n} specs"


def _place(reason: str) -> int:
    """Where the contract asks for the name that is missing."""
    names = [*METADATA, *(name for names in STAGE_NAMES.values() for name in names), *OPTIONAL_NAMES]
    return next((i for i, name in enumerate(names) if f"`{name}`" in reason), len(names))


def _cell(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if n) or "–"


def write(report: Report, path: Path) -> None:
    """Write the report as JSON: all of it or nothing."""
    content = asdict(report)
    for implementation, written in zip(report.implementations, content["implementations"], strict=True):
        written["stages"] = implementation.stages
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read(path: Path) -> Report:
    """The report in a JSON file; InvalidReport, with the reason, if there is none."""
    try:
        return _report(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidReport(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidReport(f"{path} is no report of the specs: {type(error).__name__}: {error}") from error


def merge(reports: Iterable[Report]) -> Report:
    """One report of all; a later run of the same implementation on the same device and Python replaces the earlier."""
    runs = {(run.name, run.device, run.python): run for report in reports for run in report.implementations}
    return Report(list(runs.values()))


def _report(content: Any) -> Report:
    implementations = [_implementation(**item) for item in content["implementations"]]
    return Report(implementations, content["python"], content["shared_specs"])


def _implementation(specs: list[dict[str, Any]], stages: object, **rest: Any) -> ImplementationReport:
    run = ImplementationReport(**rest, specs=[SpecResult(**spec) for spec in specs])
    if run.stages != stages:
        raise ValueError(f"the counts of {run.name} do not add up")
    return run
