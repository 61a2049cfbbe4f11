"""Tiers: nobody rises without every gate; everybody falls by the rules, once for each reason."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.account import tier_table
from genesis.operators.account.performance import DAY_NS
from genesis.operators.account.tier_gates import GATES, Facts, Tier
from genesis.operators.account.tier_table import HALVED_NS, HOUR_NS, TIERS
from genesis.operators.account.tiers import Standing, attempted, attempts, limits, progress, standing_after
from tests.operators.account.tier_cases import (
    ALMOST,
    FAILING,
    HOLD_NS,
    LOSSES,
    NOW_NS,
    PASSING,
    RISING,
    UNKNOWN,
    calm,
    moves,
    standing,
)


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


@given(st.lists(st.integers(0, 3 * DAY_NS), max_size=30), st.integers(0, 4 * DAY_NS))
def test_attempts_within_the_window_are_counted(times: list[int], now_ns: int) -> None:
    now = standing()
    for at_ns in sorted(times):
        now = attempted(now, at_ns)
    assert attempts(now, now_ns) == sum(at_ns > now_ns - DAY_NS for at_ns in times)
