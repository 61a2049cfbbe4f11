"""The z-score is that of the past alone, whatever is missing and however it is cut."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import spread_zscore
from genesis.operators.pairs_fold import carried
from tests.operators import naive_pairs, pairs_data

RULE = spread_zscore.parameters(half_life=5.0, samples_min=3)


def run(spread, learn, rule=RULE, state=None):
    return spread_zscore.zscore(state or spread_zscore.no_spreads(spread.shape[1]), spread, learn, rule)


@given(pairs_data.columns(20), st.integers(0, 99))
def test_it_is_the_definition(spread: np.ndarray, seed: int) -> None:
    learn = pairs_data.learned(spread.shape[0], seed)
    _, scores = run(spread, learn)
    for pair in range(2):
        expected = naive_pairs.zscore(spread[:, pair], learn, 5.0, 3)
        both = np.isfinite(scores[:, pair]) & np.isfinite(expected)
        np.testing.assert_allclose(scores[both, pair], expected[both], rtol=1e-5, atol=1e-6)
        assert np.isnan(scores[~np.isfinite(spread[:, pair]), pair]).all()


def test_it_is_undefined_where_the_definition_is() -> None:
    rng = np.random.default_rng(1)
    spread = rng.normal(size=(200, 3))
    spread[rng.random(spread.shape) < 0.2] = np.nan
    spread[:, 2] = 0.1  # never moves
    learn = pairs_data.learned(200, 1)
    _, scores = run(spread, learn)
    for pair in range(3):
        np.testing.assert_allclose(scores[:, pair], naive_pairs.zscore(spread[:, pair], learn, 5.0, 3))


def test_it_is_what_pandas_computes_on_the_recorded_month(recordings: Path) -> None:
    log_prices = pairs_data.minutes(recordings, "LTC", "BCH")[:5_000]
    spread = (log_prices[:, 0] - log_prices[:, 1]).copy()
    spread[1_000:1_300] = np.nan
    rule = spread_zscore.parameters(half_life=720.0)
    _, scores = run(spread.reshape(-1, 1), np.ones(5_000, np.bool_), rule)
    window = pd.Series(spread).ewm(halflife=720, ignore_na=True)
    expected = (spread - window.mean().shift(1)) / np.sqrt(window.var(bias=True).shift(1))
    np.testing.assert_allclose(scores[100:, 0], expected[100:], rtol=1e-7, atol=1e-9)


@given(pairs_data.columns(20), st.integers(0, 20), st.integers(0, 99))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(spread: np.ndarray, cut: int, seed: int) -> None:
    learn, before = pairs_data.learned(spread.shape[0], seed), spread.copy()
    whole, scores = run(spread, learn)
    part, begin = run(spread[:cut], learn[:cut])
    part, end = run(spread[cut:], learn[cut:], state=pickle.loads(pickle.dumps(part)))
    assert [each.tobytes() for each in whole] == [each.tobytes() for each in part]
    assert scores.tobytes() == np.concatenate([begin, end]).tobytes()
    np.testing.assert_array_equal(spread, before)


def test_a_jump_is_measured_by_what_was_usual_before_it() -> None:
    spread = np.random.default_rng(2).normal(size=(101, 1))
    spread[100] = 50.0
    _, scores = run(spread, np.ones(101, np.bool_), spread_zscore.parameters(1e6))
    past = spread[:100, 0]
    assert scores[100, 0] == pytest.approx((50.0 - past.mean()) / past.std(), rel=1e-3)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_it_does_not_depend_on_the_unit(scale: float) -> None:
    spread = np.random.default_rng(3).normal(size=(100, 1))
    learn = np.ones(100, np.bool_)
    np.testing.assert_allclose(run(spread * scale, learn)[1], run(spread, learn)[1], rtol=1e-9)


def test_a_pair_that_joins_disturbs_no_other() -> None:
    spread, learn = np.random.default_rng(4).normal(size=(40, 2)), np.ones(40, np.bool_)
    _, alone = run(spread[:, :1].copy(), learn)
    state, _ = run(spread[:20, :1].copy(), learn[:20])
    state = carried(state, spread_zscore.no_spreads(2), np.array([0, -1]))
    _, together = run(spread[20:], learn[20:], state=state)
    assert together[:, 0].tobytes() == alone[20:, 0].tobytes()
    assert np.isnan(together[:3, 1]).all()


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_life must be positive and finite, was -1"):
        spread_zscore.parameters(-1.0)
    with pytest.raises(ValueError, match="one sample has no deviation"):
        spread_zscore.parameters(5.0, samples_min=1)
