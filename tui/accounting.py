"""Accounting: what the screens say of the account that no single record says.

Figures here are floats for people; the exact ones are in the ledger. What is unknown is NaN.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from genesis.operators.account.events import pair_of
from genesis.operators.account.outcomes import Fill, ParentOrder, PositionStatus
from genesis.operators.account.performance import Past
from genesis.operators.account.ticking import HALF_LIFE_NS
from genesis.operators.account.tier_gates import Tier
from genesis.operators.records import Market
from genesis.tui import affairs, derived
from genesis.tui.affairs import MINUTE_NS, Affairs, Books
from genesis.tui.derived import LATE_S
from genesis.tui.model import Instrument, Model

NAN = math.nan

TOGETHER = 0.7
"""Two symbols with at least this correlation move the same way: `operators.account.risk.TOGETHER`."""

TOGETHER_SHARE_MAX = 0.6
"""Most of the exposure that may: `operators.account.risk.TOGETHER_SHARE_MAX`."""

STATUS_LATE_S = LATE_S + 1.0
"""From this age on the account's figures are dimmed. It speaks once a second."""

HOURS = 24


def number(text: str) -> float:
    """Return decimal text as a figure; NaN for an empty one.

    >>> number("12.5"), number("")
    (12.5, nan)
    """
    try:
        return float(text) if text else NAN
    except ValueError:
        return NAN


def tier_of(known: Affairs) -> Tier | None:
    """Return the account's tier, None before anybody has said it."""
    names = {tier.name.lower(): tier for tier in Tier}
    if known.status is not None:
        return names.get(known.status.tier)
    return known.books.tier if known.books is not None else None


def level_of(known: Affairs) -> int:
    """Return the trader's tilt level, 0 to 3: the watch's word, or else the account's."""
    if known.mood is not None:
        return known.mood.level
    return min(max(known.status.tilt_level, 0), 3) if known.status is not None else 0


class Fresh(NamedTuple):
    """How fresh the account's figures are: their age in seconds, NaN when nothing was heard live."""

    age_s: float
    seen_ns: int

    @property
    def dim(self) -> bool:
        """True when the figures must not look fresh."""
        return not self.age_s < STATUS_LATE_S


def freshness(model: Model, now_ns: int) -> Fresh:
    """Return how fresh the account's figures are; ``now_ns`` is by the monotonic clock."""
    return Fresh(derived.silence_s(model, "account status", now_ns), model.affairs.event_ns)


def figure(known: Affairs, name: str) -> float:
    """Return a figure of the account's status, NaN when it gave none."""
    return known.status.figures.get(name, NAN) if known.status is not None else NAN


class Today(NamedTuple):
    """Today's result in quote asset: in all, as a share of what there was at midnight, open and closed."""

    pnl: float
    share: float
    open: float
    closed: float


def today(known: Affairs) -> Today:
    """Return today's result."""
    status = known.status
    if status is None:
        return Today(NAN, NAN, NAN, NAN)
    start, closed = number(status.equity) - status.pnl_day, number(status.realised_day)
    share = status.pnl_day / start if start > 0.0 else NAN
    return Today(status.pnl_day, share, status.pnl_day - closed, closed)


class Holding(NamedTuple):
    """A position that is held; ``place`` is its place on the board, None when it is not followed."""

    symbol: str
    qty: float
    cost: float
    mark: float
    unrealised: float
    stop: float
    place: int | None
    is_watched: bool = False  # the stop does not rest at the venue; the account's own watch holds it

    @property
    def worth(self) -> float:
        """At its mark, or without one at its cost; quote asset."""
        return self.qty * (self.cost if math.isnan(self.mark) else self.mark)

    @property
    def share(self) -> float:
        """What it has gained, as a share of its cost."""
        paid = self.qty * self.cost
        return self.unrealised / paid if paid > 0.0 else NAN


def holdings(model: Model) -> list[Holding]:
    """Return what is held, the largest first."""
    places = {each: i for i, each in enumerate(model.instruments)}
    found = [_holding(each, places) for each in model.affairs.positions.values()]
    return sorted((each for each in found if each.qty > 0.0), key=lambda each: (-each.worth, each.symbol))


def _holding(status: PositionStatus, places: Mapping[Instrument, int]) -> Holding:
    return Holding(
        symbol=status.symbol,
        qty=number(status.qty),
        cost=number(status.average_cost),
        mark=number(status.mark_price),
        unrealised=number(status.unrealised),
        stop=number(status.stop_price),
        place=places.get(Instrument(Market.SPOT, status.symbol.encode())),
        is_watched=bool(status.stop_price) and not status.stop_rests,
    )


def working(known: Affairs) -> list[ParentOrder]:
    """Return the orders at work, the newest first."""
    found = [each for each in known.orders.values() if affairs.is_open(each)]
    return sorted(found, key=lambda each: (-each.event_ns, each.parent_id))


def half_life(model: Model) -> int | None:
    """Return the half-life by which the checks judge what moves together, as far as it is published."""
    lives = derived.half_lives(model)
    return None if not lives else HALF_LIFE_NS if HALF_LIFE_NS in lives else lives[-1]


def correlations(model: Model) -> Mapping[str, float]:
    """Return the newest correlations of spot pairs by "A|B": the market's, or else those in the ledger."""
    life = half_life(model)
    books = model.affairs.books
    found = dict(books.correlations) if books is not None else {}
    if life is None:
        return found
    rows = model.correlation
    kept = rows[
        (rows["half_life_ns"] == life) & (rows["market_a"] == Market.SPOT) & (rows["market_b"] == Market.SPOT)
    ]
    for a, b, value in zip(
        kept["symbol_a"].tolist(), kept["symbol_b"].tolist(), kept["correlation"].tolist(), strict=True
    ):
        if not math.isnan(value):
            found[pair_of(a.decode(errors="replace"), b.decode(errors="replace"))] = value
    return found


def together(held: Sequence[Holding], known: Mapping[str, float]) -> float:
    """Return the largest share of the exposure that moves the same way; NaN with fewer than two positions.

    A pair of which nothing is known counts as moving together, as it does where an order is checked.

    >>> one = Holding("A", 1.0, 60.0, 60.0, 0.0, NAN, None)
    >>> together([one, one._replace(symbol="B", qty=0.5)], {"A|B": 0.1})
    0.6666666666666666
    """
    total = sum(each.worth for each in held)
    if len(held) < 2 or not total > 0.0:
        return NAN
    groups = (
        each.worth
        + sum(
            other.worth
            for other in held
            if other is not each and known.get(pair_of(each.symbol, other.symbol), 1.0) >= TOGETHER
        )
        for each in held
    )
    return max(groups) / total


class Result(NamedTuple):
    """What something brought in: its name, quote asset, how many trades, and how many of them gained."""

    name: str
    realised: float
    trades: int
    gains: int


def by_pair(books: Books) -> list[Result]:
    """Return what each pair brought in over the books' days, the best first; trades are not counted there."""
    found = [Result(name, float(realised), 0, 0) for name, realised in books.pairs.items()]
    return sorted(found, key=lambda each: (-each.realised, each.name))


def _closing(fills: Sequence[Fill]) -> list[Fill]:
    return [fill for fill in fills if fill.side == "sell"]


def _summed(name: str, fills: Sequence[Fill]) -> Result:
    results = [number(fill.realised) for fill in fills]
    return Result(name, sum(results), len(results), sum(each > 0.0 for each in results))


def by_hour(fills: Sequence[Fill]) -> list[Result]:
    """Return what sales brought in by hour of the day (UTC), one line for each of the 24."""
    hours: list[list[Fill]] = [[] for _ in range(HOURS)]
    for fill in _closing(fills):
        hours[fill.event_ns // (60 * MINUTE_NS) % HOURS].append(fill)
    return [_summed(f"{hour:02}", those) for hour, those in enumerate(hours)]


MOOD_LATE_MIN = 5
"""Minutes for which a word on the state of mind holds when nobody says another."""

LEVELS = ("calm", "level 1", "level 2", "level 3")


def by_mood(known: Affairs) -> list[Result]:
    """Return what sales brought in by state of mind, for those of which it is known; nothing without any."""
    if not known.moods:
        return []
    minutes = np.array(sorted(known.moods))
    found: list[list[Fill]] = [[] for _ in LEVELS]
    for fill in _closing(known.fills):
        at = int(np.searchsorted(minutes, fill.event_ns // MINUTE_NS, side="right")) - 1
        if at >= 0 and fill.event_ns // MINUTE_NS - int(minutes[at]) <= MOOD_LATE_MIN:
            found[known.moods[int(minutes[at])][1]].append(fill)
    return [_summed(name, those) for name, those in zip(LEVELS, found, strict=True)]


class Cell(NamedTuple):
    """A day of the calendar; NaN when nothing was earned or lost, and nothing traded, on it."""

    day: int
    pnl: float
    trades: int


def calendar(books: Books, weeks: int) -> list[list[Cell | None]]:
    """Return the last ``weeks`` weeks, Monday to Sunday, today's last; None for days that are to come."""
    told: dict[int, Past] = {each.day: each for each in (*books.days, books.today)}
    monday = books.today.day - weekday(books.today.day)
    return [
        [_cell(told, day, books.today.day) for day in range(first, first + 7)]
        for first in range(monday - 7 * (weeks - 1), monday + 1, 7)
    ]


def _cell(told: Mapping[int, Past], day: int, today_: int) -> Cell | None:
    if day > today_:
        return None
    found = told.get(day)
    if found is None or not (found.trades or found.pnl):
        return Cell(day, NAN, 0)
    return Cell(day, float(found.pnl), found.trades)


def weekday(day: int) -> int:
    """Return the day of the week of a day since 1970-01-01; Monday is 0.

    >>> weekday(0), weekday(4)
    (3, 0)
    """
    return (day + 3) % 7


def date(day: int) -> datetime:
    """Return a day as a date."""
    return datetime.fromtimestamp(day * 86_400, UTC)
