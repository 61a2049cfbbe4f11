"""What drills of a release share: brokers to run on, versions that are wrong or slow, a load, a conductor."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from genesis.connectors import settings as settings_of
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import Log, ensure_topics
from genesis.connectors.release.conducting import Conductor, Say
from genesis.connectors.release.control import Control, opened
from genesis.operators import topics
from genesis.operators.release import Policy
from tests.flows.market_lab import SHARDS, Feed
from tests.kafka_server import ApacheKafka

BROKERS = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]
"""What a drill is parametrised by, for the fixture of `on_a_broker`."""


class Place(NamedTuple):
    """A broker with all topics, which are empty."""

    bootstrap: str
    embedded: bool


@contextmanager
def emptied(kafka: ApacheKafka) -> Iterator[None]:
    """Remove our topics from the broker, which other tests use with other shards, before and after."""
    log = Log(kafka.bootstrap, "test")
    log.delete(name for name in log.names() if name.startswith(topics.PREFIX))
    yield
    log.delete(name for name in log.names() if name.startswith(topics.PREFIX))


@contextmanager
def on_a_broker(request: pytest.FixtureRequest, name: str) -> Iterator[Place]:
    """Give the embedded broker or Apache Kafka, which is asked for only then."""
    if name == "embedded":
        with EmbeddedBroker() as broker:
            ensure_topics(broker.bootstrap, SHARDS)
            yield Place(broker.bootstrap, embedded=True)
    else:
        kafka: ApacheKafka = request.getfixturevalue("kafka")
        with emptied(kafka):
            ensure_topics(kafka.bootstrap, SHARDS)
            yield Place(kafka.bootstrap, embedded=False)


POLICY = Policy(reports=2, p99_ms_max=1_500.0)
WRONG = """
def wrong(self, values, honest=market.ShardLogic.on_batch):
    out, keep = honest(self, values)
    for each in out:
        if isinstance(each, market.Signal) and each.topic == "liquidity":
            each.rows["spread_bps"] += 1.0
    return out, keep
market.ShardLogic.on_batch = wrong
"""
SLOW = """
import os, time
def slow(self, values, honest=market.ShardLogic.on_batch):
    if os.path.exists({flag!r}):
        time.sleep(2.0)
    return honest(self, values)
market.ShardLogic.on_batch = slow
"""


FRAMES_A_STEP, STEP_S = 3, 0.06

RESERVE_ROWS, RESERVE_STEP_S = 4_000, 1.5
"""What is left of the market then is sent slowly, so that a busy machine sees the end of its drill first."""


class EvenFeed(Feed):
    """A feed whose topics keep pace with each other."""

    def left(self) -> int:
        """Return how many rows were not sent yet."""
        return sum(rows.size for parts in self._parts for rows in parts) - int(self._begin.sum())

    def send(self, frame_count: int) -> bool:
        """Send some frames, each of what is the oldest; return whether anything is left."""
        for _ in range(frame_count):
            left = [
                (int(rows["effective_ns"][self._begin[shard, place]]), shard, place)
                for shard, parts in enumerate(self._parts)
                for place, rows in enumerate(parts)
                if self._begin[shard, place] < rows.size
            ]
            if not left:
                return False
            _, shard, place = min(left)
            rows, begin = self._parts[shard][place], self._begin[shard, place]
            end = self._begin[shard, place] = min(begin + int(self._rng.integers(1, 30)), rows.size)
            rest = rows["effective_ns"][end:]
            newest_ns = int(rest.min()) - 1 if rest.size else int(rows["effective_ns"].max())
            self._send(topics.TICKS[place], shard, rows[begin:end], newest_ns)
        self.producer.poll()
        return True


class Load(threading.Thread):
    """A feed that goes on by itself until its market has ended, which it is told to hasten."""

    def __init__(self, feed: EvenFeed) -> None:
        super().__init__(daemon=True)
        self._feed, self.hurry = feed, threading.Event()

    def run(self) -> None:
        """Send, a little at a time."""
        while self._feed.send(FRAMES_A_STEP):
            self.hurry.wait(STEP_S if self._feed.left() > RESERVE_ROWS else RESERVE_STEP_S)
        self._feed.finish()


@contextmanager
def conducted(
    settings: settings_of.Settings, say: Say = lambda _said: None
) -> Iterator[tuple[Conductor, Control]]:
    """Give a conductor and its view of the control topic."""
    control = opened(settings)
    conductor = Conductor(settings, control, POLICY, say)
    try:
        yield conductor, control
    finally:
        conductor.close()
        control.close()
