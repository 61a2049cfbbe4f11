"""Sources of market data: one ordered stream of messages, from recordings or made up."""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, Protocol

from genesis.operators.records import Market


class Kind(IntEnum):
    """What a message is about. ``OTHER`` is passed on under its own stream name, untouched."""

    TRADE = 0
    QUOTE = 1
    DIFF = 2
    SNAPSHOT = 3
    OTHER = 4


COUNTED_AS = {
    Kind.TRADE: "trades",
    Kind.QUOTE: "quotes",
    Kind.DIFF: "diffs",
    Kind.SNAPSHOT: "snapshots",
    Kind.OTHER: "other",
}
"""Names of the kinds in counts, as the end message and the status give them."""


class Message(NamedTuple):
    """One message of a venue.

    ``payload`` is the bare data: of a stream without the wrapper of combined streams, of a
    snapshot the REST answer. ``stream`` is the stream's full name, empty for a snapshot.
    """

    recv_ns: int
    market: Market
    kind: Kind
    symbol: str
    payload: bytes
    stream: str


class Instrument(NamedTuple):
    """What the exchange information says of one symbol. Increments are in units of 1e-8."""

    market: Market
    symbol: str
    base: str
    quote: str
    tick_e8: int
    step_e8: int

    @property
    def name(self) -> str:
        """How status and counts name it, as ``usdm/BTCUSDT``."""
        return f"{self.market.name.lower()}/{self.symbol}"


class StreamKey(NamedTuple):
    """A stream whatever its speed: all depth diffs of a symbol are one."""

    market: Market
    symbol: str
    kind: Kind


class Counts:
    """How many messages a source has given, by instrument and kind."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Market, str], list[int]] = {}
        self.total = 0

    def add(self, market: Market, symbol: str, kind: Kind) -> None:
        """Count one message."""
        self.total += 1
        row = self._rows.get((market, symbol))
        if row is None:
            row = self._rows[market, symbol] = [0] * len(Kind)
        row[kind] += 1

    def by_market(self) -> dict[str, dict[str, int]]:
        """Return the counts of every market, as ``{"spot": {"trades": 3, ...}}``."""
        sums: dict[str, list[int]] = {}
        for (market, _symbol), row in self._rows.items():
            before = sums.get(market.name.lower(), [0] * len(Kind))
            sums[market.name.lower()] = [a + b for a, b in zip(before, row, strict=True)]
        return {name: _named(row) for name, row in sorted(sums.items())}

    def by_instrument(self) -> dict[str, dict[str, int]]:
        """Return the counts of every instrument, as ``{"spot/BTCUSDT": {"trades": 3, ...}}``."""
        rows = sorted(self._rows.items())
        return {f"{market.name.lower()}/{symbol}": _named(row) for (market, symbol), row in rows}


def _named(row: list[int]) -> dict[str, int]:
    return {COUNTED_AS[Kind(kind)]: count for kind, count in enumerate(row) if count or kind != Kind.OTHER}


class Source(Protocol):
    """Market data in the order of ``recv_ns``.

    Iterating gives every message once and may raise `RecordingError`; ``counts`` says what
    has been given so far.
    """

    description: str
    live: bool  # made up as time goes by, so a slow client may be cut off instead of waited for
    start_ns: int  # recv_ns of the first message
    instruments: tuple[Instrument, ...]
    streams: dict[StreamKey, str]  # what there is to subscribe to, with the full stream name
    opening: dict[tuple[Market, str], Message]  # the first snapshot of each instrument, where it is known
    counts: Counts

    def __iter__(self) -> Iterator[Message]:
        """Yield all messages."""
        ...

    def fraction(self) -> float | None:
        """Return how much has been given, in [0, 1]; None when there is no end."""
        ...
