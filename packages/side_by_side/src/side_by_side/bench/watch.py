"""A pytest plugin for `absolute`: tells, a line of JSON each in the file of `--watch`, what goes on."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from .cells import Cell


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--watch FILE`, and the options of shared_specs' benchmark."""
    parser.addoption("--watch", metavar="FILE", help="append a line of JSON for everything that happens")
    parser.addoption("--cells", metavar="FILE", help="JSON with the cells to time")
    parser.addoption("--budget", metavar="SECONDS", type=float, default=1.0, help="the longest call that is timed")
    parser.addoption("--commit", metavar="ID", default="", help="what the history calls this run")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch, where somebody asked for it."""
    if path := config.getoption("watch"):
        config.pluginmanager.register(Watch(path, config.getoption("commit")))


class Watch:
    """Knows the cells."""

    def __init__(self, path: str, commit: str) -> None:
        self.path, self.commit = path, commit

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Tell which cell begins."""
        self._tell(begins=_cell(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell how a cell ended: its times, its prediction, or what is wrong."""
        report = yield
        if report.failed and call.excinfo:
            wrong = call.excinfo.errisinstance(AssertionError)
            reason = call.excinfo.exconly(tryshort=True)
            self._tell(ended=_cell(item), status="wrong" if wrong else "error", reason=reason)
        elif report.when == "call":
            said = dict(item.user_properties)
            if "timed" in said:
                self._tell(ended=_cell(item), status="timed", **said["timed"])  # type: ignore[arg-type]
            elif "predicted" in said:
                self._tell(ended=_cell(item), status="over budget", predicted=said["predicted"])
        return report

    def pytest_benchmark_update_commit_info(self, config: pytest.Config, commit_info: dict[str, Any]) -> None:
        """Name the commit of the user's folder rather than of the temporary one."""
        commit_info["id"] = self.commit or commit_info.get("id", "unversioned")

    def _tell(self, **event: Any) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def _cell(item: pytest.Item) -> dict[str, Any]:
    params = item.callspec.params  # type: ignore[attr-defined]
    return {**{name: params[name] for name in Cell._fields}, "threads": int(params["threads"])}
