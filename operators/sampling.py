"""Sampling: what one instrument showed in one slice of event time, by previous tick.

The price of an instrument at time T is the mid of its newest quote that counts before T. Newest is
by (event time, update id); a late quote that is older than the newest one is passed over. A slice
in which an instrument had neither quote nor trade has no sample: its price is the one before.

Slices are finer than the cells over which returns are taken, so that all shards can be sampled on
one grid of cells that begins where the data begin (`market_join`).
"""

from typing import Any, NamedTuple

import numpy as np

from genesis.operators.arrays import NEVER_NS, Floats, Ints, Rows, Words, grown, kernel
from genesis.operators.waiting import Ticks

SLICE_NS = 50_000_000
"""Length of a slice, ns."""

NO_SLICE_NS = -1
"""The slice of an instrument that has shown nothing since its last sample."""

SAMPLE = np.dtype(
    [
        ("slice_ns", "<i8"),  # start of the slice
        ("bid_price", "<f8"),  # of the newest quote; NaN in a sample of trades
        ("ask_price", "<f8"),
        ("newest_ns", "<i8"),  # event time of the newest tick
        ("trade_count", "<i8"),
        ("symbol_0", "<u8"),
        ("symbol_1", "<u8"),
        ("market", "<i8"),
        ("has_quote", "<i8"),  # 1 for a sample of quotes, 0 for one of trades
    ]
)
"""One instrument in one slice, from one stream; 72 bytes."""


class Samples(NamedTuple):
    """The slice that each instrument is in, by slot, for one stream."""

    slice_ns: Ints  # shape (slots,): start of the slice, or NO_SLICE_NS
    newest: Ints  # shape (slots, 3): event time and update id of the newest tick, trades in the slice
    prices: Floats  # shape (slots, 2): bid and ask price of the newest quote


def no_samples() -> Samples:
    """Return the state before the first tick."""
    return Samples(np.empty(0, np.int64), np.empty((0, 3), np.int64), np.empty((0, 2)))


def with_slots(samples: Samples, slots: int) -> Samples:
    """Return ``samples`` with room for at least ``slots`` instruments."""
    have = samples.slice_ns.size
    if slots <= have:
        return samples
    room = max(slots, 2 * have, 16)
    newest = grown(samples.newest, room, NEVER_NS)
    newest[have:, 2] = 0
    return Samples(grown(samples.slice_ns, room, NO_SLICE_NS), newest, grown(samples.prices, room, np.nan))


@kernel
def _take(samples: Samples, slot: int, row: Any, names: Words, of_quotes: int) -> None:
    """Write the sample of the slice that a slot is in, and leave the slice."""
    row.slice_ns, row.newest_ns = samples.slice_ns[slot], samples.newest[slot, 0]
    row.bid_price, row.ask_price = samples.prices[slot, 0], samples.prices[slot, 1]
    row.trade_count, row.has_quote = samples.newest[slot, 2], of_quotes
    row.symbol_0, row.symbol_1, row.market = names[slot, 0], names[slot, 1], names[slot, 2]
    samples.slice_ns[slot] = NO_SLICE_NS
    samples.newest[slot, 2] = 0


@kernel
def _sample(samples: Samples, ticks: Ticks, until_ns: int, names: Words, rows: Rows, of_quotes: int) -> int:
    """Write the samples of the slices that ended; return how many."""
    slice_ns, newest, prices = samples
    keys, values = ticks
    written = 0
    for i in range(keys.shape[0]):
        effective_ns, event_ns, slot, sequence = keys[i, 0], keys[i, 1], keys[i, 2], keys[i, 3]
        older = event_ns < newest[slot, 0] or (event_ns == newest[slot, 0] and sequence <= newest[slot, 1])
        if of_quotes and older:
            continue
        if slice_ns[slot] == NO_SLICE_NS or effective_ns >= slice_ns[slot] + SLICE_NS:
            if slice_ns[slot] != NO_SLICE_NS:
                _take(samples, slot, rows[written], names, of_quotes)
                written += 1
            slice_ns[slot] = effective_ns - effective_ns % SLICE_NS
        if of_quotes:
            newest[slot, 0], newest[slot, 1] = event_ns, sequence
            prices[slot, 0], prices[slot, 1] = values[i, 0], values[i, 1]
        else:
            newest[slot, 0] = max(newest[slot, 0], event_ns)
            newest[slot, 2] += 1
    if until_ns > 0:
        for slot in range(slice_ns.size):
            if slice_ns[slot] != NO_SLICE_NS and slice_ns[slot] + SLICE_NS <= until_ns:
                _take(samples, slot, rows[written], names, of_quotes)
                written += 1
    return written


def sample(
    samples: Samples, ticks: Ticks, until_ns: int, names: Words, *, of_quotes: bool
) -> tuple[Samples, Rows]:
    """Return the state after the ticks, and the samples of the slices that ended.

    Parameters
    ----------
    samples
        Used up; has room for every slot.
    ticks
        Quotes, or new trades, in fold order, and after all that were folded before.
    until_ns
        Slices that end at or before this have ended; 0 when none can have.
    names
        Symbol words and market by slot, as in `instruments.Instruments`.
    of_quotes
        Whether the ticks are quotes.

    Returns
    -------
    samples, rows
        ``rows`` have the layout SAMPLE, in no particular order.

    Examples
    --------
    >>> quotes = Ticks(np.array([[5, 5, 0, 2], [6, 4, 0, 1]]), np.array([[10.0, 11.0], [9.0, 10.0]]))
    >>> state = with_slots(no_samples(), 1)
    >>> _, rows = sample(state, quotes, SLICE_NS, np.zeros((1, 3), np.uint64), of_quotes=True)
    >>> rows["bid_price"].tolist()
    [10.0]
    """
    keys = ticks.keys
    span_ns = int(keys[-1, 0] - keys[0, 0]) if keys.shape[0] else 0
    slots = samples.slice_ns.size
    rows = np.zeros(min(keys.shape[0], slots * (span_ns // SLICE_NS + 1)) + slots, SAMPLE)
    written = _sample(samples, ticks, until_ns, names, rows, int(of_quotes))
    return samples, rows[:written]
