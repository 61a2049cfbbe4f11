"""The signal enters, leaves, stops and holds by its rule, never flickers, and is as sure as it says."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genesis.operators import pair_signal
from genesis.operators.records import PairSignal
from tests.operators import naive_pairs

RULE = pair_signal.parameters(half_life_max=60.0)
WORDS = {PairSignal.NEITHER: "neither", PairSignal.HOLD_FIRST: "first", PairSignal.HOLD_SECOND: "second"}

undefined = st.just(np.nan)
score = st.floats(-6.0, 6.0) | st.sampled_from([-4.0, -2.0, -0.5, 0.0, 0.5, 2.0, 4.0]) | undefined
evidence_of_two = st.tuples(
    arrays.arrays(np.float64, (30, 2), elements=score),
    arrays.arrays(np.float64, (30, 2), elements=st.sampled_from([0.0, 0.01, 0.05, 0.1, 1.0]) | undefined),
    arrays.arrays(np.float64, (30, 2), elements=st.sampled_from([0.0, 1.0, 60.0, 900.0, np.inf]) | undefined),
)


def run(evidence, state=None, begin=0, rule=RULE):
    cells, pairs = evidence[0].shape
    state = state or pair_signal.no_signals(pairs)
    return pair_signal.signal(state, np.arange(begin + 1, begin + cells + 1), evidence, rule)


def signals_of(*scores: float) -> list[PairSignal]:
    """Return the signals of one pair of which everything else is certain."""
    column = np.array(scores).reshape(-1, 1)
    _, held, _ = run((column, np.zeros_like(column), np.zeros_like(column)))
    return [PairSignal(each) for each in held.ravel()]


@given(evidence_of_two)
def test_it_is_the_rule_in_words(evidence) -> None:
    _, held, confidence = run(evidence)
    for pair in range(2):
        words, sure = naive_pairs.signal(*(each[:, pair] for each in evidence), RULE)
        assert [WORDS[PairSignal(each)] for each in held[:, pair]] == words
        np.testing.assert_allclose(confidence[:, pair], sure, rtol=1e-12)


@given(evidence_of_two)
def test_confidence_lies_between_zero_and_one_or_is_undefined(evidence) -> None:
    _, _, confidence = run(evidence)
    defined = ~np.isnan(evidence).any(axis=0)
    assert (np.isnan(confidence) == ~defined).all()
    assert ((confidence[defined] >= 0.0) & (confidence[defined] <= 1.0)).all()


@given(evidence_of_two)
def test_nothing_is_entered_within_two_deviations_nor_without_confidence(evidence) -> None:
    _, held, confidence = run(evidence)
    before = np.vstack([np.zeros((1, 2), np.int64), held[:-1]])
    entered = (held != PairSignal.NEITHER) & (held != before)
    assert (np.abs(evidence[0][entered]) >= 2.0).all()
    assert (confidence[entered] >= RULE.confidence_min).all()


@given(evidence_of_two, st.integers(0, 30))
def test_a_batch_may_be_cut_anywhere_and_the_state_kept(evidence, cut: int) -> None:
    before = [each.copy() for each in evidence]
    whole, *paths = run(evidence)
    part, *begun = run(tuple(each[:cut] for each in evidence))
    part = pickle.loads(pickle.dumps(part))
    part, *ended = run(tuple(each[cut:] for each in evidence), part, begin=cut)
    assert [each.tobytes() for each in whole] == [each.tobytes() for each in part]
    for path, begin, end in zip(paths, begun, ended, strict=True):
        assert path.tobytes() == np.concatenate([begin, end]).tobytes()
    np.testing.assert_array_equal(before, evidence)


def test_the_cheap_leg_is_held_until_the_score_is_back() -> None:
    neither, first, second = PairSignal
    assert signals_of(0, -2.1, -1, -0.6, -0.4, 0) == [neither, first, first, first, neither, neither]
    assert signals_of(0, 2.1, 1, 0.6, 0.4, 0) == [neither, second, second, second, neither, neither]


def test_a_score_that_wavers_at_a_threshold_does_not_flicker() -> None:
    for level, expected in ((2.0, 0), (0.5, 1)):
        held = signals_of(2.5, *(level + 0.3 * (-1) ** k for k in range(100)))
        assert sum(a != b for a, b in itertools.pairwise(held)) == expected


def test_after_a_stop_the_pair_is_barred_until_the_score_has_been_back() -> None:
    neither, first, _ = PairSignal
    scores = (-2.5, -3.9, -4.1, -3.0, -2.2, -0.6, -2.2, -0.4, -2.2)
    assert signals_of(*scores) == [first, first, neither, neither, neither, neither, neither, neither, first]


def test_one_leg_can_follow_the_other_at_once() -> None:
    assert signals_of(-2.5, 2.5) == [PairSignal.HOLD_FIRST, PairSignal.HOLD_SECOND]


def test_an_undefined_score_changes_nothing() -> None:
    assert signals_of(-2.5, np.nan, np.nan, -1.0) == [PairSignal.HOLD_FIRST] * 4


def test_it_says_since_when_and_what_was_before() -> None:
    column = np.array([[0.0], [-2.5], [-1.0], [0.0], [0.0]])
    state, _, _ = run((column, np.zeros_like(column), np.zeros_like(column)))
    assert (state.signal[0], state.previous[0], state.since_ns[0]) == (0, PairSignal.HOLD_FIRST, 4)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"half_life_max": 0.0}, "half_life_max must be positive"),
        ({"half_life_max": 1.0, "thresholds": (2.0, 0.5, 4.0)}, "thresholds must ascend"),
        ({"half_life_max": 1.0, "p_value_max": 0.0}, "p_value_max must be positive"),
        ({"half_life_max": 1.0, "p_value_max": 1.5}, "p_value_max must be in"),
        ({"half_life_max": 1.0, "confidence_min": -0.1}, "confidence_min must be in"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pair_signal.parameters(**wrong)
