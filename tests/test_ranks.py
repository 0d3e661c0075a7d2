"""Several processes train one net: what they learn, who starts them, and what happens when one dies."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import torch_manual
from shared_specs import ranks
from side_by_side import launcher
from side_by_side.cli import app
from side_by_side.training import checkpoint
from side_by_side.training.data import load
from side_by_side.training.train import recommended, train

EPOCHS = 200
TRAIN = ("-m", "side_by_side", "train", "--impl", "torch_manual", "--data", "tripler", "--epochs")
PATIENCE = 120
on_linux = pytest.mark.skipif(not Path("/proc").exists(), reason="no /proc, which tells who is whose child")


def begin(*command: str | Path) -> subprocess.Popen[str]:
    """A process whose words are kept."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, *command], env=environment, stdout=-1, stderr=-1, text=True)


def weights(folder: Path) -> dict[str, np.ndarray]:
    """What a run has learned."""
    return dict(checkpoint.load_weights(folder / "torch_manual" / checkpoint.MODEL))


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has just ended
            continue
        found += [int(path.parent.name)] if int(parent) == process else []
    return found


def kill_one(launcher: int, file: Path, n: int) -> None:
    """Kill one of n ranks, at whatever it is doing, once the run has gone on from the last time."""
    seen = file.stat().st_mtime_ns if file.exists() else 0
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(0.01)
        found = [rank for child in children(launcher) for rank in children(child)]
        if len(found) == n and file.exists() and file.stat().st_mtime_ns != seen:
            time.sleep(random.random() / 100)
            with suppress(ProcessLookupError):  # it was just stopped for another one's death: wait for the next
                os.kill(random.choice(found), signal.SIGKILL)
                return
    raise AssertionError(f"the run of {launcher} does not go on")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, str, int]]]:
    """A run by two agents of torchrun, each with one rank as if on a machine of its own; and what each agent said."""
    out = tmp_path_factory.mktemp("undisturbed")
    where = ("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{ranks.free_port()}", "--rdzv-id=test")
    agent = ("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--local-addr=127.0.0.1", *where)
    agents = [begin(*agent, *TRAIN, str(EPOCHS), "--out", out) for _ in range(2)]
    return out, [(*one.communicate(timeout=PATIENCE), one.returncode) for one in agents]


def test_two_agents_of_torchrun_share_a_training(undisturbed):
    """Ranks of two machines do not find each other, or several print and write."""
    out, said = undisturbed
    assert [code for _, _, code in said] == [0, 0], said
    assert sorted(text.count("torch_manual") for text, _, _ in said) == [0, 1]
    assert len((out / "torch_manual" / "history.jsonl").read_text().splitlines()) == EPOCHS


def test_two_processes_learn_what_one_does(undisturbed):
    """Shares are weighted wrongly, or the ranks see different batches."""
    data = load("tripler", 0)
    alone = train("torch_manual", torch_manual, data, replace(recommended(data), epochs=EPOCHS))
    largest = max(np.abs(values).max() for values in alone.weights.values())
    for name, values in weights(undisturbed[0]).items():
        np.testing.assert_allclose(values, alone.weights[name], rtol=0, atol=1e-12 * largest)


@on_linux
def test_a_run_that_is_killed_20_times_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    """A restart begins anew, goes on from half a checkpoint, or the ranks go on from different ones."""
    run = begin(*TRAIN, str(EPOCHS), "--processes", "2", "--out", tmp_path, "--max-restarts", "20")
    for _ in range(20):
        kill_one(run.pid, tmp_path / "torch_manual" / checkpoint.RESUME, 2)
    said, complaint = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, complaint
    assert said.count("torch_manual") == 1
    for name, values in weights(undisturbed[0]).items():
        np.testing.assert_array_equal(weights(tmp_path)[name], values)


@on_linux
def test_a_rank_that_dies_stops_the_others_with_one_line(tmp_path):
    """The others wait for it until a timeout, or everybody tells of it."""
    run = begin(*TRAIN, "100000", "--processes", "2", "--out", tmp_path)
    kill_one(run.pid, tmp_path / "torch_manual" / checkpoint.RESUME, 2)
    began = time.monotonic()
    said, complaint = run.communicate(timeout=PATIENCE)
    assert time.monotonic() - began < 10
    assert (said, run.returncode) == ("", 1)
    assert complaint.count("\n") == 1
    assert "of 2 died of SIGKILL, and the others were stopped; --resume goes on" in complaint


@pytest.mark.parametrize(
    ("exitcode", "message", "said"),
    [
        (-signal.SIGKILL, "Signal 9 (SIGKILL) received by PID 7", "SIGKILL"),
        (1, {"message": "MemoryError: too much", "extraInfo": {}}, "MemoryError: too much"),
        (1, "it left\nTraceback", "it left"),
    ],
)
def test_what_a_rank_died_of_is_said_without_a_traceback(exitcode, message, said):
    """The line of a rank that raised something is a page."""
    assert launcher.cause(SimpleNamespace(exitcode=exitcode, message=message)) == said


@pytest.mark.parametrize("name", ["pure_python", "numpy_impl"])
def test_who_runs_in_one_process_says_so(name):
    """An implementation without the optional stage fails somewhere inside, or trains alone without a word."""
    result = CliRunner().invoke(app, ["train", "--impl", name, "--processes", "2"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"side-by-side: {name} runs in one process")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--processes", "2", "--lockstep"], "--lockstep runs in one process"),
        (["--max-restarts", "1"], "--max-restarts is for --processes"),
        (["--processes", "2", "--max-restarts", "1"], "needs --out"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, complaint):
    """They are forgotten without a word."""
    result = CliRunner().invoke(app, ["train", "--impl", "torch_manual", *options])
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_the_mean_over_ranks_is_wrong_where_shares_differ(monkeypatch):
    """What DistributedDataParallel does by itself would do: the weights by samples could go."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    right, alike = ranks.elsewhere("torch_autograd")[2][0]["long"], ranks.elsewhere("plain_mean")[2][0]["long"]
    for found in (right, alike):
        assert found["losses"][-4] < found["losses"][0], "both learn, which proves nothing"
    a, b = (np.array(found["grads"][0]["layers.0.weight"]) for found in (right, alike))
    assert np.abs(a - b).max() > 0.01 * np.abs(a).max()
