r"""Realised volatility: of the returns in an interval, with a part that jumps do not touch, by slot.

Of the returns :math:`r_1 \dots r_n` of an interval, at a fixed step, in the unit of squared returns:

.. math::
    RV &= \sum r_i^2, \\
    BV &= \frac{\pi}{2} \frac{n}{n-1} \sum |r_i| |r_{i-1}|, \\
    MedRV &= \frac{\pi}{6 - 4\sqrt3 + \pi} \frac{n}{n-2} \sum \mathrm{med}(|r_{i-1}|, |r_i|, |r_{i+1}|)^2.

All three estimate the integrated variance when the price moves smoothly. A jump enters RV whole, BV
only as a product with its quiet neighbours, and MedRV not at all. The *jump share* is
:math:`\max(0, 1 - MedRV / RV)`, in [0, 1]: a noisy estimate, so a small one is no evidence of a jump.
With returns of exactly zero (a mid that did not move within the step) BV and MedRV are too low and the
share too high; take a step in which the price usually moves.

RV is NaN without a return, BV with fewer than two and MedRV with fewer than three; the share also
where RV is zero. A missing return (not finite) breaks the chain of neighbours, and the corrections
count the products there are: :math:`n/(n-1)` is n over their number.

References
----------
Barndorff-Nielsen and Shephard (2004), "Power and bipower variation with stochastic volatility and
jumps", Journal of Financial Econometrics 2(1), 1-37. Andersen, Dobrev and Schaumburg (2012),
"Jump-robust volatility estimation using nearest neighbor truncation", Journal of Econometrics
169(1), 75-93.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, grown, kernel

BIPOWER = float(np.pi / 2.0)
MEDIAN = float(np.pi / (6.0 - 4.0 * np.sqrt(3.0) + np.pi))


class Variation(NamedTuple):
    """Sums over the returns of the interval in hand, by slot."""

    sums: Floats  # shape (slots, 3): of squares, of products of neighbours, of squared medians of three
    counts: Ints  # shape (slots, 3): how many terms each sum has
    before: Floats  # shape (slots, 2): the newest absolute return and the one before it; NaN when missing


def no_variation(slots: int = 0) -> Variation:
    """Return the state before the first return."""
    return Variation(np.zeros((slots, 3)), np.zeros((slots, 3), np.int64), np.full((slots, 2), np.nan))


def with_slots(variation: Variation, slots: int) -> Variation:
    """Return ``variation`` with room for at least ``slots`` series."""
    have = variation.counts.shape[0]
    if slots <= have:
        return variation
    room = max(slots, 2 * have, 16)
    return Variation(
        grown(variation.sums, room), grown(variation.counts, room), grown(variation.before, room, np.nan)
    )


@kernel
def update(variation: Variation, slots: Ints, returns: Floats) -> Variation:
    """Return the sums after n returns.

    Parameters
    ----------
    variation
        Used up; has room for every slot.
    slots
        The series of each return, shape ``(n,)``.
    returns
        Log returns in their order, shape ``(n,)``; what is not finite is missing.

    Examples
    --------
    >>> slots, returns = np.zeros(4, np.int64), np.array([0.01, -0.01, 0.5, 0.01])
    >>> total, bipower, median, jumps = measures(update(no_variation(1), slots, returns), np.array([0]))
    >>> [float(each.round(5)[0]) for each in (total, bipower, median, jumps)]
    [0.2503, 0.02115, 0.00057, 0.99773]
    """
    sums, counts, before = variation
    for i in range(slots.size):
        slot, size = slots[i], abs(returns[i])
        if np.isfinite(size):
            one, two = before[slot, 0], before[slot, 1]
            sums[slot, 0] += size * size
            counts[slot, 0] += 1
            if np.isfinite(one):
                sums[slot, 1] += size * one
                counts[slot, 1] += 1
                if np.isfinite(two):
                    middle = max(min(size, one), min(max(size, one), two))
                    sums[slot, 2] += middle * middle
                    counts[slot, 2] += 1
            before[slot, 0], before[slot, 1] = size, one
        else:
            before[slot, 0], before[slot, 1] = np.nan, np.nan
    return variation


@kernel
def measures(variation: Variation, slots: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    """Return realised variance, bipower variation, MedRV and jump share of series, each shape (n,).

    Parameters
    ----------
    variation
        Left as it is.
    slots
        The series, shape ``(n,)``.
    """
    sums, counts, _ = variation
    out = np.full((4, slots.size), np.nan)
    for i in range(slots.size):
        slot = slots[i]
        n = counts[slot, 0]
        if n > 0:
            out[0, i] = sums[slot, 0]
        if counts[slot, 1] > 0:
            out[1, i] = BIPOWER * n / counts[slot, 1] * sums[slot, 1]
        if counts[slot, 2] > 0:
            out[2, i] = MEDIAN * n / counts[slot, 2] * sums[slot, 2]
            if out[0, i] > 0.0:
                out[3, i] = max(1.0 - out[2, i] / out[0, i], 0.0)
    return out[0], out[1], out[2], out[3]


@kernel
def begun_anew(variation: Variation, slots: Ints) -> Variation:
    """Return ``variation`` (used up) in which series begin a new interval, without a return."""
    for slot in slots:
        variation.sums[slot] = 0.0
        variation.counts[slot] = 0
        variation.before[slot] = np.nan
    return variation
