"""First version: accounts, audit, outbox, orders, fences; what is append-only refuses to be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger()
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, *, key: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _big(name: str, *, key: bool = False) -> "sa.Column[int]":
    return sa.Column(name, BIG, primary_key=key, nullable=False, autoincrement=False)


def _blob(name: str) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _flag(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    """Make the tables."""
    _account_tables()
    _gateway_tables()
    _outbox()
    for table in ("audit",):
        _forbid(table, "UPDATE", "DELETE")
    _forbid("orders", "DELETE")
    _forbid("orders", "UPDATE", columns=("client_order_id", "account_id", "body", "token", "recorded_ns"))
    _forbid("refused_permits", "DELETE")
    _forbid("fences", "DELETE")


def _account_tables() -> None:
    op.create_table(
        "accounts", _text("account_id", key=True), _big("saves"), _text("head_hash"), _big("head_number")
    )
    op.create_table(
        "snapshots",
        _text("account_id", key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        _big("saves"),
        _text("head_hash"),
        _big("head_number"),
        _text("position"),
        _blob("snapshot"),
        _text("seal"),
    )
    op.create_table(
        "audit",
        _text("account_id", key=True),
        _big("number", key=True),
        _text("id"),
        _big("event_ns"),
        _text("previous"),
        _text("subject"),
        _text("body"),
    )
    op.create_index("audit_id", "audit", ["account_id", "id"], unique=True)
    op.create_table(
        "latest",
        _text("account_id", key=True),
        _text("topic", key=True),
        _text("key", key=True),
        _big("event_ns"),
        _flag("ended"),
        _blob("body"),
    )


def _gateway_tables() -> None:
    op.create_table(
        "orders",
        _text("client_order_id", key=True),
        _text("account_id"),
        _blob("body"),
        _big("token"),
        _big("recorded_ns"),
        _text("status"),
        _flag("is_open"),
        _big("venue_order_id"),
        _text("filled_qty"),
        _big("changed_ns"),
    )
    op.create_index(
        "orders_open",
        "orders",
        ["account_id"],
        sqlite_where=sa.text("is_open = 1"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_table("trades", _text("account_id", key=True), _text("symbol", key=True), _big("trade_id"))
    op.create_table("fences", _text("name", key=True), _big("token"))
    op.create_table(
        "refused_permits",
        _text("account_id", key=True),
        _text("client_order_id", key=True),
        _text("code", key=True),
        _text("detail"),
        _big("count"),
        _big("first_ns"),
        _big("last_ns"),
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        _text("account_id"),
        _text("topic"),
        _text("id"),
        _text("action"),
        _text("client_order_id"),
        _blob("body"),
        _flag("sent"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "outbox_unsent",
        "outbox",
        ["number"],
        sqlite_where=sa.text("sent = 0"),
        postgresql_where=sa.text("NOT sent"),
    )
    op.create_index(
        "outbox_children",
        "outbox",
        ["client_order_id"],
        sqlite_where=sa.text("client_order_id <> ''"),
        postgresql_where=sa.text("client_order_id <> ''"),
    )


def _forbid(table: str, *actions: str, columns: tuple[str, ...] = ()) -> None:
    """Let the database refuse these statements on a table, or on some of its columns."""
    sentence = f"rows of {table} are never changed or removed"
    postgres = op.get_bind().dialect.name == "postgresql"
    of = f" OF {', '.join(columns)}" if columns else ""
    if postgres:
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{sentence}'; END $$"
        )
        op.execute(
            f"CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()"
        )
    for action in actions:
        name = f"{table}_no_{action.lower()}"
        when = f"BEFORE {action}{of if action == 'UPDATE' else ''} ON {table} FOR EACH ROW"
        if postgres:
            op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {table}_kept()")
        else:
            op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{sentence}'); END")
