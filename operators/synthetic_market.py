"""Synthetic market: correlated order books with trades and quotes, the same for the same seed.

Theory of operation. Time runs in steps of 100 ms. In every step the fair price of each symbol moves
by a factor model (one market factor, one factor a group, own noise), whose volatility switches between
calm and volatile regimes, for all symbols together or for one alone. Orders arrive as a Poisson process.
A taker eats the best levels, level by level, each fill a trade; a maker requotes, improves or cancels
the best level, so that the book follows the fair price, and changes one level deeper down. After every
event the best bid and ask are a quote; at the end of the step the changed levels are one depth diff.

Each change of a level takes the next update id, so a diff spans exactly the ids since the diff before
it, and a quote's id names the change that made it. Books never cross and keep at least 60 levels a side.

Levels sit on a grid of about half a basis point; inside a grid cell the price of a level is fixed by a
hash, so that prices look as ragged as real ones where the tick is finer than the grid.

All prices are whole ticks and all quantities whole steps. Nothing here reads a clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genesis.operators.synthetic_listings import E8, LISTINGS, Listing

STEP_NS = 100_000_000
"""Length of a step, thus the time between two depth diffs of a symbol."""

LEVELS = 100
"""Price levels a side after a refill; a side with fewer than `LEVELS_MIN` is refilled."""

LEVELS_MIN = 60
LEVELS_MAX = 140

FILLS_MAX = 5
"""Most levels that one taker order eats."""

MOVES_MAX = 10
"""Most levels that one maker adds or cancels at the top."""

_GRID_BPS = 0.5
_TAKER_PROBABILITY = 0.3
_TICKS_AN_EVENT = 1.38  # messages besides diffs that one event gives on average
_REGIMES = {"calm_s": 180.0, "volatile_s": 15.0, "volatility": 4.0, "activity": 2.0}
_BURSTS = {"calm_s": 900.0, "volatile_s": 10.0, "volatility": 3.0, "activity": 2.0}
_GROUP_LOADING = 0.3
_STEP_S = STEP_NS / 1e9


class SyntheticTrade(NamedTuple):
    """One fill of a taker order."""

    listing: int  # index of the instrument
    event_ns: int
    trade_id: int
    price_ticks: int
    qty_steps: int
    buyer_is_maker: bool  # the aggressor sold


class SyntheticQuote(NamedTuple):
    """The best bid and ask after a change."""

    listing: int
    event_ns: int
    update_id: int
    bid_ticks: int
    bid_steps: int
    ask_ticks: int
    ask_steps: int


class SyntheticDiff(NamedTuple):
    """The levels that changed in a step, as (price in ticks, quantity in steps); 0 steps: removed."""

    listing: int
    event_ns: int
    first_update_id: int
    last_update_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class SyntheticSnapshot(NamedTuple):
    """A whole book, best levels first."""

    listing: int
    update_id: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]


class Step(NamedTuple):
    """All that happened in one step, in the order of its time; the diffs come at its end."""

    end_ns: int
    ticks: list[SyntheticTrade | SyntheticQuote]
    diffs: list[SyntheticDiff]


START_NS = 1_723_161_254_000_000_000
"""When a market begins that is not told otherwise."""

_ID_NS = 100_000
"""A market that begins later has ids so much higher, one for each of these: those of a market that is started
again go on above the old ones, as a venue's do, and are no repeats to anybody."""


@dataclass(frozen=True)
class SyntheticParameters:
    """What a synthetic market depends on.

    Parameters
    ----------
    symbols
        How many instruments, the first of `LISTINGS`.
    seed
        Of all randomness; the same parameters give the same market.
    rate_hz
        Messages a second over all symbols in calm times: trades, quotes and diffs.
    start_ns
        Time of the first step, ns since the epoch.

    Raises
    ------
    ValueError
        For a value outside its range.
    """

    symbols: int = 20
    seed: int = 1
    rate_hz: float = 1_000.0
    start_ns: int = START_NS

    def __post_init__(self) -> None:
        if not 1 <= self.symbols <= len(LISTINGS):
            raise ValueError(
                f"synthetic market: symbols must be from 1 to {len(LISTINGS)}, was {self.symbols}"
            )
        if not 1.0 <= self.rate_hz <= 1e6:
            raise ValueError(
                f"synthetic market: rate_hz must be from 1 to 1,000,000 messages/s, was {self.rate_hz}"
            )
        if self.seed < 0 or self.start_ns < 0:
            raise ValueError(
                f"synthetic market: seed and start_ns must not be negative, were {self.seed}, {self.start_ns}"
            )

    @property
    def listings(self) -> tuple[Listing, ...]:
        """The instruments of this market."""
        return LISTINGS[: self.symbols]


class _Side:
    """One side of a book: quantity by grid cell. ``away`` is +1 for asks, -1 for bids."""

    __slots__ = ("away", "best", "changed", "levels", "worst")

    def __init__(self, away: int, best: int) -> None:
        self.away = away
        self.best = best
        self.worst = best - away
        self.levels: dict[int, int] = {}
        self.changed: dict[int, int] = {}

    def put(self, cell: int, qty_steps: int) -> None:
        self.levels[cell] = self.changed[cell] = qty_steps
        if (cell - self.best) * self.away < 0:
            self.best = cell

    def drop(self, cell: int) -> None:
        del self.levels[cell]
        self.changed[cell] = 0
        if cell == self.best:
            while self.best not in self.levels:
                self.best += self.away


class _Book:
    """The book of one symbol, whose every change of a level takes an update id."""

    __slots__ = (
        "asks",
        "bids",
        "diff_id",
        "grid",
        "listing",
        "salt",
        "trade_id",
        "typical_steps",
        "update_id",
    )

    def __init__(self, listing: Listing, index: int, first_id: int) -> None:
        self.listing = listing
        self.grid = max(1, round(listing.price * _GRID_BPS * 1e-4 * E8 / listing.tick_e8))
        self.salt = 7_919 * index
        self.update_id = self.diff_id = 1_000_000_000 * (index + 1) + first_id
        self.trade_id = 10_000_000 * (index + 1) + first_id
        notional = 6_000.0 * listing.activity**0.5
        self.typical_steps = max(20.0, notional / listing.price * E8 / listing.step_e8)
        cell = self.cell(listing.price)
        self.bids = _Side(-1, int(cell))
        self.asks = _Side(1, int(cell) + 1)

    def cell(self, price: float) -> float:
        """Return where ``price`` is on the grid."""
        return price * E8 / self.listing.tick_e8 / self.grid

    def ticks(self, cell: int) -> int:
        """Return the price of a level in ticks."""
        return cell * self.grid + ((cell * 2_654_435_761 + self.salt) >> 7) % self.grid

    def refill(self, side: _Side, sizes: Iterator[float]) -> None:
        """Bring a side back to `LEVELS` levels, at its far end."""
        while len(side.levels) < LEVELS:
            side.worst += side.away
            self.put(side, side.worst, next(sizes) * (1.0 + abs(side.worst - side.best) / 20.0))
        while len(side.levels) > LEVELS_MAX:
            if side.worst in side.levels:
                side.drop(side.worst)
                self.update_id += 1
            side.worst -= side.away

    def put(self, side: _Side, cell: int, size: float) -> None:
        """Set a level to ``size`` typical quantities."""
        side.put(cell, max(1, int(size * self.typical_steps)))
        self.update_id += 1

    def drop(self, side: _Side, cell: int) -> None:
        """Remove a level."""
        side.drop(cell)
        self.update_id += 1

    def levels(self, side: _Side) -> list[tuple[int, int]]:
        """Return (ticks, steps) of all levels of a side, best first."""
        return [(self.ticks(cell), side.levels[cell]) for cell in sorted(side.levels, key=side.away.__mul__)]

    def changes(self, side: _Side) -> list[tuple[int, int]]:
        """Return (ticks, steps) of the levels changed since the last call, best first, and forget them."""
        cells = sorted(side.changed, key=side.away.__mul__)
        rows = [(self.ticks(cell), side.changed[cell]) for cell in cells]
        side.changed.clear()
        return rows


class SyntheticMarket:
    """A market that is advanced step by step.

    Examples
    --------
    >>> market = SyntheticMarket(SyntheticParameters(symbols=2, seed=7, rate_hz=200, start_ns=0))
    >>> [LISTINGS[s.listing].symbol for s in market.snapshots()]
    ['BTCUSDT', 'ETHUSDT']
    >>> step = market.advance()
    >>> step.end_ns, all(0 <= tick.event_ns < step.end_ns for tick in step.ticks)
    (100000000, True)
    """

    def __init__(self, parameters: SyntheticParameters) -> None:
        self.parameters = parameters
        self.now_ns = parameters.start_ns
        listings = parameters.listings
        self._rng = np.random.default_rng(parameters.seed)
        self._uniforms = _uniforms(np.random.default_rng((parameters.seed, 1)))
        self._sizes = _sizes(np.random.default_rng((parameters.seed, 2)))
        first_id = max(parameters.start_ns - START_NS, 0) // _ID_NS
        self._books = [_Book(listing, index, first_id) for index, listing in enumerate(listings)]
        self._fair_cells = [book.cell(book.listing.price) for book in self._books]
        self._groups = np.array([listing.group for listing in listings])
        loading = np.array([listing.loading for listing in listings])
        self._loading: NDArray[np.float64] = loading
        self._own_loading: NDArray[np.float64] = np.sqrt(
            1.0 - loading**2 - np.minimum(_GROUP_LOADING**2, 0.9 * (1.0 - loading**2))
        )
        self._group_loading: NDArray[np.float64] = np.sqrt(1.0 - loading**2 - self._own_loading**2)
        volatility_bps = np.array([listing.volatility_bps for listing in listings])
        self._volatility: NDArray[np.float64] = volatility_bps * 1e-4 * _STEP_S**0.5
        self._events_a_step = _events_a_step(parameters)
        self._volatile = False
        self._bursting = np.zeros(len(listings), dtype=bool)
        for book in self._books:
            for side in (book.bids, book.asks):
                book.refill(side, self._sizes)
                side.changed.clear()
            book.diff_id = book.update_id

    def snapshots(self) -> list[SyntheticSnapshot]:
        """Return all books as they are now."""
        return [
            SyntheticSnapshot(index, book.update_id, book.levels(book.bids), book.levels(book.asks))
            for index, book in enumerate(self._books)
        ]

    def advance(self) -> Step:
        """Advance by `STEP_NS` and return what happened."""
        volatility, activity = self._regime()
        moves = self._moves() * volatility
        counts = self._rng.poisson(self._events_a_step * activity).tolist()
        ticks: list[SyntheticTrade | SyntheticQuote] = []
        for index, (book, count, move) in enumerate(zip(self._books, counts, moves.tolist(), strict=True)):
            fair = self._fair_cells[index]
            if count:
                offsets_ns = np.sort(self._rng.integers(0, STEP_NS, count)).tolist()
                for offset_ns in offsets_ns:
                    cell = fair * (1.0 + move * offset_ns / STEP_NS)
                    self._event(index, self.now_ns + offset_ns, cell, ticks)
                book.refill(book.bids, self._sizes)
                book.refill(book.asks, self._sizes)
            self._fair_cells[index] = max(fair * (1.0 + move), 4.0 * LEVELS_MAX)
        ticks.sort(key=_event_ns)
        self.now_ns += STEP_NS
        return Step(self.now_ns, ticks, self._diffs())

    def _regime(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the factors on volatility and activity in this step, shape ``(symbols,)``."""
        draws = self._rng.uniform(size=1 + self._bursting.size)
        stay_s = _REGIMES["volatile_s" if self._volatile else "calm_s"]
        self._volatile ^= bool(draws[0] < _STEP_S / stay_s)
        hazard = np.where(self._bursting, _STEP_S / _BURSTS["volatile_s"], _STEP_S / _BURSTS["calm_s"])
        self._bursting ^= draws[1:] < hazard
        volatility = np.where(self._bursting, _BURSTS["volatility"], 1.0)
        activity = np.where(self._bursting, _BURSTS["activity"], 1.0)
        if self._volatile:
            volatility, activity = volatility * _REGIMES["volatility"], activity * _REGIMES["activity"]
        return volatility, activity

    def _moves(self) -> NDArray[np.float64]:
        """Return the relative changes of the fair prices in a calm step, shape ``(symbols,)``."""
        market = float(self._rng.standard_normal())
        group = self._rng.standard_normal(8)[self._groups]
        moves = self._rng.standard_normal(self._groups.size)
        moves *= self._own_loading
        moves += self._loading * market + self._group_loading * group
        moves *= self._volatility
        return moves

    def _event(
        self, index: int, event_ns: int, fair: float, ticks: list[SyntheticTrade | SyntheticQuote]
    ) -> None:
        """Let one order arrive and append the trades and the quote that it makes."""
        book = self._books[index]
        bids, asks = book.bids, book.asks
        gap = fair - (bids.best + asks.best) / 2.0
        if next(self._uniforms) < _TAKER_PROBABILITY:
            buys = next(self._uniforms) < 0.5 + max(-0.45, min(0.45, 0.25 * gap))
            self._take(index, event_ns, asks if buys else bids, ticks)
        else:
            self._make(book, fair, gap)
        for side in (bids, asks):
            if len(side.levels) < LEVELS_MIN:
                book.refill(side, self._sizes)
        bid_ticks, ask_ticks = book.ticks(bids.best), book.ticks(asks.best)
        bid_steps, ask_steps = bids.levels[bids.best], asks.levels[asks.best]
        ticks.append(
            SyntheticQuote(index, event_ns, book.update_id, bid_ticks, bid_steps, ask_ticks, ask_steps)
        )

    def _take(
        self, index: int, event_ns: int, side: _Side, ticks: list[SyntheticTrade | SyntheticQuote]
    ) -> None:
        """Eat the best levels of ``side``."""
        book = self._books[index]
        left = max(1, int(0.3 * next(self._sizes) * next(self._sizes) * book.typical_steps))
        for _ in range(FILLS_MAX):
            cell, resting = side.best, side.levels[side.best]
            filled = min(left, resting)
            book.trade_id += 1
            buyer_is_maker = side.away < 0
            ticks.append(
                SyntheticTrade(index, event_ns, book.trade_id, book.ticks(cell), filled, buyer_is_maker)
            )
            left -= filled
            if filled == resting:
                book.drop(side, cell)
            else:
                side.put(cell, resting - filled)
                book.update_id += 1
            if not left:
                break

    def _make(self, book: _Book, fair: float, gap: float) -> None:
        """Requote, improve or cancel the best level, so that the book follows the fair price."""
        near, far = (book.bids, book.asks) if gap > 0.0 else (book.asks, book.bids)
        space = (far.best - near.best) * far.away - 1
        if abs(gap) > 1.0 and next(self._uniforms) < 0.7:
            for _ in range(MOVES_MAX):
                if (far.best - fair) * far.away >= 0.0:
                    break
                book.drop(far, far.best)
        elif space and next(self._uniforms) < 0.8:
            steps = max(1, min(space, int((near.best - fair) * near.away)))
            start = near.best
            for step in range(max(1, steps - MOVES_MAX), steps + 1):
                book.put(near, start - near.away * step, next(self._sizes))
        else:
            side = near if next(self._uniforms) < 0.5 else far
            book.put(side, side.best, next(self._sizes))
        deep = far if next(self._uniforms) < 0.5 else near
        cell = deep.best + deep.away * (1 + int(next(self._uniforms) ** 2 * (LEVELS_MIN - 2)))
        if cell in deep.levels and next(self._uniforms) < 0.15:
            book.drop(deep, cell)
        elif (cell - deep.worst) * deep.away < 0:
            book.put(deep, cell, next(self._sizes) * (1.0 + abs(cell - deep.best) / 20.0))

    def _diffs(self) -> list[SyntheticDiff]:
        """Return the diffs of all books that changed since their last one."""
        found = []
        for index, book in enumerate(self._books):
            if book.update_id > book.diff_id:
                first_id, book.diff_id = book.diff_id + 1, book.update_id
                bids, asks = book.changes(book.bids), book.changes(book.asks)
                found.append(SyntheticDiff(index, self.now_ns, first_id, book.update_id, bids, asks))
        return found


def _event_ns(tick: SyntheticTrade | SyntheticQuote) -> int:
    return tick.event_ns


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.uniform(size=4_096).tolist()


def _sizes(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from np.exp(0.8 * rng.standard_normal(4_096)).tolist()


def _events_a_step(parameters: SyntheticParameters) -> NDArray[np.float64]:
    """Return the expected events a step of each symbol for the wanted rate, shape ``(symbols,)``."""
    activity = np.array([listing.activity for listing in parameters.listings])
    wanted = parameters.rate_hz * _STEP_S
    low, high = 0.0, wanted / activity.sum()
    for _ in range(60):
        scale = (low + high) / 2.0
        events = activity * scale
        messages = (_TICKS_AN_EVENT * events + 1.0 - np.exp(-events)).sum()
        low, high = (scale, high) if messages < wanted else (low, scale)
    return activity * low
