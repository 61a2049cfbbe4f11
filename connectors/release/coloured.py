"""The producer of a coloured market flow: signals when it is active, shadow topics when it is not.

Law: a colour that becomes active writes its mark, an empty frame of the new epoch, into every partition, and
holds back until it has read it. From then on nobody else's frames count there (`kafka.consumer`), what stands
before it is known, and what is owed is sent (`operators.parity`). While it holds back, nothing counts as
delivered, so no snapshot can pass what was not sent. Where topics and their leaders are it knows before,
since it holds everything up until its marks are there.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from genesis.connectors import frames, logs
from genesis.connectors.kafka import BrokerUnreachable, FrameConsumer, FrameProducer, QueueFull
from genesis.connectors.probes import STATE
from genesis.connectors.release.control import Control
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.arrays import NEVER_NS, Rows
from genesis.operators.parity import Parity
from genesis.operators.records import Health
from genesis.operators.release import Release
from genesis.operators.topics import Topic

Key = tuple[str, int]

READ_MESSAGES = 100
"""Most messages of the signals that are read back at a time."""

CONTROL_EVERY_S = 0.02
"""How often the control topic is looked at."""

MARK_AGAIN_S = 2.0
"""A mark that was not read by then is sent again: the log may have begun anew."""

FETCH_WAIT_EMBEDDED_MS, FETCH_WAIT_MS = 5, 20


class ColouredProducer:
    """What the sink writes to; it has the methods of a `FrameProducer` that the sink needs.

    Parameters
    ----------
    settings
        With the colour.
    """

    def __init__(self, settings: Settings) -> None:
        self._colour, self._frame_rows = str(settings.colour), settings.frame_rows
        self._producer = FrameProducer.of(settings, f"market-{self._colour}")
        self._producer.on_restart = self._restarted
        self.on_restart: Callable[[list[str]], None] = lambda _names: None
        parts = [
            (topic.name, part)
            for topic in topics.SIGNALS
            for part in range(settings.shards if topic.sharded else 1)
        ]
        self._sides = {key: Parity(topics.BY_NAME[key[0]].rows) for key in parts}
        self._live: set[Key] = set()
        self._marked: set[Key] = set()
        self._taken: set[Key] = set()
        self._marked_s = self._looked_s = 0.0
        self._is_session_due, self._is_embedded = False, settings.embedded_broker
        self._control = Control(settings)
        fetch_wait_ms = FETCH_WAIT_EMBEDDED_MS if settings.embedded_broker else FETCH_WAIT_MS
        self._signals = FrameConsumer(
            settings.broker,
            dict.fromkeys(parts),
            fetch_wait_ms=fetch_wait_ms,
            start_at_end=True,
            back=1,  # so that a silent partition says how far it is
            name=f"market-{self._colour}-back",
        )
        self._log = logs.get("market")
        self._release = self._begin()

    def _begin(self) -> Release:
        """Find out who writes, and read the signals from now on.

        Who is active already goes on at once: after a crash the rows of the last epoch come again.
        """
        now = self._control.read()
        while not self._signals.is_located():
            self._read(self._signals.poll(READ_MESSAGES, 0.05))
        self._producer.epoch = now.epoch
        self._producer.prepare(topics.SIGNALS)
        if not self._is_embedded:
            self._open_shadows()
        if now.active == self._colour:
            self._live = set(self._sides)
            self._mark(set(self._sides))
        return now

    def _open_shadows(self) -> None:
        """Write an empty frame into every shadow partition.

        Kafka syncs a file at the first one, which at a flip would hold up the marks of the other colour.
        """
        for name, partition in self._sides:
            shadow = topics.SHADOWS[name, self._colour]
            self._producer.send(shadow, partition, shadow.rows.empty(), NEVER_NS)

    def send(self, topic: Topic, partition: int, rows: Rows, watermark_ns: int, cause_ns: int = 0) -> None:
        """Queue one frame where it belongs now; raises as `FrameProducer.send` does."""
        key = topic.name, partition
        side = self._sides[key]
        fresh = side.computed(rows, watermark_ns)
        if key in self._live:
            self._producer.send(topic, partition, fresh, max(watermark_ns, side.published_ns), cause_ns)
        elif self._release.active != self._colour:
            shadow = topics.SHADOWS[topic.name, self._colour]
            self._producer.send(shadow, partition, rows, watermark_ns, cause_ns)

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        """Queue one JSON record; a report of health says more of a colour."""
        if isinstance(record, Health):
            record = self._told(record)
        self._producer.send_record(topic, record)

    def poll(self) -> None:
        """Serve the producer, read the signals back, and do what the control topic says."""
        self._producer.poll()
        self._read(self._signals.poll(READ_MESSAGES))
        now_s = time.monotonic()
        if now_s - self._looked_s > CONTROL_EVERY_S:
            self._looked_s = now_s
            if self._control.poll() and self._control.now.number != self._release.number:
                self._follow(self._control.now)
        if self._marked and now_s - self._marked_s > MARK_AGAIN_S:
            if self._is_session_due:
                self._take_over()
            else:
                self._mark(self._marked)
        for key in list(self._taken):
            self._take(key)

    def flush(self, timeout_s: float) -> int:
        """Wait for delivery; return how many messages and partitions to be taken over still wait."""
        waiting = self._producer.flush(timeout_s)
        return waiting + len(set(self._sides) - self._live) if self._is_taking() else waiting

    def _is_taking(self) -> bool:
        return self._release.active == self._colour and len(self._live) < len(self._sides)

    def _follow(self, now: Release) -> None:
        """Take over, or let go."""
        before, self._release = self._release, now
        self._log.info("release", active=now.active, epoch=now.epoch, phase=now.phase, reason=now.reason)
        if now.active == before.active and now.epoch == before.epoch:
            return
        self._live, self._marked, self._taken = set(), set(), set()
        self._producer.epoch = now.epoch
        if now.active == self._colour:
            self._take_over()

    def _take_over(self) -> None:
        """Begin to number frames anew and mark every partition; with the broker away, at a later look."""
        self._marked, self._marked_s, self._is_session_due = set(self._sides), time.monotonic(), True
        with suppress(BrokerUnreachable):
            self._producer.begin_session()
            self._is_session_due = False
            self._mark(self._marked)

    def _mark(self, keys: set[Key]) -> None:
        """Send the mark into these partitions; what cannot go now goes when they are marked again."""
        self._marked, self._marked_s = set(keys), time.monotonic()
        for name, partition in sorted(keys):
            topic, side = topics.BY_NAME[name], self._sides[name, partition]
            try:
                self._producer.send(topic, partition, topic.rows.empty(), side.published_ns)
            except (QueueFull, BrokerUnreachable):
                return

    def _read(self, messages: list[Any]) -> None:
        for message in messages:
            key = message.topic.name, message.partition
            try:
                frame = frames.decode(message.topic.rows, message.value, message.headers)
            except frames.FrameError:
                continue  # readers of the signals say so
            self._sides[key].published(frame.rows, frame.watermark_ns)
            is_ours = not self._is_session_due and message.position.session == self._producer.session
            if is_ours and key in self._marked:
                self._marked.discard(key)
                if key not in self._live:
                    self._taken.add(key)

    def _take(self, key: Key) -> None:
        """Send what is owed behind the mark; when there is no room, all of it at the next look."""
        topic, side = topics.BY_NAME[key[0]], self._sides[key]
        rows, step = side.owed(), self._frame_rows
        newest_ns = max(side.computed_ns, side.published_ns)
        try:
            for first in range(0, max(rows.size, 1), step):
                last = first + step >= rows.size
                watermark_ns = newest_ns if last else side.published_ns
                self._producer.send(topic, key[1], rows[first : first + step], watermark_ns)
        except QueueFull:
            return
        self._taken.discard(key)
        self._live.add(key)
        if not self._is_taking():
            self._log.info("taken over", colour=self._colour, epoch=self._release.epoch)

    def _restarted(self, names: list[str]) -> None:
        """Begin the comparison anew where the log did."""
        for name, partition in self._sides:
            if name in names:
                self._sides[name, partition] = Parity(topics.BY_NAME[name].rows)
        self.on_restart([name for name in names if name not in _SHADOW_NAMES])

    def _told(self, health: Health) -> Health:
        """Return the report with what the release needs; only who is active reports as the market flow."""
        active = self._release.active == self._colour
        sides = self._sides.items()
        figures = {
            "release_green": float(self._colour == "green"),
            "release_active": float(active),
            "release_epoch": float(self._release.epoch),
            "lag_messages": float(str(STATE.figures()["lag_messages"])),
            "parity_unaligned_partitions": float(sum(not side.is_aligned() for _, side in sides)),
            "parity_equal_rows": float(sum(side.counts.equal for _, side in sides)),
            "parity_wrong_rows": float(sum(side.counts.wrong for _, side in sides)),
            "parity_owed_rows": float(sum(side.waiting()[0] for _, side in sides)),
            "parity_ahead_rows": float(sum(side.waiting()[1] for _, side in sides)),
        }
        for (name, _), side in sides:
            if side.counts.wrong:
                wrong = f"parity_wrong_rows_{name}"
                figures[wrong] = figures.get(wrong, 0.0) + side.counts.wrong
        component = "market" if active else f"market-{self._colour}"
        return msgspec.structs.replace(
            health,
            id=f"{component}-{health.recv_ns}",
            component=component,
            figures=health.figures | figures,
        )


_SHADOW_NAMES = {topic.name for topic in topics.SHADOWS.values()}
