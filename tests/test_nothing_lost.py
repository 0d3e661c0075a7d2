"""Nothing that a tool has written is replaced without a word."""

import pytest
from typer.testing import CliRunner

from side_by_side.cli import app

TRAIN = ("train", "--impl", "numpy_impl", "--data", "tripler", "--epochs", "2")


def cli(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        TRAIN,
        (*TRAIN, "--plots"),
        (*TRAIN, "--lockstep", "--impl", "torch_manual"),
        ("init", "--impl", "numpy_impl", "--layers", 3, "--width", 3, "--batch", 3),
    ],
)
def test_a_second_run_in_the_same_folder_is_refused_unless_it_may_overwrite(tmp_path, command):
    assert cli(*command, "--out", tmp_path).exit_code == 0
    before = contents(tmp_path)
    again = cli(*command, "--out", tmp_path)
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert "is there already; " in again.stderr
    assert "--overwrite replaces it" in again.stderr
    assert contents(tmp_path) == before
    assert cli(*command, "--out", tmp_path, "--overwrite").exit_code == 0


def test_a_run_beside_another_in_the_same_folder_is_welcome(tmp_path):
    assert cli(*TRAIN, "--out", tmp_path).exit_code == 0
    before = contents(tmp_path)
    assert cli(*TRAIN[:2], "torch_manual", *TRAIN[3:], "--out", tmp_path).exit_code == 0
    assert before.items() < contents(tmp_path).items()


def test_plots_without_a_folder_get_a_new_one_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        result = cli(*TRAIN, "--plots")
        assert result.exit_code == 0
        assert f"Pictures are in runs/{number}." in result.stdout
    assert all((tmp_path / "runs" / str(number) / "losses.png").exists() for number in (1, 2, 3))
    assert (tmp_path / "runs" / "latest").resolve() == tmp_path / "runs" / "3"


def test_a_shorter_run_does_not_go_on_from_a_longer_one(tmp_path):
    """Four epochs are shown as two."""
    assert cli(*TRAIN[:-1], 4, "--out", tmp_path).exit_code == 0
    before = contents(tmp_path)
    result = cli(*TRAIN, "--out", tmp_path, "--resume")
    assert result.exit_code == 2
    assert "4 epochs are behind it, expected --epochs 4 or more" in result.stderr
    assert contents(tmp_path) == before
