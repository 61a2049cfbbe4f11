"""Control: the topic that says which colour writes, read to its end and written with a check.

Two who write at the same time give their records the same number. The log's order decides: the first
counts, for every reader, and the other one is told.
"""

import secrets
import time

import msgspec

from genesis.connectors.kafka import BrokerUnreachable, FrameConsumer, FrameProducer
from genesis.connectors.kafka.log import Log
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.release import FIRST, Release, ReleaseError, accepted

LOOK_S = 10.0
"""Longest time for the topic to be found, or for a record to be read back."""

QUIET_POLLS = 2
"""The embedded broker may name an early end: so many empty looks in a row must come after it."""

POLL_S = 0.1

_decoder = msgspec.json.Decoder(Release)


class Control:
    """A reader of the topic; ``now`` is what holds as far as it was read."""

    def __init__(self, settings: Settings, *, fetch_wait_ms: int = 20) -> None:
        self._consumer = FrameConsumer(
            settings.broker,
            {(topics.RELEASE.name, 0): None},
            fetch_wait_ms=fetch_wait_ms,
            name=f"release-{secrets.token_hex(3)}",
        )
        self.now = FIRST

    def poll(self, timeout_s: float = 0.0) -> int:
        """Read what has come; return how many records that were."""
        found = self._consumer.poll(100, timeout_s)
        for message in found:
            try:
                self.now = accepted(self.now, _decoder.decode(message.value))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # no record of ours
        return len(found)

    def read(self) -> Release:
        """Read to the end of the topic; return what holds.

        Raises
        ------
        BrokerUnreachable
            When the topic cannot be found in time.
        """
        deadline_s, quiet = time.monotonic() + LOOK_S, 0
        while quiet < QUIET_POLLS:
            quiet = 0 if self.poll(POLL_S) or not self._consumer.is_at_end() else quiet + 1
            if time.monotonic() > deadline_s:
                raise BrokerUnreachable(f"the topic {topics.RELEASE.full_name} could not be read in time")
        return self.now

    def write(self, settings: Settings, record: Release) -> None:
        """Write the next record and wait until it holds.

        Raises
        ------
        ReleaseError
            When somebody else's record was first.
        BrokerUnreachable
            When it was not read back in time; it may hold or not.
        """
        producer = FrameProducer.of(settings, "release")
        producer.send_record(topics.RELEASE, record)
        producer.flush(LOOK_S)
        deadline_s = time.monotonic() + LOOK_S
        while self.now.number < record.number:
            self.poll(POLL_S)
            if time.monotonic() > deadline_s:
                raise BrokerUnreachable("the step was not read back in time: see `genesis release status`")
        if self.now.id != record.id:
            raise ReleaseError("somebody else changed the release at the same time: see its status first")

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def opened(settings: Settings) -> Control:
    """Return a reader that stands at the end of the topic.

    Raises
    ------
    ReleaseError
        When there is no such topic.
    """
    if not Log(settings.broker, "release").generations([topics.RELEASE])[topics.RELEASE.name]:
        raise ReleaseError(
            f"the broker at {settings.broker} has no topic {topics.RELEASE.full_name}: "
            "run `genesis migrate` or start a part of this version first"
        )
    control = Control(settings)
    control.read()
    return control
