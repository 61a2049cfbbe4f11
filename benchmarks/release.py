"""Release: how long the signals pause when another version of the market flow takes them over, under load.

Two colours at 5,000 ticks/s on the embedded broker and on Apache Kafka; the signals go from blue to green
when the gate is open, back by hand, and then to and fro some more. The pause is that between the last frame
of one and the first of the other that has rows, by the time at which they were sent, the longest of the
partitions of `liquidity`.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.latency import BEAT_S, SHARDS, Load
from genesis.connectors import frames, settings
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, FrameProducer, ensure_topics
from genesis.connectors.release.conducting import Conductor
from genesis.connectors.release.control import opened
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.operators.arrays import Rows
from genesis.operators.release import Policy
from tests.kafka_server import apache_kafka

RATE_HZ = 5_000
GATE_S, WATCH_S, CALM_S = 240.0, 10.0, 5.0
LATER = 3
"""So often the signals go to and fro after the first way back, when both colours have written before."""

GENERATION_MB = 4_096
"""The embedded broker keeps all of it, as Kafka would."""


class Listener:
    """Reads the signals as the archive does; per partition of liquidity, when frames with rows were sent."""

    def __init__(self, bootstrap: str) -> None:
        parts = dict.fromkeys((topics.LIQUIDITY.name, part) for part in range(SHARDS))
        self._consumer = FrameConsumer(bootstrap, dict(parts), fetch_wait_ms=5, name="bench-release")
        self.sent: dict[int, list[tuple[int, int]]] = {part: [] for part in range(SHARDS)}
        self.ids: list[int] = []

    def poll(self) -> None:
        """Read what has come."""
        for message in self._consumer.poll(500):
            frame = frames.decode(message.topic.rows, message.value, message.headers)
            if frame.rows.size:
                self.sent[message.partition].append((frame.sent_ns, message.position.epoch))
                self.ids += frame.rows["update_id"].tolist()

    def pause_ms(self, epoch: int) -> float:
        """Return the longest pause of a partition before the first frame of an epoch."""
        found = []
        for sent in self.sent.values():
            first = next(i for i, (_, of) in enumerate(sent) if of == epoch)
            found.append((sent[first][0] - sent[first - 1][0]) / 1e6)
        return max(found)

    def usual_ms(self) -> float:
        """Return the 99th percentile of the pauses within an epoch."""
        pauses = sorted(
            (b[0] - a[0]) / 1e6
            for sent in self.sent.values()
            for a, b in pairwise(sent[100:])
            if a[1] == b[1]
        )
        return pauses[int(len(pauses) * 0.99)]


def run() -> list[dict[str, object]]:
    """Return the pause of a promotion and of the way back on both brokers, and what was lost or doubled."""
    with EmbeddedBroker() as broker:
        rows = _measure("embedded broker", broker.bootstrap, embedded=True)
    with tempfile.TemporaryDirectory() as folder, apache_kafka(Path(folder)) as kafka:
        return rows + _measure("Apache Kafka", kafka.bootstrap, embedded=False)


@contextlib.contextmanager
def _colour(configured: Settings, colour: str) -> Iterator[None]:
    mine = configured.model_copy(update={"colour": settings.Colour(colour), "data": configured.data / colour})
    flow = subprocess.Popen(
        [sys.executable, "-m", "genesis.cli.main", "run", "market"],
        env=os.environ | settings.to_environment(mine),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert flow.stdout is not None
    if b"ready" not in flow.stdout.readline():
        raise RuntimeError(f"the {colour} market flow did not start")
    try:
        yield
    finally:
        flow.terminate()
        flow.wait(20)


def _measure(broker: str, bootstrap: str, *, embedded: bool) -> list[dict[str, object]]:
    ensure_topics(bootstrap, SHARDS)
    with tempfile.TemporaryDirectory() as folder:
        configured = settings.read(
            data=Path(folder),
            broker=bootstrap,
            embedded_broker=embedded,
            shards=SHARDS,
            generation_mb=GENERATION_MB,
        )
        with _colour(configured, "blue"), _colour(configured, "green"):
            listener, books = _drill(configured, embedded=embedded)
    usual = f"{listener.usual_ms():.1f} ms usually (p99)"
    later = [listener.pause_ms(epoch) for epoch in range(3, 3 + 2 * LATER)]
    figures = {
        "pause at a promotion": (listener.pause_ms(1), "ms", usual),
        "pause at a way back": (listener.pause_ms(2), "ms", usual),
        f"pause at {2 * LATER} flips after it, median": (median(later), "ms", usual),
        f"pause at {2 * LATER} flips after it, longest": (max(later), "ms", usual),
        "rows lost": (float(books - len(set(listener.ids))), "rows", f"of {books:,}"),
        "rows doubled": (float(len(listener.ids) - len(set(listener.ids))), "rows", f"of {books:,}"),
    }
    return [
        {"name": f"{broker}, {what}", "value": value, "unit": unit, "baseline": beside, "ratio": None}
        for what, (value, unit, beside) in figures.items()
    ]


def _drill(configured: Settings, *, embedded: bool) -> tuple[Listener, int]:
    """Send ticks while a release goes forth and back; return what was heard, and how many books were sent."""
    producer = FrameProducer(configured.broker, SHARDS, embedded=embedded, name="bench")
    load, listener = _Counted(producer, RATE_HZ), Listener(configured.broker)
    failures: list[BaseException] = []
    lead = threading.Thread(target=_lead, args=(configured, failures), daemon=True)
    lead.start()
    next_s = time.monotonic()
    while lead.is_alive():
        now_s = time.monotonic()
        if now_s >= next_s:
            load.beat()
            next_s = max(next_s + BEAT_S, now_s - 0.1)
        listener.poll()
        time.sleep(0.0005)
    if failures:
        raise failures[0]
    producer.flush(10)
    end_s = time.monotonic() + 30.0
    while len(set(listener.ids)) < load.books and time.monotonic() < end_s:
        listener.poll()
        time.sleep(0.01)
    return listener, load.books


class _Counted(Load):
    """The load of the latencies, which counts its books."""

    books = 0

    def _rows(self, topic: topics.Topic, count: int, now_ns: int) -> Rows:
        if topic is topics.BOOK:
            self.books += count
        return super()._rows(topic, count, now_ns)


def _lead(configured: Settings, failures: list[BaseException]) -> None:
    try:
        control = opened(configured)
        conductor = Conductor(configured, control, Policy(reports=5), print)
        time.sleep(CALM_S)
        conductor.step("start", "benchmark")
        outcome = conductor.promote(GATE_S, WATCH_S)
        if not outcome.promoted:
            raise RuntimeError("; ".join(outcome.reasons))
        conductor.step("start", "the way back")
        time.sleep(CALM_S)
        conductor.step("promote", "the way back")
        for _ in range(LATER):
            time.sleep(CALM_S)
            conductor.step("rollback", "to and fro")
            conductor.step("start", "to and fro")
            time.sleep(CALM_S)
            conductor.step("promote", "to and fro")
        time.sleep(CALM_S)
        conductor.step("settle", "measured")
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        failures.append(error)
