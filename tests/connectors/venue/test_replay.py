"""A replay gives every recorded message once, in order, verbatim, and books that follow from it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.connectors.venue.venues import (
    SPOT_FILES,
    USDM_FILES,
    BookByTheRules,
    Venue,
    all_streams,
    contiguous,
    of_stream,
    recorded,
    run,
    running,
    until_end,
)

SPOT = "/stream?genesis=replay&"
USDM = "/usdm/stream?genesis=replay&"


def paths(recordings: Path, *names: str) -> tuple[str, ...]:
    return tuple(str(recordings / "raw_ws" / name) for name in names)


@pytest.mark.timeout(120)
def test_all_four_recordings_arrive_whole_and_in_order(recordings: Path) -> None:
    async def test() -> None:
        async with running(replay=paths(recordings, *SPOT_FILES, *USDM_FILES)) as venue:
            spot_query, usdm_query = (all_streams(venue.server, market) for market in ("spot", "usdm"))
            async with venue.connect(SPOT + spot_query) as spot, venue.connect(USDM + usdm_query) as usdm:
                ends = []
                for events in await asyncio.gather(until_end(spot), until_end(usdm)):
                    times = [event["recv_ns"] for event in events]
                    assert times == sorted(times)
                    for symbol in ("btcusdt", "ethusdt"):
                        trades = of_stream(events, f"{symbol}@trade")
                        assert contiguous([trade["t"] for trade in trades])
                    ends.append((len(events) - 1, events[-1]["data"]))
            (spot_count, end), (usdm_count, usdm_end) = ends
            assert end == usdm_end
            assert end["error"] is None
            assert end["counts"] == {
                "spot": {"trades": 15_863, "quotes": 52_117, "diffs": 6_885, "snapshots": 2},
                "usdm": {"trades": 35_389, "quotes": 120_081, "diffs": 13_137, "snapshots": 2},
            }
            assert (spot_count, usdm_count) == (15_863 + 52_117 + 6_885, 35_389 + 120_081 + 13_137)
            status = await venue.status()
            assert status["finished"]
            assert status["position"]["fraction"] == 1.0
            assert status["streams"]["usdm/btcusdt@trade"]["sent"] == 21_313

    run(test)


def test_payloads_and_receive_times_are_those_of_the_recording(recordings: Path) -> None:
    async def test() -> None:
        async with (
            running(replay=paths(recordings, SPOT_FILES[1])) as venue,
            venue.connect(SPOT + all_streams(venue.server)) as socket,
        ):
            texts = []
            async for message in socket:
                if "genesis@end" in message.data[:30]:
                    break
                texts.append(message.data.encode())
        expected = [
            body[:-1] + b',"recv_ns":%d}' % recv_ns
            for recv_ns, body in recorded(recordings / "raw_ws" / SPOT_FILES[1])
            if body.startswith(b'{"stream"')
        ]
        assert texts == expected

    run(test)


def test_an_ordinary_client_sees_nothing_unusual(recordings: Path) -> None:
    async def test() -> None:
        lines = recorded(recordings / "raw_ws" / SPOT_FILES[1])
        frames = [body for _, body in lines if body.startswith(b'{"stream"')]
        async with (
            running(replay=paths(recordings, SPOT_FILES[1])) as venue,
            venue.connect("/stream?" + all_streams(venue.server)) as socket,
        ):
            texts = [(await socket.receive()).data.encode() for _ in frames]
            assert texts == frames
            async with venue.session.get(f"{venue.url}/api/v3/depth?symbol=ETHUSDT") as answer:
                assert not [name for name in answer.headers if "genesis" in name.lower()]

    run(test)


async def depth(venue: Venue, path: str) -> tuple[bytes, int]:
    async with venue.session.get(venue.url + path, headers={"X-Genesis-Replay": "1"}) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read(), int(answer.headers["X-Genesis-Recv-Ns"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "socket_path", "rest_path"),
    [(SPOT_FILES[0], SPOT, "/api/v3"), (USDM_FILES[1], USDM, "/fapi/v1")],
)
def test_the_first_depth_request_gets_the_recorded_snapshot_even_after_the_end(
    recordings: Path, name: str, socket_path: str, rest_path: str
) -> None:
    async def test() -> None:
        lines = recorded(recordings / "raw_ws" / name)
        ((snapshot_ns, snapshot),) = [each for each in lines if each[1].startswith(b'{"lastUpdateId"')]
        symbol = name.split("_")[2].upper()
        path = f"{rest_path}/depth?symbol={symbol}&limit=1000"
        market = "spot" if socket_path == SPOT else "usdm"
        async with running(replay=paths(recordings, name)) as venue:
            query = all_streams(venue.server, market)
            async with venue.connect(socket_path + query, headers={"X-Genesis-Replay": "1"}) as socket:
                events = await until_end(socket)
                first, current = await depth(venue, path), await depth(venue, path)
        assert first == (snapshot, snapshot_ns)

        book = BookByTheRules(json.loads(first[0]))
        (diff_stream,) = {event["stream"] for event in events if "@depth" in event["stream"]}
        diffs = of_stream(events, diff_stream)
        assert sum(map(book.apply, diffs)) == sum(
            diff["u"] > json.loads(snapshot)["lastUpdateId"] for diff in diffs
        )
        now = json.loads(current[0])
        assert now["lastUpdateId"] == book.last_id == diffs[-1]["u"]
        assert [float(price) for price, _ in now["bids"]] == sorted(book.bids, reverse=True)[:1000]
        assert [float(qty) for _, qty in now["asks"]] == [book.asks[ask] for ask in sorted(book.asks)[:1000]]

    run(test)


def test_books_by_the_rules_agree_with_the_best_bid_and_ask(recordings: Path) -> None:
    async def test() -> None:
        async with (
            running(replay=paths(recordings, SPOT_FILES[0])) as venue,
            venue.connect(SPOT + all_streams(venue.server)) as socket,
        ):
            events = await until_end(socket)
            book = BookByTheRules(await venue.get("/api/v3/depth?symbol=BTCUSDT&limit=1000"))
        quotes = {data["u"]: data for data in of_stream(events, "btcusdt@bookTicker")}
        compared = 0
        for diff in of_stream(events, "btcusdt@depth@100ms"):
            if book.apply(diff) and book.last_id in quotes:
                quote = quotes[book.last_id]
                assert book.best() == tuple(float(quote[name]) for name in "bBaA")
                compared += 1
        assert compared > 100

    run(test)


def test_fewer_levels_are_given_when_fewer_are_asked_for(recordings: Path) -> None:
    async def test() -> None:
        async with running(replay=paths(recordings, USDM_FILES[0])) as venue:
            answer = await venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=10")
            assert (len(answer["bids"]), len(answer["asks"])) == (10, 10)
            assert list(answer) == ["lastUpdateId", "E", "T", "bids", "asks"]
            assert answer["lastUpdateId"] == 5_123_107_852_948

    run(test)


def frame(stream: str, **data: object) -> str:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":"))


def diff(first: int, last: int, bid: str) -> str:
    data = {
        "e": "depthUpdate",
        "E": 1_000 + last,
        "s": "BTCUSDT",
        "U": first,
        "u": last,
        "b": [[bid, "1.0"]],
        "a": [],
    }
    return frame("btcusdt@depth@100ms", **data)


def snapshot(last: int) -> str:
    return json.dumps({"lastUpdateId": last, "bids": [["10.0", "1.0"]], "asks": [["20.0", "1.0"]]})


def write(path: Path, *lines: tuple[int, str]) -> str:
    path.write_text("".join(f"{recv_ns} {body}\n" for recv_ns, body in lines))
    return str(path)


SECOND = 1_000_000_000


def test_a_depth_request_waits_until_its_snapshot_has_been_played(tmp_path: Path) -> None:
    lines = [(SECOND + i * SECOND // 10, diff(i, i, "9.0")) for i in range(1, 30)]
    lines.insert(10, (lines[9][0], snapshot(5)))
    name = write(tmp_path / "binance_spot_btcusdt.txt", *lines)

    async def test() -> None:
        async with (
            running(replay=(name,), speed=4.0) as venue,
            venue.connect(SPOT + all_streams(venue.server)) as socket,
        ):
            await socket.receive()
            answer = asyncio.create_task(venue.get("/api/v3/depth?symbol=BTCUSDT"))
            seen = [json.loads((await socket.receive()).data)["data"]["u"] for _ in range(6)]
            assert not answer.done()
            assert (await answer)["lastUpdateId"] == 5
            assert venue.server.player.position >= 10
            assert seen == [2, 3, 4, 5, 6, 7]

    run(test)


def test_a_client_that_asks_before_it_listens_is_not_kept_waiting(tmp_path: Path) -> None:
    name = write(
        tmp_path / "binance_spot_btcusdt.txt",
        (1, diff(1, 1, "9.0")),
        (2, snapshot(5)),
        (3, diff(2, 6, "9.5")),
    )

    async def test() -> None:
        async with running(replay=(name,)) as venue:
            assert (await venue.get("/api/v3/depth?symbol=BTCUSDT"))["lastUpdateId"] == 5
            assert (await venue.status())["waiting_for"] == ["spot/btcusdt@depth@100ms"]

    run(test)


def test_after_a_gap_in_the_recording_the_next_recorded_snapshot_is_given(tmp_path: Path) -> None:
    name = write(
        tmp_path / "binance_spot_btcusdt.txt",
        *[(1, diff(1, 3, "9.0")), (2, snapshot(2)), (3, diff(4, 6, "9.5"))],
        *[(4, diff(11, 12, "9.6")), (5, snapshot(11)), (6, diff(13, 14, "9.7"))],
    )

    async def test() -> None:
        async with (
            running(replay=(name,)) as venue,
            venue.connect(SPOT + all_streams(venue.server)) as socket,
        ):
            await until_end(socket)
            ids = [(await venue.get("/api/v3/depth?symbol=BTCUSDT"))["lastUpdateId"] for _ in range(2)]
            assert ids == [11, 14]

    run(test)


def test_a_market_without_a_snapshot_has_no_depth(tmp_path: Path) -> None:
    name = write(tmp_path / "binance_spot_btcusdt.txt", (1, diff(1, 3, "9.0")))

    async def test() -> None:
        async with running(replay=(name,)) as venue:
            async with venue.connect(SPOT + all_streams(venue.server)) as socket:
                await until_end(socket)
            answer = await venue.get("/api/v3/depth?symbol=BTCUSDT", status=400)
            assert answer == {"code": -1112, "msg": "No orders on book for symbol."}

    run(test)


def test_a_late_client_gets_the_book_as_it_is_now(tmp_path: Path) -> None:
    lines = [(1, diff(1, 3, "9.0")), (2, snapshot(2)), *((i, diff(i, i, "9.5")) for i in range(4, 200))]
    name = write(tmp_path / "binance_spot_btcusdt.txt", *lines)

    async def test() -> None:
        async with running(replay=(name,), wait_for=()) as venue:
            while not (await venue.status())["finished"]:
                pass
            async with venue.connect(SPOT + all_streams(venue.server)) as socket:
                (end,) = await until_end(socket)
                assert end["data"]["counts"]["spot"]["diffs"] == 197
                assert (await venue.get("/api/v3/depth?symbol=BTCUSDT"))["lastUpdateId"] == 199

    run(test)


def test_the_play_starts_when_every_stream_has_a_listener(recordings: Path) -> None:
    async def test() -> None:
        async with (
            running(replay=paths(recordings, SPOT_FILES[0])) as venue,
            venue.connect("/stream?streams=btcusdt@trade/btcusdt@depth@100ms"),
        ):
            status = await venue.status()
            assert status["state"] == "waiting"
            assert status["waiting_for"] == ["spot/btcusdt@bookTicker"]
            async with venue.connect("/ws/btcusdt@bookTicker") as second:
                assert "BTCUSDT" in (await second.receive()).data

    run(test)
