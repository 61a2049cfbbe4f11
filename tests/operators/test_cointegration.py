"""The tests and p-values are those of statsmodels and of the definition, missing samples left out."""

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller, coint

from genesis.operators import cointegration
from tests.operators import naive_pairs, pairs_data

FIRST, SECOND = np.array([0]), np.array([1])


def walks(size: int, seed: int, reversion: float = 0.0) -> np.ndarray:
    """Return two random walks; with a reversion the first follows the second."""
    rng = np.random.default_rng(seed)
    steps, away = rng.normal(size=(size, 2)), np.zeros(size)
    if not reversion:
        return np.cumsum(steps, axis=0)
    for t in range(1, size):
        away[t] = (1.0 - reversion) * away[t - 1] + steps[t, 0]
    second = np.cumsum(steps[:, 1])
    return np.stack([0.8 * second + away, second], axis=1)


@pytest.mark.parametrize("reversion", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("lags", [0, 1, 8])
def test_it_is_the_test_of_statsmodels(reversion: float, lags: int) -> None:
    for seed in range(5):
        prices = walks(300, seed, reversion)
        tau, p_value = cointegration.engle_granger(prices, FIRST, SECOND, lags)
        expected_tau, expected_p, _ = coint(*prices.T, maxlag=lags, autolag=None)
        assert tau[0] == pytest.approx(expected_tau, rel=1e-8)
        assert p_value[0] == pytest.approx(expected_p, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("lags", [0, 3, 10])
def test_the_unit_root_test_is_that_of_statsmodels(recordings: Path, lags: int) -> None:
    log_prices = pairs_data.minutes(recordings, "LTC", "BCH")[:3_000]
    for series in (*log_prices.T, log_prices[:, 0] - log_prices[:, 1], np.diff(log_prices[:, 0])):
        tau, p_value = cointegration.unit_root(np.ascontiguousarray(series), lags)
        expected_tau, expected_p, *_ = adfuller(series, lags, autolag=None, result_object=False)
        assert tau == pytest.approx(expected_tau, rel=1e-7)
        assert p_value == pytest.approx(expected_p, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("legs", [("BTC", "ETH"), ("LTC", "BCH")])
def test_the_recorded_pairs_test_as_in_statsmodels(recordings: Path, legs: tuple[str, str]) -> None:
    prices = pairs_data.minutes(recordings, *legs)
    for day in (0, 9, 20):
        window = np.ascontiguousarray(prices[1_440 * day : 1_440 * (day + 1)])
        tau, p_value = cointegration.engle_granger(window, FIRST, SECOND, 10)
        expected_tau, expected_p, _ = coint(*window.T, maxlag=10, autolag=None)
        assert tau[0] == pytest.approx(expected_tau, rel=1e-6)
        assert p_value[0] == pytest.approx(expected_p, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("series", [1, 2])
def test_p_values_are_mackinnons_everywhere(series: int) -> None:
    for tau in np.linspace(-25.0, 4.0, 400):
        expected = mackinnonp(tau, "c", series)
        assert cointegration._p_value(tau, series) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert np.isnan(cointegration._p_value(np.nan, series))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.0, 0.2), st.sampled_from([0, 2]))
def test_missing_samples_are_left_out_and_not_bridged(seed: int, missing: float, lags: int) -> None:
    prices = walks(150, seed, reversion=0.2)
    prices[np.random.default_rng(seed).random(prices.shape) < missing / 2] = np.nan
    before = prices.copy()
    tau, p_value = cointegration.engle_granger(prices, FIRST, SECOND, lags)
    np.testing.assert_array_equal(prices, before)
    if np.isnan(tau[0]):
        assert np.isnan(p_value[0])
        return
    assert tau[0] == pytest.approx(naive_pairs.engle_granger_tau(*prices.T, lags), rel=1e-6, abs=1e-9)
    assert 0.0 <= p_value[0] <= 1.0


def copied_leg() -> np.ndarray:
    return np.repeat(walks(100, 1)[:, :1], 2, axis=1)


def still_leg() -> np.ndarray:
    return np.stack([walks(100, 1)[:, 0], np.full(100, 4.6)], axis=1)


def holes() -> np.ndarray:
    prices = walks(100, 1)
    prices[::2, 0] = np.inf
    return prices


@pytest.mark.parametrize(
    "prices",
    [
        functools.partial(np.empty, (0, 2)),
        functools.partial(np.ones, (1, 2)),
        functools.partial(walks, 30, 1),
        functools.partial(np.zeros, (100, 2)),
        functools.partial(np.full, (100, 2), np.nan),
        copied_leg,
        still_leg,
        holes,
    ],
    ids=["nothing", "one", "few", "no movement", "all missing", "a copy", "one leg still", "no neighbours"],
)
def test_it_is_undefined_when_nothing_can_be_said(prices) -> None:
    tau, p_value = cointegration.engle_granger(prices(), FIRST, SECOND, 1)
    assert np.isnan(tau).all()
    assert np.isnan(p_value).all()
    assert np.isnan(cointegration.unit_root(np.full(100, 0.1), 1)).all()


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_it_does_not_depend_on_the_unit(scale: float) -> None:
    prices = walks(200, 3, reversion=0.1)
    tau, _ = cointegration.engle_granger(prices, FIRST, SECOND, 2)
    scaled, _ = cointegration.engle_granger(prices * scale, FIRST, SECOND, 2)
    np.testing.assert_allclose(scaled, tau, rtol=1e-6)


def test_pairs_are_tested_each_by_itself() -> None:
    prices = np.concatenate([walks(200, 1), walks(200, 2)], axis=1)
    first, second = np.array([0, 2, 0]), np.array([1, 3, 3])
    together = cointegration.engle_granger(prices, first, second, 1)
    alone = [cointegration.engle_granger(prices, first[i : i + 1], second[i : i + 1], 1) for i in range(3)]
    assert together[0].tobytes() == np.concatenate([tau for tau, _ in alone]).tobytes()
    assert together[1].tobytes() == np.concatenate([p_value for _, p_value in alone]).tobytes()


def test_of_walks_that_are_not_cointegrated_one_in_twenty_passes() -> None:
    """400 pairs of walks: 20 expected, standard deviation 4.4."""
    prices = np.concatenate([walks(250, seed) for seed in range(400)], axis=1)
    first = np.arange(0, 800, 2)
    _, p_values = cointegration.engle_granger(prices, first, first + 1, 1)
    assert 7 <= (p_values < 0.05).sum() <= 33


def test_lags_that_make_no_sense_are_refused() -> None:
    assert cointegration.lags_of(10) == 10
    with pytest.raises(ValueError, match="lags must be in"):
        cointegration.lags_of(-1)
