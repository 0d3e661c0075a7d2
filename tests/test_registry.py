"""How implementations are found."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from shared_specs import registry


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three installed implementations, one of them under a name that is not its module's."""
    values = {"zeta": "zeta", "numpy_impl": "numpy_impl", "alias": "json", "pure_python": "pure_python"}
    points = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == registry.GROUP else [])


@pytest.mark.usefixtures("registered")
def test_implementations_come_in_reading_order_then_alphabetically() -> None:
    """Tables show the implementations in the order of installation."""
    assert registry.implementations() == ("pure_python", "numpy_impl", "alias", "zeta")


@pytest.mark.usefixtures("registered")
def test_a_registered_name_stands_for_its_module() -> None:
    """The name of the entry point is taken for the module's."""
    assert registry.load("alias").__name__ == "json"


def test_any_importable_module_can_be_named() -> None:
    """An outsider has to register before the first run."""
    assert registry.load("os.path") is sys.modules["os.path"]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["nowhere", "json.nowhere", "nowhere.at.all", "", "a b", ".relative"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    """A typing mistake ends in a bare ModuleNotFoundError."""
    with pytest.raises(registry.UnknownImplementation, match="known: pure_python, numpy_impl, alias, zeta"):
        registry.load(name)


def test_an_implementations_own_import_error_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing framework is reported as a missing implementation."""
    (tmp_path / "needy.py").write_text("import a_framework_that_is_not_installed", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_framework_that_is_not_installed"):
        registry.load("needy")


def test_the_version_is_the_distributions_or_the_modules() -> None:
    """A report names no version, or the wrong one."""
    module = ModuleType("no_distribution_of_this_name")
    assert registry.version(pytest) == pytest.__version__
    assert registry.version(module) == "unknown"
    module.__version__ = "1.2"  # type: ignore[attr-defined]
    assert registry.version(module) == "1.2"
