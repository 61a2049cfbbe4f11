"""The volume profile is what a history of days gives, and knows recorded days better than a flat one."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.operators import volume_profile as profiles
from genesis.operators.measure_records import VolumeClass
from genesis.operators.volume_profile import BIN_NS, BINS, DAY_NS

SYMBOLS = 2
HOW = profiles.parameters(half_life_days=5.0, prior_days=1.0)
HOUR_NS = DAY_NS // 24

step_ns = st.sampled_from([0, 10**9, BIN_NS // 3, BIN_NS, 5 * HOUR_NS, 23 * HOUR_NS, 26 * HOUR_NS, -BIN_NS])
value = st.floats(1.0, 100.0) | st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e-200, 1e200])
trades = st.lists(st.tuples(st.integers(0, SYMBOLS - 1), step_ns, value), max_size=60)

Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def columns(listed: list[tuple[int, int, float]]) -> Columns:
    slots = np.array([each[0] for each in listed], np.int64)
    event_ns = 1_700_000_000 * 10**9 + np.cumsum([each[1] for each in listed]).astype(np.int64)
    return slots, event_ns, np.array([each[2] for each in listed], np.float64)


def naive_curve(history: list[tuple[int, float]]) -> list[float]:
    """Return the curve after the trades (time, value) of one symbol, bin by bin over its whole life."""
    samples: list[list[float]] = [[] for _ in range(BINS)]
    volumes: dict[int, float] = {}
    since = last = now = None
    for at, worth in history:
        if not (0 < worth < np.inf):
            continue
        number = max(at // BIN_NS, now) if now is not None else at // BIN_NS
        if now is not None and last is not None and since is not None:
            for ended in range(now, number):
                if ended - last >= profiles.SILENCE_BINS:
                    since, volumes = None, {}
                    break
                total = sum(volumes.get(each, 0.0) for each in range(ended - BINS + 1, ended + 1))
                if ended * BIN_NS >= since + DAY_NS - BIN_NS and 0 < total < np.inf:
                    samples[ended % BINS].append(volumes.get(ended, 0.0) / total)
                if ended + 1 - last > profiles.SILENCE_BINS:
                    since, volumes = None, {}
                    break
        if since is None:
            since, number = at, at // BIN_NS
        volumes[number] = volumes.get(number, 0.0) + worth
        last = now = number
    shares = []
    for mine in samples:
        weights = [0.5 ** ((len(mine) - 1 - k) / HOW.half_life_days) for k in range(len(mine))]
        found = sum(w * x for w, x in zip(weights, mine, strict=True))
        shares.append((HOW.prior_days / BINS + found) / (HOW.prior_days + sum(weights)))
    return [share / sum(shares) for share in shares]


@given(trades)
def test_it_is_what_a_plain_history_gives(listed: list[tuple[int, int, float]]) -> None:
    slots, event_ns, notional = columns(listed)
    profile = profiles.update(profiles.no_profile(SYMBOLS), slots, event_ns, notional, HOW)
    shares = profiles.curve(profile, np.arange(SYMBOLS), HOW)
    for symbol in range(SYMBOLS):
        mine = [(int(event_ns[i]), float(notional[i])) for i in range(slots.size) if slots[i] == symbol]
        assert shares[symbol].tolist() == pytest.approx(naive_curve(mine), rel=1e-9, abs=1e-15)


@given(trades, st.integers(0, 60))
def test_trades_may_be_cut_anywhere_and_the_state_kept(
    listed: list[tuple[int, int, float]], cut: int
) -> None:
    given_trades = columns(listed)
    before = [each.copy() for each in given_trades]
    head, tail = ([each[part] for each in given_trades] for part in (slice(cut), slice(cut, None)))
    whole = profiles.update(profiles.no_profile(SYMBOLS), *given_trades, HOW)
    part = profiles.update(profiles.no_profile(SYMBOLS), *head, HOW)
    part = profiles.update(profiles.with_slots(pickle.loads(pickle.dumps(part)), 20), *tail, HOW)
    for one, other in zip(whole, part, strict=True):
        assert one.tobytes() == other[:SYMBOLS].tobytes()
    for each, copy in zip(given_trades, before, strict=True):
        assert each.tobytes() == copy.tobytes()


@given(trades)
def test_a_curve_sums_to_one_and_has_no_bin_of_nothing(listed: list[tuple[int, int, float]]) -> None:
    profile = profiles.update(profiles.no_profile(SYMBOLS), *columns(listed), HOW)
    shares = profiles.curve(profile, np.arange(SYMBOLS), HOW)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares > 0.0).all()


@given(trades, st.integers(0, 3 * BINS))
def test_bins_may_be_closed_at_any_time_in_between(listed: list[tuple[int, int, float]], later: int) -> None:
    """A clock that advances past the newest trade closes bins that the next trade would have closed."""
    given_trades = columns([each for each in listed if each[1] >= 0])
    profile = profiles.update(profiles.no_profile(SYMBOLS), *given_trades, HOW)
    now_ns = int(given_trades[1].max(initial=0)) + later * BIN_NS
    once = profiles.advance(pickle.loads(pickle.dumps(profile)), now_ns, HOW)
    for part in range(0, later + 1, 7):
        profile = profiles.advance(profile, now_ns - (later - part) * BIN_NS, HOW)
    for one, other in zip(once, profiles.advance(profile, now_ns, HOW), strict=True):
        assert one.tobytes() == other.tobytes()


@given(st.integers(0, 3 * DAY_NS), st.integers(0, 3 * DAY_NS), st.integers(0, 3 * DAY_NS))
def test_the_share_between_times_adds_up(a: int, b: int, c: int) -> None:
    start, middle, end = sorted((a, b, c))
    shares = np.arange(1.0, BINS + 1.0)
    shares /= shares.sum()
    whole = profiles.share_between(shares, start, end)
    parts = profiles.share_between(shares, start, middle) + profiles.share_between(shares, middle, end)
    assert whole == pytest.approx(parts, abs=1e-12)
    assert profiles.share_between(shares, start, start + DAY_NS) == pytest.approx(1.0)


def test_the_volume_of_a_day_is_known_in_part_of_one_and_forgotten_after_silence() -> None:
    every_minute = np.arange(0, 6 * HOUR_NS, 60 * 10**9)
    slots, mine = np.zeros(every_minute.size, np.int64), np.zeros(1, np.int64)
    profile = profiles.update(profiles.no_profile(1), slots, every_minute, np.full(slots.size, 1_000.0), HOW)
    worth, seen_s = profiles.day_notional(profile, mine, 6 * HOUR_NS, HOW)
    assert worth[0] == pytest.approx(1_440_000.0)
    assert seen_s[0] == 6 * 3600
    assert profiles.volume_class(worth).tolist() == [VolumeClass.HIGH]
    profile = profiles.advance(profile, 40 * HOUR_NS, HOW)
    assert np.isnan(profiles.day_notional(profile, mine, 40 * HOUR_NS, HOW)[0][0])


def test_half_a_minute_says_nothing_about_a_day() -> None:
    mine = np.zeros(1, np.int64)
    profile = profiles.update(profiles.no_profile(1), mine, np.array([5]), np.ones(1), HOW)
    worth, _ = profiles.day_notional(profile, mine, 30 * 10**9, HOW)
    assert np.isnan(worth[0])
    assert profiles.volume_class(worth).tolist() == [VolumeClass.UNKNOWN]


@pytest.mark.parametrize("how", [(0.0, 1.0), (7.0, 0.0)])
def test_wrong_parameters_are_refused(how: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="step 'volume_profile'"):
        profiles.parameters(*how)


def misses(event_ns: np.ndarray, notional: np.ndarray) -> tuple[float, float]:
    """Return how far the learned and the flat curve are from the shares of each day, foretold from before."""
    days, found = event_ns // DAY_NS, []
    profile, mine = profiles.no_profile(1), np.zeros(1, np.int64)
    for number, day in enumerate(range(int(days[0]) + 1, int(days[-1]))):
        today = days == day
        actual = np.bincount(event_ns[today] % DAY_NS // BIN_NS, notional[today], BINS)
        share = actual / actual.sum()
        if number >= 7:
            learned = profiles.curve(profile, mine, profiles.USUAL)[0]
            found.append((np.abs(learned - share).sum(), np.abs(1.0 / BINS - share).sum()))
        slots = np.zeros(int(today.sum()), np.int64)
        profile = profiles.update(profile, slots, event_ns[today], notional[today], profiles.USUAL)
    by_curve, by_flat = np.mean(found, axis=0)
    return float(by_curve), float(by_flat)


def test_the_learned_curve_knows_recorded_days_better_than_a_flat_one(recordings: Path) -> None:
    ratios = []
    for path in sorted((recordings / "klines_1m").glob("*.csv.gz")):
        frame = pd.read_csv(path)
        notional = (frame["volume"] * frame["close"]).to_numpy()
        by_curve, by_flat = misses(frame["open_time"].to_numpy() * 1_000_000, notional)
        ratios.append(by_curve / by_flat)
    assert len(ratios) == 16
    assert max(ratios) < 1.0
    assert np.mean(ratios) == pytest.approx(0.957, abs=0.005)
