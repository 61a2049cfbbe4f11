"""A pair is ranked by what an order of the tier would cost in it, and told why it is unfit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import tradability
from genesis.operators.measure_records import Tier
from genesis.operators.tradability import Pairs, Unfit

figure = st.floats(0.0, 1e12) | st.sampled_from([np.nan, np.inf, 0.0, -1.0, 1e-300])
pairs = st.lists(st.tuples(figure, figure, figure), max_size=20).map(
    lambda listed: Pairs(*(np.array([each[k] for each in listed], np.float64) for k in range(3)))
)


@given(pairs, st.sampled_from(list(Tier)))
def test_cost_and_reasons_are_their_definitions(given_pairs: Pairs, tier: Tier) -> None:
    before = [each.copy() for each in given_pairs]
    order = tradability.ORDER_NOTIONAL[tier]
    cost_bps, unfit = tradability.cost_and_reasons(given_pairs, order)
    for i, (spread, depth, day) in enumerate(zip(*(each.tolist() for each in given_pairs), strict=True)):
        known = spread >= 0 and depth > 0
        expected = spread / 2 + 5.0 * order / depth if known else math.nan
        assert cost_bps[i] == pytest.approx(expected, nan_ok=True)
        reasons = [
            (Unfit.SPREAD, not 0 <= spread <= tradability.SPREAD_BPS_MAX),
            (Unfit.DEPTH, not order <= tradability.DEPTH_SHARE_MAX * depth),
            (Unfit.VOLUME, not order <= tradability.DAY_SHARE_MAX * day),
        ]
        assert unfit[i] == sum(int(reason) for reason, holds in reasons if holds)
    for each, copy in zip(given_pairs, before, strict=True):
        assert each.tobytes() == copy.tobytes()


@given(pairs)
def test_ranks_are_a_permutation_with_the_fit_and_the_cheap_first(given_pairs: Pairs) -> None:
    cost_bps, unfit = tradability.cost_and_reasons(given_pairs, 100.0)
    rank = tradability.ranks(cost_bps, unfit)
    assert sorted(rank.tolist()) == list(range(1, rank.size + 1))
    best_first = np.argsort(rank)
    fit = unfit[best_first] == 0
    assert (np.diff(fit.astype(int)) <= 0).all()
    costs = cost_bps[best_first][fit]
    assert (np.diff(costs) >= 0).all()


def test_what_fits_a_small_account_need_not_fit_a_large_one() -> None:
    thin = Pairs(np.array([4.0]), np.array([2_000.0]), np.array([300_000.0]))
    verdicts = {
        tier: tradability.cost_and_reasons(thin, worth) for tier, worth in tradability.ORDER_NOTIONAL.items()
    }
    assert [int(verdicts[tier][1][0]) for tier in Tier] == [0, *[Unfit.DEPTH | Unfit.VOLUME] * 3]
    costs = [float(verdicts[tier][0][0]) for tier in Tier]
    assert costs == sorted(costs)
