"""The order book against a slow, obvious twin, and its rules against hand-made sequences of diffs."""

import gzip
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.order_book import FLOATS, LEVELS_MAX, BookSync, Diff, OrderBook, Verdict, read_levels
from genesis.operators.records import BOOK_LEVELS, DEPTH_DISTANCES_BPS

NOTHING = np.empty((0, 2))
Levels = list[tuple[float, float]]


class TwinBook:
    """A book of two dictionaries that is sorted anew for every row."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    def apply(self, bids: Levels, asks: Levels) -> tuple[np.ndarray, bool]:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for price, qty in levels:
                side[price] = qty
                if qty == 0.0:
                    del side[price]
        sorted_bids, sorted_asks = sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
        best_bid = sorted_bids[0][0] if sorted_bids else np.nan
        best_ask = sorted_asks[0][0] if sorted_asks else np.nan
        mid = 0.5 * (best_bid + best_ask)
        row = self._levels(sorted_bids) + self._levels(sorted_asks)
        for levels, sign in ((sorted_bids, 1.0), (sorted_asks, -1.0)):
            for distance_bps in DEPTH_DISTANCES_BPS:
                limit = mid * (1.0 - sign * (distance_bps * 1e-4))
                total = 0.0
                for price, qty in levels:
                    total += qty if sign * price >= sign * limit else 0.0
                row.append(np.nan if np.isnan(mid) else total)
        return np.array(row), not best_bid >= best_ask

    def _levels(self, levels: Levels) -> list[float]:
        shown = [*levels[:BOOK_LEVELS], *[(np.nan, 0.0)] * (BOOK_LEVELS - len(levels))]
        return [price for price, _ in shown] + [qty for _, qty in shown]


def array(levels: Levels) -> np.ndarray:
    return np.array(levels, np.float64).reshape(-1, 2)


prices = st.integers(9_900, 10_100).map(lambda ticks: ticks / 100)
quantities = st.one_of(st.just(0.0), st.integers(1, 1_000).map(lambda steps: steps / 1_000))
changes = st.lists(st.tuples(prices, quantities), max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(changes, changes), max_size=12))
def test_the_book_equals_its_twin_after_any_changes_crossed_ones_too(
    diffs: list[tuple[Levels, Levels]],
) -> None:
    book, twin, row = OrderBook(), TwinBook(), np.empty(FLOATS)
    for bids, asks in diffs:
        in_order = book.apply(array(bids), array(asks), row)
        expected, expected_in_order = twin.apply(bids, asks)
        np.testing.assert_array_equal(row, expected)
        assert in_order == expected_in_order


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 3)), max_size=60), max_size=8))
def test_a_full_book_keeps_the_best_levels_and_forgets_the_farthest(
    diffs: list[list[tuple[int, int]]],
) -> None:
    """Most places are taken beforehand, so that the new levels must fight for the rest."""
    book, row = OrderBook(), np.empty(FLOATS)
    base = [(1e6 + i, 1.0) for i in range(LEVELS_MAX - 40)]
    book.apply(array(base), NOTHING, row)
    known = dict(base)
    for diff in diffs:
        levels = [(float(price), float(qty)) for price, qty in diff]
        book.apply(array(levels), NOTHING, row)
        known.update(levels)
    live = book.levels[1, : book.counts[0]] > 0.0
    kept = book.levels[0, : book.counts[0]][live]
    assert len(kept) <= LEVELS_MAX
    assert (np.diff(kept) > 0.0).all()
    assert set(kept) <= {price for price, qty in known.items() if qty}
    assert set(kept) >= {price for price, _ in base}


def test_a_level_better_than_the_worst_takes_its_place_in_a_full_book_and_a_worse_one_does_not() -> None:
    book, row = OrderBook(), np.empty(FLOATS)
    book.apply(array([(float(price), 1.0) for price in range(1_000, 1_000 + LEVELS_MAX)]), NOTHING, row)
    book.apply(array([(999.0, 7.0)]), NOTHING, row)
    assert book.levels[0, 0] == 1_000.0
    book.apply(array([(1_000.5, 7.0)]), NOTHING, row)
    assert book.levels[0, :2].tolist() == [1_000.5, 1_001.0]
    assert book.counts[0] == LEVELS_MAX


decimals = st.integers(1, 10**15).map(lambda units: f"{units // 10**8}.{units % 10**8:08d}")
shorter = decimals.map(lambda text: text.rstrip("0").rstrip("."))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(decimals | shorter, decimals | shorter | st.just("0.00000000")), max_size=5))
def test_levels_are_read_exactly_as_python_reads_them(levels: list[tuple[str, str]]) -> None:
    text = json.dumps(levels, separators=(",", ":"))
    out = np.empty((8, 2))
    count = read_levels(np.frombuffer(text.encode(), np.uint8), out)
    assert out[:count].tolist() == [[float(price), float(qty)] for price, qty in levels]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{}",
        "null",
        "[1]",
        "[[1,2]]",
        '[["1"]]',
        '[["1","2","3"]]',
        '[["1","2"]',
        '[["1","2"],]',
        '[["1","2"]["3","4"]]',
        '[[" 1","2"]]',
        '[["-1","2"]]',
        '[["1","-2"]]',
        '[["nan","2"]]',
        '[["1e5","2"]]',
        '[["0","2"]]',
        '[["1","2.3.4"]]',
        '[["","2"]]',
        '[["1","2]]',
        '[["12345678901234567890","2"]]',
        '[["1.000000000000000000001","2"]]',
        '[["9007199254740993","2"]]',
    ],
)
def test_the_fast_reader_refuses_every_other_form(text: str) -> None:
    assert read_levels(np.frombuffer(text.encode(), np.uint8), np.empty((4, 2))) == -1


def test_the_fast_reader_refuses_more_levels_than_there_is_room_for() -> None:
    text = b'[["1","2"],["2","2"]]'
    assert read_levels(np.frombuffer(text, np.uint8), np.empty((2, 2))) == 2
    assert read_levels(np.frombuffer(text, np.uint8), np.empty((1, 2))) == -1


def recorded(path: Path) -> Iterator[dict[str, object]]:
    with gzip.open(path, "rb") as lines:
        for line in lines:
            body = line.partition(b" ")[2]
            if b"@depth" in body[:40]:
                yield json.loads(body)["data"]
            elif body.startswith(b'{"lastUpdateId"'):
                yield json.loads(body)


@pytest.mark.parametrize("name", ["binance_spot_ethusdt_20240808", "binance_usdm_btcusdt_20240808"])
def test_a_recorded_book_equals_its_twin_after_every_diff(recordings: Path, name: str) -> None:
    book, twin, sync, row = OrderBook(), TwinBook(), BookSync(), np.empty(FLOATS)
    compared = 0
    for data in recorded(recordings / "raw_ws" / f"{name}.txt.gz"):
        if "lastUpdateId" in data:
            bids, asks = ([(float(p), float(q)) for p, q in data[side]] for side in ("bids", "asks"))
            book.apply(array(bids), array(asks), row)
            twin.apply(bids, asks)
            kept, _ = sync.on_snapshot(data["lastUpdateId"]) or ([], 0)
        else:
            bids, asks = ([(float(p), float(q)) for p, q in data[side]] for side in ("b", "a"))
            previous = data.get("pu", data["U"] - 1)
            kept = [Diff(previous, data["u"], "pu" in data, 0, 0, 0, array(bids), array(asks))]
        for diff in kept:
            if sync.on_diff(diff) is not Verdict.APPLIES:
                continue
            in_order = book.apply(diff.bids, diff.asks, row)
            if compared % 20 == 0:
                expected, _ = twin.apply(diff.bids.tolist(), diff.asks.tolist())
                np.testing.assert_array_equal(row, expected)
            else:
                for side, levels in ((twin.bids, diff.bids), (twin.asks, diff.asks)):
                    side.update(levels.tolist())
                    for price in [price for price, qty in levels.tolist() if qty == 0.0]:
                        side.pop(price, None)
            assert in_order
            compared += 1
    assert compared > 3_000


def diff(previous_id: int, last_id: int, *, chained: bool = False) -> Diff:
    return Diff(previous_id, last_id, chained, 0, 0, 0, NOTHING, NOTHING)


def test_a_snapshot_is_of_use_when_it_ends_just_before_the_first_diff() -> None:
    sync = BookSync()
    sync.on_diff(diff(10, 12))
    assert sync.on_snapshot(9) is None
    assert not sync.synced
    found = sync.on_snapshot(10)
    assert found is not None
    assert [each.last_id for each in found[0]] == [12]


def test_diffs_that_end_with_the_snapshot_are_contained_in_it() -> None:
    sync = BookSync()
    for ids in ((4, 6), (6, 8), (8, 12)):
        sync.on_diff(diff(*ids))
    found = sync.on_snapshot(8)
    assert found is not None
    assert ([each.last_id for each in found[0]], found[1]) == ([12], 2)


@pytest.mark.parametrize("chained", [True, False], ids=["futures", "spot"])
def test_the_first_futures_diff_may_straddle_the_snapshot_and_later_ones_must_be_chained(
    chained: bool,
) -> None:
    sync = BookSync()
    sync.on_diff(diff(4, 20, chained=chained))
    found = sync.on_snapshot(9)
    assert found is not None
    assert sync.on_diff(found[0][0]) is Verdict.APPLIES
    assert sync.on_diff(diff(18, 22, chained=chained)) is (Verdict.GAP if chained else Verdict.APPLIES)


def test_a_restarted_book_waits_for_a_snapshot_again() -> None:
    sync = BookSync()
    sync.on_diff(diff(4, 6))
    sync.on_snapshot(5)
    sync.restart()
    assert not sync.synced
    assert sync.on_diff(diff(6, 8)) is Verdict.WAITS
    assert sync.restarts == 1
    assert sync.reached_id == 8


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=30), st.data())
def test_no_hole_is_ever_passed_and_no_diff_after_the_snapshot_is_lost(
    steps: list[int], data: st.DataObject
) -> None:
    """Ids run on; some diffs are left out. Applied is what follows the snapshot, up to the first hole."""
    ends = np.cumsum([10, *steps]).tolist()
    diffs = [diff(before, last) for before, last in pairwise(ends)]
    lost = data.draw(st.sets(st.integers(1, len(diffs) - 1), max_size=2))
    snapshot_id = data.draw(st.integers(ends[0], ends[-1]))
    sent = [each for number, each in enumerate(diffs) if number not in lost]
    sync = BookSync()
    for each in sent:
        assert sync.on_diff(each) is Verdict.WAITS
    found = sync.on_snapshot(snapshot_id)
    reached = snapshot_id
    if found is None:
        assert next(each for each in sent if each.last_id > snapshot_id).previous_id > snapshot_id
        return
    for each in found[0]:
        verdict = sync.on_diff(each)
        assert (verdict is Verdict.APPLIES) == (each.previous_id <= reached)
        if verdict is Verdict.GAP:
            return
        reached = each.last_id
    assert reached == max(snapshot_id, sent[-1].last_id)
