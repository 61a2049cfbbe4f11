"""The frame producer: bounded, ordered, aware of incarnations and generations.

Law: a frame that was accepted is delivered in its partition's order, or its loss is reported.
Each frame carries ``session:number`` in the header ``frame``; a repeat caused by a retry has the
same number, and readers drop it.
"""

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, Self, cast

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as KafkaMessage

from genesis.connectors import frames, metrics, observing
from genesis.connectors.kafka.log import (
    GENERATIONS_KEPT,
    NEXT_HEADER,
    BrokerUnreachable,
    Log,
    client_config,
    name_at,
)
from genesis.connectors.kafka.stream import Stream
from genesis.connectors.probes import STATE
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.topics import Topic

QUEUE_MESSAGES = 20_000
"""Most messages that wait for the broker; beyond it ``send`` raises QueueFull."""

QUEUE_KB = 32_768
"""Most kilobytes that wait for the broker; beyond it ``send`` raises QueueFull."""

GENERATION_HARD_FACTOR = 4
"""A generation that readers do not let go of may grow to this many times its size, then sends wait."""

STALLED_S = 0.5
"""After so long without a confirmation while frames wait, the incarnations are checked."""

LOOK_EVERY_S = 5.0
"""Several processes write a JSON topic: so often each looks whether another has made it roll."""

LOOK_SOON_S = 0.25
"""The same for topics whose records somebody waits for."""

OBSERVE_EVERY_S = 1.0
"""How often metrics are brought up to date."""

EPOCH_HEADER = "epoch"
"""Header of the frames of a colour: those of a lower epoch are void behind the first of a higher one."""

FRAME_HEADER = "frame"
"""Header with ``session:number`` of a frame, for readers to drop repeats."""


class QueueFull(BufferError):
    """The producer's bounded queue is full: the broker is slow or gone. Wait, or drop and say so."""


_OWN_READERS = {topics.ACCOUNT_EVENTS: "account", topics.CHILD_ORDERS: "gateway"}


def _look_every_s(topic: Topic) -> float:
    return LOOK_SOON_S if topic in _OWN_READERS else LOOK_EVERY_S


def readers_of(topic: Topic) -> tuple[str, ...]:
    """Return the readers that must not miss a message of this topic."""
    if topic in topics.TICKS:
        return ("market", "archive")
    if topic in _OWN_READERS:
        return (_OWN_READERS[topic], "archive")
    return ("archive",) if topic in topics.ARCHIVED else ()


def _json_headers(topic: Topic) -> frames.Headers:
    return [("schema", topic.tag.encode())]


class FrameProducer:
    """Sends frames and JSON records.

    Parameters
    ----------
    bootstrap
        Kafka bootstrap servers.
    shards
        Partitions of the sharded topics, for topics that must be created.
    embedded
        True for the embedded broker: topics roll, and idempotent production is replaced by one
        request in flight, since a broker that restarts forgets producer ids.
    generation_bytes
        Size at which a topic rolls; 0 for never. Ignored unless ``embedded``.
    name
        The process, for the client id.

    Attributes
    ----------
    on_restart
        Called with the short names of topics whose log began anew.
    on_lost
        Called with (topic short name, partition, watermark_ns) for a frame that was given up.
    delivered_ns
        Watermark of the newest frame that the broker has confirmed, by (topic short name, partition).
    """

    def __init__(
        self, bootstrap: str, shards: int, *, embedded: bool, generation_bytes: int = 0, name: str
    ) -> None:
        self._bootstrap, self._shards, self._embedded, self._name = bootstrap, shards, embedded, name
        self._generation_bytes = generation_bytes if embedded else 0
        self.session = secrets.token_hex(6)
        self._suspect = False
        self._confirmed_s = self._moved_s = time.monotonic()
        self._observed_s, self._confirmed = 0.0, 0
        self._log = Log(bootstrap, name)
        self._streams: dict[str, Stream] = {}
        self.delivered_ns: dict[tuple[str, int], int] = {}
        self.epoch: int | None = None
        self.on_restart: Callable[[list[str]], None] = lambda _names: None
        self.on_lost: Callable[[str, int, int], None] = lambda _name, _partition, _watermark_ns: None
        self._producer = Producer(self._config())

    @classmethod
    def of(cls, settings: Settings, name: str) -> Self:
        """Return the producer of a process with these settings."""
        return cls(
            settings.broker,
            settings.shards,
            embedded=settings.embedded_broker,
            generation_bytes=settings.generation_mb * 1_000_000,
            name=name,
        )

    def _config(self) -> dict[str, Any]:
        order = {"max.in.flight": 1} if self._embedded else {"enable.idempotence": True}
        return (
            client_config(self._bootstrap, self._name)
            | order
            | {
                "error_cb": self._notice,
                "acks": "all",
                "linger.ms": 0,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": QUEUE_MESSAGES,
                "queue.buffering.max.kbytes": QUEUE_KB,
                "message.max.bytes": 8_000_000,
                "compression.type": "none",
                "allow.auto.create.topics": False,
            }
        )

    def _notice(self, _error: KafkaError) -> None:
        self._suspect = True

    @property
    def log_ids(self) -> dict[str, str]:
        """Incarnation of each topic written so far, by short name."""
        return {name: stream.log_id for name, stream in self._streams.items()}

    def begin_session(self) -> None:
        """Begin to number frames anew, as another process would, where the log is now.

        Raises
        ------
        BrokerUnreachable
            When another may have made a topic roll meanwhile, and the broker does not answer.
        """
        if self._generation_bytes:
            self._catch_up()
        self.session = secrets.token_hex(6)
        for stream in self._streams.values():
            stream.numbers.clear()

    def prepare(self, wanted: Iterable[Topic]) -> None:
        """Find out ahead where topics and their leaders are, so that the first frame to each goes at once.

        Not on the embedded broker, whose topics roll: opening one is up to who writes it now.

        Raises
        ------
        BrokerUnreachable
            When the broker does not answer.
        """
        for topic in () if self._generation_bytes else wanted:
            name = name_at(topic, self._stream(topic).generation)
            with contextlib.suppress(KafkaException):  # it is found out at the first frame then
                self._producer.list_topics(name, timeout=1.0)

    def send(
        self, topic: Topic, partition: int, rows: np.ndarray[Any, Any], watermark_ns: int, cause_ns: int = 0
    ) -> None:
        """Queue one frame; with `epoch` set it carries that.

        Raises
        ------
        QueueFull
            When the bounded queue has no room; nothing was queued.
        BrokerUnreachable
            When a topic must be opened and the broker does not answer.
        """
        stream = self._stream(topic)
        number = stream.numbers.get(partition, 0)
        headers = frames.encode_headers(topic.rows, watermark_ns, cause_ns)
        if self.epoch is not None:
            headers.append((EPOCH_HEADER, b"%d" % self.epoch))
        headers.append((FRAME_HEADER, f"{self.session}:{number}".encode()))
        self._produce(
            stream,
            topic,
            partition,
            rows.tobytes(),
            headers,
            functools.partial(self._delivered, topic.name, partition, watermark_ns),
        )
        stream.numbers[partition] = number + 1

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        """Queue one JSON record on a topic of such; raises as ``send`` does.

        A record may arrive twice when the topic rolls; its id is the same.
        """
        stream = self._stream(topic)
        if self._generation_bytes and time.monotonic() - stream.looked_s > _look_every_s(topic):
            self._follow(topic, stream)
        value = msgspec.json.encode(record)
        self._produce(stream, topic, 0, value, _json_headers(topic), None)
        stream.recent.append(value)
        observing.sent(topic, record)

    def _follow(self, topic: Topic, stream: Stream) -> None:
        """Go on in the newest generation if another process has begun one, and repeat what it may miss."""
        newest = self._log.generations([topic])[topic.name]
        stream.looked_s = time.monotonic()
        recent = list(stream.recent)
        if not len(self._producer):  # else one of them may yet arrive behind the mark
            stream.recent.clear()
        if newest and newest[-1] > stream.generation:
            name = name_at(topic, newest[-1])
            stream.move(newest[-1], self._log.ids([name]).get(name, ""))
            for value in recent:
                self._produce(stream, topic, 0, value, _json_headers(topic), None)

    def poll(self) -> None:
        """Serve delivery reports and look after the log when the connection was lost."""
        self._producer.poll(0)
        STATE.beat()
        if not len(self._producer):
            self._confirmed_s = time.monotonic()
        if self._suspect or time.monotonic() - self._confirmed_s > STALLED_S:
            self._verify()
        if self._generation_bytes:
            self._look_after_records()
        if time.monotonic() - self._observed_s > OBSERVE_EVERY_S:
            self._observe()

    def _observe(self) -> None:
        """Bring the metrics up to date, and note when the broker has taken nothing since the last time."""
        now_s, waiting = time.monotonic(), len(self._producer)
        self._observed_s = now_s
        for name, stream in self._streams.items():
            metrics.PRODUCED.labels(name).inc(stream.sent - stream.told)
            stream.told = stream.sent
        metrics.UNCONFIRMED.labels(self._name).set(waiting)
        confirmed = sum(stream.sent for stream in self._streams.values()) - waiting
        if not waiting or confirmed > self._confirmed:
            self._moved_s = now_s
        self._confirmed = confirmed
        key = f"writer {self._name}"
        if now_s - self._moved_s > OBSERVE_EVERY_S:
            STATE.trouble(key, f"the broker takes nothing; {waiting} messages wait")
        else:
            STATE.clear(key)

    def _look_after_records(self) -> None:
        """Find out whether what was sent lately went into a generation that had ended."""
        now_s = time.monotonic()
        for name, stream in self._streams.items():
            topic = topics.BY_NAME[name]
            if stream.recent and now_s - stream.looked_s > _look_every_s(topic):
                self._follow(topic, stream)

    def flush(self, timeout_s: float) -> int:
        """Wait for what is queued to be delivered; return how many messages still wait."""
        return int(self._producer.flush(timeout_s))

    def _produce(
        self,
        stream: Stream,
        topic: Topic,
        partition: int,
        value: bytes,
        headers: frames.Headers,
        report: Callable[[KafkaError | None, KafkaMessage], None] | None,
    ) -> None:
        if self._generation_bytes and stream.fill(self._generation_bytes) >= 1.0:
            self._roll(topic, stream)
        try:
            self._producer.produce(
                name_at(topic, stream.generation),
                value,
                partition=partition,
                headers=cast("list[tuple[str, str | bytes | None]]", headers),
                on_delivery=report,
            )
        except BufferError:
            self.poll()
            metrics.SINK_FULL.labels(topic.name).inc()
            raise QueueFull(
                f"{QUEUE_MESSAGES} messages or {QUEUE_KB} kB already wait for the broker"
            ) from None
        stream.count(partition, len(value))

    def _delivered(
        self, name: str, partition: int, watermark_ns: int, error: KafkaError | None, _message: KafkaMessage
    ) -> None:
        if error is None:
            self.delivered_ns[name, partition] = watermark_ns
            self._confirmed_s = time.monotonic()
        else:
            metrics.LOST.labels(name).inc()
            self.on_lost(name, partition, watermark_ns)

    def _stream(self, topic: Topic) -> Stream:
        stream = self._streams.get(topic.name)
        if stream is None:
            stream = self._streams[topic.name] = self._open(topic)
        return stream

    def _open(self, topic: Topic) -> Stream:
        """Find the newest generation; finish the one before it, in case its writer died in between."""
        existing = self._log.generations([topic])[topic.name]
        if not existing:
            self._log.create(topic, 0, self._shards)
        newest = existing[-1] if existing else 0
        if len(existing) > 1:
            self._mark_end(topic, existing[-2], newest)
        name = name_at(topic, newest)
        return Stream(newest, self._log.ids([name]).get(name, ""))

    def _catch_up(self) -> None:
        """Go on in the newest generation of every topic of frames; one of records does so by itself."""
        ours = [topics.BY_NAME[name] for name, stream in self._streams.items() if not stream.recent]
        for name, existing in self._log.generations(ours).items():
            if existing and existing[-1] > self._streams[name].generation:
                full_name = name_at(topics.BY_NAME[name], existing[-1])
                self._streams[name].move(existing[-1], self._log.ids([full_name]).get(full_name, ""))

    def _verify(self) -> None:
        """Ask whether the topics are still those that were being written; create what is gone."""
        self._confirmed_s = time.monotonic()
        by_name = {name_at(topics.BY_NAME[name], s.generation): name for name, s in self._streams.items()}
        try:
            ids = self._log.ids(by_name, 1.0)
            for full_name in by_name.keys() - ids.keys():
                name = by_name[full_name]
                self._log.create(topics.BY_NAME[name], self._streams[name].generation, self._shards)
            ids = self._log.ids(by_name, 1.0)
        except BrokerUnreachable:
            return
        self._suspect = False
        restarted = [
            name for full, name in by_name.items() if ids.get(full, "") != self._streams[name].log_id
        ]
        for full_name, name in by_name.items():
            self._streams[name].log_id = ids.get(full_name, "")
        if restarted:
            for full_name in by_name:  # else the client finds the leader up to 2 s later
                with contextlib.suppress(KafkaException):
                    self._producer.list_topics(full_name, timeout=1.0)
            self.on_restart(restarted)

    def _roll(self, topic: Topic, stream: Stream) -> None:
        """Begin the next generation, unless a reader still needs the oldest one."""
        existing = self._log.generations([topic])[topic.name]
        surplus = [
            generation for generation in existing if generation <= stream.generation - GENERATIONS_KEPT + 1
        ]
        if not all(self._released(topic, generation) for generation in surplus):
            if stream.fill(self._generation_bytes) > GENERATION_HARD_FACTOR:
                self.poll()
                raise QueueFull(f"readers of {topic.full_name} are {len(existing)} generations behind")
            return
        self._log.delete(name_at(topic, generation) for generation in surplus)
        self._log.create(topic, stream.generation + 1, self._shards)
        self._mark_end(topic, stream.generation, stream.generation + 1)
        name = name_at(topic, stream.generation + 1)
        stream.move(stream.generation + 1, self._log.ids([name]).get(name, ""))

    def _mark_end(self, topic: Topic, generation: int, following: int) -> None:
        for partition in range(self._shards if topic.sharded else 1):
            self._producer.produce(
                name_at(topic, generation),
                b"",
                partition=partition,
                headers=[(NEXT_HEADER, b"%d" % following)],
            )

    def _released(self, topic: Topic, generation: int) -> bool:
        """Say whether every reader that must not miss anything works in a later generation.

        Raises
        ------
        BrokerUnreachable
            When the broker does not answer.
        """
        partitions = range(self._shards if topic.sharded else 1)
        later = [g for g in self._log.generations([topic])[topic.name] if g > generation]
        for reader in readers_of(topic):
            asker = Consumer(
                client_config(self._bootstrap, f"{reader}-offsets") | {"group.id": f"genesis-{reader}"}
            )
            try:
                wanted = [TopicPartition(name_at(topic, g), p) for g in later for p in partitions]
                done = {part.partition for part in asker.committed(wanted, timeout=5.0) if part.offset >= 0}
            except KafkaException as error:
                raise BrokerUnreachable(
                    f"no answer from the broker at {self._bootstrap}: {error.args[0].str()}"
                ) from None
            finally:
                asker.close()
            if done != set(partitions):
                return False
        return True
