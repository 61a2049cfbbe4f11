"""Preview: what a command would lead to, by the real fold on a copy of a saved state.

Law: a preview decides nothing. The copy is thrown away, and permits are made with a key that no gateway
knows, so nothing that a preview holds can be sent. What it says is what the fold would decide on this state;
the market may be another when the command is sent.
"""

from decimal import ROUND_CEILING, Decimal

import msgspec

from genesis.operators.account import figures, signing, state
from genesis.operators.account.desk import FoldKeys
from genesis.operators.account.events import AccountEvent, Command, PlaceOrder, decode
from genesis.operators.account.fold import fold
from genesis.operators.account.money import ZERO, down_to, exact, text
from genesis.operators.account.outcomes import Decision
from genesis.operators.account.state import BUY, Account, Rules, View, Working

COMMISSION = Decimal("0.001")
"""Commission of a trade, as a share of its worth: what the check of funds reckons with."""

VOID = b"a preview permits nothing at all"
"""Key of the permits and audit links of a copy; the real ones stay with the fold."""

BPS = 10_000


class Limit(msgspec.Struct, frozen=True):
    """A limit as it would stand: its use before, after, and the most, all in one unit."""

    before: float
    after: float
    most: float
    unit: str  # quote or share


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a command would lead to. Money in quote asset, decimal text; NaN is never given, None is."""

    event_ns: int  # the account's clock in the state that was looked at
    accepted: bool
    code: str
    sentence: str
    qty: str = ""  # base asset
    notional: str = ""
    slices: int = 0
    cost: str = ""  # half the spread and the commission; the market's answer to size is left out
    cost_bps: float | None = None
    limits: dict[str, Limit] = {}
    fits: str = ""  # largest notional that would be taken; "0" when none is, empty when not looked for


@exact
def preview(snapshot: bytes, roles: signing.Keys, event: AccountEvent) -> Preview:
    """Return what a sealed command would lead to in the account of a snapshot.

    Parameters
    ----------
    snapshot
        An account as `state.encoded` gives it.
    roles
        Keys of the roles, to check the seal.
    event
        The command. Its id must be new, as that of any command.

    Raises
    ------
    msgspec.MsgspecError
        When the snapshot is none.

    Examples
    --------
    >>> from genesis.operators.account.events import WriteJournal
    >>> key = b"k" * 32
    >>> event = signing.sealed(key, "trader", "main", "e1", 5, WriteJournal(text="A calm day."))
    >>> preview(state.encoded(Account("main")), {"trader": key}, event).code
    'OK'
    >>> preview(state.encoded(Account("main")), {"trader": b"o" * 32}, event).code
    'SEAL'
    """
    before = state.decoded(snapshot)
    wrong = signing.refusal(roles, event)
    if wrong or event.account_id != before.account_id:
        wrong = wrong or f"it is for account {event.account_id[:32]!r}"
        return _declined(before, "SEAL", f"The question was put aside: {wrong}. Nothing is changed by it.")
    try:
        body = decode(event.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _declined(before, "MALFORMED", "The question cannot be read. Nothing is changed by it.")
    if not isinstance(body, Command):
        return _declined(before, "MALFORMED", f"A {event.kind} is no command. Nothing is changed by it.")
    after = state.decoded(snapshot)
    decision = _decided(after, roles, event)
    if decision is None:
        return _declined(before, "REPEATED", "This id was used already. Ask again under a new one.")
    found = Preview(
        event_ns=before.now_ns,
        accepted=decision.accepted,
        code=decision.code,
        sentence=decision.sentence,
    )
    if not isinstance(body, PlaceOrder):
        return found
    if not decision.accepted:
        return msgspec.structs.replace(found, fits=_fits(snapshot, body))
    return _priced(
        found, before, after, after.working.get(decision.parent_id), int(decision.figures["slices"])
    )


def _declined(account: Account, code: str, sentence: str) -> Preview:
    return Preview(event_ns=account.now_ns, accepted=False, code=code, sentence=sentence)


def _decided(account: Account, roles: signing.Keys, event: AccountEvent) -> Decision | None:
    """Fold an event into a copy; return the decision on it."""
    for outcome in fold(account, FoldKeys(roles, VOID, VOID), [event]):
        record = outcome.record
        if isinstance(record, Decision) and record.subject == event.kind:
            return record
    return None


def _priced(found: Preview, before: Account, after: Account, working: Working | None, slices: int) -> Preview:
    """Return a preview with size, cost and limits."""
    if working is None:
        return found
    rules, view = before.rules[working.symbol], before.views[working.symbol]
    price = view.ask if working.side == BUY else view.bid
    worth = working.qty * price
    rests = not working.order  # one that waits in the book pays no spread
    spread = ZERO if rests else working.qty * (view.ask - view.bid) / 2
    cost = spread + worth * COMMISSION
    return msgspec.structs.replace(
        found,
        qty=text(working.qty),
        notional=f"{worth:.2f}",
        slices=slices,
        cost=f"{cost:.4f}",
        cost_bps=float(cost / worth * BPS),
        limits=_limits(before, after, rules),
    )


def _limits(before: Account, after: Account, rules: Rules) -> dict[str, Limit]:
    """Return the limits that an order touches, before and after it; an order at work counts as bought."""
    old, new = figures.taken(before, rules), figures.taken(after, rules)
    held, holds = (float(each.exposure.get(rules.symbol, ZERO)) for each in (old, new))
    lost = max(float(-old.pnl_day), 0.0)
    found = {
        "position": Limit(held, holds, float(new.limits.position_max_notional), "quote"),
        "daily_loss": Limit(lost, lost, float(new.limits.daily_loss), "quote"),
        "cash_promised": Limit(
            float(before.portfolio.cash - old.free_quote),
            float(after.portfolio.cash - new.free_quote),
            float(after.portfolio.cash),
            "quote",
        ),
    }
    if new.equity > 0:
        most = float(new.limits.position_max_notional / new.equity)
        found["share_of_capital"] = Limit(held / float(old.equity), holds / float(new.equity), most, "share")
    return found


def _fits(snapshot: bytes, order: PlaceOrder) -> str:
    """Return the largest notional that would be taken in place of a refused order, or "0".

    Bisection over whole lots between the least the venue takes and what was asked for; every size is
    tried by the real fold, so what is returned is always one that it takes.
    """
    account = state.decoded(snapshot)
    rules, view = account.rules.get(order.symbol), account.views.get(order.symbol)
    if rules is None or view is None or not view.is_two_sided or not rules.lot:
        return ""
    price = view.ask if order.side == "buy" else view.bid
    asked = _asked(order, account, price)
    if asked is None:
        return ""
    low, high = _least_lots(order, rules, view), int(down_to(asked, rules.lot) / rules.lot)
    if low > high or not _takes(snapshot, order, low * rules.lot):
        return "0"
    while low < high:
        middle = (low + high + 1) // 2
        if _takes(snapshot, order, middle * rules.lot):
            low = middle
        else:
            high = middle - 1
    return f"{low * rules.lot * price:.2f}"


def _asked(order: PlaceOrder, account: Account, price: Decimal) -> Decimal | None:
    """Return how much was asked for, base asset; None when that is not said in one way."""
    given = [name for name in ("qty", "notional", "share") if getattr(order, name)]
    if len(given) != 1:
        return None
    try:
        value = Decimal(getattr(order, given[0]))
    except ArithmeticError:
        return None
    if not value.is_finite() or value <= 0:
        return None
    if given[0] == "notional":
        return value / price
    if given[0] == "qty":
        return value
    position = account.portfolio.positions.get(order.symbol)
    return position.qty * min(value, Decimal(1)) if position is not None else None


def _least_lots(order: PlaceOrder, rules: Rules, view: View) -> int:
    """Return the fewest lots that the venue takes at the lower of mid and limit price."""
    try:
        limit = Decimal(order.limit_price) if order.limit_price else view.mid
    except ArithmeticError:
        limit = view.mid
    price = min(limit, view.mid) if limit.is_finite() and limit > 0 else view.mid
    least = max(rules.min_qty, rules.min_notional / price)
    return max(int((least / rules.lot).to_integral_value(ROUND_CEILING)), 1)


def _takes(snapshot: bytes, order: PlaceOrder, qty: Decimal) -> bool:
    """Say whether the fold takes an order of another size."""
    tried = msgspec.structs.replace(order, qty=text(qty), notional="", share="")
    account = state.decoded(snapshot)
    newest_ns = max(account.seen_floor_ns.get("trader", 0), account.now_ns) + 1
    event = signing.sealed(VOID, "trader", account.account_id, f"fits-{qty}", newest_ns, tried)
    decision = _decided(account, {"trader": VOID}, event)
    return decision is not None and decision.accepted
