"""The venue of quotes fills within what is shown, once, one record later, and nothing without a permit."""

from decimal import Decimal

import msgspec
import pytest

from genesis.operators.account import signing
from genesis.operators.account.events import Execution, Mark, MarketRecord
from genesis.operators.account.outcomes import ChildOrder
from genesis.operators.account.state import Rules
from genesis.operators.strategies.quote_venue import QuoteVenue

KEY = b"permit" * 8
LOT = Decimal("0.01")
RULES = Rules("AAAUSDT", "AAA", "USDT", LOT, LOT, LOT, Decimal(1_000), Decimal(5), True)


class Session:
    """A venue and its clock; every call is the next record."""

    def __init__(self) -> None:
        self.venue, self.now_ns = QuoteVenue({"AAAUSDT": RULES}, KEY), 0
        self.next()

    def next(
        self, bid: str = "99", ask: str = "101", qty: str = "2", *, is_new: bool = True
    ) -> list[Execution]:
        """Give the next record; without a new quote its quote has the time of the one before."""
        self.now_ns += 10**8
        self.quoted_ns = self.now_ns if is_new else self.quoted_ns
        mark = Mark(symbol="AAAUSDT", bid=bid, ask=ask, bid_qty=qty, ask_qty=qty, quoted_ns=self.quoted_ns)
        return self.venue.on_record(MarketRecord(marks=[mark]), self.now_ns)

    def order(self, name: str, side: str, qty: str, limit: str, **more: object) -> ChildOrder:
        """Hand an order with a good permit to the venue."""
        fields: dict[str, object] = {
            "id": name,
            "event_ns": self.now_ns,
            "account_id": "main",
            "action": "send",
            "client_order_id": name,
            "parent_id": "p",
            "symbol": "AAAUSDT",
            "side": side,
            "order_type": "limit",
            "time_in_force": "ioc",
            "qty": qty,
            "limit_price": limit,
            "stop_price": "",
            "tier": "sniper",
            "ledger_head": "",
            "expires_ns": self.now_ns + 10**10,
            "permit": "",
        }
        order = msgspec.convert(fields | more, ChildOrder)
        order = msgspec.structs.replace(order, permit=signing.permit(KEY, order))
        self.venue.submit(order)
        return order


def told(reports: list[Execution]) -> list[tuple[str, str, str]]:
    """Return status, quantity and price of each report."""
    return [(each.status, each.last_qty, each.last_price) for each in reports]


def test_what_is_shown_is_taken_once_until_a_new_quote() -> None:
    session = Session()
    session.order("a", "buy", "1.5", "101")
    session.order("b", "buy", "1.5", "101")
    session.order("c", "buy", "1", "100.99")
    reports = session.next(is_new=False)
    assert told(reports) == [
        ("new", "0", "0"),
        ("filled", "1.5", "101"),
        ("new", "0", "0"),
        ("partially_filled", "0.5", "101"),
        ("expired", "0", "0"),
        ("new", "0", "0"),
        ("expired", "0", "0"),
    ]
    assert [each.commission for each in reports if each.trade_id >= 0] == ["0.0015", "0.0005"]
    session.order("d", "buy", "1", "101")
    assert told(session.next(is_new=False)) == [("new", "0", "0"), ("expired", "0", "0")]
    session.order("e", "sell", "1", "99")
    (_, filled) = session.next()
    assert (filled.commission, filled.commission_asset) == ("0.099", "USDT")


def test_an_order_meets_the_quote_after_its_decision() -> None:
    session = Session()
    session.order("a", "buy", "1", "101")
    assert told(session.next(bid="102", ask="103")) == [("new", "0", "0"), ("expired", "0", "0")]
    session.order("b", "buy", "1", "103")
    assert told(session.next(bid="100", ask="100.5"))[1] == ("filled", "1", "100.5")


def test_what_waits_fills_as_maker_when_the_other_side_comes_or_is_cancelled() -> None:
    session = Session()
    session.order("a", "buy", "3", "100", time_in_force="gtc")
    assert told(session.next()) == [("new", "0", "0")]
    (part,) = session.next(ask="99.5")
    assert (part.status, part.last_qty, part.last_price, part.is_maker) == (
        "partially_filled",
        "2",
        "100",
        True,
    )
    assert session.next(ask="99.5", is_new=False) == []
    session.order("a", "buy", "3", "100", action="cancel")
    (cancelled,) = session.next()
    assert (cancelled.status, cancelled.filled_qty) == ("canceled", "2")
    assert session.next(ask="99") == []
    session.order("a", "buy", "3", "100", action="cancel")
    assert session.next() == []


@pytest.mark.parametrize("change", [{"qty": "2"}, {"permit": "00"}, {"limit_price": "200"}])
def test_an_order_without_its_own_permit_is_rejected(change: dict[str, str]) -> None:
    session = Session()
    good = session.order("a", "buy", "1", "101")
    session.venue.submit(msgspec.structs.replace(good, client_order_id="b"))
    session.venue.submit(msgspec.structs.replace(good, **change))
    session.order("old", "buy", "1", "101", expires_ns=session.now_ns)
    assert [each.status for each in session.next()] == ["new", "filled", "rejected", "rejected", "rejected"]


def test_a_stale_or_one_sided_quote_fills_nothing() -> None:
    session = Session()
    session.order("a", "buy", "1", "101")
    assert told(session.next(ask="0"))[-1] == ("expired", "0", "0")


def test_a_stop_waits_for_the_best_bid_to_come_to_it_and_can_be_cancelled() -> None:
    session = Session()
    stop = {"order_type": "stop_loss_limit", "stop_price": "98", "time_in_force": "gtc"}
    session.order("a", "sell", "1.5", "97.5", **stop)
    session.order("b", "sell", "1", "97.5", **stop)
    assert told(session.next(bid="99")) == [("new", "0", "0"), ("new", "0", "0")]
    session.order("b", "sell", "1", "97.5", action="cancel")
    assert told(session.next(bid="98.01")) == [("canceled", "0", "0")]
    assert told(session.next(bid="97.9", ask="98.1")) == [("filled", "1.5", "97.9")]
    session.order("c", "sell", "1", "97.5", **stop)
    session.next(bid="99")
    assert session.next(bid="97") == []  # through its limit: it waits in the book
    assert told(session.next(bid="97.6")) == [("filled", "1", "97.5")]
