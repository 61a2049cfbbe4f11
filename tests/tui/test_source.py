"""The source reads in its own thread, follows the broker, and never fails in silence."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from genesis.connectors import run_file, settings
from genesis.connectors.run_file import RunFile
from genesis.tui import affairs
from genesis.tui.batch import FRAMES, Batch, merge
from genesis.tui.source import Consumer, Place, Sighting, Source, consumer_at, look_around
from tests.tui.rehearsal import Rehearsal, Said

WAIT_S = 10.0


class Scripted:
    """A consumer that gives one step of a market each time it is asked, then nothing."""

    def __init__(self, steps: int = 3, failure: Exception | None = None) -> None:
        self.rehearsal, self.left, self.failure = Rehearsal(2), steps, failure
        self.closed = threading.Event()

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Said]:
        assert timeout_s == 0.0
        if self.left:
            self.left -= 1
            return self.rehearsal.step(self.left)
        if self.failure is not None:
            raise self.failure
        return []

    def close(self) -> None:
        self.closed.set()


class Collector:
    """Takes whatever the source has each time its bell rings."""

    def __init__(self, look: Callable[[], Sighting], connect: Callable[[Place], Consumer]) -> None:
        self.seen = Batch()
        self.changed = threading.Condition()
        self.source = Source(look, connect, self.ring)

    def ring(self) -> None:
        batch = self.source.take()
        with self.changed:
            self.seen = merge(self.seen, batch) if batch else self.seen
            self.changed.notify_all()

    def wait(self, wanted: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(wanted, WAIT_S)


def test_what_comes_is_left_for_the_screen_and_the_consumer_is_closed() -> None:
    consumer = Scripted()
    collector = Collector(lambda: Sighting(Place("here", 2), None), lambda _place: consumer)
    collector.source.start()
    collector.wait(lambda: {"quotes", "market_state"} <= set(collector.seen.rows))
    collector.source.stop()
    assert consumer.closed.is_set()
    assert collector.source.failure is None


def test_a_broker_that_moved_is_followed() -> None:
    made: dict[Place, Scripted] = {}
    places = [Place("here", 2), Place("there", 2)]

    def connect(place: Place) -> Scripted:
        made[place] = Scripted(1)
        return made[place]

    run = RunFile(pid=1, broker="there")
    collector = Collector(lambda: Sighting(places[0] if not made else places[1], run), connect)
    collector.source.start()
    collector.wait(lambda: places[1] in made and collector.seen.messages > len(Rehearsal(2).step(0)))
    assert made[places[0]].closed.is_set()
    assert collector.seen.run == run
    collector.source.stop()


def test_a_failure_of_the_network_is_tried_again_and_a_defect_is_told() -> None:
    consumers = [Scripted(1, OSError("no route")), Scripted(1, ZeroDivisionError())]
    collector = Collector(lambda: Sighting(Place("here", 2), None), lambda _place: consumers.pop(0))
    raised: list[object] = []
    before, threading.excepthook = threading.excepthook, raised.append
    try:
        collector.source.start()
        collector.wait(lambda: collector.source.failure is not None)
        collector.source.stop()
    finally:
        threading.excepthook = before
    assert isinstance(collector.source.failure, ZeroDivisionError)
    assert not consumers


def test_the_place_is_found_by_the_settings_or_the_run_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    configured = settings.read(data=tmp_path)
    assert look_around(configured) == Sighting(None, None)
    run = RunFile(pid=os.getpid(), broker="127.0.0.1:1", shards=4)
    run_file.write(tmp_path, run)
    assert look_around(configured) == Sighting(Place("127.0.0.1:1", 4), run)
    monkeypatch.setenv("GENESIS_BROKER", "kafka:9092")
    assert look_around(settings.read(data=tmp_path)).place == Place("kafka:9092", 4)


def test_every_topic_of_the_screen_is_read_in_all_its_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def consumer(bootstrap: str, parts: object, **options: object) -> Scripted:
        asked.update(options, parts=parts, bootstrap=bootstrap)
        return Scripted()

    monkeypatch.setattr("genesis.tui.source.FrameConsumer", consumer)
    consumer_at(Place("broker", 3))
    parts = asked["parts"]
    assert isinstance(parts, dict)
    assert {name for name, _ in parts} == {*FRAMES, "dead_letters", "health", *affairs.TOPICS}
    assert [p for name, p in parts if name == "gaps"] == [0, 1, 2]
    assert [p for name, p in parts if name == "view"] == [0]
    assert [p for name, p in parts if name == "health"] == [0]
    assert asked["start_at_end"] is True
