"""Stream names: what a client may subscribe to, and what each name stands for."""

import re
from typing import NamedTuple

from genesis.connectors.venue.source import Kind
from genesis.operators.records import Market

_NAME = re.compile(r"([a-z0-9_]{1,20})@(trade|aggTrade|bookTicker|depth(5|10|20)?(?:@(\d{1,4})ms)?)")

FINEST_MS = 100
"""A depth stream of this speed or faster gets every diff of the source as it comes."""

_DEFAULT_MS = {Market.SPOT: 1_000, Market.USDM: 250, Market.COINM: 250}
_SPEEDS_MS = {
    Market.SPOT: {0, 100, 1_000},
    Market.USDM: {0, 100, 250, 500},
    Market.COINM: {0, 100, 250, 500},
}


class Request(NamedTuple):
    """A stream name understood.

    ``interval_ms`` is 0 for what is sent as it comes, ``levels`` 0 for anything but partial books,
    ``aggregate`` true for trades in the form of ``aggTrade``.
    """

    symbol: str
    kind: Kind
    interval_ms: int = 0
    levels: int = 0
    aggregate: bool = False


def parse(name: str, market: Market) -> Request | None:
    """Return what a stream name asks for, or None when this venue has no such stream.

    Binance accepts a subscription to a stream that does not exist and sends nothing; so do we.

    >>> parse("btcusdt@depth20@100ms", Market.SPOT)
    Request(symbol='BTCUSDT', kind=<Kind.DIFF: 2>, interval_ms=100, levels=20, aggregate=False)
    >>> parse("btcusdt@depth", Market.SPOT).interval_ms, parse("btcusdt@depth@100ms", Market.SPOT).interval_ms
    (1000, 0)
    >>> parse("btcusdt@kline_1m", Market.SPOT)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    symbol, stream, levels, speed_ms = match[1].upper(), match[2], int(match[3] or 0), match[4]
    if stream in ("trade", "aggTrade"):
        return Request(symbol, Kind.TRADE, aggregate=stream == "aggTrade")
    if stream == "bookTicker":
        return Request(symbol, Kind.QUOTE)
    interval_ms = int(speed_ms) if speed_ms is not None else _DEFAULT_MS[market]
    if interval_ms not in _SPEEDS_MS[market]:
        return None
    if not levels and interval_ms <= FINEST_MS:
        interval_ms = 0
    return Request(symbol, Kind.DIFF, interval_ms, levels)


def kind_of(name: str) -> Kind:
    """Return the kind of messages that a recorded stream of this name holds.

    >>> kind_of("btcusdt@depth@0ms").name, kind_of("btcusdt@depth5").name, kind_of("btcusdt@aggTrade").name
    ('DIFF', 'OTHER', 'OTHER')
    """
    stream = name.partition("@")[2]
    if stream == "trade":
        return Kind.TRADE
    if stream == "bookTicker":
        return Kind.QUOTE
    return Kind.DIFF if stream.split("@")[0] == "depth" else Kind.OTHER
