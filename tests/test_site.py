"""The page's parts: versions, words, recorded lines, sums, mistakes and questions are true of the code as it is."""

import re
from fractions import Fraction
from functools import cache

import pytest

from shared_specs import oracle, registry, suite
from shared_specs.contract import STAGE_NAMES
from side_by_side.checking import mutants
from side_by_side.reading import code, trace, values, words
from side_by_side.reading.alignment import stage_source, tokens
from side_by_side.reading.site import evidence, formula, listing, mistakes, questions, sums

NAMES = [name for names in STAGE_NAMES.values() for name in names]
NETS = {name: registry.load(name) for name in registry.READING_ORDER}
SPECS = {spec.name: spec for spec in suite.specs()}


def test_every_definition_is_shown_once():
    """A definition of a package is lost, or stands under two names."""
    shown = [(d.stage, d.name) for unit in code.units().values() for d in unit.definitions]
    assert list(code.units()) == NAMES
    assert sorted(shown) == sorted((stage, d.name) for stage in STAGE_NAMES for d in code.of_stage(stage))


def test_a_body_is_shown_once_with_all_who_share_it():
    """Two versions say the same, or a package is missing, or it is in two versions."""
    for unit in code.units().values():
        for definition in unit.definitions:
            bodies = [code.bare(version.text) for version in definition.versions]
            packages = [package for version in definition.versions for package in version.packages]
            assert len({*bodies}) == len(bodies), definition.name
            assert len({*packages}) == len(packages), definition.name


def test_a_version_stands_where_it_is_said_to():
    """The line that is named is another one's."""
    for unit in code.units().values():
        for definition in unit.definitions:
            for version in definition.versions:
                for package, start in version.starts.items():
                    source = stage_source(package, definition.stage).code.splitlines()
                    assert definition.name.rpartition(".")[2] in " ".join(source[start - 1 : start + 3])


def test_layout_comments_and_docstrings_make_no_version():
    """What is the same code counts as two versions."""
    assert code.bare('def f(x):\n    """One."""\n    return (x\n        + 1)  # why') == code.bare(
        "def f(x): return x + 1"
    )
    assert code.bare("def f(x): return x + 1") != code.bare("def f(x): return 1 + x")


def test_helpers_stand_under_the_name_that_calls_them():
    """A helper is shown where nobody looks for it."""
    homes = {d.name: name for name, unit in code.units().items() for d in unit.definitions}
    assert homes["dots"] == "matmul"
    assert homes["leaf"] == "mse_grad"
    assert homes["Model.backward"] == "Model"
    assert homes["EachStep.after_step"] == "fit"


def test_every_difference_has_a_sentence_that_fits_the_code():
    """A sentence is missing, or about other code: read both, then python -m side_by_side.reading.words --renew."""
    assert list(words.outdated()) == []


def test_a_change_of_code_asks_for_another_look(monkeypatch):
    """A sentence about old code goes unnoticed; so does one that is missing, or about nothing."""
    said = words.read("differences")
    planted = {**said, "relu": {**said["relu"], "code": "00000000"}, "gone": said["relu"]}
    planted.pop("linear")
    monkeypatch.setattr(words, "read", lambda name: planted)
    told = "\n".join(words.outdated())
    assert "relu has changed" in told
    assert re.search(r"linear has \d versions, and no sentence", told)
    assert "gone has one version only" in told


def test_every_name_has_its_idea_and_its_call():
    """A name of the contract is not explained, or not run."""
    ideas = words.read("ideas")
    assert [*ideas] == NAMES
    assert {*values.CALLS} == {*NAMES}
    assert {*words.read("stages")} == {*STAGE_NAMES}
    for name, idea in ideas.items():
        assert 2 <= len(re.findall(r"[.?]( |$)", idea["idea"])) <= 4 or len(idea["idea"]) < 120, name


def test_letters_of_formulas_are_symbols_of_the_code():
    """A letter of a formula lights up nothing."""
    for name, idea in words.read("ideas").items():
        results = values.CALLS[name].result.split(", ")
        known = {*code.symbols(code.units()[name].definitions), *values.ARRAYS.get(name, ()), *results}
        for letter, symbol in idea.get("letters", {}).items():
            assert symbol in known, (name, letter)
            assert f'data-s="{symbol}"' in formula.mathml(idea["formula"], {letter: symbol}), (name, letter)


def test_every_line_of_both_versions_is_in_their_grid():
    """A grid of two versions leaves a line out."""
    plain = re.compile("<[^>]+>")
    for definition in words.varied().values():
        for pair in listing.pairs(definition, frozenset({"x"})):
            a, b = definition.versions[pair.left], definition.versions[pair.right]
            left = [plain.sub("", row) for row, _ in pair.rows if row]
            right = [plain.sub("", row if other is None else other) for row, other in pair.rows if row or other]
            lines = [[str(listing.line(r, frozenset())) for r in tokens(v.text)] for v in (a, b)]
            assert left == [plain.sub("", line) for line in lines[0] if line]
            assert [line for line in right if line] == [plain.sub("", line) for line in lines[1] if line]


def test_only_what_differs_is_marked():
    """A token that both versions have is marked, or one that only one has is not."""
    a, b = (code.Version([text], {"p": 1}) for text in ("y = x + b", "y = x - b"))
    pair = listing.pairs(code.Definition("y", "layer", [a, b]), frozenset())[0]
    assert pair.rows == [("y = x <mark>+</mark> b", "y = x <mark>-</mark> b")]


@cache
def recorded(name):
    """The run of a name in every package."""
    return trace.runs(NETS, name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("normal", "init_mlp")])
def test_every_package_is_right_on_the_small_net(name):
    """The page shows a number that is not near the exact one."""
    for package, run in recorded(name).items():
        assert run.ulps is not None, package
        assert run.ulps < 100, package


def test_every_line_of_loss_and_grads_is_recorded():
    """A line that computes has no values beside it."""
    run = recorded("loss_and_grads")["numpy_impl"]
    definition = next(d for d in code.of_stage("backward") if d.name == "loss_and_grads")
    version = next(v for v in definition.versions if "numpy_impl" in v.packages)
    at = {line.strip(): version.starts["numpy_impl"] + i for i, line in enumerate(version.lines)}
    kept = run.lines["backward", at["loss, grad = mse(outputs[-1], target), mse_grad(outputs[-1], target)"]]
    assert [value.name for value in kept] == ["loss", "grad"]
    assert kept[0].value == pytest.approx(float(values.EXACT["loss"]))
    assert kept[1].shape == (3, 1)
    assert kept[1].ulps is not None


@pytest.mark.parametrize("name", ["add", "transpose", "neuron", "relu", "layer", "matmul", "linear", "mlp", "mse"])
def test_every_number_on_the_way_forward_has_its_error(name):
    """A line shows a value, and not how far it is from the exact one, in whatever shape a package keeps it."""
    for package, run in recorded(name).items():
        assert all(kept.ulps is not None for line in run.lines.values() for kept in line), package


def test_an_error_is_measured_against_the_fraction():
    """0.1 + 0.2 is off by half a unit in the last place of 0.3, and the page says something else."""
    exact = Fraction(0.1) + Fraction(0.2)
    assert trace.error(0.1 + 0.2, [exact]) == 0.5
    assert trace.error([0.1 + 0.2], [exact]) == 0.5
    assert trace.error(0.4, [exact]) is None


@pytest.mark.parametrize("name", [*sums.WRITTEN, *sums.DECIDED])
def test_sums_give_the_number_beside_which_they_stand(name):
    """A sum that is written out has another result, or comes from a cell that is not there."""
    known = {sums.cell(key, *at) for key, array in values.ARRAYS[name].items() for at in places(array)}
    exact = values.exact(name)
    results = sums.results(NETS["pure_python"], name).values()
    for mine, right in zip(results, exact if len(results) > 1 else [exact], strict=True):
        for term, wanted in zip(oracle.flat(mine), oracle.flat(right), strict=True):
            assert term.value == pytest.approx(float(wanted), abs=1e-15)
            written = term.text.replace("−", "-").replace("·", "*").replace("[", "(").replace("]", ")")
            assert eval(written) == pytest.approx(float(wanted), abs=1e-3)
            assert term.cells
            assert {*term.cells} <= known


def places(array, *at):
    """The index of every number."""
    if not isinstance(array, list):
        return [at]
    return [place for i, row in enumerate(array) for place in places(row, *at, i)]


@cache
def mutants_of(package, stage):
    """(function, before, after) of every mutant."""
    return {mutant.change for mutant in mutants.mutants(NETS[package], [stage])}


class Failures:
    """A pytest plugin that notes whether a spec failed."""

    def __init__(self):
        self.failed = False

    def pytest_runtest_logreport(self, report):
        """Note it."""
        self.failed |= report.when == "call" and report.failed


@pytest.mark.parametrize("mistake", mistakes.mistakes(), ids=lambda m: f"{m.package}-{m.function}-{m.after[:30]}")
def test_a_mistake_is_a_mutant_that_its_spec_kills(mistake):
    """A mistake to find is no mutant any more, cannot be seen on the small net, or its spec lets it pass."""
    assert (mistake.function, mistake.before, mistake.after) in mutants_of(mistake.package, mistake.stage)
    assert "expected" in mistake.first_wrong_number() or "Error" in mistake.first_wrong_number()
    seen = Failures()
    with mistake.planted():
        where = f"{SPECS[mistake.spec].path}::{mistake.spec}"
        suite.run(seen, f"--impl={mistake.package}", "--dtype=float64", "--exitfirst", "--tb=no", where)
    assert seen.failed


def test_every_question_of_the_chapter_is_answered():
    """A number is missing, a question is answered by nothing, or by a name or a spec that is not there."""
    for question in questions.answered():
        assert question.names, question.number
        assert {*question.names} <= {*NAMES}, question.number
        assert not question.spec or question.spec in SPECS, question.number


@pytest.mark.parametrize("question", [q for q in questions.answered() if q.example], ids=lambda q: q.number)
def test_examples_of_the_questions_run(question):
    """An example of the questionnaire fails or prints nothing."""
    assert question.printed


def test_every_spec_of_the_contract_has_a_name_under_which_it_stands():
    """A sentence of CONTRACT.md about a stage is shown under no name."""
    shown = {spec for said in evidence.sentences().values() for sentence in said for spec in sentence.specs}
    text = evidence.CONTRACT.read_text(encoding="utf-8").partition("## Stage 0")[2]
    assert shown == {*re.findall(r"`(test_\w+)`", text)}
    assert all(evidence.sentences().values())


def test_numbers_are_short_and_cut_where_they_are_many():
    """A number has more digits than can be read, or a long list fills the page."""
    assert trace.numbers([[0.123456, -2.0], [1, 3.0]]) == "[[0.1235, −2], [1, 3]]"
    assert trace.numbers([[0.0] * 7] * 3).endswith(", …]")
    assert trace.numbers([0.5, [1.0]]) == "0.5; [1]"
