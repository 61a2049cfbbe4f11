"""The feed as a process, on the embedded broker: a whole replay, and the death of either of the two."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from genesis.connectors import frames
from genesis.connectors.broker import EmbeddedBroker
from genesis.connectors.kafka import FrameConsumer, ensure_topics
from genesis.operators import topics, view
from genesis.operators.records import WATERMARK_FINAL_NS, GapReason
from tests.connectors.feed.honesty import KINDS, TOPICS, ids

pytestmark = pytest.mark.timeout(240)

DEADLINE_S = 200.0
SHARDS = 2
VENUE = """
import asyncio, sys
from genesis.connectors.venue.main import serve
from genesis.connectors.venue.server import VenueOptions
options = VenueOptions(port=0, replay=tuple(sys.argv[2:]), speed=float(sys.argv[1]))
asyncio.run(serve(options, lambda url, server: print(url, flush=True)))
"""


class Reader:
    """Reads all tick topics from the beginning, and keeps rows and watermarks."""

    def __init__(self, bootstrap: str) -> None:
        parts = {(topic.name, shard): None for topic in topics.TICKS for shard in range(SHARDS)}
        parts[topics.VIEW.name, 0] = None
        self._consumer = FrameConsumer(bootstrap, parts, fetch_wait_ms=5, name="test")
        self._rows: dict[str, list[np.ndarray]] = {topic.name: [] for topic in (*topics.TICKS, topics.VIEW)}
        self.watermarks: dict[tuple[str, int], int] = {}

    def rows(self, name: str) -> np.ndarray:
        return np.concatenate([topics.BY_NAME[name].rows.empty(), *self._rows[name]])

    def read(self) -> None:
        for message in self._consumer.poll(10_000, 0.05):
            frame = frames.decode(message.topic.rows, message.value, message.headers)
            self._rows[message.topic.name].append(frame.rows.copy())
            self.watermarks[message.topic.name, message.partition] = frame.watermark_ns

    def until(self, happened: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not happened():
            assert time.monotonic() < deadline_s, "waited in vain"
            self.read()

    def has_ended(self) -> bool:
        return len(self.watermarks) == 4 * SHARDS + 1 and set(self.watermarks.values()) == {
            WATERMARK_FINAL_NS
        }

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def venue(files: list[Path], speed: float) -> Iterator[str]:
    command = [sys.executable, "-c", VENUE, str(speed), *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@contextmanager
def feed(url: str, broker: EmbeddedBroker, data: Path) -> Iterator["subprocess.Popen[str]"]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
    mine = {
        "VENUE_URL": url,
        "BROKER": broker.bootstrap,
        "EMBEDDED_BROKER": "true",
        "DATA": data,
        "SHARDS": SHARDS,
    }
    environment = clean | {f"GENESIS_{name}": str(value) for name, value in mine.items()}
    command = [sys.executable, "-m", "genesis.cli.main", "run", "feed"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert "ready" in json.loads(process.stdout.readline())
            yield process
        finally:
            process.kill()


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        ensure_topics(running.bootstrap, SHARDS)
        yield running


def missing_outside_gaps(want: np.ndarray, have: np.ndarray, topic: str, gaps: np.ndarray) -> int:
    """Return how many rows are neither there nor in a gap of their stream."""
    mine = gaps[(gaps["stream"] == KINDS[topic]) & (gaps["revision"] == 1)]
    lost = want[~np.isin(ids(want, topic), ids(have, topic))]
    return sum(
        not any(
            gap["symbol"] == row["symbol"]
            and gap["market"] == row["market"]
            and gap["start_ns"] <= row["event_ns"] <= gap["end_ns"]
            for gap in mine
        )
        for row in lost
    )


@pytest.fixture(scope="module")
def whole(short: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Give the rows of an undisturbed replay, read from the broker."""
    with EmbeddedBroker() as running, venue(short, float("inf")) as url:
        ensure_topics(running.bootstrap, SHARDS)
        data = tmp_path_factory.mktemp("whole")
        reader = Reader(running.bootstrap)
        with feed(url, running, data) as process:
            reader.until(reader.has_ended)
            assert process.wait(DEADLINE_S) == 0
        found = {topic: reader.rows(topic) for topic in (*TOPICS, "gaps", "view")}
        reader.close()
        assert not (data / "feed.json").exists()
    return found


def test_a_replay_ends_with_final_watermarks_and_status_0(whole: dict[str, np.ndarray]) -> None:
    assert [len(whole[topic]) for topic in (*TOPICS, "gaps")] == [1_514, 7_500, 848, 0]


def test_the_view_stands_for_every_tick(whole: dict[str, np.ndarray]) -> None:
    makers = {"trades": view.of_trades, "quotes": view.of_quotes, "book": view.of_books}
    expected = view.conflate(np.concatenate([make(whole[name]) for name, make in makers.items()]))
    assert view.conflate(whole["view"]).tobytes() == expected.tobytes()


def test_a_killed_feed_is_an_honest_gap_and_the_next_one_goes_on(
    whole: dict[str, np.ndarray], short: list[Path], tmp_path: Path, broker: EmbeddedBroker
) -> None:
    reader = Reader(broker.bootstrap)
    with venue(short, 1.5) as url:
        with feed(url, broker, tmp_path) as process:
            reader.until(lambda: len(reader.rows("trades")) > 200 and (tmp_path / "feed.json").exists())
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE_S)
        with feed(url, broker, tmp_path) as process:
            reader.until(reader.has_ended)
            assert process.wait(DEADLINE_S) == 0
    gaps = reader.rows("gaps")
    assert set(gaps["reason"].tolist()) == {GapReason.FEED_RESTART}
    assert (gaps["revision"] == 1).sum() == (gaps["revision"] == 0).sum() == 6
    for topic in ("trades", "quotes"):
        have = reader.rows(topic)
        assert len(np.unique(ids(have, topic))) == len(have)
        assert missing_outside_gaps(whole[topic], have, topic, gaps) == 0
    reader.close()


def test_a_killed_broker_is_a_gap_of_the_new_log_and_the_feed_goes_on(
    short: list[Path], tmp_path: Path, broker: EmbeddedBroker
) -> None:
    with venue(short, 4.0) as url, feed(url, broker, tmp_path) as process:
        reader = Reader(broker.bootstrap)
        reader.until(lambda: len(reader.rows("trades")) > 200)
        reader.close()
        broker.kill()
        broker.start()
        reader = Reader(broker.bootstrap)
        reader.until(reader.has_ended)
        assert process.wait(DEADLINE_S) == 0
        gaps = reader.rows("gaps")
        reader.close()
    assert GapReason.LOG_RESTART in gaps["reason"]
    assert set(gaps["stream"].tolist()) == {int(kind) for kind in KINDS.values()}
