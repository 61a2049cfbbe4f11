"""A release goes only where the table says, and the judgement names what is the matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators.records import Health
from genesis.operators.release import FIRST, MOVES, Policy, Release, ReleaseError, accepted, breaches, stepped

STEPS = ("start", "promote", "settle", "rollback")
NOW_NS = 1_700_000_000_000_000_000
POLICY = Policy(reports=3)
GOOD = {
    "lag_messages": 10.0,
    "tick_to_signal_p99_ms": 20.0,
    "dead_letters": 0.0,
    "parity_unaligned_partitions": 0.0,
    "parity_wrong_rows": 0.0,
}


def reports(count: int = 3, age_s: float = 0.0, **changes: float) -> list[Health]:
    """Return reports that grow by 100 equal rows each; a change holds for the newest two."""
    found = []
    for i in range(count):
        figures = GOOD | {"parity_equal_rows": 100.0 * i} | (changes if i >= count - 2 else {})
        at_ns = NOW_NS - int(age_s * 1e9)
        found.append(
            Health(id=str(i), recv_ns=at_ns, component="market", state="ok", detail="", figures=figures)
        )
    return found


@given(st.lists(st.sampled_from(STEPS)))
def test_no_sequence_of_steps_gives_the_signals_to_two_or_to_none(steps: list[str]) -> None:
    now = FIRST
    for step in steps:
        before = now
        if (now.phase, step) not in MOVES:
            with pytest.raises(ReleaseError, match="is not possible while the release is"):
                stepped(now, step, "", 1)
            continue
        now = stepped(now, step, "", 1)
        assert now.number == before.number + 1
        assert now.active in ("blue", "green")
        assert (now.epoch > before.epoch) is (now.active != before.active)


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["blue", "green"]))))
def test_the_first_record_of_a_number_counts_for_every_reader(log: list[tuple[int, str]]) -> None:
    now, seen = FIRST, set()
    for number, active in log:
        record = Release(
            id=f"{number}{active}",
            recv_ns=0,
            number=number,
            epoch=0,
            active=active,
            phase="settled",
            reason="",
        )
        now = accepted(now, record)
        if now is record:
            assert number not in seen
            seen.add(number)
    assert seen == set(range(1, now.number + 1))


def test_a_good_candidate_may_write() -> None:
    assert breaches(POLICY, reports(), reports(), shadow="judged", now_ns=NOW_NS) == []
    assert breaches(POLICY, reports(), reports(), shadow="beside", now_ns=NOW_NS) == []
    assert breaches(POLICY, reports(), [], shadow="beside", now_ns=NOW_NS) == []


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (reports(2), "2 reports of 3"),
        (reports(age_s=60.0), "not reported for 60 s"),
        (reports(lag_messages=9_000.0), "9000 messages behind"),
        (reports(tick_to_signal_p99_ms=400.0), "400 ms, more than 250"),
        (reports(dead_letters=2.0), "refused 2 messages more"),
        (reports(parity_wrong_rows=5.0), "5 rows are not those of the other colour"),
        (reports(parity_unaligned_partitions=2.0), "cannot be compared yet in 2 partitions"),
        (reports(parity_equal_rows=0.0), "the market is silent"),
    ],
)
def test_the_gate_names_what_holds_it_shut(judged: list[Health], said: str) -> None:
    (found,) = breaches(POLICY, judged, reports(), shadow="judged", now_ns=NOW_NS)
    assert said in found


def test_a_slow_machine_is_no_breach_when_the_other_is_as_slow() -> None:
    slow = reports(tick_to_signal_p99_ms=900.0)
    assert breaches(POLICY, slow, slow, shadow="judged", now_ns=NOW_NS) == []


def test_the_old_colour_is_the_witness_of_the_watch() -> None:
    witness = reports(parity_wrong_rows=3.0)
    (found,) = breaches(POLICY, reports(), witness, shadow="beside", now_ns=NOW_NS)
    assert found.startswith("3 rows")


def test_a_process_that_began_anew_counts_from_zero() -> None:
    again = [*reports(2, dead_letters=50.0), *reports(1)]
    assert breaches(POLICY, again, reports(), shadow="judged", now_ns=NOW_NS) == []
