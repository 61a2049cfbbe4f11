"""The Hayashi-Yoshida correlation is its double sum over overlapping returns, however ticks come in."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import hayashi_yoshida as hy
from tests.operators import naive_correlation as naive
from tests.operators import recorded
from tests.operators.naive_correlation import Tick

N = 3
A, B = np.tril_indices(N, -1)
EQUAL = np.array([np.inf])
BOTH = np.array([np.inf, 7.0])

price = st.sampled_from([1.0, 1.1, 0.9, 1.3, 0.7, 2.0]) | st.sampled_from([0.0, np.nan, np.inf, -1.0])
tick = st.tuples(st.integers(0, 30), st.integers(0, N - 1), price)
in_order = st.lists(tick, max_size=24).map(lambda ticks: sorted(ticks, key=lambda each: each[0]))
any_order = st.lists(tick, max_size=24)


def overlap_of(
    ticks: list[Tick], half_life: np.ndarray, instruments: int = N, before: hy.Overlap | None = None
) -> hy.Overlap:
    """Return the sums after ticks, the newest ones still waiting."""
    columns = [list(column) for column in zip(*ticks, strict=True)] or [[], [], []]
    time, who = (np.array(column, np.int64) for column in columns[:2])
    start = before or hy.no_overlap(half_life.size, instruments)
    return hy.update(start, time, who, np.array(columns[2], np.float64), half_life)


def agree(ticks: list[Tick]) -> None:
    overlap = hy.flush(overlap_of(ticks, BOTH), BOTH)
    found, count = hy.correlation(overlap, A, B)
    for h, half_life in enumerate(BOTH.tolist()):
        total, expected, expected_count = naive.hayashi_yoshida(ticks, N, half_life)
        np.testing.assert_allclose(found[h], expected[A, B], atol=1e-9)
        np.testing.assert_allclose(count[h], expected_count[A, B], rtol=1e-9)
        if h == 0:
            np.testing.assert_allclose(hy.covariance(overlap, A, B), total[A, B], atol=1e-12)


@given(in_order)
def test_it_is_the_double_sum(ticks: list[Tick]) -> None:
    agree(ticks)


@given(any_order)
def test_a_late_tick_counts_with_the_newest(ticks: list[Tick]) -> None:
    agree(ticks)


@given(in_order, st.randoms(use_true_random=False))
def test_the_order_of_instruments_within_one_time_does_not_matter(ticks: list[Tick], random) -> None:
    ticks = list({(time, who): (time, who, price) for time, who, price in ticks}.values())
    other = sorted(ticks, key=lambda each: (each[0], random.random()))
    one, two = (
        hy.correlation(hy.flush(overlap_of(each, BOTH), BOTH), A, B)
        for each in (sorted(ticks, key=lambda each: each[0]), other)
    )
    for mine, theirs in zip(one, two, strict=True):
        assert mine.tobytes() == theirs.tobytes()


@given(any_order, st.integers(0, 40))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(ticks: list[Tick], cut: int) -> None:
    whole = overlap_of(ticks, BOTH)
    part = pickle.loads(pickle.dumps(overlap_of(ticks[:cut], BOTH)))
    for one, other in zip(whole, overlap_of(ticks[cut:], BOTH, before=part), strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_inputs_are_left_as_they_were() -> None:
    time, who, price = np.array([1, 2, 2, 3]), np.array([0, 1, 0, 1]), np.array([1.0, 2.0, np.nan, 3.0])
    before = [each.copy() for each in (time, who, price)]
    hy.update(hy.no_overlap(1, 2), time, who, price, EQUAL)
    for one, other in zip((time, who, price), before, strict=True):
        np.testing.assert_array_equal(one, other)


@given(in_order, st.integers(0, N - 1))
def test_who_has_left_leaves_no_trace_and_disturbs_no_other(ticks: list[Tick], who: int) -> None:
    left = hy.without(hy.flush(overlap_of(ticks, BOTH), BOTH), who)
    others = [each for each in ticks if each[1] != who]
    more = [(time + 40, each, price) for time, each, price in others[:9]]
    found = hy.correlation(overlap_of(more, BOTH, before=hy.with_instruments(left, 8)), A, B)
    alone = hy.with_instruments(hy.flush(overlap_of(others, BOTH), BOTH), 8)
    expected = hy.correlation(overlap_of(more, BOTH, before=alone), A, B)
    mine = (who != A) & (who != B)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one[:, mine], other[:, mine], rtol=1e-12)
        assert np.isnan(found[0][:, ~mine]).all()


def walk(seed: int, size: int) -> list[Tick]:
    """Return ticks of three correlated random walks, each at random times of its own."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(size, N)) + rng.normal(size=(size, 1))
    prices = np.exp(np.cumsum(steps * 1e-4, axis=0))
    return [(t, i, float(prices[t, i])) for t in range(size) for i in range(N) if rng.random() < 0.3]


def test_it_finds_the_correlation_that_a_grid_of_previous_ticks_loses() -> None:
    ticks = walk(1, 30_000)
    found, _ = hy.correlation(hy.flush(overlap_of(ticks, EQUAL), EQUAL), A, B)
    np.testing.assert_allclose(found[0], 0.5, atol=0.05)
    paths = [dict.fromkeys(range(30_000), math.nan) | each for each in naive.points(ticks, N)]
    grid = np.array([list(each.values()) for each in paths])
    newest = np.maximum.accumulate(np.where(np.isnan(grid), 0, np.arange(30_000)), axis=1)
    returns = np.diff(np.take_along_axis(grid, newest, axis=1)[:, 100:], axis=1)
    assert np.corrcoef(returns)[A, B].max() < 0.25


def test_with_ticks_at_the_same_times_it_is_the_realised_correlation() -> None:
    rng = np.random.default_rng(5)
    returns = rng.normal(size=(200, N)) * 1e-3
    prices = np.exp(np.cumsum(np.vstack([np.zeros(N), returns]), axis=0))
    ticks = [(t, i, float(prices[t, i])) for t in range(201) for i in range(N)]
    found, count = hy.correlation(hy.flush(overlap_of(ticks, EQUAL), EQUAL), A, B)
    realised = returns.T @ returns
    np.testing.assert_allclose(found[0], (realised / np.sqrt(np.outer(*[realised.diagonal()] * 2)))[A, B])
    assert (count == 200).all()


def test_weights_are_scaled_back_without_a_trace() -> None:
    ticks = [(time * 40, who, price) for time, who, price in walk(2, 300)]
    half_life = np.array([30.0])
    found, count = hy.correlation(hy.flush(overlap_of(ticks, half_life), half_life), A, B)
    _, expected, expected_count = naive.hayashi_yoshida(ticks, N, 30.0)
    np.testing.assert_allclose(found[0], expected[A, B], atol=1e-9)
    np.testing.assert_allclose(count[0], expected_count[A, B])


@pytest.mark.parametrize(
    "ticks",
    [
        [],
        [(1, 0, 1.0), (2, 1, 1.0)],
        [(t, t % 2, 5.0) for t in range(50)],
        [(1, 0, 1.0), (1, 1, 1.0), (2, 0, 2.0), (2, 1, 2.0)],
        [(t, t % 2, 0.0) for t in range(50)],
    ],
    ids=["nothing", "one price each", "no move", "one return each", "no usable price"],
)
def test_it_is_undefined_without_two_returns_that_move(ticks: list[Tick]) -> None:
    found, _ = hy.correlation(hy.flush(overlap_of(ticks, BOTH), BOTH), A, B)
    assert np.isnan(found).all()


def test_recorded_ticks_give_the_double_sum_and_lose_to_a_lag_unless_they_are_thinned(
    recordings: Path,
) -> None:
    """BTC leads ETH by some hundredths of a second, longer than the returns of every single quote."""
    quotes = recorded.together(recordings, "spot_btcusdt", "spot_ethusdt")[1]
    quotes = quotes[np.argsort(quotes["event_ns"], kind="stable")]
    who = (quotes["symbol"] == b"ETHUSDT").astype(np.int64)
    mid = (quotes["bid_price"] + quotes["ask_price"]) / 2.0
    pair = np.array([0]), np.array([1])

    def overlap(of: np.ndarray) -> hy.Overlap:
        time_ns = quotes["event_ns"][of].copy()
        return hy.flush(hy.update(hy.no_overlap(1, 2), time_ns, who[of], mid[of], EQUAL), EQUAL)

    every = overlap(np.arange(quotes.size))
    ticks = list(zip(quotes["event_ns"].tolist(), who.tolist(), mid.tolist(), strict=True))
    assert hy.covariance(every, *pair)[0] == pytest.approx(overlapping(ticks), rel=1e-6)
    assert hy.correlation(every, *pair)[0][0, 0] == pytest.approx(0.09, abs=0.02)
    last = {(int(who[k]), int(quotes["event_ns"][k]) // 50_000_000): k for k in range(quotes.size)}
    thinned = overlap(np.array(sorted(last.values())))
    assert hy.correlation(thinned, *pair)[0][0, 0] == pytest.approx(0.60, abs=0.02)


def overlapping(ticks: list[Tick]) -> float:
    """Return the double sum of two instruments by intervals, without the accumulators."""
    path = naive.points(ticks, 2)
    times = [np.array(sorted(each)) for each in path]
    moves = [np.diff([each[t] for t in sorted(each)]) for each in path]
    first = np.searchsorted(times[1][1:], times[0][:-1], side="right")
    last = np.searchsorted(times[1][:-1], times[0][1:], side="left")
    sums = np.concatenate([[0.0], np.cumsum(moves[1])])
    return float((moves[0] * (sums[np.maximum(first, last)] - sums[first])).sum())
