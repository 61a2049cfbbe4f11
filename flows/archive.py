"""Archive flow: every topic in, the table of the same name out.

Wiring only. One source partition reads all topics of one shard; one sink partition a topic gathers
messages and stores them a second's worth at a time (`connectors.store.tables`). Where to read on is
a question to the store, so there is no recovery folder: whenever the process ends, however it ends,
the next one goes on behind the newest stored row, and what comes twice is stored once.
"""

import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.run import cli_main

from genesis.connectors import logs, probes, process
from genesis.connectors.dead_letters import dead_letter
from genesis.connectors.frames import FrameError
from genesis.connectors.kafka import FrameConsumer, FrameProducer, Message, Position, ensure_topics
from genesis.connectors.settings import Settings, SettingsError
from genesis.connectors.store.archiving import (
    Ending,
    Wires,
    patiently,
    positions,
    report,
    send_letter,
    sent_ns,
)
from genesis.connectors.store.forgetting import forget
from genesis.connectors.store.opening import Store, open_store
from genesis.connectors.store.progress import COMPONENT, Progress
from genesis.connectors.store.tables import RecordTable, open_table
from genesis.operators import topics
from genesis.operators.account.outcomes import FORGOTTEN
from genesis.operators.topics import Topic

POLL_MESSAGES = 1_024
"""Most messages that a source takes at a time."""

POLL_EVERY = timedelta(milliseconds=50)
"""Pause after a poll that brought little: the archive may be late, and idle polling costs the broker."""

FETCH_WAIT_MS = 100
"""How long a broker may hold a fetch. The embedded one always uses all of it, also at the start."""

BATCH_BYTES = 8 << 20
"""Bytes of messages in one insert, at most about: some 70,000 trades or 11,000 books."""

BATCH_WAIT_S = 2.0
"""Longest time that a message waits for its insert."""

RELEASE_EVERY_S = 1.0
"""Pause between two notices to the broker of what is stored."""


class Parcel(NamedTuple):
    """What a source read of one topic at one time; without messages, a nudge to look at the clock."""

    shard: int
    messages: tuple[Message, ...]


def parts_of(shard: int) -> list[tuple[str, int]]:
    """Return the (topic, partition) pairs that the source partition of a shard reads.

    >>> parts_of(1)[:6], len(parts_of(1))
    ([('trades', 1), ('quotes', 1), ('book', 1), ('gaps', 1), ('bars', 1), ('liquidity', 1)], 9)
    """
    return [(t.name, shard if t.sharded else 0) for t in topics.ARCHIVED if t.sharded or shard == 0]


class ArchiveSource(FixedPartitionedSource[tuple[str, Parcel], None]):
    """Reads all topics, one partition a shard, from where the store has their newest rows."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._starts = positions(wires, [key for shard in range(wires.shards) for key in parts_of(shard)])

    def list_parts(self) -> list[str]:
        """Return one partition a shard."""
        return [str(shard) for shard in range(self._wires.shards)]

    def build_part(self, _step_id: str, for_part: str, _resume_state: None) -> "_Source":
        """Return the partition of a shard."""
        keys = parts_of(int(for_part))
        return _Source(self._wires, int(for_part), {key: self._starts[key] for key in keys})


class _Source(StatefulSourcePartition[tuple[str, Parcel], None]):
    def __init__(self, wires: Wires, shard: int, starts: dict[tuple[str, int], Position | None]) -> None:
        self._wires, self._shard, self._keys = wires, shard, tuple(starts)
        self._consumer = wires.consume(starts)
        self._awake: datetime | None = None
        self._nudged_s = self._released_s = time.monotonic()

    def next_batch(self) -> Iterable[tuple[str, Parcel]]:
        """Return what has come, by topic."""
        if self._wires.ending.stopping.is_set():
            raise StopIteration
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - whatever it is, the flow ends in good order
            self._wires.ending.fail(error)
            raise StopIteration from None

    def _read(self) -> list[tuple[str, Parcel]]:
        found = self._consumer.poll(POLL_MESSAGES)
        self._awake = None if len(found) == POLL_MESSAGES else datetime.now(UTC) + POLL_EVERY
        by_topic: dict[str, list[Message]] = {}
        for message in found:
            by_topic.setdefault(message.topic.name, []).append(message)
        now_s = time.monotonic()
        if now_s - self._nudged_s > BATCH_WAIT_S / 4:
            self._nudged_s = now_s
            for name, _ in self._keys:
                by_topic.setdefault(name, [])
        if now_s - self._released_s > RELEASE_EVERY_S:
            self._released_s = now_s
            self._consumer.release(self._wires.progress.flushed(self._keys))
        if self._shard == 0:
            report(self._wires)
        return [(name, Parcel(self._shard, tuple(messages))) for name, messages in by_topic.items()]

    def next_awake(self) -> datetime | None:
        """Return when to look again."""
        return self._awake

    def snapshot(self) -> None:
        """Return nothing: the store knows."""

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


class ArchiveSink(FixedPartitionedSink[Parcel, None]):
    """Stores all topics, one partition a topic."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def list_parts(self) -> list[str]:
        """Return one partition a topic."""
        return [topic.name for topic in topics.ARCHIVED]

    def part_fn(self, item_key: str) -> int:
        """Return the place of a topic among the partitions, which Bytewax sorts."""
        return sorted(self.list_parts()).index(item_key)

    def build_part(self, _step_id: str, for_part: str, _resume_state: None) -> "_Sink":
        """Return the partition of a topic."""
        return _Sink(self._wires, topics.BY_NAME[for_part])


class _Sink(StatefulSinkPartition[Parcel, None]):
    def __init__(self, wires: Wires, topic: Topic) -> None:
        self._wires, self._topic = wires, topic
        self._client = wires.store.connect()
        self._table = open_table(self._client, wires.database, topic)
        self._log = logs.get(f"archive.{topic.name}")
        self._reached: dict[int, Position] = {}
        self._watermarks_ns: dict[int, int] = {}
        self._oldest_sent_ns = 0
        self._since_s = 0.0
        self._forget_at_s = [0.0] if topic is topics.BEHAVIOUR else []

    def write_batch(self, values: list[Parcel]) -> None:
        """Take messages; store what waits when it is much or has waited long enough."""
        if self._wires.ending.failure is not None:
            return
        try:
            self._write(values)
        except Exception as error:  # noqa: BLE001 - whatever it is, the flow ends in good order
            self._wires.ending.fail(error)

    def _write(self, values: list[Parcel]) -> None:
        for parcel in values:
            for message in parcel.messages:
                self._take(message)
                if self._table.bytes_waiting >= BATCH_BYTES:
                    self._flush()
                if self._topic is topics.BEHAVIOUR and FORGOTTEN.encode() in message.value:
                    now_s = time.monotonic()  # what waits in other tables is stored by then
                    self._forget_at_s = [now_s, now_s + 2 * BATCH_WAIT_S]
        if not self._table.rows_waiting or time.monotonic() - self._since_s >= BATCH_WAIT_S:
            self._flush()
            self._forget()

    def _forget(self) -> None:
        """Delete what traders asked to be forgotten, when it is time."""
        while self._forget_at_s and time.monotonic() >= self._forget_at_s[0]:
            self._forget_at_s.pop(0)
            gone = forget(self._client, self._wires.database)
            if gone:
                self._log.info("a trader's behaviour was deleted as he asked", rows=gone)

    def snapshot(self) -> None:
        """Return nothing: the store knows."""

    def close(self) -> None:
        """Store the rest."""
        try:
            if self._wires.ending.failure is None:
                self._flush()
            self._client.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the flow ends in good order
            self._wires.ending.fail(error)

    def _take(self, message: Message) -> None:
        if not self._table.rows_waiting:
            self._since_s = time.monotonic()
        if message.restarted:
            self._log.warning("the log began anew or has a hole", partition=message.partition)
        try:
            frame = self._table.add(message)
        except FrameError as error:
            self._refuse(message, error)
        else:
            if frame is not None:
                self._watermarks_ns[message.partition] = frame.watermark_ns
                self._oldest_sent_ns = self._oldest_sent_ns or frame.sent_ns
                self._wires.progress.read(self._topic, frame)
        self._reached[message.partition] = message.position

    def _refuse(self, message: Message, error: FrameError) -> None:
        """Send a message to the dead letters; a bad dead letter goes straight into their table."""
        at = message.position
        source = f"{self._topic.full_name}/{message.partition}/{at.log_id}/{at.offset - 1}"
        letter = dead_letter(source, error.reason, error.detail, message.value, sent_ns(message))
        self._wires.progress.refused()
        self._log.warning(
            "a message could not be used", source=source, reason=error.reason, detail=error.detail
        )
        if self._topic is topics.DEAD_LETTERS:
            assert isinstance(self._table, RecordTable)
            self._table.keep(letter, message)
        else:
            send_letter(self._wires, letter)

    def _flush(self) -> None:
        if self._table.rows_waiting:
            stored = patiently(self._wires, self._table)
            self._wires.progress.stored(*stored, self._oldest_sent_ns)
        if self._reached:
            self._wires.progress.settled(self._topic, self._reached, self._watermarks_ns)
        self._reached, self._watermarks_ns, self._oldest_sent_ns = {}, {}, 0


def add_archive(flow: Dataflow, wires: Wires) -> None:
    """Add the steps of the archive to a dataflow."""
    parcels = op.input("messages", flow, ArchiveSource(wires))
    op.output("tables", parcels, ArchiveSink(wires))


def main(settings: Settings) -> int:
    """Open the store, serve it when it is embedded, and archive until asked to end; return the exit status.

    Raises
    ------
    SettingsError
        When no broker is named.
    StoreError
        When the store cannot be opened, or fails on the way.
    """
    if not settings.broker:
        raise SettingsError("GENESIS_BROKER is empty: the archive needs the address of a broker")
    log = logs.get(COMPONENT)
    stopping = process.stop_on_signals()
    probes.serve(settings, "store")
    with open_store(settings) as store:
        ensure_topics(settings.broker, settings.shards)
        wires = wires_of(settings, store, stopping)
        wires.summary.unlink(missing_ok=True)
        flow = Dataflow(COMPONENT)
        add_archive(flow, wires)
        process.announce_ready(store_url=store.url)
        log.info("started", store=store.where, shards=settings.shards)
        cli_main(flow, epoch_interval=timedelta(seconds=settings.epoch_s))  # type: ignore[no-untyped-call]
        if wires.ending.failure is not None:
            raise wires.ending.failure
        wires.reports.flush(2.0)
    log.info("stopped")
    return 0


def wires_of(settings: Settings, store: Store, stopping: threading.Event) -> Wires:
    """Return the wires of a process with these settings."""
    return Wires(
        settings.shards,
        settings.database,
        store,
        lambda parts: FrameConsumer(settings.broker, parts, fetch_wait_ms=FETCH_WAIT_MS, name=COMPONENT),
        FrameProducer.of(settings, COMPONENT),
        Progress(settings.shards),
        Ending(stopping),
        settings.data / "archive.json",
    )
