"""The venue's own order book of one instrument, rebuilt from a snapshot and the diffs after it.

Law: a book is either *whole*, and then equal to the recorded venue's after its last update, or it is
*waiting* for a snapshot and answers nothing. A gap in the recorded diffs makes it wait again. Diffs that
come before their snapshot are kept and applied after it, as a client does.
"""

import asyncio
from collections import deque
from typing import NamedTuple

import msgspec

from genesis.connectors.venue.source import Message
from genesis.operators.records import Market

Level = tuple[str, str]

EARLY_DIFFS_MAX = 20_000
"""Diffs kept while a snapshot is awaited; of more, the oldest are given up."""


class Diff(msgspec.Struct, gc=False):
    """A depth update."""

    first_id: int = msgspec.field(name="U")
    last_id: int = msgspec.field(name="u")
    symbol: str = msgspec.field(name="s")
    event_ms: int = msgspec.field(name="E", default=0)
    transaction_ms: int = msgspec.field(name="T", default=0)
    previous_id: int | None = msgspec.field(name="pu", default=None)
    bids: list[Level] = msgspec.field(name="b", default_factory=list)
    asks: list[Level] = msgspec.field(name="a", default_factory=list)


class Snapshot(msgspec.Struct):
    """A depth answer."""

    last_id: int = msgspec.field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]
    event_ms: int = msgspec.field(name="E", default=0)
    transaction_ms: int = msgspec.field(name="T", default=0)


decode_diff = msgspec.json.Decoder(Diff).decode
decode_snapshot = msgspec.json.Decoder(Snapshot).decode


class DepthAnswer(NamedTuple):
    """The answer to a depth request."""

    last_update_id: int
    recv_ns: int  # when it was recorded, or the receive time of the newest message played
    payload: bytes


class VenueBook:
    """One order book, changed by messages in the order of the source."""

    def __init__(self, market: Market, symbol: str) -> None:
        self.market = market
        self.symbol = symbol
        self.is_whole = False
        self.last_update_id = 0
        self.event_ms = 0
        self.transaction_ms = 0
        self.recorded: Message | None = None  # the snapshot this stretch of the book started from
        self.recorded_id = 0
        self.changed = asyncio.Event()  # set when the book becomes whole
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}
        self._early: deque[Diff] = deque(maxlen=EARLY_DIFFS_MAX)
        self._newest_recv_ns = 0

    def apply_diff(self, diff: Diff, recv_ns: int) -> bool:
        """Take in a diff; return False when it shows that diffs before it are missing."""
        self._newest_recv_ns = recv_ns
        self.event_ms, self.transaction_ms = diff.event_ms, diff.transaction_ms
        if not self.is_whole:
            self._early.append(diff)
            return True
        if diff.last_id <= self.last_update_id:
            return True
        follows = (
            diff.first_id <= self.last_update_id + 1
            if diff.previous_id is None
            else diff.previous_id == self.last_update_id or diff.first_id <= self.last_update_id
        )
        if not follows:
            self.is_whole = False
            self.recorded = None
            self.changed.clear()
            self._early.clear()
            self._early.append(diff)
            return False
        self._change(diff)
        return True

    def apply_snapshot(self, message: Message) -> None:
        """Take in a recorded snapshot; one that is older than the book changes nothing."""
        snapshot = decode_snapshot(message.payload)
        if self.is_whole and snapshot.last_id <= self.last_update_id:
            return
        if not self.is_whole:
            self.recorded, self.recorded_id = message, snapshot.last_id
        self._bids, self._asks = dict(snapshot.bids), dict(snapshot.asks)
        self.last_update_id = snapshot.last_id
        self._newest_recv_ns = message.recv_ns
        self.is_whole = True
        early, self._early = self._early, deque(maxlen=EARLY_DIFFS_MAX)
        for diff in early:
            if self.is_whole:
                self.apply_diff(diff, message.recv_ns)
            else:
                self._early.append(diff)
        if self.is_whole:
            self.changed.set()

    def levels(self, limit: int) -> tuple[list[Level], list[Level]]:
        """Return the best ``limit`` bids and asks, best first."""
        bids = sorted(self._bids.items(), key=_price, reverse=True)[:limit]
        return bids, sorted(self._asks.items(), key=_price)[:limit]

    def depth(self, limit: int) -> DepthAnswer:
        """Return the depth answer of the book as it is now."""
        bids, asks = self.levels(limit)
        payload = self._answer(self.last_update_id, bids, asks)
        return DepthAnswer(self.last_update_id, self._newest_recv_ns, payload)

    def recorded_depth(self, message: Message, limit: int) -> DepthAnswer:
        """Return a recorded snapshot as the depth answer; verbatim when no level is to be left out."""
        snapshot = decode_snapshot(message.payload)
        if max(len(snapshot.bids), len(snapshot.asks)) <= limit:
            return DepthAnswer(snapshot.last_id, message.recv_ns, message.payload)
        payload = self._answer(snapshot.last_id, snapshot.bids[:limit], snapshot.asks[:limit], snapshot)
        return DepthAnswer(snapshot.last_id, message.recv_ns, payload)

    def depth_as_of(self, last_update_id: int, limit: int) -> DepthAnswer:
        """Return the present levels under another id, which only the fault of a stale snapshot does."""
        payload = self._answer(last_update_id, *self.levels(limit))
        return DepthAnswer(last_update_id, self._newest_recv_ns, payload)

    def _answer(
        self, last_update_id: int, bids: list[Level], asks: list[Level], times: Snapshot | None = None
    ) -> bytes:
        answer: dict[str, object] = {"lastUpdateId": last_update_id}
        if self.market != Market.SPOT:
            source = times or self
            answer |= {"E": source.event_ms, "T": source.transaction_ms}
        if self.market == Market.COINM:
            answer |= {"symbol": self.symbol, "pair": self.symbol.partition("_")[0]}
        return msgspec.json.encode(answer | {"bids": bids, "asks": asks})

    def _change(self, diff: Diff) -> None:
        for side, levels in ((self._bids, diff.bids), (self._asks, diff.asks)):
            for price, qty in levels:
                if qty.strip("0."):
                    side[price] = qty
                else:
                    side.pop(price, None)
        self.last_update_id = diff.last_id


def _price(level: Level) -> float:
    return float(level[0])
