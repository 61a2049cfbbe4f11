"""Breakout: buys a new high of the last minutes, unless it moves with what is bought already.

Once a second a symbol whose mid is above the highest of the ``minutes`` before is bought, when its
correlation with every symbol that is held is known and at most ``correlation_max``: two breakouts that
move together are one bet. It is sold ``trail_ppm`` below the highest mid since, or after ``hold_s``. The
correlations are those that the market records tell (`ewma_correlation`).
"""

import math
from typing import NamedTuple

import msgspec

from genesis.operators.account.events import MarketRecord, PlaceOrder, pair_of
from genesis.operators.account.money import positive as positive_amount
from genesis.operators.parameters import positive, within
from genesis.operators.strategies import cells as cells_of
from genesis.operators.strategies.strategy import Intent


class BreakoutParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters; they check themselves."""

    symbols: str = "BTCUSDT,ETHUSDT"
    minutes: int = 3  # whose high is to be broken
    correlation_max: float = 0.5
    trail_ppm: int = 1_000  # below the highest since
    hold_s: int = 900  # longest
    notional: str = "20"  # of a purchase, quote asset
    stop_ppm: int = 20_000  # stop-loss of the account below the entry

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        ValueError
            With the name of what is wrong.
        """
        names = self.names
        if not all(names) or len(set(names)) != len(names):
            raise ValueError(
                f"strategy 'breakout': symbols are names with commas, each once, were {self.symbols!r}; "
                "give for example BTCUSDT,ETHUSDT"
            )
        positive_amount(self.notional, "notional")
        within("breakout", "minutes", self.minutes, (1, 1_440), "give up to a day")
        within("breakout", "correlation_max", self.correlation_max, (-1.0, 1.0), "give a correlation")
        within("breakout", "trail_ppm", self.trail_ppm, (1, 500_000), "give parts per million")
        positive("breakout", "hold_s", self.hold_s, "give seconds")

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols, one by one."""
        return tuple(self.symbols.split(","))


class Held(NamedTuple):
    """A symbol that was bought."""

    since_ns: int
    high: float  # mid, highest since


class BreakoutState(NamedTuple):
    """What the strategy knows; tuples by symbol."""

    cells: cells_of.Cells
    minute: int  # number of the minute in hand; -1 before the first
    highs: tuple[tuple[float, ...], ...]  # of the minutes before, oldest first, and of that in hand
    held: tuple[Held | None, ...]
    correlations: dict[str, float]  # newest, by `pair_of`


class Breakout:
    """The strategy.

    Examples
    --------
    >>> strategy = Breakout(BreakoutParameters())
    >>> strategy.on_market(strategy.begin(), MarketRecord(), 10**18)[1]
    []
    """

    name = "breakout"

    def __init__(self, parameters: BreakoutParameters) -> None:
        self.parameters = parameters
        self.symbols = parameters.names

    def begin(self) -> BreakoutState:
        """Return the state before the first record."""
        count = len(self.symbols)
        return BreakoutState(cells_of.no_cells(count), -1, ((),) * count, (None,) * count, {})

    def on_market(
        self, state: BreakoutState, record: MarketRecord, event_ns: int
    ) -> tuple[BreakoutState, list[Intent]]:
        """Return the state after a record, and what is asked for."""
        cells, closed = cells_of.after(state.cells, self.symbols, record, event_ns)
        state = state._replace(cells=cells)
        if record.correlations:
            told = {pair_of(one, other): value for one, other, value in record.correlations}
            state = state._replace(correlations={**state.correlations, **told})
        intents: list[Intent] = []
        for cell in closed:
            state, asked = self._on_cell(state, cell)
            intents += asked
        return state, intents

    def _on_cell(self, state: BreakoutState, cell: cells_of.Closed) -> tuple[BreakoutState, list[Intent]]:
        minute = (cell.end_ns - 1) // (60 * cells_of.CELL_NS)
        is_new = minute != state.minute
        highs, held, intents = list(state.highs), list(state.held), []
        for number, mid in enumerate(cell.mids):
            before = highs[number]
            if not math.isnan(mid):
                intents += self._asked(state.correlations, number, (before, held), (mid, cell.end_ns))
            if is_new:
                highs[number] = (*before, mid)[-1 - self.parameters.minutes :]
            else:
                newest = mid if not before[-1] >= mid else before[-1]
                highs[number] = (*before[:-1], newest)
        state = state._replace(minute=minute, highs=tuple(highs), held=tuple(held))
        return state, intents

    def _asked(
        self,
        correlations: dict[str, float],
        number: int,
        known: tuple[tuple[float, ...], list[Held | None]],
        now: tuple[float, int],
    ) -> list[Intent]:
        """Return what is asked for of one symbol; the list of what is held is brought up to it."""
        (highs, held), (mid, end_ns), rule = known, now, self.parameters
        mine = held[number]
        if mine is not None:
            high = max(mine.high, mid)
            held[number] = mine._replace(high=high)
            is_late = end_ns - mine.since_ns >= rule.hold_s * cells_of.CELL_NS
            if not is_late and mid > high * (1.0 - rule.trail_ppm / 1e6):
                return []
            held[number] = None
            return [PlaceOrder(symbol=self.symbols[number], side="sell", share="1", strategy=self.name)]
        if len(highs) <= rule.minutes or not all(mid > high for high in highs):
            return []
        name = self.symbols[number]
        pairs = [pair_of(name, other) for other, it in zip(self.symbols, held, strict=True) if it is not None]
        if any(not correlations.get(pair, math.inf) <= rule.correlation_max for pair in pairs):
            return []
        held[number] = Held(end_ns, mid)
        return [
            PlaceOrder(
                symbol=name, side="buy", notional=rule.notional, stop_ppm=rule.stop_ppm, strategy=self.name
            )
        ]
