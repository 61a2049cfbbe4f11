"""Realised volatility and true range: their definitions, what jumps do to them, and what is recorded."""

import gzip
import itertools
import math
import pickle
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import average_true_range as ranges
from genesis.operators import realized_volatility as realized

SERIES = 3
HOW = ranges.parameters(4)

value = st.floats(-1.0, 1.0) | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 1e-200, 1e100])
some_returns = st.lists(st.tuples(st.integers(0, SERIES - 1), value), max_size=40)
price = st.floats(1.0, 100.0) | st.sampled_from([0.0, np.nan, np.inf, 1e150, 1e-200])
some_bars = st.lists(st.tuples(st.integers(0, SERIES - 1), price, price, price), max_size=40)


def naive_variation(returns: list[float]) -> list[float]:
    """Return realised variance, bipower variation, MedRV and jump share of one series."""
    sizes = [abs(each) if math.isfinite(each) else None for each in returns]
    squares = [a * a for a in sizes if a is not None]
    pairs = [a * b for a, b in itertools.pairwise(sizes) if a is not None and b is not None]
    threes = [
        median(three) ** 2
        for three in zip(sizes, sizes[1:], sizes[2:], strict=False)
        if all(each is not None for each in three)
    ]
    n = len(squares)
    total = sum(squares) if n else math.nan
    bipower = math.pi / 2 * n / len(pairs) * sum(pairs) if pairs else math.nan
    scale = math.pi / (6 - 4 * math.sqrt(3) + math.pi)
    robust = scale * n / len(threes) * sum(threes) if threes else math.nan
    share = max(1 - robust / total, 0.0) if threes and total > 0 else math.nan
    return [total, bipower, robust, share]


def measured(returns: np.ndarray) -> list[float]:
    state = realized.update(realized.no_variation(1), np.zeros(returns.size, np.int64), returns)
    return [float(each[0]) for each in realized.measures(state, np.array([0]))]


@given(some_returns)
def test_realized_volatility_is_its_definition(listed: list[tuple[int, float]]) -> None:
    slots, returns = np.array([s for s, _ in listed], np.int64), np.array([r for _, r in listed], np.float64)
    state = realized.update(realized.no_variation(SERIES), slots, returns)
    found = np.stack(realized.measures(state, np.arange(SERIES)), axis=1)
    for series in range(SERIES):
        expected = naive_variation(returns[slots == series].tolist())
        assert found[series].tolist() == pytest.approx(expected, nan_ok=True, rel=1e-9, abs=1e-12)


@given(some_returns, st.integers(0, 40))
def test_returns_may_be_cut_anywhere_and_the_state_kept(listed: list[tuple[int, float]], cut: int) -> None:
    slots, returns = np.array([s for s, _ in listed], np.int64), np.array([r for _, r in listed], np.float64)
    before = returns.copy()
    whole = realized.update(realized.no_variation(SERIES), slots, returns)
    part = realized.update(realized.no_variation(SERIES), slots[:cut], returns[:cut])
    part = realized.with_slots(pickle.loads(pickle.dumps(part)), 20)
    part = realized.update(part, slots[cut:], returns[cut:])
    for one, other in zip(whole, part, strict=True):
        assert one.tobytes() == other[:SERIES].tobytes()
    assert returns.tobytes() == before.tobytes()


def test_without_jumps_all_three_find_the_variance() -> None:
    returns = np.random.default_rng(1).normal(0.0, 1e-4, 20_000)
    variance = 20_000 * 1e-8
    total, bipower, robust, jumps = measured(returns)
    assert [total, bipower, robust] == pytest.approx([variance] * 3, rel=0.03)
    assert jumps < 0.03


def test_a_jump_is_seen_by_one_and_not_by_the_others() -> None:
    returns = np.random.default_rng(2).normal(0.0, 1e-4, 3_600)
    calm = measured(returns)
    returns[1_000] = 0.02  # two percent in a second
    total, bipower, robust, jumps = measured(returns)
    assert total > 10 * calm[0]
    assert bipower == pytest.approx(calm[1], rel=0.3)
    assert robust == pytest.approx(calm[2], rel=0.01)
    assert jumps == pytest.approx(1 - calm[0] / total, abs=0.02)


def test_an_interval_that_begins_anew_knows_nothing_of_the_last() -> None:
    state = realized.update(realized.no_variation(2), np.array([0, 1]), np.array([0.5, 0.25]))
    state = realized.begun_anew(state, np.array([0]))
    state = realized.update(state, np.array([0, 1]), np.array([0.1, 0.1]))
    total, bipower, _, _ = realized.measures(state, np.array([0, 1]))
    np.testing.assert_allclose(total, [0.01, 0.0725])
    assert np.isnan(bipower[0])
    assert not np.isnan(bipower[1])


@pytest.mark.parametrize(
    "returns",
    [[], [np.nan], [0.1], [0.1, np.nan, 0.1], [0.0] * 5],
    ids=["nothing", "missing", "one", "no neighbours", "no movement"],
)
def test_the_jump_share_is_undefined_without_evidence(returns: list[float]) -> None:
    assert math.isnan(measured(np.array(returns))[3])


def naive_range(bars: list[tuple[float, float, float]], n: int) -> float:
    """Return Wilder's average over the bars of one series."""
    kept = [bar for bar in bars if all(math.isfinite(each) for each in bar)]
    ranges_ = [
        max(high, kept[i - 1][2]) - min(low, kept[i - 1][2]) if i else high - low
        for i, (high, low, _) in enumerate(kept)
    ]
    if len(ranges_) < n:
        return math.nan
    average = sum(ranges_[:n]) / n
    for each in ranges_[n:]:
        average = (average * (n - 1) + each) / n
    return average


def bars_of(listed: list[tuple[int, float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(listed, np.float64).reshape(-1, 4)
    prices = np.stack([table[:, 1:].max(axis=1), table[:, 1:].min(axis=1), table[:, 3]], axis=1)
    return table[:, 0].astype(np.int64), prices


@given(some_bars, st.integers(0, 40))
def test_the_true_range_is_its_definition_however_cut(
    listed: list[tuple[int, float, float, float]], cut: int
) -> None:
    slots, bars = bars_of(listed)
    before = bars.copy()
    state, path = ranges.average_true_range(ranges.no_range(SERIES), slots, bars, HOW)
    part, first = ranges.average_true_range(ranges.no_range(SERIES), slots[:cut], bars[:cut], HOW)
    part = ranges.with_slots(pickle.loads(pickle.dumps(part)), 20)
    part, second = ranges.average_true_range(part, slots[cut:], bars[cut:], HOW)
    assert path.tobytes() == np.concatenate([first, second]).tobytes()
    for one, other in zip(state, part, strict=True):
        assert one.tobytes() == other[:SERIES].tobytes()
    assert bars.tobytes() == before.tobytes()
    for i in range(slots.size):
        mine = [tuple(bars[j].tolist()) for j in range(i + 1) if slots[j] == slots[i]]
        highest = max((bar[0] for bar in mine if all(math.isfinite(each) for each in bar)), default=0.0)
        expected = naive_range(mine, HOW.bars)  # type: ignore[arg-type]
        assert path[i] == pytest.approx(expected, nan_ok=True, rel=1e-6, abs=1e-12 * highest)


def test_the_recorded_true_range_is_what_pandas_computes(recordings: Path) -> None:
    with gzip.open(recordings / "klines_1m" / "binance_usdm_BTCUSDT_1m.csv.gz", "rt") as lines:
        frame = pd.read_csv(lines, nrows=5_000)
    bars = np.ascontiguousarray(frame[["high", "low", "close"]].to_numpy())
    _, path = ranges.average_true_range(
        ranges.no_range(1), np.zeros(len(frame), np.int64), bars, ranges.parameters(14)
    )
    before = frame["close"].shift()
    true = pd.concat([frame["high"], before], axis=1).max(axis=1) - pd.concat(
        [frame["low"], before], axis=1
    ).min(axis=1)
    seeded = pd.concat([pd.Series([true[:14].mean()]), true[14:]])  # Wilder begins with a plain mean
    reference = seeded.ewm(alpha=1 / 14, adjust=False).mean().to_numpy()
    assert np.isnan(path[:13]).all()
    np.testing.assert_allclose(path[13:], reference, rtol=1e-9)


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(ValueError, match=r"step 'average_true_range': bars must be in \[1, 10000\], was 0"):
        ranges.parameters(0)
