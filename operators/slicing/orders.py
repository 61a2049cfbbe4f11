"""Orders: the records of slicing: parent, market, state, events in, decisions out; all in whole steps.

Quantities are *lots* (multiples of the venue's lot step), prices *ticks*, values lots times ticks, all
int64; `steps` converts from and to decimals, exactly. Shares and rates are parts per million (ppm). A
price or quantity of 0 means "none". Limits: LOTS_MAX and TICKS_MAX, and PRODUCT_MAX for a value, so
that no product overflows 64 bits.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from genesis.operators.arrays import Ints, Rows

PPM = 1_000_000

Record = Any
"""One row, as a kernel sees it: its fields are attributes, and writing to one writes to the row."""

LOTS_MAX = 2**40
TICKS_MAX = 2**40
PRODUCT_MAX = 2**62
"""Largest quantity in lots, price in ticks, and value in lots times ticks."""


class Algorithm(IntEnum):
    """How a parent order is cut."""

    ONE = 0  # one child order for all of it
    TWAP = 1  # equal slices at equal times
    VWAP = 2  # slices that follow a curve of volume
    SHORTFALL = 3  # Almgren and Chriss: early against the risk of waiting, late against impact
    POV = 4  # a share of the volume that others trade
    ICEBERG = 5  # one small resting order after the other


class EventKind(IntEnum):
    """What an order is told."""

    MARKET = 1  # quote, and what others have traded since the event before; also the clock
    FILL = 2  # a child traded
    CLOSED = 3  # a child is no longer open: cancelled, expired or used up
    REJECTED = 4  # the venue did not take a child
    PAUSE = 5
    RESUME = 6
    CANCEL = 7


class DecisionKind(IntEnum):
    """What an order decides; at most one decision an event."""

    SEND = 1
    CANCEL = 2  # cancel the open child
    END = 3  # nothing will be sent any more, and no child is open


class Routing(IntEnum):
    """How a child goes out."""

    CROSS = 1  # a limit order that takes at once and keeps nothing in the book (IOC)
    REST = 2  # a limit order that waits in the book


class Status(IntEnum):
    """Where a parent order stands."""

    WORKING = 0
    PAUSED = 1
    ENDING = 2  # waits for its open child to close
    ENDED = 3


class Reason(IntEnum):
    """Why a parent order ended."""

    NONE = 0
    FILLED = 1
    CANCELLED = 2
    SLIPPAGE = 3  # the price went too far away
    EXPIRED = 4  # its time was over
    REMAINDER = 5  # what is left is below the venue's minimum
    REJECTED = 6  # the venue refused several children in a row


ORDER = np.dtype(
    [
        # given by the plan
        ("algorithm", "<i8"),
        ("side", "<i8"),  # 1 buys, -1 sells
        ("seed", "<i8"),
        ("total_lots", "<i8"),
        ("start_ns", "<i8"),
        ("horizon_ns", "<i8"),
        ("grace_ns", "<i8"),  # after the horizon, before what is left expires
        ("interval_ns", "<i8"),  # between two slices
        ("slices_min", "<i8"),
        ("slice_lots", "<i8"),  # usual size of a slice
        ("child_lots_max", "<i8"),
        ("notional_min", "<i8"),  # lots times ticks, margin included
        ("arrival_2_ticks", "<i8"),  # bid plus ask at the plan: twice the arrival price
        ("collar_ticks", "<i8"),  # worst price at all: the slippage limit
        ("limit_ticks", "<i8"),  # worst price the parent allows; 0 none
        ("rate_ppm", "<i8"),  # largest share of the volume, our own included
        ("size_variation_ppm", "<i8"),
        ("time_variation_ppm", "<i8"),
        ("delay_min_ns", "<i8"),
        ("delay_max_ns", "<i8"),  # between iceberg tips
        ("patience_ns", "<i8"),  # how long a child rests before it crosses; 0 never rests
        ("cross_spread_ticks", "<i8"),  # crossing at once is cheap up to this spread
        ("cross_depth_ppm", "<i8"),  # … and this share of what is at the best price
        ("favourable_full_ppm", "<i8"),  # price gain at which urgency is full; 0 ignores the price
        ("widening_full_ppm", "<i8"),  # spread above the usual at which patience is full; 0 ignores it
        ("lead_max_ns", "<i8"),  # how far urgency moves the order's clock
        ("usual_spread_ticks", "<i8"),
        ("volume_prior_ppm", "<i8"),  # weight of the learned volume, as a share of it; 0: curve as it is
        # changes
        ("status", "<i8"),
        ("reason", "<i8"),
        ("now_ns", "<i8"),  # newest event; time never runs backwards
        ("paused_ns", "<i8"),  # when the pause began
        ("shift_ns", "<i8"),  # time spent in pauses: the order's clock stands still
        ("next_ns", "<i8"),  # order's clock: no child before it (VWAP, POV, iceberg)
        ("filled_lots", "<i8"),
        ("filled_children", "<i8"),  # children with a fill
        ("volume_lots", "<i8"),  # traded by others since the plan
        ("credit", "<i8"),  # lots that participation allows, times (PPM - rate_ppm)
        ("child", "<i8"),  # number of the newest child; 0 before the first
        ("open_lots", "<i8"),  # of it
        ("child_filled_lots", "<i8"),
        ("child_ticks", "<i8"),
        ("child_routing", "<i8"),
        ("sent_ns", "<i8"),
        ("cancel_sent", "<i8"),  # 1 once the open child is being cancelled
        ("impatient", "<i8"),  # 1 when a child has rested in vain: the next crosses
        ("rejects", "<i8"),  # in a row
    ]
)
"""One parent order: what the plan gave and what has become of it."""

EVENT = np.dtype(
    [
        ("kind", "<i8"),
        ("event_ns", "<i8"),
        ("bid_ticks", "<i8"),  # MARKET; 0 when there is none
        ("ask_ticks", "<i8"),
        ("bid_lots", "<i8"),
        ("ask_lots", "<i8"),
        ("lots", "<i8"),  # MARKET: traded by others; FILL: filled
        ("child", "<i8"),  # FILL, CLOSED, REJECTED
    ]
)
"""What an order is told. Others' trades are all but our own, which are known by their trade ids."""

DECISION = np.dtype(
    [
        ("kind", "<i8"),
        ("event_ns", "<i8"),
        ("child", "<i8"),
        ("lots", "<i8"),  # SEND: quantity; END: what remains unfilled
        ("limit_ticks", "<i8"),  # SEND
        ("routing", "<i8"),  # SEND
        ("reason", "<i8"),  # END
    ]
)
"""What an order decides."""


class Parent(NamedTuple):
    """What is to be traded."""

    parent_id: str  # its hash seeds all chance
    side: int  # 1 buys, -1 sells
    lots: int
    start_ns: int
    limit_ticks: int = 0  # worst price; 0 none


class Market(NamedTuple):
    """What is known of the market when the order is planned."""

    bid_ticks: int
    ask_ticks: int
    notional_min: int  # smallest value the venue takes, lots times ticks, rounded up
    recent_lots: int = 0  # traded in the last slice interval; participation begins with it
    usual_spread_ticks: int = 0  # 0: the present one
    volume_lots: int = 0  # expected in the horizon; VWAP updates its curve against it, 0 does not


class State(NamedTuple):
    """A planned order; pickles, and is used up by `decisions.next`."""

    order: Rows  # shape (1,) of ORDER
    schedule: (
        Ints  # shape (slots, 3): due (ns after the start), lots due from then, volume expected by its end
    )


_PACK = {dtype: struct.Struct(f"<{dtype.itemsize // 8}q") for dtype in (ORDER, EVENT, DECISION)}


def row(dtype: np.dtype[np.void], values: Iterable[int]) -> Rows:
    """Return one row of ORDER, EVENT or DECISION, shape ``(1,)``; its values in the order of the fields.

    Packed, it is made in half the time that numpy takes for a tuple, and an account makes one or two at
    every event.

    >>> row(EVENT, (EventKind.MARKET, 5, 99, 101, 1, 1, 30, 0))["ask_ticks"].tolist()
    [101]
    """
    return np.frombuffer(bytearray(_PACK[dtype].pack(*values)), dtype)


def values(dtype: np.dtype[np.void], packed: bytes | bytearray) -> dict[str, int]:
    """Return the fields of one packed row by their names.

    >>> values(DECISION, row(DECISION, range(7)).tobytes())["limit_ticks"]
    4
    """
    return dict(zip(dtype.names or (), _PACK[dtype].unpack(packed), strict=True))


def events(rows: list[tuple[int, ...]]) -> Rows:
    """Return rows of EVENT.

    >>> events([(EventKind.MARKET, 5, 99, 101, 1, 1, 30, 0)])["ask_ticks"].tolist()
    [101]
    """
    return np.array(rows, EVENT)


def market_event(event_ns: int, bid: tuple[int, int], ask: tuple[int, int], traded_lots: int = 0) -> Rows:
    """Return one MARKET event; ``bid`` and ``ask`` are ticks and lots."""
    return row(EVENT, (EventKind.MARKET, event_ns, bid[0], ask[0], bid[1], ask[1], traded_lots, 0))


def child_event(kind: EventKind, event_ns: int, child: int, lots: int = 0) -> Rows:
    """Return one FILL, CLOSED or REJECTED event of a child."""
    return row(EVENT, (kind, event_ns, 0, 0, 0, 0, lots, child))


def command_event(kind: EventKind, event_ns: int) -> Rows:
    """Return one PAUSE, RESUME or CANCEL event."""
    return row(EVENT, (kind, event_ns, 0, 0, 0, 0, 0, 0))
