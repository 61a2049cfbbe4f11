"""The exchange without network: conservation, limits, filters, stops, the same again the same."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.source import Instrument
from genesis.connectors.venue.trading.accounts import Account, AccountEntry
from genesis.connectors.venue.trading.errors import DECIMAL_RANGE
from genesis.connectors.venue.trading.exchange import Exchange
from genesis.connectors.venue.trading.filters import SymbolRules
from genesis.connectors.venue.trading.journal import Journal, JournalError
from genesis.connectors.venue.trading.orders import STOPS, Json, OrderRequest
from genesis.connectors.venue.trading.parameters import Parameters, order_request
from genesis.operators.order_matching import Level, Prevention, Side
from genesis.operators.records import Market

SYMBOL = "BTCUSDT"
INSTRUMENT = Instrument(Market.SPOT, SYMBOL, "BTC", "USDT", 100_000_000, 1_000_000)  # tick 1, step 0.01


class StillMarket:
    """A market that is what a test says."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.books: dict[Side, dict[Decimal, Decimal]] = {
            Side.BUY: {Decimal(99): Decimal(5), Decimal(98): Decimal(50)},
            Side.SELL: {Decimal(101): Decimal(5), Decimal(102): Decimal(50)},
        }
        self.price: Decimal | None = Decimal(100)

    def levels(self, symbol: str, side: Side) -> list[Level]:
        rows = (Level(price, qty) for price, qty in self.books[side].items() if qty)
        return sorted(rows, reverse=side is Side.BUY)

    def last_price(self, symbol: str) -> Decimal | None:
        return self.price if symbol == SYMBOL else None


class Lab:
    """An exchange with two accounts over a still market."""

    def __init__(self, journal: Journal | None = None, **entry: Any) -> None:
        balances = entry.pop("balances", {"USDT": "100000", "BTC": "1000"})
        self.market = StillMarket()
        self.accounts = [
            Account(AccountEntry(name, name * 9, "secret", balances=balances, **entry)) for name in "ab"
        ]
        self.exchange = Exchange({SYMBOL: SymbolRules.of(INSTRUMENT)}, self.accounts, self.market, journal)
        self.events: list[tuple[str, Json]] = []
        self.codes: set[int] = set()  # of refusals
        self.exchange.listeners.append(lambda account, event: self.events.append((account, event)))

    def place(self, side: str = "BUY", kind: str = "LIMIT", account: int = 0, **more: str) -> Any:
        if kind == "LIMIT":
            more = {"timeInForce": "GTC", **more}
        values = {"symbol": SYMBOL, "side": side, "type": kind, **more}
        return self.exchange.place(self.accounts[account], order_request(Parameters(values)))

    def trade(self, price: str, qty: str, aggressor: Side) -> None:
        self.market.price = Decimal(price)
        self.exchange.on_trade(SYMBOL, Decimal(price), Decimal(qty), aggressor)

    def total(self, asset: str) -> Decimal:
        return sum(
            (each.wallet.free(asset) + each.wallet.locked(asset) for each in self.accounts), Decimal(0)
        )

    def kinds(self) -> list[str]:
        return [f"{event['x']}/{event['X']}" for _, event in self.events if event["e"] == "executionReport"]


def refused(call: Any, code: int, text: str) -> None:
    with pytest.raises(ApiError) as error:
        call()
    assert (error.value.code, error.value.msg) == (code, text)


def test_a_taker_pays_the_levels_and_a_commission_in_what_it_gets() -> None:
    lab = Lab()
    order = lab.place(kind="MARKET", quantity="6")
    assert [(fill.price, fill.qty) for fill in order.fills] == [(101, 5), (102, 1)]
    assert lab.accounts[0].wallet.free("USDT") == 100_000 - 5 * 101 - 102
    assert lab.accounts[0].wallet.free("BTC") == 1_000 + 6 - Decimal("0.006")
    assert lab.kinds() == ["NEW/NEW", "TRADE/PARTIALLY_FILLED", "TRADE/FILLED"]
    assert lab.events[-1][1]["B"] == [
        {"a": "BTC", "f": "1005.99400000", "l": "0.00000000"},
        {"a": "USDT", "f": "99393.00000000", "l": "0.00000000"},
    ]


def test_a_limit_order_locks_its_price_and_gets_the_better_one() -> None:
    lab = Lab()
    order = lab.place(quantity="7", price="101")
    wallet = lab.accounts[0].wallet
    assert order.status == "PARTIALLY_FILLED"
    assert wallet.locked("USDT") == 2 * 101
    lab.trade("101", "1", Side.BUY)
    lab.exchange.on_level(SYMBOL, Side.SELL, Level(Decimal(100), Decimal(9)))
    assert order.status == "FILLED", "an ask at a better price than its limit fills a resting bid"
    assert (wallet.locked("USDT"), wallet.free("USDT")) == (0, 100_000 - 7 * 101)
    assert [fill.is_maker for fill in order.fills] == [False, True]


def test_commission_in_bnb_when_there_is_some_and_its_price_is_known() -> None:
    lab = Lab(pays_in_bnb=True, balances={"USDT": "1000", "BNB": "1"})
    lab.market.last_price = lambda symbol: Decimal(500)  # type: ignore[method-assign]
    order = lab.place(kind="MARKET", quantity="1")
    assert order.fills[0].commission == Decimal("0.00015150"), "101 x 0.1 % x 0.75 / 500"
    assert order.fills[0].commission_asset == "BNB"


def test_immediate_or_cancel_and_fill_or_kill() -> None:
    lab = Lab()
    ioc = lab.place(quantity="7", price="101", timeInForce="IOC")
    assert (ioc.status, ioc.filled_qty, ioc.expiry_reason) == ("EXPIRED", 5, "UNFILLED_IOC_QUANTITY_EXPIRED")
    fok = lab.place(quantity="60", price="102", timeInForce="FOK")
    assert (fok.status, fok.filled_qty, fok.expiry_reason) == ("EXPIRED", 0, "UNFILLED_FOK_ORDER_EXPIRED")
    whole = lab.place(quantity="50", price="102", timeInForce="FOK")
    assert whole.status == "FILLED"
    assert lab.accounts[0].wallet.locked("USDT") == 0


def test_stops_wait_for_the_last_price() -> None:
    lab = Lab()
    stop = lab.place("SELL", "STOP_LOSS", quantity="1", stopPrice="90")
    limit = lab.place("SELL", "STOP_LOSS_LIMIT", quantity="1", stopPrice="95", price="99", timeInForce="GTC")
    profit = lab.place("SELL", "TAKE_PROFIT", quantity="1", stopPrice="110")
    assert [stop.is_waiting, limit.is_waiting, profit.is_waiting] == [True] * 3
    lab.trade("95", "1", Side.SELL)
    assert (stop.is_waiting, limit.status, limit.fills[0].price) == (True, "FILLED", 99)
    lab.trade("90", "1", Side.SELL)
    assert (stop.status, stop.fills[0].price) == ("FILLED", 99)
    lab.trade("110", "1", Side.BUY)
    assert profit.status == "FILLED"
    refused(
        lambda: lab.place("BUY", "STOP_LOSS", quantity="1", stopPrice="105"),
        -2010,
        "Stop price would trigger immediately.",
    )


@pytest.mark.parametrize(
    ("code", "text", "kind", "values"),
    [
        (-1013, "Filter failure: PRICE_FILTER", "LIMIT", {"price": "100.5", "quantity": "1"}),
        (-1013, "Filter failure: PRICE_FILTER", "LIMIT", {"price": "9999999", "quantity": "1"}),
        (-1013, "Filter failure: LOT_SIZE", "LIMIT", {"price": "100", "quantity": "0.005"}),
        (-1013, "Filter failure: LOT_SIZE", "LIMIT", {"price": "100", "quantity": "1.005"}),
        (-1013, "Filter failure: NOTIONAL", "LIMIT", {"price": "100", "quantity": "0.04"}),
        (-1013, "Filter failure: NOTIONAL", "MARKET", {"quantity": "0.04"}),
        (-1013, "Filter failure: NOTIONAL", "MARKET", {"quoteOrderQty": "4"}),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", "LIMIT", {"price": "501", "quantity": "1"}),
        (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE", "LIMIT", {"price": "19", "quantity": "1"}),
        (-1013, "Filter failure: MARKET_LOT_SIZE", "MARKET", {"quantity": "9000000.01"}),
        (-1111, "Parameter 'quantity' has too much precision.", "MARKET", {"quantity": "1.000000001"}),
        (-1013, "Invalid quantity.", "MARKET", {"quantity": "0"}),
        (-1106, "Parameter 'price' sent when not required.", "MARKET", {"quantity": "1", "price": "9"}),
        (
            -1102,
            "Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
            "LIMIT",
            {"quantity": "1"},
        ),
        (
            -1100,
            f"Illegal characters found in parameter 'quantity'; legal range is '{DECIMAL_RANGE}'.",
            "MARKET",
            {"quantity": "-1"},
        ),
        (-1116, "Invalid orderType.", "OCO", {"quantity": "1"}),
        (-1115, "Invalid timeInForce.", "LIMIT", {"quantity": "1", "price": "9", "timeInForce": "GTX"}),
        (-2010, "Order would immediately match and take.", "LIMIT_MAKER", {"quantity": "1", "price": "101"}),
        (
            -2010,
            "Account has insufficient balance for requested action.",
            "LIMIT",
            {"price": "100", "quantity": "1000.01"},
        ),
    ],
)
def test_what_is_refused_changes_nothing(code: int, text: str, kind: str, values: dict[str, str]) -> None:
    lab = Lab()
    if "9000000" in str(values):
        text = "Filter failure: LOT_SIZE"
    refused(lambda: lab.place(kind=kind, **values), code, text)
    assert (lab.total("USDT"), lab.exchange.orders, lab.events) == (200_000, {}, [])


@pytest.mark.parametrize("text", ["1e3", "1E-5", "nan", "inf", " 1", "", "٣", "1_0", "+1"])
def test_odd_numbers_are_refused(text: str) -> None:
    lab = Lab()
    with pytest.raises(ApiError) as error:
        lab.place(kind="MARKET", quantity=text)
    assert error.value.code in (-1100, -1102, -1105)


def test_counts_of_orders_are_limited() -> None:
    lab = Lab()
    for _ in range(200):
        lab.place(quantity="0.1", price="90")
        lab.market.now_ms += 200
    refused(lambda: lab.place(quantity="0.1", price="90"), -1013, "Filter failure: MAX_NUM_ORDERS")
    lab = Lab()
    for number in range(100):
        lab.exchange.cancel(lab.place(quantity="0.1", price="90", newClientOrderId=f"id{number}"))
    refused(
        lambda: lab.place(quantity="0.1", price="90"),
        -1015,
        "Too many new orders; current limit is 100 orders per 10 SECOND.",
    )
    lab.market.now_ms += 10_000
    assert lab.place(kind="MARKET", quantity="0.1").status == "FILLED"
    assert lab.exchange.order_counts(lab.accounts[0])[0]["count"] == 0, "a fill takes its order back"


def test_an_id_is_unique_among_open_orders_only() -> None:
    lab = Lab()
    first = lab.place(quantity="1", price="90", newClientOrderId="x")
    refused(lambda: lab.place(quantity="1", price="90", newClientOrderId="x"), -2010, "Duplicate order sent.")
    lab.place(account=1, quantity="1", price="90", newClientOrderId="x")
    lab.exchange.cancel(first)
    second = lab.place(quantity="1", price="90", newClientOrderId="x")
    assert lab.exchange.register.find(lab.accounts[0], SYMBOL, None, "x") is second
    assert lab.exchange.register.find(lab.accounts[0], SYMBOL, first.order_id, "") is first
    assert lab.exchange.register.find(lab.accounts[1], SYMBOL, first.order_id, "") is None, "another's order"


def test_an_amended_order_keeps_its_place() -> None:
    lab = Lab()
    order = lab.place(quantity="4", price="99")
    lab.trade("99", "5", Side.SELL)
    lab.exchange.amend(lab.accounts[0], order, Decimal(2), "smaller")
    assert lab.accounts[0].wallet.locked("USDT") == 2 * 99
    lab.trade("99", "3", Side.SELL)
    assert (order.status, order.filled_qty, order.client_order_id) == ("FILLED", 2, "smaller")
    assert lab.accounts[0].wallet.locked("USDT") == 0


ACTIONS = st.tuples(
    st.sampled_from(["LIMIT", "MARKET", "quote", "LIMIT_MAKER", *sorted(STOPS), "trade", "level", "cancel"]),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(0, 1),
    st.integers(96, 104),
    st.integers(1, 900),
    st.sampled_from(["GTC", "IOC", "FOK"]),
    st.sampled_from(list(Prevention)),
)


def play(actions: list[Any]) -> Lab:
    """Carry out actions; whatever is refused must be refused in Binance's words."""
    lab = Lab(maker_rate="0.00075", taker_rate="0.001", balances={"USDT": "3000", "BTC": "30"})
    for kind, side, account, price, cents, tif, prevention in actions:
        lab.market.now_ms += 7
        qty = Decimal(cents) / 100
        try:
            if kind == "trade":
                lab.trade(str(price), str(qty), Side[side])
            elif kind == "level":
                if (price < 100) == (side == "BUY"):
                    lab.market.books[Side[side]][Decimal(price)] = qty
                    lab.exchange.on_level(SYMBOL, Side[side], Level(Decimal(price), qty))
            elif kind == "cancel":
                for order in list(lab.exchange.open.values())[:1]:
                    lab.exchange.cancel(order)
            else:
                request = OrderRequest(
                    SYMBOL,
                    Side[side],
                    "MARKET" if kind == "quote" else kind,
                    tif if "LIMIT" in kind and kind != "LIMIT_MAKER" else "GTC",
                    None if kind == "quote" else qty,
                    qty * 100 if kind == "quote" else None,
                    Decimal(price) if "LIMIT" in kind else None,
                    Decimal(price) if kind in STOPS else None,
                    prevention=prevention,
                    prevention_name=prevention.value,
                )
                lab.exchange.place(lab.accounts[account], request)
        except ApiError as error:
            lab.codes.add(error.code)
        check(lab)
    return lab


def check(lab: Lab) -> None:
    """Check what must hold after every action."""
    for account in lab.accounts:
        fills = lab.exchange.fills[account.name]
        signs = [1 if fill.side is Side.BUY else -1 for fill in fills]
        traded = {
            "BTC": sum((s * f.qty for s, f in zip(signs, fills, strict=True)), Decimal(30)),
            "USDT": sum((-s * f.notional for s, f in zip(signs, fills, strict=True)), Decimal(3000)),
        }
        for asset, amount in traded.items():
            paid = sum((f.commission for f in fills if f.commission_asset == asset), Decimal(0))
            owned = account.wallet.free(asset) + account.wallet.locked(asset)
            assert owned == amount - paid, "every balance is what its trades made of it, to the last digit"
            locked = sum(
                (
                    order.lock_price * order.left_qty
                    for order in lab.exchange.register.open_orders(account)
                    if order.lock_asset == asset
                ),
                Decimal(0),
            )
            assert account.wallet.locked(asset) == locked
            assert account.wallet.free(asset) >= 0
    for order in lab.exchange.orders.values():
        assert order.filled_qty == sum((fill.qty for fill in order.fills), Decimal(0)) <= order.qty
        limit, is_buy = order.request.price, order.request.side is Side.BUY
        assert all(limit is None or (f.price <= limit if is_buy else f.price >= limit) for f in order.fills)
        assert order.is_open == (order.order_id in lab.exchange.open)


@settings(max_examples=120, deadline=None)
@given(st.lists(ACTIONS, max_size=30))
def test_balances_are_conserved_and_limits_hold(actions: list[Any]) -> None:
    lab, again = play(actions), play(actions)
    assert lab.codes <= {-2010, -1013}
    assert lab.events == again.events, "the same again gives the same"


def test_a_venue_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    lab = Lab(journal=Journal(path))
    filled = lab.place(quantity="7", price="101", newClientOrderId="part")
    lab.place("SELL", "STOP_LOSS", quantity="1", stopPrice="90", newClientOrderId="stop")
    gone = lab.place(quantity="1", price="90", newClientOrderId="gone")
    lab.exchange.cancel(gone)
    lab.exchange.amend(lab.accounts[0], filled, Decimal("6.5"), "smaller")
    with path.open("ab") as file:
        file.write(b'{"trade_id":9,"ord')  # killed while writing
    again = Lab(journal=Journal(path))
    assert {i: each.json() for i, each in again.exchange.orders.items()} == {
        i: each.json() for i, each in lab.exchange.orders.items()
    }
    for before, after in zip(lab.accounts, again.accounts, strict=True):
        assert after.wallet.amounts("USDT") == before.wallet.amounts("USDT")
        assert after.wallet.amounts("BTC") == before.wallet.amounts("BTC")
    assert again.exchange.fills == lab.exchange.fills
    assert again.exchange.register.find(again.accounts[0], SYMBOL, None, "part") is not None, "its former id"
    refused(
        lambda: again.place(quantity="1", price="90", newClientOrderId="smaller"),
        -2010,
        "Duplicate order sent.",
    )
    again.trade("100", "9", Side.SELL)
    again.trade("90", "9", Side.SELL)
    orders = {each.client_order_id: each.status for each in again.exchange.orders.values()}
    assert orders == {"smaller": "FILLED", "stop": "FILLED", "gone": "CANCELED"}
    assert [fill.trade_id for fill in again.exchange.fills["a"]] == [1, 2, 3]
    assert Lab(journal=Journal(path)).accounts[0].wallet.locked("USDT") == 0


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    path.write_text('{"trade_id":1}\n{"trade_id":"x"}\n{"trade_id":2}\n')
    with pytest.raises(JournalError, match="line 2"):
        Lab(journal=Journal(path))
