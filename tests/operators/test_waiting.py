"""Which ticks leave, and in which order, does not depend on how they came."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import waiting
from genesis.operators.waiting import Ticks, fold_order, ticks

row = st.tuples(*(st.integers(0, 6) for _ in range(4)))
value = st.tuples(*(st.sampled_from([0.0, 1.0, -2.0]) for _ in range(2)))
many = st.lists(st.tuples(row, value), min_size=1, max_size=40)


def columns(listed: list[tuple[tuple[int, ...], tuple[float, ...]]]) -> Ticks:
    return ticks([key for key, _ in listed], [value for _, value in listed])  # type: ignore[misc]


@given(many)
def test_the_fold_order_is_that_of_a_plain_sort(listed: list) -> None:
    found = columns(listed)
    order = fold_order(*found)
    assert [(*found.keys[i].tolist(), *found.values[i].tolist()) for i in order] == sorted(
        (*key, *value) for key, value in listed
    )


def test_the_fold_order_of_many_interleaved_streams() -> None:
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 5_000, (20_000, 4))
    found = fold_order(keys, np.zeros((20_000, 2)))
    np.testing.assert_array_equal(keys[found], keys[np.lexsort(keys.T[::-1])])


@given(many, st.lists(st.integers(1, 10), min_size=1), st.lists(st.integers(0, 6)))
def test_what_has_left_by_a_watermark_does_not_depend_on_cuts(
    listed: list, sizes: list[int], watermarks_ns: list[int]
) -> None:
    room: waiting.Waiting = ()
    left, begin = [], 0
    for i in range(len(listed)):
        size = sizes[i % len(sizes)]
        part = listed[begin : begin + size]
        begin += size
        room, _ = waiting.admit(room, columns(part), 0)
    for watermark_ns in sorted({*watermarks_ns, 6}):
        room, gone = waiting.release(room, watermark_ns)
        assert all(chunk.least_ns > watermark_ns for chunk in room)
        left += [(*key, *value) for key, value in zip(gone.keys.tolist(), gone.values.tolist(), strict=True)]
    assert left == sorted((*key, *value) for key, value in listed)
    assert room == ()


def test_a_tick_that_breaks_a_promise_counts_at_the_earliest_open_time() -> None:
    room, early = waiting.admit((), ticks([(3, 3, 0, 1), (9, 9, 0, 2)], [(1.0, 1.0)] * 2), floor_ns=5)
    _, left = waiting.release(room, 9)
    assert (early, left.keys[:, :2].tolist()) == (1, [[5, 3], [9, 9]])


def test_many_chunks_are_put_together() -> None:
    room: waiting.Waiting = ()
    for i in range(2 * waiting.CHUNKS_MAX):
        room, _ = waiting.admit(room, ticks([(10 + i, 0, 0, i)], [(0.0, 0.0)]), 0)
    room, _ = waiting.release(room, 1)
    assert len(room) == 1
    assert waiting.release(room, 10**6)[1].keys.shape == (2 * waiting.CHUNKS_MAX, 4)
