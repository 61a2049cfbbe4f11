"""Plans: slices sum to the parent, keep their bounds, and say what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import volume_profile
from genesis.operators.slicing.decisions import chance_ppm
from genesis.operators.slicing.orders import Algorithm, Market, Parent
from genesis.operators.slicing.params import Adaptivity, Params
from genesis.operators.slicing.plans import horizon_shares, plan, slices
from tests.operators.slicing import scripts

SECOND_NS = 10**9
MARKET = Market(999_999, 1_000_001, 100 * 10**6)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, np.ndarray, int, int]:
    count = draw(st.integers(1, 30))
    least = draw(st.integers(1, 1_000))
    lots = draw(st.integers(count * least, count * least * 50))
    weights = draw(st.lists(st.floats(0.0, 1e6) | st.just(0.0), min_size=count, max_size=count))
    return lots, np.array(weights), least, draw(st.integers(1, count))


@given(cuts())
def test_slices_sum_to_the_parent_within_their_bounds(cut: tuple[int, np.ndarray, int, int]) -> None:
    lots, weights, least, slices_min = cut
    before = weights.copy()
    sizes = slices(*cut)
    assert sizes.sum() == lots
    assert sizes.min() >= least
    assert sizes.max() <= -(-lots // slices_min)
    np.testing.assert_array_equal(weights, before)


@given(st.integers(1, 40), st.integers(0, 10**6), st.integers(0, 3))
def test_slices_are_the_nearest_whole_lots_where_no_bound_holds(count: int, extra: int, seed: int) -> None:
    weights = np.random.default_rng(seed).uniform(1.0, 2.0, count)
    lots = 1_000 * count + extra
    assert (
        np.abs(np.cumsum(slices(lots, weights, 1)) - lots * np.cumsum(weights) / weights.sum()).max() <= 1.0
    )


@given(scripts.orders())
def test_a_plan_sums_exactly_and_stays_within_its_horizon(order: tuple[Parent, Market, Params]) -> None:
    parent, market, params = order
    schedule = plan(*order).schedule
    sizes, slots = np.diff(schedule[:, 1], prepend=0), schedule.shape[0]
    assert sizes.sum() == parent.lots
    assert (sizes * market.bid_ticks >= market.notional_min).all()
    assert params.slices_min <= slots <= max(params.slices, 1)
    assert (np.diff(schedule[:, 0], prepend=0) >= 0).all()
    assert schedule[-1, 0] < params.horizon_ns
    interval_ns = params.horizon_ns // slots
    away = np.abs(schedule[:, 0] - np.arange(slots) * interval_ns)
    assert (away <= interval_ns * params.time_variation_ppm // 10**6 + 10**6).all()


def test_sizes_vary_within_their_bounds_and_differ_by_id() -> None:
    params = Params(Algorithm.TWAP, 60 * SECOND_NS, slices=20)
    found = [
        np.diff(plan(Parent(name, 1, 10**6, 0), MARKET, params).schedule[:, 1]) for name in ("a", "b", "a")
    ]
    assert (found[0] != found[1]).any()
    assert (found[0] == found[2]).all()
    assert found[0].min() > 50_000 * 0.7
    assert found[0].max() < 50_000 * 1.3
    assert np.ptp(found[0]) > 50_000 * 0.1


def test_chance_is_even() -> None:
    draws = np.array([chance_ppm(11, number) for number in range(20_000)])
    assert abs(draws).max() <= 10**6
    counts, _ = np.histogram(draws, 20, (-(10**6), 10**6))
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 43.8, (
        "chi-squared, 19 degrees of freedom, one in a thousand"
    )
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03


def test_a_small_order_has_fewer_slices_and_a_smaller_one_is_refused() -> None:
    params = Params(Algorithm.TWAP, 60 * SECOND_NS, slices=10, slices_min=3)
    assert plan(Parent("a", 1, 500, 0), MARKET, params).schedule.shape[0] == 4
    with pytest.raises(
        ValueError, match="'a' must be cut into at least 3 slices of at least 102 lots, was 300"
    ):
        plan(Parent("a", 1, 300, 0), MARKET, params)


@pytest.mark.parametrize(
    ("parent", "market", "says"),
    [
        (Parent("a", 0, 500, 0), MARKET, "side must be 1 or -1"),
        (Parent("a", 1, 0, 0), MARKET, "lots must be in"),
        (Parent("a", 1, 2**41, 0), MARKET, "lots must be in"),
        (Parent("a", 1, 500, 0), MARKET._replace(bid_ticks=0), "two-sided quote"),
        (Parent("a", 1, 500, 0), MARKET._replace(bid_ticks=2_000_000), "two-sided quote"),
        (Parent("a", 1, 2**40, 0), MARKET._replace(ask_ticks=2**39), "take larger steps"),
        (Parent("a", 1, 500, 0, -1), MARKET, "must not be negative"),
        (Parent("a", 1, 500, 0), MARKET._replace(notional_min=-1), "notional_min must be in"),
    ],
)
def test_what_is_out_of_range_is_refused(parent: Parent, market: Market, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plan(parent, market, Params(Algorithm.TWAP, 60 * SECOND_NS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("horizon_ns", 0),
        ("slices", 0),
        ("slices_min", 11),
        ("size_variation_ppm", 500_001),
        ("participation_max_ppm", 0),
        ("rate_ppm", 200_000),
        ("slippage_max_ppm", -1),
        ("delay_min_ns", 6 * SECOND_NS),
        ("patience_ns", -1),
        ("volume_prior_ppm", -1),
        ("half_life_ns", 0),
        ("volume_shares", (1.0, float("nan"))),
        ("volume_shares", (0.0, 0.0)),
        ("volume_shares", (1e308, 1e308)),
        ("adaptivity", Adaptivity(lead_slots=float("nan"))),
        ("adaptivity", Adaptivity(favourable_full_ppm=-1)),
    ],
)
def test_params_that_make_no_sense_are_refused_by_name(name: str, value: object) -> None:
    inner = "lead_slots|favourable_full_ppm" if name == "adaptivity" else name
    with pytest.raises(ValueError, match=f"slicing: ({inner}) must be"):
        Params(**({"algorithm": Algorithm.POV, "horizon_ns": 60 * SECOND_NS} | {name: value}))  # type: ignore[arg-type]


def test_one_order_is_not_cut() -> None:
    with pytest.raises(ValueError, match="slices_min must be in \\[1, 1\\], was 3"):
        Params(Algorithm.ONE, 60 * SECOND_NS, slices_min=3)


def test_a_learned_profile_of_the_day_gives_the_curve_of_a_horizon() -> None:
    """Twice the volume in the second half of the day; an order across noon sees the step."""
    event_ns = np.arange(0, 6 * volume_profile.DAY_NS, volume_profile.BIN_NS // 2)
    notional = np.where(event_ns % volume_profile.DAY_NS < volume_profile.DAY_NS // 2, 1.0, 2.0)
    how = volume_profile.parameters(30.0, 0.01)
    slots = np.zeros(event_ns.size, np.int64)
    learned = volume_profile.update(volume_profile.no_profile(1), slots, event_ns, notional, how)
    curve = volume_profile.curve(learned, slots[:1], how)[0]
    hour = 3_600 * SECOND_NS
    shares = horizon_shares(curve, 11 * hour, 2 * hour, 4)
    np.testing.assert_allclose(shares, [1 / 6, 1 / 6, 1 / 3, 1 / 3], rtol=0.01)
    np.testing.assert_allclose(horizon_shares(curve, 0, 48 * hour, 2), [0.5, 0.5])
