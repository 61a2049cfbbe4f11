"""Bar ranges: the average true range of bars as they close, kept for the amendments that follow.

A bar enters its average once, with revision 0, as it first closed. An amendment carries the value
that its bar had; a bar that only late trades fill was never in it and has NaN.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import average_true_range as wilder
from genesis.operators.arrays import Floats, Ints, Rows, grown, in_words, kernel
from genesis.operators.bars import FIRST_PLACE, HISTORY, INTERVALS_NS
from genesis.operators.records import BAR

PARAMETERS = wilder.parameters(bars=14)

_WORDS = in_words(BAR)


class BarRanges(NamedTuple):
    """The averages of every instrument and interval."""

    ranges: wilder.TrueRange  # by slot times intervals plus interval
    open_ns: Ints  # shape (slots, HISTORY.sum()): which closed bar a value is of
    value: Floats  # shape (slots, HISTORY.sum()): its average true range, quote asset


def no_ranges() -> BarRanges:
    """Return the state before the first bar."""
    places = int(HISTORY.sum())
    return BarRanges(wilder.no_range(), np.full((0, places), -1), np.full((0, places), np.nan))


def with_slots(state: BarRanges, slots: int) -> BarRanges:
    """Return ``state`` with room for at least ``slots`` instruments."""
    have = state.open_ns.shape[0]
    if slots <= have:
        return state
    room = max(slots, 2 * have, 16)
    return BarRanges(
        wilder.with_slots(state.ranges, room * INTERVALS_NS.size),
        grown(state.open_ns, room, -1),
        grown(state.value, room, np.nan),
    )


@kernel
def _carry(open_ns: Ints, value: Floats, slots: Ints, kinds: Ints, rows: Rows) -> None:
    """Keep the values of bars that close, and write those kept into the amendments; in fold order."""
    for i in range(rows.size):
        slot, k, row = slots[i], kinds[i], rows[i]
        place = FIRST_PLACE[k] + row.open_ns // INTERVALS_NS[k] % HISTORY[k]
        if row.revision == 0:
            open_ns[slot, place], value[slot, place] = row.open_ns, row.average_true_range
        elif open_ns[slot, place] == row.open_ns:
            row.average_true_range = value[slot, place]
        else:
            row.average_true_range = np.nan


def fold(state: BarRanges, slots: Ints, rows: Rows) -> BarRanges:
    """Return the state after bars; writes ``average_true_range`` into their rows.

    Parameters
    ----------
    state
        Used up; has room for every slot.
    slots
        The instrument of each row, shape ``(n,)``.
    rows
        Of BAR, in the order in which they became known, shape ``(n,)``; only that column is written.

    Examples
    --------
    >>> rows = BAR.empty(14)
    >>> rows["interval_ns"], rows["open_ns"] = INTERVALS_NS[0], np.arange(14) * INTERVALS_NS[0]
    >>> rows["high"], rows["low"], rows["close"] = 3.0, 1.0, 2.0
    >>> _ = fold(with_slots(no_ranges(), 1), np.zeros(14, np.int64), rows)
    >>> rows["average_true_range"][-2:].tolist()
    [nan, 2.0]
    """
    if not rows.size:
        return state
    kinds = np.searchsorted(INTERVALS_NS, rows["interval_ns"])
    closing = rows["revision"] == 0
    prices = np.stack([rows[name][closing] for name in ("high", "low", "close")], axis=1)
    series = slots[closing] * INTERVALS_NS.size + kinds[closing]
    ranges, path = wilder.average_true_range(state.ranges, series, prices, PARAMETERS)
    rows["average_true_range"][closing] = path
    _carry(state.open_ns, state.value, slots, kinds, rows.view(_WORDS))
    return state._replace(ranges=ranges)
