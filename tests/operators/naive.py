"""Slow, obvious twins of the kernels: plain Python over whole histories, nothing remembered."""

import math
from collections import defaultdict
from typing import Any

import numpy as np

from genesis.operators.bars import HISTORY, INTERVALS_NS, OPEN_NS

Trade = tuple[int, int, bytes, int, float, float]
"""Counts at, happened at, symbol, trade id, price, quantity signed by side."""

Gap = tuple[int, int, int, bytes]
"""Counts at, start, end (0 while open), symbol."""


def bar_row(
    key: tuple[bytes, int, int], trades: list[Trade], revision: int, at: int, stale: bool
) -> tuple[Any, ...]:
    """Return a bar made of the trades, given in the order in which they were folded."""
    symbol, interval_ns, open_ns = key
    by_time = sorted(trades, key=lambda trade: (trade[1], trade[3]))
    qty = buy_qty = notional = 0.0
    for _, _, _, _, price, signed in trades:
        qty, buy_qty, notional = qty + abs(signed), buy_qty + max(signed, 0.0), notional + price * abs(signed)
    prices = [trade[4] for trade in trades]
    vwap = notional / qty if qty else math.nan
    return (
        *(symbol, interval_ns, open_ns, revision, at),
        *(by_time[0][4], max(prices), min(prices), by_time[-1][4]),
        *(qty, buy_qty, notional, vwap, len(trades), int(stale)),
    )


def bars(trades: list[Trade], gaps: list[Gap] | None = None) -> tuple[list[tuple[Any, ...]], list[Trade]]:
    """Return the rows of all bars, sorted, and the trades that came too late, after the end of all data."""
    held: dict[tuple[bytes, int, int], list[Trade]] = defaultdict(list)
    marked: dict[tuple[bytes, int, int], tuple[int, bool]] = {}
    rows, too_late = [], []
    events = [(at, 0, gap) for gap in gaps or [] for at in [gap[0]]]
    events += [(trade[0], 1, trade) for trade in trades]
    ends = {
        (open_ns + interval_ns, -1, (symbol, interval_ns, open_ns))
        for at, event_ns, symbol, *_ in trades
        for interval_ns in INTERVALS_NS.tolist()
        for open_ns in [event_ns - event_ns % interval_ns]
        if open_ns + interval_ns > at
    }

    def order(event):
        return (
            event[0],
            event[1],
            (event[2][1], event[2][2], event[2][3]) if event[1] == 1 else (),
        )

    known: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for at, kind, what in sorted([*events, *ends], key=order):
        if kind == -1:
            symbol, interval_ns, open_ns = what
            stale = any(start < at and open_ns <= end for start, end in known[symbol])
            marked[what] = (0, stale)
            rows.append(bar_row(what, held[what], 0, at, stale))
        elif kind == 0:
            _, start, end, symbol = what
            known[symbol] = [gap for gap in known[symbol] if gap[0] != start] + [(start, end or OPEN_NS)]
            for key, (revision, stale) in list(marked.items()):
                kept = at < key[2] + key[1] * int(HISTORY[INTERVALS_NS.tolist().index(key[1])])
                touched = start < key[2] + key[1] and key[2] <= (end or OPEN_NS)
                if key[0] == symbol and touched and not stale and kept:
                    marked[key] = (revision + 1, True)
                    rows.append(bar_row(key, held[key], revision + 1, at, True))
        else:
            _, event_ns, symbol, *_ = what
            late = False
            for interval_ns, history in zip(INTERVALS_NS.tolist(), HISTORY.tolist(), strict=True):
                key = (symbol, interval_ns, event_ns - event_ns % interval_ns)
                if at >= key[2] + interval_ns * history:
                    late = True
                    continue
                held[key].append(what)
                if at >= key[2] + interval_ns:
                    touched = any(
                        start < key[2] + interval_ns and key[2] <= end for start, end in known[symbol]
                    )
                    revision, stale = marked.get(key, (0, False))
                    marked[key] = (revision + 1, stale or touched)
                    rows.append(bar_row(key, held[key], revision + 1, at, stale or touched))
            if late:
                too_late.append(what)
    return sorted(rows, key=lambda row: row[:4]), too_late


def ewma(returns: np.ndarray, half_life_cells: float) -> tuple[np.ndarray, np.ndarray]:
    """Return correlation and effective count of all pairs, by the definition, shape (n, n)."""
    n = returns.shape[1]
    correlation, count = np.full((n, n), np.nan), np.zeros((n, n))
    age = np.arange(returns.shape[0])[::-1]
    weights = 0.5 ** (age / half_life_cells)
    for i in range(n):
        for j in range(n):
            both = np.isfinite(returns[:, i]) & np.isfinite(returns[:, j])
            w, x, y = weights[both], returns[both, i], returns[both, j]
            if not w.sum() > 0:
                continue
            count[i, j] = w.sum() ** 2 / (w * w).sum()
            dx, dy = x - (w * x).sum() / w.sum(), y - (w * y).sum() / w.sum()
            spread_x, spread_y = (w * dx * dx).sum(), (w * dy * dy).sum()
            if spread_x > 1e-12 * (w * x * x).sum() and spread_y > 1e-12 * (w * y * y).sum():
                correlation[i, j] = (w * dx * dy).sum() / math.sqrt(spread_x) / math.sqrt(spread_y)
    return correlation, count
