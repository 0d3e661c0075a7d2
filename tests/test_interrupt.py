"""Ctrl-C: exit code 130 from every command, with what is done so far and the way to go on."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import numpy_impl
from shared_specs import suite
from side_by_side.checking import accuracy, forks
from side_by_side.checking.accuracy import Measure
from side_by_side.cli import app
from side_by_side.reading import ledger
from side_by_side.training import init, predict


def interrupted(*_, **__):
    """What Ctrl-C raises."""
    raise KeyboardInterrupt


def cli(*arguments):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("owner", "function", "arguments"),
    [
        (ledger, "exact_pass", ["ledger"]),
        (init, "experiment", ["init"]),
        (Measure, "run", ["accuracy", "--impl", "numpy_impl"]),
        (suite, "run", ["zoo", "--stage", "neuron"]),
        (predict, "predict", ["predict", "--weights", "model.safetensors", "--data", "my.csv"]),
        (forks.Forks, "_coverage", ["mutants", "--impl", "numpy_impl", "--stage", "neuron"]),
        (numpy_impl, "neuron", ["check", "numpy_impl", "--stage", "neuron"]),
    ],
)
def test_every_command_ends_with_130_and_without_a_traceback(tmp_path, monkeypatch, owner, function, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(
        b"\x44\0\0\0\0\0\0\0" + b'{"0.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}     ' + bytes(4)
    )
    monkeypatch.setattr(owner, function, interrupted)
    result = cli(*arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 130, result.output


def test_accuracy_shows_and_saves_what_was_measured_before(tmp_path, monkeypatch):
    run = Measure.run

    def second_time(self, name, *more):
        return run(self, name, *more) if name == "numpy_impl" else interrupted()

    few = [work for work in accuracy.works() if work.stage == "neuron"]
    monkeypatch.setattr(accuracy, "works", lambda: few)
    monkeypatch.setattr(Measure, "run", second_time)
    result = cli("accuracy", "--impl", "numpy_impl", "--impl", "pure_python", "--json", str(tmp_path / "a.json"))
    assert result.exit_code == 130
    assert "Errors in ULPs of float64" in result.stdout
    assert "pure_python: not measured; --impl pure_python measures it alone" in result.stderr
    assert "numpy_impl" in (tmp_path / "a.json").read_text()


def test_ledger_shows_the_columns_that_are_there(monkeypatch):
    column = ledger.column

    def second_time(net, *more):
        return column(net, *more) if net is numpy_impl else interrupted()

    monkeypatch.setattr(ledger, "column", second_time)
    names = ("numpy_impl", "pure_python", "torch_manual")
    result = cli("ledger", *(word for name in names for word in ("--impl", name)))
    assert result.exit_code == 130
    assert "numpy_impl" in next(line for line in result.stdout.splitlines() if "exact" in line)
    assert "pure_python: was stopped by Ctrl-C" in result.stderr
    assert "torch_manual: was not reached before Ctrl-C" in result.stderr


def test_predict_shows_the_samples_that_are_done(tmp_path, monkeypatch):
    save_file({"0.weight": np.ones((1, 2)), "0.bias": np.zeros(1)}, tmp_path / "net.safetensors")
    np.savez(tmp_path / "x.npz", x=np.ones((2500, 2)))
    array, calls = numpy_impl.asarray, []

    def second_chunk(values, *more):
        calls.append(len(values))
        return interrupted() if calls.count(1000) == 2 else array(values, *more)

    monkeypatch.setattr(numpy_impl, "asarray", second_chunk)
    result = cli("predict", "--weights", str(tmp_path / "net.safetensors"), "--data", str(tmp_path / "x.npz"))
    assert result.exit_code == 130
    assert result.stdout.splitlines() == ["target", *["2.0"] * 1000]
    assert "stopped by Ctrl-C: these are the first 1,000 of 2,500 samples" in result.stderr


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_lockstep_ends_with_its_table(stop):
    """make and tox hand Ctrl-C on, so that it comes more than once."""
    command = [sys.executable, "-m", "side_by_side", "train", "--lockstep", "--epochs", "100000", "--every", "1"]
    command += ["--impl", "numpy_impl", "--impl", "torch_manual"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("step 0: ")
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(stop)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "largest difference" in output
    assert "stopped after step " in errors
    assert "Traceback" not in errors
