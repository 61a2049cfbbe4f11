"""The watch: any cut gives the same bytes, every indicator is lit by what it is about, calm stays calm."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.cusum import average_run_length
from genesis.operators.tilt import evidence, watch
from genesis.operators.tilt.indicators import COUNT, HABITS, INDICATORS, NUMBER, TENDENCIES, Kind, Lean
from genesis.operators.tilt.observations import OBSERVATION, ObservationKind

K = ObservationKind
Row = tuple[int, int, int, float, float]
SECOND_NS = 10**9
NIGHT_NS = 17 * 3_600 * SECOND_NS


def day(seed: int, number: int, orders: int = 8) -> list[Row]:
    """Return a usual day: looks, keys, orders, fills and sales, some with a loss."""
    rng, rows = np.random.default_rng((seed, number)), []
    now = (19_000 + number) * 86_400 * SECOND_NS + 9 * 3_600 * SECOND_NS
    rows.append((now, K.CONNECTED, 0, 0.0, 0.0))
    for turn in range(orders):
        now += int(1_500 * rng.lognormal(0.0, 0.5) * SECOND_NS)
        size, symbol = 0.02 * rng.lognormal(0.0, 0.2), 1 + turn % 4
        rows.append((now, K.CHART, symbol, 1.0, 0.0))
        now += int(20 * rng.lognormal(0.0, 0.3) * SECOND_NS)
        rows.append((now, K.KEYS, 0, 150 * rng.lognormal(0.0, 0.15), 14.0))
        rows.append((now, K.CORRECTIONS, 0, float(rng.binomial(14, 0.05)), 14.0))
        rows.append((now, K.EDITED, 0, float(rng.poisson(0.6)), 0.0))
        rows.append((now, K.PREVIEWED, 0, 4 * rng.lognormal(0.0, 0.3), float(rng.random() > 0.1)))
        rows.append((now, K.DECIDED, 0, 12 * rng.lognormal(0.0, 0.3), 0.0))
        rows.append((now, K.REFUSED if rng.random() < 0.05 else K.ORDER, symbol, size, 0.2))
        rows.append((now, K.BOUGHT, symbol, size, math.nan if rng.random() < 0.8 else 0.01))
        if turn % 3 == 2:
            rows.append((now, K.STOP_MOVED, symbol, -0.002, 0.0))
            rows.append((now, K.CANCELLED, symbol, 200.0, size))
        now += int(400 * rng.lognormal(0.0, 0.5) * SECOND_NS)
        rows.append((now, K.SOLD, symbol, size * rng.normal(0.0, 0.02), 400.0))
    return rows


def past(seed: int, days: int = 30) -> bytes:
    """Return the state after usual days."""
    rows = [row for number in range(days) for row in day(seed, number)]
    state, _ = watch.observe(watch.fresh(), np.array(rows, OBSERVATION))
    return state


@pytest.fixture(scope="module")
def usual() -> bytes:
    return past(1)


def begin(state: bytes) -> int:
    return int(np.frombuffer(state, evidence.STATE)["event_ns"][0]) + 18 * 3_600 * SECOND_NS


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 300), max_size=4))
def test_any_cut_gives_the_same_bytes(seed: int, cuts: list[int]) -> None:
    rows = np.array([row for number in range(4) for row in day(seed, number)], OBSERVATION)
    state = watch.fresh()
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        state, _ = watch.observe(state, rows[first:last])
    assert state == watch.observe(watch.fresh(), rows)[0]


def losses(now: int, symbol: int = 1) -> Row:
    return (now, K.SOLD, symbol, -0.01, 300.0)


LIT_BY: dict[str, Callable[[int], list[Row]]] = {
    "decision_latency": lambda at: [(at, K.DECIDED, 0, 0.6, 0.0)] * 2,
    "trade_frequency": lambda at: [(at + i * 4 * SECOND_NS, K.ORDER, 1, 0.02, 0.2) for i in range(3)],
    "order_size": lambda at: [(at + i * 900 * SECOND_NS, K.ORDER, 1, 0.3, 0.2) for i in range(2)],
    "size_after_loss": lambda at: [losses(at), (at + 900 * SECOND_NS, K.ORDER, 2, 0.3, 0.2)],
    "size_after_gain": lambda at: [
        (at, K.SOLD, 1, 0.03, 300.0), (at + 900 * SECOND_NS, K.ORDER, 2, 0.3, 0.2)
    ],
    "reentry": lambda at: [
        row for i in range(3)
        for row in (losses(at + i * 60 * SECOND_NS), (at + (i * 60 + 5) * SECOND_NS, K.ORDER, 2, 0.02, 0.2))
    ],
    "typing_speed": lambda at: [(at, K.KEYS, 0, 40.0, 12.0)] * 2,
    "preview_look": lambda at: [(at, K.PREVIEWED, 0, 0.2, 1.0)] * 2,
    "size_hover": lambda at: [(at, K.EDITED, 0, 30.0, 0.0)] * 2,
    "typing_accuracy": lambda at: [(at, K.CORRECTIONS, 0, 9.0, 14.0)],
    "previews_left": lambda at: [(at, K.PREVIEWED, 0, 4.0, 0.0)] * 6,
    "quick_cancels": lambda at: [(at, K.CANCELLED, 1, 2.0, 0.02)] * 4,
    "refused_orders": lambda at: [(at + i * 900 * SECOND_NS, K.REFUSED, 1, 0.02, 0.0) for i in range(5)],
    "adding_to_losers": lambda at: [(at, K.BOUGHT, 1, 0.02, -0.03)] * 4,
    "stop_widening": lambda at: [(at, K.STOP_MOVED, 1, 0.02, -0.03)] * 4,
    "unusual_hours": lambda at: [
        (at + NIGHT_NS + i * 60 * SECOND_NS, K.ORDER, 1, 0.02, 0.2) for i in range(3)
    ],
    "panic_hedging": lambda at: [(at, K.MARKED, 1, -0.02, 0.02)]
    + [(at + i * 900 * SECOND_NS, K.ORDER, 2, 0.02, 0.95) for i in range(4)],
    "same_pair_revenge": lambda at: [
        row for i in range(4)
        for row in (losses(at + i * 90 * SECOND_NS), (at + (i * 90 + 20) * SECOND_NS, K.ORDER, 1, 0.02, 0.2))
    ],
    "reaction": lambda at: [
        row for i in range(4)
        for row in (losses(at + i * 90 * SECOND_NS), (at + (i * 90 + 1) * SECOND_NS, K.ORDER, 3, 0.02, 0.2))
    ],
    "bargaining": lambda at: [(at, K.AMENDED, 1, 6.0, 0.0)],
    "chart_checks": lambda at: [(at + i * SECOND_NS, K.CHART, 1, 1.0, 0.0) for i in range(21)],
    "stare": lambda at: [(at, K.STARED, 0, 1_900.0, 0.0)],
    "reconnects": lambda at: [(at + i * 100 * SECOND_NS, K.CONNECTED, 0, 0.0, 0.0) for i in range(3)],
    "thrashing": lambda at: [(at + i * SECOND_NS, K.PARAMETER, 0, 0.0, 0.0) for i in range(4)],
    "clock_changed": lambda at: [(at, K.CLOCK_JUMPED, 0, -3_600.0, 0.0)],
    "empty_activity": lambda at: [(at + i * 30 * SECOND_NS, K.DECIDED, 0, 12.0, 0.0) for i in range(61)],
}  # fmt: skip


@pytest.mark.parametrize("name", [each.name for each in INDICATORS])
def test_each_indicator_is_lit_by_what_it_is_about(name: str, usual: bytes) -> None:
    rows = np.array(LIT_BY[name](begin(usual)), OBSERVATION)
    _, reading = watch.observe(usual, rows)
    lit = {sign.name: sign for sign in reading.signs}
    assert name in lit, lit
    sign = lit[name]
    assert sign.sentence.endswith(".")
    assert math.isfinite(sign.value)
    assert math.isfinite(sign.usual)
    if INDICATORS[NUMBER[name]].kind is not Kind.BOUND:
        _, early = watch.observe(watch.fresh(), rows)
        assert name not in {each.name for each in early.signs}, "nothing is known of the person yet"


def test_a_burst_after_losses_is_level_two_by_its_second_order_and_three_soon_after(usual: bytes) -> None:
    at, rows, levels = begin(usual), [], []
    for turn in range(5):
        at += 25 * SECOND_NS
        rows = [
            losses(at), (at + 6 * SECOND_NS, K.KEYS, 0, 70.0, 12.0),
            (at + 6 * SECOND_NS, K.DECIDED, 0, 2.0, 0.0), (at + 6 * SECOND_NS, K.ORDER, 1, 0.06, 0.2),
        ]  # fmt: skip
        usual, reading = watch.observe(usual, np.array(rows, OBSERVATION))
        levels.append(reading.level)
        assert turn < 1 or reading.level >= 2, reading.signs
    assert levels[-1] == 3
    assert levels == sorted(levels)


def test_usual_days_never_ask_for_a_rest_and_seldom_for_a_reason() -> None:
    highest = []
    for seed in range(12):
        state = past(seed)
        for number in range(30, 50):
            levels = []
            for row in day(seed, number):
                state, reading = watch.observe(state, np.array([row], OBSERVATION))
                levels.append(reading.level)
            highest.append(max(levels))
    assert max(highest) < 3
    assert np.mean(np.array(highest) >= 2) < 0.12, "level 2 is reached on one usual day in ten (docs/tilt.md)"


def test_signs_of_haste_and_of_paralysis_are_not_counted_together(usual: bytes) -> None:
    at = begin(usual)
    quick = [*LIT_BY["preview_look"](at), *LIT_BY["reconnects"](at)]
    slow = [*LIT_BY["stare"](at), *LIT_BY["previews_left"](at)]
    _, of_both = watch.observe(usual, np.array(sorted([*quick, *slow]), OBSERVATION))
    assert len(of_both.signs) >= 4
    assert of_both.level == 1


@pytest.mark.parametrize(
    ("signs", "far", "level"),
    [
        (1, evidence.IS_STRONG, 0),
        (2, evidence.IS_STRONG, 1),
        (3, evidence.LIT, 0),
        (4, evidence.LIT, 2),
        (6, evidence.LIT, 2),
        (5, evidence.IS_STRONG, 2),
        (6, evidence.IS_STRONG, 3),
    ],
)
@pytest.mark.parametrize("lean", [Lean.HASTE, Lean.PARALYSIS])
def test_a_level_takes_so_many_signs_of_one_lean(signs: int, far: int, level: int, lean: Lean) -> None:
    state = np.zeros(1, evidence.STATE)
    for i in np.flatnonzero((evidence.LEANS & int(lean)).any(axis=1))[:signs]:
        state["lit"][0, i, int((evidence.LEANS[i] & int(lean)).argmax())] = far
    _, reading = watch.observe(state.tobytes(), np.empty(0, OBSERVATION))
    assert reading.level == level
    assert len(reading.signs) == (0 if far == evidence.LIT and level < 2 else signs)


@pytest.mark.parametrize(("kind", "sides"), [(K.KEYS, 2), (K.EDITED, 1)])
def test_a_usual_habit_lights_its_sign_seldom_even_when_nothing_fades(kind: K, sides: int) -> None:
    rng, lights, lit, was_lit = np.random.default_rng(1), 0, 0, False
    rows = np.zeros(4_000, OBSERVATION)
    rows["event_ns"], rows["kind"] = (1 + np.arange(4_000)) * SECOND_NS, kind
    rows["value"] = 150 * rng.lognormal(0.0, 0.3, 4_000)
    state = watch.fresh()
    for i in range(len(rows)):
        state, reading = watch.observe(state, rows[i : i + 1])
        lights, was_lit = lights + (bool(reading.signs) and not was_lit), bool(reading.signs)
        lit += was_lit
    known = average_run_length(evidence.STRONG, evidence.K) * 2 / sides  # with median and scale known
    assert 0 < lights <= 2 * len(rows) / known
    assert lit < 0.2 * sides * len(rows)


def test_evidence_fades_and_a_rest_puts_it_away(usual: bytes) -> None:
    at = begin(usual)
    state, lit = watch.observe(usual, np.array(LIT_BY["clock_changed"](at), OBSERVATION))
    assert lit.signs
    later = np.array([(at + 4 * 3_600 * SECOND_NS, K.CLOCK, 0, 0.0, 0.0)], OBSERVATION)
    assert not watch.observe(state, later)[1].signs
    assert not watch.observe(watch.rested(state), later[:0])[1].signs
    kept = (np.frombuffer(each, evidence.STATE)["kept"] for each in (state, watch.rested(state)))
    np.testing.assert_array_equal(*kept)


def test_the_more_sensitive_profile_lights_sooner(usual: bytes) -> None:
    rows = np.array([(begin(usual), K.DECIDED, 0, 5.0, 0.0)] * 2, OBSERVATION)
    weights = []
    for sensitivity in (0.9, 1.0, 1.5):
        state, _ = watch.observe(usual, rows, sensitivity)
        weights.append(float(np.frombuffer(state, evidence.STATE)["sums"][0].max()))
    assert weights == sorted(weights)
    assert len(set(weights)) == 3


def _naive(values: np.ndarray, times: np.ndarray) -> float:
    """Return the evidence of the size measure, of its definition."""
    learned: list[float] = []
    total, strong, before = 0.0, False, int(times[0])
    for number, (value, now) in enumerate(zip(np.log(values), times, strict=True), 1):
        total *= 2.0 ** (-(int(now) - before) / evidence.HALF_LIFE_NS)
        strong = strong and total >= evidence.STRONG / 2
        before = int(now)
        if len(learned) >= evidence.CALIBRATION:
            last = learned[-evidence.KEPT :]
            middle = np.median(last)
            scale = max(1.4826022185056018 * np.median(np.abs(np.array(last) - middle)), evidence.SCALE_MIN)
            z = float(np.clip((value - middle) / scale, -evidence.CLIP, evidence.CLIP))
            total = min(max(0.0, total + z - evidence.K), evidence.MOST)
            strong = strong or total >= evidence.STRONG
        if not strong or number % evidence.LEARN_STRONG == 0:
            learned.append(float(value))
    return total


@pytest.mark.parametrize("seed", range(5))
def test_evidence_is_that_of_the_naive_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = 0.02 * rng.lognormal(0.0, 0.3, 200)
    values[150:] *= 2.0
    times = np.cumsum(rng.exponential(600.0, 200) * 1e9).astype(np.int64) + 1
    rows = np.zeros(200, OBSERVATION)
    rows["event_ns"], rows["kind"], rows["value"], rows["other"] = times, K.ORDER, values, np.nan
    state, _ = watch.observe(watch.fresh(), rows)
    sums = np.frombuffer(state, evidence.STATE)["sums"][0]
    np.testing.assert_allclose(sums[NUMBER["order_size"], evidence.MORE], _naive(values, times), atol=1e-9)


def test_the_state_is_small_and_the_table_whole() -> None:
    assert len(watch.fresh()) == evidence.STATE.itemsize < 16_384
    kinds = [each.kind for each in INDICATORS]
    assert kinds == sorted(kinds)
    assert (kinds.count(Kind.HABIT), kinds.count(Kind.TENDENCY)) == (HABITS, TENDENCIES)
    assert set(LIT_BY) == set(NUMBER)
    assert len(NUMBER) == COUNT
    assert watch.observe(b"another layout", np.empty(0, OBSERVATION))[0] == watch.fresh()
