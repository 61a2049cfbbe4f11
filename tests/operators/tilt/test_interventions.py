"""Interventions: the machine takes only its own steps, a rest cannot be shortened, the way back is paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.tilt import interventions
from genesis.operators.tilt.interventions import CHECKLIST, MINUTE_NS, REST_NS, Phase, Rest

AGREED = (True,) * len(CHECKLIST)


def _rested(rest: Rest, now_ns: int) -> int:
    """Do all that a rest asks for; return the time at which it has ended."""
    now_ns = max(now_ns, rest.until_ns)
    interventions.answer(rest, AGREED)
    interventions.write(rest, interventions.JOURNAL_WORDS)
    assert interventions.after(rest, 0, now_ns) is not None
    return now_ns


def test_rests_grow_within_a_week_and_begin_anew_after_it() -> None:
    rest, now_ns, lengths = Rest(), 0, []
    for _ in range(4):
        interventions.after(rest, 3, now_ns)
        lengths.append(rest.until_ns - now_ns)
        now_ns = _rested(rest, now_ns) + MINUTE_NS
    assert lengths == [*REST_NS, REST_NS[2]]
    now_ns += interventions.WEEK_NS
    interventions.after(rest, 3, now_ns)
    assert rest.until_ns - now_ns == REST_NS[0]


@pytest.mark.parametrize("step", range(3))
def test_a_rest_ends_only_when_everything_is_done(step: int) -> None:
    rest = Rest(rests_ns=[1] * step)
    interventions.after(rest, 3, 2)
    end_ns = rest.until_ns
    assert interventions.after(rest, 0, end_ns) is None
    interventions.answer(rest, AGREED[:-1])
    interventions.answer(rest, (*AGREED[:-1], False))
    assert "the checklist" in interventions.missing(rest, end_ns)
    interventions.answer(rest, AGREED)
    assert interventions.after(rest, 0, end_ns - 1) is None
    if step == 2:
        interventions.write(rest, 499)
        assert interventions.missing(rest, end_ns) == ["1 words in the journal"]
        interventions.write(rest, 1)
    found = interventions.after(rest, 0, end_ns)
    assert found is not None
    assert found.after is Phase.RETURNING


def test_the_way_back_is_paid_by_trades_and_a_break_pays_one() -> None:
    rest = Rest()
    interventions.after(rest, 3, 0)
    now_ns = _rested(rest, 0)
    assert interventions.limit_level(rest, 0) == 3
    assert interventions.accept(rest, now_ns)
    assert not interventions.accept(rest, now_ns)
    now_ns += interventions.PAUSE_NS
    interventions.after(rest, 0, now_ns)
    assert (rest.phase, rest.debt) == (Phase.RETURNING, interventions.DEBT - 1)
    assert interventions.next_step(rest, now_ns) == 0
    for _ in range(rest.debt):
        assert interventions.after(rest, 0, now_ns) is None
        interventions.pay(rest)
    interventions.after(rest, 0, now_ns)
    assert rest.phase is Phase.FREE
    assert interventions.limit_level(rest, 0) == 0


ACTS = st.tuples(
    st.sampled_from(["level", "accept", "agree", "write", "pay"]), st.integers(0, 3), st.integers(0, 40)
)


@given(st.lists(ACTS, max_size=60))
def test_nothing_opens_a_rest_early(acts: list[tuple[str, int, int]]) -> None:
    rest, now_ns = Rest(), 0
    for name, level, minutes in acts:
        now_ns += minutes * MINUTE_NS
        was_resting, until_ns = rest.phase is Phase.RESTING, rest.until_ns
        match name:
            case "level":
                step = interventions.after(rest, level, now_ns)
                assert step is None or step in interventions.STEPS
            case "accept":
                interventions.accept(rest, now_ns)
            case "agree":
                interventions.answer(rest, AGREED)
            case "write":
                interventions.write(rest, 300)
            case _:
                interventions.pay(rest)
        if was_resting:
            assert rest.until_ns == until_ns
            assert rest.phase is Phase.RESTING or now_ns >= until_ns
        assert 0 <= rest.debt <= interventions.DEBT_MAX
        assert len(rest.rests_ns) <= 8
