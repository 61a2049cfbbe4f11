"""What the steps of the archive flow share: connections, patience with the store, reports.

A step never decides alone that all is lost: a busy store is asked again for a while, a full
producer is waited for, and a failure is noted so that the flow ends in good order.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError

from genesis.connectors import metrics
from genesis.connectors.kafka import Message, Position, QueueFull
from genesis.connectors.store.errors import StoreBusy, explain
from genesis.connectors.store.opening import Store
from genesis.connectors.store.progress import Progress
from genesis.connectors.store.tables import StoreTable, open_table
from genesis.operators import topics
from genesis.operators.records import DeadLetter
from genesis.operators.topics import Topic

BUSY_WAIT_S = 60.0
"""How long a busy store is asked again before the process gives up, and is started anew."""

BUSY_PAUSE_FIRST_S, BUSY_PAUSE_MOST_S = 0.1, 5.0


class Consumer(Protocol):
    """What the source needs of a `kafka.FrameConsumer`."""

    def poll(self, most: int, timeout_s: float = 0.0) -> list[Message]:
        """Return up to ``most`` messages."""

    def release(self, positions: dict[tuple[str, int], Position | None]) -> None:
        """Say that nothing before these positions will be asked for again."""

    def close(self) -> None:
        """Leave the broker."""


class Reports(Protocol):
    """What the flow needs of a `kafka.FrameProducer`."""

    def send_record(self, topic: Topic, record: msgspec.Struct) -> None:
        """Queue one JSON record."""

    def poll(self) -> None:
        """Serve delivery reports."""

    def flush(self, timeout_s: float) -> int:
        """Wait for delivery; return how many messages still wait."""


class Ending:
    """When the flow is to end, and the failure that ends it, if any.

    A step of Bytewax that raises takes the whole process with it when another step raises while it
    is being closed, as several do on a full disk. So a failure is noted here, the flow ends in good
    order, and the failure is raised behind it.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self.failure: Exception | None = None

    def fail(self, failure: Exception) -> None:
        """End the flow because of this; later failures follow from the first."""
        self.failure = self.failure or failure
        self.stopping.set()


class Wires(NamedTuple):
    """What connects the flow to the world."""

    shards: int
    database: str
    store: Store
    consume: Callable[[dict[tuple[str, int], Position | None]], Consumer]
    reports: Reports
    progress: Progress
    ending: Ending
    summary: Path
    """Written when a replay has come to its end."""


def patiently(wires: Wires, table: StoreTable) -> tuple[int, int]:
    """Flush a table, again and again while the store is busy; return rows stored and rows it had.

    Raises
    ------
    StoreError
        When the store is full, refuses, or stays busy too long.
    """
    until_s = time.monotonic() + BUSY_WAIT_S
    pause_s = BUSY_PAUSE_FIRST_S
    while True:
        try:
            return table.flush()
        except (ClickHouseError, OSError) as error:
            failure = explain(error, wires.store.where)
            if (
                not isinstance(failure, StoreBusy)
                or time.monotonic() > until_s
                or wires.ending.stopping.is_set()
            ):
                raise failure from error
        metrics.STORE_BUSY.inc()
        wires.ending.stopping.wait(pause_s)
        pause_s = min(2.0 * pause_s, BUSY_PAUSE_MOST_S)


def positions(wires: Wires, keys: list[tuple[str, int]]) -> dict[tuple[str, int], Position | None]:
    """Return where to read on in these partitions, according to the store; None for the beginning."""
    found: dict[tuple[str, int], Position | None] = {}
    with contextlib.closing(wires.store.connect()) as client:
        for name in {name for name, _ in keys}:
            partitions = [partition for topic, partition in keys if topic == name]
            known = open_table(client, wires.database, topics.BY_NAME[name]).positions(partitions)
            found |= {(name, partition): known.get(partition) for partition in partitions}
    return found


def send_letter(wires: Wires, letter: DeadLetter) -> None:
    """Queue a dead letter, waiting while the producer's queue is full."""
    while True:
        try:
            wires.reports.send_record(topics.DEAD_LETTERS, letter)
        except QueueFull:
            wires.reports.poll()
            if wires.ending.stopping.wait(BUSY_PAUSE_FIRST_S):
                return
        else:
            return


def report(wires: Wires) -> None:
    """Send a health report when it is time, and write the summary when a replay has ended."""
    complete = wires.progress.complete
    health = wires.progress.report("complete" if complete else "ok")
    if health is not None:
        with contextlib.suppress(QueueFull):  # the next one comes in a second
            wires.reports.send_record(topics.HEALTH, health)
    wires.reports.poll()
    if complete and not wires.summary.exists():
        write_summary(wires)
    elif not complete:
        wires.summary.unlink(missing_ok=True)


def write_summary(wires: Wires) -> None:
    """Write how many rows every table has, all at once, for `genesis replay` to find."""
    with contextlib.closing(wires.store.connect()) as client:
        rows = {t.name: open_table(client, wires.database, t).count() for t in topics.ARCHIVED}
    scratch = wires.summary.with_suffix(".part")
    scratch.write_bytes(msgspec.json.encode({"complete": True, "rows": rows}))
    scratch.replace(wires.summary)


def sent_ns(message: Message) -> int:
    """Return when a message was sent, 0 when it does not say: the same however often it is read."""
    text = dict(message.headers).get("sent_ns", b"0")
    return int(text) if text.isdigit() and len(text) < 20 else 0
