"""Books: one order book per instrument, kept by Binance's rules, and its rows.

The diffs come from the socket; snapshots come from elsewhere, whenever they come. A book that has
lost its place asks for one through its owner and keeps the diffs until it is there. Meanwhile it
holds back the watermark of its lane, so that their rows, which come later, are not late.
"""

from typing import Protocol

import numpy as np

from genesis.connectors import metrics
from genesis.connectors.feed.gaps import GapKeeper, Now, OpenGap, Stream
from genesis.connectors.feed.messages import DiffData, SnapshotData, levels, new_scratch
from genesis.connectors.feed.outbox import PACK_BOOK_HEAD, PACK_BOOK_TAIL, Lane
from genesis.operators.order_book import FLOATS, FLOATS_AT, BookSync, Diff, OrderBook, Verdict
from genesis.operators.records import GapReason, Market, StreamKind

FIRST_FLOAT = FLOATS_AT // 8

RENUMBERED_NS = 60_000_000_000
"""An update id from the past on a diff this much newer than the book: the venue counts anew."""

_BIDS, _ASKS = new_scratch(), new_scratch()
_NO_ROW = np.empty(FLOATS)


class Owner(Protocol):
    """What a book needs of the feed."""

    def need_snapshot(self, book: "Book") -> None:
        """Take note that a snapshot is wanted."""

    def note_crowd(self, book: "Book") -> None:
        """Take note that too many diffs wait for a snapshot."""


class Book:
    """One instrument's book in the feed.

    Parameters
    ----------
    market, symbol
        The instrument.
    lane
        Where its rows go.
    gaps
        Where a break in its diffs is published.
    owner
        Who fetches snapshots.
    waiting_max
        Diffs that may wait for a snapshot before the owner must do something.

    Attributes
    ----------
    is_asked
        Whether a snapshot is on its way.
    superseded
        Diffs that were contained in a snapshot: they have no row.
    repeats
        Diffs that had come before.
    count, newest_ns
        Rows so far, and the newest event time of them.
    """

    def __init__(
        self,
        instrument: tuple[Market, str],
        lane: Lane,
        gaps: GapKeeper,
        owner: Owner,
        waiting_max: int,
    ) -> None:
        market, self.symbol = instrument
        self.stream = Stream(market, self.symbol.encode(), StreamKind.BOOK)
        self.lane = lane
        self.sync = BookSync()
        self.is_asked = False
        self.superseded = self.repeats = 0
        self.count = 0
        self.newest_ns = 0
        self._has_given_up = False
        self._book = OrderBook()
        self._gaps, self._owner, self._waiting_max = gaps, owner, waiting_max

    @property
    def held_ns(self) -> int | None:
        """When the oldest diff counts that waits for a snapshot; None when the lane need not wait."""
        waiting = self.sync.waiting
        return waiting[0].effective_ns if waiting and not self._has_given_up else None

    @property
    def is_crowded(self) -> bool:
        """Whether more diffs wait for a snapshot than should."""
        return len(self.sync.waiting) >= self._waiting_max

    def read(self, data: DiffData, times: tuple[int, int, int]) -> Diff:
        """Return a diff understood; ``times`` are (event_ns, recv_ns, effective_ns).

        Raises
        ------
        BadValue, msgspec.MsgspecError
            When its levels cannot be used; the book is as before.
        """
        bids, asks = levels(data.b, _BIDS), levels(data.a, _ASKS)
        chained = data.pu >= 0
        return Diff(data.pu if chained else data.U - 1, data.u, chained, *times, bids, asks)

    def on_diff(self, diff: Diff, watermark_ns: int) -> None:
        """Take a diff, which may be over by the next one: what is kept of it is copied."""
        if not self.sync.synced:
            diff = diff._replace(bids=diff.bids.copy(), asks=diff.asks.copy())
        self._judge(diff, Now(diff.recv_ns, watermark_ns))

    def _judge(self, diff: Diff, now: Now) -> None:
        reached_id = self.sync.last_id
        verdict = self.sync.on_diff(diff)
        if verdict is Verdict.APPLIES:
            self._write(diff, now)
        elif verdict is Verdict.WAITS:
            self._wait()
        elif verdict is Verdict.GAP:
            self._lose_place(diff, now, (reached_id + 1, diff.previous_id))
        elif self.newest_ns and diff.event_ns > self.newest_ns + RENUMBERED_NS:
            self._lose_place(diff, now, (0, 0))
        else:
            self.repeats += 1
            metrics.FEED_DUPLICATES.inc()

    def _lose_place(self, diff: Diff, now: Now, missing: tuple[int, int]) -> None:
        """Begin again with a diff that does not follow."""
        self.begin_again(GapReason.SEQUENCE, now, missing)
        self.sync.on_diff(diff._replace(bids=diff.bids.copy(), asks=diff.asks.copy()))
        self._wait()

    def _wait(self) -> None:
        if not self.is_asked:
            self.is_asked = True
            self._owner.need_snapshot(self)
        if self.is_crowded:
            self._owner.note_crowd(self)

    def begin_again(self, reason: GapReason, now: Now, missing: tuple[int, int] = (0, 0)) -> None:
        """Forget the book, and publish that it is incomplete from its newest row on."""
        start_ns = self.newest_ns
        if not start_ns and self.sync.waiting:
            start_ns = self.sync.waiting[0].event_ns
        self.sync.restart()
        self._book.clear()
        self._has_given_up = False
        if start_ns:
            metrics.FEED_RESYNCS.labels(self.symbol).inc()
            self._gaps.begin(self.stream, OpenGap(start_ns, reason, *missing), now)

    def give_up(self, now: Now) -> None:
        """Lose what waits, publish that, and hold nothing back until there is a snapshot."""
        self.begin_again(GapReason.SNAPSHOT, now)
        self._has_given_up = True

    def on_snapshot(self, data: SnapshotData, now: Now) -> bool:
        """Take a snapshot and the diffs that follow it; False when it is too old and another is needed.

        Raises
        ------
        BadValue, msgspec.MsgspecError
            When its levels cannot be used; the book is as before.
        """
        bids, asks = levels(data.bids, _BIDS), levels(data.asks, _ASKS)
        found = self.sync.on_snapshot(data.lastUpdateId)
        if found is None:
            return False
        kept, contained = found
        self.is_asked = False
        self._has_given_up = False
        self.superseded += contained
        self._book.clear()
        self._book.apply(bids, asks, _NO_ROW)
        for diff in kept:
            self._judge(diff, now)
        return True

    def _write(self, diff: Diff, now: Now) -> None:
        """Apply a diff and write the row; a book whose sides overlap is given up instead."""
        lane = self.lane
        at = lane.next_at()
        floats = lane.floats[at // lane.size, FIRST_FLOAT : FIRST_FLOAT + FLOATS]
        if not self._book.apply(diff.bids, diff.asks, floats):
            lane.rows -= 1
            self._lose_place(diff, now, (diff.previous_id + 1, diff.last_id))
            return
        effective_ns = max(diff.effective_ns, lane.sent_watermark_ns + 1)
        PACK_BOOK_HEAD.pack_into(lane.buffer, at, diff.event_ns, diff.recv_ns, effective_ns, diff.last_id)
        PACK_BOOK_TAIL.pack_into(
            lane.buffer, at + lane.size - PACK_BOOK_TAIL.size, self.stream.symbol, self.stream.market
        )
        self.count += 1
        if diff.event_ns > self.newest_ns:
            self.newest_ns = diff.event_ns
        if self._gaps.open:
            self._gaps.end(self.stream, diff.event_ns, now)
