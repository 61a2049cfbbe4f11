"""Report: what a trial tells: profit, ratios, drawdown, trades, costs, refusals, and the curve of equity.

What is held at the end counts at its mid. Sharpe and Sortino are of daily returns (UTC days), annualised;
they are None for less than two times 24 h, midnight between or not: ten minutes have no Sharpe ratio. Fees
are valued at the price of their trade. The shortfall is against the mid when the order was decided,
weighted by notional, fees apart.
"""

import math
from collections import Counter
from decimal import Decimal

import msgspec

from genesis.operators.account.money import ZERO, exact, text
from genesis.operators.account.outcomes import Fill
from genesis.operators.account.performance import DAY_NS, day_of
from genesis.operators.account.performance_figures import sharpe, sortino
from genesis.operators.strategies.trial import Point, Trial

BLOCKS = "▁▂▃▄▅▆▇█"

QUOTE = "USDT"

RATIOS_NS = 2 * DAY_NS
"""Least length of a trial that has ratios."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A trial in figures; money is decimal text in quote asset."""

    strategy: str
    begin_ns: int
    end_ns: int
    records: int
    days: int
    capital: str
    equity: str
    cash: str
    held: dict[str, str]  # quantity by symbol
    pnl: str
    pnl_share: float
    sharpe: float | None
    sortino: float | None
    drawdown: float
    trades: int
    volume: str  # notional of all trades
    fees: str
    shortfall_bps: float | None
    asked: int
    accepted: int
    refusals: dict[str, int]  # by code
    fills: list[Fill]
    curve: list[tuple[int, str]]  # time, equity


@exact
def reported(trial: Trial, strategy: str, capital: str) -> Report:
    """Return the report of a trial that has taken its last record."""
    opening, equity = Decimal(capital), trial.curve[-1].equity if trial.curve else Decimal(capital)
    notionals = [Decimal(each.qty) * Decimal(each.price) for each in trial.fills]
    volume = sum(notionals, ZERO)
    slipped = [float(n) * each.shortfall_bps for n, each in zip(notionals, trial.fills, strict=True)]
    asked = [each for each in trial.decisions if each.subject in ("place_order", "cancel_orders")]
    returns = daily_returns(opening, trial.curve)
    is_long = bool(trial.curve) and trial.curve[-1].event_ns - trial.curve[0].event_ns >= RATIOS_NS
    positions = trial.account.portfolio.positions
    return Report(
        strategy=strategy,
        begin_ns=trial.curve[0].event_ns if trial.curve else 0,
        end_ns=trial.curve[-1].event_ns if trial.curve else 0,
        records=trial.records,
        days=len(returns),
        capital=text(opening),
        equity=text(equity),
        cash=text(trial.account.portfolio.cash),
        held={name: text(each.qty) for name, each in sorted(positions.items()) if each.qty},
        pnl=text(equity - opening),
        pnl_share=float((equity - opening) / opening),
        sharpe=_known(sharpe(returns)) if is_long else None,
        sortino=_known(sortino(returns)) if is_long else None,
        drawdown=trial.drawdown,
        trades=len(trial.fills),
        volume=text(volume),
        fees=text(sum((fee_of(each) for each in trial.fills), ZERO)),
        shortfall_bps=math.fsum(slipped) / float(volume) if volume else None,
        asked=len(asked),
        accepted=sum(each.accepted for each in asked),
        refusals=dict(sorted(Counter(each.code for each in asked if not each.accepted).items())),
        fills=trial.fills,
        curve=[(each.event_ns, text(each.equity)) for each in trial.curve],
    )


@exact
def fee_of(fill: Fill) -> Decimal:
    """Return the fee of a trade in quote asset."""
    fee = Decimal(fill.commission)
    return fee if fill.commission_asset == QUOTE else fee * Decimal(fill.price)


def daily_returns(opening: Decimal, curve: list[Point]) -> list[float]:
    """Return the return of every UTC day in a curve of equity.

    >>> day_ns = 86_400 * 10**9
    >>> daily_returns(Decimal(100), [Point(0, Decimal(110)), Point(day_ns, Decimal(99))])
    [0.1, -0.1]
    """
    closes: dict[int, Decimal] = {}
    for point in curve:
        closes[day_of(point.event_ns)] = point.equity
    returns, before = [], opening
    for equity in closes.values():
        returns.append(float((equity - before) / before))
        before = equity
    return returns


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def drawn(values: list[float], width: int = 60) -> str:
    """Return a line of blocks, the newest on the right; the lowest value is the lowest block.

    >>> drawn([1.0, 2.0, 3.0, 2.0])
    '▁▅█▅'
    """
    if not values:
        return ""
    step = max(len(values) / width, 1.0)
    count = min(len(values), width)
    shown = [values[min(int((number + 1) * step) - 1, len(values) - 1)] for number in range(count)]
    low, high = min(shown), max(shown)
    if high <= low:
        return BLOCKS[0] * count
    return "".join(BLOCKS[round((value - low) / (high - low) * (len(BLOCKS) - 1))] for value in shown)


def as_text(report: Report) -> str:
    """Return the report for people."""
    seconds = (report.end_ns - report.begin_ns) / 1e9
    ratios = (
        f"Sharpe {_shown(report.sharpe, '.2f')}, Sortino {_shown(report.sortino, '.2f')}"
        if report.end_ns - report.begin_ns >= RATIOS_NS
        else "Sharpe and Sortino need two days of market"
    )
    refusals = ", ".join(f"{code} {count}" for code, count in report.refusals.items()) or "none"
    held = ", ".join(f"{qty} {name}" for name, qty in report.held.items()) or "nothing"
    curve = [float(equity) for _, equity in report.curve]
    low, high = (min(curve), max(curve)) if curve else (0.0, 0.0)
    rows = [
        ("strategy", report.strategy),
        ("market", f"{seconds:,.0f} s in {report.records:,} records"),
        ("profit", f"{float(report.pnl):+.4f} USDT ({report.pnl_share:+.3%}) on {report.capital}"),
        ("at the end", f"{float(report.cash):.4f} USDT, held: {held}"),
        ("ratios", ratios),
        ("drawdown", f"{report.drawdown:.3%}"),
        ("trades", f"{report.trades} for {float(report.volume):.2f} USDT"),
        ("costs", f"fees {float(report.fees):.4f} USDT, shortfall {_shown(report.shortfall_bps, '.2f')} bps"),
        ("asked", f"{report.asked}, carried out {report.accepted}, refused: {refusals}"),
        ("equity", drawn(curve)),
        ("", f"from {low:.4f} to {high:.4f} USDT"),
    ]
    return "\n".join(f"{name:<11} {value}" for name, value in rows)


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
