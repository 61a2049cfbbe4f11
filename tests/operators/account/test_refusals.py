"""What is allowed and refused: every check by an order that breaks it alone, every tier, every forgery."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from genesis.operators.account import commands, risk, signing
from genesis.operators.account.events import (
    AccountEvent,
    CancelOrders,
    Execution,
    Flatten,
    Listings,
    MarketRecord,
    PermitRefused,
    PlaceOrder,
    RequestOverride,
    Role,
    SetMode,
    VenueBalances,
    VenueLink,
)
from genesis.operators.account.outcomes import ChildOrder, Decision
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import ATTEMPTS_DEMOTE, TIERS
from tests.operators.account.lab import KEYS, PRICES, ROLE_KEYS, Lab, Venue, listing, of


def buy(notional: str = "20", symbol: str = "BTCUSDT", **more: object) -> PlaceOrder:
    return PlaceOrder(symbol=symbol, side="buy", notional=notional, **more)


def bought(lab: Lab, notional: str = "20", symbol: str = "BTCUSDT") -> Venue:
    """Buy, and have it filled; return the venue that did."""
    venue = Venue(0, whole=True)
    venue.known |= {each.id for each in of(lab.outcomes, "child_orders", ChildOrder)}
    assert lab.ask(buy(notional, symbol)).accepted
    lab.fill(venue)
    assert symbol in lab.account.portfolio.positions
    return venue


def _unlinked(lab: Lab) -> PlaceOrder:
    lab.put(Role.GATEWAY, VenueLink(connected=False))
    return buy()


def _halted(lab: Lab) -> PlaceOrder:
    assert lab.ask(SetMode(mode="halted")).accepted
    return buy()


def _not_trading(lab: Lab) -> PlaceOrder:
    lab.put(Role.TICKER, Listings(listings=[listing("BTCUSDT", trading=False)]))
    return buy()


def _stale(lab: Lab) -> PlaceOrder:
    lab.now_ns += 6 * 10**9
    lab.take(lab.event(Role.TICKER, MarketRecord(), lab.now_ns))
    return buy()


def _in_maintenance(lab: Lab) -> PlaceOrder:
    lab.now_ns += 10**8
    mark = msgspec.structs.replace(lab.mark("BTCUSDT", *PRICES["BTCUSDT"]), state=5)
    lab.take(lab.event(Role.TICKER, MarketRecord(marks=[mark]), lab.now_ns))
    return buy()


def _twice(lab: Lab) -> PlaceOrder:
    assert lab.ask(buy("10")).accepted
    return buy("10")


def _poor(lab: Lab) -> PlaceOrder:
    lab.account.portfolio.cash = Decimal(5)
    return buy()


def _lost(lab: Lab) -> PlaceOrder:
    lab.account.portfolio.cash -= 26
    lab.account.performance.equity -= 26
    lab.account.performance.today.end -= 26
    return buy()


def _fallen(lab: Lab) -> PlaceOrder:
    lab.account.performance.value *= Decimal("0.8")
    return buy()


def _correlated(lab: Lab) -> PlaceOrder:
    lab.correlate(("BTCUSDT", "ETHUSDT", 0.93))
    bought(lab)
    return buy(symbol="ETHUSDT")


def _unknown_pair(lab: Lab) -> PlaceOrder:
    bought(lab)
    return buy(symbol="ETHUSDT")


def _busy(lab: Lab) -> PlaceOrder:
    lab.account.sends_ns = [lab.now_ns] * risk.SENDS_MAX
    return buy()


def _resting(lab: Lab) -> PlaceOrder:
    lab.account.tilt.level = 3
    lab.account.tilt.clock_ns = lab.now_ns + 10**9  # nothing new is observed before the rest begins
    lab.tick(1.0)
    return buy()


def _off(lab: Lab) -> PlaceOrder:
    lab.account.tilt.level = 2
    return buy("10", reason="it will go up")


def _asking(order: PlaceOrder) -> Callable[[Lab], PlaceOrder]:
    return lambda _lab: order


REFUSALS: list[tuple[str, Callable[[Lab], PlaceOrder]]] = [
    ("LINK_DOWN", _unlinked),
    ("MODE", _halted),
    ("TILT_LOCKOUT", _resting),
    ("TILT_REASON", _off),
    ("NOT_TRADING", _not_trading),
    ("STALE_MARKET", _stale),
    ("STALE_MARKET", _in_maintenance),
    ("DUPLICATE", _twice),
    ("TIER_ALGORITHM", _asking(buy(algorithm="twap"))),
    ("TIER_STRATEGIES", lambda lab: lab.ask(buy("10", strategy="one")) and buy("11", strategy="two")),
    ("QUANTITY", _asking(PlaceOrder(symbol="BTCUSDT", side="buy", qty="0.12345"))),
    ("QUANTITY", _asking(PlaceOrder(symbol="BTCUSDT", side="buy", qty="20000"))),
    ("PRICE_STEP", _asking(buy(limit_price="100.011"))),
    ("MIN_NOTIONAL", _asking(buy("4"))),
    ("PRICE_COLLAR", _asking(buy(limit_price="106"))),
    ("FUNDS", _poor),
    ("FUNDS", _asking(PlaceOrder(symbol="BTCUSDT", side="sell", qty="0.2"))),
    ("DAILY_LOSS", _lost),
    ("DRAWDOWN", _fallen),
    ("POSITION_CAP", _asking(buy("60"))),
    ("SAME_DIRECTION", _correlated),
    ("SAME_DIRECTION", _unknown_pair),
    ("ORDER_RATE", _busy),
    ("UNKNOWN_SYMBOL", _asking(buy(symbol="DOGEUSDT"))),
    ("UNKNOWN_SYMBOL", _asking(buy(symbol=""))),
    ("MALFORMED", _asking(PlaceOrder(symbol="BTCUSDT", side="hold", qty="1"))),
    ("MALFORMED", _asking(PlaceOrder(symbol="BTCUSDT", side="buy"))),
    ("MALFORMED", _asking(PlaceOrder(symbol="BTCUSDT", side="buy", qty="1", notional="1"))),
    ("MALFORMED", _asking(PlaceOrder(symbol="BTCUSDT", side="sell", share="0.5"))),
    ("MALFORMED", _asking(buy(algorithm="martingale"))),
    ("MALFORMED", _asking(buy(duration_s=-1))),
    ("MALFORMED", _asking(buy(stop_ppm=10**9))),
    ("MALFORMED", _asking(buy(rests=True))),
]


@pytest.mark.parametrize(
    ("code", "prepared"), REFUSALS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_rule_refuses_with_its_code_and_a_sentence(
    code: str, prepared: Callable[[Lab], PlaceOrder]
) -> None:
    lab = Lab()
    command = prepared(lab)
    children = len(of(lab.outcomes, "child_orders", ChildOrder))
    decision = lab.ask(command)
    assert (decision.accepted, decision.code) == (False, code)
    assert decision.sentence.endswith(".")
    assert "!" not in decision.sentence
    assert lab.account.last_refusal == decision
    assert len(of(lab.outcomes, "child_orders", ChildOrder)) == children


def test_every_check_of_the_table_is_refused_here_by_name() -> None:
    assert {code for code, _rule, _check in risk.CHECKS} - {"TIER_SLICES"} <= {code for code, _ in REFUSALS}


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "1e30", "1e-30", "", " ", "0x10", "1,5", "٣", "9" * 60]
)
@pytest.mark.parametrize("field", ["qty", "notional", "share", "limit_price"])
def test_bad_numbers_are_refused_with_a_sentence(field: str, text: str) -> None:
    lab = Lab()
    given = {"notional": "20"} if field == "limit_price" else {}
    decision = lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", **{**given, field: text}))
    if text == "" and field == "limit_price":
        assert decision.accepted
    else:
        assert not decision.accepted
        assert decision.sentence


def test_a_refusal_for_correlation_names_pair_and_number() -> None:
    lab = Lab()
    decision = lab.ask(_correlated(lab))
    assert "BTCUSDT" in decision.sentence
    assert "0.93" in decision.sentence
    assert decision.figures["correlation"] == 0.93
    assert decision.figures["share"] == 1.0


def test_the_crumb_of_a_sale_moves_with_nobody() -> None:
    lab = Lab()
    lab.correlate(("BTCUSDT", "ETHUSDT", 0.93))
    lab.put(Role.GATEWAY, VenueBalances(balances={"USDT": ("1000", "0"), "BTC": ("0.02", "0")}))
    lab.tick()
    assert lab.ask(buy(symbol="ETHUSDT")).accepted


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("algorithm", sorted(commands.ALGORITHMS))
def test_a_tier_sends_what_it_unlocked_and_nothing_else(tier: Tier, algorithm: str) -> None:
    lab = Lab(tier, "100000")
    decision = lab.ask(buy("40", algorithm=algorithm, slices=0 if algorithm == "one" else 3))
    assert decision.accepted == (algorithm in TIERS[tier].algorithms)
    assert decision.code == ("OK" if decision.accepted else "TIER_ALGORITHM")


@pytest.mark.parametrize("tier", Tier)
def test_orders_over_200_are_cut_where_the_tier_wants_it(tier: Tier) -> None:
    lab = Lab(tier, "100000")
    whole = lab.ask(buy("250", limit_price="101"))
    cap = float(lab.account.performance.equity)  # counted up to the tier's ceiling
    if tier is Tier.SNIPER:
        assert whole.code == "POSITION_CAP"
        assert cap > 0
        return
    assert whole.code == "TIER_SLICES"
    assert lab.ask(buy("250", algorithm="twap", slices=2)).code == "TIER_SLICES"
    assert lab.ask(buy("250", algorithm="twap", slices=3)).accepted


@pytest.mark.parametrize("mode", ["reducing", "halted"])
def test_what_is_held_can_be_sold_in_every_mode(mode: str) -> None:
    lab = Lab()
    venue = bought(lab)
    assert lab.ask(SetMode(mode=mode)).accepted
    assert lab.ask(Flatten()).accepted
    for _ in range(5):
        lab.fill(venue, 1.0)
    rest = lab.account.portfolio.positions.get("BTCUSDT")
    assert rest is None or rest.qty < Decimal("0.0001")
    assert [each.side for each in venue.sent if not each.stop_price] == ["buy", "sell"]
    assert not venue.stops()


def forged(event: AccountEvent) -> AccountEvent:
    return msgspec.structs.replace(event, id=event.id + "x")


@pytest.mark.parametrize(
    ("role", "body"),
    [
        (Role.GATEWAY, Execution(client_order_id="g", venue_order_id=1, symbol="BTCUSDT", side="buy",
                                 status="filled", trade_id=9, last_qty="1", last_price="1")),
        (Role.TICKER, MarketRecord(marks=[])),
        (Role.GATEWAY, VenueBalances(balances={"USDT": ("1000000", "0")})),
        (Role.TRADER, buy()),
        (Role.GATEWAY, VenueLink(connected=False)),
        (Role.GUARD, SetMode(mode="active")),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_a_forged_event_changes_nothing_and_counts_as_an_attempt(role: str, body: object) -> None:
    lab = Lab()
    before = (lab.account.portfolio.cash, lab.account.now_ns, lab.account.mode, lab.account.connected)
    found = lab.take(forged(lab.event(role, body, lab.now_ns + 10**8)))  # type: ignore[arg-type]
    (decision,) = of(found, "decisions", Decision)
    assert decision.code == "SEAL"
    assert (lab.account.portfolio.cash, lab.account.now_ns, lab.account.mode, lab.account.connected) == before
    assert len(lab.account.standing.attempts_ns) == 1


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.GATEWAY])
def test_no_other_role_makes_a_fill(role: Role) -> None:
    lab = Lab()
    report = Execution(client_order_id="g", venue_order_id=1, symbol="BTCUSDT", side="buy", status="filled",
                       trade_id=9, last_qty="1", last_price="1")  # fmt: skip
    found = lab.put(role, report)
    assert [each.code for each in of(found, "decisions", Decision)] == ["SEAL"]
    assert not lab.account.portfolio.positions


def test_attempts_at_the_gateway_demote_and_begin_the_tier_again() -> None:
    lab = Lab(Tier.HUNTER, "5000")
    for number in range(ATTEMPTS_DEMOTE):
        lab.put(Role.GATEWAY, PermitRefused(client_order_id=f"x{number}", code="FORGED", detail="no permit"))
    lab.tick()
    assert lab.account.standing.tier is Tier.SNIPER
    assert lab.ask(buy("40", algorithm="twap", slices=3)).code == "TIER_ALGORITHM"


def test_a_permit_holds_for_exactly_one_order() -> None:
    lab = Lab()
    lab.ask(buy())
    (order,) = of(lab.outcomes, "child_orders", ChildOrder)
    assert signing.is_permitted(KEYS.permit, order)
    for name, value in [
        ("qty", "1"), ("limit_price", "101"), ("symbol", "ETHUSDT"), ("side", "sell"), ("tier", "hunter"),
        ("client_order_id", "g0-1"), ("expires_ns", order.expires_ns + 1), ("ledger_head", "0" * 64),
        ("action", "cancel"), ("account_id", "other"), ("time_in_force", "gtc"), ("order_type", "market"),
    ]:  # fmt: skip
        assert not signing.is_permitted(KEYS.permit, msgspec.structs.replace(order, **{name: value}))
    assert not signing.is_permitted(ROLE_KEYS[Role.TRADER] * 2, order)


def test_an_old_command_is_never_carried_out_again() -> None:
    lab = Lab()
    first = lab.event(Role.TRADER, buy("10"))
    lab.take(first)
    for _ in range(1_100):
        lab.put(Role.TRADER, CancelOrders())
    found = lab.take(first)
    assert [each.code for each in of(found, "decisions", Decision)] == ["TOO_OLD"]


def test_the_override_asks_for_words_rests_a_day_and_counts_what_else_is_tried() -> None:
    lab = Lab()
    assert lab.ask(RequestOverride(confirmation="please")).code == "OVERRIDE_WORDS"
    assert lab.ask(RequestOverride(confirmation=commands.OVERRIDE_WORDS)).code == "OVERRIDE_NOTHING"
    bought(lab, "40")
    lab.account.portfolio.cash -= 30
    lab.tick()
    assert (lab.account.mode, lab.account.mode_code) == ("reducing", "DAILY_LOSS")
    assert lab.ask(SetMode(mode="active")).code == "DAILY_LOSS"
    assert lab.ask(RequestOverride(confirmation=commands.OVERRIDE_WORDS)).accepted
    lab.tick()
    assert lab.account.mode == "active"
    lab.account.portfolio.cash -= 20
    lab.tick()
    assert lab.account.mode == "reducing"
    assert lab.ask(RequestOverride(confirmation=commands.OVERRIDE_WORDS)).code == "OVERRIDE_COOLDOWN"
    assert len(lab.account.standing.attempts_ns) == 3


def test_a_drawdown_halts_and_cancels_purchases() -> None:
    lab = Lab()
    assert lab.ask(buy(limit_price="99", rests=True)).accepted
    lab.tick()
    lab.account.portfolio.cash -= 200
    lab.tick()
    assert lab.account.mode == "halted"
    orders = of(lab.outcomes, "child_orders", ChildOrder)
    assert [each.action for each in orders] == ["send", "cancel"]


def test_a_stop_sells_the_position_below_its_price() -> None:
    lab = Lab()
    venue = bought(lab)
    assert lab.account.stops["BTCUSDT"] == Decimal("98.49")  # 2 % below the price paid, 100.51
    lab.tick(BTCUSDT=("98.50", "98.53"))
    assert not lab.new_children(venue)
    for report in venue.trigger("BTCUSDT"):
        lab.put(Role.GATEWAY, report)
    lab.tick(BTCUSDT=("98.49", "98.52"))
    assert not lab.new_children(venue)
    assert "BTCUSDT" not in lab.account.stops
