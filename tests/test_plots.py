"""Pictures and init experiments: each shows what it says, and is written in both formats."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

import numpy_impl
import torch_manual
from side_by_side.cli import app
from side_by_side.tables import UserError
from side_by_side.training import init, plots
from side_by_side.training.data import digits, load
from side_by_side.training.preparation import Preparation
from side_by_side.training.train import Run, train
from side_by_side.training.trainee import Settings

SHORT = Settings(epochs=2)


def cli(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def data():
    return digits(0)


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Fewer dots, which are drawn faster."""
    monkeypatch.setattr(plots, "DPI", 30)


@pytest.fixture(scope="module")
def runs(data):
    return [train("numpy_impl", numpy_impl, data, SHORT), train("torch_manual", torch_manual, data, SHORT)]


def test_all_pictures_are_written_as_png_and_svg(runs, data, tmp_path):
    files = plots.save_all(runs[:1], data, tmp_path)
    names = ("losses", "gradient-norms", "validation", "numpy_impl/first-weights", "numpy_impl/confusion")
    expected = {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert {str(file.relative_to(tmp_path)) for file in files} == expected
    for file in files:
        if file.suffix == ".png":
            assert imread(file).std() > 0.01
        else:
            assert file.read_text().startswith("<?xml")


def test_the_same_run_draws_the_same_svg(runs, data, tmp_path):
    first, again = (plots.save(plots.losses(runs, data), tmp_path / name)[1].read_bytes() for name in "ab")
    assert first == again


def test_losses_shows_a_curve_each_and_the_differences_below(runs, data):
    above, below = plots.losses(runs, data).axes
    assert len(plots.losses(runs[:1], data).axes) == 1
    assert [line.get_label() for line in above.get_lines()] == ["every batch", "numpy_impl", "torch_manual"]
    assert list(above.get_lines()[0].get_ydata()) == runs[0].losses
    assert np.nanmax(below.get_lines()[0].get_ydata()) < 1e-12


def test_curves_on_top_of_each_other_are_drawn_ever_thinner(runs, data):
    five = [replace(runs[0], implementation=name) for name in "abcde"]
    widths = [line.get_linewidth() for line in plots.losses(five, data).axes[0].get_lines()[1:]]
    assert len(widths) == 5
    assert all(thin < broad - 1 for broad, thin in pairwise(widths))


def test_a_run_that_diverged_does_not_flatten_the_others(runs, data):
    wild = train("wild", numpy_impl, data, Settings(lr=1e4, weight_decay=1.0))
    assert max(loss for loss in wild.losses if math.isfinite(loss)) > 1e100
    above, _ = plots.losses([wild, *runs], data).axes
    assert above.get_ylim()[1] < 1e6
    assert above.get_legend().get_texts()[1].get_text() == "wild (diverged)"
    assert plots.gradient_norms([wild, *runs]).axes[0].get_ylim()[1] < 1e6


def test_gradient_norms_has_a_panel_a_parameter(runs):
    axes = plots.gradient_norms(runs).axes
    assert [axis.get_title(loc="left").split()[2].strip(",") for axis in axes] == [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    ]
    assert axes[0].get_lines()[0].get_ydata()[0] == runs[0].epochs[0].grad_norms["0.weight"] > 0


def test_first_weights_are_tiled_unit_by_unit(runs):
    image = plots.first_weights(runs[0], (8, 8)).axes[0].get_images()[0].get_array()
    assert image.shape == (5 * 9 - 1, 10 * 9 - 1)
    assert np.array_equal(image[9:17, 18:26], runs[0].weights["0.weight"][12].reshape(8, 8))


def test_confusion_counts_every_sample_of_the_test_part(runs, data):
    counts = plots.confusion_matrix(runs[0], data)
    assert counts.sum() == 180
    assert np.trace(counts) / 180 == pytest.approx(runs[0].score)
    assert np.array_equal(counts.sum(axis=1), np.bincount(data.y_test))


def test_a_regression_and_a_diverged_run_draw_what_they_have(tmp_path):
    data = load("tripler")
    fine = train("numpy_impl", numpy_impl, data, Settings((1, 1), epochs=2, lr=0.1))
    wild = train("wild", numpy_impl, data, Settings((1, 1), epochs=2, lr=1e40))
    assert wild.failed
    names = {file.name for file in plots.save_all([wild, fine, Run("out", problem="not run")], data, tmp_path)}
    expected = ("losses", "gradient-norms", "validation", "predicted")
    assert names == {f"{name}.{kind}" for name in expected for kind in ("png", "svg")}


def test_pictures_have_a_bounded_size_whatever_the_data(data, runs):
    """A thousand classes make a picture that no memory holds."""
    n = 477
    many = replace(data, n_classes=n, y_test=np.arange(180) % n, preparation=Preparation())
    run = replace(runs[0], outputs=np.eye(n)[np.arange(180)])
    assert max(plots.confusion(run, many).get_size_inches()) <= plots.LARGEST
    names = {f"{2 * i}.{kind}": 1.0 for i in range(100) for kind in ("weight", "bias")}
    deep = replace(runs[0], epochs=[replace(epoch, grad_norms=names) for epoch in runs[0].epochs])
    assert max(plots.gradient_norms([deep]).get_size_inches()) <= plots.LARGEST


def test_confusion_says_what_the_classes_are_called(data, runs):
    named = replace(data, preparation=replace(data.preparation, classes=tuple("abcdefghij")))
    axis = plots.confusion(runs[0], named).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list("abcdefghij")


def test_predicted_stands_against_true_in_the_unit_of_the_target():
    data = load("diabetes")
    run = train("numpy_impl", numpy_impl, data, Settings((10, 4, 1), epochs=2, lr=0.005))
    true = plots.predicted(run, data).axes[0].get_lines()[1].get_xdata()
    assert true == pytest.approx(data.preparation.numbers(data.y_test).ravel())
    assert 20 < true.min() < true.max() < 400


def test_a_folder_that_cannot_be_written_is_told(runs, data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        plots.save(plots.losses(runs, data), tmp_path / "file" / "losses")


# Init


@pytest.fixture(scope="module")
def stacks():
    return init.experiment(numpy_impl)


def test_the_stacks_do_what_the_chapter_says(stacks):
    assert [init.verdict(layers).split(" at ")[0].split(" from ")[0] for layers in stacks.values()] == [
        "overflows",
        "all 0",
        "carries on",
        "vanishes",
        "carries on",
    ]
    exploding, vanishing, xavier, xavier_relu, kaiming = stacks.values()
    assert exploding[0].std == pytest.approx(10, rel=0.1)
    assert vanishing[0].std == pytest.approx(0.1, rel=0.1)
    assert xavier[-1].std == pytest.approx(1, rel=0.6)
    assert (xavier_relu[0].mean, xavier_relu[0].std) == (pytest.approx(0.399, rel=0.05), pytest.approx(0.584, rel=0.05))
    assert xavier_relu[-1].std < 1e-6
    assert (kaiming[0].mean, kaiming[0].std) == (pytest.approx(0.564, rel=0.05), pytest.approx(0.826, rel=0.05))
    assert 0.07 < kaiming[-1].std < 2.2


def test_histograms_count_every_activation_that_is_not_0(stacks):
    for layers in stacks.values():
        for layer in layers:
            assert not layer.finite or layer.histogram.sum() == pytest.approx((1 - layer.zeros) * 200 * 100)


def test_init_stacks_has_a_column_a_scheme(stacks, tmp_path):
    files = plots.save_init(stacks, tmp_path / "init", "numpy_impl")
    assert [file.name for file in files] == ["init.png", "init.svg"]
    assert len(plots.init_stacks(stacks, "numpy_impl").axes) == 3 * 5 + 1


def test_the_init_command_prints_a_row_a_scheme(tmp_path):
    small = ["init", "--layers", "8", "--width", "10", "--batch", "20"]
    result = cli(*small, "--impl", "pure_python", "--impl", "numpy_impl")
    assert result.exit_code == 0
    assert all(result.stdout.count(scheme.name) == 2 for scheme in init.SCHEMES)
    result = cli(*small, "--impl", "numpy_impl", "--out", str(tmp_path))
    assert (tmp_path / "init-numpy_impl.svg").exists()


def test_the_train_command_draws_with_plots(tmp_path):
    result = cli("train", "--impl", "numpy_impl", "--data", "tripler", "--plots", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert f"Pictures are in {tmp_path}." in result.stdout
    assert (tmp_path / "losses.png").exists()
