"""The synthetic market through the venue: the same bytes for the same seed, and books that hold together."""

from tests.connectors.venue.venues import (
    BookByTheRules,
    all_streams,
    contiguous,
    of_stream,
    run,
    running,
    synthetic,
    until_end,
)

REPLAY = "/stream?genesis=replay&"


def test_two_runs_give_the_same_bytes() -> None:
    async def once() -> list[str]:
        texts: list[str] = []
        async with (
            running(**synthetic(symbols=4)) as venue,
            venue.connect(REPLAY + all_streams(venue.server)) as socket,
        ):
            while not texts or "genesis@end" not in texts[-1]:
                texts.append((await socket.receive()).data)
            depth = await venue.session.get(f"{venue.url}/api/v3/depth?symbol=ETHUSDT&limit=1000")
            texts.append(await depth.text())
        return texts

    async def test() -> None:
        assert await once() == await once()

    run(test)


def test_books_by_the_rules_are_never_crossed_and_agree_with_the_quotes() -> None:
    async def test() -> None:
        async with (
            running(**synthetic(symbols=6, rate_hz=3_000, duration_s=10)) as venue,
            venue.connect(REPLAY + all_streams(venue.server)) as socket,
        ):
            events = await until_end(socket)
            for symbol in ("BTCUSDT", "ADAUSDT"):
                book = BookByTheRules(await venue.get(f"/api/v3/depth?symbol={symbol}&limit=1000"))
                quotes = {each["u"]: each for each in of_stream(events, f"{symbol.lower()}@bookTicker")}
                newest = {}
                for event in events:
                    if event["stream"] == f"{symbol.lower()}@bookTicker":
                        newest = event["data"]
                    elif event["stream"] == f"{symbol.lower()}@depth@100ms" and book.apply(event["data"]):
                        assert newest["u"] <= book.last_id
                        assert book.best() == tuple(float(newest[name]) for name in "bBaA")
                assert book.rows == 99, "the snapshot holds the first of 100 diffs"
                assert sorted(quotes) == [e["u"] for e in of_stream(events, f"{symbol.lower()}@bookTicker")]
                assert contiguous([e["t"] for e in of_stream(events, f"{symbol.lower()}@trade")])

    run(test)


def test_prices_are_written_in_whole_ticks_with_eight_decimals() -> None:
    async def test() -> None:
        async with running(**synthetic(symbols=20)) as venue:
            info = (await venue.get("/api/v3/exchangeInfo"))["symbols"]
            async with venue.connect(REPLAY + all_streams(venue.server)) as socket:
                events = await until_end(socket)
        steps = {
            each["symbol"]: [_e8(each["filters"][0]["tickSize"]), _e8(each["filters"][1]["stepSize"])]
            for each in info
        }
        trades = [event["data"] for event in events if event["stream"].endswith("@trade")]
        assert {trade["s"] for trade in trades} == set(steps)
        for trade in trades:
            tick, step = steps[trade["s"]]
            assert _e8(trade["p"]) % tick == _e8(trade["q"]) % step == 0
            assert len(trade["p"].partition(".")[2]) == 8

    run(test)


def _e8(text: str) -> int:
    return int(text.replace(".", ""))


def test_a_live_market_starts_by_itself_and_goes_by_the_clock() -> None:
    async def test() -> None:
        async with (
            running(**synthetic(symbols=1) | {"speed": 1.0}) as venue,
            venue.connect("/stream?genesis=replay&streams=btcusdt@depth@100ms") as socket,
        ):
            assert (await venue.status())["state"] == "playing"
            assert (await socket.receive_json())["data"]["e"] == "depthUpdate"
            assert not venue.server.player._is_patient

    run(test)


def test_an_endless_market_that_nobody_hears_still_answers() -> None:
    async def test() -> None:
        async with running(**synthetic(duration_s=float("inf"), wait_for=())) as venue:
            first = (await venue.status())["position"]["messages"]
            while (await venue.status())["position"]["messages"] == first:
                pass
            assert (await venue.get("/api/v3/depth?symbol=BTCUSDT"))["bids"]

    run(test)
