"""Gateway: connect, reconcile, then carry out child orders, until told to stop or fenced off.

    connect and subscribe ─► reconcile ─► serve ─► (connection lost) ─► connect …

Nothing new is sent outside of "serve". When the venue or the account's clock is gone for a minute, all
open orders are cancelled: at once where the venue can be reached, else first thing after a reconnect.
"""

import asyncio
import contextlib
import random
from collections import deque
from typing import NamedTuple

from genesis.connectors.gateway.desk import Desk, log
from genesis.connectors.gateway.reconciling import reconcile, remember
from genesis.connectors.gateway.sending import Next, Sender
from genesis.connectors.gateway.venues import AuthFailed, Listener, Throttled, TradingError
from genesis.operators.account.events import Execution
from genesis.operators.account.outcomes import ChildOrder

DEADMAN_S = 60.0
"""After so long without venue or account clock all open orders are cancelled."""

BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 30.0

TURN_S = 0.25
"""Longest pause of the loop: so often it looks at its clocks, and at what the broker has confirmed."""

CONFIRM_S = 0.02
"""The same while news waits to be confirmed by the broker."""

LOOK_EVERY_S = 5.0
"""How often the ledger is asked for child orders that the log may have lost."""

UNCONFIRMED_MAX = 100
"""Most news that the ledger has not learned while child orders keep coming."""

WAITING_MAX = 10_000
"""Most child orders that wait here; while it is so many, no more are read."""


class Waiting(NamedTuple):
    """A child order, and its place in the log; empty when the ledger gave it."""

    order: ChildOrder
    origin: str


class Gateway:
    """One account's gateway.

    Parameters
    ----------
    desk
        Venue, ledger, tracker and outlet.
    is_halted
        True when the kill switch was used: it reconciles and cancels, and sends nothing.
    """

    def __init__(self, desk: Desk, *, is_halted: bool = False) -> None:
        self.desk = desk
        self.sender = Sender(desk, is_halted=is_halted)
        self._sends: deque[Waiting] = deque()
        self._cancels: deque[Waiting] = deque()
        self._awake = asyncio.Event()
        self._lost = ""
        self._is_serving = False
        self._gone_s: float | None = desk.now_s()
        self._must_cancel = False
        self._looked_s = 0.0

    @property
    def is_serving(self) -> bool:
        """Say whether the reconciliation is over and child orders are carried out."""
        return self._is_serving

    @property
    def is_full(self) -> bool:
        """Say whether nothing more should be handed in for now."""
        return len(self._sends) + len(self._cancels) >= WAITING_MAX

    def hand_in(self, order: ChildOrder, origin: str) -> None:
        """Take a child order; it is carried out when its time comes, cancels first."""
        (self._cancels if order.action == "cancel" else self._sends).append(Waiting(order, origin))
        self._awake.set()

    def wake(self) -> None:
        """Have the loop look around."""
        self._awake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until ``stopping`` is set.

        Raises
        ------
        FenceLost
            When a later gateway has the fence.
        """
        remember(self.desk)
        self._must_cancel = self.sender.is_halted
        pause_s, is_first = BACKOFF_FIRST_S, True
        while not stopping.is_set():
            try:
                await self._begin(is_first=is_first)
                pause_s, is_first = BACKOFF_FIRST_S, False
                await self._serve(stopping)
            except TradingError as error:
                self._lost = str(error)
                if isinstance(error, Throttled | AuthFailed):
                    pause_s = max(pause_s, getattr(error, "wait_s", BACKOFF_MOST_S))
            self._is_serving = False
            if stopping.is_set():
                break
            if self._gone_s is None:
                self._gone_s = self.desk.now_s()
                self.desk.link(connected=False, detail=self._lost)
            else:
                log.warning("the venue is not reached", reason=self._lost)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, BACKOFF_MOST_S)
            self._watch()
        await self.desk.venue.close()
        self.desk.confirm()

    async def _begin(self, *, is_first: bool) -> None:
        """Connect and reconcile; then the gateway serves."""
        self._lost = ""
        desk = self.desk
        await desk.venue.connect(Listener(self._report, self._on_lost))
        self._watch()
        if self._must_cancel:
            await self._cancel_all()
        left = await reconcile(desk, self.sender, is_first=is_first)
        known = {each.order.id for each in (*self._sends, *self._cancels)}
        for order in left:
            if order.id not in known:
                self.hand_in(order, "")
        if self._lost:
            return
        self._gone_s, self._is_serving = None, True
        self._looked_s = desk.now_s()
        halted = "; the kill switch was used, so nothing new is sent" if self.sender.is_halted else ""
        desk.link(connected=True, detail=f"{desk.venue.name}: reconciled{halted}")

    def _report(self, said: Execution) -> None:
        self.desk.received(said)
        self._awake.set()

    def _on_lost(self, reason: str) -> None:
        self._lost = self._lost or reason
        self._awake.set()

    async def _serve(self, stopping: asyncio.Event) -> None:
        """Carry out what comes, one after the other, until the connection is lost."""
        desk = self.desk
        while not stopping.is_set() and not self._lost:
            self._watch()
            if not await self.sender.resolve() or not await self.sender.settle():
                self._on_lost("the venue does not answer")
                break
            if self._must_cancel:
                await self._cancel_all()
            is_busy = await self._next()
            if is_busy and desk.unconfirmed < UNCONFIRMED_MAX:
                continue  # the commits of a confirmation would hold up what waits
            is_confirmed = desk.confirm()
            if not is_busy:
                self._look_into_ledger()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), TURN_S if is_confirmed else CONFIRM_S)
                self._awake.clear()

    async def _next(self) -> bool:
        """Carry out one child order; False when none can be now."""
        queue = self._cancels or self._sends
        if not queue or not self.desk.clock.is_known:
            return False
        if queue is self._sends and self.desk.now_s() < self.sender.wait_until_s:
            return False
        waiting = queue.popleft()
        outcome = await self.sender.handle(waiting.order, waiting.origin)
        if outcome is Next.LATER:
            queue.appendleft(waiting)
            if queue is self._cancels:
                await asyncio.sleep(CONFIRM_S)
        return outcome is Next.DONE

    def _look_into_ledger(self) -> None:
        """Take what the ledger has decided and the log has not brought."""
        desk = self.desk
        if desk.now_s() - self._looked_s < LOOK_EVERY_S or self._sends or self._cancels:
            return
        self._looked_s = desk.now_s()
        for order in (
            *desk.book.pending_cancels(desk.account_id),
            *desk.book.pending_children(desk.account_id),
        ):
            self.hand_in(order, "")

    def _watch(self) -> None:
        """Look whether venue and account clock are there; else the dead-man's switch acts."""
        desk = self.desk
        clock_gone = desk.clock.is_known and desk.clock.silent_ns() > DEADMAN_S * 1e9
        venue_gone = self._gone_s is not None and desk.now_s() - self._gone_s > DEADMAN_S
        if (clock_gone or venue_gone) and not self._must_cancel and desk.unattended():
            self._must_cancel = True
            what = "the account's clock" if clock_gone else "the venue"
            desk.link(
                connected=self._gone_s is None,
                detail=f"dead-man's switch: {what} is gone for {DEADMAN_S:.0f} s, open orders are cancelled, "
                "stop-losses are not",
            )

    async def _cancel_all(self) -> None:
        """Cancel every order that may be open and is no stop-loss."""
        for tracked in self.desk.unattended():
            await self.sender.cancel(tracked)
        self._must_cancel = False
