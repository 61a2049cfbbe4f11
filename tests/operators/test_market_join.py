"""Cells give the same rows however shards and batches are cut, and the rows are those of the definition."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators import market_join, pairs_fold, shard_fold
from genesis.operators.arrays import NEVER_NS
from genesis.operators.market_join import LEAVE_NS, Contribution
from genesis.operators.records import BOOK, GAP, WATERMARK_FINAL_NS, MarketState, StreamKind
from genesis.operators.roster import CELL_NS
from genesis.operators.sampling import SAMPLE, SLICE_NS
from genesis.operators.shard_fold import Arrivals
from tests.operators import recorded, streams
from tests.operators.streams import START_NS, Market

pytestmark = pytest.mark.timeout(180)

HALF_LIVES_NS = (0, 10 * CELL_NS)
PAIRS = pairs_fold.parameters(step_cells=2, half_life_samples=9.0, window_samples=50, lags=0, samples_min=3)
SIGNALS = ("correlation", "correlation_estimates", "market_state", "stat_arb")


def new_join(shards: int) -> market_join.Join:
    return market_join.new_join(shards, HALF_LIVES_NS, PAIRS)


def told(market: Market, how: list[tuple[int, int, float]], shards: int) -> list[Contribution]:
    """Return what the shards say, their turns taken one after the other."""
    queues = []
    for shard in range(shards):
        out = streams.folded(streams.batches(streams.of_shard(market, shard, shards), how))
        queues.append([streams.contribution(shard, each) for each in out])
    return [queue[turn] for turn in range(len(how) + 1) for queue in queues]


def joined(contributions: list[Contribution], shards: int, size: int = 1) -> tuple[bytes, ...]:
    """Return all rows of every signal, in their order."""
    join, found = new_join(shards), []
    for begin in range(0, len(contributions), size):
        join, out = market_join.fold(join, contributions[begin : begin + size])
        found.append(out)
    assert out.watermark_ns == WATERMARK_FINAL_NS
    return rows_of(found)


def rows_of(found: list[market_join.Joined]) -> tuple[bytes, ...]:
    return tuple(np.concatenate([getattr(out, name) for out in found]).tobytes() for name in SIGNALS)


@given(streams.markets, streams.cuts, st.integers(1, 4), st.integers(1, 5))
@settings(max_examples=60)
def test_any_cut_over_any_shards_gives_the_same(
    market: Market, how: list[tuple[int, int, float]], shards: int, size: int
) -> None:
    whole = joined(told(market, [], 1), 1)
    assert joined(told(market, how, shards), shards, size) == whole


@given(streams.markets, streams.cuts, st.integers(0, 60))
def test_a_kill_changes_nothing(market: Market, how: list[tuple[int, int, float]], at: int) -> None:
    contributions = told(market, how, 2)
    join, found = new_join(2), []
    for number, each in enumerate(contributions):
        if number == at:
            snapshot = pickle.dumps(market_join.kept(join))
            for lost in contributions[number : number + 4]:
                join, _ = market_join.fold(join, [lost])
            join = pickle.loads(snapshot)
        join, out = market_join.fold(join, [each])
        found.append(out)
    assert rows_of(found) == joined(contributions, 2)


@given(streams.markets, streams.cuts)
def test_watermarks_are_kept_promises(market: Market, how: list[tuple[int, int, float]]) -> None:
    join, promised_ns = new_join(2), NEVER_NS
    for each in told(market, how, 2):
        join, out = market_join.fold(join, [each])
        assert (out.correlation["sample_ns"] > promised_ns).all()
        assert (out.market_state["event_ns"] > promised_ns).all()
        assert (out.stat_arb["event_ns"] > promised_ns).all()
        assert (out.correlation_estimates["sample_ns"] > promised_ns).all()
        assert out.watermark_ns >= promised_ns
        promised_ns = out.watermark_ns


def samples_of(*ticks: tuple[int, bytes, float]) -> np.ndarray:
    """Return samples of quotes: (slice, symbol, mid)."""
    rows = np.zeros(len(ticks), SAMPLE)
    for i, (slice_ns, symbol, mid) in enumerate(ticks):
        rows["slice_ns"][i] = rows["newest_ns"][i] = slice_ns
        rows["bid_price"][i], rows["ask_price"][i] = mid - 0.5, mid + 0.5
        rows["symbol_0"][i] = int.from_bytes(symbol.ljust(8, b"\0"), "little")
    rows["market"], rows["has_quote"] = 1, 1
    return rows


def prices(seconds: int, symbols: tuple[bytes, ...], begin: int = 0) -> list[tuple[int, bytes, float]]:
    rng = np.random.default_rng(begin + 1)
    moves = np.exp(np.cumsum(rng.normal(0, 1e-3, (seconds, len(symbols))), axis=0))
    return [
        (START_NS + (begin + second) * CELL_NS, symbol, 100.0 * moves[second, k])
        for second in range(seconds)
        for k, symbol in enumerate(symbols)
    ]


def close(
    join: market_join.Join, ticks: list[tuple[int, bytes, float]], gaps: np.ndarray, second: int
) -> tuple[market_join.Join, market_join.Joined]:
    end_ns = START_NS + second * CELL_NS
    return market_join.fold(join, [Contribution(0, end_ns, end_ns, samples_of(*ticks), gaps)])


def gap_of(
    symbol: bytes, start_s: float, end_s: float, at_s: float, stream: StreamKind = StreamKind.QUOTES
) -> np.ndarray:
    gap = GAP.empty(1)
    gap["symbol"], gap["market"], gap["stream"] = symbol, 1, stream
    gap["start_ns"] = START_NS + int(start_s * CELL_NS)
    gap["end_ns"] = START_NS + int(end_s * CELL_NS) if end_s else 0
    gap["effective_ns"] = START_NS + int(at_s * CELL_NS)
    return gap


def test_a_quotes_gap_marks_the_pairs_of_its_instrument_stale_until_clean_and_adds_no_sample() -> None:
    symbols = (b"A", b"B", b"C")
    join = market_join.new_join(1, (0,))
    join, out = close(join, prices(20, symbols), GAP.empty(), 20)
    assert not out.correlation["stale"].any()
    clean = out.correlation[-3:]
    opened = gap_of(b"A", 20.0, 0, 20.1)
    join, out = close(join, prices(5, (b"B", b"C"), 20), opened, 25)
    pairs = {(row["symbol_a"], row["symbol_b"]): row for row in out.correlation[-3:]}
    assert [int(pairs[pair]["stale"]) for pair in ((b"A", b"B"), (b"A", b"C"), (b"B", b"C"))] == [1, 1, 0]
    assert pairs[b"A", b"B"]["correlation"] == clean[0]["correlation"]
    assert pairs[b"A", b"B"]["effective_count"] == 19
    assert pairs[b"B", b"C"]["effective_count"] == 24
    assert out.market_state["stale"][out.market_state["symbol"] == b"A"].all()
    closed = gap_of(b"A", 20.0, 24.9, 25.0)
    join, out = close(join, prices(5, symbols, 25), closed, 30)
    stale = out.correlation["stale"][out.correlation["symbol_a"] == b"A"].reshape(-1, 2)[:, 0]
    assert stale.tolist() == [1, 0, 0, 0, 0]  # the return out of the gap is no 1 s return
    assert out.correlation[-3]["effective_count"] == 19 + 4


def test_a_trades_gap_marks_the_state_and_no_correlation() -> None:
    join, _ = close(market_join.new_join(1, (0,)), prices(10, (b"A", b"B")), GAP.empty(), 10)
    _, out = close(join, prices(3, (b"A", b"B"), 10), gap_of(b"A", 10.0, 0, 10.5, StreamKind.TRADES), 13)
    assert not out.correlation["stale"].any()
    assert out.market_state["stale"][out.market_state["symbol"] == b"A"].tolist() == [1, 1, 1]
    assert not out.market_state["stale"][out.market_state["symbol"] == b"B"].any()


def test_an_instrument_leaves_after_its_silence_and_joins_anew() -> None:
    leave_s = LEAVE_NS // CELL_NS
    join, _ = close(market_join.new_join(1, (0,)), prices(10, (b"A", b"B")), GAP.empty(), 10)
    join, out = close(join, prices(leave_s + 5, (b"B", b"C"), 10), GAP.empty(), leave_s + 15)
    seen = {
        symbol: out.market_state["event_ns"][out.market_state["symbol"] == symbol] for symbol in (b"A", b"B")
    }
    assert seen[b"A"].max() == START_NS + (leave_s + 8) * CELL_NS
    assert seen[b"B"].size == leave_s + 5
    _, out = close(join, prices(3, (b"A", b"B"), leave_s + 15), GAP.empty(), leave_s + 18)
    assert (out.correlation["effective_count"][out.correlation["symbol_a"] == b"A"] <= 2).all()


def test_a_long_pause_of_everything_gives_no_endless_rows() -> None:
    join, _ = close(market_join.new_join(1, (0,)), prices(2, (b"A", b"B")), GAP.empty(), 2)
    pause_s = 10**8
    _, out = close(join, prices(2, (b"A", b"B"), pause_s), GAP.empty(), pause_s + 2)
    assert out.market_state["event_ns"].max() == START_NS + (pause_s + 2) * CELL_NS
    assert np.unique(out.market_state["event_ns"]).size <= LEAVE_NS // CELL_NS + 2


def test_silence_of_a_market_is_maintenance_once_event_time_has_passed() -> None:
    join, out = close(market_join.new_join(1, (0,)), prices(120, (b"A", b"B")), GAP.empty(), 120)
    assert out.market_state["state"][-1] == MarketState.NORMAL
    _, out = close(join, [], GAP.empty(), 130)
    by_time = out.market_state[out.market_state["symbol"] == b"*"]
    assert by_time["state"][-1] == MarketState.MAINTENANCE
    found_ns = by_time["event_ns"][by_time["state"] == MarketState.MAINTENANCE][0]
    assert found_ns - (START_NS + 119 * CELL_NS) <= 5 * CELL_NS
    assert by_time["event_ns"].max() == START_NS + 128 * CELL_NS  # two seconds behind, as documented


def grid_of(*ticks: tuple[int, bytes, float], trades: int = 0) -> int:
    """Return in which slice the grid begins; the first ``trades`` samples are of trades."""
    samples = samples_of(*((START_NS + number * SLICE_NS, symbol, mid) for number, symbol, mid in ticks))
    samples["has_quote"][:trades] = 0
    told = Contribution(0, WATERMARK_FINAL_NS, NEVER_NS, samples, GAP.empty())
    join, out = market_join.fold(market_join.new_join(1, (0,)), [told])
    assert set((out.market_state["event_ns"] - join.grid_ns) % CELL_NS) == {0}
    return (join.grid_ns - START_NS) // SLICE_NS


def test_the_grid_begins_with_the_first_pair() -> None:
    wait = market_join.GRID_WAIT_NS // SLICE_NS
    assert grid_of((3, b"A", 10.0), (5, b"A", 10.0), (7, b"B", 10.0), (8, b"C", 10.0)) == 7
    assert grid_of((3, b"A", 10.0), (4 + wait, b"B", 10.0)) == 3
    assert grid_of((3, b"A", 10.0), (9, b"A", 10.0), trades=1) == 9
    assert grid_of((3, b"A", 10.0), trades=1) == 3
    assert grid_of((3, b"A", 10.0), (4 + wait, b"A", 10.0), trades=1) == 3  # too late


def test_other_half_lives_keep_what_they_share() -> None:
    join, _out = close(market_join.new_join(1, (0, CELL_NS)), prices(9, (b"A", b"B")), GAP.empty(), 9)
    kept = market_join.with_half_lives(join, (CELL_NS, 5 * CELL_NS))
    _, after = close(kept, prices(1, (b"A", b"B"), 9), GAP.empty(), 10)
    _, unchanged = close(join, prices(1, (b"A", b"B"), 9), GAP.empty(), 10)
    assert after.correlation["half_life_ns"].tolist() == [CELL_NS, 5 * CELL_NS]
    assert after.correlation[0].tobytes() == unchanged.correlation[1].tobytes()
    assert np.isnan(after.correlation["correlation"][1])


def test_pairs_have_a_row_in_every_cell_and_hold_still_while_a_leg_is_blind() -> None:
    join, out = close(new_join(1), prices(60, (b"A", b"B")), GAP.empty(), 60)
    rows = out.stat_arb
    assert rows.size == 60
    assert np.isfinite(rows["z_score"][20:]).all()
    assert np.isfinite(rows["reversion_s"][40:]).any()
    assert (rows["event_ns"] == out.market_state["event_ns"][out.market_state["symbol"] == b"*"]).all()
    opened = gap_of(b"A", 60.0, 0, 60.1)
    join, out = close(join, prices(5, (b"B",), 60), opened, 65)
    assert (out.stat_arb["stale"] == 1).all()
    assert np.isnan(out.stat_arb["z_score"]).all()
    assert (out.stat_arb["signal"] == rows["signal"][-1]).all()


def test_other_parameters_of_pairs_begin_anew_and_the_same_do_not() -> None:
    join, _ = close(new_join(1), prices(60, (b"A", b"B")), GAP.empty(), 60)
    assert market_join.with_pairs(join, PAIRS) is join
    other = market_join.with_pairs(market_join.kept(join), pairs_fold.DEFAULT)
    _, out = close(other, prices(1, (b"A", b"B"), 60), GAP.empty(), 61)
    assert np.isnan(out.stat_arb["hedge_ratio"]).all()
    _, out = close(join, prices(1, (b"A", b"B"), 60), GAP.empty(), 61)
    assert np.isfinite(out.stat_arb["hedge_ratio"]).all()


@pytest.fixture(scope="module")
def spot(recordings: Path) -> tuple[np.ndarray, np.ndarray]:
    """Give quotes and all correlations of the recorded spot streams, folded in batches of 997 rows."""
    trades, quotes = recorded.together(recordings, "spot_btcusdt", "spot_ethusdt")
    shard, join, found = shard_fold.new_shard(), market_join.new_join(1, (0, 60 * CELL_NS, 300 * CELL_NS)), []
    for begin in range(0, quotes.size + 997, 997):
        part = quotes[begin : begin + 997]
        limits_ns = (part["recv_ns"][0], part["recv_ns"][-1] + 1) if part.size else (0, 0)
        mine = trades[slice(*np.searchsorted(trades["recv_ns"], limits_ns))]
        watermark_ns = int(part["event_ns"].max()) - recorded.LATENESS_NS if part.size else NEVER_NS
        ended = 0 if part.size else 1
        shard, out = shard_fold.fold(
            shard,
            Arrivals((mine, part, BOOK.empty(), GAP.empty()), (watermark_ns,) * 4, (ended,) * 4),
        )
        join, cells = market_join.fold(join, [streams.contribution(0, out)])
        found.append(cells.correlation)
    return quotes, np.concatenate(found)


def test_every_sample_equals_an_independent_one_of_the_quotes(spot: tuple[np.ndarray, np.ndarray]) -> None:
    quotes, rows = spot
    samples_ns = np.unique(rows["sample_ns"])
    logs = []
    for symbol in (b"BTCUSDT", b"ETHUSDT"):
        mine = quotes[quotes["symbol"] == symbol]
        mine = mine[np.lexsort((mine["update_id"], mine["event_ns"]))]
        newest = np.searchsorted(mine["event_ns"], samples_ns) - 1
        log_price = np.log((mine["bid_price"] + mine["ask_price"])[newest] / 2.0)
        logs.append(np.where(newest < 0, np.nan, log_price))
    returns = np.diff(np.stack(logs, axis=1), axis=0)
    assert np.isfinite(returns).sum() > 600
    for half_life_ns in (0, 60 * CELL_NS, 300 * CELL_NS):
        found = rows[rows["half_life_ns"] == half_life_ns]
        for row in found:
            past = returns[: np.searchsorted(samples_ns, row["sample_ns"])]
            past = past[np.isfinite(past).all(axis=1)]
            if past.shape[0] < 2 or not past.std(axis=0).all():
                assert np.isnan(row["correlation"])
                continue
            age = np.arange(past.shape[0])[::-1]
            weights = 0.5 ** (age * CELL_NS / half_life_ns) if half_life_ns else np.ones(age.size)
            covariance = np.cov(past.T, aweights=weights, ddof=0)
            expected = covariance[0, 1] / np.sqrt(covariance[0, 0]) / np.sqrt(covariance[1, 1])
            assert abs(row["correlation"] - expected) < 1e-9
            assert row["effective_count"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_with_equal_weights_the_recorded_correlation_is_that_of_the_data(
    spot: tuple[np.ndarray, np.ndarray],
) -> None:
    equal = spot[1][spot[1]["half_life_ns"] == 0]
    assert abs(equal["correlation"][-1] - 0.61) < 0.02
