"""The frame consumer: assigns its partitions itself and never mistakes one log for another.

Law: messages of a partition come in order, each once for a producer's session; when the log began
anew or frames are missing from it, the first message after the break says so (``restarted``).

A fetch beyond the end of a log that began anew gives neither an error nor data, and once the new
log has grown that far it gives the wrong data. So the incarnation of every topic is checked after
any sign of a lost connection, when nothing has come for a while, and when a frame is not numbered
one more than the last; what is in doubt is read again after the check.
"""

import time
from typing import NamedTuple, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage

from genesis.connectors import metrics
from genesis.connectors.kafka.log import NEXT_HEADER, BrokerUnreachable, Log, client_config, name_at
from genesis.connectors.kafka.producer import EPOCH_HEADER, FRAME_HEADER
from genesis.connectors.probes import STATE
from genesis.operators import topics
from genesis.operators.topics import Topic

PREFETCH_KB = 4_096
"""Kilobytes that the client reads ahead, at most."""

CHECK_EVERY_S = 0.2
"""Pause between two attempts to find the topics while the broker is away."""

MISSING_CHECK_S = 1.0
"""How often a topic that does not exist yet is looked for."""

END_S = 2.0
"""Longest time that a broker is asked where a partition ends."""

OBSERVE_EVERY_S = 1.0
"""How often metrics are brought up to date."""

IDLE_CHECK_S = 0.5
"""After so long without a message the incarnations are checked."""


class Position(NamedTuple):
    """Where the next message of a partition is to be read; a plain tuple, so it pickles.

    ``session`` and ``frame`` name the newest frame that was read, to drop its repeats; ``epoch`` is the
    highest that a frame had (0 without one), to drop frames of a colour that was fenced off.
    """

    generation: int
    log_id: str
    offset: int
    session: str = ""
    frame: int = -1
    epoch: int = 0


class Message(NamedTuple):
    """One message and where reading goes on after it."""

    topic: Topic
    partition: int
    position: Position
    value: bytes
    headers: list[tuple[str, bytes]]
    restarted: bool


class _Cursor:
    """One partition being read. ``attached`` is False until its topic has been found.

    ``jump`` is the frame that did not follow the last one; seen again after a check, it is taken.
    ``usual`` is the last header of the frame that should come next, when nothing else is to be looked at.
    """

    def __init__(self, topic: Topic, partition: int, position: Position | None) -> None:
        self.topic, self.partition = topic, partition
        self.position = position
        self.attached = False
        self.restarted = False
        self.jump: tuple[str, int] | None = None
        self.usual: tuple[str, bytes] | None = None

    def follows(self, session: str, frame: int) -> bool:
        """Say whether a frame may follow what was read, or was already found to come after a loss."""
        at = self.position
        if frame < 0 or at is None or not at.session or (session, frame) == self.jump:
            return True
        return frame <= at.frame + 1 if session == at.session else frame == 0


class FrameConsumer:
    """Reads partitions of topics, without consumer groups.

    Parameters
    ----------
    bootstrap
        Kafka bootstrap servers.
    parts
        Partitions to read, by (topic short name, partition), each from a position, or from the
        oldest message with None.
    fetch_wait_ms
        How long the broker may hold a fetch. The embedded broker always uses all of it: short on
        the hot path (5), long elsewhere (250).
    start_at_end
        Begin at the newest message instead of the oldest where no position is given.
    back
        … or so many messages before it.
    name
        The reader; what it releases is released under this name.
    """

    def __init__(
        self,
        bootstrap: str,
        parts: dict[tuple[str, int], Position | None],
        *,
        fetch_wait_ms: int,
        start_at_end: bool = False,
        back: int = 0,
        name: str,
    ) -> None:
        self._log = Log(bootstrap, name)
        self._start_at_end, self._back = start_at_end, back
        self._parts = {
            key: _Cursor(topics.BY_NAME[key[0]], key[1], position) for key, position in parts.items()
        }
        self._by_name: dict[tuple[str, int], _Cursor] = {}
        self._assigned: set[tuple[str, int]] = set()
        self._released: dict[tuple[str, int], int] = {}
        self._suspect = True
        self._checked_s = -CHECK_EVERY_S
        self._looked_s = self._observed_s = 0.0
        self._name, self._read = name, 0
        self._consumer = Consumer(
            client_config(bootstrap, name)
            | {
                "error_cb": self._notice,
                "group.id": f"genesis-{name}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": fetch_wait_ms,
                "fetch.error.backoff.ms": 20,
                "fetch.queue.backoff.ms": 5,
                "fetch.message.max.bytes": 4_000_000,
                "queued.max.messages.kbytes": PREFETCH_KB,
                "queued.min.messages": 1_000,
                "allow.auto.create.topics": False,
            }
        )

    def _notice(self, _error: KafkaError) -> None:
        self._suspect = True

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Message]:
        """Return up to ``most`` messages; with ``timeout_s`` 0 only what is already here."""
        STATE.beat()
        if self._suspect and not self._check():
            time.sleep(min(timeout_s, CHECK_EVERY_S))
            return []
        found: list[Message] = []
        moved: set[_Cursor] = set()
        for raw in self._consumer.consume(most, timeout_s):
            cursor = self._by_name.get((raw.topic() or "", raw.partition() or 0))
            if raw.error() is not None or cursor is None:
                self._suspect = True
            elif cursor not in moved and not self._take(cursor, raw, found):
                moved.add(cursor)
        now_s = time.monotonic()
        self._read += len(found)
        if now_s - self._observed_s > OBSERVE_EVERY_S:
            self._observe(now_s)
        if moved:
            self._attach(moved)
        elif found:
            self._checked_s = now_s
        elif now_s - self._checked_s > IDLE_CHECK_S:
            self._checked_s = now_s
            self._suspect = self._suspect or self._changed()
        if now_s - self._looked_s > MISSING_CHECK_S:
            self._looked_s = now_s
            self._attach({cursor for cursor in self._parts.values() if not cursor.attached})
        return found

    def _observe(self, now_s: float) -> None:
        """Bring the metrics up to date; the ends of the partitions are those of the last fetches."""
        self._observed_s = now_s
        metrics.CONSUMED.labels(self._name).inc(self._read)
        self._read = 0
        for (name, partition), cursor in self._by_name.items():
            at = cursor.position
            _, end = self._consumer.get_watermark_offsets(TopicPartition(name, partition), cached=True)
            if at is not None and at.offset >= 0 and end >= 0:
                behind = max(end - at.offset, 0)
                metrics.LAG.labels(self._name, cursor.topic.name, str(partition)).set(behind)
                STATE.lag(self._name, cursor.topic.name, partition, behind)

    def _away(self, *, away: bool) -> None:
        """Note whether the broker answers."""
        key = f"reader {self._name}"
        if away:
            STATE.trouble(key, f"the broker does not answer {self._name}")
        else:
            STATE.clear(key)
        metrics.BROKER_AWAY.labels(self._name).set(STATE.since_s(key))

    def positions(self) -> dict[tuple[str, int], Position | None]:
        """Return where every partition is to be read on."""
        return {key: cursor.position for key, cursor in self._parts.items()}

    def is_located(self) -> bool:
        """Say whether every partition has been found: what is written from now on will be read."""
        return all(cursor.attached for cursor in self._parts.values())

    def is_at_end(self) -> bool:
        """Say whether all that stands in every partition has been read; it asks the broker.

        Raises
        ------
        BrokerUnreachable
            When the broker does not say where a partition ends.
        """
        read = ((name, part, cursor.position) for (name, part), cursor in self._by_name.items())
        return self.is_located() and all(
            at is not None and max(at.offset, 0) >= self._end(name, part) for name, part, at in read
        )

    def release(self, positions: dict[tuple[str, int], Position | None]) -> None:
        """Say that nothing before these positions will be asked for again by this reader."""
        done = []
        for key, position in positions.items():
            if position and position.generation > self._released.get(key, 0):
                done.append(TopicPartition(name_at(topics.BY_NAME[key[0]], position.generation), key[1], 0))
                self._released[key] = position.generation
        if done:
            self._consumer.commit(offsets=done, asynchronous=True)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _take(self, cursor: _Cursor, raw: KafkaMessage, found: list[Message]) -> bool:
        """Append the message unless it is a repeat; return False when the cursor must be looked at."""
        at = cursor.position
        assert at is not None
        headers = cast("list[tuple[str, bytes]]", raw.headers() or [])
        if headers and headers[-1] == cursor.usual:  # the hot path
            generation, log_id, _, session, frame, epoch = at
            offset = (raw.offset() or 0) + 1
            at = cursor.position = Position(generation, log_id, offset, session, frame + 1, epoch)
            cursor.usual = (FRAME_HEADER, f"{session}:{frame + 2}".encode())
            found.append(Message(cursor.topic, cursor.partition, at, raw.value() or b"", headers, False))
            return True
        cursor.usual = None
        session, frame, epoch = at.session, -1, at.epoch
        for name, value in headers:
            if name == EPOCH_HEADER:
                epoch = int(value)
            elif name == FRAME_HEADER:
                session, _, number = value.decode().partition(":")
                frame = int(number)
            elif name == NEXT_HEADER:
                cursor.position = at._replace(generation=int(value), log_id="", offset=0)
                return False
        if epoch < at.epoch:  # of a colour that was fenced off, and wrote before it knew
            metrics.VOID_FRAMES.labels(self._name, cursor.topic.name).inc()
            cursor.position = at._replace(offset=(raw.offset() or 0) + 1)
            return True
        if not cursor.follows(session, frame):
            cursor.jump = (session, frame)
            return False
        repeat = session == at.session and 0 <= frame <= at.frame
        newest = at.frame if frame < 0 or repeat else frame
        cursor.position = Position(at.generation, at.log_id, (raw.offset() or 0) + 1, session, newest, epoch)
        if not repeat:
            restarted = cursor.restarted or (session, frame) == cursor.jump
            if restarted:
                metrics.LOG_BREAKS.labels(self._name, cursor.topic.name).inc()
            value = raw.value() or b""
            found.append(Message(cursor.topic, cursor.partition, cursor.position, value, headers, restarted))
            cursor.restarted, cursor.jump = False, None
            cursor.usual = (FRAME_HEADER, f"{session}:{newest + 1}".encode()) if frame >= 0 else None
        return True

    def _changed(self) -> bool:
        """Say whether a topic that is being read is no longer the log that it was."""
        known = {name: c.position.log_id for (name, _), c in self._by_name.items() if c.position is not None}
        try:
            return self._log.ids(known, 1.0) != known
        except BrokerUnreachable:
            return True

    def _check(self) -> bool:
        """Find out, not too often, which log every topic is now; False when that is not known yet."""
        now_s = time.monotonic()
        if now_s - self._checked_s < CHECK_EVERY_S:
            return False
        self._checked_s = now_s
        return self._attach(set(self._parts.values()))

    def _attach(self, cursors: set[_Cursor]) -> bool:
        """Point these cursors at an existing log and read on there; False when the broker is away.

        A topic that does not exist (yet) is looked for again later; it holds nothing up.
        """
        if not cursors:
            return True
        try:
            existing = self._log.generations({c.topic.name: c.topic for c in cursors}.values(), 1.0)
            ids = self._log.ids(
                (name_at(topics.BY_NAME[name], g) for name, found in existing.items() for g in found), 1.0
            )
            for cursor in cursors:
                self._locate(cursor, existing[cursor.topic.name], ids)
        except BrokerUnreachable:
            self._suspect = True
            self._away(away=True)
            return False
        self._away(away=False)
        self._assign(cursors)
        self._suspect = False
        self._looked_s = time.monotonic()
        return True

    def _locate(self, cursor: _Cursor, existing: list[int], ids: dict[str, str]) -> None:
        """Find where a cursor goes on; not found, it is looked for again.

        Raises
        ------
        BrokerUnreachable
            When the broker does not say where the partition ends.
        """
        at = cursor.position
        cursor.attached, cursor.usual = False, None
        if not existing:
            return
        if at is not None and at.generation in existing:
            log_id = ids.get(name_at(cursor.topic, at.generation), "")
            if at.log_id in ("", log_id):
                cursor.position, cursor.attached = at._replace(log_id=log_id), True
                return
        cursor.restarted = cursor.restarted or at is not None
        generation = existing[-1] if self._start_at_end else existing[0]
        name = name_at(cursor.topic, generation)
        if at is not None:
            offset = 0
        else:
            offset = self._end(name, cursor.partition) if self._start_at_end else OFFSET_BEGINNING
        session, frame, epoch = (at.session, at.frame, at.epoch) if at else ("", -1, 0)
        cursor.position = Position(generation, ids.get(name, ""), offset, session, frame, epoch)
        cursor.attached = True

    def _end(self, name: str, partition: int) -> int:
        """Return where a partition ends now: what is written after this call is read, whenever that is.

        The embedded broker may name an earlier offset; then some older messages are read first.
        """
        try:
            first, end = self._consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=END_S)
        except KafkaException as error:
            raise BrokerUnreachable(f"{self._log.bootstrap} does not say where {name} ends") from error
        return max(int(end) - self._back, int(first))

    def _assign(self, cursors: set[_Cursor]) -> None:
        """Let go of where these cursors were, and fetch from where they are; the others run on."""
        self._by_name = {place: cursor for place, cursor in self._by_name.items() if cursor not in cursors}
        parts = []
        for cursor in cursors:
            if cursor.attached and cursor.position is not None:
                name = name_at(cursor.topic, cursor.position.generation)
                self._by_name[name, cursor.partition] = cursor
                parts.append(TopicPartition(name, cursor.partition, cursor.position.offset))
        wanted = set(self._by_name)
        again = {(part.topic, part.partition) for part in parts}
        if gone := self._assigned - wanted | self._assigned & again:
            self._consumer.incremental_unassign([TopicPartition(name, partition) for name, partition in gone])
        if parts:
            self._consumer.incremental_assign(parts)
        for name in {name for name, _ in again} - {name for name, _ in self._assigned}:
            self._consumer.list_topics(name, timeout=1.0)  # else the client finds the leader up to 1 s later
        self._assigned = wanted
