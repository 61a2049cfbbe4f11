"""Binance's market-data messages, decoded into typed structs; numbers come from their strings.

What an instrument calls its fields is the venue's: ``E`` when it was sent, ``T`` when it happened,
both in ms; ``U``/``u`` first and last update id, ``pu`` the last one of the message before. The levels
of a book stay text: a kernel reads them (`genesis.operators.order_book.read_levels`).
"""

import msgspec
import numpy as np

from genesis.operators.arrays import Floats
from genesis.operators.order_book import CHANGES_MAX, read_levels

MS_NS = 1_000_000
"""Nanoseconds in a millisecond."""

SENT_MS_MIN, SENT_MS_MAX = 1_500_000_000_000, 4_100_000_000_000
"""Years 2017 to 2099: outside of it a time is in another unit, or nonsense."""

AHEAD_MS_MAX = 1_000
"""An event may be this much newer than the time at which its message was sent; more is nonsense."""


class BadValue(ValueError):
    """A message has the right shape and a value that cannot be; the text says which."""


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
    b: msgspec.Raw
    a: msgspec.Raw
    E: int
    T: int = 0
    pu: int = -1


class SnapshotData(msgspec.Struct, gc=False):
    """The answer to ``/depth``."""

    lastUpdateId: int  # noqa: N815 - the venue's name
    bids: msgspec.Raw
    asks: msgspec.Raw


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
_decode_levels = msgspec.json.Decoder(list[tuple[float, float]], strict=False).decode


def levels(text: msgspec.Raw, scratch: Floats) -> Floats:
    """Return price and quantity pairs, shape (n, 2): a part of ``scratch`` where that is big enough.

    Raises
    ------
    BadValue
        For a price that is not positive, or a quantity that is negative or no number.
    msgspec.MsgspecError
        When the text is no list of pairs of numbers.

    Examples
    --------
    >>> levels(msgspec.Raw(b'[["0.5","2"]]'), np.empty((4, 2))).tolist()
    [[0.5, 2.0]]
    >>> levels(msgspec.Raw(b' [ [5e-1, 2] ]'), np.empty((4, 2))).tolist()
    [[0.5, 2.0]]
    """
    count = read_levels(np.frombuffer(text, np.uint8), scratch)
    if count >= 0:
        return scratch[:count]
    slow = np.array(_decode_levels(text), np.float64).reshape(-1, 2)
    if not (np.isfinite(slow).all() and (slow[:, 0] > 0.0).all() and (slow[:, 1] >= 0.0).all()):
        raise BadValue("a level of the book has a price or a quantity that cannot be")
    return slow


def new_scratch() -> Floats:
    """Return room for the levels of one side of a message."""
    return np.empty((CHANGES_MAX, 2))


def check_time(sent_ms: int, event_ms: int) -> None:
    """Refuse times in another unit, or from the future.

    Raises
    ------
    BadValue
        When they cannot be.
    """
    if not SENT_MS_MIN < sent_ms < SENT_MS_MAX or not 0 <= event_ms <= sent_ms + AHEAD_MS_MAX:
        raise BadValue(f"times E={sent_ms} and T={event_ms} are no milliseconds of this century in order")
