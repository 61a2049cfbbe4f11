"""Limits: one accountant for what the venue counts, and a breaker for when it fails.

Law: without a reserve nobody gets more than 80 % of any limit; cancels may use the rest. What the venue
says it has counted always wins over our own count when it is more.
"""

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from genesis.connectors import metrics

MARGIN = 0.2
"""Share of every limit that is kept for cancels."""

BAN_S = 120.0
"""Pause after status 418 when the venue does not say how long."""

INTERVALS_S = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
LETTERS = {"S": "SECOND", "M": "MINUTE", "H": "HOUR", "D": "DAY"}


class Limit(NamedTuple):
    """One limit of the venue."""

    kind: str  # REQUEST_WEIGHT, RAW_REQUESTS or ORDERS
    interval_s: int
    most: int


DEFAULTS = (
    Limit("REQUEST_WEIGHT", 60, 6_000),
    Limit("RAW_REQUESTS", 300, 300_000),
    Limit("ORDERS", 10, 100),
    Limit("ORDERS", 86_400, 200_000),
)
"""Until the venue has told its own."""


class Cost(NamedTuple):
    """What a request costs by the venue's count."""

    weight: int = 1
    orders: int = 0
    is_cancel: bool = False


def parse_limits(rate_limits: Iterable[dict[str, object]]) -> tuple[Limit, ...]:
    """Return the limits in an array ``rateLimits`` of the venue; what is not understood is left out.

    >>> parse_limits([{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100}])
    (Limit(kind='ORDERS', interval_s=10, most=100),)
    """
    found = []
    for each in rate_limits:
        interval_s = INTERVALS_S.get(str(each.get("interval")), 0) * _whole(each.get("intervalNum"))
        most = _whole(each.get("limit"))
        if interval_s and most:
            found.append(Limit(str(each.get("rateLimitType")), interval_s, most))
    return tuple(found)


def parse_counts(rate_limits: Iterable[dict[str, object]]) -> dict[tuple[str, int], int]:
    """Return the counts in an array ``rateLimits`` of an answer, by kind and interval in seconds."""
    found = {}
    for each in rate_limits:
        interval_s = INTERVALS_S.get(str(each.get("interval")), 0) * _whole(each.get("intervalNum"))
        if interval_s and "count" in each:
            found[str(each.get("rateLimitType")), interval_s] = _whole(each.get("count"))
    return found


def parse_headers(headers: Iterable[tuple[str, str]]) -> dict[tuple[str, int], int]:
    """Return the counts in the headers of an answer, by kind and interval in seconds.

    >>> parse_headers([("X-MBX-USED-WEIGHT-1M", "12"), ("x-mbx-order-count-10s", "3"), ("Date", "today")])
    {('REQUEST_WEIGHT', 60): 12, ('ORDERS', 10): 3}
    """
    found = {}
    kinds = {"x-mbx-used-weight-": "REQUEST_WEIGHT", "x-mbx-order-count-": "ORDERS"}
    for name, value in headers:
        for prefix, kind in kinds.items():
            rest = name.lower().removeprefix(prefix)
            if rest != name.lower() and rest[-1:].upper() in LETTERS and rest[:-1].isdigit():
                interval_s = INTERVALS_S[LETTERS[rest[-1].upper()]] * int(rest[:-1])
                found[kind, interval_s] = _whole(value)
    return found


def _whole(value: object) -> int:
    try:
        return max(int(str(value)), 0)
    except ValueError:
        return 0


class _Window:
    """What one limit has counted in the present interval."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.began_s = float("-inf")
        self.used = 0

    def roll(self, now_s: float) -> None:
        if now_s - self.began_s >= self.limit.interval_s:
            self.began_s, self.used = now_s, 0

    def show(self) -> None:
        share = self.used / self.limit.most
        metrics.GATEWAY_USED.labels(self.limit.kind.lower(), f"{self.limit.interval_s}s").set(share)


class RateAccountant:
    """Counts what is asked of a venue, and says how long to wait.

    Intervals are ours, not aligned with the venue's: one of ours may touch two of theirs, never the
    other way round, so that the venue's count of an interval is at most that of two of ours; its own
    count in every answer puts that right.

    Parameters
    ----------
    limits
        The venue's limits.
    """

    def __init__(self, limits: Iterable[Limit] = DEFAULTS) -> None:
        self._windows = [_Window(limit) for limit in limits]
        self._until_s = float("-inf")
        self.is_banned = False

    def learn(self, limits: Iterable[Limit]) -> None:
        """Take the venue's own limits instead; what was counted stays counted."""
        used = {(w.limit.kind, w.limit.interval_s): w for w in self._windows}
        told = list(limits)
        if not told:
            return
        self._windows = []
        for limit in told:
            window = _Window(limit)
            before = used.get((limit.kind, limit.interval_s))
            if before is not None:
                window.began_s, window.used = before.began_s, before.used
            self._windows.append(window)

    def wait_s(self, cost: Cost, now_s: float) -> float:
        """Return how long to wait before this request, in seconds; 0 to send it now."""
        if now_s < self._until_s:
            return self._until_s - now_s
        self.is_banned = False
        longest = 0.0
        for window in self._windows:
            window.roll(now_s)
            most = window.limit.most if cost.is_cancel else int(window.limit.most * (1.0 - MARGIN))
            if window.used + _share(cost, window.limit.kind) > most:
                longest = max(longest, window.began_s + window.limit.interval_s - now_s)
        return longest

    def spend(self, cost: Cost, now_s: float) -> None:
        """Count a request that is being sent."""
        for window in self._windows:
            window.roll(now_s)
            window.used += _share(cost, window.limit.kind)
            window.show()

    def heard(self, counts: dict[tuple[str, int], int], now_s: float) -> None:
        """Take what the venue has counted, where it is more than ours."""
        for window in self._windows:
            window.roll(now_s)
            told = counts.get((window.limit.kind, window.limit.interval_s), 0)
            window.used = max(window.used, told)
            window.show()

    def throttled(self, wait_s: float, now_s: float, *, banned: bool) -> None:
        """Note 429 or 418: nothing at all is sent for so long, cancels neither."""
        metrics.GATEWAY_THROTTLED.labels("418" if banned else "429").inc()
        self._until_s = max(self._until_s, now_s + (wait_s or (BAN_S if banned else 1.0)))
        self.is_banned = self.is_banned or banned


def _share(cost: Cost, kind: str) -> int:
    return {"REQUEST_WEIGHT": cost.weight, "RAW_REQUESTS": 1, "ORDERS": cost.orders}.get(kind, 0)


class BreakerState(StrEnum):
    """How a breaker is."""

    CLOSED = "closed"  # all may pass
    OPEN = "open"  # nothing may pass
    HALF_OPEN = "half_open"  # one may pass, to see


class CircuitBreaker:
    """Opens after several failures within a window, lets one probe pass after a pause.

    Parameters
    ----------
    failures_max
        So many failures within the window open it.
    window_s
        The window, in seconds.
    pause_s
        How long it stays open before a probe; doubles with every probe that fails.
    pause_most_s
        Longest pause.
    """

    def __init__(
        self, failures_max: int = 5, window_s: float = 30.0, pause_s: float = 2.0, pause_most_s: float = 60.0
    ) -> None:
        if failures_max < 1 or not 0.0 < pause_s <= pause_most_s or window_s <= 0.0:
            raise ValueError("a breaker needs at least one failure, and pauses and a window above 0 s")
        self._failed_s: deque[float] = deque(maxlen=failures_max)
        self._window_s, self._pause_s, self._pause_most_s = window_s, pause_s, pause_most_s
        self._next_pause_s = pause_s
        self._opened_s = float("-inf")
        self.state = BreakerState.CLOSED

    def wait_s(self, now_s: float) -> float:
        """Return how long until something may pass; 0 for now, which makes it the probe of an open one."""
        if self.state is BreakerState.OPEN:
            left_s = self._opened_s + self._next_pause_s - now_s
            if left_s > 0.0:
                return left_s
            self.state = BreakerState.HALF_OPEN
            self._opened_s = now_s
            return 0.0
        if self.state is BreakerState.HALF_OPEN:
            left_s = self._opened_s + self._next_pause_s - now_s
            if left_s > 0.0:
                return left_s
            self._opened_s = now_s  # the probe was lost
        return 0.0

    def succeeded(self) -> None:
        """Note that something worked."""
        self._failed_s.clear()
        self._next_pause_s = self._pause_s
        self.state = BreakerState.CLOSED

    def failed(self, now_s: float) -> None:
        """Note a failure."""
        if self.state is not BreakerState.CLOSED:
            self._next_pause_s = min(2 * self._next_pause_s, self._pause_most_s)
            self.state, self._opened_s = BreakerState.OPEN, now_s
            return
        self._failed_s.append(now_s)
        if len(self._failed_s) == self._failed_s.maxlen and now_s - self._failed_s[0] <= self._window_s:
            self.state, self._opened_s = BreakerState.OPEN, now_s
