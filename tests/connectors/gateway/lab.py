"""A gateway at work: the real simulator, the real ledger, and a broker in memory."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from genesis.connectors.gateway import hosts
from genesis.connectors.gateway.binance import BinanceVenue
from genesis.connectors.gateway.clock import AccountClock
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.desk import Desk
from genesis.connectors.gateway.gateway import Gateway
from genesis.connectors.gateway.hosts import Kind
from genesis.connectors.ledger import Ledger, RecordedOrder
from genesis.operators.account import signing
from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import ChildOrder
from tests.connectors.gateway.stubs import GATEWAY_KEY, NOW_NS, PERMIT_KEY, StubOutlet, child
from tests.connectors.ledger.lab import KEY as AUDIT_KEY
from tests.connectors.ledger.lab import end, entries, outgoing, step
from tests.connectors.venue.trading.traders import ED_KEY, KEY, KEYS, SECRET, best
from tests.connectors.venue.venues import Venue

WAIT_S = 30.0
NO_HEAD = Head()


def credentials_of(account: str) -> Credentials:
    """Return the credentials of one of the simulator's accounts."""
    return Credentials(ED_KEY, KEYS.private(KEYS.ed)) if account == "ed" else Credentials(KEY, SECRET)


@dataclass
class Bench:
    """A gateway over a venue, and what it may be asked to do."""

    venue: Venue
    ledger: Ledger
    trading: BinanceVenue
    desk: Desk
    gateway: Gateway
    outlet: StubOutlet
    head: Head = field(default_factory=Head)

    async def until(self, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < end_s, f"it did not happen; told: {self.outlet.events}"
            await asyncio.sleep(0.005)

    def decide(self, number: int, **changes: Any) -> ChildOrder:
        """Decide on a child order in the ledger, and hand it in as the log would."""
        head = end(self.head, entries(self.head, 1))
        plain = child(number, **{"client_order_id": f"g-{number}", "ledger_head": head.hash} | changes)
        order = msgspec.structs.replace(plain, permit=signing.permit(PERMIT_KEY, plain))
        self.head = step(self.ledger, self.head, outgoing("child_orders", order))
        self.gateway.hand_in(order, f"log:{number}")
        return order

    def row(self, number: int) -> RecordedOrder | None:
        """Return what the ledger has of an order."""
        rows = self.ledger.recorded_orders("main", 1_000)
        return next((row for row in rows if row.order.client_order_id == f"g-{number}"), None)

    def has_ended(self, number: int) -> bool:
        row = self.row(number)
        return row is not None and not row.is_open

    def statuses(self, number: int) -> list[str]:
        return [each.status for each in self.outlet.executions(f"g-{number}")]

    async def price(self, *, takes: bool) -> str:
        """Return a price that a buyer takes at once, or at which he waits."""
        bid, ask = await best(self.venue)
        return ask if takes else format(round(float(bid) * 0.97, 2), "f")


@contextlib.asynccontextmanager
async def at_work(
    folder: Path,
    venue: Venue,
    *,
    account: str = "main",
    outlet: StubOutlet | None = None,
    head: Head = NO_HEAD,
) -> AsyncIterator[Bench]:
    """Run a gateway over a simulator until the block ends."""
    ledger = Ledger.open(f"sqlite:///{folder}/ledger/ledger.db", audit_key=AUDIT_KEY)
    trading = BinanceVenue(Kind.SIMULATOR, hosts.simulator(venue.url), credentials_of(account))
    outlet = outlet or StubOutlet()
    clock = AccountClock(time.monotonic_ns)
    clock.tick(NOW_NS)
    desk = Desk(
        account_id="main",
        venue=trading,
        book=ledger,
        outlet=outlet,
        token=ledger.take_fence("main"),
        permit_key=PERMIT_KEY,
        gateway_key=GATEWAY_KEY,
        clock=clock,
        monotonic_ns=time.monotonic_ns,
    )
    gateway = Gateway(desk, is_halted=ledger.is_halted("main"))
    stopping = asyncio.Event()
    task = asyncio.create_task(gateway.run(stopping))
    bench = Bench(venue, ledger, trading, desk, gateway, outlet, head)
    try:
        await bench.until(lambda: gateway.is_serving or task.done())
        yield bench
    finally:
        stopping.set()
        gateway.wake()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(task, WAIT_S)
        ledger.close()
