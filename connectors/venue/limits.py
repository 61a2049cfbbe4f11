"""Request weight as Binance counts it: a budget a minute, then 429, then a ban (418)."""

from collections.abc import Callable
from typing import NamedTuple

WINDOW_S = 60.0
"""Length of the window in which weight is counted."""

STRIKES_MAX = 10
"""Requests after the first 429 that are tolerated before the ban."""

BAN_S = 120
"""How long the first ban lasts; documented as two minutes to three days."""


class Verdict(NamedTuple):
    """What becomes of a request: 200, 429 or 418, and what its headers say."""

    status: int
    used_weight: int
    retry_after_s: int


class WeightBudget:
    """The budget of one market for one address.

    Parameters
    ----------
    limit
        Weight a minute.
    clock_s
        Seconds of any monotonic clock.

    Examples
    --------
    >>> budget = WeightBudget(100, clock_s=lambda: 30.0)
    >>> budget.charge(80).status, budget.charge(80)
    (200, Verdict(status=429, used_weight=160, retry_after_s=30))
    """

    def __init__(self, limit: int, clock_s: Callable[[], float]) -> None:
        self.limit = limit
        self._clock_s = clock_s
        self._window = 0
        self._used = 0
        self._strikes = 0
        self._banned_until_s = 0.0

    def charge(self, weight: int) -> Verdict:
        """Count a request and judge it."""
        now_s = self._clock_s()
        window = int(now_s // WINDOW_S)
        if window != self._window:
            self._window, self._used, self._strikes = window, 0, 0
        if now_s < self._banned_until_s:
            return Verdict(418, self._used, max(1, int(self._banned_until_s - now_s)))
        self._used += weight
        if self._used <= self.limit:
            return Verdict(200, self._used, 0)
        self._strikes += 1
        if self._strikes > STRIKES_MAX:
            self._banned_until_s = now_s + BAN_S
            return Verdict(418, self._used, BAN_S)
        return Verdict(429, self._used, max(1, int((window + 1) * WINDOW_S - now_s)))
