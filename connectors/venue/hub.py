"""The hub: which connection listens to what, and the venue's books.

A *channel* is one stream as it is sent: the trades of a symbol, its quotes, its diffs as they come, and
whatever is made of them for a client that asked for another form.
"""

import asyncio
from collections.abc import Collection, Iterable

import msgspec

from genesis.connectors.venue.book import Diff, VenueBook
from genesis.connectors.venue.connection import Connection
from genesis.connectors.venue.derived import Derived, derived
from genesis.connectors.venue.source import Instrument, Kind, Source, StreamKey
from genesis.connectors.venue.streams import Request, parse
from genesis.operators.records import Market


class Channel:
    """One stream and who listens to it, each under the name it asked for."""

    def __init__(self, request: Request | None) -> None:
        self.subscribers: dict[Connection, str] = {}
        self.is_whole = request is not None and request.kind == Kind.DIFF and not request.levels
        self.sent = 0
        self._is_aggregate = request is not None and request.aggregate
        self._derived: Derived | None = None
        if request is not None and (request.interval_ms or request.levels):
            self._derived = derived(request)

    def payload(self, payload: bytes, diff: Diff | None, book: VenueBook | None) -> bytes | None:
        """Return what is sent for a message of the source, or None."""
        if self._derived is not None and diff is not None and book is not None:
            return self._derived.on_diff(diff, book)
        return _aggregate(payload) if self._is_aggregate else payload


class _Trade(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    E: int


_decode_trade = msgspec.json.Decoder(_Trade).decode


def _aggregate(payload: bytes) -> bytes:
    """Return a trade in the form of an aggregate trade that holds it alone."""
    trade = _decode_trade(payload)
    head = {"e": "aggTrade", "E": trade.E, "s": trade.s, "a": trade.t, "p": trade.p, "q": trade.q}
    return msgspec.json.encode({**head, "f": trade.t, "l": trade.t, "T": trade.T, "m": trade.m, "M": True})


class Hub:
    """Subscriptions, books and instruments of one venue.

    Parameters
    ----------
    source
        What there is.
    awaited
        Streams without a listener for which the play does not start.
    """

    def __init__(self, source: Source, awaited: Iterable[StreamKey]) -> None:
        self.instruments: dict[tuple[Market, str], Instrument] = {
            (each.market, each.symbol): each for each in source.instruments
        }
        self.books = {key: VenueBook(*key) for key in self.instruments}
        self.opening = source.opening
        self.connections: set[Connection] = set()
        self.covered = asyncio.Event()
        self._awaited = tuple(awaited)
        self._names = source.streams
        self._channels: dict[StreamKey, dict[Request | None, Channel]] = {}
        self._update_coverage()

    def channels(self, market: Market, symbol: str, kind: Kind) -> Collection[Channel]:
        """Return all forms of a stream that somebody listens to; of other streams ``symbol`` is the name."""
        channels = self._channels.get((market, symbol, kind))  # type: ignore[call-overload]
        return () if channels is None else channels.values()

    def subscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Let a connection listen to streams; to those that do not exist too, which stay silent."""
        for name in names:
            if name in connection.names:
                continue
            request = connection.names[name] = self._request(connection.market, name)
            key = self._key(connection.market, name, request)
            channel = self._channels.setdefault(key, {}).setdefault(request, Channel(request))
            channel.subscribers[connection] = name
            if channel.is_whole and key.symbol not in connection.first_ids:
                connection.owed.add(key.symbol)
        self._update_coverage()

    def unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Let a connection listen to streams no longer."""
        for name in names:
            if name not in connection.names:
                continue
            request = connection.names.pop(name)
            self._leave(connection, self._key(connection.market, name, request), request)
        self._update_coverage()

    def join(self, connection: Connection) -> None:
        """Take in a connection."""
        self.connections.add(connection)

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        self.unsubscribe(connection, list(connection.names))

    def mute(self, connection: Connection, keys: Iterable[StreamKey]) -> None:
        """Send a connection nothing more of some streams, though it goes on listening."""
        for key in keys:
            for channel in self.channels(*key):
                channel.subscribers.pop(connection, None)
        self._update_coverage()

    def listeners(self, keys: Iterable[StreamKey]) -> list[Connection]:
        """Return the connections that listen to any of some streams."""
        found = {
            connection: None
            for key in keys
            for channel in self.channels(*key)
            for connection in channel.subscribers
        }
        return list(found)

    def all_streams(self) -> list[StreamKey]:
        """Return all streams that somebody has asked for or that the source has."""
        return list({**dict.fromkeys(self._names), **dict.fromkeys(self._channels)})

    def uncovered(self) -> list[str]:
        """Return the awaited streams that nobody listens to, as ``spot/btcusdt@trade``."""
        return [self.stream_name(key) for key in self._awaited if not self._is_heard(key)]

    def stream_name(self, key: StreamKey) -> str:
        """Return how a stream is named in the status."""
        name = self._names.get(key, key.symbol)
        return f"{key.market.name.lower()}/{name}"

    def owing(self, market: Market, symbol: str) -> Connection | None:
        """Return a connection that should be given the recorded snapshot of a symbol, if it still fits.

        It fits a connection whose first diff is not newer than the snapshot, whatever has been
        played since: the client has kept the diffs after it.
        """
        recorded_id = self.books[market, symbol].recorded_id
        for connection in self.connections:
            first_id = connection.first_ids.get(symbol)
            is_owed = connection.market == market and symbol in connection.owed
            if is_owed and first_id is not None and recorded_id >= first_id:
                return connection
        return None

    def restart_epoch(self, market: Market, symbol: str) -> None:
        """Note that the recorded diffs of a symbol have a gap: a new recorded snapshot is owed."""
        for connection in self.connections:
            if connection.market == market and connection.first_ids.pop(symbol, None) is not None:
                connection.owed.add(symbol)

    def _request(self, market: Market, name: str) -> Request | None:
        """Return what a name asks for; a recorded stream of that very name is sent as it is."""
        return None if StreamKey(market, name, Kind.OTHER) in self._names else parse(name, market)

    def _key(self, market: Market, name: str, request: Request | None) -> StreamKey:
        if request is None:
            return StreamKey(market, name, Kind.OTHER)
        return StreamKey(market, request.symbol, request.kind)

    def _leave(self, connection: Connection, key: StreamKey, request: Request | None) -> None:
        channels = self._channels.get(key, {})
        channel = channels.get(request)
        if channel is None:
            return
        channel.subscribers.pop(connection, None)
        connection.owed.discard(key.symbol)
        if channel.is_whole:
            connection.first_ids.pop(key.symbol, None)
        if not channel.subscribers:
            del channels[request]

    def _is_heard(self, key: StreamKey) -> bool:
        return any(channel.subscribers for channel in self.channels(*key))

    def _update_coverage(self) -> None:
        if all(map(self._is_heard, self._awaited)):
            self.covered.set()
        else:
            self.covered.clear()
