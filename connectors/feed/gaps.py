"""Gaps: which streams are incomplete, since when, and when they are whole again.

A gap is published twice: when it is noticed, and when it is closed. A stream has at most one open gap;
what happens to it meanwhile belongs to that one. What every stream is known to be complete to is kept
in a small file, so that a feed that was killed can say what it missed.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from genesis.connectors import metrics
from genesis.connectors.feed.outbox import PACK_GAP, Lane
from genesis.operators.records import GapReason, Market, StreamKind
from genesis.operators.topics import shard_of


class Stream(NamedTuple):
    """A tick stream of one instrument."""

    market: Market
    symbol: bytes
    kind: StreamKind

    @property
    def text(self) -> str:
        """A name for files and messages."""
        return f"{self.market.name.lower()}:{self.symbol.decode()}@{self.kind.name.lower()}"


class Now(NamedTuple):
    """When something is noticed: the receive time, and the watermark that stands."""

    recv_ns: int
    watermark_ns: int


class OpenGap(NamedTuple):
    """A gap that is not closed yet."""

    start_ns: int
    reason: GapReason
    first_missing_id: int = 0
    last_missing_id: int = 0
    is_published: bool = True


class GapKeeper:
    """Opens and closes gaps, and writes their rows.

    Parameters
    ----------
    lanes
        Where gap rows go, by shard.

    Attributes
    ----------
    open
        The open gap of each stream that has one.
    total
        Gaps published so far.
    is_losing
        Whether rows are being dropped for want of room: then no row closes an overflow.
    """

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes
        self.open: dict[Stream, OpenGap] = {}
        self.total = 0
        self.is_losing = False

    def begin(self, stream: Stream, gap: OpenGap, now: Now) -> None:
        """Open a gap; a stream that already has one keeps that."""
        self.publish(stream, now)
        if stream not in self.open:
            self.open[stream] = gap
            self._write_opening(stream, gap, now)

    def expect(self, stream: Stream, gap: OpenGap) -> None:
        """Open a gap that is published later: by ``publish``, or when the stream's next row ends it."""
        self.open.setdefault(stream, gap._replace(is_published=False))

    def publish(self, stream: Stream, now: Now) -> None:
        """Publish the stream's gap if it is only expected; one that lies in the future is none."""
        gap = self.open.get(stream)
        if gap is None or gap.is_published:
            return
        if gap.start_ns > now.watermark_ns:
            del self.open[stream]
            return
        self.open[stream] = gap._replace(is_published=True)
        self._write_opening(stream, gap, now)

    def publish_all(self, now: Now) -> None:
        """Publish every gap that is still only expected: no row has come that could have ended it."""
        for stream, gap in tuple(self.open.items()):
            if not gap.is_published:
                self.open[stream] = gap._replace(is_published=True)
                self._write_opening(stream, gap, now)

    def end(self, stream: Stream, end_ns: int, now: Now, next_id: int = 0) -> None:
        """Close the stream's gap, if it has one, with the first row after it."""
        gap = self.open.get(stream)
        if gap is None or (self.is_losing and gap.reason is GapReason.OVERFLOW):
            return
        del self.open[stream]
        if not gap.is_published:
            if end_ns <= gap.start_ns:
                return
            self._write_opening(stream, gap, now)
        if gap.first_missing_id and not gap.last_missing_id and next_id:
            found = (gap.first_missing_id, next_id - 1) if next_id > gap.first_missing_id else (0, 0)
            gap = gap._replace(first_missing_id=found[0], last_missing_id=found[1])
        self._write(stream, gap, max(end_ns, gap.start_ns + 1), now)

    def _write_opening(self, stream: Stream, gap: OpenGap, now: Now) -> None:
        self.total += 1
        metrics.FEED_GAPS.labels(stream.kind.name.lower(), gap.reason.name.lower()).inc()
        self._write(stream, gap, 0, now)

    def _write(self, stream: Stream, gap: OpenGap, end_ns: int, now: Now) -> None:
        lane = self._lanes[shard_of(stream.market, stream.symbol, len(self._lanes))]
        effective_ns = max(end_ns or gap.start_ns, now.watermark_ns + 1)
        at = lane.next_at()
        PACK_GAP.pack_into(
            lane.buffer,
            at,
            gap.start_ns,
            end_ns,
            now.recv_ns,
            effective_ns,
            1 if end_ns else 0,
            gap.first_missing_id,
            gap.last_missing_id,
            stream.symbol,
            stream.market,
            stream.kind,
            gap.reason,
        )
        metrics.FEED_GAPS_OPEN.set(len(self.open))


class Memory(msgspec.Struct):
    """What a feed remembers across its own death.

    ``venue`` says whose times these are; ``complete_ns`` to when each stream is known to be complete,
    ns by the venue's clock.
    """

    venue: str = ""
    complete_ns: dict[str, int] = {}


def remembered(data: Path, venue: str) -> dict[str, int]:
    """Return to when each stream was complete when the feed before this one ended.

    Empty when that one came to the end of a replay, or followed another venue.
    """
    try:
        memory = msgspec.json.decode((data / "feed.json").read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):
        return {}
    return memory.complete_ns if memory.venue == venue else {}


def remember(data: Path, memory: Memory) -> None:
    """Keep what is known; without any stream there is nothing to miss."""
    target = data / "feed.json"
    if not memory.complete_ns:
        target.unlink(missing_ok=True)
        return
    data.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".part")
    scratch.write_bytes(msgspec.json.encode(memory))
    scratch.replace(target)
