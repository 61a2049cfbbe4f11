"""The market flow in its own process, between topics of a real broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genesis.connectors import frames
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, FrameProducer, QueueFull, ensure_topics
from genesis.operators import market_join, pairs_fold, standings, topics
from genesis.operators.arrays import NEVER_NS
from genesis.operators.records import WATERMARK_FINAL_NS
from genesis.operators.topics import Topic
from tests.operators import streams
from tests.operators.streams import Market

SHARDS = 2
DEADLINE_S = 60.0
HALF_LIVES_S = "5,equal"
HALF_LIVES_NS = (0, 5 * 10**9)
PAIR_STEP_S = 1
SIGNAL_PARTS = [
    (topic.name, part) for topic in topics.SIGNALS for part in range(SHARDS if topic.sharded else 1)
]


def random_market(count: int, seed: int) -> Market:
    """Return ``count`` messages of a market with late rows, gaps and books."""
    rng = np.random.default_rng(seed)
    columns = (
        rng.choice(
            [0, 0, 0, 1, 1, 1, 1, 1, 2, 3], count, p=[0.1, 0.1, 0.1, 0.12, 0.12, 0.12, 0.12, 0.12, 0.09, 0.01]
        ),
        rng.integers(0, len(streams.SYMBOLS), count),
        rng.choice([0, 5, 20, 60], count),
        rng.choice([0, 100, 300, 2_000, 15_000], count, p=[0.9, 0.06, 0.02, 0.015, 0.005]),
        np.round(100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-4, count))), 2),
    )
    return streams.market_of(list(zip(*(column.tolist() for column in columns), strict=True)))


def expected(market: Market) -> dict[str, set[bytes]]:
    """Return the rows of every signal topic, by the folds themselves, nothing cut and nothing killed."""
    join = market_join.new_join(SHARDS, HALF_LIVES_NS, pairs_fold.parameters(PAIR_STEP_S))
    ranking = standings.no_standings(SHARDS)
    found: dict[str, set[bytes]] = {topic.name: set() for topic in topics.SIGNALS}
    for shard in range(SHARDS):
        (out,) = streams.folded(streams.batches(streams.of_shard(market, shard, SHARDS), []))
        join, joined = market_join.fold(join, [streams.contribution(shard, out)])
        told = standings.Told(shard, out.minute_ns, out.measured.candidates)
        ranking, ranked, _ = standings.fold(ranking, [told])
        of_shard = {"bars": out.bars, "liquidity": out.liquidity, "measures": out.measured.seconds}
        of_shard |= {"interval_volatility": out.measured.volatility, "day_volume": out.measured.volume}
        for name, rows in (of_shard | {"tradability": ranked} | joined._asdict()).items():
            if name in found:
                found[name] |= {row.tobytes() for row in rows}
    return found


class Feed:
    """Sends a market to the tick topics in frames of random size, each with the boldest true promise."""

    def __init__(self, bootstrap: str, market: Market, seed: int, *, embedded: bool = True) -> None:
        self.producer = FrameProducer(bootstrap, SHARDS, embedded=embedded, name="lab")
        self._rng = np.random.default_rng(seed)
        self._parts = [streams.of_shard(market, shard, SHARDS).rows for shard in range(SHARDS)]
        self._begin = np.zeros((SHARDS, 4), np.int64)

    def send(self, frame_count: int) -> bool:
        """Send some frames; return whether anything is left."""
        for _ in range(frame_count):
            shard, topic = int(self._rng.integers(SHARDS)), int(self._rng.integers(4))
            rows, begin = self._parts[shard][topic], self._begin[shard, topic]
            end = begin + int(self._rng.integers(0, 30))
            self._begin[shard, topic] = min(end, rows.size)
            rest = rows["effective_ns"][end:]
            watermark_ns = (
                int(rest.min()) - 1 if rest.size else int(rows["effective_ns"].max(initial=streams.START_NS))
            )
            self._send(topics.TICKS[topic], shard, rows[begin:end], watermark_ns)
        self.producer.poll()
        return any(self._begin[s, t] < self._parts[s][t].size for s in range(SHARDS) for t in range(4))

    def finish(self) -> None:
        """Send what is left, and the final watermarks."""
        for shard, parts in enumerate(self._parts):
            for topic, rows in enumerate(parts):
                self._send(topics.TICKS[topic], shard, rows[self._begin[shard, topic] :], WATERMARK_FINAL_NS)
                self._begin[shard, topic] = rows.size
        assert self.producer.flush(DEADLINE_S) == 0

    def _send(self, topic: Topic, shard: int, rows: np.ndarray, watermark_ns: int) -> None:
        while True:
            try:
                return self.producer.send(topic, shard, rows, watermark_ns)
            except QueueFull:
                self.producer.flush(0.05)


class Flow:
    """The process of the market flow; its data folder outlives it."""

    def __init__(self, bootstrap: str, data: Path, **settings: object) -> None:
        self._settings = {
            "broker": bootstrap,
            "data": data,
            "shards": SHARDS,
            "embedded_broker": True,
            "generation_mb": 1_000,
            "half_lives_s": HALF_LIVES_S,
            "pair_step_s": PAIR_STEP_S,
            "epoch_s": 0.1,
        } | settings
        self.process: subprocess.Popen[str] | None = None

    def start(self, *, changed: str = "", **settings: object) -> None:
        """Start it and wait until it serves; ``changed`` is run before, to change the program."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
        mine = {f"GENESIS_{name.upper()}": str(value) for name, value in (self._settings | settings).items()}
        program = (
            "import sys\nfrom genesis.connectors import settings\nfrom genesis.flows import market\n"
            f"{changed}\nsys.exit(market.main(settings.read()))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=clean | mine,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready" in line, self.process.communicate()[1][-3000:]

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def stop(self) -> tuple[int, str]:
        """Ask it to end; return its exit status and what it said."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, said


class Signals:
    """Everything that came out of the flow so far."""

    def __init__(self, bootstrap: str) -> None:
        parts: dict[tuple[str, int], Any] = dict.fromkeys([*SIGNAL_PARTS, ("dead_letters", 0), ("health", 0)])
        self._consumer = FrameConsumer(bootstrap, parts, fetch_wait_ms=5, name="lab")
        self.rows: dict[str, list[bytes]] = {topic.name: [] for topic in topics.SIGNALS}
        self.records: dict[str, list[bytes]] = {"dead_letters": [], "health": []}
        self.watermarks_ns: dict[tuple[str, int], int] = dict.fromkeys(SIGNAL_PARTS, NEVER_NS)
        self.frames = 0

    def read(self) -> None:
        """Take what has come."""
        for message in self._consumer.poll(1_000, 0.02):
            name = message.topic.name
            if name in self.records:
                self.records[name].append(message.value)
                continue
            frame = frames.decode(message.topic.rows, message.value, message.headers)
            self.rows[name] += [row.tobytes() for row in frame.rows]
            self.watermarks_ns[name, message.partition] = frame.watermark_ns
            self.frames += 1

    def read_until(self, what: str, happened: Any, *processes: subprocess.Popen[str] | None) -> None:
        """Read until ``happened()``; say what is missing when it takes too long."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline_s, f"no {what}; watermarks: {self.watermarks_ns}"
            for process in processes:
                assert process is None or process.poll() is None, "the flow ended by itself"
            self.read()

    def final(self) -> bool:
        """Say whether the final watermark has come in every partition."""
        return all(watermark_ns == WATERMARK_FINAL_NS for watermark_ns in self.watermarks_ns.values())

    def distinct(self) -> dict[str, set[bytes]]:
        """Return the different rows of every topic."""
        return {name: set(rows) for name, rows in self.rows.items()}

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


@contextmanager
def lab(tmp_path: Path, **settings: object) -> Iterator[tuple[EmbeddedBroker, Flow, Signals]]:
    """Give a broker with topics, a flow that is not started, and its signals."""
    with EmbeddedBroker() as broker:
        ensure_topics(broker.bootstrap, SHARDS)
        flow, signals = Flow(broker.bootstrap, tmp_path / "data", **settings), Signals(broker.bootstrap)
        try:
            yield broker, flow, signals
        finally:
            flow.kill()
            signals.close()
