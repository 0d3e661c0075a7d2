"""pure_python's ladder by another Python: real times where one answers, and nothing where none does."""

import os
import sys
from pathlib import Path

import pytest

from shared_specs.workloads import rows
from side_by_side.bench import elsewhere, session
from side_by_side.bench.cells import MODES, Cell, Settings
from side_by_side.bench.results import Document, Entry, Run, problems, read
from side_by_side.bench.statistics import Interval
from side_by_side.bench.story import ladder

MATMUL = next(row for row in rows(["builtin"]) if row.work == "matmul")
OURS = Cell("matmul", MATMUL.size, "builtin", "float64", "cpu", 1, "pure_python")
OTHER = f"pure_python py{elsewhere.PYTHONS[-1]}"


@pytest.fixture
def pythons(tmp_path, monkeypatch):
    """A PATH on which every other Python is there in name only, except the last: that one is this."""
    for version in elsewhere.PYTHONS:
        stub = tmp_path / f"python{version}"
        answers = version == elsewhere.PYTHONS[-1]
        stub.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n' if answers else "#!/bin/sh\nexit 127\n")
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.fixture
def run():
    """A run that timed one rung."""
    known = {"pure_python": {"kind": "implementation", "limit": "limit:python", "version": "1", "lines": 500}}
    place = {" | ".join(OURS.row): {"stage": "layer", "multiply_adds": MATMUL.multiply_adds, "width": None}}
    entries = {OURS: Entry(OURS, "timed", time=Interval(1e-3, 1e-3, 1e-3, 0.97))}
    return Run({}, known, place, entries, "abc", asked=["pure_python"])


def test_the_ladder_has_a_column_of_the_other_python(pythons, tmp_path):
    document = session.Session(Settings(["pure_python"], MODES["quick"], stages=["layer"])).run()
    columns = ladder(document.runs[0])
    assert list(columns[OTHER]) == list(columns["pure_python"])
    entry = document.runs[0].entries[OURS.by(OTHER)]
    assert entry.ulps < 100
    assert entry.ratio is None
    saved = tmp_path / "bench.json"
    saved.write_text(document.to_json(), encoding="utf-8")
    assert read(saved) == document


def test_a_wrong_product_is_told_and_has_no_time(pythons, run, monkeypatch):
    product = MATMUL.answer()["c"]
    wrong = [[2 * value for value in row] for row in product]
    answer = {"builtin": {"seconds": [1.0], "product": product}, "sumprod": {"seconds": [0.5], "product": wrong}}
    monkeypatch.setattr(elsewhere, "answer", lambda python, mode: answer)
    elsewhere.add_ladder(run, MODES["quick"])
    (name,) = set(ladder(run)) - {"pure_python"}
    assert ladder(run)[name] == {"builtin": 1.0}
    assert run.entries[OURS.by(name)._replace(rung="sumprod")].status == "wrong"
    (told,) = problems(Document([run]))
    assert told.startswith(f"{name}: matmul sumprod")


def test_without_another_python_nothing_is_added(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    elsewhere.add_ladder(run, MODES["quick"])
    assert list(run.entries) == [OURS]


def test_where_pure_python_was_not_asked_for_no_other_python_is(pythons, run):
    run.asked = ["numpy_impl"]
    elsewhere.add_ladder(run, MODES["quick"])
    assert list(run.entries) == [OURS]


def test_the_child_needs_the_standard_library_alone():
    source = Path(elsewhere.__file__).with_name("ladder.py").read_text(encoding="utf-8")
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported - {"pure_python"} <= sys.stdlib_module_names
