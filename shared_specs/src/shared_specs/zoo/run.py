"""Let the specs at the bugs: each bug meets the spec that must catch it, and the right implementation meets it too."""

import re
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from shared_specs import STAGES, plugin, registry, suite

from .bug import Bug
from .right import Right


def line_with(words: str, text: str) -> str:
    """The line of the text in which a match of the words ends; nothing if there is none."""
    found = re.search(words, text)
    return (text[: found.end()].rpartition("\n")[2] + text[found.end() :].partition("\n")[0]).strip() if found else ""


@dataclass(frozen=True)
class Outcome:
    """What became of one spec on one implementation."""

    passed: bool
    message: str = ""
    breaks: str = ""
    """What the spec says that is broken when it fails."""
    harness: bool = False
    """Whether the suite itself broke: then nothing is known about the implementation."""

    def says(self, words: str) -> bool:
        """Whether the failure says so, in its message or in the sentence that pytest shows with it."""
        return bool(line_with(words, self.message) or line_with(words, self.breaks))


@dataclass(frozen=True)
class Verdict:
    """What became of a bug."""

    bug: Bug
    base: str
    failures: list[Outcome]
    """The cases of the spec that failed."""
    problems: list[str]
    """Why it does not count as caught; nothing when it does."""

    @property
    def reason(self) -> str:
        """What the failure says about the mistake."""
        texts = [*(failure.message for failure in self.failures), *(failure.breaks for failure in self.failures)]
        return next((line for text in texts if (line := line_with(self.bug.says, text))), "")


def run(bugs: Sequence[Bug], base: str | None = None) -> list[Verdict]:
    """The verdict on each bug that can be, on the given implementation or on the one where it is at home."""
    bases = {bug.name: base or bug.base for bug in bugs}
    bugs = [bug for bug in bugs if bug.replacements(Right(registry.load(bases[bug.name])))]
    verdicts: dict[str, Verdict] = {}
    for stage in STAGES:
        mine = [bug for bug in bugs if bug.stage == stage]
        outcomes = _outcomes(mine, bases) if mine else {}
        verdicts |= {bug.name: _verdict(bug, bases[bug.name], outcomes) for bug in mine}
    return [verdicts[bug.name] for bug in bugs]


def _verdict(bug: Bug, base: str, outcomes: dict[tuple[str, str], list[Outcome]]) -> Verdict:
    wrong, right = (outcomes.get((name, bug.caught_by), []) for name in (f"{bug.name}@{base}", base))
    failures = [outcome for outcome in wrong if not outcome.passed]
    if not (wrong and right):
        return Verdict(bug, base, [], [f"there is no spec {bug.caught_by} of {bug.stage}"])
    problems = {
        f"{bug.caught_by} lets it pass": not failures,
        f"no failure says {bug.says!r}": failures and not any(failure.says(bug.says) for failure in failures),
        "the suite itself broke": any(outcome.harness for outcome in wrong),
        f"{bug.caught_by} fails on {base} itself": not all(outcome.passed for outcome in right),
    }
    return Verdict(bug, base, failures, [problem for problem, found in problems.items() if found])


@dataclass
class _Selection:
    """A pytest plugin that runs each spec on the implementations that it is about, and notes what became of it."""

    wanted: dict[tuple[str, str], str]
    """(implementation, spec) → what a failure must say to be proof, so that no more is asked; of the right one ""."""
    stage: str
    outcomes: dict[tuple[str, str], list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> Generator[None, None, None]:
        """Have a spec made for those that it is about: for all, the making would take longer than the running."""
        run: Any = metafunc.config.pluginmanager.get_plugin(plugin.NAME)
        wanted = {
            name: trial for name, trial in run.trials.items() if (name, metafunc.function.__name__) in self.wanted
        }
        with mock.patch.object(run, "trials", wanted):
            yield

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Function]) -> None:
        """Of a spec on a whole table of operations, keep the lines of the bugs' stage."""
        items[:] = [item for item in items if item.get_closest_marker(self.stage)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Function) -> bool | None:
        """Pass over the other cases of a spec that has caught its bug."""
        says = self.wanted[_key(item)]
        return any(not outcome.passed and says and outcome.says(says) for outcome in self.outcomes[_key(item)]) or None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Function, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the outcome of the call, and of a setup or teardown that broke."""
        phase = yield
        if phase.when == "call" or not phase.passed:
            self.outcomes[_key(item)].append(_outcome(item, phase, call))
        return phase


def _key(item: pytest.Function) -> tuple[str, str]:
    return str(item.callspec.params["impl"]), item.originalname


def _outcome(item: pytest.Function, phase: pytest.TestReport, call: pytest.CallInfo[None]) -> Outcome:
    if call.excinfo is None:
        return Outcome(passed=True)
    error = call.excinfo.value
    if isinstance(error, AssertionError | pytest.fail.Exception):
        return Outcome(False, str(error), str(item.obj.__doc__), harness=phase.when != "call")
    return Outcome(False, f"{type(error).__name__}: {error}", harness=_broke_in(Path(call.excinfo.traceback[-1].path)))


def _broke_in(path: Path) -> bool:
    """Whether an error that was raised there is the suite's own; the bugs are in it and do not belong to it."""
    return suite.FOLDER.parent in path.parents and Path(__file__).parent not in path.parents


def _outcomes(bugs: list[Bug], bases: dict[str, str]) -> dict[tuple[str, str], list[Outcome]]:
    """(implementation, spec) → what became of each of its cases, for bugs and bases."""
    named = {(f"{bug.name}@{bases[bug.name]}", bug.caught_by): bug.says for bug in bugs}
    named |= {(bases[bug.name], bug.caught_by): "" for bug in bugs}
    selection = _Selection(named, bugs[0].stage)
    specs = {spec.name: spec for spec in suite.specs()}
    impls = dict.fromkeys(f"--impl={name}" for name, _ in named)
    paths = dict.fromkeys(f"{specs[spec].path}::{spec}" for _, spec in named if spec in specs)
    if paths:
        suite.run(selection, "--dtype=float64", "--tb=line", *impls, *paths)
    return selection.outcomes
