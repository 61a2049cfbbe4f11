"""A feed without sockets and broker: recorded messages straight into ingest, rows out as arrays."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from genesis.connectors.feed import messages
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.gaps import GapKeeper, Now
from genesis.connectors.feed.ingest import Ingest
from genesis.connectors.feed.outbox import Outbox
from genesis.connectors.feed.tickers import Ticker
from genesis.operators import topics
from genesis.operators.arrival import Arrival
from genesis.operators.records import Market
from genesis.operators.topics import BY_NAME, Topic

LATENESS_NS = 250_000_000


class Kept:
    """A sender that keeps the rows and records it is given; the view of them has tests of its own."""

    def __init__(self) -> None:
        self.frames: dict[str, list[np.ndarray]] = defaultdict(list)
        self.by_partition: dict[tuple[str, int], list[np.ndarray]] = defaultdict(list)
        self.watermarks: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.records: list[tuple[str, msgspec.Struct]] = []

    def send(
        self, topic: Topic, partition: int, rows: np.ndarray, watermark_ns: int, cause_ns: int = 0
    ) -> None:
        if topic is topics.VIEW:
            return
        self.frames[topic.name].append(rows.copy())
        self.by_partition[topic.name, partition].append(self.frames[topic.name][-1])
        self.watermarks[topic.name, partition].append(watermark_ns)

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        self.records.append((topic.name, record))

    def rows(self, name: str) -> np.ndarray:
        return np.concatenate(self.frames[name]) if self.frames[name] else BY_NAME[name].rows.empty()


class OfflineFeed:
    """One connection of one market for the given symbols; snapshots are given by hand."""

    def __init__(
        self, market: Market, symbols: list[str], frame_rows: int = 1_000, waiting_max: int = 5_000
    ) -> None:
        self.kept = Kept()
        self.outbox = Outbox(self.kept, 1, frame_rows)
        self.gaps = GapKeeper([self.outbox.lanes["gaps", 0]])
        self.letters: list[tuple[str, str]] = []
        self.asked: list[Book] = []
        lanes = self.outbox.lanes
        ticks = (lanes["trades", 0], lanes["quotes", 0])
        tickers = {s: Ticker((market, s), ticks, self.gaps) for s in symbols}
        books = {s: Book((market, s), lanes["book", 0], self.gaps, self, waiting_max) for s in symbols}
        self.ingest = Ingest(market, Arrival(LATENESS_NS), (tickers, books), self.gaps, self._letter)

    def need_snapshot(self, book: Book) -> None:
        self.asked.append(book)

    def note_crowd(self, book: Book) -> None:
        book.give_up(self.ingest.now)

    def _letter(self, source: str, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self.letters.append((reason, sentence))

    def message(self, raw: bytes, recv_ns: int) -> None:
        self.ingest.on_message(raw, recv_ns)
        if self.outbox.is_due():
            self.flush()

    def snapshot(self, symbol: str, body: bytes, recv_ns: int) -> bool:
        data = messages.decode_snapshot(body)
        return self.ingest.books[symbol].on_snapshot(data, Now(recv_ns, self.ingest.arrival.watermark_ns))

    def flush(self) -> None:
        watermark_ns = self.ingest.arrival.watermark_ns
        self.outbox.flush(dict.fromkeys(self.outbox.lanes, watermark_ns), also_empty=False)

    def rows(self, name: str) -> np.ndarray:
        self.flush()
        return self.kept.rows(name)


def lines(recording: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(recording) as source:
        for line in source:
            at, _, raw = line.rstrip(b"\n").partition(b" ")
            yield int(at), raw
