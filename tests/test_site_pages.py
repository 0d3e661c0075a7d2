"""The pages as they are written: complete, small, without requests."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from shared_specs import STAGES, report
from shared_specs.contract import STAGE_NAMES
from side_by_side.cli import app
from side_by_side.reading.site import build

PAGES = ["index", *STAGES, "questions", "try"]


class Page(HTMLParser):
    """What a page has, as data."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded, self.stack, self.words = [], [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note ids, links and what is loaded."""
        named = dict(attributes)
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "a":
            self.links.append(named["href"])
        if tag in ("script", "link", "img") and (named.get("src") or named.get("href")):
            self.loaded.append(named.get("src") or named["href"])
        if tag not in ("meta", "link", "br", "input"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        """Close what was opened last."""
        assert self.stack.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        """Gather the words."""
        self.words += data


@pytest.fixture(scope="session")
def pages(site):
    """Name → page."""
    return {name: Page((site / f"{name}.html").read_text(encoding="utf-8")) for name in PAGES}


def test_every_page_is_there_and_small(site):
    """A page is missing, or takes too long to come."""
    for name in PAGES:
        assert (site / f"{name}.html").stat().st_size < 500_000


def test_every_name_has_one_address(pages):
    """A name of the contract has no place, or two; an address is there twice."""
    for stage, names in STAGE_NAMES.items():
        assert [name for name in pages[stage].ids if name in names] == list(names)
    for page in pages.values():
        assert len({*page.ids}) == len(page.ids)
        assert page.stack == []


def test_every_link_leads_somewhere(pages, site):
    """A link has no target."""
    for name, page in pages.items():
        for link in page.links:
            file, _, place = link.partition("#")
            target = pages[file.removesuffix(".html")] if file else page
            assert not place or place in target.ids, (name, link)


def test_nothing_is_fetched(pages, site):
    """A page asks another machine for something."""
    for page in pages.values():
        assert {*page.loaded} <= {"data:,", *(path.name for path in site.iterdir())}
    for path in site.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|@import|fetch\(|url\(", text), path.name


def test_pages_read_without_script(pages):
    """What a line computed, two versions beside each other, an answer or a sum is not in the page itself."""
    words = " ".join(pages["backward"].words.split())
    for part in (
        "numpy_impl beside torch_autograd, fastai_module",
        "grad_w (2, 3)",
        "grad_w[0, 0] = 0.5 · 0.1273",
        "ULP",
        "The answer Line",
        "caught by test_relu_grad",
    ):
        assert part in words


def test_pages_that_lack_a_run_say_so(pages):
    """A reader takes a missing run for a bad one."""
    assert "No run of the specs was found" in pages["index"].words
    assert "No run of the bench was found" in pages["index"].words


def test_every_page_says_from_when_it_is(pages):
    """Pages that were made from older code look like today's."""
    assert all(f"Made on {datetime.now(UTC):%Y-%m}" in page.words for page in pages.values())


def test_runs_are_shown_with_their_day(tmp_path):
    """Old results look as if they were today's."""
    failed = report.SpecResult("specs/test_neuron.py::test_relu_keeps_nan[x]", "neuron", None, "failed")
    missing = report.SpecResult("specs/test_neuron.py::test_relu_takes_a_plain_number[x]", "neuron", None, "missing")
    (tmp_path / "reports").mkdir()
    run = report.ImplementationReport("numpy_impl", "0", "cpu", ["float64"], specs=[failed, missing])
    report.write(report.Report([run]), tmp_path / "reports" / "numpy_impl.json")
    found = build.evidence.gather(tmp_path / "reports", tmp_path)
    assert found.state("test_relu_keeps_nan") == "fails in numpy_impl"
    assert found.state("test_relu_takes_a_plain_number") == "missing in 1"
    assert found.state("test_of_another_name") == "not run here"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found.specs_from)


def test_other_folders_are_left_alone(tmp_path):
    """The pages are written over somebody's files."""
    (tmp_path / "thesis.tex").write_text("years of work")
    result = CliRunner().invoke(app, ["site", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "thesis" in str(list(tmp_path.iterdir()))
    assert len(list(tmp_path.iterdir())) == 1
