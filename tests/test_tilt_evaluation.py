"""The evaluation of tilt: its counting on days written by hand, and a short one on simulated traders."""

import pytest

from benchmarks import tilt_evaluation
from benchmarks.intervals import clopper_pearson, interval
from benchmarks.tilt_people import lived, refusals, spiral_of
from genesis.operators.personas.floor import Attempt, DayRecord


def attempt(now_s: float, level: int = 0, in_episode: bool = False) -> Attempt:
    return Attempt(now_s, True, "OK", level, 0.01, in_episode)


def test_bounds_are_those_of_the_tables() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert clopper_pearson(10, 10) == pytest.approx((0.6915, 1.0), abs=1e-4)


def test_people_who_differ_widen_the_bounds_by_people_alone() -> None:
    apart = interval([[True] * 10, [False] * 10] * 5)
    alike = interval([[True, False] * 5] * 10)
    assert (apart.count, apart.of, apart.low) == (alike.count, alike.of, alike.low)
    assert apart.people_high - apart.people_low > 0.5
    assert alike.people_low == alike.people_high == 0.5
    assert interval([[], []]).of == 0
    never = interval([[False] * 10] * 5)
    assert never.people_high == pytest.approx(clopper_pearson(0, 5)[1])
    assert never.people_high > never.high


def test_simple_rules_refuse_what_they_say() -> None:
    day = DayRecord("calm", 0)
    day.attempts = [attempt(100.0 * i) for i in range(6)] + [attempt(4_000.0)]
    day.results = [(110.0, -0.1), (210.0, -0.1), (310.0, -0.1), (2_200.0, 0.1)]
    found = refusals(day)
    assert found["streak"] == [False, False, False, False, True, True, False]
    assert found["cap_3_in_10_min"] == [False, False, False, True, True, True, False]
    assert not any(found["cap_10_in_60_min"])


def test_a_spiral_is_caught_only_by_a_level_that_came_up_to_its_third_order() -> None:
    day = DayRecord("revenge", 0, episode_s=1_000.0)
    day.attempts = [attempt(500.0)] + [
        attempt(at_s, level) for at_s, level in ((1_050, 0), (1_100, 1), (1_200, 1))
    ]
    day.levels = [(1_100.0, 1), (1_200.0, 2)]
    missed = spiral_of("revenge", day)
    assert missed is not None
    assert (missed.caught, missed.noticed, missed.ever, missed.third_s) == (False, True, True, 200.0)
    day.levels[1] = (1_150.0, 2)
    caught = spiral_of("revenge", day)
    assert caught is not None
    assert caught.caught
    day.attempts.pop()
    assert spiral_of("revenge", day) is None


def test_a_short_evaluation_runs_and_says_whether_the_aims_are_met() -> None:
    people = [lived(6, days=1)]
    result = tilt_evaluation.summed(people)
    assert result["calm_days"] == 6
    assert {day.kind for day in people[0].days} >= {"usual", "bad"}
    text = tilt_evaluation.described(result)
    assert "aim of at most 1 in 100" in text
    assert "Clopper" in text
