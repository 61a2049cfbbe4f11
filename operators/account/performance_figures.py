"""Performance figures: what days tell together: Sharpe, Sortino, drawdown of a window, profits by name.

A daily return is that of `performance.return_of`. Ratios are of its mean over its deviation, times the root
of DAYS_A_YEAR, since a crypto market has no weekend; no interest is subtracted. With fewer than two days,
or when no day differs, they are NaN: there is nothing to compare.

References
----------
Sharpe, W. F. (1994). The Sharpe ratio. Journal of Portfolio Management, 21(1), 49-58.
Sortino, F. A. and Price, L. N. (1994). Performance measurement in a downside risk framework.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

from genesis.operators.account.money import ZERO, exact, share
from genesis.operators.account.performance import Day

DAYS_A_YEAR = 365
"""Trading days of a year, by which ratios are annualised."""


def sharpe(returns: Sequence[float]) -> float:
    """Return the annualised Sharpe ratio of daily returns; deviation with n - 1.

    >>> round(sharpe([0.01, 0.02, 0.0, -0.01]), 3)
    7.399
    """
    if len(returns) < 2:
        return math.nan
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1)
    return _ratio(mean, variance)


def sortino(returns: Sequence[float]) -> float:
    """Return the annualised Sortino ratio of daily returns: mean over the root mean square of the losses.

    Days without a loss count in that mean as zeros. NaN when no day lost.

    >>> round(sortino([0.01, 0.02, 0.0, -0.01]), 3)
    19.105
    """
    if len(returns) < 2:
        return math.nan
    mean = math.fsum(returns) / len(returns)
    return _ratio(mean, math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns))


def _ratio(mean: float, variance: float) -> float:
    if not variance > (abs(mean) * 1e-12) ** 2:  # all equal but for rounding
        return math.nan
    return mean / math.sqrt(variance) * math.sqrt(DAYS_A_YEAR)


@exact
def window_drawdown(days: Iterable[Day], before: tuple[float, Decimal] = (math.nan, ZERO)) -> float:
    """Return the deepest fall from a high within these days, as a share of it; exact, from each day's range.

    A fall begins on an earlier day, then it ends at a day's low at the deepest, or on the same day, which
    kept it. NaN without days. ``before`` is the result for the days before these, and `window_high` of them.
    """
    deepest, high = before
    for day in days:
        fall = share(high - day.value_low, high) if high > 0 else 0.0
        deepest = max(fall, day.fall, 0.0 if math.isnan(deepest) else deepest)
        high = max(high, day.value_high)
    return deepest


def window_high(days: Iterable[Day]) -> Decimal:
    """Return the highest net asset value of these days; 0 without days."""
    return max((day.value_high for day in days), default=ZERO)


@exact
def profits(days: Iterable[Day], of: str) -> dict[str, Decimal]:
    """Return what was realised by name; ``of`` is ``pairs`` or ``strategies``."""
    total: dict[str, Decimal] = {}
    for day in days:
        for name, realised in getattr(day, of).items():
            total[name] = total.get(name, ZERO) + realised
    return total
