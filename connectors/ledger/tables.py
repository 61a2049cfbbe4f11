"""Tables: what the ledger holds, in SQLAlchemy's terms; the migrations make them.

Law: each question of who may write is one row. The account's row is compared and swapped, a fence's row
is locked while an order is recorded, an order's id is a primary key. So the usual isolation of either
database is enough, and nothing has to be tried again.
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, Table, Text

REVISION = "0001"
"""Newest migration; a test compares it with the scripts."""

metadata = MetaData()

ACCOUNTS = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("saves", BigInteger, nullable=False),  # commits so far
    Column("head_hash", Text, nullable=False),
    Column("head_number", BigInteger, nullable=False),
)

SNAPSHOTS = Table(
    "snapshots",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("slot", Integer, primary_key=True),  # commits modulo 2: the newest and the one before
    Column("saves", BigInteger, nullable=False),
    Column("head_hash", Text, nullable=False),
    Column("head_number", BigInteger, nullable=False),
    Column("position", Text, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),
    Column("seal", Text, nullable=False),
)

AUDIT = Table(
    "audit",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("id", Text, nullable=False),
    Column("event_ns", BigInteger, nullable=False),
    Column("previous", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
)

OUTBOX = Table(
    "outbox",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("action", Text, nullable=False),  # of child orders: send or cancel
    Column("client_order_id", Text, nullable=False),  # of child orders
    Column("body", LargeBinary, nullable=False),
    Column("sent", Boolean, nullable=False),
)

LATEST = Table(
    "latest",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("event_ns", BigInteger, nullable=False),
    Column("ended", Boolean, nullable=False),  # nothing more will come, so it may be forgotten
    Column("body", LargeBinary, nullable=False),
)

ORDERS = Table(
    "orders",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the child order with its permit, JSON
    Column("token", BigInteger, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),  # our clock
    Column("status", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("venue_order_id", BigInteger, nullable=False),
    Column("filled_qty", Text, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),  # our clock
)

TRADES = Table(
    "trades",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("trade_id", BigInteger, nullable=False),  # newest that was handed on
)

FENCES = Table(
    "fences",
    metadata,
    Column("name", Text, primary_key=True),
    Column("token", BigInteger, nullable=False),  # of the name "": the newest of all
)

REFUSED_PERMITS = Table(
    "refused_permits",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("client_order_id", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("detail", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),  # our clock
    Column("last_ns", BigInteger, nullable=False),
)
