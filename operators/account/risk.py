"""Risk: every check that an order must pass before it is allowed, as one table.

Checks run in the order of CHECKS, cheap and certain ones first; the first that objects refuses. A refusal
has a stable code, a calm sentence (what, why it is all right, what next) and the figures behind it. An
order that only lowers risk (a sale of what is held) passes the checks that guard against more of it.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from genesis.operators.account.events import pair_of
from genesis.operators.account.money import ZERO, is_multiple, text
from genesis.operators.account.state import BUY, ORDERS_WORKING_MAX, Account, Rules, View
from genesis.operators.account.tiers import Limits
from genesis.operators.records import MarketState
from genesis.operators.tilt import interventions

STALE_NS = 5 * 10**9
"""A mark older than this, by the account's clock, is no ground to trade on."""

COLLAR = Decimal("0.05")
"""A limit price may be worse than the mid by this share."""

TOGETHER = 0.7
"""Two symbols with at least this correlation move the same way."""

TOGETHER_SHARE_MAX = 0.6
"""Most of the exposure that may move the same way, once there is more than one position."""

TWICE_NS = 2 * 10**9
"""An equal order so soon after the last is taken for a slip of the hand."""

SENDS_NS = 10 * 10**9
SENDS_MAX = 80
"""Children in 10 s: Binance's 100 less a margin of 20 %."""


class Ask(NamedTuple):
    """An order as it is checked."""

    rules: Rules
    view: View
    side: int
    qty: Decimal  # base asset
    limit_price: Decimal  # 0 for none
    algorithm: str
    slices: int
    strategy: str
    is_closing: bool  # sells no more than is held and not on sale already
    key: str  # what makes two orders equal
    reason: str = ""  # the trader's

    @property
    def notional(self) -> Decimal:
        """Its value at the price it would trade at now, quote asset."""
        return self.qty * (self.view.ask if self.side == BUY else self.view.bid)


class Objection(NamedTuple):
    """Why an order is refused."""

    code: str
    sentence: str
    figures: dict[str, float]


class Figures(NamedTuple):
    """What the account is worth, taken once for all checks."""

    equity: Decimal
    pnl_day: Decimal
    drawdown: float
    exposure: dict[str, Decimal]  # by symbol: held and being bought, at the mark
    free_quote: Decimal  # cash not promised to working orders
    free_base: Decimal  # of this symbol, not promised to working sales
    limits: Limits


Found = tuple[str, dict[str, float]] | None
Check = Callable[[Account, Ask, Figures], Found]


def _link(account: Account, _ask: Ask, _figures: Figures) -> Found:
    if account.is_open and account.connected:
        return None
    return "The venue is not reached at the moment. Nothing is lost; it is sent once you ask again.", {}


def _mode(account: Account, ask: Ask, _figures: Figures) -> Found:
    if account.mode == "halted":
        return "Trading is halted for now. `flatten` always works; `risk` shows what ends the halt.", {}
    if account.mode == "reducing" and not ask.is_closing:
        return "Only orders that lower risk go out for now. Selling what you hold is always possible.", {}
    return None


def _rest(account: Account, ask: Ask, _figures: Figures) -> Found:
    rest = account.tilt.rest
    if ask.is_closing or interventions.is_open(rest):
        return None
    left = interventions.missing(rest, account.now_ns)
    return (
        f"You are resting, and what you hold is watched. Left until you trade again: {', '.join(left)}.",
        {"rest_left_s": max(rest.until_ns - account.now_ns, 0) / 1e9},
    )


def _reason(account: Account, ask: Ask, _figures: Figures) -> Found:
    words = len(ask.reason.split())
    if ask.is_closing or ask.strategy or account.tilt.level < 2 or words >= interventions.REASON_WORDS:
        return None
    least = interventions.REASON_WORDS
    sentence = f"Several habits are off, so an order takes a reason of {least} words or more, and goes on."
    return sentence, {"words": float(words), "words_min": float(least)}


def _trading(_account: Account, ask: Ask, _figures: Figures) -> Found:
    if ask.rules.trading:
        return None
    return f"{ask.rules.symbol} does not trade at the venue right now. Try another pair, or later.", {}


def _market(account: Account, ask: Ask, _figures: Figures) -> Found:
    age_ns = account.now_ns - ask.view.quoted_ns
    paused = MarketState.MAINTENANCE in (account.market_state, ask.view.state)
    if ask.view.is_two_sided and not ask.view.stale and age_ns <= STALE_NS and not paused:
        return None
    return (
        f"The price of {ask.rules.symbol} is not fresh, so no order goes out on it. It will be in a moment.",
        {"quote_age_s": age_ns / 1e9},
    )


def _twice(account: Account, ask: Ask, _figures: Figures) -> Found:
    age_ns = account.now_ns - account.asked.get(ask.key, -TWICE_NS)
    if age_ns >= TWICE_NS:
        return None
    return (
        f"The same order was placed {age_ns / 1e9:.1f} s ago. Once is enough; ask again if you meant it.",
        {"age_s": age_ns / 1e9},
    )


def _algorithm(_account: Account, ask: Ask, figures: Figures) -> Found:
    if ask.algorithm in figures.limits.algorithms or (ask.is_closing and ask.algorithm == "one"):
        return None
    return f"{ask.algorithm.upper()} is not unlocked at this tier yet. `tier` shows the way there.", {}


def _slices(_account: Account, ask: Ask, figures: Figures) -> Found:
    least = figures.limits.slices_min(ask.notional)
    if ask.slices >= least or (ask.is_closing and ask.algorithm == "one"):
        return None
    return (
        f"An order of this size is cut into at least {least} slices. Use TWAP, POV or iceberg for it.",
        {"slices": ask.slices, "slices_min": least, "notional": float(ask.notional)},
    )


def _strategies(account: Account, ask: Ask, figures: Figures) -> Found:
    running = {working.strategy for working in account.working.values() if working.strategy}
    if not ask.strategy or len(running | {ask.strategy}) <= figures.limits.strategies_max:
        return None
    most = figures.limits.strategies_max
    return (
        f"This tier runs {most} strategies at a time, and as many are at work. Let one finish first.",
        {"strategies": len(running), "strategies_max": most},
    )


def _quantity(_account: Account, ask: Ask, _figures: Figures) -> Found:
    rules, is_whole = ask.rules, is_multiple(ask.qty, ask.rules.lot)
    if is_whole and rules.min_qty <= ask.qty <= rules.max_qty:
        return None
    figures = {"qty": float(ask.qty), "min_qty": float(rules.min_qty), "max_qty": float(rules.max_qty)}
    if not is_whole:
        step = text(rules.lot)
        return f"{rules.symbol} trades in steps of {step} {rules.base}. Round the quantity to it.", figures
    least, most = text(rules.min_qty), text(rules.max_qty)
    return f"{rules.symbol} takes {least} to {most} {rules.base} an order. Choose one between.", figures


def _price(_account: Account, ask: Ask, _figures: Figures) -> Found:
    if not ask.limit_price or is_multiple(ask.limit_price, ask.rules.tick):
        return None
    tick = text(ask.rules.tick)
    return f"Prices of {ask.rules.symbol} move in steps of {tick}. Round the limit to it.", {}


def _notional(_account: Account, ask: Ask, figures: Figures) -> Found:
    least = ask.rules.min_notional
    price = ask.limit_price if ask.limit_price and not ask.is_closing else ask.view.mid
    worth = ask.qty * min(price, ask.view.mid)
    if worth >= least:
        return None
    return (
        f"The venue takes orders from {text(least)} {ask.rules.quote} up; this one is worth less.",
        {"notional": float(worth), "min_notional": float(least), "equity": float(figures.equity)},
    )


def _collar(_account: Account, ask: Ask, _figures: Figures) -> Found:
    if not ask.limit_price:
        return None
    away = ask.side * (ask.limit_price - ask.view.mid) / ask.view.mid
    if away <= COLLAR:
        return None
    return (
        f"The limit is {away:.1%} beyond the market, and {COLLAR:.0%} is the most. Check it once more.",
        {"away": float(away), "collar": float(COLLAR)},
    )


def _funds(_account: Account, ask: Ask, figures: Figures) -> Found:
    if ask.side != BUY:
        if ask.qty <= figures.free_base:
            return None
        held = f"{text(figures.free_base)} {ask.rules.base}"
        return (
            f"{held} are free to sell, less than asked for. Sell that much, or cancel an order.",
            {"free_qty": float(figures.free_base), "qty": float(ask.qty)},
        )
    worst = ask.limit_price or ask.view.ask * (1 + Decimal("0.005"))
    needed = ask.qty * worst * (1 + Decimal("0.001"))
    if needed <= figures.free_quote:
        return None
    free = f"{figures.free_quote:.2f} {ask.rules.quote}"
    return (
        f"{free} are free, and this needs {needed:.2f}. A smaller order fits.",
        {"free": float(figures.free_quote), "needed": float(needed)},
    )


def _daily_loss(_account: Account, ask: Ask, figures: Figures) -> Found:
    limit = figures.limits.daily_loss
    if ask.is_closing or -figures.pnl_day < limit:
        return None
    return (
        f"Today's budget of {limit:.2f} is used up. It is new at midnight UTC, and closing is possible.",
        {"pnl_day": float(figures.pnl_day), "daily_loss_max": float(limit)},
    )


def _drawdown(_account: Account, ask: Ask, figures: Figures) -> Found:
    most = figures.limits.drawdown_halt
    if ask.is_closing or figures.drawdown < most:
        return None
    below = f"{figures.drawdown:.1%}"
    return (
        f"The account is {below} below its peak, and at {most:.0%} it rests. Closing is possible.",
        {"drawdown": figures.drawdown, "drawdown_max": most},
    )


def _position(_account: Account, ask: Ask, figures: Figures) -> Found:
    if ask.is_closing:
        return None
    after = figures.exposure.get(ask.rules.symbol, ZERO) + ask.notional
    most = figures.limits.position_max_notional
    if after <= most:
        return None
    return (
        f"{ask.rules.symbol} would be worth {after:.2f}; a position holds up to {most:.2f}. Less fits.",
        {"position_after": float(after), "position_max": float(most), "equity": float(figures.equity)},
    )


def _together(account: Account, ask: Ask, figures: Figures) -> Found:
    symbol = ask.rules.symbol
    held = {
        name: value
        for name, value in figures.exposure.items()
        if name != symbol and value > dust(account, name)
    }
    if ask.is_closing or not held:
        return None
    own = figures.exposure.get(symbol, ZERO) + ask.notional
    found = {name: account.correlations.get(pair_of(symbol, name)) for name in held}
    moving = {name: held[name] for name, value in found.items() if value is None or value >= TOGETHER}
    if not moving:
        return None
    share = float((own + sum(moving.values(), ZERO)) / (own + sum(held.values(), ZERO)))
    if share <= TOGETHER_SHARE_MAX:
        return None
    nearest = max(moving, key=lambda name: (found[name] is None, found[name] or 0.0, name))
    value = found[nearest]
    why = f"at {value:.2f}" if value is not None else "as far as is known"
    sentence = (
        f"{symbol} moves with {nearest} ({why}); {share:.0%} of the exposure would go the same way, "
        f"and {TOGETHER_SHARE_MAX:.0%} is the most. Another pair, or a smaller order, keeps it apart."
    )
    return (
        sentence,
        {"share": share, "share_max": TOGETHER_SHARE_MAX}
        | ({"correlation": value} if value is not None else {}),
    )


def dust(account: Account, symbol: str) -> Decimal:
    """Return the worth up to which a holding is the crumb of a sale: nobody can sell it by itself."""
    rules = account.rules.get(symbol)
    return rules.min_notional if rules is not None else ZERO


def _rate(account: Account, ask: Ask, _figures: Figures) -> Found:
    recent = sum(1 for sent_ns in account.sends_ns if sent_ns > account.now_ns - SENDS_NS)
    if ask.is_closing or (recent < SENDS_MAX and len(account.working) < ORDERS_WORKING_MAX):
        return None
    return (
        "Many orders are at work, and the venue counts them. A few seconds make room.",
        {"orders_10s": recent, "orders_10s_max": SENDS_MAX, "working": len(account.working)},
    )


CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("LINK_DOWN", "the venue is reached, and the account's balances are known", _link),
    ("MODE", "the mode allows it: active all, reducing what lowers risk, halted nothing", _mode),
    ("TILT_LOCKOUT", "the trader does not rest; what is held can be sold at all times", _rest),
    ("TILT_REASON", "from tilt level 2 on it comes with a reason of at least 5 words", _reason),
    ("NOT_TRADING", "the symbol trades", _trading),
    ("STALE_MARKET", "there is a fresh two-sided quote, and no maintenance", _market),
    ("DUPLICATE", "it is not the same order again within 2 s", _twice),
    ("TIER_ALGORITHM", "the tier has unlocked the algorithm", _algorithm),
    ("TIER_SLICES", "it is cut as often as the tier wants", _slices),
    ("TIER_STRATEGIES", "no more strategies work than the tier allows", _strategies),
    ("QUANTITY", "the quantity is within the venue's bounds and a multiple of its step", _quantity),
    ("PRICE_STEP", "the limit price is a multiple of the venue's step", _price),
    ("MIN_NOTIONAL", "it is worth what the venue takes at least", _notional),
    ("PRICE_COLLAR", "the limit price is not more than 5 % beyond the market", _collar),
    ("FUNDS", "what it needs is free", _funds),
    ("DAILY_LOSS", "today's loss is within the tier's limit", _daily_loss),
    ("DRAWDOWN", "the drawdown is below where the account rests", _drawdown),
    ("POSITION_CAP", "the position stays within 5 % of the capital", _position),
    ("SAME_DIRECTION", "at most 60 % of the exposure moves the same way", _together),
    ("ORDER_RATE", "the venue's order limit, less 20 %, has room", _rate),
)
"""Code, rule and check, in the order in which they are asked."""


def objection(account: Account, ask: Ask, figures: Figures) -> Objection | None:
    """Return the first objection to an order, or None when it may go out."""
    for code, _rule, check in CHECKS:
        found = check(account, ask, figures)
        if found is not None:
            return Objection(code, *found)
    return None
