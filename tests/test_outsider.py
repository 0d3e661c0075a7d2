"""Somebody else's net, written from the contract alone in a framework that no package here uses: all but manners."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared_specs import STAGES

OUTSIDERS = Path(__file__).parent / "outsiders"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What became of every spec, stage by stage, courtesy asked for too."""
    report = tmp_path_factory.mktemp("outsider") / "report.json"
    paths = [str(OUTSIDERS), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "HYPOTHESIS_PROFILE": "quick",  # JAX compiles every operation anew for every shape
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    options = ["--impl", "jax_net", "--courtesy", "--dtype", "float64", "--report", str(report)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "shared_specs", *options]
    subprocess.run(command, env={**os.environ, **own}, cwd=report.parent, check=False, capture_output=True)
    return json.loads(report.read_text(encoding="utf-8"))["implementations"][0]


@pytest.mark.parametrize("stage", STAGES)
def test_right_numbers_are_enough(found, stage):
    """The specs ask for more than the contract says, or for the ways of the frameworks here."""
    failed = [spec for spec in found["specs"] if spec["stage"] == stage and spec["outcome"] != "passed"]
    assert failed == []
    assert found["stages"][stage]["passed"] > 20


def test_manners_are_counted_apart(found):
    """What a message lacks is counted as a wrong number, or is not asked for."""
    assert found["stages"]["courtesy"]["failed"] > 0
