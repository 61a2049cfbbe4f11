"""Days of an account: equity, returns and drawdowns as pandas has them; deposits that earn nothing."""

import math
from decimal import Decimal

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.operators.account import performance as days_of
from genesis.operators.account.performance import (
    CRASHES_MAX,
    DAY_NS,
    DAYS_MAX,
    NAMES_MAX,
    OTHER,
    RECENT_DAYS_MAX,
    Day,
    Performance,
    observe,
)
from genesis.operators.account.performance_figures import (
    profits,
    sharpe,
    sortino,
    window_drawdown,
    window_high,
)

STEP_NS = DAY_NS // 4
equities = st.lists(
    st.integers(10_000, 200_000).map(lambda cents: Decimal(cents) / 100), min_size=1, max_size=60
)


def observed(path: list[Decimal], step_ns: int = STEP_NS) -> Performance:
    performance = Performance()
    for at, equity in enumerate(path):
        observe(performance, at * step_ns, equity)
    return performance


def all_days(performance: Performance) -> list[Day]:
    return [*performance.recent, performance.today]


@settings(max_examples=80, deadline=None)
@given(equities)
def test_days_are_those_of_pandas(path: list[Decimal]) -> None:
    series = pd.Series([float(each) for each in path], pd.to_datetime(np.arange(len(path)) * STEP_NS))
    found = all_days(observed(path))
    ends = series.resample("1D").last()
    starts = ends.shift(1).fillna(series.iloc[0])
    assert [float(day.end) for day in found] == ends.tolist()
    assert [float(day.start) for day in found] == starts.tolist()
    highs = np.maximum(series.resample("1D").max(), starts)
    lows = np.minimum(series.resample("1D").min(), starts)
    assert [float(day.high) for day in found] == highs.tolist()
    assert [float(day.low) for day in found] == lows.tolist()
    returns = [days_of.return_of(day) for day in found]
    assert returns == pytest.approx((ends / starts - 1).tolist(), abs=1e-12)
    deepest = (1 - series / series.cummax()).resample("1D").max()
    begins = (1 - starts / np.maximum.accumulate(highs.shift(1).fillna(series.iloc[0]))).clip(lower=0)
    assert [day.drawdown for day in found] == pytest.approx(np.maximum(deepest, begins).tolist(), abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(equities, st.integers(0, 10))
def test_the_drawdown_of_a_window_is_that_of_every_single_figure(path: list[Decimal], first: int) -> None:
    performance = observed(path)
    window = all_days(performance)[first:]
    values = [float(path[0]), *map(float, path)][4 * first :] if first else list(map(float, path))
    if first:  # a window begins with where the day before it ended
        values = [float(each) for each in path[4 * first - 1 :]]
    expected = (1 - np.array(values) / np.maximum.accumulate(values)).max() if window else math.nan
    assert window_drawdown(window) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    for cut in range(len(window)):
        before = window_drawdown(window[:cut]), window_high(window[:cut])
        assert window_drawdown(window[cut:], before) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(equities)
def test_the_drawdown_now_is_below_the_highest_ever(path: list[Decimal]) -> None:
    performance = observed(path)
    assert days_of.drawdown(performance) == pytest.approx(
        float((max(path) - path[-1]) / max(path)), abs=1e-15
    )


@settings(max_examples=80, deadline=None)
@given(equities, st.data())
def test_deposits_and_withdrawals_move_neither_returns_nor_drawdown(path: list[Decimal], data) -> None:
    plain, moved, outside = Performance(), Performance(), Decimal(0)
    factor = Decimal(1)
    for at, equity in enumerate(path):
        observe(plain, at * STEP_NS, equity)
        observe(moved, at * STEP_NS, equity * factor)
        if data.draw(st.booleans()):
            share = Decimal(data.draw(st.sampled_from(["1", "0.25", "-0.5"])))
            days_of.transfer(moved, equity * factor * share)
            outside += equity * factor * share
            factor *= 1 + share
    for one, other in zip(all_days(plain), all_days(moved), strict=True):
        assert days_of.return_of(one) == pytest.approx(days_of.return_of(other), abs=1e-12)
        assert one.drawdown == pytest.approx(other.drawdown, abs=1e-12)
        assert one.fall == pytest.approx(other.fall, abs=1e-12)
    assert sum(day.transferred for day in all_days(moved)) == outside
    total = sum(days_of.pnl(day) for day in all_days(moved))
    assert total + outside == pytest.approx(path[-1] * factor - path[0])


def test_a_withdrawal_of_everything_is_no_loss() -> None:
    performance = observed([Decimal(500), Decimal(333)])
    days_of.transfer(performance, Decimal(-333))
    observe(performance, 2 * STEP_NS, Decimal(0))
    assert days_of.drawdown(performance) == pytest.approx(1 - 333 / 500)
    days_of.transfer(performance, Decimal(1_000))
    observe(performance, 3 * STEP_NS, Decimal(1_000))
    assert days_of.drawdown(performance) == pytest.approx(1 - 333 / 500)
    assert days_of.pnl_day(performance) == -167


def test_after_everything_was_lost_a_deposit_begins_anew() -> None:
    performance = observed([Decimal(500), Decimal(0)])
    assert days_of.drawdown(performance) == 1.0
    days_of.transfer(performance, Decimal(100))
    observe(performance, 2 * STEP_NS, Decimal(90))
    assert days_of.drawdown(performance) == pytest.approx(0.1)
    assert days_of.pnl_day(performance) == -510
    broke = observed([Decimal(500), Decimal(0), Decimal(0)], DAY_NS)
    assert math.isnan(days_of.return_of(broke.today))


def test_what_comes_before_the_first_equity_is_no_profit() -> None:
    performance = Performance()
    assert not observe(performance, 5, Decimal(0))
    days_of.transfer(performance, Decimal(500))
    assert not observe(performance, DAY_NS + 5, Decimal(500))
    assert (days_of.pnl_day(performance), performance.today.day) == (0, 1)


def test_exact_bounds_are_exact() -> None:
    performance = observed([Decimal(500), Decimal(425)])
    assert days_of.drawdown(performance) == 0.15
    assert days_of.return_of(performance.today) == -0.15
    performance = observed([Decimal("333.33"), Decimal("333.33") * Decimal("0.85")])
    assert days_of.drawdown(performance) == 0.15


def test_a_day_ends_at_midnight_utc_and_days_without_records_have_no_entry() -> None:
    performance = Performance()
    observe(performance, DAY_NS, Decimal(500))
    assert not observe(performance, 2 * DAY_NS - 1, Decimal(501))
    assert observe(performance, 2 * DAY_NS, Decimal(502))
    assert observe(performance, 9 * DAY_NS, Decimal(503))
    assert [(day.day, float(day.end)) for day in all_days(performance)] == [
        (1, 501.0),
        (2, 502.0),
        (9, 503.0),
    ]


def test_time_never_runs_backwards() -> None:
    performance = observed([Decimal(500)] * 9)
    assert not observe(performance, 0, Decimal(400))
    assert (performance.now_ns, performance.today.end) == (8 * STEP_NS, 400)


def test_a_recovered_drawdown_counts_once_and_from_ten_percent_on() -> None:
    performance = observed([Decimal(each) for each in (1_000, 901, 1_000, 900, 950, 870, 999, 1_000, 880)])
    assert sum(day.recovered for day in all_days(performance)) == 1


def test_losing_days_are_counted_up_to_yesterday() -> None:
    path = [500, 500, 490, 480, 480, 470, 460, 450]
    found = [days_of.losing_days(observed([Decimal(each) for each in path[:n]], DAY_NS)) for n in range(1, 9)]
    assert found == [0, 0, 0, 1, 2, 0, 1, 2]


returns_lists = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=40)


@given(returns_lists)
def test_sharpe_and_sortino_are_those_of_numpy(returns: list[float]) -> None:
    series = np.array(returns)
    deviation, losses = series.std(ddof=1), np.sqrt((np.minimum(series, 0) ** 2).mean())
    if deviation > 1e-9:
        assert sharpe(returns) == pytest.approx(series.mean() / deviation * np.sqrt(365), rel=1e-6, abs=1e-9)
    if losses > 1e-9:
        assert sortino(returns) == pytest.approx(series.mean() / losses * np.sqrt(365), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_ratios_of_too_little_are_nan(returns: list[float]) -> None:
    assert math.isnan(sharpe(returns))
    assert math.isnan(sortino(returns))


def test_notes_count_in_the_day_they_come() -> None:
    performance = observed([Decimal(500)])
    days_of.note_fill(performance, "BTCUSDT", "", Decimal("1.5"), Decimal("0.1"))
    days_of.note_fill(performance, "BTCUSDT", "pairs", Decimal("-0.5"), Decimal("0.1"))
    days_of.note_fee_asset(performance, Decimal("0.01"))
    for wire_ms in (5.0, 100.0, 100.1):
        days_of.note_execution(performance, wire_ms)
    for notional, children in ((200, 1), (201, 2), (201, 3), (500, 9)):
        days_of.note_parent(performance, Decimal(notional), children, 10.0 * children)
    days_of.note_parent(performance, Decimal(10), 1, math.nan)
    days_of.note_order(performance, accepted=True)
    days_of.note_order(performance, accepted=False)
    days_of.note_violation(performance)
    days_of.note_override(performance)
    days_of.note_attempt(performance)
    days_of.note_uncorrelated(performance, 4)
    days_of.note_uncorrelated(performance, 3)
    observe(performance, DAY_NS, Decimal(500))
    (day,) = performance.recent
    assert (day.trades, day.realised, day.fees) == (2, Decimal("1.01"), Decimal("0.2"))
    assert (day.pairs, day.strategies) == ({"BTCUSDT": 1}, {"": Decimal("1.5"), "pairs": Decimal("-0.5")})
    assert (day.executions, day.executions_fast) == (3, 2)
    assert (day.parents_big, day.parents_sliced, day.impact_bps) == (3, 2, 90.0)
    assert (day.orders, day.refusals, day.violations, day.overrides, day.override_attempts) == (1, 1, 1, 1, 1)
    assert day.uncorrelated == 4
    assert performance.today == days_of._day(1, Decimal(500), Decimal(1))


def test_everything_is_bounded() -> None:
    performance = Performance()
    for at in range(2 * NAMES_MAX):
        days_of.note_fill(performance, f"A{at}USDT", f"s{at}", Decimal(1), Decimal(0))
        days_of.note_crash(performance, f"crash {at}")
        days_of.note_crash(performance, "crash 0")
    assert performance.today.pairs[OTHER] == NAMES_MAX
    assert len(performance.today.pairs) == len(performance.today.strategies) == NAMES_MAX + 1
    assert len(performance.crashes) == CRASHES_MAX
    for day in range(DAYS_MAX + 50):
        observe(performance, day * DAY_NS, Decimal(500 + day))
    assert len(performance.recent) == RECENT_DAYS_MAX
    kept = days_of.calendar(performance)
    assert [day.day for day in kept] == list(range(49, DAYS_MAX + 49))
    assert [float(day.end) for day in kept] == [500.0 + day.day for day in kept]
    assert [float(day.pnl) for day in kept] == [1.0] * DAYS_MAX
    assert kept[-1].share == pytest.approx(1 / float(kept[-2].end))
    assert len(msgspec.msgpack.encode(performance)) < 60_000


@settings(max_examples=40, deadline=None)
@given(equities, st.integers(0, 59))
def test_a_snapshot_goes_on_alike(path: list[Decimal], cut: int) -> None:
    performance = observed(path[:cut])
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(performance), type=Performance)
    for at, equity in enumerate(path[cut:], cut):
        for each in (performance, again):
            observe(each, at * STEP_NS, equity)
            days_of.note_fill(each, "BTCUSDT", "", equity / 7, equity / 9)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(performance)


def test_profits_add_up_by_name() -> None:
    performance = Performance()
    for day, symbol in enumerate(("A", "B", "A")):
        observe(performance, day * DAY_NS, Decimal(500))
        days_of.note_fill(performance, symbol, "", Decimal("0.1"), Decimal(0))
    assert profits(all_days(performance), "pairs") == {"A": Decimal("0.2"), "B": Decimal("0.1")}
    assert profits(all_days(performance), "strategies") == {"": Decimal("0.3")}
