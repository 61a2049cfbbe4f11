r"""Market impact: what an order will cost before it is sent, by the square-root law and its decay.

A quantity :math:`Q` moves the price by about

.. math:: I(Q) = Y \sigma_D \sqrt{Q / V_D},

with the volatility :math:`\sigma_D` and the volume :math:`V_D` of a day and :math:`Y \approx 1`. On
Bitcoin the law holds over four decades of size. Its push on later children decays as the inverse square
root of time; with a recovery time :math:`\tau` it is :math:`I (1 + t / \tau)^{-1/2}` after :math:`t`.

The preview of an order in slices :math:`q_k` at times :math:`t_k` is, in bps of the arrival price,

- *spread*: half of it, paid on all;
- *impact*: each slice pays its own, in full, and what is left of those before it;
- *fees*;
- *risk*: one standard deviation of the price while it waits, :math:`\sigma_D \sqrt{\sum x_k^2 \Delta t_k}`,
  :math:`x_k` being the share still open after slice :math:`k`.

Where the book is known, `walk_bps` says what a quantity costs in it now; that is better than the law.
Undefined is NaN: without volume or volatility, or when the book does not hold the quantity.

References
----------
Donier and Bonart (2015), "A million metaorder analysis of market impact on the Bitcoin", arXiv 1412.4503;
arXiv 2411.13965 for the exponent; arXiv 2502.16246 for the decay.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, kernel
from genesis.operators.parameters import positive, within

DAY_S = 86_400.0


class ImpactParameters(NamedTuple):
    """Parameters of the law; made by `parameters`."""

    coefficient: float  # Y
    recovery_s: float  # τ


class Day(NamedTuple):
    """The market's usual day."""

    volatility_bps: float
    volume: float  # in the unit of the quantities


class Preview(NamedTuple):
    """What an order will cost, in bps of its arrival price; positive is a cost."""

    spread_bps: float
    impact_bps: float
    fee_bps: float
    cost_bps: float  # the sum of the three
    risk_bps: float  # one standard deviation


def parameters(coefficient: float = 1.0, recovery_s: float = 1.0) -> ImpactParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When the coefficient is negative, or the recovery time not positive.
    """
    within("market_impact", "coefficient", coefficient, (0.0, 1e3), "give a number near 1")
    positive("market_impact", "recovery_s", recovery_s, "give seconds")
    return ImpactParameters(float(coefficient), float(recovery_s))


@kernel
def impact_bps(qty: Floats, day: Day, how: ImpactParameters) -> Floats:
    """Return the impact of each quantity by the square-root law, shape ``(n,)``.

    Parameters
    ----------
    qty
        In the unit of the day's volume, none negative.
    day, how
        What is usual, and the law's constants.

    Examples
    --------
    >>> impact_bps(np.array([0.0, 1.0, 4.0]), Day(300.0, 1e4), parameters()).tolist()
    [0.0, 3.0, 6.0]
    """
    impact = np.full(qty.size, np.nan)
    for i in range(qty.size):
        if 0.0 < day.volume < np.inf and 0.0 <= qty[i] < np.inf and 0.0 <= day.volatility_bps < np.inf:
            impact[i] = how.coefficient * day.volatility_bps * np.sqrt(qty[i] / day.volume)
    return impact


@kernel
def residue_bps(at_s: Floats, pushed_bps: Floats, recovery_s: float) -> Floats:
    """Return what is left, at each child, of the pushes of the children before it, shape ``(n,)``.

    Parameters
    ----------
    at_s
        When each child traded, s, rising; of several at one time each pushes those after it in full.
    pushed_bps
        By how much each pushed the price.
    recovery_s
        Recovery time τ.

    Examples
    --------
    >>> residue_bps(np.array([0.0, 3.0, 8.0]), np.array([2.0, 6.0, 1.0]), 1.0).round(3).tolist()
    [0.0, 1.0, 3.116]
    """
    left = np.zeros(at_s.size)
    for i in range(at_s.size):
        for j in range(i):
            left[i] += pushed_bps[j] / np.sqrt(1.0 + max(at_s[i] - at_s[j], 0.0) / recovery_s)
    return left


@kernel
def walk_bps(price: Floats, qty: Floats, wanted: Floats, mid: float) -> Floats:
    """Return the distance of the mean price from the mid when a book is walked, shape ``(n,)``.

    Parameters
    ----------
    price, qty
        One side of a book, best first, shape ``(levels,)``; what is not finite ends it.
    wanted
        Quantities, shape ``(n,)``.
    mid
        The mid price.

    Returns
    -------
    bps, positive; NaN when the book does not hold the quantity, 0 for none.

    Examples
    --------
    >>> walk_bps(np.array([101.0, 102.0]), np.array([1.0, 3.0]), np.array([1.0, 2.0, 9.0]), 100.0).tolist()
    [100.0, 150.0, nan]
    """
    cost = np.full(wanted.size, np.nan)
    for i in range(wanted.size):
        left, paid = wanted[i], 0.0
        for level in range(price.size):
            if not (left > 0.0 and 0.0 < price[level] < np.inf and 0.0 <= qty[level] < np.inf):
                break
            take = min(left, qty[level])
            paid += take * abs(price[level] - mid)
            left -= take
        if left <= 0.0 and wanted[i] >= 0.0 and mid > 0.0:
            cost[i] = 1e4 * paid / (wanted[i] * mid) if wanted[i] > 0.0 else 0.0
    return cost


@kernel
def _risk_bps(at_s: Floats, qty: Floats, volatility_bps: float) -> float:
    """Return the standard deviation of the cost of what is still to be traded, by the price's diffusion."""
    total, left, variance = qty.sum(), qty.sum(), 0.0
    for k in range(qty.size - 1):
        left -= qty[k]
        variance += (left / total) ** 2 * max(at_s[k + 1] - at_s[k], 0.0) / DAY_S
    return float(volatility_bps * np.sqrt(variance))


def preview(
    at_s: Floats, qty: Floats, child_bps: Floats, spread_bps: float, fee_bps: float, market: tuple[Day, float]
) -> Preview:
    """Return what slices will cost.

    Parameters
    ----------
    at_s, qty
        When, in s from arrival, and how much, shape ``(slices,)``; one slice is one market order.
    child_bps
        Impact of each slice by itself: from `impact_bps`, or from `walk_bps` less half the spread.
    spread_bps
        Ask minus bid, in bps of the mid.
    fee_bps
        Fee, in bps of the value.
    market
        The usual day, and the recovery time in s.

    Examples
    --------
    >>> slices, day = np.full(4, 25.0), Day(300.0, 1e6)
    >>> child_bps = impact_bps(slices, day, parameters())
    >>> found = preview(np.arange(4) * 15.0, slices, child_bps, 2.0, 10.0, (day, 1.0))
    >>> [round(each, 2) for each in found]
    [1.0, 1.97, 10.0, 12.97, 3.7]
    """
    day, recovery_s = market
    total = float(qty.sum())
    if not 0.0 < total < np.inf:
        return Preview(*(np.nan,) * 5)
    impact = float(((child_bps + residue_bps(at_s, child_bps, recovery_s)) * qty).sum() / total)
    risk = _risk_bps(at_s, qty, day.volatility_bps)
    half = spread_bps / 2.0
    return Preview(half, impact, fee_bps, half + impact + fee_bps, risk)
