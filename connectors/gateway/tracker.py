"""Tracker: what the gateway knows of every child order, and which reports are news. Pure.

Law: a trade is handed on once, an end is handed on once, and never before the trades that led to it.
Whatever comes twice, late or in another order changes nothing, and no order leaves a phase but by
`MOVES`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import msgspec

from genesis.connectors.gateway.venues import TERMINAL, Trade
from genesis.operators.account.events import Execution
from genesis.operators.account.outcomes import ChildOrder

ENDED_KEPT = 10_000
"""Ended orders that are remembered; a report about an older one counts as foreign."""


class Phase(StrEnum):
    """How far an order is."""

    RECORDED = "recorded"  # its id is in the ledger; it may or may not have been sent
    SENT = "sent"  # on the wire; no answer yet
    UNKNOWN = "unknown"  # nobody knows whether the venue has it
    OPEN = "open"  # the venue has it
    ENDED = "ended"  # filled, canceled, rejected or expired


MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.RECORDED: frozenset({Phase.SENT, Phase.UNKNOWN, Phase.OPEN, Phase.ENDED}),
    Phase.SENT: frozenset({Phase.RECORDED, Phase.UNKNOWN, Phase.OPEN, Phase.ENDED}),
    Phase.UNKNOWN: frozenset({Phase.OPEN, Phase.ENDED}),
    Phase.OPEN: frozenset({Phase.ENDED}),
    Phase.ENDED: frozenset(),
}
"""Where each phase leads. From SENT back to RECORDED only when the venue certainly did nothing."""


class IllegalMove(AssertionError):
    """The gateway is about to do something with an order that its phase does not allow."""


@dataclass
class Tracked:
    """One child order as the gateway knows it."""

    order: ChildOrder
    phase: Phase = Phase.RECORDED
    venue_order_id: int = -1
    status: str = ""  # newest that was handed on
    traded_qty: Decimal = Decimal(0)  # sum of the trades handed on
    reported_qty: Decimal = Decimal(0)  # filled quantity as the venue says
    trades: set[int] = field(default_factory=set)
    recorded_s: float = 0.0  # monotonic clock; when it may have been sent last
    heard_s: float = 0.0  # monotonic clock; when it was sent, or asked for because nothing was told
    asked_s: float = 0.0  # monotonic clock; when its trades were asked for
    sent_ns: int = 0
    wire_ms: float = 0.0

    @property
    def lacks_trades(self) -> bool:
        """Say whether the venue reported more filled than we know trades of."""
        return self.reported_qty > self.traded_qty

    def move(self, phase: Phase) -> None:
        """Go to another phase.

        Raises
        ------
        IllegalMove
            When there is no way; nothing has changed then.
        """
        if phase is self.phase:
            return
        if phase not in MOVES[self.phase]:
            raise IllegalMove(f"order {self.order.client_order_id}: {self.phase} does not lead to {phase}")
        self.phase = phase


class Tracker:
    """All orders of one account."""

    def __init__(self) -> None:
        self._orders: dict[str, Tracked] = {}
        self._ended = 0
        self.foreign = 0

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._orders

    def get(self, client_order_id: str) -> Tracked | None:
        """Return what is known of an order."""
        return self._orders.get(client_order_id)

    def add(self, order: ChildOrder, now_s: float, venue_order_id: int = -1) -> Tracked:
        """Begin to follow an order whose id is in the ledger."""
        tracked = Tracked(order, recorded_s=now_s, heard_s=now_s, venue_order_id=venue_order_id)
        self._orders[order.client_order_id] = tracked
        return tracked

    def in_phase(self, *phases: Phase) -> list[Tracked]:
        """Return the orders in any of these phases, oldest first."""
        return [each for each in self._orders.values() if each.phase in phases]

    def lacking(self) -> list[Tracked]:
        """Return the orders of which trades are missing."""
        return [each for each in self._orders.values() if each.lacks_trades]

    def report(self, said: Execution) -> list[Execution]:
        """Return what is news in a report of the venue, to be handed on."""
        tracked = self._orders.get(said.client_order_id)
        if tracked is None or said.symbol != tracked.order.symbol:
            self.foreign += 1
            return []
        tracked.venue_order_id = max(tracked.venue_order_id, said.venue_order_id)
        tracked.reported_qty = max(tracked.reported_qty, Decimal(said.filled_qty))
        if said.trade_id >= 0:
            return self._trade(tracked, said)
        return self._status(tracked, said)

    def _trade(self, tracked: Tracked, said: Execution) -> list[Execution]:
        if said.trade_id in tracked.trades:
            return []
        tracked.trades.add(said.trade_id)
        tracked.traded_qty += Decimal(said.last_qty)
        tracked.reported_qty = max(tracked.reported_qty, tracked.traded_qty)
        if tracked.phase is Phase.ENDED:  # a late one: the end stands
            return [self._told(tracked, said, tracked.status)]
        if said.status in TERMINAL and not tracked.lacks_trades:
            return [self._end(tracked, said)]
        tracked.move(Phase.OPEN)
        return [self._told(tracked, said, "partially_filled")]

    def _status(self, tracked: Tracked, said: Execution) -> list[Execution]:
        if tracked.phase is Phase.ENDED:
            return []
        if said.status in TERMINAL:
            return [] if tracked.lacks_trades else [self._end(tracked, said)]
        if tracked.phase is Phase.OPEN:
            return []
        tracked.move(Phase.OPEN)
        return [self._told(tracked, said, "new")]

    def settle(self, said: Execution, trades: Iterable[Trade]) -> list[Execution]:
        """Return what is news in an order's state together with all its trades, in their order."""
        tracked = self._orders.get(said.client_order_id)
        if tracked is None:
            self.foreign += 1
            return []
        news: list[Execution] = []
        if said.status not in TERMINAL or tracked.phase is not Phase.ENDED:
            news += self._status(tracked, msgspec.structs.replace(said, status="new"))
        for trade in sorted(trades, key=lambda each: each.trade_id):
            if trade.trade_id not in tracked.trades:
                news += self.report(_as_report(said, trade, tracked.traded_qty))
        return news + self.report(said)

    def failed(self, client_order_id: str, status: str, reason: str) -> list[Execution]:
        """Return the news that an order ended without the venue ever having had it."""
        tracked = self._orders[client_order_id]
        if tracked.phase is Phase.ENDED:
            return []
        order = tracked.order
        said = Execution(
            client_order_id=client_order_id,
            venue_order_id=tracked.venue_order_id,
            symbol=order.symbol,
            side=order.side,
            status=status,
            reason=reason,
        )
        return [self._end(tracked, said)]

    def _told(self, tracked: Tracked, said: Execution, status: str) -> Execution:
        tracked.status = status
        return msgspec.structs.replace(
            said,
            status=status,
            filled_qty=format(max(tracked.traded_qty, Decimal(0)), "f"),
            sent_ns=tracked.sent_ns,
            wire_ms=tracked.wire_ms,
        )

    def _end(self, tracked: Tracked, said: Execution) -> Execution:
        tracked.move(Phase.ENDED)
        self._ended += 1
        if self._ended > ENDED_KEPT:
            oldest = next(key for key, each in self._orders.items() if each.phase is Phase.ENDED)
            del self._orders[oldest]
            self._ended -= 1
        return self._told(tracked, said, said.status)


def _as_report(order: Execution, trade: Trade, traded_before: Decimal) -> Execution:
    """Return a listed trade as the report that it would have been."""
    filled = traded_before + Decimal(trade.qty)
    return Execution(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        symbol=order.symbol,
        side=order.side,
        status="filled"
        if order.status == "filled" and filled >= Decimal(order.filled_qty)
        else "partially_filled",
        trade_id=trade.trade_id,
        last_qty=trade.qty,
        last_price=trade.price,
        filled_qty=format(filled, "f"),
        commission=trade.commission,
        commission_asset=trade.commission_asset,
        is_maker=trade.is_maker,
        venue_ns=trade.venue_ns,
    )


def event_id(said: Execution) -> str:
    """Return the identity of a report: the same news has the same, whoever hands it on, and when.

    >>> event_id(Execution(client_order_id="c", venue_order_id=1, symbol="BTCUSDT", side="buy", status="new"))
    'order:c:new'
    """
    if said.trade_id >= 0:
        return f"trade:{said.symbol}:{said.trade_id}:{said.client_order_id}"
    return f"order:{said.client_order_id}:{said.status}"
