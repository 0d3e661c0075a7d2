"""The pytest plugin: runs the specs on one implementation after the other, and says stage by stage how they fared.

It wakes up only in a run that names ``shared_specs`` or ``--impl``: installed next to another project, it must neither
claim ``--device`` there nor print a line. And it imports an implementation only when the specs are collected, so that
coverage sees the import and a run of one implementation never meets another one's framework.
"""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

import pytest

from shared_specs import OPTIONAL, STAGES, __version__, failures, fixtures, gaps, registry, report
from shared_specs.gaps import Gap
from shared_specs.report import COURTESY, ImplementationReport, Report, SpecResult
from shared_specs.trial import Implementation, NotProvided, Trial

NAME = "shared_specs_run"
SPECS = Path(__file__).resolve().parent / "specs"
EVERY = (*STAGES, OPTIONAL)


# Waking up


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Add the options and the hooks, if this run is about the specs."""
    worker_of_xdist = "impl" in vars(early_config.option)
    if worker_of_xdist or any("shared_specs" in arg or arg.startswith("--impl") for arg in args):
        _add_options(parser)
        early_config.pluginmanager.register(fixtures, "shared_specs_fixtures")
        early_config.pluginmanager.register(SpecRun(early_config), NAME)


def _add_options(parser: pytest.Parser) -> None:
    add = parser.getgroup("shared_specs", "specs of the neural net").addoption
    add(
        "--impl",
        action="append",
        metavar="NAME",
        help="a registered implementation or a module; default: all registered",
    )
    add("--stage", action="append", choices=EVERY, help="only the specs of this stage")
    add(
        "--courtesy",
        action="store_true",
        help="ask for manners too, as of all that are registered",
    )
    add("--device", default="cpu", help="where to compute; default: cpu")
    add("--dtype", action="append", choices=("float32", "float64"), help="default: all that the implementation has")
    add("--gaps", type=Path, metavar="FILE.toml", help="what the implementation says that it does not do")
    add("--report", type=Path, metavar="FILE.json", help="write what became of every spec")


# The run


class SpecRun:
    """The hooks of a run, and what it found."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.problem: pytest.UsageError | None = None
        self.filtered = False

    # Which implementations

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Name → implementation under test; imported when first asked for, which is when specs are collected."""
        named = self.config.getoption("impl")
        if named:  # also a module in the current folder, as under `python -m pytest`
            sys.path.append(str(self.config.invocation_params.dir))
        names = dict.fromkeys(named or registry.implementations())
        if not names:
            raise pytest.UsageError("no implementation is registered here: install one, or name a module with --impl")
        if self.config.getoption("gaps") and len(names) > 1:
            raise pytest.UsageError("--gaps is for one implementation: name it with --impl")
        return {name: self._load(name) for name in names}

    def _load(self, name: str) -> Trial:
        with _told(f"{name} cannot be imported"):
            module = registry.load(name)
        with _told(f"{name} cannot be used"):
            provided = tuple(map(str, getattr(module, "DTYPES", ("float64",))))
            devices = list(map(str, module.devices())) if hasattr(module, "devices") else ["cpu"]
            dtypes = self.config.getoption("dtype") or provided
            about = ImplementationReport(name, registry.version(module), self.config.getoption("device"), list(dtypes))
            return Trial(Implementation(name, module), about, self._gaps(module), provided, devices)

    def _gaps(self, module: ModuleType) -> list[Gap]:
        path = self.config.getoption("gaps")
        try:
            return gaps.read(path) if path else gaps.parse(getattr(module, "GAPS", {}))
        except gaps.InvalidGap as error:
            raise pytest.UsageError(str(error)) from None

    # Collection

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make a marker of each stage, and the folder of the report now rather than at the end."""
        for stage in EVERY:
            config.addinivalue_line("markers", f"{stage}: a spec of this stage of the contract")
        config.addinivalue_line("markers", f"{COURTESY}: a spec of manners; it counts in a row of its own")
        if path := config.getoption("report"):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise pytest.UsageError(f"--report: {error}") from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a spec once an implementation, and once a dtype if it uses `dtype`; then the next spec."""
        if "impl" not in metafunc.fixturenames:
            return
        abouts = [trial.report for trial in self._usable_trials().values()]
        if "dtype" in metafunc.fixturenames:
            pairs = [(about.name, dtype) for about in abouts for dtype in about.dtypes]
            metafunc.parametrize(("impl", "dtype"), pairs, indirect=True, scope="function")
        else:
            metafunc.parametrize("impl", [about.name for about in abouts], indirect=True, scope="function")

    def _usable_trials(self) -> dict[str, Trial]:
        """The implementations, or none and a problem to report once rather than spec by spec."""
        try:
            return {} if self.problem else self.trials
        except pytest.UsageError as error:
            self.problem = error
            return {}

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark the specs of this package with their stage; other tests may mark themselves."""
        stage = item.path.stem.removeprefix("test_")
        if SPECS in item.path.resolve().parents and stage in EVERY:
            item.add_marker(stage)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep the stages asked for, and courtesy where it is asked for."""
        if self.problem:
            raise self.problem
        items[:] = [item for item in items if not item.get_closest_marker(COURTESY) or self._polite(item)]
        stages = (*(config.getoption("stage") or EVERY), None)
        others = [item for item in items if _stage(item) not in stages]
        if others:
            items[:] = [item for item in items if _stage(item) in stages]
            config.hook.pytest_deselected(items=others)

    def _polite(self, item: pytest.Item) -> bool:
        """Whether manners are asked of the implementation."""
        return self.config.getoption("courtesy") or (
            _is_spec(item) and _params(item)["impl"] in registry.implementations()
        )

    def pytest_deselected(self) -> None:
        """Remember that this is not a whole run."""
        self.filtered = True

    def pytest_report_collectionfinish(self, items: list[pytest.Item]) -> list[str]:
        """Say what is tested, now that the implementations are imported."""
        names = dict.fromkeys(_params(item)["impl"] for item in items if _is_spec(item))
        return [f"specs {__version__}: {self.trials[name].report}" for name in names]

    # One spec

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Do not run what this machine or the implementation cannot run."""
        if not _is_spec(item):
            return
        trial = self.trials[_params(item)["impl"]]
        trial.impl.names_used.clear()
        if hindrance := trial.hindrance(_params(item).get("dtype")):
            pytest.skip(hindrance)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge a spec as pytest does, except that a declared failure is a gap, and a pass in its place a failure."""
        try:
            phase = yield
        except (Exception, SystemExit) as trouble:  # a RecursionError, or what an implementation makes of its frames
            if not (_is_spec(item) and call.excinfo):
                raise
            phase = _without_traceback(item, call, trouble)
        if _is_spec(item) and (phase.when == "call" or not phase.passed):
            params = _params(item)
            declared = [] if phase.skipped else self.trials[params["impl"]].gaps_of(item.originalname)
            outcome = _judge(phase, call.excinfo and call.excinfo.value, declared)
            if outcome == "missing" and _stage(item) == OPTIONAL:
                phase.outcome = "skipped"  # it is said, and the run is a success
            missing = outcome == "missing" and call.excinfo
            reason = failures.said(missing.value) if missing else _reason(phase)
            spec = SpecResult(_id(item), _row(item), params.get("dtype"), outcome, reason)
            found = {"impl": params["impl"], "spec": asdict(spec), "gaps": [gap.pattern for gap in declared]}
            if outcome == "failed" and call.excinfo:
                found["mistake"] = self._tell(phase, call.excinfo.value, item)
            vars(phase)["shared_specs"] = found  # plain data: pytest-xdist sends it along
        return phase

    def _tell(self, phase: pytest.TestReport, error: BaseException, item: pytest.Function) -> list[str]:
        """Put the mistake at the top of what pytest shows, the traceback below only if asked for; name the mistake."""
        failure = failures.failure(error, item.path, item.originalname, _breaks(item))
        style = self.config.getoption("tbstyle")
        if style not in ("line", "no"):
            phase.longrepr = failure.text if style == "auto" else f"{failure.text}\n\n{phase.longrepr}"
        return [failure.where, failure.mistake]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a spec; under xdist the judgement was made elsewhere and comes with the report."""
        if found := getattr(report, "shared_specs", None):
            trial = self.trials[found["impl"]]
            trial.results[found["spec"]["id"]] = SpecResult(**found["spec"])
            trial.gaps_met.update(found["gaps"])

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count gaps, what is missing, and what was not run, apart from passed and failed."""
        found = getattr(report, "shared_specs", None)
        outcome = found and found["spec"]["outcome"]
        if outcome in ("missing", "gap", "not run"):
            return outcome, outcome[0], (outcome.upper(), {"yellow": True})
        return None

    # The end

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail for gaps that no spec met, and write the report of a run that came to its end."""
        if session.exitstatus == pytest.ExitCode.OK and any(self._idle_gaps()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        path = self.config.getoption("report")
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if path and ended and not hasattr(self.config, "workerinput"):
            report.write(Report([trial.final_report() for trial in self._with_results()]), path)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """Show each mistake once, and last how each implementation fared, what was not tested, and why."""
        stats = terminalreporter.stats
        every = dict(stats)
        if self.config.get_verbosity() <= 0:
            stats.update({kind: _one_a_mistake(stats[kind]) for kind in every if kind in ("failed", "error")})
        yield
        stats.update(every)
        if runs := [trial.final_report() for trial in self._with_results()]:
            self._show(terminalreporter, runs)

    def _show(self, terminalreporter: pytest.TerminalReporter, runs: list[ImplementationReport]) -> None:
        terminalreporter.section("stage × implementation")
        for line in report.matrix(runs):
            terminalreporter.line(line)
        for note in report.notes(runs):
            terminalreporter.line(note, yellow=True)
        for complaint in self._idle_gaps():
            terminalreporter.line(complaint, red=True)

    def _with_results(self) -> list[Trial]:
        """The implementations that were tested; asking imports none."""
        return [trial for trial in vars(self).get("trials", {}).values() if trial.results]

    def _idle_gaps(self) -> list[str]:
        """Complaints about gaps that no spec met, after a whole run."""
        runs = [] if self.filtered else self._with_results()
        return [f"gap of {run.report.name} that no spec met: {gap}" for run in runs for gap in run.idle_gaps()]


@contextmanager
def _told(problem: str) -> Iterator[None]:
    """Whatever a module does when it is imported or asked about itself, told with its file and line."""
    try:
        yield
    except (pytest.UsageError, KeyboardInterrupt):
        raise
    except registry.UnknownImplementation as error:
        raise pytest.UsageError(str(error)) from None
    except BaseException as error:
        raise pytest.UsageError(f"{problem}: {failures.place(error)}{failures.said(error)}") from error


def _without_traceback(item: pytest.Item, call: pytest.CallInfo[None], trouble: BaseException) -> pytest.TestReport:
    """A report of a failure that pytest cannot show."""
    when = "call" if call.when == "collect" else call.when
    text = f"pytest cannot show it: {failures.said(trouble)}"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", text, when)


def _one_a_mistake(reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """Of the reports that tell of one mistake the simplest, with the number of the others; stage by stage."""
    alike: dict[tuple[str, ...], list[pytest.TestReport]] = {}
    for one in reports:
        found = getattr(one, "shared_specs", {})
        mistake = found.get("mistake", [one.nodeid, "not known"])
        alike.setdefault((found.get("impl", ""), found.get("spec", {}).get("stage", ""), *mistake), []).append(one)
    for key in [key for key in alike if not key[-1]]:  # no mistake was recognised: it counts with one that was, if any
        if known := next((other for other in alike if other[:-1] == key[:-1] and other[-1]), None):
            alike[known] += alike.pop(key)
    order = sorted(alike, key=lambda key: (key[0], EVERY.index(key[1]) if key[1] in EVERY else len(EVERY)))
    return [_simplest(alike[key], stage=key[1]) for key in order]


def _simplest(reports: list[pytest.TestReport], stage: str) -> pytest.TestReport:
    """The first that names a mistake, rather one of the stage's own file than of the table of all operations."""
    shown = copy(min(reports, key=lambda one: (failures.LIKELY not in str(one.longrepr), stage not in one.nodeid)))
    if others := len(reports) - 1:
        shown.longrepr = f"{shown.longrepr}\nand {others} more {'spec' if others == 1 else 'specs'}; -v shows each"
    return shown


def _breaks(item: pytest.Function) -> str:
    """What a spec says that is broken when it fails."""
    return (item.obj.__doc__ or "").strip().partition("\n\n")[0]


def _is_spec(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether it tests an implementation in one of the stages."""
    return isinstance(item, pytest.Function) and "impl" in _params(item) and _stage(item) is not None


def _params(item: pytest.Function) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def _id(item: pytest.Item) -> str:
    """The spec's name, the same wherever the specs are installed."""
    path = item.path.resolve()
    return f"{path.relative_to(SPECS).as_posix() if SPECS in path.parents else path.name}::{item.name}"


def _stage(item: pytest.Item) -> str | None:
    return next((mark.name for mark in item.iter_markers() if mark.name in EVERY), None)


def _row(item: pytest.Item) -> str:
    """Where it counts in the matrix."""
    return COURTESY if item.get_closest_marker(COURTESY) else str(_stage(item))


def _judge(phase: pytest.TestReport, error: BaseException | None, declared: list[Gap]) -> str:
    """The outcome of a spec; a declared gap turns pytest's verdict round."""
    if phase.skipped:
        return "not run"
    if not declared:
        return "missing" if isinstance(error, NotProvided) else phase.outcome
    met = next((gap for gap in declared if error is not None and gap.expects(error)), None)
    if met:
        phase.outcome = "skipped"
        phase.longrepr = (str(phase.location[0]), phase.location[1] or 0, str(met))
        return "gap"
    if phase.passed:
        phase.outcome = "failed"
        phase.longrepr = f"declared as a gap, but the spec passes: {declared[0]}"
    else:
        phase.sections.append(("Declared as a gap", f"{declared[0]}, which expects {declared[0].raises}"))
    return "failed"


def _reason(phase: pytest.TestReport) -> str:
    """Why a spec did not pass, without the traceback."""
    if phase.passed:
        return ""
    if isinstance(phase.longrepr, tuple):
        return phase.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(phase.longrepr, "reprcrash", None)
    return str(crash.message if crash else phase.longrepr)
