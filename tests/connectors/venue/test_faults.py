"""Every fault does what its table says, at the message it was asked for, and counts it."""

import asyncio
import itertools
import json
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request

from genesis.connectors.venue.fault_kinds import KINDS, FaultError, FaultSpec, parse_fault
from tests.connectors.venue.venues import (
    Event,
    Venue,
    all_streams,
    contiguous,
    of_stream,
    run,
    running,
    synthetic,
    until_closed,
    until_end,
)

REPLAY = "/stream?genesis=replay&"
DEPTH = "/api/v3/depth?symbol=BTCUSDT"


def options(*specs: str, **more: Any) -> Event:
    return synthetic(symbols=1, faults=tuple(map(parse_fault, specs)), **more)


async def listen(venue: Venue) -> list[Event]:
    """Return all there is to hear, up to the end."""
    async with venue.connect(REPLAY + all_streams(venue.server)) as socket:
        return await until_end(socket)


async def heard(*specs: str) -> tuple[list[Event], list[Event]]:
    """Return what a client hears with faults, and the faults afterwards."""
    async with running(**options(*specs)) as venue:
        return await listen(venue), await venue.faults()


async def unharmed() -> list[Event]:
    return (await heard())[0]


def ids(events: list[Event]) -> list[int]:
    return [trade["t"] for trade in of_stream(events, "btcusdt@trade")]


def test_a_gap_leaves_out_exactly_what_was_asked_for() -> None:
    async def test() -> None:
        events, (fault,) = await heard("gap:BTCUSDT@depth:after=7,count=3,times=2")
        whole = [diff["u"] for diff in of_stream(await unharmed(), "btcusdt@depth@100ms")]
        rest = [diff["u"] for diff in of_stream(events, "btcusdt@depth@100ms")]
        assert rest == whole[:7] + whole[10:17] + whole[20:]
        assert contiguous(ids(events))
        assert (fault["fired"], fault["affected"], fault["spent"]) == (2, 6, True)
        assert len(fault["fired_at_recv_ns"]) == 2

    run(test)


def test_a_gap_for_the_client_is_none_for_the_venue() -> None:
    async def test() -> None:
        async with running(**options("gap:BTCUSDT@depth:after=7")) as venue:
            events = await listen(venue)
            assert (await venue.get(DEPTH))["lastUpdateId"] == of_stream(events, "btcusdt@depth@100ms")[-1][
                "u"
            ]

    run(test)


def test_duplicates_come_right_after_the_original() -> None:
    async def test() -> None:
        events, (fault,) = await heard("duplicate:BTCUSDT@trade:after=5,count=2")
        whole = ids(await unharmed())
        assert ids(events) == [*whole[:6], whole[5], whole[6], whole[6], *whole[7:]]
        assert fault["affected"] == 2

    run(test)


@pytest.mark.parametrize("by", [1, 3])
def test_a_message_out_of_order_is_overtaken_by_as_many_as_asked(by: int) -> None:
    async def test() -> None:
        events, _ = await heard(f"out_of_order:spot/BTCUSDT@trade:after=5,by={by}")
        whole = ids(await unharmed())
        assert ids(events) == whole[:5] + whole[6 : 6 + by] + [whole[5]] + whole[6 + by :]

    run(test)


def test_a_message_held_back_at_the_end_is_still_sent() -> None:
    async def test() -> None:
        count = len(ids(await unharmed()))
        events, _ = await heard(f"out_of_order:BTCUSDT@trade:after={count - 2},by=5")
        assert sorted(ids(events)) == ids(await unharmed())
        assert ids(events)[-2] > ids(events)[-1]

    run(test)


def test_silence_lasts_its_time_and_concerns_its_stream_only() -> None:
    async def test() -> None:
        events, (fault,) = await heard("silence:@bookTicker:for_ms=1000,at_s=0.5")
        start_ns = events[0]["recv_ns"]
        times_s = [(e["recv_ns"] - start_ns) / 1e9 for e in events if e["stream"] == "btcusdt@bookTicker"]
        (gap,) = [(a, b) for a, b in itertools.pairwise(times_s) if b - a >= 0.9]
        assert gap[0] < 0.6
        assert gap[1] >= 1.4
        assert contiguous(ids(events))
        lost = len(of_stream(await unharmed(), "btcusdt@bookTicker")) - len(times_s)
        assert fault["affected"] == lost > 10

    run(test)


def test_silence_from_connecting_on_ends_when_the_client_connects_anew() -> None:
    async def test() -> None:
        async with running(**options("silence:*:until=reconnect")) as venue:
            query = REPLAY + all_streams(venue.server)
            async with venue.connect(query) as silent:
                while not (await venue.faults())[0]["fired"]:
                    pass
                status = await venue.status()
                assert (status["state"], status["connections"]) == ("waiting", 1)
                async with venue.connect(query) as second:
                    events = await until_end(second)
                assert [event["stream"] for event in await until_end(silent)] == ["genesis@end"]
            assert events[:-1] == (await unharmed())[:-1]

    run(test)


def test_a_stall_loses_nothing() -> None:
    async def test() -> None:
        events, (fault,) = await heard("stall:*:after=100,wall_ms=20,times=3")
        assert events == await unharmed()
        assert fault["fired"] == 3

    run(test)


@pytest.mark.parametrize("keep", [0, 1])
def test_a_malformed_message_is_half_of_one(keep: int) -> None:
    async def test() -> None:
        async with running(**options(f"malformed:BTCUSDT@trade:after=3,keep={keep}")) as venue:
            bad, good = [], []
            async with venue.connect(REPLAY + all_streams(venue.server)) as socket:
                async for message in socket:
                    try:
                        event = json.loads(message.data)
                    except ValueError:
                        bad.append(message.data)
                        continue
                    if event["stream"] == "genesis@end":
                        break
                    good.append(event)
        whole = ids(await unharmed())
        assert ids(good) == whole[: 3 + keep] + whole[4:]
        (half,) = bad
        assert half.startswith('{"stream":"btcusdt@trade","data":{"e":"trade"')

    run(test)


def test_an_unknown_symbol_comes_beside_the_known_one() -> None:
    async def test() -> None:
        events, _ = await heard("unknown_symbol:BTCUSDT@bookTicker:after=2,count=2")
        strangers = of_stream(events, "nosuchcoin@bookTicker")
        quotes = of_stream(events, "btcusdt@bookTicker")
        assert [each["s"] for each in strangers] == ["NOSUCHCOIN"] * 2
        assert [each["u"] for each in strangers] == [each["u"] for each in quotes[2:4]]
        assert quotes == of_stream(await unharmed(), "btcusdt@bookTicker")

    run(test)


async def hear_all(venue: Venue, *closings: int | None) -> list[Event]:
    """Connect again and again until the end; check how each connection ended."""
    events: list[Event] = []
    codes = []
    while not events or events[-1]["stream"] != "genesis@end":
        async with venue.connect(REPLAY + all_streams(venue.server)) as socket:
            async for message in socket:
                events.append(json.loads(message.data))
                if events[-1]["stream"] == "genesis@end":
                    break
            else:
                codes.append(socket.close_code)
    assert codes == list(closings)
    return events


@pytest.mark.parametrize(("how", "code"), [("abort", 1006), ("1000", 1000), ("1001", 1001)])
@pytest.mark.parametrize("miss", [0, 25])
def test_a_disconnect_loses_what_was_asked_for(how: str, code: int, miss: int) -> None:
    async def test() -> None:
        whole = (await unharmed())[:-1]
        async with running(**options(f"disconnect:*:after=50,how={how},miss={miss}")) as venue:
            events = (await hear_all(venue, code))[:-1]
            (fault,) = await venue.faults()
        assert fault["fired"] == 1
        after = whole[50 + miss :]
        assert events[-len(after) :] == after
        if how != "abort":  # an abort may also lose what the socket still held
            assert events == whole[:50] + after

    run(test)


def test_a_disconnect_concerns_those_who_listen_to_its_target() -> None:
    async def test() -> None:
        async with (
            running(**options("disconnect:@trade:after=5,how=1001")) as venue,
            venue.connect(REPLAY + "streams=btcusdt@bookTicker/btcusdt@depth@100ms") as other,
        ):
            async with venue.connect("/ws/btcusdt@trade") as trades:
                assert len(await until_closed(trades)) == 5
            async with venue.connect("/ws/btcusdt@trade"):
                assert of_stream(await until_end(other), "btcusdt@bookTicker")

    run(test)


def test_a_shutdown_is_announced_before_it_happens() -> None:
    async def test() -> None:
        whole = (await unharmed())[:-1]
        async with running(**options("shutdown:*:after=50,grace=20")) as venue:
            *events, _end = await hear_all(venue, 1001)
        (announcement,) = of_stream(events, "!serverShutdown")
        assert announcement["e"] == "serverShutdown"
        assert events[50]["stream"] == "!serverShutdown"
        assert events[:50] + events[51:] == whole

    run(test)


def test_the_24_hour_cut_closes_without_a_word() -> None:
    async def test() -> None:
        async with running(**options("cut:*:after=30,times=2")) as venue:
            *events, _end = await hear_all(venue, 1001, 1001)
        assert events == (await unharmed())[:-1]

    run(test)


def test_connections_are_refused_as_often_as_asked() -> None:
    async def test() -> None:
        # the client tries a broken connection twice before it says so
        async with running(**options("refuse:*:count=4", "refuse:spot/*:after=4,how=429")) as venue:
            for _ in range(2):
                with pytest.raises(aiohttp.ClientConnectionError):
                    await venue.session.ws_connect(venue.url + "/ws")
            with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                await venue.session.ws_connect(venue.url + "/ws")
            async with venue.connect("/ws"):
                pass

    run(test)


@pytest.mark.parametrize(
    ("status", "specs"),
    [(429, "429:depth:count=2,retry_after_s=3"), (418, "418:spot/depth:count=2,retry_after_s=3")],
)
def test_limits_are_answered_with_retry_after(status: int, specs: str) -> None:
    async def test() -> None:
        async with running(**options(specs)) as venue:
            assert await venue.get("/api/v3/ping") == {}
            for _ in range(2):
                async with venue.session.get(venue.url + DEPTH) as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (status, "3")
                    assert (await answer.json())["code"] == -1003
            assert (await venue.get(DEPTH))["lastUpdateId"]

    run(test)


def test_exchange_information_can_be_down() -> None:
    async def test() -> None:
        async with running(**options("exchange_info_down:*:count=1")) as venue:
            async with venue.session.get(venue.url + "/api/v3/exchangeInfo") as answer:
                assert answer.status == 503
            assert (await venue.get("/api/v3/exchangeInfo"))["symbols"]

    run(test)


def test_a_slow_snapshot_holds_up_nothing_else() -> None:
    async def test() -> None:
        async with running(**options("slow_snapshot:BTCUSDT:wall_ms=60000")) as venue:
            slow = asyncio.create_task(venue.get(DEPTH))
            while not (await venue.faults())[0]["fired"]:
                pass
            assert of_stream(await listen(venue), "btcusdt@depth@100ms")
            assert (await venue.get(DEPTH))["lastUpdateId"]
            assert not slow.done()
            slow.cancel()

    run(test)


def test_a_stale_snapshot_is_older_than_the_stream() -> None:
    async def test() -> None:
        async with (
            running(**options("stale_snapshot:BTCUSDT:count=2,by=10")) as venue,
            venue.connect(REPLAY + all_streams(venue.server)) as socket,
        ):
            first_id = of_stream(await until_end(socket), "btcusdt@depth@100ms")[0]["U"]
            stale = [(await venue.get(DEPTH))["lastUpdateId"] for _ in range(2)]
            assert stale == [first_id - 10] * 2
            assert (await venue.get(DEPTH))["lastUpdateId"] >= first_id

    run(test)


def test_faults_can_be_asked_for_listed_and_cleared_over_http() -> None:
    async def test() -> None:
        async with running(**options()) as venue:
            first = await venue.fault("gap:BTCUSDT@depth:after=3,count=2")
            assert first["parameters"] == {"after": 3, "count": 2}
            body = {"kind": "duplicate", "target": "@trade", "parameters": {"count": 4}}
            async with venue.session.post(venue.url + "/genesis/faults", json=body) as answer:
                assert (answer.status, (await answer.json())["id"]) == (201, 2)
            assert [each["kind"] for each in await venue.faults()] == ["gap", "duplicate"]
            async with venue.session.delete(venue.url + "/genesis/faults/1") as answer:
                assert await answer.json() == {"removed": 1}
            async with venue.session.delete(venue.url + "/genesis/faults/1") as answer:
                assert answer.status == 404
            events = await listen(venue)
            whole = ids(await unharmed())
            assert ids(events) == sorted([*whole, *whole[:4]])
            assert (await venue.status())["faults_fired"] == 1
            async with venue.session.delete(venue.url + "/genesis/faults") as answer:
                assert await answer.json() == {"removed": 1}
            assert await venue.faults() == []

    run(test)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"spec":"gip:*"}',
        '{"kind":"gap","target":"BTCUSDT@nothing"}',
        '{"kind":"gap","target":"NOSUCH"}',
        '{"kind":"gap","parameters":{"count":-1}}',
        '{"kind":"gap","parameters":{"colour":1}}',
        '{"kind":"gap","what":1}',
    ],
)
def test_a_misspelt_fault_is_refused_over_http(body: str) -> None:
    async def test() -> None:
        async with running(**options()) as venue:
            async with venue.session.post(venue.url + "/genesis/faults", data=body) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]
            assert await venue.faults() == []

    run(test)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gip", "unknown kind 'gip'; there are disconnect, gap"),
        ("gap:BTCUSDT@nothing", "target must be .* was 'BTCUSDT@nothing'"),
        ("429:dephts", "one of depth, exchangeInfo, time, ping, .* or \\*, was 'dephts'"),
        ("gap:*:after", "expected NAME=VALUE, was 'after'"),
        ("gap:*:after=soon", "after must be a whole number from 0, was 'soon'"),
        ("gap:*:after=1.5", "after must be a whole number from 0, was 1.5"),
        ("gap:*:colour=1", "unknown parameter 'colour'; there are after, at_s, times, count"),
        ("disconnect:*:how=gently", "how must be one of abort, 1000, 1001, was 'gently'"),
    ],
)
def test_a_misspelt_fault_is_told_what_was_expected(text: str, sentence: str) -> None:
    with pytest.raises(FaultError, match=sentence):
        parse_fault(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_every_fault_is_understood(kind: str) -> None:
    assert parse_fault(KINDS[kind].example).kind == kind
    assert FaultSpec(kind).aim()


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403)])
def test_the_control_interface_answers_to_this_machine_only(peer: str, status: int) -> None:
    async def test() -> None:
        async with running(**options()) as venue:
            transport = mock.Mock(**{"get_extra_info.return_value": (peer, 4_711)})
            request = make_mocked_request("GET", "/genesis/status", transport=transport)
            (handler,) = [each.handler for each in venue.server.control.routes() if each.path == request.path]
            assert (await handler(request)).status == status  # type: ignore[call-arg, arg-type, misc]

    run(test)
