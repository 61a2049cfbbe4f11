"""Ingest: the hot path from a socket message to rows, a fold over the messages of one connection.

What comes again is dropped by its id; what comes late is a late row; what does not come is a gap;
what cannot be read is a dead letter. None of them disturbs the rest.
"""

from collections.abc import Callable
from functools import partial
from math import inf, nan

import msgspec

from genesis.connectors import metrics
from genesis.connectors.feed import messages
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.gaps import GapKeeper, Now, OpenGap, Stream
from genesis.connectors.feed.messages import MS_NS, BadValue, check_time
from genesis.connectors.feed.outbox import PACK_QUOTE, PACK_TRADE
from genesis.connectors.feed.tickers import Ticker
from genesis.operators.arrival import Arrival
from genesis.operators.records import GapReason, Market

UNTIMED_MAX = 10_000
"""Untimed messages that wait for the first timed one, at most; beyond it the oldest are dead letters."""

LOOK_EVERY_NS = 1_000_000_000
"""How often, by the time of arrival, streams are looked at for silence."""

SILENCE_MIN_NS = 10_000_000_000
SILENCE_INTERVALS = 50
"""A stream of quotes or diffs is silent after 50 of its mean intervals, and at least 10 s."""

TRADE_SILENCE_MIN_NS = 60_000_000_000
TRADE_SILENCE_INTERVALS = 200
"""Trades come in bursts, and hours without one are ordinary: 200 mean intervals, and at least a minute."""

JUDGED_FROM = 20
"""Rows of a stream before its mean interval says anything."""

KINDS = {"trade": "trade", "bookTicker": "quote", "depth": "diff"}
"""What a stream carries, by the first word of its name after the symbol."""

Letter = Callable[[str, str, str, bytes, int], None]
"""Called with (source, reason, sentence, message, recv_ns)."""

Route = Callable[[msgspec.Raw, int], None]
"""What takes a message of one stream: its data and its receive time."""


class Ingest:
    """Turns the messages of one logical connection into rows.

    Parameters
    ----------
    market
        Market of the connection.
    arrival
        Its folds of time.
    instruments
        Tickers and books, by symbol as the venue writes it.
    gaps
        Where gaps are published.
    letter
        Where unusable messages go.

    Attributes
    ----------
    recv_ns
        When the newest message was received; a replay hands it along.
    counts
        Usable messages so far, by kind.
    duplicates
        Trades and quotes that came again.
    silent
        Streams that have fallen silent since the owner last looked.
    ended
        The last message of a replay, once it has come.
    shutdown_announced
        Whether the venue has said that it will close the connection.
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
        self.counts = dict.fromkeys(KINDS.values(), 0)
        self.duplicates = 0
        self.recv_ns = 0
        self.silent: set[Stream] = set()
        self.ended: messages.EndData | None = None
        self.shutdown_announced = False
        self._routes: dict[str, Route] = {}
        self._look_ns = 0
        self._first_ns = 0
        self._letter = letter
        self._untimed: list[tuple[Ticker, messages.QuoteData, int]] = []

    @property
    def now(self) -> Now:
        """The newest receive time, and the watermark as it stands."""
        return Now(self.recv_ns, self.arrival.watermark_ns)

    def on_message(self, raw: bytes, recv_ns: int) -> None:
        """Take one message as it came from the socket."""
        try:
            wrapper = messages.decode_wrapper(raw)
        except msgspec.MsgspecError as error:
            self._refuse("malformed_json", f"not a message of a combined stream: {error}", raw, recv_ns)
            return
        self.recv_ns = recv_ns = wrapper.recv_ns or recv_ns
        if recv_ns >= self._look_ns:
            self._look_ns = recv_ns + LOOK_EVERY_NS
            self._look_for_silence()
        route = self._routes.get(wrapper.stream) or self._new_route(wrapper.stream)
        if route is None:
            self._on_other(wrapper, raw, recv_ns)
            return
        try:
            route(wrapper.data, recv_ns)
        except msgspec.MsgspecError as error:
            self._refuse("unexpected_shape", f"{wrapper.stream}: {error}", raw, recv_ns)
        except BadValue as error:
            self._refuse("bad_value", f"{wrapper.stream}: {error}", raw, recv_ns)

    def _new_route(self, stream: str) -> Route | None:
        """Return what takes messages of a stream; None when it is not followed."""
        symbol, _, rest = stream.partition("@")
        kind, symbol = rest.partition("@")[0], symbol.upper()
        route: Route
        if kind == "depth" and symbol in self.books:
            route = partial(self._on_diff, self.books[symbol])
        elif kind == "trade" and symbol in self.tickers:
            route = partial(self._on_trade, self.tickers[symbol])
        elif kind == "bookTicker" and symbol in self.tickers:
            route = partial(self._on_quote, self.tickers[symbol])
        else:
            return None
        self._routes[stream] = route
        return route

    def _on_other(self, wrapper: messages.Wrapper, raw: bytes, recv_ns: int) -> None:
        """Take a message that is of no stream that is followed."""
        name = wrapper.stream
        try:
            if name == "genesis@end":
                self.ended = messages.decode_end(wrapper.data)
                return
            event = messages.decode_event(wrapper.data if name else raw)
        except msgspec.MsgspecError as error:
            self._refuse("unexpected_shape", f"{name or 'a message without a stream'}: {error}", raw, recv_ns)
            return
        symbol, _, kind = name.partition("@")
        if event.e == "serverShutdown":
            self.shutdown_announced = True
        elif kind.partition("@")[0] in KINDS:
            self._refuse("unknown_symbol", f"{name}: {symbol.upper()} is not followed", raw, recv_ns)
        elif name or b'"result"' not in raw:
            what = name or event.e or "without a stream"
            self._refuse("unknown_message", f"a message {what} was not asked for", raw, recv_ns)

    def _refuse(self, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self._letter(f"feed/{self.market.name.lower()}", reason, sentence, raw, recv_ns)

    def _on_trade(self, ticker: Ticker, raw: msgspec.Raw, recv_ns: int) -> None:
        data = messages.decode_trade(raw)
        price, qty, trade_id, sent_ms = data.p, data.q, data.t, data.E
        event_ms = data.T or sent_ms
        if data.s != ticker.name or not (0.0 < price < inf and 0.0 <= qty < inf and trade_id >= 0):
            raise BadValue(f"symbol {data.s}, price {price}, quantity {qty}, id {trade_id}")
        check_time(sent_ms, event_ms)
        if self._untimed:
            self._time_the_untimed(sent_ms, recv_ns)
        event_ns, arrival = event_ms * MS_NS, self.arrival
        before_ns = arrival.watermark_ns
        effective_ns = arrival.timed(event_ns, sent_ms * MS_NS, recv_ns)
        if trade_id == ticker.trade_id + 1:
            ticker.trade_id = trade_id
        elif not ticker.admits_trade(trade_id, event_ns):
            self._repeat()
            return
        side = -1 if data.m else 1
        lane = ticker.trade_lane
        at = lane.next_at()  # may begin a new buffer
        PACK_TRADE.pack_into(
            lane.buffer,
            at,
            event_ns,
            recv_ns,
            effective_ns,
            trade_id,
            price,
            qty,
            ticker.symbol,
            self.market,
            side,
        )
        self.counts["trade"] += 1
        ticker.trade_count += 1
        if event_ns > ticker.trade_ns:
            ticker.trade_ns = event_ns
        if ticker.holes or self.gaps.open:
            now = Now(recv_ns, before_ns)
            self.gaps.end(ticker.trades, event_ns, now, trade_id)
            ticker.settle(event_ns, now)

    def _on_quote(self, ticker: Ticker, raw: msgspec.Raw, recv_ns: int) -> None:
        data = messages.decode_quote(raw)
        prices_fit = 0.0 <= data.b < inf and 0.0 <= data.a < inf
        if data.s != ticker.name or not (prices_fit and 0.0 <= data.B < inf and 0.0 <= data.A < inf):
            raise BadValue(f"symbol {data.s}, bid {data.b} × {data.B}, ask {data.a} × {data.A}")
        arrival = self.arrival
        before_ns = arrival.watermark_ns
        if data.E:
            event_ms = data.T or data.E
            check_time(data.E, event_ms)
            if self._untimed:
                self._time_the_untimed(data.E, recv_ns)
            event_ns = event_ms * MS_NS
            effective_ns = arrival.timed(event_ns, data.E * MS_NS, recv_ns)
        elif arrival.is_timed:
            event_ns = arrival.event_of(recv_ns)
            effective_ns = arrival.effective_of(event_ns)
        else:
            self._keep_untimed(ticker, data, recv_ns)
            return
        self._write_quote(ticker, data, (event_ns, recv_ns, effective_ns), before_ns)

    def _write_quote(
        self, ticker: Ticker, data: messages.QuoteData, times: tuple[int, int, int], before_ns: int
    ) -> None:
        event_ns = times[0]
        if not ticker.admits_quote(data.u, event_ns):
            self._repeat()
            return
        lane = ticker.quote_lane
        at = lane.next_at()  # may begin a new buffer
        PACK_QUOTE.pack_into(
            lane.buffer,
            at,
            *times,
            data.u,
            data.b or nan,
            data.B,
            data.a or nan,
            data.A,
            ticker.symbol,
            self.market,
        )
        self.counts["quote"] += 1
        if event_ns > ticker.quote_ns:
            ticker.quote_ns = event_ns
        if self.gaps.open:
            self.gaps.end(ticker.quotes, event_ns, Now(times[1], before_ns))

    def _keep_untimed(self, ticker: Ticker, data: messages.QuoteData, recv_ns: int) -> None:
        if len(self._untimed) >= UNTIMED_MAX:
            _, old, at_ns = self._untimed.pop(0)
            raw = msgspec.json.encode(old)
            self._refuse("untimed", "no message has said the venue's time yet", raw, at_ns)
        self._untimed.append((ticker, data, recv_ns))

    def _time_the_untimed(self, sent_ms: int, recv_ns: int) -> None:
        """Write what has waited for the first message that says the venue's time."""
        offset_ns = recv_ns - sent_ms * MS_NS
        waiting, self._untimed = self._untimed, []
        for ticker, data, at_ns in waiting:
            event_ns, before_ns = at_ns - offset_ns, self.arrival.watermark_ns
            effective_ns = self.arrival.effective_of(event_ns)
            self._write_quote(ticker, data, (event_ns, at_ns, effective_ns), before_ns)

    def _on_diff(self, book: Book, raw: msgspec.Raw, recv_ns: int) -> None:
        data = messages.decode_diff(raw)
        event_ms = data.T or data.E
        if data.s != book.symbol or not 0 <= data.U <= data.u:
            raise BadValue(f"symbol {data.s}, update ids from {data.U} to {data.u}")
        check_time(data.E, event_ms)
        event_ns, arrival = event_ms * MS_NS, self.arrival
        diff = book.read(data, (event_ns, recv_ns, 0))
        if self._untimed:
            self._time_the_untimed(data.E, recv_ns)
        before_ns = arrival.watermark_ns
        effective_ns = arrival.timed(event_ns, data.E * MS_NS, recv_ns)
        self.counts["diff"] += 1
        book.on_diff(diff._replace(effective_ns=effective_ns), before_ns)

    def has_seen(self, raw: bytes) -> bool:
        """Say whether this message, of another socket, brings nothing that has not been taken in."""
        try:
            wrapper = messages.decode_wrapper(raw)
            symbol, _, kind = wrapper.stream.partition("@")
            symbol = symbol.upper()
            if kind == "trade":
                return messages.decode_trade(wrapper.data).t <= self.tickers[symbol].trade_id
            if kind == "bookTicker":
                return messages.decode_quote(wrapper.data).u <= self.tickers[symbol].quote_id
            return messages.decode_diff(wrapper.data).u <= self.books[symbol].sync.reached_id
        except (msgspec.MsgspecError, KeyError):
            return True

    def close_holes(self) -> None:
        """Publish what is still missing, at the end of the stream."""
        for ticker in self.tickers.values():
            ticker.settle(2**62, self.now)

    def streams(self) -> dict[Stream, int]:
        """Return the newest event time of every stream; 0 before its first row."""
        found = {}
        for ticker in self.tickers.values():
            found[ticker.trades] = ticker.trade_ns
            found[ticker.quotes] = ticker.quote_ns
        for book in self.books.values():
            found[book.stream] = book.newest_ns
        return found

    def _look_for_silence(self) -> None:
        """Publish a gap for each stream that has said nothing for far longer than it is used to."""
        if not self.arrival.is_timed:
            return
        newest_ns = self.arrival.newest_ns
        self._first_ns = self._first_ns or newest_ns
        usual = (SILENCE_MIN_NS, SILENCE_INTERVALS)
        beats = []
        for ticker in self.tickers.values():
            patient = (TRADE_SILENCE_MIN_NS, TRADE_SILENCE_INTERVALS)
            beats.append((ticker.trades, ticker.trade_ns, ticker.trade_count, *patient))
            beats.append((ticker.quotes, ticker.quote_ns, ticker.quote_count, *usual))
        whole = [book for book in self.books.values() if book.sync.synced]
        beats += [(book.stream, book.newest_ns, book.count, *usual) for book in whole]
        for stream, last_ns, count, least_ns, intervals in beats:
            if count < JUDGED_FROM or stream in self.gaps.open:
                continue
            mean_ns = (last_ns - self._first_ns) // count
            if newest_ns - last_ns > max(least_ns, intervals * mean_ns):
                self.gaps.begin(stream, OpenGap(last_ns, GapReason.SILENCE), self.now)
                self.silent.add(stream)

    def _repeat(self) -> None:
        self.duplicates += 1
        metrics.FEED_DUPLICATES.inc()
