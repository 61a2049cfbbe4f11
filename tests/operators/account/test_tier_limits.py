"""Limits are those of the tier table, halved when and as long as they are to be, to the nanosecond."""

from decimal import Decimal

import pytest

from genesis.operators.account.tier_gates import GATES, Tier
from genesis.operators.account.tier_table import HALVED_NS, TIERS
from genesis.operators.account.tiers import limits, name_of, standing_after
from genesis.operators.slicing.orders import Algorithm
from tests.operators.account.tier_cases import NOW_NS, PASSING, RISING, calm, standing


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
