"""Checkpoints: whole or not at all, the same in every package and in torch, and a run goes on from them bit for bit."""

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn
from typer.testing import CliRunner

from shared_specs import registry
from side_by_side.cli import app
from side_by_side.tables import UserError
from side_by_side.training import checkpoint, history
from side_by_side.training.data import digits
from side_by_side.training.train import train
from side_by_side.training.trainee import Settings, Trainee

NAMES = registry.implementations()
SHORT = Settings((64, 12, 10), epochs=3, batch_size=48, lr=0.1)
LONG = Settings((64, 200, 10), epochs=80, batch_size=40, lr=0.01)
SIZES = {"0.weight": (12, 64), "0.bias": (12,), "2.weight": (10, 12), "2.bias": (10,)}


@pytest.fixture(scope="module")
def data():
    """A tenth of the digits; the last batch is short."""
    found = digits(0)
    cut = {"train": 200, "valid": 30, "test": 50}
    return replace(
        found, **{f"{xy}_{part}": getattr(found, f"{xy}_{part}")[:n] for part, n in cut.items() for xy in "xy"}
    )


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    """A folder with a trained run of every implementation."""
    out = tmp_path_factory.mktemp("runs")
    for name in NAMES:
        train(name, registry.load(name), data, SHORT, out=out / name)
    return out


def same(a, b):
    """Equal to the last bit."""
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


# Carried across


@pytest.mark.parametrize("reader", NAMES)
@pytest.mark.parametrize("writer", NAMES)
def test_every_package_loads_what_any_other_has_saved(saved, data, writer, reader):
    weights = checkpoint.load_weights(saved / writer / checkpoint.MODEL)
    theirs = Trainee(writer, registry.load(writer), data, SHORT, weights)
    ours = Trainee(reader, registry.load(reader), data, SHORT, weights)
    assert same(ours.weights(), weights)
    assert np.abs(ours.predict() - theirs.predict()).max() < 1e-12


@pytest.mark.parametrize("writer", NAMES)
def test_a_plain_torch_sequential_loads_it_and_predicts_the_same(saved, data, writer):
    path = saved / writer / checkpoint.MODEL
    net = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)).double()
    net.load_state_dict(safetensors.torch.load_file(path), strict=True)
    ours = Trainee(writer, registry.load(writer), data, SHORT, checkpoint.load_weights(path))
    with torch.no_grad():
        theirs = net(torch.from_numpy(data.x_test)).numpy()
    assert np.abs(ours.predict() - theirs).max() < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_has_saved_is_loaded_too(data, tmp_path, name):
    net = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10)).double()
    safetensors.torch.save_file(net.state_dict(), tmp_path / "torch.safetensors")
    ours = Trainee(name, registry.load(name), data, SHORT, checkpoint.load_weights(tmp_path / "torch.safetensors"))
    with torch.no_grad():
        assert np.abs(ours.predict() - net(torch.from_numpy(data.x_test)).numpy()).max() < 1e-12


def test_names_and_shapes_are_those_of_torch(saved):
    for name in NAMES:
        weights = checkpoint.load_weights(saved / name / checkpoint.MODEL)
        assert {key: value.shape for key, value in weights.items()} == SIZES
        assert {value.dtype.name for value in weights.values()} == {"float64"}


# As if never stopped


def whole_run(name, data, settings):
    return train(name, registry.load(name), data, settings)


@pytest.mark.parametrize("settings", [SHORT, replace(SHORT, momentum=0.0), replace(SHORT, weight_decay=0.01)])
@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_goes_on_bit_for_bit(data, tmp_path, name, settings):
    """It is stopped after the eighth step, the third of the five of its second epoch."""
    net, whole, heard = registry.load(name), whole_run(name, data, settings), list[int]()
    first = train(
        name,
        net,
        data,
        settings,
        out=tmp_path,
        on_batch=lambda step, _: heard.append(step),
        stop=lambda: len(heard) > 7,
    )
    moment = checkpoint.load(tmp_path / checkpoint.RESUME)
    assert (first.stopped, first.losses) == (True, whole.losses[:8])
    assert (moment.epoch, moment.batch, moment.step) == (1, 3, 8)
    second = train(name, net, data, settings, out=tmp_path, resume=True)
    assert second.losses == whole.losses
    assert same(second.weights, whole.weights)
    assert second.score == whole.score


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_run_goes_on_from_a_shorter_one(data, tmp_path, name):
    net = registry.load(name)
    train(name, net, data, replace(SHORT, epochs=1), out=tmp_path)
    longer = train(name, net, data, SHORT, out=tmp_path, resume=True)
    whole = whole_run(name, data, SHORT)
    assert longer.losses == whole.losses
    assert same(longer.weights, whole.weights)


def test_float32_goes_on_bit_for_bit(data, tmp_path):
    net, settings = registry.load("torch_autograd"), replace(SHORT, dtype="float32")
    train("a", net, data, replace(settings, epochs=2), out=tmp_path)
    assert same(
        train("a", net, data, settings, out=tmp_path, resume=True).weights, train("a", net, data, settings).weights
    )


def test_one_implementation_goes_on_with_a_run_of_another(data, tmp_path):
    train("a", registry.load("pure_python"), data, replace(SHORT, epochs=2), out=tmp_path)
    mixed = train("b", registry.load("fastai_module"), data, SHORT, out=tmp_path, resume=True)
    whole = whole_run("numpy_impl", data, SHORT)
    assert np.allclose(mixed.losses, whole.losses, rtol=1e-9, atol=0)


def test_a_finished_run_is_shown_again_and_not_trained(data, tmp_path):
    net = registry.load("numpy_impl")
    first = train("a", net, data, SHORT, out=tmp_path)
    before = (tmp_path / checkpoint.RESUME).read_bytes()
    again = train("a", net, data, SHORT, out=tmp_path, resume=True)
    assert (again.losses, again.score, again.seconds) == (first.losses, first.score, first.seconds)
    assert (tmp_path / checkpoint.RESUME).read_bytes() == before


def test_history_after_the_last_checkpoint_is_forgotten(data, tmp_path):
    """As when a run is killed after it wrote its history and before its checkpoint."""
    net = registry.load("numpy_impl")
    train("a", net, data, replace(SHORT, epochs=2), out=tmp_path)
    old = (tmp_path / checkpoint.RESUME).read_bytes()
    train("a", net, data, SHORT, out=tmp_path, resume=True)
    (tmp_path / checkpoint.RESUME).write_bytes(old)
    with (tmp_path / history.FILE).open("ab") as file:
        file.write(b'{"epoch": 3, "st\xff\0')
    assert train("a", net, data, SHORT, out=tmp_path, resume=True).losses == whole_run("numpy_impl", data, SHORT).losses
    lines = (tmp_path / history.FILE).read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"lr": 0.2}, "is of a run with lr 0.1, not 0.2"),
        ({"seed": 1}, "is of a run with seed 0, not 1"),
        ({"batch_size": 10, "momentum": 0.5}, "is of a run with batch size 48, not 10; momentum 0.9, not 0.5"),
        ({"sizes": (64, 13, 10)}, "is of a run with sizes [64, 12, 10], not [64, 13, 10]"),
    ],
)
def test_other_settings_are_refused(saved, data, changed, says):
    with pytest.raises(UserError) as refused:
        train("a", registry.load("numpy_impl"), data, replace(SHORT, **changed), out=saved / "numpy_impl", resume=True)
    assert says in str(refused.value)


def test_other_data_are_refused(saved, data):
    others = replace(data, x_train=data.x_train + 1e-9)
    with pytest.raises(UserError, match="other samples of the same name"):
        train("a", registry.load("numpy_impl"), others, SHORT, out=saved / "numpy_impl", resume=True)


# Whole or not at all


def test_a_run_that_is_killed_50_times_ends_bit_for_bit_as_if_never_stopped(data, tmp_path):
    """Wherever SIGKILL hits it, the last good checkpoint loads, and the history tells of all steps before it."""
    began = time.perf_counter()
    whole = train("a", registry.load("numpy_impl"), data, LONG, out=tmp_path / "whole")
    an_epoch = (time.perf_counter() - began) / LONG.epochs
    rng, kills, ended, steps = random.Random(0), 0, 0, 0
    while kills < 50 or not ended:
        out = tmp_path / f"killed{ended}"
        child, trains = _training(data, out)
        if kills < 50:
            if rng.random() < 0.8:
                os.read(trains, 1)  # wait for its first step; the other times it is hit while it begins
            time.sleep(rng.uniform(0, 2.5 * an_epoch))
            os.kill(child, signal.SIGKILL)
        how = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(trains)
        assert how in (0, -signal.SIGKILL), "it could not go on"
        kills += how != 0
        if steps or (out / checkpoint.RESUME).exists():
            before, steps = steps, checkpoint.load(out / checkpoint.RESUME).step
            epochs = history.read(out / history.FILE, steps)
            assert steps >= before
            assert [loss for epoch in epochs for loss in epoch.losses] == whole.losses[:steps]
        if how == 0:
            found, expected = (checkpoint.load(folder / checkpoint.RESUME) for folder in (out, tmp_path / "whole"))
            assert same(found.weights, expected.weights)
            assert same(found.velocities, expected.velocities)
            assert same(checkpoint.load_weights(out / checkpoint.MODEL), expected.weights)
            assert steps == len(whole.losses)
            ended, steps = ended + 1, 0


def _training(data, out):
    """A process that trains, or goes on, and a pipe that tells of its steps.

    It is a fork, because a new interpreter takes longer than the whole run.
    """
    trains, steps = os.pipe()
    child = os.fork()
    if child:
        os.close(steps)
        return child, trains
    try:
        told = {"out": out, "resume": True, "on_batch": lambda step, loss: os.write(steps, b".")}
        train("a", registry.load("numpy_impl"), data, LONG, **told)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_one(saved, tmp_path, monkeypatch, call):
    path = tmp_path / checkpoint.MODEL
    weights = checkpoint.load_weights(saved / "numpy_impl" / checkpoint.MODEL)
    checkpoint.save_weights(path, weights)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        checkpoint.save_weights(path, {name: values + 1 for name, values in weights.items()})
    assert same(checkpoint.load_weights(path), weights)


def test_ctrl_c_leaves_a_checkpoint_and_a_history_that_resume_goes_on_from(tmp_path):
    common = ["train", "--impl", "numpy_impl", "--out", str(tmp_path), "--epochs"]
    command = [sys.executable, "-m", "side_by_side", *common, "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    written = tmp_path / "numpy_impl" / history.FILE
    while not (written.exists() and written.read_text().count("\n") > 2) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume goes on from there" in errors
    assert "Traceback" not in errors
    steps = checkpoint.load(tmp_path / "numpy_impl" / checkpoint.RESUME).step
    epochs = history.read(written, steps)
    assert sum(len(epoch.losses) for epoch in epochs) == steps
    result = CliRunner().invoke(app, [*common, str(epochs[-1].epoch + 1), "--resume"])
    assert result.exit_code == 0, result.stderr


# Corrupt and foreign files


def broken(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        checkpoint.load(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_cut_or_changed_file_is_refused(saved, tmp_path):
    good = (saved / "numpy_impl" / checkpoint.RESUME).read_bytes()
    for length in (0, 7, 8, 100, len(good) // 2, len(good) - 1):
        assert broken(tmp_path / "cut", good[:length])
    assert "damaged" in broken(tmp_path / "long", good + b"\0")
    assert "damaged" in broken(tmp_path / "header", good.replace(b'"data_offsets"', b'"data_offsats"'))


class Trap:
    """A pickle that does something when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_no_pickle_is_ever_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "pickles are never loaded" in broken(tmp_path / "pickle", pickle.dumps(Trap()))
    torch.save({"0.weight": torch.ones(1), "trap": Trap()}, tmp_path / "net.pt")
    assert "pickles are never loaded" in broken(tmp_path / "net.pt", (tmp_path / "net.pt").read_bytes())
    assert not (tmp_path / "sprung").exists()


def test_foreign_files_are_told_from_checkpoints(saved, tmp_path):
    assert "no safetensors file" in broken(tmp_path / "text", b"no tensors here, just words\n" * 20)
    weights = safetensors.numpy.save({"0.weight": np.ones((2, 2))})
    assert "weights but no checkpoint of a run" in broken(tmp_path / "weights", weights)
    assert "0.weight holds int64" in broken(tmp_path / "ints", safetensors.numpy.save({"0.weight": np.ones(2, int)}))
    nans = safetensors.numpy.save({"0.weight": np.array([np.nan])})
    assert "0.weight holds numbers that are not finite" in broken(tmp_path / "nans", nans)
    assert "no weights in it" in broken(tmp_path / "empty", safetensors.numpy.save({}))
    metadata = {"format": checkpoint.FORMAT, "place": "{}", "settings": "{}"}
    odd = safetensors.numpy.save({"0.weight": np.ones(2)}, metadata)
    assert "its place in the run cannot be read" in broken(tmp_path / "odd", odd)
    no_settings = {**metadata, "place": '{"epoch": 0, "batch": 0, "step": 0}', "settings": "[1]"}
    odd = safetensors.numpy.save({"0.weight": np.ones(2)}, no_settings)
    assert "its place in the run cannot be read" in broken(tmp_path / "odd", odd)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        checkpoint.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"step": 16}, "step 16 is not batch 0 of epoch 3"),
        (
            {"velocities": {"4.weight": np.ones(2)}},
            r"a velocity of 4\.weight with shape \(2,\), which the net does not",
        ),
        ({"velocities": {"0.bias": np.ones(1)}}, r"a velocity of 0\.bias with shape \(1,\), which the net does not"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(saved, data, changed, says):
    found = checkpoint.load(saved / "numpy_impl" / checkpoint.RESUME)
    with pytest.raises(UserError, match=says):
        Trainee("a", registry.load("numpy_impl"), data, SHORT).restore(replace(found, **changed))


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_another_net_are_refused_in_one_line(saved, data, name):
    weights = checkpoint.load_weights(saved / name / checkpoint.MODEL)
    with pytest.raises(UserError, match=r"do not fit a net of sizes 64-13-10: .*0\.weight.*12, 64"):
        Trainee(name, registry.load(name), data, replace(SHORT, sizes=(64, 13, 10)), weights)
    with pytest.raises(UserError, match=r"0\.weight.*fc1"):
        Trainee(name, registry.load(name), data, SHORT, {"fc1": weights["0.bias"]})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--resume"], "--resume needs --out"),
        (
            ["--resume", "--out", "nowhere"],
            "nothing to resume in nowhere, expected nowhere/numpy_impl/resume.safetensors",
        ),
        (
            ["--resume", "--lockstep", "--out", "nowhere", "--impl", "pure_python"],
            "--lockstep keeps no checkpoints",
        ),
        (["--weights", "nowhere"], "nowhere: cannot be read: No such file or directory"),
    ],
)
def test_the_command_says_in_one_line_what_it_cannot_go_on_from(arguments, says):
    result = CliRunner().invoke(app, ["train", "--impl", "numpy_impl", *arguments])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_the_command_begins_with_weights_of_a_file(saved, tmp_path):
    file = str(saved / "torch_manual" / checkpoint.MODEL)
    arguments = ["train", "--impl", "numpy_impl", "--sizes", "64-12-10", "--epochs", "1", "--weights", file]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0
    first = history.read(tmp_path / "numpy_impl" / history.FILE, 45)[0].losses[0]
    assert first < 2  # and not the 2.3 of a net that knows nothing
