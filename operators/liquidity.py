"""Liquidity: mid and micro price, spread, depth in quote asset and imbalance of one order book.

Each book row gives one row, at once and by itself: no memory, so nothing to wait for and nothing
that a gap could reach across. A book that is not whole is not published, thus ``stale`` is 0.

- ``mid_price`` is (bid + ask) / 2, ``micro_price`` the mid weighted by the opposite quantities,
  (ask · bid_qty + bid · ask_qty) / (bid_qty + ask_qty); both in quote asset, NaN for a book with an
  empty side.
- ``spread_bps`` is (ask − bid) / mid in basis points.
- ``bid_depth_notional`` and ``ask_depth_notional`` are the values in quote asset that rest within
  5, 10 and 50 bps of the mid. Levels that the row carries are valued at their prices. What the
  feed knows to rest further out but within the distance is valued at the price of the last level
  carried, which is off by at most the distance (0.5 %).
- ``imbalance`` is (bids − asks) / (bids + asks) over the quantities of the first IMBALANCE_LEVELS
  levels, in [-1, 1]; NaN without quantity.

References
----------
Stoikov (2018), "The micro-price: a high-frequency estimator of future prices",
Quantitative Finance 18(12); the weighted mid is its first approximation.
"""

import numpy as np

from genesis.operators.arrays import Floats, Rows, kernel
from genesis.operators.records import DEPTH_DISTANCES_BPS, LIQUIDITY

IMBALANCE_LEVELS = 5
"""Levels of each side that the imbalance counts."""

DISTANCES = np.array(DEPTH_DISTANCES_BPS) * 1e-4
"""Distances from the mid, as a share of it."""

COPIED = ("event_ns", "recv_ns", "update_id", "symbol", "market")


@kernel
def depth_notional(price: Floats, qty: Floats, depth_qty: Floats, mid: Floats) -> Floats:
    """Return the value that rests within each of DISTANCES on one side of each book.

    Parameters
    ----------
    price, qty
        Levels best first, NaN past the end, shape ``(n, levels)``.
    depth_qty
        Quantity within each distance, from the whole known book, shape ``(n, distances)``.
    mid
        Shape ``(n,)``; where NaN, the value is NaN.

    Examples
    --------
    >>> price, qty = np.array([[99.99, 99.97, 99.0]]), np.array([[1.0, 2.0, 5.0]])
    >>> depth_notional(price, qty, np.array([[3.0, 3.0, 3.0]]), np.array([100.0])).round(2).tolist()
    [[299.93, 299.93, 299.93]]
    """
    result = np.full((mid.size, DISTANCES.size), np.nan)
    for i in range(mid.size):
        if not np.isfinite(mid[i]):
            continue
        for k in range(DISTANCES.size):
            notional, seen_qty, last_price = 0.0, 0.0, np.nan
            for level in range(price.shape[1]):
                away = abs(price[i, level] - mid[i]) / mid[i]
                if not away <= DISTANCES[k]:
                    break
                notional += price[i, level] * qty[i, level]
                seen_qty += qty[i, level]
                last_price = price[i, level]
            beyond_qty = depth_qty[i, k] - seen_qty
            if level == price.shape[1] - 1 and beyond_qty > 1e-9 * seen_qty and last_price > 0.0:
                notional += beyond_qty * last_price
            result[i, k] = notional
    return result


def liquidity(book: Rows) -> Rows:
    """Return the liquidity of every book, rows of LIQUIDITY in the order of ``book``.

    Parameters
    ----------
    book
        Rows of BOOK, shape ``(n,)``.

    Examples
    --------
    >>> from genesis.operators.records import BOOK
    >>> book = BOOK.empty(1)
    >>> book["bid_price"], book["ask_price"] = np.nan, np.nan
    >>> book["bid_price"][0, 0], book["ask_price"][0, 0] = 99.0, 101.0
    >>> book["bid_qty"][0, 0], book["ask_qty"][0, 0] = 1.0, 3.0
    >>> row = liquidity(book)[0]
    >>> [float(row[name]) for name in ("mid_price", "micro_price", "spread_bps", "imbalance")]
    [100.0, 99.5, 200.0, -0.5]
    """
    rows = LIQUIDITY.empty(book.size)
    for name in COPIED:
        rows[name] = book[name]
    bid, ask = book["bid_price"][:, 0], book["ask_price"][:, 0]
    bid_qty, ask_qty = book["bid_qty"][:, 0], book["ask_qty"][:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mid = np.where((bid > 0.0) & (ask > 0.0), (bid + ask) / 2.0, np.nan)
        rows["mid_price"] = mid
        rows["micro_price"] = (ask * bid_qty + bid * ask_qty) / (bid_qty + ask_qty)
        rows["spread_bps"] = (ask - bid) / mid * 1e4
        bids = np.nansum(book["bid_qty"][:, :IMBALANCE_LEVELS], axis=1)
        asks = np.nansum(book["ask_qty"][:, :IMBALANCE_LEVELS], axis=1)
        rows["imbalance"] = (bids - asks) / (bids + asks)
    for side in ("bid", "ask"):
        price, qty, depth_qty = (
            np.ascontiguousarray(book[f"{side}_{name}"]) for name in ("price", "qty", "depth_qty")
        )
        rows[f"{side}_depth_notional"] = depth_notional(price, qty, depth_qty, mid)
    return rows
