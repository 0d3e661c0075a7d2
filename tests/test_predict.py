"""A trained net in use: the same predictions from every implementation, and from plain torch as the README shows it."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from shared_specs import registry
from side_by_side.cli import app

README = Path(__file__).parents[1] / "packages/side_by_side/README.md"
RNG = np.random.default_rng(0)
SIZES = RNG.normal(5, 2, 200)
COLOURS = RNG.choice(["red", "blue"], 200)
PETS = np.where(SIZES + (COLOURS == "red") > 5.5, "dog", "cat")
PRICES = 1000 * SIZES + 300 * (COLOURS == "red")


def cli(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def write(path, target, values):
    rows = zip(SIZES, COLOURS, values, strict=True)
    path.write_text(f"size,colour,{target}\n" + "".join(f"{size},{colour},{value}\n" for size, colour, value in rows))
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pets.csv and prices.csv, and a net trained on each."""
    folder = tmp_path_factory.mktemp("trained")
    for name, target, values in (("pets", "pet", PETS), ("prices", "price", PRICES)):
        data = write(folder / f"{name}.csv", target, values)
        result = cli("train", "--impl", "numpy_impl", "--data", data, "--out", folder / name, "--epochs", 20)
        assert result.exit_code == 0, result.output
    return folder


def model(trained, name):
    return trained / name / "numpy_impl" / "model.safetensors"


def predicted(trained, name, *more):
    result = cli("predict", "--weights", model(trained, name), "--data", trained / f"{name}.csv", *more)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return list(csv.DictReader(result.stdout.splitlines()))


def test_classes_have_their_names_and_numbers_their_units(trained):
    pets = predicted(trained, "pets")
    assert np.mean([row["prediction"] == pet for row, pet in zip(pets, PETS, strict=True)]) > 0.9
    assert all(0.5 <= float(row["probability"]) <= 1 for row in pets)
    prices = np.array([float(row["price"]) for row in predicted(trained, "prices")])
    assert np.abs(prices - PRICES).mean() < 0.1 * PRICES.std()


@pytest.mark.parametrize("name", registry.implementations())
def test_every_implementation_predicts_the_same(trained, name):
    for data in ("pets", "prices"):
        mine, other = predicted(trained, data, "--impl", name), predicted(trained, data, "--impl", "numpy_impl")
        for row, expected in zip(mine, other, strict=True):
            assert row.get("prediction") == expected.get("prediction")
            number = list(row.values())[-1]
            assert float(number) == pytest.approx(float(list(expected.values())[-1]), rel=1e-9)


def test_plain_torch_predicts_the_same_as_the_readme_shows(trained, tmp_path, monkeypatch, capsys):
    """What the README says of torch alone does not run, or gives other predictions."""
    (block,) = (
        code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "safe_open" in code
    )
    assert len(block.partition("\n\n")[2].splitlines()) == 5
    x = np.column_stack([SIZES, COLOURS == "blue", COLOURS == "red"]).astype("float64")
    folder = tmp_path / "runs" / "first" / "numpy_impl"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(model(trained, "pets").read_bytes())
    monkeypatch.chdir(tmp_path)
    given = {"x": x}
    exec(block, given)
    assert capsys.readouterr().out.strip() == str([row["prediction"] for row in predicted(trained, "pets")])


def test_columns_are_found_by_name_whatever_else_is_in_the_file(trained, tmp_path):
    rows = "".join(f"{pet};{colour};{size}\n" for size, colour, pet in zip(SIZES, COLOURS, PETS, strict=True))
    (tmp_path / "other.csv").write_text("who;colour;size\n" + rows)
    result = cli("predict", "--weights", model(trained, "pets"), "--data", tmp_path / "other.csv")
    assert list(csv.DictReader(result.stdout.splitlines())) == predicted(trained, "pets")


def test_arrays_and_weights_without_metadata_are_taken_as_they_are(trained, tmp_path):
    """Weights from elsewhere are refused, or scaled by something invented."""
    save_file(load_file(model(trained, "prices")), tmp_path / "bare.safetensors")
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 3)))
    result = cli("predict", "--weights", tmp_path / "bare.safetensors", "--data", tmp_path / "x.npz")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "target"
    assert "does not tell of scaling" in result.stderr


def test_data_that_are_built_in_go_by_their_names(tmp_path):
    """Who has trained on digits has to write them into a file to see what the net says of them."""
    assert cli("train", "--impl", "numpy_impl", "--epochs", 3, "--out", tmp_path).exit_code == 0
    result = cli("predict", "--weights", tmp_path / "numpy_impl/model.safetensors", "--data", "digits")
    said = [row["prediction"] for row in csv.DictReader(result.stdout.splitlines())]
    assert np.mean(np.array(said) == load_digits().target.astype(str)) > 0.85
    result = cli("predict", "--weights", tmp_path / "numpy_impl/model.safetensors", "--data", "mnist")
    assert result.stderr == "side-by-side: no t10k-images-idx3-ubyte or t10k-images-idx3-ubyte.gz in mnist\n"


def test_predictions_go_to_a_file_that_is_not_replaced_without_a_word(trained, tmp_path):
    command = (
        "predict",
        "--weights",
        model(trained, "pets"),
        "--data",
        trained / "pets.csv",
        "--out",
        tmp_path / "p.csv",
    )
    assert cli(*command).exit_code == 0
    written = (tmp_path / "p.csv").read_text()
    assert list(csv.DictReader(written.splitlines())) == predicted(trained, "pets")
    assert "--overwrite replaces it" in cli(*command).stderr
    assert cli(*command, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("size,pet\n1,cat\n", "no column 'colour' among size, pet"),
        ("size,colour\n1,green\n", "line 2, colour: 'green' is none of blue, red"),
        ("size,colour\nbig,red\n1,red\n", "line 2, size: 'big' is no finite number"),
        ("size,colour\n1e200,red\n", "line 2, size: 1e200 is no finite number, or too large"),
    ],
)
def test_samples_that_the_net_cannot_read_are_told_with_line_and_column(trained, tmp_path, text, says):
    (tmp_path / "new.csv").write_text(text)
    result = cli("predict", "--weights", model(trained, "pets"), "--data", tmp_path / "new.csv")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_weights_that_are_no_net_or_of_another_width_are_told(trained, tmp_path):
    save_file({"fc1.weight": np.zeros((1, 3))}, tmp_path / "odd.safetensors")
    np.savez(tmp_path / "x.npz", x=np.zeros((3, 7)))
    for weights, says in (
        (tmp_path / "odd.safetensors", "weights fc1.weight, expected"),
        (model(trained, "pets"), "samples of 7 numbers, expected 3"),
        (tmp_path / "none", "none: cannot be read: No such file or directory"),
    ):
        result = cli("predict", "--weights", weights, "--data", tmp_path / "x.npz")
        assert result.exit_code == 2
        assert says in result.stderr
