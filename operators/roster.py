"""Roster: the instruments that are followed now, in the order in which they are published.

Rows of a cell differ from those of the cell before only in times and values, so their names are
written once per change of the roster and copied from then on.
"""

from typing import NamedTuple

import numpy as np

from genesis.operators import instruments as instruments_of
from genesis.operators.arrays import Bools, Ints, Rows
from genesis.operators.correlation_estimates import blank_rows
from genesis.operators.records import CORRELATION, MARKET_STATE, WHOLE_MARKET

CELL_NS = 1_000_000_000
"""Length of a cell, the step of the returns, ns."""


class Roster(NamedTuple):
    """Who is followed, and blank rows for them."""

    slots: Ints  # shape (n,): sorted by (market, symbol)
    first: Ints  # shape (pairs,): slot of the first instrument of each pair
    second: Ints  # shape (pairs,): slot of the second
    markets: Ints  # shape (markets,): the markets that have instruments, ascending
    market: Ints  # shape (n,): index into ``markets`` of each instrument
    pairs: Rows  # CORRELATION, shape (half-lives * pairs,): by half-life, then pair
    estimates: Rows  # CORRELATION_ESTIMATE, by estimator, then pair
    states: Rows  # MARKET_STATE, shape (markets + n,): markets first
    order: Ints  # the order in which ``states`` is published


def roster_of(table: instruments_of.Instruments, active: Bools, half_lives_ns: tuple[int, ...]) -> Roster:
    """Return the roster of the active instruments.

    >>> table = instruments_of.no_instruments()
    >>> roster_of(table, np.empty(0, np.bool_), (0,)).pairs.size
    0
    """
    slots = instruments_of.sorted_slots(table)
    slots = slots[active[slots]]
    symbols, markets = instruments_of.symbols(table)[slots], instruments_of.markets(table)[slots]
    a, b = np.triu_indices(slots.size, 1)
    pairs = CORRELATION.empty(a.size)
    pairs["symbol_a"], pairs["symbol_b"] = symbols[a], symbols[b]
    pairs["market_a"], pairs["market_b"] = markets[a], markets[b]
    pairs["interval_ns"] = CELL_NS
    estimates = blank_rows(pairs, CELL_NS)
    pairs = np.tile(pairs, len(half_lives_ns))
    pairs["half_life_ns"] = np.repeat(np.array(half_lives_ns, np.int64), a.size)
    found, market = np.unique(markets, return_inverse=True)
    states = MARKET_STATE.empty(found.size + slots.size)
    states["symbol"] = np.concatenate([np.full(found.size, WHOLE_MARKET, states["symbol"].dtype), symbols])
    states["market"] = np.concatenate([found, markets])
    return Roster(
        slots,
        slots[a],
        slots[b],
        found.astype(np.int64),
        market,
        pairs,
        estimates,
        states,
        instruments_of.by_name(states),
    )
