"""`python -m benchmarks.market_state`: what states the recordings were in, and how often these changed.

Prints the tables of docs/market_state.md, and draws its picture. Three kinds of recording are judged by
the same machine, with cells as fine as the recording allows: 1 s of quotes and trades, 1 min of trades
(price: the last trade; no spread), 1 min of candles (no spread; volume takes the place of the trade rate).
"""

import gzip
import json
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np

from genesis.operators import market_state as weather
from genesis.operators.arrays import Floats, Ints
from genesis.operators.market_state import Cells
from genesis.operators.records import MarketState
from tests.operators import recorded

mpl.use("Agg")

from matplotlib import pyplot as plt

ROOT = Path(__file__).parent.parent
RECORDINGS = ROOT.parent / "shared" / "data"
PICTURE = ROOT / "docs" / "images" / "market_state_layer.png"
SECOND_NS, MINUTE_NS, DAY_NS = 10**9, 60 * 10**9, 86_400 * 10**9
RAW = ("spot_btcusdt", "spot_ethusdt", "usdm_btcusdt", "usdm_ethusdt")
BREAK = "LAYERUSDT"
COLOURS = {MarketState.VOLATILE: "#d9a441", MarketState.PANIC: "#7a3b2e", MarketState.DEAD: "#cccccc"}


class Judged(NamedTuple):
    """One recording and its states."""

    name: str
    event_ns: Ints  # end of each cell
    price: Floats
    states: Ints
    ratios: Floats  # shape (cells, 3): volatility, spread, trade rate over the usual


def judged(name: str, begin_ns: int, cell_ns: int, price: Floats, columns: dict[str, np.ndarray]) -> Judged:
    """Return the states of one instrument; ``columns`` are spread, trades and whether it ticked."""
    log_return = np.diff(np.log(price), prepend=np.nan)
    values = (log_return, columns["spread_bps"], columns["trade_count"], columns["ticked"])
    cells = Cells(
        *(np.ascontiguousarray(each[:, None]) for each in values), np.zeros((price.size, 1), np.bool_)
    )
    usual, machines = (
        weather.with_slots(weather.no_usual(), 1),
        weather.with_machines(weather.no_machines(), 1),
    )
    _, _, path, ratios = weather.states(usual, machines, cells, (begin_ns, cell_ns))
    event_ns = begin_ns + cell_ns * np.arange(1, price.size + 1)
    return Judged(name, event_ns, price, path[:, 0], ratios[:, 0])


def candles(path: Path) -> Judged:
    """Return the states of a month of 1 min candles."""
    with gzip.open(path, "rt") as lines:
        table = np.genfromtxt(lines, delimiter=",", names=True)
    volume = table["volume"]
    columns = {
        "spread_bps": np.full(volume.size, np.nan),
        "trade_count": np.round(volume / np.median(volume) * 1_000.0).astype(np.int64),
        "ticked": volume > 0.0,
    }
    begin_ns = int(table["open_time"][0]) * 1_000_000
    return judged(path.name.split("_")[2], begin_ns, MINUTE_NS, table["close"], columns)


def trades(path: Path) -> Judged:
    """Return the states of 2.5 days of trades of a thin pair."""
    with gzip.open(path, "rt") as lines:
        rows = json.load(lines)
    minute = np.array([row[0] for row in rows]) // 60_000
    price = np.array([float(row[4]) for row in rows])
    begin, end = int(minute[0]), int(minute[-1])
    last = np.searchsorted(minute, np.arange(begin, end + 1), side="right") - 1
    count = np.bincount(minute - begin, minlength=end - begin + 1)
    columns = {"spread_bps": np.full(last.size, np.nan), "trade_count": count, "ticked": count > 0}
    return judged("XRPETH", begin * MINUTE_NS, MINUTE_NS, price[last], columns)


def seconds(name: str) -> Judged:
    """Return the states of six minutes of quotes and trades."""
    tape, quotes = recorded.ticks(RECORDINGS, name)
    quotes = quotes[np.argsort(quotes["event_ns"], kind="stable")]
    begin_ns = int(quotes["event_ns"][0])
    cells = int((quotes["event_ns"][-1] - begin_ns) // SECOND_NS)
    ends_ns = begin_ns + SECOND_NS * np.arange(1, cells + 1)
    last = np.searchsorted(quotes["event_ns"], ends_ns) - 1
    bid, ask = quotes["bid_price"][last], quotes["ask_price"][last]
    inside = (tape["event_ns"] >= begin_ns) & (tape["event_ns"] < ends_ns[-1])
    count = np.bincount((tape["event_ns"][inside] - begin_ns) // SECOND_NS, minlength=cells)
    ticked = (np.diff(last, prepend=-1) > 0) | (count > 0)
    mid = (bid + ask) / 2.0
    columns = {"spread_bps": (ask - bid) / mid * 1e4, "trade_count": count, "ticked": ticked}
    return judged(name, begin_ns, SECOND_NS, mid, columns)


def changes(found: Judged) -> int:
    """Return how often the state changed, once there was one."""
    known = found.states[found.states != MarketState.UNKNOWN]
    return int(np.count_nonzero(np.diff(known)))


def _print(title: str, listed: list[Judged]) -> None:
    print(f"\n{title}\n\n| instrument | cells | changes | a day | normal | volatile | panic | dead |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for found in listed:
        known = found.states[found.states != MarketState.UNKNOWN]
        cell_ns = int(found.event_ns[1] - found.event_ns[0])
        a_day = changes(found) / (known.size * cell_ns / DAY_NS)
        kinds = (MarketState.NORMAL, MarketState.VOLATILE, MarketState.PANIC, MarketState.DEAD)
        shares = " | ".join(f"{100 * np.mean(known == kind):.1f} %" for kind in kinds)
        often = f"{a_day:.1f}" if known.size * cell_ns > DAY_NS else "–"
        print(f"| {found.name} | {known.size:,} | {changes(found)} | {often} | {shares} |")


def _draw(found: Judged) -> None:
    """Draw the price of the month with its states, and the ratio that they follow."""
    time = found.event_ns.astype("datetime64[ns]")
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, height_ratios=(2, 1))
    above.plot(time, found.price, color="black", linewidth=0.7)
    below.plot(time, found.ratios[:, 0], color="black", linewidth=0.4)
    for threshold in (weather.VOLATILE_ENTER, weather.PANIC_ENTER):
        below.axhline(threshold, color="grey", linewidth=0.5, linestyle=":")
    for state, colour in COLOURS.items():
        for axes in (above, below):
            inside = (found.states == state).astype(float)
            axes.fill_between(
                time,
                0,
                1,
                where=inside > 0,
                color=colour,
                alpha=0.5,
                transform=axes.get_xaxis_transform(),
                linewidth=0,
            )
    above.set_ylabel("price, USDT")
    above.set_title(f"{found.name}, 1 min candles: volatile (amber), panic (brown)", fontsize=9)
    below.set_ylabel("volatility ratio")
    below.set_ylim(0, 8)
    figure.autofmt_xdate()
    figure.tight_layout()
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    """Judge all recordings."""
    month = [candles(path) for path in sorted((RECORDINGS / "klines_1m").glob("*.csv.gz"))]
    _print("Cells of 1 min, from candles of 30 days", month)
    (thin,) = (RECORDINGS / "trades").glob("*.json.gz")
    _print("Cells of 1 min, from trades of 2.5 days", [trades(thin)])
    _print("Cells of 1 s, from quotes and trades of six minutes", [seconds(name) for name in RAW])
    (layer,) = (found for found in month if found.name == BREAK)
    _draw(layer)
    panics = np.flatnonzero(np.diff((layer.states == MarketState.PANIC).astype(int)) == 1) + 1
    print(f"\n{BREAK} panics from:")
    for at in panics.tolist():
        ratios = ", ".join(f"{each:.1f}" for each in layer.ratios[at, [0, 2]])
        when = np.datetime64(int(layer.event_ns[at]), "ns").astype("datetime64[m]")
        print(f"  {when}  at {layer.price[at]:.3f}  ({ratios})")


if __name__ == "__main__":
    main()
