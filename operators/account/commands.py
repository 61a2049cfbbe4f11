"""Commands: what the trader, a strategy or the guard asks for; each is answered with one decision.

An order is read with care, sized, checked by `risk`, planned by `execution`, and begins with the next
market record. What lowers risk (cancel, flatten, a lower mode) is carried out whatever the mode.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from genesis.operators.account import composure, execution, figures, guarding, performance, risk
from genesis.operators.account.desk import SIDES, Desk, Refused, promised
from genesis.operators.account.events import (
    AcceptBreak,
    AccountEvent,
    AmendOrder,
    AnswerChecklist,
    CancelOrders,
    Command,
    Flatten,
    ForgetBehaviour,
    PauseOrder,
    PlaceOrder,
    RequestOverride,
    ResumeOrder,
    SetMode,
    SetParameter,
    SetStop,
    TellLifeEvent,
    WriteJournal,
)
from genesis.operators.account.money import ZERO, AmountError, down_to, positive
from genesis.operators.account.portfolio import average_cost, position_of
from genesis.operators.account.state import BUY, SELL, Rules, View, Working
from genesis.operators.slicing.orders import EventKind
from genesis.operators.tilt import interventions

ALGORITHMS = frozenset({"one", "twap", "vwap", "pov", "iceberg", "shortfall"})

DURATION_S_MAX = 86_400
SLICES_MAX = 1_000
STOP_PPM_MAX = 500_000
PPM = Decimal(1_000_000)

OVERRIDE_WORDS = "I accept the risk and want to trade on today"
"""What must be typed for the emergency override."""

OVERRIDE_COOLDOWN_NS = 24 * 3_600 * 10**9
"""Between two overrides."""

SIDE_NUMBERS = {name: number for number, name in SIDES.items()}

MODES = {"active": 0, "reducing": 1, "halted": 2}
"""Modes, from the most to the least that is allowed."""


def carry_out(desk: Desk, event: AccountEvent, command: Command) -> None:
    """Carry a command out or refuse it; either way there is a decision."""
    try:
        _HANDLERS[type(command)](desk, event, command)
    except Refused as refused:
        desk.decide(event.kind, refused.code, refused.sentence, refused.figures)
    except AmountError as error:
        desk.decide(event.kind, error.code, f"{error.sentence[:1].upper()}{error.sentence[1:]}.")


def place(desk: Desk, event: AccountEvent, order: PlaceOrder) -> None:
    """Check an order, and set it to work."""
    account = desk.account
    rules, view = _instrument(desk, order.symbol)
    side = SIDE_NUMBERS.get(order.side, 0)
    if not side or order.algorithm not in ALGORITHMS:
        raise Refused(
            "MALFORMED", f"{order.side!r} with {order.algorithm!r} is no order. `help` has the words."
        )
    for name, value, most in (
        ("duration_s", order.duration_s, DURATION_S_MAX),
        ("slices", order.slices, SLICES_MAX),
        ("stop_ppm", order.stop_ppm, STOP_PPM_MAX),
        ("rate_ppm", order.rate_ppm, 100_000),
    ):
        if not 0 <= value <= most:
            raise Refused("MALFORMED", f"{name} goes from 0 to {most}, and {value} was asked for.")
    limit_price = positive(order.limit_price, "limit_price") if order.limit_price else ZERO
    if order.rests and (not limit_price or order.algorithm != "one"):
        raise Refused("MALFORMED", "An order that waits in the book needs a limit price, and is one piece.")
    qty = _quantity(desk, order, side, rules, view)
    found = figures.taken(account, rules)
    slices_min = found.limits.slices_min(qty * view.mid)
    slices = execution.slices_of(order.algorithm, order.slices, slices_min)
    closing = side == SELL and qty <= found.free_base
    key = f"{order.symbol}|{order.side}|{order.qty}|{order.notional}|{order.share}|{order.strategy}"
    ask = risk.Ask(
        rules,
        view,
        side,
        qty,
        limit_price,
        order.algorithm,
        slices,
        order.strategy,
        closing,
        key,
        order.reason,
    )
    objection = risk.objection(account, ask, found)
    if objection is not None:
        performance.note_order(account.performance, accepted=False)
        if objection.code == "POSITION_CAP":
            performance.note_violation(account.performance)
        raise Refused(*objection)
    wanted = execution.Wanted(
        event.id, event.id, side, qty, limit_price, order.algorithm, order.rests, order.duration_s,
        order.slices, slices_min, order.rate_ppm, order.strategy, order.stop_ppm,
    )  # fmt: skip
    notional = account.day_notionals.get(order.symbol, 0.0)
    try:
        working = execution.planned(wanted, rules, view, account.now_ns, notional)
    except ValueError as error:
        raise Refused("PLAN", str(error).partition("; ")[0].removeprefix("slicing: ") + ".") from None
    account.asked = {
        each: at_ns for each, at_ns in account.asked.items() if at_ns > account.now_ns - risk.TWICE_NS
    } | {key: account.now_ns}
    account.working[working.parent_id] = working
    performance.note_order(account.performance, accepted=True)
    desk.decide(
        event.kind,
        "OK",
        f"{order.side.capitalize()} {qty:f} {rules.base} by {order.algorithm} is at work.",
        {"qty": float(qty), "notional": float(ask.notional), "slices": slices, "mid_price": float(view.mid)},
        working.parent_id,
    )
    waits = side == SELL and guarding.is_in_the_way(account, rules.symbol)
    wishes = [] if waits else execution.on_market(working, rules, view, ZERO, account.now_ns)
    desk.carry_out(working, wishes)
    if not wishes:
        desk.tell_parent(working)


def _instrument(desk: Desk, symbol: str) -> tuple[Rules, View]:
    rules, view = desk.account.rules.get(symbol), desk.account.views.get(symbol)
    if rules is None:
        raise Refused("UNKNOWN_SYMBOL", f"{symbol!r} is not among the followed pairs. Check its spelling.")
    if view is None or not view.is_two_sided:
        raise Refused("STALE_MARKET", f"{symbol} has no price yet. It will have one in a moment.")
    return rules, view


def _quantity(desk: Desk, order: PlaceOrder, side: int, rules: Rules, view: View) -> Decimal:
    """Return the quantity that is asked for; what is asked in money or in shares is cut to the step."""
    given = [name for name in ("qty", "notional", "share") if getattr(order, name)]
    if len(given) != 1:
        raise Refused("MALFORMED", "An order says how much in one way: a quantity, an amount, or a share.")
    value = positive(getattr(order, given[0]), given[0])
    if given[0] == "qty":
        return value
    if given[0] == "notional":
        return down_to(value / (view.ask if side == BUY else view.bid), rules.lot)
    position = position_of(desk.account.portfolio, rules.symbol)
    if side == BUY or value > 1 or position is None:
        raise Refused("MALFORMED", "A share, up to 1, is of what is held, and only sold. Nothing is changed.")
    return down_to((position.qty - promised(desk.account, rules.symbol)) * value, rules.lot)


def _working(desk: Desk, parent_id: str) -> Working:
    found = desk.account.working.get(parent_id)
    if found is None:
        raise Refused("UNKNOWN_ORDER", "That order is not at work any more. `orders` shows those that are.")
    return found


def cancel(desk: Desk, event: AccountEvent, command: CancelOrders) -> None:
    """Cancel orders."""
    account = desk.account
    if command.parent_id:
        chosen = [_working(desk, command.parent_id)]
    else:
        chosen = [each for each in account.working.values() if command.symbol in ("", each.symbol)]
    for working in chosen:
        _tell(desk, working, EventKind.CANCEL)
    count = len(chosen)
    what = "There is no order at work." if not count else f"{count} order{'s' * (count > 1)} being cancelled."
    desk.decide(event.kind, "OK", what, {"orders": count}, command.parent_id)


def _tell(desk: Desk, working: Working, kind: EventKind) -> None:
    rules = desk.account.rules[working.symbol]
    wishes = execution.on_command(working, rules, kind, desk.account.now_ns)
    desk.carry_out(working, wishes)
    if working.status != "ended" and not wishes:
        desk.tell_parent(working)


def pause(desk: Desk, event: AccountEvent, command: PauseOrder) -> None:
    """Let an order rest."""
    _tell(desk, _working(desk, command.parent_id), EventKind.PAUSE)
    desk.decide(event.kind, "OK", "The order rests; `resume` lets it go on.", {}, command.parent_id)


def resume(desk: Desk, event: AccountEvent, command: ResumeOrder) -> None:
    """Let an order go on."""
    _tell(desk, _working(desk, command.parent_id), EventKind.RESUME)
    desk.decide(event.kind, "OK", "The order goes on.", {}, command.parent_id)


def amend(desk: Desk, event: AccountEvent, command: AmendOrder) -> None:
    """Change an order's limit, or lower its total."""
    account, working = desk.account, _working(desk, command.parent_id)
    rules, view = _instrument(desk, working.symbol)
    limit_price = positive(command.limit_price, "limit_price") if command.limit_price else ZERO
    qty = positive(command.qty, "qty") if command.qty else ZERO
    if not working.order:
        raise Refused("AMEND", "An order that waits in the book is cancelled and placed anew.")
    if not limit_price and not qty:
        raise Refused("MALFORMED", "An amendment names a new limit price, a new total, or both.")
    open_child = account.children.get(working.open_child)
    out = (open_child.qty - open_child.filled) if open_child is not None and open_child.is_open else ZERO
    if qty and not working.filled + out <= qty <= working.qty:
        raise Refused("AMEND", "A total can be lowered, to what is traded or on its way already.")
    closing = working.side == SELL
    ask = risk.Ask(
        rules, view, working.side, qty or working.qty, limit_price, working.algorithm, 1, "", closing, ""
    )
    for code, _rule, check in risk.CHECKS:
        if code in ("PRICE_STEP", "QUANTITY", "PRICE_COLLAR"):
            found = check(account, ask, figures.taken(account, rules))
            if found is not None:
                raise Refused(code, *found)
    execution.amended(working, rules, limit_price, qty)
    desk.tell_parent(working)
    desk.decide(event.kind, "OK", "The order goes on as amended.", {}, working.parent_id)


def set_stop(desk: Desk, event: AccountEvent, command: SetStop) -> None:
    """Move the stop-loss of a position."""
    account = desk.account
    rules, view = _instrument(desk, command.symbol)
    position = account.portfolio.positions.get(command.symbol)
    if position is None:
        raise Refused("NO_POSITION", f"There is no position in {command.symbol} to guard.")
    if bool(command.price) == bool(command.distance_ppm):
        raise Refused("MALFORMED", "A stop has either a price or a distance.")
    if command.price:
        price = positive(command.price, "price")
    else:
        if not 0 < command.distance_ppm <= STOP_PPM_MAX:
            raise Refused("MALFORMED", f"distance_ppm goes from 1 to {STOP_PPM_MAX}.")
        price = average_cost(position) * (1 - command.distance_ppm / PPM)
    price = down_to(price, rules.tick)
    is_wider = price < account.stops.get(command.symbol, ZERO)
    if is_wider and not interventions.is_open(account.tilt.rest):
        raise Refused(
            "TILT_LOCKOUT", "A stop stays where it is while you rest. Bringing it closer is possible."
        )
    if not ZERO < price < view.bid:
        raise Refused("STOP_PRICE", "A stop-loss lies below the market. `flatten` sells at once.")
    account.stops[command.symbol] = price
    if command.symbol in account.guards:
        account.guards[command.symbol].retry_ns = 0
    desk.tell_position(command.symbol)
    desk.decide(
        event.kind, "OK", f"The stop of {command.symbol} is at {price:f}.", {"stop_price": float(price)}
    )


def flatten(desk: Desk, event: AccountEvent, command: Flatten) -> None:
    """Cancel what is at work and have everything sold; `market` carries it out, record by record."""
    account = desk.account
    for working in list(account.working.values()):
        if command.symbol in ("", working.symbol) and working.strategy != CLOSING:
            _tell(desk, working, EventKind.CANCEL)
    symbols = [name for name in account.portfolio.positions if command.symbol in ("", name)]
    for symbol in symbols:
        account.closing.setdefault(symbol, event.id)
    names = ", ".join(symbols)
    what = f"Selling all that is held: {names}." if names else "Nothing is held."
    desk.decide(event.kind, "OK", what, {"positions": len(symbols)})


CLOSING = "closing"
"""What the account's own sales, of a whole position, have in place of a strategy."""


def close(desk: Desk, symbol: str, parent_id: str, cause: str) -> bool:
    """Set a sale of a whole position to work; False when there is nothing that the venue takes."""
    account = desk.account
    rules, view = account.rules[symbol], account.views[symbol]
    position = account.portfolio.positions.get(symbol)
    if position is None:
        return False
    qty = min(down_to(position.qty - promised(account, symbol), rules.lot), rules.max_qty)
    if qty < rules.min_qty or qty * view.bid < rules.min_notional:
        return False
    wanted = execution.Wanted(
        parent_id, cause, SELL, qty, ZERO, "one", False, 0, 1, 1, 0, CLOSING, 0
    )  # fmt: skip
    account.working[parent_id] = execution.planned(wanted, rules, view, account.now_ns, 0.0)
    desk.tell_parent(account.working[parent_id])
    return True


def set_mode(desk: Desk, event: AccountEvent, command: SetMode) -> None:
    """Change the mode; up to active only when no rule holds it down."""
    account = desk.account
    if command.mode not in MODES:
        raise Refused("MALFORMED", "The mode is active, reducing or halted.")
    if MODES[command.mode] < MODES[account.mode]:
        held = figures.holding_down(account)
        if held:
            figures.attempted(account)
            raise Refused(held, "A limit of the day holds the mode. `risk` shows when it lets go.")
    account.mode, account.mode_code = command.mode, "" if command.mode == "active" else "ASKED"
    if command.mode == "halted":
        for working in list(account.working.values()):
            _tell(desk, working, EventKind.CANCEL)
    desk.decide(event.kind, "OK", f"The mode is {command.mode}.")


def override(desk: Desk, event: AccountEvent, command: RequestOverride) -> None:
    """Grant the emergency override: today's loss limit once more, at half, then a day of rest."""
    account = desk.account
    since_ns = account.now_ns - account.override.granted_ns
    if command.confirmation != OVERRIDE_WORDS:
        figures.attempted(account)
        raise Refused("OVERRIDE_WORDS", f"An override needs these words: {OVERRIDE_WORDS}.")
    if account.override.granted_ns and since_ns < OVERRIDE_COOLDOWN_NS:
        figures.attempted(account)
        hours = (OVERRIDE_COOLDOWN_NS - since_ns) / 3_600e9
        raise Refused(
            "OVERRIDE_COOLDOWN", f"The next override is possible in {hours:.1f} h.", {"hours": hours}
        )
    if not interventions.is_open(account.tilt.rest):
        figures.attempted(account)
        raise Refused("TILT_LOCKOUT", "An override waits until you have rested. `tilt` shows the way back.")
    if account.mode_code != "DAILY_LOSS":
        raise Refused(
            "OVERRIDE_NOTHING", "Today's budget holds nothing back, so there is nothing to override."
        )
    account.override.granted_ns = account.now_ns
    account.override.day = account.now_ns // execution.DAY_NS
    account.mode, account.mode_code = "active", ""
    figures.overridden(account)
    desk.decide(event.kind, "OK", "Granted: half of today's limit once more. The next one is 24 h away.")


def journal(desk: Desk, event: AccountEvent, command: WriteJournal) -> None:
    """Keep an entry of the journal, in the audit chain."""
    words = len(command.text.split())
    interventions.write(desk.account.tilt.rest, words)
    desk.decide(event.kind, "OK", "Written into the journal.", {"words": words})


_HANDLERS: dict[type[Command], Callable[[Desk, AccountEvent, Any], None]] = {
    PlaceOrder: place,
    CancelOrders: cancel,
    PauseOrder: pause,
    ResumeOrder: resume,
    AmendOrder: amend,
    SetStop: set_stop,
    Flatten: flatten,
    SetMode: set_mode,
    RequestOverride: override,
    WriteJournal: journal,
    SetParameter: composure.set_parameter,
    TellLifeEvent: composure.tell_life_event,
    ForgetBehaviour: composure.forget_behaviour,
    AcceptBreak: composure.accept_break,
    AnswerChecklist: composure.answer_checklist,
}
