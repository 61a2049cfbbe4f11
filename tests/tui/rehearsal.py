"""A made-up market as the topics would bring it: the same messages for the same seed and step.

It stands in for the broker where a test needs figures that never change. Run as a program it is the
dashboard on this market: ``python -m tests.tui.rehearsal``.
"""

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from genesis.connectors import frames
from genesis.operators import records, topics, view
from genesis.operators.account.tier_gates import Tier
from genesis.operators.records import Market, MarketState, RowSchema
from genesis.operators.topics import Topic
from genesis.tui import app
from genesis.tui.affairs import Affairs
from genesis.tui.source import Place, Sighting

START_NS = 1_723_161_500_000_000_000
STEP_NS = 100_000_000
SHARDS = 2
HALF_LIVES_NS = (60 * 10**9, 300 * 10**9, 3600 * 10**9)
PRICES = {
    "BTCUSDT": 61_234.5,
    "ETHUSDT": 2_644.9,
    "SOLUSDT": 145.12,
    "ADAUSDT": 0.3391,
    "LINKUSDT": 10.43,
    "PEPEUSDT": 0.00000812,
    "XRPUSDT": 0.6012,
    "BNBUSDT": 512.3,
    "LTCUSDT": 60.11,
    "DOTUSDT": 4.71,
    "AVAXUSDT": 21.83,
    "TRXUSDT": 0.1284,
    "NEARUSDT": 3.92,
    "ATOMUSDT": 4.55,
    "UNIUSDT": 6.02,
    "ETCUSDT": 18.4,
    "FILUSDT": 3.61,
    "APTUSDT": 5.77,
    "ARBUSDT": 0.541,
    "1000SHIBUSDT": 0.01364,
}
COMPONENTS = ("store", "venue", "feed", "market", "archive")


class Said(NamedTuple):
    """A message as the consumer gives it."""

    topic: Topic
    partition: int
    value: bytes
    headers: list[tuple[str, bytes]]
    restarted: bool = False


def framed(
    topic: Topic, partition: int, rows: np.ndarray, watermark_ns: int, restarted: bool = False
) -> Said:
    return Said(topic, partition, rows.tobytes(), frames.encode_headers(topic.rows, watermark_ns), restarted)


def recorded(topic: Topic, record: msgspec.Struct) -> Said:
    return Said(topic, 0, msgspec.json.encode(record), [("schema", topic.tag.encode())])


class Rehearsal:
    """The market. ``step(i)`` is what happens in the i-th tenth of a second."""

    def __init__(self, symbols: int = 12, perpetuals: int = 0, seed: int = 7, quotes: int = 2) -> None:
        names = list(PRICES)
        self.instruments = [(Market.SPOT, names[i % len(names)].encode()) for i in range(symbols)]
        if symbols > len(names):
            self.instruments = [(Market.SPOT, b"S%03dUSDT" % i) for i in range(symbols)]
        self.instruments += [(Market.USDM, names[i].encode()) for i in range(perpetuals)]
        self.seed, self.quotes = seed, quotes
        size = len(self.instruments)
        self.prices = np.array(
            [PRICES.get(s.decode(), 10.0 + i) for i, (_, s) in enumerate(self.instruments)]
        )
        self.shards = [topics.shard_of(m, s, SHARDS) for m, s in self.instruments]
        self.values = np.random.default_rng(seed).uniform(-0.1, 0.95, (size, size))
        self.ended = False

    def _schema_rows(self, schema: RowSchema, size: int, now_ns: int) -> np.ndarray:
        rows = schema.empty(size)
        for name in ("event_ns", "recv_ns", "effective_ns"):
            if name in schema.dtype.names:
                rows[name] = now_ns
        if size == len(self.instruments) and "symbol" in schema.dtype.names:
            rows["symbol"] = [s for _, s in self.instruments]
            rows["market"] = [m for m, _ in self.instruments]
        return rows

    def step(self, i: int) -> list[Said]:
        """Return the messages of the i-th tenth of a second."""
        now_ns = START_NS + i * STEP_NS
        random = np.random.default_rng((self.seed, i))
        common = random.normal(0.0, 2e-4)
        self.prices = self.prices * np.exp(common + random.normal(0.0, 2e-4, self.prices.size))
        said = self._ticks(i, now_ns, random)
        if i % 10 == 0:
            said += self._signals(i, now_ns, random) + self._health(i, now_ns)
        return said

    def run(self, steps: int, first: int = 0) -> list[Said]:
        """Return the messages of many steps."""
        return [message for i in range(first, first + steps) for message in self.step(i)]

    def final(self) -> list[Said]:
        """Return the end of a recording."""
        last = records.WATERMARK_FINAL_NS
        ends = [framed(topics.GAPS, p, records.GAP.empty(), last) for p in range(SHARDS)]
        return [framed(topics.VIEW, 0, records.VIEW.empty(), last), *ends]

    def gap(self, i: int, place: int = 0, seconds: float = 0.0) -> Said:
        """Return a gap that began at step i; closed after ``seconds``, or else open."""
        market, symbol = self.instruments[place]
        rows = records.GAP.empty(1)
        rows["start_ns"], rows["symbol"], rows["market"] = START_NS + i * STEP_NS, symbol, market
        rows["end_ns"] = rows["start_ns"] + int(seconds * 1e9) if seconds else 0
        rows["revision"] = 1 if seconds else 0
        rows["stream"], rows["reason"] = records.StreamKind.TRADES, records.GapReason.SEQUENCE
        return framed(topics.GAPS, self.shards[place], rows, START_NS + i * STEP_NS)

    def _ticks(self, i: int, now_ns: int, random: np.random.Generator) -> list[Said]:
        size = len(self.instruments)
        quotes = np.concatenate([self._schema_rows(records.QUOTE, size, now_ns) for _ in range(self.quotes)])
        quotes["event_ns"] += np.repeat(np.arange(self.quotes), size) * (STEP_NS // self.quotes // 2)
        half = np.tile(self.prices * 2e-5 * (1 + np.arange(size) % 7), self.quotes)
        quotes["bid_price"] = np.tile(self.prices, self.quotes) - half
        quotes["ask_price"] = np.tile(self.prices, self.quotes) + half
        quotes["bid_qty"], quotes["ask_qty"] = random.uniform(0.1, 9.0, (2, quotes.size))
        quotes["update_id"] = i * self.quotes + np.repeat(np.arange(self.quotes), size)
        counts = random.poisson(0.3 * (1 + np.arange(size) % 5))
        trades = self._schema_rows(records.TRADE, size, now_ns).repeat(counts)
        trades["trade_id"] = i * 1000 + np.arange(trades.size)
        books = view.of_books(self._schema_rows(records.BOOK, size, now_ns))
        books["micro_price"], books["tick_count"] = self.prices, 0
        books["bid_depth_notional"] = random.uniform(1e5, 2e6, (size, 3)).cumsum(axis=1)
        books["ask_depth_notional"] = random.uniform(1e5, 2e6, (size, 3)).cumsum(axis=1)
        books["imbalance"] = random.uniform(-0.6, 0.6, size)
        shown = view.conflate(np.concatenate([view.of_quotes(quotes), view.of_trades(trades), books]))
        mark = now_ns - 250_000_000
        said = [framed(topics.VIEW, 0, shown, mark)]
        return said + [framed(topics.GAPS, p, records.GAP.empty(), mark) for p in range(SHARDS)]

    def _signals(self, i: int, now_ns: int, random: np.random.Generator) -> list[Said]:
        size = len(self.instruments)
        states = self._schema_rows(records.MARKET_STATE, size, now_ns)
        states["since_ns"], states["state"] = now_ns - 192 * 10**9, MarketState.NORMAL
        states["state"][2::5] = MarketState.VOLATILE
        states["state"][4::9] = MarketState.DEAD
        for name in ("volatility_ratio", "spread_ratio", "trade_rate_ratio"):
            states[name] = random.uniform(0.5, 2.5, size)
        whole = [states[:1].copy() for _ in {m for m, _ in self.instruments}]
        for row, market in zip(whole, sorted({m for m, _ in self.instruments}), strict=True):
            row["symbol"], row["market"], row["state"] = records.WHOLE_MARKET, market, MarketState.NORMAL
        bars = self._schema_rows(records.BAR, size, now_ns)
        bars["open_ns"], bars["interval_ns"] = now_ns // (60 * 10**9) * 60 * 10**9, 60 * 10**9
        bars["open"] = bars["close"] = bars["vwap"] = self.prices
        bars["high"], bars["low"] = self.prices * 1.002, self.prices * 0.998
        bars["notional"], bars["trade_count"] = random.uniform(1e4, 3e6, size), 412
        mark = now_ns - 250_000_000
        said = [framed(topics.MARKET_STATE, 0, np.concatenate([states, *whole]), mark)]
        said += [
            framed(topics.BARS, 0, bars, mark),
            framed(topics.CORRELATION, 0, self._pairs(i, now_ns), mark),
        ]
        return said

    def _pairs(self, i: int, now_ns: int) -> np.ndarray:
        a, b = np.triu_indices(len(self.instruments), 1)
        parts = []
        for k, half_life_ns in enumerate(HALF_LIVES_NS):
            rows = records.CORRELATION.empty(a.size)
            rows["sample_ns"], rows["interval_ns"], rows["half_life_ns"] = now_ns, 10**9, half_life_ns
            for name, at in (("a", a), ("b", b)):
                rows[f"symbol_{name}"] = [self.instruments[j][1] for j in at]
                rows[f"market_{name}"] = [self.instruments[j][0] for j in at]
            rows["correlation"] = np.tanh(self.values[a, b] * (1.2 - 0.2 * k))
            rows["correlation"][(a == 3) | (b == 5)] = np.nan if i < 300 else 0.42
            rows["effective_count"] = min(i / 10, 60 * (k + 1))
            rows["stale"] = (a == 1) & (b == 2)
            parts.append(rows)
        return np.concatenate(parts)

    def _health(self, i: int, now_ns: int) -> list[Said]:
        figures = {
            "feed": {
                "messages_per_s": 1200.0 + 90 * math.sin(i / 40),
                "lag_ms": 12.0 + 6 * math.sin(i / 90),
                "gaps_open": 0.0,
                "gaps_total": 3.0,
                "resyncs": 1.0,
                "dead_letters": 2.0,
                "connections": 4.0,
                "clock_offset_ms": 1270.0,
            },
            "market": {"rows_per_s": 5200.0, "watermark_lag_ms": 251.0, "tick_to_signal_p99_ms": 7.4},
            "archive": {"rows_per_s": 5210.0, "lag_ms": 480.0, "rows_total": 1.2e6},
            "store": {"rows_total": 1.2e6},
            "venue": {"messages_per_s": 1204.0, "connections": 4.0},
        }
        return [
            recorded(
                topics.HEALTH,
                records.Health(
                    id=f"{name}-{i}",
                    recv_ns=now_ns,
                    component=name,
                    state="ok",
                    detail="",
                    figures=figures[name],
                ),
            )
            for name in COMPONENTS
        ]


class RehearsalConsumer:
    """The market and an account in it at their own pace, read as a Kafka consumer is."""

    def __init__(self, rehearsal: Rehearsal, stop_after: int = 0) -> None:
        self._rehearsal, self._next, self._stop_after = rehearsal, 0, stop_after
        self._began_s = time.monotonic()

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Said]:
        """Return what has happened since the last call, at most ``most`` messages."""
        due = int((time.monotonic() - self._began_s) * 1e9 // STEP_NS)
        if self._stop_after:
            due = min(due, self._stop_after)
        found: list[Said] = []
        while self._next <= due and len(found) < most:
            found += self._rehearsal.step(self._next)
            if self._next % 10 == 0:
                found += account_at(START_NS + self._next * STEP_NS)
            self._next += 1
        return found

    def close(self) -> None:
        """Do nothing."""


def account_at(now_ns: int) -> list[Said]:
    """Return what a Hunter's account says of itself once a second."""
    from tests.tui import ledgered

    told = [
        recorded(topics.POSITIONS, msgspec.structs.replace(each, event_ns=now_ns, id=f"{each.id}-{now_ns}"))
        for each in (ledgered.position(Tier.HUNTER, name) for name in ledgered.names(Tier.HUNTER))
    ]
    status = ledgered.status(Tier.HUNTER, event_ns=now_ns, id=f"status-{now_ns}")
    return [*told, recorded(topics.ACCOUNT, status)]


def read_back() -> Affairs:
    """Return what the ledger of that account would have told of the days before."""
    from tests.tui import ledgered

    return replace(ledgered.account(Tier.HUNTER), status=None, positions={})


def main() -> int:
    """Show the dashboard on this market; ``symbols`` and ``perpetuals`` may be given."""
    symbols, perpetuals = (int(arg) for arg in (*sys.argv[1:], "12", "4")[:2])
    rehearsal = Rehearsal(symbols, perpetuals)
    return app.show(
        lambda: Sighting(Place("rehearsal", SHARDS), None),
        lambda _place: RehearsalConsumer(rehearsal),
        Path(),
        app.Appearance(),
        app.Whose("main", read_back),
    )


if __name__ == "__main__":
    sys.exit(main())
