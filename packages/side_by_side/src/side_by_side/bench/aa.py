"""Does the method find differences where there are none? The baseline against itself, in many trials."""

from dataclasses import dataclass
from typing import Any

from .cells import AGAIN, BASELINE, MODES, Cell
from .processes import pairing
from .session import Listener, combined
from .statistics import FASTER, MARGIN, SLOWER, Interval, verdict

SIZES = (("neuron", "784"), ("loss_and_grads", "64, 784-50-10"), ("train step", "1, 4-8-1"))
PROCESSES = MODES["default"].processes


@dataclass(frozen=True)
class Outcome:
    """What so many trials found."""

    ratios: list[Interval]

    @property
    def false(self) -> int:
        """How many were called faster or slower."""
        return sum(verdict(ratio) in (FASTER, SLOWER) for ratio in self.ratios)

    @property
    def sentence(self) -> str:
        """All in one sentence."""
        worst = max(abs(ratio.median - 1) for ratio in self.ratios)
        beyond = sum(abs(ratio.median - 1) > MARGIN for ratio in self.ratios)
        ties = sum(verdict(ratio) == "tie" for ratio in self.ratios)
        return (
            f"A/A check: {BASELINE} against itself in {len(self.ratios)} trials: {self.false} false differences beyond "
            f"±{MARGIN:.0%}, {ties} ties, {len(self.ratios) - ties - self.false} unclear; the median ratio was off "
            f"by at most {worst:.2%}, and by more than {MARGIN:.0%} in {beyond}."
        )


def trials(n: int, listener: Listener) -> Outcome:
    """So many trials, each of as many fresh processes as a session has; three kinds of work in turns."""
    cells = [Cell(work, size, "", "float64", "cpu", 1, AGAIN) for work, size in SIZES]
    ratios: list[Interval] = []
    rounds = -(-n // len(cells))
    for turn in range(rounds):
        found: dict[Cell, list[list[float]]] = {cell: [] for cell in cells}
        for number in range(PROCESSES):
            done = turn * PROCESSES + number
            listener(
                f"A/A trials {turn * len(cells) + 1} to {(turn + 1) * len(cells)} of {n}", done, rounds * PROCESSES
            )
            for event in _process(cells, done):
                if "ended" in event:
                    found[Cell(**event["ended"])].append(event["ratios"])
        ratios += [combined(blocks) for blocks in found.values() if blocks]
    return Outcome(ratios[:n])


def _process(cells: list[Cell], number: int) -> list[dict[str, Any]]:
    pairs = [(cell, cell.baseline) for cell in cells]
    with pairing(pairs, number, MODES["default"].pair_time) as process:
        return list(process.run())
