"""Plain implementations, and runs of planted specs on them."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis  # noqa: F401  once here, or its plugin imports it anew in every planted run
import pytest
from typer.testing import CliRunner

from shared_specs import STAGES, registry
from side_by_side.cli import app
from side_by_side.threads import current, pinned
from side_by_side.training.data import digits
from side_by_side.training.lockstep import Differences, Lockstep, lockstep
from side_by_side.training.trainee import Settings

pytest_plugins = ["pytester"]

os.environ.pop("CI", None)  # pytest and Hypothesis say more there: each test sees what a user sees
os.environ.update({**pinned(1), **current()})  # small arrays, and other tests beside these: one thread is fastest

NET = """
    __version__ = "1.2"
    DTYPES = ("float64", "float32")
    def devices(): return ["cpu"]
    def relu(x): return x if x > 0 or x != x else 0.0
"""
SPECS = """
    import pytest
    pytestmark = pytest.mark.neuron

    def test_relu_keeps_what_is_positive(impl):
        assert impl.relu(2.0) == 2.0

    def test_relu_removes_what_is_negative(impl, dtype, device):
        assert impl.relu(-2.0) == 0.0
"""


@pytest.fixture
def run_specs(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """What pytest says of planted specs, on modules whose source is given by name."""

    def run(*options: str | Path, specs: str = SPECS, **modules: str) -> pytest.RunResult:
        pytester.makepyfile(**{"test_planted": specs, "my_net": NET, **modules})
        pytester.syspathinsert()
        return pytester.runpytest("-p", "shared_specs.plugin", "-p", "no:randomly", *options)

    return run


@pytest.fixture
def one_spec_a_stage() -> str:
    """A whole run, though a short one."""
    specs = (f"@pytest.mark.{stage}\ndef test_{stage}(impl): impl.relu(1.0)\n" for stage in STAGES)
    return "import pytest\n" + "".join(specs)


@pytest.fixture(scope="session")
def together() -> tuple[Lockstep, list[Differences]]:
    """All in lockstep with the default settings, on digits: what came of it, and the differences after each step."""
    heard: list[Differences] = []
    nets = {name: registry.load(name) for name in registry.implementations()}
    found = lockstep(nets, digits(seed=0), Settings(), on_step=lambda step, loss, told: heard.append(told))
    return found, heard


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, made once, with no runs of specs or bench to show."""
    out = tmp_path_factory.mktemp("site") / "pages"
    result = CliRunner().invoke(app, ["site", "--out", str(out), "--reports", "none", "--results", "none"])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")  # not longer: while it is there, no other test can run a loop of asyncio
def browser() -> Iterator[Any]:
    """One headless Chromium; where there is none, what needs it is not run."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("not run: no chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium)


@pytest.fixture
def lists() -> Any:
    """What compare needs of an implementation, on nested lists."""
    module: Any = ModuleType("lists")
    module.asarray = lambda values, dtype=None, device=None: values
    module.tolist = lambda array: array
    module.shape = _shape
    return module


def _shape(array: Any) -> tuple[int, ...]:
    return (len(array), *_shape(array[0] if array else None)) if isinstance(array, list) else ()
