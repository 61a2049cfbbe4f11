"""The feed: connections in, frames out.

Its promises: no row and no gap is published behind a watermark; what the broker cannot take stops
the reading (replay) or is dropped and published as a gap (live); a feed that was killed says what
it missed.
"""

import asyncio
import random
import time
from typing import Protocol

import aiohttp

from genesis.connectors import logs
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.feed import gaps
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.connection import Connection, Events, Shared
from genesis.connectors.feed.gaps import GapKeeper, Memory, Now, OpenGap, Stream
from genesis.connectors.feed.ingest import Ingest
from genesis.connectors.feed.limits import Limits
from genesis.connectors.feed.messages import MS_NS, decode_snapshot
from genesis.connectors.feed.outbox import Outbox, Sender
from genesis.connectors.feed.snapshots import Snapshots
from genesis.connectors.feed.tickers import Ticker
from genesis.connectors.feed.venue import Address, Offer, VenueAdapter
from genesis.connectors.feed.websocket import ConnectBudget
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS, Rows
from genesis.operators.arrival import Arrival
from genesis.operators.records import GapReason, Market, StreamKind
from genesis.operators.topics import Topic, shard_of

WATERMARK_EVERY_S = 0.1
"""A watermark goes out at least so often, alone if need be."""

UNREAD_NS = 5_000_000_000
"""How far before the newest delivered row the log of a broker that restarted may have been unread."""

QUIET_NS = 5_000_000_000
"""A stream that says nothing for so long after its connection is back is quiet, not broken."""

CLOSED_BY_RETURN = (GapReason.DISCONNECT, GapReason.SILENCE, GapReason.FEED_RESTART)
"""Reasons that end when the connection is back, as far as they began before."""

TOPIC_OF = {StreamKind.TRADES: "trades", StreamKind.QUOTES: "quotes", StreamKind.BOOK: "book"}
KIND_OF = {name: kind for kind, name in TOPIC_OF.items()}


class Producer(Sender, Protocol):
    """What the feed needs of the producer."""

    delivered_ns: dict[tuple[str, int], int]

    def poll(self) -> None:
        """Serve delivery reports."""

    def flush(self, timeout_s: float) -> int:
        """Wait for what is queued to be delivered; return how many messages still wait."""


class Feed:
    """All connections of one process and the outbox that they share.

    Parameters
    ----------
    settings
        Of this process.
    adapter
        The venue.
    producer
        Where frames go.
    session
        For all that goes to the venue.
    limits
        Bounds and pauses.
    jitter
        Source of random pauses.
    """

    def __init__(
        self,
        settings: Settings,
        adapter: VenueAdapter,
        producer: Producer,
        session: aiohttp.ClientSession,
        limits: Limits | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        self.settings, self.adapter, self.producer = settings, adapter, producer
        self.limits = limits or Limits()
        jitter = jitter or random.Random(time.time_ns())
        self.outbox = Outbox(producer, settings.shards, settings.frame_rows)
        self.gaps = GapKeeper([self.outbox.lanes["gaps", shard] for shard in range(settings.shards)])
        self.snapshots = Snapshots[Book](adapter, session, jitter, self._on_snapshot)
        self.connections: list[Connection[Ingest]] = []
        self.letters = 0
        self.watermark_ns = NEVER_NS
        self.halted: dict[str, str] = {}
        self._shared = Shared(
            session,
            ConnectBudget(self.limits.connects, self.limits.connects_window_s),
            jitter,
            self.limits,
            adapter.is_replay,
        )
        self._owners: dict[Book, Connection[Ingest]] = {}
        self._crowded: set[Book] = set()
        self._held_since_s: dict[Book, float] = {}
        self._started_s = time.monotonic()
        self._remembered = gaps.remembered(settings.data, adapter.name)
        self._log = logs.get("feed")

    # -- building ---------------------------------------------------------------------------------

    def add_market(self, market: Market, offer: Offer) -> None:
        """Make the connections of a market."""
        followed = self.adapter.chosen(market, offer)
        for number, address in enumerate(self.adapter.addresses(market, followed) if followed else []):
            self._add_connection(f"{market.name.lower()}-{number}", market, address)
        self.note_listings(market, offer)

    def note_listings(self, market: Market, offer: Offer) -> None:
        """Take note of what is followed, or asked for, and does not trade."""
        followed = {symbol for c in self.connections if c.ingest.market == market for symbol in c.symbols}
        asked = followed | {name for name in offer.halted if self._is_asked_for(market, name)}
        for symbol in asked:
            name = f"{market.name.lower()}:{symbol}"
            word = offer.halted.get(symbol, "" if symbol in offer.trading else "not listed")
            if word and self.halted.get(name) != word:
                self._log.warning("does not trade", instrument=name, status=word)
            self.halted.pop(name, None)
            if word:
                self.halted[name] = word

    def _is_asked_for(self, market: Market, symbol: str) -> bool:
        return f"{market.name.lower()}:{symbol}".lower() in self.settings.symbols.lower().split(",")

    def _add_connection(self, name: str, market: Market, address: Address) -> None:
        tickers: dict[str, Ticker] = {}
        books: dict[str, Book] = {}
        for symbol in address.symbols:
            shard = shard_of(market, symbol.encode(), self.settings.shards)
            lanes = [self.outbox.lanes[topic, shard] for topic in ("trades", "quotes", "book")]
            if address.has_ticks:
                tickers[symbol] = Ticker((market, symbol), (lanes[0], lanes[1]), self.gaps)
            if address.has_books:
                books[symbol] = Book((market, symbol), lanes[2], self.gaps, self, self.limits.waiting_diffs)
        arrival = Arrival(self.settings.lateness_ms * MS_NS)
        ingest = Ingest(market, arrival, (tickers, books), self.gaps, self._on_letter)
        for stream in ingest.streams():
            if stream.text in self._remembered:
                gap = OpenGap(self._remembered[stream.text], GapReason.FEED_RESTART)
                self.gaps.expect(stream, gap)
        events = Events(
            self._on_broken, self._on_resumed, self._is_due, self.drain, self._settled, self._is_blocked
        )
        connection = Connection(name, address, ingest, events, self._shared)
        self._owners.update(dict.fromkeys(books.values(), connection))
        self.connections.append(connection)

    # -- what connections and books tell ------------------------------------------------------------

    def need_snapshot(self, book: Book) -> None:
        """Fetch a snapshot for a book that has asked for one."""
        self.snapshots.ask(book)

    def note_crowd(self, book: Book) -> None:
        """Stop reading until a book has its snapshot (replay), or let it give up what it missed (live)."""
        if self.adapter.is_replay:
            self._crowded.add(book)
        else:
            book.give_up(self._now(self._owners[book]))

    def _now(self, connection: Connection[Ingest]) -> Now:
        """Return the present of a connection, not before what has been promised for all."""
        recv_ns, watermark_ns = connection.ingest.now
        return Now(recv_ns, max(watermark_ns, self.watermark_ns))

    def _on_snapshot(self, book: Book, body: bytes, recv_ns: int) -> bool:
        now = self._now(self._owners[book])
        return book.on_snapshot(decode_snapshot(body), now._replace(recv_ns=recv_ns or time.time_ns()))

    def _on_letter(self, source: str, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self.letters += 1
        self._log.warning("dead letter", reason=reason, detail=sentence)
        letter = dead_letter(source, reason, sentence, raw, recv_ns)
        if not self.outbox.post(topics.DEAD_LETTERS, letter):
            self._log.error("a dead letter is lost", reason=reason, payload=letter.payload[:1_000])

    def _on_broken(self, connection: Connection[Ingest], reason: GapReason) -> None:
        """Publish that every stream of a connection is incomplete from its newest row on."""
        ingest, now = connection.ingest, self._now(connection)
        for stream, newest_ns in ingest.streams().items():
            if newest_ns and stream.kind is not StreamKind.BOOK:
                ticker = ingest.tickers[stream.symbol.decode()]
                first_id = ticker.trade_id + 1 if stream.kind is StreamKind.TRADES else 0
                self.gaps.begin(stream, OpenGap(newest_ns, reason, first_id), now)
        for book in ingest.books.values():
            book.begin_again(reason, now)

    def _on_resumed(self, connection: Connection[Ingest]) -> None:
        """Before the first message of a connection: nothing of it counts behind what was promised."""
        connection.ingest.arrival.advance(self.watermark_ns)

    def on_log_restart(self, names: list[str]) -> None:
        """Publish what the broker may have forgotten before it was read."""
        self._log.warning("the log began anew", topics=names)
        for connection in self.connections:
            now = self._now(connection)
            for stream, newest_ns in connection.ingest.streams().items():
                start_ns = self._delivered_ns(stream) - UNREAD_NS
                if TOPIC_OF[stream.kind] in names and newest_ns and start_ns > 0:
                    self.gaps.begin(stream, OpenGap(start_ns, GapReason.LOG_RESTART), now)
                    self.gaps.end(stream, newest_ns, now)

    def on_lost(self, name: str, shard: int, _watermark_ns: int) -> None:
        """Publish that a frame was given up by the producer: it may have held any stream of its shard."""
        for connection in self.connections:
            now = self._now(connection)
            for stream, newest_ns in connection.ingest.streams().items():
                mine = shard_of(stream.market, stream.symbol, self.settings.shards) == shard
                if mine and TOPIC_OF[stream.kind] == name and newest_ns:
                    start_ns = min(self._delivered_ns(stream), newest_ns)
                    self.gaps.begin(stream, OpenGap(start_ns, GapReason.OVERFLOW), now)
                    self.gaps.end(stream, newest_ns, now)

    def _delivered_ns(self, stream: Stream) -> int:
        """Return the watermark that the broker has confirmed for a stream, 0 before the first."""
        shard = shard_of(stream.market, stream.symbol, self.settings.shards)
        return max(0, self.producer.delivered_ns.get((TOPIC_OF[stream.kind], shard), 0))

    # -- watermarks -----------------------------------------------------------------------------------

    def _watermarks(self) -> dict[tuple[str, int], int]:
        """Return the watermark of every lane: the least of the connections, and of books that wait."""
        counted = [c.ingest.arrival.watermark_ns for c in self.connections if self._is_counted(c)]
        if counted:
            self.watermark_ns = max(self.watermark_ns, min(counted))
        found = dict.fromkeys(self.outbox.lanes, self.watermark_ns)
        for book in self._owners:
            held_ns = book.held_ns
            if held_ns is not None:
                key = ("book", book.lane.shard)
                found[key] = min(found[key], held_ns - 1)
        return found

    def _is_counted(self, connection: Connection[Ingest]) -> bool:
        """Say whether a connection holds the watermark: while it delivers, or is about to begin.

        One that is down promises nothing and needs no promise: what it brings later counts later.
        """
        if connection.ingest.ended is not None:
            return False
        if connection.is_up:
            return True
        waited_s = time.monotonic() - self._started_s
        is_new = not connection.ingest.recv_ns
        return is_new and (self.adapter.is_replay or waited_s < self.limits.first_message_s)

    def _let_time_pass(self) -> None:
        """Live, in a quiet market, the clock moves the watermark; in a replay only messages do."""
        if self.adapter.is_replay:
            return
        now_ns = time.time_ns()
        for connection in self.connections:
            arrival = connection.ingest.arrival
            if connection.is_up and arrival.is_timed:
                arrival.let_pass(arrival.event_of(now_ns))

    # -- sending ------------------------------------------------------------------------------------

    def _is_blocked(self) -> bool:
        return self.outbox.is_blocked or bool(self._crowded)

    def _is_due(self) -> bool:
        return self.outbox.is_due() or bool(self._crowded)

    async def drain(self) -> None:
        """Send what is full; wait until the producer has room again and no book waits crowded."""
        started_s = time.monotonic()
        self.send(also_empty=False)
        while (self.outbox.is_blocked and not self.outbox.is_losing) or self._crowded:
            await asyncio.sleep(0.002)
            self._crowded = {book for book in self._crowded if book.is_crowded}
            if not self.adapter.is_replay and time.monotonic() - started_s > self.limits.overflow_s:
                self._begin_to_lose()
            self.send(also_empty=False)

    def send(self, *, also_empty: bool) -> None:
        """Hand rows to the producer; live, while it takes nothing, drop them and say so."""
        before = self.outbox.frames_sent
        self.outbox.flush(self._watermarks(), also_empty=also_empty)
        self.producer.poll()
        if not self.outbox.is_losing:
            return
        if self.outbox.frames_sent > before and not self.outbox.is_blocked:
            self.outbox.is_losing = self.gaps.is_losing = False
            self._log.warning("the broker takes frames again")
            return
        for topic, rows in self.outbox.drop_waiting():
            self._publish_loss(topic, rows)

    def _begin_to_lose(self) -> None:
        self.outbox.is_losing = self.gaps.is_losing = True
        self._log.error("the broker takes no frames: ticks are dropped until it does")

    def _publish_loss(self, topic: Topic, rows: Rows) -> None:
        """Open a gap in every stream of which rows were dropped; the first row that gets through ends it."""
        pairs = {(int(row["market"]), bytes(row["symbol"])) for row in rows[["market", "symbol"]]}
        for market, symbol in sorted(pairs):
            mine = rows[(rows["market"] == market) & (rows["symbol"] == symbol)]
            first_id = int(mine["trade_id"].min()) if topic is topics.TRADES else 0
            gap = OpenGap(int(mine["event_ns"].min()), GapReason.OVERFLOW, first_id)
            now = Now(int(mine["recv_ns"][-1]), self.watermark_ns)
            self.gaps.begin(Stream(Market(market), symbol, KIND_OF[topic.name]), gap, now)

    async def beat(self) -> None:
        """Send frames that have waited long enough, and watermarks, for ever."""
        wait_s = max(self.settings.frame_wait_ms / 1e3, 0.001)
        empty_at_s = 0.0
        while True:
            await asyncio.sleep(wait_s)
            now_s = time.monotonic()
            also_empty = now_s >= empty_at_s
            if also_empty:
                empty_at_s = now_s + WATERMARK_EVERY_S
                self._let_time_pass()
                self._look_after_books(now_s)
                self._look_after_gaps()
            self.send(also_empty=also_empty)

    def _look_after_books(self, now_s: float) -> None:
        """Live: a book that has held its lane back for too long gives up what it has missed."""
        held = {book for book in self._owners if book.held_ns is not None}
        self._held_since_s = {book: self._held_since_s.get(book, now_s) for book in held}
        if self.adapter.is_replay:
            return
        for book, since_s in self._held_since_s.items():
            if now_s - since_s > self.limits.hold_s:
                book.give_up(self._now(self._owners[book]))

    def _look_after_gaps(self) -> None:
        """Publish what an earlier feed missed; close what is only quiet now that its connection is back."""
        for connection in self.connections:
            ingest = connection.ingest
            if not (connection.is_up and ingest.arrival.is_timed):
                continue
            now = self._now(connection)
            back_ns = ingest.arrival.event_of(connection.resumed_recv_ns)
            is_settled = now.recv_ns - connection.resumed_recv_ns > QUIET_NS
            for stream in ingest.streams() if self.gaps.open else ():
                self.gaps.publish(stream, now)
                if is_settled and stream.kind is not StreamKind.BOOK:
                    self._close_if_quiet(connection, stream, back_ns, now)

    def _close_if_quiet(self, connection: Connection[Ingest], stream: Stream, back_ns: int, now: Now) -> None:
        """Close a gap that the loss of the connection opened, at the time when it was back."""
        gap = self.gaps.open.get(stream)
        if gap is None or gap.reason not in CLOSED_BY_RETURN or gap.start_ns > back_ns:
            return
        self.gaps.end(stream, back_ns, now)
        if stream.kind is StreamKind.TRADES:
            connection.ingest.tickers[stream.symbol.decode()].is_excused = True

    # -- the end --------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Read all connections until a replay has ended on each."""
        await asyncio.gather(*(connection.run() for connection in self.connections))

    async def _settled(self, connection: Connection[Ingest]) -> None:
        """Wait for the last snapshots, while the venue still knows what it owes to this connection."""
        started_s = time.monotonic()
        books = connection.ingest.books.values()
        while any(book.sync.waiting for book in books):
            await asyncio.sleep(0.01)
            if time.monotonic() - started_s > self.limits.last_snapshots_s:
                return

    async def finish(self) -> None:
        """Send everything, with the final watermark, at the end of a replay."""
        for book, connection in self._owners.items():
            if book.sync.waiting:
                book.give_up(self._now(connection))
        for connection in self.connections:
            connection.ingest.close_holes()
            self.gaps.publish_all(self._now(connection))
        self._crowded.clear()
        await self.drain()
        self.outbox.finish()
        while not self.outbox.push():
            self.producer.poll()
            await asyncio.sleep(0.002)

    def remember(self) -> None:
        """Keep to when each stream is known to be complete, for the feed after this one."""
        complete_ns = {}
        for connection in self.connections:
            for stream, newest_ns in connection.ingest.streams().items():
                if newest_ns:
                    complete_ns[stream.text] = min(newest_ns, self._delivered_ns(stream) or newest_ns)
                elif stream.text in self._remembered:
                    complete_ns.setdefault(stream.text, self._remembered[stream.text])
        gaps.remember(self.settings.data, Memory(self.adapter.name, complete_ns))

    def forget(self) -> None:
        """Note that nothing can be missed: a replay has come to its end."""
        gaps.remember(self.settings.data, Memory())

    def ended_with(self) -> str:
        """Return why the replay ended early, or nothing."""
        ends = [c.ingest.ended for c in self.connections if c.ingest.ended is not None]
        return next((end.error for end in ends if end.error), "") or ""

    def flush(self) -> None:
        """Wait until the broker has everything."""
        if left := self.producer.flush(self.limits.flush_s):
            self._log.error("messages were not delivered", count=left)
