"""The pages as a reader uses them, in Chromium: by mouse, by keyboard, by address, on paper, without script."""

import random
import re
from urllib.parse import quote

import pytest

from shared_specs import STAGES, oracle, registry, report
from shared_specs.contract import STAGE_NAMES
from side_by_side.reading import code, ledger, trace, values, words
from side_by_side.reading.site import evidence, mistakes, sums
from side_by_side.reading.site.build import start

PAGES = ["index", *STAGES, "questions", "try"]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
STAGE_OF = {name: stage for stage, names in STAGE_NAMES.items() for name in names}


@pytest.fixture
def visit(browser, site):
    """Opens a page; none may have an error, say something on the console, or ask for what is not in the folder."""
    heard, opened = [], []

    def open_(page, address="", viewport=WIDE, **settings):
        opened.append(browser.new_context(viewport=viewport, **settings))
        tab = opened[-1].new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.on("request", lambda request: request.url.startswith(site.as_uri()) or heard.append(request.url))
        tab.goto(f"{(site / page).as_uri()}.html{address}")
        return tab

    yield open_
    for context in opened:
        context.close()
    assert heard == []


@pytest.fixture(scope="session")
def with_runs(site):
    """The first page of someone who has run the specs and the bench."""
    spec = report.SpecResult("test_neuron.py::test_a[net]", "neuron", None, "passed")
    runs = [report.ImplementationReport(name, "0", "cpu", ["float64"], specs=[spec]) for name in code.packages()]
    cell = {"work": "train step", "device": "cpu", "threads": 1, "dtype": "float64", "share": 0.5}
    cells = [
        {**cell, "implementation": name, "size": size, "time": {"median": 1e-5 * (i + 1)}}
        for i, name in enumerate(code.packages())
        for size in ("1, 4-8-1", "64, 784-50-10")
    ]
    bench = {"environment": {"cpu": "A processor", "cores": 2}}
    found = evidence.Evidence({}, runs, "2026-01-01 00:00 UTC", cells, bench, "2026-01-02 00:00 UTC")
    (site / "with_runs.html").write_text(start(found), encoding="utf-8")


def wider(tab):
    """What reaches beyond the right edge of the page."""
    return tab.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => document.documentElement.scrollWidth > innerWidth"
        " && e.getBoundingClientRect().right > innerWidth).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_is_no_wider_than_the_screen(visit, page):
    """A script breaks, something is asked of another machine, or a page must be moved sideways."""
    tab = visit(page)
    assert tab.locator("h1").count() == 1
    for viewport in (WIDE, PHONE):
        tab.set_viewport_size(viewport)
        assert wider(tab) == []
    tab.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
    assert wider(tab) == []


def test_every_link_leads_to_its_place(visit):
    """A link of one page to another opens nothing, or the place is not on the screen."""
    tab = visit("index")
    links = set()
    for page in PAGES:
        tab.goto(tab.url.rpartition("/")[0] + f"/{page}.html")
        links |= {*tab.evaluate("[...document.links].map(link => link.href)")}
    for link in sorted(links):
        tab.goto(link)
        place = link.partition("#")[2]
        assert not place or tab.evaluate(
            "id => { const at = document.getElementById(id).getBoundingClientRect();"
            " return at.top < innerHeight && at.bottom > 0; }",
            place,
        ), link


PAIRS = """async () => {
  const wrong = [];
  for (const block of document.querySelectorAll(".pairs")) for (const pair of block.querySelectorAll("[data-pair]")) {
    const [a, b] = pair.dataset.pair.split("-"), [left, right] = block.querySelectorAll("select");
    const shown = (one, other) => left.value === one && right.value === other
      && block.querySelector("[data-pair]:not([hidden])") === pair
      && getComputedStyle(pair.querySelector(".heads span")).order === (one === a ? "0" : "1");
    const addresses = [[a, b], [b, a]].map(([one, other]) => {
      left.value = one; left.onchange();
      right.value = other; right.onchange();
      if (!shown(one, other)) wrong.push(["chosen", location.hash]);
      return [location.hash, one, other];
    });
    for (const [address, one, other] of addresses) {
      location.hash = address;
      await new Promise(done => addEventListener("hashchange", done, { once: true }));
      if (!shown(one, other)) wrong.push(["by address", address]);
    }
  }
  return wrong;
}"""


@pytest.mark.parametrize("stage", STAGES)
def test_every_two_versions_can_be_chosen_and_come_back_by_address(visit, stage):
    """Two versions cannot be set side by side, or their address opens others."""
    tab = visit(stage)
    assert tab.evaluate(PAIRS) == []
    several = [d for name in STAGE_NAMES[stage] for d in code.units()[name].definitions if len(d.versions) > 1]
    assert tab.locator(".pairs").count() == len(several)


SYMBOLS = """() => [...document.querySelectorAll(".symbols button")].map(button => {
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  button.click();
  const lit = [...document.querySelectorAll("section .lit")], unit = button.closest("section");
  return {name: unit.id, symbol: button.textContent, address: location.hash,
    only: lit.every(part => part.dataset.s === button.dataset.s), pressed: button.getAttribute("aria-pressed"),
    formula: unit.querySelectorAll("math .lit").length, code: unit.querySelectorAll("u.lit").length};
})"""


@pytest.mark.parametrize("stage", STAGES)
def test_every_symbol_lights_up_in_the_formula_and_in_the_code(visit, stage):
    """A symbol is marked nowhere but on its button, or its letter in the formula is not."""
    for said in visit(stage).evaluate(SYMBOLS):
        assert said["address"] == f"#{said['name']}&s={said['symbol']}"
        assert said["only"], said
        assert said["pressed"] == "true"
        assert said["code"] + said["formula"] > 0, said
        assert said["code"] or said["symbol"] not in code.symbols(code.units()[said["name"]].definitions), said
        letters = words.read("ideas")[said["name"]].get("letters", {})
        assert (said["formula"] > 0) == (said["symbol"] in letters.values()), said


def test_an_address_brings_the_whole_view_back(visit):
    """A link with versions and a symbol in it opens another view."""
    first = visit("backward")
    block = first.locator('[data-of="linear_grad"]')
    block.get_by_label("Left").select_option("1")
    block.get_by_label("Right").select_option("3")
    first.locator("#linear_grad math [data-s=x]").first.click()
    address = first.evaluate("location.hash")
    assert address == "#linear_grad&v=linear_grad:1-3&s=x"
    view = "document.querySelector('#linear_grad').outerHTML"
    second = visit("backward", address)
    assert second.evaluate(view) == first.evaluate(view)
    assert second.evaluate("scrollY") > 0
    assert block.locator("details:visible").count() == 1


def test_the_search_of_the_browser_opens_versions_that_are_not_chosen(visit):
    """Code that is folded is not found."""
    first, second, third, *_ = words.varied()["linear_grad"].versions
    line = next(line.strip() for line in third.lines if line not in (*first.lines, *second.lines))
    tab = visit("backward", f"#:~:text={quote(line, safe='')}")
    tab.wait_for_function("location.hash === '#linear_grad&v=linear_grad:0-2'")
    assert tab.locator('[data-of="linear_grad"] .code:visible').get_by_text(line).is_visible()


POINT = """unit => [...document.querySelectorAll(`#${unit} td[data-from]`)].map(cell => {
  cell.focus();
  const lit = [...document.querySelectorAll(`#${unit} td.lit[data-c]`)].map(other => other.dataset.c);
  return [lit, document.querySelector(`#${unit} .sum`).textContent];
})"""


@pytest.mark.parametrize("stage", ["arrays", "neuron", "layer", "mlp", "backward"])
def test_pointing_at_a_number_lights_what_it_came_from(visit, stage):
    """A number of a result has no sum, another one's, or other cells light up."""
    tab, net = visit(stage), registry.load("pure_python")
    for name in (name for name in STAGE_NAMES[stage] if name in (*sums.WRITTEN, *sums.DECIDED)):
        found = tab.evaluate(POINT, name)
        for (lit, said), term in zip(found, oracle.flat([*sums.results(net, name).values()]), strict=True):
            assert {*lit} == {*term.cells}, name
            assert said.endswith(f" = {term.text} = {trace.numbers(term.value)}"), name


@pytest.mark.parametrize("stage", STAGES)
def test_a_mistake_is_first_looked_for_then_explained(visit, stage):
    """The answer opens before the line is found, or does not open then, or is not the one."""
    tab = visit(stage)
    kept = [mistake for mistake in mistakes.mistakes() if STAGE_OF[mistake.name] == stage]
    for find, mistake in zip(tab.locator(".find").all(), in_order(kept), strict=True):
        answer = find.locator("details")
        find.locator("button:not([data-wrong])").evaluate_all("lines => lines.forEach(line => line.click())")
        assert "Not this line" in find.locator(".said").inner_text()
        assert not answer.evaluate("details => details.open")
        find.locator("[data-wrong]").press("Enter")
        assert "This is it" in find.locator(".said").inner_text()
        assert mistake.before in answer.inner_text()
        assert mistake.spec in answer.inner_text()


def in_order(kept):
    """Mistakes as the page has them."""
    return [mistake for names in STAGE_NAMES.values() for name in names for mistake in kept if mistake.name == name]


def test_the_box_finds_a_name_by_keyboard(visit):
    """Slash, part of a name and Enter do not lead to it, or Escape does not close the list."""
    tab = visit("index")
    tab.keyboard.press("/")
    tab.keyboard.type("LINEAR")
    assert tab.locator(".filter li").all_inner_texts() == ["linear", "linear_grad", "Linear"]
    tab.keyboard.press("Escape")
    assert not tab.locator(".filter ul").is_visible()
    tab.keyboard.type("sg")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/training.html#SGD")
    assert tab.locator("#SGD h2").is_visible()


def focused(tab, what):
    """Something about what has the focus."""
    return tab.evaluate(f"document.activeElement.{what}")


def test_all_is_reached_by_keyboard(visit):
    """A reader without a mouse cannot skip the menu, choose a symbol, walk over numbers, or let go of what is lit."""
    tab = visit("neuron")
    tab.keyboard.press("Tab")
    assert focused(tab, "textContent") == "Skip to the content"
    tab.keyboard.press("Enter")
    assert focused(tab, "id") == "content"
    while focused(tab, "textContent") != "inputs":
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert tab.evaluate("location.hash") == "#neuron&s=inputs"
    while focused(tab, "tagName") != "TD":
        tab.keyboard.press("Tab")
    assert tab.locator("#neuron .sum").inner_text().startswith("out = 0.5 · 0.6")
    tab.keyboard.press("Escape")
    assert tab.locator(".lit:not(td)").count() == 0
    relu = tab.locator("#relu td[data-from]")
    relu.first.focus()
    tab.keyboard.press("ArrowLeft")
    assert relu.last.evaluate("cell => cell === document.activeElement")
    tab.keyboard.press("ArrowDown")
    assert relu.first.evaluate("cell => cell === document.activeElement")
    tab.keyboard.press("Tab")
    assert focused(tab, "tagName") == "SUMMARY"


def drawn(rng, *shape):
    """Nested lists of numbers as a reader might type them."""
    return [drawn(rng, *shape[1:]) for _ in range(shape[0])] if shape else round(rng.uniform(-2, 2), 1)


def nets(n):
    """Random nets of the size of the small one."""
    sizes = {"x": (3, 2), "target": (3, 1), "w1": (2, 3), "b1": (3,), "w2": (3, 1), "b2": (1,)}
    rng = random.Random(0)
    return [{name: drawn(rng, *shape) for name, shape in sizes.items()} for _ in range(n)]


def rows(net):
    """As the page has it: b1 and b2 are rows."""
    return {name: [array] if name in ("b1", "b2") else array for name, array in net.items()}


def test_the_try_it_net_is_the_oracle(visit):
    """The JavaScript net differs from exact arithmetic by more than 1e-12, on any of 100 random nets."""
    asked = nets(100)
    script = "nets => nets.map(net => Object.entries(pass(net)).map(([name, array]) => [name, plain(array)]))"
    for net, got in zip(asked, visit("try").evaluate(script, [rows(net) for net in asked]), strict=True):
        exact, mine = ledger.exact_pass(ledger.Problem(**net)), dict(got)
        assert {*mine} == {"l1", "l2", "output", "loss", *(n for n in exact if re.fullmatch(r"\w+\.g", n))}
        for name, array in mine.items():
            for value, right in zip(oracle.flat(array), oracle.flat(exact[name]), strict=True):
                assert abs(value - float(right)) <= 1e-12 * max(1, abs(float(right))), name


def test_numbers_that_are_tried_move_all_others_and_stand_in_the_address(visit):
    """A gradient does not follow, a sum does not give its number, or the address gives other numbers."""
    net = nets(1)[0]
    first = visit("try")
    typed = list(oracle.flat([*rows(net).values()]))
    for box, value in zip(first.locator("#try input").all(), typed, strict=True):
        box.fill(str(value))
    second = visit("try", first.evaluate("location.hash"))
    exact = ledger.exact_pass(ledger.Problem(**net))
    for tab in (first, second):
        for name in ("loss", "w1.g", "x.g"):
            shown = tab.locator(f'[data-array="{name}"] td').all_inner_texts()
            assert shown == [trace.numbers(float(right)) for right in oracle.flat(exact[name])]
    second.locator('[data-array="l2.g"] td').first.hover()
    said = re.fullmatch(r"l2\.g\[0, 0\] = (.*) = (\S+)", second.locator(".sum").inner_text())
    assert eval(said[1].replace("·", "*").replace("−", "-")) == pytest.approx(float(said[2]), rel=1e-3)
    second.get_by_role("button", name="As it was").click()
    assert second.evaluate("location.hash") in ("", "#")
    assert second.locator('[data-array="loss"] td').inner_text() == trace.numbers(values.V["loss"])


def test_an_address_that_was_cut_opens_the_page_as_it_was(visit):
    """Half an address breaks a script, or half a net is shown."""
    assert visit("try", "#&values=1%2C2").locator("#try input").first.input_value() == "0.5"
    tab = visit("backward", "#linear_grad&v=linear_grad:7-9&v=gone:0-1&s=")
    assert tab.locator('[data-of="linear_grad"] details:visible').count() == 1
    assert tab.locator(".lit").count() == 0
    visit("backward", "#%E0%A4%A")


def test_without_script_all_is_there(visit):
    """A reader without script meets a button that does nothing, or code that cannot be unfolded."""
    tab = visit("backward", java_script_enabled=False)
    assert tab.locator(".symbols:visible, select:visible, .filter:visible").count() == 0
    block = tab.locator('[data-of="linear_grad"]')
    assert block.locator("summary:visible").count() == len(words.varied()["linear_grad"].versions) * 3 // 2
    block.locator("summary").last.click()
    assert block.locator(".code").last.is_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_all_is_printed(visit, script):
    """What is folded, or not chosen, is missing on paper."""
    tab = visit("backward", java_script_enabled=script)
    tab.emulate_media(media="print")
    hidden = "parts => parts.filter(part => !part.checkVisibility({contentVisibilityAuto: true})).length"
    assert tab.locator("main .code code, main li, main td").evaluate_all(hidden) == 0


@pytest.mark.parametrize("page", ["with_runs", "neuron", "backward", "questions", "try"])
def test_everybody_can_read_it(visit, with_runs, page):
    """axe-core finds a violation: contrast, a missing label, an order of headings, what no keyboard reaches."""
    from axe_playwright_python.base import AXE_SCRIPT

    address = "#linear_grad&v=linear_grad:0-2&s=w" if page == "backward" else ""
    tab = visit(page, address)
    tab.evaluate(AXE_SCRIPT)
    tab.evaluate("document.querySelectorAll('#linear_grad details').forEach(details => { details.open = true; })")
    for viewport in (WIDE, PHONE):
        tab.set_viewport_size(viewport)
        assert wider(tab) == []
        for scheme, rules in (("light", []), ("dark", ["color-contrast"])):  # the dark differs in colours alone
            tab.emulate_media(color_scheme=scheme)
            options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": rules} if rules else {})
            found = tab.evaluate("asked => axe.run(...asked)", [address.partition("&")[0] or "html", options])
            assert [(rule["id"], rule["nodes"][0]["failureSummary"]) for rule in found["violations"]] == [], scheme
