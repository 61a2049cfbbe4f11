"""Strategies are pure: the state that went in is not changed, and what comes out depends on the records."""

import itertools
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account.events import ALLOWED, Mark, MarketRecord, Role, kind_of
from genesis.operators.strategies import catalog
from genesis.operators.strategies import cells as cells_of

START_NS = 1_700_000_000 * 10**9
NAMES = ("BTCUSDT", "ETHUSDT")
QUICK = {
    "pairs": {"half_life_s": "20", "samples_min": "10"},
    "breakout": {"minutes": "1", "trail_ppm": "300"},
}


def market(seed: int, count: int) -> list[tuple[int, MarketRecord]]:
    """Return records of two symbols that wander; now and then one is stale, or nothing is told."""
    chance, prices, now_ns = random.Random(seed), [60_000.0, 2_500.0], START_NS
    found = []
    for number in range(count):
        now_ns += chance.choice([100, 100, 900, 2_500]) * 1_000_000
        common, marks = chance.gauss(0.0, 2e-4), []
        for which, name in enumerate(NAMES):
            prices[which] *= 1.0 + common + chance.gauss(0.0, 3e-4)
            bid = f"{prices[which]:.2f}"
            ask = f"{prices[which] + 0.02:.2f}"
            stale = chance.random() < 0.02
            marks.append(Mark(symbol=name, bid=bid, ask=ask, bid_qty="1", ask_qty="1", stale=stale))
        told = [(*NAMES, round(chance.uniform(-1.0, 1.0), 2))] if number % 50 == 0 else []
        found.append((now_ns, MarketRecord(marks=marks[: chance.choice([0, 1, 2, 2])], correlations=told)))
    return found


def run(name: str, records: list[tuple[int, MarketRecord]], keep_at: frozenset[int] = frozenset()):
    strategy = catalog.made(name, QUICK[name])
    state, asked = strategy.begin(), []
    for number, (event_ns, record) in enumerate(records):
        if number in keep_at:
            strategy, state = catalog.made(name, QUICK[name]), pickle.loads(pickle.dumps(state))
        state, intents = strategy.on_market(state, record, event_ns)
        asked += [(event_ns, each) for each in intents]
    return state, asked


@pytest.mark.parametrize("name", sorted(catalog.STRATEGIES))
@given(seed=st.integers(0, 2**16), keep_at=st.frozensets(st.integers(0, 299), max_size=5))
@settings(max_examples=15, deadline=None)
def test_a_strategy_that_is_put_away_and_taken_up_asks_the_same(
    name: str, seed: int, keep_at: frozenset[int]
) -> None:
    records = market(seed, 300)
    whole, asked = run(name, records)
    parts, asked_again = run(name, records, keep_at)
    assert asked == asked_again
    assert pickle.dumps(whole) == pickle.dumps(pickle.loads(pickle.dumps(parts)))


@pytest.mark.parametrize("name", sorted(catalog.STRATEGIES))
def test_the_state_that_went_in_is_not_changed(name: str) -> None:
    strategy = catalog.made(name, QUICK[name])
    state = strategy.begin()
    for event_ns, record in market(7, 400):
        before = pickle.dumps(state)
        after, intents = strategy.on_market(state, record, event_ns)
        assert pickle.dumps(state) == before
        again, intents_again = strategy.on_market(pickle.loads(before), record, event_ns)
        assert intents == intents_again
        np.testing.assert_equal(again, after)
        state = after


@pytest.mark.parametrize("name", sorted(catalog.STRATEGIES))
def test_a_strategy_asks_for_what_its_role_may_and_buys_before_it_sells(name: str) -> None:
    asked = [each for seed in range(6) for each in run(name, market(seed, 1_500))[1]]
    assert len(asked) > 10
    assert {kind_of(intent) for _, intent in asked} <= ALLOWED[Role.STRATEGY]
    _, mine = run(name, market(1, 1_500))
    held: set[str] = set()
    for _, intent in mine:
        assert (intent.symbol in held) == (intent.side == "sell")
        held ^= {intent.symbol}
        assert intent.strategy == name


def test_pairs_hold_one_leg_at_a_time_and_the_cheap_one() -> None:
    strategy = catalog.made("pairs", QUICK["pairs"])
    state, asked = strategy.begin(), []
    chance = random.Random(2)
    for second in range(1, 400):
        away = -0.0008 if second >= 390 else 0.002 * chance.random()  # the first leg gets cheap
        second_price = 100.0 * (1.0 + 0.001 * chance.gauss(0.0, 1.0))
        first_price = second_price * (1.0 + away)
        marks = [
            Mark(symbol=name, bid=f"{price:.5f}", ask=f"{price:.5f}", bid_qty="1", ask_qty="1")
            for name, price in (("ETHUSDT", first_price), ("BTCUSDT", second_price))
        ]
        state, intents = strategy.on_market(state, MarketRecord(marks=marks), START_NS + second * 10**9)
        asked += [(second, each.side, each.symbol) for each in intents]
    sold_s = {second: symbol for second, side, symbol in asked if side == "sell"}
    for (at, side, _), (then, side_then, _) in itertools.pairwise(asked):
        assert side != side_then
        if at in sold_s:
            assert then - at >= 3  # the sale settles first
    assert asked[-1][1:] == ("buy", "ETHUSDT")


@pytest.mark.parametrize(("correlation", "bought"), [(0.9, 1), (0.2, 2), (None, 1)])
def test_a_breakout_is_left_alone_when_it_moves_with_what_is_held(
    correlation: float | None, bought: int
) -> None:
    strategy = catalog.made("breakout", {"minutes": "1", "trail_ppm": "100000"})
    state, asked = strategy.begin(), []
    told = [] if correlation is None else [(*NAMES, correlation)]
    for second in range(1, 200):
        price = 100.0 if second < 150 else 101.0
        marks = [
            Mark(symbol=name, bid=f"{price}", ask=f"{price}", bid_qty="1", ask_qty="1") for name in NAMES
        ]
        record = MarketRecord(marks=marks, correlations=told if second == 1 else [])
        state, intents = strategy.on_market(state, record, START_NS + second * 10**9)
        asked += intents
    assert [each.side for each in asked] == ["buy"] * bought


def test_a_cell_closes_once_with_the_mids_before_it() -> None:
    cells, closed = cells_of.no_cells(2), []
    for event_ns, record in market(3, 200):
        cells, found = cells_of.after(cells, NAMES, record, event_ns)
        closed += found
        assert all(each.end_ns <= event_ns for each in found)
    ends = [each.end_ns for each in closed]
    assert ends == sorted(set(ends))
    assert all(end_ns % cells_of.CELL_NS == 0 for end_ns in ends)


@pytest.mark.parametrize(
    ("name", "given_", "word"),
    [
        ("luck", {}, "there is no strategy 'luck'; there are breakout, pairs"),
        ("pairs", {"enter": "0.1"}, "thresholds"),
        ("pairs", {"first": "BTCUSDT"}, "the legs must differ"),
        ("pairs", {"notional": "nan"}, "notional"),
        ("pairs", {"notional": "-5"}, "notional"),
        ("pairs", {"half_life_s": "soon"}, "half_life_s"),
        ("pairs", {"speed": "1"}, "speed"),
        ("breakout", {"symbols": "BTCUSDT,BTCUSDT"}, "each once"),
        ("breakout", {"minutes": "0"}, "minutes"),
        ("breakout", {"correlation_max": "7"}, "correlation_max"),
    ],
)
def test_what_cannot_be_is_a_sentence(name: str, given_: dict[str, str], word: str) -> None:
    with pytest.raises(catalog.StrategyError, match=word):
        catalog.made(name, given_)
