"""Intervals: bounds of a share, as if all were independent and with people drawn as a whole."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A share of ``count`` in ``of``, with bounds of 95 %."""

    count: int
    of: int
    low: float
    high: float
    people_low: float  # … by a bootstrap over people; of none or all, the exact ones of so many people
    people_high: float

    @property
    def share(self) -> float:
        """The share itself; NaN of nothing."""
        return self.count / self.of if self.of else math.nan


def _at_most(count: int, of: int, share: float) -> float:
    """Return the chance of at most so many."""
    logs = (
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
        + k * math.log(share) + (of - k) * math.log1p(-share)
        for k in range(count + 1)
    )  # fmt: skip
    return min(math.fsum(math.exp(each) for each in logs), 1.0)


def _share_at(count: int, of: int, chance: float) -> float:
    """Return the share at which at most so many have a chance; it falls as the share grows."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, of, middle) > chance else (low, middle)
    return (low + high) / 2


def clopper_pearson(count: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided bounds of a share.

    Clopper and Pearson (1934), The use of confidence or fiducial limits, Biometrika 26.

    >>> [round(each, 4) for each in clopper_pearson(0, 500)], [round(x, 3) for x in clopper_pearson(9, 10)]
    ([0.0, 0.0074], [0.555, 0.997])
    """
    rest = (1 - level) / 2
    low = _share_at(count - 1, of, 1 - rest) if count else 0.0
    return low, _share_at(count, of, rest) if count < of else 1.0


def interval(people: Sequence[Sequence[bool]], draws: int = 2_000, seed: int = 1) -> Interval:
    """Return the share of what is true among all that people have, with both kinds of bounds."""
    counts = np.array([[sum(each), len(each)] for each in people if len(each)], float).reshape(-1, 2)
    count, of = (int(each) for each in counts.sum(0))
    if not of:
        return Interval(0, 0, 0.0, 1.0, 0.0, 1.0)
    chosen = np.random.default_rng(seed).integers(0, len(counts), (draws, len(counts)))
    sums = counts[chosen].sum(1)
    people_low, people_high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    if count in (0, of):  # a bootstrap of what never differs says nothing
        people_low, people_high = clopper_pearson(len(counts) if count else 0, len(counts))
    return Interval(count, of, *clopper_pearson(count, of), float(people_low), float(people_high))
