"""What holds for fastai_module alone: fastai's Module as it is, and a real Learner that leaves nothing behind."""

import random
import sys
from abc import ABC, ABCMeta

import fastai.torch_core as fastai
import pytest
import torch
from fastai.learner import Learner
from fastai.optimizer import Optimizer
from torch import nn

import fastai_module as net


def fit(**kwargs):
    """Two epochs of two batches."""
    x, target = net.asarray([[1, 2], [3, 4], [5, 6]], "float64"), net.asarray([[1], [2], [3]], "float64")
    model = net.Model([2, 4, 1], seed=0, dtype="float64")
    return net.fit(model, net.Batches(x, target, 2, 0), net.SGD(model.parameters(), 0.01), epochs=2, **kwargs)


def test_module_is_fastais_and_sequential_torchs():
    """Something of the framework is bent, so that the package does not show it as it is."""
    assert net.Module is fastai.Module
    assert net.Sequential is nn.Sequential
    assert net.Parameter is nn.Parameter
    for module in (net.Linear, net.ReLU, net.MSELoss, net.CrossEntropyLoss, net.Model):
        assert not {*vars(module)} & {*vars(nn.Module)} - {"__init__", "forward", "__module__", "__doc__"}


def test_fastai_modules_need_no_super_init():
    """The book's promise: a fastai Module works without calling its base class."""

    class Brief(net.Module):
        def __init__(self):
            self.fc1 = net.Linear(1, 1, seed=0)

    assert [name for name, _ in Brief().named_parameters()] == ["fc1.weight", "fc1.bias"]


def test_nn_module_needs_it():
    """The contrast: the same class on `nn.Module` fails."""

    class Brief(nn.Module):
        def __init__(self):
            self.fc1 = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Brief()


def test_fastai_module_meets_a_metaclass_conflict_with_abc():
    """The price of that comfort; should fastai lift it, the documentation must say so."""
    with pytest.raises(TypeError, match="metaclass conflict"):
        type(fastai.Module)("Abstract", (fastai.Module, ABC), {})
    assert not issubclass(type(fastai.Module), ABCMeta)


def test_the_optimizer_is_fastais():
    """SGD no longer runs through fastai's Optimizer."""
    assert isinstance(net.SGD(net.Linear(1, 1).parameters(), 0.1), Optimizer)


def test_fit_runs_a_real_learner(monkeypatch):
    """fit has a loop of its own instead of fastai's."""
    ran = []
    monkeypatch.setattr(Learner, "_do_fit", lambda self, do_fit=Learner._do_fit: (ran.append(self), do_fit(self)))
    assert len(fit()) == 4
    assert isinstance(ran[0], Learner)


def test_nothing_is_drawn_and_nothing_is_written(monkeypatch, tmp_path, capsys):
    """A log file fills with progress bars, or a folder with a Learner's files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit()
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_fit_leaves_the_global_generators_alone():
    """fastai's own DataLoader draws from both when it is made and when it begins."""
    before = random.getstate(), torch.random.get_rng_state().tolist()
    fit()
    assert before == (random.getstate(), torch.random.get_rng_state().tolist())


def test_fit_takes_batches_that_end_or_have_no_length():
    """Where a Learner asks for a length there is none, or a length of 0 divides."""
    x, target = net.asarray([[1, 2], [3, 4]]), net.asarray([[1], [2]])
    model = net.Model([2, 1], seed=0)
    optimizer = net.SGD(model.parameters(), 0.01)
    assert len(net.fit(model, [(x, target)] * 3, optimizer, epochs=2)) == 6
    assert len(net.fit(model, iter([(x, target)] * 3), optimizer, epochs=2)) == 3
    assert len(net.fit(model, ((x, target) for _ in range(3)), optimizer, epochs=2)) == 3
    assert net.fit(model, [], optimizer, epochs=2) == []


def test_what_on_batch_raises_comes_through():
    """fastai's Callback rewrites the message of an exception, and raises IndexError for one that has none."""

    class Enough(Exception):
        pass

    def stop(step, loss):
        raise Enough

    with pytest.raises(Enough) as caught:
        fit(on_batch=stop)
    assert caught.value.args == ()


def test_fit_keeps_the_optimizers_own_rate():
    """A Learner sets its own lr, 0.001, at the start of fit."""
    x, target = net.asarray([[1.0]], "float64"), net.asarray([[1.0]], "float64")
    model = net.Model([1, 1], seed=0, dtype="float64")
    optimizer = net.SGD(model.parameters(), 0.25, momentum=0.5, weight_decay=0.125)
    net.fit(model, [(x, target)], optimizer, epochs=2)
    assert optimizer.hypers == [{"lr": 0.25, "mom": 0.5, "wd": 0.125}]


def test_the_gradients_of_the_last_step_can_be_seen():
    """A Learner fills them with zeros right after the step."""
    x, target = net.asarray([[1.0]], "float64"), net.asarray([[1.0]], "float64")
    model, seen = net.Model([1, 1], seed=0, dtype="float64"), []
    model.load_state_dict({"layers.0.weight": net.asarray([[2.0]]), "layers.0.bias": net.asarray([0.0])})
    bias = model.layers[0].bias
    net.fit(model, [(x, target)], net.SGD(model.parameters(), 0.25), 1, lambda *_: seen.append(bias.grad.tolist()))
    assert seen == [bias.grad.tolist()] == [[2.0]]  # 2 (2·1 + 0 − 1)


def test_losses_keep_float64():
    """fastai's own losses round float64 to float32 on the way."""
    output = net.asarray([[1 / 3]], dtype="float64")
    assert net.mse(output, net.asarray([[0.0]], dtype="float64")).item() == (1 / 3) ** 2
    assert net.cross_entropy(output, net.asarray([0], "int64")).dtype == output.dtype
