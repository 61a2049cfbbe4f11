"""Binance, and whatever speaks as it does: WebSocket API first, REST where that is not to be had."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from genesis.connectors.gateway import hosts, wire
from genesis.connectors.gateway.clock import VenueClock
from genesis.connectors.gateway.credentials import Credentials
from genesis.connectors.gateway.limits import Cost, RateAccountant, parse_counts, parse_headers, parse_limits
from genesis.connectors.gateway.link import Event, Link
from genesis.connectors.gateway.polling import TRY_AGAIN_S, Poller
from genesis.connectors.gateway.rest import Hearing, RestClient
from genesis.connectors.gateway.venues import (
    TERMINAL,
    ClockSkew,
    Listener,
    Rejected,
    Throttled,
    Trade,
    TradingError,
    Unreachable,
)
from genesis.operators.account.events import Execution, Listing
from genesis.operators.account.outcomes import ChildOrder

log = structlog.get_logger("gateway")

TRADES_MOST = 1_000
"""Trades in one answer, as Binance has it."""

PULSE_EVERY_S = 5.0
"""How often the connection is tried by asking the time; a silent one is given up."""

RENEW_AFTER_S = 23 * 3_600.0
"""A connection lives 24 h at Binance; ours is renewed before."""

METHODS = {
    "order.place": ("POST", "/api/v3/order", Cost(1, orders=1)),
    "order.cancel": ("DELETE", "/api/v3/order", Cost(1, is_cancel=True)),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders", Cost(1, is_cancel=True)),
    "order.status": ("GET", "/api/v3/order", Cost(4)),
    "openOrders.status": ("GET", "/api/v3/openOrders", Cost(80)),
    "account.status": ("GET", "/api/v3/account", Cost(20)),
    "myTrades": ("GET", "/api/v3/myTrades", Cost(20)),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo", Cost(20)),
    "time": ("GET", "/api/v3/time", Cost(1)),
}
"""Each request by WebSocket name: how REST has it, and what it costs."""


class BinanceVenue:
    """A venue that speaks Binance's protocol.

    Parameters
    ----------
    kind
        Where orders go; decides which addresses are allowed.
    places
        Addresses.
    credentials
        Of the account.
    monotonic_ns
        A clock that never jumps.
    """

    def __init__(
        self,
        kind: hosts.Kind,
        places: hosts.Endpoints,
        credentials: Credentials,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = str(kind)
        self._kind, self._places, self._credentials = kind, places, credentials
        self._monotonic_ns = monotonic_ns
        self.clock = VenueClock(monotonic_ns)
        self.accountant = RateAccountant()
        self._threads = ThreadPoolExecutor(1, "rest")
        self._rest = RestClient(kind, places.rest, credentials, self.clock.now_ms, Hearing(self._heard))
        self._link: Link | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: Listener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poller: Poller | None = None
        self._try_link_s = 0.0
        self.unreadable = 0

    async def connect(self, listener: Listener) -> None:
        """Learn time and limits, open the WebSocket API, subscribe."""
        await self._hang_up()
        self._listener, self._loop = listener, asyncio.get_running_loop()
        await self._sync_clock()
        await self._rules()
        try:
            self._link = link = await self._open_link()
        except Unreachable as error:
            log.warning("orders go by REST, and their reports are asked for", reason=str(error))
            self._poller = Poller(self.order_status, listener.report)
            works = [self._poller.run(), self._upgrade()]
        else:
            link.lost.add_done_callback(lambda done: self._tell_lost(link, done))
            works = [self._pulse(link)]
        self._tasks = [asyncio.create_task(each) for each in works]

    async def _open_link(self) -> Link:
        link = Link(self._kind, self._places.websocket, self._credentials, self.clock.now_ms, self._receive)
        link.on_rate_limits = self._counted
        await link.open()
        return link

    async def _upgrade(self) -> None:
        """Watch REST, and leave it for the WebSocket API once that is to be had."""
        silent = 0
        while True:
            await asyncio.sleep(PULSE_EVERY_S)
            try:
                await self._sync_clock()
                silent = 0
            except Throttled as error:
                self.throttled(error)
            except TradingError:
                silent += 1
            is_back = False
            if time.monotonic() > self._try_link_s:
                self._try_link_s = time.monotonic() + TRY_AGAIN_S
                with contextlib.suppress(TradingError):
                    await (await self._open_link()).close()
                    is_back = True
            if self._listener is not None and (is_back or silent > 1):
                reason = "the WebSocket API is back" if is_back else "no sign of life"
                self._listener.lost(reason)
                return

    async def close(self) -> None:
        """Leave."""
        self._listener = None
        await self._hang_up()
        self._rest.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _hang_up(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        link, self._link, self._poller = self._link, None, None
        if link is not None:
            await link.close()
        self._try_link_s = time.monotonic() + TRY_AGAIN_S

    def _tell_lost(self, link: Link, done: asyncio.Future[str]) -> None:
        if self._listener is not None and link is self._link:
            self._listener.lost(done.result())

    async def _pulse(self, link: Link) -> None:
        """Try the connection now and then, keep the clock, renew in time."""
        while not link.lost.done():
            await asyncio.wait({link.lost}, timeout=PULSE_EVERY_S)
            if time.monotonic() - link.opened_s > RENEW_AFTER_S:
                link.lose("renewed before the venue's 24 h are over")
            try:
                await self._sync_clock(link)
            except Throttled as error:
                self.throttled(error)
            except TradingError as error:
                link.lose(f"no sign of life: {error}")

    async def place(self, order: ChildOrder) -> int:
        """Send an order; return the venue's id of it."""
        if self._poller is not None:
            self._poller.follow(order.symbol, order.client_order_id)
        answer = await self._call("order.place", wire.order_params(order))
        return wire.whole_number(answer, "orderId")

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Cancel an order."""
        await self._call("order.cancel", {"symbol": symbol, "origClientOrderId": client_order_id})

    async def cancel_all(self, symbol: str) -> None:
        """Cancel every open order of a symbol; none is fine, too."""
        try:
            await self._call("openOrders.cancelAll", {"symbol": symbol})
        except Rejected as error:
            if error.code != -2011:
                raise

    async def order_status(self, symbol: str, client_order_id: str) -> Execution | None:
        """Return how an order is; None when the venue knows none of that id."""
        try:
            answer = await self._call(
                "order.status", {"symbol": symbol, "origClientOrderId": client_order_id}
            )
        except Rejected as error:
            if error.code == wire.NO_SUCH_ORDER:
                return None
            raise
        said = wire.status_of(answer)
        if self._poller is not None and said.status not in TERMINAL:
            self._poller.follow(symbol, client_order_id)
        return said

    async def open_orders(self) -> list[Execution]:
        """Return every open order of the account."""
        return [wire.status_of(each) for each in await self._call("openOrders.status", {})]

    async def trades_since(self, symbol: str, trade_id: int) -> list[Trade]:
        """Return the account's trades from this id on, oldest first."""
        found: list[Trade] = []
        start = max(trade_id, 0)
        while True:
            params = {"symbol": symbol, "fromId": start, "limit": TRADES_MOST}
            part = [wire.trade_of(each) for each in await self._call("myTrades", params)]
            found += part
            if len(part) < TRADES_MOST:
                return found
            start = part[-1].trade_id + 1

    async def trades_of(self, symbol: str, venue_order_id: int) -> list[Trade]:
        """Return the trades of one order, oldest first."""
        params = {"symbol": symbol, "orderId": venue_order_id, "limit": TRADES_MOST}
        return [wire.trade_of(each) for each in await self._call("myTrades", params)]

    async def balances(self) -> dict[str, tuple[str, str]]:
        """Return free and locked by asset, of what is not zero."""
        return wire.balances_of(await self._call("account.status", {}))

    async def listings(self) -> list[Listing]:
        """Return the rules of every symbol."""
        return [wire.listing_of(each) for each in (await self._rules()).get("symbols", [])]

    async def _rules(self) -> dict[str, Any]:
        """Ask for the exchange information, and learn the limits in it."""
        answer = await self._ask_rest("exchangeInfo")
        if not isinstance(answer, dict):
            raise wire.NotUnderstood("the exchange information could not be read")
        self.accountant.learn(parse_limits(answer.get("rateLimits", [])))
        return answer

    async def server_time_ms(self) -> int:
        """Return the venue's time, ms since the epoch."""
        return wire.whole_number(await self._ask_rest("time"), "serverTime")

    def throttled(self, error: Throttled) -> None:
        """Let nothing leave for as long as the venue said."""
        self.accountant.throttled(error.wait_s, time.monotonic(), banned=error.banned)

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        """Ask by WebSocket API, by REST when there is no connection; once more after a clock fault."""
        try:
            return await self._once(method, params)
        except Throttled as error:
            self.throttled(error)
            raise
        except ClockSkew:
            self.clock.forget()
            await self._sync_clock(self._link)
            return await self._once(method, params)

    async def _once(self, method: str, params: dict[str, Any]) -> Any:
        self._admit(METHODS[method][2])
        link = self._link
        if link is not None and not link.lost.done():
            with contextlib.suppress(Unreachable):  # nothing was sent: REST may still do it
                return await link.request(method, params)
        verb, path, _ = METHODS[method]
        return await self._in_thread(lambda: self._rest.signed(verb, path, params))

    async def _ask_rest(self, method: str) -> Any:
        self._admit(METHODS[method][2])
        return await self._in_thread(lambda: self._rest.open(METHODS[method][1]))

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _admit(self, cost: Cost) -> None:
        now_s = time.monotonic()
        wait_s = self.accountant.wait_s(cost, now_s)
        if wait_s > 0.0:
            raise Throttled("kept back by our own count of the venue's limits", wait_s)
        self.accountant.spend(cost, now_s)

    async def _sync_clock(self, link: Link | None = None) -> None:
        sent_ns = self._monotonic_ns()
        answer = await (self._ask_rest("time") if link is None else link.ask("time"))
        self.clock.heard(wire.whole_number(answer, "serverTime"), sent_ns, self._monotonic_ns())

    def _receive(self, event: Event) -> None:
        if event.get("e") != "executionReport" or self._listener is None:
            return
        try:
            self._listener.report(wire.report_of(event))
        except wire.NotUnderstood as error:
            self.unreadable += 1
            if self._link is not None:  # what it would have said is asked for after a reconnect
                self._link.lose(str(error))

    def _heard(self, _status: int, headers: list[tuple[str, str]]) -> None:
        counts = parse_headers(headers)
        if counts and self._loop is not None:
            self._loop.call_soon_threadsafe(self.accountant.heard, counts, time.monotonic())

    def _counted(self, rate_limits: list[Any]) -> None:
        told = [each for each in rate_limits if isinstance(each, dict)]
        self.accountant.heard(parse_counts(told), time.monotonic())
