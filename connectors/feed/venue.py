"""Where the venue is and what it offers: hosts, streams, instruments.

cryptofeed's exchange classes parse the exchange information and build the stream addresses; the
hosts are ours. Live hosts are market-data hosts from a list, without credentials; with the
simulator every address is the simulator's, so nothing else can be reached.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance, BinanceDelivery, BinanceFutures
from cryptofeed.symbols import Symbols

from genesis.connectors.settings import Settings, Venue
from genesis.operators.records import SYMBOL_BYTES, Market


class FeedError(RuntimeError):
    """The feed cannot work as asked; the message says why and what to do."""


LIVE_HOSTS = frozenset(
    {
        "data-stream.binance.vision",
        "data-api.binance.vision",
        "fstream.binance.com",
        "fapi.binance.com",
        "dstream.binance.com",
        "dapi.binance.com",
    }
)
"""Public market-data hosts. None of them takes an order from somebody without credentials."""

LIVE_LIMIT = 50
"""Instruments followed live when none are named: the first that the venue lists against USDT."""

STREAMS_PER_CONNECTION = 200
"""cryptofeed's limit; Binance allows 1,024."""


class Endpoint(NamedTuple):
    """One market of the venue."""

    market: Market
    websocket: str
    rest: str
    exchange_info: str
    depth: str
    depth_speed: str


_PATHS = {
    Market.SPOT: ("data-stream.binance.vision", "data-api.binance.vision", "/api/v3", "100ms", ""),
    Market.USDM: ("fstream.binance.com", "fapi.binance.com", "/fapi/v1", "0ms", "/usdm"),
    Market.COINM: ("dstream.binance.com", "dapi.binance.com", "/dapi/v1", "0ms", "/coinm"),
}


def endpoint(settings: Settings, market: Market) -> Endpoint:
    """Return where a market is.

    Raises
    ------
    FeedError
        When the simulator is meant but its address is not set, or is not on this machine.
    """
    socket_host, rest_host, path, speed, prefix = _PATHS[market]
    if settings.venue is Venue.SIMULATOR:
        parts = urlsplit(settings.venue_url)
        if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise FeedError(
                f"GENESIS_VENUE_URL must be the simulator's, on this machine; it was {settings.venue_url!r}"
            )
        socket, rest = f"ws://{parts.netloc}{prefix}", f"http://{parts.netloc}"
    else:
        assert {socket_host, rest_host} <= LIVE_HOSTS
        socket, rest = f"wss://{socket_host}", f"https://{rest_host}"
    return Endpoint(market, socket, rest, f"{rest}{path}/exchangeInfo", f"{rest}{path}/depth", speed)


class _Ours:
    """What we change in cryptofeed's classes: raw trades, and any depth speed the venue has."""

    websocket_channels: ClassVar = {L2_BOOK: "depth", TRADES: "trade", TICKER: "bookTicker"}
    valid_depth_intervals: ClassVar = {"0ms", "100ms", "250ms", "500ms", "1000ms"}


class Spot(_Ours, Binance):
    """Binance spot."""

    id = "GENESIS_SPOT"


class UsdM(_Ours, BinanceFutures):
    """Binance USD-M futures."""

    id = "GENESIS_USDM"


class CoinM(_Ours, BinanceDelivery):
    """Binance COIN-M futures."""

    id = "GENESIS_COINM"


EXCHANGES: dict[Market, type[Any]] = {Market.SPOT: Spot, Market.USDM: UsdM, Market.COINM: CoinM}


def instruments(market: Market, exchange_info: bytes) -> dict[str, str]:
    """Return the venue's symbols that trade now, by symbol, with cryptofeed's name for each.

    Raises
    ------
    FeedError
        When the answer is not exchange information.
    """
    try:
        mapping, info = EXCHANGES[market]._parse_symbol_data(msgspec.json.decode(exchange_info))  # noqa: SLF001
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError) as error:
        raise FeedError(
            f"the exchange information of {market.name.lower()} cannot be read: {error!r}"
        ) from None
    Symbols.set(EXCHANGES[market].id, mapping, info)
    names = {venue: name for name, venue in mapping.items() if not venue.startswith("p")}
    return {venue: name for venue, name in names.items() if len(venue) <= SYMBOL_BYTES}


def addresses(where: Endpoint, names: Iterable[str]) -> list[str]:
    """Return the websocket addresses that carry trades, quotes and depth of these instruments.

    ``names`` are cryptofeed's; ``instruments`` must have been called for the market before.
    """
    exchange = EXCHANGES[where.market]
    exchange.websocket_endpoints = [WebsocketEndpoint(where.websocket.replace("ws://", "wss://", 1))]
    exchange.rest_endpoints = [RestEndpoint(where.rest, routes=Routes("/"))]
    feed = exchange(
        symbols=sorted(names),
        channels=[TRADES, TICKER, L2_BOOK],
        depth_interval=where.depth_speed,
        config={"log": {"disabled": True}, "uvloop": False},
    )
    found = feed._address()  # noqa: SLF001 - cryptofeed has no public way to ask
    plain = found if isinstance(found, list) else [found]
    return [where.websocket + address.partition(feed.address)[2] for address in plain]


def wanted(settings: Settings) -> dict[Market, list[str]] | None:
    """Return the instruments that are asked for, by market; None for all that the venue offers.

    Raises
    ------
    FeedError
        For a name that is not ``market:SYMBOL``.
    """
    if not settings.symbols.strip():
        return None
    found: dict[Market, list[str]] = {}
    for word in settings.symbols.split(","):
        market, _, symbol = word.strip().partition(":")
        if market.upper() not in Market.__members__ or not symbol:
            raise FeedError(
                f"GENESIS_SYMBOLS takes names such as spot:BTCUSDT or usdm:ETHUSDT, was {word.strip()!r}"
            )
        found.setdefault(Market[market.upper()], []).append(symbol.upper())
    return found


def chosen(settings: Settings, market: Market, offered: dict[str, str]) -> dict[str, str]:
    """Return the instruments to follow, of those that the venue offers.

    Raises
    ------
    FeedError
        Naming an instrument that is asked for but not offered.
    """
    asked = wanted(settings)
    if asked is None:
        if settings.venue is Venue.SIMULATOR:
            return offered
        against_usdt = [symbol for symbol in offered if symbol.endswith("USDT")]
        return {symbol: offered[symbol] for symbol in against_usdt[:LIVE_LIMIT]}
    missing = [symbol for symbol in asked.get(market, []) if symbol not in offered]
    if missing:
        raise FeedError(
            f"{market.name.lower()}:{missing[0]} is not traded at the venue now. "
            f"It offers {len(offered)} instruments, such as {', '.join(list(offered)[:5])}"
        )
    return {symbol: offered[symbol] for symbol in asked.get(market, [])}


def cache_path(data: Path, market: Market) -> Path:
    """Return where the newest exchange information of a market is kept, for when the venue has none."""
    return data / f"exchange_info_{market.name.lower()}.json"
