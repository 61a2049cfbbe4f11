"""The registry of topics: the one place where a topic is described.

Codec, ClickHouse tables, AsyncAPI document and reference page are all made from it.
"""

import zlib
from typing import NamedTuple

import msgspec

from genesis.operators import correlation_records, measure_records, records, release
from genesis.operators.account import events, outcomes
from genesis.operators.records import RowSchema

PREFIX = "genesis."
"""Every topic's name on the broker begins with this; its table has the rest."""


class Topic(NamedTuple):
    """One topic.

    ``sharded`` topics have one partition per shard and an instrument is always in the partition
    of its shard; the others have a single partition. ``ttl_days`` is 0 for what is kept for ever.
    """

    name: str
    schema: RowSchema | type[msgspec.Struct]
    doc: str
    sharded: bool
    ttl_days: int

    @property
    def full_name(self) -> str:
        """The topic's name on the broker."""
        return PREFIX + self.name

    @property
    def rows(self) -> RowSchema:
        """The row layout; a JSON topic has none.

        Raises
        ------
        TypeError
            When the topic carries JSON records.
        """
        if not isinstance(self.schema, RowSchema):
            raise TypeError(f"topic {self.full_name} carries JSON records, not rows")
        return self.schema

    @property
    def tag(self) -> str:
        """What the ``schema`` header of its messages says."""
        return self.schema.tag if isinstance(self.schema, RowSchema) else f"{_snake(self.schema.__name__)}.v1"


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


TRADES = Topic("trades", records.TRADE, "Every trade, as the venue reported it.", True, 90)
QUOTES = Topic("quotes", records.QUOTE, "Every change of the best bid and ask, with sizes.", True, 90)
BOOK = Topic("book", records.BOOK, "The first 20 levels of the order book after every diff.", True, 90)
GAPS = Topic("gaps", records.GAP, "Intervals in which rows of a stream are missing.", True, 0)
BARS = Topic("bars", records.BAR, "Bars of 1 s, 1 min, 5 min and 1 h, with amendments.", True, 0)
LIQUIDITY = Topic(
    "liquidity", records.LIQUIDITY, "Spread, depth and imbalance after every book row.", True, 90
)
MEASURES = Topic(
    "measures",
    measure_records.MEASURE,
    "Order flow, trade flow and spread of every symbol, by the second.",
    True,
    90,
)
VOLATILITY = Topic(
    "interval_volatility",
    measure_records.VOLATILITY,
    "Realised volatility over 1 min, 5 min and 1 h, jumps apart.",
    True,
    0,
)
VOLUME = Topic(
    "day_volume",
    measure_records.VOLUME,
    "Volume of a day and how it is spread over one, every half hour.",
    True,
    0,
)
TRADABILITY = Topic(
    "tradability",
    measure_records.TRADABILITY,
    "Which pairs fit an account of each tier, every minute.",
    False,
    90,
)
CORRELATION = Topic(
    "correlation", records.CORRELATION, "EWMA correlation of every pair, once a sampling cell.", False, 0
)
CORRELATION_ESTIMATES = Topic(
    "correlation_estimates",
    correlation_records.CORRELATION_ESTIMATE,
    "Correlation of every pair over a rolling window and by Hayashi and Yoshida, once a second.",
    False,
    0,
)
MARKET_STATE = Topic(
    "market_state", records.MARKET_STATE, "State of every symbol and of each market, once a second.", False, 0
)
STAT_ARB = Topic(
    "stat_arb", records.STAT_ARB, "Spread and signal of every followed pair, once a second.", False, 90
)
DEAD_LETTERS = Topic(
    "dead_letters", records.DeadLetter, "Messages that could not be used, and why.", False, 0
)
HEALTH = Topic("health", records.Health, "How each process is, about once a second.", False, 90)

ACCOUNT_EVENTS = Topic(
    "account_events",
    events.AccountEvent,
    "The one ordered log of the accounts: commands, what the venue reports, the market.",
    False,
    90,
)
DECISIONS = Topic("decisions", outcomes.Decision, "What became of every command, and why.", False, 0)
CHILD_ORDERS = Topic(
    "child_orders", outcomes.ChildOrder, "What the gateway is asked to send, each with its permit.", False, 0
)
PARENT_ORDERS = Topic(
    "parent_orders", outcomes.ParentOrder, "Parent orders, whenever one has changed.", False, 0
)
EXECUTIONS = Topic("executions", outcomes.Fill, "Our trades, valued.", False, 0)
POSITIONS = Topic("positions", outcomes.PositionStatus, "Positions, whenever one has changed.", False, 0)
ACCOUNT = Topic(
    "account",
    outcomes.AccountStatus,
    "Tier, mode, equity and limits of each account, by the second.",
    False,
    0,
)
TILT = Topic(
    "tilt", outcomes.TiltStatus, "How far the trader is from his usual self, whenever it changed.", False, 0
)
BEHAVIOUR = Topic(
    "behaviour", outcomes.BehaviourRecord, "What was seen of the trader, in the order of events.", False, 0
)
AUDIT = Topic("audit", outcomes.AuditEntry, "The audit chain of each account.", False, 0)

TICKS = (TRADES, QUOTES, BOOK, GAPS)
"""What the feed writes and the market flow reads."""

SIGNALS = (
    BARS,
    LIQUIDITY,
    MEASURES,
    VOLATILITY,
    VOLUME,
    TRADABILITY,
    CORRELATION,
    CORRELATION_ESTIMATES,
    MARKET_STATE,
    STAT_ARB,
)
"""What the market flow writes."""

VIEW = Topic(
    "view", records.VIEW, "What a screen shows of the ticks, conflated, five times a second.", False, 0
)

OUTCOMES = (DECISIONS, CHILD_ORDERS, PARENT_ORDERS, EXECUTIONS, POSITIONS, ACCOUNT, TILT, BEHAVIOUR, AUDIT)
"""What the account flow writes, by way of the ledger's outbox."""

ARCHIVED = (*TICKS, *SIGNALS, ACCOUNT_EVENTS, *OUTCOMES, DEAD_LETTERS, HEALTH)
"""What is stored; each has a table of its short name."""

RELEASE = Topic(
    "release", release.Release, "Which of two versions of the market flow writes the signals.", False, 0
)

ALL = (*ARCHIVED, VIEW, RELEASE)

SHADOWS = {
    (topic.name, colour): topic._replace(
        name=f"{topic.name}_{colour}", doc=f"What the {colour} market flow computes in shadow.", ttl_days=1
    )
    for topic in SIGNALS
    for colour in release.COLOURS
}
"""Where a colour writes while the other one has the signals, by signal and colour; made when needed."""

BY_NAME = {topic.name: topic for topic in (*ALL, *SHADOWS.values())}


def shard_of(market: int, symbol: bytes, shards: int) -> int:
    """Return the shard of an instrument, in ``[0, shards)``; the same on every machine.

    >>> shard_of(1, b"BTCUSDT", 4), shard_of(2, b"BTCUSDT", 4)
    (3, 2)
    """
    return zlib.crc32(b"%d:%s" % (market, symbol)) % shards
