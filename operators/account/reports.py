"""Reports: what the gateway says: executions, balances, refused permits, and whether the venue is reached."""

from decimal import Decimal

from genesis.operators.account import execution, figures, guarding, market, performance, portfolio, settlement
from genesis.operators.account.commands import CLOSING
from genesis.operators.account.desk import SIDES, Desk
from genesis.operators.account.events import Execution, PermitRefused, VenueBalances, VenueLink
from genesis.operators.account.money import ONE, ZERO, AmountError, down_to, text
from genesis.operators.account.outcomes import Fill
from genesis.operators.account.state import BUY, Account, Child, Working

PPM = 1_000_000
BPS = 10_000


def on_execution(desk: Desk, report: Execution) -> None:
    """Book what traded, once, and tell the order that it belongs to."""
    account = desk.account
    child = account.children.get(report.client_order_id)
    working = account.working.get(child.parent_id) if child is not None else None
    qty = _booked(desk, report, child, working) if report.trade_id >= 0 else ZERO
    if child is None:
        return
    if report.wire_ms > 0.0 and report.status == "new":
        performance.note_execution(account.performance, report.wire_ms)
    over = report.status in execution.TERMINAL and child.is_open
    if over:
        child.is_open = False
    if child.stop_price:
        guarding.on_report(desk, child, report, qty)
        if over:
            market.free(desk, child.symbol)
        return
    if working is None or not (qty or over):
        return
    wishes = execution.on_report(working, account.rules[working.symbol], child, report, qty)
    desk.carry_out(working, wishes)
    if not wishes and working.status != "ended":
        desk.tell_parent(working)
    elif working.status == "ended":
        _ended(desk, working)


def _booked(desk: Desk, report: Execution, child: Child | None, working: Working | None) -> Decimal:
    """Book a trade; return its quantity, 0 when it is known already or cannot be booked."""
    account, rules = desk.account, desk.account.rules.get(report.symbol)
    if rules is None:
        desk.decide(
            "execution", "UNKNOWN_SYMBOL", f"A trade of {report.symbol!r} is kept aside: it is not followed."
        )
        return ZERO
    try:
        fill = portfolio.traded(rules.base, rules.quote, report, _price_of(account, report), account.now_ns)
        realised = portfolio.apply(account.portfolio, fill)
    except (AmountError, portfolio.PortfolioError) as error:
        desk.decide("execution", error.code, f"{error.sentence[:1].upper()}{error.sentence[1:]}.")
        return ZERO
    if realised is None:
        return ZERO
    performance.transfer(account.performance, realised.transferred)
    strategy = working.strategy if working is not None else ""
    performance.note_fill(account.performance, report.symbol, strategy, realised.average, realised.fee_value)
    performance.note_fee_asset(account.performance, realised.fee_realised)
    if child is not None:
        child.filled += fill.qty
    if working is not None:
        working.filled += fill.qty
        working.spent += fill.qty * fill.price
        working.fees += realised.fee_value
    _tell_fill(desk, report, (child, working), (fill, realised))
    if realised.qty == ZERO:
        account.stops.pop(report.symbol, None)
    desk.tell_position(report.symbol)
    return fill.qty


def _price_of(account: Account, report: Execution) -> Decimal | None:
    """Return what a unit of the commission's asset is worth now; None when nobody says."""
    view = account.views.get(report.commission_asset + account.portfolio.quote)
    return view.mid if view is not None and view.is_two_sided else None


def _tell_fill(
    desk: Desk,
    report: Execution,
    whose: tuple[Child | None, Working | None],
    what: tuple[portfolio.Traded, portfolio.Realised],
) -> None:
    account, (child, working), (fill, realised) = desk.account, whose, what
    arrival = working.arrival_price if working is not None else fill.price
    side = BUY if report.side == SIDES[BUY] else -BUY
    desk.tell(
        "executions",
        Fill(
            id=f"{account.account_id}/{report.symbol}/{report.trade_id}",
            event_ns=account.now_ns,
            account_id=account.account_id,
            client_order_id=report.client_order_id,
            parent_id=child.parent_id if child is not None else "",
            symbol=report.symbol,
            side=report.side,
            trade_id=report.trade_id,
            qty=text(fill.qty),
            price=text(fill.price),
            commission=text(fill.commission),
            commission_asset=report.commission_asset,
            realised=text(realised.average),
            is_maker=report.is_maker,
            arrival_price=float(arrival),
            shortfall_bps=float(side * (fill.price - arrival) / arrival * BPS),
        ),
    )


def _ended(desk: Desk, working: Working) -> None:
    """Take the sum of an order that is over, and guard what it bought."""
    account = desk.account
    if working.filled <= ZERO:
        return
    if working.strategy != CLOSING:  # what closes a position goes in one piece, whatever it costs
        notional, cost_bps = working.qty * working.arrival_price, execution.reference(working)
        performance.note_parent(account.performance, notional, working.children, cost_bps)
    position = account.portfolio.positions.get(working.symbol)
    if working.side == BUY and working.stop_ppm and position is not None:
        rules = account.rules[working.symbol]
        entry = working.spent / working.filled
        price = down_to(entry * (ONE - Decimal(working.stop_ppm) / PPM), rules.tick)
        if price > ZERO:
            account.stops[working.symbol] = price
            desk.tell_position(working.symbol)


def on_balances(desk: Desk, report: VenueBalances) -> None:
    """Take the venue's balances: the opening ones, or what a reconciliation found."""
    account = desk.account
    try:
        totals = settlement.venue_totals(report.balances)
    except AmountError as error:
        desk.decide("venue_balances", error.code, f"{error.sentence[:1].upper()}{error.sentence[1:]}.")
        return
    more = settlement.difference(account.portfolio, totals)
    if account.is_open and not more:
        return
    if account.is_open and any(_may_explain(account, child, more) for child in account.children.values()):
        return  # a trade may be on its way; the next reconciliation tells
    prices = figures.prices(account)
    value = settlement.settle(account.portfolio, more, prices, account.now_ns)
    performance.transfer(account.performance, value)
    was_open, account.is_open = account.is_open, True
    what = "Balances differed from the books and were taken over" if was_open else "The account is open"
    names = ", ".join(f"{text(qty)} {asset}" for asset, qty in more.items())
    desk.decide("venue_balances", "OK", f"{what}: {names or 'nothing'}.", {"value": float(value)})


def _may_explain(account: Account, child: Child, more: dict[str, Decimal]) -> bool:
    """Say whether a trade of an open child may be behind a difference; a stop's changes its base asset."""
    rules = account.rules.get(child.symbol)
    return child.is_open and (not child.stop_price or rules is None or rules.base in more)


def on_permit_refused(desk: Desk, report: PermitRefused) -> None:
    """Count an order that the gateway refused as an attempt to get around the rules."""
    figures.attempted(desk.account)
    sentence = f"The gateway did not send {report.client_order_id}: {report.detail}"
    desk.decide("permit_refused", report.code, sentence)
    child = desk.account.children.get(report.client_order_id)
    if child is not None and child.is_open and child.filled == ZERO:
        over = Execution(
            client_order_id=report.client_order_id,
            venue_order_id=0,
            symbol=child.symbol,
            side=SIDES[child.side],
            status="rejected",
            reason=report.code,
        )
        on_execution(desk, over)


def on_link(desk: Desk, report: VenueLink) -> None:
    """Note whether the venue is reached."""
    account = desk.account
    if account.connected != report.connected:
        account.connected = report.connected
        word = "is reached" if report.connected else "is not reached; nothing is sent until it is"
        desk.decide("venue_link", "OK", f"The venue {word}.")
