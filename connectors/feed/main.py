"""The feed: connections in, frames out, and everything it has to say about itself.

Its promises: no row and no gap is published behind a watermark; what the broker cannot take stops
the reading (replay) or is dropped and published as a gap (live); a feed that was killed says what
it missed.
"""

import asyncio
import itertools
import random
import signal
import time
from typing import Any

import aiohttp
import numpy as np

from genesis.connectors import logs, metrics
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.feed import gaps, messages, venue
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.connection import ConnectBudget, Connection, Events
from genesis.connectors.feed.gaps import GapKeeper, OpenGap, Stream
from genesis.connectors.feed.ingest import Ingest, Ticker
from genesis.connectors.feed.outbox import Outbox
from genesis.connectors.feed.snapshots import Snapshots
from genesis.connectors.kafka import BrokerUnreachable, FrameProducer, QueueFull
from genesis.connectors.process import announce_ready
from genesis.connectors.settings import Settings, Venue
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS
from genesis.operators.arrival import Arrival
from genesis.operators.records import GapReason, Health, Market, StreamKind
from genesis.operators.topics import shard_of

WATERMARK_EVERY_S = 0.1
"""A watermark goes out at least so often, alone if need be."""

FIRST_MESSAGE_S = 10.0
"""Live: a connection that has not delivered after so long does not hold the watermark back."""

OVERFLOW_S = 5.0
"""Live: so long may frames wait for the broker while nothing is read; then they are dropped."""

UNSTORED_NS = 5_000_000_000
"""How far before the newest delivered row the log of a broker that restarted may have been unread."""

LAST_SNAPSHOTS_S = 30.0
"""At the end of a replay, how long books may still wait for their snapshots."""

FLUSH_S = 60.0
REPLAY_HEADERS = {"X-Genesis-Replay": "1"}

TOPIC_OF = {StreamKind.TRADES: "trades", StreamKind.QUOTES: "quotes", StreamKind.BOOK: "book"}


class Feed:
    """All connections of one process and the outbox that they share."""

    def __init__(self, settings: Settings, producer: FrameProducer) -> None:
        self.settings, self.producer = settings, producer
        self.outbox = Outbox(producer, settings.shards, settings.frame_rows)
        self.gaps = GapKeeper([self.outbox.lanes["gaps", shard] for shard in range(settings.shards)])
        self.connections: list[Connection] = []
        self.letters = 0
        self.watermark_ns = NEVER_NS
        self._where: dict[Market, venue.Endpoint] = {}
        self._random = random.Random(time.time_ns())
        self._headers = REPLAY_HEADERS if settings.venue is Venue.SIMULATOR else {}
        self._snapshots = Snapshots(self._on_snapshot, self._random, self._headers)
        self._budget = ConnectBudget()
        self._started_s = time.monotonic()
        self._remembered = gaps.remembered(settings.data)
        self._ids = itertools.count()
        self._session = f"{time.time_ns():x}"
        self._counted: dict[int, int] = {}
        self._log = logs.get("feed")
        producer.on_restart = self._on_log_restart

    # -- building ---------------------------------------------------------------------------------

    async def add_market(self, market: Market, exchange_info: bytes) -> None:
        """Make the connections of a market."""
        where = venue.endpoint(self.settings, market)
        offered = venue.instruments(market, exchange_info)
        followed = venue.chosen(self.settings, market, offered)
        if not followed:
            return
        self._where[market] = where
        for number, address in enumerate(venue.addresses(where, followed.values())):
            symbols = {name for name in followed if f"{name.lower()}@" in address}
            tickers = {name: self._ticker(market, name) for name in sorted(symbols)}
            books = {name: self._book(market, name) for name in sorted(symbols)}
            arrival = Arrival(self.settings.lateness_ms * messages.MS_NS)
            ingest = Ingest(market, arrival, (tickers, books), self.gaps, self._on_letter)
            events = Events(self._on_broken, self._on_resumed, self.drain, self.outbox.due)
            shared = (self._budget, self._random, self._headers)
            name = f"{market.name.lower()}-{number}"
            self.connections.append(Connection(name, address, ingest, events, shared))

    def _shard(self, market: Market, symbol: str) -> int:
        return shard_of(market, symbol.encode(), self.settings.shards)

    def _ticker(self, market: Market, symbol: str) -> Ticker:
        shard, lanes = self._shard(market, symbol), self.outbox.lanes
        return Ticker(market, symbol.encode(), (lanes["trades", shard], lanes["quotes", shard]))

    def _book(self, market: Market, symbol: str) -> Book:
        lane = self.outbox.lanes["book", self._shard(market, symbol)]
        return Book(market, symbol.encode(), lane, self.gaps, self._need_snapshot)

    # -- what connections and books tell ------------------------------------------------------------

    def _need_snapshot(self, book: Book) -> None:
        self._snapshots.ask(self._where[book.stream.market], book)

    def _on_snapshot(self, book: Book, snapshot: messages.SnapshotData, recv_ns: int) -> bool:
        connection = next(c for c in self.connections if book in c.ingest.books.values())
        now = (recv_ns or connection.ingest.recv_ns, connection.ingest.arrival.watermark_ns)
        return book.on_snapshot(snapshot, now)

    def _on_letter(self, source: str, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self.letters += 1
        metrics.FEED_DEAD_LETTERS.labels(reason).inc()
        self._log.warning("dead letter", reason=reason, detail=sentence)
        try:
            self.producer.send_record(
                topics.DEAD_LETTERS, dead_letter(source, reason, sentence, raw, recv_ns)
            )
        except (QueueFull, BrokerUnreachable):
            self._log.error("a dead letter could not be kept", reason=reason, detail=sentence)

    def _on_broken(self, connection: Connection, reason: GapReason) -> None:
        ingest = connection.ingest
        now = (ingest.recv_ns, ingest.arrival.watermark_ns)
        for stream, (newest_ns, shard) in ingest.streams().items():
            if newest_ns and stream.kind is not StreamKind.BOOK:
                self.gaps.begin(stream, shard, OpenGap(newest_ns, reason), now)
        for book in ingest.books.values():
            book.begin_again(reason, now)

    def _on_resumed(self, connection: Connection) -> None:
        """Take the first message of a connection: nothing of it counts behind what was promised."""
        ingest = connection.ingest
        arrival = ingest.arrival
        arrival.advance(self.watermark_ns)
        newest_ns = arrival.newest_ns
        for stream, (seen_ns, shard) in ingest.streams().items():
            start_ns = self._remembered.pop(stream.text, 0)
            if 0 < start_ns < newest_ns and not seen_ns:
                now = (ingest.recv_ns, arrival.watermark_ns)
                self.gaps.begin(stream, shard, OpenGap(start_ns, GapReason.FEED_RESTART), now)

    def _on_log_restart(self, names: list[str]) -> None:
        """Publish what the broker may have forgotten before it was read."""
        for connection in self.connections:
            ingest = connection.ingest
            now = (ingest.recv_ns, ingest.arrival.watermark_ns)
            for stream, (newest_ns, shard) in ingest.streams().items():
                name = TOPIC_OF[stream.kind]
                start_ns = self.producer.delivered_ns.get((name, shard), 0) - UNSTORED_NS
                if name in names and newest_ns and start_ns > 0:
                    self.gaps.begin(stream, shard, OpenGap(start_ns, GapReason.LOG_RESTART), now)
                    self.gaps.end(stream, shard, newest_ns, now)

    # -- sending ------------------------------------------------------------------------------------

    def _watermarks(self) -> dict[tuple[str, int], int]:
        """Return the watermark of every lane: the least of the connections, and of books that wait."""
        late_start = time.monotonic() - self._started_s > FIRST_MESSAGE_S
        counted = [c for c in self.connections if c.ingest.ended is None]
        counted = [
            c
            for c in counted
            if c.up or not (c.connects or late_start) or not (c.ingest.counts or late_start)
        ]
        if counted:
            self.watermark_ns = max(self.watermark_ns, min(c.ingest.arrival.watermark_ns for c in counted))
        found = dict.fromkeys(self.outbox.lanes, self.watermark_ns)
        for connection in self.connections:
            for book in connection.ingest.books.values():
                held_ns = book.held_ns
                if held_ns is not None:
                    key = ("book", book.lane.shard)
                    found[key] = min(found[key], held_ns - 1)
        return found

    async def drain(self) -> None:
        """Send what is full and wait until the producer has room again."""
        self.outbox.flush(self._watermarks(), also_empty=False)
        started_s = time.monotonic()
        while not self.outbox.push():
            self.producer.poll()
            await asyncio.sleep(0.002)
            if not self._replayed and time.monotonic() - started_s > OVERFLOW_S:
                self._overflow()
        self.producer.poll()

    def _overflow(self) -> None:
        for topic, rows in self.outbox.drop_waiting():
            kind = next(kind for kind, name in TOPIC_OF.items() if name == topic.name)
            for market, symbol in {
                (int(m), bytes(s)) for m, s in zip(rows["market"], rows["symbol"], strict=True)
            }:
                mine = rows[(rows["market"] == market) & (rows["symbol"] == symbol)]
                stream = Stream(Market(market), symbol, kind)
                self._lost(stream, mine)

    def _lost(self, stream: Stream, rows: np.ndarray) -> None:
        shard = shard_of(stream.market, stream.symbol, self.settings.shards)
        now = (int(rows["recv_ns"][-1]), self.watermark_ns)
        self.gaps.begin(stream, shard, OpenGap(int(rows["event_ns"].min()), GapReason.OVERFLOW), now)
        self.gaps.end(stream, shard, int(rows["event_ns"].max()), now)

    @property
    def _replayed(self) -> bool:
        return any(connection.ingest.replayed for connection in self.connections)

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
            if not self.outbox.blocked:
                self.outbox.flush(self._watermarks(), also_empty=also_empty)
            self.producer.poll()

    def _let_time_pass(self) -> None:
        """Live, in a quiet market, the clock moves the watermark; in a replay only messages do."""
        if self._replayed:
            return
        now_ns = time.time_ns()
        for connection in self.connections:
            arrival = connection.ingest.arrival
            if connection.up and arrival.is_timed:
                arrival.let_pass(arrival.event_of(now_ns))

    async def read(self) -> None:
        """Read all connections until a replay has ended on each."""
        await asyncio.gather(*(connection.run() for connection in self.connections))

    # -- telling ------------------------------------------------------------------------------------

    async def report(self) -> None:
        """Publish health and remember what would be missed, every second, for ever."""
        while True:
            await asyncio.sleep(1.0)
            self.tell("ok" if all(c.up for c in self.connections) and not self.gaps.open else "degraded")
            for connection in self.connections:
                if connection.ingest.silent:
                    connection.ingest.silent.clear()
                    connection.replace_asked = True
            self._remember()

    def _remember(self) -> None:
        newest = {}
        for connection in self.connections:
            for stream, (newest_ns, _) in connection.ingest.streams().items():
                if newest_ns:
                    newest[stream.text] = newest_ns
        gaps.remember(self.settings.data, newest)

    def tell(self, state: str, detail: str = "") -> None:
        """Send one health record."""
        health = Health(
            id=f"feed-{self._session}-{next(self._ids)}",
            recv_ns=time.time_ns(),
            component="feed",
            state=state,
            detail=detail,
            figures=self._figures(),
        )
        try:
            self.producer.send_record(topics.HEALTH, health)
        except (QueueFull, BrokerUnreachable):
            self._log.warning("health could not be sent")

    def _figures(self) -> dict[str, float]:
        ingests = [connection.ingest for connection in self.connections]
        messages_total = sum(sum(ingest.counts.values()) for ingest in ingests)
        now_s = int(time.monotonic())
        before = min(self._counted, default=now_s)
        rate = (messages_total - self._counted.get(before, messages_total)) / max(now_s - before, 1)
        self._counted = {at: n for at, n in self._counted.items() if now_s - at <= 3} | {
            now_s: messages_total
        }
        lags_ms = []
        for ingest in ingests:
            arrival = ingest.arrival
            if arrival.is_timed:
                venue_ns = arrival.event_of(ingest.recv_ns if ingest.replayed else time.time_ns())
                lags_ms.append((venue_ns - arrival.newest_ns) / 1e6)
                metrics.FEED_OFFSET.labels(ingest.market.name.lower()).set(arrival.offset_ns / 1e9)
        lag_ms = max(lags_ms, default=0.0)
        metrics.FEED_LAG.set(lag_ms / 1e3)
        return {
            "messages_total": float(messages_total),
            "messages_per_s": rate,
            "lag_ms": lag_ms,
            "gaps_open": float(len(self.gaps.open)),
            "gaps_total": float(self.gaps.total),
            "resyncs": float(sum(b.sync.restarts for i in ingests for b in i.books.values())),
            "dead_letters": float(self.letters),
            "duplicates": float(sum(ingest.duplicates for ingest in ingests)),
            "superseded": float(sum(b.superseded for i in ingests for b in i.books.values())),
            "connections": float(sum(c.up for c in self.connections)),
            "connects_total": float(sum(c.connects for c in self.connections)),
            "clock_offset_ms": max((i.arrival.offset_ns for i in ingests), default=0, key=abs) / 1e6,
            "watermark_ns": float(max(self.watermark_ns, 0)),
        }

    async def finish(self) -> None:
        """Send everything, with the final watermark, at the end of a replay."""
        await self._snapshots.wait(LAST_SNAPSHOTS_S)
        for connection in self.connections:
            connection.ingest.close_holes()
        await self.drain()
        self.outbox.finish()
        while not self.outbox.push():
            self.producer.poll()
            await asyncio.sleep(0.002)
        self.tell(
            "stopped", next((c.ingest.ended.error or "" for c in self.connections if c.ingest.ended), "")
        )
        self._flush()
        gaps.remember(self.settings.data, {})

    async def close(self) -> None:
        """Send what is here and remember where it ended, when the feed is asked to stop."""
        self.outbox.flush(self._watermarks(), also_empty=False)
        self.tell("stopped")
        self._flush()
        self._remember()

    def _flush(self) -> None:
        if left := self.producer.flush(FLUSH_S):
            self._log.error("messages were not delivered", count=left)

    async def shut(self) -> None:
        """Close what is open."""
        await self._snapshots.close()


async def load_exchange_info(settings: Settings, market: Market) -> bytes | None:
    """Return a market's exchange information; None when the venue does not have that market.

    While the venue does not answer it is asked again, with growing pauses; what it said last time
    serves in the meantime.
    """
    where = venue.endpoint(settings, market)
    cache = venue.cache_path(settings.data, market)
    pause_s = 0.25
    log = logs.get("feed")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        while True:
            try:
                async with session.get(where.exchange_info, allow_redirects=False) as answer:
                    body = await answer.read()
                    if answer.status == 200:
                        settings.data.mkdir(parents=True, exist_ok=True)
                        cache.write_bytes(body)
                        return body
                    if answer.status == 404:
                        return None
                    log.warning("no exchange information", market=market.name.lower(), status=answer.status)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning(
                    "no exchange information", market=market.name.lower(), error=str(error) or repr(error)
                )
            if pause_s > 2.0 and cache.exists():
                log.warning("going on with the exchange information of last time", market=market.name.lower())
                return cache.read_bytes()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 30.0)


def markets(settings: Settings) -> list[Market]:
    """Return the markets to look at: those named, else spot live, and all that the simulator has."""
    asked = venue.wanted(settings)
    if asked is not None:
        return sorted(asked)
    return list(Market) if settings.venue is Venue.SIMULATOR else [Market.SPOT]


async def prepared(settings: Settings, producer: FrameProducer) -> Feed:
    """Return a feed that knows what to follow and where.

    Raises
    ------
    FeedError
        When the venue offers nothing of what is asked for.
    """
    feed = Feed(settings, producer)
    for market in markets(settings):
        info = await load_exchange_info(settings, market)
        if info is not None:
            await feed.add_market(market, info)
    if not feed.connections:
        raise venue.FeedError("the venue offers nothing to follow")
    return feed


async def drive(feed: Feed, stopping: asyncio.Event) -> None:
    """Run a feed until its replay ends or ``stopping`` is set, and close it."""
    helpers = [asyncio.create_task(feed.beat()), asyncio.create_task(feed.report())]
    reading = asyncio.create_task(feed.read())
    stop = asyncio.create_task(stopping.wait())
    tasks: list[asyncio.Task[Any]] = [reading, stop, *helpers]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, *helpers):
            if task.done() and not task.cancelled():
                task.result()
        await (feed.close() if stopping.is_set() else feed.finish())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await feed.shut()


async def work(settings: Settings) -> int:
    """Run the feed until a replay ends or the process is asked to stop; return the exit status."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    producer = FrameProducer(
        settings.broker,
        settings.shards,
        embedded=settings.embedded_broker,
        generation_bytes=settings.generation_mb * 1_000_000,
        name="feed",
    )
    feed = await prepared(settings, producer)
    announce_ready(connections=len(feed.connections))
    await drive(feed, stopping)
    return 0


def run(settings: Settings) -> int:
    """Run the feed in this process and return its exit status."""
    metrics.serve(settings.metrics_port)
    return asyncio.run(work(settings))
