"""Impact, residue, walk and preview agree with their definitions, written out slowly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import market_impact
from genesis.operators.market_impact import Day, parameters
from genesis.operators.slicing import routing
from genesis.operators.slicing.orders import Algorithm
from genesis.operators.slicing.params import Params

positive = st.floats(1e-6, 1e6)
nasty = st.sampled_from([0.0, -1.0, np.nan, np.inf, -np.inf, 1e300, 1e-300])
DAY = Day(300.0, 1e6)


def walked(levels: list[tuple[float, float]], wanted: float, mid: float) -> float:
    left, paid = wanted, 0.0
    for price, qty in levels:
        if left <= 0.0 or not (0.0 < price < math.inf and 0.0 <= qty < math.inf):
            break
        paid += min(left, qty) * abs(price - mid)
        left -= min(left, qty)
    if not (left <= 0.0 and wanted >= 0.0 and mid > 0.0):
        return math.nan
    return 1e4 * paid / (wanted * mid) if wanted else 0.0


@given(
    st.lists(st.tuples(positive | nasty, positive | nasty), max_size=9), positive | nasty, positive | nasty
)
def test_a_walk_is_the_mean_distance_from_the_mid(
    levels: list[tuple[float, float]], wanted: float, mid: float
) -> None:
    price, qty = np.array(levels, np.float64).reshape(-1, 2).T.copy()
    found = market_impact.walk_bps(price, qty, np.array([wanted]), mid)[0]
    np.testing.assert_allclose(found, walked(levels, wanted, mid), rtol=1e-12)


@given(st.lists(st.tuples(st.floats(0, 60), positive), max_size=9), st.floats(0.01, 100))
def test_the_residue_is_the_sum_over_all_before(pushes: list[tuple[float, float]], recovery_s: float) -> None:
    at_s = np.cumsum([each[0] for each in pushes])
    pushed = np.array([each[1] for each in pushes])
    expected = [
        sum(pushed[j] / math.sqrt(1.0 + (at_s[i] - at_s[j]) / recovery_s) for j in range(i))
        for i in range(len(pushes))
    ]
    np.testing.assert_allclose(market_impact.residue_bps(at_s, pushed, recovery_s), expected, rtol=1e-12)


@given(st.just(0.0) | st.floats(1e-9, 1e6), st.floats(1.0, 100.0))
def test_impact_grows_with_the_square_root(qty: float, factor: float) -> None:
    one, more = market_impact.impact_bps(np.array([qty, qty * factor**2]), DAY, parameters())
    assert math.isclose(more, one * factor, rel_tol=1e-9)
    assert math.isclose(one, 300.0 * math.sqrt(qty / 1e6), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("qty", "day"), [(-1.0, DAY), (np.nan, DAY), (1.0, Day(300.0, 0.0)), (1.0, Day(np.nan, 1.0))]
)
def test_impact_is_undefined_without_a_day(qty: float, day: Day) -> None:
    assert np.isnan(market_impact.impact_bps(np.array([qty]), day, parameters())[0])


def test_a_preview_is_its_parts() -> None:
    """Risk: half the order waits a quarter of an hour, a quarter of it another one."""
    qty, at_s = np.array([50.0, 25.0, 25.0]), np.array([0.0, 900.0, 1_800.0])
    child = np.array([2.0, 1.0, 1.0])
    found = market_impact.preview(at_s, qty, child, 4.0, 10.0, (DAY, 1.0))
    second = 1.0 + 2.0 / math.sqrt(901.0)
    third = 1.0 + 2.0 / math.sqrt(1_801.0) + 1.0 / math.sqrt(901.0)
    assert math.isclose(found.impact_bps, 0.5 * 2.0 + 0.25 * second + 0.25 * third)
    assert found.cost_bps == found.spread_bps + found.impact_bps + found.fee_bps
    assert math.isclose(found.risk_bps, 300.0 * math.sqrt((0.25 + 0.0625) * 900.0 / 86_400.0))
    assert np.isnan(market_impact.preview(at_s, 0 * qty, child, 4.0, 10.0, (DAY, 1.0)).cost_bps)


def test_one_order_has_no_risk_of_waiting() -> None:
    found = market_impact.preview(np.zeros(1), np.ones(1), np.array([3.0]), 2.0, 1.0, (DAY, 1.0))
    assert (found.cost_bps, found.risk_bps) == (5.0, 0.0)


@pytest.mark.parametrize(
    ("coefficient", "recovery_s"), [(-1.0, 1.0), (np.nan, 1.0), (1.0, 0.0), (1.0, np.inf)]
)
def test_parameters_that_make_no_sense_are_refused(coefficient: float, recovery_s: float) -> None:
    with pytest.raises(ValueError, match="market_impact"):
        parameters(coefficient, recovery_s)


@pytest.mark.parametrize(
    ("whole_bps", "slice_bps", "slices_min", "expected"),
    [
        (0.0, 0.0, 1, Algorithm.ONE),  # a small order in a deep book
        (0.3, 0.0, 1, Algorithm.ONE),  # saves less than a tenth of the risk of waiting
        (6.0, 0.5, 1, Algorithm.TWAP),
        (6.0, 6.0, 1, Algorithm.ONE),
        (np.nan, 0.5, 1, Algorithm.TWAP),  # the book does not hold it
        (6.0, np.nan, 1, Algorithm.TWAP),
        (0.0, 0.0, 3, Algorithm.TWAP),  # a rule of the tier
    ],
)
def test_the_router_slices_where_it_pays(
    whole_bps: float, slice_bps: float, slices_min: int, expected: Algorithm
) -> None:
    params = Params(Algorithm.TWAP, 60 * 10**9, slices=10, slices_min=slices_min)
    conditions = routing.Conditions(0.02, 10.0, whole_bps, slice_bps, DAY)
    assert routing.choose(params, conditions).algorithm is expected


def test_who_minds_the_risk_more_slices_less() -> None:
    params = Params(Algorithm.TWAP, 60 * 10**9, slices=10)
    conditions = routing.Conditions(0.02, 10.0, 1.5, 0.1, DAY)
    assert routing.choose(params, conditions, risk_aversion=0.0).algorithm is Algorithm.TWAP
    assert routing.choose(params, conditions, risk_aversion=1.0).algorithm is Algorithm.ONE
