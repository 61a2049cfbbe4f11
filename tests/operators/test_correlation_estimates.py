"""What the flow publishes beside the EWMA is what the definitions give for the recorded quotes."""

from pathlib import Path

import numpy as np
import pytest

from genesis.operators import correlation_estimates as estimates
from genesis.operators import market_join, sampling, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.correlation_records import Estimator
from genesis.operators.records import BOOK, CORRELATION, GAP, TRADE
from genesis.operators.roster import CELL_NS
from genesis.operators.sampling import SAMPLE
from genesis.operators.shard_fold import Arrivals
from tests.operators import naive_correlation as naive
from tests.operators import recorded, streams

SYMBOLS = (b"BTCUSDT", b"ETHUSDT")


@pytest.fixture(scope="module")
def spot(recordings: Path) -> tuple[np.ndarray, np.ndarray]:
    """Give the recorded spot quotes and what was published, folded in one batch."""
    quotes = recorded.together(recordings, "spot_btcusdt", "spot_ethusdt")[1]
    rows = (TRADE.empty(), quotes, BOOK.empty(), GAP.empty())
    _, out = shard_fold.fold(shard_fold.new_shard(), Arrivals(rows, (NEVER_NS,) * 4, (1,) * 4))
    _, cells = market_join.fold(market_join.new_join(1, (0,)), [streams.contribution(0, out)])
    return quotes, cells.correlation_estimates


def newest_first(quotes: np.ndarray, symbol: bytes) -> np.ndarray:
    mine = quotes[quotes["symbol"] == symbol]
    return mine[np.lexsort((mine["update_id"], mine["event_ns"]))]


def test_the_rolling_one_is_that_of_the_last_cells(spot: tuple[np.ndarray, np.ndarray]) -> None:
    quotes, rows = spot
    rows = rows[rows["estimator"] == Estimator.ROLLING]
    logs = []
    for symbol in SYMBOLS:
        mine = newest_first(quotes, symbol)
        newest = np.searchsorted(mine["event_ns"], rows["sample_ns"]) - 1
        log_price = np.log((mine["bid_price"] + mine["ask_price"])[newest] / 2.0)
        logs.append(np.where(newest < 0, np.nan, log_price))
    returns = np.diff(np.stack(logs, axis=1), axis=0, prepend=np.full((1, 2), np.nan))
    for number in (5, 100, 299, 301, 340):
        expected, count = naive.rolling(returns[: number + 1], estimates.WINDOW_CELLS)
        assert rows["correlation"][number] == pytest.approx(expected[0, 1], abs=1e-9)
        assert rows["effective_count"][number] == count[0, 1]


def test_hayashi_yoshida_is_the_double_sum_over_the_newest_quotes_of_slices(
    spot: tuple[np.ndarray, np.ndarray],
) -> None:
    quotes, rows = spot
    rows = rows[rows["estimator"] == Estimator.HAYASHI_YOSHIDA]
    end_ns = int(rows["sample_ns"][20])
    ticks = []
    for number, symbol in enumerate(SYMBOLS):
        mine = newest_first(quotes[quotes["event_ns"] < end_ns], symbol)
        slices = mine["event_ns"] // sampling.SLICE_NS
        last = mine[np.append(slices[1:] != slices[:-1], True)]
        mids = (last["bid_price"] + last["ask_price"]) / 2.0
        ticks += [(at, number, mid) for at, mid in zip(last["event_ns"].tolist(), mids.tolist(), strict=True)]
    begin_ns = int(rows["sample_ns"][0]) - CELL_NS
    ticks = sorted((max(at, begin_ns), number, mid) for at, number, mid in ticks)
    _, expected, count = naive.hayashi_yoshida(ticks, 2, estimates.HALF_LIFE_NS)
    assert rows["correlation"][20] == pytest.approx(expected[0, 1], abs=1e-6)
    assert rows["effective_count"][20] == pytest.approx(count[0, 1], rel=1e-6)
    assert rows["correlation"][-1] == pytest.approx(0.60, abs=0.05)


def quotes_of(mids: list[float], slot: int) -> np.ndarray:
    """Return samples of one instrument, one a cell."""
    rows = np.zeros(len(mids), SAMPLE)
    rows["slice_ns"] = rows["newest_ns"] = np.arange(len(mids)) * CELL_NS + slot * sampling.SLICE_NS
    rows["bid_price"] = rows["ask_price"] = mids
    rows["has_quote"] = 1
    return rows


def test_a_return_across_a_gap_counts_nowhere() -> None:
    rng = np.random.default_rng(1)
    mids = np.exp(np.cumsum(rng.normal(size=(40, 2)), axis=0) * 1e-3)
    state = estimates.with_slots(estimates.no_estimates(), 2)
    ticks = []
    slots = np.arange(2)
    for cell in range(40):
        blind = np.array([10 <= cell < 14, False])
        samples = np.concatenate([quotes_of(mids[:, slot].tolist(), slot)[cell : cell + 1] for slot in slots])
        state = estimates.step(state, np.full(2, np.nan), slots, samples, blind, cell * CELL_NS)
        ticks += [(int(row["newest_ns"]), slot, mids[cell, slot]) for slot, row in enumerate(samples)]
        ticks += [(cell * CELL_NS, 0, np.nan)] if blind[0] else []
    ticks.sort(key=lambda tick: tick[0])
    _, expected, count = naive.hayashi_yoshida(ticks, 2, estimates.HALF_LIFE_NS)
    blank = estimates.blank_rows(CORRELATION.empty(1), CELL_NS)
    pair = np.array([0]), np.array([1])
    rows = estimates.rows_of(state, blank, pair, np.zeros(1, np.bool_), 40 * CELL_NS)
    assert rows["correlation"][1] == pytest.approx(expected[0, 1], abs=1e-9)
    assert rows["effective_count"][1] == pytest.approx(count[0, 1])
    assert np.isnan(rows["correlation"][0])
