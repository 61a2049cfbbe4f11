"""Cases of tiers: facts that are just enough, facts that are just not, and what a test asks of changes."""

import math
from decimal import Decimal

import msgspec

from genesis.operators.account.performance import DAY_NS
from genesis.operators.account.tier_gates import DEMOTIONS, Facts, Tier
from genesis.operators.account.tier_table import TIERS
from genesis.operators.account.tiers import Change, Standing

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


LOSSES = {"LOSS_DAY": {"loss_day": 0.1501}, "HEAVY_DAYS": {"heavy_days": 3}}
ALMOST = {
    "LOSS_DAY": {"loss_day": 0.15},
    "HEAVY_DAYS": {"heavy_days": 2},
    "MOVING_TOGETHER": {"moving_together": 0.8, "positions": 9},
}


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
