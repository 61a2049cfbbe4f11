"""How well volume can be known before: the learned curve of the day against a flat one, out of sample.

On a month of one-minute candles: the curve of half-hour bins is learned as `volume_profile` does, day by
day, and judged on days it has not seen. An order of four hours begins every four hours, in 24 slices;
judged is how far the share that the schedule has traded is from the share that the market has, and the
distance of the schedule's mean price from the market's VWAP. Prices are the candles' typical prices.
"""

import csv
import gzip
from typing import NamedTuple

import numpy as np

from benchmarks.slicing_replay import DATA
from genesis.operators import volume_profile
from genesis.operators.arrays import Floats, Ints
from genesis.operators.slicing import decisions
from genesis.operators.slicing.orders import (
    PPM,
    Algorithm,
    DecisionKind,
    EventKind,
    Market,
    Parent,
    child_event,
    market_event,
)
from genesis.operators.slicing.params import Params
from genesis.operators.slicing.plans import horizon_shares, plan

MINUTE_NS = 60 * 10**9
HOURS, SLICES = 4, 24
BIN_NS = HOURS * 60 * MINUTE_NS // SLICES
LEARN_DAYS = 10
"""Days before the first order that is judged."""

PARENT_LOTS, EXPECTED_LOTS = 10**6, 10**9
MIDDLE = 10**6
"""The price that orders see, ticks: here only volume is judged, so it stands still."""

SCHEDULES = ("flat", "learned", "flat, updated", "learned, updated")


class Candles(NamedTuple):
    """One symbol's month."""

    symbol: str
    open_ns: Ints
    price: Floats
    volume: Floats


def symbols() -> list[str]:
    """Return what is recorded."""
    return sorted(path.name.split("_")[2] for path in (DATA / "klines_1m").glob("*.csv.gz"))


def load(symbol: str) -> Candles:
    """Return the candles of one symbol."""
    with gzip.open(DATA / "klines_1m" / f"binance_usdm_{symbol}_1m.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {
        name: np.array([float(row[name]) for row in rows]) for name in ("high", "low", "close", "volume")
    }
    open_ns = np.array([int(row["open_time"]) for row in rows]) * 1_000_000
    return Candles(
        symbol, open_ns, (columns["high"] + columns["low"] + columns["close"]) / 3, columns["volume"]
    )


def judge(candles: Candles) -> tuple[Floats, Floats]:
    """Return the tracking error and the VWAP slippage (bps, absolute), shape (orders, schedules)."""
    how = volume_profile.parameters(half_life_days=7.0, prior_days=3.0)
    profile, slots = volume_profile.no_profile(1), np.zeros(1, np.int64)
    begin = int(np.flatnonzero(candles.open_ns % volume_profile.DAY_NS == 0)[0])
    minutes = HOURS * 60
    errors, slippages, fed = [], [], begin
    for start in range(begin + LEARN_DAYS * 1_440, candles.price.size - minutes, minutes):
        new = slice(fed, start)
        notional = candles.volume[new] * candles.price[new]
        where = np.zeros(notional.size, np.int64)
        profile = volume_profile.update(profile, where, candles.open_ns[new], notional, how)
        fed = start
        curve = volume_profile.curve(profile, slots, how)[0]
        learned = horizon_shares(curve, int(candles.open_ns[start]), minutes * MINUTE_NS, SLICES)
        bins = candles.volume[start : start + minutes].reshape(SLICES, -1)
        price = (bins * candles.price[start : start + minutes].reshape(SLICES, -1)).sum(1) / bins.sum(1)
        volume = bins.sum(1)
        if not volume.all():
            continue
        begin_ns = int(candles.open_ns[start])
        share = volume_profile.share_between(curve, begin_ns, begin_ns + minutes * MINUTE_NS)
        expected = float(candles.volume[start - 1_440 : start].sum() * share)
        error, slippage = _scores(learned, volume, price, expected)
        errors.append(error)
        slippages.append(slippage)
    return np.array(errors), np.array(slippages)


def _scores(
    learned: Floats, volume: Floats, price: Floats, expected: float
) -> tuple[list[float], list[float]]:
    flat = np.full(SLICES, 1.0 / SLICES)
    truth = np.cumsum(volume) / volume.sum()
    vwap = float((price * volume).sum() / volume.sum())
    sent = [traded(curve, volume / expected, prior) for prior in (0, PPM // 5) for curve in (flat, learned)]
    errors = [float(np.abs(np.cumsum(each) - truth).mean()) for each in sent]
    return errors, [abs(1e4 * (float((price * each).sum()) / vwap - 1.0)) for each in sent]


def traded(curve: Floats, volume: Floats, prior_ppm: int) -> Floats:
    """Return the shares that a VWAP order trades, slice by slice, as volume comes in.

    Parameters
    ----------
    curve
        What was learned, shape ``(slices,)``.
    volume
        What comes, as a share of what is expected in all.
    prior_ppm
        As in `Params.volume_prior_ppm`; 0 does not update.
    """
    params = Params(
        Algorithm.VWAP,
        SLICES * BIN_NS,
        SLICES,
        size_variation_ppm=0,
        time_variation_ppm=0,
        participation_max_ppm=PPM,
        volume_shares=tuple(curve.tolist()),
        volume_prior_ppm=prior_ppm,
    )
    market = Market(MIDDLE - 1, MIDDLE + 1, 1, volume_lots=EXPECTED_LOTS)
    state, shares = plan(Parent("study", 1, PARENT_LOTS, 0), market, params), np.zeros(SLICES)
    seen = np.concatenate([[0.0], volume[:-1]])
    for slot, lots in enumerate((seen * EXPECTED_LOTS).astype(np.int64).tolist()):
        quote = market_event(slot * BIN_NS, (MIDDLE - 1, 1), (MIDDLE + 1, 1), lots)
        state, out = decisions.next(state, quote)
        if out.size and out["kind"][0] == DecisionKind.SEND:
            sent = int(out["lots"][0])
            shares[slot] = sent / PARENT_LOTS
            fill = child_event(EventKind.FILL, slot * BIN_NS, int(out["child"][0]), sent)
            state, _ = decisions.next(state, fill)
    return shares


def table() -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Return the rows of the page, and the means of each schedule."""
    judged = {symbol: judge(load(symbol)) for symbol in symbols()}
    errors, slippages = (np.concatenate([each[i] for each in judged.values()]) for i in (0, 1))
    wins = [
        np.mean([each[0][:, i].mean() < each[0][:, 0].mean() for each in judged.values()]) for i in range(4)
    ]
    rows = [
        f"| {name} | {100 * errors[:, i].mean():.2f} % | {slippages[:, i].mean():.2f} bps | "
        f"{np.sqrt((slippages[:, i] ** 2).mean()):.2f} bps | "
        f"{'' if i == 0 else f'{round(wins[i] * len(judged))} of {len(judged)}'} |"
        for i, name in enumerate(SCHEDULES)
    ]
    means = {name: (errors[:, i].mean(), slippages[:, i].mean()) for i, name in enumerate(SCHEDULES)}
    head = (
        f"{errors.shape[0]:,} orders of {HOURS} h in {len(judged)} symbols.\n\n"
        "| schedule | mean distance from the market's share | VWAP slippage, mean absolute "
        "| root mean square | symbols in which it tracks better than flat |\n|---|---:|---:|---:|---:|"
    )
    return [head, *rows], means
