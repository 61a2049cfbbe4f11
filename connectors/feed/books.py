"""Books: one order book per instrument, kept by Binance's rules, and its rows.

The diffs come from the socket; snapshots come from elsewhere, whenever they come. A book that has
lost its place asks for one through ``need_snapshot`` and keeps the diffs until it is there.
"""

from collections.abc import Callable

import numpy as np

from genesis.connectors import metrics
from genesis.connectors.feed.gaps import GapKeeper, OpenGap, Stream
from genesis.connectors.feed.messages import DiffData, SnapshotData
from genesis.connectors.feed.outbox import PACK_BOOK_HEAD, PACK_BOOK_TAIL, Lane
from genesis.operators.order_book import FLOATS, FLOATS_AT, BookSync, Diff, OrderBook, Verdict
from genesis.operators.records import GapReason, Market, StreamKind

FIRST_FLOAT = FLOATS_AT // 8
NO_LEVELS = np.empty((0, 2))
SCRATCH = np.empty(FLOATS)


def levels(pairs: list[tuple[float, float]]) -> np.ndarray:
    """Return price and quantity pairs as an array of shape (n, 2)."""
    return np.array(pairs) if pairs else NO_LEVELS


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
    need_snapshot
        Called when a snapshot is wanted.
    """

    def __init__(
        self,
        market: Market,
        symbol: bytes,
        lane: Lane,
        gaps: GapKeeper,
        need_snapshot: Callable[["Book"], None],
    ) -> None:
        self.stream = Stream(market, symbol, StreamKind.BOOK)
        self.lane = lane
        self.sync = BookSync()
        self.asked = False
        self.superseded = 0
        self.count = 0
        self.newest_ns = 0
        self._book = OrderBook()
        self._gaps = gaps
        self._need_snapshot = need_snapshot

    @property
    def held_ns(self) -> int | None:
        """Return the effective time of the oldest diff that waits for a snapshot, or None."""
        return self.sync.waiting[0].effective_ns if self.sync.waiting else None

    def on_diff(self, data: DiffData, times: tuple[int, int, int], watermark_ns: int) -> None:
        """Take a diff; ``times`` are (event_ns, recv_ns, effective_ns)."""
        diff = Diff(data.U, data.u, data.pu, *times, levels(data.b), levels(data.a))
        self._judge(diff, watermark_ns)

    def _judge(self, diff: Diff, watermark_ns: int) -> None:
        expected = self.sync.last_id + 1
        verdict = self.sync.on_diff(diff)
        if verdict is Verdict.APPLIES:
            self._write(diff, watermark_ns)
        elif verdict is Verdict.GAP:
            self.begin_again(GapReason.SEQUENCE, (diff.recv_ns, watermark_ns), (expected, diff.first_id - 1))
            self.sync.on_diff(diff)
            self._ask()
        elif verdict is Verdict.WAITS:
            self._ask()
        else:
            metrics.FEED_DUPLICATES.inc()

    def _ask(self) -> None:
        if not self.asked:
            self.asked = True
            self._need_snapshot(self)

    def begin_again(self, reason: GapReason, now: tuple[int, int], ids: tuple[int, int] = (0, 0)) -> None:
        """Forget the book, and publish that it is incomplete from its newest row on."""
        known = self.sync.synced
        self.sync.restart()
        self._book.clear()
        if known or self.newest_ns:
            metrics.FEED_RESYNCS.labels(self.stream.symbol.decode()).inc()
            self._gaps.begin(self.stream, self.lane.shard, OpenGap(self.newest_ns, reason, *ids), now)

    def on_snapshot(self, data: SnapshotData, now: tuple[int, int]) -> bool:
        """Take a snapshot and the diffs that follow it; False when it is too old and another is needed."""
        self.asked = False
        found = self.sync.on_snapshot(data.lastUpdateId)
        if found is None:
            return False
        kept, contained = found
        self.superseded += contained
        self._book.clear()
        self._book.apply(levels(data.bids), levels(data.asks), SCRATCH)
        first = True
        for diff in kept:
            self._judge(diff, now[1])
            if first and self.sync.synced:
                self._gaps.end(self.stream, self.lane.shard, diff.event_ns, now)
            first = False
        return True

    def _write(self, diff: Diff, watermark_ns: int) -> None:
        lane = self.lane
        at = lane.next_at()
        floats = lane.floats[at // lane.size, FIRST_FLOAT : FIRST_FLOAT + FLOATS]
        whole = self._book.apply(diff.bids, diff.asks, floats)
        PACK_BOOK_HEAD.pack_into(
            lane.buffer, at, diff.event_ns, diff.recv_ns, diff.effective_ns, diff.last_id
        )
        PACK_BOOK_TAIL.pack_into(
            lane.buffer, at + lane.size - PACK_BOOK_TAIL.size, self.stream.symbol, self.stream.market
        )
        if not whole:
            lane.rows -= 1
            self.begin_again(GapReason.SEQUENCE, (diff.recv_ns, watermark_ns), (diff.first_id, diff.last_id))
            self._ask()
            return
        self.count += 1
        self.newest_ns = max(self.newest_ns, diff.event_ns)
        if self._gaps.open:
            self._gaps.end(self.stream, lane.shard, diff.event_ns, (diff.recv_ns, watermark_ns))
