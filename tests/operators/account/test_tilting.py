"""Tilting: what the log says of the trader is observed, and what follows is carried out by the fold."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import composure, tilting
from genesis.operators.account.events import (
    AcceptBreak,
    Act,
    ActKind,
    AmendOrder,
    AnswerChecklist,
    Behaviour,
    CancelOrders,
    Flatten,
    ForgetBehaviour,
    PlaceOrder,
    RequestOverride,
    Role,
    SetMode,
    SetParameter,
    SetStop,
    TellLifeEvent,
    WriteJournal,
    decode,
    encode,
)
from genesis.operators.account.outcomes import FORGOTTEN, BehaviourRecord, ChildOrder, Decision, TiltStatus
from genesis.operators.account.tier_gates import Tier
from genesis.operators.tilt.interventions import CHECKLIST, DEBT, JOURNAL_WORDS, REST_NS, Phase, Rest
from tests.operators.account.lab import Lab, Venue, folded, of

AGREED = (True,) * len(CHECKLIST)


def seen(lab: Lab) -> list[tuple[str, float, float, str]]:
    """Return what was observed."""
    records = of(lab.outcomes, "behaviour", BehaviourRecord)
    return [(each.what, round(each.value, 4), round(each.other, 4), each.symbol) for each in records]


def buy(notional: str = "20", symbol: str = "BTCUSDT", **more: object) -> PlaceOrder:
    return PlaceOrder(symbol=symbol, side="buy", notional=notional, **more)


def hands(*acts: Act, client: str = "desk") -> Behaviour:
    return Behaviour(client=client, session="s1", acts=acts)


def test_what_the_trader_does_is_observed_in_its_order() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    lab.ask(buy())
    lab.fill(venue)
    lab.ask(buy("900"))
    lab.tick(90.0)
    lab.ask(SetStop(symbol="BTCUSDT", price="97"))
    lab.ask(WriteJournal(text="All is well with me."))
    lab.ask(SetMode(mode="reducing"))
    lab.ask(RequestOverride(confirmation="please"))
    lab.ask(SetParameter(name="profile", value="tired"))
    lab.ask(PlaceOrder(symbol="BTCUSDT", side="sell", share="1"))
    lab.fill(venue)
    found = seen(lab)
    assert [what for what, *_ in found] == [
        "order", "bought", "bought", "refused", "stop_moved", "journal", "mode_asked", "override_asked",
        "parameter", "sold", "sold",
    ]  # fmt: skip
    assert found[0][1] == pytest.approx(0.02, abs=1e-4)
    assert found[3][1] == pytest.approx(0.9, abs=1e-3)
    assert found[4][1] == pytest.approx(0.0149, abs=1e-4)
    assert found[9][2] == pytest.approx(90.2, abs=0.2)


def test_the_parts_of_one_order_do_not_add_to_a_loser() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    lab.ask(buy("20"))
    lab.fill(venue)
    lab.tick(3.0, BTCUSDT=("99", "99.02"))
    lab.ask(buy("10"))
    lab.fill(venue)
    added = [other for what, _value, other, _symbol in seen(lab) if what == "bought"]
    assert added[:2] == [0.0, 0.0]  # unknown: it opened the position
    assert max(added[2:]) < 0.0


def test_cancels_and_amendments_are_counted() -> None:
    lab = Lab(Tier.STRATEGIST, "20000")
    parent = lab.ask(buy("900", algorithm="twap", duration_s=600)).parent_id
    lab.tick(2.0)
    lab.ask(AmendOrder(parent_id=parent, limit_price="101"))
    lab.ask(AmendOrder(parent_id=parent, limit_price="102"))
    lab.ask(CancelOrders())
    assert [each[:2] for each in seen(lab)][-3:] == [("amended", 1.0), ("amended", 2.0), ("cancelled", 2.0)]


def test_hands_are_told_from_the_log_and_a_new_client_is_noticed() -> None:
    lab = Lab()
    connected = Act(what=ActKind.CONNECTED)
    keys = Act(what=ActKind.KEYS, value=140.0, other=12.0, ago_ms=500)
    lab.put(Role.TRADER, hands(connected, keys))
    lab.put(Role.TRADER, hands(connected, client="cellar"))
    assert seen(lab) == [
        ("keys", 140.0, 12.0, ""), ("connected", 0.0, 0.0, ""), ("connected", 0.0, 1.0, "")
    ]  # fmt: skip
    clients = [each.client for each in of(lab.outcomes, "behaviour", BehaviourRecord)]
    assert clients == ["desk", "desk", "cellar"]


@pytest.mark.parametrize("role", [Role.STRATEGY, Role.TICKER, Role.GATEWAY, Role.GUARD])
def test_nobody_else_tells_of_the_traders_hands(role: Role) -> None:
    lab = Lab()
    lab.put(role, hands(Act(what=ActKind.CONNECTED)))
    assert not seen(lab)
    assert of(lab.outcomes, "decisions", Decision)[-1].code == "SEAL"


@pytest.mark.parametrize(
    "change",
    [
        {"acts": []},
        {"acts": [{"what": "winked"}]},
        {"acts": [{"what": "keys", "value": 1e30}]},
        {"acts": [{"what": "keys", "ago_ms": -1}]},
        {"acts": [{"what": "keys", "text": "secret"}]},
        {"acts": [{"what": "keys"}] * 65},
    ],
)
def test_what_is_no_behaviour_is_refused(change: dict[str, object]) -> None:
    body = {"kind": "behaviour", "client": "c", "session": "s"} | change
    with pytest.raises(msgspec.MsgspecError):
        decode(msgspec.json.encode(body).decode())
    assert decode(encode(hands(Act(what=ActKind.LEFT)))) == hands(Act(what=ActKind.LEFT))


def test_a_stop_that_sells_is_told_from_a_sale() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    lab.ask(buy())
    lab.fill(venue)
    for report in venue.trigger("BTCUSDT"):
        lab.put(Role.GATEWAY, report)
    assert [what for what, *_ in seen(lab)][-1] == "stopped"
    assert seen(lab)[-1][1] < 0.0


def resting(lab: Lab, rests: int = 0) -> None:
    """Bring the account into a rest."""
    lab.account.tilt.rest.rests_ns = [lab.now_ns] * rests
    lab.account.tilt.level = 3
    lab.account.tilt.clock_ns = lab.now_ns + 10**9  # nothing new is observed before the rest begins
    lab.tick(1.0)
    assert lab.account.tilt.rest.phase is Phase.RESTING


def test_a_rest_calls_purchases_off_and_leaves_sales_alone() -> None:
    lab, venue = Lab(Tier.STRATEGIST, "20000"), Venue(0, whole=True)
    lab.ask(buy("150", "ETHUSDT"))
    lab.fill(venue)
    lab.tick(1.0)
    lab.correlate(("BTCUSDT", "ETHUSDT", 0.1))
    lab.ask(buy("100", "BTCUSDT", limit_price="99", rests=True))
    lab.tick()
    resting(lab)
    cancels = [each for each in of(lab.outcomes, "child_orders", ChildOrder) if each.action == "cancel"]
    assert [each.symbol for each in cancels] == ["BTCUSDT"]
    assert lab.ask(buy("20", "ADAUSDT")).code == "TILT_LOCKOUT"
    assert lab.ask(buy("20", "ADAUSDT", strategy="pairs"), Role.STRATEGY).code == "TILT_LOCKOUT"
    assert lab.ask(PlaceOrder(symbol="ETHUSDT", side="sell", share="0.5")).accepted
    assert lab.ask(SetMode(mode="active")).accepted
    assert lab.ask(buy("20", "ADAUSDT")).code == "TILT_LOCKOUT"
    assert lab.ask(SetStop(symbol="ETHUSDT", price="40")).code == "TILT_LOCKOUT"
    assert lab.ask(SetStop(symbol="ETHUSDT", price="49.5")).accepted
    assert lab.ask(Flatten()).accepted
    assert lab.account.tilt.rest.phase is Phase.RESTING


@pytest.mark.parametrize("step", range(3))
def test_the_way_back_from_each_rest(step: int) -> None:
    lab = Lab()
    resting(lab, step)
    assert lab.account.tilt.rest.until_ns - lab.now_ns == REST_NS[step]
    if step == 2:
        lab.ask(WriteJournal(text="calm " * JOURNAL_WORDS))
    lab.ask(AnswerChecklist(agreed=AGREED))
    lab.tick(REST_NS[step] / 1e9 - 1.0)
    assert lab.ask(buy()).code == "TILT_LOCKOUT"
    lab.tick(2.0)
    assert lab.account.tilt.rest.phase is Phase.RETURNING
    assert lab.ask(buy("20")).code == "POSITION_CAP"
    assert composure.limit_level_of(lab.account) == 3
    told = of(lab.outcomes, "tilt", TiltStatus)
    assert [each.phase for each in told][-1] == "returning"
    assert {each.level for each in told} >= {0, 3} or told[0].level == 3


def test_an_event_with_another_clock_shortens_nothing() -> None:
    lab = Lab()
    resting(lab)
    far_ns = lab.now_ns + 10 * REST_NS[2]
    lab.take(lab.event(Role.TRADER, AnswerChecklist(agreed=AGREED), far_ns))
    lab.take(lab.event(Role.TRADER, buy(), far_ns + 1))
    assert of(lab.outcomes, "decisions", Decision)[-1].code == "TILT_LOCKOUT"


def test_a_profit_while_resting_pays_nothing() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    lab.ask(buy("20"))
    lab.fill(venue)
    lab.tick(70.0)
    resting(lab)
    lab.tick(1.0, BTCUSDT=("103", "103.02"))
    lab.ask(PlaceOrder(symbol="BTCUSDT", side="sell", share="1"))
    lab.fill(venue)
    assert [what for what, *_ in seen(lab)][-1] == "sold"
    assert lab.account.tilt.rest.debt == 3


def test_an_override_does_not_end_a_rest() -> None:
    lab = Lab()
    resting(lab)
    decision = lab.ask(RequestOverride(confirmation="I accept the risk and want to trade on today"))
    assert decision.code == "TILT_LOCKOUT"
    assert lab.account.performance.today.override_attempts == 1


def test_calm_trades_with_a_profit_pay_the_debt() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    resting(lab)
    lab.ask(AnswerChecklist(agreed=AGREED))
    lab.tick(301.0)
    debts = [lab.account.tilt.rest.debt]
    for held_s in (10.0, 70.0, 70.0, 70.0):
        lab.ask(buy("10"))
        lab.fill(venue)
        lab.tick(held_s, BTCUSDT=("103", "103.02"))
        lab.ask(PlaceOrder(symbol="BTCUSDT", side="sell", share="1"))
        lab.fill(venue)
        lab.tick(3.0)
        debts.append(lab.account.tilt.rest.debt)
    assert debts == [3, 3, 2, 1, 0]
    assert lab.account.tilt.rest.phase is Phase.FREE


def test_a_reason_of_five_words_is_enough_at_level_two() -> None:
    lab = Lab()
    lab.account.tilt.level = 2
    assert lab.ask(buy("12", reason="why not")).code == "TILT_REASON"
    lab.account.tilt.level = 2
    assert lab.ask(buy("12", reason="it left the range upwards")).accepted
    lab.account.tilt.level = 2
    assert lab.ask(buy("40", "ETHUSDT", reason="it left the range upwards")).code == "POSITION_CAP"


def test_own_limits_hold_at_once_and_loosen_in_an_hour() -> None:
    lab = Lab()
    assert lab.ask(SetParameter(name="position_share", value="0.015")).accepted
    assert lab.ask(buy("20")).code == "POSITION_CAP"
    assert lab.ask(SetParameter(name="position_share", value="0.05")).accepted
    lab.tick(3_598.0)
    assert lab.ask(buy("20")).code == "POSITION_CAP"
    lab.tick(3.0)
    assert lab.ask(buy("20")).accepted
    assert lab.ask(SetParameter(name="position_share", value="0.5")).code == "PARAMETER"
    assert lab.ask(TellLifeEvent(days=0)).code == "PARAMETER"
    assert lab.ask(TellLifeEvent(days=2)).accepted
    assert lab.ask(AnswerChecklist(agreed=(True,))).code == "MALFORMED"
    assert lab.ask(AcceptBreak()).accepted
    assert lab.ask(AcceptBreak()).code == "TILT_BREAK"


def test_forgetting_is_told_and_changes_nothing_that_protects() -> None:
    lab = Lab()
    lab.ask(buy("12"))
    lab.account.tilt.rest = Rest(phase=Phase.RESTING, until_ns=lab.account.now_ns + REST_NS[-1], debt=DEBT)
    before = lab.account.tilt.watch, lab.account.tilt.rest
    begun = len(lab.outcomes)
    assert lab.ask(ForgetBehaviour(before_ns=2**62)).accepted
    (record,) = of(lab.outcomes[begun:], "behaviour", BehaviourRecord)
    assert (record.what, record.value) == (FORGOTTEN, lab.account.now_ns / 1e9)
    assert (lab.account.tilt.watch, lab.account.tilt.rest) == before
    assert lab.ask(buy("12")).code == "TILT_LOCKOUT"


def _day(lab: Lab, seed: int) -> None:
    venue = Venue(seed)
    for turn in range(12):
        lab.put(Role.TRADER, hands(Act(what=ActKind.KEYS, value=100.0 + turn, other=9.0)))
        lab.put(Role.TRADER, hands(Act(what=ActKind.DECIDED, value=4.0)))
        lab.put(Role.TRADER, buy(str(10 + turn)))
        lab.fill(venue)
        lab.put(Role.TRADER, PlaceOrder(symbol="BTCUSDT", side="sell", share="0.5"))
        lab.fill(venue, 30.0)
        if turn == 6:
            lab.account.tilt.rest.debt = 0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, 90), max_size=5), kill_at=st.integers(-1, 3))
def test_any_cut_and_crash_gives_the_same_bytes(seed: int, cuts: list[int], kill_at: int) -> None:
    lab = Lab()
    _day(lab, seed)
    assert folded(lab.log, Tier.SNIPER, cuts, kill_at) == folded(lab.log, Tier.SNIPER, [])


def test_a_repeat_is_observed_once() -> None:
    lab, venue = Lab(), Venue(0, whole=True)
    event = lab.event(Role.TRADER, hands(Act(what=ActKind.CHART, value=1.0)))
    lab.take(event, event)
    lab.ask(buy())
    lab.fill(venue)
    reports = [each for each in lab.log if each.kind == "execution"]
    found = seen(lab)
    lab.take(*reports)
    assert str(seen(lab)) == str(found)
    assert [what for what, *_ in found] == ["chart", "order", "bought", "bought"]


def test_what_is_remembered_of_stops_and_amendments_is_bounded() -> None:
    lab = Lab()
    for number in range(100):
        tilting.note_stop(lab.account, f"e{number}")
    assert lab.account.tilt.stop_causes == [f"e{number}" for number in range(100 - tilting.STOPS_KEPT, 100)]
