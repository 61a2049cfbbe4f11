"""Tilting: what the account's log says of its trader, as observations, and what the watch makes of them.

`before` notes what an event is about to change, `after` reads what it did. Only what the trader does himself
counts as his doing; what is realised counts whoever asked for it, since the loss is his. A repeat or a
forged event never comes here.
"""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from genesis.operators.account import performance, risk
from genesis.operators.account.commands import CLOSING, MODES
from genesis.operators.account.desk import Desk
from genesis.operators.account.events import (
    AcceptBreak,
    AccountEvent,
    AmendOrder,
    AnswerChecklist,
    Behaviour,
    Body,
    CancelOrders,
    Execution,
    PlaceOrder,
    RequestOverride,
    Role,
    SetMode,
    SetParameter,
    SetStop,
    WriteJournal,
    pair_of,
)
from genesis.operators.account.money import ZERO, AmountError, positive
from genesis.operators.account.outcomes import BehaviourRecord, Decision, Fill
from genesis.operators.account.state import SYMBOLS_MAX, Account
from genesis.operators.tilt import interventions, parameters, watch
from genesis.operators.tilt.observations import OBSERVATION, SYMBOL_NONE, ObservationKind

CLOCK_NS = 60 * 10**9
"""Between two observations of the clock."""

MARK_STEP = 0.005
"""Unrealised return by which a position must move to be observed."""

STOPS_KEPT = 32
AMENDED_MAX = 256
_KINDS = {kind.name.lower(): kind for kind in ObservationKind}
_SILENT = frozenset({ObservationKind.CLOCK, ObservationKind.MARKED})

Row = tuple[int, int, int, float, float]


class Before(NamedTuple):
    """What an event is about to change."""

    outcomes: int
    orders: list[tuple[str, int, float]]  # symbol, begun, notional share of the orders to be cancelled
    stop: Decimal | None
    unrealised: float  # return of the position, NaN without one
    opened_ns: int
    is_stop: bool  # the order sells because a stop was reached
    is_own: bool  # the trader asked for the order himself


def before(desk: Desk, body: Body) -> Before:
    """Note what an event is about to change."""
    account = desk.account
    orders: list[tuple[str, int, float]] = []
    stop, unrealised, opened_ns, is_stop, is_own = None, math.nan, 0, False, True
    if isinstance(body, CancelOrders):
        for each in account.working.values():
            chosen = each.parent_id == body.parent_id if body.parent_id else body.symbol in ("", each.symbol)
            if chosen and each.strategy != CLOSING:
                orders.append((each.symbol, each.begun_ns, _share(account, each.left * each.arrival_price)))
    elif isinstance(body, SetStop | Execution):
        stop, unrealised = account.stops.get(body.symbol), _return_of(account, body.symbol)
        position = account.portfolio.positions.get(body.symbol)
        opened_ns = position.opened_ns if position is not None else 0
        if isinstance(body, Execution):
            child = account.children.get(body.client_order_id)
            is_stop = child is not None and child.stop_price > ZERO
            working = account.working.get(child.parent_id) if child is not None else None
            if working is not None:
                is_stop = working.cause in account.tilt.stop_causes
                is_own = not working.strategy
                if opened_ns >= working.begun_ns:
                    unrealised = math.nan  # what it adds to is its own first part
    return Before(len(desk.outcomes), orders, stop, unrealised, opened_ns, is_stop, is_own)


def after(desk: Desk, event: AccountEvent, body: Body, was: Before) -> None:
    """Observe what an event did, and let the watch see it."""
    rows = _rows_of(desk, event, body, was)
    if rows:
        client, session = (body.client, body.session) if isinstance(body, Behaviour) else ("", "")
        _tell(desk, rows, client, session)
        _watch(desk, rows)


def on_market(desk: Desk) -> None:
    """Observe the clock, the market's state and the marks of what is held, where they moved by a step."""
    account, tilt = desk.account, desk.account.tilt
    rows: list[Row] = []
    if account.market_state != tilt.market_state:
        tilt.market_state = account.market_state
        rows.append(_row(account, ObservationKind.STATE, float(account.market_state)))
    held = [symbol for symbol in account.portfolio.positions if not _is_closed(account, symbol)]
    tilt.marked = {symbol: tilt.marked.get(symbol, 0) for symbol in held}
    for symbol in held:
        gain = _return_of(account, symbol)
        if abs(gain - tilt.marked[symbol] * MARK_STEP) >= MARK_STEP:
            tilt.marked[symbol] = round(gain / MARK_STEP)
            worth = account.portfolio.positions[symbol].qty * account.views[symbol].mid
            rows.append(_row(account, ObservationKind.MARKED, gain, _share(account, worth), symbol))
    if account.now_ns - tilt.clock_ns >= CLOCK_NS:
        tilt.clock_ns = account.now_ns
        day = _share(account, performance.pnl_day(account.performance))
        below = performance.drawdown(account.performance)
        rows.append(_row(account, ObservationKind.CLOCK, day, below))
    if rows:
        _tell(desk, [row for row in rows if row[1] not in _SILENT], "", "")
        _watch(desk, rows)


def note_stop(account: Account, event_id: str) -> None:
    """Remember that an event made a stop sell."""
    account.tilt.stop_causes = [*account.tilt.stop_causes, event_id][-STOPS_KEPT:]


def _watch(desk: Desk, rows: list[Row]) -> None:
    tilt, now_ns = desk.account.tilt, desk.account.now_ns
    sensitivity = parameters.sensitivity(tilt.chosen, now_ns)
    tilt.watch, reading = watch.observe(tilt.watch, np.array(rows, OBSERVATION), sensitivity)
    tilt.level = reading.level if reading.calibrated else min(reading.level, 1)
    tilt.score, tilt.calibrated = reading.score, reading.calibrated
    tilt.names = [sign.name for sign in reading.signs]
    tilt.signs = [sign.sentence for sign in reading.signs]


def _tell(desk: Desk, rows: list[Row], client: str, session: str) -> None:
    account = desk.account
    symbols = {number: name for name, number in account.tilt.numbers.items()}
    for event_ns, kind, symbol, value, other in rows:
        record = BehaviourRecord(
            id=desk.next_id(),
            event_ns=event_ns,
            account_id=account.account_id,
            what=ObservationKind(kind).name.lower(),
            value=value if math.isfinite(value) else 0.0,
            other=other if math.isfinite(other) else 0.0,
            symbol=symbols.get(symbol, ""),
            client=client,
            session=session,
        )
        desk.tell("behaviour", record)


def _rows_of(desk: Desk, event: AccountEvent, body: Body, was: Before) -> list[Row]:
    account = desk.account
    if isinstance(body, Execution):
        fills = [each.record for each in desk.outcomes[was.outcomes :] if each.topic == "executions"]
        rows = [_filled(account, fill, was) for fill in fills if isinstance(fill, Fill)]
        return [row for row in rows if row is not None]
    if event.role != Role.TRADER:
        return []
    if isinstance(body, Behaviour):
        return _acts(account, body)
    decisions = [each.record for each in desk.outcomes[was.outcomes :] if each.topic == "decisions"]
    if decisions and isinstance(decisions[0], Decision):
        return _commanded(account, body, decisions[0], was)
    return []


def _row(
    account: Account, kind: ObservationKind, value: float = 0.0, other: float = 0.0, symbol: str = ""
) -> Row:
    return account.now_ns, int(kind), _number(account, symbol), value, other


def _number(account: Account, symbol: str) -> int:
    numbers = account.tilt.numbers
    if symbol and symbol not in numbers and symbol in account.rules and len(numbers) < SYMBOLS_MAX:
        numbers[symbol] = len(numbers) + 1
    return numbers.get(symbol, SYMBOL_NONE)


def _share(account: Account, amount: Decimal) -> float:
    equity = account.performance.equity
    return float(amount / equity) if equity > ZERO else math.nan


def _return_of(account: Account, symbol: str) -> float:
    position, view = account.portfolio.positions.get(symbol), account.views.get(symbol)
    if position is None or view is None or not view.is_two_sided or position.cost <= ZERO:
        return math.nan
    return float(position.qty * view.mid / position.cost - 1)


def _acts(account: Account, body: Behaviour) -> list[Row]:
    rows = []
    for act in body.acts:
        kind, other = _KINDS[act.what.value], act.other
        if kind is ObservationKind.CONNECTED:
            other = float(bool(account.tilt.client) and account.tilt.client != body.client)
        at_ns = account.now_ns - act.ago_ms * 1_000_000
        rows.append((at_ns, int(kind), _number(account, act.symbol), act.value, other))
    account.tilt.client = body.client
    return sorted(rows, key=lambda row: row[0])


def _filled(account: Account, fill: Fill, was: Before) -> Row | None:
    if fill.side == "buy":
        if not was.is_own:
            return None
        worth = _share(account, Decimal(fill.qty) * Decimal(fill.price))
        return _row(account, ObservationKind.BOUGHT, worth, was.unrealised, fill.symbol)
    gain = _share(account, Decimal(fill.realised))
    if was.is_stop:
        return _row(account, ObservationKind.STOPPED, gain, 0.0, fill.symbol)
    held_s = (account.now_ns - was.opened_ns) / 1e9 if was.opened_ns else math.nan
    calm = held_s >= interventions.HELD_S_MIN and was.stop is not None and account.tilt.level < 2
    if gain > 0.0 and calm and _is_closed(account, fill.symbol):
        interventions.pay(account.tilt.rest)
    return _row(account, ObservationKind.SOLD, gain, held_s, fill.symbol)


def _is_closed(account: Account, symbol: str) -> bool:
    """Say whether nothing, or only the crumb of a sale, is held of a symbol."""
    position, view = account.portfolio.positions.get(symbol), account.views.get(symbol)
    return position is None or (view is not None and position.qty * view.mid <= risk.dust(account, symbol))


def _commanded(account: Account, body: Body, decision: Decision, was: Before) -> list[Row]:
    kind = ObservationKind
    match body:
        case PlaceOrder(side="buy") if decision.accepted:
            share = decision.figures.get("notional", math.nan)
            share = _share(account, Decimal(share)) if math.isfinite(share) else math.nan
            return [_row(account, kind.ORDER, share, _alike(account, body.symbol), body.symbol)]
        case PlaceOrder(side="buy"):
            return [_row(account, kind.REFUSED, _wanted(account, body), 0.0, body.symbol)]
        case CancelOrders() if decision.accepted:
            return [
                _row(account, kind.CANCELLED, (account.now_ns - begun_ns) / 1e9, share, symbol)
                for symbol, begun_ns, share in was.orders
            ]
        case AmendOrder() if decision.accepted:
            amended = {name: n for name, n in account.tilt.amended.items() if name in account.working}
            amended[body.parent_id] = amended.get(body.parent_id, 0) + 1
            account.tilt.amended = dict(list(amended.items())[-AMENDED_MAX:])
            return [_row(account, kind.AMENDED, float(amended[body.parent_id]))]
        case SetStop() if decision.accepted and was.stop is not None:
            wider = float((was.stop - account.stops[body.symbol]) / account.views[body.symbol].mid)
            return [_row(account, kind.STOP_MOVED, wider, was.unrealised, body.symbol)]
        case SetMode() if decision.accepted:
            return [_row(account, kind.MODE_ASKED, float(MODES[body.mode]))]
        case RequestOverride():
            return [_row(account, kind.OVERRIDE_ASKED)]
        case SetParameter():
            return [_row(account, kind.PARAMETER)]
        case WriteJournal():
            return [_row(account, kind.JOURNAL, float(len(body.text.split())))]
        case AnswerChecklist():
            return [_row(account, kind.CHECKLIST, float(sum(body.agreed)), float(len(body.agreed)))]
        case AcceptBreak() if decision.accepted:
            return [_row(account, kind.ACCEPTED, float(account.tilt.level))]
    return []


def _wanted(account: Account, order: PlaceOrder) -> float:
    """Return what a refused order was worth, as a share of the equity; NaN when nobody can say."""
    view = account.views.get(order.symbol)
    try:
        if order.notional:
            return _share(account, positive(order.notional, "notional"))
        if order.qty and view is not None:
            return _share(account, positive(order.qty, "qty") * view.ask)
    except AmountError:
        pass
    return math.nan


def _alike(account: Account, symbol: str) -> float:
    """Return the mean correlation of a symbol with what else is held; NaN without."""
    others = [name for name in account.portfolio.positions if name != symbol]
    known = [account.correlations.get(pair_of(symbol, name)) for name in others]
    found = [value for value in known if value is not None]
    return sum(found) / len(found) if found else math.nan
