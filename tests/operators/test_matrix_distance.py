"""The distance is its definition; a change of the correlations is found, soon, and calm is no change."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genesis.operators import matrix_distance
from genesis.operators.matrix_distance import break_params, breaks, no_breaks
from tests.operators import naive_correlation as naive

PARAMS = break_params(half_life=5.0, slack=0.5, threshold=4.0, warm=3)
value = st.floats(-1.0, 1.0, width=16) | st.just(math.nan)
matrices = arrays.arrays(np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=value)


@given(matrices)
def test_it_is_the_definition(rows: np.ndarray) -> None:
    _, seen = breaks(no_breaks(3), rows, PARAMS)
    np.testing.assert_allclose(seen, naive.breaks(rows, PARAMS), atol=1e-9)


@given(matrices, st.integers(0, 40))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(rows: np.ndarray, cut: int) -> None:
    before = rows.copy()
    whole, seen = breaks(no_breaks(3), rows, PARAMS)
    state, first = breaks(no_breaks(3), rows[:cut], PARAMS)
    state, second = breaks(pickle.loads(pickle.dumps(state)), rows[cut:], PARAMS)
    assert np.vstack([first, second]).tobytes() == seen.tobytes()
    for one, other in zip(whole, state, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    np.testing.assert_array_equal(rows, before)


@given(matrices)
def test_a_distance_lies_between_0_and_2_or_is_undefined(rows: np.ndarray) -> None:
    for one, other in itertools.pairwise(rows):
        gap = matrix_distance.distance(one, other)
        assert math.isnan(gap) or 0.0 <= gap <= 2.0
        assert matrix_distance.distance(other, one) == gap or math.isnan(gap)


def estimates(rng: np.random.Generator, loading: float, count: int) -> np.ndarray:
    """Return correlations of ten instruments from samples of 60 returns each that share nothing."""
    found = []
    for _ in range(count):
        returns = rng.normal(size=(60, 10)) + loading * rng.normal(size=(60, 1))
        found.append(np.corrcoef(returns.T)[np.tril_indices(10, -1)])
    return np.array(found)


def test_a_change_of_the_correlations_is_found_soon_and_calm_is_none() -> None:
    rng = np.random.default_rng(1)
    rows = np.vstack([estimates(rng, 1.0, 300), estimates(rng, 3.0, 100)])
    _, seen = breaks(no_breaks(45), rows, break_params())
    (at,) = np.flatnonzero(seen[:, 2])
    assert 300 <= at <= 305


def test_false_alarms_are_rare() -> None:
    rng = np.random.default_rng(2)
    _, seen = breaks(no_breaks(45), estimates(rng, 1.0, 3_000), break_params())
    assert seen[:, 2].sum() <= 4


@pytest.mark.parametrize("wrong", [{"half_life": 0.0}, {"slack": -1.0}, {"threshold": math.nan}, {"warm": 1}])
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"break_params: {next(iter(wrong))} must"):
        break_params(**wrong)
