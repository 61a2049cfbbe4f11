"""Tiers: nobody rises without every gate, everybody falls by the rules, once; limits are what they say."""

import math
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from genesis.operators.account import tier_table
from genesis.operators.account.performance import DAY_NS
from genesis.operators.account.tier_gates import DEMOTIONS, GATES, Facts, Tier
from genesis.operators.account.tier_table import HALVED_NS, HOUR_NS, TIERS
from genesis.operators.account.tiers import (
    Change,
    Standing,
    attempted,
    attempts,
    limits,
    name_of,
    progress,
    standing_after,
)
from genesis.operators.slicing.orders import Algorithm

NOW_NS = 100 * DAY_NS
HOLD_NS = next(rule.hold_ns for rule in DEMOTIONS if rule.code == "MOVING_TOGETHER")
RISING = [Tier.SNIPER, Tier.HUNTER, Tier.STRATEGIST]

PASSING = {
    Tier.SNIPER: Facts(
        equity=Decimal(2_000),
        day=100,
        days_in_tier=30.0,
        profitable_days=0.6,
        violations=0,
        fast_executions=0.9,
        drawdown_month=0.1,
        profitable_pairs=3,
    ),
    Tier.HUNTER: Facts(
        equity=Decimal(10_000),
        day=100,
        days_in_tier=45.0,
        sliced_orders=0.95,
        uncorrelated_pairs=5,
        recovered_drawdowns=1,
        impact_worst_bps=50.0,
        sharpe=1.51,
    ),
    Tier.STRATEGIST: Facts(
        equity=Decimal(50_000),
        day=100,
        days_in_tier=60.0,
        profitable_strategies=3,
        strategy_share_max=0.4,
        crashes_survived=3,
        overrides=0,
    ),
}
"""Facts of each tier that are just enough."""

FAILING = {
    "DAYS_IN_TIER": {"days_in_tier": math.nextafter(30.0, 0.0)},
    "PROFITABLE_DAYS": {"profitable_days": 0.55},
    "NO_VIOLATION": {"violations": 1},
    "FAST_EXECUTIONS": {"fast_executions": 0.8999},
    "DRAWDOWN_MONTH": {"drawdown_month": 0.1001},
    "PROFITABLE_PAIRS": {"profitable_pairs": 2},
    "SLICED_ORDERS": {"sliced_orders": 0.9499},
    "UNCORRELATED_PAIRS": {"uncorrelated_pairs": 4},
    "RECOVERED_DRAWDOWN": {"recovered_drawdowns": 0},
    "IMPACT": {"impact_worst_bps": 50.01},
    "SHARPE": {"sharpe": 1.5},
    "PROFITABLE_STRATEGIES": {"profitable_strategies": 2},
    "STRATEGY_SHARE": {"strategy_share_max": 0.4001},
    "STRESS_REPLAY": {"crashes_survived": 2},
    "NO_OVERRIDE": {"overrides": 1},
}
"""Just not enough, by gate."""

UNKNOWN = {
    "PROFITABLE_DAYS": "profitable_days",
    "FAST_EXECUTIONS": "fast_executions",
    "DRAWDOWN_MONTH": "drawdown_month",
    "SLICED_ORDERS": "sliced_orders",
    "SHARPE": "sharpe",
    "STRATEGY_SHARE": "strategy_share_max",
}


def standing(tier: Tier = Tier.SNIPER, **changed: object) -> Standing:
    return msgspec.structs.replace(Standing(tier=tier, entered_ns=0), **changed)


def calm(tier: Tier, **changed: object) -> Facts:
    """Return facts that change nothing at a tier."""
    equity = max(TIERS[tier].floor, Decimal(500))
    return Facts(equity=equity, day=100)._replace(**changed)


def moves(changes: list[Change]) -> list[tuple[str, str]]:
    """Return kind and code of the changes, the guard's left out."""
    return [(change.kind, change.code) for change in changes if change.code != "GUARD"]


def test_the_table_is_that_of_the_requirements() -> None:
    rows = [
        (
            name_of(each.tier),
            each.floor,
            each.ceiling,
            each.daily_loss,
            each.daily_loss_share,
            each.drawdown_halt,
            each.data_points_max,
            each.guard_from,
        )
        for each in TIERS.values()
    ]
    assert rows == [
        ("sniper", 500, 2_000, 25, None, 0.15, 3, 1_800),
        ("hunter", 2_000, 10_000, 100, None, 0.15, 7, None),
        ("strategist", 10_000, 50_000, 500, None, 0.15, None, None),
        ("architect", 50_000, None, None, Decimal("0.02"), 0.15, None, None),
    ]
    unlocked = [set(each.algorithms) for each in TIERS.values()]
    assert unlocked[0] == {"one"}
    assert unlocked[1] == {"one", "twap", "pov", "iceberg"}
    assert unlocked[2] == unlocked[3] == {each.name.lower() for each in Algorithm}
    assert [each.strategies_max for each in TIERS.values()] == sorted(
        each.strategies_max for each in TIERS.values()
    )
    assert list(TIERS) == list(GATES) == list(Tier)


def test_the_gates_are_those_of_the_requirements() -> None:
    assert {tier: [gate.code for gate in gates] for tier, gates in GATES.items()} == {
        Tier.SNIPER: list(FAILING)[:6],
        Tier.HUNTER: ["DAYS_IN_TIER", *list(FAILING)[6:11]],
        Tier.STRATEGIST: ["DAYS_IN_TIER", *list(FAILING)[11:]],
        Tier.ARCHITECT: [],
    }
    bounds = [gate.bound.value for gates in GATES.values() for gate in gates]
    assert bounds == [30, 0.6, 0, 0.9, 0.1, 3, 45, 0.95, 5, 1, 50, 1.5, 60, 3, 0.4, 3, 0]


def test_an_account_begins_as_sniper_whatever_it_owns() -> None:
    begun, changes = standing_after(Standing(), PASSING[Tier.STRATEGIST]._replace(days_in_tier=0.0), NOW_NS)
    assert (begun.tier, begun.entered_ns, begun.halved_until_ns) == (Tier.SNIPER, NOW_NS, 0)
    assert [change.kind for change in changes] == ["begun", "guard_on"]


@pytest.mark.parametrize("tier", RISING)
def test_capital_and_all_gates_promote_by_one(tier: Tier) -> None:
    risen, changes = standing_after(standing(tier), PASSING[tier], NOW_NS)
    assert (risen.tier, risen.entered_ns, risen.halved_until_ns) == (tier + 1, NOW_NS, NOW_NS + HALVED_NS)
    (change,) = [each for each in changes if each.kind == "promoted"]
    assert (change.before, change.after, change.event_ns) == (tier, tier + 1, NOW_NS)
    assert change.figures["capital"] == float(PASSING[tier].equity)


@pytest.mark.parametrize("tier", RISING)
def test_a_cent_below_the_capital_does_not_promote(tier: Tier) -> None:
    facts = PASSING[tier]._replace(equity=PASSING[tier].equity - Decimal("0.01"))
    assert standing_after(standing(tier), facts, NOW_NS)[0].tier == tier
    assert [line.code for line in progress(standing(tier), facts) if not line.passed] == ["CAPITAL"]


CASES = [(tier, gate.code) for tier, gates in GATES.items() for gate in gates]


@pytest.mark.parametrize(("tier", "code"), CASES)
def test_one_gate_that_fails_holds_everything(tier: Tier, code: str) -> None:
    changed = FAILING[code]
    if code == "DAYS_IN_TIER":
        changed = {"days_in_tier": math.nextafter(PASSING[tier].days_in_tier, 0.0)}
    facts = PASSING[tier]._replace(**changed)
    after, changes = standing_after(standing(tier), facts, NOW_NS)
    assert after.tier == tier
    assert not [change for change in changes if change.kind == "promoted"]
    assert [line.code for line in progress(standing(tier), facts) if not line.passed] == [code]


@pytest.mark.parametrize(("tier", "code"), [(tier, code) for tier, code in CASES if code in UNKNOWN])
def test_what_is_not_known_passes_no_gate(tier: Tier, code: str) -> None:
    facts = PASSING[tier]._replace(**{UNKNOWN[code]: math.nan})
    assert standing_after(standing(tier), facts, NOW_NS)[0].tier == tier


@pytest.mark.parametrize("tier", RISING)
def test_nobody_rises_twice_by_the_same_facts(tier: Tier) -> None:
    everything = PASSING[tier]._replace(
        equity=Decimal(10**6),
        **{
            name: value
            for each in PASSING.values()
            for name, value in each._asdict().items()
            if value != Facts()._asdict()[name] and name not in {"equity", "days_in_tier", "day"}
        },
    )
    risen, _ = standing_after(standing(tier), everything, NOW_NS)
    again, changes = standing_after(risen, everything._replace(days_in_tier=0.0), NOW_NS)
    assert (again, changes) == (risen, [])


def test_the_checklist_says_where_each_gate_stands() -> None:
    lines = progress(standing(), PASSING[Tier.SNIPER]._replace(fast_executions=math.nan))
    assert [line.code for line in lines] == ["CAPITAL", *(gate.code for gate in GATES[Tier.SNIPER])]
    assert [line.passed for line in lines] == [True, True, True, True, False, True, True]
    assert all(line.sentence and line.sign in {">=", ">", "<=", "<"} for line in lines)
    assert progress(standing(Tier.ARCHITECT), Facts()) == []


LOSSES = {"LOSS_DAY": {"loss_day": 0.1501}, "HEAVY_DAYS": {"heavy_days": 3}}
ALMOST = {
    "LOSS_DAY": {"loss_day": 0.15},
    "HEAVY_DAYS": {"heavy_days": 2},
    "MOVING_TOGETHER": {"moving_together": 0.8, "positions": 9},
}


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("code", list(LOSSES))
def test_losses_demote_once_a_day(tier: Tier, code: str) -> None:
    facts = calm(tier, **LOSSES[code])
    fallen, changes = standing_after(standing(tier), facts, NOW_NS)
    assert fallen.tier == max(tier - 1, 0)
    assert (fallen.entered_ns, fallen.loss_day, fallen.heavy_from) == (NOW_NS, 100, 101)
    assert moves(changes) == [("demoted" if tier else "restarted", code)]
    for more in (facts, facts._replace(loss_day=0.9, heavy_days=9)):
        assert standing_after(fallen, more, NOW_NS + HOUR_NS) == (fallen, [])
    assert standing_after(fallen, facts._replace(day=101), NOW_NS + DAY_NS)[0].tier == max(tier - 2, 0)


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("code", list(ALMOST))
def test_at_the_bound_nobody_falls(tier: Tier, code: str) -> None:
    now = standing(tier)
    assert standing_after(now, calm(tier, **ALMOST[code]), NOW_NS) == (now, [])


@pytest.mark.parametrize("tier", list(Tier))
def test_positions_moving_together_demote_after_five_minutes_and_once(tier: Tier) -> None:
    facts = calm(tier, moving_together=0.81, positions=3)
    now, changes = standing_after(standing(tier), facts, NOW_NS)
    assert (now.tier, changes) == (tier, [])
    assert standing_after(now, facts, NOW_NS + HOLD_NS - 1) == (now, [])
    fallen, changes = standing_after(now, facts, NOW_NS + HOLD_NS)
    assert fallen.tier == max(tier - 1, 0)
    assert moves(changes) == [("demoted" if tier else "restarted", "MOVING_TOGETHER")]
    assert standing_after(fallen, facts, NOW_NS + 9 * HOLD_NS) == (fallen, [])
    unknown, _ = standing_after(fallen, facts._replace(moving_together=math.nan), NOW_NS + 9 * HOLD_NS)
    assert unknown == fallen
    apart, _ = standing_after(fallen, facts._replace(moving_together=0.5), NOW_NS + 9 * HOLD_NS)
    again, _ = standing_after(apart, facts, NOW_NS + 10 * HOLD_NS)
    assert standing_after(again, facts, NOW_NS + 11 * HOLD_NS)[0].tier == max(tier - 2, 0)


@pytest.mark.parametrize(
    "between", [{"moving_together": 0.5}, {"moving_together": math.nan}, {"positions": 2}]
)
def test_a_break_begins_the_five_minutes_anew(between) -> None:
    facts = calm(Tier.HUNTER, moving_together=0.9, positions=3)
    now, _ = standing_after(standing(Tier.HUNTER), facts, NOW_NS)
    now, _ = standing_after(now, facts._replace(**between), NOW_NS + HOLD_NS - 1)
    now, _ = standing_after(now, facts, NOW_NS + HOLD_NS)
    assert standing_after(now, facts, NOW_NS + 2 * HOLD_NS - 1)[0].tier == Tier.HUNTER
    assert standing_after(now, facts, NOW_NS + 2 * HOLD_NS)[0].tier == Tier.SNIPER


@pytest.mark.parametrize("tier", list(Tier))
def test_five_override_attempts_within_a_day_demote_and_are_spent(tier: Tier) -> None:
    now = standing(tier)
    for at_ns in (0, 1, 1, HOUR_NS):
        now = attempted(now, NOW_NS + at_ns)
    assert standing_after(now, calm(tier), NOW_NS + HOUR_NS) == (now, [])
    now = attempted(now, NOW_NS + 24 * HOUR_NS - 1)
    assert attempts(now, NOW_NS + 24 * HOUR_NS - 1) == 5
    assert attempts(now, NOW_NS + 24 * HOUR_NS) == 4  # the first is a day old
    assert standing_after(now, calm(tier), NOW_NS + 24 * HOUR_NS) == (now, [])
    fallen, changes = standing_after(now, calm(tier), NOW_NS + 24 * HOUR_NS - 1)
    assert fallen.tier == max(tier - 1, 0)
    assert moves(changes) == [("demoted" if tier else "restarted", "OVERRIDE_ATTEMPTS")]
    assert fallen.attempts_ns == ()
    assert standing_after(fallen, calm(tier), NOW_NS + 24 * HOUR_NS - 1) == (fallen, [])


def test_attempts_are_bounded() -> None:
    now = standing()
    for at in range(1_000):
        now = attempted(now, at)
    assert now.attempts_ns == tuple(range(1_000 - tier_table.ATTEMPTS_MAX, 1_000))


@pytest.mark.parametrize("tier", [Tier.HUNTER, Tier.STRATEGIST, Tier.ARCHITECT])
def test_a_tier_is_kept_down_to_nine_tenths_of_its_floor(tier: Tier) -> None:
    kept = TIERS[tier].floor * Decimal("0.9")
    now = standing(tier)
    assert standing_after(now, calm(tier, equity=kept), NOW_NS) == (now, [])
    fallen, changes = standing_after(now, calm(tier, equity=kept - Decimal("0.01")), NOW_NS)
    assert fallen.tier == tier - 1
    assert changes[0].code == "CAPITAL"


def test_a_sniper_below_his_floor_stays() -> None:
    assert standing_after(standing(), calm(Tier.SNIPER, equity=Decimal(3)), NOW_NS) == (standing(), [])


def test_a_demotion_comes_before_a_promotion() -> None:
    facts = PASSING[Tier.HUNTER]._replace(loss_day=0.2)
    assert standing_after(standing(Tier.HUNTER), facts, NOW_NS)[0].tier == Tier.SNIPER


def test_the_transition_guard_comes_at_1800_goes_below_1750_and_tightens() -> None:
    now = standing()
    path = [(1_799, False), (1_800, True), (1_750, True), (1_799, True), (1_749, False), (1_799, False)]
    for equity, guarded in path:
        now, _ = standing_after(now, calm(Tier.SNIPER, equity=Decimal(equity)), NOW_NS)
        assert now.guarded == guarded
    now, changes = standing_after(now, calm(Tier.SNIPER, equity=Decimal(1_800)), NOW_NS)
    assert [change.kind for change in changes] == ["guard_on"]
    held = limits(now, Decimal(1_800), NOW_NS)
    assert (held.daily_loss, held.position_max_notional, held.reasons) == (20, 72, ("GUARD",))
    risen, _ = standing_after(now, PASSING[Tier.SNIPER], NOW_NS)
    assert not risen.guarded


def test_under_the_guard_three_attempts_are_enough_and_those_before_do_not_count() -> None:
    watched, now = calm(Tier.SNIPER, equity=Decimal(1_800)), standing()
    for at_ns in (0, 1, 2):
        now = attempted(now, NOW_NS + at_ns)
    now, changes = standing_after(now, watched, NOW_NS + 5)
    assert moves(changes) == []
    for at_ns in (6, 7):
        now = attempted(now, NOW_NS + at_ns)
        now, changes = standing_after(now, calm(Tier.SNIPER, equity=Decimal(1_800)), NOW_NS + at_ns)
        if at_ns == 7:
            assert moves(changes) == [("restarted", "OVERRIDE_ATTEMPTS")]  # five altogether
    for at_ns in (8, 9, 10):
        assert moves(changes) == ([] if at_ns > 8 else [("restarted", "OVERRIDE_ATTEMPTS")])
        now = attempted(now, NOW_NS + at_ns)
        now, changes = standing_after(now, watched, NOW_NS + at_ns)
    assert moves(changes) == [("restarted", "OVERRIDE_ATTEMPTS")]  # three since


def test_two_reasons_at_once_demote_twice() -> None:
    now = standing(Tier.ARCHITECT)
    for _ in range(5):
        now = attempted(now, NOW_NS)
    fallen, changes = standing_after(now, calm(Tier.ARCHITECT, loss_day=0.2), NOW_NS)
    assert (fallen.tier, len(moves(changes))) == (Tier.HUNTER, 2)
    poor, changes = standing_after(standing(Tier.ARCHITECT), calm(Tier.SNIPER), NOW_NS)
    assert (poor.tier, [code for _, code in moves(changes)]) == (Tier.SNIPER, ["CAPITAL"] * 3)


CAPS = {Tier.SNIPER: 100, Tier.HUNTER: 500, Tier.STRATEGIST: 2_500, Tier.ARCHITECT: 5_000}


@pytest.mark.parametrize("tier", list(Tier))
def test_limits_of_each_tier(tier: Tier) -> None:
    held = limits(standing(tier), Decimal(100_000), NOW_NS, day_start=Decimal(90_000))
    assert held.daily_loss == {0: 25, 1: 100, 2: 500, 3: 1_800}[tier]
    assert held.drawdown_halt == 0.15
    assert held.position_max_notional == CAPS[tier]
    assert held.position_min_notional == 10
    assert held.algorithms == TIERS[tier].algorithms
    assert [held.slices_min(Decimal(each)) for each in ("200", "200.01")] == [1, 3 if tier else 1]
    assert (held.size_factor, held.reasons) == (1, ())
    at_floor = limits(standing(tier), TIERS[tier].floor, NOW_NS)
    assert at_floor.position_max_notional == TIERS[tier].floor * Decimal("0.05")


@pytest.mark.parametrize("tier", RISING)
def test_limits_are_halved_for_48_hours_to_the_nanosecond(tier: Tier) -> None:
    risen, _ = standing_after(standing(tier), PASSING[tier], NOW_NS)
    equity = PASSING[tier].equity
    after = limits(risen, equity, NOW_NS + HALVED_NS)
    for at_ns in (NOW_NS, NOW_NS + HALVED_NS - 1):
        held = limits(risen, equity, at_ns)
        assert held.daily_loss * 2 == after.daily_loss
        assert held.position_max_notional * 2 == after.position_max_notional
        assert held.drawdown_halt == after.drawdown_halt
        assert held.reasons == ("PROMOTED",)
    assert after.reasons == ()
    fallen, _ = standing_after(risen, calm(tier, loss_day=0.2), NOW_NS + 1)
    assert limits(fallen, equity, NOW_NS + 2).reasons[0] == "PROMOTED"


@pytest.mark.parametrize(("losing_days", "factor"), [(0, 1), (1, 1), (2, "0.5"), (3, "0.5")])
@pytest.mark.parametrize(("tilt_level", "tilt"), [(0, 1), (1, 1), (2, "0.5"), (3, "0.25"), (9, "0.25")])
def test_losing_days_and_tilt_lower_sizes_and_multiply(losing_days, factor, tilt_level, tilt) -> None:
    held = limits(standing(Tier.HUNTER), Decimal(8_000), NOW_NS, losing_days, tilt_level)
    assert held.size_factor == Decimal(factor) * Decimal(tilt)
    assert held.position_max_notional == 400 * held.size_factor
    assert held.daily_loss == 100
    assert ("LOSING_DAYS" in held.reasons, "TILT" in held.reasons) == (losing_days > 1, tilt_level > 1)


@pytest.mark.parametrize(
    ("equity", "most"), [("500", "10"), ("399", "10"), ("200", "10"), ("100", "5"), ("0", "0"), ("-5", "0")]
)
def test_factors_stop_at_ten_dollars_and_five_percent_is_the_most(equity: str, most: str) -> None:
    held = limits(standing(halved_until_ns=NOW_NS + 1), Decimal(equity), NOW_NS, 2, 2)
    assert held.position_max_notional == Decimal(most)


EVERYTHING = Facts(
    equity=Decimal(60_000),
    profitable_days=0.9,
    fast_executions=1.0,
    drawdown_month=0.0,
    profitable_pairs=9,
    sliced_orders=1.0,
    uncorrelated_pairs=9,
    recovered_drawdowns=2,
    sharpe=3.0,
    profitable_strategies=4,
    strategy_share_max=0.3,
    crashes_survived=3,
)
"""Facts with which only time is lacking."""

CHANGES = [
    *({"equity": Decimal(equity)} for equity in (300, 600, 1_760, 1_850, 2_500, 8_900, 12_000, 44_999)),
    *(changed for code, changed in FAILING.items() if code != "DAYS_IN_TIER"),
    *LOSSES.values(),
    *ALMOST.values(),
    {"moving_together": 0.9, "positions": 4},
    {"moving_together": math.nan, "positions": 4},
    {"sharpe": math.nan},
]


class Accounts(RuleBasedStateMachine):
    """A standing under any facts, any attempts, and any passing of time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = NOW_NS
        self.standing, _ = standing_after(Standing(), Facts(equity=Decimal(500), day=100), self.now_ns)

    @rule(wait_ns=st.sampled_from([1, HOUR_NS, DAY_NS, 31 * DAY_NS, 61 * DAY_NS]))
    def wait(self, wait_ns: int) -> None:
        self.now_ns += wait_ns

    @rule(count=st.integers(1, 6))
    def attempt(self, count: int) -> None:
        for _ in range(count):
            self.standing = attempted(self.standing, self.now_ns)

    @rule(changed=st.lists(st.sampled_from(CHANGES), max_size=3))
    def hear(self, changed: list[dict[str, float]]) -> None:
        before, facts = self.standing, EVERYTHING
        in_tier = (self.now_ns - before.entered_ns) / DAY_NS
        for each in ({"day": self.now_ns // DAY_NS, "days_in_tier": in_tier}, *changed):
            facts = facts._replace(**each)
        after, changes = standing_after(before, facts, self.now_ns)
        if after.tier > before.tier:
            assert after.tier == before.tier + 1
            assert all(line.passed for line in progress(before, facts))
            assert facts.equity >= TIERS[after.tier].floor
            assert after.halved_until_ns == self.now_ns + HALVED_NS
        if after.tier < before.tier or after.entered_ns != before.entered_ns:
            assert moves(changes)
        steps = [change.after - change.before for change in changes]
        assert before.tier + sum(steps) == after.tier
        assert steps.count(1) <= 1
        assert all(change.sentence.endswith(".") and "!" not in change.sentence for change in changes)
        assert standing_after(after, facts, self.now_ns) == (after, [])
        self.standing = msgspec.msgpack.decode(msgspec.msgpack.encode(after), type=Standing)
        assert self.standing == after

    @invariant()
    def limits_are_within_the_tier(self) -> None:
        for equity in map(Decimal, (0, 150, 1_900, 75_000)):
            held = limits(self.standing, equity, self.now_ns, 2, 3)
            full = limits(standing(self.standing.tier), equity, self.now_ns)
            assert held.position_max_notional <= full.position_max_notional <= equity * Decimal("0.05")
            assert held.daily_loss <= full.daily_loss
            assert held.algorithms == TIERS[self.standing.tier].algorithms


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.lists(st.integers(0, 3 * DAY_NS), max_size=30), st.integers(0, 4 * DAY_NS))
def test_attempts_within_the_window_are_counted(times: list[int], now_ns: int) -> None:
    now = standing()
    for at_ns in sorted(times):
        now = attempted(now, at_ns)
    assert attempts(now, now_ns) == sum(at_ns > now_ns - DAY_NS for at_ns in times)
