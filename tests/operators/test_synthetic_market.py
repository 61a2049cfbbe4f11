"""The synthetic market: deterministic, gapless, never crossed, correlated, and as fast as asked."""

from collections import defaultdict

import numpy as np
import pytest

from genesis.operators.synthetic_listings import LISTINGS
from genesis.operators.synthetic_market import (
    LEVELS_MIN,
    STEP_NS,
    Step,
    SyntheticMarket,
    SyntheticParameters,
    SyntheticQuote,
    SyntheticSnapshot,
    SyntheticTrade,
)


def played(steps: int, **parameters: float) -> tuple[list[SyntheticSnapshot], list[Step], SyntheticMarket]:
    market = SyntheticMarket(SyntheticParameters(**parameters))  # type: ignore[arg-type]
    return market.snapshots(), [market.advance() for _ in range(steps)], market


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    first, second = played(30, symbols=4, seed=3), played(30, symbols=4, seed=3)
    assert first[:2] == second[:2]
    assert first[2].snapshots() == second[2].snapshots()
    assert played(30, symbols=4, seed=4)[1] != first[1]


def test_time_runs_in_steps_from_the_given_start() -> None:
    _, steps, _ = played(20, symbols=3, start_ns=5_000, rate_hz=3_000)
    for number, step in enumerate(steps):
        start_ns = 5_000 + number * STEP_NS
        times_ns = [tick.event_ns for tick in step.ticks]
        assert step.end_ns == start_ns + STEP_NS
        assert times_ns == sorted(times_ns)
        assert all(start_ns <= each < step.end_ns for each in times_ns)
        assert all(diff.event_ns == step.end_ns for diff in step.diffs)


@pytest.mark.parametrize("rate_hz", [20.0, 1_000.0, 8_000.0])
def test_books_rebuilt_from_diffs_are_whole_and_agree_with_the_quotes(rate_hz: float) -> None:
    snapshots, steps, market = played(200, symbols=5, rate_hz=rate_hz, seed=11)
    bids = [dict(each.bids) for each in snapshots]
    asks = [dict(each.asks) for each in snapshots]
    last_ids = [each.update_id for each in snapshots]
    for step in steps:
        newest = {tick.listing: tick for tick in step.ticks if isinstance(tick, SyntheticQuote)}
        for diff in step.diffs:
            index = diff.listing
            assert diff.first_update_id == last_ids[index] + 1
            assert diff.last_update_id >= diff.first_update_id
            last_ids[index] = diff.last_update_id
            for side, levels in ((bids[index], diff.bids), (asks[index], diff.asks)):
                side.update(levels)
                for price, qty in levels:
                    if not qty:
                        del side[price]
            best_bid, best_ask = max(bids[index]), min(asks[index])
            assert best_bid < best_ask
            assert min(len(bids[index]), len(asks[index])) >= LEVELS_MIN
            quote = newest[index]
            assert (quote.bid_ticks, quote.bid_steps) == (best_bid, bids[index][best_bid])
            assert (quote.ask_ticks, quote.ask_steps) == (best_ask, asks[index][best_ask])
            assert last_ids[index] >= quote.update_id
    for now in market.snapshots():
        assert (dict(now.bids), dict(now.asks)) == (bids[now.listing], asks[now.listing])
        assert now.bids == sorted(now.bids, reverse=True)
        assert now.asks == sorted(now.asks)


def test_trades_are_numbered_without_a_gap_and_eat_the_best_levels() -> None:
    _, steps, _ = played(200, symbols=3, rate_hz=2_000, seed=2)
    trade_ids = defaultdict(list)
    quotes: dict[int, SyntheticQuote] = {}
    orders = sweeps = 0
    for step in steps:
        order: list[SyntheticTrade] = []
        for tick in step.ticks:
            if isinstance(tick, SyntheticTrade):
                trade_ids[tick.listing].append(tick.trade_id)
                order.append(tick)
                continue
            fills = [each for each in order if each.listing == tick.listing]
            order = [each for each in order if each.listing != tick.listing]
            before = quotes.get(tick.listing)
            if fills and before is not None:
                orders += 1
                sweeps += len(fills) > 1
                prices = [each.price_ticks for each in fills]
                sells = fills[0].buyer_is_maker
                assert prices[0] == (before.bid_ticks if sells else before.ask_ticks)
                assert prices == sorted(prices, reverse=sells)
                assert fills[0].qty_steps <= (before.bid_steps if sells else before.ask_steps)
            quotes[tick.listing] = tick
    assert orders > 100
    assert sweeps > 10
    for ids in trade_ids.values():
        assert ids == list(range(ids[0], ids[0] + len(ids)))


@pytest.mark.parametrize("rate_hz", [200.0, 2_000.0, 10_000.0])
def test_the_rate_is_the_one_asked_for(rate_hz: float) -> None:
    market = SyntheticMarket(SyntheticParameters(20, seed=4, rate_hz=rate_hz))
    counts = [len(step.ticks) + len(step.diffs) for step in (market.advance() for _ in range(150))]
    calm_hz = float(np.median(counts)) * 10.0  # volatile times are livelier
    assert calm_hz == pytest.approx(rate_hz, rel=0.15)


def test_symbols_are_correlated_through_the_market_and_their_groups() -> None:
    market = SyntheticMarket(SyntheticParameters(6, seed=9, rate_hz=600))
    mids, last = [], dict.fromkeys(range(6), np.nan)
    for number in range(2_500):
        for tick in market.advance().ticks:
            if isinstance(tick, SyntheticQuote):
                last[tick.listing] = (tick.bid_ticks + tick.ask_ticks) / 2.0
        if number % 10 == 9:
            mids.append(list(last.values()))
    returns = np.diff(np.log(np.array(mids[1:])), axis=0)
    correlation = np.corrcoef(returns.T)
    assert 0.5 < correlation[0, 1] < 0.95
    assert np.all(correlation[np.triu_indices(6, 1)] > 0.05)
    kurtosis = np.mean(returns[:, 0] ** 4) / np.mean(returns[:, 0] ** 2) ** 2
    assert kurtosis > 3.3, "volatile spells make fat tails"
    assert 0.3 < returns[:, 0].std() * 1e4 < 5.0, "basis points a second"


def test_listings_are_distinct_and_start_on_their_ticks() -> None:
    assert LISTINGS[0].symbol == "BTCUSDT"
    assert len({each.symbol for each in LISTINGS}) == len(LISTINGS) == 200
    for each in LISTINGS:
        assert each.symbol == each.base + each.quote
        assert each.price * 1e8 / each.tick_e8 > 400
        assert 0.0 < each.loading < 1.0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"symbols": 0}, "symbols must be from 1 to 200, was 0"),
        ({"symbols": 201}, "symbols must be from 1 to 200, was 201"),
        ({"rate_hz": 0.5}, "rate_hz must be from 1 to 1,000,000 messages/s, was 0.5"),
        ({"rate_hz": float("nan")}, "rate_hz must be"),
        ({"seed": -1}, "must not be negative, were -1"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SyntheticParameters(**parameters)  # type: ignore[arg-type]
