"""The gateway's side: nothing is sent twice, nothing undecided, nothing by a gateway of yesterday."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from genesis.connectors.ledger import AlreadyRecorded, FenceLost, Ledger, UnknownDecision, orders
from genesis.operators.account.audit import GENESIS, Head
from tests.connectors.ledger.lab import ACCOUNT, KEY, child, decided, outgoing, step


def test_an_order_is_recorded_once_and_followed_to_its_end(ledger: Ledger, url: str) -> None:
    head, order = decided(ledger, Head(), 1)
    assert ledger.pending_children(ACCOUNT) == [order]
    token = ledger.take_fence(ACCOUNT)
    ledger.record_order(token, order)
    assert ledger.pending_children(ACCOUNT) == []
    with Ledger.open(url) as other, pytest.raises(AlreadyRecorded, match="ask the venue"):
        other.record_order(token, order)
    (recorded,) = ledger.open_orders(ACCOUNT)
    assert (recorded.order, recorded.status, recorded.venue_order_id) == (order, "recorded", -1)
    ledger.record_outcome(token, order.client_order_id, "new", 77, "0")
    ledger.record_outcome(token, order.client_order_id, "partially_filled", -1, "0.0004")
    (recorded,) = ledger.open_orders(ACCOUNT)
    assert (recorded.status, recorded.venue_order_id, recorded.filled_qty) == (
        "partially_filled",
        77,
        "0.0004",
    )
    ledger.record_outcome(token, order.client_order_id, "filled", 77, "0.001")
    assert ledger.open_orders(ACCOUNT) == []
    assert [each.status for each in ledger.recorded_orders(ACCOUNT, 10)] == ["filled"]
    with pytest.raises(AlreadyRecorded):
        ledger.record_order(token, order)
    step(ledger, head)


@pytest.mark.parametrize(
    ("late", "status", "filled_qty"),
    [
        (("new", "0"), "canceled", "0.0005"),
        (("partially_filled", "0.0005"), "canceled", "0.0005"),
        (("partially_filled", "0.0004"), "canceled", "0.0005"),
        (("expired", "0.00041"), "canceled", "0.0005"),
        (("filled", "0.001"), "filled", "0.001"),  # the venue knew better than we did
    ],
)
def test_a_late_report_does_not_turn_an_order_back(
    ledger: Ledger, late: tuple[str, str], status: str, filled_qty: str
) -> None:
    _, order = decided(ledger, Head(), 1)
    token = ledger.take_fence(ACCOUNT)
    ledger.record_order(token, order)
    ledger.record_outcome(token, order.client_order_id, "canceled", 5, "0.0005")
    ledger.record_outcome(token, order.client_order_id, late[0], 5, late[1])
    (recorded,) = ledger.recorded_orders(ACCOUNT, 1)
    assert (recorded.status, recorded.filled_qty) == (status, filled_qty)


FORGERIES: dict[str, Callable[[Ledger, Head], object]] = {
    "an order that nobody decided": lambda ledger, head: child(9, head),
    "another quantity": lambda ledger, head: child(1, head, qty="9"),
    "another price": lambda ledger, head: child(1, head, limit_price="99999"),
    "another permit": lambda ledger, head: child(1, head, permit="0" * 64),
    "a later expiry": lambda ledger, head: child(1, head, expires_ns=2 * 10**18),
    "another tier": lambda ledger, head: child(1, head, tier="architect"),
    "a head that is not in the chain": lambda ledger, head: child(1, Head("e" * 64, 1)),
    "the head before all entries": lambda ledger, head: child(1, Head(GENESIS, 0)),
    "another account's order": lambda ledger, head: child(1, head, account_id="second"),
    "another id over the same body": lambda ledger, head: child(1, head, client_order_id="g-2"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_the_ledger_did_not_decide_is_refused_and_leaves_no_trace(ledger: Ledger, forgery: str) -> None:
    head, _ = decided(ledger, Head(), 1)
    token = ledger.take_fence(ACCOUNT)
    forged = FORGERIES[forgery](ledger, head)
    with pytest.raises(UnknownDecision):
        ledger.record_order(token, forged)  # type: ignore[arg-type]
    assert not ledger.is_decided(forged)  # type: ignore[arg-type]
    assert ledger.recorded_orders(ACCOUNT, 10) == []
    ledger.record_order(token, child(1, head))


def test_a_recorded_id_with_another_body_is_a_forgery_and_no_repeat(ledger: Ledger) -> None:
    head, order = decided(ledger, Head(), 1)
    token = ledger.take_fence(ACCOUNT)
    ledger.record_order(token, order)
    with pytest.raises(UnknownDecision, match="differs"):
        ledger.record_order(token, child(1, head, qty="9"))


def test_a_child_order_in_another_topic_of_the_outbox_is_no_decision(ledger: Ledger) -> None:
    head = step(ledger, Head())
    order = child(1, head)
    step(ledger, head, outgoing("decisions", order))
    with pytest.raises(UnknownDecision):
        ledger.record_order(ledger.take_fence(ACCOUNT), order)


def test_a_later_gateway_stops_the_earlier_one_in_everything_it_writes(ledger: Ledger, url: str) -> None:
    head, order = decided(ledger, Head(), 1)
    head, second = decided(ledger, head, 2)
    old = ledger.take_fence(ACCOUNT)
    ledger.record_order(old, second)
    with Ledger.open(url) as other:
        new = other.take_fence(ACCOUNT)
        assert new > old
        for attempt in (
            lambda: ledger.record_order(old, order),
            lambda: ledger.record_order(old, second),
            lambda: ledger.record_outcome(old, second.client_order_id, "filled", 1, "1"),
            lambda: ledger.record_trade(old, ACCOUNT, "BTCUSDT", 5),
        ):
            with pytest.raises(FenceLost, match="another gateway"):
                attempt()
        other.record_order(new, order)
    assert [each.token for each in ledger.open_orders(ACCOUNT)] == [old, new]
    assert ledger.last_trade_ids(ACCOUNT) == {}


def test_a_token_is_worth_nothing_for_another_account_and_made_up_ones_are_void(ledger: Ledger) -> None:
    _, order = decided(ledger, Head(), 1)
    mine, other = ledger.take_fence(ACCOUNT), ledger.take_fence("second")
    assert mine != other
    for token in (0, -1, -mine, other + 1, 10**12):
        with pytest.raises(FenceLost, match="void"):
            ledger.record_order(token, order)
    with pytest.raises(UnknownDecision, match="nothing to do with 'main'"):
        ledger.record_order(other, order)
    with pytest.raises(UnknownDecision):
        ledger.record_trade(other, ACCOUNT, "BTCUSDT", 5)
    ledger.record_order(mine, order)
    with pytest.raises(UnknownDecision):
        ledger.record_outcome(other, order.client_order_id, "filled", 1, "1")
    with pytest.raises(ValueError, match="must have a name"):
        ledger.take_fence("")


def test_a_halt_voids_the_token_of_the_gateway_until_it_is_lifted(ledger: Ledger, url: str) -> None:
    _, order = decided(ledger, Head(), 1)
    token = ledger.take_fence(ACCOUNT)
    with Ledger.open(url) as switch:
        number = switch.halt(ACCOUNT)
    assert ledger.is_halted(ACCOUNT)
    assert not ledger.is_halted("second")
    with pytest.raises(FenceLost, match="the kill switch was used"):
        ledger.record_order(token, order)
    with pytest.raises(UnknownDecision):
        ledger.record_order(number, order)
    with Ledger.open(url) as switch:
        switch.lift_halt(ACCOUNT)
        switch.lift_halt("second")
    assert not ledger.is_halted(ACCOUNT)
    with pytest.raises(FenceLost):
        ledger.record_order(0, order)
    ledger.halt(ACCOUNT)
    assert ledger.is_halted(ACCOUNT)
    ledger.lift_halt(ACCOUNT)
    ledger.record_order(ledger.take_fence(ACCOUNT), order)


def test_many_gateways_at_once_record_each_order_once(ledger: Ledger, url: str) -> None:
    head, made = Head(), []
    for n in range(12):
        head, order = decided(ledger, head, n)
        made.append(order)
    token = ledger.take_fence(ACCOUNT)
    outcomes: list[str] = []

    def gateway() -> None:
        with Ledger.open(url) as own:
            for order in made:
                try:
                    own.record_order(token, order)
                    outcomes.append("recorded")
                except AlreadyRecorded:
                    outcomes.append("known")

    threads = [threading.Thread(target=gateway) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["known"] * 36 + ["recorded"] * 12
    assert len(ledger.open_orders(ACCOUNT)) == 12


def test_gateways_that_fight_for_the_fence_never_both_have_it(ledger: Ledger, url: str) -> None:
    head, made = Head(), []
    for n in range(60):
        head, order = decided(ledger, head, n)
        made.append(order)
    lost: list[int] = []

    def gateway() -> None:
        with Ledger.open(url) as own:
            token = own.take_fence(ACCOUNT)
            for order in made:
                try:
                    own.record_order(token, order)
                except AlreadyRecorded:
                    continue
                except FenceLost:
                    lost.append(token)
                    return

    threads = [threading.Thread(target=gateway) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    tokens = [each.token for each in ledger.recorded_orders(ACCOUNT, 100)]
    assert tokens == sorted(tokens), "an earlier holder recorded after a later one"
    assert len(tokens) == 60
    assert max(tokens) not in lost


def test_cancels_are_pending_until_their_order_has_ended(ledger: Ledger) -> None:
    head, order = decided(ledger, Head(), 1)
    cancel = child(1, head, id="cancel-1", action="cancel")
    step(ledger, head, outgoing("child_orders", cancel))
    assert ledger.pending_children(ACCOUNT) == [order]
    assert ledger.pending_cancels(ACCOUNT) == [cancel]
    assert ledger.is_decided(cancel)
    token = ledger.take_fence(ACCOUNT)
    with pytest.raises(ValueError, match="only orders that are sent"):
        ledger.record_order(token, cancel)
    ledger.record_order(token, order)
    assert ledger.pending_cancels(ACCOUNT) == [cancel]
    ledger.record_outcome(token, order.client_order_id, "canceled", 3, "0")
    assert ledger.pending_cancels(ACCOUNT) == []


def test_the_outcome_of_an_unknown_order_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UnknownDecision, match="never recorded"):
        ledger.record_outcome(ledger.take_fence(ACCOUNT), "nobody", "filled", 1, "1")


def test_the_newest_trade_of_a_symbol_never_goes_back(ledger: Ledger) -> None:
    token = ledger.take_fence(ACCOUNT)
    for symbol, trade_id in (("BTCUSDT", 5), ("ETHUSDT", 9), ("BTCUSDT", 7), ("BTCUSDT", 6)):
        ledger.record_trade(token, ACCOUNT, symbol, trade_id)
    assert ledger.last_trade_ids(ACCOUNT) == {"BTCUSDT": 7, "ETHUSDT": 9}
    assert ledger.last_trade_ids("second") == {}


def test_refused_child_orders_are_counted_and_a_flood_of_them_takes_no_more_room(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "REFUSED_PERMITS_MAX", 3)
    for client_order_id in ("a", "b", "a", "c", "d", "e", "a"):
        ledger.refused_permit(ACCOUNT, client_order_id, "BAD_PERMIT", "the permit is not for this quantity")
    found = {each.client_order_id: each.count for each in ledger.refused_permits(ACCOUNT)}
    assert found == {"a": 3, "b": 1, "c": 1, orders.OTHERS: 2}
    assert ledger.refused_permits("second") == []


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_ledger_that_another_program_keeps_locked_gives_a_sentence_and_keeps_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genesis.connectors.ledger import LedgerBusy, engine

    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    with Ledger.open(sqlite_url, audit_key=KEY) as ledger:
        head, order = decided(ledger, Head(), 1)
        path = sqlite_url.removeprefix("sqlite:///")
        command = [sys.executable, "-c", HOLDER, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(LedgerBusy, match="kept busy"):
                step(ledger, head)
            assert ledger.pending_children(ACCOUNT) == [order], "readers do not wait"
            holder.kill()
        step(ledger, head)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
