"""Lockstep: five implementations stay together for a thousand steps, and one that does not is named at once."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import fastai_module
import numpy_impl
import torch_manual
from side_by_side.cli import app
from side_by_side.tables import console
from side_by_side.training.data import digits
from side_by_side.training.lockstep import FILE, difference, lockstep, problems, result_table, to_file
from side_by_side.training.train import train
from side_by_side.training.trainee import Settings

CALM = Settings((64, 16, 10), epochs=2, batch_size=16, lr=0.05)
PAIR = {"numpy_impl": numpy_impl, "torch_manual": torch_manual}


@pytest.fixture(scope="module")
def data():
    return digits(0)


def other(**replaced):
    """numpy_impl with some of its names replaced."""
    return SimpleNamespace(**{**vars(numpy_impl), **replaced})


def test_all_five_stay_within_1e9_for_1000_steps_on_digits(together):
    found, heard = together
    assert len(found.runs) == 5
    assert found.broken is None
    assert found.steps == len(heard) == 1125
    assert 0 < max(value for told in heard for value in told.values()) < 1e-9
    parameters = {"0.weight", "0.bias", "2.weight", "2.bias"}
    grads = {f"{name}.grad" for name in parameters}
    assert all(set(told) == {"batch.x", "batch.target", "loss", *parameters, *grads} for told in heard)


def test_it_trains_as_train_does(data):
    """The other way to the same weights: `take_step` one by one, and `fit` over an epoch."""
    alone = train("numpy_impl", numpy_impl, data, CALM)
    found = lockstep(PAIR, data, CALM).runs[0]
    assert found.losses == alone.losses
    assert all(np.array_equal(values, alone.weights[name]) for name, values in found.weights.items())


@pytest.mark.parametrize(
    ("name", "replaced", "tensor"),
    [
        ("batches", {"Batches": lambda x, y, size, seed: numpy_impl.Batches(x, y, size, seed + 1)}, "batch.x"),
        ("rate", {"SGD": lambda p, lr, *rest: numpy_impl.SGD(p, lr * 1.001, *rest)}, "0.weight"),
    ],
)
def test_it_stops_at_the_first_step_and_names_the_tensor_and_the_one(data, name, replaced, tensor):
    nets = {**PAIR, name: other(**replaced)}
    found = lockstep(nets, data, CALM)
    assert (found.steps, found.broken.step, found.broken.tensor, found.broken.farthest) == (1, 0, tensor, name)
    assert problems(found, CALM)[0].startswith(f"lockstep broke at step 0: {tensor} differs by ")


def test_a_wrong_gradient_is_named_before_the_parameter_that_it_moves(data):
    def grad(logits, labels):
        return numpy_impl.cross_entropy_grad(logits, labels) * 1.5

    class Loss(numpy_impl.CrossEntropyLoss):
        def backward(self, output, target):
            return grad(output, target)

    found = lockstep({**PAIR, "wrong": other(CrossEntropyLoss=Loss)}, data, CALM)
    assert (found.broken.tensor, found.broken.farthest) == ("2.bias.grad", "wrong")


def test_a_nan_in_one_alone_breaks_it_and_in_all_does_not():
    assert difference([np.array([1.0, math.nan]), np.array([1.0, 2.0])]) == math.inf
    assert difference([np.array([1.0, math.nan]), np.array([1.0, math.inf])]) == 0
    assert difference([np.ones(3), np.ones(2)]) == math.inf
    assert difference([np.array([4.0, 1.0]), np.array([4.0, 2.0])]) == 0.25


def test_in_float32_rounding_may_grow_late_but_not_early_and_batches_stay_exact(data):
    """A gradient a hundredth wrong at one step: a mistake among the first hundred, and afterwards no proof of one."""

    def wrong_at(step):
        class Loss(numpy_impl.CrossEntropyLoss):
            steps = 0

            def backward(self, output, target):
                self.steps += 1
                return super().backward(output, target) * (1.01 if self.steps == step + 1 else 1)

        return {**PAIR, "wrong": other(CrossEntropyLoss=Loss)}

    settings = replace(CALM, epochs=2, dtype="float32")
    early = lockstep(wrong_at(99), data, settings)
    assert (early.broken.step, early.broken.farthest) == (99, "wrong")
    late = lockstep(wrong_at(100), data, settings)
    assert late.broken is None
    assert late.largest["2.bias.grad"][0] > 1e-3
    assert "so late in float32" in problems(lockstep(wrong_at(100), data, settings, tolerance=1e-3), settings)[0]

    class Slipped(numpy_impl.Batches):
        def __iter__(self):
            self.seed += self.epoch  # the wrong order from the second epoch on
            return super().__iter__()

    slipped = lockstep({**PAIR, "slipped": other(Batches=Slipped)}, data, settings)
    assert (slipped.broken.step, slipped.broken.tensor) == (90, "batch.x")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_it_stops_where_no_loss_is_a_number_and_says_why(data):
    wild = replace(CALM, lr=1e4, weight_decay=1.0)
    found = lockstep(PAIR, data, wild)
    assert found.broken is None
    assert found.steps < 180
    assert [line.partition(": the loss is ")[0] for line in problems(found, wild)] == [
        f"{name}: diverged at step {found.steps - 1}" for name in PAIR
    ]


def test_one_that_cannot_run_is_told_and_the_others_go_on(data):
    found = lockstep({**PAIR, "half": other(DTYPES=("float16",))}, data, replace(CALM, epochs=1))
    assert [run.problem for run in found.runs] == [None, None, "not run: computes in float16 only"]
    assert found.broken is None


def test_every_step_is_written_down_with_every_tensor(data, tmp_path):
    found = lockstep(PAIR, data, CALM, steps=5, on_step=to_file(tmp_path / "new" / FILE))
    lines = [json.loads(line) for line in (tmp_path / "new" / FILE).read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[-1]["differences"] == dict(found.last)
    assert all(line["differences"]["batch.x"] == 0 for line in lines)


def test_in_a_terminal_no_package_draws_a_bar_of_its_own(data, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    lockstep({**PAIR, "fastai_module": fastai_module}, data, CALM, steps=2)
    assert capsys.readouterr() == ("", "")


def test_the_table_shows_every_tensor(data, capsys):
    console().print(result_table(lockstep(PAIR, data, CALM, steps=2)))
    shown = capsys.readouterr().out
    assert "Lockstep of numpy_impl, torch_manual over 2 steps" in shown
    assert "0.weight.grad" in shown


def test_the_command_reports_and_exits_0_or_1():
    common = ["train", "--lockstep", "--epochs", "1", "--impl", "numpy_impl", "--impl", "torch_manual"]
    result = CliRunner().invoke(app, [*common, "--every", "15"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stdout.splitlines()[:3]] == ["step 0", "step 15", "step 30"]
    result = CliRunner().invoke(app, [*common, "--tolerance", "0"])
    assert result.exit_code == 1
    assert "lockstep broke at step 0: " in result.stderr
