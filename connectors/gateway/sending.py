"""Sending: one child order at a time to the venue, and never one more while an outcome is unknown.

Law: an order is on the wire only after its id is in the ledger. It is put on the wire a second time only
when the venue, or our own refusal to send, has made certain that the first time did nothing.
"""

import asyncio
from enum import StrEnum

from genesis.connectors import metrics
from genesis.connectors.gateway import checks
from genesis.connectors.gateway.desk import Desk, described, log
from genesis.connectors.gateway.rest import RECV_WINDOW_MS, TIMEOUT_MS
from genesis.connectors.gateway.tracker import Phase, Tracked
from genesis.connectors.gateway.venues import (
    AuthFailed,
    ClockSkew,
    Rejected,
    Throttled,
    TradingError,
    Unknown,
    Unreachable,
)
from genesis.connectors.ledger.errors import AlreadyRecorded, UnknownDecision
from genesis.operators.account.outcomes import ChildOrder

ABSENT_AFTER_S = (TIMEOUT_MS + RECV_WINDOW_MS) / 1_000
"""Only so long after it may have been sent does "no such order" mean that it will never come."""

ASK_AGAIN_S = 0.25
"""Pause between two questions about an order whose outcome is not known."""

REPLAYED_AFTER_NS = 10_000_000_000
"""The same child order from the same log again, so long after its permit expired, is no repeat of the
at-least-once delivery but a replay."""

DELIVERED_MAX = 10_000
"""Most child orders of which it is remembered that the log has brought them, or their cancel."""

REPORT_WITHIN_S = 2.0
"""A report of an accepted order that takes longer than this is taken for lost, and asked for."""

TRADES_AGAIN_S = 1.0
"""Pause between two questions for the same missing trades."""

LOOK_AGAIN_S = 30.0
"""So often each open order is asked for, in case the venue forgot to tell."""

DUPLICATE = "Duplicate order sent."


class Next(StrEnum):
    """What is to be done with a child order after a try."""

    DONE = "done"
    LATER = "later"  # nothing was done; try again


class Sender:
    """Carries out child orders. Not reentrant: one task calls it.

    Parameters
    ----------
    desk
        What it shares with the rest of the gateway.
    is_halted
        True when the kill switch was used: nothing new is sent.
    """

    def __init__(self, desk: Desk, *, is_halted: bool = False) -> None:
        self._desk = desk
        self._delivered: dict[str, None] = {}
        self._cancelled: dict[str, None] = {}
        self.is_halted = is_halted
        self.wait_until_s = 0.0

    async def handle(self, order: ChildOrder, origin: str) -> Next:
        """Carry out a child order; ``origin`` is its place in the log, empty when the ledger gave it.

        Raises
        ------
        FenceLost
            When a later gateway has the fence; nothing was sent.
        """
        desk = self._desk
        refusal = checks.refusal_of(desk.permit_key, desk.account_id, order)
        if refusal is not None:
            desk.refuse(order, refusal.code, refusal.detail, origin)
            return Next.DONE
        if order.action == "cancel":
            return await self._cancel(order, origin)
        tracked = desk.tracker.get(order.client_order_id)
        if tracked is None or tracked.order != order:
            tracked = self._record(order, origin)
        elif tracked.phase is not Phase.RECORDED:
            self._repeated(order, origin)
            return Next.DONE
        return Next.DONE if tracked is None else await self._send(tracked)

    def _record(self, order: ChildOrder, origin: str) -> Tracked | None:
        """Put the order down; None when that shows that it is not to be sent."""
        desk = self._desk
        try:
            desk.book.record_order(desk.token, order)
        except AlreadyRecorded:
            self._repeated(order, origin)
            return None
        except UnknownDecision as error:
            desk.refuse(order, "UNDECIDED", str(error), origin)
            return None
        self._note_delivery(order, origin)
        return desk.tracker.add(order, desk.now_s())

    def _repeated(self, order: ChildOrder, origin: str) -> None:
        """Tell a replayed permit from the repeats that at-least-once delivery brings."""
        late_ns = self._desk.clock.now_ns() - REPLAYED_AFTER_NS
        if origin and order.client_order_id in self._delivered and checks.is_expired(order, late_ns):
            self._desk.refuse(order, "REPLAYED", "this order was carried out before", origin)
        self._note_delivery(order, origin)

    def _note_delivery(self, order: ChildOrder, origin: str) -> None:
        if origin:
            _note(self._delivered, order.client_order_id)

    def log_began_anew(self) -> None:
        """Take no repeat for a replay: the account flow sends everything again."""
        self._delivered.clear()

    def _fail(self, tracked: Tracked, status: str, reason: str) -> Next:
        log.warning("child order failed", status=status, reason=reason, **described(tracked.order))
        self._desk.hand_on(self._desk.tracker.failed(tracked.order.client_order_id, status, reason))
        return Next.DONE

    async def _send(self, tracked: Tracked) -> Next:
        desk, order = self._desk, tracked.order
        if checks.is_expired(order, desk.clock.now_ns()):
            return self._fail(tracked, "expired", "the permit had expired before the order could be sent")
        if order.client_order_id in self._cancelled:
            return self._fail(tracked, "canceled", "canceled before it was sent")
        if self.is_halted:
            return self._fail(tracked, "rejected", "the kill switch was used; nothing new is sent")
        wait_s = desk.breaker.wait_s(desk.now_s())
        if wait_s > 0.0:
            return self._later(wait_s)
        tracked.move(Phase.SENT)
        tracked.recorded_s = tracked.heard_s = desk.now_s()
        tracked.sent_ns = desk.clock.now_ns()
        tracked.wire_ms = max(tracked.sent_ns - order.event_ns, 0) / 1e6
        metrics.COMMAND_TO_WIRE.observe(tracked.wire_ms / 1e3)
        try:
            tracked.venue_order_id = max(tracked.venue_order_id, await desk.venue.place(order))
        except TradingError as error:
            return await self._after_failure(tracked, error)
        desk.breaker.succeeded()
        log.info("child order sent", **described(order))
        return Next.DONE

    async def _after_failure(self, tracked: Tracked, error: TradingError) -> Next:
        desk = self._desk
        match error:
            case Rejected() if error.detail.startswith(DUPLICATE):
                self._doubt(tracked)
            case Rejected():
                desk.breaker.succeeded()
                return self._fail(tracked, "rejected", str(error))
            case AuthFailed():
                desk.breaker.failed(desk.now_s())
                return self._fail(tracked, "rejected", str(error))
            case Throttled() | Unreachable() | ClockSkew() if tracked.phase is Phase.SENT:
                tracked.move(Phase.RECORDED)  # the venue certainly did nothing
                if not isinstance(error, Throttled):
                    desk.breaker.failed(desk.now_s())
                log.warning("child order waits", reason=str(error), **described(tracked.order))
                return self._later(error.wait_s if isinstance(error, Throttled) else ASK_AGAIN_S)
            case _:
                desk.breaker.failed(desk.now_s())
                self._doubt(tracked)
        await self.resolve()
        return Next.DONE

    def _doubt(self, tracked: Tracked) -> None:
        if tracked.phase in (Phase.RECORDED, Phase.SENT):
            log.warning("outcome unknown", **described(tracked.order))
            tracked.move(Phase.UNKNOWN)

    def _later(self, wait_s: float) -> Next:
        self.wait_until_s = self._desk.now_s() + wait_s
        return Next.LATER

    async def resolve(self) -> bool:
        """Find out about every order whose outcome is unknown; False when the venue is gone meanwhile."""
        desk = self._desk
        while doubtful := desk.tracker.in_phase(Phase.UNKNOWN):
            for tracked in doubtful:
                if not await self._ask_about(tracked):
                    return False
            if desk.tracker.in_phase(Phase.UNKNOWN):
                await asyncio.sleep(ASK_AGAIN_S)
        return True

    async def _ask_about(self, tracked: Tracked) -> bool:
        """Ask once; False when the venue cannot be asked."""
        desk, order = self._desk, tracked.order
        asked_s = desk.now_s()
        try:
            said = await desk.venue.order_status(order.symbol, order.client_order_id)
            if said is not None:
                trades = []
                if float(said.filled_qty) > 0.0:
                    trades = await desk.venue.trades_of(order.symbol, said.venue_order_id)
                desk.hand_on(desk.tracker.settle(said, trades))
                return True
        except Throttled as error:
            await asyncio.sleep(min(error.wait_s, ABSENT_AFTER_S))
            return True
        except (Unknown, ClockSkew):
            return True
        except TradingError as error:
            log.warning("the venue cannot be asked", reason=str(error))
            return False
        if tracked.phase is Phase.UNKNOWN and asked_s - tracked.recorded_s > ABSENT_AFTER_S:
            desk.breaker.succeeded()
            self._fail(tracked, "rejected", "the venue never received it")
        return True

    async def settle(self) -> bool:
        """Ask for what the venue did not tell: missing trades, lost reports; False when it is gone."""
        desk, now_s = self._desk, self._desk.now_s()
        if now_s < self.wait_until_s:
            return True
        silent = [
            each for each in desk.tracker.in_phase(Phase.SENT) if now_s - each.heard_s > REPORT_WITHIN_S
        ]
        silent += [each for each in desk.tracker.in_phase(Phase.OPEN) if now_s - each.heard_s > LOOK_AGAIN_S]
        lacking = [each for each in desk.tracker.lacking() if now_s - each.asked_s > TRADES_AGAIN_S]
        for tracked in (*lacking, *silent):
            tracked.heard_s = tracked.asked_s = now_s
            order = tracked.order
            try:
                said = await desk.venue.order_status(order.symbol, order.client_order_id)
                if said is not None:
                    trades = await desk.venue.trades_of(order.symbol, said.venue_order_id)
                    desk.hand_on(desk.tracker.settle(said, trades))
            except Throttled as error:
                self._later(error.wait_s)
            except TradingError as error:
                log.warning("trades cannot be fetched", reason=str(error))
                return False
        return True

    async def _cancel(self, order: ChildOrder, origin: str) -> Next:
        desk = self._desk
        if not desk.book.is_decided(order):
            desk.refuse(order, "UNDECIDED", "the ledger did not decide on this cancel", origin)
            return Next.DONE
        tracked = desk.tracker.get(order.client_order_id)
        if tracked is None:  # it may still be on its way here
            _note(self._cancelled, order.client_order_id)
            return Next.DONE
        if tracked.phase is Phase.ENDED:
            return Next.DONE
        if tracked.phase is Phase.RECORDED:  # it still waits here
            return self._fail(tracked, "canceled", "canceled before it was sent")
        return await self.cancel(tracked)

    async def cancel(self, tracked: Tracked) -> Next:
        """Cancel an order at the venue; a report says when it is gone."""
        order = tracked.order
        try:
            await self._desk.venue.cancel(order.symbol, order.client_order_id)
        except Rejected:  # it has ended already, or was never there
            if tracked.phase is not Phase.ENDED:
                await self._ask_about(tracked)
        except Unknown:
            return self._later(ASK_AGAIN_S)
        except TradingError as error:
            return self._later(error.wait_s if isinstance(error, Throttled) else ASK_AGAIN_S)
        return Next.DONE


def _note(ids: dict[str, None], client_order_id: str) -> None:
    """Add an id, and forget the oldest when there are too many."""
    ids[client_order_id] = None
    if len(ids) > DELIVERED_MAX:
        del ids[next(iter(ids))]
