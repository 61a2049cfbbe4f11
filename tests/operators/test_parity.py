"""What is owed is exactly what was computed and does not stand in the log, however both are cut."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import parity
from genesis.operators.arrays import Rows
from genesis.operators.parity import ALIGN_NS, SLACK_NS, Parity
from genesis.operators.records import BAR

SECOND_NS = 1_000_000_000
COUNT = 90
"""Rows of a second each: beyond alignment and slack, and then some."""


def rows_of(count: int) -> Rows:
    rows = BAR.empty(count)
    rows["open_ns"] = np.arange(count) * SECOND_NS
    rows["close"] = np.arange(count) + 0.5
    return rows


def cuts(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, count), max_size=12).map(lambda found: sorted({0, count, *found}))


def frames(rows: Rows, places: list[int]) -> list[tuple[Rows, int]]:
    """Return rows cut into frames, each with the promise that it allows."""
    return [(rows[a:b], b * SECOND_NS - 1) for a, b in pairwise(places)]


@given(cuts(COUNT), cuts(COUNT), st.data())
def test_owed_and_what_stands_in_the_log_are_all_rows_and_each_once(
    mine: list[int], theirs: list[int], data: st.DataObject
) -> None:
    rows, sides = rows_of(COUNT), Parity(BAR)
    computed, published = frames(rows, mine), frames(rows, theirs)
    fenced = data.draw(st.integers(0, len(published)))
    sides.published(rows[:0], -1)
    order = data.draw(st.permutations([True] * len(computed) + [False] * fenced))
    log: list[bytes] = []
    left, right = iter(computed), iter(published)
    for own in order:
        if own:
            sides.computed(*next(left))
        else:
            frame = next(right)
            sides.published(*frame)
            log += [row.tobytes() for row in frame[0]]
    log += [row.tobytes() for row in sides.owed()]
    assert Counter(log) == Counter(row.tobytes() for row in rows)
    assert sides.counts.wrong == 0


@given(cuts(COUNT), cuts(COUNT))
def test_who_takes_over_sends_only_what_the_log_has_not(mine: list[int], theirs: list[int]) -> None:
    rows, sides = rows_of(COUNT), Parity(BAR)
    for frame in frames(rows[:50], [place for place in theirs if place < 50] + [50]):
        sides.published(*frame)
    sent = [row.tobytes() for frame in frames(rows, mine) for row in sides.computed(*frame)]
    assert sent == [row.tobytes() for row in rows[50:]]


def test_a_row_that_differs_or_is_missing_is_counted_once_both_are_aligned() -> None:
    rows, sides = rows_of(COUNT), Parity(BAR)
    wrong = rows.copy()
    wrong["close"][60] += 1.0
    sides.published(rows[:0], -1)
    for place in range(COUNT):
        at_ns = (place + 1) * SECOND_NS - 1
        sides.published(rows[place : place + 1] if place not in (5, 40) else rows[:0], at_ns)
        sides.computed(wrong[place : place + 1] if place != 50 else rows[:0], at_ns)
        assert sides.is_aligned() is (at_ns > -1 + ALIGN_NS + SLACK_NS or sides.waiting() == (0, 0))
    assert sides.counts == parity.Counts(equal=COUNT - 4, different=1, missing=1, extra=1)


def test_a_repeat_changes_nothing() -> None:
    rows, sides = rows_of(COUNT), Parity(BAR)
    for _ in range(2):
        sides.published(rows, COUNT * SECOND_NS)
        assert sides.computed(rows, COUNT * SECOND_NS).size == 0
    assert sides.counts.equal == COUNT
    assert sides.waiting() == (0, 0)


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "ROWS_MAX", 10)
    rows, sides = rows_of(COUNT), Parity(BAR)
    sides.published(rows[:0], -1)
    for place in range(COUNT):
        sides.computed(rows[place : place + 1], (place + 1) * SECOND_NS)
    assert sides.waiting() == (10, 0)
    assert sides.counts.missing == COUNT - 10 - 9  # the first nine came before anything counted


def test_a_silent_partition_holds_nothing_up() -> None:
    rows, sides = rows_of(COUNT), Parity(BAR)
    sides.published(rows[-1:], COUNT * SECOND_NS)
    sides.computed(rows[80:], COUNT * SECOND_NS)
    assert sides.is_aligned()
