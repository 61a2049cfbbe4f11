"""Binance's own SDK over the WebSocket API, unchanged: sessions, orders, typed user data."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.venue.trading.traders import KEY, SYMBOL, ask, best, rest_client, trading, ws_client
from tests.connectors.venue.venues import Venue, run


class Listener:
    """A client subscribed to its user data."""

    def __init__(self, client: Any, subscription: Any) -> None:
        self.client = client
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        subscription.stream.on("message", lambda event: self.heard.put_nowait(event.actual_instance))

    async def next(self, kind: str = "ExecutionReport") -> Any:
        """Return the next event of a kind."""
        while True:
            event = await self.heard.get()
            if type(event).__name__ == kind:
                return event


@contextlib.asynccontextmanager
async def listening(venue: Venue, account: str = "main") -> AsyncIterator[Listener]:
    client = await ws_client(venue, account)
    try:
        if account == "ed":
            await client.session_logon()
            yield Listener(client, await client.user_data_stream_subscribe())
        else:
            yield Listener(client, await client.user_data_stream_subscribe_signature())
    finally:
        await client.close_connection(close_session=True)


@pytest.mark.parametrize("account", ["main", "ed", "rsa"])
def test_an_order_life_with_typed_reports(tmp_path: Path, account: str) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue, account) as listener:
            client = listener.client
            bid, offer = await best(venue)
            order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "time_in_force": "GTC"}
            placed = await client.order_place(
                **order, quantity="0.01", price=bid, new_client_order_id="a:1", strategy_id=7
            )
            assert [limit.count for limit in placed.rate_limits][:2] == [1, 1]
            new = await listener.next()
            assert (new.x, new.X, new.c, new.i, new.w, new.t, new.N) == (
                "NEW",
                "NEW",
                "a:1",
                1,
                True,
                -1,
                None,
            )
            assert (new.V, new.O, new.W) == ("EXPIRE_MAKER", new.T, new.T)
            position = await listener.next("OutboundAccountPosition")
            assert [row.a for row in position.B] == ["USDT"]
            found = (await client.order_status(symbol=SYMBOL, orig_client_order_id="a:1")).data().result
            assert (found.order_id, found.status) == (1, "NEW")
            amended = await client.order_amend_keep_priority(symbol=SYMBOL, new_qty="0.005", order_id=1)
            assert amended.data().result.amended_order.qty == "0.00500000"
            change = await listener.next()
            assert (change.x, change.C, change.q) == ("REPLACED", "a:1", "0.00500000")
            replaced = await client.order_cancel_replace(
                **order,
                cancel_replace_mode="STOP_ON_FAILURE",
                price=bid,
                quantity="0.02",
                cancel_order_id=1,
            )
            assert replaced.data().result.new_order_response.order_id == 2
            gone, new = await listener.next(), await listener.next()
            assert (gone.x, gone.X, gone.C, new.x, new.i) == ("CANCELED", "CANCELED", change.c, "NEW", 2)
            assert len((await client.open_orders_status()).data().result) == 1
            await client.open_orders_cancel_all(symbol=SYMBOL)
            assert (await listener.next()).X == "CANCELED"
            bought = (
                await client.order_place(symbol=SYMBOL, side="BUY", type="MARKET", quote_order_qty="700")
            ).data()
            assert bought.result.status == "FILLED"
            await listener.next()
            fill = await listener.next()
            assert (fill.x, fill.X, fill.L, fill.t, fill.m) == ("TRADE", "FILLED", offer, 1, False)
            assert (fill.n, fill.N) == (bought.result.fills[0].commission, "BTC")
            (trade,) = (await client.my_trades(symbol=SYMBOL, from_id=1)).data().result
            assert (trade.id, trade.price) == (1, offer)
            status = (await client.account_status(omit_zero_balances=True)).data().result
            assert {row.asset for row in status.balances} == {"BTC", "USDT"}

    run(test)


def test_a_deposit_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue) as listener:

            async def pay(amount: str, account: str = "main") -> int:
                url = f"{venue.url}/genesis/accounts/{account}/deposits"
                async with venue.session.post(url, json={"asset": "USDT", "amount": amount}) as answer:
                    return answer.status

            assert await pay("-250.5") == 201
            event = await listener.next("BalanceUpdate")
            assert (event.a, event.d) == ("USDT", "-250.50000000")
            (row,) = (await listener.next("OutboundAccountPosition")).B
            assert (row.a, row.f) == ("USDT", "999749.50000000")
            assert [await pay("-1e9"), await pay("NaN"), await pay("x"), await pay("1", "nobody")] == [
                400,
                400,
                400,
                404,
            ]

    run(test)


def test_a_session_ends_with_its_stream(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue, "ed") as listener:
            client = listener.client
            status = (await client.session_status()).data().result
            assert (status.user_data_stream, status.authorized_since is not None) == (True, True)
            await client.session_logout()
            await listener.next("EventStreamTerminated")
            assert (await client.session_status()).data().result.api_key is None

    run(test)


def test_what_a_client_may_not_do(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, venue.connect("/ws-api/v3") as socket:

            async def answer(method: str, **params: Any) -> dict[str, Any]:
                await socket.send_json({"id": "x", "method": method, "params": params})
                found: dict[str, Any] = await socket.receive_json()
                assert found["id"] == "x"
                return found

            assert (await answer("ping"))["result"] == {}
            assert "rateLimits" not in await answer("ping", returnRateLimits=False)
            assert (await answer("time"))["result"]["serverTime"] >= venue.server.player.event_ms
            info = (await answer("exchangeInfo", symbol=SYMBOL))["result"]
            assert [each["symbol"] for each in info["symbols"]] == [SYMBOL]
            assert (await answer("userDataStream.subscribe"))["error"]["code"] == -1002
            assert (await answer("userDataStream.unsubscribe", subscriptionId=3))["error"]["code"] == -2036
            assert (await answer("nonsense"))["status"] == 400
            late = await answer("order.status", apiKey=KEY, timestamp=1, signature="00", symbol=SYMBOL)
            assert late["error"]["code"] == -1021
            wrong = await answer(
                "session.logon", apiKey=KEY, timestamp=venue.server.trading.desk.now_ms, signature="00"
            )
            assert (wrong["status"], wrong["error"]["code"]) == (400, -1022)
            await socket.send_str("{")
            assert (await socket.receive_json())["error"]["code"] == -1135

    run(test)


def test_a_logon_takes_an_ed25519_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            client = await ws_client(venue, "main")
            answer = (await client.session_logon()).data()
            assert answer["error"]["code"] == -4056
            await client.close_connection(close_session=True)

    run(test)


def test_accounts_hear_of_their_own_orders_only(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue, listening(venue, "ed") as ed, listening(venue, "main") as main:
            order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
            await ask(rest_client(venue, "ed").new_order, **order)
            await ask(rest_client(venue, "main").new_order, **order)
            assert (await main.next()).i == 2
            assert (await ed.next()).i == 1
            shown = await venue.get("/genesis/accounts")
            assert [each["trades"] for each in shown["accounts"]] == [1, 1, 0, 0]
            assert "s" * 9 not in str(shown)

    run(test)
