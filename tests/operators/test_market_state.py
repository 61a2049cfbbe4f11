"""The weather: found within five seconds, without flicker, and never made of our own blindness."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import market_state as weather
from genesis.operators.market_state import Cell
from genesis.operators.records import MarketState

CELLS_WITHIN = 5
SECOND_NS = 10**9


class Sky:
    """One instrument, cell by cell."""

    def __init__(self, instruments: int = 1, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.n = instruments
        self.usual = weather.with_slots(weather.no_usual(), instruments)
        self.machine = weather.with_machines(weather.no_machines(), instruments)
        self.states: list[list[int]] = []
        self.cells = 0

    def pass_by(self, cells: int, **how: float) -> list[MarketState]:
        """Let cells pass; return the states of the first instrument."""
        vol, spread, rate = how.get("vol", 1e-4), how.get("spread", 1.0), how.get("rate", 10.0)
        ticking, stale, halted = (
            how.get("ticking", 1.0),
            bool(how.get("stale", 0.0)),
            bool(how.get("halted", 0.0)),
        )
        begin = len(self.states)
        for _ in range(cells):
            ticked = self.rng.random(self.n) < ticking
            move = np.where(ticked, self.rng.normal(0.0, vol, self.n) if vol else 0.0, 0.0)
            cell = Cell(
                np.full(self.n, np.nan) if stale or halted else move,
                np.full(self.n, np.nan if halted else spread),
                np.where(ticked, self.rng.poisson(rate, self.n), 0),
                ticked,
                np.full(self.n, stale),
            )
            self.cells += 1
            self.usual, self.measures = weather.measure(self.usual, cell, 1.0)
            warm = self.usual.cells[:, 1] >= weather.WARM_CELLS
            stop = np.full(self.n, halted)
            self.machine = weather.decide(
                self.machine, self.measures, warm, stop, cell.stale, self.cells * SECOND_NS
            )
            self.states.append(self.machine.state[:, 0].tolist())
        return [MarketState(states[0]) for states in self.states[begin:]]


def calm(seed: int) -> Sky:
    sky = Sky(seed=seed)
    states = sky.pass_by(300)
    assert set(states[: weather.WARM_CELLS - 1]) == {MarketState.UNKNOWN}
    assert states[-1] == MarketState.NORMAL
    return sky


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_is_volatile_within_five_seconds(seed: int) -> None:
    assert calm(seed).pass_by(CELLS_WITHIN, vol=1e-3)[-1] in (MarketState.VOLATILE, MarketState.PANIC)


@pytest.mark.parametrize("seed", range(5))
def test_a_storm_with_a_torn_book_is_a_panic(seed: int) -> None:
    states = calm(seed).pass_by(CELLS_WITHIN, vol=2e-3, spread=10.0, rate=60.0)
    assert states[-1] == MarketState.PANIC


@pytest.mark.parametrize("seed", range(5))
def test_silence_is_dead_within_five_seconds_and_a_tick_wakes_it(seed: int) -> None:
    sky = calm(seed)
    assert sky.pass_by(CELLS_WITHIN, ticking=0.0)[-1] == MarketState.DEAD
    assert sky.pass_by(CELLS_WITHIN)[-1] == MarketState.NORMAL


def test_a_thin_market_may_be_silent_for_longer() -> None:
    sky = Sky()
    sky.pass_by(600, ticking=0.3, rate=1.0)
    assert MarketState.DEAD not in sky.pass_by(10, ticking=0.0)
    assert sky.pass_by(40, ticking=0.0)[-1] == MarketState.DEAD


def test_no_two_sided_quote_is_maintenance() -> None:
    sky = calm(1)
    assert sky.pass_by(CELLS_WITHIN, halted=1.0)[-1] == MarketState.MAINTENANCE


def test_one_jump_is_no_storm() -> None:
    sky = calm(2)
    sky.pass_by(1, vol=3e-2)
    assert set(sky.pass_by(60)) == {MarketState.NORMAL}


@pytest.mark.parametrize("seed", range(3))
def test_calm_does_not_flicker_in_an_hour(seed: int) -> None:
    states = calm(seed).pass_by(3600)
    assert set(states) == {MarketState.NORMAL}


def test_a_storm_ends_once_and_not_at_once() -> None:
    sky = calm(3)
    sky.pass_by(60, vol=1e-3)
    states = sky.pass_by(200)
    changes = [b for a, b in itertools.pairwise(states) if a != b]
    assert changes == [MarketState.NORMAL]
    assert states[weather.DWELL_DOWN - 2] != MarketState.NORMAL


def test_a_gap_holds_the_state_and_teaches_nothing() -> None:
    sky = calm(4)
    before = [array.copy() for array in sky.usual]
    assert set(sky.pass_by(100, ticking=0.0, stale=1.0)) == {MarketState.NORMAL}
    for array, copy in zip(sky.usual, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_since_is_the_end_of_the_cell_of_the_change() -> None:
    sky = calm(5)
    states = sky.pass_by(8, ticking=0.0)
    assert sky.machine.since_ns[0] == (300 + states.index(MarketState.DEAD) + 1) * SECOND_NS
    assert sky.machine.state[0, 1] == MarketState.NORMAL


@given(st.floats(1e-7, 1e-2), st.floats(0.01, 100.0))
def test_measures_scale_themselves(vol: float, spread: float) -> None:
    sky = Sky(seed=9)
    sky.pass_by(200, vol=vol, spread=spread)
    assert 0.2 < sky.measures.volatility_ratio[0] < 3.0
    assert sky.measures.spread_ratio[0] == pytest.approx(1.0)
    assert sky.measures.volatility_bps[0] == pytest.approx(vol * 1e4, rel=0.9)


def test_the_volatility_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(6)
    returns = rng.normal(0.0, 1e-4, 200)
    returns[50] = np.nan
    usual = weather.with_slots(weather.no_usual(), 1)
    fast, usually, cells = 0.0, 0.0, 0
    for each in returns:
        one, yes = np.ones(1), np.ones(1, np.bool_)
        cell = Cell(np.array([each]), one, np.ones(1, np.int64), yes, ~yes)
        usual, measures = weather.measure(usual, cell, 1.0)
        if np.isfinite(each):
            cells += 1
            size = min(abs(each), weather.JUMP * usually) if cells > weather.WARM_CELLS else abs(each)
            fast += max(1 - 0.5 ** (1 / weather.FAST_CELLS), 1 / cells) * (size - fast)
            counted = min(fast, weather.CLIP * usually) if cells > weather.WARM_CELLS else fast
            usually += max(1 - 0.5 ** (1 / weather.USUAL_CELLS), 1 / cells) * (counted - usually)
        np.testing.assert_allclose(measures.volatility_bps, np.sqrt(np.pi / 2) * fast * 1e4)
    np.testing.assert_allclose(measures.volatility_ratio, fast / usually)


def test_a_market_is_judged_by_the_median_of_its_instruments() -> None:
    values = [
        np.array(column) for column in ([1.0, 5.0, np.nan], [2.0, 4.0, 9.0], [np.nan] * 3, [1.0, 1.0, 1.0])
    ]
    measures = weather.Measures(*values, np.zeros(3), np.zeros(3), np.array([True, False, True]))
    usual = weather.with_slots(weather.no_usual(), 3)
    usual.fast[:, 1], usual.usual[:, 2] = [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]
    whole = weather.whole_markets(usual, measures, [np.array([0, 1, 2]), np.array([2])], 1.0)
    np.testing.assert_equal(whole.volatility_bps, [3.0, np.nan])
    np.testing.assert_equal(whole.volatility_ratio, [4.0, 9.0])
    np.testing.assert_equal(whole.spread_bps, [np.nan, np.nan])
    np.testing.assert_equal(whole.trade_rate_hz, [6.0, 3.0])
    np.testing.assert_equal(whole.trade_rate_ratio, [1.0, 1.5])
    assert whole.silent.tolist() == [False, True]
