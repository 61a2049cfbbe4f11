"""Made-up rows and messages of every topic, by seed."""

from typing import Any

import numpy as np

from genesis.connectors import frames
from genesis.connectors.kafka import Message, Position
from genesis.connectors.store.schema import DURATIONS
from genesis.operators.topics import Topic

START_NS = 1_723_161_254_000_000_000
SYMBOLS = np.array([b"BTCUSDT", b"ETHUSDT", b"SOLUSDT"])


def rows(topic: Topic, count: int, seed: int = 0) -> Any:
    """Return rows with distinct identities, every field filled with something that it may hold."""
    rng = np.random.default_rng(seed)
    schema = topic.rows
    made = schema.empty(count)
    for field in schema.fields:
        shape = (count, field.length) if field.length else (count,)
        if field.codes is not None:
            made[field.name] = rng.choice([code.value for code in field.codes], shape)
        elif field.name in DURATIONS:
            made[field.name] = 60_000_000_000
        elif field.name.endswith("_ns"):
            made[field.name] = START_NS + np.sort(rng.integers(0, 10**10, shape))
        elif field.format.startswith("S"):
            made[field.name] = rng.choice(SYMBOLS, shape)
        elif field.format == "<i8":
            made[field.name] = np.arange(count) + seed * 1_000_000
        elif field.format == "i1":
            made[field.name] = rng.integers(0, 2, shape)
        else:
            made[field.name] = np.where(rng.random(shape) < 0.1, np.nan, rng.normal(100.0, 5.0, shape))
    made[schema.order] = START_NS + np.arange(count) * 1_000_000 + seed * 1_000_000_000
    return made


def message(topic: Topic, content: Any, offset: int, *, partition: int = 0, log_id: str = "log-1") -> Message:
    """Return a frame of rows as the broker delivers it."""
    headers = frames.encode_headers(topic.rows, 1)
    position = Position(0, log_id, offset + 1)
    return Message(topic, partition, position, content.tobytes(), headers, restarted=False)
