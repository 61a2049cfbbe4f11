"""The study's fill model: books are walked, queues are served in order, nothing fills without a trade."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import slicing_replay
from benchmarks.slicing_replay import INSTRUMENTS, Child, Tape, walk
from tests.operators import recorded


def tape(trades: list[tuple[int, int, int, int]], bids: list[int] | None = None) -> Tape:
    """Return frames with 10 lots at 99 and 98, 101 and 102; trades are (frame, ticks, lots, taker)."""
    frames = 6
    ticks, lots = np.zeros((2, frames, 2, slicing_replay.LEVELS), np.int64)
    ticks[:, 0, :2], ticks[:, 1, :2] = (99, 98), (101, 102)
    lots[:, :, :2] = 10
    if bids:
        lots[:, 0, 0] = bids
    first = np.searchsorted([each[0] for each in trades], np.arange(frames + 1))
    rows = np.array([each[1:] for each in trades], np.int64).reshape(-1, 3)
    time_ns = np.arange(frames) * slicing_replay.FRAME_NS
    return Tape(INSTRUMENTS[0], time_ns, ticks, lots, np.zeros(frames, np.int64), first, rows)


def test_a_child_that_crosses_walks_the_book_up_to_its_limit() -> None:
    market = tape([])
    assert walk(market, 0, 1, 15) == (15, 10 * 101 + 5 * 102, 102)
    assert walk(market, 0, 1, 15, limit=101) == (10, 1_010, 101)
    assert walk(market, 0, -1, 15) == (15, 10 * 99 + 5 * 98, 98)
    fill = Child(15, 102, 1, rests=False, spread_ticks=2).on_frame(market, 0)
    assert fill is not None
    assert (fill.lots, fill.notional_ticks, fill.maker) == (15, 1_520, 0)
    assert fill.pushed_bps == pytest.approx(1e4 / 101)
    assert Child(15, 100, 1, rests=False, spread_ticks=2).on_frame(market, 0) is None


def test_a_child_that_rests_waits_for_those_ahead() -> None:
    market = tape([(1, 99, 4, -1), (2, 99, 9, -1), (2, 99, 9, 1), (3, 99, 1, -1)])
    child = Child(5, 99, 1, rests=True, spread_ticks=2)
    fills = [child.on_frame(market, frame) for frame in range(4)]
    assert [fill.lots if fill else 0 for fill in fills] == [0, 0, 3, 1], (
        "10 lots are ahead; a buyer's trade is none"
    )
    assert fills[2] is not None
    assert (fills[2].notional_ticks, fills[2].maker) == (3 * 99, 1)


def test_a_trade_beyond_its_price_fills_it_and_none_leaves_it_alone() -> None:
    child = Child(5, 99, 1, rests=True, spread_ticks=2)
    market = tape([(2, 98, 50, -1)])
    assert [fill.lots if fill else 0 for fill in (child.on_frame(market, frame) for frame in range(4))] == [
        0,
        0,
        5,
        0,
    ]


def test_the_queue_shrinks_when_those_ahead_leave() -> None:
    market = tape([(3, 99, 4, -1)], bids=[10, 10, 2, 2, 2, 2])
    child = Child(5, 99, 1, rests=True, spread_ticks=2)
    assert [fill.lots if fill else 0 for fill in (child.on_frame(market, frame) for frame in range(5))] == [
        0,
        0,
        0,
        2,
        0,
    ]


def test_the_frames_are_the_recorded_market(recordings: Path) -> None:
    """Best prices as the recorded quotes, by the tests' own parser; all trades, in order, in their frames."""
    loaded = slicing_replay.load(INSTRUMENTS[3])
    trades, quotes = recorded.ticks(recordings, INSTRUMENTS[3].name)
    assert (np.diff(loaded.frame_ns) > 0).all()
    assert (loaded.ticks[:, 0, 0] < loaded.ticks[:, 1, 0]).all()
    at = np.searchsorted(quotes["event_ns"], loaded.frame_ns, side="right") - 1
    mid = (quotes["bid_price"] + quotes["ask_price"])[at] / 2.0
    away = np.abs(loaded.mid_2 / 2 * INSTRUMENTS[3].tick / mid - 1.0)
    assert np.quantile(away, 0.99) < 1e-4
    inside = (trades["event_ns"] <= loaded.frame_ns[-1]).sum()
    assert loaded.volume.sum() == np.rint(trades["qty"][:inside].sum() / INSTRUMENTS[3].lot)
