"""Market: a synthetic market for simulated traders, seeded, at whatever times it is asked for.

Log prices of a few pairs move by Student's t with a common factor, a volatility that wanders and has its
hours, and a drift for bad days. Correlations are those of the model and stay below what the account counts
as moving together, so that holding two pairs is possible. It is a background for behaviour, and shows nothing
about markets.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from genesis.operators.account.events import Listing, Listings, Mark, MarketRecord

DAY_S = 86_400.0
FREEDOM = 4.0
"""Of Student's t: heavy tails."""


class Pair(NamedTuple):
    """One pair of the market."""

    symbol: str
    price: float
    daily: float  # deviation of a day's log return
    common: float  # correlation with the common factor
    tick: str
    lot: str


PAIRS = (
    Pair("BTCUSDT", 60_000.0, 0.025, 0.78, "0.01", "0.00001"),
    Pair("ETHUSDT", 3_000.0, 0.033, 0.76, "0.01", "0.0001"),
    Pair("SOLUSDT", 150.0, 0.045, 0.7, "0.01", "0.001"),
    Pair("XRPUSDT", 2.0, 0.042, 0.66, "0.0001", "0.1"),
)

SYMBOLS = tuple(pair.symbol for pair in PAIRS)

LISTINGS = Listings(
    listings=[
        Listing(
            symbol=pair.symbol, base=pair.symbol[:-4], quote="USDT", tick=pair.tick, lot=pair.lot,
            min_qty=pair.lot, max_qty="9000000", min_notional="5",
        )
        for pair in PAIRS
    ]
)  # fmt: skip
"""Rules, like those of a venue."""

CORRELATIONS = [
    (one.symbol, other.symbol, round(one.common * other.common, 4))
    for i, one in enumerate(PAIRS)
    for other in PAIRS[i + 1 :]
]


class Market:
    """Prices as time goes on.

    Parameters
    ----------
    seed
        Randomness; the same seed and times give the same prices.
    """

    def __init__(self, *seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.prices = {pair.symbol: pair.price for pair in PAIRS}
        self._wander = 0.0
        self._at_s = 0.0  # Unix time
        self._drift = 0.0
        self._common = np.array([pair.common for pair in PAIRS])
        self._own = np.sqrt(1 - self._common**2)
        self._daily = np.array([pair.daily for pair in PAIRS])
        self._noise = math.sqrt((FREEDOM - 2) / FREEDOM)

    def wakes(self, drift: float = 0.0) -> None:
        """Begin a day; ``drift`` is in deviations of a day, over a third of a day."""
        self._drift = 3.0 * drift

    @property
    def stress(self) -> float:
        """Volatility over the usual one."""
        return math.exp(self._wander)

    def until(self, at_s: float) -> None:
        """Move prices on to a Unix time, seconds."""
        gap_s, self._at_s = (at_s - self._at_s if self._at_s else 0.0), at_s
        if gap_s <= 0:
            return
        kept = math.exp(-gap_s / 20_000.0)
        self._wander = kept * self._wander + 0.3 * math.sqrt(1 - kept**2) * float(self._rng.standard_normal())
        hours = 1.0 + 0.35 * math.cos((at_s % DAY_S - 54_000.0) / DAY_S * 2 * math.pi)
        noise = self._rng.standard_t(FREEDOM, len(PAIRS) + 1) * self._noise
        moves = self._common * noise[-1] + self._own * noise[:-1]
        days = min(gap_s, 3_600.0) / DAY_S  # nights are quiet: nobody is there to see them
        moves = self._daily * (self.stress * hours * math.sqrt(days) * moves + self._drift * days)
        for pair, move in zip(PAIRS, moves.tolist(), strict=True):
            self.prices[pair.symbol] *= math.exp(move)

    def record(
        self, event_ns: int, symbols: Collection[str] = SYMBOLS, correlations: bool = False
    ) -> MarketRecord:
        """Return the market record of now."""
        return MarketRecord(
            marks=[
                _mark(pair, self.prices[pair.symbol], event_ns) for pair in PAIRS if pair.symbol in symbols
            ],
            correlations=CORRELATIONS if correlations else [],
        )


def _mark(pair: Pair, price: float, event_ns: int) -> Mark:
    digits = len(pair.tick) - 2
    tick = float(pair.tick)
    half = max(price * 5e-5, tick)
    bid, ask = price - half, price + half
    return Mark(
        symbol=pair.symbol, bid=f"{bid:.{digits}f}", ask=f"{ask:.{digits}f}", bid_qty="100000",
        ask_qty="100000", traded_qty="5000", quoted_ns=event_ns,
    )  # fmt: skip
