"""The zoo: every bug is caught by the spec that it names, for the reason that it states, and for no other."""

import sys
from types import ModuleType

import pytest

from shared_specs import STAGES, contract, registry, zoo
from shared_specs.zoo.bug import Bug, hatched
from shared_specs.zoo.pitfalls import PITFALLS
from shared_specs.zoo.run import run

BY_HAND = """
    from numpy_impl import *
    import numpy_impl
    from shared_specs.zoo.by_hand import classes_by_hand, loss_and_grads_by_hand
    from shared_specs.zoo.right import Right

    loss_and_grads = loss_and_grads_by_hand(Right(numpy_impl))
    hand = classes_by_hand(Right(numpy_impl))
    Model, Sequential = hand.Model, hand.Sequential
"""


@pytest.fixture(scope="module")
def verdicts():
    """All bugs at once: a run of the specs costs more than a bug."""
    return {verdict.bug.name: verdict for verdict in run(list(zoo.BUGS.values()))}


@pytest.mark.parametrize("name", zoo.BUGS)
def test_bug_is_caught(verdicts, name):
    """The spec passes on it, fails for another reason than stated, breaks itself, or fails on the right one too."""
    assert verdicts[name].failures
    assert verdicts[name].problems == []


def test_the_net_in_which_pieces_are_replaced_is_right(run_specs):
    """A bug is caught for a mistake of the net that it was planted in."""
    stages = ("--stage", "backward", "--stage", "module", "--stage", "training", "--dtype", "float64")
    result = run_specs("--pyargs", "shared_specs", "--impl", "by_hand", *stages, by_hand=BY_HAND)
    assert result.ret == pytest.ExitCode.OK


def test_a_bug_leaves_the_right_implementation_alone():
    right = registry.load("numpy_impl")
    before = dict(vars(right))
    for bug in zoo.BUGS.values():
        zoo.specimen(bug, right)
    assert dict(vars(right)) == before


def test_a_bug_replaces_names_of_the_contract_only():
    names = {*contract.METADATA, *(name for names in contract.STAGE_NAMES.values() for name in names)}
    for bug in zoo.BUGS.values():
        assert set(bug.replacements(zoo.Right(registry.load(bug.base)))) <= names, bug.name


def test_there_are_many_in_every_stage_and_some_of_every_kind():
    assert len(hatched) == len(zoo.BUGS) >= 60
    assert all(sum(bug.stage == stage for bug in zoo.BUGS.values()) >= 8 for stage in STAGES)
    assert all(sum(bug.kind == kind for bug in zoo.BUGS.values()) >= 3 for kind in zoo.KINDS.values())


def test_every_bug_says_in_one_sentence_what_is_wrong():
    for bug in zoo.BUGS.values():
        sentence = bug.sentence.partition("\n")[0]
        assert sentence.endswith("."), bug.name
        assert len(sentence) > 20, bug.name


def test_every_pitfall_has_its_bugs():
    assert all(PITFALLS.values())
    assert {name for names in PITFALLS.values() for name in names} <= set(zoo.BUGS)


def test_a_bug_can_be_met_by_name():
    wrong = registry.load("relu_leaks@numpy_impl")
    assert wrong.relu(-128.0) == -1.0
    assert registry.load("numpy_impl").relu(-128.0) == 0.0


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("relu_leeks@numpy_impl", "no bug 'relu_leeks' in the zoo"),
        ("relu_leaks@nowhere", "no implementation 'nowhere'"),
        ("relu_leaks@", "no implementation ''"),
    ],
)
def test_an_unknown_bug_or_base_is_named(name, complaint):
    with pytest.raises(registry.UnknownImplementation, match=complaint):
        registry.load(name)


# The keeper itself: what must not count as caught


def planted(plant, caught_by="test_relu_keeps_what_is_positive", says="below 0 passes"):
    """The problems of the verdict on such a bug."""
    plant.__module__ = "shared_specs.zoo.neuron"
    bug = Bug(plant, caught_by, says, "numpy_impl")
    zoo.BUGS[bug.name] = bug
    try:
        return run([bug])[0].problems
    finally:
        del zoo.BUGS[bug.name]


def test_a_bug_that_no_spec_sees_escapes():
    def harmless(right):
        return {"relu": right.relu}

    assert planted(harmless) == ["test_relu_keeps_what_is_positive lets it pass"]


def test_a_bug_that_names_no_spec_escapes():
    def nameless(right):
        return {"relu": right.relu}

    assert planted(nameless, "test_nothing") == ["there is no spec test_nothing of neuron"]


def test_a_bug_that_fails_for_another_reason_is_not_caught():
    def flipped(right):
        return {"relu": lambda x: right.times(right.relu(x), -1)}

    assert planted(flipped, says="along the batch") == ["no failure says 'along the batch'"]


def test_a_bug_that_crashes_is_not_caught_unless_it_says_so():
    def broken(right):
        return {"relu": lambda x: 1 / 0}

    assert planted(broken) == ["no failure says 'below 0 passes'"]
    assert planted(broken, says="ZeroDivisionError") == []


def test_a_suite_that_breaks_catches_nothing():
    def unreadable(right):
        return {"tolist": lambda array: [object()]}

    assert "the suite itself broke" in planted(unreadable, "test_results_are_right_in_full_precision", "")


def test_a_spec_that_fails_on_the_right_one_too_catches_nothing(monkeypatch):
    wrong = ModuleType("wrong")
    vars(wrong).update(vars(registry.load("relu_leaks@numpy_impl")))
    monkeypatch.setitem(sys.modules, "wrong", wrong)

    def leaky(right):
        return {"relu": right.relu}

    leaky.__module__ = "shared_specs.zoo.neuron"
    bug = Bug(leaky, "test_relu_keeps_what_is_positive", "below 0 passes", "wrong")
    monkeypatch.setitem(zoo.BUGS, "leaky", bug)
    assert run([bug])[0].problems == ["test_relu_keeps_what_is_positive fails on wrong itself"]
