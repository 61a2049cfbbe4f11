"""State: all that one account's fold knows; a snapshot of it is what the ledger keeps.

Every part is a msgspec struct of plain values, so that ``encoded`` and ``decoded`` give the same state to
the byte. Working orders hold the arrays of `operators.slicing` as bytes. Everything is bounded: what is
over is forgotten, oldest first, once the limit named beside it is reached.
"""

from decimal import Decimal

import msgspec
import numpy as np

from genesis.operators.account.audit import GENESIS, Head
from genesis.operators.account.money import ZERO
from genesis.operators.account.outcomes import Decision
from genesis.operators.account.performance import Performance
from genesis.operators.account.portfolio import Portfolio
from genesis.operators.account.tier_facts import Summary
from genesis.operators.account.tiers import Standing
from genesis.operators.slicing.orders import ORDER, State
from genesis.operators.slicing.steps import Steps
from genesis.operators.tilt.interventions import Rest
from genesis.operators.tilt.parameters import Chosen

IDS_MAX = 1_024
"""Commands and reports that are remembered to know a repeat. One that is not newer than the newest forgotten
is refused, so that an old command, sealed as it may be, is never carried out again."""

ORDERS_WORKING_MAX = 200
"""Parent orders that may be open at a time."""

CHILDREN_MAX = 256
"""Closed children that are remembered; what trades for a forgotten one still counts in the portfolio."""

SYMBOLS_MAX = 512
"""Symbols of which marks and rules are kept."""

BUY, SELL = 1, -1


class Rules(msgspec.Struct):
    """The venue's rules for a symbol; quantities in base asset, prices in quote asset."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    trading: bool

    @property
    def steps(self) -> Steps:
        """Its steps, as slicing takes them."""
        return Steps(self.lot, self.tick)


class View(msgspec.Struct):
    """The market of a symbol as the newest records have it."""

    bid: Decimal
    ask: Decimal
    bid_qty: Decimal
    ask_qty: Decimal
    state: int
    stale: bool
    quoted_ns: int

    @property
    def mid(self) -> Decimal:
        """Middle of bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def is_two_sided(self) -> bool:
        """Whether there is a bid and an ask above it or equal."""
        return ZERO < self.bid <= self.ask


class Child(msgspec.Struct):
    """A child order that was sent, or is asked to be."""

    client_order_id: str
    parent_id: str
    number: int
    symbol: str
    side: int
    qty: Decimal
    limit_price: Decimal
    decided_ns: int
    filled: Decimal = ZERO
    is_open: bool = True
    cancel_asked: bool = False
    stop_price: Decimal = ZERO  # of a stop-loss that rests at the venue; 0 for others


class Working(msgspec.Struct):
    """A parent order that is not over."""

    parent_id: str
    cause: str
    symbol: str
    side: int
    algorithm: str
    qty: Decimal
    limit_price: Decimal  # 0 for none
    strategy: str
    arrival_price: Decimal
    begun_ns: int
    stop_ppm: int
    order: bytearray = msgspec.field(
        default_factory=bytearray
    )  # row of slicing's ORDER; empty for one that rests
    schedule: bytearray = msgspec.field(default_factory=bytearray)
    status: str = "working"
    reason: str = ""
    filled: Decimal = ZERO
    spent: Decimal = ZERO  # quote asset, fees apart
    fees: Decimal = ZERO  # quote asset
    children: int = 0
    open_child: str = ""

    @property
    def slicing(self) -> State:
        """The order as the kernels take it; what they write is written here."""
        schedule = np.frombuffer(self.schedule, np.int64).reshape(-1, 3)
        return State(np.frombuffer(self.order, ORDER), schedule)

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.qty - self.filled


class Guard(msgspec.Struct):
    """The stop-loss of one symbol, as it rests at the venue."""

    child: str = ""  # client order id of the open order; empty while none rests
    reached_ns: int = 0  # when the market came to it; 0 not yet
    retry_ns: int = 0  # the venue did not take the last one; none is placed before then
    told: bool = False  # that it sells


class Override(msgspec.Struct):
    """The emergency override: when it was last granted, and what it raises today's limit by."""

    granted_ns: int = 0  # 0 never
    day: int = -1  # UTC day for which it counts


class Tilt(msgspec.Struct):
    """What is known of the trader: the watch's state, what it needs besides, and what follows."""

    watch: bytes = b""  # of `tilt.watch`; empty before the first observation
    level: int = 0  # of the watch
    score: float = 0.0
    calibrated: bool = False
    names: list[str] = []  # of the signs that are lit
    signs: list[str] = []  # … their sentences
    rest: Rest = msgspec.field(default_factory=Rest)
    chosen: Chosen = msgspec.field(default_factory=Chosen)
    numbers: dict[str, int] = {}  # of symbols, from 1
    amended: dict[str, int] = {}  # amendments of the orders at work
    stop_causes: list[str] = []  # newest events by which a stop sold
    marked: dict[str, int] = {}  # unrealised return of positions, in steps
    clock_ns: int = 0  # of the newest observation of the clock
    market_state: int = 0
    client: str = ""  # that told last
    told: str = ""  # what was told last, in short


class Account(msgspec.Struct):
    """One account."""

    account_id: str
    now_ns: int = 0
    head_hash: str = GENESIS
    head_number: int = 0
    mode: str = "active"  # active, reducing or halted
    mode_code: str = ""  # why it is not active, as a code of `risk`
    is_open: bool = False  # opening balances have come
    connected: bool = False
    rules: dict[str, Rules] = {}
    views: dict[str, View] = {}
    correlations: dict[str, float] = {}  # by "A|B", A before B
    market_state: int = 0
    day_notionals: dict[str, float] = {}
    portfolio: Portfolio = msgspec.field(default_factory=lambda: Portfolio("USDT"))
    performance: Performance = msgspec.field(default_factory=Performance)
    standing: Standing = msgspec.field(default_factory=Standing)
    summary: Summary | None = None  # of the closed days
    asked: dict[str, int] = {}  # newest order by "symbol|side|size", to know one asked for twice
    working: dict[str, Working] = {}
    children: dict[str, Child] = {}
    stops: dict[str, Decimal] = {}  # price by symbol
    guards: dict[str, Guard] = {}  # by symbol: what of the stops rests at the venue
    closing: dict[str, str] = {}  # symbols to be sold altogether, with the event that asked for it
    seen: dict[str, int] = {}  # role and id of commands and reports with their times, oldest first
    seen_floor_ns: dict[str, int] = {}  # newest time of what is forgotten, by role
    sends_ns: list[int] = []  # of the children of the last 10 s
    override: Override = msgspec.field(default_factory=Override)
    tilt: Tilt = msgspec.field(default_factory=Tilt)
    last_refusal: Decision | None = None
    status_ns: int = 0  # when the status was last told

    @property
    def head(self) -> Head:
        """Where the audit chain ends."""
        return Head(self.head_hash, self.head_number)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Account)


def encoded(account: Account) -> bytes:
    """Return the snapshot of an account.

    >>> decoded(encoded(Account("main"))) == Account("main")
    True
    """
    return _encoder.encode(account)


def decoded(snapshot: bytes) -> Account:
    """Return the account of a snapshot.

    Raises
    ------
    msgspec.MsgspecError
        When it is none.
    """
    return _decoder.decode(snapshot)
