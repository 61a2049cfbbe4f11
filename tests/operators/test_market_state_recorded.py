"""The weather on the recordings: few changes, a break that is found, and a batch that is its cells."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators import market_state as weather
from genesis.operators.market_state import Cell, Cells
from genesis.operators.records import MarketState

SECOND_NS, MINUTE_NS = 10**9, 60 * 10**9
MINUTES_A_DAY = 1_440


def month_of(recordings: Path, symbol: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the candles of a month, and the state after each; volume stands for the trade rate."""
    frame = pd.read_csv(recordings / "klines_1m" / f"binance_usdm_{symbol}_1m.csv.gz")
    n = len(frame)
    log_return = np.diff(np.log(frame["close"].to_numpy()), prepend=np.nan)
    volume = np.round(frame["volume"] / frame["volume"].median() * 1_000.0).to_numpy().astype(np.int64)
    no, one = np.zeros((n, 1), np.bool_), np.full((n, 1), np.nan)
    cells = Cells(log_return[:, None].copy(), one, volume[:, None].copy(), ~no, no)
    state = weather.with_slots(weather.no_usual(), 1), weather.with_machines(weather.no_machines(), 1)
    path = weather.states(*state, cells, (0, MINUTE_NS))[2][:, 0]
    frame.index = pd.to_datetime(frame["open_time"] + 60_000, unit="ms")  # when a candle is known
    return frame, path


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "LAYERUSDT", "XMRUSDT", "AVAXUSDT"])
def test_a_recorded_month_has_few_changes_a_day(recordings: Path, symbol: str) -> None:
    frame, path = month_of(recordings, symbol)
    known = path[path != MarketState.UNKNOWN]
    a_day = np.count_nonzero(np.diff(known)) / known.size * MINUTES_A_DAY
    assert 1.0 < a_day < 5.0
    assert np.mean(known == MarketState.NORMAL) > 0.75
    assert np.mean(known == MarketState.PANIC) < 0.03
    assert len(frame) - known.size == weather.WARM_CELLS - 1


def test_the_break_of_layer_is_found_before_most_of_the_fall(recordings: Path) -> None:
    """LAYER fell from 2.95 on 5 May 2025 to 1.31 on 7 May, the worst hour ending on 6 May at 08:18."""
    frame, path = month_of(recordings, "LAYERUSDT")
    states = pd.Series(path, index=frame.index)
    panic = states == MarketState.PANIC
    first = panic[panic].index[0]
    assert first == pd.Timestamp("2025-05-05 12:56")
    assert not panic[:first][:-1].any()
    before_the_worst = panic["2025-05-06 03:30":"2025-05-06 04:00"]
    assert before_the_worst.any()
    alarm = before_the_worst.idxmax()
    assert frame["close"][alarm] > 2.6
    assert frame["close"]["2025-05-06 12:00"] < 2.0
    wild = (states >= MarketState.VOLATILE) & (states != MarketState.MAINTENANCE)
    assert wild["2025-05-06 03:38":"2025-05-06 09:00"].all()
    days = panic.groupby(panic.index.normalize()).mean()
    assert days["2025-05-06"] == days.max()


@given(st.integers(0, 400), st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_batch_of_cells_is_its_cells_however_cut(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (400, 2)
    ticked = rng.random(shape) < 0.9
    log_return = rng.normal(0.0, 1e-4, shape) * np.where(np.arange(400) > 250, 10.0, 1.0)[:, None]
    log_return[rng.random(shape) < 0.02] = np.nan
    spread_bps = rng.choice([1.0, 2.0, 9.0, np.nan], shape)
    cells = Cells(log_return, spread_bps, rng.poisson(5.0, shape), ticked, rng.random(shape) < 0.02)
    before = [each.copy() for each in cells]

    def begin() -> tuple[weather.Usual, weather.Machine]:
        return weather.with_slots(weather.no_usual(), 2), weather.with_machines(weather.no_machines(), 2)

    usual, machine, path, evidence = weather.states(*begin(), cells, (0, SECOND_NS))
    head, tail = (Cells(*(each[part].copy() for each in cells)) for part in (slice(cut), slice(cut, None)))
    state = weather.states(*begin(), head, (0, SECOND_NS))
    again = weather.states(*pickle.loads(pickle.dumps(state[:2])), tail, (cut * SECOND_NS, SECOND_NS))
    assert path.tobytes() == np.concatenate([state[2], again[2]]).tobytes()
    assert evidence.tobytes() == np.concatenate([state[3], again[3]]).tobytes()
    assert pickle.dumps((usual, machine)) == pickle.dumps(again[:2])
    for each, copy in zip(cells, before, strict=True):
        assert each.tobytes() == copy.tobytes()
    one, other = begin()
    for t in range(400):
        one, measures = weather.measure(one, Cell(*(each[t] for each in cells)), 1.0)
        warm = one.cells[:, 1] >= weather.WARM_CELLS
        held = cells.stale[t].copy()
        other = weather.decide(other, measures, warm, np.zeros(2, np.bool_), held, (t + 1) * SECOND_NS)
        assert other.state[:, 0].tolist() == path[t].tolist()


def delays(seed: int) -> dict[str, int]:
    """Return after how many 1 s cells each change of regime was found, of one synthetic instrument."""
    rng = np.random.default_rng(seed)
    vol = np.concatenate([np.full(400, 1e-4), np.full(60, 1.2e-3), np.full(400, 1e-4), np.full(60, 2e-3)])
    rate = np.concatenate([np.full(860, 10.0), np.full(60, 60.0)])
    quiet = np.zeros(60)
    n = vol.size + quiet.size + 400
    cells = Cells(
        np.concatenate([rng.normal(0.0, 1.0, vol.size) * vol, quiet, rng.normal(0.0, 1e-4, 400)])[:, None],
        np.full((n, 1), 1.0),
        np.concatenate([rng.poisson(rate), quiet.astype(np.int64), rng.poisson(10.0, 400)])[:, None],
        np.concatenate([np.ones(vol.size), quiet, np.ones(400)])[:, None] > 0.0,
        np.zeros((n, 1), np.bool_),
    )
    state = weather.with_slots(weather.no_usual(), 1), weather.with_machines(weather.no_machines(), 1)
    path = weather.states(*state, cells, (0, SECOND_NS))[2][:, 0]

    def after(begin: int, *states: MarketState) -> int:
        return int(np.argmax(np.isin(path[begin:], states))) + 1

    return {
        "storm": after(400, MarketState.VOLATILE, MarketState.PANIC),
        "panic": after(860, MarketState.PANIC),
        "before panic": after(860, MarketState.VOLATILE, MarketState.PANIC),
        "silence": after(920, MarketState.DEAD),
        "waking": after(980, MarketState.NORMAL, MarketState.VOLATILE),
    }


def test_changes_of_regime_are_found_within_five_seconds() -> None:
    """A storm is found late when it happens to begin mildly: in one of 40; its worst grade takes longest."""
    found = [delays(seed) for seed in range(40)]
    worst = {name: sorted(each[name] for each in found) for name in found[0]}
    assert worst["storm"][38] <= 5
    assert worst["before panic"][38] <= 5
    assert worst["panic"][20] <= 5
    assert worst["panic"][-1] <= 10
    assert worst["silence"][-1] <= 5
    assert worst["waking"][-1] <= 5
