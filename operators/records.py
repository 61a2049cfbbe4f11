"""Record types: what one row of every topic holds, in which unit, and what identifies it.

Market data and signals are fixed-width rows: a numpy structured array, a Kafka frame and
ClickHouse RowBinary share one layout, so nothing is parsed twice. The rare, wordy records
(dead letters, health) are frozen msgspec structs that travel as JSON.

A row layout opens with its 8-byte fields, then the symbol, then the one-byte fields, and is
padded to a multiple of 8 bytes, so that every column is aligned. ``NaN`` means undefined,
never zero. All times are Unix nanoseconds in the venue's clock unless the name says ``recv``.
"""

from enum import IntEnum
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

SYMBOL_BYTES = 16
"""Longest symbol in bytes; Binance's longest spot name at the time of writing has 15."""

BOOK_LEVELS = 20
"""Price levels a side that a book row carries, best first."""

DEPTH_DISTANCES_BPS = (5.0, 10.0, 50.0)
"""Distances from the mid, in basis points, within which the feed sums the resting quantity."""

WATERMARK_FINAL_NS = 2**63 - 1
"""The watermark after the last row of a replay: it closes every cell."""

WHOLE_MARKET = b"*"
"""The symbol of a row that speaks of all followed symbols of one market."""


class Market(IntEnum):
    """Where an instrument trades. Spot and perpetual of one name are different instruments."""

    SPOT = 1
    USDM = 2
    COINM = 3


class Side(IntEnum):
    """Aggressor side of a trade."""

    BUY = 1
    SELL = -1


class StreamKind(IntEnum):
    """The tick stream of one instrument."""

    TRADES = 1
    QUOTES = 2
    BOOK = 3


class GapReason(IntEnum):
    """Why rows are missing."""

    SEQUENCE = 1
    DISCONNECT = 2
    SILENCE = 3
    FEED_RESTART = 4
    LOG_RESTART = 5
    OVERFLOW = 6
    SNAPSHOT = 7


class MarketState(IntEnum):
    """The weather of one symbol, or of the whole market."""

    UNKNOWN = 0
    DEAD = 1
    NORMAL = 2
    VOLATILE = 3
    PANIC = 4
    MAINTENANCE = 5


class PairSignal(IntEnum):
    """Which leg of a pair to hold."""

    NEITHER = 0
    HOLD_FIRST = 1
    HOLD_SECOND = 2


class Field(NamedTuple):
    """One column: its name, numpy format, meaning and, for a code, the names of its values.

    ``length`` is the number of entries when the column is an array, else 0.
    """

    name: str
    format: str
    doc: str
    codes: type[IntEnum] | None = None
    length: int = 0


class RowSchema:
    """A versioned fixed-width row layout.

    Parameters
    ----------
    name, version
        Written into the header of every frame as ``name.vVERSION``.
    key
        The columns that identify a row for ever: a repeat carries the same key.
    order
        The column by which rows of one instrument are sorted on disk.
    fields
        The columns, 8-byte ones first.

    Raises
    ------
    ValueError
        When a field would be unaligned or a key column does not exist.
    """

    def __init__(
        self, name: str, version: int, key: tuple[str, ...], order: str, fields: tuple[Field, ...]
    ) -> None:
        self.name = name
        self.version = version
        self.tag = f"{name}.v{version}"
        self.key = key
        self.order = order
        self.fields = fields
        self.dtype = _packed(self.tag, fields)
        unknown = ({*key, order}) - {field.name for field in fields}
        if unknown:
            raise ValueError(f"schema {self.tag}: key columns {sorted(unknown)} are not fields of the row")

    def empty(self, rows: int = 0) -> np.ndarray:
        """Return ``rows`` zeroed rows of this layout, shape ``(rows,)``."""
        return np.zeros(rows, self.dtype)

    def __repr__(self) -> str:
        return f"RowSchema({self.tag}, {self.dtype.itemsize} bytes a row)"


PADDING = "_padding"
"""Name of the unused bytes at the end of a row."""


def _packed(tag: str, fields: tuple[Field, ...]) -> np.dtype:
    columns: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    offset = 0
    for field in fields:
        base = np.dtype(field.format)
        if offset % min(base.itemsize, 8):
            raise ValueError(f"schema {tag}: field {field.name!r} would be unaligned at byte {offset}")
        columns.append(
            (field.name, field.format, (field.length,)) if field.length else (field.name, field.format)
        )
        offset += base.itemsize * max(field.length, 1)
    if offset % 8:
        columns.append((PADDING, f"S{8 - offset % 8}"))
    return np.dtype(columns)


_EVENT = Field("event_ns", "<i8", "when it happened, by the venue's clock, ns since the epoch")
_RECV = Field("recv_ns", "<i8", "when its message reached our socket, by our clock, ns since the epoch")
_EFFECTIVE = Field(
    "effective_ns",
    "<i8",
    "when it counts: event_ns, or for a late row the connection's watermark at its arrival + 1 ns",
)
SYMBOL_FIELD = Field("symbol", f"S{SYMBOL_BYTES}", "instrument as the venue writes it")
MARKET_FIELD = Field("market", "i1", "market of the instrument", Market)
STALE_FIELD = Field("stale", "i1", "1 when a gap touches what this row was computed from, else 0")

TRADE = RowSchema(
    "trade",
    1,
    ("market", "symbol", "trade_id"),
    "event_ns",
    (
        _EVENT,
        _RECV,
        _EFFECTIVE,
        Field("trade_id", "<i8", "the venue's trade id, contiguous per instrument"),
        Field("price", "<f8", "price in quote asset"),
        Field("qty", "<f8", "quantity in base asset (COIN-M: contracts)"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        Field("side", "i1", "aggressor side", Side),
    ),
)

QUOTE = RowSchema(
    "quote",
    1,
    ("market", "symbol", "update_id"),
    "event_ns",
    (
        _EVENT,
        _RECV,
        _EFFECTIVE,
        Field("update_id", "<i8", "the venue's order-book update id"),
        Field("bid_price", "<f8", "best bid in quote asset"),
        Field("bid_qty", "<f8", "quantity at the best bid in base asset"),
        Field("ask_price", "<f8", "best ask in quote asset"),
        Field("ask_qty", "<f8", "quantity at the best ask in base asset"),
        SYMBOL_FIELD,
        MARKET_FIELD,
    ),
)

BOOK = RowSchema(
    "book",
    1,
    ("market", "symbol", "update_id"),
    "event_ns",
    (
        _EVENT,
        _RECV,
        _EFFECTIVE,
        Field("update_id", "<i8", "last update id of the diff that made this book"),
        Field(
            "bid_price", "<f8", "bid prices in quote asset, best first, NaN past the end", length=BOOK_LEVELS
        ),
        Field("bid_qty", "<f8", "quantities at the bids in base asset", length=BOOK_LEVELS),
        Field(
            "ask_price", "<f8", "ask prices in quote asset, best first, NaN past the end", length=BOOK_LEVELS
        ),
        Field("ask_qty", "<f8", "quantities at the asks in base asset", length=BOOK_LEVELS),
        Field(
            "bid_depth_qty",
            "<f8",
            "bid quantity in base asset within 5, 10 and 50 bps of the mid, from the whole known book",
            length=len(DEPTH_DISTANCES_BPS),
        ),
        Field(
            "ask_depth_qty",
            "<f8",
            "ask quantity in base asset within 5, 10 and 50 bps of the mid, from the whole known book",
            length=len(DEPTH_DISTANCES_BPS),
        ),
        SYMBOL_FIELD,
        MARKET_FIELD,
    ),
)

GAP = RowSchema(
    "gap",
    1,
    ("market", "symbol", "stream", "start_ns", "revision"),
    "start_ns",
    (
        Field("start_ns", "<i8", "newest time known to be complete, venue clock, ns since the epoch"),
        Field("end_ns", "<i8", "when the stream was whole again, venue clock; 0 while still open"),
        _RECV,
        Field(
            "effective_ns",
            "<i8",
            "when it counts: start_ns (end_ns once closed), or if later the watermark when noticed + 1 ns",
        ),
        Field("revision", "<i8", "0 when the gap is first seen, 1 when it is closed"),
        Field("first_missing_id", "<i8", "first id that is missing, 0 when the stream has no ids"),
        Field("last_missing_id", "<i8", "last id that is missing, 0 when unknown"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        Field("stream", "i1", "the stream that has the gap", StreamKind),
        Field("reason", "i1", "why rows are missing", GapReason),
    ),
)

BAR = RowSchema(
    "bar",
    2,
    ("market", "symbol", "interval_ns", "open_ns", "revision"),
    "open_ns",
    (
        Field("open_ns", "<i8", "start of the bar, venue clock, ns since the epoch"),
        Field("interval_ns", "<i8", "length of the bar, ns"),
        Field("revision", "<i8", "0 when the bar closes, one more for each late trade or gap that amends it"),
        Field("effective_ns", "<i8", "when this revision became known, venue clock, ns since the epoch"),
        Field("open", "<f8", "first price, by (event time, trade id)"),
        Field("high", "<f8", "highest price"),
        Field("low", "<f8", "lowest price"),
        Field("close", "<f8", "last price, by (event time, trade id)"),
        Field("qty", "<f8", "traded quantity in base asset"),
        Field("buy_qty", "<f8", "quantity bought by aggressors, base asset"),
        Field("notional", "<f8", "traded value in quote asset"),
        Field("vwap", "<f8", "volume-weighted average price, NaN without volume"),
        Field("trade_count", "<i8", "number of trades"),
        Field(
            "average_true_range", "<f8", "Wilder's over 14 bars, as it first closed, quote asset; NaN before"
        ),
        SYMBOL_FIELD,
        MARKET_FIELD,
        STALE_FIELD,
    ),
)

LIQUIDITY = RowSchema(
    "liquidity",
    1,
    ("market", "symbol", "update_id"),
    "event_ns",
    (
        _EVENT,
        _RECV,
        Field("update_id", "<i8", "update id of the book it was computed from"),
        Field("mid_price", "<f8", "mid of best bid and ask, quote asset"),
        Field("micro_price", "<f8", "mid weighted by the opposite quantities, quote asset"),
        Field("spread_bps", "<f8", "ask minus bid over mid, basis points"),
        Field("bid_depth_notional", "<f8", "bid value in quote asset within 5, 10, 50 bps", length=3),
        Field("ask_depth_notional", "<f8", "ask value in quote asset within 5, 10, 50 bps", length=3),
        Field("imbalance", "<f8", "bid minus ask over total quantity of the first 5 levels, in [-1, 1]"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        STALE_FIELD,
    ),
)

CORRELATION = RowSchema(
    "correlation",
    1,
    ("half_life_ns", "market_a", "symbol_a", "market_b", "symbol_b", "sample_ns"),
    "sample_ns",
    (
        Field("sample_ns", "<i8", "end of the sampling cell, venue clock, ns since the epoch"),
        Field("interval_ns", "<i8", "sampling step of the log returns, ns"),
        Field("half_life_ns", "<i8", "half-life of the weights, ns; 0 for equal weights"),
        Field("correlation", "<f8", "correlation of log returns, NaN while undefined"),
        Field("effective_count", "<f8", "Kish's effective number of samples, (sum w)^2 / sum w^2"),
        Field("symbol_a", f"S{SYMBOL_BYTES}", "first instrument"),
        Field("symbol_b", f"S{SYMBOL_BYTES}", "second instrument"),
        Field("market_a", "i1", "market of the first instrument", Market),
        Field("market_b", "i1", "market of the second instrument", Market),
        STALE_FIELD,
    ),
)

MARKET_STATE = RowSchema(
    "market_state",
    1,
    ("market", "symbol", "event_ns"),
    "event_ns",
    (
        Field("event_ns", "<i8", "end of the cell it was judged on, venue clock, ns since the epoch"),
        Field("since_ns", "<i8", "since when this state has held; equals event_ns on a transition"),
        Field("volatility_bps", "<f8", "short-run volatility of 1 s log returns, basis points"),
        Field("volatility_ratio", "<f8", "short-run over usual volatility of this symbol"),
        Field("spread_bps", "<f8", "spread, basis points"),
        Field("spread_ratio", "<f8", "spread over the usual spread of this symbol"),
        Field("trade_rate_hz", "<f8", "short-run trades a second"),
        Field("trade_rate_ratio", "<f8", "short-run over usual trade rate of this symbol"),
        Field("quiet_ns", "<i8", "time since the newest tick of this symbol, ns"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        Field("state", "i1", "market state", MarketState),
        Field("previous_state", "i1", "the state before the present one", MarketState),
        STALE_FIELD,
    ),
)


STAT_ARB = RowSchema(
    "stat_arb",
    1,
    ("market_a", "symbol_a", "market_b", "symbol_b", "event_ns"),
    "event_ns",
    (
        Field("event_ns", "<i8", "end of the cell it was judged on, venue clock, ns since the epoch"),
        Field("since_ns", "<i8", "since when this signal has held; equals event_ns on a change"),
        Field("hedge_ratio", "<f8", "value of b held against one of a, NaN while undefined"),
        Field(
            "spread_bps", "<f8", "log price of a less what b makes of it, basis points, positive: a is dear"
        ),
        Field("z_score", "<f8", "spread less its mean, in its standard deviations, both of the past"),
        Field("reversion_s", "<f8", "half-life of the spread's deviations, s; inf when they do not fade"),
        Field("p_value", "<f8", "of Engle and Granger's cointegration test over the window"),
        Field(
            "confidence", "<f8", "in [0, 1], from p-value, half-life and z-score; no probability of profit"
        ),
        Field("symbol_a", f"S{SYMBOL_BYTES}", "first instrument"),
        Field("symbol_b", f"S{SYMBOL_BYTES}", "second instrument"),
        Field("market_a", "i1", "market of the first instrument", Market),
        Field("market_b", "i1", "market of the second instrument, the same", Market),
        Field("signal", "i1", "which leg to hold", PairSignal),
        Field("previous_signal", "i1", "the signal before the present one", PairSignal),
        STALE_FIELD,
    ),
)

VIEW = RowSchema(
    "view",
    1,
    ("market", "symbol", "second"),
    "second",
    (
        Field("second", "<i8", "second of event time that it speaks of, s since the epoch"),
        Field("tick_count", "<i8", "trades, quotes and books that it stands for"),
        Field("trade_count", "<i8", "trades among them"),
        Field("quote_ns", "<i8", "event time of the newest quote among them, ns since the epoch; 0 for none"),
        Field("bid_price", "<f8", "its best bid in quote asset, NaN without a quote"),
        Field("bid_qty", "<f8", "quantity at its best bid in base asset"),
        Field("ask_price", "<f8", "its best ask in quote asset, NaN without a quote"),
        Field("ask_qty", "<f8", "quantity at its best ask in base asset"),
        Field("book_ns", "<i8", "event time of the newest book among them, ns since the epoch; 0 for none"),
        Field("micro_price", "<f8", "its mid weighted by the opposite quantities, NaN without a book"),
        Field("bid_depth_notional", "<f8", "its bid value in quote asset within 5, 10, 50 bps", length=3),
        Field("ask_depth_notional", "<f8", "its ask value in quote asset within 5, 10, 50 bps", length=3),
        Field("imbalance", "<f8", "bid minus ask over total quantity of its first 5 levels, in [-1, 1]"),
        SYMBOL_FIELD,
        MARKET_FIELD,
    ),
)


def symbol_words(symbol: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a symbol column as two columns of unsigned integers that sort as it does.

    >>> [words.tolist() for words in symbol_words(np.array([b"B", b"A"], "S16"))][0]
    [4755801206503243776, 4683743612465315840]
    """
    words = np.ascontiguousarray(symbol).view(">u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0], words[:, 1]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that could not be used, with the reason. Nothing else is disturbed by it."""

    id: Annotated[str, Meta(description="identity, made from source, reason, time and payload")]
    recv_ns: Annotated[int, Meta(description="when it was received, by our clock, ns since the epoch")]
    source: Annotated[str, Meta(description="where it came from: a stream, or topic/partition/offset")]
    reason: Annotated[str, Meta(description="a stable code, such as malformed_json")]
    detail: Annotated[str, Meta(description="what is wrong with it, in a sentence")]
    payload: Annotated[str, Meta(description="the message, up to 64 KiB; as base64: when it is not text")]
    payload_bytes: Annotated[int, Meta(description="true size of the message, bytes")]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How one process is, about once a second. Figures by name, in base units."""

    id: Annotated[str, Meta(description="identity of this report")]
    recv_ns: Annotated[int, Meta(description="when it was made, by our clock, ns since the epoch")]
    component: Annotated[str, Meta(description="the process that reports, such as feed or market")]
    state: Annotated[str, Meta(description="ok, starting, degraded, complete or stopped")]
    detail: Annotated[str, Meta(description="what is the matter, in a sentence; empty when ok")]
    figures: Annotated[
        dict[str, float], Meta(description="measured values by name, the unit last in the name")
    ]
