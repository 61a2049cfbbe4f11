"""Stubs: a venue, a ledger and a broker in memory that fail where they are told to, and time that jumps."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from genesis.connectors.gateway.clock import AccountClock
from genesis.connectors.gateway.desk import Desk
from genesis.connectors.gateway.venues import (
    ClockSkew,
    Listener,
    Rejected,
    Throttled,
    Trade,
    Unknown,
    Unreachable,
)
from genesis.connectors.ledger.errors import AlreadyRecorded, FenceLost, UnknownDecision
from genesis.operators.account import events, signing
from genesis.operators.account.events import AccountEvent, Execution, Listing
from genesis.operators.account.outcomes import ChildOrder

PERMIT_KEY, GATEWAY_KEY = b"p" * 32, b"g" * 32
NOW_NS = 1_700_000_000_000_000_000


class _Jumping(selectors.DefaultSelector):
    """Waits no time: the loop's clock jumps instead."""

    loop: "JumpingLoop"

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self.loop.now_s += timeout
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while everybody waits."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now_s


def run(main: Callable[[JumpingLoop], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine in time that jumps."""
    loop = JumpingLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


def child(number: int, **changes: Any) -> ChildOrder:
    """Return a permitted child order."""
    fields: dict[str, Any] = {
        "id": f"child-{number}",
        "event_ns": NOW_NS,
        "account_id": "main",
        "action": "send",
        "client_order_id": f"c-{number}",
        "parent_id": "p",
        "symbol": "BTCUSDT",
        "side": "buy",
        "order_type": "limit",
        "time_in_force": "gtc",
        "qty": "2",
        "limit_price": "100",
        "stop_price": "",
        "tier": "sniper",
        "ledger_head": "0" * 64,
        "expires_ns": NOW_NS + 600_000_000_000,
        "permit": "",
    }
    order = ChildOrder(**(fields | changes))
    return msgspec.structs.replace(order, permit=signing.permit(PERMIT_KEY, order))


@dataclass
class Row:
    """A recorded order."""

    order: ChildOrder
    status: str = "recorded"
    is_open: bool = True
    venue_order_id: int = -1
    filled_qty: str = "0"


@dataclass
class StubBook:
    """A ledger in memory, with the laws of the real one."""

    decided: dict[str, ChildOrder] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    trades: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    token: int = 1

    def decide(self, order: ChildOrder) -> None:
        self.decided[order.id] = order

    def _hold(self, token: int) -> None:
        if token != self.token:
            raise FenceLost("another gateway has taken over")

    def record_order(self, token: int, order: ChildOrder) -> None:
        self._hold(token)
        row = self.rows.get(order.client_order_id)
        if row is not None and row.order == order:
            raise AlreadyRecorded("recorded before")
        if row is not None or self.decided.get(order.id) != order:
            raise UnknownDecision("not decided")
        self.rows[order.client_order_id] = Row(order)

    def record_outcome(
        self, token: int, client_order_id: str, status: str, venue_order_id: int, filled_qty: str
    ) -> None:
        self._hold(token)
        row = self.rows[client_order_id]
        is_open = status not in ("filled", "canceled", "rejected", "expired")
        if (is_open and not row.is_open) or Decimal(filled_qty) < Decimal(row.filled_qty):
            return
        row.status, row.is_open, row.filled_qty = status, is_open, filled_qty
        row.venue_order_id = max(row.venue_order_id, venue_order_id)

    def record_trade(self, token: int, account_id: str, symbol: str, trade_id: int) -> None:
        self._hold(token)
        self.trades[symbol] = max(self.trades.get(symbol, -1), trade_id)

    def recorded_orders(self, account_id: str, limit: int) -> list[Row]:
        return list(self.rows.values())[-limit:]

    def open_orders(self, account_id: str) -> list[Row]:
        return [row for row in self.rows.values() if row.is_open]

    def pending_children(self, account_id: str) -> list[ChildOrder]:
        return [o for o in self.decided.values() if o.action == "send" and o.client_order_id not in self.rows]

    def pending_cancels(self, account_id: str) -> list[ChildOrder]:
        ended = {key for key, row in self.rows.items() if not row.is_open}
        return [o for o in self.decided.values() if o.action == "cancel" and o.client_order_id not in ended]

    def is_decided(self, order: ChildOrder) -> bool:
        return self.decided.get(order.id) == order

    def last_trade_ids(self, account_id: str) -> dict[str, int]:
        return dict(self.trades)

    def refused_permit(self, account_id: str, client_order_id: str, code: str, detail: str) -> None:
        self.refused.append((client_order_id, code))


@dataclass
class StubOutlet:
    """A broker in memory."""

    events: list[AccountEvent] = field(default_factory=list)
    delivers: bool = True

    def publish(self, event: AccountEvent) -> None:
        self.events.append(event)

    def is_delivered(self) -> bool:
        return self.delivers

    def bodies(self, kind: type) -> list[Any]:
        """Return the bodies of one kind, repeats of an id left out as the fold does."""
        unique = {event.id: event for event in self.events}
        return [
            body for body in (events.decode(each.body) for each in unique.values()) if isinstance(body, kind)
        ]

    def executions(self, client_order_id: str) -> list[Execution]:
        return [each for each in self.bodies(Execution) if each.client_order_id == client_order_id]


@dataclass
class Venued:
    """An order as the stub venue has it."""

    order: ChildOrder
    number: int
    status: str = "new"
    filled: Decimal = Decimal(0)
    trades: list[Trade] = field(default_factory=list)


class StubVenue:
    """A venue in memory. ``faults`` are taken one a placement; all that it reports can be tampered with.

    Faults: ``""`` for none, ``before`` (nothing happens, no answer), ``after`` (done, no answer),
    ``slow`` (no answer; done only 8 s later), ``reject``, ``throttle``, ``skew``, ``refuse`` (no connection),
    ``drop`` (done, then the connection is lost before any report).
    """

    name = "stub"

    def __init__(self) -> None:
        self.orders: dict[str, Venued] = {}
        self.placed: list[str] = []
        self.faults: list[str] = []
        self.listener: Listener | None = None
        self.is_up = True
        self.mute = False
        self.twice = False
        self.fills = True
        self.connects = 0
        self.trade_id = 100
        self.on_place: Callable[[ChildOrder], None] = lambda _order: None

    async def connect(self, listener: Listener) -> None:
        await asyncio.sleep(0.01)
        if not self.is_up:
            raise Unreachable("down")
        self.connects += 1
        self.listener = listener

    async def close(self) -> None:
        self.listener = None

    def lose(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.lost("cut")

    def _up(self) -> None:
        if not self.is_up or self.listener is None:
            raise Unreachable("down")

    def tell(self, said: Execution) -> None:
        for _ in range(2 if self.twice else 1):
            if self.listener is not None and not self.mute:
                self.listener.report(said)

    def _accept(self, order: ChildOrder) -> Venued:
        assert (
            order.client_order_id not in self.orders or self.orders[order.client_order_id].status == "filled"
        )
        venued = self.orders[order.client_order_id] = Venued(order, len(self.orders) + 1)
        self.tell(self.said(venued))
        if self.fills:
            self.fill(order.client_order_id, Decimal(order.qty) / 2)
            self.fill(order.client_order_id, Decimal(order.qty) / 2)
        return venued

    def said(self, venued: Venued, trade: Trade | None = None) -> Execution:
        extra = (
            {} if trade is None else {"trade_id": trade.trade_id, "last_qty": trade.qty, "last_price": "100"}
        )
        order = venued.order
        return Execution(
            client_order_id=order.client_order_id,
            venue_order_id=venued.number,
            symbol=order.symbol,
            side=order.side,
            status=venued.status,
            filled_qty=str(venued.filled),
            **extra,  # type: ignore[arg-type]
        )

    def fill(self, client_order_id: str, qty: Decimal) -> None:
        venued = self.orders[client_order_id]
        self.trade_id += 1
        venued.filled += qty
        venued.status = "filled" if venued.filled >= Decimal(venued.order.qty) else "partially_filled"
        trade = Trade("BTCUSDT", self.trade_id, venued.number, "buy", str(qty), "100", "0", "BNB", False, 1)
        venued.trades.append(trade)
        self.tell(self.said(venued, trade))

    async def place(self, order: ChildOrder) -> int:
        await asyncio.sleep(0.01)
        self.on_place(order)
        fault = self.faults.pop(0) if self.faults else ""
        self._up()
        match fault:
            case "refuse":
                raise Unreachable("no connection")
            case "throttle":
                raise Throttled("slow down", 3.0)
            case "skew":
                raise ClockSkew("clock")
        self.placed.append(order.client_order_id)
        match fault:
            case "reject":
                raise Rejected(-2010, "Account has insufficient balance")
            case "before":
                await asyncio.sleep(10.0)
                raise Unknown("no answer")
            case "slow":
                asyncio.get_running_loop().call_later(8.0, self._accept, order)
                raise Unknown("no answer")
            case "after":
                self._accept(order)
                raise Unknown("no answer")
            case "drop":
                self.mute = True
                self._accept(order)
                self.mute = False
                self.lose()
                raise Unknown("the connection was lost before the answer")
        return self._accept(order).number

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        await asyncio.sleep(0.01)
        self._up()
        venued = self.orders.get(client_order_id)
        if venued is None or venued.status in ("filled", "canceled"):
            raise Rejected(-2011, "Unknown order sent.")
        venued.status = "canceled"
        self.tell(self.said(venued))

    async def cancel_all(self, symbol: str) -> None:
        for venued in self.orders.values():
            if venued.status not in ("filled", "canceled"):
                await self.cancel(symbol, venued.order.client_order_id)

    async def order_status(self, symbol: str, client_order_id: str) -> Execution | None:
        await asyncio.sleep(0.01)
        self._up()
        venued = self.orders.get(client_order_id)
        return None if venued is None else self.said(venued)

    async def open_orders(self) -> list[Execution]:
        self._up()
        return [self.said(v) for v in self.orders.values() if v.status not in ("filled", "canceled")]

    async def trades_since(self, symbol: str, trade_id: int) -> list[Trade]:
        self._up()
        return [t for v in self.orders.values() for t in v.trades if t.trade_id >= trade_id]

    async def trades_of(self, symbol: str, venue_order_id: int) -> list[Trade]:
        self._up()
        return [t for v in self.orders.values() if v.number == venue_order_id for t in v.trades]

    async def balances(self) -> dict[str, tuple[str, str]]:
        return {"USDT": ("1000", "0")}

    async def listings(self) -> list[Listing]:
        return []

    async def server_time_ms(self) -> int:
        return 0


def desk_of(loop: JumpingLoop, venue: StubVenue, book: StubBook, outlet: StubOutlet) -> Desk:
    """Return a desk over stubs, with an account clock that runs."""

    def monotonic_ns() -> int:
        return int(loop.now_s * 1e9)

    clock = AccountClock(monotonic_ns)
    clock.tick(NOW_NS)
    return Desk(
        account_id="main",
        venue=venue,
        book=book,
        outlet=outlet,
        token=book.token,
        permit_key=PERMIT_KEY,
        gateway_key=GATEWAY_KEY,
        clock=clock,
        monotonic_ns=monotonic_ns,
    )
