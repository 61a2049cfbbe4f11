"""Tier facts: what the tiers ask, answered from the days of an account.

What closed days tell is worked out once a day, and kept by the caller as a `Summary` (it may be lost at any
time: it is made of the days alone); today is added at every call, which costs microseconds.

How the fold uses it, at each market record after `performance.observe`:
``summary = summarised(performance, standing, summary)``, then
``facts(performance, standing, summary, Held(moving_together, positions))``.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from genesis.operators.account.money import ZERO, exact
from genesis.operators.account.performance import (
    DAY_NS,
    Day,
    Past,
    Performance,
    calendar,
    day_of,
    return_of,
    tally_from,
)
from genesis.operators.account.performance_figures import profits, sharpe, window_drawdown, window_high
from genesis.operators.account.tier_gates import HEAVY_LOSS, Facts
from genesis.operators.account.tiers import Standing

PROFITABLE_OF_DAYS = 20
"""Days with a result of which a share must be profitable; fewer do not tell."""

VIOLATION_DAYS = 14
MONTH_DAYS = 30
SHARPE_DAYS = 30
"""Windows, in days before today."""

UNCORRELATED_MAX = 0.7
"""Two pairs are uncorrelated when their correlation is between this and its negative, bounds excluded."""


class Held(NamedTuple):
    """What is held now."""

    moving_together: float = math.nan  # share of the exposure that moves the same way
    positions: int = 0


class Summary(msgspec.Struct, kw_only=True):
    """What the closed days tell; good for one day and one standing."""

    today: int = -1  # for this day
    entered_day: int = -1  # … in which the tier was entered on this day
    heavy_from: int = -1
    profitable_days: float = math.nan
    violations: int = 0
    executions: int = 0
    executions_fast: int = 0
    drawdown_month: float = math.nan
    high_month: Decimal = ZERO
    pairs: dict[str, Decimal] = {}
    strategies: dict[str, Decimal] = {}
    parents_big: int = 0
    parents_sliced: int = 0
    uncorrelated: int = 0
    recovered: int = 0
    impact_bps: float = 0.0
    sharpe: float = math.nan
    overrides: int = 0
    heavy_days: int = 0


@exact
def summarised(performance: Performance, standing: Standing, known: Summary | None = None) -> Summary:
    """Return the summary for today; the known one when it is still good."""
    today, entered_day = performance.today.day, day_of(standing.entered_ns)
    if known is not None and (known.today, known.entered_day, known.heavy_from) == (
        today,
        entered_day,
        standing.heavy_from,
    ):
        return known
    closed, older = performance.recent, tally_from(performance, entered_day)
    month = [day for day in closed if day.day >= today - MONTH_DAYS]
    tier = [day for day in closed if day.day >= entered_day]
    return Summary(
        today=today,
        entered_day=entered_day,
        heavy_from=standing.heavy_from,
        profitable_days=_profitable(calendar(performance)),
        violations=sum(day.violations for day in month if day.day >= today - VIOLATION_DAYS),
        executions=sum(day.executions for day in month),
        executions_fast=sum(day.executions_fast for day in month),
        drawdown_month=window_drawdown(month),
        high_month=window_high(month),
        pairs=_added(older.pairs, profits(tier, "pairs")),
        strategies=_added(older.strategies, profits(tier, "strategies")),
        parents_big=older.parents_big + sum(day.parents_big for day in tier),
        parents_sliced=older.parents_sliced + sum(day.parents_sliced for day in tier),
        uncorrelated=max((day.uncorrelated for day in month), default=0),
        recovered=older.recovered + sum(day.recovered for day in tier),
        impact_bps=max((day.impact_bps for day in month), default=0.0),
        sharpe=_sharpe(closed, today),
        overrides=sum(day.overrides for day in month),
        heavy_days=_heavy(closed, standing.heavy_from),
    )


def _profitable(closed: list[Past]) -> float:
    """Return the share of gains in the newest days with a result; NaN when there are too few."""
    results = [day.pnl for day in closed if day.trades or day.pnl][-PROFITABLE_OF_DAYS:]
    if len(results) < PROFITABLE_OF_DAYS:
        return math.nan
    return sum(each > 0 for each in results) / PROFITABLE_OF_DAYS


def _sharpe(closed: list[Day], today: int) -> float:
    """Return the Sharpe ratio of the last days; NaN unless the account ran on all of them."""
    returns = [return_of(day) for day in closed if day.day >= today - SHARPE_DAYS]
    return sharpe(returns) if len(returns) == SHARPE_DAYS else math.nan


def _heavy(closed: list[Day], heavy_from: int) -> int:
    count = 0
    for day in reversed(closed):
        if day.day < heavy_from or not _is_heavy(day):
            break
        count += 1
    return count


def _is_heavy(day: Day) -> bool:
    return -return_of(day) > HEAVY_LOSS


@exact
def facts(performance: Performance, standing: Standing, summary: Summary, held: Held) -> Facts:
    """Return what the tiers ask for, with today in it."""
    today = performance.today
    pairs = _added(summary.pairs, today.pairs)
    strategies = _added(summary.strategies, today.strategies)
    heavy = today.day >= standing.heavy_from and _is_heavy(today)
    return Facts(
        equity=performance.equity,
        day=today.day,
        days_in_tier=(performance.now_ns - standing.entered_ns) / DAY_NS if standing.entered_ns >= 0 else 0.0,
        profitable_days=summary.profitable_days,
        violations=summary.violations + today.violations,
        fast_executions=_of(
            summary.executions_fast + today.executions_fast, summary.executions + today.executions
        ),
        drawdown_month=window_drawdown((today,), (summary.drawdown_month, summary.high_month)),
        profitable_pairs=sum(realised > 0 for realised in pairs.values()),
        sliced_orders=_of(
            summary.parents_sliced + today.parents_sliced, summary.parents_big + today.parents_big
        ),
        uncorrelated_pairs=max(summary.uncorrelated, today.uncorrelated),
        recovered_drawdowns=summary.recovered + today.recovered,
        impact_worst_bps=max(summary.impact_bps, today.impact_bps),
        sharpe=summary.sharpe,
        profitable_strategies=sum(realised > 0 for name, realised in strategies.items() if name),
        strategy_share_max=_largest_share(strategies.values()),
        crashes_survived=len(performance.crashes),
        overrides=summary.overrides + today.overrides,
        loss_day=max(-return_of(today), 0.0),
        heavy_days=summary.heavy_days + 1 if heavy else 0,
        moving_together=held.moving_together,
        positions=held.positions,
    )


def _added(closed: dict[str, Decimal], today: dict[str, Decimal]) -> dict[str, Decimal]:
    if not today:
        return closed
    return {name: closed.get(name, ZERO) + today.get(name, ZERO) for name in {**closed, **today}}


def _of(count: int, whole: int) -> float:
    return count / whole if whole else math.nan


def _largest_share(realised: Iterable[Decimal]) -> float:
    """Return the largest result as a share of all together; NaN unless there is a gain altogether."""
    every = list(realised)
    total = sum(every, ZERO)
    return float(max(every) / total) if total > 0 else math.nan


def uncorrelated(symbols: Iterable[str], correlations: Mapping[str, float]) -> int:
    """Return how many of the symbols are uncorrelated pair by pair, taken greedily in their order.

    Parameters
    ----------
    symbols
        What is held.
    correlations
        By "A|B" with A before B. One that is not known, or NaN, does not count as uncorrelated.

    Examples
    --------
    >>> known = {"ADA|BTC": 0.4, "ADA|ETH": -0.8, "BTC|ETH": 0.2}
    >>> uncorrelated(["ADA", "BTC", "ETH"], known)
    2
    """
    taken: list[str] = []
    for symbol in sorted(symbols):
        known = (correlations.get("|".join(sorted((symbol, other))), math.nan) for other in taken)
        if all(abs(each) < UNCORRELATED_MAX for each in known):
            taken.append(symbol)
    return len(taken)
