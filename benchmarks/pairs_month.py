"""Pairs over a recorded month: how many are cointegrated, and what following the signal would have done.

``python -m benchmarks.pairs_month [FOLDER]`` prints the tables of docs/pairs.md, from 1-minute candles
of 16 perpetuals in ``klines_1m`` of the folder of recordings.
"""

import csv
import gzip
import itertools
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genesis.operators import cointegration, pairs_fold
from genesis.operators.arrays import Floats, Ints
from genesis.operators.records import STAT_ARB, PairSignal

DAY = 1_440
"""Minutes of a day."""

LAGS = 10

COSTS_BPS = (0.0, 2.0, 10.0)
"""Cost of what is bought or sold, in basis points of its value."""

SHARE = {PairSignal.NEITHER: 0.5, PairSignal.HOLD_FIRST: 1.0, PairSignal.HOLD_SECOND: 0.0}
"""What part of the money is in the first leg: all or nothing, and half while neither is preferred."""


class Month(NamedTuple):
    """Common minutes of all recorded symbols."""

    names: list[str]
    log_price: Floats  # shape (minutes, symbols)
    first: Ints  # of every pair
    second: Ints


def month(folder: Path) -> Month:
    """Return the month in a folder of candles."""
    closes: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("*_1m.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            name = path.name.split("_")[2].removesuffix("USDT")
            closes[name] = {int(row["open_time"]): float(row["close"]) for row in csv.DictReader(file)}
    minutes = sorted(set.intersection(*(set(each) for each in closes.values())))
    prices = np.array([[each[minute] for each in closes.values()] for minute in minutes])
    first, second = np.array(list(itertools.combinations(range(len(closes)), 2))).T
    return Month(list(closes), np.log(prices), first, second)


def signals(recorded: Month) -> np.ndarray:
    """Return the rows of the fold, shape ``(minutes, pairs)``; a cell and a sample are a minute each."""
    names = STAT_ARB.empty(recorded.first.size)
    active = np.ones(len(recorded.names), np.bool_)
    pairs = pairs_fold.no_pairs(pairs_fold.parameters(step_cells=1))
    pairs = pairs_fold.followed(pairs, (recorded.first, recorded.second), names, active)
    rows = []
    for cell, log_price in enumerate(recorded.log_price):
        pairs, found = pairs_fold.step(pairs, log_price, ~active, cell, cell)
        rows.append(found)
    return np.array(rows)


def gains(recorded: Month, rows: np.ndarray, cost_bps: float) -> tuple[Floats, Floats]:
    """Return, per minute and pair in bps, what rotating earned above holding half of each, and its costs.

    A signal of one minute is followed from its close on.
    """
    share = np.vectorize(SHARE.get)(rows["signal"])
    moves = np.diff(recorded.log_price, axis=0)
    above = (share[:-1] - 0.5) * (moves[:, recorded.first] - moves[:, recorded.second]) * 1e4
    turnover = 2.0 * np.abs(np.diff(share, axis=0, prepend=0.5))[:-1]  # sold and bought
    return above, turnover * cost_bps


def _cointegrated(recorded: Month) -> None:
    prices = recorded.log_price
    _, whole = cointegration.engle_granger(prices, recorded.first, recorded.second, LAGS)
    days = [
        cointegration.engle_granger(
            np.ascontiguousarray(prices[at : at + DAY]), recorded.first, recorded.second, LAGS
        )[1]
        for at in range(0, prices.shape[0] - DAY + 1, DAY)
    ]
    daily = np.array(days)
    print(f"{whole.size} pairs over {prices.shape[0]:,} minutes.")
    print("| p below | whole month | expected by chance | days x pairs | share | same pair again next day |")
    print("|---|---|---|---|---|---|")
    for level in (0.01, 0.05, 0.10):
        passed = daily < level
        again = passed[1:][passed[:-1]].mean() if passed[:-1].any() else np.nan
        print(
            f"| {level:g} | {(whole < level).sum()} | {level * whole.size:.1f} | {passed.sum()} of "
            f"{passed.size} | {passed.mean():.1%} | {again:.1%} |"
        )
    best = np.argsort(whole)[:8]
    names = [f"{_name(recorded, pair)} {whole[pair]:.3f}" for pair in best]
    print("\nLowest p-values of the month:", ", ".join(names))


def _name(recorded: Month, pair: int) -> str:
    return f"{recorded.names[recorded.first[pair]]}/{recorded.names[recorded.second[pair]]}"


def _traded(recorded: Month, rows: np.ndarray) -> None:
    held = rows["signal"] != PairSignal.NEITHER
    entered = held[1:] & (rows["signal"][1:] != rows["signal"][:-1])
    days = rows.shape[0] / DAY
    print(f"\n{entered.sum()} entries, {entered.sum() / days / rows.shape[1]:.2f} a pair and day;")
    print(f"a leg was preferred {held.mean():.1%} of the time.")
    print("| cost per side | gain a pair, whole month | per entry | pairs that gained | t over days |")
    print("|---|---|---|---|---|")
    for cost_bps in COSTS_BPS:
        above, costs = gains(recorded, rows, cost_bps)
        net = above - costs
        total = net.sum(axis=0)
        daily = net[: net.shape[0] // DAY * DAY].reshape(-1, DAY, net.shape[1]).sum(axis=1).mean(axis=1)
        t = daily.mean() / daily.std(ddof=1) * np.sqrt(daily.size)
        print(
            f"| {cost_bps:g} bps | {total.mean():+.0f} bps | {net.sum() / entered.sum():+.1f} bps "
            f"| {(total > 0).sum()} of {total.size} | {t:+.1f} |"
        )


def _trusted(recorded: Month, rows: np.ndarray) -> None:
    """Say what entries brought until they were left, by the confidence they were entered with."""
    above, _ = gains(recorded, rows, 0.0)
    found = []
    for pair in range(rows.shape[1]):
        signal = rows["signal"][:, pair]
        begins = np.flatnonzero(signal[1:] != signal[:-1]) + 1
        for begin, end in itertools.pairwise([*begins, signal.size - 1]):
            if signal[begin] != PairSignal.NEITHER:
                found.append((rows["confidence"][begin, pair], above[begin:end, pair].sum()))
    confidence, gain = np.array(found).T
    print("\n| confidence at entry | entries | mean gain before costs | standard error | share that gained |")
    print("|---|---|---|---|---|")
    for low, high in itertools.pairwise((0.1, 0.3, 0.5, 0.7, 1.0)):
        mine = gain[(confidence >= low) & (confidence < high)]
        if mine.size > 1:
            error = mine.std(ddof=1) / np.sqrt(mine.size)
            print(
                f"| {low:g} to {high:g} | {mine.size} | {mine.mean():+.1f} bps | {error:.1f} "
                f"| {(mine > 0).mean():.0%} |"
            )


def _by_pair(recorded: Month, rows: np.ndarray) -> None:
    above, costs = gains(recorded, rows, COSTS_BPS[-1])
    print("\n| pair | entries | gain before costs | after 10 bps a side |")
    print("|---|---|---|---|")
    for legs in (("BTC", "ETH"), ("BCH", "LTC"), ("ETC", "ETH"), ("ADA", "XRP"), ("XLM", "XRP")):
        pair = [_name(recorded, each) for each in range(rows.shape[1])].index("/".join(legs))
        signal = rows["signal"][:, pair]
        entries = ((signal[1:] != PairSignal.NEITHER) & (signal[1:] != signal[:-1])).sum()
        before, after = above[:, pair].sum(), (above - costs)[:, pair].sum()
        print(f"| {'/'.join(legs)} | {entries} | {before:+.0f} bps | {after:+.0f} bps |")


def main() -> int:
    """Print the tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data")
    recorded = month(folder / "klines_1m")
    _cointegrated(recorded)
    rows = signals(recorded)
    _traded(recorded, rows)
    _trusted(recorded, rows)
    _by_pair(recorded, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
