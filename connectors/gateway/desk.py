"""Desk: what the parts of a gateway share: venue, ledger, tracker, and how news leaves.

Law: news is published first and put down in the ledger once the broker has it. Who dies in between
finds the order open in the ledger, asks the venue again and publishes the same ids.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from genesis.connectors import logs, metrics
from genesis.connectors.gateway.clock import AccountClock
from genesis.connectors.gateway.limits import CircuitBreaker
from genesis.connectors.gateway.tracker import Phase, Tracked, Tracker, event_id
from genesis.connectors.gateway.venues import TradingVenue
from genesis.operators.account import signing
from genesis.operators.account.events import AccountEvent, Body, Execution, PermitRefused, VenueLink
from genesis.operators.account.outcomes import ChildOrder

RECENT_EVENTS_MAX = 10_000
"""Most events that are kept to be published again when the broker has lost its log."""

log = structlog.get_logger("gateway")


class Recorded(Protocol):
    """A recorded order as the ledger has it."""

    @property
    def order(self) -> ChildOrder:
        """Return what was recorded."""

    @property
    def venue_order_id(self) -> int:
        """Return the venue's id; -1 when it is not known."""

    @property
    def is_open(self) -> bool:
        """Say whether it has not ended."""

    @property
    def status(self) -> str:
        """Return the newest status."""


class Book(Protocol):
    """What is asked of the ledger (`connectors.ledger.Ledger`)."""

    def record_order(self, token: int, order: ChildOrder) -> None:
        """Put down an order that is about to be sent."""

    def record_outcome(
        self, token: int, client_order_id: str, status: str, venue_order_id: int, filled_qty: str
    ) -> None:
        """Put down what became of it."""

    def record_trade(self, token: int, account_id: str, symbol: str, trade_id: int) -> None:
        """Put down the newest trade that was handed on."""

    def recorded_orders(self, account_id: str, limit: int) -> Iterable[Recorded]:
        """Return the newest recorded orders, oldest first."""

    def open_orders(self, account_id: str) -> Iterable[Recorded]:
        """Return what is recorded and has not ended."""

    def pending_children(self, account_id: str) -> list[ChildOrder]:
        """Return what was decided and never recorded."""

    def pending_cancels(self, account_id: str) -> list[ChildOrder]:
        """Return cancels of orders that have not ended."""

    def is_decided(self, order: ChildOrder) -> bool:
        """Say whether the ledger decided on exactly this."""

    def last_trade_ids(self, account_id: str) -> dict[str, int]:
        """Return the newest trade handed on, by symbol."""

    def refused_permit(self, account_id: str, client_order_id: str, code: str, detail: str) -> None:
        """Count a refused child order."""


class Outlet(Protocol):
    """Where events leave."""

    def publish(self, event: AccountEvent) -> None:
        """Hand an event on; it may wait in a bounded queue."""

    def is_delivered(self) -> bool:
        """Say whether all that was published is with the broker."""


@dataclass
class Desk:
    """What the parts of one gateway share.

    Parameters
    ----------
    account_id
        The account; a gateway serves one.
    venue, book, outlet
        Venue, ledger and way out.
    token
        Of the fence.
    permit_key, gateway_key
        To check permits, and to seal what is published.
    clock
        The account's.
    monotonic_ns
        A clock that never jumps.
    """

    account_id: str
    venue: TradingVenue
    book: Book
    outlet: Outlet
    token: int
    permit_key: bytes
    gateway_key: bytes
    clock: AccountClock
    monotonic_ns: Callable[[], int]
    tracker: Tracker = field(default_factory=Tracker)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    _recent: deque[AccountEvent] = field(default_factory=lambda: deque(maxlen=RECENT_EVENTS_MAX))
    _unconfirmed: deque[Execution] = field(default_factory=deque)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def now_s(self) -> float:
        """Return our monotonic time in seconds."""
        return self.monotonic_ns() / 1e9

    def publish(self, key: str, body: Body) -> None:
        """Seal a body and hand it on."""
        event_ns = self.clock.now_ns() or getattr(body, "venue_ns", 0) or time.time_ns()
        event = signing.sealed(self.gateway_key, "gateway", self.account_id, key[:128], event_ns, body)
        self._recent.append(event)
        self.outlet.publish(event)

    def publish_once(self, kind: str, body: Body) -> None:
        """Hand a body on under an id that no other will have."""
        self.publish(f"{kind}:{self.token}:{next(self._numbers)}", body)

    def publish_again(self) -> None:
        """Hand on once more what was published lately, since the broker's log began anew."""
        for event in list(self._recent):
            self.outlet.publish(event)

    def link(self, *, connected: bool, detail: str) -> None:
        """Tell whether the venue is reached."""
        log.info("venue link", connected=connected, detail=detail)
        self.publish_once("link", VenueLink(connected=connected, detail=detail[:1_000]))

    def refuse(self, order: ChildOrder, code: str, detail: str, origin: str) -> None:
        """Refuse a child order: tell, log and count it."""
        log.warning(
            "child order refused", code=code, detail=detail, client_order_id=order.client_order_id[:64]
        )
        metrics.GATEWAY_REFUSALS.labels(code).inc()
        self.book.refused_permit(self.account_id, order.client_order_id[:64], code, detail)
        self.publish(
            f"refused:{origin or order.id}",
            PermitRefused(client_order_id=order.client_order_id[:64], code=code, detail=detail[:1_000]),
        )

    def hand_on(self, news: Iterable[Execution]) -> None:
        """Publish news of orders; the ledger learns it once the broker has it."""
        for said in news:
            known = self.tracker.get(said.client_order_id)
            log.info(
                "venue reported",
                **{logs.TRACE: known.order.parent_id if known is not None else ""},
                client_order_id=said.client_order_id,
                status=said.status,
                filled_qty=said.filled_qty,
            )
            self.publish(event_id(said), said)
            self._unconfirmed.append(said)

    def received(self, said: Execution) -> None:
        """Take a report of the venue."""
        self.hand_on(self.tracker.report(said))

    @property
    def unconfirmed(self) -> int:
        """Return how much news the ledger has not learned yet."""
        return len(self._unconfirmed)

    def confirm(self) -> bool:
        """Put down what the broker has, if it has all; say whether nothing waits.

        Raises
        ------
        FenceLost
            When a later gateway has the fence.
        """
        if not self._unconfirmed:
            return True
        if not self.outlet.is_delivered():
            return False
        newest: dict[str, Execution] = {}
        trades: dict[str, int] = {}
        for said in self._unconfirmed:
            newest[said.client_order_id] = said
            if said.trade_id >= 0:
                trades[said.symbol] = max(trades.get(said.symbol, -1), said.trade_id)
        for said in newest.values():
            status, venue_id, filled = said.status, said.venue_order_id, said.filled_qty
            self.book.record_outcome(self.token, said.client_order_id, status, venue_id, filled)
        for symbol, trade_id in trades.items():
            self.book.record_trade(self.token, self.account_id, symbol, trade_id)
        self._unconfirmed.clear()
        return True

    def working(self) -> list[Tracked]:
        """Return the orders that may be in the venue's book."""
        return self.tracker.in_phase(Phase.OPEN, Phase.SENT, Phase.UNKNOWN)

    def unattended(self) -> list[Tracked]:
        """Return those that must not wait while nobody watches: all but stop-losses, which protect then."""
        return [each for each in self.working() if not each.order.stop_price]


def described(order: ChildOrder) -> dict[str, object]:
    """Return what the log says of an order: all but its permit."""
    told = msgspec.structs.asdict(order)
    names = ("client_order_id", "action", "symbol", "side", "qty", "order_type")
    return {logs.TRACE: order.parent_id} | {key: told[key] for key in names}


__all__ = ["Book", "Desk", "Outlet", "Recorded", "described", "log"]
