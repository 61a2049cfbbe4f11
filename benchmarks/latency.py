"""Latency from producing a frame to consuming the signal that it caused, next to the bare broker.

For a cell (bars, correlation, market state) the cause is the frame whose watermark closes it; for
liquidity it is the book frame. Load: 20 symbols, 70 % quotes, 25 % trades, 5 % books, sent every
5 ms by this process, which also reads the signals. The market flow runs as it does in production.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from genesis.connectors import frames, settings
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.operators import records, topics
from genesis.operators.topics import shard_of
from tests.kafka_server import apache_kafka

SHARDS = 2
SYMBOLS = [f"SYM{number:02}USDT".encode() for number in range(20)]
RATES_HZ = (1_000, 20_000, 100_000)
BEAT_S = 0.005
WARM_UP_S = 6.0
MEASURED_S = 12.0
MIX = ((topics.QUOTES, 0.70), (topics.TRADES, 0.25), (topics.BOOK, 0.05))
LATENESS_NS = 250_000_000


class Load:
    """Ticks of a random walk at a steady rate, one frame a topic and shard every beat."""

    def __init__(self, producer: FrameProducer, rate_hz: int) -> None:
        self._producer, self._per_beat = producer, rate_hz * BEAT_S
        self._owed = dict.fromkeys((topic.name for topic, _ in MIX), 0.0)
        self._sequence = 0
        self._random = np.random.default_rng(7)
        self._price = np.full(len(SYMBOLS), 100.0)
        self._shard = np.array([shard_of(1, symbol, SHARDS) for symbol in SYMBOLS])
        self._names = np.array(SYMBOLS, "S16")

    def beat(self, now_ns: int | None = None) -> None:
        """Send what is due now; where nothing is due, the watermark alone."""
        now_ns = now_ns or time.time_ns()
        for topic, share in MIX:
            self._owed[topic.name] += self._per_beat * share
            count = int(self._owed[topic.name])
            self._owed[topic.name] -= count
            rows = self._rows(topic, count, now_ns)
            chosen = self._shard[np.searchsorted(self._names, rows["symbol"])] if count else np.zeros(0, int)
            for shard in range(SHARDS):
                self._producer.send(topic, shard, rows[chosen == shard], now_ns - LATENESS_NS)
        for shard in range(SHARDS):
            self._producer.send(topics.GAPS, shard, records.GAP.empty(), now_ns - LATENESS_NS)
        self._producer.poll()

    def _rows(self, topic: topics.Topic, count: int, now_ns: int) -> np.ndarray:
        rows = topic.rows.empty(count)
        which = self._random.integers(0, len(SYMBOLS), count)
        self._price[which] *= np.exp(self._random.normal(0.0, 1e-5, count))
        rows["event_ns"] = rows["recv_ns"] = rows["effective_ns"] = now_ns
        rows["symbol"], rows["market"] = self._names[which], 1
        numbers = np.arange(self._sequence, self._sequence + count)
        self._sequence += count
        price = self._price[which]
        if topic is topics.TRADES:
            rows["trade_id"], rows["price"], rows["qty"], rows["side"] = numbers, price, 1.0, 1
            return rows
        rows["update_id"] = numbers
        levels = (slice(None), None) if topic is topics.BOOK else slice(None)
        steps = np.arange(records.BOOK_LEVELS) * 0.01 if topic is topics.BOOK else 0.0
        rows["bid_price"], rows["ask_price"] = price[levels] - 0.01 - steps, price[levels] + 0.01 + steps
        rows["bid_qty"] = rows["ask_qty"] = 1.0
        return rows


def run() -> list[dict[str, object]]:
    """Return p50, p99 and worst of every rate on both brokers, each with the bare broker's time."""
    rows = []
    with _embedded() as bootstrap:
        rows += _measure("embedded broker", bootstrap, embedded=True)
    with tempfile.TemporaryDirectory() as folder, apache_kafka(Path(folder)) as kafka:
        rows += _measure("Apache Kafka", kafka.bootstrap, embedded=False)
    return rows


@contextlib.contextmanager
def _embedded() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap


def _measure(broker: str, bootstrap: str, *, embedded: bool) -> list[dict[str, object]]:
    ensure_topics(bootstrap, SHARDS)
    rows: list[dict[str, object]] = []
    with _market_flow(bootstrap, embedded):
        for rate_hz in RATES_HZ:
            bare, signals = _one_rate(bootstrap, rate_hz, embedded)
            for kind, latencies_ms in signals.items():
                for name, figure in _figures(latencies_ms).items():
                    base = _figures(bare)[name]
                    rows.append(
                        {
                            "name": f"{broker}, {rate_hz:,} ticks/s, {kind}, {name}",
                            "value": figure,
                            "unit": "ms",
                            "baseline": f"bare broker {base:.2f} ms",
                            "ratio": figure / base,
                        }
                    )
    return rows


def _figures(latencies_ms: list[float]) -> dict[str, float]:
    found = np.array(latencies_ms)
    return {
        "p50": float(np.percentile(found, 50)),
        "p99": float(np.percentile(found, 99)),
        "max": float(found.max()),
    }


@contextlib.contextmanager
def _market_flow(bootstrap: str, embedded: bool) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        configured = settings.read(
            data=Path(folder), broker=bootstrap, embedded_broker=embedded, shards=SHARDS, generation_mb=64
        )
        flow = subprocess.Popen(
            [sys.executable, "-m", "genesis.cli.main", "run", "market"],
            env=os.environ | settings.to_environment(configured),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert flow.stdout is not None
        if b"ready" not in flow.stdout.readline():
            raise RuntimeError("the market flow did not start")
        try:
            yield
        finally:
            flow.terminate()
            flow.wait(20)


def _one_rate(bootstrap: str, rate_hz: int, embedded: bool) -> tuple[list[float], dict[str, list[float]]]:
    """Send at one rate; return latencies in ms of the ticks themselves and of each kind of signal."""
    producer = FrameProducer(bootstrap, SHARDS, embedded=embedded, name="bench")
    parts = {(t.name, p): None for t in topics.SIGNALS for p in range(SHARDS if t.sharded else 1)}
    signals = FrameConsumer(bootstrap, dict(parts), fetch_wait_ms=5, start_at_end=True, name="bench-signals")
    ticks = FrameConsumer(
        bootstrap,
        {("trades", p): None for p in range(SHARDS)},
        fetch_wait_ms=5,
        start_at_end=True,
        name="bench-ticks",
    )
    load = Load(producer, rate_hz)
    bare: list[float] = []
    found: dict[str, list[float]] = {"cells": [], "liquidity": []}
    started_s = next_s = time.monotonic()
    while (now_s := time.monotonic()) - started_s < WARM_UP_S + MEASURED_S:
        if now_s >= next_s:
            load.beat()
            next_s = max(next_s + BEAT_S, now_s - 0.1)
        warm = now_s - started_s > WARM_UP_S
        for message in ticks.poll(500):
            frame = frames.decode(message.topic.rows, message.value, message.headers)
            if warm and len(frame.rows):
                bare.append((time.time_ns() - frame.sent_ns) / 1e6)
        for message in signals.poll(500):
            frame = frames.decode(message.topic.rows, message.value, message.headers)
            if warm and len(frame.rows) and frame.cause_ns:
                kind = "liquidity" if message.topic is topics.LIQUIDITY else "cells"
                found[kind].append((time.time_ns() - frame.cause_ns) / 1e6)
    ticks.close()
    signals.close()
    producer.flush(10)
    return bare, {kind: latencies for kind, latencies in found.items() if latencies}
