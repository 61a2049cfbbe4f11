"""The baseline is within its stated error of the exact weighted quantiles, on anything."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genesis.operators import robust_baseline as baselines

SERIES = 2
ACCURACY, LEAST, MOST = 0.02, 1e-3, 1e3
FORGETS_NOTHING = baselines.parameters(math.inf, ACCURACY, LEAST, MOST)
FORGETFUL = baselines.parameters(7.3, ACCURACY, LEAST, MOST)

value = st.floats(-900.0, 900.0) | st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e-9, 1e-3])
some = st.lists(
    st.tuples(st.integers(0, SERIES - 1), st.sampled_from([0, 1, 1, 1, 5, -3, 9_000]), value), max_size=40
)

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def columns(listed: list[tuple[int, int, float]]) -> Columns:
    slots, at = (
        np.array([s for s, _, _ in listed], np.int64),
        np.cumsum([a for _, a, _ in listed]).astype(np.int64),
    )
    return slots, at, np.array([v for _, _, v in listed], np.float64)


def naive_quantile(weighted: list[tuple[float, float]], share: float) -> float:
    """Return the least value up to which lies at least the share of all weight."""
    total, reached = sum(weight for _, weight in weighted), 0.0
    for each, weight in sorted(weighted):
        reached += weight
        if reached >= share * total * (1 - 1e-12):
            return each
    return math.nan


def within_error(found: float, exact: float, error: float) -> bool:
    if math.isnan(exact):
        return math.isnan(found)
    return abs(found - exact) <= error * (1 + 1e-9) + LEAST


@pytest.mark.parametrize("how", [FORGETS_NOTHING, FORGETFUL], ids=["equal weights", "decay"])
@given(listed=some)
def test_it_is_within_its_error_of_the_definition(
    how: baselines.BaselineParameters, listed: list[tuple[int, int, float]]
) -> None:
    slots, at, values = columns(listed)
    state = baselines.update(baselines.no_baseline(SERIES, how), slots, at, values, how)
    series = np.arange(SERIES)
    shares = np.array([0.1, 0.5, 0.9])
    found = baselines.quantiles(state, series, shares, how)
    location, scale, count = baselines.location_and_scale(state, series, how)
    for one in range(SERIES):
        mine = [i for i in range(slots.size) if slots[i] == one and math.isfinite(values[i])]
        newest = max((int(at[i]) for i in mine), default=0)
        weighted = [(float(values[i]), 0.5 ** ((newest - int(at[i])) / how.half_life)) for i in mine]
        for k, share in enumerate(shares.tolist()):
            exact = naive_quantile(weighted, share)
            assert within_error(found[one, k], exact, ACCURACY * abs(exact))
        median = naive_quantile(weighted, 0.5)
        mad = naive_quantile([(abs(each - median), weight) for each, weight in weighted], 0.5)
        assert within_error(location[one], median, ACCURACY * abs(median))
        assert within_error(
            scale[one] / baselines.MAD_TO_SCALE, mad, ACCURACY * (2 * abs(median) + mad) + 2 * LEAST
        )
        total, squares = sum(w for _, w in weighted), sum(w * w for _, w in weighted)
        assert count[one] == pytest.approx(total * total / squares if squares else 0.0, rel=1e-6)


@given(some, st.integers(0, 40))
def test_values_may_be_cut_anywhere_and_the_state_kept(
    listed: list[tuple[int, int, float]], cut: int
) -> None:
    given_values = columns(listed)
    before = [each.copy() for each in given_values]
    head, tail = ([each[part] for each in given_values] for part in (slice(cut), slice(cut, None)))
    whole = baselines.update(baselines.no_baseline(SERIES, FORGETFUL), *given_values, FORGETFUL)
    part = baselines.update(baselines.no_baseline(SERIES, FORGETFUL), *head, FORGETFUL)
    part = baselines.update(baselines.with_slots(pickle.loads(pickle.dumps(part)), 9), *tail, FORGETFUL)
    for one, other in zip(whole, part, strict=True):
        assert one.tobytes() == other[:SERIES].tobytes()
    for each, copy in zip(given_values, before, strict=True):
        assert each.tobytes() == copy.tobytes()


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_numpy_and_scipy(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(1.0, 0.8, 5_000)
    state = baselines.update(
        baselines.no_baseline(1, FORGETS_NOTHING),
        np.zeros(values.size, np.int64),
        np.arange(values.size),
        values,
        FORGETS_NOTHING,
    )
    shares, mine = np.array([0.01, 0.25, 0.5, 0.75, 0.99]), np.zeros(1, np.int64)
    found = baselines.quantiles(state, mine, shares, FORGETS_NOTHING)[0]
    np.testing.assert_allclose(found, np.quantile(values, shares, method="inverted_cdf"), rtol=ACCURACY)
    _location, scale, count = baselines.location_and_scale(state, mine, FORGETS_NOTHING)
    mad = stats.median_abs_deviation(values, scale="normal")
    assert abs(scale[0] - mad) <= 1.4826 * ACCURACY * (2 * np.median(values)) + ACCURACY * mad
    assert count[0] == 5_000


def test_a_third_of_wild_values_moves_neither_median_nor_scale_far() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(50.0, 5.0, 3_000)
    wild = values.copy()
    wild[rng.random(3_000) < 0.3] = 900.0
    mine = np.zeros(1, np.int64)
    found = []
    for each in (values, wild):
        state = baselines.update(
            baselines.no_baseline(1, FORGETS_NOTHING),
            np.zeros(3_000, np.int64),
            np.arange(3_000),
            each,
            FORGETS_NOTHING,
        )
        found.append([float(part[0]) for part in baselines.location_and_scale(state, mine, FORGETS_NOTHING)])
    assert found[1][0] == pytest.approx(found[0][0], rel=0.1)
    assert found[1][1] < 2.0 * found[0][1]
    assert np.std(wild) > 50 * np.std(values)


def test_it_follows_a_shift_after_some_half_lives() -> None:
    how, mine = baselines.parameters(100.0), np.zeros(1, np.int64)
    values = np.concatenate([np.full(1_000, 10.0), np.full(500, 20.0)])
    state = baselines.update(
        baselines.no_baseline(1, how), np.zeros(1_500, np.int64), np.arange(1_500), values, how
    )
    assert baselines.location_and_scale(state, mine, how)[0][0] == pytest.approx(20.0, rel=ACCURACY)


def test_nothing_is_standardised_without_a_baseline_or_without_spread() -> None:
    how = baselines.parameters(math.inf, count_min=30.0)
    slots, at = np.repeat([0, 1, 2], [600, 40, 40]), np.arange(680)
    values = np.random.default_rng(1).normal(5.0, 1.0, 680)
    values[slots == 1] = 5.0
    values[(slots == 2) & (at > 660)] = np.nan  # too few
    state = baselines.update(baselines.no_baseline(3, how), slots, at, values, how)
    found = baselines.standardized(state, np.arange(3), np.full(3, 8.0), how)
    assert found[0] == pytest.approx(3.0, abs=0.5)
    assert np.isnan(found[1:]).all()


def test_values_out_of_range_count_at_its_ends() -> None:
    how, mine = baselines.parameters(math.inf, least=1e-3, most=1e3), np.zeros(1, np.int64)
    values = np.array([1e-9, 1e12, -1e12])
    state = baselines.update(baselines.no_baseline(1, how), np.zeros(3, np.int64), np.arange(3), values, how)
    found = baselines.quantiles(state, mine, np.array([0.0, 0.5, 1.0]), how)[0]
    assert found.tolist() == pytest.approx([-1e3, 0.0, 1e3], rel=3 * ACCURACY)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"half_life": 0.0}, "half_life must be positive"),
        ({"half_life": 5.0, "accuracy": 0.9}, "accuracy must be in"),
        ({"half_life": 5.0, "least": 1.0, "most": 0.5}, "most must be in"),
    ],
)
def test_wrong_parameters_are_refused(how: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        baselines.parameters(**how)
