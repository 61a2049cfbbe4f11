"""Order book: Binance's rules for a whole book, and a book that is fast to change and to read.

*The law of a book.* It is *whole* only when every update since its snapshot has been applied in order,
and a book that is not whole is never shown. A diff closes at update id ``last_id`` (``u``) and follows
an update id ``previous_id``: on futures the message says it (``pu``), on spot it is ``U - 1``. That one
number makes the documented rules of both markets the same:

- before the snapshot diffs wait; a snapshot that ends before the first of them begins leaves a hole,
  and another must be fetched;
- a diff that ends at or before the snapshot is contained in it;
- any other must follow an id that the book has reached. Otherwise diffs between are missing: the book
  is given up, and diffs wait for a new snapshot.

*The book.* Each side is a pair of float64 arrays, the best level *last*: nearly all changes are near the
best, and a new level moves only those on its better side. A level that is removed stays, empty, until
its room is needed, since most come back: so nearly every change is a binary search and one write.
Levels come as the venue's text, ``[["61837.63","3.78"],…]``, and are read by a kernel that knows this
form and no other; what it does not know is left to a slower reader that knows all of JSON.

References
----------
Binance, "How to manage a local order book correctly", for spot and for USDⓈ-M futures.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genesis.operators.arrays import Floats, Ints, kernel
from genesis.operators.records import BOOK, BOOK_LEVELS, DEPTH_DISTANCES_BPS

LEVELS_MAX = 5_000
"""Levels a side that a book keeps. Of more, those farthest from the best are forgotten."""

CHANGES_MAX = 10_000
"""Levels of one message that the fast reader takes, both sides together."""

FLOATS = 4 * BOOK_LEVELS + 2 * len(DEPTH_DISTANCES_BPS)
"""Floats of a book row, one after the other: 20 bid prices, quantities, ask prices, quantities, depths."""

FLOATS_AT = BOOK.dtype.fields["bid_price"][1] if BOOK.dtype.fields else 0
"""Where they begin in a book row, in bytes."""

_DISTANCES = np.array(DEPTH_DISTANCES_BPS) * 1e-4
_DIGITS_MAX = 18  # they fit 64 bits
_EXACT_MAX = 2**53  # whole numbers below it fit a float64
_TENTHS = 10.0 ** np.arange(_DIGITS_MAX + 1)

Text = NDArray[np.uint8]


@kernel
def _read_number(text: Text, at: int) -> tuple[float, int]:
    """Return the quoted decimal that begins at ``at``, and the place after it; place -1 if it is none.

    Exact: the digits fit a float64, the power of ten does too, and one division rounds once, as the
    reference ``float(text)`` does. A number with more digits is left to the slow reader.
    """
    size = text.size
    if at >= size or text[at] != 34:
        return 0.0, -1
    at += 1
    digits, begin = 0, at
    while at < size and 48 <= text[at] <= 57:
        digits = digits * 10 + (text[at] - 48)
        at += 1
    count, decimals = at - begin, 0
    if count > 0 and at < size and text[at] == 46:
        at += 1
        begin = at
        while at < size and 48 <= text[at] <= 57:
            digits = digits * 10 + (text[at] - 48)
            at += 1
        decimals = at - begin
    if count == 0 or count + decimals > _DIGITS_MAX or at >= size or text[at] != 34:
        return 0.0, -1
    while digits >= _EXACT_MAX and decimals > 0 and digits % 10 == 0:
        digits //= 10
        decimals -= 1
    if digits >= _EXACT_MAX:
        return 0.0, -1
    return digits / _TENTHS[decimals], at + 1


@kernel
def read_levels(text: Text, out: Floats) -> int:
    """Read ``[["price","qty"],…]`` into the rows of ``out``, shape (n, 2); return how many.

    -1 when the text has another form, or too many levels or digits; ``out`` is then of no use.

    >>> out = np.empty((4, 2))
    >>> text = np.frombuffer(b'[["0.10","7"],["61837.63000000","0.00000000"]]', np.uint8)
    >>> read_levels(text, out), out[:2].tolist()
    (2, [[0.1, 7.0], [61837.63, 0.0]])
    """
    size, at, count = text.size, 1, 0
    if size < 2 or text[0] != 91 or text[size - 1] != 93:
        return -1
    while at < size - 1:
        if count > 0:
            if text[at] != 44:
                return -1
            at += 1
        if at >= size or text[at] != 91 or count >= out.shape[0]:
            return -1
        price, at = _read_number(text, at + 1)
        if at < 0 or at >= size or text[at] != 44 or not price > 0.0:
            return -1
        qty, at = _read_number(text, at + 1)
        if at < 0 or at >= size or text[at] != 93:
            return -1
        out[count, 0], out[count, 1] = price, qty
        count += 1
        at += 1
    return count if at == size - 1 else -1


@kernel
def _compact(side: Floats, count: int) -> int:
    """Remove the levels without quantity and return the count."""
    kept = 0
    for i in range(count):
        if side[1, i] > 0.0:
            side[0, kept], side[1, kept] = side[0, i], side[1, i]
            kept += 1
    return kept


@kernel
def _insert(side: Floats, count: int, at: int, price: float, qty: float) -> int:
    """Put a level at place ``at``, moving others only as far as the next empty one; return the count."""
    prices, qtys = side[0], side[1]
    hole = at
    while hole < count and qtys[hole] > 0.0:
        hole += 1
    for i in range(hole, at, -1):
        prices[i], qtys[i] = prices[i - 1], qtys[i - 1]
    prices[at], qtys[at] = price, qty
    return max(count, hole + 1)


@kernel
def _place(side: Floats, count: int, sign: float, price: float) -> int:
    """Return the place of the first level that is at least as good as ``price``."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if sign * side[0, middle] < sign * price:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _change(side: Floats, count: int, sign: float, levels: Floats) -> int:
    """Set levels of one side in place and return the count; ``sign`` is 1 for bids, -1 for asks.

    A level that is removed stays as an empty one: often it comes back, and a new one finds room.
    """
    for k in range(levels.shape[0]):
        price, qty = levels[k, 0], levels[k, 1]
        at = _place(side, count, sign, price)
        if at < count and side[0, at] == price:
            side[1, at] = qty
        elif qty > 0.0:
            if count == side.shape[1]:
                count = _compact(side, count)
                at = _place(side, count, sign, price)
            if count < side.shape[1]:
                count = _insert(side, count, at, price, qty)
            elif at > 0:
                for i in range(at - 1):
                    side[0, i], side[1, i] = side[0, i + 1], side[1, i + 1]
                side[0, at - 1], side[1, at - 1] = price, qty
        while count > 0 and side[1, count - 1] == 0.0:
            count -= 1
    return count


@kernel
def _best(side: Floats, count: int, out_prices: Floats, out_qtys: Floats) -> None:
    """Write the best levels, best first; NaN price and quantity 0 past the end."""
    at = count - 1
    for i in range(BOOK_LEVELS):
        while at >= 0 and side[1, at] == 0.0:
            at -= 1
        out_prices[i] = side[0, at] if at >= 0 else np.nan
        out_qtys[i] = side[1, at] if at >= 0 else 0.0
        at -= 1


@kernel
def _depth(side: Floats, count: int, sign: float, mid: float, out: Floats) -> None:
    """Write the quantity within each distance of the mid; NaN without a mid."""
    if not mid > 0.0:
        out[:] = np.nan
        return
    total, i = 0.0, count - 1
    for k in range(_DISTANCES.size):
        limit = mid * (1.0 - sign * _DISTANCES[k])
        while i >= 0 and sign * side[0, i] >= sign * limit:
            total += side[1, i]
            i -= 1
        out[k] = total


@kernel
def change_book(levels: Floats, counts: Ints, new_bids: Floats, new_asks: Floats, out: Floats) -> bool:
    """Change a book, describe it, and return whether it is in order: best bid below best ask.

    Parameters
    ----------
    levels
        Bid prices, bid quantities, ask prices, ask quantities, shape (4, LEVELS_MAX), the best last;
        changed in place.
    counts
        Places in use, bids and asks, shape (2,); changed in place.
    new_bids, new_asks
        Price and quantity a row, shape (n, 2); quantity 0 removes the level.
    out
        The floats of a book row, shape (FLOATS,): the best first, NaN prices and quantity 0 past the end.
    """
    bids, asks = levels[:2], levels[2:]
    counts[0] = _change(bids, counts[0], 1.0, new_bids)
    counts[1] = _change(asks, counts[1], -1.0, new_asks)
    size = BOOK_LEVELS
    _best(bids, counts[0], out[:size], out[size : 2 * size])
    _best(asks, counts[1], out[2 * size : 3 * size], out[3 * size : 4 * size])
    best_bid, best_ask = out[0], out[2 * size]
    start, step = 4 * size, _DISTANCES.size
    mid = 0.5 * (best_bid + best_ask)
    _depth(bids, counts[0], 1.0, mid, out[start : start + step])
    _depth(asks, counts[1], -1.0, mid, out[start + step : start + 2 * step])
    return not best_bid >= best_ask


class OrderBook:
    """One symbol's book. Mutable, because a book is changed a thousand times a second.

    >>> book, row = OrderBook(), np.empty(FLOATS)
    >>> book.apply(np.array([[9.0, 1.0], [8.0, 2.0]]), np.array([[11.0, 3.0]]), row)
    True
    >>> row[:3].tolist(), row[40:42].tolist()
    ([9.0, 8.0, nan], [11.0, nan])
    """

    __slots__ = ("counts", "levels")

    def __init__(self) -> None:
        self.levels = np.zeros((4, LEVELS_MAX))
        self.counts = np.zeros(2, np.int64)

    def clear(self) -> None:
        """Forget all levels."""
        self.counts[:] = 0

    def apply(self, new_bids: Floats, new_asks: Floats, out: Floats) -> bool:
        """Change the book and write the floats of its row; return False when its sides overlap."""
        return bool(change_book(self.levels, self.counts, new_bids, new_asks, out))


class Diff(NamedTuple):
    """A depth update. Levels are (n, 2) arrays of price and quantity."""

    previous_id: int  # the update id that it follows
    last_id: int
    is_chained: bool  # futures: its previous id is exactly the last id of the diff before it
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

    Attributes
    ----------
    last_id
        Update id up to which the book is known; -1 while it waits for a snapshot.
    waiting
        Diffs that wait for it. Its owner bounds them.
    restarts
        How often the book has begun again.

    Examples
    --------
    >>> def diff(previous_id, last_id):
    ...     return Diff(previous_id, last_id, False, 0, 0, 0, np.empty((0, 2)), np.empty((0, 2)))
    >>> sync = BookSync()
    >>> sync.on_diff(diff(4, 6)).name, sync.on_diff(diff(6, 9)).name
    ('WAITS', 'WAITS')
    >>> sync.on_snapshot(3) is None
    True
    >>> kept, contained = sync.on_snapshot(7)
    >>> [each.last_id for each in kept], contained
    ([9], 1)
    >>> sync.on_diff(kept[0]).name, sync.on_diff(diff(6, 9)).name, sync.on_diff(diff(12, 14)).name
    ('APPLIES', 'CONTAINED', 'GAP')
    """

    __slots__ = ("_is_exact", "last_id", "restarts", "waiting")

    def __init__(self) -> None:
        self.last_id = -1
        self.waiting: deque[Diff] = deque()
        self.restarts = 0
        self._is_exact = False  # whether last_id is a diff's, and not a snapshot's

    @property
    def synced(self) -> bool:
        """Whether the book is known."""
        return self.last_id >= 0

    @property
    def reached_id(self) -> int:
        """Update id of the newest diff that was seen, applied or waiting; -1 before the first."""
        return self.waiting[-1].last_id if self.waiting else self.last_id

    def on_diff(self, diff: Diff) -> Verdict:
        """Judge a diff; one that applies is taken as applied, one that waits is kept."""
        if self.last_id < 0:
            self.waiting.append(diff)
            return Verdict.WAITS
        if diff.last_id <= self.last_id:
            return Verdict.CONTAINED
        if not self._joins(diff):
            return Verdict.GAP
        self.last_id = diff.last_id
        self._is_exact = True
        return Verdict.APPLIES

    def on_snapshot(self, last_update_id: int) -> tuple[list[Diff], int] | None:
        """Take a snapshot: return the diffs that follow it, and how many it contains.

        None when diffs between it and the first that waits are missing, so that another is needed.
        """
        kept = [diff for diff in self.waiting if diff.last_id > last_update_id]
        contained = len(self.waiting) - len(kept)
        self.last_id, self._is_exact = last_update_id, False
        if kept and not self._joins(kept[0]):
            self.last_id = -1
            return None
        self.waiting.clear()
        return kept, contained

    def restart(self) -> None:
        """Begin again: the book is unknown until the next snapshot."""
        self.last_id = -1
        self.restarts += 1
        self.waiting.clear()

    def _joins(self, diff: Diff) -> bool:
        """Say whether no diff is missing between what is known and this one.

        The id of a snapshot may lie anywhere between those of two diffs. After that futures must be
        chained exactly, while spot diffs may overlap.
        """
        if diff.is_chained and self._is_exact:
            return diff.previous_id == self.last_id
        return diff.previous_id <= self.last_id
