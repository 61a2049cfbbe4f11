"""Progress of the archive: what it has stored, how late, and whether a replay has come to its end.

Shared by the steps of one process, so behind a lock. Only a report: no decision about rows or
positions is ever taken from it, apart from which old messages the broker may forget.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable

import numpy as np

from genesis.connectors.frames import Frame
from genesis.connectors.kafka import Position
from genesis.operators import topics
from genesis.operators.records import WATERMARK_FINAL_NS, Health, RowSchema
from genesis.operators.topics import Topic

REPORT_EVERY_S = 1.0
"""Pause between two health reports."""

LATENCIES_MAX = 8_192
"""Newest tick-to-signal latencies that a report looks at."""

QUIET_S = 1.0
"""A replay is over when all final watermarks are stored and no dead letter has come for so long."""

COMPONENT = "archive"


class Progress:
    """What the archive of one process has done so far.

    Parameters
    ----------
    shards
        Partitions of every sharded topic.
    """

    def __init__(self, shards: int) -> None:
        self._lock = threading.Lock()
        self._wanted = {
            (topic.name, partition)
            for topic in topics.ARCHIVED
            if isinstance(topic.schema, RowSchema)
            for partition in range(shards if topic.sharded else 1)
        }
        self._final: set[tuple[str, int]] = set()
        self._flushed: dict[tuple[str, int], Position] = {}
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_MAX)
        self._rows = self._repeats = self._batches = self._dead_letters = 0
        self._lag_ms = 0.0
        self._changed_s = self._reported_s = time.monotonic()
        self._reported_rows = 0

    def read(self, topic: Topic, frame: Frame) -> None:
        """Note a frame that was read: how long its signal took from the tick that caused it."""
        if frame.cause_ns and frame.rows.size and topic in topics.SIGNALS:
            with self._lock:
                self._latencies_ms.append((frame.sent_ns - frame.cause_ns) / 1e6)

    def refused(self) -> None:
        """Note a message that could not be used."""
        with self._lock:
            self._dead_letters += 1
            self._changed_s = time.monotonic()

    def stored(self, rows: int, repeats: int, oldest_sent_ns: int) -> None:
        """Note a flush: rows that went in, rows that were there, when the oldest message was sent."""
        with self._lock:
            self._rows += rows
            self._repeats += repeats
            self._batches += 1
            if oldest_sent_ns:
                self._lag_ms = max((time.time_ns() - oldest_sent_ns) / 1e6, 0.0)

    def settled(self, topic: Topic, reached: dict[int, Position], watermarks_ns: dict[int, int]) -> None:
        """Note that everything of a topic up to these positions is in the store."""
        with self._lock:
            for partition, position in reached.items():
                self._flushed[topic.name, partition] = position
            if topic is topics.DEAD_LETTERS:
                self._changed_s = time.monotonic()
            for partition, watermark_ns in watermarks_ns.items():
                key = (topic.name, partition)
                if (watermark_ns == WATERMARK_FINAL_NS) != (key in self._final):
                    self._final ^= {key}
                    self._changed_s = time.monotonic()

    def flushed(self, keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Position | None]:
        """Return up to where everything is in the store, of these partitions, as far as known."""
        with self._lock:
            return {key: self._flushed[key] for key in keys if key in self._flushed}

    @property
    def complete(self) -> bool:
        """True when the final watermark of every partition is in the store, and it is quiet."""
        with self._lock:
            return self._final >= self._wanted and time.monotonic() - self._changed_s >= QUIET_S

    def report(self, state: str) -> Health | None:
        """Return a health report once a second, else None."""
        now_s = time.monotonic()
        elapsed_s = now_s - self._reported_s
        if elapsed_s < REPORT_EVERY_S:
            return None
        now_ns = time.time_ns()
        with self._lock:
            figures = {
                "rows_per_s": (self._rows - self._reported_rows) / elapsed_s,
                "rows_total": float(self._rows),
                "repeats_total": float(self._repeats),
                "batches_total": float(self._batches),
                "dead_letters": float(self._dead_letters),
                "lag_ms": self._lag_ms,
            }
            if self._latencies_ms:
                p50_ms, p99_ms = np.percentile(self._latencies_ms, [50, 99])
                figures |= {"tick_to_signal_p50_ms": float(p50_ms), "tick_to_signal_p99_ms": float(p99_ms)}
            self._reported_s, self._reported_rows = now_s, self._rows
        return Health(
            id=f"{COMPONENT}-{now_ns}",
            recv_ns=now_ns,
            component=COMPONENT,
            state=state,
            detail="",
            figures=figures,
        )
