"""Rows a second into the embedded store, through the archive's own code: frames in, stored rows out.

Each batch is as large as the archive's own, is asked for before it is inserted, and is checked to
be there afterwards. The baseline inserts the same rows as clickhouse-connect is used everywhere:
Python tuples, by ``client.insert``.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from clickhouse_connect.driver.client import Client

from genesis.connectors.frames import encode_headers
from genesis.connectors.kafka import Message, Position
from genesis.connectors.store import migrate
from genesis.connectors.store.engine import Engine
from genesis.connectors.store.schema import table_of
from genesis.connectors.store.tables import open_table
from genesis.flows.archive import BATCH_BYTES
from genesis.operators import topics
from genesis.operators.topics import Topic

FRAME_ROWS = 1_000
SYMBOLS = np.array([f"SYM{number:02}USDT".encode() for number in range(20)])
ROWS = {topics.TRADES: 1_000_000, topics.QUOTES: 1_000_000, topics.BOOK: 100_000}
MIX = {topics.QUOTES: 700_000, topics.TRADES: 250_000, topics.BOOK: 50_000}
BASELINE_ROWS = {topics.TRADES: 50_000, topics.QUOTES: 50_000, topics.BOOK: 5_000}
START_NS = 1_723_161_254_000_000_000


def ticks(topic: Topic, count: int) -> Any:
    """Return rows as a busy market gives them: 20 symbols, 100,000 a second, prices that walk."""
    random = np.random.default_rng(7)
    rows = topic.rows.empty(count)
    rows["symbol"] = SYMBOLS[random.integers(0, SYMBOLS.size, count)]
    rows["market"] = 1
    for name in ("event_ns", "recv_ns", "effective_ns"):
        rows[name] = START_NS + np.arange(count) * 10_000
    rows["trade_id" if topic is topics.TRADES else "update_id"] = np.arange(count)
    for field in topic.rows.fields:
        if field.format == "<f8":
            walk = 60_000.0 + np.round(random.normal(0.0, 0.5, count).cumsum(), 2)
            rows[field.name] = walk[:, None] + np.arange(field.length) / 100 if field.length else walk
    if topic is topics.TRADES:
        rows["side"] = random.choice([-1, 1], count)
    return rows


def messages(topic: Topic, rows: Any) -> Iterator[Message]:
    """Yield the rows as frames from the broker."""
    headers = encode_headers(topic.rows, 1)
    for number, at in enumerate(range(0, rows.size, FRAME_ROWS)):
        position = Position(0, "benchmark", number + 1)
        yield Message(topic, 0, position, rows[at : at + FRAME_ROWS].tobytes(), headers, restarted=False)


def archived(client: Client, counts: dict[Topic, int]) -> float:
    """Return rows a second through the archive's tables; the topics take turns, frame by frame."""
    tables = {topic: open_table(client, "genesis", topic) for topic in counts}
    waiting = {topic: list(messages(topic, ticks(topic, count))) for topic, count in counts.items()}
    turns = [
        (number / len(frames), topic, message)
        for topic, frames in waiting.items()
        for number, message in enumerate(frames)
    ]
    turns.sort(key=lambda turn: turn[0])
    started_s = time.perf_counter()
    for _, topic, message in turns:
        tables[topic].add(message)
        if tables[topic].bytes_waiting >= BATCH_BYTES:
            tables[topic].flush()
    for table in tables.values():
        table.flush()
    elapsed_s = time.perf_counter() - started_s
    for topic, count in counts.items():
        assert tables[topic].count() == count, f"{topic.name}: not every row is stored"
    return sum(counts.values()) / elapsed_s


def by_rows(client: Client, counts: dict[Topic, int]) -> float:
    """Return rows a second as Python tuples by ``client.insert``, the tuples ready beforehand."""
    batches = []
    for topic, count in counts.items():
        names = [field.name for field in topic.rows.fields]
        columns = [_values(topic, ticks(topic, count), name) for name in names]
        kinds = {column.name: column.type for column in table_of(topic).columns}
        batches.append((topic.name, names, [kinds[name] for name in names], list(zip(*columns, strict=True))))
    started_s = time.perf_counter()
    for name, names, kinds, rows in batches:
        client.insert(name, rows, column_names=names, column_type_names=kinds, database="genesis")
    return sum(counts.values()) / (time.perf_counter() - started_s)


def _values(topic: Topic, rows: Any, name: str) -> list[Any]:
    """Return a column as Python objects, as one would have them from JSON."""
    field = next(field for field in topic.rows.fields if field.name == name)
    if field.codes is not None:
        return [field.codes(code).name.lower() for code in rows[name].tolist()]
    if field.format.startswith("S"):
        return [text.decode() for text in rows[name].tolist()]
    return list(rows[name].tolist())


def in_a_fresh_store(measure: Callable[[Client, dict[Topic, int]], float], counts: dict[Topic, int]) -> float:
    """Return what a measurement says in an empty store."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(Path(folder), "genesis") as engine,
        closing(engine.client()) as client,
    ):
        migrate.prepare(client, "genesis")
        return measure(client, counts)


def run() -> list[dict[str, Any]]:
    """Return rows a second of trades, quotes, book and all three mixed, each against its baseline."""
    results = []
    cases = [({topic: rows}, {topic: BASELINE_ROWS[topic]}, topic.name) for topic, rows in ROWS.items()]
    cases.append(
        (MIX, {topic: rows // 20 for topic, rows in MIX.items()}, "70 % quotes, 25 % trades, 5 % book")
    )
    for counts, few, name in cases:
        value = in_a_fresh_store(archived, counts)
        baseline = in_a_fresh_store(by_rows, few)
        results.append(
            {
                "name": f"rows stored, {name}",
                "value": value,
                "unit": "rows/s",
                "baseline": f"{baseline:,.0f} rows/s (clickhouse-connect, tuples)",
                "ratio": value / baseline,
            }
        )
    return results
