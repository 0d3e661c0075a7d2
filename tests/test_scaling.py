"""A step by ranks: what a ring costs, what is predicted from what was measured, and how both are shown."""

import json

import pytest
from typer.testing import CliRunner

from side_by_side.bench import scaling
from side_by_side.bench.scaling import Link, Row
from side_by_side.cli import app
from side_by_side.tables import console

LINK = Link(latency=1e-5, bandwidth=1e9)
ROW = Row("a_net", "101, 9-1", 101, 10, single=1e-3, steps={1: 11e-3, 2: 8e-3}, alone={1: 11e-3, 2: 6e-3})


def test_a_ring_passes_every_byte_around_twice():
    """A message or a byte too many, or the delay counts once for all messages."""
    assert LINK.all_reduce(1, 8_000_000) == 0
    assert LINK.all_reduce(2, 8_000_000) == pytest.approx(2 * (1e-5 + 4e-3))
    assert LINK.all_reduce(4, 8_000_000) == pytest.approx(6 * (1e-5 + 2e-3))


def test_the_link_is_what_a_ring_would_need_for_these_times():
    """What is measured and what is predicted from it do not fit each other."""
    sizes = {name: n * scaling.BYTES for name, n in scaling.MESSAGES.items()}
    times = {name: LINK.all_reduce(3, size) for name, size in sizes.items()}
    found = scaling.link(3, times)
    assert found.latency == pytest.approx(LINK.latency, rel=1e-3)
    assert found.bandwidth == pytest.approx(LINK.bandwidth, rel=1e-3)


def test_own_work_falls_with_the_share_down_to_one_sample():
    """Each rank is as slow as all samples, or a thousand ranks have a thousandth of a sample."""
    instant = Link(0.0, 1e30)
    assert ROW.predicted(1, instant)[0] == pytest.approx(11e-3)
    assert ROW.predicted(2, instant)[0] == pytest.approx(1e-3 + 50 * 1e-4)
    assert ROW.predicted(1024, instant)[0] == pytest.approx(1e-3)


def test_talk_is_what_goes_beyond_own_work():
    """The part of a step is one of something else, or below nothing where timing is noisy."""
    assert ROW.talk(2) == pytest.approx(0.25)
    step, part = ROW.predicted(8, LINK)
    assert part == pytest.approx(LINK.all_reduce(8, 80) / step)
    noisy = Row("a_net", "101, 9-1", 101, 10, 1e-3, {1: 1e-3, 2: 1e-3}, {1: 1e-3, 2: 2e-3})
    assert noisy.talk(2) == 0


def test_measured_and_predicted_stand_apart():
    """A reader takes a number of the model for one that somebody has timed."""
    screen = console()
    with screen.capture() as shown:
        screen.print(scaling.report([ROW], LINK))
    measured, _, predicted = shown.get().partition("Predicted, not measured")
    assert "8.00 ms  25%" in measured
    assert "1,024" not in measured
    assert "1,024 ranks" in predicted
    assert json.loads(scaling.to_json([ROW], LINK))["rows"][0]["steps"] == {"1": 0.011, "2": 0.008}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--processes", "1,two"], "--processes 1,two, expected whole numbers"),
        (["--processes", "0"], "--processes 0, expected whole numbers"),
        (["--processes", "2", "--quick"], "--quick does nothing beside --processes"),
        (["--processes", "2", "--impl", "numpy_impl"], "numpy_impl: each runs in one process"),
    ],
)
def test_what_cannot_be_shared_is_refused(options, complaint):
    """It is forgotten, or ends in a traceback."""
    result = CliRunner().invoke(app, ["bench", *options])
    assert result.exit_code == 2
    assert complaint in result.stderr
