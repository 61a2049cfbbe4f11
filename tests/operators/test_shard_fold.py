"""What a shard gives depends on its rows alone: not on batches, promises, kills or interleaving."""

import pickle
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators import measures, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import BOOK, QUOTE, TRADE, WATERMARK_FINAL_NS, RowSchema
from genesis.operators.shard_fold import Arrivals
from tests.operators import naive, streams
from tests.operators.streams import SECOND_NS, START_NS, Market

pytestmark = pytest.mark.timeout(180)

NOTHING = tuple(schema.empty() for schema in streams.SCHEMAS)


def together(found: list[shard_fold.Folded]) -> dict[str, bytes]:
    """Return everything that came out, in its order; samples sorted, which have none."""
    samples = np.concatenate([out.samples for out in found])
    samples = samples[np.lexsort([samples[name] for name in ("has_quote", "symbol_0", "market", "slice_ns")])]
    joined = {
        name: np.concatenate([getattr(out, name) for out in found]) for name in ("bars", "liquidity", "gaps")
    }
    for name in measures.Measured._fields:
        joined[name] = np.concatenate([getattr(out.measured, name) for out in found])
    refused = [refused for out in found for refused in out.refused]
    return {name: rows.tobytes() for name, rows in joined.items()} | {
        "samples": samples.tobytes(),
        "refused": repr(sorted(refused)).encode(),
    }


@given(streams.markets, streams.cuts)
@settings(max_examples=100)
def test_any_cut_gives_the_same(market: Market, how: list[tuple[int, int, float]]) -> None:
    assert together(streams.folded(streams.batches(market, how))) == together(
        streams.folded(streams.batches(market, []))
    )


@given(streams.markets, streams.cuts, st.integers(1, 20))
@settings(max_examples=100)
def test_how_many_ticks_are_measured_at_once_changes_nothing(
    market: Market, how: list[tuple[int, int, float]], most: int
) -> None:
    with mock.patch.object(shard_fold, "HELD_MAX", most):
        found = streams.folded(streams.batches(market, how))
    with mock.patch.object(shard_fold, "HELD_MAX", 10**9):
        assert together(found) == together(streams.folded(streams.batches(market, [])))


@given(streams.markets, streams.cuts, st.integers(0, 40))
def test_a_kill_between_any_two_batches_changes_nothing(
    market: Market, how: list[tuple[int, int, float]], at: int
) -> None:
    arrivals = streams.batches(market, how)
    shard, found = shard_fold.new_shard(), []
    for number, arrived in enumerate(arrivals):
        if number == at:
            snapshot = pickle.dumps(shard_fold.kept(shard))
            for lost in arrivals[number : number + 3]:  # folded after the snapshot, and lost
                shard, _ = shard_fold.fold(shard, lost)
            shard = pickle.loads(snapshot)
        shard, out = shard_fold.fold(shard, arrived)
        found.append(out)
    assert together(found) == together(streams.folded(arrivals))


@given(streams.markets, streams.cuts)
def test_a_kept_state_does_not_change_with_the_fold(
    market: Market, how: list[tuple[int, int, float]]
) -> None:
    shard = shard_fold.new_shard()
    for arrived in streams.batches(market, how):
        kept = shard_fold.kept(shard)
        before = pickle.dumps(kept)
        shard, _ = shard_fold.fold(shard, arrived)
        assert pickle.dumps(kept) == before


@given(streams.markets)
def test_the_bars_are_those_of_the_naive_twin(market: Market) -> None:
    (out,) = streams.folded(streams.batches(market, []))
    columns = ("effective_ns", "event_ns", "symbol", "trade_id", "price", "qty", "side", "market")
    trades: list[naive.Trade] = [
        (at, ns, b"%d%s" % (market_, symbol), number, price, qty * side)
        for at, ns, symbol, number, price, qty, side, market_ in zip(
            *(market.rows[shard_fold.TRADES][name].tolist() for name in columns), strict=True
        )
    ]
    gaps = [
        (
            int(gap["effective_ns"]),
            int(gap["start_ns"]),
            int(gap["end_ns"]),
            b"%d%s" % (gap["market"], gap["symbol"]),
        )
        for gap in market.rows[shard_fold.GAPS]
        if gap["stream"] == 1
    ]
    expected, too_late = naive.bars(trades, gaps)
    found = sorted(
        (
            b"%d%s" % (row["market"], row["symbol"]),
            int(row["interval_ns"]),
            int(row["open_ns"]),
            int(row["revision"]),
        )
        for row in out.bars
    )
    assert found == [row[:4] for row in expected]
    assert len(out.refused) == len(too_late)
    assert int(out.bars["trade_count"].sum()) == sum(row[13] for row in expected)
    assert int(out.bars["stale"].sum()) == sum(row[14] for row in expected)


def rows_of(schema: RowSchema, **columns: object) -> np.ndarray:
    rows = schema.empty(1)
    rows["symbol"], rows["market"] = b"AAA", 1
    for name, value in columns.items():
        rows[name] = value
    return rows


def trade_at(ns: int, number: int = 1, **columns: object) -> np.ndarray:
    more = {"price": 10.0, "qty": 1.0, "side": 1} | columns
    return rows_of(TRADE, event_ns=ns, effective_ns=ns, trade_id=number, **more)


def arrivals(topic: int, rows: np.ndarray, watermark_ns: int) -> Arrivals:
    parts = [part if i != topic else rows for i, part in enumerate(NOTHING)]
    return Arrivals(tuple(parts), (watermark_ns,) * 4, (0,) * 4)  # type: ignore[arg-type]


def test_nothing_closes_before_trades_quotes_and_gaps_have_passed() -> None:
    shard, _ = shard_fold.fold(
        shard_fold.new_shard(), arrivals(shard_fold.TRADES, trade_at(START_NS), START_NS)
    )
    for waited in shard_fold.WAITED:
        watermarks = [START_NS + 5 * SECOND_NS] * 4
        watermarks[waited] = START_NS
        watermarks[shard_fold.BOOKS] = NEVER_NS
        shard, out = shard_fold.fold(shard, Arrivals(NOTHING, tuple(watermarks), (0,) * 4))  # type: ignore[arg-type]
        if waited != shard_fold.WAITED[-1]:
            assert out.bars.size == 0
        shard = shard._replace(watermarks_ns=np.full(4, START_NS))
    shard, out = shard_fold.fold(shard, arrivals(shard_fold.TRADES, NOTHING[0], START_NS + 5 * SECOND_NS))
    assert out.bars["interval_ns"].tolist() == [SECOND_NS]


def test_liquidity_waits_for_nobody() -> None:
    book = rows_of(BOOK, update_id=4)
    watermarks = (NEVER_NS, NEVER_NS, START_NS, NEVER_NS)
    parts = (NOTHING[0], NOTHING[1], book, NOTHING[3])
    _, out = shard_fold.fold(shard_fold.new_shard(), Arrivals(parts, watermarks, (-1, -1, 0, -1)))
    assert out.liquidity["update_id"].tolist() == [4]
    assert (out.book_watermark_ns, out.bars.size) == (START_NS, 0)


def test_a_trade_without_a_usable_price_is_refused_and_the_rest_goes_on() -> None:
    bad = [
        {"price": np.nan},
        {"price": 0.0},
        {"price": -1.0},
        {"price": np.inf},
        {"qty": -1.0},
        {"qty": np.nan},
    ]
    rows = np.concatenate(
        [trade_at(START_NS, 1), *(trade_at(START_NS, 2 + i, **how) for i, how in enumerate(bad))]
    )
    _shard, out = shard_fold.fold(
        shard_fold.new_shard(), arrivals(shard_fold.TRADES, rows, START_NS + SECOND_NS)
    )
    assert [refused.reason for refused in out.refused] == ["bad_trade"] * len(bad)
    assert "trade 2" in out.refused[0].detail
    assert out.bars["trade_count"].tolist() == [1]


def test_trades_that_come_again_change_nothing_even_after_the_end() -> None:
    rows = np.concatenate([trade_at(START_NS + i, i + 1) for i in range(3)])
    shard, first = shard_fold.fold(
        shard_fold.new_shard(),
        Arrivals((rows, *NOTHING[1:]), (NEVER_NS,) * 4, (1,) * 4),  # type: ignore[arg-type]
    )
    assert first.watermark_ns == WATERMARK_FINAL_NS
    shard, again = shard_fold.fold(
        shard,
        Arrivals((rows, *NOTHING[1:]), (START_NS + 10 * SECOND_NS,) * 4, (0,) * 4),  # type: ignore[arg-type]
    )
    assert (again.bars.size, again.samples.size, shard.counts.repeats) == (0, 0, 3)
    later = trade_at(START_NS + 20 * SECOND_NS, 4)
    _, more = shard_fold.fold(shard, Arrivals((later, *NOTHING[1:]), (NEVER_NS,) * 4, (1,) * 4))  # type: ignore[arg-type]
    revisions = dict(
        zip((more.bars["interval_ns"] // SECOND_NS).tolist(), more.bars["revision"].tolist(), strict=True)
    )
    assert revisions == {1: 0, 60: 1, 300: 1, 3600: 1}  # what the end had closed is amended


def test_quotes_without_a_price_are_kept_as_samples_of_none() -> None:
    quote = rows_of(
        QUOTE, event_ns=START_NS, effective_ns=START_NS, update_id=1, bid_price=0.0, ask_price=5.0
    )
    _, out = shard_fold.fold(shard_fold.new_shard(), arrivals(shard_fold.QUOTES, quote, START_NS + SECOND_NS))
    assert out.samples["bid_price"].tolist() == [0.0]
