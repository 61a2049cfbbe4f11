"""Cells: the newest mids at the end of every second, from market records.

A record belongs to the cell in which its time lies; one at the very end of a cell closes it at once, a
later one closes it with what was known. After a pause of everything the cells of the pause are left out.
A mark that is stale or one-sided has the mid NaN.
"""

import math
from typing import NamedTuple

from genesis.operators.account.events import Mark, MarketRecord

CELL_NS = 10**9
"""Length of a cell, ns."""


class Cells(NamedTuple):
    """The cell in hand."""

    mids: tuple[float, ...]  # newest, by symbol; NaN before the first
    end_ns: int = 0  # of the cell in hand; 0 before the first record


class Closed(NamedTuple):
    """A cell that has ended."""

    end_ns: int
    mids: tuple[float, ...]


def no_cells(symbols: int) -> Cells:
    """Return the state before the first record."""
    return Cells((math.nan,) * symbols)


def mid_of(mark: Mark) -> float:
    """Return the mid of a mark; NaN when there is none to trust.

    >>> mid_of(Mark(symbol="A", bid="1", ask="3", bid_qty="1", ask_qty="1"))
    2.0
    """
    bid, ask = float(mark.bid), float(mark.ask)
    return (bid + ask) / 2.0 if 0.0 < bid <= ask and not mark.stale else math.nan


def after(
    cells: Cells, symbols: tuple[str, ...], record: MarketRecord, event_ns: int
) -> tuple[Cells, list[Closed]]:
    """Return the state after a record, and the cells that it closes, oldest first.

    >>> record = MarketRecord(marks=[Mark(symbol="A", bid="1", ask="3", bid_qty="1", ask_qty="1")])
    >>> after(no_cells(1), ("A",), record, 2 * CELL_NS)[1]
    [Closed(end_ns=2000000000, mids=(2.0,))]
    """
    closed = []
    mids, end_ns = cells
    ending_ns = -(-event_ns // CELL_NS) * CELL_NS
    if end_ns and event_ns > end_ns:
        closed.append(Closed(end_ns, mids))
    end_ns = max(end_ns, ending_ns)
    told = {mark.symbol: mid_of(mark) for mark in record.marks}
    if told:
        mids = tuple(told.get(name, mid) for name, mid in zip(symbols, mids, strict=True))
    if event_ns == end_ns:
        closed.append(Closed(end_ns, mids))
        end_ns += CELL_NS
    return Cells(mids, end_ns), closed
