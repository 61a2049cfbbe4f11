"""A feed without sockets and broker: recorded messages straight into ingest, rows out as arrays."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from genesis.connectors.feed import messages
from genesis.connectors.feed.books import Book
from genesis.connectors.feed.gaps import GapKeeper
from genesis.connectors.feed.ingest import Ingest, Ticker
from genesis.connectors.feed.outbox import Outbox
from genesis.operators.arrival import Arrival
from genesis.operators.records import Market
from genesis.operators.topics import Topic

LATENESS_NS = 250_000_000


class Kept:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: dict[str, list[np.ndarray]] = defaultdict(list)
        self.watermarks: dict[tuple[str, int], list[int]] = defaultdict(list)

    def send(
        self, topic: Topic, partition: int, rows: np.ndarray, watermark_ns: int, cause_ns: int = 0
    ) -> None:
        self.frames[topic.name].append(rows.copy())
        self.watermarks[topic.name, partition].append(watermark_ns)

    def rows(self, name: str) -> np.ndarray:
        return np.concatenate(self.frames[name]) if self.frames[name] else np.empty(0)


class OfflineFeed:
    """One connection of one market for the given symbols; snapshots are given by hand."""

    def __init__(self, market: Market, symbols: list[str], frame_rows: int = 1_000) -> None:
        self.kept = Kept()
        self.outbox = Outbox(self.kept, 1, frame_rows)
        self.gaps = GapKeeper([self.outbox.lanes["gaps", 0]])
        self.letters: list[tuple[str, str]] = []
        self.asked: list[Book] = []
        lanes = self.outbox.lanes
        tickers = {s: Ticker(market, s.encode(), (lanes["trades", 0], lanes["quotes", 0])) for s in symbols}
        books = {s: Book(market, s.encode(), lanes["book", 0], self.gaps, self.asked.append) for s in symbols}
        self.ingest = Ingest(market, Arrival(LATENESS_NS), (tickers, books), self.gaps, self._letter)

    def _letter(self, source: str, reason: str, sentence: str, raw: bytes, recv_ns: int) -> None:
        self.letters.append((reason, sentence))

    def message(self, raw: bytes, recv_ns: int) -> None:
        self.ingest.on_message(raw, recv_ns)
        if self.outbox.due():
            self.flush()

    def snapshot(self, symbol: str, body: bytes, recv_ns: int) -> bool:
        data = messages.decode_snapshot(body)
        return self.ingest.books[symbol].on_snapshot(data, (recv_ns, self.ingest.arrival.watermark_ns))

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
