"""Pairs fold: statistical arbitrage over many pairs of one market, cell by cell; a pure fold.

Law: what a pair gives depends on the prices of its two legs since it was taken in, and on nothing else:
not on other pairs, nor on how cells were cut into batches. A cell in which a leg has no clean price
(before its first quote, with an empty side, blinded by a gap) is missing; nothing is bridged.

Prices are *looked at* every cell, but *learned from* only once every ``step_cells``: over a second the
bounce between bid and ask is larger than what a spread reverts by, and would be taken for reversion.
Of a cell, `hedge_ratio` gives the spread, `spread_zscore` its z-score, both by what was learned before
it; `half_life` how fast it reverts; `cointegration`, over a window and in turns, whether; `pair_signal`
what follows from that. Each does all pairs in one jitted call.

Pairs are of two instruments of one market, as money can rotate only there. At most PAIRS_MAX are
followed: those that are stay, and places that become free go to new ones by market and symbols. A pair
leaves with its first leg to leave, and is forgotten.
"""

import zlib
from typing import Any, NamedTuple, TypeVar

import numpy as np

from genesis.operators import cointegration, half_life, hedge_ratio, pair_signal, spread_zscore
from genesis.operators.arrays import Bools, Floats, Ints, Rows, grown
from genesis.operators.parameters import within
from genesis.operators.records import STAT_ARB
from genesis.operators.roster import CELL_NS

PAIRS_MAX = 1_225
"""Most pairs that are followed: all of 50 instruments."""

TEST_STEPS = 10
"""Each pair is tested for cointegration once in so many samples; whose turn it is, its names say."""

S = TypeVar("S", bound=tuple[Any, ...])


class PairParameters(NamedTuple):
    """Parameters of the fold; made by `parameters`."""

    step_cells: int  # from one sample to the next
    window_samples: int  # of the cointegration test
    lags: int  # of the cointegration test
    hedge: hedge_ratio.HedgeParameters
    zscore: spread_zscore.ZscoreParameters
    reversion: half_life.HalfLifeParameters
    signal: pair_signal.SignalParameters


class Pairs(NamedTuple):
    """The state of all pairs that are followed."""

    parameters: PairParameters
    legs: Ints  # shape (pairs, 2): slots of the first and the second instrument, in published order
    blank: Rows  # STAT_ARB, shape (pairs,): rows with the names filled in
    turn: Ints  # shape (pairs,): the cell, of every so many, in which a pair is tested
    hedge: hedge_ratio.Regression
    zscore: spread_zscore.Spreads
    reversion: half_life.Neighbours
    signals: pair_signal.Signals
    p_value: Floats  # shape (pairs,): of the newest test; NaN before the first
    window: Floats  # shape (slots, window_samples): a ring of log prices
    sampled: int  # samples written to the ring so far


def parameters(
    step_cells: int = 60,
    half_life_samples: float = 1_440.0,
    window_samples: int = 1_440,
    lags: int = 10,
    samples_min: int = 30,
) -> PairParameters:
    """Return valid parameters; the defaults are a sample a minute and one day of memory.

    Parameters
    ----------
    step_cells
        Cells from one sample to the next.
    half_life_samples
        Half-life of all weights, and half-life of reversion at which confidence is halved, in samples.
    window_samples
        Window of the cointegration test, in samples.
    lags
        Lagged differences in that test.
    samples_min
        Samples before the first hedge ratio, as many before the first z-score, and before the first
        half-life.

    Raises
    ------
    ValueError
        When one of them is out of its range.
    """
    within("pairs", "step_cells", step_cells, (1, 86_400), "give the cells between two samples")
    within("pairs", "window_samples", window_samples, (50, 10_000), "give a window such as 1440")
    return PairParameters(
        int(step_cells),
        int(window_samples),
        cointegration.lags_of(lags),
        hedge_ratio.parameters(half_life_samples, samples_min),
        spread_zscore.parameters(half_life_samples, samples_min),
        half_life.parameters(half_life_samples, samples_min),
        pair_signal.parameters(half_life_samples),
    )


DEFAULT = parameters()
"""A sample a minute and one day of memory."""


def no_pairs(parameters: PairParameters) -> Pairs:
    """Return the state before the first pair."""
    return Pairs(
        parameters,
        np.zeros((0, 2), np.int64),
        STAT_ARB.empty(),
        np.empty(0, np.int64),
        hedge_ratio.no_regression(),
        spread_zscore.no_spreads(),
        half_life.no_neighbours(),
        pair_signal.no_signals(),
        np.empty(0),
        np.empty((0, parameters.window_samples)),
        0,
    )


def carried(old: S, fresh: S, source: Ints) -> S:
    """Return ``fresh`` with entry k of every array taken from entry ``source[k]`` of ``old``.

    Where the source is negative the fresh entry stays. ``fresh`` is used up.

    >>> from typing import NamedTuple
    >>> class Count(NamedTuple):
    ...     seen: Ints
    >>> carried(Count(np.array([5, 6])), Count(np.zeros(3, np.int64)), np.array([1, -1, 0])).seen.tolist()
    [6, 0, 5]
    """
    kept = source >= 0
    for new, had in zip(fresh, old, strict=True):
        new[kept] = had[source[kept]]
    return fresh


def followed(pairs: Pairs, candidates: tuple[Ints, Ints], names: Rows, active: Bools) -> Pairs:
    """Return the state in which the pairs of active instruments are followed.

    Parameters
    ----------
    pairs
        Used up.
    candidates
        Slots of the first and the second instrument of every pair, in the order of their names.
    names
        Rows with ``symbol_a``, ``symbol_b``, ``market_a`` and ``market_b`` of these pairs.
    active
        Which slots have an instrument; what is known of the others is forgotten.
    """
    same = np.flatnonzero(names["market_a"] == names["market_b"])
    legs = np.stack([slots[same] for slots in candidates], axis=1)
    place = {(a, b): k for k, (a, b) in enumerate(pairs.legs.tolist())}
    source = np.array([place.get((a, b), -1) for a, b in legs.tolist()], np.int64)
    if source.size > PAIRS_MAX:
        chosen = np.sort(np.argsort(source < 0, kind="stable")[:PAIRS_MAX])
        same, legs, source = same[chosen], legs[chosen], source[chosen]
    count = source.size
    blank = STAT_ARB.empty(count)
    for column in ("symbol_a", "symbol_b", "market_a", "market_b"):
        blank[column] = names[column][same]
    window = pairs.window
    if window.shape[0] < active.size:
        window = grown(window, active.size, np.nan)
    window[~active] = np.nan
    (p_value,) = carried((pairs.p_value,), (np.full(count, np.nan),), source)
    return pairs._replace(
        legs=legs,
        blank=blank,
        turn=np.array([zlib.crc32(row.tobytes()) % _every(pairs.parameters) for row in blank], np.int64),
        hedge=carried(pairs.hedge, hedge_ratio.no_regression(count), source),
        zscore=carried(pairs.zscore, spread_zscore.no_spreads(count), source),
        reversion=carried(pairs.reversion, half_life.no_neighbours(count), source),
        signals=carried(pairs.signals, pair_signal.no_signals(count), source),
        p_value=p_value,
        window=window,
    )


def step(pairs: Pairs, log_price: Floats, stale: Bools, cell: int, end_ns: int) -> tuple[Pairs, Rows]:
    """Return the state after one cell, and a row of each pair.

    Parameters
    ----------
    pairs
        Used up.
    log_price
        Natural logarithm of each instrument's price at the end of the cell, shape ``(slots,)``; NaN
        while there is no clean one.
    stale
        Whether a gap touches the price of an instrument, shape ``(slots,)``.
    cell
        Number of the cell, counted from where the grid begins.
    end_ns
        End of the cell.

    Examples
    --------
    >>> names = STAT_ARB.empty(1)
    >>> pairs = followed(no_pairs(parameters()), (np.array([0]), np.array([1])), names, np.ones(2, np.bool_))
    >>> pairs, rows = step(pairs, np.log([9.0, 10.0]), np.zeros(2, np.bool_), cell=0, end_ns=5)
    >>> rows["signal"].tolist(), rows["z_score"].tolist(), pairs.sampled
    ([0], [nan], 1)
    """
    rule, count = pairs.parameters, pairs.blank.size
    learn = np.array([cell % rule.step_cells == 0])
    if learn[0] and pairs.window.size:
        pairs.window[: log_price.size, pairs.sampled % rule.window_samples] = log_price
        pairs = pairs._replace(sampled=pairs.sampled + 1)
    if not count:
        return pairs, STAT_ARB.empty()
    first, second = (log_price[pairs.legs[:, leg]].reshape(1, -1) for leg in (0, 1))
    hedge, ratio, spread = hedge_ratio.spread(pairs.hedge, first, second, learn, rule.hedge)
    zscore, score = spread_zscore.zscore(pairs.zscore, spread, learn, rule.zscore)
    reversion, samples = half_life.half_life(pairs.reversion, spread, learn, rule.reversion)
    pairs = _tested(pairs, cell)
    evidence = (score, pairs.p_value.reshape(1, -1), samples)
    signals, held, confidence = pair_signal.signal(pairs.signals, np.array([end_ns]), evidence, rule.signal)
    rows = pairs.blank.copy()
    rows["event_ns"], rows["since_ns"] = end_ns, signals.since_ns
    rows["hedge_ratio"], rows["spread_bps"], rows["z_score"] = ratio[0], spread[0] * 1e4, score[0]
    rows["reversion_s"] = samples[0] * rule.step_cells * (CELL_NS / 1e9)
    rows["p_value"], rows["confidence"] = pairs.p_value, confidence[0]
    rows["signal"], rows["previous_signal"] = held[0], signals.previous
    rows["stale"] = stale[pairs.legs].any(axis=1)
    return pairs._replace(hedge=hedge, zscore=zscore, reversion=reversion, signals=signals), rows


def compile_kernels() -> None:
    """Compile the kernels, or load them from their cache, before the first cell waits for them."""
    one = (np.array([0]), np.array([1]))
    pairs = followed(no_pairs(parameters(step_cells=1)), one, STAT_ARB.empty(1), np.ones(2, np.bool_))
    for cell in range(TEST_STEPS):
        pairs, _ = step(pairs, np.zeros(2), np.zeros(2, np.bool_), cell, cell)


def _every(rule: PairParameters) -> int:
    """Return after how many cells a pair is tested again."""
    return TEST_STEPS * rule.step_cells


def _tested(pairs: Pairs, cell: int) -> Pairs:
    """Return the state after the cointegration tests whose turn it is."""
    rule = pairs.parameters
    due = np.flatnonzero(pairs.turn == cell % _every(rule))
    if due.size:
        slots, column = np.unique(pairs.legs[due], return_inverse=True)
        ring = np.roll(pairs.window[slots], -(pairs.sampled % rule.window_samples), axis=1)
        first, second = np.ascontiguousarray(column.reshape(-1, 2).T)
        log_prices = np.ascontiguousarray(ring.T)
        pairs.p_value[due] = cointegration.engle_granger(log_prices, first, second, rule.lags)[1]
    return pairs
