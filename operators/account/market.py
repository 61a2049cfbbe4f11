"""Market: what a market record does: it moves the clock, the marks, the limits, and the orders at work.

The record is the only clock. In its order: marks and correlations are taken in, the day is closed when it
is over, the mode follows the limits, stops are watched, then every order at work is told of its market.
"""

from decimal import Decimal

from genesis.operators.account import commands, composure, execution, figures, guarding, tilting
from genesis.operators.account.desk import Desk
from genesis.operators.account.events import AccountEvent, Listings, Mark, MarketRecord, pair_of
from genesis.operators.account.money import ZERO, AmountError, amount, positive
from genesis.operators.account.outcomes import AccountStatus
from genesis.operators.account.risk import SENDS_NS, STALE_NS
from genesis.operators.account.state import BUY, SELL, SYMBOLS_MAX, Rules, View, Working
from genesis.operators.account.tiers import name_of

STATUS_EVERY_NS = 10**9
"""How often the account tells how it stands."""

CORRELATIONS_MAX = 4_096
"""Pairs whose correlation is kept; of more, the ones told longest ago go."""


def take_listings(desk: Desk, listings: Listings) -> None:
    """Take in the venue's rules; one that cannot be read leaves its symbol as it was."""
    account = desk.account
    for each in listings.listings:
        if len(account.rules) >= SYMBOLS_MAX and each.symbol not in account.rules:
            continue
        try:
            account.rules[each.symbol] = Rules(
                each.symbol,
                each.base,
                each.quote,
                positive(each.tick, "tick"),
                positive(each.lot, "lot"),
                positive(each.min_qty, "min_qty"),
                positive(each.max_qty, "max_qty"),
                amount(each.min_notional, "min_notional"),
                each.trading,
            )
        except AmountError as error:
            desk.decide(
                "listings", error.code, f"The rules of {each.symbol} cannot be read; they stay as they were."
            )


def take(desk: Desk, event: AccountEvent, record: MarketRecord) -> None:
    """Take in a market record."""
    account = desk.account
    if event.event_ns <= account.now_ns:
        return
    account.now_ns = event.event_ns
    traded = {mark.symbol: _viewed(desk, mark) for mark in record.marks}
    for one, other, value in record.correlations:
        account.correlations.pop(pair_of(one, other), None)
        account.correlations[pair_of(one, other)] = value
    for pair in list(account.correlations)[: max(len(account.correlations) - CORRELATIONS_MAX, 0)]:
        del account.correlations[pair]
    account.market_state = record.market_state
    account.day_notionals.update(record.day_notionals)
    account.sends_ns = [at_ns for at_ns in account.sends_ns if at_ns > account.now_ns - SENDS_NS]
    figures.on_clock(desk)
    if account.is_open:
        figures.hold_limits(desk, desk.call_off)
        _watch_stops(desk)
        _close(desk)
        _work(desk, traded)
    if account.now_ns - account.status_ns >= STATUS_EVERY_NS:
        account.status_ns = account.now_ns
        if account.is_open:
            tilting.on_market(desk)
            composure.follow(desk)
        tell_status(desk)


def _viewed(desk: Desk, mark: Mark) -> Decimal:
    """Take in a mark; return what was traded since the record before."""
    account = desk.account
    if len(account.views) >= SYMBOLS_MAX and mark.symbol not in account.views:
        return ZERO
    try:
        view = View(
            amount(mark.bid, "bid"),
            amount(mark.ask, "ask"),
            amount(mark.bid_qty, "bid_qty"),
            amount(mark.ask_qty, "ask_qty"),
            mark.state,
            mark.stale,
            mark.quoted_ns,
        )
        traded = amount(mark.traded_qty, "traded_qty")
    except AmountError:
        before = account.views.get(mark.symbol)
        if before is not None:
            before.stale = True
        return ZERO
    account.views[mark.symbol] = view
    return traded


def _watch_stops(desk: Desk) -> None:
    account = desk.account
    for symbol, price in list(account.stops.items()):
        if symbol not in account.portfolio.positions:
            del account.stops[symbol]
            continue
        view = account.views.get(symbol)
        fresh = view is not None and view.is_two_sided and account.now_ns - view.quoted_ns <= STALE_NS
        if view is None or not fresh or view.stale or symbol in account.closing:
            continue
        if view.bid > price or guarding.is_acting(account, symbol):
            continue
        account.closing[symbol] = desk.event_id
        for working in [each for each in account.working.values() if each.symbol == symbol]:
            desk.call_off(working)
        tilting.note_stop(account, desk.event_id)
        desk.decide(
            "stop_loss",
            "OK",
            guarding.sold_sentence(symbol, price),
            {"stop_price": float(price), "bid": float(view.bid)},
        )


def _close(desk: Desk) -> None:
    """Sell what is to be closed, once nothing else of that symbol is at work or rests."""
    account = desk.account
    for symbol, cause in list(account.closing.items()):
        view = account.views.get(symbol)
        if guarding.rests(account, symbol) or any(each.symbol == symbol for each in account.working.values()):
            continue
        if view is None or symbol not in account.rules:
            del account.closing[symbol]
        elif not view.is_two_sided or view.stale or account.now_ns - view.quoted_ns > STALE_NS:
            continue
        elif not commands.close(desk, symbol, f"{desk.event_id}.{symbol}", cause):
            del account.closing[symbol]
            account.stops.pop(symbol, None)


def _work(desk: Desk, traded: dict[str, Decimal]) -> None:
    """Tell every order at work of its market; without a fresh one it waits, and so do all while blind."""
    for working in list(desk.account.working.values()):
        work(desk, working, traded.get(working.symbol, ZERO))


def free(desk: Desk, symbol: str) -> None:
    """Let the sales go on that a stop at the venue was in the way of."""
    for working in list(desk.account.working.values()):
        if working.symbol == symbol and working.side == SELL and not working.open_child:
            work(desk, working, ZERO)


def work(desk: Desk, working: Working, traded_qty: Decimal) -> None:
    """Tell an order at work of its market, and carry out what it wants."""
    account = desk.account
    rules, view = account.rules[working.symbol], account.views[working.symbol]
    fresh = not view.stale and account.now_ns - view.quoted_ns <= STALE_NS
    can = account.connected and (account.mode != "halted" or working.strategy == commands.CLOSING)
    if working.side == BUY and account.mode == "reducing":
        can = False
    if working.side == SELL and guarding.is_in_the_way(account, working.symbol):
        can = False
    seen = view if fresh and can else View(ZERO, ZERO, ZERO, ZERO, view.state, True, view.quoted_ns)
    wishes = execution.on_market(working, rules, seen, traded_qty, account.now_ns)
    if not working.order and not (fresh and can):
        wishes = []
    desk.carry_out(working, wishes)


def tell_status(desk: Desk) -> None:
    """Tell how the account and its positions stand."""
    account = desk.account
    for symbol in account.portfolio.positions:
        desk.tell_position(symbol)
    worth = figures.worth(account)
    desk.tell(
        "account",
        AccountStatus(
            id=desk.next_id(),
            event_ns=account.now_ns,
            account_id=account.account_id,
            tier=name_of(account.standing.tier),
            mode=account.mode,
            tilt_level=composure.level_of(account),
            equity=f"{worth.equity:f}",
            cash=f"{account.portfolio.cash:f}",
            realised_day=f"{worth.realised_day:f}",
            pnl_day=float(worth.pnl_day),
            drawdown=worth.drawdown,
            daily_budget=float(worth.daily_budget),
            override_attempts=worth.override_attempts,
            figures=worth.figures,
        ),
    )
