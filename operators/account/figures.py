"""Figures: what the account is worth and what it may do, as the checks, the mode and the screen need it."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from genesis.operators.account import composure, performance, portfolio, tier_facts, tiers
from genesis.operators.account.desk import Desk, promised
from genesis.operators.account.events import pair_of
from genesis.operators.account.money import ZERO
from genesis.operators.account.risk import TOGETHER, Figures, dust
from genesis.operators.account.state import BUY, Account, Rules, Working
from genesis.operators.account.tiers import Limits
from genesis.operators.tilt import parameters

OVERRIDE_SHARE = Decimal("0.5")
"""What an override adds to the day's limit, as a share of it."""

SLACK = Decimal("1.006")
"""What a working purchase may cost beyond its worst known price: collar and commission."""


class Worth(NamedTuple):
    """How the account stands, for the status."""

    equity: Decimal
    realised_day: Decimal
    pnl_day: Decimal
    drawdown: float
    daily_budget: Decimal
    override_attempts: int
    figures: dict[str, float]


def prices(account: Account) -> dict[str, Decimal]:
    """Return the mids of what is held."""
    held = (*account.portfolio.positions, *account.portfolio.unpriced)
    views = ((symbol, account.views.get(symbol)) for symbol in held)
    return {symbol: view.mid for symbol, view in views if view is not None and view.is_two_sided}


def limits_of(account: Account) -> Limits:
    """Return what the account may do now; an override raises the day's loss limit for its day."""
    found = tiers.limits(
        account.standing,
        account.performance.equity,
        account.now_ns,
        performance.losing_days(account.performance),
        composure.limit_level_of(account),
        account.performance.today.start,
    )
    found = _own(account, found)
    if account.override.day != performance.day_of(account.now_ns):
        return found
    return found._replace(daily_loss=found.daily_loss * (1 + OVERRIDE_SHARE))


def _own(account: Account, found: Limits) -> Limits:
    """Lower limits to what the trader allows himself."""
    chosen = account.tilt.chosen
    if not chosen.values:
        return found
    share = parameters.number_of(chosen, "position_share")
    largest = max(account.performance.equity * share, found.position_min_notional)
    return found._replace(
        daily_loss=found.daily_loss * parameters.number_of(chosen, "daily_loss_share"),
        position_max_notional=min(found.position_max_notional, largest),
    )


def _spoken_for(working: Working, account: Account) -> Decimal:
    """Return what a working purchase may still cost, quote asset."""
    view = account.views.get(working.symbol)
    price = working.limit_price or (view.ask if view is not None else working.arrival_price)
    return max(working.left, ZERO) * price * SLACK


def taken(account: Account, rules: Rules) -> Figures:
    """Return the figures that an order in a symbol is checked with."""
    marks = prices(account)
    exposure = portfolio.exposures(account.portfolio, marks)
    spoken_for = ZERO
    for working in account.working.values():
        if working.side == BUY:
            cost = _spoken_for(working, account)
            spoken_for += cost
            exposure[working.symbol] = exposure.get(working.symbol, ZERO) + cost
    position = account.portfolio.positions.get(rules.symbol)
    held = position.qty if position is not None else ZERO
    return Figures(
        equity=account.performance.equity,
        pnl_day=performance.pnl_day(account.performance),
        drawdown=performance.drawdown(account.performance),
        exposure=exposure,
        free_quote=account.portfolio.cash - spoken_for,
        free_base=held - promised(account, rules.symbol),
        limits=limits_of(account),
    )


def on_clock(desk: Desk) -> None:
    """Bring equity, day and tier up to the clock; tell what changed."""
    account = desk.account
    if not account.is_open:
        return
    marks = prices(account)
    performance.transfer(account.performance, portfolio.mark(account.portfolio, marks))
    closed = performance.observe(
        account.performance, account.now_ns, portfolio.equity(account.portfolio, marks)
    )
    if closed and account.mode_code == "DAILY_LOSS":
        account.mode, account.mode_code = "active", ""
        desk.decide("mode", "OK", "A new day, a new budget: the mode is active.")
    exposure = {
        name: value
        for name, value in portfolio.exposures(account.portfolio, marks).items()
        if value > dust(account, name)
    }
    if len(exposure) > 1:
        uncorrelated = tier_facts.uncorrelated(exposure, account.correlations)
        performance.note_uncorrelated(account.performance, uncorrelated)
    account.summary = tier_facts.summarised(account.performance, account.standing, account.summary)
    held = tier_facts.Held(moving_together(account, exposure), len(exposure))
    facts = tier_facts.facts(account.performance, account.standing, account.summary, held)
    account.standing, changes = tiers.standing_after(account.standing, facts, account.now_ns)
    for change in changes:
        sentence = f"{change.sentence[:1].upper()}{change.sentence[1:].rstrip('.')}."
        desk.decide("tier", "OK", sentence, change.figures)


def moving_together(account: Account, exposure: Mapping[str, Decimal]) -> float:
    """Return the largest share of the exposure that moves the same way; NaN with fewer than two positions.

    A pair of which nothing is known counts as apart here: it may refuse an order, but demotes nobody.
    """
    total = sum(exposure.values(), ZERO)
    if len(exposure) < 2 or not total:
        return math.nan
    known = account.correlations
    groups = (
        value
        + sum((v for name, v in exposure.items() if known.get(pair_of(symbol, name), 0.0) >= TOGETHER), ZERO)
        for symbol, value in exposure.items()
    )
    return float(max(groups) / total)


def hold_limits(desk: Desk, cancel: Callable[[Working], None]) -> None:
    """Lower the mode when a limit is reached, and cancel what would add to the risk."""
    account, found = desk.account, limits_of(desk.account)
    below, lost = performance.drawdown(account.performance), -performance.pnl_day(account.performance)
    if below >= found.drawdown_halt and account.mode_code != "DRAWDOWN":
        account.mode, account.mode_code = "halted", "DRAWDOWN"
        sentence = (
            f"The account is {below:.1%} below its peak and rests now. What you hold stays yours to sell."
        )
        figures = {"drawdown": below, "drawdown_max": found.drawdown_halt}
    elif lost >= found.daily_loss and account.mode == "active":
        account.mode, account.mode_code = "reducing", "DAILY_LOSS"
        sentence = f"Today's budget of {found.daily_loss:.2f} is used up. It is new at midnight UTC."
        figures = {"pnl_day": -float(lost), "daily_loss_max": float(found.daily_loss)}
    else:
        return
    for working in [each for each in account.working.values() if each.side == BUY]:
        cancel(working)
    desk.decide("mode", "OK", sentence, figures)


def holding_down(account: Account) -> str:
    """Return the code of the limit that keeps the mode from rising, or nothing."""
    found = limits_of(account)
    if performance.drawdown(account.performance) >= found.drawdown_halt:
        return "DRAWDOWN"
    return "DAILY_LOSS" if -performance.pnl_day(account.performance) >= found.daily_loss else ""


def attempted(account: Account) -> None:
    """Count an attempt to get around the rules."""
    account.standing = tiers.attempted(account.standing, account.now_ns)
    performance.note_attempt(account.performance)


def overridden(account: Account) -> None:
    """Count an override that was granted."""
    performance.note_override(account.performance)


def worth(account: Account) -> Worth:
    """Return how the account stands."""
    found, lost = limits_of(account), -performance.pnl_day(account.performance)
    return Worth(
        account.performance.equity,
        account.performance.today.realised,
        -lost,
        performance.drawdown(account.performance),
        max(found.daily_loss - max(lost, ZERO), ZERO),
        tiers.attempts(account.standing, account.now_ns),
        {
            "position_max_notional": float(found.position_max_notional),
            "daily_loss_max": float(found.daily_loss),
            "drawdown_max": found.drawdown_halt,
            "size_factor": float(found.size_factor),
            "working": float(len(account.working)),
            "losing_days": float(performance.losing_days(account.performance)),
        },
    )
