"""Pairs: mean reversion of two spot legs: money rotates into the leg that is cheap against the other.

Once a second: `hedge_ratio` gives the spread of the two log prices, `spread_zscore` its score,
`half_life` how fast it reverts, and `pair_signal` which leg to hold, entered beyond ``enter`` deviations.
Nothing is sold short: a leg is bought, and sold before the other one is bought, ``SETTLE_CELLS`` later.
That the legs belong together is taken for given (p-value 0): choosing pairs is the work of `pairs_fold`.
"""

import math
from typing import Any, NamedTuple

import msgspec
import numpy as np

from genesis.operators import half_life, hedge_ratio, pair_signal, spread_zscore
from genesis.operators.account.events import MarketRecord, PlaceOrder
from genesis.operators.account.money import positive
from genesis.operators.arrays import copied
from genesis.operators.records import PairSignal
from genesis.operators.strategies import cells as cells_of
from genesis.operators.strategies.strategy import Intent

SETTLE_CELLS = 3
"""Seconds between the sale of one leg and the purchase of the other."""


class PairsParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters; they check themselves."""

    first: str = "ETHUSDT"
    second: str = "BTCUSDT"
    notional: str = "20"  # of a purchase, quote asset
    half_life_s: float = 120.0  # of what is usual
    samples_min: int = 60  # seconds before the first score
    leave: float = 0.5  # deviations
    enter: float = 2.0
    stop: float = 4.0
    stop_ppm: int = 20_000  # stop-loss of the account below the entry

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        ValueError
            With the name of what is wrong.
        """
        if self.first == self.second:
            raise ValueError(f"strategy 'pairs': the legs must differ, both were {self.first}; name two")
        positive(self.notional, "notional")
        self.steps()

    def steps(self) -> "Steps":
        """Return the parameters of the operators."""
        return Steps(
            hedge_ratio.parameters(self.half_life_s, self.samples_min),
            spread_zscore.parameters(self.half_life_s, self.samples_min),
            half_life.parameters(self.half_life_s, self.samples_min),
            pair_signal.parameters(self.half_life_s, (self.leave, self.enter, self.stop)),
        )


class Steps(NamedTuple):
    """Parameters of the four operators."""

    hedge: hedge_ratio.HedgeParameters
    zscore: spread_zscore.ZscoreParameters
    half_life: half_life.HalfLifeParameters
    signal: pair_signal.SignalParameters


class PairsState(NamedTuple):
    """What the strategy knows."""

    cells: cells_of.Cells
    regression: hedge_ratio.Regression
    spreads: spread_zscore.Spreads
    neighbours: half_life.Neighbours
    signals: pair_signal.Signals
    held: int  # leg that was bought, a PairSignal; NEITHER for none
    sold_cells: int  # since the last sale; SETTLE_CELLS and more is long enough


class Pairs:
    """The strategy.

    Examples
    --------
    >>> strategy = Pairs(PairsParameters())
    >>> strategy.on_market(strategy.begin(), MarketRecord(), 10**18)[1]
    []
    """

    name = "pairs"

    def __init__(self, parameters: PairsParameters) -> None:
        self.parameters = parameters
        self.symbols = (parameters.first, parameters.second)
        self._steps = parameters.steps()

    def begin(self) -> PairsState:
        """Return the state before the first record."""
        return PairsState(
            cells_of.no_cells(2),
            hedge_ratio.no_regression(1),
            spread_zscore.no_spreads(1),
            half_life.no_neighbours(1),
            pair_signal.no_signals(1),
            int(PairSignal.NEITHER),
            SETTLE_CELLS,
        )

    def on_market(
        self, state: PairsState, record: MarketRecord, event_ns: int
    ) -> tuple[PairsState, list[Intent]]:
        """Return the state after a record, and what is asked for."""
        cells, closed = cells_of.after(state.cells, self.symbols, record, event_ns)
        state = state._replace(cells=cells)
        intents: list[Intent] = []
        for cell in closed:
            state, wanted = self._wanted(copied(state), cell)
            state, asked = self._rotated(state, wanted)
            intents += asked
        return state, intents

    def _wanted(self, state: PairsState, cell: cells_of.Closed) -> tuple[PairsState, int]:
        """Return the leg to hold after a cell; uses the arrays of the state up."""
        one, other = (np.full((1, 1), math.log(mid)) for mid in cell.mids)
        learn = np.ones(1, np.bool_)
        steps = self._steps
        regression, _, left = hedge_ratio.spread(state.regression, one, other, learn, steps.hedge)
        spreads, score = spread_zscore.zscore(state.spreads, left, learn, steps.zscore)
        neighbours, lives = half_life.half_life(state.neighbours, left, learn, steps.half_life)
        evidence: Any = (score, np.zeros((1, 1)), lives)
        signals, shown, _ = pair_signal.signal(state.signals, np.array([cell.end_ns]), evidence, steps.signal)
        state = state._replace(regression=regression, spreads=spreads, neighbours=neighbours, signals=signals)
        return state, int(shown[0, 0])

    def _rotated(self, state: PairsState, wanted: int) -> tuple[PairsState, list[Intent]]:
        """Return the state and the intents on the way from what is held to what is wanted."""
        neither = int(PairSignal.NEITHER)
        state = state._replace(sold_cells=min(state.sold_cells + 1, SETTLE_CELLS))
        if state.held not in (wanted, neither):
            sale = PlaceOrder(symbol=self._symbol(state.held), side="sell", share="1", strategy=self.name)
            return state._replace(held=neither, sold_cells=0), [sale]
        if wanted == state.held or state.sold_cells < SETTLE_CELLS:
            return state, []
        purchase = PlaceOrder(
            symbol=self._symbol(wanted),
            side="buy",
            notional=self.parameters.notional,
            stop_ppm=self.parameters.stop_ppm,
            strategy=self.name,
        )
        return state._replace(held=wanted), [purchase]

    def _symbol(self, leg: int) -> str:
        return self.symbols[0] if leg == PairSignal.HOLD_FIRST else self.symbols[1]
