"""Binance's market-data messages, decoded into typed structs; numbers come from their strings.

What an instrument calls its fields is the venue's: ``E`` when it was sent, ``T`` when it happened,
both in ms; ``U``/``u`` first and last update id, ``pu`` the last one of the message before.
"""

import msgspec

MS_NS = 1_000_000
"""Nanoseconds in a millisecond."""


class Wrapper(msgspec.Struct, gc=False):
    """A message of a combined stream. ``recv_ns`` is handed along by a replay."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    recv_ns: int = 0


class TradeData(msgspec.Struct, gc=False):
    """``@trade``. ``m``: the buyer was resting, so the aggressor sold."""

    s: str
    t: int
    p: float
    q: float
    m: bool
    E: int
    T: int = 0


class QuoteData(msgspec.Struct, gc=False):
    """``@bookTicker``. On spot it says no time at all."""

    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    E: int = 0
    T: int = 0


class DiffData(msgspec.Struct, gc=False):
    """``@depth``. ``pu`` is there on futures only."""

    s: str
    U: int
    u: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]
    E: int
    T: int = 0
    pu: int = -1


class SnapshotData(msgspec.Struct, gc=False):
    """The answer to ``/depth``."""

    lastUpdateId: int  # noqa: N815 - the venue's name
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class EndData(msgspec.Struct, gc=False):
    """The last message of a replay; ``error`` says why it ended early."""

    counts: dict[str, object] = {}
    error: str | None = None


class EventData(msgspec.Struct, gc=False):
    """A message outside the streams; ``serverShutdown`` is the one that matters."""

    e: str = ""


decode_wrapper = msgspec.json.Decoder(Wrapper).decode
decode_trade = msgspec.json.Decoder(TradeData, strict=False).decode
decode_quote = msgspec.json.Decoder(QuoteData, strict=False).decode
decode_diff = msgspec.json.Decoder(DiffData, strict=False).decode
decode_snapshot = msgspec.json.Decoder(SnapshotData, strict=False).decode
decode_end = msgspec.json.Decoder(EndData, strict=False).decode
decode_event = msgspec.json.Decoder(EventData).decode
