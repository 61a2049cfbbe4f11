"""The outbox: rows become frames, frames go to the broker, and no watermark overtakes a row.

Rows of a topic and shard are packed into a buffer. It becomes a frame when it is full, or when
``flush`` finds rows in it. What the broker cannot take yet waits here; the caller must not go on
reading before ``drain`` has sent it. That is how a slow broker slows a replay down.
"""

import struct
from collections import deque
from typing import Protocol

import msgspec
import numpy as np

from genesis.connectors import metrics
from genesis.connectors.feed.viewing import View
from genesis.connectors.kafka import BrokerUnreachable, QueueFull
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS, Rows
from genesis.operators.order_book import FLOATS, FLOATS_AT
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE, WATERMARK_FINAL_NS
from genesis.operators.topics import Topic

RECORDS_MAX = 10_000
"""Dead letters and health reports that may wait for the broker; of more, the new ones are lost."""

PACK_TRADE = struct.Struct("<qqqqdd16sbb6x")
PACK_QUOTE = struct.Struct("<qqqqdddd16sb7x")
PACK_BOOK_HEAD = struct.Struct("<qqqq")
PACK_BOOK_TAIL = struct.Struct("<16sb7x")
PACK_GAP = struct.Struct("<qqqqqqq16sbbb5x")

for _pack, _schema in ((PACK_TRADE, TRADE), (PACK_QUOTE, QUOTE), (PACK_GAP, GAP)):
    assert _pack.size == _schema.dtype.itemsize, f"the packing of {_schema.tag} is not its layout"
assert PACK_BOOK_HEAD.size == FLOATS_AT
assert PACK_BOOK_HEAD.size + 8 * FLOATS + PACK_BOOK_TAIL.size == BOOK.dtype.itemsize


class Sender(Protocol):
    """What the outbox needs of a producer."""

    def send(self, topic: Topic, partition: int, rows: Rows, watermark_ns: int, cause_ns: int = 0) -> None:
        """Queue a frame, or raise QueueFull."""

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        """Queue a JSON record, or raise QueueFull."""


class FullFrames:
    """How many frames are full, over all lanes; one number, because every message asks for it."""

    frames = 0


class Lane:
    """One topic and shard: the buffer being filled, and full ones that wait."""

    def __init__(self, topic: Topic, shard: int, capacity: int, count: FullFrames) -> None:
        self.topic, self.shard, self.capacity = topic, shard, capacity
        self._count = count
        self.size = topic.rows.dtype.itemsize
        self.full: deque[bytes] = deque()
        self.sent_watermark_ns = NEVER_NS
        self._fresh()

    def _fresh(self) -> None:
        self.buffer = bytearray(self.size * self.capacity)
        self.floats = np.frombuffer(self.buffer, np.float64).reshape(self.capacity, self.size // 8)
        self.rows = 0

    def next_at(self) -> int:
        """Return the offset of the next row in ``buffer``, and count it."""
        if self.rows == self.capacity:
            self.full.append(bytes(self.buffer))
            self._fresh()
            self._count.frames += 1
        self.rows += 1
        return (self.rows - 1) * self.size

    def take(self) -> bytes:
        """Return the rows that are not in a full frame yet, and begin anew."""
        rows = bytes(memoryview(self.buffer)[: self.rows * self.size])
        self.rows = 0
        return rows


class Outbox:
    """All lanes of the feed.

    Parameters
    ----------
    sender
        The producer.
    shards, frame_rows
        Partitions of a topic, and most rows of a frame.

    Attributes
    ----------
    is_losing
        Whether ticks are dropped because the broker takes nothing; the owner sets it.
    frames_sent
        Frames that the producer has taken.
    """

    def __init__(self, sender: Sender, shards: int, frame_rows: int) -> None:
        self._sender = sender
        self.full = FullFrames()
        self.lanes = {
            (topic.name, shard): Lane(topic, shard, frame_rows, self.full)
            for topic in topics.TICKS
            for shard in range(shards)
        }
        self.is_losing = False
        self.frames_sent = 0
        self._view = View(sender.send)
        self._waiting: deque[tuple[Lane, bytes, int]] = deque()
        self._records: deque[tuple[Topic, msgspec.Struct]] = deque()

    @property
    def is_blocked(self) -> bool:
        """Whether anything waits for room in the producer."""
        return bool(self._waiting or self._records)

    def is_due(self) -> bool:
        """Whether a frame is full, or waits: then the caller must ``flush`` before it reads on."""
        return self.full.frames > 0 or (bool(self._waiting) and not self.is_losing)

    def post(self, topic: Topic, record: msgspec.Struct) -> bool:
        """Queue a JSON record behind all others; return False when there is no room for it."""
        if len(self._records) >= RECORDS_MAX:
            return False
        self._records.append((topic, record))
        return True

    def flush(self, watermarks_ns: dict[tuple[str, int], int], *, also_empty: bool) -> None:
        """Make frames of all rows, each lane's last with its watermark.

        With ``also_empty``, lanes without rows send their watermark alone.
        """
        for key, lane in self.lanes.items():
            watermark_ns = max(watermarks_ns[key], lane.sent_watermark_ns)
            if not lane.rows and not lane.full and not (also_empty and watermark_ns > lane.sent_watermark_ns):
                continue
            self._waiting.extend((lane, rows, lane.sent_watermark_ns) for rows in lane.full)
            lane.full.clear()
            self._waiting.append((lane, lane.take(), watermark_ns))
            lane.sent_watermark_ns = watermark_ns
        self.full.frames = 0
        self.push()

    def push(self) -> bool:
        """Hand what waits to the producer as far as it takes it; True when nothing waits any more.

        What was handed over is shown by the view, not before.
        """
        try:
            while self._waiting:
                lane, rows, watermark_ns = self._waiting[0]
                array = np.frombuffer(rows, lane.topic.rows.dtype)
                self._sender.send(lane.topic, lane.shard, array, watermark_ns)
                self._waiting.popleft()
                self.frames_sent += 1
                self._view.take(lane.topic, array)
                metrics.FEED_ROWS.labels(lane.topic.name).inc(len(array))
            while self._records:
                self._sender.send_record(*self._records[0])
                self._records.popleft()
        except (QueueFull, BrokerUnreachable):
            pass
        metrics.FEED_QUEUE.set(len(self._waiting))
        if self.is_blocked:
            return False
        return self._view.offer(min(lane.sent_watermark_ns for lane in self.lanes.values()))

    def drop_waiting(self) -> list[tuple[Topic, Rows]]:
        """Give up the ticks that wait, and return them so that their loss can be published."""
        dropped = [
            (lane.topic, np.frombuffer(rows, lane.topic.rows.dtype))
            for lane, rows, _ in self._waiting
            if rows and lane.topic is not topics.GAPS
        ]
        self._waiting = deque(entry for entry in self._waiting if entry[0].topic is topics.GAPS and entry[1])
        return dropped

    def finish(self) -> None:
        """Send what is left with the final watermark."""
        self.flush(dict.fromkeys(self.lanes, WATERMARK_FINAL_NS), also_empty=True)
