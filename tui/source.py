"""The source: a thread that reads the topics and leaves the newest state of things for the screen.

It wakes ten times a second, takes what has come, conflates it, and rings a bell. What nobody took
yet is merged with what comes next, so it never grows beyond one row for each thing that can be
shown, however slow the screen is; and the screen never waits for the broker.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaException

from genesis.connectors import run_file
from genesis.connectors.kafka import FrameConsumer
from genesis.connectors.run_file import RunFile
from genesis.connectors.settings import Settings
from genesis.operators import topics
from genesis.tui import affairs
from genesis.tui.affairs import NOTHING, Affairs
from genesis.tui.batch import FRAMES, Batch, Gatherer, Message, merge
from genesis.tui.bookkeeping import Bookkeeper

PAUSE_S = 0.1
"""Pause between two readings; the screen shows no more than this anyway."""

MESSAGES_MAX = 20_000
"""Most messages taken in one reading. What is beyond waits in the client, which bounds it in bytes."""

FETCH_WAIT_MS = 250
"""How long the broker holds a fetch: four answers a second cost it almost nothing."""

LOCATE_EVERY = 10
"""Readings between two looks at the run file: about a second."""

BACK_OFF_S = 1.0
"""Pause before reading is taken up again after the client gave up."""


class Consumer(Protocol):
    """What the source needs of a Kafka consumer; ``FrameConsumer`` is one."""

    def poll(self, most: int, timeout_s: float = 0.0) -> Sequence[Message]:
        """Return up to ``most`` messages that are already here."""

    def close(self) -> None:
        """Leave the broker."""


class Place(NamedTuple):
    """Where the topics are: bootstrap servers, and partitions of each sharded topic."""

    broker: str
    shards: int


class Sighting(NamedTuple):
    """What one look at the data folder gave: where the topics are, and what the supervisor says."""

    place: Place | None
    run: RunFile | None


def look_around(settings: Settings) -> Sighting:
    """Return where the topics are: by the settings, else by the run file of the data folder."""
    run = run_file.read(settings.data)
    if settings.broker:
        return Sighting(Place(settings.broker, run.shards if run and run.shards else settings.shards), run)
    if run is not None and run.broker:
        return Sighting(Place(run.broker, run.shards or settings.shards), run)
    return Sighting(None, run)


def consumer_at(place: Place) -> Consumer:
    """Return a consumer of all that the screen shows, from now on."""
    told = [name for name in affairs.TOPICS if name in topics.BY_NAME]
    names = [*FRAMES, topics.DEAD_LETTERS.name, topics.HEALTH.name, *told]
    parts = [
        (name, partition)
        for name in names
        for partition in range(place.shards if topics.BY_NAME[name].sharded else 1)
    ]
    return FrameConsumer(
        place.broker,
        dict.fromkeys(parts, None),
        fetch_wait_ms=FETCH_WAIT_MS,
        start_at_end=True,
        name="dashboard",
    )


class Source:
    """The thread.

    Parameters
    ----------
    look
        Called about once a second; returns where the topics are now.
    connect
        Makes a consumer at a place.
    ring
        Called, from a thread, when there is something to take. Must not block.
    account_id
        The account that is shown.
    books
        Reads what the ledger knows of it, in a thread of its own, so that it holds up nothing.

    Attributes
    ----------
    failure
        What ended the thread, if it was not asked to end.
    """

    def __init__(
        self,
        look: Callable[[], Sighting],
        connect: Callable[[Place], Consumer],
        ring: Callable[[], None],
        account_id: str = "main",
        books: Callable[[], Affairs] = lambda: NOTHING,
    ) -> None:
        self._look, self._connect, self._ring, self._account_id = look, connect, ring, account_id
        self._books = Bookkeeper(books, lambda found: self.leave(Batch(affairs=found)), self.fail)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._waiting: Batch | None = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to read."""
        self._books.start()
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop reading and leave the broker; a client that does not answer is left behind."""
        self._stopping.set()
        self._books.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def take(self) -> Batch | None:
        """Return what has come since the last call, None when nothing has."""
        with self._lock:
            batch, self._waiting = self._waiting, None
        return batch

    def leave(self, batch: Batch) -> None:
        """Put a batch with what waits to be taken, from any thread."""
        with self._lock:
            self._waiting = batch if self._waiting is None else merge(self._waiting, batch)
        self._ring()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._read()
                except (KafkaException, OSError):
                    self._stopping.wait(BACK_OFF_S)
        except BaseException as error:
            self.fail(error)
            raise

    def fail(self, error: BaseException) -> None:
        """End the dashboard with a defect, from any thread."""
        self.failure = error
        self._ring()

    def _read(self) -> None:
        """Read until asked to stop, connecting anew when the broker has moved."""
        gatherer = Gatherer(self._account_id)
        consumer: Consumer | None = None
        seen = Sighting(None, None)
        try:
            turn = 0
            while not self._stopping.wait(PAUSE_S if turn else 0.0):
                run = None
                if turn % LOCATE_EVERY == 0:
                    now = self._look()
                    if now.place is not None and now.place != seen.place:
                        if consumer is not None:
                            consumer.close()
                        consumer = self._connect(now.place)
                    run = now.run if now.run != seen.run else None
                    seen = now
                turn += 1
                messages = consumer.poll(MESSAGES_MAX, 0.0) if consumer is not None else ()
                batch = replace(gatherer.gather(messages, time.monotonic_ns()), run=run)
                if batch.messages or run is not None:
                    self.leave(batch)
        finally:
            if consumer is not None:
                consumer.close()
