"""Execution: parent orders at work: how each is planned, what it does on a market record and on a report.

An order is cut by the kernels of `operators.slicing`; one that ``rests`` is a single limit order in the
book. What goes out is a `Wish`, which the fold turns into a child order with a permit. Quantities cross
from decimals to whole lots and back here, exactly.
"""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from genesis.operators.account.events import Execution
from genesis.operators.account.money import ZERO
from genesis.operators.account.state import Child, Rules, View, Working
from genesis.operators.arrays import Rows
from genesis.operators.slicing import decisions, orders, plans, steps
from genesis.operators.slicing.orders import Algorithm, DecisionKind, EventKind, Reason, Routing, Status
from genesis.operators.slicing.params import Params

HORIZON_S = 300
"""Horizon of an algorithm when none is asked for, seconds."""

SLICES = 6
"""Slices when no number is asked for and the tier wants fewer."""

DAY_NS = 86_400 * 10**9

TERMINAL = frozenset({"filled", "canceled", "rejected", "expired"})
"""Reports after which a child is over."""

STATUS_NAMES = {
    Status.WORKING: "working",
    Status.PAUSED: "paused",
    Status.ENDING: "ending",
    Status.ENDED: "ended",
}

REASONS = {
    Reason.NONE: "",
    Reason.FILLED: "filled",
    Reason.CANCELLED: "cancelled",
    Reason.SLIPPAGE: "slippage",
    Reason.EXPIRED: "expired",
    Reason.REMAINDER: "remainder",
    Reason.REJECTED: "rejected",
}


STATUS_AT = (orders.ORDER.names or ()).index("status") * 8
"""Where a row of ORDER has its status, in bytes."""


BEYOND = max(orders.LOTS_MAX, orders.TICKS_MAX) + 1
"""More steps than the kernels take for a quantity or a price."""


class Wish(NamedTuple):
    """What an order wants done: a child sent, or its open one cancelled."""

    action: str  # send or cancel
    qty: Decimal = ZERO
    limit_price: Decimal = ZERO
    time_in_force: str = "ioc"


class Wanted(NamedTuple):
    """A parent order to be planned."""

    parent_id: str
    cause: str
    side: int
    qty: Decimal
    limit_price: Decimal
    algorithm: str
    rests: bool
    duration_s: int
    slices: int
    slices_min: int
    rate_ppm: int
    strategy: str
    stop_ppm: int


def slices_of(algorithm: str, slices: int, slices_min: int) -> int:
    """Return how many slices an order is planned in.

    >>> slices_of("one", 0, 1), slices_of("twap", 0, 3), slices_of("twap", 4, 3), slices_of("pov", 0, 9)
    (1, 6, 4, 9)
    """
    if algorithm == "one":
        return 1
    return slices or max(slices_min, SLICES)


def planned(wanted: Wanted, rules: Rules, view: View, now_ns: int, day_notional: float) -> Working:
    """Return a parent order, ready for its first market record.

    Raises
    ------
    ValueError
        When it cannot be cut as asked; the sentence says why.
    """
    working = Working(
        parent_id=wanted.parent_id,
        cause=wanted.cause,
        symbol=rules.symbol,
        side=wanted.side,
        algorithm=wanted.algorithm,
        qty=wanted.qty,
        limit_price=wanted.limit_price,
        strategy=wanted.strategy,
        arrival_price=view.mid,
        begun_ns=now_ns,
        stop_ppm=wanted.stop_ppm,
    )
    if wanted.rests:
        return working
    params = _params(wanted.algorithm, wanted.duration_s, wanted.slices, wanted.slices_min, wanted.rate_ppm)
    parent = orders.Parent(
        wanted.parent_id,
        wanted.side,
        steps.whole(wanted.qty, rules.lot, "qty"),
        now_ns,
        steps.whole(wanted.limit_price, rules.tick, "limit_price"),
    )
    state = plans.plan(parent, _market(wanted, rules, view, day_notional), params)
    working.order, working.schedule = bytearray(state.order.tobytes()), bytearray(state.schedule.tobytes())
    return working


@lru_cache(maxsize=128)
def _params(name: str, duration_s: int, slices: int, slices_min: int, rate_ppm: int) -> Params:
    algorithm = Algorithm[name.upper()]
    horizon_ns = (duration_s or HORIZON_S) * 10**9
    slices = slices_of(name, slices, slices_min)
    if algorithm is Algorithm.ONE:
        return Params(algorithm, horizon_ns, slices=1, participation_max_ppm=orders.PPM)
    if algorithm is Algorithm.POV and rate_ppm:
        return Params(algorithm, horizon_ns, slices=slices, slices_min=slices_min, rate_ppm=rate_ppm)
    return Params(algorithm, horizon_ns, slices=slices, slices_min=slices_min, grace_ns=horizon_ns // 4)


def _market(wanted: Wanted, rules: Rules, view: View, day_notional: float) -> orders.Market:
    horizon_ns = (wanted.duration_s or HORIZON_S) * 10**9
    usual = day_notional * horizon_ns / DAY_NS / float(view.mid * rules.lot) if day_notional > 0.0 else 0.0
    usual_lots = int(min(usual, orders.LOTS_MAX))
    slices = slices_of(wanted.algorithm, wanted.slices, wanted.slices_min)
    return orders.Market(
        steps.down(view.bid, rules.tick),
        steps.down(view.ask, rules.tick),
        steps.notional_steps(rules.min_notional, rules.steps),
        recent_lots=usual_lots // slices,
        volume_lots=usual_lots if wanted.algorithm == "vwap" else 0,
    )


def on_market(working: Working, rules: Rules, view: View, traded_qty: Decimal, now_ns: int) -> list[Wish]:
    """Return what an order wants on a market record; its status is kept up."""
    if not working.order:
        return _rest(working)
    event = orders.market_event(
        now_ns,
        (_seen(view.bid, rules.tick), _seen(view.bid_qty, rules.lot)),
        (_seen(view.ask, rules.tick), _seen(view.ask_qty, rules.lot)),
        _seen(traded_qty, rules.lot),
    )
    return _told(working, rules, event)


def _seen(value: Decimal, step: Decimal) -> int:
    """Return whole steps as the kernels take them: what is beyond their bounds stays beyond, and fits."""
    return min(steps.down(value, step), BEYOND)


def on_command(working: Working, rules: Rules, kind: EventKind, now_ns: int) -> list[Wish]:
    """Return what an order wants on a pause, a resumption or a cancellation."""
    if working.order:
        return _told(working, rules, orders.command_event(kind, now_ns))
    if kind is EventKind.CANCEL:
        working.status, working.reason = "ending", "cancelled"
        if not working.open_child:
            working.status = "ended"
            return []
        return [Wish("cancel")]
    return []


def on_report(working: Working, rules: Rules, child: Child, report: Execution, qty: Decimal) -> list[Wish]:
    """Return what an order wants on a report of its child; ``qty`` is what has just traded, 0 for nothing."""
    over = report.status in TERMINAL
    if over and working.open_child == child.client_order_id:
        working.open_child = ""
    if not working.order:
        if working.left <= ZERO:
            working.status, working.reason = "ended", "filled"
        elif over:
            working.status = "ended"
            working.reason = working.reason or report.status
        return []
    wishes = []
    if qty > ZERO:
        lots = steps.down(qty, rules.lot)
        wishes += _told(
            working, rules, orders.child_event(EventKind.FILL, report.venue_ns, child.number, lots)
        )
    if over:
        kind = EventKind.REJECTED if report.status == "rejected" else EventKind.CLOSED
        wishes += _told(working, rules, orders.child_event(kind, report.venue_ns, child.number))
    return wishes


def amended(working: Working, rules: Rules, limit_price: Decimal, qty: Decimal) -> None:
    """Change the worst price of an order (0 leaves it), and lower its total (0 leaves it)."""
    if limit_price:
        working.limit_price = limit_price
    if qty:
        working.qty = qty
    if working.order:
        one = working.slicing.order[0]
        one["limit_ticks"] = steps.down(working.limit_price, rules.tick)
        one["total_lots"] = steps.down(working.qty, rules.lot)


def _rest(working: Working) -> list[Wish]:
    """Return the one child of an order that waits in the book."""
    if working.children or working.status != "working":
        return []
    return [Wish("send", working.qty, working.limit_price, "gtc")]


def _told(working: Working, rules: Rules, event: Rows) -> list[Wish]:
    """Tell the kernels of one event; return what they decide."""
    state, out = working.slicing, bytearray(orders.DECISION.itemsize)
    count = decisions.decide(state.order, state.schedule, event, np.frombuffer(out, orders.DECISION))
    working.status = STATUS_NAMES[Status.from_bytes(working.order[STATUS_AT : STATUS_AT + 8], "little")]
    if not count:
        return []
    found = orders.values(orders.DECISION, out)
    if found["kind"] == DecisionKind.SEND:
        rests = found["routing"] == Routing.REST
        qty = steps.quantity(found["lots"], rules.steps)
        return [Wish("send", qty, steps.price(found["limit_ticks"], rules.steps), "gtc" if rests else "ioc")]
    if found["kind"] == DecisionKind.CANCEL:
        return [Wish("cancel")]
    working.reason = REASONS[Reason(found["reason"])]
    return []


def reference(working: Working) -> float:
    """Return the cost of what has traded against the arrival price, bps; NaN without a trade.

    >>> one = Working("p", "c", "BTCUSDT", 1, "one", Decimal(2), ZERO, "", Decimal(100), 0, 0)
    >>> one.filled, one.spent = Decimal(2), Decimal(201)
    >>> round(reference(one), 6)
    50.0
    """
    if working.filled <= ZERO:
        return float(np.nan)
    average = working.spent / working.filled
    return float(working.side * (average - working.arrival_price) / working.arrival_price * 10_000)
