"""The fold of pairs is its estimators put together, pair by pair, whoever joins, leaves or is blind."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from genesis.operators import cointegration, half_life, hedge_ratio, pair_signal, pairs_fold, spread_zscore
from genesis.operators.arrays import copied
from genesis.operators.records import CORRELATION, STAT_ARB, PairSignal
from tests.operators import pairs_data

RULE = pairs_fold.parameters(step_cells=3, half_life_samples=60.0, window_samples=80, lags=2)


def names_of(slots: list[int], markets: dict[int, int] | None = None):
    """Return the pairs of instruments in slots, as `roster.Roster` has them."""
    a, b = np.triu_indices(len(slots), 1)
    rows = CORRELATION.empty(a.size)
    symbols = np.array([b"S%02d" % slot for slot in slots])
    rows["symbol_a"], rows["symbol_b"] = symbols[a], symbols[b]
    of = np.array([(markets or {}).get(slot, 1) for slot in slots])
    rows["market_a"], rows["market_b"] = of[a], of[b]
    return (np.array(slots)[a], np.array(slots)[b]), rows


def following(pairs, slots: list[int], room: int, markets=None):
    active = np.zeros(room, np.bool_)
    active[slots] = True
    return pairs_fold.followed(pairs, *names_of(slots, markets), active)


def ran(pairs, log_prices: np.ndarray, begin: int = 0):
    """Return the state after cells, and the rows, shape ``(cells, pairs)``."""
    rows = []
    for cell, log_price in enumerate(log_prices, begin):
        pairs, found = pairs_fold.step(pairs, log_price, np.isnan(log_price), cell, 1_000 * (cell + 1))
        rows.append(found)
    return pairs, np.array(rows)


def prices(cells: int, count: int, seed: int = 1) -> np.ndarray:
    """Return log prices that follow a common walk, each with a distance that reverts."""
    rng = np.random.default_rng(seed)
    noise, away = rng.normal(size=(cells, count)) * 1e-3, np.zeros((cells, count))
    for t in range(1, cells):
        away[t] = 0.9 * away[t - 1] + noise[t]
    return 4.0 + np.cumsum(rng.normal(size=(cells, 1)) * 1e-3, axis=0) + away


def same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.tobytes() == right.tobytes()


def test_it_is_its_estimators_put_together(recordings: Path) -> None:
    log_prices = pairs_data.minutes(recordings, "BTC", "ETH", "LTC")[:1_500]
    _, rows = ran(following(pairs_fold.no_pairs(RULE), [0, 1, 2], 3), log_prices)
    (a, b), _ = names_of([0, 1, 2])
    first, second = log_prices[:, a].copy(), log_prices[:, b].copy()
    learn = np.arange(1_500) % 3 == 0
    _, ratio, spread = hedge_ratio.spread(hedge_ratio.no_regression(3), first, second, learn, RULE.hedge)
    _, score = spread_zscore.zscore(spread_zscore.no_spreads(3), spread, learn, RULE.zscore)
    _, samples = half_life.half_life(half_life.no_neighbours(3), spread, learn, RULE.reversion)
    np.testing.assert_array_equal(rows["hedge_ratio"], ratio)
    np.testing.assert_array_equal(rows["spread_bps"], spread * 1e4)
    np.testing.assert_array_equal(rows["z_score"], score)
    np.testing.assert_array_equal(rows["reversion_s"], samples * 3)
    evidence = (score, rows["p_value"].copy(), samples)
    ends = 1_000 * np.arange(1, 1_501)
    _, held, confidence = pair_signal.signal(pair_signal.no_signals(3), ends, evidence, RULE.signal)
    np.testing.assert_array_equal(rows["signal"], held)
    np.testing.assert_array_equal(rows["confidence"], confidence)
    assert {*held.ravel()} == {*PairSignal}
    assert (rows["since_ns"] <= rows["event_ns"]).all()


def test_p_values_are_of_the_last_window_and_pairs_take_turns() -> None:
    log_prices = prices(900, 3)
    _, rows = ran(following(pairs_fold.no_pairs(RULE), [0, 1, 2], 3), log_prices)
    (a, b), _ = names_of([0, 1, 2])
    for pair in range(3):
        defined = np.flatnonzero(np.isfinite(rows["p_value"][:, pair]))
        tested = defined[1:][np.diff(rows["p_value"][defined, pair]) != 0.0]
        assert set(np.diff(tested)) == {30}  # ten samples, each three cells
        cell = tested[-1]
        window = np.ascontiguousarray(log_prices[: cell + 1][::3][-80:])
        _, expected = cointegration.engle_granger(window, a, b, 2)
        assert rows["p_value"][cell, pair] == pytest.approx(expected[pair], rel=1e-9)


@pytest.mark.parametrize("cut", [1, 250, 300])
def test_the_state_may_be_kept_anywhere(cut: int) -> None:
    log_prices = prices(500, 3)
    log_prices[100:140, 1] = np.nan
    before = log_prices.copy()
    _, rows = ran(following(pairs_fold.no_pairs(RULE), [0, 1, 2], 3), log_prices)
    part, begin = ran(following(pairs_fold.no_pairs(RULE), [0, 1, 2], 3), log_prices[:cut])
    kept = pickle.loads(pickle.dumps(copied(part)))
    _, end = ran(kept, log_prices[cut:], cut)
    assert same(rows, np.concatenate([begin, end]))
    np.testing.assert_array_equal(log_prices, before)


def test_an_instrument_that_joins_or_leaves_disturbs_no_other_and_is_forgotten() -> None:
    log_prices = prices(600, 4)
    _, alone = ran(following(pairs_fold.no_pairs(RULE), [0, 1], 2), log_prices[:, :2].copy())
    pairs = following(pairs_fold.no_pairs(RULE), [0, 1], 2)
    pairs, begin = ran(pairs, log_prices[:200, :2].copy())
    pairs, middle = ran(following(pairs, [3, 0, 1], 4), log_prices[200:400], 200)
    pairs, end = ran(following(pairs, [0, 1], 4), log_prices[400:500], 400)
    _, again = ran(following(pairs, [0, 1, 3], 4), log_prices[500:], 500)
    is_pair = middle["symbol_a"][0] == b"S00"
    found = np.concatenate([begin, middle[:, is_pair], end, again[:, :1]])
    for name in ("hedge_ratio", "z_score", "reversion_s", "confidence", "signal", "since_ns"):
        np.testing.assert_array_equal(found[name], alone[name])
    assert np.isfinite(middle["hedge_ratio"][-1]).all()
    assert np.isnan(again["hedge_ratio"][0, 1:]).all()
    assert (again["since_ns"][:, 1:] >= 501_000).all()


def test_a_blind_leg_is_missing_and_the_signal_is_held() -> None:
    log_prices = prices(400, 2)
    pairs = following(pairs_fold.no_pairs(RULE), [0, 1], 2)
    pairs, _ = ran(pairs, log_prices[:300])
    samples = pairs.hedge.samples.copy()
    pairs.signals.signal[:] = PairSignal.HOLD_FIRST
    log_prices[300:330, 0] = np.nan
    pairs, rows = ran(pairs, log_prices[300:330], 300)
    assert (rows["stale"] == 1).all()
    assert np.isnan(rows["z_score"]).all()
    assert (rows["signal"] == PairSignal.HOLD_FIRST).all()
    assert pairs.hedge.samples.tolist() == samples.tolist()
    assert np.isnan(pairs.reversion.newest).all()


def test_pairs_are_of_one_market_and_of_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    markets = {0: 1, 1: 2, 2: 1, 3: 2}
    pairs = following(pairs_fold.no_pairs(RULE), [0, 2, 1, 3], 4, markets)
    assert pairs.legs.tolist() == [[0, 2], [1, 3]]
    monkeypatch.setattr(pairs_fold, "PAIRS_MAX", 3)
    pairs = following(pairs_fold.no_pairs(RULE), [1, 2, 3], 4)
    pairs, _ = ran(pairs, prices(200, 4))
    samples = pairs.hedge.samples.tolist()
    pairs = following(pairs, [0, 1, 2, 3], 4)  # slot 0 comes first by name, but there is no room
    assert pairs.legs.tolist() == [[1, 2], [1, 3], [2, 3]]
    assert pairs.hedge.samples.tolist() == samples
    pairs = following(pairs, [0, 1, 2], 4)
    assert pairs.legs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert pairs.hedge.samples.tolist() == [0, 0, samples[0]]


def test_without_pairs_there_are_no_rows() -> None:
    pairs, rows = pairs_fold.step(pairs_fold.no_pairs(RULE), np.empty(0), np.empty(0, np.bool_), 0, 1)
    assert rows.dtype == STAT_ARB.dtype
    assert rows.size == pairs.sampled == 0
    _, rows = ran(following(pairs, [0], 1), prices(5, 1))
    assert rows.shape == (5, 0)


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="step_cells must be in"):
        pairs_fold.parameters(step_cells=0)
    with pytest.raises(ValueError, match="window_samples must be in"):
        pairs_fold.parameters(window_samples=10)
