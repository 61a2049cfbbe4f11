r"""Spread persistence: the usual spread of a symbol in bps, how often it is wide, and for how long.

All are means over *time*, not over quotes: a spread counts as long as it lasted. With the spread
:math:`s(u)` at time u and the half-life h,

.. math:: m(t) = \frac{\int w(u) s(u) du}{\int w(u) du}, \qquad w(u) = 2^{-(t-u)/h},

over the times at which there was a two-sided quote. A spread is *wide* when it is more than
``wide_ratio`` times m as it was when the spread appeared; it is wide until a quote that is not. Given are

- ``mean_bps``: m, the usual spread;
- ``wide_share``: the same mean of "it is wide", in [0, 1];
- ``wide_s``: decayed time of being wide over decayed number of times it became wide: how many seconds
  a wide spread lasts. One that still lasts counts so far.

All three are NaN before any time has passed under a quote; ``wide_s`` before the first wide spread.

A quote older than the newest of its symbol is passed over. A quote that is not
two-sided, or that stands for a gap (NaN prices), ends the spread before; what follows is unknown
until the next quote and counts nowhere. The three measures are ours.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Floats, Ints, grown, kernel
from genesis.operators.parameters import positive, within

LN2 = float(np.log(2.0))

TIME, SPREAD_TIME, WIDE_TIME, WIDE_TIMES = range(4)
"""Columns of ``Spreads.sums``."""


class Spreads(NamedTuple):
    """The newest spread and the decayed times, by slot."""

    spread_bps: Floats  # shape (slots,): NaN while there is none
    wide: Ints  # shape (slots,): 1 while it is wide
    sums: Floats  # shape (slots, 4): time (s), spread times time (bps s), time wide (s), times it became wide
    newest_ns: Ints  # shape (slots,): event time of the newest quote; NEVER_NS before the first


class SpreadParameters(NamedTuple):
    """Parameters of the measure; made by `parameters`."""

    half_life_ns: int
    wide_ratio: float  # a spread more than so many times the usual one is wide


def parameters(half_life_ns: int, wide_ratio: float) -> SpreadParameters:
    """Return valid parameters.

    Raises
    ------
    ValueError
        When the half-life is not positive, or the ratio not at least 1.
    """
    positive("spread_persistence", "half_life_ns", half_life_ns, "give the half-life in nanoseconds")
    within("spread_persistence", "wide_ratio", wide_ratio, (1.0, 1e6), "wide is wider than usual")
    return SpreadParameters(int(half_life_ns), float(wide_ratio))


def no_spreads(slots: int = 0) -> Spreads:
    """Return the state before the first quote."""
    return Spreads(
        np.full(slots, np.nan), np.zeros(slots, np.int64), np.zeros((slots, 4)), np.full(slots, NEVER_NS)
    )


def with_slots(spreads: Spreads, slots: int) -> Spreads:
    """Return ``spreads`` with room for at least ``slots`` symbols."""
    have = spreads.newest_ns.size
    if slots <= have:
        return spreads
    room = max(slots, 2 * have, 16)
    fills = (np.nan, 0, 0, NEVER_NS)
    return Spreads(*(grown(array, room, fill) for array, fill in zip(spreads, fills, strict=True)))


@kernel
def persistence(
    spreads: Spreads, slots: Ints, event_ns: Ints, spread_bps: Floats, parameters: SpreadParameters
) -> tuple[Spreads, Floats]:
    """Return the state after n quotes, and the measures of its symbol at the time of each.

    Parameters
    ----------
    spreads
        Used up; has room for every slot.
    slots
        The symbol of each quote, shape ``(n,)``.
    event_ns
        When it was made, shape ``(n,)``.
    spread_bps
        Its spread in basis points, NaN without a two-sided quote, shape ``(n,)``.
    parameters
        From `parameters`.

    Returns
    -------
    spreads, measures
        ``measures`` have the columns ``mean_bps``, ``wide_share`` and ``wide_s``, shape ``(n, 3)``.

    Examples
    --------
    >>> spread_bps, event_ns = np.array([1.0, 5.0, 1.0]), np.array([0, 3, 5]) * 10**9
    >>> how = SpreadParameters(half_life_ns=10**18, wide_ratio=2.0)
    >>> measures = persistence(no_spreads(1), np.zeros(3, np.int64), event_ns, spread_bps, how)[1]
    >>> measures.round(6).tolist()
    [[nan, nan, nan], [1.0, 0.0, nan], [2.6, 0.4, 2.0]]
    """
    newest_bps, wide, sums, newest_ns = spreads
    measures = np.full((slots.size, 3), np.nan)
    life_s = parameters.half_life_ns * 1e-9 / LN2
    for i in range(slots.size):
        slot, new_bps = slots[i], spread_bps[i]
        mine = sums[slot]
        elapsed_ns = event_ns[i] - newest_ns[slot]
        if elapsed_ns > 0:
            share = -np.expm1(-LN2 * elapsed_ns / parameters.half_life_ns)
            for k in range(4):
                mine[k] -= share * mine[k]
            if np.isfinite(newest_bps[slot]):
                mine[TIME] += share * life_s
                mine[SPREAD_TIME] += share * life_s * newest_bps[slot]
                mine[WIDE_TIME] += share * life_s if wide[slot] else 0.0
            newest_ns[slot] = event_ns[i]
        known = mine[TIME] > 0.0
        if elapsed_ns >= 0 and not 0.0 <= new_bps < np.inf:
            newest_bps[slot], wide[slot] = np.nan, 0
        elif elapsed_ns >= 0:
            now_wide = known and new_bps > parameters.wide_ratio * (mine[SPREAD_TIME] / mine[TIME])
            if now_wide and not wide[slot]:
                mine[WIDE_TIMES] += 1.0
            newest_bps[slot], wide[slot] = new_bps, 1 if now_wide else 0
        if known:
            measures[i, 0] = mine[SPREAD_TIME] / mine[TIME]
            measures[i, 1] = min(mine[WIDE_TIME] / mine[TIME], 1.0)
            if mine[WIDE_TIME] > 0.0:
                measures[i, 2] = mine[WIDE_TIME] / mine[WIDE_TIMES]
    return spreads, measures
