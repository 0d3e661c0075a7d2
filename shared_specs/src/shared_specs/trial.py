"""An implementation on trial: what the specs may use of it, what it cannot run, and how it fared."""

from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import pytest

from shared_specs import STAGES
from shared_specs.contract import ALL_NAMES, stage_of
from shared_specs.gaps import Gap
from shared_specs.report import ImplementationReport, SpecResult


class NotProvided(pytest.fail.Exception):  # type: ignore[name-defined, misc]  # mypy does not see it there
    """The implementation lacks a name of the contract.

    It is no AttributeError, and no Exception, so that no spec takes it for an error of the function it tests.
    """

    __module__ = "builtins"  # printed without the module, as pytest's own outcomes are


class Implementation:
    """An implementation as the specs see it: a spec that uses a name it lacks ends there, and no other."""

    def __init__(self, name: str, module: ModuleType) -> None:
        self.__name__ = name
        self._module = module
        self.names_used: set[str] = set()  # by the current spec

    def __getattr__(self, name: str) -> Any:
        self.names_used.add(name)
        if name in ALL_NAMES and not hasattr(self._module, name):
            raise NotProvided(f"{self.__name__} does not provide `{name}` ({_where(name)})", pytrace=False)
        return getattr(self._module, name)

    def __repr__(self) -> str:
        return self.__name__


def _where(name: str) -> str:
    stage = stage_of(name)
    return f"stage {stage} of the contract" if stage else "metadata of the contract"


@dataclass
class Trial:
    """An implementation, what it declares, and what became of its specs."""

    impl: Implementation
    report: ImplementationReport
    gaps: list[Gap]
    dtypes: tuple[str, ...]
    """All that it has, which may not be those asked for."""
    devices: list[str]
    results: dict[str, SpecResult] = field(default_factory=dict)
    gaps_met: set[str] = field(default_factory=set)

    def hindrance(self, dtype: str | None) -> str | None:
        """Why a spec cannot run here, if it cannot."""
        if self.report.device not in self.devices:
            return f"no {self.report.device.upper()}"
        if dtype is not None and dtype not in self.dtypes:
            return f"no {dtype}"
        return None

    def gaps_of(self, spec: str) -> list[Gap]:
        """The gaps that cover the spec that has just run."""
        return [gap for gap in self.gaps if gap.covers(spec, self.impl.names_used)]

    def final_report(self) -> ImplementationReport:
        """What became of the specs."""
        return replace(self.report, specs=list(self.results.values()))

    def idle_gaps(self) -> list[Gap]:
        """The gaps that no spec met, once every stage has run."""
        ran = {spec.stage for spec in self.results.values() if spec.outcome != "not run"}
        return [gap for gap in self.gaps if gap.pattern not in self.gaps_met] if ran >= set(STAGES) else []
