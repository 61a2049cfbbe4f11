"""The clock of a connection: offset, effective time and watermark against their definitions."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.arrays import NEVER_NS
from genesis.operators.arrival import OFFSET_BUCKET_NS, Arrival

LATENESS_NS = 250
SECOND_NS = 1_000_000_000

messages = st.lists(
    st.tuples(st.integers(0, 3_000), st.integers(0, 500), st.integers(0, 800)), min_size=1, max_size=60
)


def fold(arrival: Arrival, steps: list[tuple[int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Feed messages (pause before it, way, age of the event); return (event, effective, before, after)."""
    sent_ns, found = 1_000_000, []
    for pause_ns, way_ns, age_ns in steps:
        sent_ns += pause_ns
        event_ns, before_ns = sent_ns - age_ns, arrival.watermark_ns
        effective_ns = arrival.timed(event_ns, sent_ns, sent_ns + way_ns - 1_270)
        found.append((event_ns, effective_ns, before_ns, arrival.watermark_ns))
    return found


@settings(max_examples=200, deadline=None)
@given(messages)
def test_effective_time_and_watermark_are_as_decided(steps: list[tuple[int, int, int]]) -> None:
    newest_ns = NEVER_NS
    for event_ns, effective_ns, before_ns, after_ns in fold(Arrival(LATENESS_NS), steps):
        assert effective_ns == max(event_ns, before_ns + 1)
        newest_ns = max(newest_ns, event_ns)
        assert after_ns == newest_ns - LATENESS_NS


@settings(max_examples=200, deadline=None)
@given(messages)
def test_no_row_counts_at_or_before_a_watermark_that_stood_before_it(
    steps: list[tuple[int, int, int]],
) -> None:
    found = fold(Arrival(LATENESS_NS), steps)
    assert all(earlier[3] <= later[3] for earlier, later in pairwise(found))
    assert all(effective_ns > before_ns for _, effective_ns, before_ns, _ in found)


@settings(max_examples=100, deadline=None)
@given(messages, st.integers(0, 60))
def test_the_fold_can_be_cut_anywhere(steps: list[tuple[int, int, int]], at: int) -> None:
    one, two = Arrival(LATENESS_NS), Arrival(LATENESS_NS)
    whole = fold(one, steps)
    assert fold(two, steps)[: min(at, len(steps))] == whole[: min(at, len(steps))]
    assert one.state == two.state


def offset_by_definition(heard: list[tuple[int, int]]) -> int:
    """Return the least difference in the bucket of the newest message and the one before it."""
    bucket = heard[-1][0] // OFFSET_BUCKET_NS
    return min(recv - sent for recv, sent in heard if recv // OFFSET_BUCKET_NS in (bucket, bucket - 1))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(-2_000, 2_000)), min_size=1, max_size=40))
def test_the_offset_is_the_least_difference_of_one_to_two_minutes(steps: list[tuple[int, int]]) -> None:
    arrival, recv_ns, heard = Arrival(LATENESS_NS), 10 * OFFSET_BUCKET_NS, []
    for pause_s, difference_ns in steps:
        recv_ns += pause_s * SECOND_NS
        heard.append((recv_ns, recv_ns - difference_ns))
        arrival.timed(recv_ns - difference_ns, recv_ns - difference_ns, recv_ns)
        assert arrival.offset_ns == offset_by_definition(heard)
        assert arrival.event_of(recv_ns) == recv_ns - arrival.offset_ns


def test_a_promise_from_elsewhere_is_kept_and_an_older_one_changes_nothing() -> None:
    arrival = Arrival(LATENESS_NS)
    arrival.advance(5_000)
    arrival.advance(4_000)
    assert arrival.timed(3_000, 3_000, 0) == 5_001
    assert arrival.watermark_ns == 5_000


def test_before_the_first_message_nothing_is_promised() -> None:
    arrival = Arrival(LATENESS_NS)
    assert arrival.watermark_ns == NEVER_NS
    assert not arrival.is_timed
