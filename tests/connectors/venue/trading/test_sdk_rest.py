"""A whole order life by Binance's own SDK over REST, unchanged."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.venue.trading.traders import KEY, SYMBOL, ask, best, errors, rest_client, trading
from tests.connectors.venue.venues import run


@pytest.mark.parametrize("account", ["main", "ed", "rsa"])
def test_an_order_life(tmp_path: Path, account: str) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            rest = rest_client(venue, account)
            bid, offer = await best(venue)
            assert await ask(rest.order_test, symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.1")
            whole = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
            bought = await ask(rest.new_order, **whole)
            assert (bought.status, bought.fills[0].price, bought.executed_qty) == (
                "FILLED",
                offer,
                "0.10000000",
            )
            limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": "0.2", "price": bid}
            placed = await ask(
                rest.new_order,
                **limit,
                time_in_force="GTC",
                new_client_order_id="a:1/b",
                new_order_resp_type="ACK",
            )
            assert placed.status is None
            found = await ask(rest.get_order, symbol=SYMBOL, orig_client_order_id="a:1/b")
            assert (found.order_id, found.status, found.is_working) == (placed.order_id, "NEW", True)
            assert [each.order_id for each in await ask(rest.get_open_orders)] == [placed.order_id]
            with pytest.raises(errors.BadRequestError, match="Duplicate order sent"):
                await ask(rest.new_order, **limit, time_in_force="GTC", new_client_order_id="a:1/b")
            amended = await ask(
                rest.order_amend_keep_priority, symbol=SYMBOL, new_qty=0.1, order_id=placed.order_id
            )
            assert amended.amended_order.qty == "0.10000000"
            (change,) = await ask(rest.order_amendments, symbol=SYMBOL, order_id=placed.order_id)
            assert (change.orig_qty, change.new_qty) == ("0.20000000", "0.10000000")
            replaced = await ask(
                rest.order_cancel_replace,
                **(limit | {"quantity": "0.3"}),
                cancel_replace_mode="STOP_ON_FAILURE",
                time_in_force="GTC",
                cancel_order_id=placed.order_id,
            )
            assert (replaced.cancel_result, replaced.new_order_result) == ("SUCCESS", "SUCCESS")
            balances = {b.asset: b for b in (await ask(rest.get_account, omit_zero_balances=True)).balances}
            assert Decimal(balances["USDT"].locked) == Decimal("0.3") * Decimal(bid)
            (gone,) = await ask(rest.delete_open_orders, symbol=SYMBOL)
            assert gone.status == "CANCELED"
            (trade,) = await ask(rest.my_trades, symbol=SYMBOL, from_id=1, limit=5)
            assert (trade.price, trade.is_maker, trade.commission_asset) == (offer, False, "BTC")
            assert len(await ask(rest.all_orders, symbol=SYMBOL)) == 3
            rates = await ask(rest.account_commission, symbol=SYMBOL)
            assert rates.standard_commission.maker == "0.00100000"
            counts = await ask(rest.rate_limit_order)
            assert [each.count for each in counts] == [2, 2], "the filled order was taken back"

    run(test)


def test_resting_orders_fill_as_the_market_plays_on(tmp_path: Path) -> None:
    async def test() -> None:
        from genesis.operators.synthetic_market import SyntheticParameters

        market = SyntheticParameters(1, 5, 4_000.0)
        async with trading(tmp_path, seconds=100.0, speed=8.0, synthetic=market) as venue:
            rest = rest_client(venue)
            await ask(rest.time)
            bid, offer = await best(venue)
            ids = []
            for side, price in (("BUY", bid), ("SELL", offer)):
                order = await ask(
                    rest.new_order,
                    symbol=SYMBOL,
                    side=side,
                    type="LIMIT",
                    quantity="0.01",
                    price=price,
                    time_in_force="GTC",
                )
                ids.append(order.order_id)
            while True:
                orders = [await ask(rest.get_order, symbol=SYMBOL, order_id=each) for each in ids]
                if any(order.status == "FILLED" for order in orders):
                    break
                await asyncio.sleep(0.1)
            (trade, *_more) = await ask(rest.my_trades, symbol=SYMBOL)
            assert float(trade.price) <= float(bid) if trade.is_buyer else float(trade.price) >= float(offer)

    run(test)


def test_cancel_replace_says_which_half_failed(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            rest = rest_client(venue)
            bid, _offer = await best(venue)
            limit = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "price": bid, "time_in_force": "GTC"}
            placed = await ask(rest.new_order, **limit, quantity="0.1")
            with pytest.raises(errors.ClientError) as partly:  # 409
                await ask(
                    rest.order_cancel_replace,
                    **limit,
                    quantity="99",
                    cancel_replace_mode="STOP_ON_FAILURE",
                    cancel_order_id=placed.order_id,
                )
            assert "partially failed" in str(partly.value)
            with pytest.raises(errors.BadRequestError, match="cancel-replace failed"):
                await ask(
                    rest.order_cancel_replace,
                    **limit,
                    quantity="0.1",
                    cancel_replace_mode="STOP_ON_FAILURE",
                    cancel_order_id=placed.order_id,
                )
            replaced_id = placed.order_id
            assert (await ask(rest.get_order, symbol=SYMBOL, order_id=replaced_id)).status == "CANCELED"

    run(test)


def test_errors_have_binance_s_codes(tmp_path: Path) -> None:
    async def test() -> None:
        async with trading(tmp_path) as venue:
            rest, poor = rest_client(venue), rest_client(venue, "poor")

            async def code(call: Any, **parameters: Any) -> int:
                with pytest.raises((errors.BadRequestError, errors.UnauthorizedError)) as error:
                    await ask(call, **parameters)
                return int(error.value.status_code)

            order = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET"}
            assert await code(rest.get_order, symbol=SYMBOL, order_id=9) == -2013
            assert await code(rest.delete_order, symbol=SYMBOL, order_id=9) == -2011
            assert await code(rest.delete_open_orders, symbol=SYMBOL) == -2011
            assert await code(rest.my_trades, symbol="NOSUCH") == -1121
            assert await code(poor.new_order, **order, quantity="1") == -2010
            assert await code(rest.new_order, **order, quantity="1e-5") == -1100
            assert await code(rest.get_account, recv_window=60_001) == -1131

            async def raw(method: str, path: str, status: int, key: str = KEY, **query: str) -> int:
                url, headers = f"{venue.url}/api/v3/{path}", {"X-MBX-APIKEY": key} if key else {}
                async with venue.session.request(method, url, params=query, headers=headers) as answer:
                    assert answer.status == status, await answer.text()
                    return int((await answer.json())["code"])

            assert await raw("GET", "account", 401, key="") == -2014
            assert await raw("GET", "account", 401, key="x" * 64) == -2015
            assert await raw("GET", "account", 400) == -1102
            old = {"timestamp": "1499827319559", "signature": "00"}
            assert await raw("GET", "account", 400, **old) == -1021
            now = {"timestamp": str(venue.server.trading.desk.now_ms), "signature": "00"}
            assert await raw("GET", "account", 400, **now) == -1022, "the venue's own time is good, too"

    run(test)
