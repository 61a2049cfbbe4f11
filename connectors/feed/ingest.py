"""Ingest: the hot path from a socket message to rows, a fold over the messages of one connection.

What comes again is dropped by its id; what comes late is a late row; what does not come is a gap;
what cannot be read is a dead letter. None of them disturbs the rest.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from genesis.connectors import metrics
from genesis.connectors.feed import messages
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.gaps import GapKeeper, OpenGap, Stream
from genesis.connectors.feed.messages import MS_NS, DiffData, QuoteData, TradeData
from genesis.connectors.feed.outbox import PACK_QUOTE, PACK_TRADE, Lane
from genesis.operators.arrival import Arrival
from genesis.operators.records import GapReason, Market, StreamKind

UNTIMED_MAX = 10_000
"""Untimed messages that wait for the first timed one, at most; beyond it the oldest are dead letters."""

RECENT_IDS = 1_024
"""Ids of a stream that are remembered, so that one that comes out of order is told from a repeat."""

LOOK_EVERY_NS = 1_000_000_000
"""How often, by the time of arrival, streams are looked at for silence."""

SILENCE_MIN_NS = 10_000_000_000
SILENCE_INTERVALS = 50
"""A stream of quotes or diffs is silent after 50 of its mean intervals, and at least 10 s. Trades have
no such rule: hours without a trade are ordinary, and their ids show what is missing."""

MISSING_IDS_MAX = 10_000
"""Missing trade ids that are waited for one by one; a larger hole is a gap at once."""

REORDER_NS = 1_000_000_000
"""How long, in event time, a missing trade may still come before it is published as a gap."""


class Hole(NamedTuple):
    """Trade ids that were jumped over."""

    first: int
    last: int
    before_ns: int
    after_ns: int


class Ticker:
    """What is known of one instrument's trades and quotes."""

    def __init__(self, market: Market, symbol: bytes, lanes: tuple[Lane, Lane]) -> None:
        self.trades = Stream(market, symbol, StreamKind.TRADES)
        self.quotes = Stream(market, symbol, StreamKind.QUOTES)
        self.trade_lane, self.quote_lane = lanes
        self.trade_id = -1
        self.trade_ns = 0
        self.missing: set[int] = set()
        self.holes: list[Hole] = []
        self.quote_id = -1
        self.quote_ns = 0
        self.recent = [-1] * RECENT_IDS
        self.count = 0


Letter = Callable[[str, str, str, bytes, int], None]
"""Called with (source, reason, sentence, message, recv_ns)."""


class Ingest:
    """Turns the messages of one logical connection into rows.

    Parameters
    ----------
    market
        Market of the connection.
    arrival
        Its folds of time.
    tickers, books
        By symbol as the venue writes it.
    gaps
        Where gaps are published.
    letter
        Where unusable messages go.
    """

    def __init__(
        self,
        market: Market,
        arrival: Arrival,
        instruments: tuple[dict[str, Ticker], dict[str, Book]],
        gaps: GapKeeper,
        letter: Letter,
    ) -> None:
        self.market, self.arrival = market, arrival
        self.tickers, self.books = instruments
        self.gaps = gaps
        self.counts: Counter[str] = Counter()
        self.duplicates = 0
        self.recv_ns = 0
        self.replayed = False
        self.silent: set[Stream] = set()
        self._look_ns = 0
        self._first_ns = 0
        self.ended: messages.EndData | None = None
        self.shutdown_announced = False
        self._letter = letter
        self._untimed: list[tuple[QuoteData, int]] = []

    def on_message(self, raw: bytes, recv_ns: int) -> None:
        """Take one message as it came from the socket."""
        try:
            wrapper = messages.decode_wrapper(raw)
        except msgspec.MsgspecError as error:
            self._refuse("malformed_json", f"not a message of a combined stream: {error}", raw, recv_ns)
            return
        if wrapper.recv_ns:
            recv_ns = wrapper.recv_ns
            self.replayed = True
        self.recv_ns = recv_ns
        if recv_ns >= self._look_ns:
            self._look_ns = recv_ns + LOOK_EVERY_NS
            self._look_for_silence()
        kind = wrapper.stream.partition("@")[2]
        try:
            if kind == "bookTicker":
                self._on_quote(messages.decode_quote(wrapper.data), recv_ns)
            elif kind == "trade":
                self._on_trade(messages.decode_trade(wrapper.data), recv_ns)
            elif kind.startswith("depth"):
                self._on_diff(messages.decode_diff(wrapper.data), recv_ns)
            else:
                self._on_other(wrapper, raw, recv_ns)
                return
        except msgspec.MsgspecError as error:
            self._refuse("unexpected_shape", f"{wrapper.stream}: {error}", raw, recv_ns)
            return
        except KeyError as error:
            self._refuse("unknown_symbol", f"{wrapper.stream}: {error.args[0]} is not followed", raw, recv_ns)
            return
        self.counts[kind] += 1

    def _on_other(self, wrapper: messages.Wrapper, raw: bytes, recv_ns: int) -> None:
        if wrapper.stream == "genesis@end":
            self.ended = messages.decode_end(wrapper.data)
            return
        event = messages.decode_event(raw if not wrapper.stream else wrapper.data)
        if event.e == "serverShutdown":
            self.shutdown_announced = True
        elif wrapper.stream or b'"result"' not in raw:
            name = wrapper.stream or event.e or "without a stream"
            self._refuse("unknown_message", f"a message {name} was not asked for", raw, recv_ns)

    def _refuse(self, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self._letter(f"feed/{self.market.name.lower()}", reason, sentence, raw, recv_ns)

    def _on_trade(self, data: TradeData, recv_ns: int) -> None:
        ticker, arrival = self.tickers[data.s], self.arrival
        event_ns = (data.T or data.E) * MS_NS
        trade_id, before_ns = data.t, arrival.watermark_ns
        effective_ns = arrival.timed(event_ns, data.E * MS_NS, recv_ns)
        if self._untimed:
            self._stamp_untimed()
        if trade_id <= ticker.trade_id:
            if trade_id not in ticker.missing:
                self._repeat()
                return
            ticker.missing.discard(trade_id)
        else:
            if (
                trade_id != ticker.trade_id + 1
                and ticker.trade_id >= 0
                and ticker.trades not in self.gaps.open
            ):
                self._jump(ticker, trade_id, event_ns)
            ticker.trade_id = trade_id
        lane = ticker.trade_lane
        at = lane.next_at()
        PACK_TRADE.pack_into(
            lane.buffer,
            at,
            event_ns,
            recv_ns,
            effective_ns,
            trade_id,
            data.p,
            data.q,
            ticker.trades.symbol,
            self.market,
            -1 if data.m else 1,
        )
        if event_ns > ticker.trade_ns:
            ticker.trade_ns = event_ns
        if ticker.holes or self.gaps.open:
            self._settle(ticker, event_ns, (recv_ns, before_ns))

    def _jump(self, ticker: Ticker, trade_id: int, event_ns: int) -> None:
        """Note the ids that were jumped over; they may still come."""
        hole = Hole(ticker.trade_id + 1, trade_id - 1, ticker.trade_ns, event_ns)
        ticker.holes.append(hole)
        if hole.last - hole.first < MISSING_IDS_MAX:
            ticker.missing.update(range(hole.first, hole.last + 1))

    def _settle(self, ticker: Ticker, event_ns: int, now: tuple[int, int]) -> None:
        """Publish holes that have waited long enough, and close a gap that this trade ends."""
        shard = ticker.trade_lane.shard
        self.gaps.end(ticker.trades, shard, event_ns, now)
        for hole in list(ticker.holes):
            lost = [number for number in range(hole.first, hole.last + 1) if number in ticker.missing][:2]
            large = hole.last - hole.first >= MISSING_IDS_MAX
            if not lost and not large:
                ticker.holes.remove(hole)
            elif large or event_ns - hole.after_ns > REORDER_NS:
                ticker.holes.remove(hole)
                ticker.missing.difference_update(range(hole.first, hole.last + 1))
                gap = OpenGap(hole.before_ns, GapReason.SEQUENCE, lost[0] if lost else hole.first, hole.last)
                self.gaps.begin(ticker.trades, shard, gap, now)
                self.gaps.end(ticker.trades, shard, hole.after_ns, now)

    def close_holes(self) -> None:
        """Publish what is still missing, at the end of the stream."""
        now = (self.recv_ns, self.arrival.watermark_ns)
        for ticker in self.tickers.values():
            self._settle(ticker, 2**62, now)

    def _on_quote(self, data: QuoteData, recv_ns: int) -> None:
        ticker = self.tickers[data.s]
        arrival = self.arrival
        before_ns = arrival.watermark_ns
        if data.E:
            event_ns = (data.T or data.E) * MS_NS
            effective_ns = arrival.timed(event_ns, data.E * MS_NS, recv_ns)
        elif arrival.is_timed:
            event_ns = arrival.event_of(recv_ns)
            effective_ns = arrival.effective_of(event_ns)
        else:
            self._keep_untimed(data, recv_ns)
            return
        update_id = data.u
        if update_id <= ticker.quote_id:
            if update_id in ticker.recent or update_id < min(ticker.recent):
                self._repeat()
                return
        else:
            ticker.quote_id = update_id
        ticker.recent[ticker.count % RECENT_IDS] = update_id
        ticker.count += 1
        lane = ticker.quote_lane
        at = lane.next_at()
        PACK_QUOTE.pack_into(
            lane.buffer,
            at,
            event_ns,
            recv_ns,
            effective_ns,
            update_id,
            data.b,
            data.B,
            data.a,
            data.A,
            ticker.quotes.symbol,
            self.market,
        )
        if event_ns > ticker.quote_ns:
            ticker.quote_ns = event_ns
        if self.gaps.open:
            self.gaps.end(ticker.quotes, lane.shard, event_ns, (recv_ns, before_ns))

    def _keep_untimed(self, data: QuoteData, recv_ns: int) -> None:
        if len(self._untimed) >= UNTIMED_MAX:
            old, at_ns = self._untimed.pop(0)
            self._refuse(
                "untimed", "no message has said the venue's time yet", msgspec.json.encode(old), at_ns
            )
        self._untimed.append((data, recv_ns))

    def _stamp_untimed(self) -> None:
        """Take the messages that waited for the venue's time, now that it is known."""
        waiting, self._untimed = self._untimed, []
        for data, at_ns in waiting:
            self._on_quote(data, at_ns)

    def _on_diff(self, data: DiffData, recv_ns: int) -> None:
        book = self.books[data.s]
        event_ns = (data.T or data.E) * MS_NS
        before_ns = self.arrival.watermark_ns
        effective_ns = self.arrival.timed(event_ns, data.E * MS_NS, recv_ns)
        if self._untimed:
            self._stamp_untimed()
        book.on_diff(data, (event_ns, recv_ns, effective_ns), before_ns)

    def _look_for_silence(self) -> None:
        """Publish a gap for each stream that has said nothing for far longer than it is used to."""
        if not self.arrival.is_timed:
            return
        newest_ns = self.arrival.newest_ns
        self._first_ns = self._first_ns or newest_ns
        now = (self.recv_ns, self.arrival.watermark_ns)
        beats = [(t.quotes, t.quote_ns, t.count, t.quote_lane.shard) for t in self.tickers.values()]
        beats += [
            (b.stream, b.newest_ns, b.count, b.lane.shard) for b in self.books.values() if b.sync.synced
        ]
        for stream, last_ns, count, shard in beats:
            if not count or stream in self.gaps.open:
                continue
            interval_ns = (last_ns - self._first_ns) // count
            if newest_ns - last_ns > max(SILENCE_MIN_NS, SILENCE_INTERVALS * interval_ns):
                self.gaps.begin(stream, shard, OpenGap(last_ns, GapReason.SILENCE), now)
                self.silent.add(stream)

    def streams(self) -> dict[Stream, tuple[int, int]]:
        """Return the newest event time and the shard of every stream; 0 before its first row."""
        found = {}
        for ticker in self.tickers.values():
            found[ticker.trades] = (ticker.trade_ns, ticker.trade_lane.shard)
            found[ticker.quotes] = (ticker.quote_ns, ticker.quote_lane.shard)
        for book in self.books.values():
            found[book.stream] = (book.newest_ns, book.lane.shard)
        return found

    def _repeat(self) -> None:
        self.duplicates += 1
        metrics.FEED_DUPLICATES.inc()
