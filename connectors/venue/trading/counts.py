"""How many unfilled orders an account has placed lately: each adds one, its first fill takes one back."""

from typing import NamedTuple

from genesis.connectors.venue.rest import ApiError
from genesis.connectors.venue.trading.orders import Json


class Window(NamedTuple):
    """One limit of orders."""

    interval: str
    number: int
    length_ms: int
    limit: int
    header: str


WINDOWS = (
    Window("SECOND", 10, 10_000, 100, "X-MBX-ORDER-COUNT-10S"),
    Window("DAY", 1, 86_400_000, 200_000, "X-MBX-ORDER-COUNT-1D"),
)
"""As exchangeInfo states them."""


class OrderCount:
    """Unfilled orders of one account, by window of the venue's time.

    Examples
    --------
    >>> count = OrderCount()
    >>> count.add(1_000)
    >>> count.used(1_000), count.used(11_000)
    ((1, 1), (0, 1))
    """

    def __init__(self) -> None:
        self._used = [(0, 0) for _ in WINDOWS]  # number of the window, count

    def used(self, now_ms: int) -> tuple[int, ...]:
        """Return the counts of all windows."""
        pairs = zip(WINDOWS, self._used, strict=True)
        return tuple(
            count if number == now_ms // window.length_ms else 0 for window, (number, count) in pairs
        )

    def check(self, now_ms: int) -> None:
        """Refuse one order more than the limits allow.

        Raises
        ------
        ApiError
            -1015, status 429.
        """
        for window, count in zip(WINDOWS, self.used(now_ms), strict=True):
            if count >= window.limit:
                span = f"{window.number} {window.interval}"
                text = f"Too many new orders; current limit is {window.limit} orders per {span}."
                raise ApiError(-1015, text, 429)

    def add(self, now_ms: int, by: int = 1) -> None:
        """Count an order, or take one back."""
        self._used = [
            (now_ms // window.length_ms, max(0, count + by))
            for window, count in zip(WINDOWS, self.used(now_ms), strict=True)
        ]

    def json(self, now_ms: int) -> list[Json]:
        """Return the counts as rate limits."""
        return [
            {
                "rateLimitType": "ORDERS",
                "interval": window.interval,
                "intervalNum": window.number,
                "limit": window.limit,
                "count": count,
            }
            for window, count in zip(WINDOWS, self.used(now_ms), strict=True)
        ]
