"""An instrument is blind from a gap's first moment until fresh data after its end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import staleness
from genesis.operators.records import GAP

CELL_NS = 10


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9), st.integers(0, 99))
def test_blindness_equals_its_definition(
    start_ns: int, length_ns: int, closed_after: int, quote_ns: int
) -> None:
    opened, closed = GAP.empty(1), GAP.empty(1)
    opened["start_ns"] = closed["start_ns"] = start_ns
    closed["end_ns"] = end_ns = start_ns + length_ns + 1
    state, slots = staleness.with_slots(staleness.all_clear(), 2), np.array([1])
    for cell in range(12):
        if cell == start_ns // CELL_NS:
            state = staleness.after_gaps(state, slots, opened)
        if cell == start_ns // CELL_NS + closed_after:
            state = staleness.after_gaps(state, slots, closed)
        newest_ns = quote_ns if quote_ns < (cell + 1) * CELL_NS else 0
        is_open = start_ns // CELL_NS <= cell < start_ns // CELL_NS + closed_after
        over = cell >= start_ns // CELL_NS + closed_after
        expected = is_open or (over and (end_ns >= cell * CELL_NS or newest_ns < end_ns))
        found = staleness.blind(state, cell * CELL_NS, np.full(2, newest_ns))
        assert found.tolist() == [False, expected]


def test_an_older_gap_that_is_told_late_does_not_reopen_a_newer_one() -> None:
    newer, older = GAP.empty(1), GAP.empty(1)
    newer["start_ns"], newer["end_ns"], older["start_ns"] = 50, 60, 5
    state = staleness.with_slots(staleness.all_clear(), 1)
    for gap in (newer, older):
        state = staleness.after_gaps(state, np.array([0]), gap)
    assert not staleness.blind(state, 100)[0]


def test_a_gap_in_one_moment_blinds_its_cell() -> None:
    gap = GAP.empty(1)
    gap["start_ns"] = gap["end_ns"] = 15
    state = staleness.after_gaps(staleness.with_slots(staleness.all_clear(), 1), np.array([0]), gap)
    assert [bool(staleness.blind(state, cell_ns)[0]) for cell_ns in (10, 20)] == [True, False]
