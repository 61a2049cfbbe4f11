"""Guarding: the stop-loss of each position as an order that rests at the venue.

After every event `follow` compares what should rest with what does, and takes one step: cancel what no
longer fits, or place what is missing; each step waits for the venue's answer. So a crash, a repeat and a
lost answer need nothing of their own. The fold watches every stop as well (`market`): it sells where nothing
rests, and where the venue has not sold `GRACE_NS` after the market came to the stop. docs/decisions/0011
says why.
"""

from decimal import Decimal

from genesis.operators.account.desk import Desk, promised
from genesis.operators.account.events import Execution
from genesis.operators.account.execution import TERMINAL
from genesis.operators.account.money import ONE, ZERO, down_to
from genesis.operators.account.state import BUY, Account, Child, Guard

LIMIT_SHARE = Decimal("0.005")
"""How far below its stop the limit of the order lies."""

GRACE_NS = 2 * 10**9
"""So long the venue has to sell once the market came to the stop; then the fold does."""

RETRY_NS = 60 * 10**9
"""After so long a stop that the venue did not take, or gave up, is placed again."""


def follow(desk: Desk) -> None:
    """Bring what rests at the venue a step closer to the stops of the account."""
    account = desk.account
    for symbol in list({**account.guards, **account.stops}):
        guard = account.guards.get(symbol) or Guard()
        wanted = _wanted(account, symbol)
        child = account.children.get(guard.child)
        if child is not None:
            if not _fits(account, child, wanted):
                desk.cancel(child)
        elif symbol not in account.stops:
            account.guards.pop(symbol, None)
        elif wanted is not None and _can_place(account, symbol, guard):
            price, qty, limit = wanted
            placed = desk.guard(symbol, qty, price, limit)
            account.guards[symbol] = Guard(child=placed.client_order_id)
            desk.tell_position(symbol)


def _wanted(account: Account, symbol: str) -> tuple[Decimal, Decimal, Decimal] | None:
    """Return stop price, quantity and limit price of what should rest; None for nothing."""
    price, rules = account.stops.get(symbol), account.rules.get(symbol)
    position = account.portfolio.positions.get(symbol)
    if price is None or rules is None or position is None or symbol in account.closing:
        return None
    qty = min(down_to(position.qty - promised(account, symbol), rules.lot), rules.max_qty)
    limit = down_to(price * (ONE - LIMIT_SHARE), rules.tick)
    if limit <= ZERO or qty < rules.min_qty or qty * limit < rules.min_notional:
        return None
    return price, qty, limit


def _fits(account: Account, child: Child, wanted: tuple[Decimal, Decimal, Decimal] | None) -> bool:
    """Say whether what rests may stay; while more is being bought it need not grow yet."""
    if wanted is None or child.stop_price != wanted[0]:
        return False
    left, qty = child.qty - child.filled, wanted[1]
    return left == qty or (left < qty and _is_buying(account, child.symbol))


def _is_buying(account: Account, symbol: str) -> bool:
    return any(each.symbol == symbol and each.side == BUY for each in account.working.values())


def _can_place(account: Account, symbol: str, guard: Guard) -> bool:
    """Say whether the venue would be sent a stop now, and not sell by it at once."""
    view = account.views.get(symbol)
    return (
        account.is_open
        and account.connected
        and account.mode != "halted"
        and account.now_ns >= guard.retry_ns
        and account.rules[symbol].trading
        and view is not None
        and view.is_two_sided
        and not view.stale
        and view.bid > account.stops[symbol]
    )


def rests(account: Account, symbol: str) -> bool:
    """Say whether a stop of a symbol rests at the venue, or is on its way there or back."""
    guard = account.guards.get(symbol)
    return guard is not None and bool(guard.child)


def is_in_the_way(account: Account, symbol: str) -> bool:
    """Say whether a stop holds what a sale at work needs; it is being cancelled then."""
    guard, position = account.guards.get(symbol), account.portfolio.positions.get(symbol)
    child = account.children.get(guard.child) if guard is not None else None
    if child is None or position is None:
        return False
    return child.qty - child.filled > position.qty - promised(account, symbol)


def is_acting(account: Account, symbol: str) -> bool:
    """Say whether selling at a stop that the market came to is still the venue's; ask at each record."""
    guard = account.guards.get(symbol)
    child = account.children.get(guard.child) if guard is not None else None
    if guard is None or child is None or child.cancel_asked:
        return False
    guard.reached_ns = guard.reached_ns or account.now_ns
    return account.now_ns - guard.reached_ns < GRACE_NS


def sold_sentence(symbol: str, price: Decimal) -> str:
    """Return what is said when a stop sells.

    >>> sold_sentence("BTCUSDT", Decimal("61000.00"))
    'BTCUSDT reached its stop at 61000.00; the position is being sold, as planned.'
    """
    return f"{symbol} reached its stop at {price:f}; the position is being sold, as planned."


def on_report(desk: Desk, child: Child, report: Execution, qty: Decimal) -> None:
    """Take a report of a stop; ``qty`` is what has just traded and is booked, 0 for nothing."""
    account = desk.account
    guard = account.guards.get(child.symbol)
    if guard is None or guard.child != child.client_order_id:
        return
    if qty > ZERO and not guard.told:
        guard.told = True
        desk.decide(
            "stop_loss",
            "OK",
            sold_sentence(child.symbol, child.stop_price),
            {"stop_price": float(child.stop_price)},
        )
    if qty > ZERO:
        for working in [each for each in account.working.values() if each.symbol == child.symbol]:
            desk.call_off(working)
    if report.status not in TERMINAL:
        return
    guard.child, guard.reached_ns = "", 0
    if report.status == "filled":
        if _wanted(account, child.symbol) is None and child.symbol not in account.closing:
            account.stops.pop(child.symbol, None)
    elif not child.cancel_asked:
        guard.retry_ns = account.now_ns + RETRY_NS
        words = "does not take" if report.status == "rejected" else "gave up"
        desk.decide(
            "stop_loss",
            "OK",
            f"The venue {words} the stop of {child.symbol}. It is watched here, and tried again in a minute.",
            {"stop_price": float(child.stop_price)},
        )
    desk.tell_position(child.symbol)
