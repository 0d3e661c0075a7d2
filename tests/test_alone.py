"""The tool and the specs on a net of one's own, from any folder, in an environment that may hold nothing else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
GAPS = """
[not_yet.transpose]
reason = "comes with the next stage"
raises = "NotProvided"
[never]
test_shapes_that_do_not_fit_are_refused.reason = "NumPy broadcasts"
test_mixed_dtypes_are_refused.reason = "NumPy promotes"
test_neuron_refuses_mixed_dtypes_beside_a_number.reason = "NumPy promotes"
"""


@pytest.fixture
def run(tmp_path):
    """What a command prints in a folder where the example's my_net.py lies; it must succeed."""
    (source,) = re.findall(r"```python\n# my_net.py\n(.+?)```", CONTRIBUTING.read_text(encoding="utf-8"), re.DOTALL)
    neuron = "\n\ndef neuron(inputs, weights, bias):\n    return inputs @ weights + bias\n"
    (tmp_path / "my_net.py").write_text(source + neuron, encoding="utf-8")

    def run(*arguments):
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_tool_says_what_it_can_do(run):
    assert "bench" in run("side_by_side", "--help")


def test_the_specs_run(run):
    assert " passed" in run("pytest", "--pyargs", "shared_specs", "--impl", "my_net", "-k", "test_relu_keeps")


def test_the_tool_checks_it(run, tmp_path):
    (tmp_path / "gaps.toml").write_text(GAPS, encoding="utf-8")
    assert " passed" in run("side_by_side", "check", "my_net", "--stage", "neuron", "--gaps", "gaps.toml")


def test_the_bench_times_it(run):
    assert "my_net" in run("side_by_side", "bench", "--impl", "my_net", "--stage", "neuron", "--quick")
