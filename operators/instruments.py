"""Instruments: the dense number (slot) of every (market, symbol), in order of first appearance.

State of other operators is an array with one row per slot. A slot, once given, is never given to
another instrument. Nothing that is published depends on slots: rows go out sorted by name.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints, Rows, Words, kernel
from genesis.operators.records import SYMBOL_BYTES


class Instruments(NamedTuple):
    """An open-addressing hash table; at least half of it is empty."""

    table: Ints  # shape (2**k,): slot + 1, or 0 where empty
    names: Words  # shape (2**(k-1), 3): the symbol's two words and the market, by slot
    size: int  # slots given so far


def no_instruments() -> Instruments:
    """Return an empty table."""
    return Instruments(np.zeros(128, np.int64), np.zeros((64, 3), np.uint64), 0)


@kernel
def _place(table: Ints, names: Words, word_0: np.uint64, word_1: np.uint64, market: np.uint64) -> int:
    """Return where an instrument is in the table, or the empty place where it belongs."""
    mixed = word_0 * np.uint64(0x9E3779B97F4A7C15) ^ (word_1 + market) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mask = table.size - 1
    place = int(np.int64(mixed >> np.uint64(8)) & mask)
    while table[place] != 0:
        slot = table[place] - 1
        if names[slot, 0] == word_0 and names[slot, 1] == word_1 and names[slot, 2] == market:
            break
        place = (place + 1) & mask
    return place


@kernel
def _doubled(table: Ints, names: Words, count: int) -> tuple[Ints, Words]:
    """Return a hash table and a list of names of twice the size, filled alike."""
    longer = np.zeros((2 * names.shape[0], 3), np.uint64)
    longer[: names.shape[0]] = names
    wider = np.zeros(2 * table.size, np.int64)
    for slot in range(count):
        wider[_place(wider, longer, longer[slot, 0], longer[slot, 1], longer[slot, 2])] = slot + 1
    return wider, longer


@kernel
def _with_new(
    instruments: Instruments, word_0: np.uint64, word_1: np.uint64, market: np.uint64
) -> Instruments:
    """Return the table with one more instrument, which it does not hold yet."""
    table, names, count = instruments
    if count == names.shape[0]:
        table, names = _doubled(table, names, count)
    names[count, 0], names[count, 1], names[count, 2] = word_0, word_1, market
    table[_place(table, names, word_0, word_1, market)] = count + 1
    return Instruments(table, names, count + 1)


@kernel
def slots_of(instruments: Instruments, rows: Rows) -> tuple[Instruments, Ints]:
    """Return the table with new instruments added, and the slot of each row, shape ``(n,)``.

    Parameters
    ----------
    instruments
        Used up.
    rows
        Of a layout with ``symbol_0``, ``symbol_1`` and ``market``, as `arrays.in_words` makes it.

    Examples
    --------
    >>> rows = np.zeros(3, [("symbol_0", "<u8"), ("symbol_1", "<u8"), ("market", "i1")])
    >>> rows["symbol_0"] = [7, 9, 7]
    >>> table, slots = slots_of(no_instruments(), rows)
    >>> slots.tolist(), table.size
    ([0, 1, 0], 2)
    """
    table, names, count = instruments
    slots = np.empty(rows.size, np.int64)
    for i in range(rows.size):
        row = rows[i]
        word_0, word_1, market = row.symbol_0, row.symbol_1, np.uint64(row.market)
        found = table[_place(table, names, word_0, word_1, market)]
        if found == 0:
            table, names, count = _with_new(Instruments(table, names, count), word_0, word_1, market)
            found = count
        slots[i] = found - 1
    return Instruments(table, names, count), slots


@kernel
def trade_ticks(instruments: Instruments, rows: Rows) -> tuple[Instruments, Ints, Floats]:
    """Return the table, and trades as the keys and values of `waiting.Ticks`; quantity signed by side.

    Parameters
    ----------
    instruments
        Used up.
    rows
        Of the layout ``in_words(TRADE)``, shape ``(n,)``.
    """
    table, names, count = instruments
    keys, values = np.empty((rows.size, 4), np.int64), np.empty((rows.size, 2))
    for i in range(rows.size):
        row = rows[i]
        word_0, word_1, market = row.symbol_0, row.symbol_1, np.uint64(row.market)
        found = table[_place(table, names, word_0, word_1, market)]
        if found == 0:
            table, names, count = _with_new(Instruments(table, names, count), word_0, word_1, market)
            found = count
        keys[i, 0], keys[i, 1], keys[i, 2], keys[i, 3] = (
            row.effective_ns,
            row.event_ns,
            found - 1,
            row.trade_id,
        )
        values[i, 0], values[i, 1] = row.price, row.qty if row.side >= 0 else -row.qty
    return Instruments(table, names, count), keys, values


@kernel
def quote_ticks(instruments: Instruments, rows: Rows) -> tuple[Instruments, Ints, Floats]:
    """Return the table, and quotes as the keys and values of `waiting.Ticks`.

    Parameters
    ----------
    instruments
        Used up.
    rows
        Of the layout ``in_words(QUOTE)``, shape ``(n,)``.
    """
    table, names, count = instruments
    keys, values = np.empty((rows.size, 4), np.int64), np.empty((rows.size, 4))
    for i in range(rows.size):
        row = rows[i]
        word_0, word_1, market = row.symbol_0, row.symbol_1, np.uint64(row.market)
        found = table[_place(table, names, word_0, word_1, market)]
        if found == 0:
            table, names, count = _with_new(Instruments(table, names, count), word_0, word_1, market)
            found = count
        keys[i, 0], keys[i, 1], keys[i, 2], keys[i, 3] = (
            row.effective_ns,
            row.event_ns,
            found - 1,
            row.update_id,
        )
        values[i, 0], values[i, 1] = row.bid_price, row.ask_price
        values[i, 2], values[i, 3] = row.bid_qty, row.ask_qty
    return Instruments(table, names, count), keys, values


def symbols(instruments: Instruments) -> np.ndarray:
    """Return the symbol of every slot, shape ``(size,)``."""
    words = np.ascontiguousarray(instruments.names[: instruments.size, :2])
    return words.view(f"S{SYMBOL_BYTES}").reshape(-1)


def markets(instruments: Instruments) -> np.ndarray:
    """Return the market of every slot, shape ``(size,)``."""
    return instruments.names[: instruments.size, 2].astype(np.int8)


def sorted_slots(instruments: Instruments) -> Ints:
    """Return the slots in the order of (market, symbol)."""
    return np.lexsort((symbols(instruments), markets(instruments)))


def by_name(rows: Rows, *before: str, after: tuple[str, ...] = ()) -> Ints:
    """Return the order of ``rows`` by the columns ``before``, then market and symbol, then ``after``."""
    columns = (*before, "market", "symbol", *after)
    return np.lexsort([rows[name] for name in reversed(columns)])
