"""What goes wrong in this field, each planted as the bug zoo has it, and the failure of the spec that catches it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from shared_specs import STAGES, suite, zoo
from shared_specs.zoo.pitfalls import PITFALLS
from shared_specs.zoo.run import Verdict, run

WIDEST = 110
NO_NUMBERS = re.compile(r" at 0x|<built-in|Use -v")
"""Lines in which pytest tells of objects, and of itself."""


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
    return Pitfall(heading, verdict.bug.sentence, verdict.base, verdict.bug.caught_by, _short(message), verdict.reason)


def _short(message: str) -> str:
    """The lines that have numbers, none too long."""
    lines = [line for line in message.splitlines() if line.strip() and not NO_NUMBERS.search(line)]
    return "\n".join(line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in lines)
