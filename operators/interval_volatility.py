"""Interval volatility: realised volatility of 1 s returns over every minute, 5 minutes and hour.

The price of an instrument at the end of a second is the mid of its newest quote; a second without a
quote has the return 0. A return is missing across a gap in the quotes, and while there is no two-sided
quote. An interval in which the instrument was neither quoted nor traded has no row; one that has not
ended has none either. An interval is stale when a gap touched one of its seconds.

What is not seen for a whole hour on the clock is forgotten: the next return is missing.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import realized_volatility as realized
from genesis.operators.arrays import Bools, Floats, Ints, Rows, grown, kernel
from genesis.operators.measure_records import VOLATILITY

SECOND_NS = 1_000_000_000

VOLATILITY_INTERVALS_NS = np.array([60, 300, 3600]) * SECOND_NS
"""Lengths of the intervals: 1 min, 5 min, 1 h; each a multiple of the one before."""

KINDS = VOLATILITY_INTERVALS_NS.size


class IntervalVolatility(NamedTuple):
    """What is known of each instrument, by slot."""

    variation: realized.Variation  # by slot times KINDS plus kind
    log_mid: Floats  # shape (slots,): at the end of the newest second taken in; NaN while undefined
    end_ns: Ints  # shape (slots,): end of that second
    shown: Ints  # shape (slots, KINDS): 1 when there was a second in the interval in hand
    stale: Ints  # shape (slots, KINDS): 1 when a gap touched it


class Seconds(NamedTuple):
    """Seconds in which instruments showed something, in the order of their ends; each of shape (n,)."""

    slots: Ints
    end_ns: Ints
    mid_price: Floats  # NaN while there is no price
    blind: Bools  # whether a gap in the quotes touched it


def no_volatility() -> IntervalVolatility:
    """Return the state before the first second."""
    return IntervalVolatility(
        realized.no_variation(),
        np.empty(0),
        np.empty(0, np.int64),
        np.empty((0, KINDS), np.int64),
        np.empty((0, KINDS), np.int64),
    )


def with_slots(state: IntervalVolatility, slots: int) -> IntervalVolatility:
    """Return ``state`` with room for at least ``slots`` instruments."""
    have = state.end_ns.size
    if slots <= have:
        return state
    room = max(slots, 2 * have, 16)
    return IntervalVolatility(
        realized.with_slots(state.variation, room * KINDS),
        grown(state.log_mid, room, np.nan),
        *(grown(array, room) for array in (state.end_ns, state.shown, state.stale)),
    )


@kernel
def _returns(
    log_mid: Floats, end_ns: Ints, slots: Ints, ends_ns: Ints, log_mids: Floats
) -> tuple[Ints, Floats]:
    """Return the returns up to each second, the quiet seconds before it included, and whose they are."""
    size, known, last_ns = slots.size, np.isfinite(log_mid), end_ns.copy()
    for i in range(slots.size):
        slot = slots[i]
        size += max((ends_ns[i] - last_ns[slot]) // SECOND_NS, 0) if known[slot] else 0
        known[slot], last_ns[slot] = np.isfinite(log_mids[i]), ends_ns[i]
    whose, found = np.empty(size, np.int64), np.empty(size)
    written = 0
    for i in range(slots.size):
        slot = slots[i]
        if np.isfinite(log_mid[slot]):
            for _ in range((ends_ns[i] - end_ns[slot]) // SECOND_NS - 1):
                whose[written], found[written] = slot, 0.0
                written += 1
        whose[written], found[written] = slot, log_mids[i] - log_mid[slot]
        written += 1
        log_mid[slot], end_ns[slot] = log_mids[i], ends_ns[i]
    return whose[:written], found[:written]


def _with_returns(
    state: IntervalVolatility, slots: Ints, ends_ns: Ints, log_mids: Floats
) -> IntervalVolatility:
    whose, found = _returns(state.log_mid, state.end_ns, slots, ends_ns, log_mids)
    variation = state.variation
    for kind in range(KINDS):
        variation = realized.update(variation, whose * KINDS + kind, found)
    return state._replace(variation=variation)


def add(state: IntervalVolatility, seconds: Seconds) -> IntervalVolatility:
    """Return the state after seconds of one minute; each instrument has at most one row a second.

    Parameters
    ----------
    state
        Used up; has room for every slot.
    seconds
        Later than all before.

    Examples
    --------
    >>> slots, end_ns, mid_price = np.zeros(2, np.int64), np.array([1, 60]) * SECOND_NS, np.array([1.0, 1.01])
    >>> seconds = Seconds(slots, end_ns, mid_price, blind=np.zeros(2, np.bool_))
    >>> state = add(with_slots(no_volatility(), 1), seconds)
    >>> rows, _ = close(state, 60 * SECOND_NS)[1:]
    >>> rows["realized_bps"].round(2).tolist(), rows["return_count"].tolist()
    ([99.5], [59])
    """
    if not seconds.slots.size:
        return state
    with np.errstate(invalid="ignore", divide="ignore"):
        log_mids = np.where(seconds.blind, np.nan, np.log(seconds.mid_price))
    state = _with_returns(state, seconds.slots, seconds.end_ns, log_mids)
    state.shown[seconds.slots] = 1
    state.stale[seconds.slots[seconds.blind]] = 1
    return state


def close(state: IntervalVolatility, now_ns: int) -> tuple[IntervalVolatility, Rows, Ints]:
    """Return the state after the end of a minute, the rows of intervals that end then, and their slots.

    Parameters
    ----------
    state
        Used up.
    now_ns
        End of a minute; all seconds up to it have been added.

    Returns
    -------
    state, rows, slots
        ``rows`` of VOLATILITY without names, ``slots`` the instrument of each.
    """
    known = np.flatnonzero(np.isfinite(state.log_mid) & (state.end_ns < now_ns))
    if known.size:
        state = _with_returns(state, known, np.full(known.size, now_ns), state.log_mid[known])
    rows, slots = [VOLATILITY.empty()], [np.empty(0, np.int64)]
    for kind, interval_ns in enumerate(VOLATILITY_INTERVALS_NS.tolist()):
        if now_ns % interval_ns:
            break
        mine = np.flatnonzero(state.shown[:, kind])
        rows.append(_rows(state, mine, kind))
        rows[-1]["open_ns"], rows[-1]["interval_ns"] = now_ns - interval_ns, interval_ns
        slots.append(mine)
        everyone = np.arange(state.end_ns.size)
        state = state._replace(variation=realized.begun_anew(state.variation, everyone * KINDS + kind))
        if kind == KINDS - 1:
            state.log_mid[state.shown[:, kind] == 0] = np.nan
        state.shown[:, kind] = state.stale[:, kind] = 0
    return state, np.concatenate(rows), np.concatenate(slots)


def _rows(state: IntervalVolatility, slots: Ints, kind: int) -> Rows:
    rows = VOLATILITY.empty(slots.size)
    series = slots * KINDS + kind
    total, bipower, median, jumps = realized.measures(state.variation, series)
    for name, variance in (("realized_bps", total), ("bipower_bps", bipower), ("median_bps", median)):
        rows[name] = np.sqrt(variance) * 1e4
    rows["jump_share"], rows["return_count"] = jumps, state.variation.counts[series, 0]
    rows["stale"] = state.stale[slots, kind]
    return rows
