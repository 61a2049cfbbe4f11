"""Tier table: what each tier may do, as data, and the factors that lower it for a while.

All money is in the account's quote asset. A tier's position cap is 5 % of the capital, counted up to the
tier's ceiling, so that an account which outgrows its tier before it has earned the next does not bet as if
it had: as Sniper no position is over $100, whatever the account owns.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from genesis.operators.account.money import ONE
from genesis.operators.account.tier_gates import Tier

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
HALVED_NS = 48 * HOUR_NS
"""How long limits are halved after a promotion."""

HALF = Decimal("0.5")

ATTEMPTS_WINDOW_NS = 24 * HOUR_NS
ATTEMPTS_DEMOTE = 5
"""So many override attempts within the window demote."""

ATTEMPTS_DEMOTE_GUARDED = 3
"""… and so many made while the transition guard watches."""

ATTEMPTS_MAX = 64
"""Newest override attempts that are remembered."""

FLOOR_KEPT = Decimal("0.9")
"""A tier is kept down to this part of its floor, so that it does not flicker around it."""

GUARD_LEAVES = Decimal(1_750)
"""The transition guard comes at `Rights.guard_from` and goes below this, quote asset."""

GUARD_FACTOR = Decimal("0.8")
"""What the transition guard makes of the daily loss limit and of the position cap."""

POSITION_SHARE = Decimal("0.05")
"""Largest position, as a part of the capital, counted up to the tier's ceiling."""

POSITION_MIN = Decimal(10)
"""Smallest position that is opened, quote asset; halving does not make the largest smaller than it."""

SLICED_NOTIONAL = Decimal(200)
"""Orders above it are cut, quote asset."""

LOSING_DAYS_HALVE = 2
"""So many losing days in a row halve position sizes until a day does not lose."""

TILT_FACTORS: Mapping[int, Decimal] = {0: ONE, 1: ONE, 2: HALF, 3: Decimal("0.25")}
"""Position sizes by tilt level; at level 3, of what may be opened after the lockout."""


class Rights(NamedTuple):
    """One column of the tier table; money in quote asset."""

    tier: Tier
    floor: Decimal  # capital
    ceiling: Decimal | None  # … of the tier; None has no end
    algorithms: frozenset[str]  # names of `operators.slicing.orders.Algorithm`, lower case
    slices_min: int  # for orders over SLICED_NOTIONAL
    daily_loss: Decimal | None  # absolute
    daily_loss_share: Decimal | None  # of the equity at midnight; exactly one of the two is given
    drawdown_halt: float  # share below the highest value
    strategies_max: int  # at once
    data_points_max: int | None  # on the main screen; None is everything
    guard_from: Decimal | None = None  # capital from which the transition guard watches


_HUNTER = frozenset({"one", "twap", "pov", "iceberg"})
_ALL = _HUNTER | {"vwap", "shortfall"}

TIERS: dict[Tier, Rights] = {
    Tier.SNIPER: Rights(
        tier=Tier.SNIPER,
        floor=Decimal(500),
        ceiling=Decimal(2_000),
        algorithms=frozenset({"one"}),
        slices_min=1,
        daily_loss=Decimal(25),
        daily_loss_share=None,
        drawdown_halt=0.15,
        strategies_max=1,
        data_points_max=3,
        guard_from=Decimal(1_800),
    ),
    Tier.HUNTER: Rights(
        tier=Tier.HUNTER,
        floor=Decimal(2_000),
        ceiling=Decimal(10_000),
        algorithms=_HUNTER,
        slices_min=3,
        daily_loss=Decimal(100),
        daily_loss_share=None,
        drawdown_halt=0.15,
        strategies_max=1,
        data_points_max=7,
    ),
    Tier.STRATEGIST: Rights(
        tier=Tier.STRATEGIST,
        floor=Decimal(10_000),
        ceiling=Decimal(50_000),
        algorithms=_ALL,
        slices_min=3,
        daily_loss=Decimal(500),
        daily_loss_share=None,
        drawdown_halt=0.15,
        strategies_max=5,
        data_points_max=None,
    ),
    Tier.ARCHITECT: Rights(
        tier=Tier.ARCHITECT,
        floor=Decimal(50_000),
        ceiling=None,
        algorithms=_ALL,
        slices_min=3,
        daily_loss=None,
        daily_loss_share=Decimal("0.02"),
        drawdown_halt=0.15,
        strategies_max=20,
        data_points_max=None,
    ),
}
"""The tier table."""
