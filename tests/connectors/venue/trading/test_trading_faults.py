"""Each fault of the trading side as the SDK meets it, and what the venue then holds to be true."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.venue.trading.test_sdk_websocket import listening
from tests.connectors.venue.trading.traders import (
    KEY,
    SYMBOL,
    ask,
    best,
    errors,
    rest_client,
    trading,
    ws_client,
)
from tests.connectors.venue.venues import Venue, run

MARKET = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}


@pytest.mark.parametrize("how", ["-1007", "504"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_timeout_before_or_after_acceptance(tmp_path: Path, when: str, how: str) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            rest = rest_client(venue)
            await venue.fault(f"order_timeout:{SYMBOL}:when={when},how={how}")
            with pytest.raises(errors.ServerError, match="504"):
                await ask(rest.new_order, **MARKET, new_client_order_id="lost")
            if when == "after":
                found = await ask(rest.get_order, symbol=SYMBOL, orig_client_order_id="lost")
                assert found.status == "FILLED"
            else:
                with pytest.raises(errors.BadRequestError, match="Order does not exist"):
                    await ask(rest.get_order, symbol=SYMBOL, orig_client_order_id="lost")
            client = await ws_client(venue)
            await venue.fault(f"order_timeout:{SYMBOL}:when={when},how={how}")
            answer = (await client.order_place(**MARKET)).data()
            assert answer["error"]["code"] == -1007
            await client.close_connection(close_session=True)
            assert [fault["fired"] for fault in await venue.faults()] == [1, 1]

    run(test)


def test_silence_after_acceptance(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue) as listener:
            await venue.fault("order_timeout:*:how=silence")
            lost = asyncio.create_task(listener.client.order_place(**MARKET, new_client_order_id="quiet"))
            assert (await listener.next()).c == "quiet", "its report comes, its answer does not"
            found = await listener.client.order_status(symbol=SYMBOL, orig_client_order_id="quiet")
            assert found.data().result.status == "FILLED"
            assert not lost.done()
            lost.cancel()

    run(test)


def test_reports_twice_and_never(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue) as listener:
            await venue.fault("duplicate_report:*:after=1")
            await venue.fault(f"lost_report:{SYMBOL}:after=2")
            await ask(rest_client(venue).new_order, **MARKET)
            await ask(rest_client(venue).new_order, **MARKET)
            reports = [await listener.next() for _ in range(4)]
            assert [(each.i, each.x) for each in reports] == [
                (1, "NEW"),
                (1, "TRADE"),
                (1, "TRADE"),
                (2, "TRADE"),
            ]
            assert reports[1].t == reports[2].t

    run(test)


def test_the_connection_ends_between_acceptance_and_report(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue) as listener:
            await venue.fault("drop_after_accept:*")
            lost = asyncio.create_task(listener.client.order_place(**MARKET, new_client_order_id="cut"))
            found = await _until_known(venue, "cut")
            assert found.status == "FILLED"
            assert listener.heard.empty(), "neither report nor answer has come"
            lost.cancel()

    run(test)


async def _until_known(venue: Venue, client_order_id: str) -> Any:
    """Return an order as soon as the venue has it."""
    rest = rest_client(venue)
    while True:
        try:
            return await ask(rest.get_order, symbol=SYMBOL, orig_client_order_id=client_order_id)
        except errors.BadRequestError:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("kind", "error"), [("429", "TooManyRequestsError"), ("418", "RateLimitBanError")])
def test_too_many_requests(tmp_path: Path, kind: str, error: str) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            await venue.fault(f"{kind}:order:count=2,retry_after_s=7")
            with pytest.raises(getattr(errors, error)) as met:
                await ask(rest_client(venue).new_order, **MARKET)
            assert met.value.retry_after == 7
            client = await ws_client(venue)
            answer = (await client.order_place(**MARKET)).data()
            assert answer["error"]["code"] == -1003
            data = answer["error"]["data"]
            assert data["retryAfter"] - data["serverTime"] == 7_000
            assert (await client.order_place(**MARKET)).data().result.status == "FILLED"
            await client.close_connection(close_session=True)

    run(test)


def test_a_clock_that_is_wrong(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            rest = rest_client(venue)
            right_ms = (await ask(rest.time)).server_time
            await venue.fault("clock_skew:time:by_ms=9000")
            assert (await ask(rest.time)).server_time == right_ms + 9_000
            await venue.fault("clock_skew:order:by_ms=9000")
            with pytest.raises(errors.BadRequestError, match="outside of the recvWindow"):
                await ask(rest.new_order, **MARKET)
            await venue.fault("clock_skew:order:by_ms=9000,way=behind")
            with pytest.raises(errors.BadRequestError, match="1000ms ahead of the server's time"):
                await ask(rest.new_order, **MARKET)
            assert (await ask(rest.new_order, **MARKET)).status == "FILLED"

    run(test)


def test_partial_fill_expiry_and_rejection(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue) as listener:
            rest = rest_client(venue)
            _bid, offer = await best(venue)
            await venue.fault(f"partial_fill:{SYMBOL}:fraction=0.25,count=2")
            part = await ask(
                rest.new_order,
                **(MARKET | {"type": "LIMIT"}),
                price=offer,
                time_in_force="GTC",
            )
            assert (part.status, part.executed_qty) == ("PARTIALLY_FILLED", "0.00250000")
            ended = await ask(rest.new_order, **MARKET)
            assert (ended.status, ended.executed_qty) == ("EXPIRED", "0.00250000")
            await venue.fault("expire_order:*")
            expired = await ask(rest.new_order, **MARKET, new_client_order_id="late")
            reason = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
            assert expired.status == "EXPIRED"
            assert expired.additional_properties["expiryReason"] == reason, "no field of the SDK's yet"
            while (report := await listener.next()).c != "late" or report.x != "EXPIRED":
                pass
            assert (report.X, report.eR, report.z) == ("EXPIRED", reason, "0.00000000")
            await venue.fault("reject_order:*")
            with pytest.raises(errors.BadRequestError, match="disabled"):
                await ask(rest.new_order, **MARKET)

    run(test)


def test_the_server_says_that_it_goes(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, venue.connect("/ws-api/v3") as socket:
            desk = venue.server.trading.desk
            params = {"apiKey": KEY, "timestamp": str(desk.now_ms)}
            payload = "&".join(f"{name}={value}" for name, value in params.items()).encode()
            params["signature"] = hmac.new(b"s" * 64, payload, hashlib.sha256).hexdigest()
            await socket.send_json(
                {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
            )
            assert (await socket.receive_json())["result"] == {"subscriptionId": 0}
            await venue.fault("user_shutdown:*:grace_ms=10")
            await ask(rest_client(venue).new_order, **MARKET)
            seen = [message.json()["event"]["e"] async for message in socket]
            assert seen[:2] == ["executionReport", "serverShutdown"]
            assert socket.close_code == 1001

    run(test)
