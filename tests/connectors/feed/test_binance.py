"""Binance's hosts, paths and instruments; and that nothing else can be reached."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from genesis.connectors import settings
from genesis.connectors.feed.binance import LIVE_HOSTS, BinanceAdapter
from genesis.connectors.feed.venue import FeedError, Offer
from genesis.connectors.feed.websocket import HostRefused, new_session
from genesis.connectors.settings import Venue
from genesis.operators.records import Market
from tests.connectors.feed.running import venue

SIMULATOR = "http://127.0.0.1:8777"
PRODUCTION = (
    "https://api.binance.com/api/v3/ping",
    "https://data-api.binance.vision/api/v3/ping",
    "https://fapi.binance.com/fapi/v1/ping",
)


def listing(symbol: str, status: str = "TRADING", **more: object) -> dict[str, object]:
    filters = [{"filterType": "LOT_SIZE", "stepSize": "1"}, {"filterType": "PRICE_FILTER", "tickSize": "0.1"}]
    return {
        "symbol": symbol,
        "status": status,
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "filters": filters,
    } | more


def exchange_info(*listings: dict[str, object]) -> bytes:
    return msgspec.json.encode({"symbols": listings})


def live(**changes: object) -> BinanceAdapter:
    return BinanceAdapter(settings.read(venue=Venue.BINANCE, **changes))


def urls_of(adapter: BinanceAdapter) -> list[str]:
    found = []
    for market in Market:
        contract = {} if market is Market.SPOT else {"contractType": "PERPETUAL"}
        offer = adapter.offer(
            market, exchange_info(*(listing(f"COIN{n}USDT", **contract) for n in range(70)))
        )
        found += [adapter.listings_url(market), adapter.snapshot_url(market, "COIN1USDT")]
        found += [address.url for address in adapter.addresses(market, offer.trading)]
    return found


def test_with_the_simulator_every_address_is_the_simulators() -> None:
    adapter = BinanceAdapter(settings.read(venue_url=SIMULATOR))
    assert {urlsplit(url).netloc for url in urls_of(adapter)} == {"127.0.0.1:8777"}
    assert {urlsplit(url).scheme for url in urls_of(adapter)} == {"http", "ws"}
    assert adapter.hosts == {"127.0.0.1"}


@pytest.mark.parametrize("url", PRODUCTION)
def test_with_the_simulator_no_request_can_go_to_production_not_even_by_a_redirect(url: str) -> None:
    async def ask() -> None:
        adapter = BinanceAdapter(settings.read(venue_url=SIMULATOR))
        async with new_session(adapter.hosts, adapter.headers) as session:
            with pytest.raises(HostRefused, match="is not a host of the venue"):
                await session.get(url)
            with pytest.raises(HostRefused):
                await session.ws_connect(url.replace("https", "wss"))

    asyncio.run(ask())


@pytest.mark.parametrize("url", ["", "https://127.0.0.1:1", "http://api.binance.com", "127.0.0.1:8777"])
def test_an_address_that_is_no_simulators_is_refused(url: str) -> None:
    with pytest.raises(FeedError, match="must be the simulator's"):
        BinanceAdapter(settings.read(venue_url=url))


def test_live_addresses_are_those_of_market_data_hosts_and_encrypted() -> None:
    adapter = live()
    assert {urlsplit(url).hostname for url in urls_of(adapter)} <= LIVE_HOSTS
    assert {urlsplit(url).scheme for url in urls_of(adapter)} == {"https", "wss"}
    assert adapter.headers == {}


def test_live_perpetuals_are_divided_by_path_and_all_others_are_together() -> None:
    adapter = live()
    adapter.offer(Market.USDM, exchange_info(listing("BTCUSDT", contractType="PERPETUAL")))
    book, trades = adapter.addresses(Market.USDM, ("BTCUSDT",))
    assert book.url.startswith("wss://fstream.binance.com/public/stream?streams=")
    assert set(book.url.rpartition("=")[2].split("/")) == {"btcusdt@bookTicker", "btcusdt@depth@0ms"}
    assert trades.url == "wss://fstream.binance.com/market/stream?streams=btcusdt@trade"
    assert (trades.has_ticks, trades.has_books) == (True, False)
    adapter.offer(Market.SPOT, exchange_info(listing("BTCUSDT")))
    (spot,) = adapter.addresses(Market.SPOT, ("BTCUSDT",))
    names = {"btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@100ms"}
    assert set(spot.url.rpartition("=")[2].split("/")) == names


def test_many_instruments_are_divided_so_that_the_streams_of_each_stay_together() -> None:
    adapter = live()
    offer = adapter.offer(Market.SPOT, exchange_info(*(listing(f"COIN{n}USDT") for n in range(130))))
    addresses = adapter.addresses(Market.SPOT, offer.trading)
    assert [len(address.symbols) for address in addresses] == [60, 60, 10]
    for address in addresses:
        assert address.url.count("@") == len(address.symbols) * 3 + len(address.symbols)
        assert all(address.url.count(f"{symbol.lower()}@") >= 3 for symbol in address.symbols)


def test_instruments_that_do_not_trade_are_told_from_those_that_do_not_exist() -> None:
    adapter = live(symbols="spot:BTCUSDT,spot:LUNAUSDT")
    offer = adapter.offer(Market.SPOT, exchange_info(listing("BTCUSDT"), listing("LUNAUSDT", "BREAK")))
    assert offer == Offer(("BTCUSDT",), {"LUNAUSDT": "BREAK"})
    assert adapter.chosen(Market.SPOT, offer) == ("BTCUSDT",)
    with pytest.raises(FeedError, match="spot:LUNAUSDT is unknown"):
        adapter.chosen(Market.SPOT, Offer(("BTCUSDT",), {}))


@pytest.mark.parametrize("names", ["BTCUSDT", "moon:BTCUSDT", "spot:", "spot"])
def test_misspelt_instruments_are_refused_with_an_example(names: str) -> None:
    with pytest.raises(FeedError, match="takes names such as spot:BTCUSDT"):
        live(symbols=names)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"symbols":[{}]}', b'{"symbols":[1]}', b"<html>"])
def test_unreadable_exchange_information_is_a_sentence(body: bytes) -> None:
    with pytest.raises(FeedError, match="the exchange information of spot cannot be read"):
        live().offer(Market.SPOT, body)


def test_cryptofeed_writes_no_log_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    urls_of(live())
    assert list(tmp_path.iterdir()) == []


def test_the_simulators_exchange_information_is_understood(short: list[Path]) -> None:
    async def ask() -> list[Offer]:
        async with venue(replay=tuple(map(str, short))) as (url, _):
            adapter = BinanceAdapter(settings.read(venue_url=url))
            async with new_session(adapter.hosts, adapter.headers) as session:
                found = []
                for market in adapter.markets():
                    async with session.get(adapter.listings_url(market)) as answer:
                        found.append(adapter.offer(market, await answer.read()))
                return found

    assert asyncio.run(ask()) == [Offer(("BTCUSDT",), {}), Offer(("ETHUSDT",), {}), Offer((), {})]
