"""The view: ticks conflated to what a screen can show, one row for each instrument and second.

A row stands for any number of ticks of one instrument in one second of event time: how many there
were, and the newest quote and the newest book among them. Newest means by event time, and among
equals the last one.

Law: conflating is associative and changes nothing twice, so it does not matter how often and where
it is done: ``conflate(a + b) == conflate(conflate(a) + conflate(b))``. Where a row has no quote or
no book, its time is 0 and its figures are NaN.
"""

import numpy as np

from genesis.operators.arrays import Ints, Rows
from genesis.operators.liquidity import liquidity
from genesis.operators.records import VIEW, symbol_words

SECOND_NS = 1_000_000_000

QUOTE_FIELDS = ("bid_price", "bid_qty", "ask_price", "ask_qty")
BOOK_FIELDS = ("micro_price", "bid_depth_notional", "ask_depth_notional", "imbalance")
PARTS = (("quote_ns", QUOTE_FIELDS), ("book_ns", BOOK_FIELDS))
"""The time of each part of a row, and its figures."""


def of_trades(trades: Rows) -> Rows:
    """Return one row for each trade, shape ``(n,)``; conflate them."""
    rows = _blank(trades)
    rows["trade_count"] = 1
    return rows


def of_quotes(quotes: Rows) -> Rows:
    """Return one row for each quote, shape ``(n,)``; conflate them."""
    rows = _blank(quotes)
    rows["quote_ns"] = quotes["event_ns"]
    for name in QUOTE_FIELDS:
        rows[name] = quotes[name]
    return rows


def of_books(books: Rows) -> Rows:
    """Return one row for each book, shape ``(n,)``; conflate them."""
    rows, found = _blank(books), liquidity(books)
    rows["book_ns"] = books["event_ns"]
    for name in BOOK_FIELDS:
        rows[name] = found[name]
    return rows


def conflate(rows: Rows) -> Rows:
    """Return one row for each instrument and second, sorted by them.

    Parameters
    ----------
    rows
        Rows of VIEW in any number, shape ``(n,)``; left as they are.

    Examples
    --------
    >>> from genesis.operators.records import TRADE
    >>> trades = TRADE.empty(3)
    >>> trades["event_ns"] = [1, 2, SECOND_NS]
    >>> rows = conflate(of_trades(trades))
    >>> rows["second"].tolist(), rows["trade_count"].tolist()
    ([0, 1], [2, 1])
    """
    if rows.size == 0:
        return rows
    keys = (rows["market"], *symbol_words(rows["symbol"]), rows["second"])
    order = np.lexsort(keys[::-1])
    first = np.zeros(rows.size, np.bool_)
    first[0] = True
    for key in keys:
        first[1:] |= key[order[1:]] != key[order[:-1]]
    begins = np.flatnonzero(first)
    group: Ints = np.cumsum(first, dtype=np.int64)
    result: Rows = rows[order[begins]]
    for name in ("tick_count", "trade_count"):
        result[name] = np.add.reduceat(rows[name][order], begins)
    for time, names in PARTS:
        newest = order[_last_by(group, rows[time][order])]
        for name in (time, *names):
            result[name] = rows[name][newest]
    return result


def _last_by(group: Ints, time: Ints) -> Ints:
    """Return the place of the newest of each group; groups are sorted, and the last of equals wins."""
    order = np.lexsort((time, group))
    last = np.append(group[1:] != group[:-1], True)
    newest: Ints = order[last]
    return newest


def _blank(ticks: Rows) -> Rows:
    rows = VIEW.empty(ticks.size)
    for name in (*QUOTE_FIELDS, *BOOK_FIELDS):
        rows[name] = np.nan
    rows["second"], rows["tick_count"] = ticks["event_ns"] // SECOND_NS, 1
    rows["symbol"], rows["market"] = ticks["symbol"], ticks["market"]
    return rows
