"""What the times say: medians with intervals that assume nothing about how noise is distributed, and verdicts."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

CONFIDENCE = 0.95
MARGIN = 0.02
"""Ratios within ±2 % are a tie: identical code differs by up to 0.6 % in one process."""
NOISY_TIME = 0.10  # a half-width of the interval of a time, relative to it
NOISY_RATIO = 0.05

FASTER, SLOWER, TIE, UNCLEAR = "faster", "slower", "tie", "unclear"


class Interval(NamedTuple):
    """A median, and where the true one lies with this confidence."""

    median: float
    low: float
    high: float
    confidence: float

    @property
    def spread(self) -> float:
        """Half the interval, relative to the median."""
        return (self.high - self.low) / 2 / self.median if self.median else math.inf

    @property
    def vague(self) -> bool:
        """Whether it is wider than its median, so that no number says anything of it."""
        return self.high - self.low > self.median


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The median, and the narrowest pair of order statistics that holds the true one with the confidence.

    So many of n values lie below the true median as coins show heads: P = 1 − 2 Σᵢ₌₀ᵏ⁻¹ C(n, i) / 2ⁿ for the k-th from
    either end. Six values are the fewest that give 95 %; of fewer it is all, and the confidence that this has.

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("median_interval: got no values")
    ordered, n = sorted(values), len(values)
    tail, cut = 0.5**n, 0
    while cut + 1 < (n + 1) // 2 and 1 - 2 * (tail + math.comb(n, cut + 1) * 0.5**n) >= confidence:
        cut += 1
        tail += math.comb(n, cut) * 0.5**n
    return Interval(median(ordered), ordered[cut], ordered[n - 1 - cut], max(1 - 2 * tail, 0.0))


def verdict(ratio: Interval, margin: float = MARGIN) -> str:
    """Faster, slower or a tie where the whole interval says so; unclear where it crosses the margin, or is no 95 %."""
    fast, slow = 1 / (1 + margin), 1 + margin
    if ratio.confidence < CONFIDENCE:
        return UNCLEAR
    if ratio.high < fast:
        return FASTER
    if ratio.low > slow:
        return SLOWER
    return TIE if fast <= ratio.low and ratio.high <= slow else UNCLEAR


def geometric_mean(values: Sequence[float]) -> float:
    """The mean that treats twice and half alike. Raises ValueError for none, or one that is not positive."""
    if not values or min(values) <= 0:
        raise ValueError(f"geometric_mean: got {list(values)}, expected positive numbers")
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def crossings(
    xs: Sequence[float], a: Sequence[Interval | None], b: Sequence[Interval | None]
) -> list[tuple[float, bool]]:
    """Where curve a goes through curve b on logarithmic axes, and whether a comes from below.

    A point counts only where both are known, further apart than a tie, and their intervals do not overlap.
    """
    gaps = [(x, math.log(p.median / q.median)) for x, p, q in zip(xs, a, b, strict=True) if p and q and _apart(p, q)]
    found = []
    for (x0, gap0), (x1, gap1) in pairwise(gaps):
        if gap0 * gap1 < 0:
            part = gap0 / (gap0 - gap1)
            found.append((math.exp(math.log(x0) + part * (math.log(x1) - math.log(x0))), gap0 < 0))
    return found


def _apart(p: Interval, q: Interval) -> bool:
    tie = 1 / (1 + MARGIN) <= p.median / q.median <= 1 + MARGIN
    sure = min(p.confidence, q.confidence) >= CONFIDENCE
    return sure and not tie and (p.high < q.low or q.high < p.low)
