"""Streams that are made from the source's diffs: slower diffs and partial books.

Their pace is that of event time, so they are the same at any speed.
"""

import msgspec

from genesis.connectors.venue.book import Diff, Level, VenueBook
from genesis.connectors.venue.streams import Request
from genesis.operators.records import Market


class SlowDiffs:
    """Diffs of an interval in one: first to last id, and of each level its last quantity."""

    def __init__(self, request: Request) -> None:
        self._interval_ms = request.interval_ms
        self._due_ms = 0
        self._first: Diff | None = None
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}

    def on_diff(self, diff: Diff, book: VenueBook) -> bytes | None:
        """Take in a diff; return the merged one when its interval is over."""
        if self._first is None:
            self._first = diff
            self._due_ms = self._due_ms or _next_ms(diff.event_ms, self._interval_ms)
        self._bids.update(diff.bids)
        self._asks.update(diff.asks)
        if diff.event_ms < self._due_ms:
            return None
        merged: dict[str, object] = {"e": "depthUpdate", "E": diff.event_ms}
        if book.market != Market.SPOT:
            merged["T"] = diff.transaction_ms
        merged |= {"s": book.symbol, "U": self._first.first_id, "u": diff.last_id}
        if self._first.previous_id is not None:
            merged["pu"] = self._first.previous_id
        merged |= {"b": list(self._bids.items()), "a": list(self._asks.items())}
        self._first = None
        self._bids, self._asks = {}, {}
        self._due_ms = _next_ms(diff.event_ms, self._interval_ms)
        return msgspec.json.encode(merged)


class PartialBook:
    """The best levels of the book, at most once an interval."""

    def __init__(self, request: Request) -> None:
        self._interval_ms = request.interval_ms
        self._levels = request.levels
        self._due_ms = 0

    def on_diff(self, diff: Diff, book: VenueBook) -> bytes | None:
        """Take in a diff, already applied to ``book``; return the best levels when they are due."""
        if diff.event_ms < self._due_ms or not book.is_whole:
            return None
        self._due_ms = _next_ms(diff.event_ms, self._interval_ms)
        bids, asks = book.levels(self._levels)
        return self._payload(diff, book, bids, asks)

    def _payload(self, diff: Diff, book: VenueBook, bids: list[Level], asks: list[Level]) -> bytes:
        if book.market == Market.SPOT:
            return msgspec.json.encode({"lastUpdateId": diff.last_id, "bids": bids, "asks": asks})
        head = {"e": "depthUpdate", "E": diff.event_ms, "T": diff.transaction_ms, "s": book.symbol}
        ids = {"U": diff.first_id, "u": diff.last_id, "pu": diff.previous_id}
        return msgspec.json.encode({**head, **ids, "b": bids, "a": asks})


Derived = SlowDiffs | PartialBook


def derived(request: Request) -> Derived:
    """Return what makes the stream of a request."""
    return PartialBook(request) if request.levels else SlowDiffs(request)


def _next_ms(event_ms: int, interval_ms: int) -> int:
    return event_ms - event_ms % interval_ms + interval_ms if interval_ms else event_ms
