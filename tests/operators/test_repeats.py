"""A trade is folded once, however often it comes; the twin is a plain set of ids."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import repeats
from genesis.operators.repeats import WINDOW
from genesis.operators.waiting import ticks

step = st.tuples(st.integers(-3 * WINDOW, 3 * WINDOW) | st.integers(-70, 70), st.booleans())


def unseen(seen: repeats.Seen, listed: list[tuple[int, int]]) -> tuple[repeats.Seen, list[bool]]:
    """Say which of (event_ns, trade id) are new."""
    keys = [(at, at, 0, number) for at, number in listed]
    seen, new = repeats.unseen(repeats.with_slots(seen, 1), ticks(keys, [(1.0, 1.0)] * len(keys)))
    return seen, new.tolist()


@given(st.lists(step, max_size=60), st.integers(1, 9))
def test_new_is_what_a_set_of_the_newest_ids_does_not_hold(steps: list[tuple[int, bool]], size: int) -> None:
    seen, held, newest, newest_ns, number = repeats.nothing_seen(), set(), -1, -(2**62), 5 * WINDOW
    listed, expected = [], []
    for move, newer in steps:
        number = max(number + move, 0)
        event_ns = newest_ns + 1 if newer and listed else max(newest_ns, 0)
        listed.append((event_ns, number))
        known = number in held if number > newest - WINDOW else True
        new = number > newest or not known or event_ns > newest_ns
        expected.append(new)
        if new:
            newest = number if number > newest or known else newest
            held = {each for each in held if newest - WINDOW < each <= newest} | {number}
            newest_ns = max(newest_ns, event_ns)
    found: list[bool] = []
    for begin in range(0, len(listed), size):
        seen, part = unseen(pickle.loads(pickle.dumps(seen)), listed[begin : begin + size])
        found += part
    assert found == expected


def test_a_whole_recording_that_comes_again_is_not_folded_again() -> None:
    first = [(number, number) for number in range(3 * WINDOW)]
    seen, new = unseen(repeats.nothing_seen(), first)
    assert all(new)
    assert not any(unseen(seen, first)[1])


def test_ids_that_begin_again_later_are_new() -> None:
    seen, _ = unseen(repeats.nothing_seen(), [(5, 10**9)])
    assert unseen(seen, [(6, 1), (7, 2), (7, 2)])[1] == [True, True, False]
