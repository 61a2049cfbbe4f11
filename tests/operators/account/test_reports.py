"""What the venue reports: booked once, whatever comes with it; balances, refused permits, links, listings."""

import math
from decimal import Decimal

import pytest

from genesis.operators.account import desk, execution, figures, market, reports, state
from genesis.operators.account.events import (
    AmendOrder,
    Execution,
    Flatten,
    Listings,
    PermitRefused,
    PlaceOrder,
    Role,
    VenueBalances,
    VenueLink,
)
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import ChildOrder, Decision, Fill, ParentOrder
from tests.operators.account.lab import KEYS, Lab, Venue, listing, of


def ordered(lab: Lab, notional: str = "20", **more: object) -> ChildOrder:
    """Place an order; return its child."""
    assert lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", notional=notional, **more)).accepted
    return of(lab.outcomes, "child_orders", ChildOrder)[-1]


def report(child: ChildOrder, status: str, trade_id: int = -1, qty: str = "0") -> Execution:
    return Execution(
        client_order_id=child.client_order_id,
        venue_order_id=1,
        symbol=child.symbol,
        side=child.side,
        status=status,
        trade_id=trade_id,
        last_qty=qty,
        last_price="100" if trade_id >= 0 else "0",
    )


def test_a_trade_of_an_order_that_nobody_knows_is_booked_all_the_same() -> None:
    lab = Lab()
    stray = report(ordered(lab), "filled", 77, "0.05")
    lab.put(Role.GATEWAY, Execution(**{**_fields(stray), "client_order_id": "by-hand"}))
    assert lab.account.portfolio.positions["BTCUSDT"].qty == Decimal("0.05")
    assert of(lab.outcomes, "executions", Fill)[-1].parent_id == ""


def _fields(struct: Execution) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@pytest.mark.parametrize("field", ["last_qty", "last_price", "commission"])
@pytest.mark.parametrize("text", ["nan", "-1", "1e30", "many"])
def test_a_report_that_cannot_be_read_is_answered_and_changes_nothing(field: str, text: str) -> None:
    lab = Lab()
    bad = Execution(**{**_fields(report(ordered(lab), "filled", 5, "0.1")), field: text})
    found = lab.put(Role.GATEWAY, bad)
    assert [each.accepted for each in of(found, "decisions", Decision)] == [False]
    assert not lab.account.portfolio.positions


def test_trades_that_come_late_or_twice_count_once() -> None:
    lab = Lab()
    child = ordered(lab)
    done = report(child, "filled", 5, child.qty)
    for each in (done, report(child, "new"), done, report(child, "canceled")):
        lab.put(Role.GATEWAY, each)
    assert lab.account.portfolio.positions["BTCUSDT"].qty == Decimal(child.qty)
    (last,) = [each for each in of(lab.outcomes, "parent_orders", ParentOrder) if each.status == "ended"]
    assert (last.reason, last.filled_qty) == ("filled", child.qty)


def test_a_permit_that_the_gateway_refused_ends_the_child_and_counts() -> None:
    lab = Lab()
    child = ordered(lab)
    lab.put(Role.GATEWAY, PermitRefused(client_order_id=child.client_order_id, code="PERMIT", detail="no"))
    assert lab.account.performance.today.override_attempts == 1
    assert not lab.account.children[child.client_order_id].is_open


def test_balances_are_taken_over_when_nothing_is_on_its_way() -> None:
    lab = Lab()
    child = ordered(lab)
    lab.put(Role.GATEWAY, VenueBalances(balances={"USDT": ("900", "0")}))
    assert lab.account.portfolio.cash == 1_000  # a trade may be on its way
    lab.put(Role.GATEWAY, report(child, "expired"))
    lab.put(Role.GATEWAY, VenueBalances(balances={"USDT": ("800", "50"), "BTC": ("0.5", "0")}))
    assert lab.account.portfolio.cash == 850
    lab.tick()
    assert float(lab.account.performance.equity) == pytest.approx(850 + 0.5 * 100.01)
    assert lab.account.performance.today.transferred == Decimal("-99.995")


def test_without_the_venue_working_orders_wait() -> None:
    lab = Lab()
    lab.put(Role.GATEWAY, report(ordered(lab), "expired"))
    lab.put(Role.GATEWAY, VenueLink(connected=False))
    before = len(of(lab.outcomes, "child_orders", ChildOrder))
    lab.tick()
    assert len(of(lab.outcomes, "child_orders", ChildOrder)) == before
    lab.put(Role.GATEWAY, VenueLink(connected=True))
    lab.tick()
    assert len(of(lab.outcomes, "child_orders", ChildOrder)) == before + 1


def test_rules_that_cannot_be_read_leave_the_symbol_as_it_was() -> None:
    lab = Lab()
    found = lab.put(Role.TICKER, Listings(listings=[listing("BTCUSDT", tick="nan")]))
    assert [each.code for each in of(found, "decisions", Decision)] == ["AMOUNT_NOT_FINITE"]
    assert lab.account.rules["BTCUSDT"].tick == Decimal("0.01")


def test_a_mark_that_cannot_be_read_makes_its_symbol_stale() -> None:
    lab = Lab()
    lab.tick(BTCUSDT=("nan", "100"))
    assert lab.account.views["BTCUSDT"].stale
    assert not lab.account.views["ETHUSDT"].stale


def test_correlations_are_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market, "CORRELATIONS_MAX", 2)
    lab = Lab()
    lab.correlate(("A", "B", 0.1), ("A", "C", 0.2), ("B", "C", 0.3))
    lab.correlate(("A", "C", 0.4))
    assert lab.account.correlations == {"B|C": 0.3, "A|C": 0.4}


def test_closed_children_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "CHILDREN_MAX", 3)
    lab = Lab()
    for number in range(6):
        lab.put(Role.GATEWAY, report(ordered(lab, f"{10 + number}"), "rejected"))
        lab.put(Role.TRADER, Flatten())
        lab.tick(3.0)
    assert len(lab.account.children) <= 4


def test_what_moves_together_needs_two_positions() -> None:
    account = state.Account("main", correlations={"A|B": 0.9, "A|C": 0.1, "B|C": 0.1})
    exposure = {"A": Decimal(30), "B": Decimal(30), "C": Decimal(40)}
    assert figures.moving_together(account, exposure) == pytest.approx(0.6)
    assert math.isnan(figures.moving_together(account, {"A": Decimal(30)}))


def test_a_total_is_lowered_and_a_limit_moved_while_it_works() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    child = ordered(lab, "20", limit_price="100.05")
    lab.put(Role.GATEWAY, report(child, "expired"))
    parent_id = child.parent_id
    assert lab.ask(AmendOrder(parent_id=parent_id, limit_price="100.02", qty="0.1")).accepted
    assert lab.ask(AmendOrder(parent_id=parent_id, qty="0.2")).code == "AMEND"
    assert lab.ask(AmendOrder(parent_id=parent_id)).code == "MALFORMED"
    venue.known |= {each.id for each in of(lab.outcomes, "child_orders", ChildOrder)}
    lab.tick()
    for order in lab.new_children(venue):
        assert (order.qty, order.limit_price) == ("0.1", "100.02")
        for each in venue.take(order, lab.now_ns):
            lab.put(Role.GATEWAY, each)
    assert parent_id not in lab.account.working
    assert lab.account.portfolio.positions["BTCUSDT"].qty <= Decimal("0.1")


def test_nothing_of_another_account_is_folded() -> None:
    lab = Lab()
    assert fold(state.Account("other"), KEYS, lab.log) == []


def test_the_cost_against_arrival_is_signed_by_side() -> None:
    working = state.Working("p", "c", "A", -1, "one", Decimal(2), Decimal(0), "", Decimal(100), 0, 0)
    assert math.isnan(execution.reference(working))
    working.filled, working.spent = Decimal(2), Decimal(198)
    assert execution.reference(working) == pytest.approx(100.0)
    assert reports.PPM == 1_000_000
