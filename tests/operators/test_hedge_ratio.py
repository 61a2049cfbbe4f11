"""Hedge ratio and spread are a weighted regression on the past alone, whatever is missing."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import hedge_ratio
from genesis.operators.pairs_fold import carried
from tests.operators import naive_pairs, pairs_data

RULE = hedge_ratio.parameters(half_life=5.0, samples_min=4)


def run(first, second, learn, rule=RULE, state=None):
    state = state or hedge_ratio.no_regression(first.shape[1])
    return hedge_ratio.spread(state, first, second, learn, rule)


@given(pairs_data.columns(20), st.integers(0, 99))
def test_it_is_the_definition(first: np.ndarray, seed: int) -> None:
    second = np.random.default_rng(seed).permuted(first, axis=0)
    learn = pairs_data.learned(first.shape[0], seed)
    _, ratios, spreads = run(first, second, learn)
    for pair in range(2):
        ratio, spread = naive_pairs.hedge(first[:, pair], second[:, pair], learn, 5.0, 4)
        both = np.isfinite(ratio) & np.isfinite(ratios[:, pair])
        np.testing.assert_allclose(ratios[both, pair], ratio[both], rtol=1e-6, atol=1e-6)
        both = np.isfinite(spread) & np.isfinite(spreads[:, pair])
        np.testing.assert_allclose(spreads[both, pair], spread[both], rtol=1e-5, atol=1e-5)


def test_it_is_undefined_where_the_definition_is() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    first[rng.random(first.shape) < 0.2] = np.nan
    second[:, 2] = 7.7  # never moves
    learn = pairs_data.learned(200, 1)
    _, ratios, spreads = run(first, second, learn)
    for pair in range(3):
        ratio, spread = naive_pairs.hedge(first[:, pair], second[:, pair], learn, 5.0, 4)
        np.testing.assert_allclose(ratios[:, pair], ratio, rtol=1e-9)
        np.testing.assert_allclose(spreads[:, pair], spread, rtol=1e-9, atol=1e-12)
    assert np.isnan(ratios[:, 2]).all()


def test_it_is_what_pandas_computes_on_the_recorded_month(recordings: Path) -> None:
    log_prices = pairs_data.minutes(recordings, "LTC", "BCH")[:5_000].copy()
    log_prices[1_000:1_300, 0] = np.nan
    rule = hedge_ratio.parameters(half_life=720.0)
    first, second = (np.ascontiguousarray(log_prices[:, [leg]]) for leg in (0, 1))
    _, ratios, _ = run(first, second, np.ones(5_000, np.bool_), rule)
    frame = pd.DataFrame(log_prices, columns=["first", "second"]).dropna()
    window = frame.ewm(halflife=720)
    expected = window.cov(bias=True).xs("first", level=1)["second"] / window.var(bias=True)["second"]
    known = expected.reindex(range(5_000)).ffill().shift(1)  # from before the cell
    np.testing.assert_allclose(ratios[100:, 0], known[100:], rtol=1e-7)


@given(pairs_data.columns(20), st.integers(0, 20), st.integers(0, 99))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(first: np.ndarray, cut: int, seed: int) -> None:
    second, learn = first[:, ::-1].copy(), pairs_data.learned(first.shape[0], seed)
    inputs = first.copy(), second.copy()
    whole, *paths = run(first, second, learn)
    part, *begun = run(first[:cut], second[:cut], learn[:cut])
    part, *ended = run(first[cut:], second[cut:], learn[cut:], state=pickle.loads(pickle.dumps(part)))
    assert [each.tobytes() for each in whole] == [each.tobytes() for each in part]
    for path, begin, end in zip(paths, begun, ended, strict=True):
        assert path.tobytes() == np.concatenate([begin, end]).tobytes()
    np.testing.assert_array_equal(inputs, (first, second))


def test_nothing_is_known_from_the_present_or_the_future() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(60, 2)), rng.normal(size=(60, 2))
    learn = np.ones(60, np.bool_)
    _, ratios, spreads = run(first, second, learn)
    first[40:], second[41:] = 1e6, -1e6
    _, other, left = run(first, second, learn)
    assert other[:41].tobytes() == ratios[:41].tobytes()
    assert left[:40].tobytes() == spreads[:40].tobytes()


@pytest.mark.parametrize("scale", [1e-120, 1.0, 1e120])
def test_huge_and_tiny_prices_have_the_ratio_of_any_other(scale: float) -> None:
    rng = np.random.default_rng(3)
    second = np.cumsum(rng.normal(size=(200, 1)), axis=0)
    first = 0.7 * second + rng.normal(size=(200, 1)) * 0.1
    _, ratios, _ = run(first * scale, second * scale, np.ones(200, np.bool_))
    _, expected, _ = run(first, second, np.ones(200, np.bool_))
    np.testing.assert_allclose(ratios, expected, rtol=1e-9)


def test_a_pair_that_joins_disturbs_no_other() -> None:
    rng = np.random.default_rng(4)
    first, second, learn = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)), np.ones(40, np.bool_)
    _, alone, _ = run(first[:, :1].copy(), second[:, :1].copy(), learn)
    state, _, _ = run(first[:20, :1].copy(), second[:20, :1].copy(), learn[:20])
    state = carried(state, hedge_ratio.no_regression(2), np.array([0, -1]))
    _, together, _ = run(first[20:], second[20:], learn[20:], state=state)
    assert together[:, 0].tobytes() == alone[20:, 0].tobytes()
    assert np.isnan(together[:4, 1]).all()
    assert np.isfinite(together[4:, 1]).all()


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_life must be positive and finite, was 0"):
        hedge_ratio.parameters(0.0)
    with pytest.raises(ValueError, match="samples_min must be in"):
        hedge_ratio.parameters(5.0, samples_min=2)
