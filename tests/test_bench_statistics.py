"""The statistics: intervals hold what they promise, noise makes no differences, and crossings are where they are."""

import random
from statistics import median
from types import SimpleNamespace

import pytest

from shared_specs.workloads.jobs import Job
from side_by_side.bench import pairs
from side_by_side.bench.cells import Cell
from side_by_side.bench.pairs import Runner, pair, sampler
from side_by_side.bench.results import Entry
from side_by_side.bench.session import combined
from side_by_side.bench.statistics import Interval, crossings, geometric_mean, median_interval, verdict
from side_by_side.tables import duration, factor


def interval(low, middle, high, confidence=0.97):
    return Interval(middle, low, high, confidence)


def test_six_values_are_the_fewest_that_give_95_percent():
    assert median_interval([1, 2, 3, 4, 5, 6]) == (3.5, 1, 6, 1 - 2 / 64)
    assert median_interval([1, 2, 3, 4, 5]).confidence == 1 - 2 / 32
    assert median_interval([2.0]) == (2.0, 2.0, 2.0, 0.0)
    assert median_interval(range(1, 10)) == (5, 2, 8, pytest.approx(1 - 2 * 10 / 512))
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


@pytest.mark.parametrize("n", [6, 9, 15, 50])
def test_the_interval_holds_the_true_median_as_often_as_it_says(n):
    rng = random.Random(n)
    found = [median_interval([rng.expovariate(1) for _ in range(n)]) for _ in range(2000)]
    held = sum(each.low <= 0.6931471805599453 <= each.high for each in found) / len(found)
    assert found[0].confidence >= 0.95
    assert held >= found[0].confidence - 0.02


@pytest.mark.parametrize(
    ("ratio", "says"),
    [
        (interval(0.90, 0.92, 0.97), "faster"),
        (interval(1.03, 1.1, 1.2), "slower"),
        (interval(0.99, 1.0, 1.01), "tie"),
        (interval(1.005, 1.01, 1.015), "tie"),  # significant, but within the margin
        (interval(0.97, 1.0, 1.01), "unclear"),
        (interval(1.01, 1.05, 1.2), "unclear"),
        (interval(2, 2, 2, confidence=0.5), "unclear"),  # two processes prove nothing
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(ratio, says):
    assert verdict(ratio) == says


def noisy(rng, ratio=1.0):
    """Six processes, each with a bias of its own, of blocks with spikes: what a shared machine does."""
    biases = [rng.gauss(1, 0.003) for _ in range(6)]
    spike = lambda: 1 + (rng.random() < 0.2) * rng.expovariate(2)  # noqa: E731
    return [[ratio * bias * rng.gauss(1, 0.02) * spike() / spike() for _ in range(9)] for bias in biases]


def test_identical_code_shows_no_difference_in_sixty_trials():
    rng = random.Random(0)
    verdicts = [verdict(combined(noisy(rng))) for _ in range(60)]
    assert "faster" not in verdicts
    assert "slower" not in verdicts


def test_ten_percent_are_found_in_the_same_noise():
    rng = random.Random(1)
    assert [verdict(combined(noisy(rng, 1.1))) for _ in range(20)].count("slower") >= 18
    assert [verdict(combined(noisy(rng, 0.9))) for _ in range(20)].count("faster") >= 18


def test_what_differs_from_process_to_process_widens_the_interval():
    steady = combined([[1.0, 1.0, 1.0]] * 6)
    differing = combined([[1 + i / 100] * 3 for i in range(6)])
    assert (steady.low, steady.high) == (1.0, 1.0)
    assert (differing.low, differing.high) == (1.0, 1.05)


class Machine:
    """A clock that runs slower and slower: what comes later takes longer."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def runner(self, name, seconds):
        """A job of so many seconds, which become more."""

        def sample(calls):
            self.order.append(name)
            self.now += 1
            return seconds * (1 + 0.01 * self.now)

        return Runner(sample, 1, seconds)


def test_interleaved_blocks_cancel_drift():
    machine = Machine()
    ratios = pair(machine.runner("a", 1e-3), machine.runner("b", 2e-3), pair_time=0.1, number=0)
    assert "".join(machine.order[:8]) == "abbabaab"
    assert median(ratios) == pytest.approx(2, rel=1e-3)


def test_long_calls_alternate_from_process_to_process():
    for number, order in ((0, "ab"), (1, "ba")):
        machine = Machine()
        assert len(pair(machine.runner("a", 1.0), machine.runner("b", 1.0), pair_time=0.02, number=number)) == 1
        assert "".join(machine.order) == order
    machine = Machine()
    pair(machine.runner("a", 1e-3), machine.runner("b", 1.0), pair_time=0.02, number=0)
    assert "".join(machine.order) == "aba"


def test_a_first_call_that_compiles_does_not_tell_the_pace(monkeypatch):
    now = 0.0

    def run():
        nonlocal now
        now += 0.0001 if now else 0.5

    who = SimpleNamespace(prepare=lambda *about: Job(run, dict), synchronize=lambda device: None)
    monkeypatch.setattr(pairs, "contender", lambda name: who)
    monkeypatch.setattr(pairs.time, "perf_counter", lambda: now)
    runner = pairs.prepared(Cell("neuron", "784", "", "float64", "cpu", 1, "compiled_net"))
    assert runner.calls == 10
    assert runner.seconds == pytest.approx(0.0001)


def test_a_job_that_must_begin_at_its_start_goes_back_to_it_before_every_call():
    calls = []
    job = Job(lambda: calls.append("run"), lambda result: {}, lambda: calls.append("restart"))
    assert sampler(job, lambda: None)(3) >= 0
    assert calls == ["restart", "run"] * 3


def test_curves_cross_where_they_do_on_logarithmic_axes():
    xs = [1, 10, 100]
    exact = lambda values: [Interval(value, value, value, 1.0) for value in values]  # noqa: E731
    [(x, a_was_faster)] = crossings(xs, exact([1, 10, 100]), exact([5, 5, 5]))
    assert x == pytest.approx(5)
    assert a_was_faster
    assert crossings(xs, exact([1, 1, 1]), exact([1.01, 0.99, 1.01])) == []  # a tie has no side
    assert crossings(xs, [*exact([1]), None, *exact([9])], exact([2, 2, 2])) != []  # a missing point is left out


def test_curves_whose_intervals_overlap_do_not_cross():
    wide = [Interval(1, 0.5, 3, 1.0), Interval(3, 0.5, 5, 1.0)]
    flat = [Interval(2, 1.5, 2.5, 1.0)] * 2
    assert crossings([1, 10], wide, flat) == []


def test_the_mean_of_factors_treats_twice_and_half_alike():
    assert geometric_mean([2, 0.5]) == pytest.approx(1)
    with pytest.raises(ValueError, match="positive"):
        geometric_mean([1, 0])


def test_a_cell_is_noisy_where_its_time_or_its_ratio_is():
    quiet, loud = interval(0.99, 1, 1.01), interval(0.5, 1, 1.5)
    assert not Entry(None, "timed", time=quiet, ratio=quiet).noisy
    assert Entry(None, "timed", time=loud, ratio=quiet).noisy
    assert Entry(None, "timed", time=quiet, ratio=loud).noisy


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.15, "1.15 s"),
        (0.9996, "1.00 s"),
        (14e-3, "14.0 ms"),
        (8.154e-6, "8.15 µs"),
        (3.2e-8, "32.0 ns"),
        (211, "211 s"),
    ],
)
def test_durations_have_three_digits_and_a_unit(value, text):
    assert duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(1, "×1"), (1.004, "×1.00"), (9.996, "×10.0"), (82142.9, "×82,143")])
def test_factors_have_three_digits(value, text):
    assert factor(value) == text
