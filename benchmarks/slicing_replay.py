"""The recorded market for the study of slicing: books on a grid of 100 ms, the trades between, and fills.

What happens to a child is decided here, and here alone:

- a child that crosses meets the book one frame (100 ms) after the decision, and walks it;
- a child that rests joins the queue of its price one frame after the decision. Trades at its price go to
  those ahead first; as their displayed quantity shrinks, so does the queue. A trade beyond its price
  fills it. It never jumps the queue, and never fills without a trade;
- the book is what was recorded: our orders leave no mark on it. `Fill.pushed_bps` keeps what each
  crossing child would have pushed, for the model of impact that the study lays on top.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genesis.operators.arrays import Floats, Ints
from genesis.operators.order_book import FLOATS, BookSync, Diff, OrderBook, Verdict

FRAME_NS = 100_000_000
LEVELS = 600
"""Levels a side that are kept."""

DATA = Path(__file__).parent.parent.parent / "shared" / "data"


class Instrument(NamedTuple):
    """One recorded instrument, its steps and its fees."""

    name: str
    title: str
    tick: float
    lot: float
    notional_min: float  # quote asset
    taker_bps: float
    maker_bps: float


INSTRUMENTS = (
    Instrument("spot_btcusdt", "BTCUSDT spot", 0.01, 0.00001, 5.0, 10.0, 10.0),
    Instrument("spot_ethusdt", "ETHUSDT spot", 0.01, 0.0001, 5.0, 10.0, 10.0),
    Instrument("usdm_btcusdt", "BTCUSDT perpetual", 0.1, 0.001, 100.0, 5.0, 2.0),
    Instrument("usdm_ethusdt", "ETHUSDT perpetual", 0.01, 0.001, 20.0, 5.0, 2.0),
)


class Tape(NamedTuple):
    """A recording: n frames and m trades, prices in ticks, quantities in lots."""

    instrument: Instrument
    frame_ns: Ints  # shape (n,): end of each frame
    ticks: Ints  # shape (n, 2, LEVELS): bids and asks, best first; 0 past the end
    lots: Ints  # shape (n, 2, LEVELS)
    volume: Ints  # shape (n,): lots traded in the frame
    first_trade: Ints  # shape (n + 1,): the first trade of each frame
    trades: Ints  # shape (m, 3): ticks, lots, 1 when the buyer took and -1 when the seller did

    @property
    def mid_2(self) -> Ints:
        """Bid plus ask of each frame, ticks."""
        return np.asarray(self.ticks[:, 0, 0] + self.ticks[:, 1, 0])

    def lots_for(self, notional: float, frame: int) -> int:
        """Return the whole lots that are worth a value at a frame's mid."""
        price = self.mid_2[frame] / 2 * self.instrument.tick
        return int(notional / price / self.instrument.lot)

    @property
    def day_volume(self) -> float:
        """Lots of a day like this."""
        return float(self.volume.sum()) * 86_400e9 / float(self.frame_ns[-1] - self.frame_ns[0])

    @property
    def day_volatility_bps(self) -> float:
        """Volatility of a day like this, from returns over 1 s."""
        returns = np.diff(np.log(self.mid_2[::10].astype(np.float64)))
        return float(1e4 * returns.std() * np.sqrt(86_400.0))


def load(instrument: Instrument) -> Tape:
    """Rebuild the books of one recording."""
    (path,) = (DATA / "raw_ws").glob(f"binance_{instrument.name}_*.txt.gz")
    trades, frames = [], []
    book, sync = OrderBook(), BookSync()
    newest_ns, number = 0, -1
    for message in _messages(path):
        data = message.get("data", message)
        if data.get("e") == "trade":
            side = -1 if data["m"] else 1
            trades.append((data["T"] * 1_000_000, float(data["p"]), float(data["q"]), side))
        elif "lastUpdateId" in data or data.get("e") == "depthUpdate":
            for bids, asks, event_ns in _changes(sync, data):
                if number >= 0 and event_ns // FRAME_NS > number:
                    frames.append((newest_ns, *_levels(book, instrument)))
                book.apply(bids, asks, np.empty(FLOATS))
                newest_ns, number = event_ns, event_ns // FRAME_NS if event_ns else -1
    return _tape(instrument, frames, sorted(trades, key=lambda each: each[0]))


def _messages(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line.split(" ", 1)[1])


def _changes(sync: BookSync, data: dict[str, Any]) -> Iterator[tuple[Floats, Floats, int]]:
    """Yield the changes that apply after a message, by the law of `order_book`; a snapshot has time 0."""
    if "lastUpdateId" in data:
        found = sync.on_snapshot(data["lastUpdateId"])
        assert found is not None, "the snapshot joins the diffs"
        waiting = found[0]
        yield _pairs(data["bids"]), _pairs(data["asks"]), 0
    else:
        previous = data.get("pu", data["U"] - 1)
        levels = _pairs(data["b"]), _pairs(data["a"])
        waiting = [Diff(previous, data["u"], "pu" in data, data["E"] * 1_000_000, 0, 0, *levels)]
    for diff in waiting:
        verdict = sync.on_diff(diff)
        assert verdict is not Verdict.GAP, "the recording has no hole"
        if verdict is Verdict.APPLIES:
            yield diff.bids, diff.asks, diff.event_ns


def _pairs(levels: list[list[str]]) -> Floats:
    return np.array(levels, np.float64).reshape(-1, 2)


def _levels(book: OrderBook, instrument: Instrument) -> tuple[Ints, Ints]:
    """Return the best levels of both sides, in ticks and lots."""
    ticks, lots = np.zeros((2, 2, LEVELS), np.int64)
    for side in (0, 1):
        price, qty = (book.levels[2 * side + row, : book.counts[side]][::-1] for row in (0, 1))
        there = np.flatnonzero(qty > 0.0)[:LEVELS]
        ticks[side, : there.size] = np.rint(price[there] / instrument.tick)
        lots[side, : there.size] = np.rint(qty[there] / instrument.lot)
    return ticks, lots


def _tape(instrument: Instrument, frames: list[Any], trades: list[tuple[Any, ...]]) -> Tape:
    frame_ns = np.array([each[0] for each in frames], np.int64)
    ticks, lots = (np.stack([each[column] for each in frames]) for column in (1, 2))
    event_ns, price, qty, side = (np.array(column) for column in zip(*trades, strict=True))
    rows = np.stack([np.rint(price / instrument.tick), np.rint(qty / instrument.lot), side], axis=1)
    rows = rows.astype(np.int64)
    first = np.concatenate([[0], np.searchsorted(event_ns, frame_ns, side="right")])
    total = np.concatenate([[0], np.cumsum(rows[:, 1])])
    return Tape(instrument, frame_ns, ticks, lots, np.diff(total[first]), first, rows)


class Fill(NamedTuple):
    """One fill of a child."""

    frame: int
    lots: int
    notional_ticks: int  # lots times ticks
    spread_ticks: int  # when the child was sent
    maker: int
    pushed_bps: float  # by how much it moved the best price, if nothing came back


class Child:
    """A child order at the venue."""

    def __init__(self, lots: int, limit: int, side: int, rests: bool, spread_ticks: int) -> None:
        self.lots, self.limit, self.side, self.rests = lots, limit, side, rests
        self.spread_ticks = spread_ticks
        self.queue = -1  # lots ahead; -1 before it has joined

    def on_frame(self, tape: Tape, frame: int) -> Fill | None:
        """Take a frame: the trades in it, then its book. Return a fill, if any."""
        return self._rest(tape, frame) if self.rests else self._cross(tape, frame)

    def _cross(self, tape: Tape, frame: int) -> Fill | None:
        filled, paid, last = walk(tape, frame, self.side, self.lots, self.limit)
        if not filled:
            return None
        best = tape.ticks[frame, 1 if self.side > 0 else 0, 0]
        pushed_bps = 1e4 * abs(int(last) - int(best)) / int(best)
        return Fill(frame, filled, paid, self.spread_ticks, 0, pushed_bps)

    def _rest(self, tape: Tape, frame: int) -> Fill | None:
        row = 0 if self.side > 0 else 1
        shown = tape.lots[frame, row][tape.ticks[frame, row] == self.limit]
        if self.queue < 0:
            self.queue = int(shown.sum())
            return None
        filled = 0
        for ticks, lots, taker in tape.trades[tape.first_trade[frame] : tape.first_trade[frame + 1]].tolist():
            if taker == self.side or self.side * (ticks - self.limit) > 0:
                continue
            ahead = min(self.queue, lots) if ticks == self.limit else 0
            self.queue -= ahead
            filled += min(lots - ahead, self.lots - filled)
        self.queue = min(self.queue, int(shown.sum()))
        self.lots -= filled
        return Fill(frame, filled, filled * self.limit, self.spread_ticks, 1, 0.0) if filled else None


def walk(tape: Tape, frame: int, side: int, lots: int, limit: int = 0) -> tuple[int, int, int]:
    """Walk a frame's book: return the lots filled, what they cost (lots times ticks), the last price."""
    row = 1 if side > 0 else 0
    ticks, there = tape.ticks[frame, row], tape.lots[frame, row]
    if limit:
        there = np.where(side * (ticks - limit) <= 0, there, 0)
    ends = np.cumsum(there)
    taken = np.diff(np.minimum(ends, lots), prepend=0)
    last = int(np.flatnonzero(taken)[-1]) if taken.any() else 0
    return int(taken.sum()), int((taken * ticks).sum()), int(ticks[last])
