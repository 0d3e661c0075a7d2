"""What holds for fastai_module alone: a Module without `super().__init__()`, a real Learner and its progress bar."""

import sys
from abc import ABC, ABCMeta

import fastai.torch_core as fastai
import pytest
from fastai.learner import Learner
from fastai.optimizer import Optimizer
from torch import nn

import fastai_module as net
import fastai_module.training


def fit(**kwargs):
    """Two epochs of two batches."""
    x, target = net.asarray([[1, 2], [3, 4], [5, 6]], "float64"), net.asarray([[1], [2], [3]], "float64")
    model = net.Model([2, 4, 1], seed=0, dtype="float64")
    return net.fit(model, net.Batches(x, target, 2, 0), net.SGD(model.parameters(), 0.01), epochs=2, **kwargs)


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


def test_the_progress_bar_shows_when_a_person_watches(monkeypatch, capsys):
    """In a terminal nothing shows how far the training is, or fastai's Recorder fails in float64."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit()
    assert "train_loss" in capsys.readouterr().out


def test_the_progress_bar_is_silent_otherwise(capsys):
    """A log file fills with progress bars."""
    fit()
    assert capsys.readouterr().out == ""


def test_who_watches_the_batches_gets_no_second_bar(monkeypatch, capsys):
    """Two progress bars fight for one line: the caller's and fastai's."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(on_batch=lambda step, loss: None)
    assert capsys.readouterr().out == ""


def test_losses_keep_float64():
    """fastai's own losses round float64 to float32 on the way."""
    output = net.asarray([[1 / 3]], dtype="float64")
    assert net.mse(output, net.asarray([[0.0]], dtype="float64")).item() == (1 / 3) ** 2
    assert fastai_module.training.cross_entropy_flat(output, net.asarray([0], "int64")).dtype == output.dtype
