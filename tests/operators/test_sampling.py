"""A sample is the newest quote of its slice, or the count of its trades."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import sampling
from genesis.operators.records import WATERMARK_FINAL_NS
from genesis.operators.sampling import SLICE_NS
from genesis.operators.waiting import Ticks, fold_order, ticks

NAMES = np.arange(6, dtype=np.uint64).reshape(2, 3)
tick = st.tuples(
    st.integers(0, 5 * SLICE_NS) | st.integers(0, 5).map(lambda each: each * SLICE_NS),
    st.sampled_from([0, 0, 1, 3 * SLICE_NS]),
    st.integers(0, 1),
    st.integers(1, 9),
    st.floats(1.0, 2.0) | st.just(np.nan),
)
Listed = list[tuple[int, int, int, int, float]]


def kernel(listed: Listed, cuts: list[int], *, of_quotes: bool) -> list[tuple[Any, ...]]:
    keys = [(at, max(at - late, 0), slot, number) for at, late, slot, number, _ in listed]
    all_ticks = ticks(keys, [(price, price + 1.0) for *_, price in listed])
    order = fold_order(*all_ticks)
    keys_, values = all_ticks.keys[order], all_ticks.values[order]
    state, found, begin = sampling.with_slots(sampling.no_samples(), 2), [], 0
    for until_ns in [*sorted(cuts), WATERMARK_FINAL_NS]:
        end = int(np.searchsorted(keys_[:, 0], until_ns))
        part = Ticks(keys_[begin:end], values[begin:end])
        state, rows = sampling.sample(state, part, until_ns, NAMES, of_quotes=of_quotes)
        found.append(rows)
        begin = end
    return sorted(tuple(row.item() if hasattr(row, "item") else row) for row in np.concatenate(found))


def newest_quotes(listed: Listed) -> dict[tuple[int, int], tuple[int, int, float]]:
    """Return the newest quote of every slot and slice in which a newer one came, by the definition."""
    found: dict[tuple[int, int], tuple[int, int, float]] = {}
    newest: dict[int, tuple[int, int]] = {}
    for at, event_ns, slot, number, price in sorted(
        (at, max(at - late, 0), slot, number, price) for at, late, slot, number, price in listed
    ):
        if (event_ns, number) > newest.get(slot, (-1, -1)):
            newest[slot] = (event_ns, number)
            found[at // SLICE_NS * SLICE_NS, slot] = (event_ns, number, price)
    return found


@given(st.lists(tick, max_size=40), st.lists(st.integers(0, 5).map(lambda each: each * SLICE_NS)))
def test_a_sample_of_quotes_is_the_newest_quote(listed: Listed, cuts: list[int]) -> None:
    listed = list(
        {
            (at, late, slot, number): (at, late, slot, number, p) for at, late, slot, number, p in listed
        }.values()
    )
    rows = kernel(listed, cuts, of_quotes=True)
    expected = newest_quotes(listed)
    assert {(row[0], row[5] // 3) for row in rows} == set(expected)
    for row in rows:
        event_ns, _, price = expected[row[0], row[5] // 3]
        np.testing.assert_equal((row[3], row[1], row[2], row[8]), (event_ns, price, price + 1.0, 1))


@given(st.lists(tick, max_size=40), st.lists(st.integers(0, 5).map(lambda each: each * SLICE_NS)))
def test_a_sample_of_trades_counts_them(listed: Listed, cuts: list[int]) -> None:
    rows = kernel(listed, cuts, of_quotes=False)
    counts: dict[tuple[int, int], int] = {}
    for at, _, slot, _, _ in listed:
        key = (at // SLICE_NS * SLICE_NS, slot)
        counts[key] = counts.get(key, 0) + 1
    assert {(row[0], row[5] // 3): row[4] for row in rows} == counts
    assert all(np.isnan(row[1]) and row[8] == 0 for row in rows)
