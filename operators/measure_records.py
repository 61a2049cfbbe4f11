"""Record types of the market measures: flow, volatility, volume and which pairs to choose from.

As in `records`; kept apart for their number.
"""

from enum import IntEnum

from genesis.operators.records import (
    MARKET_FIELD,
    STALE_FIELD,
    SYMBOL_FIELD,
    Field,
    RowSchema,
)

VOLUME_BINS = 48
"""Bins of half an hour in a day, in UTC, over which the learned volume profile is given."""


class VolumeClass(IntEnum):
    """How much is traded in a day, in quote asset: under 100,000, under 1,000,000, or more."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Tier(IntEnum):
    """What an account may do, by its capital."""

    SNIPER = 1
    HUNTER = 2
    STRATEGIST = 3
    ARCHITECT = 4


MEASURE = RowSchema(
    "measure",
    1,
    ("market", "symbol", "event_ns"),
    "event_ns",
    (
        Field("event_ns", "<i8", "end of the second, venue clock, ns since the epoch"),
        Field("order_flow_qty", "<f8", "order flow at the best prices in the second, base asset"),
        Field("order_flow_imbalance", "<f8", "decayed net over gross order flow, in [-1, 1]"),
        Field("trade_flow_qty", "<f8", "bought less sold by aggressors in the second, base asset"),
        Field("trade_flow_imbalance", "<f8", "decayed net over gross aggressor volume, in [-1, 1]"),
        Field("spread_mean_bps", "<f8", "decayed mean spread over time, basis points"),
        Field("spread_wide_share", "<f8", "decayed share of time with over twice that spread, in [0, 1]"),
        Field("spread_wide_s", "<f8", "how long a spread over twice the usual lasts, seconds"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        STALE_FIELD,
    ),
)

VOLATILITY = RowSchema(
    "volatility",
    1,
    ("market", "symbol", "interval_ns", "open_ns"),
    "open_ns",
    (
        Field("open_ns", "<i8", "start of the interval, venue clock, ns since the epoch"),
        Field("interval_ns", "<i8", "length of the interval, ns"),
        Field("realized_bps", "<f8", "root of the sum of squared 1 s log returns of the mid, basis points"),
        Field("bipower_bps", "<f8", "the same by bipower variation, which jumps hardly touch"),
        Field("median_bps", "<f8", "the same by MedRV, which single jumps do not touch"),
        Field("jump_share", "<f8", "share of the realised variance that MedRV lacks, in [0, 1]"),
        Field("return_count", "<i8", "number of 1 s returns"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        STALE_FIELD,
    ),
)

VOLUME = RowSchema(
    "volume",
    1,
    ("market", "symbol", "event_ns"),
    "event_ns",
    (
        Field("event_ns", "<i8", "end of a bin of the day, venue clock, ns since the epoch"),
        Field("day_notional", "<f8", "volume of a day, quote asset, from what was seen of the last 24 h"),
        Field("seen_s", "<f8", "of how many of the last 86,400 s it is made"),
        Field("share", "<f8", "learned share of each half hour, UTC; flat at first", length=VOLUME_BINS),
        SYMBOL_FIELD,
        MARKET_FIELD,
        Field("volume_class", "i1", "class of the day's volume", VolumeClass),
    ),
)

TRADABILITY = RowSchema(
    "tradability",
    1,
    ("market", "symbol", "tier", "event_ns"),
    "event_ns",
    (
        Field("event_ns", "<i8", "end of the minute, venue clock, ns since the epoch"),
        Field("rank", "<i8", "1 is the best of the market for the tier"),
        Field("unfit", "<i8", "what speaks against it: 1 spread, 2 depth, 4 volume, added up; 0 nothing"),
        Field("cost_bps", "<f8", "estimated cost of the tier's largest order at once, basis points"),
        Field("spread_bps", "<f8", "decayed mean spread over time, basis points"),
        Field("depth_notional", "<f8", "mean over the minute, thinner side within 10 bps, quote asset"),
        Field("day_notional", "<f8", "volume of a day, quote asset"),
        SYMBOL_FIELD,
        MARKET_FIELD,
        Field("tier", "i1", "tier of the account", Tier),
        Field("volume_class", "i1", "class of the day's volume", VolumeClass),
    ),
)
