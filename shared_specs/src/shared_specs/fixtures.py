"""What a spec asks for by name: the implementation, the dtype and the device under test."""

from typing import Any

import pytest

from shared_specs.trial import Implementation


@pytest.fixture(scope="session")
def impl(request: pytest.FixtureRequest) -> Implementation:
    """The implementation under test; a spec that uses it runs once for each."""
    run: Any = request.config.pluginmanager.get_plugin("shared_specs_run")
    return run.trials[request.param].impl


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> str:
    """The float dtype under test; a spec that uses it runs once for each."""
    return str(request.param)


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> str:
    """The device under test."""
    return str(pytestconfig.getoption("device"))
