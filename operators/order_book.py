"""Order book: Binance's documented synchronisation, and a book that is fast to change and to read.

*The law of a book.* A diff changes every update id from ``first_id`` (``U``) to ``last_id`` (``u``).
Diffs are kept until a snapshot comes. Those that end at or before it are contained in it. The next
must join it without a hole: on spot ``U <= snapshot + 1``, on futures ``pu <= snapshot``. After that
each must join the one before: spot ``U == previous u + 1``, futures ``pu == previous u``. Anything
else is a gap, and the book begins again.

*The book.* Each side is a pair of float64 arrays sorted best first. Changing a level is a binary
search and a move of what lies behind it: most changes are near the top, where a move is short.

References
----------
Binance, "How to manage a local order book correctly" (spot), and "How to manage a local order book
correctly" of the USD-M futures documentation.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

import numpy as np
from numba import njit

from genesis.operators.records import BOOK, BOOK_LEVELS, DEPTH_DISTANCES_BPS

LEVELS_MAX = 4_096
"""Levels a side that a book keeps; what lies beyond the farthest is forgotten."""

BUFFER_MAX = 20_000
"""Diffs that wait for a snapshot, at most; beyond it the oldest goes, and the book must begin again."""

FLOATS = 4 * BOOK_LEVELS + 2 * len(DEPTH_DISTANCES_BPS)
"""Floats of a book row, one after the other: 20 bid prices, quantities, ask prices, quantities, depths."""

FLOATS_AT = BOOK.dtype.fields["bid_price"][1] if BOOK.dtype.fields else 0
"""Where they begin in a book row, in bytes."""

_DISTANCES = np.array(DEPTH_DISTANCES_BPS) * 1e-4

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@njit(cache=True)
def _change(prices: Floats, qtys: Floats, count: int, sign: float, levels: Floats) -> int:
    """Set levels of one side, in place; ``sign`` is 1 for asks (ascending), -1 for bids. Return the count."""
    room = prices.size
    for k in range(levels.shape[0]):
        price, qty = levels[k, 0], levels[k, 1]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if sign * prices[middle] < sign * price:
                low = middle + 1
            else:
                high = middle
        found = low < count and prices[low] == price
        if qty == 0.0:
            if found:
                for i in range(low, count - 1):
                    prices[i], qtys[i] = prices[i + 1], qtys[i + 1]
                count -= 1
        elif found:
            qtys[low] = qty
        elif low < room:
            count = min(count, room - 1)
            for i in range(count, low, -1):
                prices[i], qtys[i] = prices[i - 1], qtys[i - 1]
            prices[low], qtys[low] = price, qty
            count += 1
    return count


@njit(cache=True)
def _depth(prices: Floats, qtys: Floats, count: int, sign: float, mid: float, out: Floats) -> None:
    """Write the quantity within each distance of the mid; NaN without a mid."""
    if not mid > 0.0:
        out[:] = np.nan
        return
    total, i = 0.0, 0
    for k in range(_DISTANCES.size):
        limit = mid * (1.0 + sign * _DISTANCES[k])
        while i < count and sign * prices[i] <= sign * limit:
            total += qtys[i]
            i += 1
        out[k] = total


@njit(cache=True)
def apply_diff(
    bids: Floats, asks: Floats, counts: np.ndarray, new_bids: Floats, new_asks: Floats, out: Floats
) -> None:
    """Change a book and describe it.

    Parameters
    ----------
    bids, asks
        Prices and quantities, shape (2, LEVELS_MAX), best first; changed in place.
    counts
        Levels in use, bids and asks, shape (2,); changed in place.
    new_bids, new_asks
        Price and quantity a row, shape (n, 2); quantity 0 removes the level.
    out
        The floats of a book row, shape (FLOATS,); NaN prices and quantity 0 past the end.
    """
    counts[0] = _change(bids[0], bids[1], counts[0], -1.0, new_bids)
    counts[1] = _change(asks[0], asks[1], counts[1], 1.0, new_asks)
    for i in range(BOOK_LEVELS):
        out[i] = bids[0, i] if i < counts[0] else np.nan
        out[BOOK_LEVELS + i] = bids[1, i] if i < counts[0] else 0.0
        out[2 * BOOK_LEVELS + i] = asks[0, i] if i < counts[1] else np.nan
        out[3 * BOOK_LEVELS + i] = asks[1, i] if i < counts[1] else 0.0
    mid = 0.5 * (bids[0, 0] + asks[0, 0]) if counts[0] > 0 and counts[1] > 0 else np.nan
    start, step = 4 * BOOK_LEVELS, _DISTANCES.size
    _depth(bids[0], bids[1], counts[0], -1.0, mid, out[start : start + step])
    _depth(asks[0], asks[1], counts[1], 1.0, mid, out[start + step : start + 2 * step])


class OrderBook:
    """One symbol's book. Mutable, because a book is changed a thousand times a second."""

    def __init__(self) -> None:
        self.bids = np.zeros((2, LEVELS_MAX))
        self.asks = np.zeros((2, LEVELS_MAX))
        self.counts = np.zeros(2, np.int64)

    def clear(self) -> None:
        """Forget all levels."""
        self.counts[:] = 0

    def apply(self, new_bids: Floats, new_asks: Floats, out: Floats) -> bool:
        """Change the book and write the floats of its row; return False when it is crossed."""
        apply_diff(self.bids, self.asks, self.counts, new_bids, new_asks, out)
        return not (self.counts[0] and self.counts[1] and self.bids[0, 0] >= self.asks[0, 0])


class Diff(NamedTuple):
    """A depth update. ``previous_id`` is the futures' ``pu``, or -1 on spot. Levels are (n, 2) arrays."""

    first_id: int
    last_id: int
    previous_id: int
    event_ns: int
    recv_ns: int
    effective_ns: int
    bids: Floats
    asks: Floats


class Verdict(Enum):
    """What became of a diff."""

    APPLIES = "applies"
    WAITS = "waits for a snapshot"
    CONTAINED = "is contained in what is known"
    GAP = "does not join what is known"


class BookSync:
    """The synchronisation of one book: which diffs apply, and when a snapshot is needed.

    ``last_id`` is the id up to which the book is known, or -1 while it waits for a snapshot.
    """

    def __init__(self) -> None:
        self.last_id = -1
        self._snapshot_only = False
        self.waiting: deque[Diff] = deque()
        self.overflowed = False
        self.restarts = 0

    @property
    def synced(self) -> bool:
        """Whether the book is known."""
        return self.last_id >= 0

    def on_diff(self, diff: Diff) -> Verdict:
        """Judge a diff; one that applies is taken as applied, one that waits is kept."""
        if self.last_id < 0:
            if len(self.waiting) >= BUFFER_MAX:
                self.waiting.popleft()
                self.overflowed = True
            self.waiting.append(diff)
            return Verdict.WAITS
        if diff.last_id <= self.last_id:
            return Verdict.CONTAINED
        if not self._joins(diff):
            return Verdict.GAP
        self.last_id = diff.last_id
        self._snapshot_only = False
        return Verdict.APPLIES

    def _joins(self, diff: Diff) -> bool:
        if diff.previous_id >= 0:
            return (
                diff.previous_id <= self.last_id if self._snapshot_only else diff.previous_id == self.last_id
            )
        return diff.first_id <= self.last_id + 1

    def on_snapshot(self, last_update_id: int) -> tuple[list[Diff], int] | None:
        """Take a snapshot: return the diffs that follow it, and how many it contains.

        None when the snapshot is older than the first diff that waits, so that another is needed.
        """
        kept = [diff for diff in self.waiting if diff.last_id > last_update_id]
        contained = len(self.waiting) - len(kept)
        self.last_id, self._snapshot_only = last_update_id, True
        if kept and not self._joins(kept[0]):
            self.last_id = -1
            return None
        self.waiting.clear()
        self.overflowed = False
        return kept, contained

    def restart(self) -> None:
        """Begin again: the book is unknown until the next snapshot."""
        self.last_id = -1
        self.restarts += 1
        self.waiting.clear()
        self.overflowed = False
