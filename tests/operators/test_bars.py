"""Bars equal bars made anew from all their trades, late ones and gaps included."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genesis.operators import bars as bars_of
from genesis.operators.bars import HISTORY, INTERVALS_NS, SECOND_NS
from genesis.operators.records import WATERMARK_FINAL_NS
from genesis.operators.waiting import Ticks, fold_order, ticks
from tests.operators import naive, recorded

pytestmark = pytest.mark.timeout(180)

NAMES = [b"AAA", b"BBB"]
WORDS = np.zeros((2, 3), np.uint64)
WORDS[:, 0] = np.frombuffer(b"".join(name.ljust(8, b"\0") for name in NAMES), np.uint64)
COLUMNS = ("symbol", "interval_ns", "open_ns", "revision", "effective_ns", "open", "high", "low", "close")
COLUMNS += ("qty", "buy_qty", "notional", "vwap", "trade_count", "stale")


def folded(
    trades: list[naive.Trade], gaps: list[naive.Gap] | None = None
) -> tuple[list[tuple[Any, ...]], int]:
    """Return the rows of the kernel, sorted, and how many trades came too late."""
    keys = [(at, event_ns, NAMES.index(symbol), number) for at, event_ns, symbol, number, _, _ in trades]
    all_ticks = ticks(keys, [trade[4:] for trade in trades])
    order = fold_order(*all_ticks)
    sorted_keys, values = all_ticks.keys[order], all_ticks.values[order]
    state, found, late, begin = bars_of.with_slots(bars_of.no_bars(), 2), [], 0, 0
    for at, start, end, symbol in sorted(gaps or []):
        stop = int(np.searchsorted(sorted_keys[:, 0], at))
        part = Ticks(sorted_keys[begin:stop], values[begin:stop])
        state, rows, too_late = bars_of.fold_trades(state, part, at, WORDS)
        gap = (start, end or bars_of.OPEN_NS, at)
        state, amended = bars_of.apply_gap(state, NAMES.index(symbol), gap, WORDS)
        found += [rows, amended]
        late, begin = late + int(too_late.sum()), stop
    part = Ticks(sorted_keys[begin:], values[begin:])
    state, rows, too_late = bars_of.fold_trades(state, part, WATERMARK_FINAL_NS, WORDS)
    rows = np.concatenate([*found, rows])
    listed = [tuple(row[name].item() for name in COLUMNS) for row in rows]
    return sorted(listed, key=lambda row: row[:4]), late + int(too_late.sum())


def agree(trades: list[naive.Trade], gaps: list[naive.Gap] | None = None) -> None:
    rows, late = folded(trades, gaps)
    expected, too_late = naive.bars(trades, gaps)
    np.testing.assert_equal(rows, expected)  # to the last bit; NaN equals NaN
    assert late == len(too_late)


moments_ns = st.integers(0, 400).map(lambda second: second * SECOND_NS) | st.integers(0, 90 * SECOND_NS)
late_ns = st.sampled_from(
    [0, 0, 0, 1, SECOND_NS // 3, SECOND_NS, 7 * SECOND_NS, 70 * SECOND_NS, 3600 * SECOND_NS]
)
trade = st.builds(
    lambda at, late, name, number, price, qty: (at, max(at - late, 0), name, number, price, qty),
    moments_ns,
    late_ns,
    st.sampled_from(NAMES),
    st.integers(1, 10**9),
    st.floats(1e-8, 1e12),
    st.floats(-1e9, 1e9),
)
gap = st.builds(
    lambda at, back, length, name: (at, max(at - back, 0), max(at - back, 0) + length if length else 0, name),
    moments_ns,
    late_ns,
    st.sampled_from([0, 1, SECOND_NS]),
    st.sampled_from(NAMES),
)


@given(st.lists(trade, max_size=60, unique_by=lambda trade: (trade[2], trade[3])))
@example([])
@example([(SECOND_NS, SECOND_NS - 1, b"AAA", 1, 5.0, 0.0)])
@settings(max_examples=120)
def test_bars_equal_bars_made_anew(trades: list[naive.Trade]) -> None:
    agree(trades)


@given(st.lists(trade, max_size=40, unique_by=lambda trade: (trade[2], trade[3])), gap)
@example([(100 * SECOND_NS, 100 * SECOND_NS, b"AAA", 1, 5.0, 1.0)], (300 * SECOND_NS, 0, 0, b"AAA"))
@settings(max_examples=120)
def test_a_gap_marks_every_bar_that_it_touches(trades: list[naive.Trade], one: naive.Gap) -> None:
    agree(trades, [one])


def test_bars_of_the_recording_equal_bars_made_anew(recordings: Path) -> None:
    trades, _ = recorded.ticks(recordings, "spot_btcusdt")
    columns = (
        trades[name].tolist() for name in ("effective_ns", "event_ns", "trade_id", "price", "qty", "side")
    )
    agree(
        [
            (at, ns, b"AAA", number, price, qty * side)
            for at, ns, number, price, qty, side in zip(*columns, strict=True)
        ]
    )


def test_trades_of_the_same_moment_are_ordered_by_id() -> None:
    rows, _ = folded(
        [(5, 5, b"AAA", 2, 20.0, 1.0), (5, 5, b"AAA", 1, 10.0, -1.0), (5, 5, b"AAA", 3, 15.0, 1.0)]
    )
    first = dict(zip(COLUMNS, rows[0], strict=True))
    assert (first["open"], first["close"], first["buy_qty"]) == (10.0, 15.0, 2.0)


def test_a_bar_without_volume_has_no_vwap() -> None:
    rows, _ = folded([(5, 5, b"AAA", 1, 10.0, 0.0)])
    assert all(np.isnan(dict(zip(COLUMNS, row, strict=True))["vwap"]) for row in rows)


@pytest.mark.parametrize("k", range(len(INTERVALS_NS)))
def test_a_trade_is_too_late_exactly_when_its_bar_is_no_longer_kept(k: int) -> None:
    limit_ns = int(INTERVALS_NS[k] * HISTORY[k])
    kept, lost = (folded([(at, 0, b"AAA", 1, 10.0, 1.0)])[0] for at in (limit_ns - 1, limit_ns))
    for rows, expected in ((kept, True), (lost, False)):
        assert any(row[1] == INTERVALS_NS[k] for row in rows) is expected


def test_kernels_leave_their_inputs_alone() -> None:
    trades = ticks([(5, 5, 0, 1), (2 * SECOND_NS, 6, 0, 2)], [(1.0, 1.0), (2.0, -1.0)])
    before = [array.copy() for array in (*trades, WORDS)]
    bars_of.fold_trades(bars_of.with_slots(bars_of.no_bars(), 2), trades, WATERMARK_FINAL_NS, WORDS)
    for array, copy in zip((*trades, WORDS), before, strict=True):
        np.testing.assert_array_equal(array, copy)
