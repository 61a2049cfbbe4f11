"""Paper trading: fills as the market shows, money that adds up, and no network at all."""

import ast
import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.connectors.gateway import paper
from genesis.connectors.gateway.paper import FEE, PaperVenue
from genesis.connectors.gateway.venues import Listener, Rejected, Unreachable
from genesis.operators.account.events import Execution, Listing, Listings, Mark, MarketRecord
from tests.connectors.gateway.stubs import child

OPENING = {"USDT": Decimal(1_000), "BTC": Decimal(10)}
LISTING = Listing(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick="1",
    lot="1",
    min_qty="1",
    max_qty="99",
    min_notional="5",
)


def mark(bid: int, ask: int, qty: int = 5) -> MarketRecord:
    shown = Mark(symbol="BTCUSDT", bid=str(bid), ask=str(ask), bid_qty=str(qty), ask_qty=str(qty))
    return MarketRecord(marks=[shown])


class Paper:
    """A paper venue that is listened to."""

    def __init__(self, folder: Path) -> None:
        self.venue = PaperVenue(folder / "paper" / "main.json", OPENING)
        self.venue.learn(Listings(listings=[LISTING]))
        self.venue.feed(mark(99, 101), 1)
        self.said: list[Execution] = []
        asyncio.run(self.venue.connect(Listener(self.said.append, lambda _reason: None)))

    def place(self, number: int, **changes: object) -> int:
        return asyncio.run(self.venue.place(child(number, **changes)))

    def cancel(self, number: int) -> None:
        asyncio.run(self.venue.cancel("BTCUSDT", f"c-{number}"))

    def statuses(self, number: int) -> list[str]:
        return [each.status for each in self.said if each.client_order_id == f"c-{number}"]

    def balances(self) -> dict[str, Decimal]:
        held = asyncio.run(self.venue.balances())
        return {asset: Decimal(free) + Decimal(locked) for asset, (free, locked) in held.items()}


def test_it_waits_for_the_market_and_the_rules(tmp_path: Path) -> None:
    venue = PaperVenue(tmp_path / "main.json", OPENING)
    with pytest.raises(Unreachable):
        asyncio.run(venue.connect(Listener(lambda _said: None, lambda _reason: None)))


def test_orders_take_wait_expire_and_are_cancelled(tmp_path: Path) -> None:
    desk = Paper(tmp_path)
    desk.place(1, order_type="market", qty="2", time_in_force="")
    assert desk.statuses(1) == ["new", "filled"]
    desk.place(2, limit_price="101", qty="4", time_in_force="ioc")
    assert desk.statuses(2) == ["new", "partially_filled", "expired"]
    desk.place(3, limit_price="101", qty="4", time_in_force="fok")
    assert desk.statuses(3) == ["new", "expired"]
    desk.place(4, limit_price="98", qty="1")
    desk.venue.feed(mark(97, 98), 2)
    assert desk.statuses(4) == ["new", "filled"]
    desk.place(5, limit_price="90", qty="1")
    desk.cancel(5)
    assert desk.statuses(5) == ["new", "canceled"]
    with pytest.raises(Rejected, match="immediately match"):
        desk.place(6, order_type="limit_maker", limit_price="98", time_in_force="")


def test_a_stop_waits_for_its_price(tmp_path: Path) -> None:
    desk = Paper(tmp_path)
    desk.place(1, side="sell", order_type="stop_loss_limit", stop_price="95", limit_price="90", qty="3")
    desk.venue.feed(mark(96, 97), 2)
    assert desk.statuses(1) == ["new"]
    desk.venue.feed(mark(94, 95), 3)
    assert desk.statuses(1) == ["new", "filled"]
    assert desk.said[-1].last_price == "94"
    with pytest.raises(Rejected, match="trigger immediately"):
        desk.place(2, side="sell", order_type="stop_loss_limit", stop_price="94", limit_price="90", qty="3")


def test_a_stop_locks_what_it_sells_and_rests_with_what_it_could_not_after_a_restart(tmp_path: Path) -> None:
    desk = Paper(tmp_path)
    desk.place(1, side="sell", order_type="stop_loss_limit", stop_price="95", limit_price="92", qty="8")
    with pytest.raises(Rejected, match="insufficient"):
        desk.place(2, side="sell", qty="3")
    again = Paper(tmp_path)
    again.venue.feed(mark(94, 95), 5)
    assert again.statuses(1) == ["partially_filled"]
    again.venue.feed(mark(91, 92), 6)
    again.venue.feed(mark(93, 94), 7)
    assert again.statuses(1) == ["partially_filled", "filled"]
    assert [each.last_price for each in again.said] == ["94", "92"]


def test_what_the_account_lacks_is_refused(tmp_path: Path) -> None:
    desk = Paper(tmp_path)
    with pytest.raises(Rejected, match="insufficient"):
        desk.place(1, qty="50")
    with pytest.raises(Rejected, match="insufficient"):
        desk.place(2, side="sell", qty="11")
    with pytest.raises(Rejected, match="Invalid symbol"):
        desk.place(3, symbol="ETHUSDT")


def test_a_restart_keeps_orders_trades_and_money(tmp_path: Path) -> None:
    desk = Paper(tmp_path)
    desk.place(1, order_type="market", qty="2", time_in_force="")
    desk.place(2, limit_price="90", qty="1")
    before = desk.balances()
    again = Paper(tmp_path)
    assert again.balances() == before
    (waiting,) = asyncio.run(again.venue.open_orders())
    assert waiting.client_order_id == "c-2"
    assert len(asyncio.run(again.venue.trades_since("BTCUSDT", 0))) == 1
    again.venue.feed(mark(88, 89), 9)
    assert again.statuses(2) == ["filled"]


ORDERS = st.tuples(
    st.sampled_from(["market", "limit", "limit_maker"]),
    st.sampled_from(["gtc", "ioc", "fok"]),
    st.sampled_from(["buy", "sell"]),
    st.integers(90, 110),
    st.integers(1, 8),
)
STEPS = st.lists(st.one_of(ORDERS, st.tuples(st.integers(90, 109), st.integers(1, 5))), max_size=25)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_no_fill_is_beyond_limit_or_quantity_and_the_money_adds_up(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    desk = Paper(tmp_path_factory.mktemp("paper"))
    orders = {}
    for number, step in enumerate(steps):
        if len(step) == 2:
            bid, spread = step
            desk.venue.feed(mark(bid, bid + spread), number + 2)  # type: ignore[operator,arg-type]
            continue
        kind, force, side, price, qty = step
        fields = {"order_type": kind, "side": side, "limit_price": str(price), "qty": str(qty)}
        orders[f"c-{number}"] = child(number, time_in_force=force, **fields)
        try:
            asyncio.run(desk.venue.place(orders[f"c-{number}"]))
        except Rejected:
            del orders[f"c-{number}"]
    money = dict(OPENING)
    filled: dict[str, Decimal] = {}
    for said in desk.said:
        if said.trade_id < 0:
            continue
        order = orders[said.client_order_id]
        qty, price = Decimal(said.last_qty), Decimal(said.last_price)
        filled[said.client_order_id] = filled.get(said.client_order_id, Decimal(0)) + qty
        sign = 1 if order.side == "buy" else -1
        assert order.order_type == "market" or sign * price <= sign * Decimal(order.limit_price)
        assert Decimal(said.commission) == FEE * (qty if sign > 0 else qty * price)
        money["BTC"] += sign * qty
        money["USDT"] -= sign * qty * price
        money[said.commission_asset] -= Decimal(said.commission)
    assert all(qty <= Decimal(orders[key].qty) for key, qty in filled.items())
    assert desk.balances() == {asset: total for asset, total in money.items() if total}


def test_nothing_in_it_can_reach_a_network() -> None:
    tree = ast.parse(Path(paper.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert modules == {
        "os",
        "decimal",
        "pathlib",
        "msgspec",
        "genesis.connectors.gateway.venues",
        "genesis.operators.account.events",
        "genesis.operators.account.outcomes",
        "genesis.operators.order_matching",
    }
