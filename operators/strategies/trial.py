"""Trial: one strategy against recorded market records, by the very fold that decides when it is real.

Law: the same records, strategy and capital give the same trial. Each record goes to the account's fold,
then the venue of quotes reports what it did with the orders decided earlier, then the strategy asks. All
events are sealed, with keys made for the trial; the strategy has the role ``strategy`` and no other.
"""

import math
from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from genesis.operators import ewma_correlation as ewma
from genesis.operators.account import performance, signing
from genesis.operators.account.desk import FoldKeys
from genesis.operators.account.events import (
    Body,
    Listings,
    MarketRecord,
    Role,
    VenueBalances,
    VenueLink,
    pair_of,
)
from genesis.operators.account.fold import fold
from genesis.operators.account.outcomes import ChildOrder, Decision, Fill
from genesis.operators.account.state import Account
from genesis.operators.account.ticking import HALF_LIFE_NS, MOVED
from genesis.operators.account.tier_gates import Tier
from genesis.operators.account.tiers import Standing
from genesis.operators.strategies import cells as cells_of
from genesis.operators.strategies.quote_venue import QuoteVenue
from genesis.operators.strategies.strategy import Strategy

SAMPLES_MIN = 60
"""Returns before a correlation is told."""


class Point(NamedTuple):
    """The account at the end of a second."""

    event_ns: int
    equity: Decimal


class Correlating:
    """Adds to market records the correlations that the market flow would tell, by the same operator."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._symbols = symbols
        self._cells = cells_of.no_cells(len(symbols))
        self._before: tuple[float, ...] = ()
        self._sums = ewma.no_sums(1, len(symbols))
        self._decay = ewma.decays((HALF_LIFE_NS,), cells_of.CELL_NS)
        self._told: dict[str, float] = {}
        first, second = np.triu_indices(len(symbols), 1)
        self._first, self._second = first.astype(np.int64), second.astype(np.int64)

    def told(self, record: MarketRecord, event_ns: int) -> list[tuple[str, str, float]]:
        """Return the correlations that moved with a record."""
        self._cells, closed = cells_of.after(self._cells, self._symbols, record, event_ns)
        moved = []
        for cell in closed:
            if self._before:
                returns = np.log(np.array([cell.mids])) - np.log(np.array([self._before]))
                self._sums = ewma.update(self._sums, returns, self._decay)
            self._before = cell.mids
            values, counts = ewma.correlation(self._sums, self._first, self._second)
            for i, j, value, count in zip(self._first, self._second, values[0], counts[0], strict=True):
                one, other = self._symbols[i], self._symbols[j]
                known = self._told.get(pair_of(one, other), 9.0)
                if count >= SAMPLES_MIN and math.isfinite(value) and abs(value - known) >= MOVED:
                    self._told[pair_of(one, other)] = float(value)
                    moved.append((one, other, round(float(value), 4)))
        return moved


class Trial:
    """A strategy on trial.

    Parameters
    ----------
    strategy
        Who asks.
    listings
        The venue's rules.
    capital
        Opening cash, quote asset.
    tier
        Where the account begins; tiers move it as they always do.
    """

    def __init__(
        self, strategy: Strategy, listings: Listings, capital: str, tier: Tier = Tier.SNIPER
    ) -> None:
        self._strategy, self._state = strategy, strategy.begin()
        self._listings, self._capital, self._tier = listings, capital, tier
        roles = {str(role): _key(role) for role in Role}
        self.keys = FoldKeys(roles, _key("permit"), _key("audit"))
        self.account = Account("backtest")
        self._correlating = Correlating(tuple(sorted(each.symbol for each in listings.listings)))
        self._venue: QuoteVenue | None = None
        self._number = 0
        self.records = 0
        self.intents = 0
        self.decisions: list[Decision] = []
        self.fills: list[Fill] = []
        self.curve: list[Point] = []
        self.drawdown = 0.0  # deepest so far, share of the peak

    def take(self, record: MarketRecord, event_ns: int) -> None:
        """Take a market record."""
        if self._venue is None:
            self._open(event_ns)
        assert self._venue is not None
        self.records += 1
        moved = self._correlating.told(record, event_ns)
        if moved:
            record = MarketRecord(
                marks=record.marks,
                correlations=[*record.correlations, *moved],
                market_state=record.market_state,
                day_notionals=record.day_notionals,
            )
        self._put(Role.TICKER, record, event_ns)
        for report in self._venue.on_record(record, event_ns):
            self._put(Role.GATEWAY, report, event_ns)
        self._state, intents = self._strategy.on_market(self._state, record, event_ns)
        for intent in intents:
            self.intents += 1
            self._put(Role.STRATEGY, intent, event_ns)
        self._mark(event_ns)

    def _open(self, event_ns: int) -> None:
        self.account.standing = Standing(tier=self._tier, entered_ns=event_ns)
        self._put(Role.TICKER, self._listings, event_ns)
        self._venue = QuoteVenue(self.account.rules, self.keys.permit)
        opening = VenueBalances(balances={"USDT": (self._capital, "0")}, opening=True)
        self._put(Role.GATEWAY, opening, event_ns)
        self._put(Role.GATEWAY, VenueLink(connected=True), event_ns)

    def _put(self, role: Role, body: Body, event_ns: int) -> None:
        self._number += 1
        at_ns = event_ns if role == Role.TICKER else event_ns + self._number  # only records are the clock
        event = signing.sealed(self.keys.roles[role], role, "backtest", f"b{self._number}", at_ns, body)
        for outcome in fold(self.account, self.keys, [event]):
            if isinstance(outcome.record, ChildOrder) and self._venue is not None:
                self._venue.submit(outcome.record)
            elif isinstance(outcome.record, Fill):
                self.fills.append(outcome.record)
            elif isinstance(outcome.record, Decision):
                self.decisions.append(outcome.record)

    def _mark(self, event_ns: int) -> None:
        """Note the equity, once a second, and how deep it fell."""
        self.drawdown = max(self.drawdown, performance.drawdown(self.account.performance))
        second_ns = event_ns // cells_of.CELL_NS * cells_of.CELL_NS
        if self.account.performance.begun and (not self.curve or second_ns > self.curve[-1].event_ns):
            self.curve.append(Point(second_ns, self.account.performance.equity))


def _key(name: str) -> bytes:
    """Return a key that is worth nothing outside a trial, and the same in each."""
    return blake2b(f"genesis backtest {name}".encode(), digest_size=32).digest()
