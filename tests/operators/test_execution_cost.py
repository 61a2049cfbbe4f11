"""The parts of the shortfall sum to the whole, exactly, and the whole is Perold's, from its definition."""

import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genesis.operators import execution_cost
from genesis.operators.execution_cost import Fills, Orders
from tests.operators import recorded

Fill = tuple[int, int, int, int, int, int]
Order = tuple[int, int, int, int, int]

fill = st.tuples(
    st.integers(-1, 3),
    st.integers(1, 1_000) | st.sampled_from([0, -5, 2**62]),
    st.integers(900, 1_100) | st.sampled_from([0, -1, 2**62, 10**9]),
    st.integers(0, 5),
    st.integers(0, 1),
    st.integers(-50, 5_000),
)
order = st.tuples(
    st.sampled_from([1, -1, 1, -1, 0]),
    st.integers(1, 5_000) | st.sampled_from([0, -1, 2**62]),
    *[st.integers(1_800, 2_200) | st.sampled_from([0, -7, 2**62])] * 3,
)
kind_fill = st.tuples(
    *[st.integers(0, 3), st.integers(1, 10**6), st.integers(1, 10**9)],
    *[st.integers(0, 9), st.integers(0, 1), st.integers(-9, 9)],
)
kind_order = st.tuples(st.sampled_from([1, -1]), st.integers(1, 10**6), *[st.integers(1, 10**9)] * 3)


def fills_of(rows: list[Fill]) -> Fills:
    return Fills(*np.array(rows, np.int64).reshape(-1, 6).T.copy())


def orders_of(rows: list[Order]) -> Orders:
    return Orders(*np.array(rows, np.int64).reshape(-1, 5).T.copy())


def naive(order: Order, fills: list[Fill]) -> list[Fraction] | None:
    """Return the parts in half-tick lots, each by its own definition, in exact fractions."""
    side, lots, *twice = order
    decision, arrival, final = (Fraction(price, 2) for price in twice)
    filled = sum(each[1] for each in fills)
    left = lots - filled
    if abs(side) != 1 or lots <= 0 or decision <= 0 or arrival <= 0 or (left and final <= 0):
        return None
    if any(each[1] <= 0 or each[2] <= 0 for each in fills):
        return None
    delay = side * lots * (arrival - decision)
    spread = sum((Fraction(each[1] * each[3], 2) * (-1 if each[4] else 1) for each in fills), Fraction(0))
    impact = side * sum((each[1] * (each[2] - arrival) for each in fills), Fraction(0)) - spread
    fees = Fraction(sum(each[5] for each in fills), 2)
    opportunity = side * left * (final - arrival) if left else Fraction(0)
    paper = side * lots * (final - decision) if left else Fraction(0)
    real = (
        side * sum((each[1] * ((final if left else decision) - each[2]) for each in fills), Fraction(0))
        - fees
    )
    parts = [2 * each for each in (delay, spread, impact, fees, opportunity)]
    assert sum(parts) == 2 * (paper - real), "the parts are the paper portfolio's gain over the real one's"
    if max(map(abs, [*parts, sum(parts)])) > 2**53:
        return None
    return [*parts, sum(parts, Fraction(0))]


def found(orders: list[Order], fills: list[Fill]) -> tuple[np.ndarray, np.ndarray]:
    sums = execution_cost.add_fills(execution_cost.no_sums(len(orders)), fills_of(fills))
    return execution_cost.shortfall(sums, orders_of(orders))


@given(st.lists(order, min_size=1, max_size=4), st.lists(fill, max_size=12))
def test_it_is_the_definition_or_undefined(orders: list[Order], fills: list[Fill]) -> None:
    parts, bps = found(orders, fills)
    for row, each in enumerate(orders):
        mine = [one for one in fills if one[0] == row]
        expected = naive(each, mine)
        huge = max((abs(value) for value in (*each, *(v for one in mine for v in one))), default=0) >= 2**40
        if huge or expected is None:
            assert np.isnan(parts[row]).all()
            assert np.isnan(bps[row]).all()
        else:
            assert parts[row].tolist() == [float(value) for value in expected]
            np.testing.assert_allclose(bps[row], 1e4 * parts[row] / (each[1] * each[2]), rtol=1e-15)


@given(st.lists(kind_order, min_size=4, max_size=4), st.lists(kind_fill, max_size=12))
def test_parts_sum_to_the_whole_exactly(orders: list[Order], fills: list[Fill]) -> None:
    parts, bps = found(orders, fills)
    for row, each in enumerate(orders):
        if not np.isnan(parts[row, 5]):
            assert parts[row, :5].sum() == parts[row, 5]
            assert [int(value) for value in parts[row]] == naive(
                each, [one for one in fills if one[0] == row]
            )
            assert abs(bps[row, :5].sum() - bps[row, 5]) <= 1e-14 * np.abs(bps[row]).sum()


@given(st.lists(fill, max_size=12), st.integers(0, 12), st.randoms(use_true_random=False))
def test_fills_may_come_in_any_order_and_be_cut_anywhere(fills: list[Fill], cut: int, shuffled) -> None:
    fills = [each for each in fills if abs(each[1]) < 2**40 and abs(each[2]) < 2**40]
    whole = execution_cost.add_fills(execution_cost.no_sums(4), fills_of(fills))
    other = list(fills)
    shuffled.shuffle(other)
    part = execution_cost.add_fills(execution_cost.no_sums(4), fills_of(other[:cut]))
    part = pickle.loads(pickle.dumps(part))
    part = execution_cost.add_fills(part, fills_of(other[cut:]))
    assert part.tobytes() == whole.tobytes()


def test_inputs_are_left_as_they_are() -> None:
    orders, fills = orders_of([(1, 10, 200, 202, 220)]), fills_of([(0, 6, 103, 2, 0, 3)])
    sums = execution_cost.add_fills(execution_cost.no_sums(1), fills)
    kept = [array.copy() for array in (*orders, *fills, sums)]
    execution_cost.shortfall(sums, orders)
    for before, after in zip(kept, (*orders, *fills, sums), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_seller_and_a_buyer_pay_the_same_in_mirrored_markets() -> None:
    buys, _ = found([(1, 10, 2_000, 2_002, 2_020)], [(0, 6, 1_003, 2, 0, 3)])
    sells, _ = found([(-1, 10, 2_000, 1_998, 1_980)], [(0, 6, 997, 2, 0, 3)])
    assert buys.tolist() == sells.tolist()


def test_vwap_slippage_is_the_distance_from_the_market() -> None:
    sums = execution_cost.add_fills(
        execution_cost.no_sums(3), fills_of([(0, 2, 100, 0, 0, 0), (0, 2, 104, 0, 0, 0)])
    )
    side, vwap = np.array([1, 1, 1]), np.array([100.0, 100.0, np.nan])
    slippage = execution_cost.vwap_slippage_bps(sums, side, vwap)
    assert slippage[0] == 200.0
    assert np.isnan(slippage[1:]).all()
    assert execution_cost.vwap_slippage_bps(sums, -side, vwap)[0] == -200.0


def test_the_recorded_market_has_no_slippage_against_itself(recordings: Path) -> None:
    """Buying every trade of a recording is its VWAP, by pandas-free arithmetic in decimals of the file."""
    trades, _ = recorded.ticks(recordings, "spot_ethusdt")
    ticks = np.rint(trades["price"] * 100).astype(np.int64)
    lots = np.rint(trades["qty"] * 10_000).astype(np.int64)
    zeros = np.zeros(lots.size, np.int64)
    sums = execution_cost.add_fills(execution_cost.no_sums(1), Fills(zeros, lots, ticks, zeros, zeros, zeros))
    vwap = np.average(ticks, weights=lots)
    assert abs(execution_cost.vwap_slippage_bps(sums, np.array([1]), np.array([vwap]))[0]) < 1e-9
    first_2, last_2 = 2 * int(ticks[0]), 2 * int(ticks[-1])
    wanted = orders_of([(1, int(lots.sum()), first_2, first_2, last_2)])
    parts, bps = execution_cost.shortfall(sums, wanted)
    assert parts[0, 5] == 2 * int((ticks * lots).sum()) - int(lots.sum()) * first_2
    assert abs(bps[0, 5] - 1e4 * (vwap / ticks[0] - 1.0)) < 1e-9


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(1e-3, 100))
def test_the_score_is_the_share_of_outcomes_that_would_be_worse(
    cost: float, expected: float, risk: float
) -> None:
    points = execution_cost.score(np.array([cost]), np.array([expected]), np.array([risk]))[0]
    assert math.isclose(points, 100.0 * stats.norm.sf(cost, expected, risk), rel_tol=1e-9, abs_tol=1e-12)
    assert 0.0 <= points <= 100.0


@pytest.mark.parametrize("risk", [0.0, -1.0, np.nan, np.inf])
def test_without_risk_there_is_no_score(risk: float) -> None:
    assert np.isnan(execution_cost.score(np.zeros(1), np.zeros(1), np.array([risk]))[0])
    assert np.isnan(execution_cost.score(np.array([np.nan]), np.zeros(1), np.ones(1))[0])
