"""Reports are written whole, read back the same, and refused when they are something else."""

import json
from pathlib import Path

import pytest

from shared_specs import report
from shared_specs.report import ImplementationReport, InvalidReport, Report, SpecResult

PASSED = SpecResult("test_layer.py::test_a[net]", "layer", None, "passed")
GAP = SpecResult("test_layer.py::test_b[net-float64]", "layer", "float64", "gap", "never: MATMULS (no loops)")


def net(name: str = "net", *specs: SpecResult, device: str = "cpu") -> ImplementationReport:
    """A run of an implementation."""
    return ImplementationReport(name, "1.0", device, ["float64"], specs=list(specs))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A field is lost on the way to the file or back."""
    path = tmp_path / "report.json"
    written = Report([net("net", PASSED, GAP), net("other")])
    report.write(written, path)
    assert report.read(path) == written
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """A crash leaves half a report, or a temporary file."""
    path = tmp_path / "report.json"
    report.write(Report([net()]), path)
    before = path.read_text(encoding="utf-8")
    with pytest.raises(TypeError):
        report.write(Report([net("net", SpecResult("x", "layer", {1}, "passed"))]), path)  # type: ignore[arg-type]
    assert path.read_text(encoding="utf-8") == before
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"implementations": 3}', '{"implementations": [{}], "python": "", "shared_specs": ""}', "\xff"],
)
def test_foreign_content_is_refused(tmp_path: Path, content: str) -> None:
    """Another tool's JSON ends in a traceback, or in an empty table."""
    path = tmp_path / "report.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InvalidReport, match="is no report of the specs"):
        report.read(path)


def test_counts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    """An edited report is believed."""
    path = tmp_path / "report.json"
    report.write(Report([net("net", PASSED)]), path)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["implementations"][0]["stages"]["layer"]["passed"] = 100
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidReport, match="counts of net do not add up"):
        report.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A wrong path ends in a traceback."""
    with pytest.raises(InvalidReport, match="No such file"):
        report.read(tmp_path / "report.json")


def test_merging_keeps_every_implementation_and_the_latest_run_of_each() -> None:
    """A column of the matrix is lost, or comes twice."""
    earlier, later, cuda = net("net"), net("net", PASSED), net("net", device="cuda")
    assert report.merge([Report([earlier, cuda]), Report([later, net("other")])]).implementations == [
        later,
        cuda,
        net("other"),
    ]


def test_the_matrix_shows_what_happened_and_a_dash_for_nothing() -> None:
    """A stage that did not run looks like one that passed."""
    lines = report.matrix([net("net", PASSED, GAP), net("other")])
    assert lines[0].split() == ["stage", "net", "other"]
    assert lines[3] == "layer     1 passed, 1 gap  –"
    assert report.notes([net("net", PASSED, GAP)]) == ["net, gap: never: MATMULS (no loops) (1 spec)"]
