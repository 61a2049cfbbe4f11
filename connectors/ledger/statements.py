"""Statements: those between a decision and its order, built once.

Building one takes SQLAlchemy longer than running it takes the database.
"""

from sqlalchemy import Insert, Table, Update, bindparam, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from genesis.connectors.ledger.tables import ACCOUNTS, AUDIT, FENCES, LATEST, ORDERS, OUTBOX, SNAPSHOTS

COUNTER = ""
"""The fence of this name holds the newest token of all."""


def upserts(table: Table) -> dict[str, Insert]:
    """Return the statement that writes a row over the one with the same key, by name of the dialect."""
    keys = [column.name for column in table.primary_key]
    made: dict[str, Insert] = {}
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql)):
        statement = dialect.insert(table)
        rest = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
        made[name] = statement.on_conflict_do_update(index_elements=keys, set_=rest)
    return made


PUT_SNAPSHOT = upserts(SNAPSHOTS)
PUT_LATEST = upserts(LATEST)
ADD_ACCOUNT = insert(ACCOUNTS)
ADD_AUDIT = insert(AUDIT)
ADD_OUTGOING = insert(OUTBOX)
ADD_ORDER = insert(ORDERS)

SWAP_ACCOUNT: Update = (
    update(ACCOUNTS)
    .where(
        ACCOUNTS.c.account_id == bindparam("of_account"),
        ACCOUNTS.c.saves == bindparam("expected_saves"),
        ACCOUNTS.c.head_hash == bindparam("expected_hash"),
        ACCOUNTS.c.head_number == bindparam("expected_number"),
    )
    .values(saves=bindparam("saves"), head_hash=bindparam("head_hash"), head_number=bindparam("head_number"))
)
"""Changes the account's row only when it is still the expected one."""

HOLD_FENCE = (
    select(FENCES.c.name)
    .where(FENCES.c.token == bindparam("token"), FENCES.c.token > 0, FENCES.c.name != COUNTER)
    .with_for_update(read=True)
)
"""In PostgreSQL the row stays locked until the transaction ends; SQLite has locked everything by then."""

ORDER_BODY = select(ORDERS.c.body).where(ORDERS.c.client_order_id == bindparam("client_order_id"))

ENTRY_WITH_HASH = select(AUDIT.c.number).where(
    AUDIT.c.account_id == bindparam("account_id"), AUDIT.c.id == bindparam("hash")
)

ORDER = select(ORDERS).where(ORDERS.c.client_order_id == bindparam("client_order_id")).with_for_update()

CHANGE_ORDER: Update = (
    update(ORDERS)
    .where(ORDERS.c.client_order_id == bindparam("of_order"))
    .values(
        status=bindparam("status"),
        is_open=bindparam("is_open"),
        venue_order_id=bindparam("venue_order_id"),
        filled_qty=bindparam("filled_qty"),
        changed_ns=bindparam("changed_ns"),
    )
)

IS_CHILD = OUTBOX.c.client_order_id != text("''")
"""Spelt as in the index of child orders, which is used then."""

CHILD_BODIES = select(OUTBOX.c.body).where(
    OUTBOX.c.client_order_id == bindparam("client_order_id"),
    IS_CHILD,
    OUTBOX.c.account_id == bindparam("account_id"),
    OUTBOX.c.topic == "child_orders",
    OUTBOX.c.id == bindparam("id"),
)

UNSENT = select(OUTBOX).where(~OUTBOX.c.sent).order_by(OUTBOX.c.number).limit(bindparam("most"))
