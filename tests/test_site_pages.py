"""The pages as a reader gets them: complete, small, without requests; and the try-it net against the oracle."""

import html
import json
import random
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared_specs import STAGES, oracle, report
from shared_specs.contract import STAGE_NAMES
from side_by_side.cli import app
from side_by_side.reading import ledger, trace, values
from side_by_side.reading.site import build

STATIC = Path(build.__file__).parent / "static"
PAGES = ["index", *STAGES, "questions", "try"]


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The pages, made once, with no runs of specs or bench to show."""
    out = tmp_path_factory.mktemp("site") / "pages"
    result = CliRunner().invoke(app, ["site", "--out", str(out), "--reports", "none", "--results", "none"])
    assert result.exit_code == 0, result.output
    return out


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


def test_runs_are_shown_with_their_day(tmp_path):
    """Old results look as if they were today's."""
    spec = report.SpecResult("specs/test_neuron.py::test_relu_keeps_nan[x]", "neuron", None, "failed")
    (tmp_path / "reports").mkdir()
    run = report.ImplementationReport("numpy_impl", "0", "cpu", ["float64"], specs=[spec])
    report.write(report.Report([run]), tmp_path / "reports" / "numpy_impl.json")
    found = build.evidence.gather(tmp_path / "reports", tmp_path)
    assert found.state("test_relu_keeps_nan") == "fails in numpy_impl"
    assert found.state("test_of_another_name") == "not run here"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", found.specs_from)


def test_other_folders_are_left_alone(tmp_path):
    """The pages are written over somebody's files."""
    (tmp_path / "thesis.tex").write_text("years of work")
    result = CliRunner().invoke(app, ["site", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "thesis" in str(list(tmp_path.iterdir()))
    assert len(list(tmp_path.iterdir())) == 1


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")


@needs_node
def test_the_try_it_net_is_the_oracle():
    """The JavaScript net differs from exact arithmetic by more than 1e-12, on any of 50 random nets."""
    rng = random.Random(0)

    def numbers(*shape):
        return [numbers(*shape[1:]) for _ in range(shape[0])] if shape else round(rng.uniform(-2, 2), 1)

    sizes = {"x": (3, 2), "target": (3, 1), "w1": (2, 3), "b1": (3,), "w2": (3, 1), "b2": (1,)}
    nets = [{name: numbers(*shape) for name, shape in sizes.items()} for _ in range(50)]
    asked = [{name: [v] if name in ("b1", "b2") else v for name, v in net.items()} for net in nets]
    script = f"const {{pass, plain}} = require({json.dumps(str(STATIC / 'net.js'))});\n" + (
        f"const nets = {json.dumps(asked)};\n"
        "console.log(JSON.stringify(nets.map(n => "
        "Object.fromEntries(Object.entries(pass(n)).map(([k, v]) => [k, plain(v)])))));"
    )
    got = json.loads(subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True).stdout)
    for net, mine in zip(nets, got, strict=True):
        exact = ledger.exact_pass(ledger.Problem(**net))
        assert {*mine} == {"l1", "l2", "output", "loss", *(n for n in exact if re.fullmatch(r"\w+\.g", n))}
        for name, array in mine.items():
            for value, right in zip(oracle.flat(array), oracle.flat(exact[name]), strict=True):
                assert abs(value - float(right)) <= 1e-12 * max(1, abs(float(right))), name


CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not here")


def seen(site, tmp_path, page, address="", script=""):
    """What a page is in Chromium, after its scripts and one more; an error or a request fails."""
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    watch = "<script>window.onerror = said => { document.title = `error: ${said}`; };</script>"
    text = text.replace("<head>", f"<head>{watch}").replace("</body>", f"<script>{{{script}}}</script></body>")
    place = site / f"_{page}.html"
    place.write_text(text, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    command = [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", f"{place.as_uri()}{address}"]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    place.unlink()
    assert "<title>error" not in dom, re.search("<title>.*?</title>", dom).group()
    return dom


@needs_chromium
def test_an_address_brings_its_view_back(site, tmp_path):
    """A link with versions and a symbol in it opens another view."""
    dom = seen(site, tmp_path, "backward", "#linear_grad&v=linear_grad:1-3&s=x")
    block = dom[dom.index('data-of="linear_grad"') :]
    assert re.search(r'<details class="pair" data-pair="1-3"[^>]*>', block).group().count("hidden") == 0
    assert 'hidden="until-found"' in re.search(r'<details class="pair" data-pair="0-1"[^>]*>', block).group()
    assert '<mi data-s="x" class="lit">x</mi>' in dom
    assert '<u data-s="x" class="lit">x</u>' in block
    assert 'data-s="w" class="lit"' not in dom


DO = """
const said = [];
document.querySelector('#linear_grad .symbols button[data-s=w]').click();
said.push(location.hash, document.querySelectorAll('#linear_grad u.lit[data-s=w]').length > 3);
const b = document.querySelector('[data-of=linear_grad] .b');
b.value = 2; b.onchange();
said.push(location.hash);
const cell = document.querySelector('#linear_grad td[data-from*=x-0-0]');
cell.focus();
said.push(document.querySelectorAll('#linear_grad td.lit').length);
said.push(document.querySelector('#linear_grad .sum').textContent);
const find = document.querySelector('#linear_grad .find');
find.querySelector('button:not([data-wrong])').click();
said.push(find.querySelector('details').open);
find.querySelector('[data-wrong]').click();
said.push(find.querySelector('details').open);
const box = document.querySelector('.filter input');
box.value = 'sg'; box.oninput();
said.push(document.querySelector('.filter ul').textContent);
document.body.dataset.said = JSON.stringify(said);
"""


@needs_chromium
def test_choices_show_and_stand_in_the_address(site, tmp_path):
    """A symbol, a version, a cell, a line or the filter box answers with something else, or the address forgets it."""
    dom = seen(site, tmp_path, "backward", script=DO)
    said = json.loads(html.unescape(re.search(r'data-said="(.*?)"', dom).group(1)))
    assert said[:2] == ["#linear_grad&s=w", True]
    assert said[2] == "#linear_grad&v=linear_grad:0-2&s=w"
    assert said[3] == 7  # the cell itself, and three products of two
    assert said[4] == "grad_w[0, 0] = 0.5 · 0.1273 + (−0.2) · 0.1433 + 0.7 · (−0.05533) = −0.003733"
    assert said[5:] == [False, True, "SGD"]


@needs_chromium
def test_numbers_that_are_tried_stand_in_the_address(site, tmp_path):
    """The gradients do not follow, or another address gives other numbers."""
    kept = "1,-0.3,-0.2,0.8,0.7,0.1,0.4,-0.6,0.9,0.6,-0.4,0.2,0.3,0.9,-0.7,0.1,-0.2,0.3,0.5,-0.8,0.7,0.2"
    change = "const i = inputs[0]; i.value = 1; i.oninput(); document.body.dataset.said = location.hash;"
    dom = seen(site, tmp_path, "try", script=change)
    assert html.unescape(re.search(r'data-said="(.*?)"', dom).group(1)).endswith(f"values={kept.replace(',', '%2C')}")
    again = seen(site, tmp_path, "try", address=f"#&values={kept.replace(',', '%2C')}")
    exact = ledger.exact_pass(ledger.Problem(**{**values.NET.givens(), "x": [[1.0, -0.3], *values.NET.x[1:]]}))
    loss = re.search(r'data-array="loss".*?<td[^>]*>([^<]*)</td>', again, re.DOTALL).group(1)
    assert loss == trace.numbers(float(exact["loss"]))


@needs_chromium
@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_an_error(site, tmp_path, page):
    """A script of a page breaks, or a page is wider than a phone."""
    dom = seen(
        site, tmp_path, page, script="document.body.dataset.said = document.documentElement.scrollWidth - innerWidth;"
    )
    assert int(re.search(r'data-said="(.*?)"', dom).group(1)) <= 0
