"""Instruments: the dense number (slot) of every (market, symbol), in order of first appearance.

State of other operators is an array with one row per slot. A slot, once given, is never given to
another instrument. Nothing that is published depends on slots: rows go out sorted by name.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators.arrays import Ints, Rows, Words, kernel
from genesis.operators.records import SYMBOL_BYTES


class Instruments(NamedTuple):
    """An open-addressing hash table; at least half of it is empty."""

    table: Ints  # shape (2**k,): slot + 1, or 0 where empty
    names: Words  # shape (2**(k-1), 3): the symbol's two words and the market, by slot
    count: int  # slots given so far


def no_instruments() -> Instruments:
    """Return an empty table."""
    return Instruments(np.zeros(128, np.int64), np.zeros((64, 3), np.uint64), 0)


@kernel
def _place(table: Ints, names: Words, word_0: np.uint64, word_1: np.uint64, market: np.uint64) -> int:
    """Return where an instrument is in the table, or the empty place where it belongs."""
    mixed = word_0 * np.uint64(0x9E3779B97F4A7C15) ^ (word_1 + market) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mask = table.size - 1
    place = np.int64(mixed >> np.uint64(8)) & mask
    while table[place] != 0:
        slot = table[place] - 1
        if names[slot, 0] == word_0 and names[slot, 1] == word_1 and names[slot, 2] == market:
            break
        place = (place + 1) & mask
    return place


@kernel
def _doubled(table: Ints, names: Words, count: int) -> tuple[Ints, Words]:
    longer = np.zeros((2 * names.shape[0], 3), np.uint64)
    longer[: names.shape[0]] = names
    wider = np.zeros(2 * table.size, np.int64)
    for slot in range(count):
        wider[_place(wider, longer, longer[slot, 0], longer[slot, 1], longer[slot, 2])] = slot + 1
    return wider, longer


@kernel
def slots_of(
    instruments: Instruments, symbol_0: Words, symbol_1: Words, market: np.ndarray
) -> tuple[Instruments, Ints]:
    """Return the table with new instruments added, and the slot of each row, shape ``(n,)``.

    Parameters
    ----------
    instruments
        Used up.
    symbol_0, symbol_1, market
        The columns of a layout made by `arrays.in_words`, shape ``(n,)``.

    Examples
    --------
    >>> one, two = np.array([7, 9, 7], np.uint64), np.zeros(3, np.uint64)
    >>> table, slots = slots_of(no_instruments(), one, two, np.ones(3, np.int8))
    >>> slots.tolist(), table.count
    ([0, 1, 0], 2)
    """
    table, names, count = instruments
    slots = np.empty(symbol_0.size, np.int64)
    for i in range(symbol_0.size):
        same = i > 0 and symbol_0[i] == symbol_0[i - 1] and symbol_1[i] == symbol_1[i - 1]
        if same and market[i] == market[i - 1]:
            slots[i] = slots[i - 1]
            continue
        word = np.uint64(market[i])
        place = _place(table, names, symbol_0[i], symbol_1[i], word)
        if table[place] == 0:
            if count == names.shape[0]:
                table, names = _doubled(table, names, count)
                place = _place(table, names, symbol_0[i], symbol_1[i], word)
            names[count, 0], names[count, 1], names[count, 2] = symbol_0[i], symbol_1[i], word
            count += 1
            table[place] = count
        slots[i] = table[place] - 1
    return Instruments(table, names, count), slots


def symbols(instruments: Instruments) -> np.ndarray:
    """Return the symbol of every slot, shape ``(count,)``."""
    words = np.ascontiguousarray(instruments.names[: instruments.count, :2])
    return words.view(f"S{SYMBOL_BYTES}").reshape(-1)


def markets(instruments: Instruments) -> np.ndarray:
    """Return the market of every slot, shape ``(count,)``."""
    return instruments.names[: instruments.count, 2].astype(np.int8)


def sorted_slots(instruments: Instruments) -> Ints:
    """Return the slots in the order of (market, symbol)."""
    return np.lexsort((symbols(instruments), markets(instruments)))


def by_name(rows: Rows, *before: str, after: tuple[str, ...] = ()) -> Ints:
    """Return the order of ``rows`` by the columns ``before``, then market and symbol, then ``after``."""
    columns = (*before, "market", "symbol", *after)
    return np.lexsort([rows[name] for name in reversed(columns)])
