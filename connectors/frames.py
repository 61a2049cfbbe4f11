"""Frames: packed rows in one Kafka value, with schema and watermark in the headers.

A frame's value is N fixed-width little-endian rows of one schema and nothing else, so decoding
is a view. Its headers:

``schema``
    ``name.vN`` of the row layout. A consumer refuses a version that it does not know.
``watermark_ns``
    No later frame of this partition holds a row that counts at or before this time. A frame may
    be empty and carry the watermark alone.
``sent_ns``
    When the frame was handed to the producer, by the producer's wall clock; for latency only.
``cause_ns``
    For a signal: ``sent_ns`` of the newest frame that it was computed from; for latency only.
"""

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from genesis.operators.records import RowSchema

Headers = list[tuple[str, bytes]]


class FrameError(ValueError):
    """A message is not a frame of the expected schema. ``reason`` is a stable code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Frame(NamedTuple):
    """A decoded frame. ``rows`` is a read-only view of the message, shape ``(n,)``."""

    rows: np.ndarray[Any, np.dtype[np.void]]
    watermark_ns: int
    sent_ns: int
    cause_ns: int


def encode_headers(schema: RowSchema, watermark_ns: int, cause_ns: int = 0) -> Headers:
    """Return the headers of a frame that is sent now."""
    return [
        ("schema", schema.tag.encode()),
        ("watermark_ns", b"%d" % watermark_ns),
        ("sent_ns", b"%d" % time.time_ns()),
        ("cause_ns", b"%d" % cause_ns),
    ]


def decode(schema: RowSchema, value: bytes | None, headers: Iterable[tuple[str, bytes]] | None) -> Frame:
    """Return the frame in a Kafka message.

    Raises
    ------
    FrameError
        ``unknown_schema`` for another schema or version, ``ragged_frame`` for a value that is not
        a whole number of rows, ``bad_header`` for a missing or unreadable header.
    """
    found = dict(headers or ())
    tag = found.get("schema", b"").decode(errors="replace")
    if tag != schema.tag:
        raise FrameError(
            "unknown_schema", f"expected schema {schema.tag}, the message says {tag or 'nothing'}"
        )
    size, row = len(value or b""), schema.dtype.itemsize
    if size % row:
        raise FrameError(
            "ragged_frame", f"{size} bytes are not a whole number of {row}-byte {schema.tag} rows"
        )
    try:
        times = [int(found.get(name, b"0")) for name in ("sent_ns", "cause_ns")]
        watermark_ns = int(found["watermark_ns"])
    except (KeyError, ValueError):
        raise FrameError(
            "bad_header", "header watermark_ns is missing, or a time is not a whole number"
        ) from None
    return Frame(np.frombuffer(value or b"", schema.dtype), watermark_ns, times[0], times[1])
