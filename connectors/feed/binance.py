"""Binance behind the feed's interface: hosts, streams and instruments.

cryptofeed's exchange classes parse the exchange information and name the streams; hosts, paths and the
division into connections are ours. Live hosts are market-data hosts from a list, without credentials;
with the simulator every address is the simulator's, so nothing else can be reached.
"""

from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance, BinanceDelivery, BinanceFutures
from cryptofeed.symbols import Symbols

from genesis.connectors.feed.venue import Address, FeedError, Offer
from genesis.connectors.settings import Settings, Venue
from genesis.operators.records import SYMBOL_BYTES, Market

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

LIVE_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "TRXUSDT")
"""Instruments of each market that are followed live when none are named, as far as they trade."""

LIVE_MARKETS = (Market.SPOT, Market.USDM)
"""Markets that are followed live when none are named."""

INSTRUMENTS_PER_CONNECTION = 60
"""Three streams each; Binance allows 1,024 streams a connection, cryptofeed 200."""

SNAPSHOT_LEVELS = 1_000
"""Levels a side of a snapshot; weight 50 on spot, 20 on futures."""

REPLAY_HEADERS = {"X-Genesis-Replay": "1"}


class _Place(NamedTuple):
    """Where a market is, live and at the simulator."""

    stream_host: str
    rest_host: str
    rest_path: str
    depth_speed: str
    simulator_prefix: str


_PLACES = {
    Market.SPOT: _Place("data-stream.binance.vision", "data-api.binance.vision", "/api/v3", "100ms", ""),
    Market.USDM: _Place("fstream.binance.com", "fapi.binance.com", "/fapi/v1", "0ms", "/usdm"),
    Market.COINM: _Place("dstream.binance.com", "dapi.binance.com", "/dapi/v1", "0ms", "/coinm"),
}

_ALL_CHANNELS = (TRADES, TICKER, L2_BOOK)
_LIVE_ROUTES = {
    Market.USDM: (("/public", (TICKER, L2_BOOK)), ("/market", (TRADES,))),
}
"""Live USD-M streams are divided by path; a path does not carry the other's streams."""


class _Ours:
    """What we change in cryptofeed's classes: raw trades, and any depth speed the venue has."""

    websocket_channels: ClassVar = {L2_BOOK: "depth", TRADES: "trade", TICKER: "bookTicker"}
    valid_depth_intervals: ClassVar = {"0ms", "100ms", "250ms", "500ms", "1000ms"}
    websocket_endpoints: ClassVar = [WebsocketEndpoint("wss://nowhere.invalid")]
    rest_endpoints: ClassVar = [RestEndpoint("https://nowhere.invalid", routes=Routes("/"))]


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


class BinanceAdapter:
    """Binance, or the simulator in its place; see `genesis.connectors.feed.venue.VenueAdapter`.

    Raises
    ------
    FeedError
        When the simulator is meant and its address is missing or Binance's, or for a name that is not
        ``market:SYMBOL``.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_replay = settings.venue is Venue.SIMULATOR
        self.headers = dict(REPLAY_HEADERS) if self.is_replay else {}
        self.hosts = (
            frozenset({urlsplit(settings.venue_url).hostname or ""}) if self.is_replay else LIVE_HOSTS
        )
        self.name = settings.venue_url if self.is_replay else "binance"
        self._simulator = _simulator(settings.venue_url) if self.is_replay else ""
        self._wanted = _wanted(settings.symbols)
        self._names: dict[tuple[Market, str], str] = {}  # cryptofeed's

    def markets(self) -> tuple[Market, ...]:
        """Return the markets to look at."""
        if self._wanted is not None:
            return tuple(sorted(self._wanted))
        return tuple(Market) if self.is_replay else LIVE_MARKETS

    def listings_url(self, market: Market) -> str:
        """Return the address of the exchange information."""
        return self._rest(market, "exchangeInfo")

    def offer(self, market: Market, body: bytes) -> Offer:
        """Return what a market offers, read by cryptofeed."""
        exchange = EXCHANGES[market]
        try:
            data = msgspec.json.decode(body)
            for symbol in data["symbols"]:
                symbol["filters"].sort(key=lambda each: each["filterType"] != "PRICE_FILTER")
            mapping, info = exchange._parse_symbol_data(data)  # noqa: SLF001 - there is no public way
            status = {
                each["symbol"]: each.get("status") or each["contractStatus"] for each in data["symbols"]
            }
        except (msgspec.MsgspecError, KeyError, IndexError, TypeError, AttributeError) as error:
            name = market.name.lower()
            raise FeedError(f"the exchange information of {name} cannot be read: {error!r}") from None
        Symbols.set(exchange.id, mapping, info)
        trading = []
        for name, symbol in mapping.items():
            if symbol in status and len(symbol) <= SYMBOL_BYTES:
                self._names[market, symbol] = name
                trading.append(symbol)
        halted = {symbol: word for symbol, word in status.items() if word != "TRADING"}
        return Offer(tuple(trading), halted)

    def chosen(self, market: Market, offer: Offer) -> tuple[str, ...]:
        """Return the instruments to follow: those asked for, as far as they trade."""
        if self._wanted is None:
            return offer.trading if self.is_replay else tuple(s for s in LIVE_SYMBOLS if s in offer.trading)
        asked = self._wanted.get(market, [])
        unknown = [symbol for symbol in asked if symbol not in offer.trading and symbol not in offer.halted]
        if unknown:
            raise FeedError(
                f"{market.name.lower()}:{unknown[0]} is unknown at the venue. It offers "
                f"{len(offer.trading)} instruments, such as {', '.join(offer.trading[:5]) or 'none'}"
            )
        return tuple(symbol for symbol in asked if symbol in offer.trading)

    def addresses(self, market: Market, symbols: tuple[str, ...]) -> list[Address]:
        """Return the connections: an instrument's streams together, except where Binance divides them."""
        place = _PLACES[market]
        routes = (
            (("", _ALL_CHANNELS),) if self.is_replay else _LIVE_ROUTES.get(market, (("", _ALL_CHANNELS),))
        )
        found = []
        for begin in range(0, len(symbols), INSTRUMENTS_PER_CONNECTION):
            part = symbols[begin : begin + INSTRUMENTS_PER_CONNECTION]
            for path, channels in routes:
                base = self._base("ws", place.stream_host) + (
                    place.simulator_prefix if self.is_replay else path
                )
                url = base + self._streams(market, part, channels, place.depth_speed)
                has_ticks = TRADES in channels or TICKER in channels
                found.append(Address(url, part, has_ticks, L2_BOOK in channels))
        return found

    def snapshot_url(self, market: Market, symbol: str) -> str:
        """Return the address of a depth snapshot."""
        return self._rest(market, "depth") + "?" + urlencode({"symbol": symbol, "limit": SNAPSHOT_LEVELS})

    def _streams(
        self, market: Market, symbols: tuple[str, ...], channels: tuple[str, ...], speed: str
    ) -> str:
        """Return path and query of a combined stream, as cryptofeed writes them."""
        exchange = EXCHANGES[market]
        feed = exchange(
            symbols=[self._names[market, symbol] for symbol in symbols],
            channels=list(channels),
            depth_interval=speed,
            config={"log": {"disabled": True}, "uvloop": False},
        )
        address: str = feed._address()  # noqa: SLF001 - cryptofeed has no public way to ask
        return address.removeprefix(feed.address)

    def _rest(self, market: Market, endpoint: str) -> str:
        place = _PLACES[market]
        return f"{self._base('http', place.rest_host)}{place.rest_path}/{endpoint}"

    def _base(self, scheme: str, live_host: str) -> str:
        """Return scheme and host: the simulator's when it is meant, and then no other."""
        if self.is_replay:
            return f"{scheme}://{self._simulator}"
        if live_host not in LIVE_HOSTS:
            raise FeedError(f"{live_host} is not a market-data host")
        return f"{scheme}s://{live_host}"


def _simulator(url: str) -> str:
    """Return host and port of the simulator, which is never one of Binance's."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not host or "binance" in host:
        raise FeedError(
            f"GENESIS_VENUE_URL must be the simulator's, such as http://127.0.0.1:8777, was {url!r}. "
            "`genesis venue` starts one; GENESIS_VENUE=binance takes live data"
        )
    return parts.netloc


def _wanted(names: str) -> dict[Market, list[str]] | None:
    """Return the instruments that are asked for, by market; None for all that the venue offers."""
    if not names.strip():
        return None
    found: dict[Market, list[str]] = {}
    for word in names.split(","):
        market, _, symbol = word.strip().partition(":")
        if market.upper() not in Market.__members__ or not symbol:
            raise FeedError(
                f"GENESIS_SYMBOLS takes names such as spot:BTCUSDT or usdm:ETHUSDT, was {word.strip()!r}"
            )
        listed = found.setdefault(Market[market.upper()], [])
        if symbol.upper() not in listed:
            listed.append(symbol.upper())
    return found
