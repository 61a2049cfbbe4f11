"""Gaps: which streams are incomplete, since when, and when they are whole again.

A gap is published twice: when it is noticed, and when it is closed. The newest event time of each
stream is kept in a small file, so that a feed that was killed can say what it missed.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from genesis.connectors import metrics
from genesis.connectors.feed.outbox import PACK_GAP, Lane
from genesis.operators.records import GapReason, Market, StreamKind


class Stream(NamedTuple):
    """A tick stream of one instrument."""

    market: Market
    symbol: bytes
    kind: StreamKind

    @property
    def text(self) -> str:
        """A name for files and messages."""
        return f"{self.market.name.lower()}:{self.symbol.decode()}@{self.kind.name.lower()}"


class OpenGap(NamedTuple):
    """A gap that is not closed yet."""

    start_ns: int
    reason: GapReason
    first_missing_id: int = 0
    last_missing_id: int = 0


class GapKeeper:
    """Opens and closes gaps, and writes their rows.

    Parameters
    ----------
    lanes
        Where gap rows of a shard go, by shard.
    """

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes
        self.open: dict[Stream, OpenGap] = {}
        self.total = 0

    def begin(self, stream: Stream, shard: int, gap: OpenGap, now: tuple[int, int]) -> None:
        """Open a gap; a stream that already has one keeps that. ``now`` is (recv_ns, watermark_ns)."""
        if stream in self.open:
            return
        self.open[stream] = gap
        self.total += 1
        metrics.FEED_GAPS.labels(stream.kind.name.lower(), gap.reason.name.lower()).inc()
        self._write(stream, shard, gap, 0, now)

    def end(self, stream: Stream, shard: int, end_ns: int, now: tuple[int, int]) -> None:
        """Close the stream's gap, if it has one."""
        gap = self.open.pop(stream, None)
        if gap is not None:
            self._write(stream, shard, gap, max(end_ns, gap.start_ns + 1), now)

    def _write(self, stream: Stream, shard: int, gap: OpenGap, end_ns: int, now: tuple[int, int]) -> None:
        recv_ns, watermark_ns = now
        lane = self._lanes[shard]
        effective_ns = max(end_ns or gap.start_ns, watermark_ns + 1)
        at = lane.next_at()
        PACK_GAP.pack_into(
            lane.buffer,
            at,
            gap.start_ns,
            end_ns,
            recv_ns,
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
    """What a feed remembers across its own death: the newest event time of each stream, ns."""

    newest_ns: dict[str, int] = {}


def remembered(data: Path) -> dict[str, int]:
    """Return the newest event time of each stream before this feed started; empty when it ended well."""
    try:
        return msgspec.json.decode((data / "feed.json").read_bytes(), type=Memory).newest_ns
    except (OSError, msgspec.MsgspecError):
        return {}


def remember(data: Path, newest_ns: dict[str, int]) -> None:
    """Keep the newest event times; an empty dictionary when there is nothing to miss."""
    target = data / "feed.json"
    if not newest_ns:
        target.unlink(missing_ok=True)
        return
    scratch = target.with_suffix(".part")
    scratch.write_bytes(msgspec.json.encode(Memory(newest_ns)))
    scratch.replace(target)
