"""What goes over the wire is what was permitted; what comes back is read or refused, never guessed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.connectors.gateway import wire
from genesis.connectors.gateway.checks import refusal_of
from genesis.connectors.gateway.clock import AccountClock, VenueClock
from genesis.connectors.gateway.venues import (
    AuthFailed,
    ClockSkew,
    Rejected,
    Throttled,
    TradingError,
    Unknown,
)
from tests.connectors.gateway.stubs import PERMIT_KEY, child

REPORT: dict[str, Any] = {
    "e": "executionReport",
    "E": 1_700_000_000_000,
    "s": "BTCUSDT",
    "c": "c-1",
    "C": "",
    "S": "BUY",
    "x": "TRADE",
    "X": "PARTIALLY_FILLED",
    "r": "NONE",
    "i": 7,
    "l": "0.50000000",
    "L": "100.00000000",
    "z": "1.50000000",
    "n": "0.00050000",
    "N": "BTC",
    "T": 1_700_000_000_123,
    "t": 9,
    "m": True,
}


@given(st.decimals("0.00000001", "999999999", places=8).filter(bool))
def test_quantities_keep_their_value_and_have_no_exponent(value: Decimal) -> None:
    for text in (str(value), format(value, "f"), f"{value:E}"):
        shown = wire.plain(text)
        assert Decimal(shown) == value
        assert set(shown) <= set("0123456789.")


@pytest.mark.parametrize("text", ["0", "-1", "NaN", "Infinity", "1e30", "1e-30", "", "x", "1,5", "0x10"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(wire.NotUnderstood):
        wire.plain(text)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_in_an_order_breaks_the_check(side: str, qty: str, kind: str) -> None:
    order = child(1, side=side, qty=qty, order_type=kind)
    found = refusal_of(PERMIT_KEY, "main", order)
    assert found is None or found.code == "MALFORMED"


def test_each_order_type_has_the_parameters_that_it_needs() -> None:
    limit = wire.order_params(child(1, qty="0.10", limit_price="1E+2"))
    assert limit == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.1",
        "newClientOrderId": "c-1",
        "newOrderRespType": "ACK",
        "price": "100",
        "timeInForce": "GTC",
    }
    market = wire.order_params(child(1, order_type="market", time_in_force=""))
    assert "price" not in market
    maker = wire.order_params(child(1, order_type="limit_maker", time_in_force=""))
    assert "timeInForce" not in maker
    stop = wire.order_params(child(1, order_type="stop_loss_limit", stop_price="99.5"))
    assert stop["stopPrice"] == "99.5"


def test_a_report_is_read_without_rounding() -> None:
    said = wire.report_of(REPORT)
    assert (said.client_order_id, said.status, said.trade_id) == ("c-1", "partially_filled", 9)
    assert (said.last_qty, said.commission, said.is_maker) == ("0.50000000", "0.00050000", True)
    assert said.venue_ns == 1_700_000_000_123_000_000
    cancelled = wire.report_of(REPORT | {"x": "CANCELED", "X": "CANCELED", "C": "c-1", "c": "other"})
    assert (cancelled.client_order_id, cancelled.trade_id, cancelled.last_qty) == ("c-1", -1, "0")
    expired = wire.report_of(REPORT | {"x": "EXPIRED", "X": "EXPIRED_IN_MATCH", "eR": "EXECUTION_RULE"})
    assert (expired.status, expired.reason) == ("expired", "EXECUTION_RULE")


@pytest.mark.parametrize("field", ["x", "X", "i", "s", "S", "t", "l", "L", "z", "n", "T"])
def test_a_report_that_lacks_a_field_is_refused(field: str) -> None:
    with pytest.raises(wire.NotUnderstood):
        wire.report_of({key: value for key, value in REPORT.items() if key != field})
    with pytest.raises(wire.NotUnderstood):
        wire.report_of(REPORT | {field: None} if field not in "sS" else {})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, -1003, Throttled),
        (418, -1003, Throttled),
        (0, -1015, Throttled),
        (503, -1008, Throttled),
        (400, -1021, ClockSkew),
        (400, -1007, Unknown),
        (400, -1006, Unknown),
        (500, 0, Unknown),
        (504, 0, Unknown),
        (400, 0, Unknown),
        (401, -2015, AuthFailed),
        (400, -2014, AuthFailed),
        (400, -1022, AuthFailed),
        (400, -1013, Rejected),
        (400, -1111, Rejected),
        (400, -2010, Rejected),
        (400, -2011, Rejected),
    ],
)
def test_errors_are_told_apart_by_what_may_be_done_next(
    status: int, code: int, kind: type[TradingError]
) -> None:
    assert type(wire.error_of(status, code, "words", 2.0)) is kind


def test_rules_are_found_whatever_the_order_of_the_filters() -> None:
    filters = [
        {"filterType": "NOTIONAL", "minNotional": "5.00"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9", "stepSize": "0.001"},
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
    ]
    symbol = {
        "symbol": "BTCUSDT",
        "status": "BREAK",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "filters": filters,
    }
    listing = wire.listing_of(symbol)
    assert (listing.tick, listing.lot, listing.min_notional, listing.trading) == (
        "0.01",
        "0.001",
        "5.00",
        False,
    )
    with pytest.raises(wire.NotUnderstood):
        wire.listing_of(symbol | {"filters": filters[:1]})


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 2_000)), min_size=1, max_size=20),
    st.integers(0, 10**12),
)
def test_our_stamp_is_never_ahead_of_the_venue(trips: list[tuple[int, int]], offset_ms: int) -> None:
    now_ns = 0
    clock = VenueClock(lambda: now_ns)
    for there_ms, back_ms in trips:
        sent_ns = now_ns
        venue_ms = offset_ms + (sent_ns // 1_000_000) + there_ms
        now_ns += (there_ms + back_ms) * 1_000_000
        clock.heard(venue_ms, sent_ns, now_ns)
        assert clock.now_ms() <= offset_ms + now_ns // 1_000_000
        now_ns += 1_000_000_000


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**11)), min_size=1, max_size=30))
def test_the_account_clock_follows_the_newest_record_and_runs_on(
    steps: list[tuple[int, int]],
) -> None:
    now_ns = 0
    clock = AccountClock(lambda: now_ns)
    newest = 0
    for event_ns, pause_ns in steps:
        clock.tick(event_ns)
        newest = max(newest, event_ns)
        now_ns += pause_ns
        if newest:
            assert newest <= clock.now_ns() <= newest + min(pause_ns, 60_000_000_000)
