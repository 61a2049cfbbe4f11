"""The half-life is that of the autoregression, found again where it is known, and never bridges a hole."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.ar_model import AutoReg

from genesis.operators import half_life
from genesis.operators.pairs_fold import carried
from tests.operators import naive_pairs, pairs_data

RULE = half_life.parameters(half_life=5.0, samples_min=3)


def run(values, learn, rule=RULE, state=None):
    return half_life.half_life(state or half_life.no_neighbours(values.shape[1]), values, learn, rule)


def faded(found: np.ndarray) -> np.ndarray:
    """Return the coefficient again, which has no poles."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(-np.log(2.0) / found)


@given(pairs_data.columns(20), st.integers(0, 99))
def test_it_is_the_definition(values: np.ndarray, seed: int) -> None:
    learn = pairs_data.learned(values.shape[0], seed)
    _, found = run(values, learn)
    for series in range(2):
        expected = naive_pairs.half_life(values[:, series], learn, 5.0, 3)
        both = ~np.isnan(found[:, series]) & ~np.isnan(expected)
        np.testing.assert_allclose(faded(found[both, series]), faded(expected[both]), atol=1e-5)
    assert (np.isnan(found) | (found >= 0.0)).all()


def test_it_is_undefined_where_the_definition_is() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 4))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 2] = 0.1  # never moves
    values[::2, 3] = np.nan  # has no neighbours
    learn = pairs_data.learned(200, 1)
    _, found = run(values, learn)
    for series in range(4):
        np.testing.assert_allclose(
            found[:, series], naive_pairs.half_life(values[:, series], learn, 5.0, 3), rtol=1e-6
        )


def test_it_is_that_of_an_autoregression_by_statsmodels(recordings: Path) -> None:
    log_prices = pairs_data.minutes(recordings, "LTC", "BCH")[:5_000]
    values = (log_prices[:, :1] - log_prices[:, 1:]).copy()
    _, found = run(values, np.ones(5_000, np.bool_), half_life.parameters(1e12))
    slope = AutoReg(values[:, 0], 1).fit().params[1]
    assert found[-1, 0] == pytest.approx(np.log(2.0) / -np.log(slope), rel=1e-5)


def test_a_known_half_life_is_found_again() -> None:
    rng, true = np.random.default_rng(5), np.array([5.0, 20.0])
    noise, values = rng.normal(size=(20_000, 2)), np.zeros((20_000, 2))
    for t in range(1, 20_000):
        values[t] = 0.5 ** (1.0 / true) * values[t - 1] + noise[t]
    _, found = run(values, np.ones(20_000, np.bool_), half_life.parameters(1e9))
    np.testing.assert_allclose(found[-1], true, rtol=0.1)


def test_what_does_not_revert_is_infinite_and_what_alternates_is_zero() -> None:
    values = np.stack([2.0 ** np.arange(10), (-1.0) ** np.arange(10)], axis=1)
    assert run(values, np.ones(10, np.bool_))[1][-1].tolist() == [np.inf, 0.0]


def test_a_hole_is_not_bridged() -> None:
    values = np.random.default_rng(6).normal(size=(30, 1))
    holed = np.insert(values, 15, np.nan, axis=0)
    state, _ = run(holed, np.ones(31, np.bool_))
    assert state.samples[0] == 28


@given(pairs_data.columns(20), st.integers(0, 20), st.integers(0, 99))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(values: np.ndarray, cut: int, seed: int) -> None:
    learn, before = pairs_data.learned(values.shape[0], seed), values.copy()
    whole, path = run(values, learn)
    part, begin = run(values[:cut], learn[:cut])
    part, end = run(values[cut:], learn[cut:], state=pickle.loads(pickle.dumps(part)))
    assert [each.tobytes() for each in whole] == [each.tobytes() for each in part]
    assert path.tobytes() == np.concatenate([begin, end]).tobytes()
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("scale", [1e-120, 1e120])
def test_it_does_not_depend_on_the_unit(scale: float) -> None:
    values = np.cumsum(np.random.default_rng(3).normal(size=(100, 1)), axis=0)
    learn = np.ones(100, np.bool_)
    np.testing.assert_allclose(run(values * scale, learn)[1], run(values, learn)[1], rtol=1e-6)


def test_a_series_that_joins_disturbs_no_other() -> None:
    values, learn = np.random.default_rng(4).normal(size=(40, 2)), np.ones(40, np.bool_)
    _, alone = run(values[:, :1].copy(), learn)
    state, _ = run(values[:20, :1].copy(), learn[:20])
    state = carried(state, half_life.no_neighbours(2), np.array([0, -1]))
    _, together = run(values[20:], learn[20:], state=state)
    assert together[:, 0].tobytes() == alone[20:, 0].tobytes()
    assert np.isnan(together[:3, 1]).all()


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="half_life must be positive and finite, was nan"):
        half_life.parameters(np.nan)
    with pytest.raises(ValueError, match="two points always lie on a line"):
        half_life.parameters(5.0, samples_min=2)
