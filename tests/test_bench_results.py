"""The document: written whole or not at all, read with suspicion, merged only where cells can stand side by side."""

import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from rich.console import Console
from typer.testing import CliRunner

from shared_specs.registry import implementations
from shared_specs.workloads.peers import PEERS
from side_by_side.bench import charts, lines, markdown, page, terminal
from side_by_side.bench.cells import AGAIN, Cell
from side_by_side.bench.results import Document, Entry, Run, merge, problems, read, write_all
from side_by_side.bench.session import aa_check
from side_by_side.bench.statistics import Interval
from side_by_side.bench.story import (
    PUBLISHED,
    Title,
    crossings_of,
    grids,
    ladder,
    laid_out,
    mean_factors,
    sections,
    sentences,
)
from side_by_side.cli import app
from side_by_side.tables import UserError

NAMES = ("pure_python", "numpy_impl", "torch_manual")
LIMIT_OF = dict(zip(NAMES, ("limit:python", "limit:numpy", "limit:torch"), strict=True))
PLACE = ("float64", "cpu", 1)
WIDTHS = (2, 64, 2048)
STEP = ("train step", "64, 784-50-10", "")


def about(middle, spread=0.01):
    return Interval(float(middle), middle * (1 - spread), middle * (1 + spread), 0.97)


def run_of(machine="Z80", **changes):
    """A run with a bit of everything: ladder, sweep with a crossover, steps, something wrong and something too long."""
    rows = {" | ".join(STEP): {"stage": "training", "multiply_adds": 5_000_000, "width": None}}
    rows["forward | big | "] = {"stage": "mlp", "multiply_adds": 10**9, "width": None}
    entries = {}

    def add(row, name, seconds=None, ratio=None, **more):
        cell = Cell(*row, *PLACE, name)
        time = about(seconds) if seconds else None
        status = "timed" if time or ratio else more.pop("status")
        entries[cell] = Entry(cell, status, time=time, ratio=ratio and about(ratio), **more)

    for name, seconds in zip(NAMES, (0.1, 1e-4, 2e-4), strict=True):
        add(STEP, name, seconds, None if name == "numpy_impl" else seconds / 1e-4, ulps=1.0)
    add(STEP, "limit:numpy", 8e-5, 0.8)
    add(STEP, AGAIN, ratio=1.001)
    add(("forward", "big", ""), "pure_python", status="over budget", predicted=39.0)
    add(("forward", "big", ""), "numpy_impl", status="wrong", reason="forward: output: 3 of 4 elements <differ>")
    for work, seconds in (("bare steps", 1e-2), ("epoch", 1.1e-2)):
        rows[f"{work} | digits | "] = {"stage": "training", "multiply_adds": 10**7, "width": None}
        add((work, "digits", ""), "numpy_impl", seconds)
        add((work, "digits", ""), "torch_manual", 99, 2.4 if work == "epoch" else 2)
        add((work, "digits", ""), "pure_python", 1 if work == "epoch" else 2)
    for rung, seconds in (("loops", 1e-2), ("builtin", 1e-5)):
        rows[f"matmul | m | {rung}"] = {"stage": "layer", "multiply_adds": 39200, "width": None}
        add(("matmul", "m", rung), "numpy_impl", seconds)
    for width, ratio in zip(WIDTHS, (4, 2, 0.5), strict=True):
        rows[f"sweep | {width} | "] = {"stage": "backward", "multiply_adds": 100 * width, "width": width}
        add(("sweep", str(width), ""), "numpy_impl", 1e-5 * width)
        add(("sweep", str(width), ""), "torch_manual", 1e-5 * width * ratio, ratio)
    known = {
        name: {"kind": "implementation", "limit": LIMIT_OF[name], "version": "1", "lines": 500 + i}
        for i, name in enumerate(NAMES)
    }
    known |= {name: {"kind": "limit", "limit": None, "version": None, "lines": None} for name in LIMIT_OF.values()}
    environment = {"cpu": machine, "cores": 2, "python": "3.11", "versions": {"numpy": "2"}, "libraries": []}
    facts = {
        "workloads": "abc",
        "mode": "default",
        "notes": ["cuda: not run: no CUDA"],
        "asked": list(NAMES),
        **changes,
    }
    return Run(environment, known, rows, entries, **facts)


@pytest.fixture
def document():
    return Document([run_of()])


@pytest.fixture
def saved(tmp_path, document):
    path = tmp_path / "a.json"
    path.write_text(document.to_json())
    return path


def text_of(renderable, width=140):
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


# reading and writing


def test_a_document_comes_back_as_it_was(saved, document):
    assert read(saved) == document
    assert read(saved).to_json() == saved.read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no JSON"),
        ("[1, 2]", "holds no results of side-by-side bench"),
        ('{"benchmarks": []}', "holds no results of side-by-side bench"),
        ('{"format": "side_by_side bench", "version": 99}', "has version 99"),
        ('{"format": "side_by_side bench", "version": 1, "baseline": "fastest"}', "ratios to fastest"),
        ('{"format": "side_by_side bench", "version": 1, "baseline": "numpy_impl", "runs": [{}]}', "is damaged"),
    ],
)
def test_foreign_and_damaged_files_are_refused(tmp_path, text, says):
    path = tmp_path / "foreign.json"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda cell: cell.pop("work"),
        lambda cell: cell.update(threads="one"),
        lambda cell: cell.update(status="splendid"),
        lambda cell: cell.update(time={"median": 1, "low": 2, "high": 3, "confidence": 1}),
        lambda cell: cell.update(time={"median": "fast", "low": 2, "high": 3, "confidence": 1}),
        lambda cell: cell.update(implementation="unheard of"),
        lambda cell: cell.update(size="of no row"),
    ],
)
def test_a_damaged_cell_is_refused(saved, damage):
    content = json.loads(saved.read_text())
    damage(content["runs"][0]["cells"][0])
    saved.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is damaged"):
        read(saved)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere.json: No such file"):
        read(tmp_path / "nowhere.json")


def test_files_are_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "one").write_text("before")
    (tmp_path / "two").mkdir()
    with pytest.raises(UserError, match="cannot write into"):
        write_all(tmp_path, {"one": "after", "two": "after"})
    assert (tmp_path / "one").read_text() == "before"
    write_all(tmp_path / "new", {"one": "x", "three": "y"})
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["one", "three"]


def test_json_holds_no_nan(document):
    document.runs[0].seconds = float("nan")
    with pytest.raises(ValueError, match="JSON compliant"):
        document.to_json()


# merging


def merged(tmp_path, *runs):
    paths = [tmp_path / f"{i}.json" for i in range(len(runs))]
    for path, run in zip(paths, runs, strict=True):
        path.write_text(Document([run]).to_json())
    return merge([(path, read(path)) for path in paths])


def part(run, *works):
    """The run with some of its work only."""
    run.entries = {cell: entry for cell, entry in run.entries.items() if cell.work in works}
    return run


def test_runs_of_two_machines_stand_side_by_side(tmp_path):
    both = merged(tmp_path, run_of("Z80"), run_of("6502"))
    assert [run.machine for run in both.runs] == ["Z80 · 2 cores", "6502 · 2 cores"]
    assert "6502" in text_of(terminal.report(both))


def test_runs_of_one_machine_become_one(tmp_path):
    both = merged(tmp_path, part(run_of(), "train step"), part(run_of(), "sweep"))
    assert [cell.work for cell in both.runs[0].entries].count("sweep") == 6
    assert len(both.runs) == 1


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (lambda: run_of("6502", workloads="xyz"), "workloads are not the same: .*0.json has abc, .*1.json has xyz"),
        (lambda: run_of("6502", mode="quick"), "is a default run, .* a quick one"),
        (run_of, "cells were timed twice on Z80"),
    ],
)
def test_what_is_not_comparable_is_not_merged(tmp_path, other, says):
    with pytest.raises(UserError, match=f"not comparable.*{says}"):
        merged(tmp_path, run_of(), other())


def test_other_versions_on_the_same_machine_are_not_merged(tmp_path):
    later = part(run_of(), "sweep")
    later.environment["versions"] = {"numpy": "3"}
    with pytest.raises(UserError, match=r"same machine, .* with other versions"):
        merged(tmp_path, part(run_of(), "train step"), later)


def test_merge_as_a_command_writes_all_files_and_refuses_without_touching_any(tmp_path, saved):
    other = tmp_path / "b.json"
    other.write_text(Document([run_of("6502")]).to_json())
    out = tmp_path / "results"
    result = CliRunner().invoke(app, ["bench", "--merge", str(saved), str(other), "--out", str(out)])
    assert result.exit_code == 1  # a cell is wrong
    assert "numpy_impl: forward big float64 on cpu, 1 thread: wrong" in result.stderr
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert {path.name for path in before} == {"bench.json", "bench.md", "bench.html"}
    other.write_text("{}")
    result = CliRunner().invoke(app, ["bench", "--merge", str(saved), str(other), "--out", str(out)])
    assert result.exit_code == 2
    assert "holds no results" in result.stderr
    assert {path: path.read_bytes() for path in out.iterdir()} == before


# what is shown


def test_shares_and_flops_come_from_the_limit_of_the_same_work(document):
    [run] = document.runs
    numpy = run.entries[Cell(*STEP, *PLACE, "numpy_impl")]
    assert run.share(numpy) == pytest.approx(0.8)
    assert run.gflops(numpy) == pytest.approx(100)
    assert run.share(run.entries[Cell(*STEP, *PLACE, "torch_manual")]) is None  # its limit was not timed


def test_the_table_shows_time_factor_share_error_and_why_there_is_none(document):
    shown = text_of(terminal.report(document))
    assert re.search(r"64, 784-50-10 +×1,000▼ 1u +×1 +80% 1u +×2.00▼ 1u", shown)
    assert re.search(r"forward +≈ 39.0 s +wrong", shown)
    assert "over budget" in shown
    assert "cuda: not run: no CUDA" in shown
    assert "0 false differences outside ±2%, 0 unclear, largest deviation 0.10%" in shown


def test_no_mean_over_rows_that_somebody_did_not_complete(document):
    [run] = document.runs
    nets = next(section for section in sections(run) if section.group.startswith("neuron"))
    means, complete = mean_factors(run, nets, NAMES)
    assert complete == 1
    assert means == {"pure_python": pytest.approx(1000), "numpy_impl": 1, "torch_manual": pytest.approx(2)}
    assert mean_factors(run, nets, [*NAMES, "nobody"]) == ({}, 0)


def test_sentences_are_made_from_the_numbers(document):
    said = " ".join(sentences(document.runs[0]))
    assert "numpy_impl: the loops rung is 1,000 times slower than builtin (10.0 ms against 10.0 µs)." in said
    assert "fastbook ch. 17: the loops rung is 82,143 times slower than builtin" in said
    assert "torch_manual overtakes numpy_impl at about 362 hidden units" in said
    assert "pure_python is 1,000 times slower than numpy_impl in train step 64, 784-50-10" in said


def test_the_published_ratios_are_not_rounded_to_a_legend():
    assert [round(column["loops"] / min(column.values())) for column in PUBLISHED.values()] == [82143, 25890, 6006]


def test_ladder_and_crossings_come_from_the_run(document):
    [run] = document.runs
    assert ladder(run) == {"numpy_impl": {"loops": 1e-2, "builtin": 1e-5}}
    [crossing] = crossings_of(run, PLACE)
    assert (crossing.loser, crossing.winner) == ("numpy_impl", "torch_manual")
    assert 64 < crossing.width < 2048


def test_problems_name_the_cell_and_the_first_line_of_the_reason(document):
    assert problems(document) == [
        "numpy_impl: forward big float64 on cpu, 1 thread: wrong: forward: output: 3 of 4 elements <differ>"
    ]


def test_an_aa_check_with_a_difference_says_so(document):
    [run] = document.runs
    run.entries[Cell(*STEP, *PLACE, AGAIN)].ratio = about(1.2)
    assert "1 false differences" in aa_check(run)
    assert aa_check(part(run, "sweep")) == "A/A check: not run."


def test_nobody_is_said_to_be_faster_than_the_limit(document):
    """numpy_impl has 80 % of it, and torch_manual, by noise, 120 %."""
    [run] = document.runs
    limit = Cell(*STEP, *PLACE, "limit:torch")
    run.entries[limit] = Entry(limit, "timed", time=about(2.4e-4), ratio=about(2.4))
    said = " ".join(sentences(run))
    assert "Closest to its limit: numpy_impl reaches 80% of numpy's bare matrix products" in said


def test_an_epoch_is_told_in_parts_of_its_bare_steps(document):
    """By the ratios to the baseline, not by the times of two moments: 2.4 · 11 ms / (2 · 10 ms)."""
    said = " ".join(sentences(document.runs[0]))
    assert "pure_python" not in said.partition("An epoch of digits")[2].partition(")")[0], "it has no ratios"
    assert "1.10 in numpy_impl, 1.32 in torch_manual (float64 on cpu, 1 thread)" in said


def test_markdown_has_the_machine_the_tables_and_the_sentences(document):
    text = markdown.report(document)
    assert "Z80 · 2 cores" in text
    assert re.search(r"^\| train step 64, 784-50-10 \| .*×1,000 slower.* \| 100 µs ±1% · 80% \| ", text, re.M)
    assert "| loops | 10.0 ms | 1.15 s | 211 ms | 421 ms |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| train")}
    assert len(widths) == 1


def crowded(*more):
    """A run with so many others in it that the table turns, their names among the longest that there are."""
    run = run_of()
    for name in more:
        cell = Cell(*STEP, *PLACE, name)
        run.implementations[name] = {"kind": "implementation", "limit": "limit:numpy", "version": "1", "lines": 1}
        run.entries[cell] = Entry(cell, "timed", time=about(1.234e-1), ratio=about(1234), ulps=1.2)
    run.asked += more
    return run


MANY = ("torch_autograd", "fastai_module", "another_library", "peer_of_them_all")


def test_six_columns_stand_and_seven_turn():
    six, seven = crowded(*MANY[:3]), crowded(*MANY)
    [standing] = grids(six, next(sections(six)))
    turned = list(grids(seven, next(sections(seven))))
    assert [title.text for title in standing.columns] == [*NAMES, *MANY[:3]]
    assert all([title.text for title, _ in grid.rows] == [*NAMES, *MANY] for grid in turned)
    assert [title for grid in turned for title in grid.columns] == [title for title, _ in standing.rows]
    assert [cell for grid in turned for cell in grid.rows[0][1]] == [row[0] for _, row in standing.rows]


def test_a_turned_table_has_six_columns_at_most_and_one_kind_of_work_in_one_piece():
    rows = [
        (Title(work, str(i)), [""] * 7)
        for work, n in (("a", 1), ("b", 5), ("c", 4), ("d", 4), ("e", 8))
        for i in range(n)
    ]
    turned = laid_out([Title(str(i)) for i in range(7)], rows)
    assert ["".join(title.text for title in grid.columns) for grid in turned] == [
        "abbbbb",
        "cccc",
        "dddd",
        "eeeeee",
        "ee",
    ]


@pytest.mark.parametrize("more", [MANY[:2], MANY])
def test_no_name_breaks_at_120_columns(more):
    run = crowded(*more)
    shown = text_of(terminal.report(Document([run])), 120)
    tables = shown[: shown.index("Time: median")]
    assert all(name in tables for name in (*NAMES, *more))
    assert max(map(len, tables.splitlines())) <= 120


def test_noise_is_not_printed_as_a_number(document):
    [run] = document.runs
    cell = Cell(*STEP, *PLACE, "numpy_impl")
    run.entries[cell].time = Interval(1e-4, 0.4e-4, 1.6e-4, 0.97)
    run.entries[cell.limit("limit:numpy")].ratio = about(1.11)
    for shown in (text_of(terminal.report(document)), markdown.report(document), page.report(document)):
        assert "±?" in shown
        assert "?%" in shown
        assert "111%" not in shown
        assert "±60%" not in shown
    assert run.share(run.entries[cell]) is None


def test_medians_that_tell_another_ratio_than_the_pairs_say_so_at_the_cell(document):
    """The medians say 2 ± 2 %; pairs that say 1.95 ± 1 % agree, pairs that say 1.9 ± 1 % do not."""
    [run] = document.runs
    entry = run.entries[Cell(*STEP, *PLACE, "torch_manual")]
    assert run.at_odds(entry) is None
    entry.ratio = about(1.95)
    assert run.at_odds(entry) is None
    entry.ratio = about(1.9)
    assert run.at_odds(entry) == pytest.approx(2)
    for shown in (text_of(terminal.report(document)), markdown.report(document), page.report(document)):
        assert "≠ ×2.00" in shown
    assert "In 3 of 18 cells the medians tell another ratio" in " ".join(sentences(run))


# the page


class Reader(HTMLParser):
    """Counts tags, and notes everything that would be fetched."""

    def __init__(self):
        super().__init__()
        self.tags, self.fetched, self.open = {}, [], []

    def handle_starttag(self, tag, attrs):
        """Note the tag, and what it refers to."""
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.fetched += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith(("#", "data:"))
        ]
        if tag not in ("meta", "link", "br", "input", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """The tag that was opened last."""
        assert self.open.pop() == tag


@pytest.fixture
def html(document):
    return page.report(document)


def test_the_page_is_one_file_that_fetches_nothing(html):
    reader = Reader()
    reader.feed(html)
    assert reader.fetched == []
    assert reader.open == []
    assert reader.tags["table"] >= 4


def test_nothing_in_the_data_becomes_markup(html):
    assert "&lt;differ&gt;" in html
    assert "<differ>" not in html
    assert page.safe_json({"a": "</script><!--"}) == '{"a": "<\\/script><\\!--"}'


def test_the_page_draws_width_roofline_share_ladder_and_lines(html):
    titles = re.findall(r"<h3>(.*?)</h3>\s*<p class=\"dim\">.*?</p>\s*<div class=\"chart\"", html)
    assert titles == [
        "Time against width, float64 on cpu, 1 thread",
        *("Roofline", "Share of the limit", "Matmul ladder", "Time against lines of code"),
    ]


def test_every_implementation_and_peer_has_a_colour_of_its_own():
    """Two curves look the same."""
    assert len(set(charts.COLOURS)) >= len(implementations()) + len(PEERS)


def test_lines_of_code_are_those_that_hold_code():
    documented = '"""What it is.\n\nMore."""\n\nimport os  # a comment\n\n'
    source = f'{documented}def f():\n    """Doc."""\n    # why\n    return (\n        1\n    )\n'
    assert lines.count(source) == 5


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>addEventListener("load", () => setTimeout(() => {
  const table = document.querySelector(".cells"), shown = () => [...table.tBodies[0].rows].filter(row => !row.hidden);
  const at = key => [...table.tHead.rows[0].cells].findIndex(head => head.dataset.key === key);
  const head = table.tHead.rows[0].cells[at("seconds")], select = document.querySelectorAll(".filters select")[0];
  head.click();
  const sorted = shown().map(row => row.cells[at("seconds")].dataset.sort);
  select.value = "sweep"; select.onchange();
  const marks = document.querySelectorAll(".chart svg.marks path").length;
  const svgs = [...document.querySelectorAll(".chart svg.marks")], label = svgs[0].querySelector("text");
  const box = element => element.getBoundingClientRect(), paint = getComputedStyle(document.body);
  table.parentElement.scrollLeft = 200;
  const found = {drawn: svgs.length, marks, sorted, filtered: shown().length,
    fits: [document.documentElement, ...svgs].every(each => box(each).right <= innerWidth),
    legends: svgs.map(svg => [...svg.querySelectorAll(".role-legend-label text")].filter(
      text => box(text).bottom <= box(svg).bottom && box(text).right <= box(svg).right).length),
    sticks: box(table.rows[1].cells[0]).left - box(table.parentElement).left,
    colours: [paint.backgroundColor, paint.color, getComputedStyle(label).fill]};
  document.title = JSON.stringify(found);
}, 1500));</script></body>"""


def test_chromium_draws_the_pictures_on_a_dark_phone_and_sorts_and_filters_the_table(html, tmp_path, record_property):
    if CHROMIUM is None:
        record_property("chromium", "not run: no chromium")
        print("not run: no chromium")
        return
    path = tmp_path / "page.html"
    before, _, after = html.rpartition("</body>")  # Vega has the word in a string of its own
    path.write_text(before + PROBE + after, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000")
    phone = ("--window-size=390,900", "--blink-settings=preferredColorScheme=0")
    command = [CHROMIUM, *options, *phone, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(re.search(r"<title>(.*?)</title>", done.stdout).group(1).replace("&quot;", '"'))
    assert found["drawn"] == 5
    assert found["marks"] > 50
    assert found["fits"]
    assert found["legends"] == [6, 6, 3, 4, 3]  # contenders, limits, published ladders: all in sight
    assert found["sticks"] <= 1
    paper, ink, label = found["colours"]
    assert paper == "rgb(25, 25, 24)"
    assert ink == label == "rgb(220, 218, 213)"
    times = [float(key) for key in found["sorted"] if key]
    assert times == sorted(times)
    assert found["sorted"] == [*found["sorted"][: len(times)], *[""] * (len(found["sorted"]) - len(times))]
    assert found["filtered"] == 2 * len(WIDTHS)


def test_earlier_results_are_set_aside_and_not_replaced(tmp_path, monkeypatch):
    """A run of one row erases the results of a night."""
    monkeypatch.chdir(tmp_path)
    write_all(tmp_path / "results", {"bench.json": Document([run_of()]).to_json()})
    before = (tmp_path / "results" / "bench.json").read_text()
    result = CliRunner().invoke(app, ["bench", "--merge", "results/bench.json"])
    assert "the earlier ones are in results/earlier/1" in result.stdout
    assert (tmp_path / "results" / "earlier" / "1" / "bench.json").read_text() == before


def spoilt(value):
    """The same JSON with one thing in it, each in turn, gone or of another kind."""
    for key in value if isinstance(value, dict) else range(len(value[:2])) if isinstance(value, list) else ():
        for other in (None, [], {}, "x", -1):
            yield ({**value, key: other} if isinstance(value, dict) else [*value[:key], other, *value[key + 1 :]]), key
        for part, inner in spoilt(value[key]):
            yield ({**value, key: part} if isinstance(value, dict) else [*value[:key], part, *value[key + 1 :]]), inner


def test_empty_and_broken_runs_are_merged_or_refused_in_one_line(tmp_path, monkeypatch):
    """A file that was cut, or edited by hand, is answered with a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(page, "report", lambda document: "")  # seconds each
    known = run_of()
    known.entries = dict(list(known.entries.items())[:2])
    whole = json.loads(Document([known]).to_json())
    for i, (broken, key) in enumerate(list(spoilt(whole))[::9]):
        (tmp_path / "broken.json").write_text(json.dumps(broken))
        result = CliRunner().invoke(app, ["bench", "--merge", "broken.json", "--out", f"out{i}"])
        assert result.exception is None or isinstance(result.exception, SystemExit), (key, result.exception)
        assert result.exit_code in (0, 1, 2)
    (tmp_path / "empty.json").write_text(Document([]).to_json())
    result = CliRunner().invoke(app, ["bench", "--merge", "empty.json"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "empty.json holds no run" in result.stderr
