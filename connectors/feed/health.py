"""Health: what the feed says of itself once a second, and its metrics."""

import itertools
import time

from genesis.connectors import metrics
from genesis.connectors.feed.feed import Feed
from genesis.connectors.probes import STATE
from genesis.operators import topics
from genesis.operators.records import Health

RATE_OVER_S = 3.0
"""The message rate is the mean over so long."""

STARTING, OK, DEGRADED, STOPPED = "starting", "ok", "degraded", "stopped"


class Reporter:
    """Makes the health records of one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._session = f"{time.time_ns():x}"
        self._numbers = itertools.count()
        self._history: list[tuple[float, int]] = []
        self._counted: dict[tuple[str, str], int] = {}
        self._heard = 0

    def tell(self, state: str = "", detail: str = "") -> None:
        """Queue one record; without a state, what is found."""
        found_state, found_detail = self._state()
        health = Health(
            id=f"feed-{self._session}-{next(self._numbers)}",
            recv_ns=time.time_ns(),
            component="feed",
            state=state or found_state,
            detail=detail if state else found_detail,
            figures=self._figures(),
        )
        self._feed.outbox.post(topics.HEALTH, health)

    def _state(self) -> tuple[str, str]:
        feed = self._feed
        down = [c.name for c in feed.connections if not c.is_up and c.ingest.ended is None]
        waiting = [c.name for c in feed.connections if not c.ingest.recv_ns]
        if feed.outbox.is_losing:
            return DEGRADED, "the broker takes no frames: ticks are dropped, and published as gaps"
        if down and down == waiting:
            return STARTING, f"no message yet on {', '.join(down)}"
        if down:
            return DEGRADED, f"not connected: {', '.join(down)}"
        published = [stream for stream, gap in feed.gaps.open.items() if gap.is_published]
        if published:
            more = f" and {len(published) - 3} more" if len(published) > 3 else ""
            names = ", ".join(stream.text for stream in published[:3])
            return DEGRADED, f"incomplete: {names}{more}"
        if feed.halted:
            names = ", ".join(f"{name} ({word})" for name, word in sorted(feed.halted.items())[:5])
            return OK, f"not traded now: {names}"
        return OK, ""

    def _figures(self) -> dict[str, float]:
        feed = self._feed
        ingests = [connection.ingest for connection in feed.connections]
        books = [book for ingest in ingests for book in ingest.books.values()]
        total = sum(sum(ingest.counts.values()) for ingest in ingests)
        offsets_ns = [ingest.arrival.offset_ns for ingest in ingests if ingest.arrival.is_timed]
        lag_ms = self._lag_ms()
        self._set_metrics(lag_ms)
        STATE.beat()
        if total != self._heard:
            self._heard, STATE.heard_s = total, time.monotonic()
        return {
            "messages_total": float(total),
            "messages_per_s": self._rate(total),
            "lag_ms": lag_ms,
            "gaps_open": float(sum(gap.is_published for gap in feed.gaps.open.values())),
            "gaps_total": float(feed.gaps.total),
            "resyncs": float(sum(book.sync.restarts for book in books)),
            "books_waiting": float(sum(bool(book.sync.waiting) for book in books)),
            "dead_letters": float(feed.letters),
            "duplicates": float(sum(i.duplicates for i in ingests) + sum(book.repeats for book in books)),
            "superseded": float(sum(book.superseded for book in books)),
            "connections": float(sum(c.is_up for c in feed.connections)),
            "connects_total": float(sum(c.connects for c in feed.connections)),
            "symbols_halted": float(len(feed.halted)),
            "clock_offset_ms": max(offsets_ns, default=0, key=abs) / 1e6,
            "watermark_ns": float(max(feed.watermark_ns, 0)),
        }

    def _rate(self, total: int) -> float:
        now_s = time.monotonic()
        self._history = [each for each in self._history if now_s - each[0] <= RATE_OVER_S] or [(now_s, total)]
        since_s, before = self._history[0]
        self._history.append((now_s, total))
        return (total - before) / (now_s - since_s) if now_s > since_s else 0.0

    def _lag_ms(self) -> float:
        """Return how far the newest event lies behind the present, by the venue's clock, at worst."""
        lags_ms = [0.0]
        for connection in self._feed.connections:
            arrival = connection.ingest.arrival
            if arrival.is_timed and connection.is_up:
                now_ns = connection.ingest.recv_ns if self._feed.adapter.is_replay else time.time_ns()
                lags_ms.append((arrival.event_of(now_ns) - arrival.newest_ns) / 1e6)
        return max(lags_ms)

    def _set_metrics(self, lag_ms: float) -> None:
        metrics.FEED_LAG.set(lag_ms / 1e3)
        metrics.FEED_CONNECTIONS.set(sum(c.is_up for c in self._feed.connections))
        counted: dict[tuple[str, str], int] = {}
        for connection in self._feed.connections:
            market = connection.ingest.market.name.lower()
            if connection.ingest.arrival.is_timed:
                metrics.FEED_OFFSET.labels(market).set(connection.ingest.arrival.offset_ns / 1e9)
            for kind, count in connection.ingest.counts.items():
                counted[market, kind] = counted.get((market, kind), 0) + count
        for (market, kind), count in counted.items():
            metrics.FEED_MESSAGES.labels(market, kind).inc(count - self._counted.get((market, kind), 0))
        self._counted = counted
