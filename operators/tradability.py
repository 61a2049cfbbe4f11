r"""Tradability: which pairs fit an account of a tier, by what one of its orders would cost, in bps.

A tier's order is worth Q, the position cap of 5 % of the most capital in the tier. Taken from the book
at once it costs half the spread, and then walks. With the value D that rests within DISTANCE_BPS of
the mid on the thinner side, spread evenly,

.. math:: c = \frac{s}{2} + \frac{\delta}{2} \frac{Q}{D}\ \text{bps}, \qquad \delta = 10\ \text{bps}.

A pair *fits* when none of these speaks against it (the reasons, added up, see `Unfit`):

- the spread is undefined or over SPREAD_BPS_MAX, on average over time;
- the order is more than DEPTH_SHARE_MAX of D, or D is undefined: then the cost is an extrapolation;
- the order is more than DAY_SHARE_MAX of a day's volume, or that is undefined.

The rank counts from 1, the cheapest first, those that fit before the others and undefined costs last;
equal ones by name. The estimate and the limits are ours.
"""

from enum import IntFlag
from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, kernel
from genesis.operators.measure_records import Tier

ORDER_NOTIONAL = {Tier.SNIPER: 100.0, Tier.HUNTER: 500.0, Tier.STRATEGIST: 2_500.0, Tier.ARCHITECT: 50_000.0}
"""Largest order of each tier in quote asset: 5 % of the most capital in it; of $1,000,000 for the last."""

DISTANCE_BPS = 10.0
"""Distance from the mid within which depth is counted."""

SPREAD_BPS_MAX = 20.0
"""A wider spread eats a tenth of the 2 % stop-loss before the price has moved."""

DEPTH_SHARE_MAX = 0.1
"""An order is at most this share of the depth."""

DAY_SHARE_MAX = 1e-3
"""An order is at most this share of a day's volume: $100,000 a day for an order of $100."""


class Unfit(IntFlag):
    """What speaks against a pair."""

    SPREAD = 1
    DEPTH = 2
    VOLUME = 4


class Pairs(NamedTuple):
    """What is known of n pairs, each of shape (n,)."""

    spread_bps: Floats  # mean over time
    depth_notional: Floats  # within DISTANCE_BPS, thinner side, quote asset
    day_notional: Floats  # volume of a day, quote asset


@kernel
def cost_and_reasons(pairs: Pairs, order_notional: float) -> tuple[Floats, Ints]:
    """Return the cost of an order in bps and the sum of what speaks against each pair, shape (n,).

    Parameters
    ----------
    pairs
        Left as they are.
    order_notional
        Value of the order in quote asset, positive.

    Examples
    --------
    >>> pairs = Pairs(np.array([2.0, np.nan]), np.array([1e4, 1e4]), np.array([1e6, 1e6]))
    >>> cost_bps, unfit = cost_and_reasons(pairs, 100.0)
    >>> cost_bps.round(3).tolist(), unfit.tolist()
    ([1.05, nan], [0, 1])
    """
    n = pairs.spread_bps.size
    cost_bps, unfit = np.full(n, np.nan), np.zeros(n, np.int64)
    for i in range(n):
        spread, depth, day = pairs.spread_bps[i], pairs.depth_notional[i], pairs.day_notional[i]
        if not 0.0 <= spread <= SPREAD_BPS_MAX:
            unfit[i] |= 1
        if not order_notional <= DEPTH_SHARE_MAX * depth:
            unfit[i] |= 2
        if not order_notional <= DAY_SHARE_MAX * day:
            unfit[i] |= 4
        if spread >= 0.0 and depth > 0.0:
            cost_bps[i] = spread / 2.0 + DISTANCE_BPS / 2.0 * order_notional / depth
    return cost_bps, unfit


def ranks(cost_bps: Floats, unfit: Ints) -> Ints:
    """Return the rank of each pair, from 1; pairs come sorted by name.

    >>> ranks(np.array([3.0, 1.0, 2.0, np.nan]), np.array([0, 1, 0, 2])).tolist()
    [2, 3, 1, 4]
    """
    place = np.empty(cost_bps.size, np.int64)
    place[np.lexsort((cost_bps, unfit != 0))] = np.arange(1, cost_bps.size + 1)
    return place
