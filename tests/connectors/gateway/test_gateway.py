"""The gateway against a venue that fails: nothing is sent twice, nothing is lost, all is told once."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.connectors.gateway.gateway import DEADMAN_S, Gateway
from genesis.connectors.gateway.sending import ABSENT_AFTER_S
from genesis.connectors.ledger.errors import FenceLost
from genesis.operators.account.events import PermitRefused, VenueBalances, VenueLink
from tests.connectors.gateway.stubs import (
    NOW_NS,
    JumpingLoop,
    StubBook,
    StubOutlet,
    StubVenue,
    child,
    desk_of,
    run,
)


class Session:
    """Stubs that outlive gateways, and one gateway that runs over them."""

    def __init__(self, loop: JumpingLoop, book: StubBook, venue: StubVenue, outlet: StubOutlet) -> None:
        self.loop, self.book, self.venue, self.outlet = loop, book, venue, outlet
        self.desk = desk_of(loop, venue, book, outlet)
        self.gateway = Gateway(self.desk)
        self.stopping = asyncio.Event()
        self.task = asyncio.create_task(self.gateway.run(self.stopping))

    async def until(self, done: Callable[[], bool], most_s: float = 300.0) -> None:
        end_s = self.loop.now_s + most_s
        while not done():
            if self.task.done():
                self.task.result()
            assert self.loop.now_s < end_s, "it did not happen"
            self.desk.clock.tick(self.desk.clock.now_ns())
            await asyncio.sleep(0.05)

    def decide(self, number: int, **changes: object) -> None:
        order = child(number, **changes)
        self.book.decide(order)
        self.gateway.hand_in(order, f"log:{number}")

    def has_ended(self, number: int) -> bool:
        row = self.book.rows.get(f"c-{number}")
        return row is not None and not row.is_open

    async def stop(self) -> None:
        self.stopping.set()
        self.gateway.wake()
        await self.task

    async def kill(self) -> None:
        """End it as kill -9 does: nothing more of it runs."""
        while not self.task.done():  # Python 3.11's wait_for may lose one
            self.task.cancel()
            await asyncio.sleep(0)
        self.venue.listener = None


def play(scene: Callable[[Session], Awaitable[None]]) -> Session:
    """Play a scene with one gateway."""

    async def main(loop: JumpingLoop) -> Session:
        session = Session(loop, StubBook(), StubVenue(), StubOutlet())
        await scene(session)
        if not session.task.done():
            await session.stop()
        return session

    return run(main)


def told(outlet: StubOutlet, number: int) -> tuple[str, Decimal]:
    """Return the last status and the sum of the trades that were published of an order."""
    said = outlet.executions(f"c-{number}")
    return said[-1].status, sum((Decimal(each.last_qty) for each in said if each.trade_id >= 0), Decimal(0))


def test_an_order_is_recorded_then_sent_and_its_trades_are_told_once() -> None:
    async def scene(session: Session) -> None:
        session.venue.on_place = lambda order: (
            order.client_order_id in session.book.rows or pytest.fail("early")
        )
        session.venue.twice = True
        session.decide(1)
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    statuses = [each.status for each in session.outlet.executions("c-1")]
    assert statuses == ["new", "partially_filled", "filled"]
    assert told(session.outlet, 1) == ("filled", Decimal(2))
    assert session.venue.placed == ["c-1"]
    assert session.book.trades == {"BTCUSDT": 102}


def test_nothing_is_sent_before_the_reconciliation_is_over() -> None:
    async def scene(session: Session) -> None:
        session.venue.is_up = False
        session.decide(1)
        await asyncio.sleep(5.0)
        assert session.venue.placed == []
        session.venue.is_up = True
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert session.outlet.bodies(VenueBalances)[0].opening


@pytest.mark.parametrize("fault", ["before", "after", "slow", "drop", "reject", "throttle", "skew", "refuse"])
def test_whatever_becomes_of_a_placement_is_found_out_before_the_next_is_sent(fault: str) -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        session.venue.faults = [fault]
        session.decide(1)
        session.decide(2)
        await session.until(lambda: session.has_ended(1) and session.has_ended(2))

    session = play(scene)
    ends = {
        "before": ("rejected", Decimal(0)),
        "reject": ("rejected", Decimal(0)),
    }
    assert told(session.outlet, 1) == ends.get(fault, ("filled", Decimal(2)))
    assert told(session.outlet, 2) == ("filled", Decimal(2))
    assert session.venue.placed.count("c-1") == 1
    assert session.venue.placed.index("c-1") < session.venue.placed.index("c-2")


def test_an_order_is_absent_only_after_the_venue_can_no_longer_execute_it() -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        session.venue.faults = ["before"]
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        began_s = session.loop.now_s
        await session.until(lambda: session.has_ended(1))
        assert session.loop.now_s - began_s > ABSENT_AFTER_S

    play(scene)


def test_trades_that_no_report_told_of_are_fetched() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        session.venue.mute = True
        session.venue.fill("c-1", Decimal(1))
        session.venue.mute = False
        session.venue.fill("c-1", Decimal(1))
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert told(session.outlet, 1) == ("filled", Decimal(2))


def test_what_happened_while_the_connection_was_away_is_told_after_it() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        session.venue.lose()
        session.venue.fill("c-1", Decimal(2))
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert told(session.outlet, 1) == ("filled", Decimal(2))
    assert [each.connected for each in session.outlet.bodies(VenueLink)] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": "3"}, "PERMIT"),
        ({"limit_price": "1"}, "PERMIT"),
        ({"tier": "architect"}, "PERMIT"),
        ({"client_order_id": "c-other"}, "PERMIT"),
        ({"expires_ns": NOW_NS * 2}, "PERMIT"),
        ({"permit": "0" * 64}, "PERMIT"),
    ],
)
def test_a_changed_child_order_is_refused_published_and_counted(change: dict[str, object], code: str) -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        order = child(1)
        session.book.decide(order)
        session.gateway.hand_in(msgspec.structs.replace(order, **change), "log:1")
        await session.until(lambda: bool(session.book.refused))
        assert "c-1" not in session.book.rows

    session = play(scene)
    assert [each.code for each in session.outlet.bodies(PermitRefused)] == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account_id": "other"}, "ACCOUNT"),
        ({"qty": "1e30"}, "MALFORMED"),
        ({"qty": "NaN"}, "MALFORMED"),
        ({"qty": "-1"}, "MALFORMED"),
        ({"side": "both"}, "MALFORMED"),
        ({"client_order_id": "x" * 37}, "MALFORMED"),
        ({"action": "withdraw"}, "MALFORMED"),
        ({}, "UNDECIDED"),
    ],
)
def test_a_permit_from_a_stolen_key_does_not_get_an_order_out(changes: dict[str, object], code: str) -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        session.gateway.hand_in(child(1, **changes), "log:1")
        await session.until(lambda: bool(session.book.refused))

    session = play(scene)
    assert session.venue.placed == []
    assert [each.code for each in session.outlet.bodies(PermitRefused)] == [code]


def test_a_replayed_child_order_is_refused_and_a_repeat_of_the_delivery_is_not() -> None:
    async def scene(session: Session) -> None:
        session.decide(1)
        await session.until(lambda: session.has_ended(1))
        session.gateway.hand_in(child(1), "log:2")
        await asyncio.sleep(1.0)
        assert session.book.refused == []
        session.desk.clock.tick(child(1).expires_ns + 11_000_000_000)
        session.gateway.hand_in(child(1), "log:3")
        await session.until(lambda: bool(session.book.refused))

    session = play(scene)
    assert session.book.refused == [("c-1", "REPLAYED")]
    assert session.venue.placed == ["c-1"]


def test_an_expired_child_order_is_told_as_expired_and_never_sent() -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        session.decide(1, expires_ns=NOW_NS - 1)
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert told(session.outlet, 1)[0] == "expired"
    assert session.venue.placed == []


def test_a_second_gateway_fences_the_first_off() -> None:
    async def scene(session: Session) -> None:
        await session.until(lambda: session.gateway.is_serving)
        session.book.token = 2
        session.decide(1)
        with pytest.raises(FenceLost):
            await session.until(session.task.done)
            session.task.result()
        assert session.venue.placed == []

    play(scene)


def test_a_cancel_waits_for_nothing_and_ends_the_order() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        session.decide(2, action="cancel", client_order_id="c-1")
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert told(session.outlet, 1) == ("canceled", Decimal(0))


def test_a_cancel_that_overtakes_its_order_keeps_it_from_being_sent() -> None:
    async def scene(session: Session) -> None:
        session.decide(1)
        session.decide(2, action="cancel", client_order_id="c-1")
        await session.until(lambda: session.has_ended(1))

    session = play(scene)
    assert told(session.outlet, 1)[0] == "canceled"
    assert session.venue.placed == []


def test_the_deadman_cancels_when_the_account_clock_is_silent() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        await asyncio.sleep(DEADMAN_S + 1.0)
        await session.until(lambda: session.has_ended(1), most_s=2.0)

    session = play(scene)
    assert told(session.outlet, 1)[0] == "canceled"
    assert any("dead-man" in each.detail for each in session.outlet.bodies(VenueLink))


def test_the_deadman_leaves_stop_losses_where_they_protect() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1, order_type="stop_loss_limit", side="sell", stop_price="90", limit_price="89.5")
        session.decide(2)
        await session.until(lambda: session.venue.placed == ["c-1", "c-2"])
        await asyncio.sleep(DEADMAN_S + 1.0)
        await session.until(lambda: session.has_ended(2), most_s=2.0)
        await asyncio.sleep(DEADMAN_S + 1.0)
        assert not session.has_ended(1)

    session = play(scene)
    assert told(session.outlet, 2)[0] == "canceled"


def test_the_deadman_cancels_first_thing_after_a_long_time_without_the_venue() -> None:
    async def scene(session: Session) -> None:
        session.venue.fills = False
        session.decide(1)
        await session.until(lambda: session.venue.placed == ["c-1"])
        session.venue.is_up = False
        session.venue.lose()
        end_s = session.loop.now_s + DEADMAN_S + 30.0
        await session.until(lambda: session.loop.now_s > end_s)
        session.venue.is_up = True
        await session.until(lambda: session.has_ended(1))

    assert told(play(scene).outlet, 1)[0] == "canceled"


FAULTS = st.lists(
    st.sampled_from(["", "before", "after", "slow", "drop", "reject", "throttle", "skew", "refuse"]),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(
    faults=FAULTS,
    kills=st.lists(st.floats(0.0, 30.0), max_size=3),
    cuts=st.lists(st.floats(0.0, 20.0), max_size=3),
    twice=st.booleans(),
    count=st.integers(1, 4),
)
def test_no_order_is_lost_or_doubled_whatever_fails(
    faults: list[str], kills: list[float], cuts: list[float], twice: bool, count: int
) -> None:
    """Kill the gateway and cut its connection at any time: each order ends as the venue has it."""

    async def main(loop: JumpingLoop) -> tuple[StubBook, StubVenue, StubOutlet]:
        book, venue, outlet = StubBook(), StubVenue(), StubOutlet()
        venue.faults, venue.twice = faults, twice
        for number in range(1, count + 1):
            book.decide(child(number))
        for cut_s in cuts:
            loop.call_later(cut_s, venue.lose)
        for alive_s in kills:
            book.token += 1
            session = Session(loop, book, venue, outlet)
            await asyncio.sleep(alive_s)
            await session.kill()
        book.token += 1
        session = Session(loop, book, venue, outlet)
        await session.until(lambda: all(session.has_ended(n) for n in range(1, count + 1)), most_s=900.0)
        await session.stop()
        return book, venue, outlet

    book, venue, outlet = run(main)
    for number in range(1, count + 1):
        key = f"c-{number}"
        at_venue = venue.orders.get(key)
        traded = at_venue.filled if at_venue is not None else Decimal(0)
        status, told_qty = told(outlet, number)
        assert venue.placed.count(key) <= 1
        assert told_qty == traded
        assert Decimal(book.rows[key].filled_qty) == traded
        if at_venue is not None:
            assert status == at_venue.status == book.rows[key].status
        ends = [
            e for e in outlet.executions(key) if e.status in ("filled", "canceled", "rejected", "expired")
        ]
        assert len(ends) == 1
