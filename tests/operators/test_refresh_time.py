"""Refresh and grid prices are those that a look back over all ticks gives, in whatever batches."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import refresh_time
from tests.operators import naive_correlation as naive
from tests.operators.naive_correlation import Tick

N = 3
price = st.floats(0.5, 2.0, width=16) | st.sampled_from([0.0, np.nan, np.inf, -1.0])
ticks_in_order = st.lists(st.tuples(st.integers(0, 40), st.integers(0, N - 1), price), max_size=40).map(
    lambda ticks: sorted(ticks, key=lambda each: each[0])
)


def columns(ticks: list[Tick]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    each = [list(column) for column in zip(*ticks, strict=True)] or [[], [], []]
    return np.array(each[0], np.int64), np.array(each[1], np.int64), np.array(each[2], np.float64)


@given(ticks_in_order)
def test_a_refresh_is_when_all_have_ticked_again(ticks: list[Tick]) -> None:
    _, times, prices = refresh_time.refresh_prices(refresh_time.no_refresh(N), *columns(ticks))
    ends = naive.refreshes(ticks, N)
    assert times.tolist() == [ticks[end][0] for end in ends]
    expected = [naive.grid(ticks[: end + 1], N, [ticks[end][0]])[0] for end in ends]
    np.testing.assert_array_equal(prices, np.array(expected).reshape(-1, N))


@given(ticks_in_order, st.integers(1, 9), st.integers(-3, 20))
def test_grid_prices_are_the_newest_at_each_time(ticks: list[Tick], step: int, begin: int) -> None:
    state, prices = refresh_time.grid_prices(refresh_time.no_grid(N, begin), columns(ticks), step, 41)
    times = list(range(begin, 41, step))
    np.testing.assert_array_equal(prices, naive.grid(ticks, N, times))
    assert state.next_ns == begin + step * len(times)


@given(ticks_in_order, st.integers(0, 40))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(ticks: list[Tick], cut: int) -> None:
    _, times, prices = refresh_time.refresh_prices(refresh_time.no_refresh(N), *columns(ticks))
    state, *first = refresh_time.refresh_prices(refresh_time.no_refresh(N), *columns(ticks[:cut]))
    state, *second = refresh_time.refresh_prices(pickle.loads(pickle.dumps(state)), *columns(ticks[cut:]))
    np.testing.assert_array_equal(np.concatenate([first[0], second[0]]), times)
    np.testing.assert_array_equal(np.concatenate([first[1], second[1]]), prices)
    _, whole = refresh_time.grid_prices(refresh_time.no_grid(N, 0), columns(ticks), 3, 41)
    early, late = ([tick for tick in ticks if (tick[0] < cut) == side] for side in (True, False))
    grid, one = refresh_time.grid_prices(refresh_time.no_grid(N, 0), columns(early), 3, cut)
    _, two = refresh_time.grid_prices(pickle.loads(pickle.dumps(grid)), columns(late), 3, 41)
    np.testing.assert_array_equal(np.concatenate([one, two]), whole)


@given(ticks_in_order)
def test_the_inputs_are_left_as_they_were(ticks: list[Tick]) -> None:
    given_ticks = columns(ticks)
    refresh_time.refresh_prices(refresh_time.no_refresh(N), *given_ticks)
    refresh_time.grid_prices(refresh_time.no_grid(N, 0), given_ticks, 3, 41)
    for one, other in zip(given_ticks, columns(ticks), strict=True):
        np.testing.assert_array_equal(one, other)
