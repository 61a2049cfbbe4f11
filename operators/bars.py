"""Bars: open, high, low, close, volumes and count of the trades in [open_ns, open_ns + interval).

A bar holds the trades whose event time lies in it. It closes, with revision 0, when event time has
passed its end; an interval without a trade has no bar. A trade that counts (``effective_ns``) at or
after the end of the bar that its event time belongs to is *late* for that bar: it amends it, with
the next revision. The same trade may be in time for a longer bar.

Open and close are the first and last price by (event time, trade id), so they do not depend on the
order of arrival; sums are taken in fold order. ``vwap`` is NaN when nothing but zero quantities
were traded. A bar is stale when a gap in the trades of its instrument overlaps it; a gap that
becomes known after the bar has closed amends it too. A bar that only late trades fill begins with
revision 1: its revision 0 was empty.

A closed bar can be amended until HISTORY times its interval after it opened (1 s bars: a minute).
A trade later than that is reported, and that bar stays as it is.
"""

from typing import Any, NamedTuple

import numpy as np

from genesis.operators.arrays import Bools, Ints, Rows, Words, grown, in_words, kernel
from genesis.operators.records import BAR
from genesis.operators.waiting import Ticks

SECOND_NS = 1_000_000_000

INTERVALS_NS = np.array([1, 60, 300, 3600]) * SECOND_NS
"""Lengths of the bars: 1 s, 1 min, 5 min, 1 h."""

HISTORY = np.array([60, 5, 3, 2])
"""Closed bars of each interval that are kept for amendment."""

FIRST_PLACE = np.cumsum(HISTORY) - HISTORY
"""Where the closed bars of each interval begin in ``Bars.closed``."""

BAR_ROW = in_words(BAR)

FOLD = np.dtype(
    [
        ("open_ns", "<i8"),  # start of the bar
        ("trade_count", "<i8"),  # 0 marks an unused entry
        ("revision", "<i8"),  # of the newest row published
        ("stale", "<i8"),
        ("first_ns", "<i8"),  # event time of the open
        ("first_id", "<i8"),
        ("last_ns", "<i8"),  # event time of the close
        ("last_id", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("qty", "<f8"),
        ("buy_qty", "<f8"),
        ("notional", "<f8"),
    ]
)
"""A bar while it is being made, 120 bytes."""


class Bars(NamedTuple):
    """The bars of the instruments of one shard, by slot."""

    current: Rows  # FOLD, shape (slots, intervals): the bar being made
    closed: Rows  # FOLD, shape (slots, HISTORY.sum()): each bar at (open_ns / interval) modulo HISTORY
    stale_through_ns: Ints  # shape (slots, intervals): a current bar that opened by then touches a gap
    gap_ns: Ints  # shape (slots, 2): start and end of the newest gap; the end is OPEN_NS while it lasts


OPEN_NS = 2**63 - 1
"""The end of a gap that has not ended."""


def no_bars(slots: int = 0) -> Bars:
    """Return the state before the first trade."""
    return Bars(
        np.zeros((slots, INTERVALS_NS.size), FOLD),
        np.zeros((slots, int(HISTORY.sum())), FOLD),
        np.full((slots, INTERVALS_NS.size), -1),
        np.full((slots, 2), -1),
    )


def with_slots(bars: Bars, slots: int) -> Bars:
    """Return ``bars`` with room for at least ``slots`` instruments."""
    have = bars.current.shape[0]
    if slots <= have:
        return bars
    room = max(slots, 2 * have, 16)
    return Bars(
        grown(bars.current, room),
        grown(bars.closed, room),
        grown(bars.stale_through_ns, room, -1),
        grown(bars.gap_ns, room, -1),
    )


Tick = tuple[tuple[int, int, int, int], tuple[float, float]]
"""One row of `waiting.Ticks`: its keys and its values."""


@kernel
def _add(bar: Any, open_ns: int, tick: Tick) -> None:
    """Put one trade into a bar; an unused entry becomes the bar that opens at ``open_ns``."""
    (_, event_ns, _, trade_id), (price, signed_qty) = tick
    new = bar.trade_count == 0
    if new:
        bar.open_ns, bar.revision, bar.stale = open_ns, 0, 0
        bar.qty, bar.buy_qty, bar.notional = 0.0, 0.0, 0.0
    if new or event_ns < bar.first_ns or (event_ns == bar.first_ns and trade_id < bar.first_id):
        bar.first_ns, bar.first_id, bar.open = event_ns, trade_id, price
    if new or event_ns > bar.last_ns or (event_ns == bar.last_ns and trade_id > bar.last_id):
        bar.last_ns, bar.last_id, bar.close = event_ns, trade_id, price
    bar.high = price if new else max(bar.high, price)
    bar.low = price if new else min(bar.low, price)
    bar.qty += abs(signed_qty)
    bar.buy_qty += max(signed_qty, 0.0)
    bar.notional += price * abs(signed_qty)
    bar.trade_count += 1


@kernel
def _write(row: Any, bar: Any, interval_ns: int, effective_ns: int, names: Words, slot: int) -> None:
    """Write the published row of a bar."""
    row.open_ns, row.interval_ns = bar.open_ns, interval_ns
    row.revision, row.effective_ns = bar.revision, effective_ns
    row.open, row.high, row.low, row.close = bar.open, bar.high, bar.low, bar.close
    row.qty, row.buy_qty, row.notional = bar.qty, bar.buy_qty, bar.notional
    row.vwap = bar.notional / bar.qty if bar.qty > 0.0 else np.nan
    row.trade_count, row.stale = bar.trade_count, bar.stale
    row.symbol_0, row.symbol_1, row.market = names[slot, 0], names[slot, 1], names[slot, 2]


@kernel
def _close(bars: Bars, slot: int, k: int, row: Any, names: Words) -> None:
    """Close the current bar of one interval: publish it and keep it for amendment."""
    bar = bars.current[slot, k]
    bar.stale = bars.gap_ns[slot, 1] == OPEN_NS or bar.open_ns <= bars.stale_through_ns[slot, k]
    _write(row, bar, INTERVALS_NS[k], bar.open_ns + INTERVALS_NS[k], names, slot)
    bars.closed[slot, FIRST_PLACE[k] + bar.open_ns // INTERVALS_NS[k] % HISTORY[k]] = bar
    bar.trade_count = 0


@kernel
def _put(bars: Bars, tick: Tick, k: int, rows: Rows, written: int, names: Words) -> tuple[int, bool]:
    """Put a trade into its bar of one interval; return the rows written so far and whether it had a bar."""
    effective_ns, event_ns, slot, _ = tick[0]
    interval_ns = INTERVALS_NS[k]
    bar = bars.current[slot, k]
    if bar.trade_count > 0 and bar.open_ns + interval_ns <= effective_ns:
        _close(bars, slot, k, rows[written], names)
        written += 1
    open_ns = event_ns - event_ns % interval_ns
    closed = bars.closed[slot, FIRST_PLACE[k] + open_ns // interval_ns % HISTORY[k]]
    kept = closed.trade_count > 0 and closed.open_ns == open_ns
    if open_ns + interval_ns > effective_ns and not kept:
        _add(bar, open_ns, tick)
        return written, True
    if effective_ns >= open_ns + interval_ns * HISTORY[k]:
        return written, False
    if not kept:
        closed.trade_count = 0
    _add(closed, open_ns, tick)
    if open_ns <= bars.gap_ns[slot, 1] and open_ns + interval_ns > bars.gap_ns[slot, 0]:
        closed.stale = 1
    closed.revision += 1
    _write(rows[written], closed, interval_ns, effective_ns, names, slot)
    return written + 1, True


@kernel
def _fold_trades(bars: Bars, trades: Ticks, until_ns: int, names: Words, rows: Rows) -> tuple[int, Bools]:
    """Write the rows of bars that close or are amended; return how many, and which trades came too late."""
    written = 0
    too_late = np.zeros(trades.keys.shape[0], np.bool_)
    current, (keys, values) = bars.current, trades
    for i in range(keys.shape[0]):
        trade = (keys[i, 0], keys[i, 1], keys[i, 2], keys[i, 3])
        tick = (trade, (values[i, 0], values[i, 1]))
        for k in range(INTERVALS_NS.size):
            bar = current[trade[2], k]
            going_on = bar.trade_count > 0 and trade[0] < bar.open_ns + INTERVALS_NS[k]
            if going_on and trade[1] >= bar.open_ns:  # by far the most trades; no division, no call
                _add(bar, bar.open_ns, tick)
            else:
                written, found = _put(bars, tick, k, rows, written, names)
                too_late[i] |= not found
    if until_ns > 0:
        for slot in range(bars.current.shape[0]):
            for k in range(INTERVALS_NS.size):
                bar = bars.current[slot, k]
                if bar.trade_count > 0 and bar.open_ns + INTERVALS_NS[k] <= until_ns:
                    _close(bars, slot, k, rows[written], names)
                    written += 1
    return written, too_late


def _rows_most(trades: Ticks, slots: int) -> int:
    """Return a bound on the rows that the trades can cause: bars that end, and amendments."""
    effective_ns = trades.keys[:, 0]
    span_ns = int(effective_ns[-1] - effective_ns[0]) if effective_ns.size else 0
    late = int(np.count_nonzero(trades.keys[:, 1] < effective_ns))
    closing = sum(min(effective_ns.size, slots * (span_ns // int(i) + 1)) for i in INTERVALS_NS)
    return closing + (late + slots) * INTERVALS_NS.size


def fold_trades(bars: Bars, trades: Ticks, until_ns: int, names: Words) -> tuple[Bars, Rows, Bools]:
    """Return the state after the trades, the bars that closed or were amended, and who came too late.

    Parameters
    ----------
    bars
        Used up; has room for every slot.
    trades
        Each trade once, in fold order, and after all that were folded before.
    until_ns
        Bars that end at or before this close after the trades; 0 when no bar can have ended.
    names
        Symbol words and market by slot, as in `instruments.Instruments`.

    Returns
    -------
    bars, rows, too_late
        ``rows`` are of BAR, in no particular order; ``too_late``, shape ``(n,)``, marks the trades
        that came too late for at least one bar.

    Examples
    --------
    >>> from genesis.operators.waiting import ticks
    >>> keys = [(1, 1, 0, 0), (2, 2, 0, 1), (1_500_000_000, 3, 0, 2)]  # the last one happened at 3 ns
    >>> trades = ticks(keys, [(10.0, 1.0), (12.0, 1.0), (9.0, 1.0)])
    >>> _, rows, _ = fold_trades(no_bars(1), trades, 2 * SECOND_NS, np.zeros((1, 3), np.uint64))
    >>> [(int(r["revision"]), float(r["low"]), float(r["close"])) for r in rows]
    [(0, 10.0, 12.0), (1, 9.0, 9.0)]
    """
    rows = BAR.empty(_rows_most(trades, bars.current.shape[0]))
    written, too_late = _fold_trades(bars, trades, until_ns, names, rows.view(BAR_ROW))
    return bars, rows[:written], too_late


@kernel
def _apply_gap(bars: Bars, slot: int, gap_ns: tuple[int, int, int], names: Words, rows: Rows) -> int:
    """Mark the bars that a gap touches, write the rows of those amended, and return how many."""
    start_ns, end_ns, effective_ns = gap_ns
    bars.gap_ns[slot, 0], bars.gap_ns[slot, 1] = start_ns, end_ns
    written = 0
    for k in range(INTERVALS_NS.size):
        interval_ns = INTERVALS_NS[k]
        last_ns = effective_ns if end_ns == OPEN_NS else end_ns
        touched_ns = last_ns - last_ns % interval_ns
        bars.stale_through_ns[slot, k] = max(bars.stale_through_ns[slot, k], touched_ns)
        for place in range(FIRST_PLACE[k], FIRST_PLACE[k] + HISTORY[k]):
            bar = bars.closed[slot, place]
            overlaps = bar.open_ns <= end_ns and bar.open_ns + interval_ns > start_ns
            overlaps &= effective_ns < bar.open_ns + interval_ns * HISTORY[k]
            if bar.trade_count > 0 and bar.stale == 0 and overlaps:
                bar.stale = 1
                bar.revision += 1
                _write(rows[written], bar, interval_ns, effective_ns, names, slot)
                written += 1
    return written


def apply_gap(bars: Bars, slot: int, gap_ns: tuple[int, int, int], names: Words) -> tuple[Bars, Rows]:
    """Return the state with a gap in the trades of one instrument, and the closed bars it amends.

    Parameters
    ----------
    bars
        Used up; all bars that end at or before the gap's effective time are closed.
    slot
        The instrument.
    gap_ns
        Start, end (OPEN_NS while it lasts; both inclusive) and effective time of the gap.
    names
        Symbol words and market by slot.
    """
    rows = BAR.empty(bars.closed.shape[1])
    written = _apply_gap(bars, slot, gap_ns, names, rows.view(BAR_ROW))
    return bars, rows[:written]
