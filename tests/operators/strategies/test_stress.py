"""A stress replay is the account's own fold on a copy: repeatable, without effect, and hard to please."""

from decimal import Decimal

import pytest

from genesis.operators.account import examining, state
from genesis.operators.account.events import PlaceOrder, Role, SetStop, StressReplay, VenueBalances
from genesis.operators.account.outcomes import Decision
from genesis.operators.account.performance import DAY_NS, note_fill
from genesis.operators.account.state import Account
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import Standing
from genesis.operators.records import MarketState
from genesis.operators.strategies import catalog, crashes, stress
from tests.operators.account.lab import START_NS, Lab, Venue, of

CAPITAL = {Tier.SNIPER: "1000", Tier.STRATEGIST: "60000"}


def holding(tier: Tier = Tier.SNIPER) -> Lab:
    """Return an account that holds BTC, with its stop at the venue."""
    lab, venue = Lab(tier, CAPITAL[tier]), Venue(0, whole=True)
    assert lab.ask(PlaceOrder(symbol="BTCUSDT", side="buy", notional="30")).accepted
    lab.fill(venue)
    lab.fill(venue)
    return lab


def unguarded(lab: Lab) -> Lab:
    """Have six tenths of the worth in BTC, come from outside and without a stop."""
    lab.put(Role.GATEWAY, VenueBalances(balances={"USDT": ("400", "0"), "BTC": ("6", "0")}))
    lab.tick()
    return lab


def told(lab: Lab, crash: str, named: str = "", **changes: object) -> Decision:
    """Replay a crash, tell the account, and return what it decided."""
    found = stress.replayed(state.encoded(lab.account), crash)
    fields: dict[str, object] = {
        "crash": named or crash,
        "state_ns": found.state_ns,
        "head": found.head,
        "equity_before": f"{found.equity_before:.8f}",
        "at_risk": f"{found.at_risk:.8f}",
        "equity_lowest": f"{found.equity_lowest:.8f}",
        "digest": found.digest,
    }
    event = lab.event(Role.EXAMINER, StressReplay(**(fields | changes)))  # type: ignore[arg-type]
    (decision,) = of(lab.take(event, event), "decisions", Decision)[:1]
    return decision


@pytest.mark.parametrize("crash", crashes.LEGS)
def test_a_crash_has_whole_prices_in_the_order_of_time_and_a_silence_where_it_says(crash: str) -> None:
    lab = Lab()
    mids = {symbol: view.mid for symbol, view in lab.account.views.items()}
    found = crashes.records(crash, lab.account.rules, mids, START_NS)
    offsets = [each.offset_ns for each in found]
    assert offsets == sorted(set(offsets))
    for due in found:
        for mark in due.record.marks:
            assert Decimal(0) < Decimal(mark.bid) < Decimal(mark.ask)
            assert not Decimal(mark.bid) % lab.account.rules[mark.symbol].tick
            assert mark.stale == (due.record.market_state == MarketState.MAINTENANCE)
            assert mark.quoted_ns <= START_NS + due.offset_ns
    told = [each for each in found if each.record.correlations]
    assert [each.has_begun for each in told] == [True]
    assert crashes.records(crash, lab.account.rules, mids, START_NS) == found
    fell = min(Decimal(each.record.marks[1].bid) for each in found) / mids["BTCUSDT"]
    assert Decimal("0.5") < fell < Decimal("0.7")


def test_the_account_and_the_course_know_the_same_crashes() -> None:
    assert tuple(crashes.LEGS) == examining.CRASHES


@pytest.mark.parametrize("crash", examining.CRASHES)
def test_the_same_state_gives_the_same_replay_and_stays_as_it_was(crash: str) -> None:
    snapshot = state.encoded(holding().account)
    found = stress.replayed(snapshot, crash)
    assert stress.replayed(snapshot, crash) == found
    assert found.fills >= 2
    assert found.equity_lowest < found.equity_before
    lab = holding()
    lab.tick()
    assert stress.replayed(state.encoded(lab.account), crash).digest != found.digest


def test_strategies_trade_in_a_replay_and_change_its_digest() -> None:
    snapshot = state.encoded(holding(Tier.STRATEGIST).account)
    strategies = tuple(catalog.made(name) for name in ("breakout", "pairs"))
    alone, found = (stress.replayed(snapshot, "cascade", each) for each in ((), strategies))
    assert found.strategies == ("breakout", "pairs")
    assert found.fills > alone.fills
    assert found.digest != alone.digest


def test_stops_make_a_flash_crash_survivable_and_holding_without_them_does_not() -> None:
    lab = unguarded(Lab())
    decision = told(lab, "flash_crash")
    assert decision.accepted
    assert decision.figures["fall"] > 0.15
    assert lab.account.performance.crashes == []
    assert lab.ask(SetStop(symbol="BTCUSDT", distance_ppm=10_000)).accepted
    decision = told(lab, "flash_crash")
    assert decision.figures["fall"] < 0.15
    assert lab.account.performance.crashes == ["flash_crash"]
    assert decision.sentence.endswith(".")


def test_a_later_replay_takes_an_earlier_one_back() -> None:
    lab = Lab()
    assert "came through" in told(lab, "flash_crash").sentence
    assert lab.account.performance.crashes == ["flash_crash"]
    assert "would have lost" in told(unguarded(lab), "flash_crash").sentence
    assert lab.account.performance.crashes == []


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("UNKNOWN_CRASH", {"named": "sunny_day"}),
        ("TOO_OLD", {"state_ns": START_NS - 3_600 * 10**9}),
        ("TOO_OLD", {"state_ns": START_NS + 3_600 * 10**9}),
        ("OTHER_STATE", {"equity_before": "2000"}),
        ("NOTHING_AT_RISK", {"at_risk": "1"}),
        ("AMOUNT_ZERO", {"equity_before": "0"}),
        ("AMOUNT_TEXT", {"equity_lowest": "much"}),
        ("AMOUNT_NOT_FINITE", {"at_risk": "nan"}),
    ],
)
def test_what_cannot_be_of_this_account_now_does_not_count(code: str, changes: dict[str, object]) -> None:
    lab = holding()
    assert told(lab, "flash_crash", **changes).code == code  # type: ignore[arg-type]
    assert lab.account.performance.crashes == []


def test_only_the_examiner_tells_replays_and_he_tells_nothing_else() -> None:
    lab = holding()
    body = StressReplay(
        crash="flash_crash", state_ns=lab.now_ns, head="", equity_before="1000", at_risk="500",
        equity_lowest="999", digest="d",
    )  # fmt: skip
    for role in set(Role) - {Role.EXAMINER}:
        (decision,) = of(lab.put(role, body), "decisions", Decision)
        assert decision.code == "SEAL"
    order = PlaceOrder(symbol="BTCUSDT", side="buy", notional="10")
    (decision,) = of(lab.put(Role.EXAMINER, order), "decisions", Decision)
    assert decision.code == "SEAL"
    assert lab.account.performance.crashes == []
    assert lab.account.performance.today.override_attempts == len(Role)


def test_an_account_without_balances_or_prices_is_not_replayed() -> None:
    with pytest.raises(stress.NothingToReplay, match="start the system"):
        stress.replayed(state.encoded(Account("main")), "cascade")


def test_three_crashes_survived_lead_a_strategist_with_all_else_to_the_last_tier() -> None:
    lab = holding(Tier.STRATEGIST)
    lab.account.standing = Standing(tier=Tier.STRATEGIST, entered_ns=lab.now_ns - 61 * DAY_NS)
    for strategy in ("pairs", "breakout", "third"):
        note_fill(lab.account.performance, "BTCUSDT", strategy, Decimal(10), Decimal(0))
    lab.tick(1.0)
    for crash in examining.CRASHES:
        assert lab.account.standing.tier is Tier.STRATEGIST
        assert told(lab, crash).accepted
        lab.tick(1.0)
    assert lab.account.standing.tier is Tier.ARCHITECT
