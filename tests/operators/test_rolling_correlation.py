"""The rolling correlation is that of the window alone, whatever was in it before."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genesis.operators import rolling_correlation as rolling
from genesis.operators.triangles import square
from tests.operators import naive_correlation as naive

A, B = np.tril_indices(4)
value = st.floats(-1.0, 1.0, width=32) | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e-12, 1e8])
returns_of_four = arrays.arrays(np.float64, st.tuples(st.integers(0, 30), st.just(4)), elements=value)
lengths = st.integers(2, 12)


def window_of(returns: np.ndarray, length: int) -> rolling.Window:
    return rolling.update(rolling.empty_window(length, returns.shape[1]), returns)


@given(returns_of_four, lengths)
def test_it_is_the_definition(returns: np.ndarray, length: int) -> None:
    found, count = rolling.correlation(window_of(returns, length), A, B)
    expected, expected_count = naive.rolling(returns, length)
    clear = np.isfinite(found) & np.isfinite(expected[A, B])
    np.testing.assert_allclose(found[clear], expected[A, B][clear], atol=1e-4)
    np.testing.assert_array_equal(count, expected_count[A, B])
    assert np.isnan(found[count < 2]).all()


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_it_is_what_pandas_computes(missing: float) -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(size=(333, 4)) * 1e-4 + rng.normal(size=(333, 1)) * 1e-4
    returns[rng.random(returns.shape) < missing] = np.nan
    window, frame = rolling.empty_window(60, 4), pd.DataFrame(returns)
    reference = frame.rolling(60, min_periods=2).corr()
    for cell in range(returns.shape[0]):
        window = rolling.update(window, returns[cell : cell + 1])
        if cell >= 3:
            expected = reference.loc[cell].to_numpy()
            found, _ = rolling.correlation(window, A, B)
            np.testing.assert_allclose(found, expected[A, B], atol=1e-9)
            np.testing.assert_allclose(square(rolling.correlation_triangle(window)), expected, atol=1e-9)


def test_it_does_not_drift_over_many_cells() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(size=(100_003, 3)) * 1e-4
    window = window_of(returns, 100)
    found, _ = rolling.correlation(window, np.array([1, 2]), np.array([0, 1]))
    expected = np.corrcoef(returns[-100:].T)
    np.testing.assert_allclose(found, [expected[1, 0], expected[2, 1]], atol=1e-13)


@pytest.mark.parametrize("outlier", [1e3, 1e10, 1e100, 1e200])
def test_an_outlier_takes_no_digits_with_it(outlier: float) -> None:
    rng = np.random.default_rng(4)
    returns = rng.normal(size=(150, 4))
    returns[70, 1] = outlier
    found, _ = rolling.correlation(window_of(returns, 60), A, B)
    np.testing.assert_allclose(found, np.corrcoef(returns[-60:].T)[A, B], atol=1e-9)


@given(returns_of_four, lengths, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(returns: np.ndarray, length: int, cut: int) -> None:
    whole, before = window_of(returns, length), returns.copy()
    part = rolling.update(pickle.loads(pickle.dumps(window_of(returns[:cut], length))), returns[cut:])
    for one, other in zip(whole, part, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    np.testing.assert_array_equal(returns, before)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 13, 37])
def test_every_number_of_instruments_is_computed_alike(n: int) -> None:
    rng = np.random.default_rng(n)
    returns = rng.normal(size=(120, n)) + rng.normal(size=(120, 1))
    window, triangles = rolling.update_with_triangles(rolling.empty_window(50, n), returns)
    expected = np.corrcoef(returns[-50:].T).reshape(n, n)[np.tril_indices(n)]
    np.testing.assert_allclose(triangles[-1], expected, atol=1e-13)
    np.testing.assert_array_equal(triangles[-1], rolling.correlation_triangle(window))


@given(returns_of_four, lengths)
def test_it_lies_between_minus_one_and_one_or_is_undefined(returns: np.ndarray, length: int) -> None:
    window = window_of(returns, length)
    found, _ = rolling.correlation(window, A, B)
    assert (np.isnan(found) | (np.abs(found) <= 1.0)).all()
    triangle = rolling.correlation_triangle(window)
    np.testing.assert_array_equal(np.isnan(triangle), np.isnan(found))
    np.testing.assert_allclose(triangle[A != B], found[A != B], atol=1e-6)


@given(returns_of_four, lengths)
def test_the_triangles_after_each_cell_are_those_of_the_windows(returns: np.ndarray, length: int) -> None:
    last, triangles = rolling.update_with_triangles(rolling.empty_window(length, 4), returns)
    for cell, triangle in enumerate(triangles):
        window = window_of(returns[: cell + 1], length)
        expected = rolling.correlation_triangle(window)
        np.testing.assert_array_equal(triangle, expected)
    for one, other in zip(last, window_of(returns, length), strict=True):
        np.testing.assert_array_equal(one, other)


@given(returns_of_four, lengths, st.integers(0, 3))
def test_who_has_left_leaves_no_trace_and_disturbs_no_other(
    returns: np.ndarray, length: int, who: int
) -> None:
    others = returns.copy()
    others[:, who] = np.nan
    left = rolling.with_instruments(rolling.without(window_of(returns, length), who), 9)
    more = np.pad(returns[:1], ((0, 0), (0, 5)), constant_values=np.nan)
    found = rolling.correlation(rolling.update(left, more), A, B)
    alone = rolling.update(rolling.with_instruments(window_of(others, length), 9), more)
    for one, other in zip(found, rolling.correlation(alone, A, B), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "returns",
    [np.zeros((0, 2)), np.ones((1, 2)), np.zeros((9, 2)), np.full((50, 2), 0.1), np.full((9, 2), np.nan)],
    ids=["nothing", "one sample", "no variance", "constant", "all missing"],
)
def test_it_is_undefined_without_variance(returns: np.ndarray) -> None:
    assert np.isnan(rolling.correlation_triangle(window_of(returns, 7))).all()


@given(returns_of_four, lengths, st.permutations(range(4)))
def test_the_numbers_that_instruments_happen_to_have_change_no_bit(
    returns: np.ndarray, length: int, order: list[int]
) -> None:
    place = np.argsort(order)
    found = rolling.correlation(window_of(returns, length), A, B)
    other = rolling.correlation(
        window_of(np.ascontiguousarray(returns[:, order]), length), place[A], place[B]
    )
    assert [each.tobytes() for each in found] == [each.tobytes() for each in other]
