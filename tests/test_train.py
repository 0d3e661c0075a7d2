"""Training all side by side: the same curve in honest implementations, and a different one is noticed."""

import gc
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import numpy_impl
import pure_python
from shared_specs import registry
from side_by_side.cli import app
from side_by_side.tables import UserError
from side_by_side.training import history
from side_by_side.training.data import Data, digits, load
from side_by_side.training.history import Epoch
from side_by_side.training.results import agreement, divergence, farthest, problems
from side_by_side.training.train import Run, recommended, steps, train
from side_by_side.training.trainee import Settings, Trainee, start
from side_by_side.training.trouble import diagnosis

NAMES = registry.implementations()
SHORT = Settings((64, 16, 10), epochs=2)


@pytest.fixture(scope="module")
def data():
    return digits(seed=0)


def other(**replaced: object) -> SimpleNamespace:
    """numpy_impl with some of its names replaced."""
    return SimpleNamespace(**{**vars(numpy_impl), **replaced})


def cli(*arguments: str):
    return CliRunner().invoke(app, ["train", *arguments], env={"COLUMNS": "200"})


# It learns


def test_the_defaults_reach_97_percent_in_the_test_in_all_five(together):
    runs = together[0].runs
    assert [run.implementation for run in runs] == list(NAMES)
    assert min(run.score for run in runs) >= 0.97


def test_train_reaches_97_percent_too(data):
    run = train("numpy_impl", numpy_impl, data, recommended(data))
    assert run.score >= 0.97
    assert len(run.losses) == steps(recommended(data), data) == 1125


def test_the_test_part_is_not_touched_before_the_end_and_the_validation_part_is_not_trained_on(data):
    run = train("numpy_impl", numpy_impl, data, SHORT)
    retested = train("numpy_impl", numpy_impl, replace(data, y_test=(data.y_test + 1) % 10), SHORT)
    assert [epoch.validation for epoch in retested.epochs] == [epoch.validation for epoch in run.epochs]
    assert retested.score < 0.5 < run.score
    revalidated = train("numpy_impl", numpy_impl, replace(data, y_valid=(data.y_valid + 1) % 10), SHORT)
    assert max(epoch.validation for epoch in revalidated.epochs) < 0.5
    assert (revalidated.losses, revalidated.score) == (run.losses, run.score)


def test_diabetes_and_the_tripler_are_learned_as_well_by_all():
    for name, least in (("diabetes", 0.3), ("tripler", 0.9999)):
        found = load(name)
        runs = [train(impl, registry.load(impl), found, recommended(found)) for impl in NAMES]
        assert min(run.score for run in runs) >= least
        assert problems(runs, recommended(found)) == []
    assert runs[0].weights["0.weight"][0, 0] == pytest.approx(3, abs=0.02)


def test_mnist_has_the_settings_of_the_lesson():
    mnist = Data("mnist", *[np.zeros((4, 784)), np.zeros(4, int)] * 3, n_classes=10, image=(28, 28))
    expected = Settings((784, 50, 10), epochs=5, batch_size=50, lr=0.5, momentum=0.0, weight_decay=0.0)
    assert recommended(mnist) == recommended(replace(mnist, name="fashion-mnist")) == expected


def test_r2_is_1_for_the_answer_and_0_for_the_mean():
    found = load("tripler")
    trainee = Trainee("numpy_impl", numpy_impl, found, Settings((1, 1)))
    trainee.model.layers.load_state_dict({"0.weight": np.array([[3.0]]), "0.bias": np.zeros(1)})
    assert trainee.score() == pytest.approx(1)
    trainee.model.layers.load_state_dict({"0.weight": np.zeros((1, 1)), "0.bias": np.array([found.y_test.mean()])})
    assert trainee.score() == pytest.approx(0)


# The same in all


def test_all_have_the_same_loss_curve_and_accuracy_in_float64(data):
    runs = [train(name, registry.load(name), data, SHORT) for name in NAMES]
    assert len(runs) == 5
    assert problems(runs, SHORT) == []
    assert agreement(runs).startswith("The same loss curve in all 5: largest relative difference ")


def test_start_is_kaiming_and_the_seed_decides_it():
    weights = start([400, 100, 10], seed=3)
    assert weights["0.weight"].std() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert not weights["2.bias"].any()
    assert np.array_equal(start([400, 100, 10], seed=3)["2.weight"], weights["2.weight"])
    assert not np.array_equal(start([400, 100, 10], seed=4)["2.weight"], weights["2.weight"])


def test_a_step_one_millionth_too_long_is_noticed(data):
    honest = train("numpy_impl", numpy_impl, data, SHORT)
    cheat = other(SGD=lambda parameters, lr, *rest: numpy_impl.SGD(parameters, lr * (1 + 1e-6), *rest))
    said = problems([honest, train("too_long", cheat, data, SHORT)], SHORT)
    assert len(said) == 1
    assert said[0].startswith("too_long: another loss curve than numpy_impl, by ")


def test_another_accuracy_at_the_same_curve_is_noticed(data):
    honest = train("numpy_impl", numpy_impl, data, SHORT)
    lucky = replace(honest, implementation="lucky", score=1.0)
    assert ["lucky: another test score" in line for line in problems([honest, lucky], SHORT)] == [True]


def run_of(name, *losses, **fields):
    return Run(name, [Epoch(0, 0, list(losses), 1.0, 1.0)], 1.0, 0.1, **fields)


def test_divergence_is_relative_and_infinite_for_curves_of_other_lengths():
    assert divergence([2.0, 1e-6], [2.0, 1.1e-6]) == pytest.approx(1 / 11)
    assert divergence([0.0], [0.0]) == 0
    assert divergence([1.0], [1.0, 1.0]) == math.inf


def test_the_largest_divergence_is_from_any_other_and_not_the_reference_alone():
    runs = [run_of("numpy_impl", 1.0), run_of("above", 1.25), run_of("below", 0.75)]
    assert [farthest(run, runs) for run in runs] == [0.25, 0.4, 0.4]


# When it goes wrong


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_loss_that_is_no_number_stops_that_run_and_says_where_why_and_what_to_try(name, tmp_path):
    found = load("tripler")
    settings = Settings((1, 8, 1), epochs=20, lr=500.0)
    run = train(name, registry.load(name), found, settings, out=tmp_path)
    assert run.failed
    assert not math.isfinite(run.losses[-1])
    assert all(map(math.isfinite, run.losses[:-1]))
    assert run.problem.startswith(f"diverged at step {len(run.losses) - 1}: the loss is ")
    assert "likely cause: steps too long: lr 500 with momentum 0.9 reaches as far as lr 5000 without" in run.problem
    assert run.problem.endswith("try --lr 50")
    lines = (tmp_path / history.FILE).read_text().splitlines()
    assert "NaN" not in lines[-1]
    assert "null" in lines[-1]


@pytest.mark.parametrize(
    ("changed", "losses", "says"),
    [
        ({}, [math.nan], "numbers too large before the first step; try other weights"),
        ({"momentum": 1.5}, [1.0, math.inf], "momentum 1.5 never forgets a step; try --momentum 0.9"),
        ({"weight_decay": 10.0}, [1.0, math.inf], "lr 0.2 times weight decay 10 is 1 or more"),
        ({}, [1.0, 50.0, math.nan], "the loss went from 1 to 50 in the last 2 steps; try --lr 0.02"),
        ({"momentum": 0.0}, [1.0, math.nan], "steps too long: lr 0.2, they leave the valley at once"),
        ({"momentum": 0.0, "lr": 1e4}, [1.0, math.nan], "steps too long: lr 10000, they leave"),
    ],
)
def test_the_likely_cause_is_told(data, changed, losses, says):
    assert says in diagnosis(losses, replace(Settings(), **changed), data)


def test_inputs_that_were_never_scaled_are_the_likely_cause(data):
    assert "inputs as large as 255" in diagnosis([1, math.nan], Settings(), replace(data, x_train=data.x_train * 255))


def test_the_others_go_on_and_the_exit_code_is_1(monkeypatch):
    def fit(model, batches, optimizer, epochs, on_batch):
        on_batch(0, math.inf)

    monkeypatch.setattr(numpy_impl, "fit", fit)
    result = cli("--epochs", "1", "--impl", "numpy_impl", "--impl", "torch_manual")
    assert result.exit_code == 1
    assert result.stderr.startswith("numpy_impl: diverged at step 0: the loss is inf; likely cause: ")
    row = next(line for line in result.stdout.splitlines() if line.strip().startswith("torch_manual"))
    assert "%" in row


def test_what_an_implementation_cannot_do_is_said_not_hidden(data):
    assert "float64 only" in train("pure_python", pure_python, data, replace(SHORT, dtype="float32")).problem
    assert "no cuda here" in train("pure_python", pure_python, data, replace(SHORT, device="cuda")).problem
    assert "pure_python: not run: computes in float64 only" in cli("--dtype", "float32", "--epochs", "1").stdout
    part = other()
    del part.Model
    assert train("part", part, data, SHORT).problem == "not run: does not provide Model"


def test_an_optimizer_that_hides_its_momentum_cannot_be_saved_and_says_so(data, tmp_path):
    class Hidden:
        def __init__(self, *arguments):
            sgd = numpy_impl.SGD(*arguments)
            self.step, self.zero_grad = sgd.step, sgd.zero_grad

    with pytest.raises(UserError, match="its SGD shows no velocities"):
        train("hidden", other(SGD=Hidden), data, SHORT, out=tmp_path)
    assert train("hidden", other(SGD=Hidden), data, replace(SHORT, momentum=0.0), out=tmp_path).problem is None


# History, speed, memory


def test_history_has_a_line_an_epoch(data, tmp_path):
    run = train("numpy_impl", numpy_impl, data, SHORT, out=tmp_path)
    first, second = history.read(tmp_path / history.FILE, 90)
    assert [first, second] == run.epochs
    assert (second.epoch, second.step, len(second.losses)) == (1, 45, 45)
    assert 0.5 < second.validation <= 1
    assert set(second.grad_norms) == {"0.weight", "0.bias", "2.weight", "2.bias"}


@pytest.mark.parametrize("name", NAMES)
def test_grad_norms_are_those_of_the_last_step_in_every_package(data, name):
    small = replace(data, x_train=data.x_train[:32], y_train=data.y_train[:32])
    norms = train(name, registry.load(name), small, replace(SHORT, epochs=1)).epochs[0].grad_norms
    trainee = Trainee("numpy_impl", numpy_impl, small, SHORT)
    trainee.model(trainee.x, trainee.y)
    trainee.model.backward()
    expected = {key: np.linalg.norm(parameter.grad) for key, parameter in trainee.parameters.items()}
    assert norms == pytest.approx(expected, rel=1e-9)


def resident():
    """Bytes of memory that the process has."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process has")
@pytest.mark.parametrize("name", NAMES)
def test_memory_does_not_grow_over_200_epochs(data, name):
    """A copy of what it trains on, left behind in every epoch, would be 10 MB."""
    small = replace(data, x_train=data.x_train[:128], y_train=data.y_train[:128])
    small = replace(small, x_valid=data.x_valid[:8], y_valid=data.y_valid[:8])
    seen = {}
    train(
        name,
        registry.load(name),
        small,
        Settings((64, 2, 10), epochs=200),
        on_epoch=lambda trainee, epoch: seen.setdefault(epoch.epoch, resident() if epoch.epoch % 50 == 49 else None),
    )
    assert seen[199] - seen[49] < 4 * 2**20, seen


# The command


def test_cli_prints_a_row_each_and_the_sentence():
    result = cli("--impl", "numpy_impl", "--impl", "torch_manual", "--epochs", "1")
    assert result.exit_code == 0
    assert "1,437 to train on, 180 to validate, 180 to test" in result.stdout
    assert "The same loss curve in all 2: " in result.stdout
    assert result.stderr == ""


def test_cli_shows_r2_for_numbers():
    result = cli("--impl", "numpy_impl", "--data", "diabetes", "--epochs", "2")
    assert result.exit_code == 0
    assert "test R²" in result.stdout
    assert "10-16-1 on diabetes, 353 to train on, 44 to validate, 45 to test" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--impl", "nobody"], "unknown implementation 'nobody', expected one of pure_python, numpy_impl"),
        (["--dtype", "float16"], "unknown dtype 'float16', expected one of float64, float32"),
        (["--sizes", "64"], "expected something like 64-50-10"),
        (["--sizes", "64-50-0"], "expected something like 64-50-10"),
        (["--sizes", "784-50-10"], "expected 64 first and 10 last"),
        (["--task", "words"], "unknown task 'words', expected one of classes, numbers"),
        (["--data", "diabetes", "--sizes", "10-5-2"], "expected 10 first and 1 last"),
    ],
)
def test_bad_arguments_get_one_clear_line(arguments, says):
    result = cli(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_nobody_to_train_exits_1():
    result = cli("--impl", "pure_python", "--dtype", "float32")
    assert result.exit_code == 1
    assert "no implementation was trained to the end" in result.stderr
