"""Clients that know nothing of the simulator: Binance's own SDK, and cryptofeed."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.connectors.venue.venues import SPOT_FILES, USDM_FILES, Venue, run, running, synthetic

sdk = pytest.importorskip("binance_sdk_spot.spot")
configuration = pytest.importorskip("binance_common.configuration")


def rest_client(venue: Venue) -> Any:
    return sdk.Spot(
        config_rest_api=configuration.ConfigurationRestAPI(base_path=venue.url, timeout=5_000)
    ).rest_api


def test_the_sdk_reads_exchange_information_time_and_depth() -> None:
    async def test() -> None:
        async with running(**synthetic(symbols=3)) as venue:
            rest = rest_client(venue)

            def ask() -> tuple[Any, ...]:
                return (
                    rest.exchange_info().data(),
                    rest.exchange_info(symbol="ETHUSDT").data(),
                    rest.time().data(),
                    rest.depth(symbol="BTCUSDT", limit=20),
                    rest.ping().status,
                )

            info, one, time, depth, ping = await asyncio.to_thread(ask)
            assert [each.symbol for each in info.symbols] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
            assert info.symbols[0].status == "TRADING"
            assert info.rate_limits[0].limit == 6_000
            assert [each.symbol for each in one.symbols] == ["ETHUSDT"]
            assert time.server_time == venue.server.player.event_ms
            book = depth.data()
            assert len(book.bids) == len(book.asks) == 20
            assert Decimal(book.bids[0][0]) < Decimal(book.asks[0][0])
            assert ping == 200

    run(test)


def test_the_sdk_meets_errors_as_its_own_exceptions() -> None:
    errors = pytest.importorskip("binance_common.errors")

    async def test() -> None:
        async with running(**synthetic()) as venue:
            with pytest.raises(errors.BadRequestError, match="Invalid symbol"):
                await asyncio.to_thread(rest_client(venue).depth, symbol="NOSUCH")
            await venue.fault("429:depth:count=9")
            with pytest.raises(errors.TooManyRequestsError):
                await asyncio.to_thread(rest_client(venue).depth, symbol="BTCUSDT")

    run(test)


def test_the_sdk_listens_to_trades_quotes_and_diffs(recordings: Path) -> None:
    async def test() -> None:
        path = str(recordings / "raw_ws" / SPOT_FILES[0])
        wait_for = tuple(f"spot/btcusdt@{name}" for name in ("trade", "bookTicker", "depth@100ms"))
        async with running(replay=(path,), wait_for=wait_for, speed=50.0) as venue:
            streams = sdk.Spot(
                config_ws_streams=configuration.ConfigurationWebSocketStreams(
                    stream_url=venue.url.replace("http", "ws"), reconnect_delay=100
                )
            ).websocket_streams
            connection = await streams.create_connection()
            heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
            for name, stream in (
                ("trade", await connection.trade(symbol="btcusdt")),
                ("quote", await connection.book_ticker(symbol="btcusdt")),
                ("diff", await connection.diff_book_depth(symbol="btcusdt", update_speed="100ms")),
            ):
                stream.on("message", lambda data, name=name: heard.put_nowait((name, data)))
            first: dict[str, Any] = {}
            while len(first) < 3:
                name, data = await heard.get()
                first.setdefault(name, data)
            assert first["trade"].s == first["quote"].s == first["diff"].s == "BTCUSDT"
            assert first["trade"].t == 3_735_683_259
            assert first["quote"].b == "61837.63000000"
            assert first["diff"].U == 50_093_239_189
            await connection.close_connection(close_session=True)

    run(test)


@pytest.mark.parametrize(
    ("class_name", "path", "symbols", "ticks"),
    [
        ("Binance", "/api/v3", ["BTC-USDT", "ETH-USDT"], ["0.01000000", "0.01000000"]),
        ("BinanceFutures", "/fapi/v1", ["BTC-USDT-PERP", "ETH-USDT-PERP"], ["0.1", "0.01"]),
    ],
)
def test_cryptofeed_reads_exchange_info(
    recordings: Path, class_name: str, path: str, symbols: list[str], ticks: list[str]
) -> None:
    exchanges = pytest.importorskip("cryptofeed.exchanges")

    async def test() -> None:
        names = tuple(str(recordings / "raw_ws" / name) for name in (*SPOT_FILES, *USDM_FILES))
        async with running(replay=names) as venue:
            info = await venue.get(f"{path}/exchangeInfo")
            parsed, extra = getattr(exchanges, class_name)._parse_symbol_data(info)
            assert [each for each in parsed if not each.endswith("PINDEX")] == symbols
            assert [extra["tick_size"][each] for each in symbols] == ticks

    run(test)


def test_cryptofeed_follows_a_book_and_trades(recordings: Path) -> None:
    exchanges = pytest.importorskip("cryptofeed.exchanges")
    from cryptofeed.connection import RestEndpoint, Routes
    from cryptofeed.defines import L2_BOOK, TICKER, TRADES

    async def test() -> None:
        path = str(recordings / "raw_ws" / SPOT_FILES[1])
        async with running(replay=(path,)) as venue:
            routes = Routes("/api/v3/exchangeInfo", l2book="/api/v3/depth?symbol={}&limit={}")

            class Simulated(exchanges.Binance):  # type: ignore[misc, name-defined]
                id = "SIMULATED"
                rest_endpoints: ClassVar = [RestEndpoint(venue.url, routes=routes)]

            seen: dict[str, list[Any]] = {"book": [], "trade": [], "ticker": []}

            def keep(name: str) -> Any:
                async def callback(item: Any, _receipt: float) -> None:
                    seen[name].append(item)

                return callback

            callbacks = {L2_BOOK: keep("book"), TRADES: keep("trade"), TICKER: keep("ticker")}
            channels = [L2_BOOK, TRADES, TICKER]

            def construct() -> Any:
                return Simulated(symbols=["ETH-USDT"], channels=channels, callbacks=callbacks)

            feed = await asyncio.to_thread(construct)
            feed.http_conn.raw_data_callback = None
            stream = feed._address().removeprefix("wss://stream.binance.com:9443")
            async with venue.connect(stream + "&genesis=replay") as socket:
                async for message in socket:
                    if "genesis@end" in message.data[:40]:
                        break
                    await feed.message_handler(message.data, None, 0.0)
            await feed.http_conn.close()
        assert len(seen["trade"]) == 6_106
        assert len(seen["ticker"]) == 24_077
        assert len(seen["book"]) == 1 + 3_434 - 2, "the snapshot, and all diffs but the two that it holds"
        book = seen["book"][-1].book
        assert book.bids.index(0)[0] < book.asks.index(0)[0]

    run(test)
