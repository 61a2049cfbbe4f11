"""Performance: an account's days: equity, returns, drawdown, and all that the gates of the tiers ask for.

Returns and drawdown are those of a share in the account: its *net asset value* is 1 at the beginning and
moves by profit and loss alone. What comes in buys such shares at their value, what goes out sells some, so
that a deposit is neither a profit nor the end of a drawdown. A day is one of UTC by the account's clock; a
day without a record of the market has no entry, and what happened meanwhile counts in the day after it.

How the fold uses it: ``observe`` with the equity at every market record, after `portfolio.apply` of what
came before; ``transfer`` for what came from outside; ``note_*`` for each order, fill, execution, ended
parent, violation and override, once each (the fold knows repeats by their ids). ``drawdown``,
``pnl_day``, ``losing_days`` and the `Day` records are there to be shown; `performance_figures` has Sharpe
and Sortino, `tier_facts.facts` what the tiers ask for. Time never runs backwards: an earlier time counts
as the newest one. A note before the first ``observe`` counts in the first day.

DAYS_MAX closed days are kept, the newest RECENT_DAYS_MAX in full, older ones as a line of the calendar, since
the whole state is written with each step of the account. What the gates ask of older days of the tier is
kept as a sum, `Tally`, which begins anew with the tier (`tally_from`, called by `tier_facts.summarised`).
"""

from decimal import Decimal

import msgspec

from genesis.operators.account.money import MONEY, ONE, ZERO, exact, on_grid, share

DAYS_MAX = 400
"""Closed days that are kept; of more, the oldest is forgotten."""

RECENT_DAYS_MAX = 31
"""Closed days kept in full: no window of the gates is longer."""

NAMES_MAX = 64
"""Pairs, and strategies, that are counted one by one in a day; those of more are counted as ``other``."""

TALLY_NAMES_MAX = 256
"""… and in the older days of a tier."""

CRASHES_MAX = 32
"""Crashes survived in a stress replay that are remembered by name."""

DUST_SHARE = Decimal("0.000001")
"""What is left of an account by this share or less, after something went out, counts as nothing left."""

OTHER = "other"
DAY_NS = 86_400_000_000_000
FAST_MS_MAX = 100.0
"""From decision to wire, milliseconds: up to this an execution counts as fast."""

BIG_NOTIONAL = Decimal(200)
"""Parent orders above this many units of quote asset are to be sliced."""

SLICES_MIN = 3
"""Slices of such an order at least."""

RECOVERY_DRAWDOWN = 0.10
"""A drawdown this deep, made good, counts as recovered."""


class Day(msgspec.Struct, array_like=True):
    """One day (UTC) of an account; money in quote asset."""

    day: int  # days since 1970-01-01
    start: Decimal  # equity
    end: Decimal
    high: Decimal
    low: Decimal
    value_start: Decimal  # net asset value of a share
    value_end: Decimal
    value_high: Decimal
    value_low: Decimal
    fall: float = 0.0  # deepest fall from a high of this same day, share
    drawdown: float = 0.0  # deepest below the highest value ever, share
    transferred: Decimal = ZERO  # from outside, less to outside
    realised: Decimal = ZERO  # by average cost, after fees
    fees: Decimal = ZERO
    trades: int = 0
    orders: int = 0  # parent orders accepted
    refusals: int = 0
    violations: int = 0  # orders that asked for more than the position cap
    executions: int = 0  # child orders put on the wire whose way there was measured
    executions_fast: int = 0  # of them within FAST_MS_MAX
    parents_big: int = 0  # parent orders over BIG_NOTIONAL that ended with a fill
    parents_sliced: int = 0  # of them in SLICES_MIN children or more
    impact_bps: float = 0.0  # worst shortfall of a parent order; costs above zero
    overrides: int = 0  # emergency overrides granted
    override_attempts: int = 0
    recovered: int = 0  # drawdowns of RECOVERY_DRAWDOWN made good
    uncorrelated: int = 0  # most positions at one time that were uncorrelated pair by pair
    pairs: dict[str, Decimal] = {}  # realised by symbol
    strategies: dict[str, Decimal] = {}  # realised by strategy; "" is the trader


class Past(msgspec.Struct, array_like=True):
    """A line of the calendar: what is kept of an older day."""

    day: int  # days since 1970-01-01
    end: Decimal  # equity
    pnl: Decimal  # quote asset
    share: float  # … of the value at the day's start
    trades: int


class Tally(msgspec.Struct):
    """Sums of the days in the tier that are no longer kept in full."""

    first_day: int = 0  # in which the tier was entered; earlier days do not count
    pairs: dict[str, Decimal] = {}  # realised by symbol
    strategies: dict[str, Decimal] = {}
    parents_big: int = 0
    parents_sliced: int = 0
    recovered: int = 0


class Performance(msgspec.Struct):
    """All days of an account, and where it stands now."""

    now_ns: int = 0  # newest time seen
    begun: bool = False  # a first equity above zero was seen
    equity: Decimal = ZERO  # newest
    shares: Decimal = ZERO
    value: Decimal = ONE  # net asset value of a share
    value_peak: Decimal = ONE
    drawdown_deepest: float = 0.0  # since the peak
    today: Day = msgspec.field(default_factory=lambda: _day(0, ZERO, ONE))
    recent: list[Day] = []  # closed, oldest first
    older: list[bytes] = []  # closed before those, each a `Past`, encoded, oldest first
    tally: Tally = msgspec.field(default_factory=Tally)  # … and in the tier
    crashes: list[str] = []  # survived in a stress replay


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Past).decode


def _day(day: int, equity: Decimal, value: Decimal) -> Day:
    return Day(day, equity, equity, equity, equity, value, value, value, value)


def day_of(event_ns: int) -> int:
    """Return the number of a day (UTC), from 1970-01-01.

    >>> day_of(DAY_NS - 1), day_of(DAY_NS)
    (0, 1)
    """
    return event_ns // DAY_NS


@exact
def observe(performance: Performance, event_ns: int, equity: Decimal) -> bool:
    """Take the equity at a time; return whether a day was closed by it.

    >>> performance = Performance()
    >>> observe(performance, 0, Decimal(500)), observe(performance, DAY_NS, Decimal(450))
    (False, True)
    >>> drawdown(performance), float(pnl_day(performance))
    (0.1, -50.0)
    """
    performance.now_ns = max(performance.now_ns, event_ns)
    day = day_of(performance.now_ns)
    if not performance.begun:
        performance.equity = equity
        performance.today.day = day
        if equity > 0:
            _begin(performance, equity)
        return False
    closes = day > performance.today.day
    if closes:
        _close(performance, day)
    performance.equity = equity
    if performance.shares:
        performance.value = MONEY.divide(equity, performance.shares)
    _mark(performance)
    return closes


def _begin(performance: Performance, equity: Decimal) -> None:
    performance.begun = True
    performance.shares = equity
    performance.value = performance.value_peak = ONE
    performance.drawdown_deepest = 0.0
    today = performance.today
    today.start = today.end = today.high = today.low = equity
    today.value_start = today.value_end = today.value_high = today.value_low = ONE


def _mark(performance: Performance) -> None:
    """Bring the figures of today up to the newest value."""
    today, value, equity = performance.today, performance.value, performance.equity
    today.end, today.value_end = equity, value
    today.high, today.low = max(today.high, equity), min(today.low, equity)
    if value > today.value_high:
        today.value_high = value
    elif value < today.value_high:
        today.fall = max(today.fall, share(today.value_high - value, today.value_high))
    today.value_low = min(today.value_low, value)
    if value < performance.value_peak:
        deep = drawdown(performance)
        today.drawdown = max(today.drawdown, deep)
        performance.drawdown_deepest = max(performance.drawdown_deepest, deep)
        return
    if performance.drawdown_deepest >= RECOVERY_DRAWDOWN:
        today.recovered += 1
    performance.value_peak, performance.drawdown_deepest = value, 0.0


def _close(performance: Performance, day: int) -> None:
    """Close the day and begin another, where the old one ended."""
    performance.recent.append(performance.today)
    performance.today = _day(day, performance.equity, performance.value)
    performance.today.drawdown = drawdown(performance)
    while len(performance.recent) > RECENT_DAYS_MAX:
        oldest = performance.recent.pop(0)
        performance.older.append(_encode(_past(oldest)))
        _tally(performance.tally, oldest)
    del performance.older[: max(len(performance.older) - (DAYS_MAX - RECENT_DAYS_MAX), 0)]


def _past(day: Day) -> Past:
    return Past(day.day, day.end, pnl(day), return_of(day), day.trades)


def _tally(tally: Tally, day: Day) -> None:
    if day.day < tally.first_day:
        return
    for counted, more in ((tally.pairs, day.pairs), (tally.strategies, day.strategies)):
        for name, realised in more.items():
            _count(counted, name, realised, TALLY_NAMES_MAX)
    tally.parents_big += day.parents_big
    tally.parents_sliced += day.parents_sliced
    tally.recovered += day.recovered


def tally_from(performance: Performance, first_day: int) -> Tally:
    """Return the sums of the older days in a tier that was entered on a day; begun anew for another one.

    A tier is entered today, so no older day belongs to a new one.
    """
    if performance.tally.first_day != first_day:
        performance.tally = Tally(first_day=first_day)
    return performance.tally


@exact
def transfer(performance: Performance, qty: Decimal) -> None:
    """Take what came from outside, or below zero: what went there, quote asset.

    The next ``observe`` has it in its equity; let one with the marks of the moment come before, too. When
    all but DUST_SHARE has gone, the value stays until something comes.
    """
    if not qty:
        return
    today = performance.today
    if performance.begun and performance.value > 0:
        today.transferred += qty
        shares = performance.shares + MONEY.divide(qty, performance.value)
        performance.equity += qty
        performance.shares = shares if shares > performance.shares * DUST_SHARE else ZERO
        today.high, today.low = max(today.high, performance.equity), min(today.low, performance.equity)
        today.end = performance.equity
    elif performance.begun:  # all was lost: begin anew with what came
        today.transferred += qty
        performance.equity += qty
        if performance.equity > 0:
            performance.shares = MONEY.divide(performance.equity, performance.value_peak)
            performance.value = performance.value_peak


def calendar(performance: Performance) -> list[Past]:
    """Return the closed days, oldest first; older ones are decoded, so not for every event."""
    return [*map(_decode, performance.older), *map(_past, performance.recent)]


def drawdown(performance: Performance) -> float:
    """Return how far the account is below its highest value, as a share of it."""
    return share(performance.value_peak - performance.value, performance.value_peak)


@exact
def pnl(day: Day) -> Decimal:
    """Return the profit or loss of a day, quote asset, realised and not; transfers are neither."""
    return day.end - day.start - day.transferred


def pnl_day(performance: Performance) -> Decimal:
    """Return the profit or loss of today so far, quote asset."""
    return pnl(performance.today)


@exact
def return_of(day: Day) -> float:
    """Return the profit or loss of a day as a share of the value at its start; NaN when that was 0."""
    return share(day.value_end - day.value_start, day.value_start)


def losing_days(performance: Performance) -> int:
    """Return how many days in a row, up to yesterday, lost money; looks at RECENT_DAYS_MAX of them."""
    count = 0
    for day in reversed(performance.recent):
        if pnl(day) >= 0:
            break
        count += 1
    return count


@exact
def note_fill(
    performance: Performance, symbol: str, strategy: str, realised: Decimal, fee_value: Decimal
) -> None:
    """Count a trade: `portfolio.Realised.average` and its ``fee_value``."""
    today = performance.today
    today.trades += 1
    today.realised += realised
    today.fees += fee_value
    _count(today.pairs, symbol, realised)
    _count(today.strategies, strategy, realised)


@exact
def note_fee_asset(performance: Performance, realised: Decimal) -> None:
    """Count what giving away a third asset for a fee realised: `portfolio.Realised.fee_realised`."""
    performance.today.realised += realised


def _count(counted: dict[str, Decimal], name: str, realised: Decimal, names_max: int = NAMES_MAX) -> None:
    known = name if name in counted or len(counted) < names_max else OTHER
    counted[known] = on_grid(counted.get(known, ZERO) + realised)


def note_order(performance: Performance, *, accepted: bool) -> None:
    """Count a parent order that was asked for."""
    if accepted:
        performance.today.orders += 1
    else:
        performance.today.refusals += 1


def note_violation(performance: Performance) -> None:
    """Count an order that asked for more than the position cap; it was refused, and counts all the same."""
    performance.today.violations += 1


def note_execution(performance: Performance, wire_ms: float) -> None:
    """Count a child order that went out, by its time from decision to wire; once a child order."""
    performance.today.executions += 1
    performance.today.executions_fast += wire_ms <= FAST_MS_MAX


def note_parent(performance: Performance, notional: Decimal, children: int, shortfall_bps: float) -> None:
    """Count a parent order that ended with a fill: what it was worth as asked, its children, its cost.

    An unknown shortfall (NaN) counts as none. Stops and flattening are not given here: closing in one piece
    is always right.
    """
    today = performance.today
    if notional > BIG_NOTIONAL:
        today.parents_big += 1
        today.parents_sliced += children >= SLICES_MIN
    if shortfall_bps > today.impact_bps:
        today.impact_bps = shortfall_bps


def note_override(performance: Performance) -> None:
    """Count an emergency override that was granted."""
    performance.today.overrides += 1


def note_attempt(performance: Performance) -> None:
    """Count an override attempt; `tiers.attempted` takes it too."""
    performance.today.override_attempts += 1


def note_uncorrelated(performance: Performance, positions: int) -> None:
    """Take how many of the positions held now are uncorrelated: `tier_facts.uncorrelated`."""
    performance.today.uncorrelated = max(performance.today.uncorrelated, positions)


def note_crash(performance: Performance, crash: str, *, survived: bool = True) -> None:
    """Count a crash that a stress replay survived, once, by its name; one that it did not counts no more."""
    known = crash in performance.crashes
    if survived and not known and len(performance.crashes) < CRASHES_MAX:
        performance.crashes.append(crash)
    elif known and not survived:
        performance.crashes.remove(crash)
