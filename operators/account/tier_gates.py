"""Tier gates: what a promotion asks for and what demotes, as data: a code, a sentence, a measure, a bound.

A measure is a function of `Facts`; one that is NaN, for want of data, passes no gate and demotes nobody.
*In the tier* means since the UTC day in which the tier was entered; *the last n days* are today and the n
days before it. `tiers` applies the tables, `tier_facts` makes the facts from `performance`.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from genesis.operators.account.money import ZERO


class Tier(IntEnum):
    """What an account has earned; higher is more."""

    SNIPER = 0
    HUNTER = 1
    STRATEGIST = 2
    ARCHITECT = 3

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name.capitalize()


class Facts(NamedTuple):
    """What the ledger says of an account now; shares are parts of 1."""

    equity: Decimal = ZERO  # quote asset
    day: int = 0  # UTC day of the facts, from 1970-01-01
    days_in_tier: float = 0.0
    profitable_days: float = float("nan")  # share of the last 20 days with a result
    violations: int = 0  # orders over the position cap, last 14 days
    fast_executions: float = float("nan")  # share within 100 ms, last 30 days
    drawdown_month: float = float("nan")  # deepest fall within the last 30 days
    profitable_pairs: int = 0  # with a gain realised in the tier
    sliced_orders: float = float("nan")  # share of orders over $200 in 3 slices or more, in the tier
    uncorrelated_pairs: int = 0  # most held at one time, last 30 days
    recovered_drawdowns: int = 0  # of 10 % or more, in the tier
    impact_worst_bps: float = 0.0  # last 30 days
    sharpe: float = float("nan")  # last 30 closed days, annualised
    profitable_strategies: int = 0  # named ones, in the tier
    strategy_share_max: float = float("nan")  # of one strategy in all that was realised in the tier
    crashes_survived: int = 0  # in stress replays
    overrides: int = 0  # emergency overrides granted, last 30 days
    loss_day: float = 0.0  # today's loss as a share of what there was at midnight; 0 for a gain
    heavy_days: int = (
        0  # days in a row that lost over 5 %, today's included, none before `Standing.heavy_from`
    )
    moving_together: float = float("nan")  # share of the exposure that moves the same way, as `risk` has it
    positions: int = 0  # held


Measure = Callable[[Facts], float]


class Bound(NamedTuple):
    """Where a measure passes."""

    sign: str  # one of >=, >, <=, <
    value: float

    def holds(self, value: float) -> bool:
        """Say whether a value passes; NaN never does.

        >>> Bound(">=", 0.6).holds(0.6), Bound(">", 1.5).holds(1.5), Bound("<", 1.0).holds(float("nan"))
        (True, False, False)
        """
        return _COMPARE[self.sign](value, self.value)


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda value, bound: value >= bound,
    ">": lambda value, bound: value > bound,
    "<=": lambda value, bound: value <= bound,
    "<": lambda value, bound: value < bound,
}


class Gate(NamedTuple):
    """One thing that a promotion asks for."""

    code: str
    sentence: str
    measure: Measure
    bound: Bound


GATES: dict[Tier, tuple[Gate, ...]] = {
    Tier.SNIPER: (
        Gate("DAYS_IN_TIER", "30 days as Sniper", lambda facts: facts.days_in_tier, Bound(">=", 30)),
        Gate(
            "PROFITABLE_DAYS",
            "60 % of the last 20 days with a result were profitable",
            lambda facts: facts.profitable_days,
            Bound(">=", 0.60),
        ),
        Gate(
            "NO_VIOLATION",
            "no order over the 5 % position cap in 14 days",
            lambda facts: facts.violations,
            Bound("<=", 0),
        ),
        Gate(
            "FAST_EXECUTIONS",
            "90 % of the executions of 30 days were on the wire within 100 ms",
            lambda facts: facts.fast_executions,
            Bound(">=", 0.90),
        ),
        Gate(
            "DRAWDOWN_MONTH",
            "no drawdown over 10 % in 30 days",
            lambda facts: facts.drawdown_month,
            Bound("<=", 0.10),
        ),
        Gate(
            "PROFITABLE_PAIRS",
            "3 pairs traded with a gain",
            lambda facts: facts.profitable_pairs,
            Bound(">=", 3),
        ),
    ),
    Tier.HUNTER: (
        Gate("DAYS_IN_TIER", "45 days as Hunter", lambda facts: facts.days_in_tier, Bound(">=", 45)),
        Gate(
            "SLICED_ORDERS",
            "95 % of the orders over $200 were cut in 3 or more slices",
            lambda facts: facts.sliced_orders,
            Bound(">=", 0.95),
        ),
        Gate(
            "UNCORRELATED_PAIRS",
            "5 pairs held at one time that were uncorrelated",
            lambda facts: facts.uncorrelated_pairs,
            Bound(">=", 5),
        ),
        Gate(
            "RECOVERED_DRAWDOWN",
            "one drawdown of 10 % made good",
            lambda facts: facts.recovered_drawdowns,
            Bound(">=", 1),
        ),
        Gate(
            "IMPACT",
            "no order of 30 days moved its price by over 0.5 %",
            lambda facts: facts.impact_worst_bps,
            Bound("<=", 50.0),
        ),
        Gate("SHARPE", "a Sharpe ratio over 1.5 in 30 days", lambda facts: facts.sharpe, Bound(">", 1.5)),
    ),
    Tier.STRATEGIST: (
        Gate("DAYS_IN_TIER", "60 days as Strategist", lambda facts: facts.days_in_tier, Bound(">=", 60)),
        Gate(
            "PROFITABLE_STRATEGIES",
            "3 strategies with a gain",
            lambda facts: facts.profitable_strategies,
            Bound(">=", 3),
        ),
        Gate(
            "STRATEGY_SHARE",
            "no strategy made over 40 % of the result",
            lambda facts: facts.strategy_share_max,
            Bound("<=", 0.40),
        ),
        Gate(
            "STRESS_REPLAY",
            "3 crashes survived in the stress replay",
            lambda facts: facts.crashes_survived,
            Bound(">=", 3),
        ),
        Gate(
            "NO_OVERRIDE",
            "no manual override in 30 days",
            lambda facts: facts.overrides,
            Bound("<=", 0),
        ),
    ),
    Tier.ARCHITECT: (),
}
"""What leads out of each tier, besides the capital of the next one."""

MOVING_POSITIONS_MIN = 3
"""Fewer positions than this always seem to move together."""


class Demotion(NamedTuple):
    """One thing that demotes by one tier; at the lowest, the time in the tier begins again."""

    code: str
    sentence: str
    measure: Measure
    bound: Bound  # where it demotes
    is_loss: bool = False  # of all rules for losses, one a day demotes
    hold_ns: int = 0  # how long it must have been so without a break


DEMOTIONS: tuple[Demotion, ...] = (
    Demotion(
        "LOSS_DAY", "a day's loss over 15 %", lambda facts: facts.loss_day, Bound(">", 0.15), is_loss=True
    ),
    Demotion(
        "HEAVY_DAYS",
        "three days in a row that lost over 5 %",
        lambda facts: facts.heavy_days,
        Bound(">=", 3),
        is_loss=True,
    ),
    Demotion(
        "MOVING_TOGETHER",
        "all positions moving together over 80 %, for five minutes, three positions or more",
        lambda facts: facts.moving_together if facts.positions >= MOVING_POSITIONS_MIN else 0.0,
        Bound(">", 0.80),
        hold_ns=5 * 60 * 1_000_000_000,
    ),
)
"""What demotes at once, besides override attempts (`tiers.ATTEMPTS_DEMOTE`) and the capital itself."""

HEAVY_LOSS = 0.05
"""A day that lost more than this share is a heavy one."""
