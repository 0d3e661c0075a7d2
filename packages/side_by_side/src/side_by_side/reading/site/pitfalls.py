"""What goes wrong in this field, each planted as the bug zoo has it, and the failure of the spec that catches it."""

from collections.abc import Iterator
from typing import NamedTuple

from shared_specs import STAGES, suite, zoo
from shared_specs.zoo.pitfalls import PITFALLS
from shared_specs.zoo.run import Verdict, run

MOST = 400


class Pitfall(NamedTuple):
    """One of them, as it shows here."""

    heading: str
    sentence: str
    base: str
    spec: str
    failure: str
    """What the spec said, with its numbers."""
    reason: str


def shown() -> dict[str, list[Pitfall]]:
    """Stage → its pitfalls, each by the first of its bugs, which the specs meet now."""
    headings = {bug: heading for heading, bugs in PITFALLS.items() for bug in list(_known(bugs))[:1]}
    found: dict[str, list[Pitfall]] = {stage: [] for stage in STAGES}
    for verdict in run([zoo.BUGS[name] for name in headings]):
        found[verdict.bug.stage].append(_pitfall(headings[verdict.bug.name], verdict))
    return found


def _known(bugs: tuple[str, ...]) -> Iterator[str]:
    """Those whose spec is there."""
    specs = {spec.name for spec in suite.specs()}
    return (name for name in bugs if name in zoo.BUGS and zoo.BUGS[name].caught_by in specs)


def _pitfall(heading: str, verdict: Verdict) -> Pitfall:
    told = [failure.message for failure in verdict.failures if failure.message]
    message = next((text for text in told if verdict.reason in text), next(iter(told), ""))
    shortened = message if len(message) <= MOST else f"{message[:MOST]}…"
    return Pitfall(heading, verdict.bug.sentence, verdict.base, verdict.bug.caught_by, shortened, verdict.reason)
