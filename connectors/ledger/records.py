"""Records: what goes into the ledger and comes out."""

import msgspec

from genesis.operators.account.audit import Head
from genesis.operators.account.outcomes import ChildOrder

TERMINAL = frozenset({"filled", "canceled", "rejected", "expired"})
"""Statuses of a child order after which nothing more happens to it."""

RECORDED = "recorded"
"""Status of an order whose id is in the ledger, and of which nothing else is known yet."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it was committed: its state, how far its log was folded, and its audit chain's end."""

    snapshot: bytes
    position: str
    head: Head


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A record that leaves by way of the outbox. The ledger gives the number."""

    topic: str  # short name
    id: str
    body: bytes  # JSON
    number: int = 0
    account_id: str = ""


class RecordedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A child order of which the gateway has put the id down, and what became of it."""

    order: ChildOrder
    status: str
    is_open: bool
    venue_order_id: int  # -1 while it is not known
    filled_qty: str  # base asset, decimal text
    token: int
    recorded_ns: int  # our clock
    changed_ns: int  # our clock


class RefusedPermit(msgspec.Struct, frozen=True, kw_only=True):
    """Child orders that the gateway refused, counted by id and code."""

    client_order_id: str
    code: str
    detail: str  # of the first
    count: int
    first_ns: int  # our clock
    last_ns: int  # our clock


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole look at an account's audit chain found."""

    account_id: str
    entries: int
    head: Head
    anchored: int  # newest entry that the anchor saw; 0 for none
    anchored_ns: int  # when, our clock; 0 for never
    faults: list[str]  # a sentence each; empty when all is as it was written
