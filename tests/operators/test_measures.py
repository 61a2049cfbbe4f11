"""Measures by second and minute are those of plain loops, and no gap is reached across."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from genesis.operators import bar_ranges, measures, shard_fold, standings
from genesis.operators import order_flow_imbalance as order_flow
from genesis.operators import realized_volatility as realized
from genesis.operators import trade_flow_imbalance as trade_flow
from genesis.operators.arrays import NEVER_NS
from genesis.operators.bars import INTERVALS_NS
from genesis.operators.measure_records import Tier, VolumeClass
from genesis.operators.records import BOOK, GAP, QUOTE, TRADE
from genesis.operators.shard_fold import Arrivals, Folded
from tests.operators import recorded, streams
from tests.operators.streams import SECOND_NS, START_NS, Market

MINUTE_NS = 60 * SECOND_NS
BEGIN_NS = START_NS - START_NS % (3600 * SECOND_NS)


def rows_of(schema: Any, count: int, **columns: object) -> np.ndarray:
    rows = schema.empty(count)
    rows["symbol"], rows["market"] = b"AAA", 1
    for name, value in columns.items():
        rows[name] = value
    if "event_ns" in columns:
        rows["effective_ns"] = rows["event_ns"]
    return rows


def quotes_at(event_ns: Any, bid: Any, **columns: object) -> np.ndarray:
    event_ns = np.asarray(event_ns, np.int64)
    ask = np.asarray(bid) + 0.01
    ids = np.arange(1, event_ns.size + 1)
    more = {"bid_price": bid, "ask_price": ask, "bid_qty": 1.0, "ask_qty": 1.0, "update_id": ids} | columns
    return rows_of(QUOTE, event_ns.size, event_ns=event_ns, **more)


def trades_at(event_ns: Any, price: Any, **columns: object) -> np.ndarray:
    event_ns = np.asarray(event_ns, np.int64)
    more = {"price": price, "qty": 1.0, "side": 1, "trade_id": np.arange(event_ns.size)} | columns
    return rows_of(TRADE, event_ns.size, event_ns=event_ns, **more)


def folded(
    trades: np.ndarray | None = None,
    quotes: np.ndarray | None = None,
    gaps: np.ndarray | None = None,
    until_ns: int = 0,
) -> Folded:
    """Fold everything at once; ``until_ns`` is promised by all topics."""
    rows = [
        schema.empty() if each is None else each
        for schema, each in ((TRADE, trades), (QUOTE, quotes), (BOOK, None), (GAP, gaps))
    ]
    arrivals = Arrivals(tuple(rows), (until_ns,) * 4, (0,) * 4)  # type: ignore[arg-type]
    return shard_fold.fold(shard_fold.new_shard(), arrivals)[1]


def naive_seconds(market: Market) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Return by instrument and second the order flow and the net volume in it, of all that ended."""
    trades, quotes, _, gaps = market.rows
    found: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    newest_ns = max((int(rows["effective_ns"].max(initial=0)) for rows in (trades, quotes, gaps)), default=0)

    def second(row: Any) -> tuple[Any, ...]:
        end_ns = int(row["effective_ns"]) // SECOND_NS * SECOND_NS + SECOND_NS
        return int(row["market"]), bytes(row["symbol"]), end_ns

    for row in trades:
        found[second(row)][1] += float(row["qty"]) * int(row["side"])
    by_symbol = defaultdict(list)
    marks = gaps[gaps["stream"] == 2]
    for row in [*quotes, *marks]:
        is_gap = "bid_price" not in row.dtype.names
        at = int(row["effective_ns"])
        key = (
            at,
            at if is_gap else int(row["event_ns"]),
            0 if is_gap else 1,
            0 if is_gap else int(row["update_id"]),
        )
        by_symbol[(int(row["market"]), bytes(row["symbol"]))].append((key, is_gap, row))
    for each in gaps:
        found[second(each)]
    for rows in by_symbol.values():
        last, newest = None, -math.inf
        for key, is_gap, row in sorted(rows, key=lambda each: each[0]):
            found[second(row)]
            if key[1] < newest:
                continue
            newest = key[1]
            if is_gap:
                last = None
                continue
            now = [float(row[name]) for name in ("bid_price", "ask_price", "bid_qty", "ask_qty")]
            if last is not None:
                (b0, a0, p0, q0), (b1, a1, p1, q1) = last, now
                found[second(row)][0] += (p1 if b1 >= b0 else 0.0) - (p0 if b1 <= b0 else 0.0)
                found[second(row)][0] += (q0 if a1 >= a0 else 0.0) - (q1 if a1 <= a0 else 0.0)
            last = now
    return {key: (flow, net) for key, (flow, net) in found.items() if key[2] <= newest_ns + 1}


@given(streams.markets)
def test_every_second_is_that_of_a_plain_loop(market: Market) -> None:
    (out,) = streams.folded(streams.batches(market, []))
    refused = {json_id for each in out.refused for json_id in [each.payload]}
    rows = out.measured.seconds
    found = {
        (int(row["market"]), bytes(row["symbol"]), int(row["event_ns"])): (
            float(row["order_flow_qty"]),
            float(row["trade_flow_qty"]),
        )
        for row in rows
    }
    assert len(found) == rows.size
    expected = naive_seconds(market)
    assert set(found) == set(expected), refused
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, abs=1e-9)


def test_imbalances_are_those_of_the_kernels_at_the_end_of_each_second() -> None:
    rng = np.random.default_rng(4)
    event_ns = BEGIN_NS + np.sort(rng.integers(0, 20 * SECOND_NS, 400))
    bid = 100.0 + 0.01 * rng.integers(-3, 4, 400)
    quotes = quotes_at(event_ns, bid, bid_qty=rng.random(400), ask_qty=rng.random(400))
    trades = trades_at(event_ns, bid, qty=rng.random(400), side=rng.choice([-1, 1], 400))
    rows = folded(trades, quotes, until_ns=BEGIN_NS + 20 * SECOND_NS - 1).measured.seconds
    slots = np.zeros(400, np.int64)
    values = np.stack([quotes[name] for name in ("bid_price", "ask_price", "bid_qty", "ask_qty")], axis=1)
    _, _, by_orders = order_flow.imbalance(order_flow.no_flow(1), slots, event_ns, values, measures.FLOW)
    signed_qty = trades["qty"] * trades["side"]
    _, by_trades = trade_flow.imbalance(
        trade_flow.no_flow(1), slots, event_ns, signed_qty, measures.TRADE_FLOW
    )
    last = np.searchsorted(event_ns, rows["event_ns"]) - 1
    np.testing.assert_array_equal(rows["order_flow_imbalance"], by_orders[last])
    np.testing.assert_array_equal(rows["trade_flow_imbalance"], by_trades[last])
    assert not rows["stale"].any()


def test_volatility_is_that_of_the_returns_of_each_interval() -> None:
    seconds = np.arange(3_600)
    mid = 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 1e-4, 3_600)))
    quotes = quotes_at(BEGIN_NS + seconds * SECOND_NS, mid - 0.005)
    rows = folded(quotes=quotes, until_ns=BEGIN_NS + 3_600 * SECOND_NS - 1).measured.volatility
    returns = np.diff(np.log(mid), prepend=np.nan)
    assert [int((rows["interval_ns"] == each * SECOND_NS).sum()) for each in (60, 300, 3_600)] == [60, 12, 1]
    for row in rows:
        first = int((row["open_ns"] - BEGIN_NS) // SECOND_NS)
        mine = returns[first : first + int(row["interval_ns"] // SECOND_NS)]
        state = realized.update(realized.no_variation(1), np.zeros(mine.size, np.int64), mine)
        total, bipower, median, jumps = (float(each[0]) for each in realized.measures(state, np.array([0])))
        assert row["realized_bps"] == pytest.approx(math.sqrt(total) * 1e4, rel=1e-6)
        assert row["bipower_bps"] == pytest.approx(math.sqrt(bipower) * 1e4, rel=1e-6)
        assert row["median_bps"] == pytest.approx(math.sqrt(median) * 1e4, rel=1e-6)
        assert row["jump_share"] == pytest.approx(jumps, abs=1e-6)
        assert row["return_count"] == np.isfinite(mine).sum()


def test_quiet_seconds_are_returns_of_zero() -> None:
    quotes = quotes_at(BEGIN_NS + np.array([0, 30]) * SECOND_NS, [100.0, 101.0])
    (row,) = folded(quotes=quotes, until_ns=BEGIN_NS + MINUTE_NS - 1).measured.volatility
    assert row["return_count"] == 59
    assert row["realized_bps"] == pytest.approx(math.log(101.005 / 100.005) * 1e4)


def test_nothing_is_measured_across_a_gap_and_what_it_touches_is_stale() -> None:
    quotes = quotes_at(BEGIN_NS + np.array([1, 2, 30, 31]) * SECOND_NS, [100.0, 100.0, 150.0, 150.0])
    gaps = rows_of(GAP, 2, start_ns=BEGIN_NS + 5 * SECOND_NS, stream=2, reason=2, revision=[0, 1])
    gaps["end_ns"] = [0, BEGIN_NS + 20 * SECOND_NS]
    gaps["effective_ns"] = [BEGIN_NS + 5 * SECOND_NS, BEGIN_NS + 20 * SECOND_NS]
    trades = trades_at(BEGIN_NS + np.array([10, 25, 40]) * SECOND_NS, 100.0)
    out = folded(trades, quotes, gaps, BEGIN_NS + MINUTE_NS - 1).measured
    at = dict(zip(((out.seconds["event_ns"] - BEGIN_NS) // SECOND_NS).tolist(), out.seconds, strict=True))
    assert sorted(at) == [2, 3, 6, 11, 21, 26, 31, 32, 41]
    assert {second for second, row in at.items() if row["stale"]} == {6, 11, 21, 26, 31}
    assert out.seconds["order_flow_qty"].tolist() == [0.0] * 9
    (row,) = out.volatility
    assert (row["realized_bps"], row["stale"]) == (0.0, 1)


def test_what_has_not_ended_gives_no_row_even_at_the_end_of_all_rows() -> None:
    quotes = quotes_at(BEGIN_NS + np.array([0, 500, 1_200]) * 1_000_000, 100.0)
    arrivals = Arrivals((TRADE.empty(), quotes, BOOK.empty(), GAP.empty()), (NEVER_NS,) * 4, (1,) * 4)
    shard, out = shard_fold.fold(shard_fold.new_shard(), arrivals)
    assert ((out.measured.seconds["event_ns"] - BEGIN_NS) // SECOND_NS).tolist() == [1]
    assert out.measured.volatility.size == 0
    more = quotes_at(BEGIN_NS + np.array([1_500, 2_100]) * 1_000_000, 100.0, update_id=[9, 10])
    _, out = shard_fold.fold(shard, arrivals._replace(rows=(TRADE.empty(), more, BOOK.empty(), GAP.empty())))
    assert ((out.measured.seconds["event_ns"] - BEGIN_NS) // SECOND_NS).tolist() == [2]


def test_years_without_a_tick_cost_nothing_and_hide_nothing() -> None:
    later_ns = BEGIN_NS + 10 * 365 * 86_400 * SECOND_NS
    quotes = quotes_at([BEGIN_NS, later_ns, later_ns + 2 * SECOND_NS], [100.0, 200.0, 200.0])
    out = folded(quotes=quotes, until_ns=later_ns + 3_600 * SECOND_NS).measured
    assert out.seconds.size == 3
    assert out.volatility["realized_bps"][-3:].tolist() == [0.0] * 3


def test_an_amended_bar_keeps_the_range_it_closed_with() -> None:
    at = BEGIN_NS + np.arange(30) * SECOND_NS
    trades = trades_at(at, 100.0 + np.arange(30) % 3)
    late = trades_at([at[20]], 500.0, trade_id=99)
    late["effective_ns"] = at[25] + 1
    rows = folded(np.concatenate([trades, late]), until_ns=BEGIN_NS + 30 * SECOND_NS).bars
    mine = rows[rows["interval_ns"] == INTERVALS_NS[0]]
    closed = mine[mine["revision"] == 0]
    assert np.isnan(closed["average_true_range"][:13]).all()
    assert closed["average_true_range"][13] == pytest.approx(np.mean([0.0, *[1.0, 1.0, 2.0] * 4, 1.0]))
    (amended,) = mine[mine["revision"] == 1]
    (before,) = closed[closed["open_ns"] == amended["open_ns"]]
    assert amended["high"] == 500.0
    assert amended["average_true_range"] == before["average_true_range"]
    assert bar_ranges.PARAMETERS.bars == 14


def test_pairs_are_ranked_once_all_shards_have_told_their_minute() -> None:
    told = []
    for shard, (symbol, spread) in enumerate([(b"WIDE", 9.0), (b"NARROW", 1.0)]):
        pairs = np.zeros(1, standings.CANDIDATE)
        pairs["event_ns"], pairs["symbol"], pairs["market"] = MINUTE_NS, symbol, 1
        pairs["spread_bps"], pairs["depth_notional"], pairs["day_notional"] = spread, 1e4, 2e5
        told.append(standings.Told(shard, MINUTE_NS, pairs))
    state, rows, watermark_ns = standings.fold(standings.no_standings(2), told[:1])
    assert (rows.size, watermark_ns) == (0, NEVER_NS)
    _, rows, watermark_ns = standings.fold(state, told[1:])
    assert watermark_ns == MINUTE_NS
    sniper = rows[rows["tier"] == Tier.SNIPER]
    assert sniper["symbol"].tolist() == [b"NARROW", b"WIDE"]
    assert sniper["rank"].tolist() == [1, 2]
    assert sniper["unfit"].tolist() == [0, 0]
    assert set(rows["volume_class"].tolist()) == {VolumeClass.MEDIUM}
    assert (rows["unfit"][rows["tier"] == Tier.ARCHITECT] != 0).all()


def test_a_minute_waits_for_its_books_and_takes_their_mean_depth() -> None:
    quotes = quotes_at(BEGIN_NS + np.arange(60) * SECOND_NS, 100.0)
    shard, out = shard_fold.fold(
        shard_fold.new_shard(),
        Arrivals(
            (TRADE.empty(), quotes, BOOK.empty(), GAP.empty()),
            (BEGIN_NS + MINUTE_NS,) * 2 + (NEVER_NS, BEGIN_NS + MINUTE_NS),  # type: ignore[arg-type]
            (0, 0, -1, 0),
        ),
    )
    assert out.measured.candidates.size == 0
    books = rows_of(BOOK, 2, event_ns=BEGIN_NS + np.array([1, 2]) * SECOND_NS)
    for name, price in (("bid", 99.99), ("ask", 100.01)):
        books[f"{name}_price"], books[f"{name}_qty"] = np.nan, np.nan
        books[f"{name}_price"][:, 0], books[f"{name}_qty"][:, 0] = price, [1.0, 3.0]
        books[f"{name}_depth_qty"] = books[f"{name}_qty"][:, :1]
    promise_ns = BEGIN_NS + MINUTE_NS
    _, out = shard_fold.fold(
        shard,
        Arrivals(
            (TRADE.empty(), QUOTE.empty(), books, GAP.empty()),
            (NEVER_NS, NEVER_NS, promise_ns, NEVER_NS),
            (-1, -1, 0, -1),
        ),
    )
    (pair,) = out.measured.candidates
    assert pair["depth_notional"] == pytest.approx(99.99 * 2.0)
    assert out.minute_ns >= BEGIN_NS + MINUTE_NS


def test_the_recorded_minutes_are_measured(recordings: Path) -> None:
    trades, quotes = recorded.together(recordings, "spot_btcusdt", "spot_ethusdt")
    out = folded(trades, quotes, until_ns=int(quotes["effective_ns"].max()))
    seconds, volatility = out.measured.seconds, out.measured.volatility
    assert seconds.size == pytest.approx(2 * 346, abs=12)
    defined = seconds[~np.isnan(seconds["spread_mean_bps"])]
    btc = recorded.ticks(recordings, "spot_btcusdt")[1]
    btc = btc[np.argsort(btc["event_ns"], kind="stable")]
    at = btc["event_ns"] / (300 * SECOND_NS)  # in half-lives
    weight = np.diff(np.exp2(at - at[-1]))  # the integral of the weights while each spread lasted
    spread_bps = (btc["ask_price"] - btc["bid_price"]) / (btc["ask_price"] + btc["bid_price"]) * 2e4
    newest = defined[defined["symbol"] == b"BTCUSDT"][-1]
    assert newest["spread_mean_bps"] == pytest.approx(np.average(spread_bps[:-1], weights=weight), rel=0.01)
    assert (np.abs(defined["order_flow_imbalance"]) <= 1.0).all()
    minutes = volatility[volatility["interval_ns"] == MINUTE_NS]
    assert minutes.size == 2 * 6
    assert (minutes["realized_bps"] > 0.0).all()
    assert (minutes["median_bps"] <= minutes["realized_bps"] * 1.2).all()
