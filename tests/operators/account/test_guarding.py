"""Stop-losses that rest at the venue: placed, moved, made to fit, out of the way of sales, taken over."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import guarding
from genesis.operators.account.events import (
    Execution,
    Flatten,
    PlaceOrder,
    Role,
    SetMode,
    SetStop,
    VenueBalances,
    VenueLink,
)
from genesis.operators.account.outcomes import ChildOrder, Decision, PositionStatus
from genesis.operators.account.tier_gates import Tier
from tests.operators.account.lab import Lab, Venue, of

BTC = "BTCUSDT"


def bought(notional: str = "40", capital: str = "10000") -> tuple[Lab, Venue]:
    lab, venue = Lab(Tier.HUNTER, capital), Venue(0, whole=True)
    assert lab.ask(PlaceOrder(symbol=BTC, side="buy", notional=notional)).accepted
    lab.fill(venue)
    return lab, venue


def settled(lab: Lab, venue: Venue) -> None:
    """Go on until nothing is at work."""
    for _ in range(20):
        lab.fill(venue)
        if not lab.account.working and not lab.account.closing:
            return
    raise AssertionError("orders are still at work")


def report(order: ChildOrder, status: str) -> Execution:
    return Execution(
        client_order_id=order.client_order_id,
        venue_order_id=1,
        symbol=order.symbol,
        side="sell",
        status=status,
    )


def test_what_is_bought_is_guarded_at_the_venue_by_an_order_below_its_price() -> None:
    lab, venue = bought()
    (stop,) = venue.stops()
    assert (stop.order_type, stop.time_in_force, stop.side) == ("stop_loss_limit", "gtc", "sell")
    assert Decimal(stop.stop_price) == lab.account.stops[BTC] == Decimal("98.49")
    assert Decimal(stop.limit_price) == Decimal("97.99")
    held = lab.account.portfolio.positions[BTC].qty
    assert Decimal(stop.qty) <= held < Decimal(stop.qty) + Decimal("0.0001")
    assert of(lab.outcomes, "positions", PositionStatus)[-1].stop_rests
    assert not lab.account.working


def test_a_stop_that_is_moved_is_cancelled_and_placed_anew() -> None:
    lab, venue = bought()
    (before,) = venue.stops()
    assert lab.ask(SetStop(symbol=BTC, price="99")).accepted
    lab.fill(venue)
    (after,) = venue.stops()
    assert (after.stop_price, after.qty) == ("99", before.qty)
    assert after.client_order_id != before.client_order_id
    lab.tick(5.0)
    assert not lab.new_children(venue)


def test_it_grows_with_the_position_once_no_more_is_being_bought() -> None:
    lab, venue = bought()
    (before,) = venue.stops()
    assert lab.ask(PlaceOrder(symbol=BTC, side="buy", notional="20")).accepted
    lab.fill(venue)
    lab.fill(venue)
    (after,) = venue.stops()
    assert Decimal(after.qty) > Decimal(before.qty)


@pytest.mark.parametrize("command", [PlaceOrder(symbol=BTC, side="sell", share="1"), Flatten()])
def test_a_sale_of_all_waits_for_the_stop_and_leaves_none(command: PlaceOrder | Flatten) -> None:
    lab, venue = bought()
    assert lab.ask(command).accepted
    (order,) = lab.new_children(venue)
    assert order.action == "cancel"  # and no sale, of which the venue would say that nothing is free
    settled(lab, venue)
    assert not venue.stops()
    assert not guarding.rests(lab.account, BTC)
    assert lab.account.portfolio.positions[BTC].qty < Decimal("0.0001")


def test_a_sale_of_a_part_leaves_a_stop_for_the_rest_while_it_works() -> None:
    lab, venue = bought("60")
    assert lab.ask(
        PlaceOrder(symbol=BTC, side="sell", share="0.5", algorithm="twap", duration_s=60, slices=3)
    ).accepted
    lab.fill(venue)
    lab.fill(venue)
    assert lab.account.working
    (stop,) = venue.stops()
    rest = lab.account.portfolio.positions[BTC].qty - guarding.promised(lab.account, BTC)
    assert Decimal(stop.qty) <= rest < Decimal(stop.qty) + Decimal("0.0001")


def test_the_venue_sells_and_it_is_said_once() -> None:
    lab, venue = bought("60")
    for each in venue.trigger(BTC):
        lab.put(Role.GATEWAY, each)
        lab.put(Role.GATEWAY, each)
    lab.tick(5.0, BTCUSDT=("97", "97.01"))
    assert not lab.new_children(venue)
    said = [each.sentence for each in of(lab.outcomes, "decisions", Decision) if each.subject == "stop_loss"]
    assert said == ["BTCUSDT reached its stop at 98.49; the position is being sold, as planned."]
    assert BTC not in lab.account.stops
    assert BTC not in lab.account.guards


@pytest.mark.parametrize("share", ["0", "0.5"])
def test_the_fold_sells_what_the_venue_has_not_sold_after_a_while(share: str) -> None:
    lab, venue = bought("60")
    for each in venue.trigger(BTC, share):
        lab.put(Role.GATEWAY, each)
    low = {BTC: ("97", "97.01")}
    lab.tick(0.1, **low)
    lab.tick(1.0, **low)
    assert not [each for each in lab.new_children(venue) if each.action == "cancel"]
    lab.tick(1.5, **low)
    for _ in range(10):
        for order in lab.new_children(venue):
            for each in venue.take(order, lab.now_ns):
                lab.put(Role.GATEWAY, each)
        lab.tick(0.1, **low)
    assert not venue.stops()
    assert lab.account.portfolio.positions[BTC].qty < Decimal("0.0001")
    assert not lab.account.closing


def test_a_stop_that_the_venue_does_not_take_is_watched_here_and_tried_again() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    lab.ask(PlaceOrder(symbol=BTC, side="buy", notional="20"))
    (order,) = lab.new_children(venue)
    for each in venue.take(order, lab.now_ns):
        lab.put(Role.GATEWAY, each)
    (stop,) = lab.new_children(venue)
    venue.known.add(stop.id)
    lab.put(Role.GATEWAY, report(stop, "rejected"))
    assert "It is watched here" in of(lab.outcomes, "decisions", Decision)[-1].sentence
    assert not of(lab.outcomes, "positions", PositionStatus)[-1].stop_rests
    lab.tick(59.0)
    assert not lab.new_children(venue)
    lab.tick(1.1)
    (again,) = lab.new_children(venue)
    assert again.stop_price == stop.stop_price
    lab.put(Role.GATEWAY, report(again, "rejected"))
    venue.known.add(again.id)
    lab.tick(0.1, BTCUSDT=("98", "98.01"))
    (sale,) = lab.new_children(venue)
    assert (sale.side, sale.order_type) == ("sell", "limit")


def test_a_deposit_is_booked_while_a_stop_rests_and_a_difference_of_its_asset_waits() -> None:
    lab, venue = bought()
    held = venue.balances(Decimal(10_000))
    more = {name: (f"{qty:f}", "0") for name, qty in held.items()} | {"USDT": (f"{held['USDT'] + 50:f}", "0")}
    before = lab.account.portfolio.cash
    lab.put(Role.GATEWAY, VenueBalances(balances=more))
    assert lab.account.portfolio.cash == before + 50
    lab.put(Role.GATEWAY, VenueBalances(balances=more | {"BTC": ("0.5", "0")}))
    assert lab.account.portfolio.positions[BTC].qty < Decimal("0.5")


def test_nothing_is_placed_while_halted_or_cut_off_and_what_rests_stays() -> None:
    lab, venue = bought()
    lab.ask(SetMode(mode="halted"))
    lab.put(Role.GATEWAY, VenueLink(connected=False))
    lab.tick(5.0)
    assert not lab.new_children(venue)
    assert len(venue.stops()) == 1
    (stop,) = venue.stops()
    lab.put(Role.GATEWAY, report(stop, "canceled"))
    lab.tick(61.0)
    assert not lab.new_children(venue)
    lab.put(Role.GATEWAY, VenueLink(connected=True))
    lab.ask(SetMode(mode="active"))
    lab.tick(0.1)
    assert [each.order_type for each in lab.new_children(venue)] == ["stop_loss_limit"]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    steps=st.lists(
        st.sampled_from(["buy", "sell", "part", "twap", "stop", "reach", "half", "flatten", "wait"]),
        min_size=3,
        max_size=14,
    ),
)
def test_whatever_is_done_no_more_is_sold_than_is_free_and_the_books_agree(
    seed: int, steps: list[str]
) -> None:
    """The venue of the laboratory refuses what is not free by failing the test."""
    lab, venue = Lab(Tier.HUNTER, "10000"), Venue(seed)
    commands = {
        "buy": PlaceOrder(symbol=BTC, side="buy", notional="60"),
        "sell": PlaceOrder(symbol=BTC, side="sell", share="1"),
        "part": PlaceOrder(symbol=BTC, side="sell", share="0.4"),
        "twap": PlaceOrder(symbol=BTC, side="sell", share="0.7", algorithm="twap", duration_s=20, slices=3),
        "stop": SetStop(symbol=BTC, distance_ppm=30_000),
        "flatten": Flatten(),
    }
    for number, step in enumerate(steps):
        if step in commands:
            lab.ask(commands[step])
        elif step != "wait":
            for each in venue.trigger(BTC, "1" if step == "reach" else "0.5"):
                lab.put(Role.GATEWAY, each)
        if number % 3:
            lab.fill(venue, 2.1)
        else:
            lab.tick(2.1)
    for _ in range(40):
        lab.fill(venue, 2.1)
    assert not lab.account.closing
    ours = {each.base: each.qty for each in lab.account.portfolio.positions.values()}
    ours["USDT"] = lab.account.portfolio.cash
    venue_has = venue.balances(Decimal(10_000))
    venue_has.pop("BNB", None)  # fees of an asset that the account does not hold
    assert {name: qty for name, qty in ours.items() if qty} == venue_has
    resting = {each.client_order_id for each in venue.stops()}
    assert resting == {each.child for each in lab.account.guards.values() if each.child}
