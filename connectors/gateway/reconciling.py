"""Reconciliation: what the venue has, against what the ledger says, before anything new is sent.

The subscription is open already, so whatever happens meanwhile is reported, too; repeats are dropped.
"""

import asyncio

from genesis.connectors.gateway.desk import Desk, Recorded, log
from genesis.connectors.gateway.sending import Sender
from genesis.connectors.gateway.tracker import Phase, Tracked
from genesis.connectors.gateway.venues import Throttled, Unreachable
from genesis.operators.account.events import VenueBalances
from genesis.operators.account.outcomes import ChildOrder

RECENT_ORDERS = 25
"""Newest orders whose end is told again at the start: a broker may have lost it together with its log.
Each costs the venue's limits a weight of 24, so 25 of them a tenth of a minute's."""


def remember(desk: Desk) -> None:
    """Follow the newest recorded orders; what may be at the venue is asked for before anything is sent."""
    held: dict[str, Recorded] = {}
    recent = desk.book.recorded_orders(desk.account_id, RECENT_ORDERS)
    for each in (*recent, *desk.book.open_orders(desk.account_id)):
        held.setdefault(each.order.client_order_id, each)
    for client_order_id, each in held.items():
        if client_order_id in desk.tracker:
            continue
        tracked = desk.tracker.add(each.order, desk.now_s(), each.venue_order_id)
        tracked.move(Phase.UNKNOWN)
        if not each.is_open and each.venue_order_id < 0:  # it ended without the venue
            desk.hand_on(desk.tracker.failed(client_order_id, each.status, "told again after a restart"))


async def reconcile(desk: Desk, sender: Sender, *, is_first: bool) -> list[ChildOrder]:
    """Bring ledger, tracker and venue together; return what is still to be done, oldest first.

    Raises
    ------
    TradingError
        When the venue goes away meanwhile; nothing new may be sent.
    FenceLost
        When a later gateway has the fence.
    """
    is_virgin = (
        is_first and not desk.book.last_trade_ids(desk.account_id) and not desk.tracker.in_phase(*Phase)
    )
    _doubt_what_was_open(desk)
    for said in await desk.venue.open_orders():
        await _look_at_open(desk, said.client_order_id, said.symbol)
    if not await sender.resolve():
        raise Unreachable("the venue went away during the reconciliation")
    await _missed_trades(desk)
    balances = VenueBalances(balances=await desk.venue.balances())
    if is_virgin:
        opening = VenueBalances(balances=balances.balances, opening=True)
        desk.publish("balances:opening", opening)
    else:
        desk.publish_once("balances", balances)
    return [*desk.book.pending_cancels(desk.account_id), *desk.book.pending_children(desk.account_id)]


def _doubt_what_was_open(desk: Desk) -> None:
    """While the connection was away, anything may have happened to what was open."""
    for tracked in desk.tracker.in_phase(Phase.SENT):
        tracked.move(Phase.UNKNOWN)


async def _look_at_open(desk: Desk, client_order_id: str, symbol: str) -> None:
    if client_order_id not in desk.tracker:
        desk.tracker.foreign += 1
        log.warning(
            "an open order at the venue is not ours", symbol=symbol, client_order_id=client_order_id[:64]
        )


async def _missed_trades(desk: Desk) -> None:
    """Ask how each open order is, and for all trades since the last ones that were handed on."""
    for tracked in desk.tracker.in_phase(Phase.OPEN):
        await _settle(desk, tracked)
    by_venue_id = {
        each.venue_order_id: each for each in desk.tracker.in_phase(*Phase) if each.venue_order_id >= 0
    }
    for symbol, trade_id in desk.book.last_trade_ids(desk.account_id).items():
        for trade in await desk.venue.trades_since(symbol, trade_id):
            mine = by_venue_id.get(trade.venue_order_id)
            if mine is not None and mine.order.symbol == symbol and trade.trade_id not in mine.trades:
                await _settle(desk, mine)


async def _settle(desk: Desk, tracked: Tracked) -> None:
    order = tracked.order
    while True:
        try:
            said = await desk.venue.order_status(order.symbol, order.client_order_id)
            if said is None:
                return
            trades = []
            if float(said.filled_qty) > 0.0:
                trades = await desk.venue.trades_of(order.symbol, said.venue_order_id)
        except Throttled as error:
            await asyncio.sleep(error.wait_s)
        else:
            desk.hand_on(desk.tracker.settle(said, trades))
            return
