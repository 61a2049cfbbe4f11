"""Density: what the main screen shows in which tier, as data.

A tier adds things and moves nothing; a beginner sees three. The most of each tier is
`operators.account.tier_table.Rights.data_points_max`; a test holds this table to it.
"""

from typing import NamedTuple

from genesis.operators.account.tier_gates import Tier


class Point(NamedTuple):
    """One thing that is shown: its name, from which tier on, and why then."""

    name: str
    tier: Tier
    why: str


POINTS = (
    Point("today", Tier.SNIPER, "what the day has brought, in dollars"),
    Point("budget", Tier.SNIPER, "what may still be lost today"),
    Point("positions", Tier.SNIPER, "what is held, and what waits to be bought or sold"),
    Point("drawdown", Tier.HUNTER, "how far below its peak the account is: larger sums fall deeper"),
    Point("together", Tier.HUNTER, "what moves the same way: several positions can be one"),
    Point("working", Tier.HUNTER, "orders cut in slices, on their way"),
    Point("way", Tier.HUNTER, "what the next tier still asks for"),
    Point("market", Tier.STRATEGIST, "state and spreads of the market, to choose the hour"),
    Point("split", Tier.STRATEGIST, "what is open and what is closed of today's result"),
    Point("heat", Tier.STRATEGIST, "how close each pair of what is held moves"),
    Point("trades", Tier.STRATEGIST, "the newest trades with what they cost against the arrival price"),
    Point("strategies", Tier.STRATEGIST, "what each strategy brought in"),
    Point("system", Tier.STRATEGIST, "how the parts of the system are"),
)
"""All points, in the order in which the tiers add them."""


def shown(tier: Tier) -> frozenset[str]:
    """Return the names of what a tier shows.

    >>> sorted(shown(Tier.SNIPER))
    ['budget', 'positions', 'today']
    """
    return frozenset(point.name for point in POINTS if point.tier <= tier)
