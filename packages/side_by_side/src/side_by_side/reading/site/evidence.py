"""What the specs and the bench said of a name, read from what their last runs wrote; and from when that is."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from shared_specs import STAGES, report, suite
from shared_specs.contract import STAGE_NAMES
from shared_specs.registry import READING_ORDER

from ...tables import UserError

CONTRACT = Path("shared_specs/CONTRACT.md")
"""The map, in the repository in which the command runs: it is in no wheel."""
ROW = re.compile(r"^\| (.+) \| ((?:`test_\w+` ?)+)\|$", re.MULTILINE)
SECTION = re.compile(r"^## Stage \d, (\w+)$", re.MULTILINE)
WORKS = {"neuron": "neuron", "matmul": "matmul", "forward": "mlp", "loss_and_grads": "loss_and_grads"} | dict.fromkeys(
    ("train step", "epoch", "bare steps"), "fit"
)
"""What the bench times → the name that it is about."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of the contract and the specs that hold it."""

    text: str
    specs: Sequence[str]


@dataclass
class Evidence:
    """The reports of the specs and the newest run of the bench, as far as they are there."""

    outcomes: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Spec → implementation → what became of each of its cases."""
    implementations: list[report.ImplementationReport] = field(default_factory=list)
    specs_from: str = ""
    cells: list[dict[str, Any]] = field(default_factory=list)
    bench: dict[str, Any] = field(default_factory=dict)
    bench_from: str = ""

    def state(self, spec: str) -> str:
        """What became of a spec in all packages: "passes in 5", or where it does not."""
        found = self.outcomes.get(spec, {})
        if not found:
            return "not run here"
        bad = [f"fails in {name}" for name, outcomes in found.items() if "failed" in outcomes]
        passed = [name for name, outcomes in found.items() if "passed" in outcomes and "failed" not in outcomes]
        return "; ".join([*bad, *([f"passes in {len(passed)}"] if passed else []), *self._rest(found)])

    @staticmethod
    def _rest(found: Mapping[str, list[str]]) -> list[str]:
        return [
            f"{kind} in {n}"
            for kind in ("missing", "gap", "not run")
            if (n := sum({*v} == {kind} for v in found.values()))
        ]

    def times(self, name: str) -> list[dict[str, Any]]:
        """The cells of the bench that are about a name, of the five packages."""
        return [
            cell for cell in self.cells if WORKS.get(cell["work"]) == name and cell["implementation"] in READING_ORDER
        ]


@cache
def sentences() -> dict[str, list[Sentence]]:
    """Name → the sentences of the contract that are about it; one that names none goes with the one before it."""
    found: dict[str, list[Sentence]] = {name: [] for names in STAGE_NAMES.values() for name in names}
    if not CONTRACT.is_file():
        raise UserError(f"there is no {CONTRACT} here; run it at the root of the repository")
    parts = SECTION.split(CONTRACT.read_text(encoding="utf-8"))[1:]
    for stage, text in zip(parts[::2], parts[1::2], strict=True):
        names = [STAGE_NAMES[stage][0]]
        for said, specs in ROW.findall(text):
            names = list(dict.fromkeys(_named(said, STAGE_NAMES[stage]))) or names
            for name in names:
                found[name].append(Sentence(said, re.findall(r"test_\w+", specs)))
    return found


def _named(said: str, names: Sequence[str]) -> Iterator[str]:
    """The names of the stage in a sentence, in the order in which it has them; `model` is a Model."""
    for word in re.findall(r"`(\w+)", said):
        yield from [name for name in names if word in (name, name.lower())]


@cache
def breaks() -> dict[str, str]:
    """Spec → what breaks when it fails."""
    return {spec.name: spec.breaks for spec in suite.specs()}


def gather(reports: Path, results: Path) -> Evidence:
    """What the last runs left behind in these folders.

    Raises UserError for files that are there and cannot be read.
    """
    found = Evidence()
    paths = sorted(reports.glob("*.json"), key=lambda path: path.stat().st_mtime)
    try:
        merged = report.merge(report.read(path) for path in paths)
    except report.InvalidReport as error:
        raise UserError(str(error)) from error
    mine = [run for run in merged.implementations if run.name in READING_ORDER and set(run.stages) >= set(STAGES)]
    found.implementations = sorted(mine, key=lambda run: READING_ORDER.index(run.name))
    for run in found.implementations:
        for spec in run.specs:
            name = spec.id.rpartition("::")[2].partition("[")[0]
            found.outcomes.setdefault(name, {}).setdefault(run.name, []).append(spec.outcome)
    if paths:
        found.specs_from = _day(paths[0])
    if (path := results / "bench.json").is_file():
        try:
            found.bench = json.loads(path.read_text(encoding="utf-8"))["runs"][-1]
            found.cells = [cell for cell in found.bench["cells"] if cell.get("time")]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise UserError(f"{path} is no result of the bench: {type(error).__name__}: {error}") from error
        found.bench_from = str(found.bench["environment"].get("made", _day(path)))
    return found


def _day(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
