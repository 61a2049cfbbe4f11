"""Venues as the gateway sees them: one interface, and errors told apart by what may be done next.

Law: an error that leaves it open whether the venue took an order is `Unknown`, and nothing else is.
Whoever meets any other error knows that the order does not exist.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from genesis.operators.account.events import Execution, Listing
from genesis.operators.account.outcomes import ChildOrder

TERMINAL = frozenset({"filled", "canceled", "rejected", "expired"})
"""Statuses after which the venue does nothing more with an order."""


class TradingError(Exception):
    """The venue did not do what was asked; the message says why."""


class Unknown(TradingError):
    """Nobody can say yet whether the venue did it: ask before anything else."""


class Throttled(TradingError):
    """Too many requests; nothing was done.

    Parameters
    ----------
    detail
        What the venue said.
    wait_s
        Seconds until the next request makes sense.
    banned
        True for status 418: every further request makes it longer.
    """

    def __init__(self, detail: str, wait_s: float, *, banned: bool = False) -> None:
        super().__init__(detail)
        self.wait_s, self.banned = wait_s, banned


class Rejected(TradingError):
    """The venue refused; nothing was done.

    Parameters
    ----------
    code
        The venue's error code.
    detail
        The venue's words.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{detail} (code {code})")
        self.code, self.detail = code, detail


class ClockSkew(TradingError):
    """Our time of day is not the venue's; nothing was done."""


class AuthFailed(TradingError):
    """The venue does not take our key or signature; nothing was done."""


class Unreachable(TradingError):
    """The venue could not be reached; nothing was sent."""


class Trade(NamedTuple):
    """One trade of ours as the venue lists it; quantities and prices are decimal text."""

    symbol: str
    trade_id: int
    venue_order_id: int
    side: str
    qty: str
    price: str
    commission: str
    commission_asset: str
    is_maker: bool
    venue_ns: int


class Listener(NamedTuple):
    """Who is told what comes by itself; both are called on the event loop and must not block."""

    report: Callable[[Execution], None]
    lost: Callable[[str], None]


class TradingVenue(Protocol):
    """A place where orders can be sent. Every method may raise a TradingError."""

    name: str

    async def connect(self, listener: Listener) -> None:
        """Open the connection and subscribe to the account's reports; first of all calls."""

    async def close(self) -> None:
        """Leave; may be called at any time, and twice."""

    async def place(self, order: ChildOrder) -> int:
        """Send an order; return the venue's id of it. What becomes of it is reported."""

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Cancel an order; Rejected when there is none that is open."""

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol."""

    async def order_status(self, symbol: str, client_order_id: str) -> Execution | None:
        """Return how an order is; None when the venue knows none of that id."""

    async def open_orders(self) -> list[Execution]:
        """Return every open order of the account."""

    async def trades_since(self, symbol: str, trade_id: int) -> list[Trade]:
        """Return the account's trades from this id on, oldest first."""

    async def trades_of(self, symbol: str, venue_order_id: int) -> list[Trade]:
        """Return the trades of one order, oldest first."""

    async def balances(self) -> dict[str, tuple[str, str]]:
        """Return free and locked by asset, of what is not zero."""

    async def listings(self) -> list[Listing]:
        """Return the rules of every symbol."""

    async def server_time_ms(self) -> int:
        """Return the venue's time, ms since the epoch."""
