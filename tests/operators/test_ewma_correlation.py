"""The correlation is pandas's, numpy's and the definition's, whatever is missing and however it is cut."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genesis.operators import ewma_correlation as ewma
from tests.operators import naive, recorded

A, B = np.triu_indices(5, 1)
value = st.floats(-1.0, 1.0, width=32) | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e-12])
returns_of_five = arrays.arrays(np.float64, st.tuples(st.integers(0, 25), st.just(5)), elements=value)


def sums_of(returns: np.ndarray, decay: np.ndarray) -> ewma.EwmaSums:
    return ewma.update(ewma.no_sums(decay.size, returns.shape[1]), returns, decay)


@given(returns_of_five)
def test_it_is_the_definition(returns: np.ndarray) -> None:
    half_lives = (np.inf, 3.0)
    decay = ewma.decays((0, 3), 1)
    correlation, count = ewma.correlation(sums_of(returns, decay), A, B)
    for h, half_life in enumerate(half_lives):
        expected, expected_count = naive.ewma(returns, half_life)
        clear = np.isfinite(expected[A, B]) & np.isfinite(correlation[h])
        np.testing.assert_allclose(correlation[h][clear], expected[A, B][clear], atol=1e-6)
        np.testing.assert_allclose(count[h], expected_count[A, B])


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_it_is_what_pandas_computes(missing: float) -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(size=(300, 5)) * 1e-4 + rng.normal(size=(300, 1)) * 1e-4
    returns[rng.random(returns.shape) < missing] = np.nan
    returns[:40, 3] = np.nan
    decay = ewma.decays((0, 60, 10), 1)
    correlation, _ = ewma.correlation(sums_of(returns, decay), A, B)
    frame = pd.DataFrame(returns)
    references = [frame.corr(), *(frame.ewm(halflife=each).corr().loc[299] for each in (60, 10))]
    for found, reference in zip(correlation, references, strict=True):
        np.testing.assert_allclose(found, reference.to_numpy()[A, B], atol=1e-12)


def test_the_covariance_is_that_of_pandas() -> None:
    rng = np.random.default_rng(6)
    returns = rng.normal(size=(200, 5)) * 1e-4
    returns[rng.random(returns.shape) < 0.2] = np.nan
    first, second = np.tril_indices(5)
    found = ewma.covariance(sums_of(returns, ewma.decays((30,), 1)), first, second)[0]
    frame = pd.DataFrame(returns)
    reference = frame.ewm(halflife=30).cov(bias=True).loc[199].to_numpy()[first, second]
    np.testing.assert_allclose(found, reference, rtol=1e-9)


@given(returns_of_five)
def test_the_triangle_has_the_correlation_of_each_pair(returns: np.ndarray) -> None:
    sums = sums_of(returns, ewma.decays((0, 3), 1))
    first, second = np.tril_indices(5)
    for h in range(2):
        pairs = ewma.correlation(sums, first, second)[0][h]
        pairs[(first == second) & np.isfinite(pairs)] = 1.0
        np.testing.assert_allclose(ewma.correlation_triangle(sums, h), pairs, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_instruments_that_were_always_there_together_share_a_cohort(seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 4, 12)  # the instruments of a group come and go together
    returns = np.where(rng.random((30, 4))[:, group] < 0.5, np.nan, rng.normal(size=(30, 12)))
    sums = sums_of(returns, np.ones(1))
    assert sums.weight.shape[1] <= 8
    for a in range(12):
        for b in range(12):
            always = (np.isfinite(returns[:, a]) == np.isfinite(returns[:, b])).all()
            assert (sums.cohort[a] == sums.cohort[b]) == always
    expected, count = naive.ewma(returns, np.inf)
    first, second = np.tril_indices(12, -1)
    correlation, counted = ewma.correlation(sums, first, second)
    np.testing.assert_allclose(correlation[0], expected[first, second], atol=1e-9)
    np.testing.assert_array_equal(counted[0], count[first, second])


@given(returns_of_five, st.integers(0, 4))
def test_who_has_left_leaves_no_trace(returns: np.ndarray, who: int) -> None:
    decay = ewma.decays((0, 7), 1)
    sums = ewma.without(sums_of(returns, decay), who)
    others = returns.copy()
    others[:, who] = np.nan
    for array in (sums.x, sums.xx, sums.xy.swapaxes(1, 2), sums.xy):
        assert not array[..., who].any()
    pairs = (A, B) if who else (A[4:], B[4:])
    found, count = ewma.correlation(sums, *pairs)
    expected, expected_count = ewma.correlation(sums_of(others, decay), *pairs)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(count, expected_count)


@given(returns_of_five, st.integers(0, 25))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(returns: np.ndarray, cut: int) -> None:
    decay = ewma.decays((0, 7), 1)
    whole = sums_of(returns, decay)
    before = returns.copy()
    part = pickle.loads(pickle.dumps(sums_of(returns[:cut], decay)))
    part = ewma.update(part, returns[cut:], decay)
    for one, other in zip(whole, part, strict=True):
        assert one.tobytes() == other.tobytes()
    np.testing.assert_array_equal(returns, before)


@given(returns_of_five)
def test_it_lies_between_minus_one_and_one_or_is_undefined(returns: np.ndarray) -> None:
    correlation, count = ewma.correlation(sums_of(returns, ewma.decays((0, 2), 1)), A, B)
    assert (np.isnan(correlation) | (np.abs(correlation) <= 1.0)).all()
    assert (np.isnan(correlation) | (count >= 1.0 + 1e-9)).all()


@pytest.mark.parametrize(
    "returns",
    [np.zeros((0, 2)), np.ones((1, 2)), np.zeros((9, 2)), np.full((50, 2), 0.1), np.full((9, 2), np.nan)],
    ids=["nothing", "one sample", "no variance", "constant", "all missing"],
)
def test_it_is_undefined_without_variance(returns: np.ndarray) -> None:
    correlation, _ = ewma.correlation(sums_of(returns, ewma.decays((0, 5), 1)), np.array([0]), np.array([1]))
    assert np.isnan(correlation).all()


def test_an_instrument_that_joins_or_leaves_disturbs_no_other() -> None:
    rng = np.random.default_rng(3)
    returns, decay = rng.normal(size=(60, 3)), ewma.decays((20,), 1)
    alone, _ = ewma.correlation(sums_of(returns[:, :2].copy(), decay), np.array([0]), np.array([1]))
    late = returns.copy()
    late[:30, 2] = np.nan
    sums = ewma.with_instruments(ewma.update(ewma.no_sums(1, 2), returns[:30, :2].copy(), decay), 3)
    sums = ewma.update(
        sums, np.pad(late[30:50], ((0, 0), (0, sums.cohort.size - 3)), constant_values=np.nan), decay
    )
    sums = ewma.without(sums, 2)
    late[50:, 2] = np.nan
    sums = ewma.update(
        sums, np.pad(late[50:], ((0, 0), (0, sums.cohort.size - 3)), constant_values=np.nan), decay
    )
    assert ewma.correlation(sums, np.array([0]), np.array([1]))[0] == alone
    assert ewma.correlation(sums, np.array([0]), np.array([2]))[1] == 0.0


def test_huge_and_tiny_returns_correlate_alike() -> None:
    rng = np.random.default_rng(4)
    returns = rng.normal(size=(100, 2)) + rng.normal(size=(100, 1))
    found = [
        ewma.correlation(sums_of(returns * scale, np.ones(1)), np.array([0]), np.array([1]))[0][0, 0]
        for scale in (1.0, 1e-100, 1e100)
    ]
    np.testing.assert_allclose(found, found[0], rtol=1e-12)


def test_the_recorded_correlation_is_that_of_the_data(recordings: Path) -> None:
    """Mids on a 1 s grid that begins with the first quote, as the recording's notes have it: 0.61."""
    quotes = [recorded.ticks(recordings, name)[1] for name in ("spot_btcusdt", "spot_ethusdt")]
    begin, end = max(each["event_ns"][0] for each in quotes), min(each["event_ns"][-1] for each in quotes)
    grid, logs = np.arange(begin, end, 10**9), []
    for each in quotes:
        ordered = each[np.argsort(each["event_ns"], kind="stable")]
        newest = np.searchsorted(ordered["event_ns"], grid, side="right") - 1
        logs.append(np.log((ordered["bid_price"] + ordered["ask_price"])[newest] / 2.0))
    returns = np.diff(np.stack(logs, axis=1), axis=0)
    correlation, count = ewma.correlation(sums_of(returns, np.ones(1)), np.array([0]), np.array([1]))
    assert abs(correlation[0, 0] - 0.61) < 0.02
    assert abs(correlation[0, 0] - np.corrcoef(returns.T)[0, 1]) < 1e-12
    assert count[0, 0] == returns.shape[0]


@given(returns_of_five, st.permutations(range(5)))
def test_the_numbers_that_instruments_happen_to_have_change_no_bit(
    returns: np.ndarray, order: list[int]
) -> None:
    place, decay = np.argsort(order), ewma.decays((0, 7), 1)
    found = ewma.correlation(sums_of(returns, decay), A, B)
    other = ewma.correlation(sums_of(np.ascontiguousarray(returns[:, order]), decay), place[A], place[B])
    assert [each.tobytes() for each in found] == [each.tobytes() for each in other]
