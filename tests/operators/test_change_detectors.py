"""CUSUM and Page–Hinkley: their recursions, their rates of false alarm, and river's own verdicts."""

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift

from genesis.operators import cusum, page_hinkley

SERIES = 2
CUSUM = cusum.parameters(h=4.0)
HINKLEY = page_hinkley.parameters(delta=0.005, threshold=50.0)
QUICK = page_hinkley.parameters(delta=0.1, threshold=3.0, alpha=0.99, values_min=3)

value = st.floats(-9.0, 9.0) | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e-300, 1e100, -1e100])
some = st.lists(st.tuples(st.integers(0, SERIES - 1), value), max_size=60)


def columns(listed: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in listed], np.int64), np.array([v for _, v in listed], np.float64)


def naive_cusum(values: list[float]) -> list[int]:
    up = down = 0.0
    alarms = []
    for each in values:
        if math.isfinite(each):
            up, down = max(0.0, up + each - 0.5), max(0.0, down - each - 0.5)
        alarm = 1 if up >= 4.0 else -1 if down >= 4.0 else 0
        up, down = (0.0 if alarm == 1 else up), (0.0 if alarm == -1 else down)
        alarms.append(alarm)
    return alarms


def rivers_verdicts(values: list[float], how: page_hinkley.PageHinkleyParameters) -> list[bool]:
    """Return where river finds a change; what is not finite is not shown to it."""
    detector = drift.PageHinkley(
        min_instances=how.values_min, delta=how.delta, threshold=how.threshold, alpha=how.alpha
    )
    verdicts = []
    for each in values:
        if math.isfinite(each):
            detector.update(each)
        verdicts.append(math.isfinite(each) and detector.drift_detected)
    return verdicts


@given(some)
def test_cusum_is_its_recursion(listed: list[tuple[int, float]]) -> None:
    slots, values = columns(listed)
    _, sums, alarms = cusum.update(cusum.no_sums(SERIES), slots, values, CUSUM)
    for one in range(SERIES):
        assert alarms[slots == one].tolist() == naive_cusum(values[slots == one].tolist())
    assert (sums >= 0.0).all()


@given(some)
def test_page_hinkley_is_rivers(listed: list[tuple[int, float]]) -> None:
    slots, values = columns(listed)
    _, alarms = page_hinkley.update(page_hinkley.no_sums(SERIES), slots, values, QUICK)
    for one in range(SERIES):
        expected = rivers_verdicts(values[slots == one].tolist(), QUICK)
        assert (alarms[slots == one] != 0).tolist() == expected


@pytest.mark.parametrize("how", [HINKLEY, QUICK], ids=["river's defaults", "quick"])
def test_page_hinkley_is_rivers_on_a_long_stream_with_changes(
    how: page_hinkley.PageHinkleyParameters,
) -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(mean, 1.0, 1_500) for mean in (0.0, 0.5, -2.0, -2.0, 4.0)])
    _, alarms = page_hinkley.update(page_hinkley.no_sums(1), np.zeros(values.size, np.int64), values, how)
    assert (alarms != 0).tolist() == rivers_verdicts(values.tolist(), how)
    assert {1, -1} <= set(alarms.tolist())


def updated(name: str, state: Any, slots: np.ndarray, values: np.ndarray) -> tuple[Any, bytes]:
    if name == "cusum":
        state, sums, alarms = cusum.update(state, slots, values, CUSUM)
        return state, np.column_stack([sums, alarms]).tobytes()
    state, alarms = page_hinkley.update(state, slots, values, QUICK)
    return state, alarms.tobytes()


@pytest.mark.parametrize(("name", "module"), [("cusum", cusum), ("page_hinkley", page_hinkley)])
@given(listed=some, cut=st.integers(0, 60))
def test_values_may_be_cut_anywhere_and_the_state_kept(
    name: str, module: Any, listed: list[tuple[int, float]], cut: int
) -> None:
    slots, values = columns(listed)
    before = values.copy()
    state, whole = updated(name, module.no_sums(SERIES), slots, values)
    part, first = updated(name, module.no_sums(SERIES), slots[:cut], values[:cut])
    part = module.with_slots(pickle.loads(pickle.dumps(part)), 20)
    part, second = updated(name, part, slots[cut:], values[cut:])
    assert whole == first + second
    for one, other in zip(state, part, strict=True):
        assert one.tobytes() == other[:SERIES].tobytes()
    assert values.tobytes() == before.tobytes()


def simulated_run_length(h: float, shift: float, runs: int) -> float:
    """Return the mean number of normal values before the first alarm of each of many charts."""
    rng, how = np.random.default_rng(11), cusum.parameters(h)
    state, lengths = cusum.no_sums(runs), np.zeros(runs, np.int64)
    slots = np.arange(runs)
    for step in range(1, 20_000):
        going = np.flatnonzero(lengths == 0)
        if not going.size:
            break
        state, _, alarms = cusum.update(state, slots[going], rng.normal(shift, 1.0, going.size), how)
        lengths[going[alarms != 0]] = step
    return float(lengths.mean())


@pytest.mark.parametrize(
    ("h", "shift", "stated"), [(4.0, 0.0, 168.0), (4.0, 1.0, 8.4), (5.0, 0.0, 465.0), (5.0, 1.0, 10.4)]
)
def test_the_stated_run_lengths_are_simulated_and_computed(h: float, shift: float, stated: float) -> None:
    """The standard error of 4,000 runs is 1.6 % of a run length without shift, less with one."""
    assert cusum.average_run_length(h, shift=shift) == pytest.approx(stated, rel=0.01)
    assert simulated_run_length(h, shift, 4_000) == pytest.approx(stated, rel=0.04)


def test_the_markov_chain_has_converged() -> None:
    rough, fine = (cusum.average_run_length(5.0, states=size) for size in (50, 200))
    assert rough == pytest.approx(fine, rel=1e-3)


def test_a_clipped_value_alone_never_alarms() -> None:
    how = cusum.parameters(h=4.0, clip=3.0)
    values = np.array([0.0, 1e9, 0.0, -1e9])
    assert not cusum.update(cusum.no_sums(1), np.zeros(4, np.int64), values, how)[2].any()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: cusum.parameters(0.0), "step 'cusum': h must be positive"),
        (lambda: cusum.parameters(4.0, clip=0.1), r"clip must be in \[0.5, inf\]"),
        (lambda: page_hinkley.parameters(0.1, -1.0), "threshold must be positive"),
        (lambda: page_hinkley.parameters(0.1, 1.0, alpha=1.5), "alpha must be in"),
    ],
)
def test_wrong_parameters_are_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()
