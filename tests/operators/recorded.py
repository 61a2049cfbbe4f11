"""The recordings of `raw_ws` as rows, by a small parser of its own, independent of the feed's."""

import functools
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from genesis.operators.records import QUOTE, TRADE, Market, Side

LATENESS_NS = 250_000_000
MARKETS = {"spot": Market.SPOT, "usdm": Market.USDM}


@functools.cache
def ticks(recordings: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the trades and quotes of one file, such as ``spot_btcusdt``, in their order of arrival."""
    (path,) = (recordings / "raw_ws").glob(f"binance_{name}_*.txt.gz")
    market = MARKETS[name.partition("_")[0]]
    trades: list[tuple[Any, ...]] = []
    quotes: list[tuple[Any, ...]] = []
    offset_ns, watermark_ns = 2**62, -(2**62)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        messages = [(int(recv), json.loads(text)) for recv, text in (line.split(" ", 1) for line in lines)]
    for recv_ns, message in messages:
        data = message.get("data", {})
        if "E" in data:
            offset_ns = min(offset_ns, recv_ns - data["E"] * 1_000_000)
        if not data or (offset_ns == 2**62):
            continue
        stamp_ms = data.get("T", data.get("E"))
        event_ns = recv_ns - offset_ns if stamp_ms is None else stamp_ms * 1_000_000
        head = (event_ns, recv_ns, max(event_ns, watermark_ns + 1))
        watermark_ns = max(watermark_ns, event_ns - LATENESS_NS)
        kind = message["stream"].partition("@")[2]
        symbol = data["s"].encode()
        if kind == "trade":
            side = Side.SELL if data["m"] else Side.BUY
            trades.append((*head, data["t"], float(data["p"]), float(data["q"]), symbol, market, side))
        elif kind == "bookTicker":
            sides = (float(data[key]) for key in "bBaA")
            quotes.append((*head, data["u"], *sides, symbol, market))
    return _rows(TRADE.empty(len(trades)), trades), _rows(QUOTE.empty(len(quotes)), quotes)


def _rows(rows: np.ndarray, values: list[tuple[Any, ...]]) -> np.ndarray:
    for name, column in zip(rows.dtype.names or (), zip(*values, strict=True), strict=False):
        rows[name] = column
    return rows


def together(recordings: Path, *names: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the trades and the quotes of several files, each merged by time of receipt."""
    parts = [ticks(recordings, name) for name in names]
    merged = [np.concatenate([part[kind] for part in parts]) for kind in (0, 1)]
    trades, quotes = (rows[np.argsort(rows["recv_ns"], kind="stable")] for rows in merged)
    return trades, quotes
