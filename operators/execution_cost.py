r"""Execution cost: implementation shortfall of an order, split into parts that sum exactly to the whole.

The order is decided at mid price :math:`p_d`, arrives at :math:`p_a` (when its first child could go),
is filled at prices :math:`p_k` for quantities :math:`q_k`, and :math:`p_f` is the mid when it ends. With
side :math:`s = \pm 1`, size :math:`Q` and :math:`U = Q - \sum q_k` left over, Perold's shortfall, the
paper portfolio's gain over the real one's, is

.. math:: C = s \Big(\sum q_k p_k + U p_f - Q p_d\Big) + \text{fees},

- *delay* :math:`s Q (p_a - p_d)`: the price moved before the order was there;
- *spread* :math:`\sum \pm q_k h_k`, half the spread at the child's sending: a taker pays it, a maker
  earns it;
- *impact* :math:`s \sum q_k (p_k - p_a)` minus spread: all else that fills cost against arrival, be it
  our own pressure or the market's drift, which one order cannot tell apart;
- *fees*;
- *opportunity* :math:`s U (p_f - p_a)`: what was not bought ran away.

Prices of half a tick make all of them whole numbers of *half-tick lots* (value is half a tick times a lot):
sums are of int64, exact up to EXACT_MAX. In bps they are of :math:`Q p_d`. Positive is a cost.

*VWAP slippage* is :math:`s (\bar p - \text{VWAP}) / \text{VWAP}` in bps, :math:`\bar p` the mean fill.
The *score* is :math:`100\, \Phi((E - C) / R)` with the cost :math:`E` and risk :math:`R` that the preview
named: 50 is as expected, 84 better by one standard deviation, in [0, 100].

Undefined is NaN: without a positive decision and arrival price and size, with a fill of no price or no
quantity, beyond EXACT_MAX; without a final price only when something is left over. Fills may come in
any order and any batches. A fill of no known order is passed over.

References
----------
Perold (1988), "The implementation shortfall: paper versus reality", Journal of Portfolio Management 14(3).
"""

import math
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel

EXACT_MAX = 2**53
"""Largest sum in half-tick lots: beyond it a float64 is not exact."""

PARTS = ("delay", "spread", "impact", "fees", "opportunity", "total")
"""Columns of what `shortfall` returns."""

FILLED, PAID, SPREAD, FEES, BAD = range(5)
"""Columns of `Sums`."""


class Fills(NamedTuple):
    """Executions, each field of shape ``(m,)``."""

    order: Ints  # row of the order
    lots: Ints
    ticks: Ints  # price
    spread_ticks: Ints  # ask minus bid when the child was sent
    maker: Ints  # 1 when it rested, 0 when it took
    fee: Ints  # half-tick lots, rounded; a rebate is negative


class Orders(NamedTuple):
    """Ended orders, each field of shape ``(n,)``; a price of 0 is unknown."""

    side: Ints  # 1 buys, -1 sells
    lots: Ints
    decision_2_ticks: Ints  # bid plus ask when it was decided
    arrival_2_ticks: Ints  # … when it arrived
    final_2_ticks: Ints  # … when it ended


def no_sums(orders: int) -> Ints:
    """Return the sums before the first fill, shape ``(orders, 5)``."""
    return np.zeros((orders, 5), np.int64)


@kernel
def add_fills(sums: Ints, fills: Fills) -> Ints:
    """Return the sums after m fills.

    Parameters
    ----------
    sums
        Used up; from `no_sums` or the call before.
    fills
        In any order.
    """
    for i in range(fills.order.size):
        row, lots, ticks = fills.order[i], fills.lots[i], fills.ticks[i]
        if not 0 <= row < sums.shape[0]:
            continue
        spread, fee = fills.spread_ticks[i], fills.fee[i]
        size = 2.0 * lots * max(ticks, spread) + abs(float(fee))
        total = abs(sums[row, PAID]) + abs(sums[row, FEES])
        if lots <= 0 or ticks <= 0 or spread < 0 or size + total > EXACT_MAX:
            sums[row, BAD] = 1
            continue
        sums[row, FILLED] += lots
        sums[row, PAID] += 2 * ticks * lots
        sums[row, SPREAD] += -spread * lots if fills.maker[i] == 1 else spread * lots
        sums[row, FEES] += fee
    return sums


@kernel
def shortfall(sums: Ints, orders: Orders) -> tuple[Floats, Floats]:
    """Return the parts of each order's cost, in half-tick lots and in bps, both of shape ``(n, 6)``.

    Parameters
    ----------
    sums
        Left as they are; of n orders.
    orders
        What was wanted.

    Examples
    --------
    Buy 10 lots, decided at 100, arrived at 101; 6 filled at 103, 4 not, and the price ends at 110:

    >>> number = lambda *values: np.array(values)
    >>> fills = Fills(number(0), number(6), number(103), number(2), number(0), number(3))
    >>> sums = add_fills(no_sums(1), fills)
    >>> wanted = Orders(number(1), number(10), number(200), number(202), number(220))
    >>> parts, bps = shortfall(sums, wanted)
    >>> dict(zip(PARTS, parts[0].tolist()))
    {'delay': 20.0, 'spread': 12.0, 'impact': 12.0, 'fees': 3.0, 'opportunity': 72.0, 'total': 119.0}
    >>> float(bps[0, -1])
    595.0
    """
    n = orders.side.size
    parts, bps = np.full((n, 6), np.nan), np.full((n, 6), np.nan)
    for i in range(n):
        side, lots, decided = orders.side[i], orders.lots[i], orders.decision_2_ticks[i]
        arrived, final = orders.arrival_2_ticks[i], orders.final_2_ticks[i]
        left = lots - sums[i, FILLED]
        if sums[i, BAD] == 1 or abs(side) != 1 or lots <= 0 or min(decided, arrived) <= 0:
            continue
        if left != 0 and final <= 0:
            continue
        if (float(lots) + abs(float(left))) * float(max(decided, arrived, final)) > EXACT_MAX:
            continue
        delay = side * lots * (arrived - decided)
        impact = side * (sums[i, PAID] - sums[i, FILLED] * arrived) - sums[i, SPREAD]
        opportunity = side * left * (final - arrived) if left != 0 else 0
        parts[i, 0], parts[i, 1], parts[i, 2] = delay, sums[i, SPREAD], impact
        parts[i, 3], parts[i, 4] = sums[i, FEES], opportunity
        parts[i, 5] = delay + sums[i, SPREAD] + impact + sums[i, FEES] + opportunity
        if np.abs(parts[i]).max() > EXACT_MAX:
            parts[i] = np.nan
        for part in range(6):
            bps[i, part] = 1e4 * parts[i, part] / (float(lots) * decided)
    return parts, bps


@kernel
def vwap_slippage_bps(sums: Ints, side: Ints, vwap_ticks: Floats) -> Floats:
    """Return by how much each order's mean fill is worse than the market's VWAP, shape ``(n,)``.

    Parameters
    ----------
    sums
        Left as they are; of n orders.
    side
        1 buys, -1 sells.
    vwap_ticks
        Volume-weighted price of all trades while the order lived; NaN without trades.

    Examples
    --------
    >>> sums = no_sums(1)
    >>> sums[0, FILLED], sums[0, PAID] = 10, 2 * 10 * 101
    >>> vwap_slippage_bps(sums, np.array([1]), np.array([100.0])).tolist()
    [100.0]
    """
    slippage = np.full(side.size, np.nan)
    for i in range(side.size):
        if sums[i, BAD] == 0 and sums[i, FILLED] > 0 and vwap_ticks[i] > 0.0 and abs(side[i]) == 1:
            mean = sums[i, PAID] / (2.0 * sums[i, FILLED])
            slippage[i] = 1e4 * side[i] * (mean - vwap_ticks[i]) / vwap_ticks[i]
    return slippage


@kernel
def score(shortfall_bps: Floats, expected_bps: Floats, risk_bps: Floats) -> Floats:
    """Return the execution score of each order, in [0, 100], shape ``(n,)``; NaN without a positive risk.

    Parameters
    ----------
    shortfall_bps
        What it cost.
    expected_bps, risk_bps
        What the preview expected, and one standard deviation of it.

    Examples
    --------
    >>> score(np.array([3.0, 3.0]), np.array([3.0, 8.0]), np.array([5.0, 5.0])).round(1).tolist()
    [50.0, 84.1]
    """
    points = np.full(shortfall_bps.size, np.nan)
    for i in range(points.size):
        if 0.0 < risk_bps[i] < np.inf:
            better = (expected_bps[i] - shortfall_bps[i]) / risk_bps[i]
            points[i] = 50.0 * math.erfc(-better / math.sqrt(2.0))
    return points
