"""Bytewax's edges: a source with one partition per shard, and a sink that writes frames.

Law: a snapshot of the source is where each topic of the shard is to be read on, with the log's
incarnation; a snapshot of the sink is taken when everything sent has been delivered. So after a
crash the rows of the last epoch come again, with the same keys, and none is missing.

A batch of the source holds the rows of many frames of a topic as one array: kernels run once per
batch, not once per frame. The sink joins the rows of a batch per topic and partition in the same
way. When the producer's bounded queue is full the sink waits, and with it the flow.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from genesis.connectors import frames, logs
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.kafka import BrokerUnreachable, Message, Position, QueueFull
from genesis.connectors.meter import Meter
from genesis.connectors.probes import STATE
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS, Rows
from genesis.operators.records import WATERMARK_FINAL_NS, DeadLetter
from genesis.operators.shard_fold import BOOKS, Arrivals
from genesis.operators.topics import Topic

BATCH_BYTES = 8_000_000
"""About how many bytes of frames one batch of the source holds, at most."""

BATCH_MESSAGES_MIN, BATCH_MESSAGES_MAX = 16, 4_096

WAIT_S = 0.05
"""How long the sink waits for the broker before it looks again whether it may go on."""

STOP_GRACE_S = 5.0
"""How long a flow that was asked to end waits for the delivery of what it has sent."""

JOINED = "joined"
"""The sink's partition for topics that are not sharded."""


class Undelivered(RuntimeError):
    """The broker did not take what was sent; the epoch is not kept and will be done again."""


class Consumer(Protocol):
    """What the source needs of a `kafka.FrameConsumer`."""

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Message]:
        """Return up to ``most`` messages."""

    def release(self, positions: dict[tuple[str, int], Position | None]) -> None:
        """Say that nothing before these positions will be asked for again."""

    def close(self) -> None:
        """Leave the broker."""


class Producer(Protocol):
    """What the sink needs of a `kafka.FrameProducer`."""

    on_restart: Callable[[list[str]], None]

    def send(self, topic: Topic, partition: int, rows: Rows, watermark_ns: int, cause_ns: int = 0) -> None:
        """Queue one frame."""

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        """Queue one JSON record."""

    def poll(self) -> None:
        """Serve delivery reports."""

    def flush(self, timeout_s: float) -> int:
        """Wait for delivery; return how many messages still wait."""


class ShardBatch(NamedTuple):
    """What the source read of one shard at one time."""

    shard: int
    arrivals: Arrivals
    sent_ns: int  # of the newest frame of trades, quotes or gaps; 0 without one
    book_sent_ns: int  # of the newest frame of the book; 0 without one
    letters: tuple[DeadLetter, ...]  # messages that are no frames


class Signal(NamedTuple):
    """Rows for one partition of a topic; without rows, a watermark alone."""

    topic: str
    partition: int
    rows: Rows
    watermark_ns: int
    cause_ns: int


Output = Signal | tuple[DeadLetter, ...]


class Outbox:
    """The one producer of a process, shared by the workers' sinks; sends wait while its queue is full.

    Parameters
    ----------
    producer
        Where everything goes.
    frame_rows
        Most rows in one frame.
    meter
        Told of every frame.
    stopping
        Set when the process was asked to end: from then on nothing waits for long.
    """

    def __init__(self, producer: Producer, frame_rows: int, meter: Meter, stopping: threading.Event) -> None:
        self._producer, self._frame_rows, self._meter, self._stopping = producer, frame_rows, meter, stopping
        self._lock = threading.RLock()
        self._watermarks_ns: dict[tuple[str, int], int] = {}
        self._restarted: set[str] = set()
        producer.on_restart = self._restarted.update

    def send(self, signal: Signal) -> None:
        """Send rows in frames of bounded size; only the last one carries the new watermark."""
        topic, key = topics.BY_NAME[signal.topic], (signal.topic, signal.partition)
        with self._lock:
            before_ns = self._watermarks_ns.get(key, NEVER_NS)
            for first in range(0, max(signal.rows.size, 1), self._frame_rows):
                rows = signal.rows[first : first + self._frame_rows]
                last = first + self._frame_rows >= signal.rows.size
                watermark_ns = signal.watermark_ns if last else min(before_ns, signal.watermark_ns)
                self._insist(
                    self._producer.send, topic, signal.partition, rows, watermark_ns, signal.cause_ns
                )
            self._watermarks_ns[key] = signal.watermark_ns
        if signal.watermark_ns not in (NEVER_NS, WATERMARK_FINAL_NS):
            self._meter.went_out(key, signal.watermark_ns, signal.cause_ns if signal.rows.size else 0)

    def send_letters(self, letters: Iterable[DeadLetter]) -> None:
        """Send dead letters."""
        with self._lock:
            for letter in letters:
                self._insist(self._producer.send_record, topics.DEAD_LETTERS, letter)

    def poll(self) -> None:
        """Serve the producer, repeat watermarks that a restarted log has lost, report health."""
        with self._lock:
            self._producer.poll()
            while self._restarted:
                name = self._restarted.pop()
                for (topic, partition), watermark_ns in list(self._watermarks_ns.items()):
                    if topic == name:
                        rows = topics.BY_NAME[name].rows.empty()
                        self._insist(self._producer.send, topics.BY_NAME[name], partition, rows, watermark_ns)
            health = self._meter.report()
            if health is not None:
                try:
                    self._producer.send_record(topics.HEALTH, health)
                except (QueueFull, BrokerUnreachable):
                    return  # the next report will do

    def deliver(self) -> None:
        """Wait until everything sent has been delivered.

        Raises
        ------
        Undelivered
            When the process was asked to end and the broker takes nothing.
        """
        with self._lock:
            grace_s = STOP_GRACE_S
            while self._producer.flush(WAIT_S):
                self._producer.poll()
                grace_s -= WAIT_S if self._stopping.is_set() else 0.0
                if grace_s <= 0.0:
                    raise Undelivered("the broker did not take the last signals; they will be sent again")

    def _insist(self, send: Callable[..., None], *what: Any) -> None:
        """Send, waiting for room as long as the process is not asked to end."""
        while True:
            try:
                return send(*what)
            except (QueueFull, BrokerUnreachable):
                if self._stopping.is_set():
                    raise Undelivered("the broker takes nothing; what is left will be sent again") from None
                self._producer.flush(WAIT_S)
                self._producer.poll()


class Wires(NamedTuple):
    """What source and sink share in one process."""

    shards: int
    open_consumer: Callable[[dict[tuple[str, int], Position | None]], Consumer]
    outbox: Outbox
    meter: Meter
    stopping: threading.Event


class _Inbox:
    """The frames of one topic in the batch being read."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.schema = ("schema", topic.tag.encode())
        self.dtype = topic.rows.dtype
        self.itemsize = self.dtype.itemsize
        self.clear()

    def clear(self) -> None:
        """Begin a batch."""
        self.values: list[bytes] = []
        self.watermark_ns = NEVER_NS
        self.ended = -1
        self.sent_ns = 0

    def take(self, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Take one frame in.

        Raises
        ------
        frames.FrameError
            When it is none of this topic.
        """
        try:
            usual = (
                headers[0] == self.schema and headers[1][0] == "watermark_ns" and headers[2][0] == "sent_ns"
            )
            watermark_ns, sent_ns = (int(headers[1][1]), int(headers[2][1])) if usual else (0, 0)
        except (IndexError, ValueError):
            usual = False
        if not usual or len(value) % self.itemsize:
            frame = frames.decode(self.topic.rows, value, headers)
            watermark_ns, sent_ns = frame.watermark_ns, frame.sent_ns
        if value:
            self.values.append(value)
        self.ended = int(watermark_ns == WATERMARK_FINAL_NS)
        self.sent_ns = sent_ns
        if not self.ended and watermark_ns > self.watermark_ns:
            self.watermark_ns = watermark_ns

    def rows(self) -> Rows:
        """Return all rows of the batch as one array of its own memory."""
        return np.frombuffer(bytearray().join(self.values), self.dtype)


class _ShardSource(StatefulSourcePartition[tuple[str, ShardBatch], dict[str, tuple[Any, ...]]]):
    """Reads trades, quotes, book and gaps of one shard."""

    def __init__(self, wires: Wires, key: str, resume: dict[str, tuple[Any, ...]] | None) -> None:
        self._wires, self._key, self._shard = wires, key, int(key)
        self._inboxes = {topic.name: _Inbox(topic) for topic in topics.TICKS}
        self._positions: dict[str, Position] = {
            name: Position(*position) for name, position in (resume or {}).items()
        }
        self._older: dict[tuple[str, int], Position | None] = {}
        self._most = BATCH_MESSAGES_MIN
        self._consumer = wires.open_consumer(
            {(topic.name, self._shard): self._positions.get(topic.name) for topic in topics.TICKS}
        )

    def next_batch(self) -> Iterable[tuple[str, ShardBatch]]:
        """Return what has come, at most one batch; never waits."""
        if self._wires.stopping.is_set():
            raise StopIteration
        self._wires.outbox.poll()
        messages = self._consumer.poll(self._most)
        return [(self._key, self._batch(messages))] if messages else []

    def _batch(self, messages: list[Message]) -> ShardBatch:
        inboxes, letters, size = self._inboxes, [], 0
        for topic, _, position, value, headers, _ in messages:
            self._positions[topic.name] = position
            size += len(value)
            try:
                inboxes[topic.name].take(value, headers)
            except frames.FrameError as error:
                letters.append(self._letter(topic, position, value, headers, error))
        parts = [inboxes[topic.name] for topic in topics.TICKS]
        trades, quotes, book, gaps = parts
        batch = ShardBatch(
            self._shard,
            Arrivals(
                (trades.rows(), quotes.rows(), book.rows(), gaps.rows()),
                (trades.watermark_ns, quotes.watermark_ns, book.watermark_ns, gaps.watermark_ns),
                (trades.ended, quotes.ended, book.ended, gaps.ended),
            ),
            max(part.sent_ns for i, part in enumerate(parts) if i != BOOKS),
            book.sent_ns,
            tuple(letters),
        )
        self._wires.meter.came_in(sum(rows.size for rows in batch.arrivals.rows), len(letters))
        for part in parts:
            part.clear()
        fitting = BATCH_BYTES * len(messages) // max(size, 1)
        self._most = min(max(fitting, BATCH_MESSAGES_MIN), BATCH_MESSAGES_MAX)
        return batch

    def _letter(
        self,
        topic: Topic,
        position: Position,
        value: bytes,
        headers: Sequence[tuple[str, bytes]],
        error: frames.FrameError,
    ) -> DeadLetter:
        """Return the dead letter for a message; the same one each time the message is read."""
        sent = dict(headers).get("sent_ns", b"")
        source = f"{topic.full_name}/{self._shard}/{position.log_id}:{position.offset - 1}"
        recv_ns = int(sent) if sent.isdigit() and len(sent) < 20 else 0
        logs.get("market").warning("a message is no frame", source=source, reason=error.reason)
        return dead_letter(source, error.reason, error.detail, value, recv_ns)

    def snapshot(self) -> dict[str, tuple[Any, ...]]:
        """Return where each topic is to be read on.

        What an older snapshot has passed is released: the newest may yet be lost in a crash.
        """
        self._consumer.release(self._older)
        self._older = {(name, self._shard): position for name, position in self._positions.items()}
        return {name: tuple(position) for name, position in self._positions.items()}

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


class FrameSource(FixedPartitionedSource[tuple[str, ShardBatch], dict[str, tuple[Any, ...]]]):
    """The tick topics, one partition per shard; items are (shard, batch)."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def list_parts(self) -> list[str]:
        """Return the shards."""
        return shard_keys(self._wires.shards)

    def build_part(
        self, step_id: str, for_part: str, resume_state: dict[str, tuple[Any, ...]] | None
    ) -> _ShardSource:
        """Open one shard where the snapshot says."""
        del step_id
        return _ShardSource(self._wires, for_part, resume_state)


class _FrameSinkPart(StatefulSinkPartition[Output, dict[tuple[str, int], int]]):
    """Writes the signals of one shard, or those that belong to no shard."""

    def __init__(self, outbox: Outbox, resume: dict[tuple[str, int], int] | None) -> None:
        self._outbox = outbox
        self._watermarks_ns = dict(resume or {})
        for (topic, partition), watermark_ns in self._watermarks_ns.items():
            outbox.send(Signal(topic, partition, topics.BY_NAME[topic].rows.empty(), watermark_ns, 0))

    def write_batch(self, values: list[Output]) -> None:
        """Send the rows of many signals in as few frames as possible."""
        together: dict[tuple[str, int], list[Signal]] = {}
        for value in values:
            if isinstance(value, Signal):
                together.setdefault((value.topic, value.partition), []).append(value)
            else:
                self._outbox.send_letters(value)
        for key, signals in together.items():
            newest = signals[-1]
            rows = newest.rows if len(signals) == 1 else np.concatenate([signal.rows for signal in signals])
            cause_ns = max(signal.cause_ns for signal in signals)
            self._outbox.send(newest._replace(rows=rows, cause_ns=cause_ns))
            self._watermarks_ns[key] = newest.watermark_ns

    def snapshot(self) -> dict[tuple[str, int], int]:
        """Wait for delivery and return the newest watermarks, which a restart sends again."""
        self._outbox.deliver()
        STATE.close_epoch()
        return dict(self._watermarks_ns)

    def close(self) -> None:
        """Wait for delivery."""
        self._outbox.deliver()


class FrameSink(FixedPartitionedSink[Output, dict[tuple[str, int], int]]):
    """The signal topics; items are (shard or JOINED, signal)."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def list_parts(self) -> list[str]:
        """Return the shards, and one part for what belongs to none."""
        return [*shard_keys(self._wires.shards), JOINED]

    def part_fn(self, item_key: str) -> int:
        """Return the place of a key among the sorted parts."""
        return self._wires.shards if item_key == JOINED else int(item_key)

    def build_part(
        self, step_id: str, for_part: str, resume_state: dict[tuple[str, int], int] | None
    ) -> _FrameSinkPart:
        """Open one part and repeat the watermarks it had sent."""
        del step_id, for_part
        return _FrameSinkPart(self._wires.outbox, resume_state)


def shard_keys(shards: int) -> list[str]:
    """Return the keys of the shards, which sort like their numbers.

    >>> shard_keys(2)
    ['000', '001']
    """
    return [f"{shard:03d}" for shard in range(shards)]
