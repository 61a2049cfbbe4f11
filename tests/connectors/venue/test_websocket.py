"""The websocket interface: streams in all their forms, live subscription, limits and lifetime."""

import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from genesis.connectors.venue.websocket import Timing
from tests.connectors.venue.venues import (
    USDM_FILES,
    BookByTheRules,
    all_streams,
    contiguous,
    of_stream,
    run,
    running,
    synthetic,
    until_closed,
    until_end,
)

REPLAY = "/stream?genesis=replay&streams="


async def ask(socket: aiohttp.ClientWebSocketResponse, request: object) -> Any:
    """Send a request and return its answer, past what streams say meanwhile."""
    await socket.send_str(request if isinstance(request, str) else json.dumps(request))
    while True:
        event = await socket.receive_json()
        if "stream" not in event and "e" not in event and "u" not in event:
            return event


def test_streams_can_be_subscribed_and_left_while_connected() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue, venue.connect("/stream") as socket:
            names = ["btcusdt@trade", "ethusdt@bookTicker"]
            subscribe = {"method": "SUBSCRIBE", "params": names, "id": 1}
            assert await ask(socket, subscribe) == {"result": None, "id": 1}
            assert await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": "a"}) == {
                "result": names,
                "id": "a",
            }
            leave = {"method": "UNSUBSCRIBE", "params": names[:1], "id": None}
            assert await ask(socket, leave) == {"result": None, "id": None}
            assert await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 3}) == {
                "result": names[1:],
                "id": 3,
            }
            assert (await venue.status())["streams"]["spot/ethusdt@bookTicker"]["subscribers"] == 1

    run(test)


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("{", {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}),
        ('{"id":1}', {"code": 2, "msg": "Invalid request: missing field `method` at line 1 column 1"}),
        (
            '{"method":"SUBSCRIBE","params":[]}',
            {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
        ),
        (
            '{"method":"LIST_SUBSCRIPTIONS","id":1,"more":2}',
            {"code": 2, "msg": "Invalid request: too many parameters"},
        ),
        (
            '{"method":"SUBSCRIBE","params":[1],"id":1}',
            {"code": 2, "msg": "Invalid request: stream name must be a string"},
        ),
        (
            '{"method":"GET_PROPERTY","params":["colour"],"id":5}',
            {"code": 0, "msg": "Unknown property", "id": 5},
        ),
        (
            '{"method":"SET_PROPERTY","params":["combined",1],"id":5}',
            {"code": 1, "msg": "Invalid value type: expected Boolean"},
        ),
        (
            '{"method":"SET_PROPERTY","params":[],"id":5}',
            {"code": 2, "msg": "Invalid request: property name must be a string"},
        ),
        ('{"method":"GET_PROPERTY","params":["combined"],"id":2}', {"result": False, "id": 2}),
        ('{"method":"SET_PROPERTY","params":["combined",true],"id":2}', {"result": None, "id": 2}),
    ],
)
def test_requests_are_answered_as_documented(request_text: str, answer: object) -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue, venue.connect("/ws") as socket:
            assert await ask(socket, request_text) == answer

    run(test)


def test_an_unknown_method_is_named() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue, venue.connect("/ws") as socket:
            answer = await ask(socket, {"method": "SUBSCRIBED", "id": 1})
            assert answer["code"] == 2
            assert answer["msg"].startswith(
                "Invalid request: unknown variant `SUBSCRIBED`, expected one of `SUBSCRIBE`"
            )

    run(test)


def test_raw_streams_carry_the_bare_data() -> None:
    async def test() -> None:
        async with (
            running(**synthetic(wait_for=("spot/btcusdt@trade",))) as venue,
            venue.connect("/ws/btcusdt@trade") as socket,
        ):
            event = await socket.receive_json()
            assert list(event) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]

    run(test)


def test_a_client_that_talks_too_much_is_cut_off() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue, venue.connect("/ws") as socket:
            for number in range(6):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            assert len(await until_closed(socket)) == 5
            assert socket.close_code == 1008

    run(test)


def test_more_than_1024_streams_are_refused() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            names = [f"s{number}@trade" for number in range(1_025)]
            async with venue.connect("/stream") as socket:
                answer = await ask(socket, {"method": "SUBSCRIBE", "params": names, "id": 1})
                assert answer["code"] == 2
                fewer = {"method": "SUBSCRIBE", "params": names[1:], "id": 1}
                assert await ask(socket, fewer) == {"result": None, "id": 1}
            async with venue.connect(f"/stream?streams={'/'.join(names)}") as socket:
                assert await until_closed(socket) == []
                assert socket.close_code == 1008
            long_names = [f"averylongcoinnameusdt{number}@bookTicker" for number in range(1_024)]
            async with venue.connect(f"/stream?streams={'/'.join(long_names)}") as socket:
                listed = await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
                assert listed["result"] == long_names

    run(test)


def test_the_venue_pings_and_ends_a_connection_that_is_too_old() -> None:
    async def test() -> None:
        timing = Timing(ping_s=0.02, pong_s=60.0, life_s=0.1)
        async with (
            running(**synthetic(timing=timing)) as venue,
            venue.connect("/ws", autoping=False) as socket,
        ):
            first = await socket.receive()
            assert first.type == aiohttp.WSMsgType.PING
            assert first.data.isdigit()
            await socket.pong(first.data)
            assert await until_closed(socket)
            assert socket.close_code == 1001

    run(test)


def test_a_client_that_does_not_answer_pings_is_cut_off() -> None:
    async def test() -> None:
        timing = Timing(ping_s=0.02, pong_s=0.05)
        async with (
            running(**synthetic(timing=timing)) as venue,
            venue.connect("/ws", autoping=False) as socket,
        ):
            assert len(await until_closed(socket)) >= 2
            assert socket.close_code == 1006
            assert not venue.server.hub.connections

    run(test)


def test_microseconds_are_refused_rather_than_wrong() -> None:
    async def test() -> None:
        async with running(**synthetic()) as venue:
            answer = await venue.get("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND", status=400)
            assert answer["code"] == -1194

    run(test)


def test_slower_diffs_and_partial_books_follow_from_the_diffs() -> None:
    async def test() -> None:
        names = ("depth@100ms", "depth", "depth5@100ms", "depth20", "trade", "aggTrade", "bookTicker")
        query = "/".join(f"{symbol}@{name}" for symbol in ("btcusdt", "ethusdt") for name in names)
        async with running(**synthetic(duration_s=12.0)) as venue, venue.connect(REPLAY + query) as socket:
            events = await until_end(socket)
        data = {name: of_stream(events, f"btcusdt@{name}") for name in names}
        diffs, slow = data["depth@100ms"], data["depth"]
        assert contiguous([-diff["u"] for diff in diffs]) or len(diffs) > 100
        assert 10 <= len(slow) <= 12
        merged = {"lastUpdateId": diffs[0]["U"] - 1, "bids": [], "asks": []}
        for each in slow:
            part = [diff for diff in diffs if each["U"] <= diff["U"] and diff["u"] <= each["u"]]
            assert (part[0]["U"], part[-1]["u"], part[-1]["E"]) == (each["U"], each["u"], each["E"])
            assert dict(each["b"]) == {price: qty for diff in part for price, qty in diff["b"]}
            assert dict(each["a"]) == {price: qty for diff in part for price, qty in diff["a"]}
        assert all(after["U"] == before["u"] + 1 for before, after in itertools.pairwise(slow))
        assert merged["lastUpdateId"] + 1 == slow[0]["U"]
        for levels, name in ((5, "depth5@100ms"), (20, "depth20")):
            assert all(len(each["bids"]) == len(each["asks"]) == levels for each in data[name])
        assert 100 < len(data["depth5@100ms"]) <= 120
        assert 10 <= len(data["depth20"]) <= 13
        assert [(t["t"], t["p"], t["q"], t["T"], t["m"]) for t in data["trade"]] == [
            (t["a"], t["p"], t["q"], t["T"], t["m"]) for t in data["aggTrade"]
        ]
        assert all(each["f"] == each["l"] == each["a"] for each in data["aggTrade"])

    run(test)


def test_partial_books_are_the_top_of_the_book() -> None:
    async def test() -> None:
        query = "btcusdt@depth5@100ms/btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker"
        async with running(**synthetic(symbols=1)) as venue, venue.connect(REPLAY + query) as socket:
            events = await until_end(socket)
            book = BookByTheRules(await venue.get("/api/v3/depth?symbol=BTCUSDT&limit=1000"))
        diffs = {diff["u"]: diff for diff in of_stream(events, "btcusdt@depth@100ms")}
        for partial in of_stream(events, "btcusdt@depth5@100ms"):
            for last_id in sorted(each for each in diffs if book.last_id < each <= partial["lastUpdateId"]):
                book.apply(diffs[last_id])
            if book.last_id == partial["lastUpdateId"]:
                assert [float(p) for p, _ in partial["bids"]] == sorted(book.bids, reverse=True)[:5]
                assert [float(p) for p, _ in partial["asks"]] == sorted(book.asks)[:5]

    run(test)


@pytest.mark.parametrize(
    ("prefix", "carried"),
    [
        ("/usdm", {"trade", "bookTicker", "depth@0ms"}),
        ("/usdm/public", {"trade", "bookTicker", "depth@0ms"}),
        ("/public", {"trade", "bookTicker", "depth@0ms"}),
        ("/market", {"trade"}),
        ("", set()),
        ("/coinm", set()),
    ],
)
def test_futures_are_at_their_own_paths(recordings: Path, prefix: str, carried: set[str]) -> None:
    path = str(recordings / "raw_ws" / USDM_FILES[1])

    async def test() -> None:
        async with running(replay=(path,)) as venue:
            query = all_streams(venue.server, "usdm")
            async with venue.connect(f"{prefix}/stream?{query}"):
                waiting = {name.partition("@")[2] for name in (await venue.status())["waiting_for"]}
                assert waiting == {"trade", "bookTicker", "depth@0ms"} - carried

    run(test)


def test_any_fast_diff_stream_of_a_replay_gives_every_recorded_diff(recordings: Path) -> None:
    path = str(recordings / "raw_ws" / USDM_FILES[1])

    async def test() -> None:
        names = "ethusdt@depth@100ms/ethusdt@trade/ethusdt@bookTicker"
        async with (
            running(replay=(path,)) as venue,
            venue.connect(f"/usdm/stream?genesis=replay&streams={names}") as socket,
        ):
            events = await until_end(socket)
            assert len(of_stream(events, "ethusdt@depth@100ms")) == 6_586

    run(test)


def test_a_stream_that_does_not_exist_stays_silent() -> None:
    async def test() -> None:
        names = "btcusdt@kline_1m/nosuchcoin@trade/btcusdt@depth@7ms"
        async with (
            running(**synthetic(symbols=1, wait_for=("spot/btcusdt@trade",))) as venue,
            venue.connect(REPLAY + names) as silent,
            venue.connect("/ws/btcusdt@trade"),
        ):
            assert [event["stream"] for event in await until_end(silent)] == ["genesis@end"]

    run(test)
