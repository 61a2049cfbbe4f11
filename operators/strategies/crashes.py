"""Crashes: three made-up falls of the whole market, as market records; the same prices give the same ones.

Each begins with five calm minutes, in which stops are placed and strategies see a market. All pairs move
together: Bitcoin by the course below, every other pair by up to a third more, by its name. Spread and depth
are those of a market that is leaving: what is shown at the best price is a notional, for each pair alike.
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from hashlib import blake2b
from itertools import combinations, pairwise
from typing import NamedTuple

from genesis.operators.account.events import Mark, MarketRecord
from genesis.operators.account.money import ONE, ZERO, exact, text
from genesis.operators.account.state import Rules
from genesis.operators.records import MarketState

CALM_S = 300
"""Calm seconds before each crash."""

TOGETHER = 0.95
"""Correlation of every two pairs, told when the crash begins; in the calm those that are known hold."""

BPS = Decimal(10_000)
LOWEST = Decimal("0.05")
"""No price falls below this share of where it began."""


class Leg(NamedTuple):
    """A part of a crash, from where the one before ended."""

    until_s: int
    level: Decimal  # of Bitcoin's price at its end, as a share of that before
    step_ms: int  # between two records
    spread_bps: int
    depth: int  # shown at the best price, quote asset
    is_closed: bool = False  # the venue shows nothing


class Due(NamedTuple):
    """A record, when it comes, and whether the crash has begun."""

    offset_ns: int
    record: MarketRecord
    has_begun: bool


CALM = Leg(CALM_S, ONE, 1_000, 2, 200_000)

LEGS: dict[str, tuple[Leg, ...]] = {
    "flash_crash": (
        CALM,
        Leg(360, Decimal("0.70"), 200, 60, 5_000),
        Leg(420, Decimal("0.65"), 200, 100, 2_000),
        Leg(900, Decimal("0.85"), 1_000, 20, 20_000),
    ),
    "cascade": (
        CALM,
        Leg(1_200, Decimal("0.85"), 2_000, 10, 20_000),
        Leg(1_500, Decimal("0.92"), 2_000, 10, 20_000),
        Leg(2_700, Decimal("0.70"), 2_000, 30, 5_000),
        Leg(3_000, Decimal("0.78"), 2_000, 20, 10_000),
        Leg(4_200, Decimal("0.55"), 2_000, 50, 5_000),
    ),
    "closed_venue": (
        CALM,
        Leg(360, Decimal("0.99"), 1_000, 5, 50_000),
        Leg(960, Decimal("0.75"), 5_000, 5, 0, is_closed=True),
        Leg(1_260, Decimal("0.62"), 500, 60, 5_000),
        Leg(1_500, Decimal("0.70"), 1_000, 30, 10_000),
    ),
}
"""Course of each crash by its name."""


def steepness(symbol: str) -> Decimal:
    """Return how much of Bitcoin's fall a pair takes, in [1, 1.33).

    >>> steepness("BTCUSDT"), 1 < steepness("ETHUSDT") < Decimal("1.34")
    (Decimal('1'), True)
    """
    if symbol.startswith("BTC"):
        return ONE
    return ONE + Decimal(blake2b(symbol.encode(), digest_size=1).digest()[0]) / Decimal(768)


@exact
def records(crash: str, rules: Mapping[str, Rules], mids: Mapping[str, Decimal], begin_ns: int) -> list[Due]:
    """Return the records of a crash.

    Parameters
    ----------
    crash
        Its name, one of LEGS.
    rules, mids
        Rules and price, quote asset a unit, of each symbol.
    begin_ns
        The account's clock before the first.

    Examples
    --------
    >>> tick, lot = Decimal("0.1"), Decimal("0.001")
    >>> rules = Rules("BTCUSDT", "BTC", "USDT", tick, lot, lot, Decimal(9), Decimal(5), True)
    >>> found = records("flash_crash", {"BTCUSDT": rules}, {"BTCUSDT": Decimal(1000)}, 0)
    >>> len(found), min(Decimal(each.record.marks[0].bid) for each in found)
    (1380, Decimal('646.7'))
    """
    symbols, together = sorted(mids), [(one, other, TOGETHER) for one, other in combinations(sorted(mids), 2)]
    found: list[Due] = []
    for before, leg in pairwise((Leg(0, ONE, 0, 0, 0), *LEGS[crash])):
        steps = (leg.until_s - before.until_s) * 1_000 // leg.step_ms
        begins = before is CALM
        for step in range(1, steps + 1):
            offset_ns = before.until_s * 10**9 + step * leg.step_ms * 10**6
            quoted_ns = begin_ns + (before.until_s * 10**9 if leg.is_closed else offset_ns)
            level = before.level + (leg.level - before.level) * step / steps
            marks = [_mark(rules[each], mids[each] * _share(each, level), leg, quoted_ns) for each in symbols]
            record = MarketRecord(
                marks=marks,
                correlations=together if begins and step == 1 else [],
                market_state=int(MarketState.MAINTENANCE if leg.is_closed else MarketState.NORMAL),
            )
            found.append(Due(offset_ns, record, leg is not CALM))
    return found


def _share(symbol: str, level: Decimal) -> Decimal:
    """Return a pair's price as a share of that before, where Bitcoin's is ``level``."""
    return max(ONE - (ONE - level) * steepness(symbol), LOWEST)


def _mark(rules: Rules, price: Decimal, leg: Leg, quoted_ns: int) -> Mark:
    half = price * leg.spread_bps / BPS / 2
    bid, ask = _whole(price - half, rules.tick), _whole(price + half, rules.tick) + rules.tick
    shown = _whole(leg.depth / price, rules.lot)
    return Mark(
        symbol=rules.symbol,
        bid=text(bid),
        ask=text(ask),
        bid_qty=text(shown),
        ask_qty=text(shown),
        traded_qty=text(shown),
        stale=leg.is_closed,
        quoted_ns=quoted_ns,
    )


def _whole(value: Decimal, step: Decimal) -> Decimal:
    return max((value / step).to_integral_value(ROUND_DOWN), ZERO) * step
